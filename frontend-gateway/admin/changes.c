#include "frontend-gateway/admin/changes.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "common/err.h"

struct reader {
	struct changes_problem *problem;
	size_t at;
};

__attribute__((format(printf, 3, 4))) static int
fail(struct reader *r, const char *member, const char *fmt, ...)
{
	va_list ap;

	snprintf(r->problem->member, sizeof(r->problem->member),
	    "/changes/%zu/%s", r->at, member);
	va_start(ap, fmt);
	vsnprintf(r->problem->text, sizeof(r->problem->text), fmt, ap);
	va_end(ap);
	return ERR_CONFIG;
}

static int
read_kind(struct settings_change *out, struct reader *r, const json_t *value)
{
	const char *name = json_string_value(value);

	out->kind = name != NULL ? setting_kind_find(name) : NULL;
	if (out->kind == NULL)
		return fail(r, "kind", "is no kind of setting");
	if (out->kind == &setting_kind_token)
		return fail(r, "kind", "tokens are made by POST /v1/tokens");
	return 0;
}

static int
read_method(struct settings_change *out, struct reader *r, const json_t *value)
{
	static const struct {
		const char *name;
		enum settings_action action;
	} methods[] = { { "PUT", SETTINGS_PUT }, { "PATCH", SETTINGS_PATCH },
		{ "DELETE", SETTINGS_REMOVE } };
	const char *name = json_string_value(value);

	for (size_t i = 0; name != NULL && i < 3; i++)
		if (strcasecmp(methods[i].name, name) == 0) {
			out->action = methods[i].action;
			return 0;
		}
	return fail(r, "method", "PUT, PATCH or DELETE are possible");
}

static int
read_member(struct settings_change *out, struct reader *r, const char *name,
    const json_t *value)
{
	if (strcmp(name, "kind") == 0)
		return read_kind(out, r, value);
	if (strcmp(name, "method") == 0)
		return read_method(out, r, value);
	if (strcmp(name, "key") == 0) {
		out->key = json_string_value(value);
		return out->key != NULL ? 0 : fail(r, "key", "is no text");
	}
	if (strcmp(name, "object") == 0) {
		out->object = value;
		return json_is_object(value)
			   ? 0
			   : fail(r, "object", "is no object");
	}
	if (strcmp(name, "version") == 0) {
		if (!json_is_integer(value) || json_integer_value(value) < 0)
			return fail(r, "version", "is no version");
		out->version = (uint64_t)json_integer_value(value);
		return 0;
	}
	return fail(r, "", "there is no member \"%.40s\" here", name);
}

static int
read_change(struct settings_change *out, struct reader *r, json_t *object)
{
	struct settings_change c = { .version = SETTINGS_ANY };
	const char *name;
	json_t *value;
	int rc;

	if (!json_is_object(object))
		return fail(r, "", "is no object");
	if (json_object_get(object, "method") == NULL)
		return fail(r, "method", "is missing");
	json_object_foreach(object, name, value)
	{
		rc = read_member(&c, r, name, value);
		if (rc < 0)
			return rc;
	}
	if (c.kind == NULL)
		return fail(r, "kind", "is missing");
	if (c.key == NULL && !c.kind->closed)
		return fail(r, "key", "is missing");
	if (c.key == NULL)
		c.key = "global";
	if ((c.object == NULL) != (c.action == SETTINGS_REMOVE))
		return fail(r, "object", "%s",
		    c.object == NULL ? "is missing" : "DELETE takes none");
	*out = c;
	return 0;
}

int
changes_read(
    struct changes *out, const json_t *body, struct changes_problem *problem)
{
	json_t *list = json_object_get(body, "changes");
	struct changes c = { .count = json_array_size(list) };
	struct reader r = { .problem = problem };
	int rc = 0;

	if (c.count == 0 || json_object_size(body) != 1) {
		snprintf(problem->member, sizeof(problem->member), "/changes");
		snprintf(problem->text, sizeof(problem->text),
		    "one member is needed: a list of changes");
		return ERR_CONFIG;
	}
	c.v = calloc(c.count, sizeof(*c.v));
	if (c.v == NULL)
		return ERR_NOMEM;
	for (; rc == 0 && r.at < c.count; r.at++)
		rc = read_change(&c.v[r.at], &r, json_array_get(list, r.at));
	if (rc < 0)
		changes_finish(&c);
	else
		*out = c;
	return rc;
}

void
changes_finish(struct changes *c)
{
	free(c->v);
	c->v = NULL;
	c->count = 0;
}
