/*
 * resolver_wire - see the header.
 */
#include "edge-proxy/resolver_wire.h"

#include <netinet/in.h>
#include <string.h>

#include "common/buf.h"
#include "common/err.h"

/* What is left of a message; a read past its end makes it bad for good. */
struct cursor {
	const uint8_t *p;
	size_t left;
	bool bad;
};

static const uint8_t *
take(struct cursor *c, size_t len)
{
	const uint8_t *p = c->p;

	if (c->bad || c->left < len) {
		c->bad = true;
		return NULL;
	}
	c->p += len;
	c->left -= len;
	return p;
}

static uint32_t
take_number(struct cursor *c, size_t bytes)
{
	const uint8_t *p = take(c, bytes);
	uint32_t v = 0;

	for (size_t i = 0; p != NULL && i < bytes; i++)
		v = v << 8 | p[i];
	return v;
}

static void
put_number(struct buf *out, uint32_t v, size_t bytes)
{
	uint8_t b[4];

	for (size_t i = 0; i < bytes; i++)
		b[i] = (uint8_t)(v >> (8 * (bytes - 1 - i)));
	buf_add(out, b, bytes);
}

/* Visible ASCII, as names in A-labels are; "." alone is the root. */
static bool
name_ok(const char *s, size_t len, size_t max)
{
	if (len == 0 || len > max)
		return false;
	for (size_t i = 0; i < len; i++)
		if (s[i] <= ' ' || s[i] >= 0x7f || s[i] == '\\')
			return false;
	return true;
}

static bool
type_ok(uint32_t type)
{
	return type == DNS_A || type == DNS_AAAA || type == DNS_SRV ||
	       type == DNS_TLSA;
}

int
resolver_wire_put_question(struct buf *out, const struct resolver_question *q)
{
	size_t len = strnlen(q->name, sizeof(q->name));

	if (!name_ok(q->name, len, RESOLVER_NAME_MAX))
		return ERR_MALFORMED;
	put_number(out, q->id, 4);
	put_number(out, q->type, 2);
	buf_add(out, q->name, len);
	return buf_failed(out) ? ERR_NOMEM : 0;
}

int
resolver_wire_get_question(
    struct resolver_question *q, const uint8_t *data, size_t len)
{
	struct cursor c = { data, len, false };
	uint32_t id, type;

	id = take_number(&c, 4);
	type = take_number(&c, 2);
	if (c.bad || !type_ok(type) ||
	    !name_ok((const char *)c.p, c.left, RESOLVER_NAME_MAX))
		return ERR_MALFORMED;
	q->id = id;
	q->type = (enum dns_type)type;
	memcpy(q->name, c.p, c.left);
	q->name[c.left] = '\0';
	return 0;
}

static void
put_srv(struct buf *out, const struct dns_srv *srv)
{
	size_t len = strlen(srv->target);

	put_number(out, srv->priority, 2);
	put_number(out, srv->weight, 2);
	put_number(out, srv->port, 2);
	put_number(out, (uint32_t)len, 1);
	buf_add(out, srv->target, len);
}

static void
put_tlsa(struct buf *out, const struct dns_tlsa *tlsa)
{
	put_number(out, tlsa->usage, 1);
	put_number(out, tlsa->selector, 1);
	put_number(out, tlsa->matching, 1);
	put_number(out, tlsa->len, 2);
	buf_add(out, tlsa->data, tlsa->len);
}

static void
put_address(struct buf *out, const struct sockaddr_storage *ss)
{
	if (ss->ss_family == AF_INET)
		buf_add(out, &((const struct sockaddr_in *)ss)->sin_addr, 4);
	else
		buf_add(out, &((const struct sockaddr_in6 *)ss)->sin6_addr, 16);
}

int
resolver_wire_put_answer(
    struct buf *out, uint32_t id, const struct dns_answer *a)
{
	put_number(out, id, 4);
	put_number(out, a->type, 2);
	put_number(out, a->status, 1);
	put_number(out, a->secure ? 1 : 0, 1);
	put_number(out, a->ttl, 4);
	put_number(out, (uint32_t)a->count, 2);
	for (size_t i = 0; i < a->count; i++) {
		switch (a->type) {
		case DNS_SRV:
			put_srv(out, &a->srv[i]);
			break;
		case DNS_TLSA:
			put_tlsa(out, &a->tlsa[i]);
			break;
		case DNS_A:
		case DNS_AAAA:
			put_address(out, &a->addr[i]);
			break;
		}
	}
	return buf_failed(out) ? ERR_NOMEM : 0;
}

static void
get_srv(struct cursor *c, struct dns_srv *srv)
{
	const uint8_t *p;
	size_t len;

	srv->priority = (uint16_t)take_number(c, 2);
	srv->weight = (uint16_t)take_number(c, 2);
	srv->port = (uint16_t)take_number(c, 2);
	len = take_number(c, 1);
	p = take(c, len);
	if (p == NULL ||
	    !name_ok((const char *)p, len, sizeof(srv->target) - 1)) {
		c->bad = true;
		return;
	}
	memcpy(srv->target, p, len);
	srv->target[len] = '\0';
}

static void
get_tlsa(struct cursor *c, struct dns_tlsa *tlsa)
{
	tlsa->usage = (uint8_t)take_number(c, 1);
	tlsa->selector = (uint8_t)take_number(c, 1);
	tlsa->matching = (uint8_t)take_number(c, 1);
	tlsa->len = (uint16_t)take_number(c, 2);
	tlsa->data = take(c, tlsa->len);
}

static void
get_address(struct cursor *c, struct sockaddr_storage *ss, enum dns_type type)
{
	const uint8_t *p = take(c, type == DNS_A ? 4 : 16);

	memset(ss, 0, sizeof(*ss));
	if (p == NULL)
		return;
	if (type == DNS_A) {
		struct sockaddr_in *sin = (struct sockaddr_in *)ss;

		sin->sin_family = AF_INET;
		memcpy(&sin->sin_addr, p, 4);
	} else {
		struct sockaddr_in6 *sin6 = (struct sockaddr_in6 *)ss;

		sin6->sin6_family = AF_INET6;
		memcpy(&sin6->sin6_addr, p, 16);
	}
}

int
resolver_wire_get_answer(uint32_t *id, struct dns_answer *a,
    struct resolver_records *records, const uint8_t *data, size_t len)
{
	struct cursor c = { data, len, false };
	uint32_t got_id, type, status, secure, ttl, count;

	got_id = take_number(&c, 4);
	type = take_number(&c, 2);
	status = take_number(&c, 1);
	secure = take_number(&c, 1);
	ttl = take_number(&c, 4);
	count = take_number(&c, 2);
	if (c.bad || !type_ok(type) || status > DNS_BOGUS || secure > 1 ||
	    count > DNS_RECORDS_MAX)
		return ERR_MALFORMED;
	for (size_t i = 0; i < count; i++) {
		if (type == DNS_SRV)
			get_srv(&c, &records->u.srv[i]);
		else if (type == DNS_TLSA)
			get_tlsa(&c, &records->u.tlsa[i]);
		else
			get_address(
			    &c, &records->u.addr[i], (enum dns_type)type);
	}
	if (c.bad || c.left != 0)
		return ERR_MALFORMED;
	*id = got_id;
	memset(a, 0, sizeof(*a));
	a->status = (enum dns_status)status;
	a->secure = secure != 0;
	a->ttl = ttl;
	a->type = (enum dns_type)type;
	a->count = count;
	if (type == DNS_SRV)
		a->srv = records->u.srv;
	else if (type == DNS_TLSA)
		a->tlsa = records->u.tlsa;
	else
		a->addr = records->u.addr;
	return 0;
}
