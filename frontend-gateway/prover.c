/*
 * A ping that tries a stream is of use on that stream alone.  When the edge is
 * back as another boot its streams are new, and what the channel would send
 * again is withdrawn: new streams are tried when they are reported.
 */
#include "frontend-gateway/prover.h"

#include <stdlib.h>

#include "common/buf.h"
#include "common/err.h"
#include "common/list.h"
#include "common/log.h"
#include "common/log_limit.h"
#include "frontend-gateway/barrier.h"
#include "proto/channel.h"
#include "proto/frame.h"

enum { PAIRS_MAX = 16 };

struct prover {
	struct edges *edges;
	struct barrier *barrier;
	struct list probes; /* not answered yet */
	struct log log;
};

struct probe {
	struct edges_sender sender;
	struct list link;
	struct prover *prover;
	unsigned edge;
	uint64_t seq;
};

static void
free_probe(struct probe *b)
{
	list_remove(&b->link);
	free(b);
}

/* The edge reports with the stream what it can prove. */
static void
on_probed(struct edges_sender *s, const struct channel_result *r)
{
	struct probe *b = list_entry(s, struct probe, sender);

	log_debug(&b->prover->log, "probed",
	    "delivered=%d proof=%s condition=%s", r->delivered,
	    proof_str(r->proof),
	    r->delivered ? "" : condition_str(r->condition));
	free_probe(b);
}

int
prover_new(struct prover **out, struct edges *edges, struct barrier *barrier)
{
	struct prover *p = calloc(1, sizeof(*p));

	if (p == NULL)
		return ERR_NOMEM;
	list_init(&p->probes);
	p->edges = edges;
	p->barrier = barrier;
	log_init(&p->log, "prover");
	*out = p;
	return 0;
}

void
prover_free(struct prover *p)
{
	if (p == NULL)
		return;
	LIST_FOREACH_SAFE (it, &p->probes)
		free_probe(list_entry(it, struct probe, link));
	free(p);
}

static int
write_ping(struct buf *frame, struct prover *p, unsigned edge,
    const struct guard_pair *pair)
{
	char id[BARRIER_ID_SIZE];
	struct frame_writer w;

	barrier_make(id, p->barrier, edge, edges_name(p->edges, edge),
	    pair->local, pair->remote);
	frame_begin(&w, frame, FRAME_IQ);
	frame_put_str(&w, FIELD_ID, id);
	frame_put_str(&w, FIELD_FROM, pair->local);
	frame_put_str(&w, FIELD_TO, pair->remote);
	frame_put_str(&w, FIELD_KIND, "get");
	frame_put_str(&w, FIELD_REQUEST, "ping");
	frame_put_str(&w, FIELD_BARRIER, id);
	return frame_end(&w);
}

static int
send_ping(struct prover *p, unsigned edge, const struct guard_pair *pair)
{
	struct probe *b = calloc(1, sizeof(*b));
	struct buf frame;
	int rc;

	if (b == NULL)
		return ERR_NOMEM;
	b->sender.on_result = on_probed;
	b->prover = p;
	b->edge = edge;
	list_append(&p->probes, &b->link);
	buf_init(&frame, FRAME_MAX);
	rc = write_ping(&frame, p, edge, pair);
	if (rc == 0)
		rc = edges_send(p->edges, edge, &frame, &b->sender, &b->seq);
	buf_finish(&frame);
	if (rc < 0)
		free_probe(b);
	return rc;
}

void
prover_on_stream(struct prover *p, unsigned edge, const struct edges_stream *s)
{
	size_t end = s->guard.pair_count;

	if (s->guard.inbound && !s->guard.bidi)
		return;
	if (end > s->fresh + PAIRS_MAX)
		end = s->fresh + PAIRS_MAX;
	for (size_t i = s->fresh; i < end; i++) {
		int rc = send_ping(p, edge, &s->guard.pairs[i]);

		if (rc < 0)
			log_warn(&p->log, "not-probed", "stream=%s error=%s",
			    s->id, err_str(rc));
	}
}

void
prover_on_renewed(struct prover *p, unsigned edge)
{
	LIST_FOREACH_SAFE (it, &p->probes) {
		struct probe *b = list_entry(it, struct probe, link);

		if (b->edge != edge)
			continue;
		edges_withdraw(p->edges, edge, b->seq);
		free_probe(b);
	}
}

static const char *
name_of(unsigned edge, void *arg)
{
	return edges_name(arg, edge);
}

/* The answer to one of our pings, result or error: both took the way a bounce
 * would have taken. */
static void
on_answer(struct prover *p, unsigned by, const struct frame *f,
    const struct guard_addresses *who)
{
	char id[BARRIER_ID_SIZE];
	unsigned edge;
	int rc = ERR_MALFORMED;

	if (frame_copy(f, FIELD_ID, id, sizeof(id)))
		rc = barrier_verify(&edge, p->barrier, id, who->to.ascii,
		    who->from.ascii, name_of, p->edges);
	if (rc == 0) {
		edges_prove(p->edges, edge, id);
		return;
	}
	/* Late ones are no news; made-up ones are. */
	if (rc == ERR_DENIED)
		log_limited(&(const struct log_limit){ .log = &p->log,
				.level = LOG_ERROR,
				.event = "alarm",
				.what = "ping-forged",
				.peer = edges_name(p->edges, by) },
		    "rule=ping-forged edge=%s from=%s to=%s",
		    edges_name(p->edges, by), who->from.full, who->to.full);
	else
		log_debug(&p->log, "answer-ignored", "from=%s error=%s",
		    who->from.full, err_str(rc));
}

void
prover_on_iq(struct prover *p, struct edges_ticket ticket,
    const struct frame *f, const struct guard_addresses *who)
{
	struct channel_result taken = { .delivered = true,
		.proof = PROOF_GATEWAY };

	edges_answer(p->edges, ticket, &taken);
	on_answer(p, ticket.edge, f, who);
}
