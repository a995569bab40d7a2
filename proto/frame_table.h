/*
 * frame_table - every frame type and field of the channel, once.
 *
 * Code, the printed form and the tables in CHANNEL.md are made from these two
 * lists.  Numbers are never reused.  A receiver skips unknown tags and refuses
 * unknown types.
 */
#ifndef PROTO_FRAME_TABLE_H
#define PROTO_FRAME_TABLE_H

/* X(constant, number, name, family): CONTROL frames carry no sequence number
 * and are not answered; STANZA frames carry SEQ and are answered with exactly
 * one RESULT. */
#define FRAME_TYPES(X)                                                         \
	X(FRAME_HELLO, 1, "hello", CONTROL)                                    \
	X(FRAME_WELCOME, 2, "welcome", CONTROL)                                \
	X(FRAME_REFUSE, 3, "refuse", CONTROL)                                  \
	X(FRAME_CONFIG, 4, "config", CONTROL)                                  \
	X(FRAME_CONFIRM, 5, "confirm", CONTROL)                                \
	X(FRAME_MESSAGE, 16, "message", STANZA)                                \
	X(FRAME_PRESENCE, 17, "presence", STANZA)                              \
	X(FRAME_IQ, 18, "iq", STANZA)                                          \
	X(FRAME_RESULT, 32, "result", CONTROL)                                 \
	X(FRAME_STREAM, 48, "stream", CONTROL)                                 \
	X(FRAME_STATS, 49, "stats", CONTROL)                                   \
	X(FRAME_LOG, 50, "log", CONTROL)                                       \
	X(FRAME_PROOF, 51, "proof", CONTROL)                                   \
	X(FRAME_TRACE, 52, "trace", CONTROL)                                   \
	X(FRAME_TRACED, 53, "traced", CONTROL)                                 \
	X(FRAME_CREDIT, 64, "credit", CONTROL)                                 \
	X(FRAME_PING, 65, "ping", CONTROL)                                     \
	X(FRAME_PONG, 66, "pong", CONTROL)                                     \
	X(FRAME_DRAIN, 67, "drain", CONTROL)

/* X(constant, tag, name, form, max bytes, meaning)
 * U64: 8 bytes big-endian.  TOKEN: printable ASCII.  TEXT: UTF-8 of characters
 * XML 1.0 allows.  JSON: one object.  FLAG: empty, true by being there. */
#define FRAME_FIELDS(X)                                                        \
	X(FIELD_SEQ, 1, "seq", U64, 8, "number of this stanza frame")          \
	X(FIELD_ANSWERS, 2, "answers", U64, 8, "seq this result answers")      \
	X(FIELD_RESULT_SEEN, 3, "result-seen", U64, 8,                         \
	    "all results up to this seq have arrived")                         \
	X(FIELD_CREDIT_SEQ, 4, "credit-seq", U64, 8,                           \
	    "highest seq the peer may send")                                   \
	X(FIELD_CREDIT_BYTES, 5, "credit-bytes", U64, 8,                       \
	    "bytes of stanza frames the peer may send since attach")           \
	X(FIELD_VERSION, 8, "version", U64, 8, "protocol version")             \
	X(FIELD_NODE, 9, "node", TOKEN, 255, "name of the sending node")       \
	X(FIELD_BOOT, 10, "boot", TOKEN, 64, "boot id of the sending node")    \
	X(FIELD_PEER_BOOT, 11, "peer-boot", TOKEN, 64,                         \
	    "boot id of the peer as last met")                                 \
	X(FIELD_SEND_BASE, 12, "send-base", U64, 8,                            \
	    "lowest seq not yet answered, or the next one")                    \
	X(FIELD_STORE, 13, "store", TOKEN, 64, "id of the gateway's store")    \
	X(FIELD_EPOCH, 14, "epoch", U64, 8, "starts counted by that store")    \
	X(FIELD_JSON, 16, "json", JSON, 262000, "content of a control frame")  \
	X(FIELD_REASON, 17, "reason", TEXT, 1024, "why, for an admin")         \
	X(FIELD_STATUS, 18, "status", TOKEN, 16,                               \
	    "result: delivered, failed; confirm: ok, refused, fenced")         \
	X(FIELD_CONDITION, 19, "condition", TOKEN, 64,                         \
	    "stanza error condition of RFC 6120")                              \
	X(FIELD_ERROR_TYPE, 20, "error-type", TOKEN, 16,                       \
	    "cancel, modify, wait, auth, continue")                            \
	X(FIELD_ERROR_TEXT, 21, "error-text", TEXT, 1024, "text of the error") \
	X(FIELD_PROOF, 22, "proof", TOKEN, 16, "ping, ack, tcp, gateway")      \
	X(FIELD_BARRIER, 23, "barrier", TOKEN, 255,                            \
	    "id for the ping behind this stanza, or of the ping answered")     \
	X(FIELD_ERROR_BY, 24, "error-by", TEXT, 3071, "who made the error")    \
	X(FIELD_GONE_TO, 25, "gone-to", TEXT, 3071, "new address with gone")   \
	X(FIELD_ID, 32, "id", TEXT, 1024, "stanza id")                         \
	X(FIELD_FROM, 33, "from", TEXT, 3071, "prepared JID")                  \
	X(FIELD_TO, 34, "to", TEXT, 3071, "prepared JID")                      \
	X(FIELD_STREAM, 35, "stream", TOKEN, 64,                               \
	    "stream the stanza came on, as named in stream frames")            \
	X(FIELD_KIND, 36, "kind", TOKEN, 16, "type of the stanza")             \
	X(FIELD_LANGUAGE, 37, "language", TOKEN, 35, "BCP 47 tag")             \
	X(FIELD_DELAY, 38, "delay", U64, 8, "XEP-0203 stamp, ms since 1970")   \
	X(FIELD_NICK, 39, "nick", TEXT, 1023, "XEP-0172")                      \
	X(FIELD_BODY, 48, "body", TEXT, 131072, "plain text, LF line ends")    \
	X(FIELD_RICH_BODY, 49, "rich-body", TEXT, 131072,                      \
	    "XHTML-IM, reduced to the allow-list")                             \
	X(FIELD_SUBJECT, 50, "subject", TEXT, 4096, "")                        \
	X(FIELD_THREAD, 51, "thread", TEXT, 1024, "")                          \
	X(FIELD_CHAT_STATE, 52, "chat-state", TOKEN, 16, "XEP-0085")           \
	X(FIELD_RECEIPT_REQUEST, 53, "receipt-request", FLAG, 0, "XEP-0184")   \
	X(FIELD_RECEIPT, 54, "receipt", TEXT, 1024, "id that was received")    \
	X(FIELD_MARKABLE, 55, "markable", FLAG, 0, "XEP-0333")                 \
	X(FIELD_MARKER, 56, "marker", TEXT, 1024, "id that was displayed")     \
	X(FIELD_CORRECTS, 57, "corrects", TEXT, 1024, "XEP-0308: id replaced") \
	X(FIELD_RETRACTS, 58, "retracts", TEXT, 1024,                          \
	    "XEP-0424: id retracted")                                          \
	X(FIELD_REPLY_TO, 59, "reply-to", TEXT, 1024, "XEP-0461: id answered") \
	X(FIELD_REPLY_FALLBACK, 60, "reply-fallback", TOKEN, 32,               \
	    "start-end of the quotation in body, in code points")              \
	X(FIELD_REACTS_TO, 61, "reacts-to", TEXT, 1024, "XEP-0444: id")        \
	X(FIELD_REACTION, 62, "reaction", TEXT, 64, "repeatable")              \
	X(FIELD_LINK, 63, "link", TEXT, 4096, "XEP-0066 url, repeatable")      \
	X(FIELD_LINK_NAME, 64, "link-name", TEXT, 1024, "XEP-0066 desc")       \
	X(FIELD_INVITATION, 65, "invitation", TEXT, 3071, "XEP-0249: room")    \
	X(FIELD_ATTENTION, 66, "attention", FLAG, 0, "XEP-0224")               \
	X(FIELD_ENCRYPTED, 67, "encrypted", TOKEN, 32,                         \
	    "kind of encryption; the content does not pass")                   \
	X(FIELD_NO_STORE, 68, "no-store", FLAG, 0, "XEP-0334")                 \
	X(FIELD_LINK_SIZE, 69, "link-size", U64, 8,                            \
	    "XEP-0446 size in bytes, 0 = unknown, repeatable")                 \
	X(FIELD_INVITER, 70, "inviter", TEXT, 3071,                            \
	    "XEP-0045: who invites through the room")                          \
	X(FIELD_DECLINES, 71, "declines", TEXT, 1024,                          \
	    "XEP-0045: why the inviter's invitation is declined")              \
	X(FIELD_UNSTYLED, 72, "unstyled", FLAG, 0,                             \
	    "XEP-0393: the body means what it says")                           \
	X(FIELD_SHOW, 80, "show", TOKEN, 8, "away, chat, dnd, xa")             \
	X(FIELD_STATUS_TEXT, 81, "status-text", TEXT, 4096, "")                \
	X(FIELD_PRIORITY, 82, "priority", U64, 8, "128 + priority")            \
	X(FIELD_AVATAR_HASH, 83, "avatar-hash", TOKEN, 64, "XEP-0153")         \
	X(FIELD_CAPS, 84, "caps", TOKEN, 1024, "XEP-0115: node#ver")           \
	X(FIELD_IDLE_SINCE, 85, "idle-since", U64, 8, "XEP-0319, ms")          \
	X(FIELD_REQUEST, 96, "request", TOKEN, 16,                             \
	    "iq: ping, disco-info, disco-items, version, time, vcard")         \
	X(FIELD_DISCO_NODE, 97, "disco-node", TEXT, 1024, "")                  \
	X(FIELD_ANSWER, 98, "answer", JSON, 65536, "content of an iq result")

enum frame_type {
#define X(name, number, text, family) name = (number),
	FRAME_TYPES(X)
#undef X
};

enum frame_tag {
#define X(name, tag, text, form, max, meaning) name = (tag),
	FRAME_FIELDS(X)
#undef X
};

#endif
