/*
 * noun_value - what is written on a command line, as JSON for the gateway, and
 * the gateway's JSON as people read it.
 *
 * Both as PowerShell has them: $true, $Null, Add=a,b;Remove=c on the way in,
 * True, {a, b} on the way out.
 */
#ifndef DEPLOY_NOUN_VALUE_H
#define DEPLOY_NOUN_VALUE_H

#include <stdbool.h>
#include <stddef.h>
#include <jansson.h>

struct buf;
struct noun_member;

enum { NOUN_VALUE_WHY = 256, NOUN_SECRET_MAX = 4096 };

/* *value, NULL at first, becomes what the text says; a list's additions and
 * removals of several options are joined.  JSON null takes a member back to
 * its default.  False with why, for a line to standard error. */
bool noun_value_read(json_t **value, const struct noun_member *m,
    const char *text, char why[NOUN_VALUE_WHY]);
/* A list for an object that is not there yet: additions are the list.  False
 * when something is to be removed from it. */
bool noun_value_settle(json_t **value);

/* Appends; strings are not cleaned.  NULL and null are "". */
void noun_value_write(struct buf *out, const json_t *value);
/* The same as one line for a terminal: cleaned, whole, the caller frees it.
 * Without memory the program ends. */
char *noun_value_line(const json_t *value);

#endif
