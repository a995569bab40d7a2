#include "frontend-gateway/settings/setting_value.h"

#include <inttypes.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "common/jid.h"
#include "frontend-gateway/policy/day.h"
#include "frontend-gateway/settings/setting_kind.h"
#include "frontend-gateway/settings/settings_report.h"

enum { MEMBER_SIZE = 128, DOMAIN_SIZE = 256 };

/* Members of a list are named by their number. */
static const char *
member_name(char out[static MEMBER_SIZE], const struct setting_field *f, int at)
{
	if (at < 0)
		snprintf(out, MEMBER_SIZE, "%s", f->name);
	else
		snprintf(out, MEMBER_SIZE, "%s/%d", f->name, at);
	return out;
}

static json_t *
checked(json_t *value, const struct setting_field *f, struct settings_report *r)
{
	if (value == NULL)
		settings_report_problem(r, f->name, "out of memory");
	return value;
}

/* --- single values -------------------------------------------------------- */

static json_t *
read_integer(const struct setting_field *f, const json_t *given,
    struct settings_report *r)
{
	json_int_t n = json_integer_value(given);

	if (!json_is_integer(given))
		settings_report_problem(r, f->name, "is not a whole number");
	else if (n < f->min || n > f->max)
		settings_report_problem(r, f->name,
		    "%" PRId64 " is not between %" PRId64 " and %" PRId64,
		    (int64_t)n, f->min, f->max);
	else
		return checked(json_integer(n), f, r);
	return NULL;
}

static bool
has_control(const char *s, size_t len, bool lines)
{
	for (size_t i = 0; i < len; i++) {
		unsigned char c = (unsigned char)s[i];

		if ((c < ' ' && !(lines && (c == '\n' || c == '\t'))) ||
		    c == 0x7f)
			return true;
	}
	return false;
}

/* What a secret is must not be told with it. */
static json_t *
read_text(const struct setting_field *f, const json_t *given,
    struct settings_report *r)
{
	const char *s = json_string_value(given);
	size_t len = json_string_length(given);

	if (s == NULL)
		settings_report_problem(r, f->name, "is not a text");
	else if (len < (size_t)f->min || len > (size_t)f->max)
		settings_report_problem(r, f->name,
		    "has %zu bytes, %" PRId64 " to %" PRId64 " are possible",
		    len, f->min, f->max);
	else if (has_control(s, len, f->lines))
		settings_report_problem(
		    r, f->name, "contains a control character");
	else
		return checked(json_stringn(s, len), f, r);
	return NULL;
}

static json_t *
read_choice(const struct setting_field *f, const json_t *given,
    struct settings_report *r)
{
	const char *s = json_string_value(given);
	char names[256] = "";
	size_t used = 0;

	for (size_t i = 0; s != NULL && i < f->name_count; i++)
		if (strcasecmp(f->names[i], s) == 0)
			return checked(json_string(f->names[i]), f, r);
	for (size_t i = 0; i < f->name_count && used < sizeof(names); i++)
		used += (size_t)snprintf(names + used, sizeof(names) - used,
		    "%s%s", i > 0 ? ", " : "", f->names[i]);
	if (s == NULL)
		settings_report_problem(r, f->name, "is not one of %s", names);
	else
		settings_report_problem(
		    r, f->name, "\"%.100s\" is not one of %s", s, names);
	return NULL;
}

static bool
read_domain(char out[static DOMAIN_SIZE], const char *member,
    const json_t *given, struct settings_report *r)
{
	const char *s = json_string_value(given);

	if (s == NULL)
		settings_report_problem(r, member, "is not a text");
	else if (strpbrk(s, "*?") != NULL)
		settings_report_problem(r, member,
		    "\"%.200s\": domains are listed one by one, there are no "
		    "wildcards",
		    s);
	else if (jid_domain_ascii(
		     out, DOMAIN_SIZE, s, json_string_length(given)) < 0)
		settings_report_problem(
		    r, member, "\"%.200s\" is not a domain name", s);
	else
		return true;
	return false;
}

static json_t *
read_one_domain(const struct setting_field *f, const json_t *given,
    struct settings_report *r)
{
	char domain[DOMAIN_SIZE];

	if (f->min == 0 && json_is_string(given) &&
	    json_string_length(given) == 0)
		return checked(json_string(""), f, r);
	if (!read_domain(domain, f->name, given, r))
		return NULL;
	return checked(json_string(domain), f, r);
}

static json_t *
read_date(const struct setting_field *f, const json_t *given,
    struct settings_report *r)
{
	const char *s = json_string_value(given);
	int32_t day;

	if (s != NULL && (s[0] == '\0' || day_parse(&day, s)))
		return checked(json_string(s), f, r);
	settings_report_problem(r, f->name, "is not a date such as 2026-11-21");
	return NULL;
}

/* --- lists ---------------------------------------------------------------- */

static int
by_text(const void *a, const void *b)
{
	const char *const *x = a, *const *y = b;

	return strcmp(*x, *y);
}

/* A new, sorted list; the values of `list` are in order. */
static json_t *
sort_list(const json_t *list)
{
	size_t n = json_array_size(list);
	const char **v = calloc(n + 1, sizeof(*v));
	json_t *out = v != NULL ? json_array() : NULL;

	for (size_t i = 0; out != NULL && i < n; i++)
		v[i] = json_string_value(json_array_get(list, i));
	if (out != NULL)
		qsort(v, n, sizeof(*v), by_text);
	for (size_t i = 0; out != NULL && i < n; i++) {
		if (json_array_append_new(out, json_string(v[i])) == 0)
			continue;
		json_decref(out);
		out = NULL;
	}
	free(v);
	return out;
}

/* Position in the list, or its length. */
static size_t
find(const json_t *list, const char *text)
{
	size_t i = 0, n = json_array_size(list);

	while (i < n &&
	       strcmp(json_string_value(json_array_get(list, i)), text) != 0)
		i++;
	return i;
}

/* Domains of `given`, a list or one of them, in comparable form. */
static json_t *
read_list(const struct setting_field *f, const json_t *given,
    struct settings_report *r)
{
	bool one = json_is_string(given);
	size_t n = one ? 1 : json_array_size(given);
	json_t *raw = json_array(), *out = NULL;
	bool ok = raw != NULL;

	if (!one && !json_is_array(given)) {
		settings_report_problem(r, f->name, "is not a list");
		ok = false;
	} else if (n > (size_t)f->max) {
		settings_report_problem(r, f->name,
		    "%zu entries, at most %" PRId64 " are possible", n, f->max);
		ok = false;
	}
	for (size_t i = 0; ok && i < n; i++) {
		char domain[DOMAIN_SIZE], member[MEMBER_SIZE];

		member_name(member, f, one ? -1 : (int)i);
		ok = read_domain(domain, member,
			 one ? given : json_array_get(given, i), r) &&
		     json_array_append_new(raw, json_string(domain)) == 0;
	}
	if (ok)
		out = sort_list(raw);
	for (size_t i = 1; out != NULL && i < n; i++)
		if (json_equal(
			json_array_get(out, i - 1), json_array_get(out, i)))
			settings_report_problem(r, f->name,
			    "%s is listed twice",
			    json_string_value(json_array_get(out, i)));
	json_decref(raw);
	return out;
}

static void
add(json_t *list, const json_t *more)
{
	for (size_t i = 0; i < json_array_size(more); i++) {
		json_t *one = json_array_get(more, i);

		if (find(list, json_string_value(one)) == json_array_size(list))
			(void)json_array_append(list, one);
	}
}

static void
take(json_t *list, const json_t *less, const struct setting_field *f,
    struct settings_report *r)
{
	for (size_t i = 0; i < json_array_size(less); i++) {
		const char *one = json_string_value(json_array_get(less, i));
		size_t at = find(list, one);

		if (at < json_array_size(list))
			(void)json_array_remove(list, at);
		else
			settings_report_warn(
			    r, f->name, "%s was not listed", one);
	}
}

json_t *
setting_value_change(const struct setting_field *f, const json_t *before,
    const json_t *change, struct settings_report *report)
{
	json_t *list, *out = NULL;
	const char *verb;
	const json_t *given;
	size_t problems = report->problem_count;

	list = before != NULL ? json_copy((json_t *)(uintptr_t)before)
			      : json_array();
	json_object_foreach((json_t *)(uintptr_t)change, verb, given)
	{
		json_t *some = read_list(f, given, report);

		if (strcasecmp(verb, "Add") == 0)
			add(list, some);
		else if (strcasecmp(verb, "Remove") == 0)
			take(list, some, f, report);
		else if (strcasecmp(verb, "Replace") == 0) {
			(void)json_array_clear(list);
			add(list, some);
		} else
			settings_report_problem(report, f->name,
			    "\"%.50s\" is none of Add, Remove and Replace",
			    verb);
		json_decref(some);
	}
	if (report->problem_count == problems)
		out = read_list(f, list, report);
	json_decref(list);
	return out;
}

/* --- any ------------------------------------------------------------------ */

json_t *
setting_value_read(const struct setting_field *f, const json_t *given,
    struct settings_report *report)
{
	switch (f->type) {
	case SETTING_BOOL:
		if (json_is_boolean(given))
			return json_boolean(json_is_true(given));
		settings_report_problem(
		    report, f->name, "is neither true nor false");
		return NULL;
	case SETTING_INTEGER:
		return read_integer(f, given, report);
	case SETTING_TEXT:
	case SETTING_SECRET:
		return read_text(f, given, report);
	case SETTING_CHOICE:
		return read_choice(f, given, report);
	case SETTING_DOMAIN:
		return read_one_domain(f, given, report);
	case SETTING_DOMAINS:
		return read_list(f, given, report);
	case SETTING_DATE:
		return read_date(f, given, report);
	}
	return NULL;
}
