/* A byte stream from the pool into sip_frame and what it cuts into sip_msg,
 * in two feeds: the first byte says where the cut is, unless a method or a
 * version begins with it, as in tests/torture-messages.  Every message
 * without defect must survive being answered and read again. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "common/buf.h"
#include "frontend-gateway/sip/sip_build.h"
#include "frontend-gateway/sip/sip_dialog.h"
#include "frontend-gateway/sip/sip_frame.h"
#include "frontend-gateway/sip/sip_msg.h"
#include "frontend-gateway/sip/sip_session.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
require(int truth)
{
	if (!truth)
		abort();
}

/* The answer must be framed and read as one message with the same Via. */
static void
read_back(const struct buf *text, const struct sip_msg *request)
{
	struct sip_frame_item item;
	struct sip_frame f;
	struct sip_msg *m;

	sip_frame_init(&f, NULL);
	require(sip_frame_feed(&f, text->data, text->len) == 0);
	require(sip_frame_next(&f, &item) == 0);
	require(item.kind == SIP_FRAME_MESSAGE);
	require(item.head_len + item.body_len == text->len);
	require(sip_msg_parse(&m, item.head, item.head_len, item.body,
		    item.body_len) == 0);
	require(!sip_msg_is_request(m));
	require(strcmp(sip_msg_top_via(m), sip_msg_top_via(request)) == 0);
	require(strcmp(sip_msg_call_id(m), sip_msg_call_id(request)) == 0);
	sip_msg_free(m);
	sip_frame_finish(&f);
}

/* Whatever is said of time limits, what is agreed to can be kept. */
static void
agree(const struct sip_msg *m)
{
	struct sip_session s = { 0 };
	char value[SIP_SESSION_VALUE_SIZE];

	if (!sip_msg_is_request(m))
		sip_session_answered(&s, m, true);
	else if (sip_session_answer(&s, m, true) != 0)
		require(s.interval_s == 0);
	require(s.interval_s == 0 || (s.interval_s >= SIP_SESSION_MIN_S &&
					 s.interval_s <= SIP_SESSION_MAX_S));
	require(s.interval_s == 0 ||
		sip_session_refresh_ms(&s) < sip_session_end_ms(&s));
	sip_session_value(value, &s, true);
	require(strlen(value) < sizeof(value) - 1);
	require(sip_session_min_of(m) <= SIP_SESSION_MAX_S);
}

static void
use(const struct sip_frame_item *item)
{
	struct sip_build_response r = { .status = 200, .to_tag = "t" };
	struct sip_dialog d;
	struct sip_msg *m;
	struct buf out;

	if (sip_msg_parse(
		&m, item->head, item->head_len, item->body, item->body_len) < 0)
		return;
	if (sip_msg_is_request(m) && sip_msg_defect(m, NULL) == 0) {
		r.request = m;
		buf_init(&out, 0);
		require(sip_build_response(&out, &r) == 0);
		read_back(&out, m);
		buf_finish(&out);
		if (sip_dialog_init_uas(&d, m, "t") == 0) {
			(void)sip_dialog_refresh(&d, m);
			sip_dialog_finish(&d);
		}
	}
	(void)sip_msg_lists(m, "Supported", "x");
	agree(m);
	sip_msg_free(m);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const struct sip_frame_limits limits = { .body_max = 4096,
		.skip_max = 65536 };
	struct sip_frame_item item;
	struct sip_frame f;
	size_t cut[3];

	if (size == 0)
		return 0;
	cut[0] = data[0] >= 'A' && data[0] <= 'Z' ? 0 : 1;
	cut[1] = cut[0] + (size - cut[0]) * data[0] / 255;
	cut[2] = size;
	sip_frame_init(&f, &limits);
	for (int i = 0; i < 2; i++) {
		if (sip_frame_feed(&f, data + cut[i], cut[i + 1] - cut[i]) < 0)
			break;
		while (sip_frame_next(&f, &item) == 0 &&
		       item.kind != SIP_FRAME_NONE)
			if (item.kind != SIP_FRAME_PING)
				use(&item);
	}
	sip_frame_finish(&f);
	return 0;
}
