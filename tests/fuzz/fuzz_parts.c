/* Any bytes into sip_parts_read(), as the body of a multipart with the
 * boundary b and, by what their first line says, with one of its own. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "frontend-gateway/sip/sip_parts.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
check(const char *type, const uint8_t *body, size_t len)
{
	struct sip_parts parts;

	sip_parts_read(&parts, type, body, len);
	if (parts.count > SIP_PARTS_MAX)
		abort();
	for (size_t i = 0; i < parts.count; i++) {
		const struct sip_part *p = &parts.part[i];

		if (strlen(p->type) >= SIP_PARTS_TYPE_MAX ||
		    p->data < (const char *)body ||
		    p->data + p->len > (const char *)body + len)
			abort();
	}
	if (sip_parts_find(&parts, "text/plain") != NULL && len == 0)
		abort();
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const uint8_t *end = memchr(data, '\n', size);
	size_t head = end != NULL ? (size_t)(end - data) : size;
	/* Exactly as long as it is, so that reading past the end shows. */
	uint8_t *copy = malloc(size > 0 ? size : 1);
	char *type = malloc(head + 1);

	if (copy != NULL && type != NULL) {
		if (size > 0)
			memcpy(copy, data, size);
		memcpy(type, data, head);
		type[head] = '\0';
		check("multipart/mixed;boundary=b", copy, size);
		check(type, copy, size);
		check(NULL, copy, size);
	}
	free(copy);
	free(type);
	return 0;
}
