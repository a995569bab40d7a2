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
 * A timeout or a broken connection leads a client there from everywhere.
 *
 * A transaction is freed in one place, at the end of the function that was
 * called from outside (message, timer, connection), never under a callback.
 */
#include "frontend-gateway/sip/sip_transaction.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "common/buf.h"
#include "common/clock.h"
#include "common/err.h"
#include "common/list.h"
#include "common/log.h"
#include "common/map.h"
#include "common/random.h"
#include "frontend-gateway/sip/sip_build.h"

enum kind { CLIENT_INVITE, CLIENT_OTHER, SERVER_INVITE, SERVER_OTHER, KINDS };

enum state {
	START, /* made, nothing sent or told yet */
	CALLING,
	TRYING,
	PROCEEDING,
	ACCEPTED,
	COMPLETED,
	TERMINATED,
	STATES
};

#define BIT(s) (1u << (s))

static const char *const state_names[STATES] = { "start", "calling", "trying",
	"proceeding", "accepted", "completed", "terminated" };

static const unsigned moves[KINDS][STATES] = {
	[CLIENT_INVITE] = {
	    [START] = BIT(CALLING),
	    [CALLING] = BIT(PROCEEDING) | BIT(ACCEPTED) | BIT(TERMINATED),
	    [PROCEEDING] = BIT(ACCEPTED) | BIT(TERMINATED),
	    [ACCEPTED] = BIT(TERMINATED),
	},
	[CLIENT_OTHER] = {
	    [START] = BIT(TRYING),
	    [TRYING] = BIT(PROCEEDING) | BIT(TERMINATED),
	    [PROCEEDING] = BIT(TERMINATED),
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

/* What both kinds share. */
struct txn {
	struct sip_txns *set;
	enum kind kind;
	enum state state;
	struct list node;
	struct map_node by_key;
	char *key;
	uint64_t conn;
	struct clock_timer limit;
};

struct sip_client_txn {
	struct txn t;
	struct sip_msg *invite; /* for ACK and CANCEL; NULL for others */
	char *branch;
	sip_client_fn *fn;
	void *arg;
	bool cancel; /* asked for */
	bool cancelled;
};

struct sip_server_txn {
	struct txn t;
	struct sip_msg *request;
	char to_tag[33];
	struct clock_timer trying;
	struct buf last; /* the newest answer sent */
	struct map_node by_merge;
	char *merge_key;
	bool merged;
	void *user;
};

struct sip_txns {
	struct sip_txns_opts opts;
	struct log log;
	struct map clients, servers, merges;
	struct list client_list, server_list;
	size_t client_count, server_count;
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

/* The only place that writes the state. */
static void
set_state(struct txn *t, enum state to)
{
	assert((moves[t->kind][t->state] & BIT(to)) != 0);
	log_debug(&t->set->log, "state", "from=%s to=%s", state_names[t->state],
	    state_names[to]);
	t->state = to;
}

/* --- keys --------------------------------------------------------------- */

/* The parts joined by line feeds, which none of them can hold. */
static char *
join(const char *const *parts, size_t count)
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

static char *
client_key(const char *branch, const char *method)
{
	const char *const parts[] = { branch, method };

	return join(parts, 2);
}

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
		return join(modern, 3);
	snprintf(cseq, sizeof(cseq), "%u", (unsigned)sip_msg_cseq(m));
	return join(ancient, 6);
}

static char *
merge_key(const struct sip_msg *m)
{
	char cseq[16];
	const char *const parts[] = { sip_msg_call_id(m), sip_msg_from_tag(m),
		cseq, sip_msg_method_name(m), sip_msg_uri(m) };

	snprintf(cseq, sizeof(cseq), "%u", (unsigned)sip_msg_cseq(m));
	return join(parts, 5);
}

/* --- the set ------------------------------------------------------------ */

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

static void
free_client(struct sip_client_txn *c)
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
free_server(struct sip_server_txn *v)
{
	struct sip_txns *s = v->t.set;

	clock_timer_stop(&v->t.limit);
	clock_timer_stop(&v->trying);
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

void
sip_txns_close(struct sip_txns *s)
{
	LIST_FOREACH_SAFE (it, &s->client_list)
		free_client(list_entry(it, struct sip_client_txn, t.node));
	LIST_FOREACH_SAFE (it, &s->server_list)
		free_server(list_entry(it, struct sip_server_txn, t.node));
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

size_t
sip_txns_server_count(const struct sip_txns *s)
{
	return s->server_count;
}

static bool
is_full(const struct sip_txns *s)
{
	return s->client_count + s->server_count >= s->opts.max;
}

/* --- client ------------------------------------------------------------- */

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
	set_state(&c->t, TERMINATED);
	free_client(c);
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
	c->t.key = client_key(o->branch, sip_method_name(o->method));
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

	if (is_full(s))
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
		free_client(c);
		return rc;
	}
	set_state(&c->t, c->t.kind == CLIENT_INVITE ? CALLING : TRYING);
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
	if (rc == 0 && is_full(s))
		rc = ERR_FULL;
	o.text = text.data;
	o.len = text.len;
	if (rc == 0)
		rc = new_client(&cancel, s, &o);
	if (rc == 0) {
		list_append(&s->client_list, &cancel->t.node);
		s->client_count++;
		cancel->t.conn = c->t.conn;
		set_state(&cancel->t, TRYING);
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
		set_state(&c->t, PROCEEDING);
	/* An INVITE may take as long as a person needs; other requests have
	 * what they have (RFC 3261 17.1.2.2). */
	if (c->t.kind == CLIENT_INVITE && !c->cancelled)
		clock_timer_start(&c->t.limit, t->invite);
	if (c->cancel && !c->cancelled)
		send_cancel(c);
	report(c, SIP_CLIENT_PROVISIONAL, m);
}

static void
receive_response(struct sip_client_txn *c, const struct sip_msg *m)
{
	int status = sip_msg_status(m);

	if (status < 200) {
		on_provisional(c, m);
	} else if (c->t.kind == CLIENT_INVITE && status < 300) {
		if (c->t.state == ACCEPTED) {
			report(c, SIP_CLIENT_AGAIN, m);
			return;
		}
		set_state(&c->t, ACCEPTED);
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

/* --- server ------------------------------------------------------------- */

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
	set_state(&v->t, TERMINATED);
	free_server(v);
}

/* The state a first or further answer leads to. */
static enum state
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
	enum state to = state_after(v, status);
	int rc;

	assert(v->t.state == TRYING || v->t.state == PROCEEDING);
	clock_timer_stop(&v->trying);
	if (to != v->t.state)
		set_state(&v->t, to);
	if (to != PROCEEDING)
		clock_timer_start(&v->t.limit, v->t.kind == SERVER_INVITE
						   ? s->opts.timers.acknowledge
						   : s->opts.timers.linger);
	buf_clear(&v->last);
	/* Without memory for the copy a repetition goes unanswered; the answer
	 * itself is sent all the same. */
	if (buf_add(&v->last, text, len) < 0)
		buf_clear(&v->last);
	rc = s->opts.send_on(s->opts.arg, v->t.conn, text, len);
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
	v->t.kind =
	    sip_msg_method(m) == SIP_INVITE ? SERVER_INVITE : SERVER_OTHER;
	clock_timer_init(&v->t.limit, s->opts.clock, on_server_limit, v);
	clock_timer_init(&v->trying, s->opts.clock, on_trying, v);
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

	/* The 2xx to an INVITE is repeated by its owner (RFC 6026 7.1). */
	if (v->last.len == 0 || v->t.state == ACCEPTED)
		return;
	rc = v->t.set->opts.send_on(
	    v->t.set->opts.arg, v->t.conn, v->last.data, v->last.len);
	if (rc < 0)
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

	if (is_full(s))
		rc = ERR_FULL;
	else
		rc = new_server(&v, s, m, key);
	if (rc < 0) {
		free(key);
		return rc;
	}
	v->t.conn = conn;
	if (v->t.kind == SERVER_INVITE) {
		set_state(&v->t, PROCEEDING);
		clock_timer_start(&v->trying, t->trying_invite);
	} else {
		set_state(&v->t, TRYING);
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
		set_state(&v->t, TERMINATED);
		free_server(v);
	}
	return 0;
}

static int
receive_request(struct sip_txns *s, struct sip_msg *m, uint64_t conn)
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

int
sip_txns_receive(struct sip_txns *s, struct sip_msg *m, uint64_t conn)
{
	struct map_node *n;
	char *key;

	if (sip_msg_is_request(m))
		return receive_request(s, m, conn);
	key = client_key(sip_msg_branch(m), sip_msg_method_name(m));
	if (key == NULL)
		return ERR_NOMEM;
	n = map_get(&s->clients, key, strlen(key));
	free(key);
	if (n == NULL)
		return ERR_NOT_FOUND;
	receive_response(map_entry(n, struct sip_client_txn, t.by_key), m);
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
