/*
 * An INVITE of ours: each provisional answer with a To tag makes an early
 * dialog.  The first 2xx confirms its dialog, is acknowledged and told; its
 * repetitions get the same ACK again.  A 2xx of another fork, or one that
 * crosses our CANCEL, is acknowledged and ended with BYE (RFC 3261
 * 13.2.2.4).  The call lives on until its transaction has seen the last.
 */
#include "frontend-gateway/sip/sip_ua_impl.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "common/err.h"
#include "common/random.h"

enum { EARLY_MAX = 16 };

static void on_client_event(struct sip_client_txn *t, enum sip_client_event ev,
    const struct sip_msg *m, void *arg);

/* --- calls -------------------------------------------------------------- */

static int
new_call(
    struct sip_ua_call **out, struct sip_ua *ua, const struct sip_question *q)
{
	struct sip_ua_call *c = calloc(1, sizeof(*c));

	if (c == NULL)
		return ERR_NOMEM;
	c->ua = ua;
	c->method = q->method;
	c->fn = q->on_result;
	c->arg = q->arg;
	c->user = q->user;
	list_init(&c->node);
	list_init(&c->early);
	buf_init(&c->ack, 0);
	*out = c;
	return 0;
}

/* The early dialogs that came to nothing. */
static void
end_early(struct sip_ua_call *c)
{
	while (!list_empty(&c->early)) {
		struct ua_dialog *ud =
		    list_entry(c->early.next, struct ua_dialog, of_call);

		list_remove(&ud->of_call);
		sip_ua_dialog_over(ud, SIP_DIALOG_END_FAILED);
	}
}

static void
free_call(struct sip_ua_call *c)
{
	end_early(c);
	list_remove(&c->node);
	buf_finish(&c->ack);
	free(c->ack_tag);
	free(c->from);
	free(c->uri);
	free(c->contact);
	free(c);
}

static void
report(struct sip_ua_call *c, const struct sip_result *result)
{
	sip_ua_result_fn *fn = c->fn;

	if (result->final)
		c->fn = NULL;
	if (fn != NULL)
		fn(c->ua, c, result, c->arg);
}

static void
report_failure(struct sip_ua_call *c, enum sip_outcome outcome)
{
	const struct sip_result result = { .outcome = outcome,
		.final = true,
		.status = outcome == SIP_OUTCOME_TIMEOUT ? 408 : 503 };

	end_early(c);
	report(c, &result);
}

/* --- sending ------------------------------------------------------------ */

/* Completes, writes and sends a request; its transaction reports to c, if not
 * NULL. */
static int
start(struct sip_ua *ua, struct sip_ua_call *c,
    const struct sip_build_request *partial, enum sip_method method,
    const char *front_end)
{
	struct sip_header own[3] = { { "User-Agent", sip_ua_product(ua) } };
	struct sip_client_opts o = { .method = method,
		.front_end = front_end,
		.call_id = partial->call_id,
		.movable = strstr(partial->to, ";tag=") == NULL,
		.fn = c != NULL ? on_client_event : NULL,
		.arg = c };
	struct sip_build_request r = *partial;
	char branch[SIP_UA_BRANCH_SIZE];
	struct buf text;
	int rc;

	sip_ua_branch(branch);
	r.own_count = 1;
	if (method == SIP_INVITE) {
		own[r.own_count++] = (struct sip_header){ "Allow", ua->allow };
		own[r.own_count++] =
		    (struct sip_header){ "Supported", SIP_UA_SUPPORTED };
	}
	r.own = own;
	r.method = sip_method_name(method);
	r.sent_by = ua->sent_by;
	r.branch = branch;
	buf_init(&text, 0);
	rc = sip_build_request(&text, &r);
	if (rc == 0) {
		o.branch = branch;
		o.text = text.data;
		o.len = text.len;
		rc = sip_client_start(c != NULL ? &c->txn : NULL, ua->txns, &o);
	}
	buf_finish(&text);
	return rc;
}

/* The ACK to a 2xx: a request of its own without a transaction. */
static int
build_ack(struct buf *out, struct ua_dialog *ud, uint32_t cseq)
{
	const struct sip_header own = { "User-Agent", sip_ua_product(ud->ua) };
	struct sip_build_request r = {
		.own = &own, .own_count = 1, .sent_by = ud->ua->sent_by
	};
	char branch[SIP_UA_BRANCH_SIZE];

	sip_ua_branch(branch);
	r.branch = branch;
	sip_dialog_fill(&ud->d, &r, SIP_ACK, cseq);
	return sip_build_request(out, &r);
}

static void
send_ack(struct ua_dialog *ud, const struct buf *ack)
{
	char name[256];
	const struct sip_transport_way way = { .front_end = sip_ua_front_end(
						   name, sizeof(name), &ud->d),
		.call_id = ud->d.call_id };
	uint64_t conn;
	int rc = sip_transport_send(
	    ud->ua->transport, &conn, &way, ack->data, ack->len);

	/* The peer repeats its 2xx, and gets another ACK. */
	if (rc < 0)
		log_warn(&ud->ua->log, "ack-not-sent", "call_id=%s error=%s",
		    ud->d.call_id, err_str(rc));
}

void
sip_ua_out_bye(
    struct ua_dialog *ud, const struct sip_header *headers, size_t count)
{
	struct sip_ua *ua = ud->ua;
	struct sip_build_request r = { .headers = headers,
		.header_count = count };
	char name[256];
	int rc;

	sip_dialog_fill(&ud->d, &r, SIP_BYE, 0);
	rc = start(ua, NULL, &r, SIP_BYE,
	    sip_ua_front_end(name, sizeof(name), &ud->d));
	if (rc < 0)
		log_info(&ua->log, "bye-not-sent", "call_id=%s error=%s",
		    ud->d.call_id, err_str(rc));
}

/* --- answers to INVITE -------------------------------------------------- */

static struct ua_dialog *
early_dialog(struct sip_ua_call *c, const char *tag)
{
	LIST_FOREACH (it, &c->early) {
		struct ua_dialog *ud =
		    list_entry(it, struct ua_dialog, of_call);

		if (strcmp(ud->d.remote_tag, tag) == 0)
			return ud;
	}
	return NULL;
}

/* A dialog from an answer, found in the table afterwards. */
static int
make_dialog(
    struct ua_dialog **out, struct sip_ua_call *c, const struct sip_msg *m)
{
	struct ua_dialog *ud;
	int rc = sip_ua_dialog_new(&ud, c->ua, c->contact);

	if (rc < 0)
		return rc;
	rc = sip_dialog_init_uac(&ud->d, m, c->from, c->uri);
	if (rc == 0)
		rc = sip_ua_dialog_add(ud);
	if (rc < 0) {
		sip_ua_dialog_free(ud);
		return rc;
	}
	ud->d.user = c->user;
	*out = ud;
	return 0;
}

static void
on_early(struct sip_ua_call *c, const struct sip_msg *m)
{
	const char *tag = sip_msg_to_tag(m);
	struct ua_dialog *ud;
	int rc;

	if (*tag == '\0' || c->dropped || c->early_count == EARLY_MAX ||
	    early_dialog(c, tag) != NULL)
		return;
	rc = make_dialog(&ud, c, m);
	if (rc < 0) {
		log_info(&c->ua->log, "no-early-dialog", "call_id=%s error=%s",
		    sip_msg_call_id(m), err_str(rc));
		return;
	}
	list_append(&c->early, &ud->of_call);
	c->early_count++;
}

/* The dialog that a 2xx confirms or makes. */
static int
confirmed_dialog(
    struct ua_dialog **out, struct sip_ua_call *c, const struct sip_msg *m)
{
	struct ua_dialog *ud = early_dialog(c, sip_msg_to_tag(m));
	int rc;

	if (ud == NULL)
		return make_dialog(out, c, m);
	rc = sip_dialog_confirm(&ud->d, m);
	if (rc < 0)
		return rc;
	list_remove(&ud->of_call);
	*out = ud;
	return 0;
}

/* Nobody wants this dialog: ACK, since the peer repeats its 2xx otherwise, and
 * BYE. */
static void
end_unwanted(struct sip_ua_call *c, const struct sip_msg *m)
{
	struct ua_dialog *ud;
	struct buf ack;
	int rc = confirmed_dialog(&ud, c, m);

	if (rc < 0) {
		log_info(&c->ua->log, "answer-without-dialog",
		    "call_id=%s error=%s", sip_msg_call_id(m), err_str(rc));
		return;
	}
	buf_init(&ack, 0);
	rc = build_ack(&ack, ud, sip_msg_cseq(m));
	if (rc == 0)
		send_ack(ud, &ack);
	buf_finish(&ack);
	sip_ua_out_bye(ud, NULL, 0);
	sip_ua_dialog_over(ud, SIP_DIALOG_END_FAILED);
}

static void
on_answered(struct sip_ua_call *c, const struct sip_msg *m)
{
	struct sip_result result = { .outcome = SIP_OUTCOME_RESPONSE,
		.final = true,
		.status = sip_msg_status(m),
		.response = m };
	struct ua_dialog *ud = NULL;
	int rc;

	if (c->dropped) {
		end_unwanted(c, m);
		return;
	}
	rc = confirmed_dialog(&ud, c, m);
	if (rc == 0) {
		c->ack_tag = strdup(ud->d.remote_tag);
		rc = c->ack_tag != NULL
			 ? build_ack(&c->ack, ud, sip_msg_cseq(m))
			 : ERR_NOMEM;
		if (rc < 0)
			sip_ua_dialog_over(ud, SIP_DIALOG_END_FAILED);
	}
	if (rc < 0) {
		log_warn(&c->ua->log, "answer-without-dialog",
		    "call_id=%s error=%s", sip_msg_call_id(m), err_str(rc));
		result.status = 502;
	} else {
		send_ack(ud, &c->ack);
		sip_ua_session_answered(ud, m);
		ud->shown = true;
		result.dialog = &ud->d;
	}
	end_early(c);
	report(c, &result);
}

/* One more 2xx after the first. */
static void
on_answered_again(struct sip_ua_call *c, const struct sip_msg *m)
{
	struct sip_transport_way way = { 0 };
	struct ua_dialog *ud;
	uint64_t conn;
	int rc;

	if (c->ack_tag == NULL || strcmp(c->ack_tag, sip_msg_to_tag(m)) != 0) {
		end_unwanted(c, m);
		return;
	}
	ud = sip_ua_dialog_find(
	    c->ua, sip_msg_call_id(m), sip_msg_from_tag(m), sip_msg_to_tag(m));
	if (ud != NULL) {
		send_ack(ud, &c->ack);
		return;
	}
	way.call_id = sip_msg_call_id(m);
	rc = sip_transport_send(
	    c->ua->transport, &conn, &way, c->ack.data, c->ack.len);
	if (rc < 0)
		log_info(&c->ua->log, "ack-not-sent", "call_id=%s error=%s",
		    sip_msg_call_id(m), err_str(rc));
}

/* --- answers ------------------------------------------------------------ */

static void
on_final(struct sip_ua_call *c, const struct sip_msg *m)
{
	struct sip_result result = { .outcome = SIP_OUTCOME_RESPONSE,
		.final = true,
		.status = sip_msg_status(m),
		.response = m };

	if (c->method == SIP_INVITE && result.status < 300) {
		on_answered(c, m);
		return;
	}
	if (result.status < 300 && sip_ua_refreshes(c->method))
		result.dialog = sip_ua_dialog_answered(c->ua, m);
	end_early(c);
	report(c, &result);
}

static void
on_client_event(struct sip_client_txn *t, enum sip_client_event ev,
    const struct sip_msg *m, void *arg)
{
	struct sip_ua_call *c = arg;
	struct sip_result result = { .outcome = SIP_OUTCOME_RESPONSE };

	(void)t;
	switch (ev) {
	case SIP_CLIENT_PROVISIONAL:
		if (sip_msg_status(m) == 100)
			break;
		if (c->method == SIP_INVITE)
			on_early(c, m);
		result.status = sip_msg_status(m);
		result.response = m;
		report(c, &result);
		break;
	case SIP_CLIENT_FINAL:
		on_final(c, m);
		break;
	case SIP_CLIENT_AGAIN:
		on_answered_again(c, m);
		break;
	case SIP_CLIENT_TIMEOUT:
		c->dropped = true; /* what may still come is not wanted */
		report_failure(c, SIP_OUTCOME_TIMEOUT);
		break;
	case SIP_CLIENT_TRANSPORT:
		report_failure(c, SIP_OUTCOME_TRANSPORT);
		break;
	case SIP_CLIENT_ENDED:
		free_call(c);
		break;
	}
}

void
sip_ua_out_close(struct sip_ua *ua)
{
	/* Calls stay in the list until their transactions end, so that the
	 * owner may drop others meanwhile. */
	LIST_FOREACH (it, &ua->calls)
		report_failure(list_entry(it, struct sip_ua_call, node),
		    SIP_OUTCOME_TRANSPORT);
}

/* --- for the owner ------------------------------------------------------ */

static void
copy_question(struct sip_build_request *r, const struct sip_question *q)
{
	r->headers = q->headers;
	r->header_count = q->header_count;
	r->content_type = q->content_type;
	r->body = q->body;
	r->body_len = q->body_len;
}

int
sip_ua_out_fresh(struct sip_ua_fresh *f, const struct sip_ua *ua,
    const struct sip_question *q)
{
	const char *to = q->to_uri != NULL ? q->to_uri : q->uri;
	char tag[17];
	int rc;

	buf_init(&f->from, 0);
	buf_init(&f->to, 0);
	buf_init(&f->contact, 0);
	if (sip_uri_check(q->uri, strlen(q->uri)) < 0 ||
	    sip_uri_check(to, strlen(to)) < 0 ||
	    sip_uri_check(q->from_uri, strlen(q->from_uri)) < 0)
		return ERR_MALFORMED;
	random_hex(tag, 8);
	random_hex(f->call_id, 16);
	rc = sip_build_address(
	    &f->from, q->from_display, q->from_uri, tag, q->from_epid);
	if (rc == 0)
		rc = sip_build_address(&f->to, NULL, to, NULL, NULL);
	if (rc == 0)
		rc = sip_ua_contact(&f->contact, ua, q->from_uri);
	if (rc == 0 &&
	    (buf_cstr(&f->from) == NULL || buf_cstr(&f->to) == NULL ||
		buf_cstr(&f->contact) == NULL))
		rc = ERR_NOMEM;
	return rc;
}

void
sip_ua_out_fresh_finish(struct sip_ua_fresh *f)
{
	buf_finish(&f->from);
	buf_finish(&f->to);
	buf_finish(&f->contact);
}

/* What the dialogs of an INVITE need later. */
static int
remember_invite(
    struct sip_ua_call *c, const struct sip_ua_fresh *f, const char *uri)
{
	c->from = strndup((const char *)f->from.data, f->from.len);
	c->contact = strndup((const char *)f->contact.data, f->contact.len);
	c->uri = strdup(uri);
	return c->from != NULL && c->contact != NULL && c->uri != NULL
		   ? 0
		   : ERR_NOMEM;
}

/* Makes a call and sends its request.  f is NULL within a dialog. */
static int
ask(struct sip_ua_call **out, struct sip_ua *ua, const struct sip_question *q,
    struct sip_build_request *r, const struct sip_ua_fresh *f,
    const char *front_end)
{
	struct sip_ua_call *c;
	int rc = new_call(&c, ua, q);

	if (rc < 0)
		return rc;
	if (f != NULL && q->method == SIP_INVITE)
		rc = remember_invite(c, f, q->uri);
	if (rc == 0)
		rc = start(ua, c, r, q->method, front_end);
	if (rc < 0) {
		free_call(c);
		return rc;
	}
	list_append(&ua->calls, &c->node);
	if (out != NULL)
		*out = c;
	return 0;
}

int
sip_ua_ask(
    struct sip_ua_call **out, struct sip_ua *ua, const struct sip_question *q)
{
	struct sip_build_request r = { .uri = q->uri, .cseq = 1 };
	struct sip_ua_fresh f;
	int rc;

	assert(q->method != SIP_ACK && q->method != SIP_CANCEL);
	if (ua->closing)
		return ERR_BAD_STATE;
	rc = sip_ua_out_fresh(&f, ua, q);
	if (rc == 0) {
		copy_question(&r, q);
		r.from = buf_cstr(&f.from);
		r.to = buf_cstr(&f.to);
		r.call_id = f.call_id;
		if (q->method == SIP_INVITE || q->method == SIP_SUBSCRIBE)
			r.contact = buf_cstr(&f.contact);
		rc = ask(out, ua, q, &r, &f, NULL);
	}
	sip_ua_out_fresh_finish(&f);
	return rc;
}

int
sip_ua_ask_in(struct sip_ua_call **out, struct sip_ua *ua, struct sip_dialog *d,
    const struct sip_question *q)
{
	struct ua_dialog *ud = map_entry(d, struct ua_dialog, d);
	struct sip_build_request r = { 0 };
	char name[256];

	assert(q->method != SIP_INVITE && q->method != SIP_ACK &&
	       q->method != SIP_BYE && q->method != SIP_CANCEL);
	if (ua->closing || d->state == SIP_DIALOG_ENDED)
		return ERR_BAD_STATE;
	copy_question(&r, q);
	sip_dialog_fill(d, &r, q->method, 0);
	if (sip_ua_refreshes(q->method))
		r.contact = ud->contact;
	return ask(
	    out, ua, q, &r, NULL, sip_ua_front_end(name, sizeof(name), d));
}

void
sip_ua_cancel(struct sip_ua *ua, struct sip_ua_call *c)
{
	if (c->method == SIP_INVITE && !ua->closing)
		sip_client_cancel(c->txn);
}

void
sip_ua_drop(struct sip_ua *ua, struct sip_ua_call *c)
{
	c->fn = NULL;
	c->dropped = true;
	sip_ua_cancel(ua, c);
}

static void
leave(struct sip_ua *ua, struct sip_dialog *d, const struct sip_header *headers,
    size_t count)
{
	struct ua_dialog *ud = map_entry(d, struct ua_dialog, d);

	ud->left = true;
	sip_ua_session_stop(ud);
	/* Who accepted a call must not end it before the ACK (RFC 3261 15). */
	if (ua->closing || (ud->waiting && !ud->d.uac))
		return;
	sip_ua_out_bye(ud, headers, count);
	sip_ua_dialog_free(ud);
}

void
sip_ua_bye(struct sip_ua *ua, struct sip_dialog *d)
{
	leave(ua, d, NULL, 0);
}

void
sip_ua_bye_because(struct sip_ua *ua, struct sip_dialog *d,
    unsigned diagnostics, int status, const char *reason)
{
	struct sip_header headers[2];
	struct buf cause, details;

	buf_init(&cause, 0);
	buf_init(&details, 0);
	buf_addf(&cause, "SIP;cause=%d;text=", status);
	sip_build_quoted(&cause, reason);
	sip_build_diagnostics(&details, diagnostics, reason, ua->fqdn);
	headers[0] = (struct sip_header){ "Reason", buf_cstr(&cause) };
	headers[1] =
	    (struct sip_header){ "ms-diagnostics", buf_cstr(&details) };
	/* Without memory it ends all the same. */
	if (headers[0].value == NULL || headers[1].value == NULL)
		leave(ua, d, NULL, 0);
	else
		leave(ua, d, headers, 2);
	buf_finish(&cause);
	buf_finish(&details);
}

void
sip_ua_forget(struct sip_ua *ua, struct sip_dialog *d)
{
	struct ua_dialog *ud = map_entry(d, struct ua_dialog, d);

	ud->left = true;
	if (!ua->closing)
		sip_ua_dialog_free(ud);
}
