/*
 * Client transactions; the drawing is in sip_transaction.c.
 */
#include "frontend-gateway/sip/sip_transaction.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "common/err.h"
#include "frontend-gateway/sip/sip_build.h"
#include "frontend-gateway/sip/sip_txn_impl.h"

char *
sip_client_key(const char *branch, const char *method)
{
	const char *const parts[] = { branch, method };

	return sip_txns_key(parts, 2);
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
	sip_msg_free(c->invite);
	free(c->branch);
	free(c->t.key);
	free(c);
}

static void
report(struct sip_client_txn *c, enum sip_client_event ev,
    const struct sip_msg *response)
{
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
	if (c->t.state != ACCEPTED)
		report(c, SIP_CLIENT_TIMEOUT, NULL);
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
	sip_msg_free(c->invite);
	free(c->branch);
	free(c->t.key);
	free(c);
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

int
sip_client_start(struct sip_client_txn **out, struct sip_txns *s,
    const struct sip_client_opts *opts)
{
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
	rc = s->opts.send_request(
	    s->opts.arg, &c->t.conn, opts->front_end, opts->text, opts->len);
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
		report(c, SIP_CLIENT_FINAL, m);
	} else {
		if (c->t.kind == CLIENT_INVITE)
			send_ack(c, m);
		if (c->t.state == ACCEPTED)
			return; /* one branch of a fork, after another's 2xx */
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
		report(c, SIP_CLIENT_TRANSPORT, NULL);
		end_client(c);
	}
}
