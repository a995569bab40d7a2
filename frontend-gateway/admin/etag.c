#include "frontend-gateway/admin/etag.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "common/err.h"

/* Whether the text between the quotes is a version as we write it. */
static bool
read_version(uint64_t *out, const char *s, size_t len)
{
	uint64_t v = 0;

	if (len == 0 || len > 19 || (s[0] == '0' && len > 1))
		return false;
	for (size_t i = 0; i < len; i++) {
		if (s[i] < '0' || s[i] > '9')
			return false;
		v = v * 10 + (uint64_t)(s[i] - '0');
	}
	*out = v;
	return true;
}

static const char *
skip_blanks(const char *s)
{
	return s + strspn(s, " \t");
}

/* One tag at *s, which is moved behind it. */
static int
read_tag(struct etag_list *l, const char **s, bool strong)
{
	const bool weak = strncmp(*s, "W/", 2) == 0;
	const char *begin = weak ? *s + 2 : *s, *end;
	uint64_t version;

	if (begin[0] != '"')
		return ERR_MALFORMED;
	begin++;
	end = begin;
	while (*end != '"')
		if ((unsigned char)*end++ < 0x21)
			return ERR_MALFORMED;
	if (read_version(&version, begin, (size_t)(end - begin)) &&
	    !(weak && strong)) {
		if (l->count == ETAG_MAX)
			return ERR_FULL;
		l->versions[l->count++] = version;
	}
	*s = skip_blanks(end + 1);
	return 0;
}

int
etag_parse(struct etag_list *out, const char *s, bool strong)
{
	struct etag_list l = { 0 };
	int rc;

	s = skip_blanks(s);
	if (s[0] == '*') {
		l.any = true;
		if (*skip_blanks(s + 1) != '\0')
			return ERR_MALFORMED;
		*out = l;
		return 0;
	}
	for (;;) {
		rc = read_tag(&l, &s, strong);
		if (rc < 0)
			return rc;
		if (s[0] == '\0')
			break;
		if (s[0] != ',')
			return ERR_MALFORMED;
		s = skip_blanks(s + 1);
	}
	*out = l;
	return 0;
}

bool
etag_has(const struct etag_list *l, uint64_t version)
{
	for (size_t i = 0; i < l->count; i++)
		if (l->versions[i] == version)
			return true;
	return l->any;
}

void
etag_write(char out[static ETAG_SIZE], uint64_t version)
{
	snprintf(out, ETAG_SIZE, "\"%" PRIu64 "\"", version);
}
