/*
 * A delimiter is "--" and the boundary at the start of a line; what follows on
 * that line is skipped, "--" there ends the multipart.  The line end before a
 * delimiter belongs to it.  What stands before the first delimiter and behind
 * the last one is nobody's.
 */
#include "frontend-gateway/sip/sip_parts.h"

#include <ctype.h>
#include <string.h>
#include <strings.h>

#include "frontend-gateway/sip/sip_msg.h"

enum { BOUNDARY_MAX = 70 }; /* RFC 2046 5.1.1 */

struct span {
	const char *at;
	size_t len;
};

static void
walk(struct sip_parts *out, struct span type, struct span body, unsigned depth);

/* --- header fields ------------------------------------------------------ */

static void
read_type(char out[static SIP_PARTS_TYPE_MAX], struct span field)
{
	size_t n = 0;

	while (field.len > 0 && isspace((unsigned char)*field.at)) {
		field.at++;
		field.len--;
	}
	while (n < field.len && field.at[n] != ';' && field.at[n] != '\0' &&
	       !isspace((unsigned char)field.at[n]))
		n++;
	out[0] = '\0';
	if (n >= SIP_PARTS_TYPE_MAX)
		return;
	for (size_t i = 0; i < n; i++)
		out[i] = (char)tolower((unsigned char)field.at[i]);
	out[n] = '\0';
}

/* The boundary parameter; false when there is none of use. */
static bool
read_boundary(char out[static BOUNDARY_MAX + 1], struct span field)
{
	const char *params = memchr(field.at, ';', field.len);

	return params != NULL &&
	       sip_param_get(out, BOUNDARY_MAX + 1, params,
		   field.len - (size_t)(params - field.at), "boundary") == 0 &&
	       out[0] != '\0';
}

/* --- lines -------------------------------------------------------------- */

/* Cuts a line off, without its end. */
static struct span
next_line(struct span *rest)
{
	const char *end = memchr(rest->at, '\n', rest->len);
	size_t whole = end != NULL ? (size_t)(end - rest->at) + 1 : rest->len;
	struct span line = { rest->at, end != NULL ? whole - 1 : whole };

	if (line.len > 0 && line.at[line.len - 1] == '\r')
		line.len--;
	rest->at += whole;
	rest->len -= whole;
	return line;
}

/* Whether a line is a delimiter; *last for the one that closes. */
static bool
is_delimiter(bool *last, struct span line, const char *boundary)
{
	size_t n = strlen(boundary);

	if (line.len < n + 2 || memcmp(line.at, "--", 2) != 0 ||
	    memcmp(line.at + 2, boundary, n) != 0)
		return false;
	line.at += n + 2;
	line.len -= n + 2;
	*last = line.len >= 2 && memcmp(line.at, "--", 2) == 0;
	return *last || line.len == 0 || isspace((unsigned char)*line.at);
}

/* A part: header lines, an empty line, content. */
static void
read_part(struct sip_parts *out, struct span part, unsigned depth)
{
	static const char name[] = "content-type:";
	struct span type = { "", 0 }, line;

	while (part.len > 0) {
		line = next_line(&part);
		if (line.len == 0)
			break;
		if (line.len >= sizeof(name) - 1 &&
		    strncasecmp(line.at, name, sizeof(name) - 1) == 0)
			type = (struct span){ line.at + sizeof(name) - 1,
				line.len - (sizeof(name) - 1) };
	}
	walk(out, type, part, depth);
}

/* The content up to here, without the line end of the delimiter. */
static struct span
until(const char *begin, const char *delimiter)
{
	struct span s = { begin, (size_t)(delimiter - begin) };

	if (s.len > 0 && s.at[s.len - 1] == '\n')
		s.len--;
	if (s.len > 0 && s.at[s.len - 1] == '\r')
		s.len--;
	return s;
}

static void
read_multipart(struct sip_parts *out, const char *boundary, struct span body,
    unsigned depth)
{
	const char *begin = NULL;
	bool last = false;

	while (!last && body.len > 0 && out->count < SIP_PARTS_MAX) {
		struct span line = next_line(&body);

		if (!is_delimiter(&last, line, boundary))
			continue;
		if (begin != NULL)
			read_part(out, until(begin, line.at), depth);
		begin = body.at;
	}
}

static void
walk(struct sip_parts *out, struct span type, struct span body, unsigned depth)
{
	char name[SIP_PARTS_TYPE_MAX], boundary[BOUNDARY_MAX + 1];
	struct sip_part *p;

	read_type(name, type);
	if (strncmp(name, "multipart/", 10) == 0 && depth < SIP_PARTS_DEPTH &&
	    read_boundary(boundary, type)) {
		read_multipart(out, boundary, body, depth + 1);
		return;
	}
	if (out->count == SIP_PARTS_MAX)
		return;
	p = &out->part[out->count++];
	memcpy(p->type, name, sizeof(p->type));
	p->data = body.at;
	p->len = body.len;
}

/* --- the whole ---------------------------------------------------------- */

void
sip_parts_read(struct sip_parts *out, const char *content_type,
    const void *body, size_t len)
{
	const char *type = content_type != NULL ? content_type : "";

	out->count = 0;
	if (len > 0)
		walk(out, (struct span){ type, strlen(type) },
		    (struct span){ body, len }, 0);
}

const struct sip_part *
sip_parts_find(const struct sip_parts *ps, const char *type)
{
	for (size_t i = 0; i < ps->count; i++)
		if (strcmp(ps->part[i].type, type) == 0)
			return &ps->part[i];
	return NULL;
}
