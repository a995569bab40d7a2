/* Any bytes as a TLSA answer, record behind record: what counts of them must
 * be what is asked one by one, and a copy must be the same. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "edge-proxy/tlsa.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { HEAD = 5 }; /* usage, selector, matching, and two of length */

static size_t
read_records(struct dns_tlsa *v, const uint8_t *data, size_t size)
{
	size_t count = 0;

	while (count < DNS_RECORDS_MAX && size >= HEAD) {
		size_t len = (size_t)data[3] << 8 | data[4];

		if (len > size - HEAD)
			len = size - HEAD;
		v[count++] = (struct dns_tlsa){ data[0], data[1], data[2],
			(uint16_t)len, data + HEAD };
		data += HEAD + len;
		size -= HEAD + len;
	}
	return count;
}

static void
compare(const struct tlsa_set *a, const struct tlsa_set *b)
{
	if (a->count != b->count)
		abort();
	for (size_t i = 0; i < a->count; i++)
		if (a->v[i].usage != b->v[i].usage ||
		    a->v[i].len != b->v[i].len ||
		    memcmp(a->v[i].data, b->v[i].data, a->v[i].len) != 0)
			abort();
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct dns_tlsa v[DNS_RECORDS_MAX];
	struct dns_answer a = {
		.status = DNS_OK, .secure = true, .type = DNS_TLSA, .tlsa = v
	};
	struct tlsa_set *set = NULL, *copy;
	size_t usable = 0;

	a.count = read_records(v, data, size);
	for (size_t i = 0; i < a.count; i++)
		usable += tlsa_usable(&v[i]);
	if (tlsa_judge(&set, &a) != (usable > 0 ? TLSA_RECORDS : TLSA_NONE))
		abort();
	if (usable == 0)
		return 0;
	if (set->count != usable)
		abort();
	copy = tlsa_set_copy(set);
	if (copy == NULL)
		abort();
	compare(set, copy);
	tlsa_set_free(set);
	tlsa_set_free(copy);
	return 0;
}
