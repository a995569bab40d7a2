/*
 * settings_report - what a commit's checks had to say: problems, for which it
 * is refused, and warnings, with which it is done.
 *
 * Bounded: after SETTINGS_REPORT_MAX of each the rest is only counted.
 */
#ifndef GATEWAY_SETTINGS_SETTINGS_REPORT_H
#define GATEWAY_SETTINGS_SETTINGS_REPORT_H

#include <stdbool.h>
#include <stddef.h>
#include <jansson.h>

enum { SETTINGS_REPORT_MAX = 100 };

struct settings_remark {
	size_t change;    /* its position in the commit */
	const char *kind; /* static */
	char *key;        /* may be "" */
	char *member;     /* "/TlsNegotiation"; "" = the object as a whole */
	char *text;       /* for an admin */
};

struct settings_report {
	struct settings_remark problems[SETTINGS_REPORT_MAX];
	struct settings_remark warnings[SETTINGS_REPORT_MAX];
	size_t problem_count, warning_count; /* also those not kept */
	/* What is being checked, for the remarks to come. */
	size_t change;
	const char *kind, *key;
};

void settings_report_init(struct settings_report *r);
void settings_report_finish(struct settings_report *r);

/* member is a name ("TlsNegotiation", "AdditionalDomains/0") or NULL. */
void settings_report_problem(struct settings_report *r, const char *member,
    const char *fmt, ...) __attribute__((format(printf, 3, 4)));
void settings_report_warn(struct settings_report *r, const char *member,
    const char *fmt, ...) __attribute__((format(printf, 3, 4)));

/* [{"change", "kind", "key", "member", "text"}]; NULL without memory. */
json_t *settings_report_problems(const struct settings_report *r);
json_t *settings_report_warnings(const struct settings_report *r);

#endif
