/* From SIP: look at what the body claims to be, find the text in it, convert
 * its charset to UTF-8, then make the text fit for XML.
 *
 * A body of several parts (RFC 2046 5.1) is searched depth first: of
 * alternatives the plainest gives the text and HTML the formatting; of related
 * or mixed parts the first text counts.  Its delimiters are checked to the end, so that a body cut
 * short on its way is refused and not shown by half. */
#include "frontend-gateway/translate/body.h"

#include <errno.h>
#include <iconv.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "common/buf.h"
#include "common/err.h"
#include "common/utf8.h"
#include "frontend-gateway/translate/html.h"
#include "frontend-gateway/translate/rtf.h"
#include "proto/rich_body.h"

enum {
	BAD_REQUEST = 400,
	TOO_LARGE = 413,
	UNSUPPORTED = 415,
	SERVER_ERROR = 500,

	DEPTH_MAX = 4, /* multipart within multipart */
	PARTS_MAX = 32,
	BOUNDARY_MAX = 70, /* RFC 2046 5.1.1 */
	PART_HEAD_MAX = 4096,
	VALUE_MAX = 128, /* of a parameter we look at */
};

struct span {
	const char *at;
	size_t len;
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

/* --- header fields ------------------------------------------------------ */

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

static struct span
trim(struct span s)
{
	while (s.len > 0 && is_space(s.at[0])) {
		s.at++;
		s.len--;
	}
	while (s.len > 0 && is_space(s.at[s.len - 1]))
		s.len--;
	return s;
}

static bool
equals(struct span s, const char *text)
{
	return s.len == strlen(text) && strncasecmp(s.at, text, s.len) == 0;
}

/* Cuts the text up to the next ';' outside quotes off *rest. */
static struct span
next_param(struct span *rest)
{
	struct span item = { rest->at, 0 };
	bool quoted = false;
	size_t i;

	for (i = 0; i < rest->len && (quoted || rest->at[i] != ';'); i++) {
		if (quoted && rest->at[i] == '\\')
			i++;
		else if (rest->at[i] == '"')
			quoted = !quoted;
	}
	if (i > rest->len)
		i = rest->len;
	item.len = i;
	if (i < rest->len)
		i++;
	rest->at += i;
	rest->len -= i;
	return trim(item);
}

/* Copies a value, token or quoted string.  False when it does not fit. */
static bool
copy_value(char out[static VALUE_MAX], struct span value)
{
	bool quoted = value.len >= 2 && value.at[0] == '"' &&
		      value.at[value.len - 1] == '"';
	size_t at = 0;

	if (quoted) {
		value.at++;
		value.len -= 2;
	}
	for (size_t i = 0; i < value.len; i++) {
		if (quoted && value.at[i] == '\\' && i + 1 < value.len)
			i++;
		if (at == VALUE_MAX - 1 || value.at[i] == '\0')
			return false;
		out[at++] = value.at[i];
	}
	out[at] = '\0';
	return at > 0;
}

/* Finds a parameter of a field "type/subtype;a=b;c=d".  0, ERR_NOT_FOUND, or
 * ERR_MALFORMED when its value cannot be one. */
static int
get_param(char out[static VALUE_MAX], struct span field, const char *name)
{
	next_param(&field);
	while (field.len > 0) {
		struct span item = next_param(&field), value;
		const char *sign = memchr(item.at, '=', item.len);

		if (sign == NULL)
			continue;
		value.at = sign + 1;
		value.len = item.len - (size_t)(sign + 1 - item.at);
		item.len = (size_t)(sign - item.at);
		if (equals(trim(item), name))
			return copy_value(out, trim(value)) ? 0 : ERR_MALFORMED;
	}
	return ERR_NOT_FOUND;
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
convert_through(iconv_t cd, struct buf *out, struct span in, bool replace)
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
utf16_order(struct span in)
{
	if (in.len >= 2 && (uint8_t)in.at[0] == 0xfe &&
	    (uint8_t)in.at[1] == 0xff)
		return "UTF-16BE";
	return "UTF-16LE";
}

static int
convert(struct buf *out, const char *charset, struct span in, bool replace)
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
repair(struct buf *out, struct span in)
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
add_text(struct buf *out, struct span in)
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

/* Converts the bytes of a text type to UTF-8, which need not be valid when
 * they claim to be that already and nothing is to be replaced; *utf8 points into
 * in or into converted.  0, 400, 415 or 500. */
static int
decode(struct span *utf8, struct buf *converted, struct span type,
    struct span in, bool replace)
{
	char charset[VALUE_MAX] = "utf-8";
	int status;

	if (get_param(charset, type, "charset") == ERR_MALFORMED)
		return BAD_REQUEST;
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
		*utf8 = (struct span){ (const char *)converted->data,
			converted->len };
		return status;
	}
	return UNSUPPORTED;
}

/* Adds the text of a text/plain body; type is its Content-Type. */
static int
add_plain(struct content *c, struct span type, struct span in)
{
	struct buf converted = { 0 };
	struct span utf8;
	int status = decode(&utf8, &converted, type, in, c->replace);

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
	return rc < 0 ? SERVER_ERROR : 0;
}

static int
add_html(struct content *c, struct span type, struct span in)
{
	struct buf converted = { 0 };
	struct span utf8;
	int status = decode(&utf8, &converted, type, in, c->replace);

	if (status == 0)
		status =
		    status_of(html_read(&c->text, &c->rich, utf8.at, utf8.len));
	buf_finish(&converted);
	c->kind = HTML;
	return status == 0 && c->text.len > BODY_TEXT_MAX ? TOO_LARGE : status;
}

static int
add_rtf(struct content *c, struct span in)
{
	int status = status_of(rtf_read(&c->text, &c->rich, in.at, in.len));

	c->kind = RTF;
	return status == 0 && c->text.len > BODY_TEXT_MAX ? TOO_LARGE : status;
}

/* --- several parts ------------------------------------------------------ */

static int
add_content(struct content *c, struct span type, struct span in, int depth);

/* Cuts the line at *rest off, without its line end. */
static struct span
next_line(struct span *rest)
{
	const char *end = memchr(rest->at, '\n', rest->len);
	struct span line = { rest->at, rest->len };

	if (end == NULL) {
		rest->at += rest->len;
		rest->len = 0;
		return line;
	}
	line.len = (size_t)(end - rest->at);
	rest->at = end + 1;
	rest->len -= line.len + 1;
	if (line.len > 0 && line.at[line.len - 1] == '\r')
		line.len--;
	return line;
}

enum delimiter { NO_DELIMITER, DELIMITER, LAST_DELIMITER };

static enum delimiter
delimiter_of(struct span line, const char *boundary)
{
	size_t n = strlen(boundary);

	if (line.len < 2 + n || memcmp(line.at, "--", 2) != 0 ||
	    memcmp(line.at + 2, boundary, n) != 0)
		return NO_DELIMITER;
	line.at += 2 + n;
	line.len -= 2 + n;
	line = trim(line);
	if (equals(line, "--"))
		return LAST_DELIMITER;
	return line.len == 0 ? DELIMITER : NO_DELIMITER;
}

/* What a part's head says; spans into the unfolded copy in text. */
struct part_head {
	char text[PART_HEAD_MAX];
	size_t len;
	struct span type, encoding;
};

static void
read_field(struct part_head *h, struct span line)
{
	const char *colon = memchr(line.at, ':', line.len);
	struct span name, value;

	if (colon == NULL)
		return;
	name.at = line.at;
	name.len = (size_t)(colon - line.at);
	value.at = colon + 1;
	value.len = line.len - name.len - 1;
	if (equals(trim(name), "Content-Type"))
		h->type = trim(value);
	else if (equals(trim(name), "Content-Transfer-Encoding"))
		h->encoding = trim(value);
}

/* Reads the head of a part off *rest, which then is its content.  0 or 400. */
static int
read_head(struct part_head *h, struct span *rest)
{
	size_t start = 0;

	*h = (struct part_head){ .type = { "text/plain", 10 } };
	for (;;) {
		struct span line;
		bool folded;

		if (rest->len == 0)
			break;
		line = next_line(rest);
		folded =
		    line.len > 0 && (line.at[0] == ' ' || line.at[0] == '\t');
		if (!folded) {
			read_field(h,
			    (struct span){ h->text + start, h->len - start });
			start = h->len;
		}
		if (line.len == 0)
			return 0;
		if (line.len > sizeof(h->text) - h->len)
			return BAD_REQUEST;
		memcpy(h->text + h->len, line.at, line.len);
		h->len += line.len;
	}
	read_field(h, (struct span){ h->text + start, h->len - start });
	return 0;
}

/* Adds what one part says.  415 when that is nothing that we take. */
static int
add_part(struct content *c, struct span part, int depth)
{
	struct part_head h;
	int status = read_head(&h, &part);

	if (status != 0)
		return status;
	if (h.encoding.len > 0 && !equals(h.encoding, "7bit") &&
	    !equals(h.encoding, "8bit") && !equals(h.encoding, "binary"))
		return UNSUPPORTED;
	return add_content(c, h.type, part, depth);
}

/* Takes what another part says when it says it better: plain text before the
 * text of HTML before that of RTF; of the formatting whatever there is. */
static void
prefer(struct content *c, struct content *other)
{
	if (other->kind > c->kind) {
		struct buf text = c->text;

		c->text = other->text;
		other->text = text;
		c->kind = other->kind;
	}
	if (c->rich.len == 0) {
		struct buf rich = c->rich;

		c->rich = other->rich;
		other->rich = rich;
	}
}

/* A part of a multipart body: of alternatives the best counts, of others the
 * first that says anything. */
static int
consider(struct content *c, bool alternative, struct span part, int depth)
{
	struct content other = { .replace = c->replace };
	int status;

	if (!alternative && c->kind != NOTHING)
		return 0;
	status = add_part(&other, part, depth);
	if (status == 0)
		prefer(c, &other);
	content_finish(&other);
	return status;
}

/* The content of a part: from start to the line end before its delimiter. */
static struct span
part_between(const char *start, const char *delimiter)
{
	struct span part = { start, (size_t)(delimiter - start) };

	if (part.len > 0 && part.at[part.len - 1] == '\n')
		part.len--;
	if (part.len > 0 && part.at[part.len - 1] == '\r')
		part.len--;
	return part;
}

static int
add_multipart(struct content *c, bool alternative, struct span type,
    struct span in, int depth)
{
	char boundary[VALUE_MAX];
	const char *start = NULL; /* of the part we are in */
	int count = 0, status = UNSUPPORTED;

	if (depth >= DEPTH_MAX || get_param(boundary, type, "boundary") < 0 ||
	    strlen(boundary) > BOUNDARY_MAX)
		return BAD_REQUEST;
	while (in.len > 0) {
		struct span line = next_line(&in);
		enum delimiter what = delimiter_of(line, boundary);

		if (what == NO_DELIMITER)
			continue;
		if (start != NULL)
			status = consider(c, alternative,
			    part_between(start, line.at), depth + 1);
		if (what == LAST_DELIMITER && start == NULL)
			return BAD_REQUEST;
		if (what == LAST_DELIMITER)
			return c->kind != NOTHING ? 0 : status;
		if (++count > PARTS_MAX)
			return BAD_REQUEST;
		start = in.at;
	}
	return BAD_REQUEST; /* the end was cut off */
}

static int
add_content(struct content *c, struct span type, struct span in, int depth)
{
	struct span rest = type, kind = next_param(&rest);

	if (equals(kind, "text/plain"))
		return add_plain(c, type, in);
	if (equals(kind, "text/html"))
		return add_html(c, type, in);
	if (equals(kind, "text/rtf") || equals(kind, "application/rtf"))
		return add_rtf(c, in);
	if (equals(kind, "multipart/alternative"))
		return add_multipart(c, true, type, in, depth);
	if (equals(kind, "multipart/related") ||
	    equals(kind, "multipart/mixed"))
		return add_multipart(c, false, type, in, depth);
	return UNSUPPORTED;
}

/* --- the two ways ------------------------------------------------------- */

static int
read_content(struct content *c, const struct body_part *part,
    const struct body_rules *rules)
{
	struct span type, encoding;

	if (part->len > rules->limit)
		return TOO_LARGE;
	if (part->content_type == NULL)
		return BAD_REQUEST;
	type = (struct span){ part->content_type, strlen(part->content_type) };
	if (part->content_encoding != NULL) {
		encoding = (struct span){ part->content_encoding,
			strlen(part->content_encoding) };
		encoding = trim(encoding);
		if (encoding.len > 0 && !equals(encoding, "identity"))
			return UNSUPPORTED;
	}
	return add_content(c, type, (struct span){ part->data, part->len }, 0);
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
hash(uint64_t h, struct span s)
{
	for (size_t i = 0; i < s.len; i++)
		h = (h ^ (uint8_t)s.at[i]) * 0x100000001b3u;
	return h;
}

/* A boundary that neither part contains.  It follows from their content, so
 * that nobody can fill a text with those that will be tried. */
static void
choose_boundary(char out[static BOUNDARY_MAX + 1], struct span a, struct span b)
{
	uint64_t n = hash(hash(0xcbf29ce484222325u, a), b);
	size_t len;

	do {
		len = (size_t)snprintf(out, BOUNDARY_MAX + 1,
		    "sallyport-%016llx", (unsigned long long)n++);
	} while (memmem(a.at, a.len, out, len) != NULL ||
		 memmem(b.at, b.len, out, len) != NULL);
}

static int
put_alternative(struct buf *out, char type[static BODY_TYPE_SIZE],
    struct span text, struct span html)
{
	char boundary[BOUNDARY_MAX + 1];

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
	struct span text = { said->text, said->len };
	struct span html = { said->html, said->html_len };
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
	struct span tag;

	if (value == NULL)
		return false;
	tag = trim((struct span){ value, strcspn(value, ",;") });
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
