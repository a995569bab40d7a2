/* Lines into headers, and what is known of a message without showing it. */
#include "frontend-gateway/trace/trace_sip.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "common/buf.h"
#include "common/utf8.h"
#include "frontend-gateway/translate/address.h"

enum { PART_MAX = 256 /* bytes of what is told beside the text */ };

static const char version[] = "SIP/2.0";

/* --- lines ------------------------------------------------------------------ */

size_t
trace_sip_head(const void *data, size_t len)
{
	const char *end = memmem(data, len, "\r\n\r\n", 4);

	return end != NULL ? (size_t)(end - (const char *)data) + 4 : len;
}

static struct trace_sip_span
trim(struct trace_sip_span s)
{
	while (s.len > 0 && strchr(" \t\r\n", s.at[0]) != NULL &&
	       s.at[0] != '\0') {
		s.at++;
		s.len--;
	}
	while (s.len > 0 && s.at[s.len - 1] != '\0' &&
	       strchr(" \t\r\n", s.at[s.len - 1]) != NULL)
		s.len--;
	return s;
}

/* The next line, with its folds, without its end. */
static struct trace_sip_span
next_line(struct trace_sip_span *rest)
{
	struct trace_sip_span line = { rest->at, 0 };
	size_t at = 0;

	while (at < rest->len) {
		const char *end = memchr(rest->at + at, '\n', rest->len - at);

		at = end != NULL ? (size_t)(end - rest->at) + 1 : rest->len;
		if (at == rest->len ||
		    (rest->at[at] != ' ' && rest->at[at] != '\t'))
			break;
	}
	line.len = at;
	rest->at += at;
	rest->len -= at;
	while (line.len > 0 &&
	       (line.at[line.len - 1] == '\n' || line.at[line.len - 1] == '\r'))
		line.len--;
	return line;
}

/* Up to the next blank. */
static struct trace_sip_span
next_word(struct trace_sip_span *rest)
{
	struct trace_sip_span word = { rest->at, 0 };
	const char *end;

	*rest = trim(*rest);
	word.at = rest->at;
	end = rest->len > 0 ? memchr(rest->at, ' ', rest->len) : NULL;
	word.len = end != NULL ? (size_t)(end - rest->at) : rest->len;
	rest->at += word.len;
	rest->len -= word.len;
	return word;
}

static bool
span_is(struct trace_sip_span s, const char *text)
{
	return s.len == strlen(text) && strncasecmp(s.at, text, s.len) == 0;
}

static bool
is_method(struct trace_sip_span s)
{
	for (size_t i = 0; i < s.len; i++)
		if ((s.at[i] < 'A' || s.at[i] > 'Z') && s.at[i] != '-')
			return false;
	return s.len > 0 && s.len <= 32;
}

static bool
is_status(struct trace_sip_span s)
{
	return s.len == 3 && s.at[0] >= '1' && s.at[0] <= '6' &&
	       s.at[1] >= '0' && s.at[1] <= '9' && s.at[2] >= '0' &&
	       s.at[2] <= '9';
}

static void
read_start(struct trace_sip *m)
{
	struct trace_sip_span rest = m->start, first, second;

	first = next_word(&rest);
	second = next_word(&rest);
	rest = trim(rest);
	if (span_is(first, version) && is_status(second)) {
		m->status = (second.at[0] - '0') * 100 +
			    (second.at[1] - '0') * 10 + second.at[2] - '0';
		m->reason = rest;
	} else if (is_method(first) && span_is(rest, version)) {
		m->method = first;
		m->uri = second;
	}
}

static struct trace_sip_header
read_header(struct trace_sip_span line)
{
	const char *colon =
	    line.len > 0 ? memchr(line.at, ':', line.len) : NULL;
	struct trace_sip_header h = { .value = line };

	if (colon == NULL)
		return h;
	h.name =
	    trim((struct trace_sip_span){ line.at, (size_t)(colon - line.at) });
	h.value = trim((struct trace_sip_span){
	    colon + 1, line.len - (size_t)(colon - line.at) - 1 });
	return h;
}

void
trace_sip_read(struct trace_sip *out, const void *head, size_t head_len,
    const void *body, size_t body_len)
{
	struct trace_sip_span rest = { head, head_len };

	out->count = 0;
	out->more = false;
	out->body = (struct trace_sip_span){ body, body_len };
	out->method = out->uri = out->reason = (struct trace_sip_span){ "", 0 };
	out->status = 0;
	out->start = next_line(&rest);
	read_start(out);
	while (rest.len > 0) {
		struct trace_sip_span line = next_line(&rest);

		if (line.len == 0)
			continue;
		if (out->count == TRACE_SIP_HEADERS_MAX) {
			out->more = true;
			break;
		}
		out->headers[out->count++] = read_header(line);
	}
}

/* The first header of that name, or of its compact form; empty when there is
 * none. */
static struct trace_sip_span
header_of(const struct trace_sip *m, const char *name, const char *compact)
{
	for (size_t i = 0; i < m->count; i++)
		if (span_is(m->headers[i].name, name) ||
		    span_is(m->headers[i].name, compact))
			return m->headers[i].value;
	return (struct trace_sip_span){ "", 0 };
}

/* --- whom it is about -------------------------------------------------------- */

static bool
read_address(struct jid *out, struct trace_sip_span value)
{
	return value.len > 0 && address_from_sip(out, value.at, value.len) == 0;
}

size_t
trace_sip_parties(
    const struct trace_sip *m, struct jid out[static TRACE_SIP_PARTIES_MAX])
{
	size_t count = 0;

	count += read_address(&out[count], header_of(m, "From", "f"));
	count += read_address(&out[count], header_of(m, "To", "t"));
	count += read_address(&out[count], m->uri);
	return count;
}

/* --- in parts ---------------------------------------------------------------- */

/* NULL, which json_pack's "s*" leaves out, when it is empty, or more words than
 * there should be. */
static json_t *
text_json(struct trace_sip_span s, size_t words)
{
	for (size_t i = 1; i < s.len; i++)
		words -= (unsigned char)s.at[i] > ' ' &&
			 (unsigned char)s.at[i - 1] <= ' ' && words > 0;
	if (s.len == 0 || s.len > PART_MAX || words == 0 ||
	    !utf8_valid(s.at, s.len))
		return NULL;
	return json_stringn(s.at, s.len);
}

static json_t *
address_json(struct trace_sip_span value)
{
	struct jid j;
	json_t *out;

	if (!read_address(&j, value))
		return NULL;
	out = json_string(j.bare);
	jid_finish(&j);
	return out;
}

/* The number in front. */
static json_t *
diagnostics_json(struct trace_sip_span value)
{
	json_int_t number = 0;

	for (size_t i = 0; i < value.len && i < 6; i++) {
		if (value.at[i] < '0' || value.at[i] > '9')
			break;
		number = 10 * number + value.at[i] - '0';
	}
	return number > 0 ? json_integer(number) : NULL;
}

/* No more than max bytes, whole characters. */
static json_t *
cut_json(struct buf *text, size_t max, bool *cut)
{
	*cut = text->len > max;
	if (*cut) {
		text->len = max;
		while (text->len > 0 && !utf8_valid(text->data, text->len))
			text->len--;
	}
	return json_stringn(
	    text->len > 0 ? (const char *)text->data : "", text->len);
}

json_t *
trace_sip_json(const struct trace_sip *m, bool bodies, size_t max)
{
	struct buf text;
	json_t *out = NULL;
	bool cut = false;

	buf_init(&text, 0);
	if (trace_sip_write(&text, m, bodies) == 0) {
		json_t *whole = cut_json(&text, max, &cut);

		out = json_pack(
		    "{s:o*, s:o*, s:o*, s:o*, s:o*, s:o*, s:o*, s:o}", "method",
		    text_json(m->method, 1), "reason", text_json(m->reason, 16),
		    "cseq", text_json(header_of(m, "CSeq", "CSeq"), 2),
		    "call_id", text_json(header_of(m, "Call-ID", "i"), 1),
		    "from", address_json(header_of(m, "From", "f")), "to",
		    address_json(header_of(m, "To", "t")), "diagnostics",
		    diagnostics_json(header_of(
			m, "ms-diagnostics", "ms-diagnostics-public")),
		    "text", whole);
	}
	buf_finish(&text);
	if (out != NULL && m->status != 0)
		(void)json_object_set_new(
		    out, "status", json_integer(m->status));
	if (out != NULL && cut)
		(void)json_object_set_new(out, "cut", json_true());
	return out;
}
