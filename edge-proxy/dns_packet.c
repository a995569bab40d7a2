/*
 * dns_packet - see the header.
 *
 * The answer section is walked in rounds: a round looks for records of the
 * wanted type at the current name; if there are none it looks for a CNAME
 * there and goes on with its target.  The number of rounds is bounded, so a
 * loop of CNAMEs ends.
 */
#include "edge-proxy/dns_packet.h"

#include <ctype.h>
#include <netinet/in.h>
#include <string.h>
#include <strings.h>

#include "common/err.h"

enum {
	HEADER_SIZE = 12,
	JUMPS_MAX = 32,
	CHAIN_MAX = 12,
	TYPE_CNAME = 5,
	CLASS_IN = 1,
	RCODE_NXDOMAIN = 3
};

struct packet {
	const uint8_t *data;
	size_t len;
};

struct record {
	char owner[256];
	unsigned type, class;
	uint32_t ttl;
	size_t data; /* offset of the rdata */
	size_t len;
};

static unsigned
u16_at(const struct packet *p, size_t at)
{
	return (unsigned)p->data[at] << 8 | p->data[at + 1];
}

/* Reads the name at *at as lower-case text without a final dot ("." for the
 * root) and moves *at behind it.  Labels with bytes that no host name has are
 * refused: they could not be told apart in text. */
static int
read_name(char out[256], const struct packet *p, size_t *at)
{
	size_t i = *at, o = 0, jumps = 0;
	bool jumped = false;

	for (;;) {
		unsigned n;

		if (i >= p->len)
			return ERR_MALFORMED;
		n = p->data[i];
		if ((n & 0xc0) == 0xc0) {
			if (i + 1 >= p->len || ++jumps > JUMPS_MAX)
				return ERR_MALFORMED;
			if (!jumped)
				*at = i + 2;
			jumped = true;
			i = (n & 0x3fu) << 8 | p->data[i + 1];
			continue;
		}
		if (n > 63 || i + 1 + n > p->len)
			return ERR_MALFORMED;
		i++;
		if (n == 0)
			break;
		if (o + n + 1 > 255)
			return ERR_MALFORMED;
		for (unsigned k = 0; k < n; k++) {
			uint8_t c = p->data[i + k];

			if (c <= ' ' || c >= 0x7f || c == '.' || c == '\\')
				return ERR_MALFORMED;
			out[o++] = (char)tolower(c);
		}
		out[o++] = '.';
		i += n;
	}
	if (!jumped)
		*at = i;
	if (o > 1)
		o--;
	else if (o == 0)
		out[o++] = '.';
	out[o] = '\0';
	return 0;
}

/* Reads the record at *at and moves behind it. */
static int
read_record(struct record *r, const struct packet *p, size_t *at)
{
	int rc = read_name(r->owner, p, at);

	if (rc < 0)
		return rc;
	if (p->len - *at < 10)
		return ERR_MALFORMED;
	r->type = u16_at(p, *at);
	r->class = u16_at(p, *at + 2);
	r->ttl = (uint32_t)u16_at(p, *at + 4) << 16 | u16_at(p, *at + 6);
	r->len = u16_at(p, *at + 8);
	r->data = *at + 10;
	if (r->len > p->len - r->data)
		return ERR_MALFORMED;
	*at = r->data + r->len;
	return 0;
}

static int
take_srv(struct dns_srv *srv, const struct packet *p, const struct record *r)
{
	size_t at = r->data + 6;
	int rc;

	if (r->len < 7)
		return ERR_MALFORMED;
	srv->priority = (uint16_t)u16_at(p, r->data);
	srv->weight = (uint16_t)u16_at(p, r->data + 2);
	srv->port = (uint16_t)u16_at(p, r->data + 4);
	rc = read_name(srv->target, p, &at);
	if (rc < 0 || at != r->data + r->len)
		return ERR_MALFORMED;
	return 0;
}

/* used: bytes that records before it have.  ERR_TOO_LONG passes it over. */
static int
take_tlsa(struct dns_tlsa *tlsa, const struct packet *p, const struct record *r,
    size_t used)
{
	if (r->len < 4)
		return ERR_MALFORMED;
	if (r->len - 3 > DNS_TLSA_BYTES_MAX - used)
		return ERR_TOO_LONG;
	tlsa->usage = p->data[r->data];
	tlsa->selector = p->data[r->data + 1];
	tlsa->matching = p->data[r->data + 2];
	tlsa->len = (uint16_t)(r->len - 3);
	tlsa->data = p->data + r->data + 3;
	return 0;
}

static size_t
tlsa_bytes(const struct dns_answer *a)
{
	size_t n = 0;

	for (size_t i = 0; i < a->count; i++)
		n += a->tlsa[i].len;
	return n;
}

static int
take_address(
    struct sockaddr_storage *ss, const struct packet *p, const struct record *r)
{
	memset(ss, 0, sizeof(*ss));
	if (r->type == DNS_A) {
		struct sockaddr_in *sin = (struct sockaddr_in *)ss;

		if (r->len != 4)
			return ERR_MALFORMED;
		sin->sin_family = AF_INET;
		memcpy(&sin->sin_addr, p->data + r->data, 4);
	} else {
		struct sockaddr_in6 *sin6 = (struct sockaddr_in6 *)ss;

		if (r->len != 16)
			return ERR_MALFORMED;
		sin6->sin6_family = AF_INET6;
		memcpy(&sin6->sin6_addr, p->data + r->data, 16);
	}
	return 0;
}

static int
take_record(struct dns_answer *a, struct resolver_records *records,
    const struct packet *p, const struct record *r)
{
	int rc = 0;

	if (a->count == DNS_RECORDS_MAX)
		return 0;
	switch (a->type) {
	case DNS_SRV:
		rc = take_srv(&records->u.srv[a->count], p, r);
		break;
	case DNS_TLSA:
		rc = take_tlsa(&records->u.tlsa[a->count], p, r, tlsa_bytes(a));
		break;
	case DNS_A:
	case DNS_AAAA:
		rc = take_address(&records->u.addr[a->count], p, r);
		break;
	}
	if (rc == ERR_TOO_LONG)
		return 0;
	if (rc < 0)
		return rc;
	if (a->count == 0 || r->ttl < a->ttl)
		a->ttl = r->ttl;
	a->count++;
	return 0;
}

/* One round over the answer section.  next gets the target of a CNAME at
 * name, or stays empty. */
static int
walk(struct dns_answer *a, struct resolver_records *records,
    const struct packet *p, size_t at, const char *name, char next[256])
{
	unsigned count = u16_at(p, 6);

	for (unsigned i = 0; i < count; i++) {
		struct record r;
		int rc = read_record(&r, p, &at);

		if (rc < 0)
			return rc;
		if (r.class != CLASS_IN || strcasecmp(r.owner, name) != 0)
			continue;
		if (r.type == (unsigned)a->type) {
			rc = take_record(a, records, p, &r);
			if (rc < 0)
				return rc;
		} else if (r.type == TYPE_CNAME && next[0] == '\0') {
			size_t data = r.data;

			rc = read_name(next, p, &data);
			if (rc < 0)
				return rc;
		}
	}
	return 0;
}

static int
read_packet(struct dns_answer *a, struct resolver_records *records,
    const char *name, const struct packet *p)
{
	char current[256], next[256];
	size_t at = HEADER_SIZE, len = strlen(name);
	unsigned rcode;
	int rc;

	if (p->len < HEADER_SIZE || len == 0 || len >= sizeof(current))
		return ERR_MALFORMED;
	rcode = p->data[3] & 0x0fu;
	if (rcode != 0 && rcode != RCODE_NXDOMAIN)
		return 0;
	for (unsigned i = u16_at(p, 4); i > 0; i--) {
		rc = read_name(current, p, &at);
		if (rc < 0)
			return rc;
		if (p->len - at < 4)
			return ERR_MALFORMED;
		at += 4;
	}
	memcpy(current, name, len + 1);
	if (len > 1 && current[len - 1] == '.')
		current[len - 1] = '\0';
	for (int round = 0; round < CHAIN_MAX; round++) {
		next[0] = '\0';
		rc = walk(a, records, p, at, current, next);
		if (rc < 0)
			return rc;
		if (a->count > 0 || next[0] == '\0')
			break;
		memcpy(current, next, sizeof(current));
	}
	a->status = rcode == RCODE_NXDOMAIN ? DNS_NXDOMAIN : DNS_OK;
	return 0;
}

int
dns_packet_read(struct dns_answer *a, struct resolver_records *records,
    const char *name, enum dns_type type, const uint8_t *packet, size_t len)
{
	const struct packet p = { packet, len };
	int rc;

	a->status = DNS_FAILED;
	a->type = type;
	a->ttl = 0;
	a->count = 0;
	a->srv = type == DNS_SRV ? records->u.srv : NULL;
	a->tlsa = type == DNS_TLSA ? records->u.tlsa : NULL;
	a->addr = type == DNS_A || type == DNS_AAAA ? records->u.addr : NULL;
	rc = read_packet(a, records, name, &p);
	if (rc < 0 || a->status != DNS_OK)
		a->count = 0;
	return rc;
}
