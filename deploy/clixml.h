/*
 * clixml - objects as Export-Clixml of PowerShell writes them ([MS-PSRP]
 * 2.2.5), each as JSON.
 *
 * An object's properties become members; a list or a collection becomes an
 * array, a dictionary an object, an enumeration the name of its value.  What
 * else has properties and a text of its own keeps that under CLIXML_TEXT.
 * References are followed to objects that came before.  No type is ever looked
 * at, and nothing of a document type is accepted.
 *
 * Bounds   depth, members of an object, length of a text, references; a file
 *          that passes one is refused.
 */
#ifndef DEPLOY_CLIXML_H
#define DEPLOY_CLIXML_H

#include <stdbool.h>
#include <stddef.h>
#include <jansson.h>

enum {
	CLIXML_DEPTH_MAX = 48,
	CLIXML_MEMBERS_MAX = 512,
	CLIXML_TEXT_MAX = 1 << 20,
	CLIXML_REFS_MAX = 1000000,
	CLIXML_WHY = 256
};

/* Where an object keeps what it calls itself. */
#define CLIXML_TEXT "#text"

/* members: of one object, lines: of each member, by its name.  Both are
 * borrowed.  False to stop. */
typedef bool
clixml_object_fn(json_t *members, json_t *lines, size_t line, void *arg);

/* text is UTF-8.  0; ERR_MALFORMED or ERR_FULL with why, which begins with
 * the line; ERR_NOMEM; ERR_CLOSED when fn stopped it. */
int clixml_read(const char *text, size_t len, clixml_object_fn *fn, void *arg,
    char why[CLIXML_WHY]);

#endif
