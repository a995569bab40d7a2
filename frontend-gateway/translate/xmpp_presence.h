/*
 * xmpp_presence - availability as one XMPP resource shows it (RFC 6121 4.7).
 *
 * What a contact is told of a Lync user, and what is kept of it to tell it
 * again: a small value with an image for the store.  Pure.
 *
 * Owns     its texts; xmpp_presence_finish() frees them.  A zeroed one is
 *          valid and says unavailable.
 */
#ifndef FRONTEND_GATEWAY_TRANSLATE_XMPP_PRESENCE_H
#define FRONTEND_GATEWAY_TRANSLATE_XMPP_PRESENCE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct buf;

enum xmpp_show {
	XMPP_SHOW_NONE, /* available, no more said */
	XMPP_SHOW_CHAT,
	XMPP_SHOW_AWAY,
	XMPP_SHOW_XA,
	XMPP_SHOW_DND,
	XMPP_SHOW_COUNT
};

enum {
	XMPP_PRESENCE_STATUS_CHARS = 500, /* of a status or a note */
	XMPP_PRESENCE_STATUS_SIZE = 4 * XMPP_PRESENCE_STATUS_CHARS + 1,
	XMPP_PRESENCE_LANGUAGE_SIZE = 36 /* BCP 47, as a frame carries it */
};

struct xmpp_presence {
	char *status;        /* NULL = none */
	char *language;      /* of the status; NULL = not told */
	uint64_t idle_since; /* ms since 1970 (XEP-0319); 0 = not told */
	enum xmpp_show show;
	int8_t priority; /* 0 = leave it out */
	bool available;  /* else nothing but this counts */
};

void xmpp_presence_finish(struct xmpp_presence *p);
/* Replaces out, which must be valid.  ERR_NOMEM: out is unchanged. */
int
xmpp_presence_copy(struct xmpp_presence *out, const struct xmpp_presence *p);
/* A contact would see no difference. */
bool xmpp_presence_equal(
    const struct xmpp_presence *a, const struct xmpp_presence *b);

/* "away" ... as in FIELD_SHOW; NULL for XMPP_SHOW_NONE. */
const char *xmpp_presence_show_str(enum xmpp_show show);
/* XMPP_SHOW_NONE for NULL, "" and whatever is not a show (RFC 6121 4.7.2.1). */
enum xmpp_show xmpp_presence_show_parse(const char *s);

/* Appends the image.  ERR_NOMEM, ERR_FULL; out is then as before. */
int xmpp_presence_save(struct buf *out, const struct xmpp_presence *p);
/* Replaces out, which must be valid (zeroed is).  On error out is unchanged:
 * ERR_MALFORMED, ERR_UNSUPPORTED (of a later version), ERR_NOMEM. */
int
xmpp_presence_restore(struct xmpp_presence *out, const void *image, size_t len);

#endif
