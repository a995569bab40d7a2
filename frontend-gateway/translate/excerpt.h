/*
 * excerpt - the beginning of what somebody said, to name it by.  Pure.
 */
#ifndef FRONTEND_GATEWAY_TRANSLATE_EXCERPT_H
#define FRONTEND_GATEWAY_TRANSLATE_EXCERPT_H

#include <stddef.h>

enum {
	EXCERPT_CHARS = 40, /* of a message that is named */
	/* Room for one: what belongs to a character goes with it, as far as
	 * there is room. */
	EXCERPT_SIZE = 512
};

/* Copies the first characters of a text (UTF-8) in one line, runs of blanks as
 * one space; "…" follows when there is more.  A character keeps the marks that
 * belong to it or goes with them.  Returns the length. */
size_t excerpt_of(
    char out[static EXCERPT_SIZE], const char *text, size_t len, size_t chars);

#endif
