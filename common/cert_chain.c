/* cert_chain - see the header. */
#include "common/cert_chain.h"

#include <time.h>

int64_t
cert_chain_end_ms(const STACK_OF(X509) * chain)
{
	int64_t end = INT64_MAX;

	for (int i = 0; i < sk_X509_num(chain); i++) {
		const ASN1_TIME *t =
		    X509_get0_notAfter(sk_X509_value(chain, i));
		struct tm tm;
		int64_t ms;

		if (ASN1_TIME_to_tm(t, &tm) != 1)
			continue;
		ms = (int64_t)timegm(&tm) * 1000;
		if (ms < end)
			end = ms;
	}
	return end;
}
