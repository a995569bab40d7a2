#include "frontend-gateway/sip/sip_product.h"

#include <stddef.h>
#include <string.h>

enum { NESTED_MAX = 4 };

/* RFC 3261 25.1. */
static size_t
token_len(const char *p)
{
	return strspn(p, "abcdefghijklmnopqrstuvwxyz"
			 "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
			 "-.!%*_+`'~");
}

/* Bytes of a product, 0 when none is there. */
static size_t
product_len(const char *p)
{
	const size_t name = token_len(p);
	size_t version;

	if (name == 0 || p[name] != '/')
		return name;
	version = token_len(p + name + 1);
	return version > 0 ? name + 1 + version : 0;
}

/* Bytes of a comment, 0 when it does not end. */
static size_t
comment_len(const char *p)
{
	unsigned depth = 0;

	for (size_t i = 0; p[i] >= ' ' && p[i] <= '~' && p[i] != '\\'; i++) {
		if (p[i] == '(' && ++depth > NESTED_MAX)
			return 0;
		if (p[i] == ')' && --depth == 0)
			return i + 1;
	}
	return 0;
}

bool
sip_product_is_valid(const char *text)
{
	const char *p = text;
	size_t len;

	if (strlen(text) >= SIP_PRODUCT_SIZE)
		return false;
	for (;;) {
		len = *p == '(' ? comment_len(p) : product_len(p);
		if (len == 0)
			return false;
		p += len;
		if (*p == '\0')
			return true;
		if (*p != ' ')
			return false;
		p++;
	}
}
