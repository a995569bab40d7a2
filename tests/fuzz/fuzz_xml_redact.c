/*
 * A document of foreign bytes, redacted: what comes out is a document, and
 * redacting it again hides nothing that was not hidden yet but lengths.  Behind
 * the first byte: every other document has a secret put where text goes, which
 * must not be found again.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "common/buf.h"
#include "common/err.h"
#include "common/xml.h"
#include "common/xml_parse.h"
#include "common/xml_redact.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { INPUT_MAX = 16384 };

/* Two words: no place for a word of a protocol takes it. */
static const char secret[] = "all that is secret";

static void
require(int truth)
{
	if (!truth)
		abort();
}

/* In place of every text, and of every attribute but addresses. */
static int
put_secrets(struct xml_arena *a, struct xml_elem *e)
{
	int rc = xml_set_attr(a, e, "", "label", secret);

	for (struct xml_node *n = e->first; n != NULL && rc == 0; n = n->next) {
		if (n->elem != NULL) {
			rc = put_secrets(a, n->elem);
			continue;
		}
		n->text = secret;
		n->text_len = sizeof(secret) - 1;
	}
	for (struct xml_attr *at = e->attrs; at != NULL; at = at->next)
		if (strcmp(at->name, "id") == 0 ||
		    strcmp(at->name, "type") == 0 ||
		    strcmp(at->name, "node") == 0)
			at->value = secret;
	return rc;
}

static void
look_for_secrets(const char *xml, size_t len)
{
	struct buf out = { 0 };
	struct xml_arena *a;
	struct xml_elem *e;

	require(xml_arena_open(&a, 16 * 1024 * 1024) == 0);
	if (xml_parse(&e, a, NULL, xml, len) == 0 && put_secrets(a, e) == 0 &&
	    xml_redact_elem(&out, e, NULL) == 0)
		require(memmem(out.data, out.len, secret, sizeof(secret) - 1) ==
			NULL);
	buf_finish(&out);
	xml_arena_close(a);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct buf once = { 0 }, twice = { 0 };
	const char *xml = (const char *)data;
	int rc;

	/* The secret itself, from a lucky seed, proves nothing. */
	if (size > INPUT_MAX ||
	    memmem(data, size, secret, sizeof(secret) - 1) != NULL)
		return 0;
	rc = xml_redact_text(&once, xml, size);
	if (rc == 0) {
		require(xml_redact_text(
			    &twice, (const char *)once.data, once.len) == 0);
		look_for_secrets(xml, size);
	} else {
		require(once.len == 0);
	}
	buf_finish(&once);
	buf_finish(&twice);
	return 0;
}
