/*
 * A pair is named by both bare JIDs with NUL between; conversations come and
 * go with the first and the last thing there is to do for a pair.
 *
 * Order of the checks, outward: method, content, addresses, policy, room.
 */
#include "frontend-gateway/conversation/conversations_impl.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/buf.h"
#include "common/clock.h"
#include "common/err.h"
#include "common/jid.h"
#include "common/log_limit.h"
#include "frontend-gateway/conversation/conversation.h"
#include "frontend-gateway/conversation/duplicates.h"
#include "frontend-gateway/conversation/outward.h"
#include "frontend-gateway/conversation/said.h"
#include "frontend-gateway/conversation/refusal.h"
#include "frontend-gateway/gateway_conf.h"
#include "frontend-gateway/sip/sip_sdp.h"
#include "frontend-gateway/translate/address.h"
#include "frontend-gateway/translate/body.h"
#include "frontend-gateway/translate/errors.h"
#include "proto/channel.h"
#include "proto/frame.h"

/* Both bare JIDs with their NULs. */
struct pair_key {
	char bytes[2 * (JID_MAX + 1)];
	size_t len;
};

/* --- the table ---------------------------------------------------------- */

static void
make_key(struct pair_key *k, const char *user, const char *contact)
{
	size_t ulen = strlen(user) + 1, clen = strlen(contact) + 1;

	assert(ulen + clen <= sizeof(k->bytes));
	memcpy(k->bytes, user, ulen);
	memcpy(k->bytes + ulen, contact, clen);
	k->len = ulen + clen;
}

struct conversations_entry *
conversations_find_entry(
    const struct conversations *cs, const char *user, const char *contact)
{
	struct pair_key key;
	struct map_node *n;

	make_key(&key, user, contact);
	n = map_get(&cs->pairs, key.bytes, key.len);
	return n == NULL ? NULL
			 : map_entry(n, struct conversations_entry, node);
}

struct conversation *
conversations_find(
    const struct conversations *cs, const char *user, const char *contact)
{
	struct conversations_entry *e =
	    conversations_find_entry(cs, user, contact);

	return e != NULL ? e->conversation : NULL;
}

static void
drop_entry(struct conversations *cs, struct conversations_entry *e)
{
	map_remove(&cs->pairs, &e->node);
	list_remove(&e->forbidden);
	conversation_free(e->conversation);
	free(e);
}

static void
on_unused(struct conversation *c, void *arg)
{
	struct conversations *cs = arg;
	struct conversations_entry *e = conversations_find_entry(
	    cs, conversation_user(c), conversation_contact(c));

	assert(e != NULL && e->conversation == c);
	drop_entry(cs, e);
}

int
conversations_get(struct conversation **out, struct conversations *cs,
    const struct jid *user, const struct jid *contact)
{
	struct conversations_entry *e =
	    conversations_find_entry(cs, user->bare, contact->bare);
	struct pair_key key;
	int rc;

	if (e != NULL) {
		*out = e->conversation;
		return 0;
	}
	if (cs->pairs.count >= cs->opts.conf->limits.conversations)
		return ERR_FULL;
	make_key(&key, user->bare, contact->bare);
	e = malloc(sizeof(*e) + key.len);
	if (e == NULL)
		return ERR_NOMEM;
	memset(e, 0, sizeof(*e));
	list_init(&e->forbidden);
	e->len = key.len;
	memcpy(e->key, key.bytes, key.len);
	rc = conversation_new(&e->conversation, &cs->env, user, contact);
	if (rc < 0) {
		free(e);
		return rc;
	}
	rc = map_put(&cs->pairs, &e->node, e->key, e->len);
	assert(rc == 0);
	*out = e->conversation;
	return 0;
}

/* --- from the edges ------------------------------------------------------- */

/* News of any of his resources end the preference for one (RFC 6121 5.1). */
void
conversations_on_presence(struct conversations *cs, const struct frame *f,
    const struct guard_addresses *who)
{
	struct conversations_entry *e;

	if (cs->stopping || (!frame_is(f, FIELD_KIND, "unavailable") &&
				!frame_is(f, FIELD_KIND, "available")))
		return;
	e = conversations_find_entry(cs, who->to.bare, who->from.bare);
	if (e != NULL)
		conversation_unlock(e->conversation);
}

void
conversations_on_stanza(struct conversations *cs, struct edges_ticket ticket,
    const struct frame *f, const struct guard_addresses *who,
    const struct edges_stream *stream)
{
	/* What is not answered is given to the next start. */
	if (cs->stopping && !frame_is(f, FIELD_KIND, "error"))
		return;
	if (frame_is(f, FIELD_KIND, "error"))
		conversations_bounces_take(cs, ticket, f, who);
	else
		conversations_inward_message(cs, ticket, f, who, stream);
}

void
conversations_on_lost(struct conversations *cs, unsigned edge)
{
	outwards_edge_lost(cs->outwards, edge);
}

void
conversations_on_renewed(struct conversations *cs, unsigned edge)
{
	outwards_edge_renewed(cs->outwards, edge);
}

/* --- from the pool -------------------------------------------------------- */

static void
refuse_because(struct conversations *cs, struct sip_server_txn *st,
    const struct sip_msg *req, const struct policy_refusal *why)
{
	struct refusal r;
	int rc;

	refusal_make_because(&r, why, cs->opts.conf->sip.fqdn);
	log_limited_info(&cs->log, sip_msg_from_uri(req), "refused",
	    "method=%s from=%s uri=%s status=%d diagnostics=%u reason=%s "
	    "policy=%s",
	    sip_msg_method_name(req), sip_msg_from_uri(req), sip_msg_uri(req),
	    r.answer.status, r.answer.diagnostics, r.reason, why->policy);
	rc = sip_ua_respond(cs->opts.ua, st, &r.answer);
	if (rc < 0)
		log_warn(&cs->log, "not-answered", "error=%s", err_str(rc));
}

static void
refuse(struct conversations *cs, struct sip_server_txn *st,
    const struct sip_msg *req, enum errors_cause cause)
{
	const struct policy_refusal why = {
		.cause = cause, .detail = "", .policy = ""
	};

	refuse_because(cs, st, req, &why);
}

/* 0, or ERR_DENIED with the cause. */
static int
read_pair(struct policy_refusal *why, struct jid *user, struct jid *contact,
    const struct sip_msg *req)
{
	const char *from = sip_msg_from_uri(req), *to = sip_msg_uri(req);
	int status;

	*why = (struct policy_refusal){ .detail = "", .policy = "" };
	status = address_from_sip(contact, to, strlen(to));
	if (status == 0)
		status = address_from_sip(user, from, strlen(from));
	if (status != 0) {
		why->cause = errors_address_cause(status);
		return ERR_DENIED;
	}
	if (contact->local == NULL || user->local == NULL) {
		why->cause = ERRORS_ADDRESS_UNKNOWN;
		return ERR_DENIED;
	}
	return 0;
}

/* Policy first, for what the invitation is to; then what is beyond a chat
 * whoever asks for it.  0 or negative with the cause. */
static int
judge_invite(struct conversations *cs, struct policy_refusal *why,
    struct policy_outward *o, const struct sip_msg *req)
{
	struct sip_sdp *offer = malloc(sizeof(*offer));
	enum errors_cause cause;
	int rc;

	if (offer == NULL) {
		why->cause = ERRORS_INTERNAL;
		return ERR_NOMEM;
	}
	cause = refusal_of(offer, req);
	o->use = refusal_use(cause, offer);
	free(offer);
	rc = policy_judge_outward(cs->opts.policy, why, o);
	if (rc < 0 || cause == ERRORS_CAUSE_COUNT)
		return rc;
	why->cause = cause;
	return ERR_UNSUPPORTED;
}

/* Reads both addresses and asks policy.  0, or negative with the cause. */
static int
judge(struct conversations *cs, struct policy_refusal *why, struct jid *user,
    struct jid *contact, const struct sip_msg *req)
{
	struct policy_outward o = { .use = RIGHTS_MESSAGES };
	int rc = read_pair(why, user, contact, req);

	if (rc < 0)
		return rc;
	o.user = user->bare;
	o.user_domain = user->ascii;
	o.contact_domain = contact->ascii;
	if (sip_msg_method(req) == SIP_INVITE)
		return judge_invite(cs, why, &o, req);
	return policy_judge_outward(cs->opts.policy, why, &o);
}

/* An INVITE, or a MESSAGE of a sender who keeps no dialog. */
static void
on_first(struct conversations *cs, struct sip_server_txn *st,
    const struct sip_msg *req)
{
	struct jid user = { 0 }, contact = { 0 };
	struct policy_refusal why;
	struct conversation *c;
	int rc;

	rc = judge(cs, &why, &user, &contact, req);
	if (rc < 0) {
		refuse_because(cs, st, req, &why);
		goto done;
	}
	rc = conversations_get(&c, cs, &user, &contact);
	if (rc < 0) {
		refuse(cs, st, req,
		    rc == ERR_FULL ? ERRORS_OVERLOAD : ERRORS_INTERNAL);
		goto done;
	}
	if (sip_msg_method(req) == SIP_INVITE)
		conversation_invited(c, st, req);
	else
		conversation_requested(c, st, req, NULL);
done:
	jid_finish(&user);
	jid_finish(&contact);
}

void
conversations_on_request(struct conversations *cs, struct sip_server_txn *st,
    const struct sip_msg *req, struct sip_dialog *d)
{
	struct conversation *c = d != NULL ? sip_dialog_user(d) : NULL;
	enum sip_method method = sip_msg_method(req);
	struct policy_refusal why;

	if (cs->stopping)
		refuse(cs, st, req, ERRORS_STOPPING);
	else if (c != NULL && method != SIP_BYE &&
		 conversations_rights_gone(cs, &why, c))
		refuse_because(cs, st, req, &why);
	else if (c != NULL)
		conversation_requested(c, st, req, d);
	else if (d == NULL && (method == SIP_INVITE || method == SIP_MESSAGE))
		on_first(cs, st, req);
	else
		refuse(cs, st, req, ERRORS_DIALOG_UNKNOWN);
}

void
conversations_on_withdrawn(struct conversations *cs, struct sip_server_txn *st)
{
	(void)outwards_withdrawn(cs->outwards, st);
}

void
conversations_on_acknowledged(
    struct conversations *cs, struct sip_dialog *d, const struct sip_msg *ack)
{
	struct conversation *c = sip_dialog_user(d);

	(void)cs;
	if (c != NULL)
		conversation_acknowledged(c, d, ack);
}

void
conversations_on_dialog_end(
    struct conversations *cs, struct sip_dialog *d, enum sip_dialog_end why)
{
	struct conversation *c = sip_dialog_user(d);

	if (c == NULL)
		return;
	log_info(&cs->log, "dialog-ended", "user=%s contact=%s why=%s",
	    conversation_user(c), conversation_contact(c),
	    sip_dialog_end_str(why));
	conversation_dialog_ended(c, d, why == SIP_DIALOG_END_BYE);
}

static void
on_each_settle(struct map_node *n, void *arg)
{
	(void)arg;
	conversation_settle(
	    map_entry(n, struct conversations_entry, node)->conversation);
}

void
conversations_on_reachable(struct conversations *cs)
{
	map_each(&cs->pairs, on_each_settle, NULL);
}

void
conversations_recheck(struct conversations *cs)
{
	const struct gateway_timers *t = &cs->opts.conf->timers;

	cs->env.inward.deadline_ms = t->inward_ms;
	outwards_set_deadline(cs->outwards, t->outward_ms);
	outwards_set_notices(cs->outwards, cs->opts.conf->notices);
	conversations_rights_changed(cs, NULL);
}

/* --- life ----------------------------------------------------------------- */

size_t
conversations_stop(struct conversations *cs)
{
	cs->stopping = true;
	return outwards_pending(cs->outwards);
}

size_t
conversations_pending(const struct conversations *cs)
{
	return outwards_pending(cs->outwards);
}

static void
on_each_hang_up(struct map_node *n, void *arg)
{
	(void)arg;
	conversation_hang_up(
	    map_entry(n, struct conversations_entry, node)->conversation);
}

void
conversations_hang_up(struct conversations *cs)
{
	outwards_give_up(cs->outwards);
	map_each(&cs->pairs, on_each_hang_up, NULL);
}

uint64_t
conversations_late_failures(const struct conversations *cs)
{
	return outwards_late_bounces(cs->outwards);
}

size_t
conversations_count(const struct conversations *cs)
{
	return cs->pairs.count;
}

const struct conversation_counts *
conversations_counts(const struct conversations *cs)
{
	return &cs->counts;
}

const struct outwards_counts *
conversations_outward_counts(const struct conversations *cs)
{
	return outwards_counts(cs->outwards);
}

uint64_t
conversations_notices(const struct conversations *cs)
{
	return notices_count(cs->notices);
}

int
conversations_new(
    struct conversations **out, const struct conversations_opts *opts)
{
	struct conversations *cs = calloc(1, sizeof(*cs));
	struct outwards_opts o = {
		.clock = opts->clock,
		.edges = opts->edges,
		.ua = opts->ua,
		.barrier = opts->barrier,
		.deadline_ms = opts->conf->timers.outward_ms,
		.notices = opts->conf->notices,
		.fqdn = opts->conf->sip.fqdn,
	};
	struct notices_opts n = {
		.clock = opts->clock,
		.ua = opts->ua,
		.conf = opts->conf,
		.on_line = conversations_bounces_line,
		.arg = cs,
	};
	int rc;

	if (cs == NULL)
		return ERR_NOMEM;
	cs->opts = *opts;
	log_init(&cs->log, "conversations");
	conversations_rights_init(cs);
	rc = map_init(&cs->pairs);
	if (rc == 0)
		rc = outwards_new(&cs->outwards, &o);
	if (rc == 0)
		rc = notices_new(&cs->notices, &n);
	if (rc == 0)
		rc = duplicates_new(&cs->duplicates, 0);
	if (rc == 0)
		rc = said_new(&cs->said, 0);
	if (rc < 0) {
		conversations_free(cs);
		return rc;
	}
	cs->env = (struct conversation_env){
		.conf = opts->conf,
		.clock = opts->clock,
		.edges = opts->edges,
		.ua = opts->ua,
		.policy = opts->policy,
		.outwards = cs->outwards,
		.said = cs->said,
		.secret = opts->secret,
		.inward = { .clock = opts->clock,
		    .edges = opts->edges,
		    .duplicates = cs->duplicates,
		    .deadline_ms = opts->conf->timers.inward_ms },
		.counts = &cs->counts,
		.on_unused = on_unused,
		.arg = cs,
	};
	*out = cs;
	return 0;
}

static void
on_each_drop(struct map_node *n, void *arg)
{
	drop_entry(arg, map_entry(n, struct conversations_entry, node));
}

void
conversations_free(struct conversations *cs)
{
	if (cs == NULL)
		return;
	conversations_rights_finish(cs);
	/* A conversation may not go before the messages it has under way. */
	if (cs->outwards != NULL)
		outwards_give_up(cs->outwards);
	map_each(&cs->pairs, on_each_drop, cs);
	map_finish(&cs->pairs);
	outwards_free(cs->outwards);
	notices_free(cs->notices);
	duplicates_free(cs->duplicates);
	said_free(cs->said);
	free(cs);
}
