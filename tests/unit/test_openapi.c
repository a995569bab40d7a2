/*
 * openapi.json against the program, both ways: each route is described, and
 * nothing else is; what is said of kinds of settings is what their tables say.
 *
 * The part that follows from the tables is written by this very test, when
 * SALLYPORT_WRITE_OPENAPI is set.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "frontend-gateway/admin/openapi_builtin.h"
#include "frontend-gateway/admin/setting_routes.h"
#include "frontend-gateway/gateway_admin.h"
#include "tests/unit/admin_world.h"

static const char path_of_file[] = "frontend-gateway/admin/openapi.json";

/* --- what follows from the tables ------------------------------------------ */

static json_t *
ref(const char *part, const char *name)
{
	return json_pack(
	    "{s:o}", "$ref", json_sprintf("#/components/%s/%s", part, name));
}

static json_t *
names_of(const struct setting_field *f)
{
	json_t *names = json_array();

	for (size_t i = 0; i < f->name_count; i++)
		json_array_append_new(names, json_string(f->names[i]));
	return names;
}

static const char *
text_of(const struct setting_field *f)
{
	return f->text != NULL ? f->text : "";
}

static json_t *
field_schema(const struct setting_field *f)
{
	switch (f->type) {
	case SETTING_BOOL:
		return json_pack(
		    "{s:s, s:b}", "type", "boolean", "default", (int)f->number);
	case SETTING_INTEGER:
		return json_pack("{s:s, s:I, s:I, s:I}", "type", "integer",
		    "minimum", (json_int_t)f->min, "maximum",
		    (json_int_t)f->max, "default", (json_int_t)f->number);
	case SETTING_TEXT:
		return json_pack("{s:s, s:I, s:I}", "type", "string",
		    "minLength", (json_int_t)f->min, "maxLength",
		    (json_int_t)f->max);
	case SETTING_CHOICE:
		return json_pack(
		    "{s:s, s:o}", "type", "string", "enum", names_of(f));
	case SETTING_DOMAIN:
		return json_pack("{s:s}", "type", "string");
	case SETTING_DOMAINS:
		return json_pack("{s:s, s:{s:s}, s:I}", "type", "array",
		    "items", "type", "string", "maxItems", (json_int_t)f->max);
	case SETTING_DATE:
		return json_pack("{s:s, s:s}", "type", "string", "pattern",
		    "^([0-9]{4}-[0-9]{2}-[0-9]{2})?$");
	case SETTING_SECRET:
		return json_pack("{s:s, s:I, s:I, s:b}", "type", "string",
		    "minLength", (json_int_t)f->min, "maxLength",
		    (json_int_t)f->max, "writeOnly", 1);
	}
	return NULL;
}

static void
add_default(json_t *schema, const struct setting_field *f)
{
	if (f->required)
		return;
	if (f->type == SETTING_CHOICE)
		json_object_set_new(
		    schema, "default", json_string(f->names[f->number]));
	else if (f->type == SETTING_DOMAINS)
		json_object_set_new(schema, "default", json_array());
	else if (f->type == SETTING_TEXT || f->type == SETTING_DOMAIN ||
		 f->type == SETTING_DATE)
		json_object_set_new(schema, "default", json_string(text_of(f)));
}

static json_t *
kind_schema(const struct setting_kind *k)
{
	json_t *properties = json_object(), *required = json_array(), *schema;

	for (size_t i = 0; i < k->field_count; i++) {
		const struct setting_field *f = &k->fields[i];
		json_t *one;

		if (f->internal)
			continue;
		one = field_schema(f);
		assert_non_null(one);
		add_default(one, f);
		json_object_set_new(
		    one, "description", json_sprintf("%s.", f->words));
		json_object_set_new(properties, f->name, one);
		if (f->required)
			json_array_append_new(required, json_string(f->name));
	}
	schema =
	    json_pack("{s:s, s:s, s:b, s:o}", "type", "object", "description",
		k->words, "additionalProperties", 0, "properties", properties);
	if (json_array_size(required) > 0)
		json_object_set(schema, "required", required);
	json_decref(required);
	return schema;
}

/* PATCH: a list may be {"Add": [...], "Remove": [...]}, null takes a member
 * back to its default. */
static json_t *
body_of(const struct setting_kind *k, bool patch)
{
	json_t *schema =
	    patch ? ref("schemas", "Patch") : ref("schemas", k->name);
	json_t *content =
	    json_pack("{s:{s:O}}", "application/json", "schema", schema);

	if (patch)
		json_object_set_new(content, "application/merge-patch+json",
		    json_pack("{s:O}", "schema", schema));
	json_decref(schema);
	return json_pack("{s:b, s:o}", "required", 1, "content", content);
}

static json_t *
answer(const char *description, json_t *schema)
{
	return json_pack("{s:s, s:{s:o}, s:{s:{s:o}}}", "description",
	    description, "headers", "ETag", ref("headers", "ETag"), "content",
	    "application/json", "schema", schema);
}

static json_t *
item_schema(const struct setting_kind *k)
{
	json_t *item = json_pack("{s:s, s:[s,s,s,s], s:b, s:{s:{s:s}, s:{s:s}, "
				 "s:o, s:{s:s, s:{s:s}}}}",
	    "type", "object", "required", "key", "version", "object", "set",
	    "additionalProperties", 0, "properties", "key", "type", "string",
	    "version", "type", "integer", "object", ref("schemas", k->name),
	    "set", "type", "array", "items", "type", "string");

	assert_non_null(item);
	return item;
}

static json_t *
item_ref(const struct setting_kind *k)
{
	char name[64];

	snprintf(name, sizeof(name), "%s.item", k->name);
	return ref("schemas", name);
}

static json_t *
page_answer(const struct setting_kind *k)
{
	json_t *a = answer("A page, or with Accept: application/x-ndjson all "
			   "of them, one a line",
	    json_pack("{s:s, s:[s], s:b, s:{s:{s:s, s:o}, s:o}}", "type",
		"object", "required", "items", "additionalProperties", 0,
		"properties", "items", "type", "array", "items", item_ref(k),
		"next", ref("schemas", "Next")));

	json_object_del(a, "headers");
	json_object_set_new(json_object_get(a, "content"),
	    "application/x-ndjson", json_pack("{s:o}", "schema", item_ref(k)));
	return a;
}

static void
add_errors(json_t *responses, bool change, bool one, bool body)
{
	static const struct {
		const char *status, *name;
		bool of_change, of_one, of_body;
	} errors[] = {
		{ "400", "Malformed", false, false, false },
		{ "401", "Unauthorized", false, false, false },
		{ "403", "Forbidden", false, false, false },
		{ "404", "NotFound", false, true, false },
		{ "412", "Version", true, false, false },
		{ "413", "TooLarge", false, false, true },
		{ "415", "MediaType", false, false, true },
		{ "422", "Invalid", true, false, false },
		{ "429", "TooMany", false, false, false },
		{ "503", "Unavailable", false, false, false },
	};

	for (size_t i = 0; i < sizeof(errors) / sizeof(errors[0]); i++)
		if ((!errors[i].of_change || change) &&
		    (!errors[i].of_one || one) && (!errors[i].of_body || body))
			json_object_set_new(responses, errors[i].status,
			    ref("responses", errors[i].name));
}

static json_t *
params_of(const struct admin_route *r)
{
	json_t *all = json_array();
	char words[128];

	if (strstr(r->path, "{key}") != NULL)
		json_array_append_new(all, ref("parameters", "key"));
	snprintf(words, sizeof(words), "%s", r->params);
	for (char *rest = words, *w; (w = strsep(&rest, " ")) != NULL;)
		if (w[0] != '\0')
			json_array_append_new(all, ref("parameters", w));
	if (r->right == ADMIN_WRITE)
		json_array_append_new(all, ref("parameters", "ifMatch"));
	if (r->method == HTTP_PUT)
		json_array_append_new(all, ref("parameters", "ifNoneMatch"));
	return all;
}

static const char *const verbs[HTTP_METHOD_COUNT] = {
	[HTTP_GET] = "get",
	[HTTP_PUT] = "put",
	[HTTP_PATCH] = "patch",
	[HTTP_POST] = "post",
	[HTTP_DELETE] = "delete",
};

static json_t *
operation(const struct admin_route *r)
{
	const struct setting_kind *k = r->kind;
	const bool single = setting_routes_is_single(k);
	const bool one = strstr(r->path, "{key}") != NULL || single;
	static const char *const summaries[HTTP_METHOD_COUNT] = {
		[HTTP_GET] = "What holds",
		[HTTP_PUT] = "Sets all of it; members left out have their "
			     "defaults, a secret stays",
		[HTTP_PATCH] = "Changes some members",
		[HTTP_DELETE] = "Takes back what was set",
	};
	json_t *responses = json_object(), *op;

	if (!one)
		json_object_set_new(responses, "200", page_answer(k));
	else if (r->method == HTTP_GET) {
		json_object_set_new(
		    responses, "200", answer("What holds", item_ref(k)));
		json_object_set_new(responses, "304",
		    json_pack("{s:s}", "description",
			"If-None-Match names its version"));
	} else {
		json_object_set_new(responses, "200",
		    answer("Done, or what would be (dry_run)",
			ref("schemas", "ChangeResult")));
		if (r->method == HTTP_PUT && !single)
			json_object_set_new(responses, "201",
			    answer("There was nothing before",
				ref("schemas", "ChangeResult")));
	}
	/* What is single is always there. */
	add_errors(responses, r->right == ADMIN_WRITE,
	    one && !single && r->method != HTTP_PUT, r->body_max > 0);
	op = json_pack("{s:o, s:s, s:s}", "operationId",
	    json_sprintf("%s.%s", one ? k->name : k->plural, verbs[r->method]),
	    "summary", one ? summaries[r->method] : k->words, "x-right",
	    r->right == ADMIN_WRITE ? "write" : "read");
	json_object_set_new(op, "parameters", params_of(r));
	if (r->body_max > 0)
		json_object_set_new(
		    op, "requestBody", body_of(k, r->method == HTTP_PATCH));
	json_object_set_new(op, "responses", responses);
	return op;
}

static void
on_write_route(const struct admin_route *r, void *arg)
{
	json_t *paths = json_object_get(arg, "paths");
	json_t *path = json_object_get(paths, r->path);

	/* Tokens are described by hand. */
	if (r->kind == NULL || r->kind == &setting_kind_token)
		return;
	if (path == NULL) {
		path = json_object();
		json_object_set_new(paths, r->path, path);
	}
	json_object_set_new(path, verbs[r->method], operation(r));
}

/* The file as it ought to be: its own part, and that of the tables. */
static json_t *
complete(const json_t *file, const struct admin_world *w)
{
	json_t *doc = json_deep_copy(file);
	json_t *schemas =
	    json_object_get(json_object_get(doc, "components"), "schemas");

	assert_non_null(schemas);
	for (size_t i = 0; i < setting_kind_count(); i++) {
		const struct setting_kind *k = setting_kinds[i];
		char name[64];

		snprintf(name, sizeof(name), "%s.item", k->name);
		json_object_set_new(schemas, k->name, kind_schema(k));
		json_object_set_new(schemas, name, item_schema(k));
	}
	admin_each_route(w->admin, on_write_route, doc);
	return doc;
}

/* Routes that lie outside of admin/. */
static void
add_others(struct admin_world *w)
{
	assert_int_equal(admin_add_routes(w->admin, gateway_trial_routes,
			     gateway_trial_route_count, NULL),
	    0);
	assert_int_equal(admin_add_routes(w->admin, gateway_trace_routes,
			     gateway_trace_route_count, NULL),
	    0);
}

static json_t *
load_file(void)
{
	json_error_t error;
	json_t *file =
	    json_load_file(path_of_file, JSON_REJECT_DUPLICATES, &error);

	if (file == NULL)
		fail_msg("%s:%d: %s", path_of_file, error.line, error.text);
	return file;
}

static void
test_tables(void **state)
{
	struct admin_world w;
	json_t *file = load_file(), *whole;

	(void)state;
	admin_world_init(&w);
	add_others(&w);
	whole = complete(file, &w);
	if (getenv("SALLYPORT_WRITE_OPENAPI") != NULL) {
		FILE *f = fopen(path_of_file, "w");

		assert_non_null(f);
		assert_int_equal(json_dumpf(whole, f, JSON_INDENT(2)), 0);
		fputc('\n', f);
		fclose(f);
	} else if (!json_equal(file, whole)) {
		fail_msg("%s is not what the tables say: "
			 "SALLYPORT_WRITE_OPENAPI=1 build/unit/test_openapi",
		    path_of_file);
	}
	json_decref(file);
	json_decref(whole);
	admin_world_finish(&w);
}

/* --- routes ---------------------------------------------------------------- */

/* What a reference leads to, or the value itself. */
static const json_t *
follow(const json_t *doc, const json_t *value)
{
	const char *to = json_string_value(json_object_get(value, "$ref"));
	const json_t *at = doc;
	char name[64];

	if (to == NULL)
		return value;
	assert_int_equal(strncmp(to, "#/", 2), 0);
	for (to++; to[0] == '/';) {
		const size_t len = strcspn(to + 1, "/");

		snprintf(name, sizeof(name), "%.*s", (int)len, to + 1);
		at = json_object_get(at, name);
		if (at == NULL)
			fail_msg("nothing is at %s",
			    json_string_value(json_object_get(value, "$ref")));
		to += 1 + len;
	}
	return at;
}

static void
follow_all(const json_t *doc, json_t *value)
{
	const char *name;
	json_t *one;
	size_t i;

	if (json_object_get(value, "$ref") != NULL)
		(void)follow(doc, value);
	json_object_foreach(value, name, one) follow_all(doc, one);
	json_array_foreach(value, i, one) follow_all(doc, one);
}

struct routes {
	json_t *doc;
	size_t count;
};

static bool
has_param(const json_t *doc, const json_t *op, const char *name,
    const char *where, size_t *count)
{
	const json_t *one;
	size_t i;
	bool found = false;

	*count = 0;
	json_array_foreach(json_object_get(op, "parameters"), i, one)
	{
		const json_t *p = follow(doc, one);
		const char *in = json_string_value(json_object_get(p, "in"));

		if (strcmp(in, where) != 0)
			continue;
		(*count)++;
		found |= strcmp(json_string_value(json_object_get(p, "name")),
			     name) == 0;
	}
	return found;
}

static void
on_route(const struct admin_route *r, void *arg)
{
	struct routes *all = arg;
	const json_t *op = json_object_get(
	    json_object_get(json_object_get(all->doc, "paths"), r->path),
	    verbs[r->method]);
	size_t known = 0, described = 0;
	char words[128];

	all->count++;
	if (op == NULL)
		fail_msg("%s %s is not described", verbs[r->method], r->path);
	assert_string_equal(json_string_value(json_object_get(op, "x-right")),
	    r->right == ADMIN_WRITE ? "write" : "read");
	assert_int_equal(
	    json_object_get(op, "requestBody") != NULL, r->body_max > 0);
	assert_int_equal(has_param(all->doc, op, "key", "path", &described),
	    strstr(r->path, "{key}") != NULL);
	snprintf(words, sizeof(words), "%s", r->params);
	(void)has_param(all->doc, op, "", "query", &described);
	for (char *rest = words, *w; (w = strsep(&rest, " ")) != NULL;) {
		if (w[0] == '\0')
			continue;
		known++;
		if (!has_param(all->doc, op, w, "query", &described))
			fail_msg("%s %s: %s is not described", verbs[r->method],
			    r->path, w);
	}
	if (known != described)
		fail_msg("%s %s: parameters that there are not",
		    verbs[r->method], r->path);
}

static void
test_routes(void **state)
{
	struct routes all = { .doc = load_file() };
	struct admin_world w;
	const char *path, *verb;
	json_t *ops, *op;
	size_t described = 0;

	(void)state;
	admin_world_init(&w);
	add_others(&w);
	admin_each_route(w.admin, on_route, &all);
	json_object_foreach(json_object_get(all.doc, "paths"), path, ops)
	    json_object_foreach(ops, verb, op) described++;
	if (described != all.count)
		fail_msg("%zu operations are described, there are %zu routes",
		    described, all.count);
	follow_all(all.doc, all.doc);
	json_decref(all.doc);
	admin_world_finish(&w);
}

/* What is served is the file. */
static void
test_served(void **state)
{
	json_t *file = load_file();
	json_t *served = json_loadb((const char *)openapi_builtin,
	    openapi_builtin_size, JSON_REJECT_DUPLICATES, NULL);

	(void)state;
	assert_true(json_equal(file, served));
	json_decref(file);
	json_decref(served);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_tables),
		cmocka_unit_test(test_routes),
		cmocka_unit_test(test_served),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
