/*
 * sip_msg_impl - what the two files of a message share; for them alone.
 *
 *   sip_msg.c       its life and its accessors
 *   sip_msg_read.c  reading and checking a head
 */
#ifndef FRONTEND_GATEWAY_SIP_SIP_MSG_IMPL_H
#define FRONTEND_GATEWAY_SIP_SIP_MSG_IMPL_H

#include <sys/time.h>
#include <time.h>
#include <sys/types.h>

#include <osipparser2/osip_parser.h>

#include "frontend-gateway/sip/sip_msg.h"

struct sip_msg {
	unsigned refs;
	char *text;  /* the head, cut into strings */
	char *arena; /* pieces that had to be copied */
	size_t arena_len, arena_cap;
	struct sip_header *headers;
	size_t header_count;
	uint8_t *body;
	size_t body_len;

	int defect;
	const char *what;

	bool request;
	enum sip_method method;
	const char *method_name;
	const char *uri;
	int status;
	const char *reason;
	const char *call_id;
	uint32_t cseq;
	const char *from, *to;
	const char *from_uri, *to_uri;
	const char *from_tag, *to_tag;
	const char *from_display;
	const char *from_epid, *to_epid;
	const char *contact_uri;
	const char *top_via, *branch, *sent_by;
	const char *content_type;
};

/* "Call-ID" for "i"; other names as they are. */
const char *sip_msg_full_name(const char *name);

/* A NUL is a defect, and made visible. */
void sip_msg_read_nul(struct sip_msg *m, size_t len);
/* "CRLF blank" becomes three spaces. */
void sip_msg_read_unfold(char *text, size_t len);
/* What libosip2 makes of it; NULL when it refuses.  text is unchanged when
 * this returns. */
osip_message_t *sip_msg_read_osip(char *text, size_t len);
/* Cuts m->text into m->headers, leaving the first line at its start.  A line
 * that is no header is a defect and left out.  ERR_MALFORMED, ERR_NOMEM,
 * ERR_TOO_LONG. */
int sip_msg_read_lines(struct sip_msg *m, size_t len);
/* Fills the other fields and notes the first defect.  o may be NULL.
 * ERR_NOMEM. */
int sip_msg_read_fields(struct sip_msg *m, osip_message_t *o);

#endif
