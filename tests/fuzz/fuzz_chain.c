/* Any bytes as a chain of certificates between two processes: what can be read
 * is bounded, survives the way back, and its addresses are such. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "common/buf.h"
#include "edge-proxy/chain_status.h"
#include "edge-proxy/crl_points.h"
#include "edge-proxy/ocsp_reply.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct crl_points points;
	static X509_STORE *nobody;
	STACK_OF(X509) * chain, *verified;
	struct http_url u;
	struct buf der;
	const char *why;

	if (nobody == NULL)
		nobody = X509_STORE_new();
	if (chain_status_read(&chain, data, size) < 0)
		return 0;
	for (int i = 0; i < sk_X509_num(chain); i++) {
		X509 *cert = sk_X509_value(chain, i);

		crl_points_lists(&points, cert);
		for (size_t k = 0; k < points.count; k++)
			if (http_url_parse(
				&u, points.urls[k], strlen(points.urls[k])) < 0)
				abort();
		crl_points_responders(&points, cert);
		(void)ocsp_reply_is_demanded(cert);
	}
	buf_init(&der, 0);
	if (chain_status_write(&der, chain) < 0)
		abort();
	/* Nobody is trusted. */
	if (chain_status_verify(&verified, chain, nobody, &why) == 0 ||
	    why == NULL)
		abort();
	buf_finish(&der);
	sk_X509_pop_free(chain, X509_free);
	return 0;
}
