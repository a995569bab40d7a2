/*
 * noun_print - settings as an administrator reads them: one as Format-List of
 * PowerShell prints it, many as a table that goes on page by page, a change as
 * what was and what is.
 *
 * Everything is cleaned for a terminal.
 */
#ifndef DEPLOY_NOUN_PRINT_H
#define DEPLOY_NOUN_PRINT_H

#include <stdbool.h>
#include <stddef.h>
#include <jansson.h>

#include "deploy/text.h"

struct noun;

/* {"key", "version", "object"}; the members in the noun's order, then those
 * it does not know. */
void noun_print_item(const struct noun *n, const json_t *item);

struct noun_table {
	const struct noun *noun;
	struct text_table text;
	bool any; /* something was printed */
};
void noun_table_init(struct noun_table *t, const struct noun *n);
void noun_table_add(struct noun_table *t, const json_t *item);
void noun_table_flush(struct noun_table *t);
/* Prints what is left, or that there is nothing. */
void noun_table_finish(struct noun_table *t);

/* "  Member: before -> after" for each member that differs; how many.  Either
 * may be NULL: then all there is of the other is told. */
size_t noun_print_change(const json_t *before, const json_t *after);

#endif
