/*
 * sip_msg - one received SIP message (RFC 3261 7, 20, 25).
 *
 * Made from a framed header block and a body (sip_frame.h).  libosip2 reads
 * the grammar of the block; what it lets pass and we must not is checked on
 * top.  The header lines are kept beside it as they came, because libosip2
 * re-cases names, regroups lines and rewrites escapes, while a route set is
 * signed by the pool and a Via must return as it was.
 *
 * Owns     a copy of the head and of the body.
 * Errors   a message that cannot even be answered is ERR_MALFORMED; one that
 *          can be has a defect: the status to answer it with.
 *
 * Every text handed out is NUL-terminated and lives as long as the message.
 */
#ifndef FRONTEND_GATEWAY_SIP_SIP_MSG_H
#define FRONTEND_GATEWAY_SIP_SIP_MSG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct sip_msg;

/* Methods by name; case matters (RFC 3261 7.1). */
#define SIP_METHODS(X)                                                         \
	X(INVITE)                                                              \
	X(ACK)                                                                 \
	X(BYE)                                                                 \
	X(CANCEL)                                                              \
	X(OPTIONS)                                                             \
	X(MESSAGE)                                                             \
	X(INFO)                                                                \
	X(UPDATE)                                                              \
	X(SUBSCRIBE)                                                           \
	X(NOTIFY)                                                              \
	X(BENOTIFY)                                                            \
	X(REFER)                                                               \
	X(SERVICE)                                                             \
	X(PUBLISH)                                                             \
	X(REGISTER)                                                            \
	X(PRACK)                                                               \
	X(NEGOTIATE)

enum sip_method {
	SIP_UNKNOWN_METHOD,
#define X(name) SIP_##name,
	SIP_METHODS(X)
#undef X
	    SIP_METHOD_COUNT
};
/* Bit of a method in a set of methods. */
#define SIP_METHOD_BIT(m) (1u << (unsigned)(m))

/* "INVITE"; "" for the unknown one. */
const char *sip_method_name(enum sip_method m);
enum sip_method sip_method_of(const char *name);

/* One header line: name (a compact form is given in full) and value without
 * surrounding white space, folds turned into spaces, otherwise as received. */
struct sip_header {
	const char *name;
	const char *value;
};

/* A name-addr or addr-spec with its header parameters, taken apart in
 * place: views of the text it was read from. */
struct sip_addr {
	const char *display; /* as written, with quotes; NULL when absent */
	size_t display_len;
	const char *uri; /* as written, without < > */
	size_t uri_len;
	const char *params; /* from the first ';' behind the URI, or "" */
	size_t params_len;
};

/* head is a whole header block with its last empty line, as sip_frame gives
 * it.  ERR_MALFORMED when it can neither be used nor answered. */
int sip_msg_parse(struct sip_msg **out, const uint8_t *head, size_t head_len,
    const uint8_t *body, size_t body_len);
/* A second holder; each ends with sip_msg_free(). */
struct sip_msg *sip_msg_ref(struct sip_msg *m);
/* NULL is allowed. */
void sip_msg_free(struct sip_msg *m);

/* 0, or the status a request with this content deserves (400, 416, 505);
 * what says why.  A response with a defect is to be dropped. */
int sip_msg_defect(const struct sip_msg *m, const char **what);

bool sip_msg_is_request(const struct sip_msg *m);
/* Request: its method.  Response: that of its CSeq. */
enum sip_method sip_msg_method(const struct sip_msg *m);
/* The same as text, for unknown ones too. */
const char *sip_msg_method_name(const struct sip_msg *m);
/* As received; "" in a response. */
const char *sip_msg_uri(const struct sip_msg *m);
/* 100 .. 699; 0 in a request. */
int sip_msg_status(const struct sip_msg *m);
/* May be "". */
const char *sip_msg_reason(const struct sip_msg *m);

const char *sip_msg_call_id(const struct sip_msg *m);
uint32_t sip_msg_cseq(const struct sip_msg *m);
/* Full values of From and To, and parts of them.  Tags: "" when absent. */
const char *sip_msg_from(const struct sip_msg *m);
const char *sip_msg_to(const struct sip_msg *m);
const char *sip_msg_from_uri(const struct sip_msg *m);
const char *sip_msg_to_uri(const struct sip_msg *m);
const char *sip_msg_from_tag(const struct sip_msg *m);
const char *sip_msg_to_tag(const struct sip_msg *m);
/* Display name of From, unquoted; NULL when there is none. */
const char *sip_msg_from_display(const struct sip_msg *m);
/* The "epid" parameter of From or To; NULL when there is none. */
const char *sip_msg_from_epid(const struct sip_msg *m);
const char *sip_msg_to_epid(const struct sip_msg *m);
/* URI of the first Contact; NULL when there is none or it is "*". */
const char *sip_msg_contact_uri(const struct sip_msg *m);
/* Top Via: branch ("" when absent) and "host:port" in lower case. */
const char *sip_msg_branch(const struct sip_msg *m);
const char *sip_msg_sent_by(const struct sip_msg *m);
/* Top Via as received. */
const char *sip_msg_top_via(const struct sip_msg *m);

/* "text/plain" in lower case without parameters; "" without Content-Type. */
const char *sip_msg_content_type(const struct sip_msg *m);
const uint8_t *sip_msg_body(const struct sip_msg *m);
size_t sip_msg_body_len(const struct sip_msg *m);

/* Header lines in the order of arrival. */
size_t sip_msg_header_count(const struct sip_msg *m);
const struct sip_header *sip_msg_header_at(const struct sip_msg *m, size_t i);
/* The nth (from 0) line of that name, compact form or long, any case; NULL
 * behind the last. */
const char *
sip_msg_header(const struct sip_msg *m, const char *name, size_t nth);
/* Whether a comma list over all lines of that name has that token
 * (Supported, Require, Allow). */
bool
sip_msg_lists(const struct sip_msg *m, const char *name, const char *token);
/* Whether an answer may have a body of that type: Accept names it or a range
 * it is in, or is absent. */
bool sip_msg_accepts(const struct sip_msg *m, const char *type);

/* --- pieces ------------------------------------------------------------- */

/* Reads one address.  ERR_MALFORMED, also for what only < > or quotes would
 * make unambiguous (RFC 3261 20). */
int sip_addr_read(struct sip_addr *out, const char *text, size_t len);
/* Next element of a comma list that heeds quotes and < >; advances *at.
 * False at the end. */
bool sip_list_next(const char **at, const char **element, size_t *len);
/* A parameter in ";a=b;c": writes its value (unquoted; "" for a bare name) to
 * out.  ERR_NOT_FOUND, ERR_TOO_LONG. */
int sip_param_get(
    char *out, size_t size, const char *params, size_t len, const char *name);
/* Whether ";a=b;c" has something between its semicolons everywhere; anything
 * may stand before the first.  ERR_MALFORMED. */
int sip_params_check(const char *params, size_t len);
/* A sip: or sips: URI whose escapes, user, host and port are sound; no
 * control, no blank.  Other schemes pass when their characters are sound.
 * ERR_MALFORMED. */
int sip_uri_check(const char *uri, size_t len);
/* "alice" of sip:alice@host, as written; ERR_NOT_FOUND without user. */
int sip_uri_user(const char **user, size_t *len, const char *uri);

#endif
