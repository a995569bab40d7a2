/*
 * ub_event_uv - see the header.
 *
 * libunbound arms an event with add: the descriptor is watched by a poll
 * handle made for this arming, the timeout by a clock timer.  An event that
 * is not persistent is disarmed before its callback runs, because the
 * callback arms it again or frees it.  del gives up the poll handle at once:
 * libunbound closes the descriptor right afterwards.
 */
#include "edge-proxy/ub_event_uv.h"

#include <stdbool.h>
#include <stdlib.h>
#include <sys/time.h>

#include <unbound.h>
#include <unbound-event.h>

#include "common/clock.h"
#include "common/err.h"

struct base {
	struct ub_event_base ub; /* first: libunbound hands it back */
	uv_loop_t *loop;
	struct clock *clock;
};

typedef void event_fn(int fd, short bits, void *arg);

struct event {
	struct ub_event ub; /* first */
	struct base *base;
	int fd;
	short bits;
	event_fn *fn;
	void *arg;
	uv_poll_t *poll; /* NULL while the descriptor is not watched */
	struct clock_timer timer;
	uint64_t timeout_ms;
};

static void
on_poll_closed(uv_handle_t *h)
{
	free(h);
}

static void
unwatch(struct event *ev)
{
	if (ev->poll == NULL)
		return;
	ev->poll->data = NULL;
	uv_close((uv_handle_t *)ev->poll, on_poll_closed);
	ev->poll = NULL;
}

static void
disarm(struct event *ev)
{
	unwatch(ev);
	clock_timer_stop(&ev->timer);
}

/* The event may be freed by its callback. */
static void
fire(struct event *ev, short bits)
{
	bool timed = clock_timer_running(&ev->timer) || bits == UB_EV_TIMEOUT;

	if ((ev->bits & UB_EV_PERSIST) == 0)
		disarm(ev);
	else if (timed)
		clock_timer_start(&ev->timer, ev->timeout_ms);
	ev->fn(ev->fd, bits, ev->arg);
}

static void
on_poll(uv_poll_t *h, int status, int events)
{
	struct event *ev = h->data;
	short bits = 0;

	if (ev == NULL)
		return;
	/* An error shows itself when libunbound reads or writes. */
	if (status < 0 || (events & UV_READABLE) != 0)
		bits |= UB_EV_READ;
	if (status < 0 || (events & UV_WRITABLE) != 0)
		bits |= UB_EV_WRITE;
	bits &= ev->bits;
	if (bits != 0)
		fire(ev, bits);
}

static void
on_timeout(struct clock_timer *t, void *arg)
{
	(void)t;
	fire(arg, UB_EV_TIMEOUT);
}

static int
watch(struct event *ev)
{
	int events = 0;

	if ((ev->bits & UB_EV_READ) != 0)
		events |= UV_READABLE;
	if ((ev->bits & UB_EV_WRITE) != 0)
		events |= UV_WRITABLE;
	if (events == 0 || ev->fd < 0)
		return 0;
	ev->poll = calloc(1, sizeof(*ev->poll));
	if (ev->poll == NULL)
		return -1;
	if (uv_poll_init(ev->base->loop, ev->poll, ev->fd) < 0) {
		free(ev->poll);
		ev->poll = NULL;
		return -1;
	}
	ev->poll->data = ev;
	if (uv_poll_start(ev->poll, events, on_poll) < 0) {
		unwatch(ev);
		return -1;
	}
	return 0;
}

static void
start_timer(struct event *ev, const struct timeval *tv)
{
	ev->timeout_ms =
	    (uint64_t)tv->tv_sec * 1000 + ((uint64_t)tv->tv_usec + 999) / 1000;
	clock_timer_start(&ev->timer, ev->timeout_ms);
}

static void
event_add_bits(struct ub_event *ub, short bits)
{
	((struct event *)ub)->bits |= bits;
}

static void
event_del_bits(struct ub_event *ub, short bits)
{
	((struct event *)ub)->bits &= (short)~bits;
}

static void
event_set_fd(struct ub_event *ub, int fd)
{
	((struct event *)ub)->fd = fd;
}

static void
event_free(struct ub_event *ub)
{
	struct event *ev = (struct event *)ub;

	disarm(ev);
	free(ev);
}

static int
event_add(struct ub_event *ub, struct timeval *tv)
{
	struct event *ev = (struct event *)ub;

	disarm(ev);
	if (watch(ev) < 0)
		return -1;
	if (tv != NULL)
		start_timer(ev, tv);
	return 0;
}

static int
event_del(struct ub_event *ub)
{
	disarm((struct event *)ub);
	return 0;
}

static int
event_add_timer(struct ub_event *ub, struct ub_event_base *base,
    void (*cb)(int, short, void *), void *arg, struct timeval *tv)
{
	struct event *ev = (struct event *)ub;

	(void)base;
	ev->fn = cb;
	ev->arg = arg;
	ev->bits |= UB_EV_TIMEOUT;
	start_timer(ev, tv);
	return 0;
}

static int
event_del_timer(struct ub_event *ub)
{
	clock_timer_stop(&((struct event *)ub)->timer);
	return 0;
}

/* Signals and sockets of another system: libunbound calls none of these in
 * event mode, the table just has to be full. */
static int
event_no_signal(struct ub_event *ub, struct timeval *tv)
{
	(void)ub;
	(void)tv;
	return -1;
}

static int
event_no_del_signal(struct ub_event *ub)
{
	(void)ub;
	return -1;
}

static void
event_no_unregister(struct ub_event *ub)
{
	(void)ub;
}

static void
event_no_wouldblock(struct ub_event *ub, int bit)
{
	(void)ub;
	(void)bit;
}

static struct ub_event_vmt event_table = {
	.add_bits = event_add_bits,
	.del_bits = event_del_bits,
	.set_fd = event_set_fd,
	.free = event_free,
	.add = event_add,
	.del = event_del,
	.add_timer = event_add_timer,
	.del_timer = event_del_timer,
	.add_signal = event_no_signal,
	.del_signal = event_no_del_signal,
	.winsock_unregister_wsaevent = event_no_unregister,
	.winsock_tcp_wouldblock = event_no_wouldblock,
};

static struct ub_event *
base_new_event(struct ub_event_base *ub, int fd, short bits,
    void (*cb)(int, short, void *), void *arg)
{
	struct base *base = (struct base *)ub;
	struct event *ev;

	ev = calloc(1, sizeof(*ev));
	if (ev == NULL)
		return NULL;
	ev->ub.magic = UB_EVENT_MAGIC;
	ev->ub.vmt = &event_table;
	ev->base = base;
	ev->fd = fd;
	ev->bits = bits;
	ev->fn = cb;
	ev->arg = arg;
	clock_timer_init(&ev->timer, base->clock, on_timeout, ev);
	return &ev->ub;
}

static struct ub_event *
base_no_signal(
    struct ub_event_base *ub, int fd, void (*cb)(int, short, void *), void *arg)
{
	(void)ub;
	(void)fd;
	(void)cb;
	(void)arg;
	return NULL;
}

static struct ub_event *
base_no_wsaevent(struct ub_event_base *ub, void *wsaevent,
    void (*cb)(int, short, void *), void *arg)
{
	(void)ub;
	(void)wsaevent;
	(void)cb;
	(void)arg;
	return NULL;
}

static void
base_no_free(struct ub_event_base *ub)
{
	(void)ub;
}

static int
base_no_dispatch(struct ub_event_base *ub)
{
	(void)ub;
	return -1;
}

static int
base_no_loopexit(struct ub_event_base *ub, struct timeval *tv)
{
	(void)ub;
	(void)tv;
	return -1;
}

static struct ub_event_base_vmt base_table = {
	.free = base_no_free,
	.dispatch = base_no_dispatch,
	.loopexit = base_no_loopexit,
	.new_event = base_new_event,
	.new_signal = base_no_signal,
	.winsock_register_wsaevent = base_no_wsaevent,
};

int
ub_event_uv_new(
    struct ub_event_base **out, uv_loop_t *loop, struct clock *clock)
{
	struct base *base;

	base = calloc(1, sizeof(*base));
	if (base == NULL)
		return ERR_NOMEM;
	base->ub.magic = UB_EVENT_MAGIC;
	base->ub.vmt = &base_table;
	base->loop = loop;
	base->clock = clock;
	*out = &base->ub;
	return 0;
}

void
ub_event_uv_free(struct ub_event_base *base)
{
	free(base);
}
