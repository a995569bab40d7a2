#include "frontend-gateway/admin/json_body.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>

#include "common/buf.h"
#include "common/err.h"

/* Counts brackets outside of strings; whether they fit is the parser's. */
static bool
is_deep(const char *s, size_t len)
{
	bool quoted = false;
	size_t depth = 0;

	for (size_t i = 0; i < len; i++) {
		if (quoted) {
			if (s[i] == '\\')
				i++;
			else if (s[i] == '"')
				quoted = false;
		} else if (s[i] == '"') {
			quoted = true;
		} else if (s[i] == '{' || s[i] == '[') {
			if (++depth > JSON_BODY_DEPTH)
				return true;
		} else if ((s[i] == '}' || s[i] == ']') && depth > 0) {
			depth--;
		}
	}
	return false;
}

int
json_body_parse(json_t **out, const void *data, size_t len,
    char why[static JSON_BODY_WHY_SIZE])
{
	json_error_t error;
	json_t *body;

	if (data == NULL || len == 0) {
		snprintf(why, JSON_BODY_WHY_SIZE, "is missing");
		return ERR_MALFORMED;
	}
	if (is_deep(data, len)) {
		snprintf(why, JSON_BODY_WHY_SIZE,
		    "more than %d levels of brackets", JSON_BODY_DEPTH);
		return ERR_TOO_LONG;
	}
	body = json_loadb(data, len, JSON_REJECT_DUPLICATES, &error);
	if (body == NULL) {
		snprintf(why, JSON_BODY_WHY_SIZE, "line %d, column %d: %.150s",
		    error.line, error.column, error.text);
		return json_error_code(&error) == json_error_out_of_memory
			   ? ERR_NOMEM
			   : ERR_MALFORMED;
	}
	if (!json_is_object(body)) {
		json_decref(body);
		snprintf(why, JSON_BODY_WHY_SIZE, "is no object");
		return ERR_MALFORMED;
	}
	*out = body;
	return 0;
}

/* --- apart ----------------------------------------------------------------- */

struct job {
	uv_work_t work;
	struct buf data;
	json_t *body;
	int rc;
	char why[JSON_BODY_WHY_SIZE];
	json_body_fn *fn;
	void *arg;
};

static void
on_parse(uv_work_t *work)
{
	struct job *j = work->data;

	j->rc = json_body_parse(&j->body, j->data.data, j->data.len, j->why);
	buf_finish(&j->data);
}

static void
on_parsed(uv_work_t *work, int status)
{
	struct job *j = work->data;

	(void)status; /* nobody cancels */
	j->fn(j->rc, j->body, j->why, j->arg);
	free(j);
}

int
json_body_parse_apart(
    uv_loop_t *loop, struct buf *data, json_body_fn *fn, void *arg)
{
	struct job *j = calloc(1, sizeof(*j));

	if (j == NULL)
		return ERR_NOMEM;
	j->work.data = j;
	j->data = *data;
	j->fn = fn;
	j->arg = arg;
	if (uv_queue_work(loop, &j->work, on_parse, on_parsed) != 0) {
		free(j);
		return ERR_NOMEM;
	}
	buf_init(data, 0);
	return 0;
}

static void
on_free(uv_work_t *work)
{
	struct job *j = work->data;

	json_decref(j->body);
}

static void
on_freed(uv_work_t *work, int status)
{
	(void)status;
	free(work->data);
}

void
json_body_free_apart(uv_loop_t *loop, json_t *body)
{
	struct job *j = body != NULL ? calloc(1, sizeof(*j)) : NULL;

	if (j != NULL) {
		j->work.data = j;
		j->body = body;
		if (uv_queue_work(loop, &j->work, on_free, on_freed) == 0)
			return;
		free(j);
	}
	json_decref(body);
}
