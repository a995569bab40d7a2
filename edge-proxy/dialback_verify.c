/*
 * dialback_verify - see the header.
 *
 *   (stream of a route) ─────────────┐
 *                                    ├─► asked ─► settled ─► gone
 *   connector ─► stream of its own ──┘
 *
 * Settled comes first, by an answer, a failure, the limit, or a client that has
 * lost interest; a connection that was made for the question may take longer
 * to end, and holds what is left of it until then.
 */
#include "edge-proxy/dialback_verify.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/clock.h"
#include "common/err.h"
#include "common/log.h"
#include "edge-proxy/connector.h"
#include "edge-proxy/dane.h"
#include "edge-proxy/route_shared.h"
#include "edge-proxy/routes.h"
#include "edge-proxy/s2s_out.h"

struct verification {
	struct list link; /* in route_shared.verifications, until settled */
	struct route_shared *shared;
	struct dialback_ask *client; /* NULL once it is settled */
	struct dialback_ask ask;     /* as it was put to a stream */
	struct clock_timer limit;
	struct connector *connector; /* while connecting */
	struct s2s_out *own;         /* made for this question */

	char local[DIALBACK_DOMAIN_SIZE], remote[DIALBACK_DOMAIN_SIZE];
	char local_text[DIALBACK_DOMAIN_SIZE];
	char remote_text[DIALBACK_DOMAIN_SIZE];
	char id[DIALBACK_ID_SIZE];
	char key[DIALBACK_KEY_MAX + 1];
};

static void
destroy(struct verification *v)
{
	clock_timer_stop(&v->limit);
	dialback_ask_cancel(&v->ask);
	free(v);
}

/* The connection that counted as live has gone, and the rest with it. */
static void
end(struct verification *v)
{
	struct route_shared *shared = v->shared;

	destroy(v);
	route_shared_drop(shared);
}

/* Returns whom the question came from, if he still waits. */
static struct dialback_ask *
leave_client(struct verification *v)
{
	struct dialback_ask *client = v->client;

	if (client == NULL)
		return NULL;
	client->on_cancel = NULL;
	client->carrier = NULL;
	v->client = NULL;
	list_remove(&v->link);
	v->shared->verification_count--;
	return client;
}

/* No answer is wanted any more. */
static void
let_go(struct verification *v)
{
	leave_client(v);
	clock_timer_stop(&v->limit);
	dialback_ask_cancel(&v->ask);
	if (v->own != NULL)
		s2s_out_close(v->own, STREAM_ERR_NONE, "asked what was to ask");
	else if (v->connector != NULL)
		connector_cancel(v->connector);
	else
		destroy(v);
}

static void
settle(struct verification *v, enum dialback_type verdict, enum condition c)
{
	struct dialback_ask *client = v->client;

	if (client == NULL)
		return;
	let_go(v);
	client->on_answer(client, verdict, c);
}

static void
on_client_cancel(struct dialback_ask *client)
{
	let_go(client->carrier);
}

static void
on_limit(struct clock_timer *t, void *arg)
{
	(void)t;
	settle(arg, DIALBACK_ERROR, COND_REMOTE_SERVER_TIMEOUT);
}

static void
on_answer(struct dialback_ask *a, enum dialback_type verdict,
    enum condition condition)
{
	struct verification *v = list_entry(a, struct verification, ask);

	a->on_cancel = NULL;
	settle(v, verdict, condition);
}

/* --- a connection of its own --------------------------------------------- */

static void
on_up(struct s2s_out *s, void *arg)
{
	(void)s; /* was told to the connector */
	(void)arg;
}

static void
on_drained(struct s2s_out *s, void *arg)
{
	(void)s;
	(void)arg;
}

static void
on_end(struct s2s_out *s, const struct s2s_out_end *why,
    const struct stream_info *info, void *arg)
{
	struct verification *v = arg;

	(void)s;
	(void)why;
	(void)info;
	/* Whatever ended it has failed the question already. */
	v->own = NULL;
	end(v);
}

static const struct s2s_out_events stream_events = {
	.on_up = on_up,
	.on_drained = on_drained,
	.on_end = on_end,
};

static void
on_connector_stream(struct s2s_out *s, void *arg)
{
	struct verification *v = arg;
	int rc;

	v->connector = NULL;
	v->own = s;
	s2s_out_set_owner(s, &stream_events, v);
	rc = s2s_out_ask(s, &v->ask);
	if (rc < 0)
		settle(v, DIALBACK_ERROR, COND_RESOURCE_CONSTRAINT);
}

static void
on_connector_failed(
    const struct route_failure *f, const struct stream_info *info, void *arg)
{
	struct verification *v = arg;
	struct dialback_ask *client = leave_client(v);

	(void)info;
	/* The connector goes by itself now; nothing is left to wait for. */
	v->connector = NULL;
	if (client != NULL)
		client->on_answer(client, DIALBACK_ERROR, f->condition);
	end(v);
}

static void
on_connector_cancelled(void *arg)
{
	struct verification *v = arg;

	v->connector = NULL;
	end(v);
}

static const struct connector_events connector_events = {
	.on_stream = on_connector_stream,
	.on_failed = on_connector_failed,
	.on_cancelled = on_connector_cancelled,
};

static int
connect_to_authority(struct verification *v)
{
	const struct routes_opts *o = v->shared->opts;
	const struct connector_opts opts = {
		.loop = o->loop,
		.clock = o->clock,
		.resolver = o->resolver,
		.hosting = o->hosting,
		.identities = o->identities,
		.local = v->local,
		.remote = v->remote,
		.asks = true,
		.outgoing4 = &o->outgoing4,
		.outgoing6 = &o->outgoing6,
		.reach = o->reach,
		.dane = o->dane != NULL && o->dane->outbound,
		.make_id = o->make_id,
		.id_arg = o->arg,
		.events = &connector_events,
		.arg = v,
	};
	int rc = connector_open(&v->connector, &opts);

	if (rc == 0)
		v->shared->live++;
	return rc;
}

/* --- questions ----------------------------------------------------------- */

static void
copy_question(struct verification *v, struct dialback_ask *client)
{
	snprintf(v->local, sizeof(v->local), "%s", client->local);
	snprintf(v->remote, sizeof(v->remote), "%s", client->remote);
	snprintf(
	    v->local_text, sizeof(v->local_text), "%s", client->local_text);
	snprintf(
	    v->remote_text, sizeof(v->remote_text), "%s", client->remote_text);
	snprintf(v->id, sizeof(v->id), "%s", client->id);
	snprintf(v->key, sizeof(v->key), "%s", client->key);
	v->ask = (struct dialback_ask){
		.local = v->local,
		.remote = v->remote,
		.local_text = v->local_text,
		.remote_text = v->remote_text,
		.id = v->id,
		.key = v->key,
		.on_answer = on_answer,
	};
	list_init(&v->ask.link);
}

int
dialback_verify(struct route_shared *shared, struct s2s_out *stream,
    struct dialback_ask *client)
{
	struct verification *v;
	int rc;

	if (shared->closing)
		return ERR_CLOSED;
	if (shared->verification_count == DIALBACK_VERIFY_MAX)
		return ERR_FULL;
	v = calloc(1, sizeof(*v));
	if (v == NULL)
		return ERR_NOMEM;
	v->shared = shared;
	list_init(&v->link);
	clock_timer_init(&v->limit, shared->opts->clock, on_limit, v);
	copy_question(v, client);
	if (stream == NULL || s2s_out_ask(stream, &v->ask) < 0) {
		rc = connect_to_authority(v);
		if (rc < 0) {
			destroy(v);
			return rc;
		}
	}
	v->client = client;
	client->carrier = v;
	client->on_cancel = on_client_cancel;
	list_append(&shared->verifications, &v->link);
	shared->verification_count++;
	clock_timer_start(&v->limit, DIALBACK_VERIFY_MS);
	return 0;
}

void
dialback_verify_shut(struct route_shared *shared)
{
	/* From the head each time: who is told may withdraw others.  Settling
	 * takes it out of the list, which the analyser does not see. */
	while (shared->verification_count > 0) {
		struct list *first = shared->verifications.next;

		/* NOLINTNEXTLINE(clang-analyzer-unix.Malloc) */
		settle(list_entry(first, struct verification, link),
		    DIALBACK_ERROR, COND_REMOTE_SERVER_TIMEOUT);
	}
}
