#include "tests/unit/json_patch.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <jansson.h>

static json_t *
parse(const char *text)
{
	char *copy = strdup(text);
	json_error_t e;
	json_t *root;

	if (copy == NULL)
		abort();
	for (char *p = copy; *p != '\0'; p++)
		if (*p == '\'')
			*p = '"';
	root = json_loads(copy, 0, &e);
	if (root == NULL) {
		fprintf(stderr, "%s: %s\n", copy, e.text);
		abort();
	}
	free(copy);
	return root;
}

static void
merge(json_t *into, json_t *patch)
{
	const char *key;
	json_t *value;

	json_object_foreach(patch, key, value)
	{
		json_t *old = json_object_get(into, key);

		if (json_is_null(value))
			json_object_del(into, key);
		else if (json_is_object(value) && json_is_object(old))
			merge(old, value);
		else
			json_object_set(into, key, value);
	}
}

char *
json_patch(const char *sample, const char *patch)
{
	json_t *root = parse(sample), *change = parse(patch);
	char *out;

	merge(root, change);
	out = json_dumps(root, 0);
	if (out == NULL)
		abort();
	json_decref(change);
	json_decref(root);
	return out;
}
