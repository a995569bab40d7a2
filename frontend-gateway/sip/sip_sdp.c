/*
 * Lines are split at LF, a CR before it is dropped; a last line without an
 * end is taken as it is.  Only v=, m= and a=accept-types are looked at, the
 * rest must merely have the form "x=".
 */
#include "frontend-gateway/sip/sip_sdp.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "common/buf.h"
#include "common/err.h"
#include "frontend-gateway/sip/sip_msg.h"

enum { LINES_MAX = 2000 };

/* The next blank-separated word of a line; its length in *len. */
static const char *
next_word(const char **at, const char *end, size_t *len)
{
	const char *p = *at;
	const char *word;

	while (p < end && (*p == ' ' || *p == '\t'))
		p++;
	word = p;
	while (p < end && *p != ' ' && *p != '\t')
		p++;
	*at = p;
	*len = (size_t)(p - word);
	return word;
}

static bool
word_is(const char *word, size_t len, const char *text)
{
	return len == strlen(text) && strncasecmp(word, text, len) == 0;
}

static unsigned
kind_of(const char *media, size_t len)
{
	static const struct {
		const char *name;
		enum sip_sdp_media kind;
	} kinds[] = {
		{ "audio", SIP_SDP_AUDIO },
		{ "video", SIP_SDP_VIDEO },
		{ "applicationsharing", SIP_SDP_SHARING },
		{ "data", SIP_SDP_DATA },
	};

	for (size_t i = 0; i < sizeof(kinds) / sizeof(*kinds); i++)
		if (word_is(media, len, kinds[i].name))
			return kinds[i].kind;
	return SIP_SDP_UNKNOWN;
}

/* Visible ASCII, as every token of SDP. */
static bool
is_visible(const char *word, size_t len)
{
	for (size_t i = 0; i < len; i++)
		if (word[i] <= ' ' || word[i] > '~')
			return false;
	return true;
}

/* Adds the line that refuses this one: its first format stands for all. */
static int
refuse_line(struct sip_sdp *sdp, const char *media, size_t media_len,
    const char *protocol, size_t protocol_len, const char *p, const char *end)
{
	char *to = sdp->kind == SIP_SDP_OTHER ? sdp->before : sdp->behind;
	size_t used = strlen(to), len;
	const char *format = next_word(&p, end, &len);
	int n;

	if (!is_visible(media, media_len) ||
	    !is_visible(protocol, protocol_len) || !is_visible(format, len))
		return ERR_MALFORMED;
	if (media_len + protocol_len + len > SIP_SDP_REFUSED_MAX)
		return ERR_TOO_LONG;
	n = snprintf(to + used, SIP_SDP_REFUSED_MAX - used,
	    "m=%.*s 0 %.*s %.*s\r\n", (int)media_len, media, (int)protocol_len,
	    protocol, len > 0 ? (int)len : 1, len > 0 ? format : "0");
	return n < 0 || (size_t)n >= SIP_SDP_REFUSED_MAX - used ? ERR_TOO_LONG
								: 0;
}

/* The value of an m= line. */
static int
read_media(struct sip_sdp *sdp, bool *ours, const char *p, const char *end)
{
	enum sip_sdp_kind kind = SIP_SDP_OTHER;
	const char *media, *port, *protocol;
	size_t media_len, port_len, protocol_len;

	media = next_word(&p, end, &media_len);
	port = next_word(&p, end, &port_len);
	protocol = next_word(&p, end, &protocol_len);
	if (media_len == 0 || port_len == 0 || protocol_len == 0)
		return ERR_MALFORMED;
	for (size_t i = 0; i < port_len; i++)
		if (isdigit((unsigned char)port[i]) == 0 && port[i] != '/')
			return ERR_MALFORMED;
	if (word_is(protocol, protocol_len, "sip")) {
		if (word_is(media, media_len, "message"))
			kind = SIP_SDP_MESSAGE;
		else if (word_is(media, media_len, "x-ms-message"))
			kind = SIP_SDP_X_MESSAGE;
	}
	/* Switched off (RFC 3264 5.1, 6). */
	if (word_is(port, port_len, "0"))
		kind = SIP_SDP_OTHER;
	sdp->media++;
	*ours = false;
	if (kind == SIP_SDP_OTHER && !word_is(port, port_len, "0")) {
		sdp->others++;
		sdp->offered |= kind_of(media, media_len);
	}
	if (kind == SIP_SDP_OTHER || sdp->kind != SIP_SDP_OTHER)
		return refuse_line(
		    sdp, media, media_len, protocol, protocol_len, p, end);
	sdp->kind = kind;
	*ours = true;
	return 0;
}

static const struct {
	const char *name;
	unsigned types;
} listed[] = {
	{ "text/plain", SIP_SDP_BIT(SIP_SDP_PLAIN) },
	{ "text/html", SIP_SDP_BIT(SIP_SDP_HTML) },
	{ "text/rtf", SIP_SDP_BIT(SIP_SDP_RTF) },
	{ "application/rtf", SIP_SDP_BIT(SIP_SDP_RTF) },
	{ "multipart/alternative", SIP_SDP_BIT(SIP_SDP_ALTERNATIVE) },
	{ "application/ms-imdn+xml", SIP_SDP_BIT(SIP_SDP_IMDN) },
	{ "multipart/*", SIP_SDP_BIT(SIP_SDP_ALTERNATIVE) },
	{ "text/*", SIP_SDP_BIT(SIP_SDP_PLAIN) | SIP_SDP_BIT(SIP_SDP_HTML) |
			SIP_SDP_BIT(SIP_SDP_RTF) },
	{ "*", SIP_SDP_BIT(SIP_SDP_TYPE_COUNT) - 1 },
	{ "*/*", SIP_SDP_BIT(SIP_SDP_TYPE_COUNT) - 1 },
};

static unsigned
types_of(const char *word, size_t len)
{
	for (size_t i = 0; i < sizeof(listed) / sizeof(*listed); i++)
		if (word_is(word, len, listed[i].name))
			return listed[i].types;
	return 0;
}

/* The list behind "accept-types:". */
static int
read_accept_types(struct sip_sdp *sdp, const char *p, const char *end)
{
	size_t used = 0, len;
	const char *word;

	sdp->accepts = 0;
	sdp->accept_types[0] = '\0';
	for (;;) {
		word = next_word(&p, end, &len);
		if (len == 0)
			return 0;
		if (used + len + 2 > sizeof(sdp->accept_types))
			return ERR_TOO_LONG;
		sdp->accepts |= types_of(word, len);
		if (used > 0)
			sdp->accept_types[used++] = ' ';
		for (size_t i = 0; i < len; i++)
			sdp->accept_types[used++] =
			    (char)tolower((unsigned char)word[i]);
		sdp->accept_types[used] = '\0';
	}
}

int
sip_sdp_parse(struct sip_sdp *out, const uint8_t *text, size_t len)
{
	static const char accept[] = "a=accept-types:";
	struct sip_sdp sdp = { .kind = SIP_SDP_OTHER,
		.accepts = SIP_SDP_BIT(SIP_SDP_PLAIN) };
	const char *p = (const char *)text, *end = p + len;
	const char *line, *stop;
	bool in_ours = false;
	size_t lines = 0, n;
	int rc = 0;

	if (len > SIP_SDP_MAX)
		return ERR_TOO_LONG;
	if (len < 3 || memchr(text, '\0', len) != NULL ||
	    strncmp(p, "v=0", 3) != 0)
		return ERR_MALFORMED;
	while (p < end) {
		line = p;
		stop = memchr(p, '\n', (size_t)(end - p));
		p = stop != NULL ? stop + 1 : end;
		if (stop == NULL)
			stop = end;
		if (stop > line && stop[-1] == '\r')
			stop--;
		n = (size_t)(stop - line);
		if (n == 0)
			continue;
		if (++lines > LINES_MAX)
			return ERR_TOO_LONG;
		if (n < 2 || line[1] != '=' ||
		    isalpha((unsigned char)line[0]) == 0)
			return ERR_MALFORMED;
		if (line[0] == 'm')
			rc = read_media(&sdp, &in_ours, line + 2, stop);
		else if (in_ours && n >= sizeof(accept) - 1 &&
			 strncasecmp(line, accept, sizeof(accept) - 1) == 0)
			rc = read_accept_types(
			    &sdp, line + sizeof(accept) - 1, stop);
		if (rc < 0)
			return rc;
	}
	if (sdp.media == 0)
		return ERR_MALFORMED;
	*out = sdp;
	return 0;
}

unsigned
sip_sdp_accepts_of(const struct sip_msg *m)
{
	struct sip_sdp *sdp = malloc(sizeof(*sdp));
	unsigned accepts = SIP_SDP_BIT(SIP_SDP_PLAIN);

	if (sdp != NULL && m != NULL &&
	    strcmp(sip_msg_content_type(m), "application/sdp") == 0 &&
	    sip_sdp_parse(sdp, sip_msg_body(m), sip_msg_body_len(m)) == 0)
		accepts = sdp->kind != SIP_SDP_OTHER ? sdp->accepts : 0;
	free(sdp);
	return accepts;
}

/* What stands above the first m= line. */
static void
write_session(struct buf *out, const char *host)
{
	const char *version = strchr(host, ':') != NULL ? "IP6" : "IP4";

	buf_addf(out,
	    "v=0\r\n"
	    "o=- 0 0 IN %s %s\r\n"
	    "s=session\r\n"
	    "c=IN %s %s\r\n"
	    "t=0 0\r\n",
	    version, host, version, host);
}

static int
write_messages(struct buf *out, const char *media, unsigned port,
    const char *format, const char *accept_types)
{
	return buf_addf(out,
	    "m=%s %u sip %s\r\n"
	    "a=accept-types:%s\r\n",
	    media, port, format, accept_types);
}

int
sip_sdp_offer(
    struct buf *out, const char *host, unsigned port, const char *accept_types)
{
	write_session(out, host);
	return write_messages(out, "message", port, "null", accept_types);
}

int
sip_sdp_answer(struct buf *out, const struct sip_sdp *offer, const char *host,
    unsigned port, const char *uri, const char *accept_types)
{
	write_session(out, host);
	buf_add_str(out, offer->before);
	write_messages(out,
	    offer->kind == SIP_SDP_X_MESSAGE ? "x-ms-message" : "message", port,
	    uri != NULL ? uri : "null", accept_types);
	return buf_add_str(out, offer->behind);
}
