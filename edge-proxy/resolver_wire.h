/*
 * resolver_wire - questions and answers between streams and resolver.
 *
 * One datagram of a SOCK_SEQPACKET pair is one message; numbers big-endian.
 *
 *   question  u32 id, u16 type, name
 *   answer    u32 id, u16 type, u8 status, u8 secure, u32 ttl, u16 count, then
 *             the records: A 4 bytes; AAAA 16 bytes;
 *             SRV  u16 priority, u16 weight, u16 port, u8 length, target;
 *             TLSA u8 usage, u8 selector, u8 matching, u16 length, data
 *
 * The answer's reader trusts nothing: the resolver parses what strangers
 * send.
 */
#ifndef EDGE_RESOLVER_WIRE_H
#define EDGE_RESOLVER_WIRE_H

#include <stddef.h>
#include <stdint.h>

#include "edge-proxy/resolver_client.h"

struct buf;

enum {
	RESOLVER_NAME_MAX = 253,
	RESOLVER_QUESTION_MAX = 6 + RESOLVER_NAME_MAX,
	/* Of services, whose targets have 255 bytes; all else is less. */
	RESOLVER_ANSWER_MAX = 14 + DNS_RECORDS_MAX * 262
};
_Static_assert(
    14 + DNS_RECORDS_MAX * 5 + DNS_TLSA_BYTES_MAX <= RESOLVER_ANSWER_MAX,
    "an answer of TLSA records is longer");

struct resolver_question {
	uint32_t id;
	enum dns_type type;
	char name[RESOLVER_NAME_MAX + 1];
};

/* Records of one answer, room for all of them; the data of TLSA records stays
 * in the bytes they were read from. */
struct resolver_records {
	union {
		struct dns_srv srv[DNS_RECORDS_MAX];
		struct dns_tlsa tlsa[DNS_RECORDS_MAX];
		struct sockaddr_storage addr[DNS_RECORDS_MAX];
	} u;
};

/* ERR_MALFORMED when the name is no host name of visible ASCII or too long. */
int
resolver_wire_put_question(struct buf *out, const struct resolver_question *q);
int resolver_wire_get_question(
    struct resolver_question *q, const uint8_t *data, size_t len);
int resolver_wire_put_answer(
    struct buf *out, uint32_t id, const struct dns_answer *a);
/* The answer's record pointers lead into records, and from there into data. */
int resolver_wire_get_answer(uint32_t *id, struct dns_answer *a,
    struct resolver_records *records, const uint8_t *data, size_t len);

#endif
