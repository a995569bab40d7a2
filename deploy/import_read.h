/*
 * import_read - what a Lync or Skype for Business pool exported, as settings.
 *
 * A file is what Export-Clixml or ConvertTo-Json made of partners, the gateway
 * configuration, external access policies, the access edge configuration, or
 * users with the policy that each is granted; one or several kinds.  Which an
 * object is, its members tell.
 *
 * Members that the gateway has no use for are left out and named; a value
 * that does not fit is a problem, told with file and position, and nothing of
 * the import is done then.
 *
 * Owns     settings, problems, notes.
 * Bounds   IMPORT_FILE_MAX bytes a file, IMPORT_SETTINGS_MAX in all.
 */
#ifndef DEPLOY_IMPORT_READ_H
#define DEPLOY_IMPORT_READ_H

#include <stdbool.h>
#include <stddef.h>
#include <jansson.h>

struct noun;

enum {
	IMPORT_SETTINGS_MAX = 200000,
	IMPORT_PROBLEMS_MAX = 50,
	IMPORT_LEFT_OUT_MAX = 512
};

struct import_setting {
	const struct noun *noun;
	char *key;
	json_t *object; /* members by the noun's names */
};

struct import {
	struct import_setting *settings;
	size_t count, room;
	json_t *seen;         /* "kind key": its place in settings */
	json_t *problems;     /* texts */
	size_t problem_count; /* those not kept, too */
	json_t *left_out;     /* {kind: [names of members]} */
	size_t skipped;   /* users without an address, or without a policy */
	bool numbers;     /* an enumeration came as a number */
	const char *file; /* being read */
};

int import_init(struct import *im);
void import_finish(struct import *im);

/* text is UTF-8; name is what problems call the file.  ERR_NOMEM; everything
 * else is a problem. */
int
import_read(struct import *im, const char *name, const char *text, size_t len);

void import_problem(struct import *im, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));

#endif
