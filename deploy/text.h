/*
 * text - what the operator's command prints for people.
 *
 * Strings of an answer may hold what a partner's server made up; text_clean()
 * lets nothing through that a terminal would act on.
 */
#ifndef DEPLOY_TEXT_H
#define DEPLOY_TEXT_H

#include <stddef.h>
#include <stdint.h>
#include <jansson.h>

enum { TEXT_COLUMNS_MAX = 16, TEXT_CELL_MAX = 256 };

/* UTF-8 without control characters, in out (size bytes); cut where it does not
 * fit, never inside a character. */
void text_clean(char *out, size_t size, const char *s);
/* "4 s", "12 min", "3 h 5 min", "2 d 7 h". */
void text_duration(char *out, size_t size, int64_t seconds);

/* Members of an answer: cleaned text in one of a few turning buffers, good for
 * one printf; "" (or 0) when it is not there. */
const char *text_of(const json_t *o, const char *key);
int64_t text_number(const json_t *o, const char *key);
/* An array of strings, joined with ", ". */
const char *text_list(const json_t *o, const char *key);

/* A table whose columns are as wide as their longest cell. */
struct text_table {
	size_t columns, rows, room;
	char *cells; /* rows * columns * TEXT_CELL_MAX */
	size_t widths[TEXT_COLUMNS_MAX];
};
/* titles: columns of them; NULL for a table without. */
void text_table_init(
    struct text_table *t, const char *const *titles, size_t columns);
/* Cells are copied (and cut).  Exits the program without memory. */
void text_table_row(struct text_table *t, const char *const *cells);
void text_table_print(struct text_table *t, const char *indent);
/* Prints and forgets the rows, but not how wide the columns were: for tables
 * that are longer than memory. */
void text_table_flush(struct text_table *t, const char *indent);
void text_table_finish(struct text_table *t);

#endif
