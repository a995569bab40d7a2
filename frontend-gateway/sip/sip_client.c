/*
 * Client transactions; the drawing is in sip_transaction.c.
 */
#include "frontend-gateway/sip/sip_transaction.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "common/err.h"
#include "common/random.h"
#include "frontend-gateway/sip/sip_build.h"
#include "frontend-gateway/sip/sip_transport.h"
#include "frontend-gateway/sip/sip_txn_impl.h"

/* Front ends that get a request after the first. */
enum { MOVES_MAX = 3 };

char *
sip_client_key(const char *branch, const char *method)
{
	const char *const parts[] = { branch, method };

	return sip_txns_key(parts, 2);
}

static void
free_parts(struct sip_client_txn *c)
{
	sip_msg_free(c->invite);
	buf_finish(&c->text);
	free(c->call_id);
	free(c->branch);
	free(c->t.key);
	free(c);
}

void
sip_client_free(struct sip_client_txn *c)
{
	struct sip_txns *s = c->t.set;

	clock_timer_stop(&c->t.limit);
	map_remove(&s->clients, &c->t.by_key);
	list_remove(&c->t.node);
	s->client_count--;
	if (c->fn != NULL)
		c->fn(c, SIP_CLIENT_ENDED, NULL, c->arg);
	free_parts(c);
}

static void
report(struct sip_client_txn *c, enum sip_client_event ev,
    const struct sip_msg *response)
{
	struct sip_txns *s = c->t.set;

	if (ev == SIP_CLIENT_FINAL || ev == SIP_CLIENT_TIMEOUT ||
	    ev == SIP_CLIENT_TRANSPORT)
		sip_delays_note(&s->delays.asked[c->method],
		    response != NULL ? sip_msg_status(response) : 0,
		    clock_now_ms(s->opts.clock) - c->t.since_ms);
	if (c->fn != NULL)
		c->fn(c, ev, response, c->arg);
}

/* Ends a client transaction that has told its owner all it had to. */
static void
end_client(struct sip_client_txn *c)
{
	sip_txns_set_state(&c->t, TERMINATED);
	sip_client_free(c);
}

static void send_cancel(struct sip_client_txn *c);

/* Tells what became of it; whether another front end should have it. */
static bool
judge(struct sip_client_txn *c, const struct sip_msg *response, bool broken)
{
	const struct sip_txns_opts *o = &c->t.set->opts;
	const struct sip_transport_outcome outcome = { .method = c->method,
		.response = response,
		.broken = broken,
		.silent = !c->heard };

	return o->judge != NULL && o->judge(o->arg, c->t.conn, &outcome);
}

/* Timer B, F, M, or the end of the patience after CANCEL. */
static void
on_client_limit(struct clock_timer *timer, void *arg)
{
	struct sip_client_txn *c = arg;

	(void)timer;
	if (c->t.kind == CLIENT_INVITE && c->t.state == PROCEEDING &&
	    !c->cancelled) {
		/* It still rings over there. */
		c->cancel = true;
		send_cancel(c);
		report(c, SIP_CLIENT_TIMEOUT, NULL);
		return;
	}
	if (c->t.state != ACCEPTED) {
		(void)judge(c, NULL, false);
		report(c, SIP_CLIENT_TIMEOUT, NULL);
	}
	end_client(c);
}

static int
new_client(struct sip_client_txn **out, struct sip_txns *s,
    const struct sip_client_opts *o)
{
	struct sip_client_txn *c = calloc(1, sizeof(*c));
	int rc = ERR_NOMEM;

	if (c == NULL)
		return ERR_NOMEM;
	c->t.set = s;
	c->t.kind = o->method == SIP_INVITE ? CLIENT_INVITE : CLIENT_OTHER;
	c->t.since_ms = clock_now_ms(s->opts.clock);
	c->method = o->method;
	buf_init(&c->text, 0);
	list_init(&c->t.node);
	clock_timer_init(&c->t.limit, s->opts.clock, on_client_limit, c);
	c->branch = strdup(o->branch);
	c->t.key = sip_client_key(o->branch, sip_method_name(o->method));
	if (c->branch == NULL || c->t.key == NULL)
		goto fail;
	if (o->method == SIP_INVITE) {
		rc = sip_msg_parse(&c->invite, o->text, o->len, NULL, 0);
		if (rc < 0)
			goto fail;
	}
	rc = map_put(&s->clients, &c->t.by_key, c->t.key, strlen(c->t.key));
	if (rc < 0)
		goto fail;
	*out = c;
	return 0;

fail:
	free_parts(c);
	return rc;
}

/* Length of the header block of a message we wrote. */
static size_t
head_len(const void *text, size_t len)
{
	const char *end = memmem(text, len, "\r\n\r\n", 4);

	assert(end != NULL);
	return (size_t)(end + 4 - (const char *)text);
}

/* Keeps what it takes to send the request once more. */
static int
keep_text(struct sip_client_txn *c, const struct sip_client_opts *o)
{
	if (o->call_id != NULL) {
		c->call_id = strdup(o->call_id);
		if (c->call_id == NULL)
			return ERR_NOMEM;
	}
	return buf_add(&c->text, o->text, o->len);
}

int
sip_client_start(struct sip_client_txn **out, struct sip_txns *s,
    const struct sip_client_opts *opts)
{
	const struct sip_transport_way way = { .front_end = opts->front_end,
		.call_id = opts->call_id,
		.asks = true };
	struct sip_client_opts o = *opts;
	struct sip_client_txn *c;
	int rc;

	if (sip_txns_full(s))
		return ERR_FULL;
	o.len = head_len(o.text, o.len); /* the body is of no use here */
	rc = new_client(&c, s, &o);
	if (rc < 0)
		return rc;
	c->fn = opts->fn;
	c->arg = opts->arg;
	list_append(&s->client_list, &c->t.node);
	s->client_count++;
	rc = opts->movable ? keep_text(c, opts) : 0;
	if (rc == 0)
		rc = s->opts.send_request(
		    s->opts.arg, &c->t.conn, &way, opts->text, opts->len);
	if (rc < 0) {
		c->fn = NULL;
		sip_client_free(c);
		return rc;
	}
	sip_txns_set_state(
	    &c->t, c->t.kind == CLIENT_INVITE ? CALLING : TRYING);
	clock_timer_start(&c->t.limit, s->opts.timers.request);
	if (out != NULL)
		*out = c;
	return 0;
}

/* Writes a new branch into the text, and finds the transaction under it. */
static int
change_branch(struct sip_client_txn *c)
{
	struct sip_txns *s = c->t.set;
	size_t len = strlen(c->branch);
	char *at = memmem(c->text.data, c->text.len, c->branch, len);
	char hex[33];
	char *key;
	int rc;

	assert(at != NULL && len > 7 + 8);
	random_hex(hex, 16);
	/* As long as it was: "z9hG4bK" and digits. */
	for (size_t i = 7; i < len && i - 7 < 32; i++)
		c->branch[i] = hex[i - 7];
	memcpy(at, c->branch, len);
	key = sip_client_key(c->branch, sip_method_name(c->method));
	if (key == NULL)
		return ERR_NOMEM;
	map_remove(&s->clients, &c->t.by_key);
	free(c->t.key);
	c->t.key = key;
	rc = map_put(&s->clients, &c->t.by_key, key, strlen(key));
	if (rc < 0 || c->invite == NULL)
		return rc;
	sip_msg_free(c->invite);
	c->invite = NULL;
	return sip_msg_parse(&c->invite, c->text.data,
	    head_len(c->text.data, c->text.len), NULL, 0);
}

/* The same request to another front end; the owner is not troubled.  On error
 * the transaction is of no more use. */
static int
move_on(struct sip_client_txn *c)
{
	struct sip_txns *s = c->t.set;
	const struct sip_transport_way way = {
		.call_id = c->call_id, .avoid = c->t.conn, .asks = true
	};
	int rc;

	sip_txns_set_state(&c->t, START);
	c->moves++;
	c->heard = c->rang = false;
	rc = change_branch(c);
	if (rc == 0)
		rc = s->opts.send_request(
		    s->opts.arg, &c->t.conn, &way, c->text.data, c->text.len);
	if (rc < 0) {
		log_info(&s->log, "not-moved", "method=%s call_id=%s error=%s",
		    sip_method_name(c->method), c->call_id, err_str(rc));
		return rc;
	}
	log_info(&s->log, "moved", "method=%s call_id=%s moves=%u",
	    sip_method_name(c->method), c->call_id, c->moves);
	sip_txns_set_state(
	    &c->t, c->t.kind == CLIENT_INVITE ? CALLING : TRYING);
	clock_timer_start(&c->t.limit, s->opts.timers.request);
	return 0;
}

/* Whether it may go to another front end at all. */
static bool
is_movable(const struct sip_client_txn *c, bool broken)
{
	return c->text.len > 0 && !c->cancel && c->moves < MOVES_MAX &&
	       !(broken && (c->rang || c->method == SIP_MESSAGE));
}

/* CANCEL takes the INVITE's branch and way (RFC 3261 9.1). */
static void
send_cancel(struct sip_client_txn *c)
{
	struct sip_txns *s = c->t.set;
	struct sip_client_opts o = { .method = SIP_CANCEL,
		.branch = c->branch };
	struct sip_client_txn *cancel = NULL;
	struct buf text;
	int rc;

	buf_init(&text, 0);
	c->cancelled = true;
	rc = sip_build_cancel(&text, c->invite);
	if (rc == 0 && sip_txns_full(s))
		rc = ERR_FULL;
	o.text = text.data;
	o.len = text.len;
	if (rc == 0)
		rc = new_client(&cancel, s, &o);
	if (rc == 0) {
		list_append(&s->client_list, &cancel->t.node);
		s->client_count++;
		cancel->t.conn = c->t.conn;
		sip_txns_set_state(&cancel->t, TRYING);
		clock_timer_start(&cancel->t.limit, s->opts.timers.request);
		rc = s->opts.send_on(
		    s->opts.arg, c->t.conn, text.data, text.len);
		if (rc < 0)
			end_client(cancel);
	}
	if (rc < 0)
		log_warn(&s->log, "cancel-not-sent", "call_id=%s error=%s",
		    sip_msg_call_id(c->invite), err_str(rc));
	buf_finish(&text);
	clock_timer_start(&c->t.limit, s->opts.timers.request);
}

void
sip_client_cancel(struct sip_client_txn *c)
{
	if (c->t.kind != CLIENT_INVITE || c->cancel)
		return;
	c->cancel = true;
	if (c->t.state == PROCEEDING)
		send_cancel(c);
}

static void
send_ack(struct sip_client_txn *c, const struct sip_msg *response)
{
	struct sip_txns *s = c->t.set;
	struct buf text;
	int rc;

	buf_init(&text, 0);
	rc = sip_build_ack(&text, c->invite, response);
	if (rc == 0)
		rc = s->opts.send_on(
		    s->opts.arg, c->t.conn, text.data, text.len);
	if (rc < 0)
		log_warn(&s->log, "ack-not-sent", "call_id=%s error=%s",
		    sip_msg_call_id(c->invite), err_str(rc));
	buf_finish(&text);
}

static void
on_provisional(struct sip_client_txn *c, const struct sip_msg *m)
{
	const struct sip_timers *t = &c->t.set->opts.timers;

	if (c->t.state == ACCEPTED)
		return;
	c->heard = true;
	if (sip_msg_status(m) > 100)
		c->rang = true;
	if (c->t.state != PROCEEDING)
		sip_txns_set_state(&c->t, PROCEEDING);
	/* An INVITE may take as long as a person needs; other requests have
	 * what they have (RFC 3261 17.1.2.2). */
	if (c->t.kind == CLIENT_INVITE && !c->cancelled)
		clock_timer_start(&c->t.limit, t->invite);
	if (c->cancel && !c->cancelled)
		send_cancel(c);
	report(c, SIP_CLIENT_PROVISIONAL, m);
}

void
sip_client_receive(struct sip_client_txn *c, const struct sip_msg *m)
{
	int status = sip_msg_status(m);

	if (status < 200) {
		on_provisional(c, m);
	} else if (c->t.kind == CLIENT_INVITE && status < 300) {
		if (c->t.state == ACCEPTED) {
			report(c, SIP_CLIENT_AGAIN, m);
			return;
		}
		sip_txns_set_state(&c->t, ACCEPTED);
		clock_timer_start(
		    &c->t.limit, c->t.set->opts.timers.acknowledge);
		(void)judge(c, m, false);
		report(c, SIP_CLIENT_FINAL, m);
	} else {
		if (c->t.kind == CLIENT_INVITE)
			send_ack(c, m);
		if (c->t.state == ACCEPTED)
			return; /* one branch of a fork, after another's 2xx */
		if (judge(c, m, false) && is_movable(c, false) &&
		    move_on(c) == 0)
			return;
		report(c, SIP_CLIENT_FINAL, m);
		end_client(c);
	}
}

void
sip_txns_conn_down(struct sip_txns *s, uint64_t conn)
{
	struct sip_client_txn *c;
	struct list lost;

	sip_server_conn_down(s, conn);
	/* Owners may start or cancel others meanwhile; a list of its own
	 * holds what is still to be told, whatever they do. */
	list_init(&lost);
	LIST_FOREACH_SAFE (it, &s->client_list) {
		c = list_entry(it, struct sip_client_txn, t.node);
		if (c->t.conn != conn || c->t.state == ACCEPTED)
			continue;
		list_remove(it);
		list_append(&lost, it);
	}
	while (!list_empty(&lost)) {
		c = list_entry(lost.next, struct sip_client_txn, t.node);
		list_remove(&c->t.node);
		if (judge(c, NULL, true) && is_movable(c, true) &&
		    move_on(c) == 0) {
			list_append(&s->client_list, &c->t.node);
			continue;
		}
		report(c, SIP_CLIENT_TRANSPORT, NULL);
		end_client(c);
	}
}
