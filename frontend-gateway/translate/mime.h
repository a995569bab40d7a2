/*
 * mime - bodies of several parts and the fields that describe them (RFC 2045,
 * RFC 2046 5.1, RFC 2387).  Spans point into what they were made of.  Pure.
 */
#ifndef FRONTEND_GATEWAY_TRANSLATE_MIME_H
#define FRONTEND_GATEWAY_TRANSLATE_MIME_H

#include <stdbool.h>
#include <stddef.h>

struct buf;

enum {
	MIME_PARTS_MAX = 32,
	MIME_BOUNDARY_MAX = 70, /* RFC 2046 5.1.1 */
	MIME_HEAD_MAX = 4096,   /* bytes of the head of a part */
	MIME_VALUE_MAX = 128,   /* of a parameter that we look at */
};

struct mime_span {
	const char *at;
	size_t len;
};

struct mime_span mime_span(const char *text);
/* Without regard to case. */
bool mime_is(struct mime_span s, const char *text);
struct mime_span mime_trim(struct mime_span s);

/* The value of a field "type/subtype;a=b;c=d" before its parameters. */
struct mime_span mime_kind(struct mime_span field);
/* Finds a parameter.  0, ERR_NOT_FOUND, or ERR_MALFORMED when its value cannot
 * be one. */
int mime_param(
    char out[static MIME_VALUE_MAX], struct mime_span field, const char *name);

/* Cuts the line at *rest off, without its line end. */
struct mime_span mime_line(struct mime_span *rest);

/* The head of a part; spans into the unfolded copy in text. */
struct mime_head {
	char text[MIME_HEAD_MAX];
	size_t len;
	struct mime_span type; /* text/plain when it is not told */
	struct mime_span encoding, id;
};

/* Reads the head off *rest, which then is the content.  ERR_MALFORMED. */
int mime_head_read(struct mime_head *h, struct mime_span *rest);

/* Undoes a Content-Transfer-Encoding: *content points into decoded afterwards,
 * if there was anything to undo.  ERR_UNSUPPORTED, ERR_MALFORMED, ERR_NOMEM. */
int mime_decode(
    struct mime_span *content, struct buf *decoded, struct mime_span encoding);

/* A walk over the parts. */
struct mime_parts {
	struct mime_span rest;
	char boundary[MIME_VALUE_MAX];
	const char *start; /* of the part we are in */
	int count;
	bool ended;
};

/* ERR_MALFORMED: the type names no boundary that can be one. */
int mime_parts_init(
    struct mime_parts *p, struct mime_span type, struct mime_span body);
/* The next part, head and all.  1, or 0 behind the last; ERR_MALFORMED: more
 * than MIME_PARTS_MAX, none at all, or the end was cut off. */
int mime_parts_next(struct mime_parts *p, struct mime_span *part);

#endif
