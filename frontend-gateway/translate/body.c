/* From SIP: look at what the body claims to be, find the text in it, convert
 * its charset to UTF-8, then make the text fit for XML.
 *
 * A body of several parts (RFC 2046 5.1) is searched depth first: of
 * alternatives the plainest gives the text, and HTML or RTF the formatting; of
 * related parts the root counts, of mixed ones the first text. */
#include "frontend-gateway/translate/body.h"

#include <errno.h>
#include <iconv.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "common/buf.h"
#include "common/err.h"
#include "common/utf8.h"
#include "frontend-gateway/translate/html.h"
#include "frontend-gateway/translate/mime.h"
#include "frontend-gateway/translate/rtf.h"
#include "proto/rich_body.h"

enum {
	BAD_REQUEST = 400,
	TOO_LARGE = 413,
	UNSUPPORTED = 415,
	SERVER_ERROR = 500,

	DEPTH_MAX = 4,        /* multipart within multipart */
	DOCUMENT_HEAD = 1024, /* where HTML names its charset */
};

/* What a body says; of two kinds that say the same the later in this list is
 * taken. */
struct content {
	enum { NOTHING, RTF, HTML, PLAIN } kind;
	bool replace; /* what is no text of its charset */
	struct buf text, rich;
};

static void
content_finish(struct content *c)
{
	buf_finish(&c->text);
	buf_finish(&c->rich);
}

static bool
is_space(char c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

static bool
is_letter_or_digit(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
	       (c >= '0' && c <= '9');
}

/* --- charsets ----------------------------------------------------------- */

/* The charsets taken, and what iconv(3) calls them; NULL needs none. */
static const char *const charsets[][2] = {
	{ "utf-8", NULL },
	{ "utf8", NULL },
	{ "us-ascii", "ASCII" },
	{ "ascii", "ASCII" },
	{ "iso-8859-1", "ISO-8859-1" },
	{ "latin1", "ISO-8859-1" },
	{ "iso-8859-2", "ISO-8859-2" },
	{ "iso-8859-15", "ISO-8859-15" },
	{ "windows-1250", "CP1250" },
	{ "windows-1251", "CP1251" },
	{ "windows-1252", "CP1252" },
	{ "windows-1253", "CP1253" },
	{ "windows-1254", "CP1254" },
	{ "windows-1255", "CP1255" },
	{ "windows-1256", "CP1256" },
	{ "windows-1257", "CP1257" },
	{ "windows-1258", "CP1258" },
	{ "utf-16", "UTF-16" },
	{ "utf-16le", "UTF-16LE" },
	{ "utf-16be", "UTF-16BE" },
};

static const uint8_t replacement[] = { 0xef, 0xbf, 0xbd };

/* Converts in through an open descriptor.  0, 400 or 500. */
static int
convert_through(iconv_t cd, struct buf *out, struct mime_span in, bool replace)
{
	char piece[4096];
	/* iconv(3) does not write through its input. */
	union {
		const char *in;
		char *arg;
	} from = { .in = in.at };
	size_t left = in.len, n = 0;

	for (bool flushed = false; !flushed && n != (size_t)-1;) {
		char *to = piece;
		size_t room = sizeof(piece);

		/* At the end, what it holds back to see whether an accent
		 * follows. */
		flushed = left == 0;
		n = flushed ? iconv(cd, NULL, NULL, &to, &room)
			    : iconv(cd, &from.arg, &left, &to, &room);
		if (n == (size_t)-1 && errno == E2BIG)
			n = 0;
		buf_add(out, piece, sizeof(piece) - room);
		if (n == (size_t)-1 && replace && left > 0) {
			buf_add(out, replacement, sizeof(replacement));
			from.in++;
			left--;
			n = 0;
		}
	}
	if (buf_failed(out))
		return SERVER_ERROR;
	return n == (size_t)-1 ? BAD_REQUEST : 0;
}

/* UTF-16 without a byte order mark is little endian, as Windows means it; the
 * mark itself is dropped with that of UTF-8, later. */
static const char *
utf16_order(struct mime_span in)
{
	if (in.len >= 2 && (uint8_t)in.at[0] == 0xfe &&
	    (uint8_t)in.at[1] == 0xff)
		return "UTF-16BE";
	return "UTF-16LE";
}

static int
convert(struct buf *out, const char *charset, struct mime_span in, bool replace)
{
	iconv_t cd;
	int status;

	if (strcmp(charset, "UTF-16") == 0)
		charset = utf16_order(in);
	cd = iconv_open("UTF-8", charset);
	if (cd == (iconv_t)-1)
		return errno == ENOMEM ? SERVER_ERROR : UNSUPPORTED;
	status = convert_through(cd, out, in, replace);
	iconv_close(cd);
	return status;
}

/* UTF-8 with U+FFFD for each byte that belongs to no character. */
static int
repair(struct buf *out, struct mime_span in)
{
	size_t n;

	for (size_t i = 0; i < in.len; i += n) {
		uint32_t cp;

		n = utf8_decode((const uint8_t *)in.at + i, in.len - i, &cp);
		if (n > 0) {
			buf_add(out, in.at + i, n);
		} else {
			buf_add(out, replacement, sizeof(replacement));
			n = 1;
		}
	}
	return buf_failed(out) ? SERVER_ERROR : 0;
}

/* --- text --------------------------------------------------------------- */

/* Appends UTF-8 text with LF line ends, U+FFFD for each character XML lacks,
 * and without one line end at its end.  0, 400, 413 or 500. */
static int
add_text(struct buf *out, struct mime_span in)
{
	static const uint8_t mark[] = { 0xef, 0xbb, 0xbf };
	size_t before = out->len, i = 0, n;

	if (in.len >= 3 && memcmp(in.at, mark, 3) == 0)
		i = 3;
	for (; i < in.len; i += n) {
		uint32_t cp;

		n = utf8_decode((const uint8_t *)in.at + i, in.len - i, &cp);
		if (n == 0)
			return BAD_REQUEST;
		if (cp == '\r') {
			if (i + 1 < in.len && in.at[i + 1] == '\n')
				n = 2;
			buf_add_char(out, '\n');
		} else if (!utf8_xml_char(cp)) {
			buf_add(out, replacement, sizeof(replacement));
		} else {
			buf_add(out, in.at + i, n);
		}
	}
	if (buf_failed(out))
		return SERVER_ERROR;
	if (out->len > before && out->data[out->len - 1] == '\n')
		out->len--;
	return out->len - before > BODY_TEXT_MAX ? TOO_LARGE : 0;
}

static bool
is_blank(const struct buf *b, size_t from)
{
	for (size_t i = from; i < b->len; i++)
		if (!is_space((char)b->data[i]))
			return false;
	return true;
}

/* Converts bytes of that charset to UTF-8, which need not be valid when they
 * claim to be that already and nothing is to be replaced; *utf8 points into in
 * or into converted.  0, 400, 415 or 500. */
static int
decode(struct mime_span *utf8, struct buf *converted, const char *charset,
    struct mime_span in, bool replace)
{
	int status;

	for (size_t i = 0; i < sizeof(charsets) / sizeof(*charsets); i++) {
		if (strcasecmp(charset, charsets[i][0]) != 0)
			continue;
		*utf8 = in;
		if (charsets[i][1] == NULL &&
		    (!replace || utf8_valid(in.at, in.len)))
			return 0;
		status = charsets[i][1] == NULL
			     ? repair(converted, in)
			     : convert(converted, charsets[i][1], in, replace);
		*utf8 = (struct mime_span){ (const char *)converted->data,
			converted->len };
		return status;
	}
	return UNSUPPORTED;
}

/* What a document says of its own charset: near its beginning, behind
 * "charset=".  Left alone when it says nothing. */
static void
charset_within(char out[static MIME_VALUE_MAX], struct mime_span html)
{
	static const char sign[] = "charset=";
	size_t end = html.len < DOCUMENT_HEAD ? html.len : DOCUMENT_HEAD;

	for (size_t i = 0; i + sizeof(sign) - 1 < end; i++) {
		size_t at = i + sizeof(sign) - 1, n = 0;

		if (strncasecmp(html.at + i, sign, sizeof(sign) - 1) != 0)
			continue;
		if (html.at[at] == '"' || html.at[at] == '\'')
			at++;
		while (at + n < end && n < MIME_VALUE_MAX - 1 &&
		       (is_letter_or_digit(html.at[at + n]) ||
			   html.at[at + n] == '-'))
			n++;
		if (n == 0)
			continue;
		memcpy(out, html.at + at, n);
		out[n] = '\0';
		return;
	}
}

/* Adds the text of a text/plain body; type is its Content-Type. */
static int
add_plain(struct content *c, struct mime_span type, struct mime_span in)
{
	struct buf converted = { 0 };
	char charset[MIME_VALUE_MAX] = "utf-8";
	struct mime_span utf8;
	int status;

	if (mime_param(charset, type, "charset") == ERR_MALFORMED)
		return BAD_REQUEST;
	status = decode(&utf8, &converted, charset, in, c->replace);
	if (status == 0)
		status = add_text(&c->text, utf8);
	buf_finish(&converted);
	c->kind = PLAIN;
	return status;
}

/* What a reader of another format says, as a SIP status. */
static int
status_of(int rc)
{
	if (rc == ERR_UTF8 || rc == ERR_MALFORMED)
		return BAD_REQUEST;
	if (rc == ERR_UNSUPPORTED)
		return UNSUPPORTED;
	return rc < 0 ? SERVER_ERROR : 0;
}

static int
add_html(struct content *c, struct mime_span type, struct mime_span in)
{
	struct buf converted = { 0 };
	char charset[MIME_VALUE_MAX] = "utf-8";
	struct mime_span utf8;
	int status;

	switch (mime_param(charset, type, "charset")) {
	case ERR_MALFORMED:
		return BAD_REQUEST;
	case ERR_NOT_FOUND:
		charset_within(charset, in);
		break;
	default:
		break;
	}
	status = decode(&utf8, &converted, charset, in, c->replace);
	if (status == 0)
		status =
		    status_of(html_read(&c->text, &c->rich, utf8.at, utf8.len));
	buf_finish(&converted);
	c->kind = HTML;
	return status == 0 && c->text.len > BODY_TEXT_MAX ? TOO_LARGE : status;
}

static int
add_rtf(struct content *c, struct mime_span in)
{
	int status = status_of(rtf_read(&c->text, &c->rich, in.at, in.len));

	c->kind = RTF;
	return status == 0 && c->text.len > BODY_TEXT_MAX ? TOO_LARGE : status;
}

/* --- several parts ------------------------------------------------------ */

static int add_content(
    struct content *c, struct mime_span type, struct mime_span in, int depth);

/* What one part says, by its own head.  415 when that is nothing that we take. */
static int
add_part(struct content *c, const struct mime_head *h, struct mime_span in,
    int depth)
{
	struct buf decoded = { 0 };
	int status = status_of(mime_decode(&in, &decoded, h->encoding));

	if (status == 0)
		status = add_content(c, h->type, in, depth);
	buf_finish(&decoded);
	return status;
}

static void
exchange(struct buf *a, struct buf *b)
{
	struct buf was = *a;

	*a = *b;
	*b = was;
}

/* How the parts of a body belong together. */
struct relation {
	bool alternative; /* each says it all */
	char
	    root[MIME_VALUE_MAX]; /* Content-ID of the one that counts, or "" */
	bool rooted;              /* it was there */
};

/* Takes over what another part says when it counts, or says it better: of
 * alternatives plain text before the text of HTML before that of RTF, and of the
 * formatting whatever there is. */
static void
prefer(struct content *c, struct content *other, bool counts)
{
	if (counts || other->kind > c->kind) {
		exchange(&c->text, &other->text);
		c->kind = other->kind;
	}
	if (counts || c->rich.len == 0)
		exchange(&c->rich, &other->rich);
}

static int
consider(
    struct content *c, struct relation *r, struct mime_span part, int depth)
{
	struct content other = { .replace = c->replace };
	struct mime_head *h;
	bool counts;
	int status;

	if (r->rooted ||
	    (!r->alternative && r->root[0] == '\0' && c->kind != NOTHING))
		return 0;
	h = malloc(sizeof(*h));
	if (h == NULL)
		return SERVER_ERROR;
	status = status_of(mime_head_read(h, &part));
	counts =
	    !r->alternative && r->root[0] != '\0' && mime_is(h->id, r->root);
	if (status == 0)
		status = add_part(&other, h, part, depth);
	if (status == 0 && (counts || r->alternative || c->kind == NOTHING))
		prefer(c, &other, counts);
	r->rooted = r->rooted || (counts && status == 0);
	content_finish(&other);
	free(h);
	return status;
}

static int
add_multipart(struct content *c, bool alternative, struct mime_span type,
    struct mime_span in, int depth)
{
	struct relation r = { .alternative = alternative };
	struct mime_parts parts;
	struct mime_span part;
	int status = UNSUPPORTED, rc;

	if (depth >= DEPTH_MAX || mime_parts_init(&parts, type, in) < 0)
		return BAD_REQUEST;
	if (mime_param(r.root, type, "start") < 0)
		r.root[0] = '\0';
	while ((rc = mime_parts_next(&parts, &part)) > 0)
		status = consider(c, &r, part, depth + 1);
	if (rc < 0)
		return BAD_REQUEST;
	return c->kind != NOTHING ? 0 : status;
}

/* A message with fields of its own (RFC 3862), of which none is shown; its
 * content has a head and is text like any other. */
static int
add_cpim(struct content *c, struct mime_span in, int depth)
{
	struct mime_head *h;
	int status;

	if (depth >= DEPTH_MAX)
		return BAD_REQUEST;
	while (mime_line(&in).len > 0)
		;
	if (in.len == 0)
		return BAD_REQUEST;
	h = malloc(sizeof(*h));
	if (h == NULL)
		return SERVER_ERROR;
	status = status_of(mime_head_read(h, &in));
	if (status == 0)
		status = add_part(c, h, in, depth + 1);
	free(h);
	return status;
}

static int
add_content(
    struct content *c, struct mime_span type, struct mime_span in, int depth)
{
	struct mime_span kind = mime_kind(type);

	if (mime_is(kind, "text/plain"))
		return add_plain(c, type, in);
	if (mime_is(kind, "text/html"))
		return add_html(c, type, in);
	if (mime_is(kind, "text/rtf") || mime_is(kind, "application/rtf"))
		return add_rtf(c, in);
	if (mime_is(kind, "multipart/alternative"))
		return add_multipart(c, true, type, in, depth);
	if (mime_is(kind, "multipart/related") ||
	    mime_is(kind, "multipart/mixed"))
		return add_multipart(c, false, type, in, depth);
	if (mime_is(kind, "message/cpim"))
		return add_cpim(c, in, depth);
	return UNSUPPORTED;
}

/* --- the two ways ------------------------------------------------------- */

static int
read_content(struct content *c, const struct body_part *part,
    const struct body_rules *rules)
{
	struct mime_span type, encoding;

	if (part->len > rules->limit)
		return TOO_LARGE;
	if (part->content_type == NULL)
		return BAD_REQUEST;
	type = (struct mime_span){ part->content_type,
		strlen(part->content_type) };
	if (part->content_encoding != NULL) {
		encoding = (struct mime_span){ part->content_encoding,
			strlen(part->content_encoding) };
		encoding = mime_trim(encoding);
		if (encoding.len > 0 && !mime_is(encoding, "identity"))
			return UNSUPPORTED;
	}
	return add_content(
	    c, type, (struct mime_span){ part->data, part->len }, 0);
}

int
body_from_sip(struct buf *out, struct buf *rich, const struct body_part *part,
    const struct body_rules *rules)
{
	struct content c = { .replace = rules->replace };
	size_t before = out->len;
	int status;

	if (part->len == 0)
		return 0;
	status = read_content(&c, part, rules);
	if (status == 0 && !is_blank(&c.text, 0)) {
		if (buf_add(out, c.text.data, c.text.len) < 0)
			status = SERVER_ERROR;
		/* Formatting is a garnish: what is too much of it is left. */
		else if (rich != NULL && c.rich.len <= RICH_BODY_MAX &&
			 buf_add(rich, c.rich.data, c.rich.len) < 0)
			status = SERVER_ERROR;
	}
	if (status != 0)
		out->len = before;
	content_finish(&c);
	return status;
}

int
body_to_sip(struct buf *out, const char *text, size_t len, size_t limit)
{
	size_t before = out->len, n;
	int rc = 0;

	for (size_t i = 0; i < len && rc == 0; i += n) {
		uint32_t cp;

		n = utf8_decode((const uint8_t *)text + i, len - i, &cp);
		if (n == 0 || !utf8_xml_char(cp))
			rc = ERR_UTF8;
		else if (cp != '\r' && cp != '\n')
			rc = buf_add(out, text + i, n);
		else
			rc = buf_add(out, "\r\n", 2);
		if (cp == '\r' && i + 1 < len && text[i + 1] == '\n')
			n = 2;
		if (rc == 0 && out->len - before > limit)
			rc = ERR_TOO_LONG;
	}
	if (rc < 0)
		out->len = before;
	return rc;
}

/* FNV-1a. */
static uint64_t
hash(uint64_t h, struct mime_span s)
{
	for (size_t i = 0; i < s.len; i++)
		h = (h ^ (uint8_t)s.at[i]) * 0x100000001b3u;
	return h;
}

/* A boundary that neither part contains.  It follows from their content, so
 * that nobody can fill a text with those that will be tried. */
static void
choose_boundary(char out[static MIME_BOUNDARY_MAX + 1], struct mime_span a,
    struct mime_span b)
{
	uint64_t n = hash(hash(0xcbf29ce484222325u, a), b);
	size_t len;

	do {
		len = (size_t)snprintf(out, MIME_BOUNDARY_MAX + 1,
		    "sallyport-%016llx", (unsigned long long)n++);
	} while (memmem(a.at, a.len, out, len) != NULL ||
		 memmem(b.at, b.len, out, len) != NULL);
}

static int
put_alternative(struct buf *out, char type[static BODY_TYPE_SIZE],
    struct mime_span text, struct mime_span html)
{
	char boundary[MIME_BOUNDARY_MAX + 1];

	choose_boundary(boundary, text, html);
	snprintf(type, BODY_TYPE_SIZE,
	    "multipart/alternative;boundary=\"%.32s\"", boundary);
	/* The best comes last (RFC 2046 5.1.4). */
	(void)buf_addf(out,
	    "--%s\r\nContent-Type: " BODY_CONTENT_TYPE "\r\n\r\n", boundary);
	(void)buf_add(out, text.at, text.len);
	(void)buf_addf(out,
	    "\r\n--%s\r\nContent-Type: " BODY_HTML_TYPE "\r\n\r\n", boundary);
	(void)buf_add(out, html.at, html.len);
	return buf_addf(out, "\r\n--%s--\r\n", boundary);
}

int
body_in_form(struct buf *out, char type[static BODY_TYPE_SIZE],
    enum body_form form, const struct body_said *said)
{
	struct mime_span text = { said->text, said->len };
	struct mime_span html = { said->html, said->html_len };
	size_t before = out->len;
	int rc = ERR_NOMEM;

	switch (form) {
	case BODY_PLAIN:
		snprintf(type, BODY_TYPE_SIZE, BODY_CONTENT_TYPE);
		rc = buf_add(out, text.at, text.len);
		break;
	case BODY_HTML:
		snprintf(type, BODY_TYPE_SIZE, BODY_HTML_TYPE);
		rc = buf_add(out, html.at, html.len);
		break;
	case BODY_ALTERNATIVE:
		rc = put_alternative(out, type, text, html);
		break;
	}
	if (rc < 0)
		out->len = before;
	return rc;
}

bool
body_language(char out[static BODY_LANGUAGE_SIZE], const char *value)
{
	struct mime_span tag;

	if (value == NULL)
		return false;
	tag = mime_trim((struct mime_span){ value, strcspn(value, ",;") });
	if (tag.len == 0 || tag.len >= BODY_LANGUAGE_SIZE)
		return false;
	for (size_t i = 0; i < tag.len; i++) {
		char c = tag.at[i];

		if (!is_letter_or_digit(c) && c != '-')
			return false;
		out[i] = c;
	}
	out[tag.len] = '\0';
	return true;
}

void
body_limit_text(char *out, size_t size, size_t limit)
{
	snprintf(out, size, "Messages of more than %zu bytes are not accepted.",
	    limit);
}
