/*
 * The front ends.  Each has as many connections of ours as the configuration
 * says; what is missing is dialled again after a pause that grows, and a
 * second one only when the first has shown that there is somebody.
 */
#include "frontend-gateway/sip/sip_transport_impl.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "common/err.h"

enum { SETTLED_MS = 10000 /* a connection that lived this long was good */ };

/* The first is for a front end that was there a moment ago: it may be back in
 * no time.  Both counts of struct sip_peer lead on from there. */
static const unsigned retry_ms[] = { 100, 1000, 2000, 5000, 10000, 30000 };
enum { RETRIES = sizeof(retry_ms) / sizeof(retry_ms[0]) };

/* --- health ------------------------------------------------------------- */

void
sip_peer_tell(struct sip_peer *p, enum sip_health_state before)
{
	const struct sip_health *h = &p->health;
	uint64_t now = clock_now_ms(p->t->opts.clock);
	uint64_t rest = sip_health_rest_ms(h, now);

	/* One who rests may ask for more: the timer follows. */
	if (h->state == SIP_HEALTH_RESTING)
		clock_timer_start(&p->rest, rest);
	else
		clock_timer_stop(&p->rest);
	if (h->state == before)
		return;
	if (h->state == SIP_HEALTH_SERVING)
		log_info(&p->t->log, "front-end", "name=%s from=%s to=%s",
		    p->name, sip_health_str(before), sip_health_str(h->state));
	else
		log_warn(&p->t->log, "front-end",
		    "name=%s from=%s to=%s reason=%s rest_ms=%llu", p->name,
		    sip_health_str(before), sip_health_str(h->state),
		    h->failure, (unsigned long long)rest);
}

static void
on_rest(struct clock_timer *timer, void *arg)
{
	struct sip_peer *p = arg;
	enum sip_health_state before = p->health.state;

	(void)timer;
	sip_health_tick(&p->health, clock_now_ms(p->t->opts.clock));
	sip_peer_tell(p, before);
}

/* --- connecting --------------------------------------------------------- */

static void
retry_later(struct sip_peer *p)
{
	unsigned step = p->failures > p->brief ? p->failures : p->brief;

	p->retry_at_ms = clock_now_ms(p->t->opts.clock) + retry_ms[step];
	clock_timer_start(&p->retry, retry_ms[step]);
}

static void
retry_failed(struct sip_peer *p)
{
	if (p->failures + 1 < RETRIES)
		p->failures++;
	retry_later(p);
}

/* A front end that accepts and hangs up at once is one of those that are asked
 * less and less; one that was restarted is not. */
static void
retry_lost(struct sip_peer *p, uint64_t lived_ms)
{
	if (lived_ms >= SETTLED_MS)
		p->brief = 0;
	retry_later(p);
	if (lived_ms < SETTLED_MS && p->brief + 1 < RETRIES)
		p->brief++;
}

void
sip_peer_on_up(struct sip_peer *p)
{
	enum sip_health_state before = p->health.state;

	p->failures = 0;
	if (++p->up == 1) {
		sip_health_up(&p->health, clock_now_ms(p->t->opts.clock));
		sip_peer_tell(p, before);
		sip_peer_dial(p);
	}
}

void
sip_peer_on_lost(struct sip_peer *p, const struct sip_link *l, const char *why)
{
	enum sip_health_state before = p->health.state;
	uint64_t now = clock_now_ms(p->t->opts.clock);

	assert(p->own > 0 && (!l->proven || p->up > 0));
	p->own--;
	if (l->proven)
		p->up--;
	if (p->t->closing)
		return;
	if (l->proven && p->up == 0)
		sip_health_down(&p->health, now, why);
	else
		sip_health_failed(&p->health, now, why);
	sip_peer_tell(p, before);
	if (l->proven)
		retry_lost(p, now - l->since_ms);
	else
		retry_failed(p);
}

void
sip_peer_dial(struct sip_peer *p)
{
	size_t want = p->up > 0 ? p->t->opts.connections : 1;
	int rc;

	p->retry_at_ms = 0;
	clock_timer_stop(&p->retry);
	while (p->own < want) {
		rc = sip_link_dial(p);
		if (rc < 0) {
			log_warn(&p->t->log, "connect-failed",
			    "name=%s error=%s", p->name, err_str(rc));
			sip_health_failed(&p->health,
			    clock_now_ms(p->t->opts.clock), err_str(rc));
			retry_failed(p);
			return;
		}
		p->own++;
	}
}

static void
on_retry(struct clock_timer *timer, void *arg)
{
	(void)timer;
	sip_peer_dial(arg);
}

/* --- who there is ------------------------------------------------------- */

struct sip_peer *
sip_peer_add(struct sip_transport *t, size_t index, const char *name,
    const struct sockaddr_storage *address)
{
	struct sip_peer *p = calloc(1, sizeof(*p));

	assert(t->peers[index] == NULL);
	if (p == NULL)
		return NULL;
	p->t = t;
	p->index = index;
	p->wanted = true;
	p->name = strdup(name);
	if (p->name == NULL) {
		free(p);
		return NULL;
	}
	for (char *c = p->name; *c != '\0'; c++)
		if (*c >= 'A' && *c <= 'Z')
			*c = (char)(*c - 'A' + 'a');
	if (address != NULL) {
		p->address = *address;
		p->dialled = true;
	}
	clock_timer_init(&p->retry, t->opts.clock, on_retry, p);
	clock_timer_init(&p->rest, t->opts.clock, on_rest, p);
	sip_health_init(&p->health, clock_now_ms(t->opts.clock));
	t->peers[index] = p;
	return p;
}

void
sip_peer_free(struct sip_peer *p)
{
	if (p == NULL)
		return;
	clock_timer_stop(&p->retry);
	clock_timer_stop(&p->rest);
	free(p->name);
	free(p);
}

void
sip_peer_list_names(struct sip_transport *t)
{
	t->peer_count = 0;
	for (size_t i = 1; i <= SIP_PEERS_MAX; i++) {
		struct sip_peer *p = t->peers[i % SIP_PEERS_MAX];

		if (p == NULL)
			continue;
		t->names[t->peer_count] = p->name;
		t->named[t->peer_count++] = p;
	}
}

static struct sip_peer *
find_front_end(const struct sip_transport *t, const char *name)
{
	for (size_t i = 1; i < SIP_PEERS_MAX; i++)
		if (t->peers[i] != NULL &&
		    strcasecmp(t->peers[i]->name, name) == 0)
			return t->peers[i];
	return NULL;
}

static size_t
free_index(const struct sip_transport *t)
{
	size_t i = 1;

	while (t->peers[i] != NULL)
		i++;
	return i;
}

static void
remove_peer(struct sip_peer *p)
{
	struct sip_transport *t = p->t;

	log_info(&t->log, "front-end-removed", "name=%s", p->name);
	t->peers[p->index] = NULL;
	sip_peer_list_names(t);
	LIST_FOREACH_SAFE (it, &t->links) {
		struct sip_link *l = list_entry(it, struct sip_link, node);

		if (l->peer == p)
			sip_link_drop(l, "front end removed");
	}
	sip_peer_free(p);
}

/* The same front end, elsewhere. */
static void
move_peer(struct sip_peer *p, const struct sockaddr_storage *address)
{
	if (memcmp(&p->address, address, sizeof(*address)) == 0)
		return;
	log_info(&p->t->log, "front-end-moved", "name=%s", p->name);
	p->address = *address;
	p->failures = p->brief = 0;
	if (p->own == 0)
		retry_later(p);
	LIST_FOREACH_SAFE (it, &p->t->links) {
		struct sip_link *l = list_entry(it, struct sip_link, node);

		if (l->peer == p && l->outgoing)
			sip_link_drop(l, "front end moved"); /* dials anew */
	}
}

int
sip_transport_set_front_ends(struct sip_transport *t,
    const struct sip_front_end *front_ends, size_t count)
{
	struct sip_peer *p;
	int rc = 0;

	assert(!t->closing && count <= SIP_FRONT_ENDS_MAX);
	for (size_t i = 1; i < SIP_PEERS_MAX; i++)
		if (t->peers[i] != NULL)
			t->peers[i]->wanted = false;
	for (size_t i = 0; i < count; i++) {
		p = find_front_end(t, front_ends[i].name);
		if (p != NULL)
			p->wanted = true;
	}
	/* First those that go, for their places. */
	for (size_t i = 1; i < SIP_PEERS_MAX; i++)
		if (t->peers[i] != NULL && !t->peers[i]->wanted)
			remove_peer(t->peers[i]);
	for (size_t i = 0; i < count; i++) {
		p = find_front_end(t, front_ends[i].name);
		if (p != NULL) {
			move_peer(p, &front_ends[i].address);
			continue;
		}
		p = sip_peer_add(t, free_index(t), front_ends[i].name,
		    &front_ends[i].address);
		if (p == NULL) {
			rc = ERR_NOMEM;
			continue;
		}
		log_info(&t->log, "front-end-added", "name=%s", p->name);
		sip_peer_list_names(t);
		sip_peer_dial(p);
	}
	return rc;
}
