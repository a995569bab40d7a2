/*
 * The text is copied once and decoded in place: decoding only ever shortens.
 * It is cut at its own delimiters first and decoded piece by piece after, so
 * that an encoded slash stays a part of its segment.
 */
#include "frontend-gateway/admin/http_target.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "common/err.h"
#include "common/utf8.h"

static int
hex(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return -1;
}

/* Decodes a terminated piece in place. */
static int
decode(char *s, bool query)
{
	char *out = s;

	for (const char *in = s; *in != '\0'; in++) {
		int c = (unsigned char)*in;

		if (c == '%') {
			const int high = hex(in[1]);
			const int low = high < 0 ? -1 : hex(in[2]);

			if (low < 0)
				return ERR_MALFORMED;
			c = high * 16 + low;
			in += 2;
		} else if (c == '+' && query) {
			c = ' ';
		}
		if (c < 0x20 || c == 0x7f)
			return ERR_MALFORMED;
		*out++ = (char)c;
	}
	*out = '\0';
	return utf8_valid(s, (size_t)(out - s)) ? 0 : ERR_UTF8;
}

static int
read_path(struct http_target *t, char *path)
{
	char *rest = path + 1;
	int rc;

	if (path[0] != '/')
		return ERR_MALFORMED;
	while (rest != NULL && rest[0] != '\0') {
		char *segment = strsep(&rest, "/");

		if (segment[0] == '\0')
			return ERR_MALFORMED;
		if (t->segment_count == HTTP_TARGET_SEGMENTS)
			return ERR_FULL;
		rc = decode(segment, false);
		if (rc < 0)
			return rc;
		t->segments[t->segment_count++] = segment;
	}
	return 0;
}

static int
read_param(struct http_target *t, char *param)
{
	char *value = strchr(param, '=');
	int rc;

	if (value != NULL)
		*value++ = '\0';
	else
		value = param + strlen(param);
	rc = decode(param, true);
	if (rc == 0)
		rc = decode(value, true);
	if (rc < 0)
		return rc;
	if (param[0] == '\0' || http_target_param(t, param) != NULL)
		return ERR_MALFORMED;
	if (t->param_count == HTTP_TARGET_PARAMS)
		return ERR_FULL;
	t->params[t->param_count].name = param;
	t->params[t->param_count++].value = value;
	return 0;
}

static int
read_query(struct http_target *t, char *query)
{
	int rc = 0;

	while (rc == 0 && query != NULL && query[0] != '\0')
		rc = read_param(t, strsep(&query, "&"));
	return rc;
}

int
http_target_parse(struct http_target *out, const char *s, size_t len)
{
	struct http_target t = { 0 };
	char *query;
	int rc;

	memset(out, 0, sizeof(*out));
	if (len > HTTP_TARGET_MAX)
		return ERR_TOO_LONG;
	if (memchr(s, '\0', len) != NULL || memchr(s, '#', len) != NULL)
		return ERR_MALFORMED;
	t.block = malloc(len + 1);
	if (t.block == NULL)
		return ERR_NOMEM;
	memcpy(t.block, s, len);
	t.block[len] = '\0';
	query = strchr(t.block, '?');
	if (query != NULL)
		*query++ = '\0';
	rc = read_path(&t, t.block);
	if (rc == 0)
		rc = read_query(&t, query);
	if (rc < 0)
		http_target_finish(&t);
	else
		*out = t;
	return rc;
}

void
http_target_finish(struct http_target *t)
{
	free(t->block);
	memset(t, 0, sizeof(*t));
}

const char *
http_target_param(const struct http_target *t, const char *name)
{
	for (size_t i = 0; i < t->param_count; i++)
		if (strcmp(t->params[i].name, name) == 0)
			return t->params[i].value;
	return NULL;
}
