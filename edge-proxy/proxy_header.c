/*
 * proxy_header - see the header.
 *
 * The signature is compared as far as it has come: who sends something else is
 * known by its first byte and is not waited for.
 */
#include "edge-proxy/proxy_header.h"

#include <netinet/in.h>
#include <string.h>

#include "common/err.h"

enum {
	SIGNATURE = 12,
	VERSION_2 = 2,
	COMMAND_LOCAL = 0,
	COMMAND_PROXY = 1,
	UNSPEC = 0x00,
	TCP_OVER_IPV4 = 0x11,
	TCP_OVER_IPV6 = 0x21,
	ADDRESSES_IPV4 = 12,
	ADDRESSES_IPV6 = 36,
	TLV_HEAD = 3
};

static const uint8_t signature[SIGNATURE] = { '\r', '\n', '\r', '\n', 0, '\r',
	'\n', 'Q', 'U', 'I', 'T', '\n' };

static uint16_t
get_u16(const uint8_t *p)
{
	return (uint16_t)(p[0] << 8 | p[1]);
}

static int
fail(const char **why, int rc, const char *text)
{
	*why = text;
	return rc;
}

/* The signature, as far as it is there. */
static int
look_at_signature(const uint8_t *data, size_t len, const char **why)
{
	static const char v1[] = "PROXY ";
	size_t n = len < SIGNATURE ? len : SIGNATURE;
	size_t n1 = len < sizeof(v1) - 1 ? len : sizeof(v1) - 1;

	if (memcmp(data, signature, n) == 0)
		return 0;
	if (memcmp(data, v1, n1) == 0)
		return fail(why, ERR_UNSUPPORTED,
		    "a header of version 1; version 2 is wanted");
	return fail(why, ERR_MALFORMED, "no header of the PROXY protocol");
}

/* What follows the addresses is skipped, but has to be what it says. */
static bool
tlvs_are_whole(const uint8_t *data, size_t len)
{
	while (len > 0) {
		size_t size;

		if (len < TLV_HEAD)
			return false;
		size = TLV_HEAD + (size_t)get_u16(data + 1);
		if (size > len)
			return false;
		data += size;
		len -= size;
	}
	return true;
}

static void
take_ipv4(struct sockaddr_storage *out, const uint8_t *p)
{
	struct sockaddr_in *in = (struct sockaddr_in *)(void *)out;

	in->sin_family = AF_INET;
	memcpy(&in->sin_addr, p, 4);
	memcpy(&in->sin_port, p + 8, 2);
}

static void
take_ipv6(struct sockaddr_storage *out, const uint8_t *p)
{
	struct sockaddr_in6 *in = (struct sockaddr_in6 *)(void *)out;

	in->sin6_family = AF_INET6;
	memcpy(&in->sin6_addr, p, 16);
	memcpy(&in->sin6_port, p + 32, 2);
}

/* The part whose length the first one told. */
static int
take_addresses(struct proxy_header *out, uint8_t kind, const uint8_t *p,
    size_t len, const char **why)
{
	size_t size = kind == TCP_OVER_IPV4 ? ADDRESSES_IPV4 : ADDRESSES_IPV6;

	if (kind == UNSPEC) {
		out->local = true;
		return 0;
	}
	if (kind != TCP_OVER_IPV4 && kind != TCP_OVER_IPV6)
		return fail(
		    why, ERR_UNSUPPORTED, "it passes on what is not TCP");
	if (len < size)
		return fail(why, ERR_MALFORMED, "too short for its addresses");
	if (!tlvs_are_whole(p + size, len - size))
		return fail(why, ERR_MALFORMED, "an extension is cut");
	if (kind == TCP_OVER_IPV4)
		take_ipv4(&out->source, p);
	else
		take_ipv6(&out->source, p);
	return 0;
}

int
proxy_header_read(struct proxy_header *out, size_t *need, const uint8_t *data,
    size_t len, const char **why)
{
	struct proxy_header h = { 0 };
	unsigned version, command;
	size_t rest;
	int rc;

	rc = look_at_signature(data, len, why);
	if (rc < 0)
		return rc;
	if (len < PROXY_HEADER_FIRST) {
		*need = PROXY_HEADER_FIRST;
		return ERR_INCOMPLETE;
	}
	version = data[12] >> 4;
	command = data[12] & 15u;
	rest = get_u16(data + 14);
	if (version != VERSION_2)
		return fail(why, ERR_UNSUPPORTED, "a header of no version 2");
	if (command != COMMAND_LOCAL && command != COMMAND_PROXY)
		return fail(why, ERR_MALFORMED, "an unknown command");
	if (rest > PROXY_HEADER_MAX - PROXY_HEADER_FIRST)
		return fail(why, ERR_MALFORMED, "too long");
	*need = PROXY_HEADER_FIRST + rest;
	if (len < *need)
		return ERR_INCOMPLETE;
	h.local = command == COMMAND_LOCAL;
	if (!h.local)
		rc = take_addresses(
		    &h, data[13], data + PROXY_HEADER_FIRST, rest, why);
	if (rc == 0)
		*out = h;
	return rc;
}
