/*
 * Any message frame, even one that only a captured edge would send, as text for
 * a Lync user.  The input is lines: a letter for a field, and its value.  What
 * comes out is text, and no more of it than there was to say; the same is
 * remembered and quoted, within its bounds.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "common/buf.h"
#include "common/utf8.h"
#include "frontend-gateway/conversation/compose.h"
#include "frontend-gateway/conversation/courtesy.h"
#include "frontend-gateway/conversation/said.h"
#include "frontend-gateway/gateway_conf.h"
#include "proto/frame.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
require(int truth)
{
	if (!truth)
		abort();
}

static const struct {
	char letter;
	enum frame_tag tag;
} fields[] = {
	{ 'b', FIELD_BODY },
	{ 's', FIELD_SUBJECT },
	{ 'k', FIELD_KIND },
	{ 'i', FIELD_ID },
	{ 'f', FIELD_FROM },
	{ 'c', FIELD_CORRECTS },
	{ 'w', FIELD_RETRACTS },
	{ 'a', FIELD_REPLY_TO },
	{ 'q', FIELD_REPLY_FALLBACK },
	{ 't', FIELD_REACTS_TO },
	{ 'r', FIELD_REACTION },
	{ 'l', FIELD_LINK },
	{ 'n', FIELD_LINK_NAME },
	{ 'e', FIELD_ENCRYPTED },
	{ 'o', FIELD_INVITATION },
	{ 'p', FIELD_INVITER },
};

/* Of the field; a line break within a value is written as a bar. */
static void
put_line(struct frame_writer *w, const uint8_t *line, size_t len)
{
	char value[1024];

	if (len == 0 || len > sizeof(value))
		return;
	for (size_t i = 1; i < len; i++)
		value[i - 1] = line[i] == '|' ? '\n' : (char)line[i];
	if (line[0] == 'd')
		frame_put_u64(w, FIELD_DELAY, 1 + len * 20000);
	else if (line[0] == 'z')
		frame_put_u64(w, FIELD_LINK_SIZE, UINT64_MAX >> (len % 64));
	else if (line[0] == '!')
		frame_put_flag(w, FIELD_ATTENTION);
	else if (line[0] == '?')
		frame_put_flag(w, FIELD_RECEIPT_REQUEST);
	for (size_t i = 0; i < sizeof(fields) / sizeof(fields[0]); i++)
		if (fields[i].letter == (char)line[0])
			frame_put(w, fields[i].tag, value, len - 1);
}

static void
compose(const struct frame *f, const struct said_message *target)
{
	static const struct gateway_messages_conf rules = { .language = "en",
		.reactions = true,
		.retractions = true,
		.attention = true,
		.sent_time = true };
	struct compose_opts o = { .rules = &rules,
		.target = target,
		.wall_ms = 10000000,
		.known = true };
	struct compose_result r;
	struct buf out = { 0 };

	require(compose_text(&out, &r, f, &o) == 0);
	require(utf8_valid_xml(out.data, out.len));
	require((r.verdict == COMPOSE_TEXT) == (out.len > 0));
	require(out.len <= 2 * FRAME_MAX);
	require(r.said_len == 0 || utf8_valid(r.said, r.said_len));
	buf_finish(&out);
}

static void
remember(const struct frame *f)
{
	static const struct said_name name = { "anna@contoso.example",
		"bo@partner.example", "m1" };
	const struct frame_field *body = frame_field(f, FIELD_BODY);
	struct said_message m;
	struct buf all = { 0 };
	struct said *s;

	require(said_new(&s, 4) == 0);
	said_keep(s, &name, body != NULL ? (const char *)body->data : "",
	    body != NULL ? body->len : 0, true, 0);
	compose_reactions(&all, f);
	said_react(s, &name, (const char *)all.data, all.len);
	require(said_find(s, &m, &name, 0));
	require(strlen(m.text) < SAID_TEXT_SIZE &&
		utf8_valid(m.text, strlen(m.text)));
	require(m.reactions_len <= SAID_REACTIONS_SIZE);
	compose(f, &m);
	buf_finish(&all);
	said_free(s);
}

static void
answer(const struct frame *f)
{
	struct buf receipt = { 0 }, decline = { 0 };

	require(courtesy_receipt(&receipt, f, "anna@contoso.example") == 0);
	require(courtesy_decline(&decline, f, "anna@contoso.example") == 0);
	buf_finish(&receipt);
	buf_finish(&decline);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const uint8_t *end = data + size, *nl;
	struct frame_writer w;
	struct buf b = { 0 };
	struct frame f;

	frame_begin(&w, &b, FRAME_MESSAGE);
	for (; data < end; data = nl + (nl < end)) {
		nl = memchr(data, '\n', (size_t)(end - data));
		if (nl == NULL)
			nl = end;
		put_line(&w, data, (size_t)(nl - data));
	}
	if (frame_end(&w) == 0) {
		require(frame_decode(&f, b.data, b.len) == 0);
		compose(&f, NULL);
		remember(&f);
		answer(&f);
	}
	buf_finish(&b);
	return 0;
}
