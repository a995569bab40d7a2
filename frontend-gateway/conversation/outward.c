/*
 *   start -> frame with the edge -> result delivered ----------> 200
 *                |                  result failed -------------> error
 *                +-- bounce (the ping's answer is not in yet) -> error
 *                +-- 28 s -------------------------------------> 504
 *                +-- edge away --> frame with another edge
 *
 * Whatever ends it first withdraws the frame from the channel, so that a
 * later result of the same frame has nobody to reach.
 */
#include "frontend-gateway/conversation/outward.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/buf.h"
#include "common/clock.h"
#include "common/err.h"
#include "common/list.h"
#include "common/log.h"
#include "common/log_limit.h"
#include "common/map.h"
#include "frontend-gateway/barrier.h"
#include "frontend-gateway/conversation/refusal.h"
#include "frontend-gateway/edges.h"
#include "frontend-gateway/sip/sip_ua.h"
#include "frontend-gateway/translate/errors.h"
#include "proto/channel.h"
#include "proto/frame.h"

enum {
	DEFAULT_MESSAGES = 20000,
	DEFAULT_BYTES = 64 * 1024 * 1024,
	ID_SIZE = 64
};

struct outward {
	struct edges_sender sender;
	struct list link; /* in the order of arrival */
	struct map_node by_st, by_id;
	struct outwards *os;
	struct sip_server_txn *st; /* NULL: tell is told instead */
	outward_tell_fn *tell;
	unsigned edge;
	uint64_t seq;
	bool sent; /* the channel holds the frame under seq */
	struct clock_timer deadline;
	outward_done_fn *done;
	void *arg;
	struct outward_message m; /* texts lie in block */
	size_t bytes;
	char block[];
};

/* A message that was answered 200, for a while. */
struct recent {
	struct map_node by_id;
	uint64_t at_ms; /* 0 = free */
	uint64_t pair;  /* hash of user and contact */
	char id[ID_SIZE];
	struct outward_late late;
};

struct outwards {
	struct outwards_opts opts;
	struct list pending;
	struct map by_st, by_id;
	size_t count, bytes;
	struct recent recent[OUTWARD_RECENT];
	size_t recent_next;
	struct map recent_by_id;
	uint32_t message_id; /* the last Message-Id given */
	uint64_t late_bounces;
	struct outwards_counts counts;
	struct log log;
};

int
outwards_new(struct outwards **out, const struct outwards_opts *opts)
{
	struct outwards *os = calloc(1, sizeof(*os));

	if (os == NULL)
		return ERR_NOMEM;
	os->opts = *opts;
	if (os->opts.messages_max == 0)
		os->opts.messages_max = DEFAULT_MESSAGES;
	if (os->opts.bytes_max == 0)
		os->opts.bytes_max = DEFAULT_BYTES;
	list_init(&os->pending);
	log_init(&os->log, "outward");
	if (map_init(&os->by_st) < 0 || map_init(&os->by_id) < 0 ||
	    map_init(&os->recent_by_id) < 0) {
		outwards_free(os);
		return ERR_NOMEM;
	}
	*out = os;
	return 0;
}

/* Out of every table; the edge is told to forget it. */
static void
detach(struct outward *o)
{
	struct outwards *os = o->os;

	clock_timer_stop(&o->deadline);
	if (o->sent)
		edges_withdraw(os->opts.edges, o->edge, o->seq);
	o->sent = false;
	map_remove(&os->by_st, &o->by_st);
	map_remove(&os->by_id, &o->by_id);
	list_remove(&o->link);
	os->count--;
	os->bytes -= o->bytes;
}

void
outwards_set_deadline(struct outwards *os, uint64_t ms)
{
	os->opts.deadline_ms = ms;
}

void
outwards_set_notices(struct outwards *os, enum gateway_notices form)
{
	os->opts.notices = form;
}

void
outwards_free(struct outwards *os)
{
	if (os == NULL)
		return;
	LIST_FOREACH_SAFE (it, &os->pending) {
		struct outward *o = list_entry(it, struct outward, link);

		detach(o);
		free(o);
	}
	map_finish(&os->by_st);
	map_finish(&os->by_id);
	map_finish(&os->recent_by_id);
	free(os);
}

/* --- the end of a message ----------------------------------------------- */

/* FNV-1a.  Who finds another pair with the same value has gained nothing: he
 * can write to the user anyway. */
static uint64_t
hash_pair(const char *user, const char *contact)
{
	const char *parts[] = { user, contact };
	uint64_t h = 0xcbf29ce484222325u;

	for (size_t i = 0; i < 2; i++) {
		const unsigned char *p = (const unsigned char *)parts[i];

		do {
			h = (h ^ *p) * 0x100000001b3u;
		} while (*p++ != '\0');
	}
	return h;
}

/* Keeps the id, in the place of the oldest one. */
static void
remember(struct outwards *os, const struct outward_message *m, uint32_t number)
{
	struct recent *r = &os->recent[os->recent_next];
	const char *id = m->id;
	size_t len = strlen(id);

	if (len >= sizeof(r->id))
		return;
	os->recent_next = (os->recent_next + 1) % OUTWARD_RECENT;
	map_remove(&os->recent_by_id, &r->by_id);
	memcpy(r->id, id, len + 1);
	r->at_ms = clock_now_ms(os->opts.clock);
	r->pair = hash_pair(m->user, m->contact);
	r->late.message_id = number;
	r->late.quote[0] = '\0';
	if (os->opts.notices != GATEWAY_NOTICES_OFF)
		notices_quote(r->late.quote, m->text, m->text_len);
	/* The same id twice is a message sent anew by the pool after a restart
	 * of its own; the older entry stands for both. */
	(void)map_put(&os->recent_by_id, &r->by_id, r->id, len);
}

/* Everything of o is gone when done fires. */
static void
finish(struct outward *o, bool delivered, bool bounced)
{
	outward_done_fn *done = o->done;
	void *arg = o->arg;

	detach(o);
	free(o);
	done(delivered, bounced, arg);
}

static void
refuse(
    struct outwards *os, struct sip_server_txn *st, const struct errors_sip *e)
{
	struct refusal r;
	int rc;

	refusal_make(&r, e, os->opts.fqdn);
	rc = sip_ua_respond(os->opts.ua, st, &r.answer);
	/* What comes from outside in it was made fit for a line. */
	assert(rc != ERR_MALFORMED);
	if (rc < 0)
		log_warn(&os->log, "not-answered", "error=%s", err_str(rc));
}

/* The answer to a message that was delivered, with the number by which a
 * notification may name it ([MS-CONFIM] 3.3.2.5). */
static void
answer_taken(struct outwards *os, struct sip_server_txn *st, uint32_t number)
{
	char digits[16];
	struct sip_header h = { "Message-Id", digits };
	struct sip_answer answer = { .status = 200 };
	int rc;

	snprintf(digits, sizeof(digits), "%u", (unsigned)number);
	if (number != 0)
		answer = (struct sip_answer){
			.status = 202, .headers = &h, .header_count = 1
		};
	rc = sip_ua_respond(os->opts.ua, st, &answer);
	if (rc < 0)
		log_warn(&os->log, "not-answered", "error=%s", err_str(rc));
}

/* The end of one that is no Lync user's: everything of o is gone when it is
 * told.  e NULL = delivered. */
static void
tell(struct outward *o, const struct errors_sip *e, const char *proof)
{
	struct outward_told told = { .error = e,
		.proof = proof,
		.edge = edges_name(o->os->opts.edges, o->edge) };
	outward_tell_fn *fn = o->tell;
	void *arg = o->arg;

	detach(o);
	free(o);
	fn(&told, arg);
}

static void
succeed(struct outward *o, const char *proof)
{
	struct outwards *os = o->os;
	uint32_t number = 0;

	if (o->st == NULL) {
		tell(o, NULL, proof);
		return;
	}
	if (os->opts.notices == GATEWAY_NOTICES_IMDN) {
		if (++os->message_id == 0)
			os->message_id = 1;
		number = os->message_id;
	}
	log_info(&os->log, "delivered", "id=%s from=%s to=%s edge=%s proof=%s",
	    o->m.id, o->m.from, o->m.to, edges_name(os->opts.edges, o->edge),
	    proof);
	remember(os, &o->m, number);
	os->counts.delivered++;
	answer_taken(os, o->st, number);
	finish(o, true, false);
}

static void
fail(struct outward *o, const char *condition, const char *text, bool bounced)
{
	struct outwards *os = o->os;
	char reason[ERRORS_DETAIL_SIZE];
	struct errors_sip e;

	errors_to_sip(&e, condition, text);
	log_info(&os->log, bounced ? "bounced" : "failed",
	    "id=%s from=%s to=%s condition=%s status=%d text=%s", o->m.id,
	    o->m.from, o->m.to, condition, e.status, text);
	errors_detail(reason, &e, text);
	e.reason = reason;
	if (o->st == NULL) {
		tell(o, &e, NULL);
		return;
	}
	os->counts.failed++;
	os->counts.bounced += bounced;
	refuse(os, o->st, &e);
	finish(o, false, bounced);
}

static void
fail_with_cause(struct outward *o, enum errors_cause cause)
{
	struct outwards *os = o->os;
	struct errors_sip e;

	errors_refusal(&e, cause);
	log_info(&os->log, "failed", "id=%s from=%s to=%s status=%d reason=%s",
	    o->m.id, o->m.from, o->m.to, e.status, e.reason);
	if (o->st == NULL) {
		tell(o, &e, NULL);
		return;
	}
	os->counts.failed++;
	refuse(os, o->st, &e);
	finish(o, false, false);
}

/* Why nothing came back: there may have been nobody to ask. */
static enum errors_cause
silence(const struct outward *o)
{
	if (edges_serves(o->os->opts.edges, o->edge, o->m.local))
		return ERRORS_DEADLINE;
	return ERRORS_NO_EDGE;
}

static void
on_deadline(struct clock_timer *t, void *arg)
{
	struct outward *o = arg;

	(void)t;
	fail_with_cause(o, silence(o));
}

/* --- the frame ---------------------------------------------------------- */

static int
encode(struct buf *frame, struct outward *o)
{
	const struct outwards_opts *opts = &o->os->opts;
	const struct outward_message *m = &o->m;
	char barrier[BARRIER_ID_SIZE];
	struct frame_writer w;

	barrier_make(barrier, opts->barrier, o->edge,
	    edges_name(opts->edges, o->edge), m->local, m->remote);
	frame_begin(&w, frame, FRAME_MESSAGE);
	frame_put_str(&w, FIELD_ID, m->id);
	frame_put_str(&w, FIELD_FROM, m->from);
	frame_put_str(&w, FIELD_TO, m->to);
	frame_put_str(&w, FIELD_KIND, "chat");
	frame_put_str(&w, FIELD_LANGUAGE, m->language);
	frame_put(&w, FIELD_BODY, m->text, m->text_len);
	if (m->rich_len > 0)
		frame_put(&w, FIELD_RICH_BODY, m->rich, m->rich_len);
	if (m->unstyled)
		frame_put_flag(&w, FIELD_UNSTYLED);
	frame_put_str(&w, FIELD_THREAD, m->thread);
	frame_put_str(&w, FIELD_NICK, m->nick);
	frame_put_str(&w, FIELD_CHAT_STATE, m->chat_states ? "active" : NULL);
	frame_put_str(&w, FIELD_BARRIER, barrier);
	return frame_end(&w);
}

/* The edge's result for the frame. */
static void
on_result(struct edges_sender *sender, const struct channel_result *r)
{
	struct outward *o = list_entry(sender, struct outward, sender);

	assert(o->sent);
	o->sent = false; /* The channel has let go of it. */
	if (r->delivered)
		succeed(o, proof_str(r->proof));
	else
		fail(o, condition_str(r->condition), r->text, false);
}

static int
post(struct outward *o)
{
	struct buf frame;
	int rc;

	buf_init(&frame, FRAME_MAX);
	rc = encode(&frame, o);
	if (rc == 0)
		rc = edges_send(
		    o->os->opts.edges, o->edge, &frame, &o->sender, &o->seq);
	o->sent = rc == 0;
	buf_finish(&frame);
	return rc;
}

static size_t
text_size(const char *s)
{
	return s == NULL ? 0 : strlen(s) + 1;
}

/* Copies a text into the block and moves on. */
static const char *
put(char **at, const char *s)
{
	size_t size = text_size(s);
	char *out = *at;

	if (s == NULL)
		return NULL;
	memcpy(out, s, size);
	*at += size;
	return out;
}

static const char *
put_bytes(char **at, const char *data, size_t len)
{
	char *out = *at;

	if (len > 0)
		memcpy(out, data, len);
	out[len] = '\0';
	*at += len + 1;
	return out;
}

static struct outward *
copy(const struct outward_message *m)
{
	size_t bytes =
	    text_size(m->id) + text_size(m->from) + text_size(m->to) +
	    text_size(m->user) + text_size(m->contact) + text_size(m->local) +
	    text_size(m->remote) + text_size(m->thread) + text_size(m->nick) +
	    text_size(m->language) + m->text_len + m->rich_len + 2;
	struct outward *o = malloc(sizeof(*o) + bytes);
	char *at;

	if (o == NULL)
		return NULL;
	memset(o, 0, sizeof(*o));
	at = o->block;
	o->m.id = put(&at, m->id);
	o->m.from = put(&at, m->from);
	o->m.to = put(&at, m->to);
	o->m.user = put(&at, m->user);
	o->m.contact = put(&at, m->contact);
	o->m.local = put(&at, m->local);
	o->m.remote = put(&at, m->remote);
	o->m.thread = put(&at, m->thread);
	o->m.nick = put(&at, m->nick);
	o->m.language = put(&at, m->language);
	o->m.text = put_bytes(&at, m->text, m->text_len);
	o->m.text_len = m->text_len;
	o->m.rich = put_bytes(&at, m->rich, m->rich_len);
	o->m.rich_len = m->rich_len;
	o->m.unstyled = m->unstyled;
	o->m.chat_states = m->chat_states;
	o->bytes = bytes;
	return o;
}

static void
refuse_at_once(struct outwards *os, struct sip_server_txn *st,
    enum errors_cause cause, outward_done_fn *done, void *arg)
{
	struct errors_sip e;

	errors_refusal(&e, cause);
	log_warn(
	    &os->log, "refused", "status=%d reason=%s", e.status, e.reason);
	refuse(os, st, &e);
	done(false, false, arg);
}

static bool
has_room(const struct outwards *os, const struct outward_message *m)
{
	return os->count < os->opts.messages_max &&
	       os->bytes + m->text_len + m->rich_len <= os->opts.bytes_max;
}

/* From here on it ends by its deadline at the latest; perhaps from within. */
static void
begin(struct outwards *os, struct outward *o, unsigned edge)
{
	int rc;

	o->sender.on_result = on_result;
	o->os = os;
	o->edge = edge;
	list_append(&os->pending, &o->link);
	os->count++;
	os->bytes += o->bytes;
	/* The pool may repeat a message in a new transaction after it has lost
	 * the first one; a bounce then goes to the older. */
	(void)map_put(&os->by_id, &o->by_id, o->m.id, strlen(o->m.id));
	clock_timer_init(&o->deadline, os->opts.clock, on_deadline, o);
	clock_timer_start(&o->deadline, os->opts.deadline_ms);
	rc = post(o);
	if (rc < 0)
		fail_with_cause(
		    o, rc == ERR_FULL ? ERRORS_OVERLOAD : ERRORS_INTERNAL);
}

void
outwards_start(struct outwards *os, struct sip_server_txn *st,
    const struct outward_message *m, unsigned edge, outward_done_fn *done,
    void *arg)
{
	struct outward *o;
	int rc;

	if (!has_room(os, m)) {
		refuse_at_once(os, st, ERRORS_OVERLOAD, done, arg);
		return;
	}
	o = copy(m);
	if (o == NULL) {
		refuse_at_once(os, st, ERRORS_INTERNAL, done, arg);
		return;
	}
	o->st = st;
	o->done = done;
	o->arg = arg;
	rc = map_put(&os->by_st, &o->by_st, &o->st, sizeof(o->st));
	assert(rc == 0);
	begin(os, o, edge);
}

int
outwards_try(struct outwards *os, const struct outward_message *m,
    unsigned edge, outward_tell_fn *fn, void *arg)
{
	struct outward *o;

	if (!has_room(os, m))
		return ERR_FULL;
	o = copy(m);
	if (o == NULL)
		return ERR_NOMEM;
	o->tell = fn;
	o->arg = arg;
	begin(os, o, edge);
	return 0;
}

/* --- what happens to it ------------------------------------------------- */

/* The error must come from where the message went: the contact in any
 * resource, or his server. */
static bool
is_answer(const struct outward_message *m, const char *from, const char *user)
{
	size_t len = strlen(m->contact);
	const char *domain = strrchr(m->contact, '@');

	if (strcmp(m->user, user) != 0)
		return false;
	if (strncmp(from, m->contact, len) == 0 &&
	    (from[len] == '\0' || from[len] == '/'))
		return true;
	return domain != NULL && strcmp(from, domain + 1) == 0;
}

/* Of a bare address. */
static const char *
domain_of(const char *bare)
{
	const char *at = strrchr(bare, '@');

	return at != NULL ? at + 1 : bare;
}

/* A bounce of what was answered 200.  Each id is good for one. */
static bool
bounced_late(struct outwards *os, struct outward_late *late,
    const struct outward_bounce *b)
{
	struct map_node *n = map_get(&os->recent_by_id, b->id, strlen(b->id));
	struct recent *r =
	    n == NULL ? NULL : map_entry(n, struct recent, by_id);

	if (r == NULL || r->pair != hash_pair(b->user, b->contact) ||
	    clock_now_ms(os->opts.clock) - r->at_ms > OUTWARD_RECENT_MS) {
		log_limited_info(&os->log, domain_of(b->contact),
		    "bounce-unmatched", "id=%s from=%s to=%s condition=%s",
		    b->id, b->contact, b->user, b->condition);
		return false;
	}
	map_remove(&os->recent_by_id, &r->by_id);
	os->late_bounces++;
	log_limited_warn(&os->log, domain_of(b->contact), "bounce-late",
	    "id=%s from=%s to=%s condition=%s count=%llu", b->id, b->contact,
	    b->user, b->condition, (unsigned long long)os->late_bounces);
	*late = r->late;
	return true;
}

bool
outwards_bounced(struct outwards *os, struct outward_late *late,
    const struct outward_bounce *b)
{
	struct map_node *n = map_get(&os->by_id, b->id, strlen(b->id));
	struct outward *o;

	if (n == NULL)
		return bounced_late(os, late, b);
	o = map_entry(n, struct outward, by_id);
	if (is_answer(&o->m, b->from, b->user))
		fail(o, b->condition, b->text, true);
	else
		log_limited_warn(&os->log, domain_of(b->contact),
		    "bounce-from-elsewhere", "id=%s from=%s to=%s", b->id,
		    b->from, b->user);
	return false;
}

bool
outwards_withdrawn(struct outwards *os, struct sip_server_txn *st)
{
	struct map_node *n = map_get(&os->by_st, &st, sizeof(st));
	struct outward *o;

	if (n == NULL)
		return false;
	o = map_entry(n, struct outward, by_st);
	log_info(&os->log, "withdrawn", "id=%s from=%s to=%s", o->m.id,
	    o->m.from, o->m.to);
	finish(o, false, false);
	return true;
}

/* Once more, as a new frame with a barrier of its own. */
static void
post_anew(struct outward *o, unsigned edge)
{
	int rc;

	if (o->sent)
		edges_withdraw(o->os->opts.edges, o->edge, o->seq);
	o->edge = edge;
	rc = post(o);
	if (rc < 0)
		fail_with_cause(
		    o, rc == ERR_FULL ? ERRORS_OVERLOAD : ERRORS_INTERNAL);
}

void
outwards_edge_renewed(struct outwards *os, unsigned edge)
{
	LIST_FOREACH_SAFE (it, &os->pending) {
		struct outward *o = list_entry(it, struct outward, link);

		if (o->edge == edge)
			post_anew(o, edge);
	}
}

void
outwards_edge_lost(struct outwards *os, unsigned edge)
{
	LIST_FOREACH_SAFE (it, &os->pending) {
		struct outward *o = list_entry(it, struct outward, link);
		unsigned other;

		if (o->edge != edge)
			continue;
		other = edges_choose(os->opts.edges, o->m.local, o->m.user,
		    o->m.contact, EDGES_NONE);
		if (other == edge ||
		    !edges_serves(os->opts.edges, other, o->m.local))
			continue;
		log_info(&os->log, "moved", "id=%s from-edge=%s to-edge=%s",
		    o->m.id, edges_name(os->opts.edges, edge),
		    edges_name(os->opts.edges, other));
		post_anew(o, other);
	}
}

void
outwards_give_up(struct outwards *os)
{
	struct list *n;

	while ((n = list_first(&os->pending)) != NULL) {
		struct outward *o = list_entry(n, struct outward, link);

		fail_with_cause(o, silence(o));
	}
}

size_t
outwards_pending(const struct outwards *os)
{
	return os->count;
}

const struct outwards_counts *
outwards_counts(const struct outwards *os)
{
	return &os->counts;
}

uint64_t
outwards_late_bounces(const struct outwards *os)
{
	return os->late_bounces;
}
