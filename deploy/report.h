/*
 * report - what a check found, in order: each finding with its level and,
 * where somebody has to act, with what to do next.
 *
 * Texts may hold what a stranger's certificate or zone says: they are cleaned
 * when printed for people.  Without memory the program ends.
 */
#ifndef DEPLOY_REPORT_H
#define DEPLOY_REPORT_H

#include <stdbool.h>
#include <stddef.h>
#include <jansson.h>

#include "deploy/command.h"

enum report_level {
	REPORT_OK,
	REPORT_NOTE,    /* worth knowing */
	REPORT_SKIPPED, /* could not be looked at */
	REPORT_WARNING, /* works, but not for everybody or not for long */
	REPORT_FAILURE
};

struct report {
	json_t *findings;
	size_t count[REPORT_FAILURE + 1];
};

void report_init(struct report *r);
void report_finish(struct report *r);

/* check is one word for programs, the same for all findings of a kind. */
void report_add(struct report *r, enum report_level level, const char *check,
    const char *fmt, ...) __attribute__((format(printf, 4, 5)));
/* What to do about the finding added last. */
void report_next(struct report *r, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));

/* Takes over the warnings and failures of another report, with what they are
 * about in front; those of the check named except are left out. */
void report_merge(struct report *r, const struct report *from,
    const char *check, const char *what, const char *except);

/* "ok", "warnings" or "failed". */
const char *report_verdict(const struct report *r);
/* Prints the findings; as JSON together with the members of about, which is
 * used up.  COMMAND_OK, or COMMAND_REFUSED when something failed. */
enum command_exit
report_print(const struct report *r, json_t *about, bool json);

/* json_sprintf() and the like fail for text that is no UTF-8: this cleans it
 * and does not fail. */
json_t *report_text(const char *s);

#endif
