/* Any bytes as a SIP message that is traced, up to the first NUL its head, which
 * gets a subject, and its body behind that: what is shown is text, and has
 * nothing of subject and body.  The same bytes as a stanza that an edge tells
 * of. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "common/buf.h"
#include "common/utf8.h"
#include "frontend-gateway/trace/trace_sip.h"
#include "frontend-gateway/trace/trace_stanza.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char mark[] = "Gooseberry";

static void
require(int ok)
{
	if (!ok)
		abort();
}

static void
check_shown(const struct trace_sip *m, int bodies, int is_private)
{
	struct buf out;

	buf_init(&out, 0);
	require(trace_sip_write(&out, m, bodies) == 0);
	require(utf8_valid(out.data, out.len));
	require(memchr(out.data, '\0', out.len) == NULL);
	if (is_private && !bodies)
		require(
		    memmem(out.data, out.len, mark, sizeof(mark) - 1) == NULL);
	buf_finish(&out);
}

static void
check_sip(const uint8_t *data, size_t head, size_t size)
{
	struct jid jids[TRACE_SIP_PARTIES_MAX];
	struct trace_sip m;
	struct buf text;
	json_t *json;
	int is_private = memmem(data, size, mark, sizeof(mark) - 1) == NULL;

	buf_init(&text, 0);
	buf_add(&text, data, head);
	buf_add_str(&text, "\r\nSubject: ");
	buf_add_str(&text, mark);
	buf_add_str(&text, "\r\n\r\n");
	trace_sip_read(&m, text.data, text.len, data + head, size - head);
	check_shown(&m, 0, is_private);
	check_shown(&m, 1, 0);
	m.body = (struct trace_sip_span){ mark, sizeof(mark) - 1 };
	check_shown(&m, 0, is_private);
	for (size_t n = trace_sip_parties(&m, jids); n > 0; n--)
		jid_finish(&jids[n - 1]);
	json = trace_sip_json(&m, false, 100);
	require(json != NULL &&
		json_string_length(json_object_get(json, "text")) <= 100);
	json_decref(json);
	buf_finish(&text);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const uint8_t *end = size > 0 ? memchr(data, '\0', size) : NULL;
	/* Exactly as long as it is, so that reading past the end shows. */
	char *copy = malloc(size > 0 ? size : 1);
	json_t *out = json_object();

	if (copy != NULL && out != NULL) {
		if (size > 0)
			memcpy(copy, data, size);
		trace_stanza_describe(out, copy, size);
		require(trace_sip_head(copy, size) <= size);
		check_sip((const uint8_t *)copy,
		    end != NULL ? (size_t)(end - data) : size, size);
	}
	json_decref(out);
	free(copy);
	return 0;
}
