/* Any bytes as the packet libunbound hands over: the first byte picks the
 * type.  What is read must survive the way to the other process. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "common/buf.h"
#include "edge-proxy/dns_packet.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const enum dns_type types[] = { DNS_A, DNS_AAAA, DNS_SRV,
		DNS_TLSA };
	static struct resolver_records records, back;
	struct dns_answer a = { 0 }, b;
	struct buf wire;
	uint32_t id;

	if (size == 0)
		return 0;
	if (dns_packet_read(&a, &records, "a.example", types[data[0] % 4],
		data + 1, size - 1) < 0 &&
	    (a.status != DNS_FAILED || a.count != 0))
		abort();
	buf_init(&wire, RESOLVER_ANSWER_MAX);
	if (resolver_wire_put_answer(&wire, 7, &a) < 0 ||
	    resolver_wire_get_answer(&id, &b, &back, wire.data, wire.len) < 0 ||
	    id != 7 || b.count != a.count || b.status != a.status)
		abort();
	buf_finish(&wire);
	return 0;
}
