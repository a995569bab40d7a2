/* Files into objects; what each is is import_map's affair. */
#include "deploy/import_read.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/err.h"
#include "deploy/clixml.h"
#include "deploy/import_map.h"

enum { PROBLEM_SIZE = 1024 };

int
import_init(struct import *im)
{
	*im = (struct import){ .seen = json_object(),
		.problems = json_array(),
		.left_out = json_object() };
	if (im->seen != NULL && im->problems != NULL && im->left_out != NULL)
		return 0;
	import_finish(im);
	return ERR_NOMEM;
}

void
import_finish(struct import *im)
{
	for (size_t i = 0; i < im->count; i++) {
		free(im->settings[i].key);
		json_decref(im->settings[i].object);
	}
	free(im->settings);
	json_decref(im->seen);
	json_decref(im->problems);
	json_decref(im->left_out);
	*im = (struct import){ 0 };
}

void
import_problem(struct import *im, const char *fmt, ...)
{
	char text[PROBLEM_SIZE];
	va_list ap;

	if (im->problem_count++ >= IMPORT_PROBLEMS_MAX)
		return;
	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	/* A name that was cut within a character is told without it. */
	for (size_t n = strlen(text);
	     json_array_append_new(im->problems, json_string(text)) < 0 &&
	     n > 0;)
		text[--n] = '\0';
}

/* --- Clixml ------------------------------------------------------------------------ */

static bool
on_object(json_t *members, json_t *lines, size_t line, void *arg)
{
	struct import *im = arg;
	struct import_place at = {
		.file = im->file, .line = line, .lines = lines
	};

	return import_map_object(im, members, &at) == 0;
}

static int
read_clixml(struct import *im, const char *text, size_t len)
{
	char why[CLIXML_WHY];
	int rc = clixml_read(text, len, on_object, im, why);

	if (rc == ERR_NOMEM || rc == ERR_CLOSED)
		return ERR_NOMEM;
	if (rc < 0)
		import_problem(im, "%s:%s", im->file, why);
	return 0;
}

/* --- JSON --------------------------------------------------------------------------- */

/* Windows PowerShell wraps a list that it was handed whole:
 * {"value": [...], "Count": 2}. */
static json_t *
unwrap(json_t *root)
{
	json_t *value = json_object_get(root, "value");

	return json_is_array(value) &&
		       json_is_integer(json_object_get(root, "Count"))
		   ? value
		   : root;
}

static int
read_list(struct import *im, json_t *list)
{
	struct import_place at = { .file = im->file };

	for (size_t i = 0; i < json_array_size(list); i++) {
		int rc;

		at.number = i + 1;
		rc = import_map_object(im, json_array_get(list, i), &at);
		if (rc < 0)
			return rc;
	}
	return 0;
}

static int
read_json(struct import *im, const char *text, size_t len)
{
	struct import_place at = { .file = im->file, .number = 1 };
	json_error_t e;
	json_t *root = json_loadb(text, len, 0, &e), *top;
	int rc = 0;

	if (root == NULL) {
		import_problem(
		    im, "%s:%d:%d: %s", im->file, e.line, e.column, e.text);
		return 0;
	}
	top = unwrap(root);
	if (json_is_array(top))
		rc = read_list(im, top);
	else
		rc = import_map_object(im, top, &at);
	json_decref(root);
	return rc;
}

static size_t
skip_blanks(const char *text, size_t at, size_t len)
{
	while (at < len && (text[at] == ' ' || text[at] == '\t' ||
			       text[at] == '\r' || text[at] == '\n'))
		at++;
	return at;
}

int
import_read(struct import *im, const char *name, const char *text, size_t len)
{
	size_t at = 0;

	im->file = name;
	at = skip_blanks(text, at, len);
	if (at < len && text[at] == '<')
		return read_clixml(im, text, len);
	if (at < len && (text[at] == '{' || text[at] == '['))
		return read_json(im, text, len);
	/* $null | ConvertTo-Json */
	if (len - at >= 4 && memcmp(text + at, "null", 4) == 0 &&
	    skip_blanks(text, at + 4, len) == len)
		return 0;
	if (at == len) {
		import_problem(im,
		    "%s: is empty: nothing was exported into it; leave it out",
		    name);
		return 0;
	}
	import_problem(im,
	    "%s:1: neither what Export-Clixml nor what ConvertTo-Json writes",
	    name);
	return 0;
}
