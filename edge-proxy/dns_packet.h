/*
 * dns_packet - the records of one type out of a DNS response (RFC 1035 4,
 * RFC 2782, RFC 6698).  Pure; compression followed with bounds.
 *
 * Only records that belong to the question's name, or to where a chain of
 * CNAMEs leads it, are taken.  More than DNS_RECORDS_MAX are cut off, and TLSA
 * records for which there is no room in DNS_TLSA_BYTES_MAX are passed over.
 */
#ifndef EDGE_DNS_PACKET_H
#define EDGE_DNS_PACKET_H

#include <stddef.h>
#include <stdint.h>

#include "edge-proxy/resolver_wire.h"

/* Fills a (status, ttl, type, count, pointers into records); a->secure stays
 * untouched.  The data of TLSA records stays in packet.  name as asked.  ERR_MALFORMED, and a->status is then
 * DNS_FAILED. */
int dns_packet_read(struct dns_answer *a, struct resolver_records *records,
    const char *name, enum dns_type type, const uint8_t *packet, size_t len);

#endif
