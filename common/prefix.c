/* Addresses as bytes with a length of bits. */
#include "common/prefix.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/err.h"

static unsigned
bits_of(int family)
{
	return family == AF_INET ? 32 : 128;
}

/* True if nothing is set behind the first bits. */
static bool
tail_is_zero(const struct prefix *p)
{
	for (unsigned i = p->bits; i < bits_of(p->family); i++)
		if ((p->bytes[i / 8] >> (7 - i % 8) & 1) != 0)
			return false;
	return true;
}

int
prefix_parse(struct prefix *out, const char *s, char *why, size_t size)
{
	struct prefix p = { .family = AF_INET };
	char host[INET6_ADDRSTRLEN];
	const char *slash = strchr(s, '/');
	size_t len = slash != NULL ? (size_t)(slash - s) : strlen(s);

	if (len >= sizeof(host))
		goto no_address;
	memcpy(host, s, len);
	host[len] = '\0';
	if (strchr(host, ':') != NULL)
		p.family = AF_INET6;
	if (inet_pton(p.family, host, p.bytes) != 1)
		goto no_address;
	p.bits = bits_of(p.family);
	if (slash != NULL) {
		const char *n = slash + 1;
		size_t digits = strspn(n, "0123456789");
		unsigned long bits = strtoul(n, NULL, 10);

		if (digits == 0 || digits > 3 || n[digits] != '\0' ||
		    bits > p.bits) {
			snprintf(
			    why, size, "\"%.80s\": /%.20s is no length", s, n);
			return ERR_MALFORMED;
		}
		p.bits = (unsigned)bits;
	}
	if (!tail_is_zero(&p)) {
		snprintf(why, size,
		    "\"%.80s\": the address has bits beyond its /%u", s,
		    p.bits);
		return ERR_MALFORMED;
	}
	*out = p;
	return 0;

no_address:
	snprintf(why, size, "\"%.80s\" is not an IP address", s);
	return ERR_MALFORMED;
}

int
prefix_of_sockaddr(struct prefix *out, const struct sockaddr_storage *ss)
{
	struct sockaddr_in in;
	struct sockaddr_in6 in6;

	*out = (struct prefix){ .family = ss->ss_family };
	if (ss->ss_family == AF_INET) {
		memcpy(&in, ss, sizeof(in));
		memcpy(out->bytes, &in.sin_addr, sizeof(in.sin_addr));
	} else if (ss->ss_family == AF_INET6) {
		memcpy(&in6, ss, sizeof(in6));
		memcpy(out->bytes, &in6.sin6_addr, sizeof(in6.sin6_addr));
	} else {
		return ERR_UNSUPPORTED;
	}
	out->bits = bits_of(out->family);
	return 0;
}

bool
prefix_is_host(const struct prefix *p)
{
	return p->bits == bits_of(p->family);
}

bool
prefix_contains(const struct prefix *outer, const struct prefix *inner)
{
	if (outer->family != inner->family || outer->bits > inner->bits)
		return false;
	for (unsigned i = 0; i < outer->bits; i++)
		if (((outer->bytes[i / 8] ^ inner->bytes[i / 8]) >>
			    (7 - i % 8) &
			1) != 0)
			return false;
	return true;
}

bool
prefix_equal(const struct prefix *a, const struct prefix *b)
{
	return a->bits == b->bits && prefix_contains(a, b);
}

bool
prefix_is_private(const struct prefix *p)
{
	static const char *const networks[] = { "10.0.0.0/8", "172.16.0.0/12",
		"192.168.0.0/16", "100.64.0.0/10", "169.254.0.0/16",
		"127.0.0.0/8", "fc00::/7", "fe80::/10", "::1" };
	struct prefix n;
	char why[120];

	for (size_t i = 0; i < sizeof(networks) / sizeof(networks[0]); i++)
		if (prefix_parse(&n, networks[i], why, sizeof(why)) == 0 &&
		    prefix_contains(&n, p))
			return true;
	return false;
}

void
prefix_address(char out[static PREFIX_TEXT], const struct prefix *p)
{
	if (inet_ntop(p->family, p->bytes, out, PREFIX_TEXT) == NULL)
		out[0] = '\0';
}

void
prefix_text(char out[static PREFIX_TEXT], const struct prefix *p)
{
	size_t len;

	prefix_address(out, p);
	len = strlen(out);
	if (!prefix_is_host(p))
		snprintf(out + len, PREFIX_TEXT - len, "/%u", p->bits);
}

void
prefix_mask(char out[static PREFIX_TEXT], const struct prefix *p)
{
	struct prefix mask = { .family = p->family, .bits = p->bits };

	for (unsigned i = 0; i < p->bits; i++)
		mask.bytes[i / 8] |= (uint8_t)(0x80 >> i % 8);
	prefix_address(out, &mask);
}

socklen_t
prefix_sockaddr(
    struct sockaddr_storage *out, const struct prefix *p, uint16_t port)
{
	struct sockaddr_in in = { .sin_family = AF_INET,
		.sin_port = htons(port) };
	struct sockaddr_in6 in6 = { .sin6_family = AF_INET6,
		.sin6_port = htons(port) };

	*out = (struct sockaddr_storage){ 0 };
	if (p->family == AF_INET) {
		memcpy(&in.sin_addr, p->bytes, sizeof(in.sin_addr));
		memcpy(out, &in, sizeof(in));
		return sizeof(in);
	}
	memcpy(&in6.sin6_addr, p->bytes, sizeof(in6.sin6_addr));
	memcpy(out, &in6, sizeof(in6));
	return sizeof(in6);
}
