/*
 * What of a SIP message may be shown.  Nothing gets out of here but by a row of
 * one of these tables: headers, parameters, types of bodies.
 */
#include "frontend-gateway/trace/trace_sip.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "common/buf.h"
#include "common/err.h"
#include "common/utf8.h"
#include "common/xml_redact.h"
#include "frontend-gateway/sip/sip_parts.h"
#include "frontend-gateway/trace/trace_sdp.h"

enum {
	VALUE_MAX = 2048, /* shown of a header */
	NAME_MAX_SHOWN = 64,
	TYPE_MAX = 256
};

/* What is shown of a header's value. */
enum rule {
	RULE_NONE,        /* its length */
	RULE_SECRET,      /* the same, bodies or not */
	RULE_WORD,        /* one word */
	RULE_WORDS,       /* two */
	RULE_LIST,        /* words with parameters of a table */
	RULE_VIA,         /* two words with parameters of a table */
	RULE_PRODUCTS,    /* words like name/1.0 */
	RULE_ADDRESSES,   /* URIs with parameters of a table */
	RULE_DIAGNOSTICS, /* all but the words that others added to ours */
	RULE_ALL          /* as it is, on one line */
};

static const struct {
	const char *name;
	enum rule rule;
} header_rules[] = {
	{ "Via", RULE_VIA },
	{ "v", RULE_VIA },
	{ "Max-Forwards", RULE_WORD },
	{ "From", RULE_ADDRESSES },
	{ "f", RULE_ADDRESSES },
	{ "To", RULE_ADDRESSES },
	{ "t", RULE_ADDRESSES },
	{ "Call-ID", RULE_WORD },
	{ "i", RULE_WORD },
	{ "CSeq", RULE_WORDS },
	{ "Contact", RULE_ADDRESSES },
	{ "m", RULE_ADDRESSES },
	{ "Route", RULE_ADDRESSES },
	{ "Record-Route", RULE_ADDRESSES },
	{ "P-Asserted-Identity", RULE_ADDRESSES },
	{ "P-Preferred-Identity", RULE_ADDRESSES },
	{ "Referred-By", RULE_ADDRESSES },
	{ "b", RULE_ADDRESSES },
	{ "Refer-To", RULE_ADDRESSES },
	{ "r", RULE_ADDRESSES },
	{ "Reply-To", RULE_ADDRESSES },
	{ "Roster-Manager", RULE_ADDRESSES },
	{ "EndPoints", RULE_ADDRESSES },
	{ "History-Info", RULE_ADDRESSES },
	{ "Content-Type", RULE_LIST },
	{ "c", RULE_LIST },
	{ "Content-Length", RULE_WORD },
	{ "l", RULE_WORD },
	{ "Content-Encoding", RULE_LIST },
	{ "e", RULE_LIST },
	{ "Content-Transfer-Encoding", RULE_WORD },
	{ "ms-text-format", RULE_LIST },
	{ "ms-im-format", RULE_LIST },
	{ "Allow", RULE_LIST },
	{ "Supported", RULE_LIST },
	{ "k", RULE_LIST },
	{ "Require", RULE_LIST },
	{ "Proxy-Require", RULE_LIST },
	{ "Unsupported", RULE_LIST },
	{ "Accept", RULE_LIST },
	{ "Accept-Encoding", RULE_LIST },
	{ "Accept-Language", RULE_LIST },
	{ "Allow-Events", RULE_LIST },
	{ "u", RULE_LIST },
	{ "Event", RULE_LIST },
	{ "o", RULE_LIST },
	{ "Subscription-State", RULE_LIST },
	{ "Expires", RULE_WORD },
	{ "Min-Expires", RULE_WORD },
	{ "Session-Expires", RULE_LIST },
	{ "x", RULE_LIST },
	{ "Min-SE", RULE_LIST },
	{ "Retry-After", RULE_LIST },
	{ "Reason", RULE_LIST },
	{ "Server", RULE_PRODUCTS },
	{ "User-Agent", RULE_PRODUCTS },
	{ "RSeq", RULE_WORD },
	{ "Compression", RULE_WORD },
	{ "Ms-Conversation-ID", RULE_WORD },
	{ "ms-keep-alive", RULE_LIST },
	{ "ms-diagnostics", RULE_DIAGNOSTICS },
	{ "ms-diagnostics-public", RULE_DIAGNOSTICS },
	{ "ms-client-diagnostics", RULE_DIAGNOSTICS },
	{ "Authorization", RULE_SECRET },
	{ "Proxy-Authorization", RULE_SECRET },
	{ "Authentication-Info", RULE_SECRET },
	{ "Proxy-Authentication-Info", RULE_SECRET },
	{ "WWW-Authenticate", RULE_SECRET },
	{ "Proxy-Authenticate", RULE_SECRET },
};

/* Parameters whose values are shown. */
static const char *const shown_params[] = { "+sip.instance", "boundary",
	"branch", "branched", "cause", "cid", "charset", "epid", "expires",
	"gr", "gruu", "hop-hop", "i", "index", "isfocus", "lr", "maddr",
	"method", "ms-ent-dest", "ms-fe", "ms-opaque", "ms-received-cid",
	"ms-received-port", "ms-role-rs-from", "ms-role-rs-to", "ms-route-sig",
	"opaque", "proxy", "q", "reason", "received", "refresher",
	"retry-after", "rport", "tag", "transport", "ttl", "type", "user" };

/* --- pieces ------------------------------------------------------------------ */

static void
add_length(struct buf *out, size_t len)
{
	buf_addf(out, "[%zu bytes]", len);
}

/* As it is, on one line and valid UTF-8; a long one's end as its length. */
static void
add_clean(struct buf *out, struct trace_sip_span s)
{
	const size_t max = s.len > VALUE_MAX ? VALUE_MAX : s.len;
	size_t at = 0;

	while (at < max) {
		uint32_t c = 0;
		size_t n =
		    utf8_decode((const uint8_t *)s.at + at, s.len - at, &c);

		if (n == 0)
			buf_add_char(out, '?');
		else if (c < ' ' || (c >= 0x7f && c < 0xa0))
			buf_add_char(out, ' ');
		else
			buf_add(out, s.at + at, n);
		at += n > 0 ? n : 1;
	}
	if (at < s.len)
		add_length(out, s.len - at);
}

static struct trace_sip_span
part_of(struct trace_sip_span s, size_t from, size_t to)
{
	while (from < to && (unsigned char)s.at[from] <= ' ')
		from++;
	while (to > from && (unsigned char)s.at[to - 1] <= ' ')
		to--;
	return (struct trace_sip_span){ s.at + from, to - from };
}

/* Where the first of these characters stands outside of quotes and brackets,
 * or the length. */
static size_t
find_bare(struct trace_sip_span s, size_t from, const char *any)
{
	bool quoted = false, within = false;

	for (size_t i = from; i < s.len; i++) {
		const char c = s.at[i];

		if (quoted) {
			if (c == '\\')
				i++;
			else if (c == '"')
				quoted = false;
		} else if (!within && c != '\0' && strchr(any, c) != NULL) {
			return i;
		} else if (c == '"') {
			quoted = true;
		} else if (c == '<') {
			within = true;
		} else if (c == '>') {
			within = false;
		}
	}
	return s.len;
}

static bool
is_token(struct trace_sip_span s)
{
	for (size_t i = 0; i < s.len; i++) {
		const unsigned char c = (unsigned char)s.at[i];

		if (c <= ' ' || c >= 0x7f || strchr("\"(),:;<=>?@[\\]{}", c))
			return false;
	}
	return s.len > 0 && s.len <= NAME_MAX_SHOWN;
}

/* Anything without a blank. */
static bool
is_word(struct trace_sip_span s)
{
	for (size_t i = 0; i < s.len; i++)
		if ((unsigned char)s.at[i] <= ' ')
			return false;
	return s.len > 0;
}

static bool
is_shown_param(struct trace_sip_span name)
{
	const size_t n = sizeof(shown_params) / sizeof(shown_params[0]);

	for (size_t i = 0; i < n; i++)
		if (strlen(shown_params[i]) == name.len &&
		    strncasecmp(shown_params[i], name.at, name.len) == 0)
			return true;
	return false;
}

/* ";a=b;c", of which at is the first semicolon. */
static void
add_params(struct buf *out, struct trace_sip_span s, size_t at)
{
	while (at < s.len) {
		const size_t end = find_bare(s, at + 1, ";");
		const struct trace_sip_span one = part_of(s, at + 1, end);
		const char *eq =
		    one.len > 0 ? memchr(one.at, '=', one.len) : NULL;
		const size_t name_len =
		    eq != NULL ? (size_t)(eq - one.at) : one.len;
		const struct trace_sip_span name = part_of(one, 0, name_len);

		at = end;
		buf_add_char(out, ';');
		if (!is_token(name)) {
			add_length(out, one.len);
		} else if (is_shown_param(name) && is_word(one)) {
			add_clean(out, one);
		} else if (eq != NULL) {
			add_clean(out, name);
			buf_add_char(out, '=');
			add_length(out, one.len - name_len - 1);
		} else {
			/* A word that nobody knows may be anything. */
			add_length(out, one.len);
		}
	}
}

/* A scheme that has users, without blanks and the like. */
static bool
is_uri(struct trace_sip_span s)
{
	static const char *const schemes[] = {
		"sip:", "sips:", "tel:", "im:", "pres:"
	};

	for (size_t i = 0; i < s.len; i++)
		if ((unsigned char)s.at[i] <= ' ' || s.at[i] == '"' ||
		    s.at[i] == '<' || s.at[i] == '>')
			return false;
	for (size_t i = 0; i < sizeof(schemes) / sizeof(schemes[0]); i++)
		if (s.len > strlen(schemes[i]) &&
		    strncasecmp(s.at, schemes[i], strlen(schemes[i])) == 0)
			return true;
	return false;
}

/* A URI has parameters, and headers (RFC 3261 19.1.1) which may be a subject
 * and even a body. */
static void
add_uri(struct buf *out, struct trace_sip_span s)
{
	const char *at = s.len > 0 ? memchr(s.at, '@', s.len) : NULL;
	size_t from = at != NULL ? (size_t)(at - s.at) : 0;
	size_t semicolon, question;

	if (!is_uri(s)) {
		add_length(out, s.len);
		return;
	}
	for (question = from; question < s.len; question++)
		if (s.at[question] == '?')
			break;
	for (semicolon = from; semicolon < question; semicolon++)
		if (s.at[semicolon] == ';')
			break;
	add_clean(out, (struct trace_sip_span){ s.at, semicolon });
	add_params(out, (struct trace_sip_span){ s.at, question }, semicolon);
	if (question < s.len) {
		buf_add_char(out, '?');
		add_length(out, s.len - question - 1);
	}
}

/* "Name" <uri>;params, or uri;params. */
static void
add_address(struct buf *out, struct trace_sip_span s)
{
	const size_t open = find_bare(s, 0, "<");
	const char *close =
	    open < s.len ? memchr(s.at + open, '>', s.len - open) : NULL;
	const struct trace_sip_span name = part_of(s, 0, open);
	size_t end;

	if (open == s.len) {
		end = find_bare(s, 0, ";");
		add_uri(out, part_of(s, 0, end));
		add_params(out, s, end);
		return;
	}
	if (close == NULL) {
		add_length(out, s.len);
		return;
	}
	end = (size_t)(close - s.at);
	if (name.len > 0) {
		add_length(out, name.len);
		buf_add_char(out, ' ');
	}
	buf_add_char(out, '<');
	add_uri(out, part_of(s, open + 1, end));
	buf_add_char(out, '>');
	s.at += end + 1;
	s.len -= end + 1;
	end = find_bare(s, 0, ";");
	if (part_of(s, 0, end).len > 0)
		add_length(out, end);
	add_params(out, s, end);
}

static void
add_addresses(struct buf *out, struct trace_sip_span s)
{
	size_t at = 0;

	for (;;) {
		const size_t end = find_bare(s, at, ",");

		add_address(out, part_of(s, at, end));
		if (end >= s.len)
			return;
		buf_add_str(out, ", ");
		at = end + 1;
	}
}

/* "word;params, word;params": the word is a token, or a type. */
static void
add_list(struct buf *out, struct trace_sip_span s)
{
	size_t at = 0;

	for (;;) {
		const size_t end = find_bare(s, at, ",");
		const struct trace_sip_span one = part_of(s, at, end);
		const size_t params = find_bare(one, 0, ";");
		const struct trace_sip_span word = part_of(one, 0, params);

		if (is_token(word))
			add_clean(out, word);
		else
			add_length(out, word.len);
		add_params(out, one, params);
		if (end >= s.len)
			return;
		buf_add_str(out, ", ");
		at = end + 1;
	}
}

/* Up to so many words, and nothing of more. */
static void
add_words(struct buf *out, struct trace_sip_span s, size_t max)
{
	size_t words = s.len > 0;

	for (size_t i = 1; i < s.len; i++)
		words += (unsigned char)s.at[i] > ' ' &&
			 (unsigned char)s.at[i - 1] <= ' ';
	if (words <= max)
		add_clean(out, s);
	else
		add_length(out, s.len);
}

static void
add_via(struct buf *out, struct trace_sip_span s)
{
	size_t at = 0;

	for (;;) {
		const size_t end = find_bare(s, at, ",");
		const struct trace_sip_span one = part_of(s, at, end);
		const size_t params = find_bare(one, 0, ";");

		add_words(out, part_of(one, 0, params), 2);
		add_params(out, one, params);
		if (end >= s.len)
			return;
		buf_add_str(out, ", ");
		at = end + 1;
	}
}

/* What is no product, comments among it, is what somebody may have said. */
static void
add_products(struct buf *out, struct trace_sip_span s)
{
	size_t at = 0, left;

	while (at < s.len) {
		size_t end = at;
		struct trace_sip_span word;

		while (end < s.len && (unsigned char)s.at[end] > ' ')
			end++;
		word = part_of(s, at, end);
		if (!is_token(word) || memchr(word.at, '/', word.len) == NULL)
			break;
		add_clean(out, word);
		for (at = end; at < s.len; at++)
			if ((unsigned char)s.at[at] > ' ')
				break;
		if (at < s.len)
			buf_add_char(out, ' ');
	}
	left = s.len - at;
	if (left > 0)
		add_length(out, left);
}

/* --- diagnostics --------------------------------------------------------------- */

/* Our reasons may have a partner's words behind them: "XMPP server: forbidden:
 * his words" (translate/errors.h). */
static size_t
own_words(struct trace_sip_span reason)
{
	static const char mark[] = "XMPP server: ";
	size_t skip = 0;
	const char *at;

	for (size_t i = 0; i + sizeof(mark) - 1 <= reason.len && i < 2; i++)
		if (memcmp(reason.at + i, mark, sizeof(mark) - 1) == 0)
			skip = i + sizeof(mark) - 1;
	at = memmem(reason.at + skip, reason.len - skip, ": ", 2);
	return at != NULL ? (size_t)(at - reason.at) : reason.len;
}

/* An id of ours, [MS-OCER] 61000 to 61999. */
static bool
is_ours(struct trace_sip_span s)
{
	return s.len >= 6 && memcmp(s.at, "61", 2) == 0 && s.at[5] == ';';
}

static void
add_diagnostics(struct buf *out, struct trace_sip_span s)
{
	const char *mark = s.len > 0 ? memmem(s.at, s.len, "reason=", 7) : NULL;
	struct trace_sip_span reason;
	size_t begin, end, own;

	if (mark == NULL || !is_ours(s)) {
		add_clean(out, s);
		return;
	}
	begin = (size_t)(mark - s.at) + 7;
	end = find_bare(s, begin, ";");
	reason = (struct trace_sip_span){ s.at + begin, end - begin };
	own = own_words(reason);
	add_clean(out, (struct trace_sip_span){ s.at, begin + own });
	if (own < reason.len) {
		buf_add_str(out, ": ");
		/* Without what was ours, and the quote at the end. */
		add_length(out, reason.len - own - 2 -
				    (reason.len - own > 2 &&
					reason.at[reason.len - 1] == '"'));
		buf_add_char(out, '"');
	}
	add_clean(out, (struct trace_sip_span){ s.at + end, s.len - end });
}

/* --- the head ------------------------------------------------------------------- */

static enum rule
rule_of(struct trace_sip_span name)
{
	const size_t n = sizeof(header_rules) / sizeof(header_rules[0]);

	for (size_t i = 0; i < n; i++)
		if (strlen(header_rules[i].name) == name.len &&
		    strncasecmp(header_rules[i].name, name.at, name.len) == 0)
			return header_rules[i].rule;
	return RULE_NONE;
}

static void
add_value(struct buf *out, enum rule rule, struct trace_sip_span value)
{
	switch (rule) {
	case RULE_WORD:
		add_words(out, value, 1);
		break;
	case RULE_WORDS:
		add_words(out, value, 2);
		break;
	case RULE_LIST:
		add_list(out, value);
		break;
	case RULE_VIA:
		add_via(out, value);
		break;
	case RULE_PRODUCTS:
		add_products(out, value);
		break;
	case RULE_ADDRESSES:
		add_addresses(out, value);
		break;
	case RULE_DIAGNOSTICS:
		add_diagnostics(out, value);
		break;
	case RULE_ALL:
		add_clean(out, value);
		break;
	case RULE_NONE:
	case RULE_SECRET:
		add_length(out, value.len);
		break;
	}
}

static void
add_header(struct buf *out, const struct trace_sip_header *h, bool bodies)
{
	const enum rule rule = rule_of(h->name);
	struct trace_sip_span line = h->value;

	if (!is_token(h->name)) {
		if (h->name.len > 0) {
			line.len += (size_t)(line.at - h->name.at);
			line.at = h->name.at;
		}
		if (bodies)
			add_clean(out, line);
		else
			add_length(out, line.len);
	} else {
		add_clean(out, h->name);
		buf_add_str(out, ": ");
		add_value(out, bodies && rule != RULE_SECRET ? RULE_ALL : rule,
		    h->value);
	}
	buf_add_char(out, '\n');
}

static void
add_start(struct buf *out, const struct trace_sip *m, bool bodies)
{
	if (bodies) {
		add_clean(out, m->start);
	} else if (m->status != 0) {
		buf_addf(out, "SIP/2.0 %d ", m->status);
		add_clean(out, m->reason);
	} else if (m->method.len > 0) {
		add_clean(out, m->method);
		buf_add_char(out, ' ');
		add_uri(out, m->uri);
		buf_add_str(out, " SIP/2.0");
	} else {
		add_length(out, m->start.len);
	}
	buf_add_char(out, '\n');
}

/* --- the body -------------------------------------------------------------------- */

static bool
ends_in(const char *s, const char *end)
{
	const size_t n = strlen(s), k = strlen(end);

	return n >= k && strcmp(s + n - k, end) == 0;
}

static bool
is_xml(const char *type)
{
	return ends_in(type, "+xml") || strcmp(type, "application/xml") == 0 ||
	       strcmp(type, "text/xml") == 0 ||
	       strcmp(type, "text/xml+msrtc.pidf") == 0;
}

static bool
is_text(const char *data, size_t len)
{
	return memchr(data, '\0', len) == NULL && utf8_valid(data, len);
}

static void
add_body_length(struct buf *out, const char *type, size_t len)
{
	const struct trace_sip_span shown = { type, strlen(type) };

	if (is_token(shown) && strchr(type, '/') != NULL)
		buf_addf(out, "[%zu bytes of %s]", len, type);
	else
		add_length(out, len);
}

/* type is one of sip_parts: lower case, "" when there was none.  Of SDP there
 * are keys, too. */
static void
add_part(struct buf *out, const char *type, const char *data, size_t len,
    bool bodies)
{
	if (strcmp(type, "application/sdp") == 0) {
		trace_sdp_write(out, data, len);
		return;
	}
	if (bodies && is_text(data, len))
		buf_add(out, data, len);
	else if (bodies || !is_xml(type) || xml_redact_text(out, data, len) < 0)
		add_body_length(out, type, len);
	buf_add_char(out, '\n');
}

static void
add_parts(
    struct buf *out, const char *type, struct trace_sip_span body, bool bodies)
{
	struct sip_parts parts;

	sip_parts_read(&parts, type, body.at, body.len);
	if (parts.count == 0)
		add_part(out, "", body.at, body.len, bodies);
	for (size_t i = 0; i < parts.count; i++) {
		const struct sip_part *p = &parts.part[i];

		if (parts.count > 1)
			buf_addf(out, "-- part %zu\n", i + 1);
		add_part(out, p->type, p->data, p->len, bodies);
	}
}

static void
add_body(struct buf *out, const struct trace_sip *m, bool bodies)
{
	char type[TYPE_MAX] = "";

	for (size_t i = 0; i < m->count; i++) {
		const struct trace_sip_header *h = &m->headers[i];
		const bool is_type =
		    (h->name.len == 1 && (*h->name.at | 0x20) == 'c') ||
		    (h->name.len == 12 &&
			strncasecmp(h->name.at, "Content-Type", 12) == 0);

		if (!is_type || h->value.len >= sizeof(type))
			continue;
		memcpy(type, h->value.at, h->value.len);
		type[h->value.len] = '\0';
		break;
	}
	add_parts(out, type, m->body, bodies);
}

int
trace_sip_write(struct buf *out, const struct trace_sip *m, bool bodies)
{
	add_start(out, m, bodies);
	for (size_t i = 0; i < m->count; i++)
		add_header(out, &m->headers[i], bodies);
	if (m->more)
		buf_add_str(out, "[more headers]\n");
	if (m->body.len > 0) {
		buf_add_char(out, '\n');
		add_body(out, m, bodies);
	}
	return buf_failed(out) ? ERR_NOMEM : 0;
}
