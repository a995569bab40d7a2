/*
 * http_reply - see the header.
 *
 *   status ─► fields ─┬─► length ──────────────────────────────► done
 *     ▲         │     ├─► until-end ───────────────────────────► done
 *     └─ 1xx ───┘     └─► chunk-size ◄─► chunk, chunk-end ─► trailer ─► done
 */
#include "edge-proxy/http_reply.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "common/err.h"

void
http_reply_init(struct http_reply *r, size_t body_max)
{
	*r = (struct http_reply){ .body_max = body_max };
	buf_init(&r->body, body_max);
}

void
http_reply_finish(struct http_reply *r)
{
	buf_finish(&r->body);
}

/* "HTTP/1.1 200 OK" */
static int
take_status(struct http_reply *r)
{
	const char *s = r->line;

	if (strncmp(s, "HTTP/1.", 7) != 0 || !isdigit((unsigned char)s[7]) ||
	    s[8] != ' ')
		return ERR_MALFORMED;
	for (size_t i = 9; i < 12; i++)
		if (!isdigit((unsigned char)s[i]))
			return ERR_MALFORMED;
	if (s[12] != '\0' && s[12] != ' ')
		return ERR_MALFORMED;
	r->status = 100 * (s[9] - '0') + 10 * (s[10] - '0') + (s[11] - '0');
	if (r->status < 100 || r->status > 599)
		return ERR_MALFORMED;
	r->state = HTTP_REPLY_FIELDS;
	return 0;
}

/* A number of hexadecimal or decimal digits up to the end of s. */
static int
read_number(uint64_t *out, const char *s, unsigned base)
{
	uint64_t n = 0;

	if (s[0] == '\0' || strlen(s) > 15)
		return ERR_MALFORMED;
	for (; *s != '\0'; s++) {
		int c = tolower((unsigned char)*s);
		unsigned digit;

		if (isdigit(c))
			digit = (unsigned)(c - '0');
		else if (base == 16 && c >= 'a' && c <= 'f')
			digit = (unsigned)(c - 'a') + 10;
		else
			return ERR_MALFORMED;
		n = n * base + digit;
	}
	*out = n;
	return 0;
}

static int
take_length(struct http_reply *r, const char *value)
{
	uint64_t n;
	int rc = read_number(&n, value, 10);

	if (rc < 0)
		return rc;
	if (r->has_length && r->left != n)
		return ERR_MALFORMED;
	if (n > r->body_max)
		return ERR_TOO_LONG;
	r->has_length = true;
	r->left = n;
	return 0;
}

static int
take_field(struct http_reply *r)
{
	size_t name = strcspn(r->line, ":");
	char *value, *end;

	/* No name, or a folded line. */
	if (r->line[name] == '\0' || name == 0 ||
	    strcspn(r->line, " \t") < name)
		return ERR_MALFORMED;
	r->line[name] = '\0';
	value = r->line + name + 1;
	value += strspn(value, " \t");
	for (end = value + strlen(value);
	     end > value && (end[-1] == ' ' || end[-1] == '\t');)
		*--end = '\0';
	if (strcasecmp(r->line, "content-length") == 0)
		return take_length(r, value);
	if (strcasecmp(r->line, "transfer-encoding") == 0) {
		if (strcasecmp(value, "chunked") != 0 || r->chunked)
			return ERR_UNSUPPORTED;
		r->chunked = true;
	} else if (strcasecmp(r->line, "location") == 0) {
		if (strlen(value) >= sizeof(r->location))
			return ERR_TOO_LONG;
		snprintf(r->location, sizeof(r->location), "%s", value);
	}
	return 0;
}

/* The empty line: what the body will be. */
static int
end_fields(struct http_reply *r)
{
	if (r->status < 200) {
		/* Not yet the answer (RFC 9110 15.2); the bound on the head
		 * is one on these too. */
		r->state = HTTP_REPLY_STATUS;
		r->has_length = r->chunked = false;
		r->location[0] = '\0';
		return 0;
	}
	if (r->chunked && r->has_length)
		return ERR_MALFORMED; /* RFC 9112 6.3: smuggling */
	if (r->status == 204 || r->status == 304)
		r->state = HTTP_REPLY_DONE;
	else if (r->chunked)
		r->state = HTTP_REPLY_CHUNK_SIZE;
	else if (!r->has_length)
		r->state = HTTP_REPLY_UNTIL_END;
	else
		r->state = r->left > 0 ? HTTP_REPLY_LENGTH : HTTP_REPLY_DONE;
	return 0;
}

/* "1a2b" or "1a2b;name=value" */
static int
take_chunk_size(struct http_reply *r)
{
	size_t n = strcspn(r->line, "; \t");
	int rc;

	r->line[n] = '\0';
	rc = read_number(&r->left, r->line, 16);
	if (rc < 0)
		return rc;
	if (r->left > r->body_max - r->body.len)
		return ERR_TOO_LONG;
	r->state = r->left > 0 ? HTTP_REPLY_CHUNK : HTTP_REPLY_TRAILER;
	return 0;
}

/* r->line is whole. */
static int
take_line(struct http_reply *r)
{
	switch (r->state) {
	case HTTP_REPLY_STATUS:
		return take_status(r);
	case HTTP_REPLY_FIELDS:
		return r->line[0] == '\0' ? end_fields(r) : take_field(r);
	case HTTP_REPLY_CHUNK_SIZE:
		return take_chunk_size(r);
	case HTTP_REPLY_CHUNK_END:
		if (r->line[0] != '\0')
			return ERR_MALFORMED;
		r->state = HTTP_REPLY_CHUNK_SIZE;
		return 0;
	case HTTP_REPLY_TRAILER:
		if (r->line[0] == '\0')
			r->state = HTTP_REPLY_DONE;
		return 0;
	case HTTP_REPLY_LENGTH:
	case HTTP_REPLY_UNTIL_END:
	case HTTP_REPLY_CHUNK:
	case HTTP_REPLY_DONE:
		break;
	}
	return ERR_MALFORMED; /* no lines there */
}

/* Takes bytes of a line; how many, or an error. */
static int
feed_line(struct http_reply *r, const uint8_t *data, size_t len, size_t *used)
{
	const uint8_t *nl = memchr(data, '\n', len);
	size_t n = nl != NULL ? (size_t)(nl - data) : len;

	if (n >= sizeof(r->line) - r->line_len ||
	    r->head_len + n + 1 > HTTP_REPLY_HEAD_MAX)
		return ERR_TOO_LONG;
	if (memchr(data, 0, n) != NULL)
		return ERR_MALFORMED;
	memcpy(r->line + r->line_len, data, n);
	r->line_len += n;
	r->head_len += n + 1;
	*used = n + (nl != NULL ? 1 : 0);
	if (nl == NULL)
		return 0;
	if (r->line_len > 0 && r->line[r->line_len - 1] == '\r')
		r->line_len--;
	r->line[r->line_len] = '\0';
	r->line_len = 0;
	/* Chunks may be many; each has a line. */
	if (r->state == HTTP_REPLY_CHUNK_SIZE ||
	    r->state == HTTP_REPLY_CHUNK_END)
		r->head_len = 0;
	return take_line(r);
}

static int
feed_body(struct http_reply *r, const uint8_t *data, size_t len, size_t *used)
{
	size_t n = len;
	int rc;

	if (r->state != HTTP_REPLY_UNTIL_END && n > r->left)
		n = (size_t)r->left;
	if (n > r->body_max - r->body.len)
		return ERR_TOO_LONG;
	rc = buf_add(&r->body, data, n);
	if (rc < 0)
		return rc;
	*used = n;
	if (r->state == HTTP_REPLY_UNTIL_END)
		return 0;
	r->left -= n;
	if (r->left == 0)
		r->state = r->state == HTTP_REPLY_CHUNK ? HTTP_REPLY_CHUNK_END
							: HTTP_REPLY_DONE;
	return 0;
}

int
http_reply_feed(struct http_reply *r, const uint8_t *data, size_t len)
{
	while (len > 0 && r->state != HTTP_REPLY_DONE) {
		bool body = r->state == HTTP_REPLY_LENGTH ||
			    r->state == HTTP_REPLY_UNTIL_END ||
			    r->state == HTTP_REPLY_CHUNK;
		size_t used = 0;
		int rc = body ? feed_body(r, data, len, &used)
			      : feed_line(r, data, len, &used);

		if (rc < 0)
			return rc;
		data += used;
		len -= used;
	}
	return 0;
}

int
http_reply_end(struct http_reply *r)
{
	if (r->state == HTTP_REPLY_UNTIL_END)
		r->state = HTTP_REPLY_DONE;
	return r->state == HTTP_REPLY_DONE ? 0 : ERR_INCOMPLETE;
}
