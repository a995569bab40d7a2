/* The delimiters are checked to the end, so that a body cut short on its way is
 * noticed, and not shown by half. */
#include "frontend-gateway/translate/mime.h"

#include <string.h>
#include <strings.h>

#include "common/base64.h"
#include "common/buf.h"
#include "common/err.h"

struct mime_span
mime_span(const char *text)
{
	return (struct mime_span){ text, strlen(text) };
}

static bool
is_space(char c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

struct mime_span
mime_trim(struct mime_span s)
{
	while (s.len > 0 && is_space(s.at[0])) {
		s.at++;
		s.len--;
	}
	while (s.len > 0 && is_space(s.at[s.len - 1]))
		s.len--;
	return s;
}

bool
mime_is(struct mime_span s, const char *text)
{
	return s.len == strlen(text) && strncasecmp(s.at, text, s.len) == 0;
}

/* Cuts the text up to the next ';' outside quotes off *rest. */
static struct mime_span
next_param(struct mime_span *rest)
{
	struct mime_span item = { rest->at, 0 };
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
	return mime_trim(item);
}

struct mime_span
mime_kind(struct mime_span field)
{
	return next_param(&field);
}

/* Copies a value, token or quoted string.  False when it does not fit. */
static bool
copy_value(char out[static MIME_VALUE_MAX], struct mime_span value)
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
		if (at == MIME_VALUE_MAX - 1 || value.at[i] == '\0')
			return false;
		out[at++] = value.at[i];
	}
	out[at] = '\0';
	return at > 0;
}

int
mime_param(
    char out[static MIME_VALUE_MAX], struct mime_span field, const char *name)
{
	next_param(&field);
	while (field.len > 0) {
		struct mime_span item = next_param(&field), value;
		const char *sign = memchr(item.at, '=', item.len);

		if (sign == NULL)
			continue;
		value.at = sign + 1;
		value.len = item.len - (size_t)(sign + 1 - item.at);
		item.len = (size_t)(sign - item.at);
		if (mime_is(mime_trim(item), name))
			return copy_value(out, mime_trim(value))
				   ? 0
				   : ERR_MALFORMED;
	}
	return ERR_NOT_FOUND;
}

struct mime_span
mime_line(struct mime_span *rest)
{
	const char *end = memchr(rest->at, '\n', rest->len);
	struct mime_span line = *rest;

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

/* --- the head of a part --------------------------------------------------- */

static void
read_field(struct mime_head *h, struct mime_span line)
{
	const char *colon = memchr(line.at, ':', line.len);
	struct mime_span name, value;

	if (colon == NULL)
		return;
	name.at = line.at;
	name.len = (size_t)(colon - line.at);
	name = mime_trim(name);
	value.at = colon + 1;
	value.len = line.len - (size_t)(value.at - line.at);
	value = mime_trim(value);
	if (mime_is(name, "Content-Type"))
		h->type = value;
	else if (mime_is(name, "Content-Transfer-Encoding"))
		h->encoding = value;
	else if (mime_is(name, "Content-ID"))
		h->id = value;
}

int
mime_head_read(struct mime_head *h, struct mime_span *rest)
{
	size_t start = 0;

	h->len = 0;
	h->type = mime_span("text/plain");
	h->encoding = h->id = (struct mime_span){ NULL, 0 };
	for (;;) {
		struct mime_span line;
		bool folded;

		if (rest->len == 0)
			break;
		line = mime_line(rest);
		folded =
		    line.len > 0 && (line.at[0] == ' ' || line.at[0] == '\t');
		if (!folded) {
			read_field(h, (struct mime_span){
					  h->text + start, h->len - start });
			start = h->len;
		}
		if (line.len == 0)
			return 0;
		if (line.len > sizeof(h->text) - h->len)
			return ERR_MALFORMED;
		memcpy(h->text + h->len, line.at, line.len);
		h->len += line.len;
	}
	read_field(h, (struct mime_span){ h->text + start, h->len - start });
	return 0;
}

/* --- transfer encodings --------------------------------------------------- */

static int
hex_value(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c = (char)(c | 0x20);
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* RFC 2045 6.7; a '=' that is followed by neither is taken as it is. */
static void
decode_printable(struct buf *out, struct mime_span in)
{
	for (size_t i = 0; i < in.len; i++) {
		int high = -1, low = -1;

		if (in.at[i] == '=' && i + 2 < in.len) {
			high = hex_value(in.at[i + 1]);
			low = hex_value(in.at[i + 2]);
		}
		if (high >= 0 && low >= 0) {
			(void)buf_add_char(out, (char)(high << 4 | low));
			i += 2;
		} else if (in.at[i] == '=' && i + 1 < in.len &&
			   in.at[i + 1] == '\n') {
			i++;
		} else if (in.at[i] == '=' && i + 2 < in.len &&
			   in.at[i + 1] == '\r' && in.at[i + 2] == '\n') {
			i += 2;
		} else {
			(void)buf_add_char(out, in.at[i]);
		}
	}
}

static int
decode_base64(struct buf *out, struct mime_span in)
{
	struct buf packed = { 0 };
	int rc = 0;

	for (size_t i = 0; i < in.len && rc == 0; i++)
		if (!is_space(in.at[i]))
			rc = buf_add_char(&packed, in.at[i]);
	if (rc == 0 && packed.len > 0)
		rc = base64_decode(out, (const char *)packed.data, packed.len);
	buf_finish(&packed);
	return rc;
}

int
mime_decode(
    struct mime_span *content, struct buf *decoded, struct mime_span encoding)
{
	int rc = 0;

	if (encoding.len == 0 || mime_is(encoding, "7bit") ||
	    mime_is(encoding, "8bit") || mime_is(encoding, "binary"))
		return 0;
	if (mime_is(encoding, "quoted-printable"))
		decode_printable(decoded, *content);
	else if (mime_is(encoding, "base64"))
		rc = decode_base64(decoded, *content);
	else
		return ERR_UNSUPPORTED;
	if (rc == 0 && buf_failed(decoded))
		rc = ERR_NOMEM;
	*content =
	    (struct mime_span){ (const char *)decoded->data, decoded->len };
	return rc;
}

/* --- several parts -------------------------------------------------------- */

enum delimiter { NO_DELIMITER, DELIMITER, LAST_DELIMITER };

static enum delimiter
delimiter_of(struct mime_span line, const char *boundary)
{
	size_t n = strlen(boundary);

	if (line.len < 2 + n || memcmp(line.at, "--", 2) != 0 ||
	    memcmp(line.at + 2, boundary, n) != 0)
		return NO_DELIMITER;
	line.at += 2 + n;
	line.len -= 2 + n;
	line = mime_trim(line);
	if (mime_is(line, "--"))
		return LAST_DELIMITER;
	return line.len == 0 ? DELIMITER : NO_DELIMITER;
}

/* The content of a part: from start to the line end before its delimiter. */
static struct mime_span
part_between(const char *start, const char *delimiter)
{
	struct mime_span part = { start, (size_t)(delimiter - start) };

	if (part.len > 0 && part.at[part.len - 1] == '\n')
		part.len--;
	if (part.len > 0 && part.at[part.len - 1] == '\r')
		part.len--;
	return part;
}

int
mime_parts_init(
    struct mime_parts *p, struct mime_span type, struct mime_span body)
{
	*p = (struct mime_parts){ .rest = body };
	if (mime_param(p->boundary, type, "boundary") < 0 ||
	    strlen(p->boundary) > MIME_BOUNDARY_MAX)
		return ERR_MALFORMED;
	return 0;
}

int
mime_parts_next(struct mime_parts *p, struct mime_span *part)
{
	while (!p->ended && p->rest.len > 0) {
		struct mime_span line = mime_line(&p->rest);
		enum delimiter what = delimiter_of(line, p->boundary);
		const char *start = p->start;

		if (what == NO_DELIMITER)
			continue;
		p->ended = what == LAST_DELIMITER;
		if (p->ended ? start == NULL : ++p->count > MIME_PARTS_MAX)
			return ERR_MALFORMED;
		p->start = p->rest.at;
		if (start == NULL)
			continue;
		*part = part_between(start, line.at);
		return 1;
	}
	return p->ended ? 0 : ERR_MALFORMED;
}
