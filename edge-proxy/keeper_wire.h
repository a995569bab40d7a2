/*
 * keeper_wire - what the keeper and its children say to each other.
 *
 * A stream socket pair carries messages of a fixed table: a type, as many
 * blobs as the type has, and for one type a descriptor.  Layout: u8 type, u8
 * number of blobs, u16 zero, one u32 length for each blob (big-endian), the
 * blobs.  Everything is bounded, and whoever breaks the format ends the link.
 *
 * Owns     the descriptor, its poll handle, queued output (wiped when sent or
 *          dropped, since keys pass here).
 * Borrows  loop.
 * Ends     on_end fires at most once, when the other side is gone or breaks
 *          the format; the owner then calls keeper_link_close().  No event
 *          follows the close; memory goes in a later loop turn.
 */
#ifndef EDGE_KEEPER_WIRE_H
#define EDGE_KEEPER_WIRE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <uv.h>

struct control_level;
struct keeper_link;

/* X(constant, number, name, blobs, descriptor) */
#define KEEPER_MESSAGES(X)                                                       \
	/* keeper to child: the text of edge.json */                             \
	X(KW_CONF, 1, "conf", 1, false)                                          \
	/* keeper to streams: certificate and key, PEM */                        \
	X(KW_EXTERNAL, 2, "external", 2, false)                                  \
	/* keeper to streams: trusted authorities, PEM */                        \
	X(KW_TRUST, 3, "trust", 1, false)                                        \
	/* keeper to streams: certificate, key, trust of the inner side */       \
	X(KW_INTERNAL, 4, "internal", 3, false)                                  \
	/* keeper to child: what came since the last one is complete */          \
	X(KW_APPLY, 5, "apply", 0, false)                                        \
	/* keeper to streams: a new line to the resolver */                      \
	X(KW_RESOLVER, 6, "resolver", 0, true)                                   \
	/* keeper to child: stop in order */                                     \
	X(KW_STOP, 7, "stop", 0, false)                                          \
	/* keeper to streams: the control socket, listening */                   \
	X(KW_CONTROL, 8, "control", 0, true)                                     \
	/* keeper to streams: the processes there are, JSON */                   \
	X(KW_ABOUT, 9, "about", 1, false)                                        \
	/* keeper to child: component ("" = all), log level */                   \
	X(KW_LEVEL, 10, "level", 2, false)                                       \
	/* keeper to child: say that you are alive */                            \
	X(KW_BEAT, 11, "beat", 0, false)                                         \
	/* keeper to streams: what came of ask-reload, JSON */                   \
	X(KW_ANSWER, 12, "answer", 1, false)                                     \
	/* keeper to streams: one file of revocation lists, PEM or DER */        \
	X(KW_REVOCATION, 13, "revocation", 1, false)                             \
	/* keeper to streams: the answer to be stapled to the certificate that \
	 * came last, DER */ \
	X(KW_STAPLE, 14, "staple", 1, false)                                     \
	/* keeper to resolver: a line by which the fetcher asks */               \
	X(KW_ASKER, 15, "asker", 0, true)                                        \
	/* child to keeper: applied and at work */                               \
	X(KW_READY, 16, "ready", 0, false)                                       \
	/* child to keeper: not applied, and why */                              \
	X(KW_REFUSED, 17, "refused", 1, false)                                   \
	/* child to keeper: alive */                                             \
	X(KW_ALIVE, 18, "alive", 0, false)                                       \
	/* streams to keeper, for an operator: read the files again */           \
	X(KW_ASK_RELOAD, 19, "ask-reload", 0, false)                             \
	/* the same: another log level everywhere; blobs as for level */         \
	X(KW_ASK_LEVEL, 20, "ask-level", 2, false)                               \
	/* the same: stop in order */                                            \
	X(KW_ASK_STOP, 21, "ask-stop", 0, false)                                 \
	/* keeper to streams and fetcher: a line between the two */              \
	X(KW_FETCHER, 22, "fetcher", 0, true)                                    \
	/* streams to fetcher: a chain whose status is wanted: key, DER, one   \
	 * byte (1: that of the leaf is known) */ \
	X(KW_JUDGE, 24, "judge", 3, false)                                       \
	/* fetcher to streams: key, what it is, JSON */                          \
	X(KW_JUDGED, 25, "judged", 2, false)                                     \
	/* streams to fetcher: a chain of ours that wants an answer to be      \
	 * stapled: key, DER */ \
	X(KW_WANT_ANSWER, 26, "want-answer", 2, false)                           \
	/* fetcher to streams: key, the answer (DER) or nothing, why not */      \
	X(KW_OCSP, 27, "ocsp", 3, false)                                         \
	/* fetcher to streams: everything is to be asked anew */                 \
	X(KW_ANEW, 28, "anew", 0, false)                                         \
	/* fetcher to streams: the lists it has, JSON */                         \
	X(KW_LISTS, 29, "lists", 1, false)

enum keeper_message {
#define X(name, number, text, blobs, fd) name = (number),
	KEEPER_MESSAGES(X)
#undef X
};

enum {
	KEEPER_BLOBS_MAX = 3,
	KEEPER_BLOB_MAX = 8 * 1024 * 1024,
	/* All revocation lists there can be, and room for certificates. */
	KEEPER_QUEUE_MAX = (32 * 8 + 64) * 1024 * 1024
};

struct keeper_blob {
	const uint8_t *data;
	size_t len;
};

/* blobs are valid during the call.  fd is -1, or a descriptor that the
 * receiver owns from here on. */
typedef void keeper_message_fn(enum keeper_message type,
    const struct keeper_blob *blobs, int fd, void *arg);
/* rc: 0 when the other side closed in order. */
typedef void keeper_end_fn(int rc, void *arg);

struct keeper_link_opts {
	uv_loop_t *loop;
	int fd; /* taken over on success */
	keeper_message_fn *on_message;
	keeper_end_fn *on_end;
	void *arg;
};

int
keeper_link_open(struct keeper_link **out, const struct keeper_link_opts *opts);
/* Queues a message; count must be what the table says.  fd (or -1) is taken
 * over in any case.  ERR_FULL, ERR_TOO_LONG, ERR_NOMEM, ERR_CLOSED. */
int keeper_link_send(struct keeper_link *l, enum keeper_message type,
    const struct keeper_blob *blobs, size_t count, int fd);
void keeper_link_close(struct keeper_link *l);

/* The format by itself.  Size of the message at data: 0 and *size,
 * ERR_INCOMPLETE, or ERR_MALFORMED. */
int keeper_wire_length(size_t *size, const uint8_t *data, size_t len);
/* Splits one whole message. */
int keeper_wire_decode(enum keeper_message *type,
    struct keeper_blob blobs[KEEPER_BLOBS_MAX], size_t *count,
    const uint8_t *data, size_t len);
/* The two blobs of KW_LEVEL and KW_ASK_LEVEL.  ERR_MALFORMED with why. */
int keeper_wire_level(struct control_level *out,
    const struct keeper_blob *blobs, char *why, size_t size);
const char *keeper_message_str(enum keeper_message type);

#endif
