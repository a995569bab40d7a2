/*
 * Server transactions; the drawing is in sip_transaction.c.
 *
 * A final answer that finds no connection to its peer (RFC 3261 18.2.2), or
 * whose connection broke behind it and may have taken it along, is sent again
 * until one is there; the peer's transaction waits as long, and its user would
 * be told that a message failed which did not.  A peer that has had the answer
 * drops the second one.
 */
#include "frontend-gateway/sip/sip_transaction.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/err.h"
#include "common/random.h"
#include "frontend-gateway/sip/sip_build.h"
#include "frontend-gateway/sip/sip_txn_impl.h"

/* RFC 3261 17.2.3.  method is INVITE for its ACK, and for the INVITE that a
 * CANCEL means. */
static char *
server_key(const struct sip_msg *m, const char *method)
{
	char cseq[16];
	const char *const modern[] = { sip_msg_branch(m), sip_msg_sent_by(m),
		method };
	const char *const ancient[] = { sip_msg_call_id(m), sip_msg_from_tag(m),
		cseq, method, sip_msg_uri(m), sip_msg_top_via(m) };

	if (strncmp(sip_msg_branch(m), "z9hG4bK", 7) == 0)
		return sip_txns_key(modern, 3);
	snprintf(cseq, sizeof(cseq), "%u", (unsigned)sip_msg_cseq(m));
	return sip_txns_key(ancient, 6);
}

static char *
merge_key(const struct sip_msg *m)
{
	char cseq[16];
	const char *const parts[] = { sip_msg_call_id(m), sip_msg_from_tag(m),
		cseq, sip_msg_method_name(m), sip_msg_uri(m) };

	snprintf(cseq, sizeof(cseq), "%u", (unsigned)sip_msg_cseq(m));
	return sip_txns_key(parts, 5);
}

void
sip_server_free(struct sip_server_txn *v)
{
	struct sip_txns *s = v->t.set;

	clock_timer_stop(&v->t.limit);
	clock_timer_stop(&v->trying);
	clock_timer_stop(&v->again);
	map_remove(&s->servers, &v->t.by_key);
	map_remove(&s->merges, &v->by_merge);
	list_remove(&v->t.node);
	s->server_count--;
	buf_finish(&v->last);
	sip_msg_free(v->request);
	free(v->merge_key);
	free(v->t.key);
	free(v);
}

const struct sip_msg *
sip_server_request(const struct sip_server_txn *v)
{
	return v->request;
}

uint64_t
sip_server_conn(const struct sip_server_txn *v)
{
	return v->t.conn;
}

const char *
sip_server_to_tag(const struct sip_server_txn *v)
{
	return v->to_tag;
}

bool
sip_server_is_merged(const struct sip_server_txn *v)
{
	return v->merged;
}

void
sip_server_set_user(struct sip_server_txn *v, void *user)
{
	v->user = user;
}

void *
sip_server_user(const struct sip_server_txn *v)
{
	return v->user;
}

/* The owner has not answered yet: 100, so that the peer keeps waiting. */
static void
on_trying(struct clock_timer *timer, void *arg)
{
	struct sip_server_txn *v = arg;
	struct sip_build_response r = { .request = v->request, .status = 100 };
	struct buf text;
	int rc;

	(void)timer;
	buf_init(&text, 0);
	rc = sip_build_response(&text, &r);
	if (rc == 0)
		rc = sip_server_respond(v, 100, text.data, text.len);
	if (rc < 0)
		log_debug(&v->t.set->log, "trying-not-sent",
		    "call_id=%s error=%s", sip_msg_call_id(v->request),
		    err_str(rc));
	buf_finish(&text);
}

/* Timer H, J or L. */
static void
on_server_limit(struct clock_timer *timer, void *arg)
{
	struct sip_server_txn *v = arg;

	(void)timer;
	if (v->t.kind == SERVER_INVITE && v->t.state == COMPLETED)
		log_info(&v->t.set->log, "no-ack", "call_id=%s",
		    sip_msg_call_id(v->request));
	sip_txns_set_state(&v->t, TERMINATED);
	sip_server_free(v);
}

/* The answer has not left: on with it, and time for that. */
static void
send_later(struct sip_server_txn *v)
{
	const struct sip_timers *t = &v->t.set->opts.timers;

	v->pause_ms = t->t1;
	clock_timer_start(&v->again, v->pause_ms);
	clock_timer_start(&v->t.limit, t->acknowledge);
}

static int
send_last(struct sip_server_txn *v)
{
	const struct sip_txns_opts *o = &v->t.set->opts;

	return o->send_on(o->arg, v->t.conn, v->last.data, v->last.len);
}

static void
on_again(struct clock_timer *timer, void *arg)
{
	struct sip_server_txn *v = arg;
	const struct sip_timers *t = &v->t.set->opts.timers;

	if (send_last(v) == 0) {
		log_info(&v->t.set->log, "answer-sent-late", "call_id=%s",
		    sip_msg_call_id(v->request));
		return;
	}
	v->pause_ms = 2 * v->pause_ms < t->t2 ? 2 * v->pause_ms : t->t2;
	clock_timer_start(timer, v->pause_ms);
}

void
sip_server_conn_down(struct sip_txns *s, uint64_t conn)
{
	LIST_FOREACH (it, &s->server_list) {
		struct sip_server_txn *v =
		    list_entry(it, struct sip_server_txn, t.node);

		if (v->t.conn != conn || v->t.state != COMPLETED ||
		    v->last.len == 0 || clock_timer_running(&v->again))
			continue;
		if (send_last(v) < 0)
			send_later(v);
	}
}

/* The state a first or further answer leads to. */
static enum sip_txn_state
state_after(const struct sip_server_txn *v, int status)
{
	if (status < 200)
		return PROCEEDING;
	if (v->t.kind == SERVER_INVITE && status < 300)
		return ACCEPTED;
	return COMPLETED;
}

int
sip_server_respond(
    struct sip_server_txn *v, int status, const void *text, size_t len)
{
	struct sip_txns *s = v->t.set;
	enum sip_txn_state to = state_after(v, status);
	int rc;

	assert(v->t.state == TRYING || v->t.state == PROCEEDING);
	clock_timer_stop(&v->trying);
	if (to != v->t.state)
		sip_txns_set_state(&v->t, to);
	if (to != PROCEEDING) {
		clock_timer_start(&v->t.limit, v->t.kind == SERVER_INVITE
						   ? s->opts.timers.acknowledge
						   : s->opts.timers.linger);
		sip_delays_note(&s->delays.answered[sip_msg_method(v->request)],
		    status, clock_now_ms(s->opts.clock) - v->t.since_ms);
	}
	buf_clear(&v->last);
	/* Without memory for the copy a repetition goes unanswered; the answer
	 * itself is sent all the same. */
	if (buf_add(&v->last, text, len) < 0)
		buf_clear(&v->last);
	rc = s->opts.send_on(s->opts.arg, v->t.conn, text, len);
	/* The 2xx to an INVITE is repeated by its owner (RFC 6026 7.1). */
	if (rc < 0 && to == COMPLETED && v->last.len > 0)
		send_later(v);
	return rc;
}

static int
new_server(struct sip_server_txn **out, struct sip_txns *s, struct sip_msg *m,
    char *key)
{
	struct sip_server_txn *v = calloc(1, sizeof(*v));
	int rc;

	if (v == NULL)
		return ERR_NOMEM;
	v->t.set = s;
	v->t.since_ms = clock_now_ms(s->opts.clock);
	v->t.kind =
	    sip_msg_method(m) == SIP_INVITE ? SERVER_INVITE : SERVER_OTHER;
	clock_timer_init(&v->t.limit, s->opts.clock, on_server_limit, v);
	clock_timer_init(&v->trying, s->opts.clock, on_trying, v);
	clock_timer_init(&v->again, s->opts.clock, on_again, v);
	buf_init(&v->last, 0);
	random_hex(v->to_tag, 16);
	rc = map_put(&s->servers, &v->t.by_key, key, strlen(key));
	if (rc < 0) {
		free(v);
		return rc;
	}
	v->t.key = key;
	v->request = sip_msg_ref(m);
	list_append(&s->server_list, &v->t.node);
	s->server_count++;
	if (*sip_msg_to_tag(m) == '\0') {
		v->merge_key = merge_key(m);
		if (v->merge_key != NULL &&
		    map_put(&s->merges, &v->by_merge, v->merge_key,
			strlen(v->merge_key)) == ERR_EXISTS)
			v->merged = true;
	}
	*out = v;
	return 0;
}

/* A request that came before: the newest answer again, if there is one. */
static void
repeat(struct sip_server_txn *v)
{
	int rc;

	if (v->last.len == 0 || v->t.state == ACCEPTED)
		return;
	rc = send_last(v);
	if (rc == 0)
		clock_timer_stop(&v->again);
	else
		log_debug(&v->t.set->log, "repeat-not-sent",
		    "call_id=%s error=%s", sip_msg_call_id(v->request),
		    err_str(rc));
}

static struct sip_server_txn *
find_server(struct sip_txns *s, const char *key)
{
	struct map_node *n = map_get(&s->servers, key, strlen(key));

	return n != NULL ? map_entry(n, struct sip_server_txn, t.by_key) : NULL;
}

/* Answers a CANCEL, which is a transaction of its own and has no owner. */
static void
answer_cancel(struct sip_server_txn *cancel, const char *to_tag, int status)
{
	struct sip_build_response r = {
		.request = cancel->request, .status = status, .to_tag = to_tag
	};
	struct buf text;
	int rc;

	buf_init(&text, 0);
	rc = sip_build_response(&text, &r);
	if (rc == 0)
		rc = sip_server_respond(cancel, status, text.data, text.len);
	if (rc < 0)
		log_warn(&cancel->t.set->log, "cancel-not-answered",
		    "call_id=%s error=%s", sip_msg_call_id(cancel->request),
		    err_str(rc));
	buf_finish(&text);
}

static int
receive_cancel(struct sip_txns *s, struct sip_server_txn *cancel)
{
	char *key = server_key(cancel->request, "INVITE");
	struct sip_server_txn *invite;

	if (key == NULL)
		return ERR_NOMEM;
	invite = find_server(s, key);
	free(key);
	if (invite == NULL) {
		answer_cancel(cancel, cancel->to_tag, 481);
		return 0;
	}
	answer_cancel(cancel, invite->to_tag, 200);
	if (invite->t.state == PROCEEDING)
		s->opts.on_cancel(s->opts.arg, invite);
	return 0;
}

static int
start_server(struct sip_txns *s, struct sip_msg *m, uint64_t conn, char *key)
{
	const struct sip_timers *t = &s->opts.timers;
	struct sip_server_txn *v;
	int rc;

	if (sip_txns_full(s))
		rc = ERR_FULL;
	else
		rc = new_server(&v, s, m, key);
	if (rc < 0) {
		free(key);
		return rc;
	}
	v->t.conn = conn;
	if (v->t.kind == SERVER_INVITE) {
		sip_txns_set_state(&v->t, PROCEEDING);
		clock_timer_start(&v->trying, t->trying_invite);
	} else {
		sip_txns_set_state(&v->t, TRYING);
		clock_timer_start(&v->trying, t->trying_request);
	}
	if (sip_msg_method(m) == SIP_CANCEL)
		return receive_cancel(s, v);
	s->opts.on_request(s->opts.arg, v);
	return 0;
}

/* ACK to an answer other than a 2xx belongs to the INVITE's transaction; to a
 * 2xx it is the dialog's. */
static int
receive_ack(struct sip_server_txn *v)
{
	if (v == NULL || v->t.state == ACCEPTED)
		return ERR_NOT_FOUND;
	if (v->t.state == COMPLETED) {
		sip_txns_set_state(&v->t, TERMINATED);
		sip_server_free(v);
	}
	return 0;
}

int
sip_server_receive(struct sip_txns *s, struct sip_msg *m, uint64_t conn)
{
	bool ack = sip_msg_method(m) == SIP_ACK;
	char *key = server_key(m, ack ? "INVITE" : sip_msg_method_name(m));
	struct sip_server_txn *v;

	if (key == NULL)
		return ERR_NOMEM;
	v = find_server(s, key);
	if (ack || v != NULL) {
		free(key);
		if (ack)
			return receive_ack(v);
		repeat(v);
		return 0;
	}
	return start_server(s, m, conn, key);
}
