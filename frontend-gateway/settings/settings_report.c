#include "frontend-gateway/settings/settings_report.h"

#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void
settings_report_init(struct settings_report *r)
{
	memset(r, 0, sizeof(*r));
	r->kind = "";
	r->key = "";
}

static size_t
kept(size_t count)
{
	return count < SETTINGS_REPORT_MAX ? count : SETTINGS_REPORT_MAX;
}

static void
free_remarks(struct settings_remark *v, size_t count)
{
	for (size_t i = 0; i < kept(count); i++) {
		free(v[i].key);
		free(v[i].member);
		free(v[i].text);
	}
}

void
settings_report_finish(struct settings_report *r)
{
	free_remarks(r->problems, r->problem_count);
	free_remarks(r->warnings, r->warning_count);
	r->problem_count = r->warning_count = 0;
}

/* Without memory the texts are NULL; the remark counts all the same. */
static void
remark(struct settings_report *r, struct settings_remark *v, size_t *count,
    const char *member, const char *fmt, va_list ap)
{
	struct settings_remark *m;

	if ((*count)++ >= SETTINGS_REPORT_MAX)
		return;
	m = &v[*count - 1];
	m->change = r->change;
	m->kind = r->kind;
	m->key = strdup(r->key);
	if (asprintf(&m->member, "%s%s", member != NULL ? "/" : "",
		member != NULL ? member : "") < 0)
		m->member = NULL;
	if (vasprintf(&m->text, fmt, ap) < 0)
		m->text = NULL;
}

void
settings_report_problem(
    struct settings_report *r, const char *member, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	remark(r, r->problems, &r->problem_count, member, fmt, ap);
	va_end(ap);
}

void
settings_report_warn(
    struct settings_report *r, const char *member, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	remark(r, r->warnings, &r->warning_count, member, fmt, ap);
	va_end(ap);
}

static json_t *
remarks_json(const struct settings_remark *v, size_t count)
{
	json_t *all = json_array();

	for (size_t i = 0; i < kept(count); i++) {
		json_t *one = json_pack("{s:s, s:s, s:s, s:s}", "kind",
		    v[i].kind, "key", v[i].key != NULL ? v[i].key : "",
		    "member", v[i].member != NULL ? v[i].member : "", "text",
		    v[i].text != NULL ? v[i].text : "out of memory");

		if (one != NULL && v[i].change != SIZE_MAX)
			(void)json_object_set_new(one, "change",
			    json_integer((json_int_t)v[i].change));
		if (json_array_append_new(all, one) < 0) {
			json_decref(all);
			return NULL;
		}
	}
	return all;
}

json_t *
settings_report_problems(const struct settings_report *r)
{
	return remarks_json(r->problems, r->problem_count);
}

json_t *
settings_report_warnings(const struct settings_report *r)
{
	return remarks_json(r->warnings, r->warning_count);
}
