/* Images of subscriptions as a damaged store might give them back.  What is
 * taken must work: be refreshed or notified in, saved, and taken again. */
#include <stdint.h>

#include "common/buf.h"
#include "common/log.h"
#include "frontend-gateway/sip/sip_notifier.h"
#include "frontend-gateway/sip/sip_subscriber.h"

#include "tests/unit/sip_wire.inc"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
require(bool truth)
{
	if (!truth)
		abort();
}

static void
wire_on_request(struct sip_ua *ua, struct sip_server_txn *st,
    const struct sip_msg *req, struct sip_dialog *d, void *arg)
{
	(void)ua;
	(void)st;
	(void)req;
	(void)d;
	(void)arg;
	abort();
}

static void
on_over(
    struct sip_subscriber *s, const struct sip_subscriber_over *over, void *arg)
{
	(void)s;
	(void)over;
	(void)arg;
}

static void
on_end(struct sip_notifier *n, enum sip_notifier_why why, void *arg)
{
	(void)n;
	(void)why;
	(void)arg;
}

static int
on_notice(struct sip_subscriber *s, const struct sip_notice *notice, void *arg)
{
	(void)s;
	(void)notice;
	(void)arg;
	return 200;
}

static void
on_refresh(struct sip_notifier *n, const struct sip_msg *req,
    uint32_t expires_s, void *arg)
{
	(void)n;
	(void)req;
	(void)expires_s;
	(void)arg;
}

static const struct sip_subscriber_events subscriber_events = {
	.on_notice = on_notice,
	.on_over = on_over,
};

static const struct sip_notifier_events notifier_events = {
	.on_refresh = on_refresh,
	.on_end = on_end,
};

static void
as_subscriber(struct buf *again, const uint8_t *data, size_t size)
{
	const struct sip_subscriber_opts o = { .clock = wire_clock,
		.accept = "application/pidf+xml",
		.events = &subscriber_events };
	struct sip_subscriber *s;

	if (sip_subscriber_restore(&s, wire_ua, &o, data, size) < 0)
		return;
	require(sip_subscriber_save(again, s) == 0);
	require(sip_subscriber_refresh(s) == 0);
	sip_subscriber_drop(s);
	require(sip_subscriber_restore(
		    &s, wire_ua, &o, again->data, again->len) == 0);
	sip_subscriber_end(s);
}

static void
as_notifier(struct buf *again, const uint8_t *data, size_t size)
{
	const struct sip_notifier_opts o = { .clock = wire_clock,
		.events = &notifier_events };
	struct sip_notifier *n;

	if (sip_notifier_restore(&n, wire_ua, &o, data, size) < 0)
		return;
	require(sip_notifier_save(again, n) == 0);
	require(sip_notifier_notify(n, SIP_SUB_ACTIVE, "a/b", "x", 1) == 0);
	sip_notifier_drop(n);
	require(sip_notifier_restore(
		    &n, wire_ua, &o, again->data, again->len) == 0);
	sip_notifier_end(n, SIP_SUB_TIMEOUT, 0, NULL, NULL, 0);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct buf again;

	log_set_fd(-1);
	wire_open();
	buf_init(&again, 0);
	as_subscriber(&again, data, size);
	buf_clear(&again);
	as_notifier(&again, data, size);
	wire_close();
	buf_finish(&again);
	return 0;
}
