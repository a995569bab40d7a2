/*
 * sip_frame - cuts a byte stream into SIP messages (RFC 3261 7.5, 18.3;
 * RFC 5626 4.4.1).  Pure: bytes in, views out.
 *
 * Lines end in CRLF and nothing else: a bare CR or a bare LF in a header
 * block is refused, so that this cutter and the parser behind it can never
 * disagree on where a message ends.  Exactly one Content-Length is demanded
 * for the same reason.  Between messages CRLF is skipped; two in a row are a
 * keep-alive to be answered.
 *
 * Other people share the connection, so what can be cut out is cut out, however
 * odd it is: a NUL, a line that is no header.  A body longer than body_max
 * is skipped, up to skip_max.
 *
 * Owns     its buffer: at most twice head_max, body_max and one feed together.
 * Errors   after an error the stream has no known boundaries any more and
 *          the connection must end.
 */
#ifndef FRONTEND_GATEWAY_SIP_SIP_FRAME_H
#define FRONTEND_GATEWAY_SIP_SIP_FRAME_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct sip_frame_limits {
	/* Start line and headers.  Generous: a client puts its first message
	 * into the INVITE in several formats, so that a single header line
	 * may have tens of kilobytes. */
	size_t head_max;    /* bytes; 0 = 256 KiB */
	size_t headers_max; /* lines; 0 = 200 */
	size_t body_max;    /* bytes; 0 = 256 KiB */
	size_t skip_max;    /* bytes; 0 = 8 MiB, what servers may send */
};

struct sip_frame {
	struct sip_frame_limits limits;
	uint8_t *data;
	size_t start; /* first byte not yet consumed */
	size_t len;   /* end of the bytes held */
	size_t cap;
	/* Of the message at start: */
	size_t scanned; /* bytes known to hold no end of head, from start */
	size_t line;    /* where the current line begins, from start */
	size_t lines;
	size_t head_len; /* 0 = end of head not seen yet */
	size_t body_len;
	bool has_length;
	size_t skip; /* body bytes still to be dropped */
	unsigned crlf;
	int failed;
};

enum sip_frame_kind {
	SIP_FRAME_NONE, /* more bytes are needed */
	SIP_FRAME_PING, /* CRLFCRLF: answer with CRLF */
	SIP_FRAME_MESSAGE,
	SIP_FRAME_TOO_LARGE /* a message whose body is not kept: answer 413 */
};

/* Views into the frame's buffer, valid until the next call. */
struct sip_frame_item {
	enum sip_frame_kind kind;
	const uint8_t *head; /* includes the empty line */
	size_t head_len;
	const uint8_t *body;
	size_t body_len;
};

void sip_frame_init(struct sip_frame *f, const struct sip_frame_limits *limits);
void sip_frame_finish(struct sip_frame *f);

/* Takes bytes in.  Call sip_frame_next() until NONE before the next feed.
 * ERR_NOMEM. */
int sip_frame_feed(struct sip_frame *f, const uint8_t *data, size_t len);
/* The next item.  ERR_MALFORMED, ERR_TOO_LONG (head or body beyond bounds);
 * errors stay. */
int sip_frame_next(struct sip_frame *f, struct sip_frame_item *out);

#endif
