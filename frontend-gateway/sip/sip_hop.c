/*
 * What two neighbours have to settle with each other and nobody above needs to
 * know.  Answers: NEGOTIATE, messages that cannot be read or held.  Questions:
 * OPTIONS, when a front end has been quiet for a while, since an open TCP
 * connection says nothing of the server behind it.  Any final answer is a
 * sign of life; which one a front end gives depends on its routing.
 */
#include "frontend-gateway/sip/sip_transport_impl.h"

#include <stdio.h>
#include <string.h>

#include "common/buf.h"
#include "common/conn.h"
#include "common/err.h"
#include "common/log_limit.h"
#include "common/random.h"
#include "frontend-gateway/sip/sip_build.h"
#include "frontend-gateway/sip/sip_diagnostics.h"

enum { PROBE_ANSWER_MS = 10000 };

/* Of a header without a value nothing is written. */
static const char *
product(const struct sip_link *l)
{
	const char *text = l->t->opts.product;

	return text != NULL && text[0] != '\0' ? text : NULL;
}

/* --- answers of one hop ------------------------------------------------- */

static void
answer(struct sip_link *l, const struct sip_msg *m, int status,
    const struct sip_header *headers, size_t count)
{
	const struct sip_header own = { "Server", product(l) };
	char tag[33];
	struct sip_build_response r = { .request = m,
		.status = status,
		.to_tag = tag,
		.own = &own,
		.own_count = 1,
		.headers = headers,
		.header_count = count };
	struct buf text;
	int rc;

	random_hex(tag, 16);
	buf_init(&text, 0);
	rc = sip_build_response(&text, &r);
	if (rc < 0)
		log_warn(&l->log, "answer-not-built", "status=%d error=%s",
		    status, err_str(rc));
	else
		sip_link_write(l, text.data, text.len);
	buf_finish(&text);
}

static void
refuse(struct sip_link *l, const struct sip_msg *m, int status, unsigned id,
    const char *reason)
{
	struct sip_header headers[1] = { { "ms-diagnostics", NULL } };
	struct buf value;

	log_limited_warn(&l->log, conn_peer_ip(l->conn), "message-refused",
	    "status=%d reason=%s call_id=%s", status, reason,
	    sip_msg_call_id(m));
	buf_init(&value, 0);
	sip_build_diagnostics(&value, id, reason, l->t->fqdn);
	headers[0].value = buf_cstr(&value);
	answer(l, m, status, headers, headers[0].value != NULL ? 1 : 0);
	buf_finish(&value);
}

/* Compression is refused; a silent peer would wait for the answer before it
 * says anything else. */
static void
answer_negotiate(struct sip_link *l, const struct sip_msg *m)
{
	static const struct {
		int status;
		bool allow, none;
	} replies[] = {
		[SIP_NEGOTIATE_405] = { 405, true, false },
		[SIP_NEGOTIATE_488] = { 488, false, false },
		[SIP_NEGOTIATE_501] = { 501, true, false },
		[SIP_NEGOTIATE_200_NONE] = { 200, false, true },
	};
	enum sip_negotiate_reply reply = l->t->opts.negotiate_reply;
	struct sip_header headers[2];
	size_t n = 0;

	if (replies[reply].allow)
		headers[n++] = (struct sip_header){ "Allow", l->t->allow };
	if (replies[reply].none)
		headers[n++] = (struct sip_header){ "Compression", "None" };
	answer(l, m, replies[reply].status, headers, n);
}

/* --- reading ------------------------------------------------------------ */

/* Whether a request of that method is answered at all. */
static bool
is_answered(const struct sip_msg *m)
{
	return sip_msg_is_request(m) && sip_msg_method(m) != SIP_ACK &&
	       sip_msg_method(m) != SIP_BENOTIFY;
}

/* The answer to a probe of ours. */
static bool
is_probe_answer(const struct sip_link *l, const struct sip_msg *m)
{
	return l->probing && !sip_msg_is_request(m) &&
	       sip_msg_method(m) == SIP_OPTIONS && sip_msg_status(m) >= 200 &&
	       strcmp(sip_msg_branch(m), l->probe_branch) == 0;
}

static void
take_probe_answer(struct sip_link *l, const struct sip_msg *m)
{
	struct sip_transport *t = l->t;
	struct sip_peer *p = l->peer;
	enum sip_health_state before = p->health.state;

	l->probing = false;
	clock_timer_start(&l->probe, t->opts.probe_ms);
	sip_health_answered(&p->health, clock_now_ms(t->opts.clock), m, p->name,
	    t->peers[0]->name);
	sip_peer_tell(p, before);
}

/* What cannot be read, too. */
static void
tap_read(const struct sip_link *l, const struct sip_frame_item *item)
{
	const struct sip_tap *tap = l->t->tap;
	const struct sip_tap_message m = { .peer = l->peer->name,
		.conn = l->id,
		.head = item->head,
		.head_len = item->head_len,
		.body = item->body,
		.body_len = item->body_len };

	tap->on_message(&m, tap->arg);
}

void
sip_hop_take(struct sip_link *l, const struct sip_frame_item *item)
{
	struct sip_msg *m;
	const char *what;
	int rc, status;

	if (l->t->tap != NULL)
		tap_read(l, item);
	rc = sip_msg_parse(
	    &m, item->head, item->head_len, item->body, item->body_len);
	if (rc < 0) {
		log_limited_warn(&l->log, conn_peer_ip(l->conn),
		    "message-unreadable", "error=%s", err_str(rc));
		return;
	}
	log_debug(&l->log, "message", "method=%s status=%d call_id=%s",
	    sip_msg_method_name(m), sip_msg_status(m), sip_msg_call_id(m));
	status = sip_msg_defect(m, &what);
	if (sip_msg_is_request(m) && sip_msg_method(m) == SIP_NEGOTIATE)
		answer_negotiate(l, m);
	else if (status != 0 && is_answered(m))
		refuse(l, m, status, SIP_UA_DIAG_MALFORMED, what);
	else if (status != 0)
		log_limited_warn(&l->log, conn_peer_ip(l->conn),
		    "message-dropped", "defect=%s", what);
	else if (is_probe_answer(l, m))
		take_probe_answer(l, m);
	else if (item->kind == SIP_FRAME_MESSAGE)
		l->t->opts.events->on_message(m, l->id, l->t->opts.arg);
	else if (is_answered(m))
		refuse(l, m, 413, SIP_UA_DIAG_TOO_LARGE, "body too large");
	else
		log_limited_warn(&l->log, conn_peer_ip(l->conn),
		    "message-dropped", "defect=%s", "body too large");
	sip_msg_free(m);
}

/* --- probes ------------------------------------------------------------- */

static int
build_probe(struct buf *out, const struct sip_link *l)
{
	char uri[300], from[300], to[300], call_id[33];
	const struct sip_header own = { "User-Agent", product(l) };
	const struct sip_build_request r = { .method = "OPTIONS",
		.uri = uri,
		.sent_by = l->t->sent_by,
		.branch = l->probe_branch,
		.from = from,
		.to = to,
		.call_id = call_id,
		.cseq = 1,
		.own = &own,
		.own_count = 1 };

	random_hex(call_id, 16);
	snprintf(uri, sizeof(uri), "sip:%s;transport=tls", l->peer->name);
	snprintf(from, sizeof(from), "<sip:%s>;tag=%.8s", l->t->fqdn,
	    l->probe_branch + strlen("z9hG4bK"));
	snprintf(to, sizeof(to), "<sip:%s>", l->peer->name);
	return sip_build_request(out, &r);
}

void
sip_hop_probe(struct sip_link *l)
{
	struct buf text;
	int rc;

	if (l->probing || l->t->opts.probe_ms == 0 || !sip_link_is_usable(l))
		return;
	memcpy(l->probe_branch, "z9hG4bK", sizeof("z9hG4bK"));
	random_hex(l->probe_branch + strlen("z9hG4bK"), 16);
	buf_init(&text, 0);
	rc = build_probe(&text, l);
	if (rc == 0)
		rc = sip_link_write(l, text.data, text.len);
	buf_finish(&text);
	if (rc < 0) {
		/* A write that failed ends the connection anyway. */
		log_debug(&l->log, "probe-not-sent", "error=%s", err_str(rc));
		clock_timer_start(&l->probe, l->t->opts.probe_ms);
		return;
	}
	l->probing = true;
	sip_health_sent(&l->peer->health);
	clock_timer_start(&l->probe, l->t->opts.probe_ms < PROBE_ANSWER_MS
					 ? l->t->opts.probe_ms
					 : PROBE_ANSWER_MS);
}

/* No answer to a probe: the connection is of no use.  Whether the front end is
 * depends on its others. */
static void
give_up(struct sip_link *l)
{
	static const char why[] = "no answer to OPTIONS";
	struct sip_peer *p = l->peer;
	enum sip_health_state before = p->health.state;
	uint64_t now = clock_now_ms(l->t->opts.clock);

	log_warn(&l->log, "silent", "name=%s", p->name);
	if (p->up > 1)
		sip_health_unanswered(&p->health, now, why);
	else
		sip_health_silent(&p->health, now, why);
	sip_peer_tell(p, before);
	sip_link_drop(l, why);
}

static void
on_probe(struct clock_timer *timer, void *arg)
{
	struct sip_link *l = arg;
	uint64_t now = clock_now_ms(l->t->opts.clock);
	uint64_t quiet = now - l->heard_ms;
	uint64_t limit = l->t->opts.probe_ms;

	if (l->probing)
		give_up(l);
	else if (l->peer->health.state == SIP_HEALTH_RESTING)
		clock_timer_start(timer, limit); /* leave it alone */
	else if (quiet < limit && !l->peer->health.suspect)
		clock_timer_start(timer, limit - quiet);
	else
		sip_hop_probe(l);
}

void
sip_hop_init(struct sip_link *l)
{
	clock_timer_init(&l->probe, l->t->opts.clock, on_probe, l);
}

void
sip_hop_watch(struct sip_link *l)
{
	if (l->t->opts.probe_ms == 0)
		return;
	clock_timer_start(
	    &l->probe, l->peer->health.suspect ? 0 : l->t->opts.probe_ms);
}
