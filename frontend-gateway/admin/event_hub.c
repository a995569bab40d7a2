#include "frontend-gateway/admin/event_hub.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/clock.h"
#include "common/err.h"
#include "common/list.h"
#include "common/random.h"
#include "frontend-gateway/admin/sse.h"

enum { BOOT_BYTES = 4, ID_SIZE = 2 * BOOT_BYTES + 22, LOOK_MS = 5000 };

struct kept {
	const char *event;
	char *data; /* NULL = lost */
};

struct listener {
	struct list link;
	struct event_hub *hub;
	struct sse *sse;
	char owner[EVENT_HUB_OWNER_SIZE];
};

struct event_hub {
	struct clock *clock;
	event_hub_may_fn *may;
	void *may_arg;
	struct clock_timer look; /* runs while somebody listens */
	struct list listeners;
	size_t count;
	/* Numbers are of this run of the daemon. */
	char boot[2 * BOOT_BYTES + 1];
	uint64_t next; /* number, from 1 */
	struct kept kept[EVENT_HUB_KEPT];
};

size_t
event_hub_count(const struct event_hub *h)
{
	return h->count;
}

/* --- telling --------------------------------------------------------------- */

static void
write_id(char out[static ID_SIZE], const struct event_hub *h, uint64_t number)
{
	snprintf(out, ID_SIZE, "%s-%" PRIu64, h->boot, number);
}

static void
send_kept(const struct event_hub *h, struct sse *sse, uint64_t number)
{
	const struct kept *k = &h->kept[number % EVENT_HUB_KEPT];
	char id[ID_SIZE];

	write_id(id, h, number);
	if (k->data != NULL)
		sse_send(sse, id, k->event, k->data);
	else
		sse_send(sse, id, "missed", "{\"count\":1}");
}

/* When it happened belongs to it. */
static char *
text_of(const struct event_hub *h, json_t *data)
{
	char *text = NULL;

	if (data != NULL &&
	    json_object_set_new(data, "at_ms",
		json_integer((json_int_t)clock_wall_ms(h->clock))) == 0)
		text = json_dumps(data, JSON_COMPACT);
	json_decref(data);
	return text;
}

/* What is sent behind a cut goes nowhere. */
static void
cut_expired(struct event_hub *h)
{
	LIST_FOREACH_SAFE (it, &h->listeners) {
		struct listener *l = list_entry(it, struct listener, link);

		if (l->owner[0] != '\0' && !h->may(l->owner, h->may_arg))
			sse_cut(l->sse, "the token has expired");
	}
}

/* Nothing may happen for long: a token ends in silence as well. */
static void
on_look(struct clock_timer *t, void *arg)
{
	struct event_hub *h = arg;

	(void)t;
	cut_expired(h);
	if (h->count > 0)
		clock_timer_start(&h->look, LOOK_MS);
}

void
event_hub_tell(struct event_hub *h, const char *event, json_t *data)
{
	const uint64_t number = h->next++;
	struct kept *k = &h->kept[number % EVENT_HUB_KEPT];

	free(k->data);
	k->event = event;
	k->data = text_of(h, data);
	cut_expired(h);
	LIST_FOREACH_SAFE (it, &h->listeners)
		send_kept(
		    h, list_entry(it, struct listener, link)->sse, number);
}

/* --- life ---------------------------------------------------------------- */

int
event_hub_new(struct event_hub **out, struct clock *clock,
    event_hub_may_fn *may, void *arg)
{
	struct event_hub *h = calloc(1, sizeof(*h));

	if (h == NULL)
		return ERR_NOMEM;
	h->clock = clock;
	h->may = may;
	h->may_arg = arg;
	h->next = 1;
	random_hex(h->boot, BOOT_BYTES);
	clock_timer_init(&h->look, clock, on_look, h);
	list_init(&h->listeners);
	*out = h;
	return 0;
}

void
event_hub_free(struct event_hub *h)
{
	if (h == NULL)
		return;
	assert(h->count == 0);
	clock_timer_stop(&h->look);
	for (size_t i = 0; i < EVENT_HUB_KEPT; i++)
		free(h->kept[i].data);
	free(h);
}

/* --- listeners ------------------------------------------------------------- */

static void
on_end(struct sse *s, void *arg)
{
	struct listener *l = arg;

	(void)s;
	l->hub->count--;
	list_remove(&l->link);
	free(l);
}

/* The number in an id of this run. */
static bool
read_id(uint64_t *out, const struct event_hub *h, const char *id)
{
	const size_t len = strlen(h->boot);
	uint64_t number;
	char *end;

	if (strncmp(id, h->boot, len) != 0 || id[len] != '-' ||
	    id[len + 1] < '0' || id[len + 1] > '9')
		return false;
	number = strtoull(id + len + 1, &end, 10);
	if (*end != '\0' || number >= h->next)
		return false;
	*out = number;
	return true;
}

/* What he has not seen, as far as it is still there. */
static void
send_missed(const struct event_hub *h, struct sse *sse, const char *last)
{
	const uint64_t oldest =
	    h->next > EVENT_HUB_KEPT ? h->next - EVENT_HUB_KEPT : 1;
	uint64_t seen;
	char text[64];

	if (!read_id(&seen, h, last)) {
		sse_send(sse, NULL, "missed", "{\"count\":null}");
		return;
	}
	if (seen + 1 < oldest) {
		snprintf(text, sizeof(text), "{\"count\":%" PRIu64 "}",
		    oldest - seen - 1);
		sse_send(sse, NULL, "missed", text);
	}
	for (uint64_t n = seen + 1 > oldest ? seen + 1 : oldest; n < h->next;
	     n++)
		send_kept(h, sse, n);
}

int
event_hub_join(struct event_hub *h, struct http_call *call, const char *owner,
    const char *last)
{
	struct listener *l;
	char id[ID_SIZE];
	int rc;

	if (h->count == EVENT_HUB_LISTENERS)
		return ERR_FULL;
	l = calloc(1, sizeof(*l));
	if (l == NULL)
		return ERR_NOMEM;
	l->hub = h;
	snprintf(l->owner, sizeof(l->owner), "%s", owner);
	if (h->count++ == 0)
		clock_timer_start(&h->look, LOOK_MS);
	list_append(&h->listeners, &l->link);
	rc = sse_open(&l->sse, call, h->clock, on_end, l);
	if (rc < 0) {
		on_end(NULL, l);
		return rc;
	}
	if (last != NULL) {
		send_missed(h, l->sse, last);
	} else {
		/* From here on he can come back. */
		write_id(id, h, h->next - 1);
		sse_send(l->sse, id, "ready", "{}");
	}
	return 0;
}

void
event_hub_drop(struct event_hub *h, const char *owner)
{
	LIST_FOREACH_SAFE (it, &h->listeners) {
		struct listener *l = list_entry(it, struct listener, link);

		if (strcmp(l->owner, owner) == 0)
			sse_cut(l->sse, "the token is no more");
	}
}
