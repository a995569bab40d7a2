/*
 * outward - see the header.
 *
 * The gateway has checked all this too.  It is checked again because a domain
 * may have changed hands since, and because the pair decides with which
 * certificate and to whom we speak.
 *
 * A frame with a barrier wants proof; a bare ping between the two domains with
 * its own id as barrier asks what the stream of the pair can prove.
 */
#include "edge-proxy/outward.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "common/buf.h"
#include "common/clock.h"
#include "common/err.h"
#include "common/jid.h"
#include "common/list.h"
#include "common/log.h"
#include "common/log_limit.h"
#include "edge-proxy/body_log.h"
#include "edge-proxy/hosting.h"
#include "edge-proxy/iq_asked.h"
#include "edge-proxy/normalise.h"
#include "edge-proxy/render.h"
#include "edge-proxy/routes.h"
#include "proto/channel.h"
#include "proto/frame.h"

enum { XML_MAX = 2 * 1024 * 1024 };

struct pending {
	struct list all;
	struct outward *outward;
	struct channel *channel; /* NULL: a reply of ours */
	uint64_t seq;
	struct clock_timer deadline;
};

struct outward {
	struct outward_opts opts;
	struct list pending;
	size_t under_way;
	struct buf xml;
	struct outward_counters counters;
	struct log log;
};

int
outward_new(struct outward **out, const struct outward_opts *opts)
{
	struct outward *o = calloc(1, sizeof(*o));

	if (o == NULL)
		return ERR_NOMEM;
	o->opts = *opts;
	list_init(&o->pending);
	buf_init(&o->xml, XML_MAX);
	log_init(&o->log, "outward");
	*out = o;
	return 0;
}

static void
free_pending(struct pending *p)
{
	clock_timer_stop(&p->deadline);
	list_remove(&p->all);
	p->outward->under_way--;
	free(p);
}

void
outward_free(struct outward *o)
{
	if (o == NULL)
		return;
	LIST_FOREACH_SAFE (it, &o->pending)
		free_pending(list_entry(it, struct pending, all));
	buf_finish(&o->xml);
	free(o);
}

/* It is settled: the one answer to the gateway's frame. */
static void
settle(struct pending *p, const struct channel_result *r)
{
	struct outward *o = p->outward;
	struct channel *ch = p->channel;
	uint64_t seq = p->seq;

	free_pending(p);
	if (ch != NULL) {
		channel_answer(ch, seq, r);
	} else if (!r->delivered) {
		o->counters.replies_lost++;
		log_limited_info(&o->log, NULL, "reply-lost",
		    "condition=%s text=%s", condition_str(r->condition),
		    r->text);
	}
}

void
outward_settled(struct outward *o, void *cookie, const struct channel_result *r)
{
	struct pending *p = cookie;

	assert(p->outward == o);
	if (p->channel != NULL && r->delivered)
		o->counters.delivered++;
	else if (p->channel != NULL)
		o->counters.failed++;
	settle(p, r);
}

static void
on_deadline(struct clock_timer *t, void *arg)
{
	static const struct channel_result late = {
		.condition = COND_REMOTE_SERVER_TIMEOUT,
		.text = "no proof in time",
	};
	struct pending *p = arg;

	(void)t;
	(void)routes_withdraw(p->outward->opts.routes, p);
	if (p->channel != NULL)
		p->outward->counters.timed_out++;
	settle(p, &late);
}

void
outward_forget(struct outward *o, const struct channel *ch)
{
	LIST_FOREACH_SAFE (it, &o->pending) {
		struct pending *p = list_entry(it, struct pending, all);

		if (p->channel != ch)
			continue;
		(void)routes_withdraw(o->opts.routes, p);
		free_pending(p);
	}
}

size_t
outward_under_way(const struct outward *o)
{
	return o->under_way;
}

const struct outward_counters *
outward_counters(const struct outward *o)
{
	return &o->counters;
}

/* What a frame is about, read and checked. */
struct request {
	struct jid from, to;
	char barrier[256]; /* "" = none */
	bool probe;
	char *asked_id; /* the asker's, of the request answered; or NULL */
};

/* A ping from domain to domain whose id is its barrier. */
static bool
is_probe(const struct frame *f, const struct request *r)
{
	return f->type == FRAME_IQ && frame_is(f, FIELD_KIND, "get") &&
	       frame_is(f, FIELD_REQUEST, "ping") && r->barrier[0] != '\0' &&
	       frame_is(f, FIELD_ID, r->barrier) && r->from.local == NULL &&
	       r->from.resource == NULL && r->to.local == NULL &&
	       r->to.resource == NULL;
}

/* An answer must be to a request that waits, a question must have an id by
 * which its answer is known. */
static bool
check_iq(struct outward *o, const struct frame *f, struct request *r,
    struct channel_result *why)
{
	char id[64];

	frame_copy(f, FIELD_ID, id, sizeof(id));
	if (frame_is(f, FIELD_KIND, "result") ||
	    frame_is(f, FIELD_KIND, "error")) {
		why->condition = COND_ITEM_NOT_FOUND;
		why->text = "no such request waits";
		r->asked_id =
		    iq_asked_answer(o->opts.asked, id, &r->from, &r->to);
		return r->asked_id != NULL;
	}
	why->condition = COND_BAD_REQUEST;
	why->text = "the id is not of a question";
	return normalise_question_id(id);
}

/* Fails with the condition for the gateway; text says why. */
static bool
check(struct outward *o, const char *node, const struct frame *f,
    struct request *r, struct channel_result *why)
{
	const struct frame_field *from = frame_field(f, FIELD_FROM);
	const struct frame_field *to = frame_field(f, FIELD_TO);
	const char *owner;
	char barrier_node[256];

	why->condition = COND_JID_MALFORMED;
	why->text = "from and to must be addresses";
	if (from == NULL || to == NULL ||
	    jid_parse(&r->from, (const char *)from->data, from->len) < 0 ||
	    jid_parse(&r->to, (const char *)to->data, to->len) < 0)
		return false;
	why->condition = COND_NOT_ALLOWED;
	why->text = "the gateway does not host the sender's domain";
	owner = hosting_owner(o->opts.hosting, r->from.ascii);
	if (owner == NULL || strcmp(owner, node) != 0)
		return false;
	why->text = "the domain is not a partner";
	if (hosting_partner(o->opts.hosting, r->from.ascii, r->to.ascii) ==
	    NULL)
		return false;
	if (frame_has(f, FIELD_BARRIER)) {
		why->condition = COND_BAD_REQUEST;
		why->text = "the barrier is not of this gateway";
		if (!frame_copy(
			f, FIELD_BARRIER, r->barrier, sizeof(r->barrier)) ||
		    !normalise_barrier_node(barrier_node, r->barrier) ||
		    strcmp(barrier_node, node) != 0)
			return false;
	}
	r->probe = is_probe(f, r);
	if (f->type == FRAME_IQ && !r->probe)
		return check_iq(o, f, r, why);
	return true;
}

/* Gives the stanza to its route.  p may be settled when this returns. */
static int
send_out(struct outward *o, struct pending *p, const struct request *r,
    const struct frame *f)
{
	struct route_stanza s = {
		.local = r->from.ascii,
		.remote = r->to.ascii,
		.barrier = r->barrier[0] != '\0' ? r->barrier : NULL,
		.cookie = p,
	};
	int rc;

	if (r->probe) {
		o->counters.probes++;
		return routes_probe(o->opts.routes, &s);
	}
	body_log_frame(&o->log, "text-to-partner", f,
	    hosting_settings(o->opts.hosting, r->from.ascii));
	buf_clear(&o->xml);
	rc = render_frame_as(&o->xml, f, r->asked_id);
	if (rc < 0)
		return rc;
	s.xml = o->xml.data;
	s.len = o->xml.len;
	return routes_send(o->opts.routes, &s);
}

/* The record of a stanza that is given to the route of a hosted domain. */
static struct pending *
make_pending(struct outward *o, const char *local)
{
	struct pending *p = calloc(1, sizeof(*p));

	if (p == NULL)
		return NULL;
	p->outward = o;
	list_append(&o->pending, &p->all);
	o->under_way++;
	clock_timer_init(&p->deadline, o->opts.clock, on_deadline, p);
	clock_timer_start(&p->deadline,
	    hosting_settings(o->opts.hosting, local)->outward_deadline_ms);
	return p;
}

/* Lets the route have a frame. */
static int
dispatch(struct outward *o, struct channel *ch, uint64_t seq,
    const struct request *r, const struct frame *f)
{
	struct pending *p = make_pending(o, r->from.ascii);
	int rc;

	if (p == NULL)
		return ERR_NOMEM;
	p->channel = ch;
	p->seq = seq;
	rc = send_out(o, p, r, f);
	if (rc < 0)
		free_pending(p);
	return rc;
}

void
outward_reply(struct outward *o, const char *local, const char *remote,
    const struct buf *xml)
{
	struct pending *p = make_pending(o, local);
	const struct route_stanza s = {
		.local = local,
		.remote = remote,
		.xml = xml->data,
		.len = xml->len,
		.cookie = p,
	};
	int rc = ERR_NOMEM;

	o->counters.replies++;
	if (p != NULL) {
		rc = routes_send(o->opts.routes, &s);
		if (rc < 0)
			free_pending(p);
	}
	if (rc < 0) {
		o->counters.replies_lost++;
		log_limited_warn(&o->log, remote, "reply-lost",
		    "to=%s error=%s", remote, err_str(rc));
	}
}

void
outward_no_answer(struct outward *o, const struct jid *from,
    const struct jid *to, const char *id, enum condition condition)
{
	const struct render_stanza_error e = {
		.name = "iq",
		.from = to->full,
		.to = from->full,
		.id = id,
		.condition = condition,
		.by = to->domain,
	};
	int rc;

	buf_clear(&o->xml);
	rc = render_stanza_error(&o->xml, &e);
	if (rc == 0)
		outward_reply(o, to->ascii, from->ascii, &o->xml);
	else
		log_limited_warn(&o->log, from->ascii, "reply-lost",
		    "to=%s error=%s", from->ascii, err_str(rc));
}

void
outward_stanza(struct outward *o, const char *node, struct channel *ch,
    uint64_t seq, const struct frame *f)
{
	struct channel_result why = { .delivered = false };
	struct request r = { 0 };
	int rc;

	o->counters.stanzas++;
	if (check(o, node, f, &r, &why)) {
		rc = dispatch(o, ch, seq, &r, f);
		if (rc == 0)
			goto out;
		why.condition = rc == ERR_MALFORMED ? COND_BAD_REQUEST
						    : COND_RESOURCE_CONSTRAINT;
		why.text = err_str(rc);
		/* His request is over: he is not left to wait for nothing. */
		if (r.asked_id != NULL)
			outward_no_answer(o, &r.to, &r.from, r.asked_id,
			    COND_SERVICE_UNAVAILABLE);
	}
	o->counters.refused++;
	log_warn(&o->log, "stanza-refused",
	    "node=%s stanza=%s from=%s to=%s condition=%s reason=%s", node,
	    frame_type_str(f->type), r.from.ascii, r.to.ascii,
	    condition_str(why.condition), why.text);
	channel_answer(ch, seq, &why);
out:
	jid_finish(&r.from);
	jid_finish(&r.to);
	free(r.asked_id);
}

void
outward_proof(struct outward *o, const char *node, const struct frame *f)
{
	char barrier[256], barrier_node[256];

	/* A node vouches for its own pings only. */
	if (!frame_copy(f, FIELD_BARRIER, barrier, sizeof(barrier)) ||
	    !normalise_barrier_node(barrier_node, barrier) ||
	    strcmp(barrier_node, node) != 0) {
		log_warn(&o->log, "proof-refused", "node=%s", node);
		return;
	}
	routes_proof(o->opts.routes, barrier);
}
