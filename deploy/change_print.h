/*
 * change_print - what the gateway says beside a change that it made: warnings,
 * and which edges have it already; and the question before one.
 */
#ifndef DEPLOY_CHANGE_PRINT_H
#define DEPLOY_CHANGE_PRINT_H

#include <stdbool.h>
#include <jansson.h>

/* To standard error, one line each. */
void change_print_warnings(const json_t *answer);
/* Where it is in force, and who is waited for. */
void change_print_reach(const json_t *answer);
/* "WHAT. Sure? [y/N] " on standard error, the answer from standard input.
 * Without one it is no. */
bool change_print_ask(const char *what);

#endif
