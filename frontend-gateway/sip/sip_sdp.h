/*
 * sip_sdp - the few lines of SDP that an IM session needs (RFC 4566,
 * [MS-SDP] 3.1.5.3).  Pure.
 *
 * There is no media: the m= line only says that instant messages are meant
 * and a=accept-types which content the other side takes.
 */
#ifndef FRONTEND_GATEWAY_SIP_SIP_SDP_H
#define FRONTEND_GATEWAY_SIP_SIP_SDP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct buf;
struct sip_msg;

enum sip_sdp_kind {
	SIP_SDP_MESSAGE,   /* m=message ... sip, of a port but 0 */
	SIP_SDP_X_MESSAGE, /* m=x-ms-message ... sip, the older form */
	SIP_SDP_OTHER      /* audio, video, data, another protocol ... */
};

/* What is offered beside messages; bits of a set. */
enum sip_sdp_media {
	SIP_SDP_AUDIO = 1,
	SIP_SDP_VIDEO = 2,
	SIP_SDP_SHARING = 4, /* m=applicationsharing */
	SIP_SDP_DATA = 8,    /* m=data: files, whiteboards */
	SIP_SDP_UNKNOWN = 16
};

enum {
	SIP_SDP_MAX = 64 * 1024,
	SIP_SDP_ACCEPT_MAX = 2048,
	SIP_SDP_REFUSED_MAX = 1024
};

/* Types of content that matter here, as bits of a set. */
enum sip_sdp_type {
	SIP_SDP_PLAIN,       /* text/plain */
	SIP_SDP_HTML,        /* text/html */
	SIP_SDP_RTF,         /* text/rtf, application/rtf */
	SIP_SDP_ALTERNATIVE, /* multipart/alternative */
	SIP_SDP_IMDN,        /* application/ms-imdn+xml */
	SIP_SDP_TYPE_COUNT
};
#define SIP_SDP_BIT(type) (1u << (unsigned)(type))

struct sip_sdp {
	enum sip_sdp_kind kind; /* message when any m= line is for messages */
	size_t media;           /* number of m= lines, refused ones included */
	size_t others;          /* of these: neither message nor port 0 */
	unsigned offered;       /* what these are: enum sip_sdp_media */
	unsigned accepts;       /* SIP_SDP_BIT()s: what is listed by name or
	                           by wildcard; absent = plain alone */
	/* The accept-types of the message line, lower case; "" when absent. */
	char accept_types[SIP_SDP_ACCEPT_MAX];
	/* The lines to answer all others with, which are those before and
	 * behind the message line (RFC 3264 6): port 0. */
	char before[SIP_SDP_REFUSED_MAX], behind[SIP_SDP_REFUSED_MAX];
};

/* ERR_MALFORMED: no SDP, or without any m= line.  ERR_TOO_LONG. */
int sip_sdp_parse(struct sip_sdp *out, const uint8_t *text, size_t len);

/* What the sender of a message with SDP accepts: nothing when that has no
 * messages, plain text alone when there is none that can be read. */
unsigned sip_sdp_accepts_of(const struct sip_msg *m);

/* Appends an offer: "m=message <port> sip null".  host is an address or a
 * domain name; accept_types a space separated list. */
int sip_sdp_offer(
    struct buf *out, const char *host, unsigned port, const char *accept_types);
/* Appends the answer to an offer of that kind, in which everything but
 * messages is refused; uri is ours, or NULL. */
int sip_sdp_answer(struct buf *out, const struct sip_sdp *offer,
    const char *host, unsigned port, const char *uri, const char *accept_types);

#endif
