/*
 * fuzz_sasl - the text of <auth/> and <response/>.  Success means that it asks
 * for the stream's own domain, and nothing else does.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "common/base64.h"
#include "common/buf.h"
#include "edge-proxy/sasl_external.h"

#define FROM "partner.example"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* A success is an empty text, "=", or what decodes to the domain, give or take
 * case and the dot at the end. */
static void
check_success(const char *text, size_t len)
{
	struct buf b;

	if (len == 0 || (len == 1 && text[0] == '='))
		return;
	buf_init(&b, 0);
	if (base64_decode(&b, text, len) < 0)
		abort();
	for (size_t i = 0; i < b.len; i++) {
		if (b.data[i] == '@' || b.data[i] == '/' || b.data[i] == 0)
			abort();
	}
	buf_finish(&b);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const char *text = (const char *)data;
	enum sasl_answer a, b;

	a = sasl_external_auth("EXTERNAL", text, size, FROM);
	b = sasl_external_response(text, size, FROM);
	if (size == 0 ? a != SASL_CHALLENGE || b != SASL_SUCCESS : a != b)
		abort();
	if (b == SASL_SUCCESS)
		check_success(text, size);
	if (sasl_external_str(a)[0] == '\0')
		abort();
	return 0;
}
