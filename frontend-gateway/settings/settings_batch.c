#include "frontend-gateway/settings/settings_batch.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/err.h"

static bool
read_method(struct settings_change *c, const char *method)
{
	static const struct {
		const char *name;
		enum settings_action action;
	} methods[] = {
		{ "PUT", SETTINGS_PUT },
		{ "PATCH", SETTINGS_PATCH },
		{ "DELETE", SETTINGS_REMOVE },
	};

	for (size_t i = 0; i < sizeof(methods) / sizeof(methods[0]); i++)
		if (strcmp(methods[i].name, method) == 0) {
			c->action = methods[i].action;
			return true;
		}
	return false;
}

/* What is wrong with it; NULL = nothing. */
static const char *
read_change(struct settings_change *c, const json_t *one)
{
	const char *kind = json_string_value(json_object_get(one, "kind"));
	const char *method = json_string_value(json_object_get(one, "method"));
	const json_t *key = json_object_get(one, "key");
	const json_t *version = json_object_get(one, "version");

	if (kind == NULL)
		return "kind is not a text";
	c->kind = setting_kind_find(kind);
	if (c->kind == NULL)
		return "there is no such kind";
	if (method == NULL || !read_method(c, method))
		return "method is not PUT, PATCH or DELETE";
	if (key != NULL && !json_is_string(key))
		return "key is not a text";
	c->key = json_string_value(key);
	c->object = json_object_get(one, "object");
	if (c->action == SETTINGS_REMOVE)
		c->object = NULL;
	else if (!json_is_object(c->object))
		return "object is not an object";
	c->version = SETTINGS_ANY;
	if (version != NULL &&
	    (!json_is_integer(version) || json_integer_value(version) < 0))
		return "version is not a whole number";
	if (version != NULL)
		c->version = (uint64_t)json_integer_value(version);
	return NULL;
}

int
settings_batch_read(
    struct settings_batch *out, const json_t *changes, char *why, size_t size)
{
	struct settings_batch b = { .count = json_array_size(changes) };

	if (!json_is_array(changes)) {
		snprintf(why, size, "changes is not a list");
		return ERR_MALFORMED;
	}
	if (b.count > SETTINGS_CHANGES_MAX) {
		snprintf(why, size, "%zu changes, at most %d are possible",
		    b.count, SETTINGS_CHANGES_MAX);
		return ERR_TOO_LONG;
	}
	b.v = calloc(b.count + 1, sizeof(*b.v));
	if (b.v == NULL) {
		snprintf(why, size, "out of memory");
		return ERR_NOMEM;
	}
	for (size_t i = 0; i < b.count; i++) {
		const char *wrong =
		    read_change(&b.v[i], json_array_get(changes, i));

		if (wrong == NULL)
			continue;
		snprintf(why, size, "changes/%zu: %s", i, wrong);
		settings_batch_finish(&b);
		return ERR_MALFORMED;
	}
	*out = b;
	return 0;
}

void
settings_batch_finish(struct settings_batch *b)
{
	free(b->v);
	b->v = NULL;
	b->count = 0;
}
