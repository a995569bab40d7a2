/*
 * dialback_in - see the header.
 *
 * db:result: is the target ours, is the pair a partnership that may use
 * dialback here, is there room?  Then, unless the certificate has said it
 * already, the question goes to the sender's own domain, and the answer back.
 * db:verify: the key is computed anew and compared.
 *
 * Settling a request calls the owner, who may close the stream, which withdraws
 * all others: a request is out of its list before its settlement is told, and
 * nothing of it is touched after.
 */
#include "edge-proxy/dialback_in.h"

#include <stdlib.h>
#include <string.h>

#include "common/buf.h"
#include "common/err.h"
#include "common/log_limit.h"
#include "common/xml.h"
#include "edge-proxy/dialback_key.h"
#include "edge-proxy/hosting.h"
#include "edge-proxy/pair_set.h"
#include "proto/negotiation.h"

/* A db:result that is being verified. */
struct request {
	struct list link;
	struct dialback_ask ask;
	struct dialback_in *owner;
	struct dialback_elem e;
	char id[DIALBACK_ID_SIZE];
	char key[DIALBACK_KEY_MAX + 1];
};

/* --- answers ------------------------------------------------------------- */

/* The names of an answer: those of the question, the other way round. */
static struct dialback_names
answer_names(const struct dialback_elem *e)
{
	return (struct dialback_names){
		.from = e->to_text,
		.to = e->from_text,
		.id = e->verify && e->id[0] != '\0' ? e->id : NULL,
	};
}

static void
send_verdict(struct dialback_in *d, const struct dialback_elem *e, bool valid)
{
	const struct dialback_names names = answer_names(e);
	struct buf out;

	buf_init(&out, 0);
	dialback_xml_verdict(&out, e->verify, &names, valid);
	d->opts.events->on_send(&out, d->opts.arg);
}

static void
send_error(
    struct dialback_in *d, const struct dialback_elem *e, enum condition c)
{
	const struct dialback_names names = answer_names(e);
	struct buf out;

	log_limited_info(&d->log, d->opts.peer_ip, "dialback-refused",
	    "what=%s from=%s to=%s condition=%s",
	    e->verify ? "verify" : "result", e->from, e->to, condition_str(c));
	buf_init(&out, 0);
	dialback_xml_error(&out, e->verify, &names, c);
	d->opts.events->on_send(&out, d->opts.arg);
}

/* One more request that came to nothing. */
static void
count_failure(struct dialback_in *d)
{
	if (++d->failures == DIALBACK_IN_FAILURES_MAX)
		d->opts.events->on_close(STREAM_ERR_POLICY_VIOLATION,
		    "too many dialback failures", d->opts.arg);
}

static void
refuse_result(
    struct dialback_in *d, const struct dialback_elem *e, enum condition c)
{
	send_error(d, e, c);
	count_failure(d);
}

/* --- the receiving server ------------------------------------------------ */

static void
accept_pair(
    struct dialback_in *d, const struct dialback_elem *e, const char *by)
{
	if (!d->opts.events->on_valid(e->to, e->from,
		d->secured ? AUTH_DIALBACK_TLS : AUTH_DIALBACK_TCP,
		d->opts.arg)) {
		refuse_result(d, e, COND_RESOURCE_CONSTRAINT);
		return;
	}
	log_limited_info(&d->log, d->opts.peer_ip, "dialback-valid",
	    "from=%s to=%s by=%s", e->from, e->to, by);
	send_verdict(d, e, true);
}

/* The sender's domain has said that the key is not its own. */
static void
reject_key(struct dialback_in *d, const struct dialback_elem *e)
{
	log_limited_warn(&d->log, d->opts.peer_ip, "dialback-invalid",
	    "from=%s to=%s", e->from, e->to);
	send_verdict(d, e, false);
	if (d->opts.pairs->count == 0)
		d->opts.events->on_close(
		    STREAM_ERR_NONE, "dialback key is not valid", d->opts.arg);
	else
		count_failure(d);
}

static void
drop_request(struct request *r)
{
	list_remove(&r->link);
	r->owner->pending_count--;
	free(r);
}

static void
on_answer(struct dialback_ask *a, enum dialback_type verdict,
    enum condition condition)
{
	struct request *r = list_entry(a, struct request, ask);
	struct dialback_in *d = r->owner;
	struct dialback_elem e = r->e;

	drop_request(r);
	if (verdict == DIALBACK_VALID)
		accept_pair(d, &e, "authoritative");
	else if (verdict == DIALBACK_INVALID)
		reject_key(d, &e);
	else
		refuse_result(d, &e, condition);
}

static bool
is_pending(const struct dialback_in *d, const struct dialback_elem *e)
{
	LIST_FOREACH (it, &d->pending) {
		const struct request *r = list_entry(it, struct request, link);

		if (strcmp(r->e.from, e->from) == 0 &&
		    strcmp(r->e.to, e->to) == 0)
			return true;
	}
	return false;
}

/* Whether the pair may use dialback on this stream; *c says why not. */
static bool
permitted(const struct dialback_in *d, const struct dialback_elem *e,
    enum condition *c)
{
	unsigned methods = hosting_methods(d->opts.hosting, e->to, e->from);

	if (!hosting_serves(d->opts.hosting, e->to))
		*c = COND_ITEM_NOT_FOUND;
	else if (methods == 0)
		*c = COND_FORBIDDEN; /* not a partner */
	else if (methods & (d->secured ? AUTH_DIALBACK_TLS : AUTH_DIALBACK_TCP))
		return true;
	else if (!d->secured && (methods & AUTH_DIALBACK_TLS))
		*c = COND_POLICY_VIOLATION; /* not without TLS */
	else
		*c = COND_NOT_AUTHORIZED; /* another proof is demanded */
	return false;
}

static void
ask(struct dialback_in *d, const struct dialback_elem *e,
    const struct xml_elem *xml)
{
	struct request *r = calloc(1, sizeof(*r));
	int rc = r != NULL ? dialback_xml_key(r->key, xml) : ERR_NOMEM;

	if (rc < 0) {
		free(r);
		refuse_result(d, e,
		    rc == ERR_NOMEM ? COND_RESOURCE_CONSTRAINT
				    : COND_NOT_ACCEPTABLE);
		return;
	}
	r->owner = d;
	r->e = *e;
	memcpy(r->id, d->id, sizeof(r->id));
	r->ask = (struct dialback_ask){
		.local = r->e.to,
		.remote = r->e.from,
		.local_text = r->e.to_text,
		.remote_text = r->e.from_text,
		.id = r->id,
		.key = r->key,
		.on_answer = on_answer,
	};
	list_init(&r->ask.link);
	rc = d->opts.ask(&r->ask, d->opts.ask_arg);
	if (rc < 0) {
		free(r);
		log_limited_warn(&d->log, d->opts.peer_ip, "dialback-not-asked",
		    "from=%s error=%s", e->from, err_str(rc));
		refuse_result(d, e, COND_RESOURCE_CONSTRAINT);
		return;
	}
	list_append(&d->pending, &r->link);
	d->pending_count++;
	log_debug(&d->log, "dialback-asked", "from=%s to=%s", e->from, e->to);
}

static void
take_result(struct dialback_in *d, const struct dialback_elem *e,
    const struct xml_elem *xml)
{
	enum condition c = COND_UNDEFINED_CONDITION;

	if (!permitted(d, e, &c))
		refuse_result(d, e, c);
	else if (pair_set_has(d->opts.pairs, e->to, e->from))
		send_verdict(d, e, true);
	else if (d->secured && d->opts.events->proves(e->from, d->opts.arg))
		/* XEP-0344 2.4: the certificate has said it. */
		accept_pair(d, e, "certificate");
	else if (d->pending_count == DIALBACK_IN_PENDING_MAX ||
		 is_pending(d, e))
		refuse_result(d, e, COND_RESOURCE_CONSTRAINT);
	else
		ask(d, e, xml);
}

/* --- the authoritative server -------------------------------------------- */

static bool
key_is_ours(const struct dialback_in *d, const struct dialback_elem *e,
    const struct xml_elem *xml)
{
	const char *current, *previous;
	char key[DIALBACK_KEY_MAX + 1];

	return e->id[0] != '\0' && dialback_xml_key(key, xml) == 0 &&
	       hosting_dialback(d->opts.hosting, e->to, &current, &previous) &&
	       dialback_key_valid(
		   key, strlen(key), current, previous, e->from, e->to, e->id);
}

/* Anybody may ask, in any state of the stream: the answer helps nobody who does
 * not hold the key already. */
static void
take_verify(struct dialback_in *d, const struct dialback_elem *e,
    const struct xml_elem *xml)
{
	unsigned methods = hosting_methods(d->opts.hosting, e->to, e->from);
	bool valid;

	if (!hosting_serves(d->opts.hosting, e->to)) {
		send_error(d, e, COND_ITEM_NOT_FOUND);
		return;
	}
	if (!d->secured && methods != 0 && !(methods & AUTH_DIALBACK_TCP)) {
		send_error(d, e, COND_POLICY_VIOLATION);
		return;
	}
	valid = key_is_ours(d, e, xml);
	d->answered++;
	if (valid)
		log_limited_info(&d->log, d->opts.peer_ip, "dialback-vouched",
		    "from=%s to=%s", e->to, e->from);
	else
		log_limited_warn(&d->log, d->opts.peer_ip,
		    "dialback-key-not-ours", "from=%s to=%s", e->to, e->from);
	send_verdict(d, e, valid);
}

/* --- elements ------------------------------------------------------------ */

void
dialback_in_take(struct dialback_in *d, const struct xml_elem *xml)
{
	struct dialback_elem e;
	int rc = dialback_xml_read(&e, xml);

	if (rc == ERR_UNSUPPORTED)
		d->opts.events->on_close(STREAM_ERR_UNSUPPORTED_STANZA_TYPE,
		    "unknown dialback element", d->opts.arg);
	else if (e.type != DIALBACK_REQUEST)
		/* We ask nothing on a stream that a peer opened. */
		log_event(&d->log, d->unasked++ == 0 ? LOG_WARN : LOG_DEBUG,
		    "dialback-answer-unasked", "what=%s type=%s from=%s to=%s",
		    e.verify ? "verify" : "result", dialback_type_str(e.type),
		    e.from, e.to);
	else if (rc < 0)
		d->opts.events->on_close(STREAM_ERR_IMPROPER_ADDRESSING,
		    "dialback without valid from and to", d->opts.arg);
	else if (e.verify)
		take_verify(d, &e, xml);
	else
		take_result(d, &e, xml);
}

/* --- life ---------------------------------------------------------------- */

static void
drop_pending(struct dialback_in *d)
{
	LIST_FOREACH_SAFE (it, &d->pending) {
		struct request *r = list_entry(it, struct request, link);

		dialback_ask_cancel(&r->ask);
		drop_request(r);
	}
}

void
dialback_in_init(struct dialback_in *d, const struct dialback_in_opts *opts)
{
	memset(d, 0, sizeof(*d));
	d->opts = *opts;
	list_init(&d->pending);
	log_init(&d->log, "dialback");
}

void
dialback_in_begin(struct dialback_in *d, const char *stream_id, bool secured)
{
	drop_pending(d);
	memcpy(d->id, stream_id, strlen(stream_id) + 1);
	d->secured = secured;
}

void
dialback_in_finish(struct dialback_in *d)
{
	drop_pending(d);
}
