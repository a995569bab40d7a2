/*
 * Client                          Server
 *
 *   INVITE      others              INVITE            others
 *   CALLING     TRYING              PROCEEDING        TRYING -- 100 -.
 *     | 1xx       | 1xx              | 3xx+  | 2xx     |         PROCEEDING
 *   PROCEEDING  PROCEEDING       COMPLETED  ACCEPTED   | final        | final
 *     | 2xx       | final            | ACK   | L     COMPLETED -------'
 *   ACCEPTED      |                  |       |         | J
 *     | M         |                  |       |         |
 *   TERMINATED  TERMINATED       TERMINATED ...      TERMINATED
 *
 * With timers D, I and K zero the client goes from a final answer other than
 * a 2xx to INVITE straight to TERMINATED, and the server with the ACK.
 * A timeout or a broken connection leads a client there from everywhere,
 * unless another front end gets the request: then it begins anew, with a new
 * branch.
 *
 * A transaction is freed in one place, at the end of the function that was
 * called from outside (message, timer, connection), never under a callback.
 */
#include "frontend-gateway/sip/sip_transaction.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "common/err.h"
#include "frontend-gateway/sip/sip_txn_impl.h"

#define BIT(s) (1u << (s))

static const char *const state_names[STATES] = { "start", "calling", "trying",
	"proceeding", "accepted", "completed", "terminated" };

static const unsigned moves[KINDS][STATES] = {
	[CLIENT_INVITE] = {
	    [START] = BIT(CALLING) | BIT(TERMINATED),
	    [CALLING] = BIT(PROCEEDING) | BIT(ACCEPTED) | BIT(TERMINATED) |
		BIT(START),
	    [PROCEEDING] = BIT(ACCEPTED) | BIT(TERMINATED) | BIT(START),
	    [ACCEPTED] = BIT(TERMINATED),
	},
	[CLIENT_OTHER] = {
	    [START] = BIT(TRYING) | BIT(TERMINATED),
	    [TRYING] = BIT(PROCEEDING) | BIT(TERMINATED) | BIT(START),
	    [PROCEEDING] = BIT(TERMINATED) | BIT(START),
	},
	[SERVER_INVITE] = {
	    [START] = BIT(PROCEEDING),
	    [PROCEEDING] = BIT(ACCEPTED) | BIT(COMPLETED) | BIT(TERMINATED),
	    [ACCEPTED] = BIT(TERMINATED),
	    [COMPLETED] = BIT(TERMINATED),
	},
	[SERVER_OTHER] = {
	    [START] = BIT(TRYING),
	    [TRYING] = BIT(PROCEEDING) | BIT(COMPLETED) | BIT(TERMINATED),
	    [PROCEEDING] = BIT(COMPLETED) | BIT(TERMINATED),
	    [COMPLETED] = BIT(TERMINATED),
	},
};

void
sip_timers_complete(struct sip_timers *t)
{
	const struct {
		uint32_t *value;
		uint32_t fallback;
	} rows[] = {
		{ &t->t1, 500 },
		{ &t->t2, 4000 },
		{ &t->request, 32000 },
		{ &t->invite, 90000 },
		{ &t->acknowledge, 32000 },
		{ &t->linger, 5000 },
		{ &t->trying_invite, 200 },
		{ &t->trying_request, 3500 },
		{ &t->keep_alive, 120000 },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		if (*rows[i].value == 0)
			*rows[i].value = rows[i].fallback;
}

void
sip_txns_set_state(struct sip_txn *t, enum sip_txn_state to)
{
	assert((moves[t->kind][t->state] & BIT(to)) != 0);
	log_debug(&t->set->log, "state", "from=%s to=%s", state_names[t->state],
	    state_names[to]);
	t->state = to;
}

char *
sip_txns_key(const char *const *parts, size_t count)
{
	size_t size = 1;
	char *key, *p;

	for (size_t i = 0; i < count; i++)
		size += strlen(parts[i]) + 1;
	key = malloc(size);
	if (key == NULL)
		return NULL;
	p = key;
	for (size_t i = 0; i < count; i++) {
		p = stpcpy(p, parts[i]);
		*p++ = '\n';
	}
	*p = '\0';
	return key;
}

int
sip_txns_open(struct sip_txns **out, const struct sip_txns_opts *opts)
{
	struct sip_txns *s = calloc(1, sizeof(*s));
	int rc;

	if (s == NULL)
		return ERR_NOMEM;
	s->opts = *opts;
	log_init(&s->log, "sip_transaction");
	list_init(&s->client_list);
	list_init(&s->server_list);
	rc = map_init(&s->clients);
	if (rc == 0)
		rc = map_init(&s->servers);
	if (rc == 0)
		rc = map_init(&s->merges);
	if (rc < 0) {
		map_finish(&s->clients);
		map_finish(&s->servers);
		map_finish(&s->merges);
		free(s);
		return rc;
	}
	*out = s;
	return 0;
}

void
sip_txns_close(struct sip_txns *s)
{
	LIST_FOREACH_SAFE (it, &s->client_list)
		sip_client_free(list_entry(it, struct sip_client_txn, t.node));
	LIST_FOREACH_SAFE (it, &s->server_list)
		sip_server_free(list_entry(it, struct sip_server_txn, t.node));
	map_finish(&s->clients);
	map_finish(&s->servers);
	map_finish(&s->merges);
	free(s);
}

size_t
sip_txns_client_count(const struct sip_txns *s)
{
	return s->client_count;
}

const struct sip_delays *
sip_txns_delays(const struct sip_txns *s)
{
	return &s->delays;
}

size_t
sip_txns_server_count(const struct sip_txns *s)
{
	return s->server_count;
}

bool
sip_txns_full(const struct sip_txns *s)
{
	return s->client_count + s->server_count >= s->opts.max;
}

int
sip_txns_receive(struct sip_txns *s, struct sip_msg *m, uint64_t conn)
{
	struct map_node *n;
	char *key;

	if (sip_msg_is_request(m))
		return sip_server_receive(s, m, conn);
	key = sip_client_key(sip_msg_branch(m), sip_msg_method_name(m));
	if (key == NULL)
		return ERR_NOMEM;
	n = map_get(&s->clients, key, strlen(key));
	free(key);
	if (n == NULL)
		return ERR_NOT_FOUND;
	sip_client_receive(map_entry(n, struct sip_client_txn, t.by_key), m);
	return 0;
}

void
sip_txns_each_open(struct sip_txns *s, sip_server_each_fn *fn, void *arg)
{
	struct sip_server_txn *v;

	LIST_FOREACH_SAFE (it, &s->server_list) {
		v = list_entry(it, struct sip_server_txn, t.node);
		if (v->t.state == TRYING || v->t.state == PROCEEDING)
			fn(v, arg);
	}
}
