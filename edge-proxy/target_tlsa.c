/*
 * target_tlsa - see the header.
 *
 *   signed ──► asked ──► known
 *      │          └────► refused
 *      └──► unsigned
 *
 * That servers of unsigned zones are not asked for such records is more than
 * thrift: some name servers do not answer questions of types they do not know,
 * and who asks them all the same would lose the partner.
 */
#include "edge-proxy/target_tlsa.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

#include "common/err.h"
#include "common/log.h"

enum { TLSA_MS = 10000 };

#define BIT(n) (1u << (n))

static const struct {
	const char *name;
	unsigned next;
} states[] = {
	[TARGET_UNSIGNED] = { "unsigned", 0 },
	[TARGET_SIGNED] = { "signed", BIT(TARGET_UNSIGNED) | BIT(TARGET_ASKED) |
					  BIT(TARGET_KNOWN) |
					  BIT(TARGET_REFUSED) },
	[TARGET_ASKED] = { "asked", BIT(TARGET_KNOWN) | BIT(TARGET_REFUSED) },
	[TARGET_KNOWN] = { "known", 0 },
	[TARGET_REFUSED] = { "refused", 0 },
};

/* The only place that writes t->state of a server that has begun. */
static void
set_state(struct target_tlsa *t, enum target_tlsa_state to)
{
	assert(states[t->state].next & BIT(to));
	log_debug(t->opts.log, "tlsa", "server=%s from=%s to=%s",
	    t->server->target, states[t->state].name, states[to].name);
	t->state = to;
}

void
target_tlsa_init(struct target_tlsa *t, const struct target_tlsa_opts *opts)
{
	memset(t, 0, sizeof(*t));
	t->opts = *opts;
}

void
target_tlsa_cancel(struct target_tlsa *t)
{
	if (t->query == NULL)
		return;
	resolver_cancel(t->query);
	t->query = NULL;
	set_state(t, TARGET_REFUSED);
}

void
target_tlsa_finish(struct target_tlsa *t)
{
	target_tlsa_cancel(t);
	for (size_t i = 0; i < SRV_SET_MAX; i++) {
		tlsa_set_free(t->sets[i]);
		t->sets[i] = NULL;
	}
}

void
target_tlsa_begin(
    struct target_tlsa *t, const struct dns_srv *server, size_t index)
{
	assert(index < SRV_SET_MAX && t->query == NULL);
	t->server = server;
	t->index = index;
	t->state =
	    t->opts.enabled && server->secure ? TARGET_SIGNED : TARGET_UNSIGNED;
}

/* There is an answer, or there will be none. */
static void
on_tlsa(const struct dns_answer *a, void *arg)
{
	struct target_tlsa *t = arg;
	struct tlsa_set *set = NULL;
	enum tlsa_verdict verdict = tlsa_judge(&set, a);
	bool refused = verdict == TLSA_UNKNOWN || verdict == TLSA_BOGUS;

	t->query = NULL;
	t->sets[t->index] = set;
	if (verdict == TLSA_NONE && a->count > 0)
		log_info(t->opts.log, "tlsa-ignored",
		    "server=%s records=%zu reason=%s", t->server->target,
		    a->count, a->secure ? "unusable" : "not signed");
	set_state(t, refused ? TARGET_REFUSED : TARGET_KNOWN);
	t->opts.on_known(verdict, t->opts.arg);
}

static void
ask(struct target_tlsa *t)
{
	char name[300];
	int rc;

	snprintf(name, sizeof(name), "_%u._tcp.%s", (unsigned)t->server->port,
	    t->server->target);
	rc = resolver_query(
	    &t->query, t->opts.resolver, name, DNS_TLSA, TLSA_MS, on_tlsa, t);
	if (rc == 0) {
		set_state(t, TARGET_ASKED);
		return;
	}
	log_warn(t->opts.log, "tlsa-not-asked", "server=%s error=%s",
	    t->server->target, err_str(rc));
	/* A name that is too long to be asked for has no records. */
	set_state(t, rc == ERR_MALFORMED ? TARGET_KNOWN : TARGET_REFUSED);
}

void
target_tlsa_address(struct target_tlsa *t, bool secure)
{
	if (t->state != TARGET_SIGNED)
		return;
	if (secure)
		ask(t);
	else
		set_state(t, TARGET_UNSIGNED);
}

struct dane_server
target_tlsa_of(
    const struct target_tlsa *t, const struct dns_srv *server, size_t index)
{
	struct dane_server s = { NULL, NULL };

	if (!t->opts.enabled || !server->secure)
		return s;
	s.host = server->target;
	s.tlsa = t->sets[index];
	return s;
}
