/*
 * ids - identifiers derived from what the other side named.
 *
 * All of them are hashes, so that the same thing gets the same name again
 * after a restart and on every node that knows the secret, and nothing of the
 * inner side shows.  Neither a stanza id nor a thread can begin with "sp1-",
 * so none is taken for an id of the ping barrier.  Pure.
 */
#ifndef FRONTEND_GATEWAY_TRANSLATE_IDS_H
#define FRONTEND_GATEWAY_TRANSLATE_IDS_H

#include <stddef.h>
#include <stdint.h>

struct buf;

enum {
	IDS_STANZA_SIZE = 26 + 1,
	IDS_THREAD_SIZE = 36 + 1,
	IDS_EPID_SIZE = 16 + 1,
	IDS_TEXT_FORMAT_MAX = 6144, /* bytes of text put in a header field */
};

struct ids_secret {
	const void *data;
	size_t len;
};

/* The id of the stanza made from a SIP MESSAGE.  A retransmission gives the
 * same one, a message sent anew (another CSeq) does not. */
void ids_stanza(char out[static IDS_STANZA_SIZE], const char *call_id,
    uint32_t cseq, const char *from_tag, struct ids_secret secret);

/* The <thread/> of a conversation, from its Ms-Conversation-ID (or Call-ID): a
 * UUID of version 8 (RFC 9562). */
void ids_thread(char out[static IDS_THREAD_SIZE], const char *conversation,
    struct ids_secret secret);

/* The epid parameter ([MS-SIP] 2.2.1) of an XMPP client: each full JID appears
 * as one endpoint, always the same. */
void ids_epid(char out[static IDS_EPID_SIZE], const char *full_jid);

/* Appends the value of an ms-text-format field, by which an INVITE carries
 * the first message.  text is in SIP form (body_to_sip()).  ERR_TOO_LONG when
 * the text should go in a MESSAGE instead, ERR_FULL, ERR_NOMEM. */
int ids_text_format(struct buf *out, const char *text, size_t len);
/* The same of an ms-im-format field, which carries it as HTML beside. */
int ids_im_format(struct buf *out, const char *html, size_t len);

#endif
