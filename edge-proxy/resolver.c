/*
 * resolver - see the header.
 *
 * A question comes in as a datagram and becomes a job: libunbound is asked,
 * and what it says is written back.  libunbound answers from its cache before
 * the call returns, so an answer is only queued by its callback; the queue is
 * written after each turn, as the socket takes it.
 *
 * What can go wrong: too many jobs, no answer in time, or an error of
 * libunbound's: the question is answered DNS_FAILED.  A question that is not
 * of the format, or the end of the asking side, ends the service.
 */
#include "edge-proxy/resolver.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <unbound.h>
#include <unbound-event.h>

#include "common/buf.h"
#include "common/clock.h"
#include "common/err.h"
#include "common/list.h"
#include "common/log.h"
#include "common/log_limit.h"
#include "edge-proxy/child.h"
#include "edge-proxy/dns_packet.h"
#include "edge-proxy/edge_conf.h"
#include "edge-proxy/keeper_wire.h"
#include "edge-proxy/resolver_wire.h"
#include "edge-proxy/sandbox.h"
#include "edge-proxy/ub_event_uv.h"

enum {
	JOBS_MAX = 4096,
	READS_PER_TURN = 64,
	JOB_LIMIT_MS = 20000,
	CLASS_IN = 1,
	RCODE_NOERROR = 0,
	RCODE_NXDOMAIN = 3,
	SEC_BOGUS = 1,
	SEC_SECURE = 2
};

/* A socket that questions come by. */
struct line {
	struct list all;
	struct resolver *resolver; /* NULL: closed */
	struct resolver *last;     /* goes with this line's handle, or NULL */
	uv_poll_t poll;
	int fd;
	bool first;   /* its end is ours */
	bool stopped; /* of no use any more */
	struct list answered;
};

struct job {
	struct list node; /* in asked of the resolver or answered of the line */
	struct resolver *resolver;
	struct line *line;
	struct resolver_question question;
	int async_id;
	bool done;
	struct clock_timer limit;
	struct buf answer;
};

struct resolver {
	struct clock *clock;
	struct ub_event_base *events;
	struct ub_ctx *ub;
	FILE *ub_log;
	uv_loop_t *loop;
	struct list lines;
	struct list asked;
	size_t jobs;
	void (*on_end)(void *arg);
	void *arg;
	struct resolver_records records;
	struct log log;
};

static void
free_job(struct job *j)
{
	clock_timer_stop(&j->limit);
	list_remove(&j->node);
	buf_finish(&j->answer);
	j->resolver->jobs--;
	free(j);
}

static void
on_line_closed(uv_handle_t *h)
{
	struct line *l = h->data;

	close(l->fd);
	free(l->last);
	free(l);
}

/* Gives up what waits for the line, and the line. */
static void
close_line(struct line *l)
{
	struct resolver *r = l->resolver;

	LIST_FOREACH_SAFE (n, &r->asked) {
		struct job *j = list_entry(n, struct job, node);

		if (j->line != l)
			continue;
		ub_cancel(r->ub, j->async_id);
		free_job(j);
	}
	LIST_FOREACH_SAFE (n, &l->answered)
		free_job(list_entry(n, struct job, node));
	list_remove(&l->all);
	l->resolver = NULL;
	uv_close((uv_handle_t *)&l->poll, on_line_closed);
}

/* Nobody to answer any more. */
static void
stop(struct line *l, const char *why)
{
	struct resolver *r = l->resolver;

	if (l->stopped || r == NULL)
		return;
	l->stopped = true;
	uv_poll_stop(&l->poll);
	log_info(&r->log, "questions-ended", "reason=%s", why);
	if (!l->first)
		close_line(l);
	else if (r->on_end != NULL)
		r->on_end(r->arg);
}

static void on_poll(uv_poll_t *h, int status, int events);

static void
rearm(struct line *l)
{
	int events = UV_READABLE;
	int rc;

	if (l->stopped || l->resolver == NULL)
		return;
	if (!list_empty(&l->answered))
		events |= UV_WRITABLE;
	rc = uv_poll_start(&l->poll, events, on_poll);
	if (rc < 0)
		stop(l, err_str(rc));
}

/* Queues the answer; the job is done. */
static void
finish_job(struct job *j, const struct dns_answer *a)
{
	struct line *l = j->line;

	j->done = true;
	clock_timer_stop(&j->limit);
	if (resolver_wire_put_answer(&j->answer, j->question.id, a) < 0) {
		/* The asking side has a time limit of its own. */
		free_job(j);
		return;
	}
	list_remove(&j->node);
	list_append(&l->answered, &j->node);
	rearm(l);
}

static void
fail_job(struct job *j)
{
	const struct dns_answer a = { .status = DNS_FAILED,
		.type = j->question.type };

	finish_job(j, &a);
}

/* libunbound is through with a question; maybe within ub_resolve_event(). */
static void
on_resolved(void *arg, int rcode, void *packet, int packet_len, int sec,
    char *why_bogus, int was_ratelimited)
{
	struct job *j = arg;
	struct resolver *r = j->resolver;
	struct dns_answer a = { .status = DNS_FAILED,
		.type = j->question.type };

	(void)was_ratelimited;
	if (sec == SEC_BOGUS) {
		/* The data is there, and must not be used. */
		log_limited_warn(&r->log, NULL, "bogus",
		    "name=%s type=%d reason=%s", j->question.name,
		    (int)j->question.type, why_bogus);
		a.status = DNS_BOGUS;
	} else if ((rcode == RCODE_NOERROR || rcode == RCODE_NXDOMAIN) &&
		   packet != NULL && packet_len > 0) {
		if (dns_packet_read(&a, &r->records, j->question.name,
			j->question.type, packet, (size_t)packet_len) < 0)
			log_limited_warn(&r->log, NULL, "packet-malformed",
			    "name=%s type=%d", j->question.name,
			    (int)j->question.type);
		else
			a.secure = sec == SEC_SECURE;
	}
	log_debug(&r->log, "answer",
	    "name=%s type=%d status=%d secure=%d records=%zu", j->question.name,
	    (int)j->question.type, (int)a.status, a.secure, a.count);
	finish_job(j, &a);
}

static void
on_limit(struct clock_timer *t, void *arg)
{
	struct job *j = arg;

	(void)t;
	ub_cancel(j->resolver->ub, j->async_id);
	fail_job(j);
}

static void
ask(struct line *l, const struct resolver_question *q)
{
	struct resolver *r = l->resolver;
	struct job *j;
	int rc, id = 0;

	j = calloc(1, sizeof(*j));
	if (j == NULL)
		return; /* the asking side's own limit ends it */
	j->resolver = r;
	j->line = l;
	j->question = *q;
	buf_init(&j->answer, RESOLVER_ANSWER_MAX);
	clock_timer_init(&j->limit, r->clock, on_limit, j);
	list_append(&r->asked, &j->node);
	r->jobs++;
	if (r->jobs > JOBS_MAX) {
		fail_job(j);
		return;
	}
	clock_timer_start(&j->limit, JOB_LIMIT_MS);
	/* j may be answered, and is then no longer the last one asked, when
	 * this returns. */
	rc = ub_resolve_event(r->ub, j->question.name, (int)q->type, CLASS_IN,
	    j, on_resolved, &id);
	if (rc != 0) {
		log_limited_warn(&r->log, NULL, "resolve-failed",
		    "name=%s error=%s", q->name, ub_strerror(rc));
		fail_job(j);
		return;
	}
	if (r->asked.prev == &j->node)
		j->async_id = id;
}

static void
read_questions(struct line *l)
{
	uint8_t data[RESOLVER_QUESTION_MAX + 1];

	for (int i = 0; i < READS_PER_TURN && !l->stopped; i++) {
		struct resolver_question q;
		ssize_t n = recv(l->fd, data, sizeof(data), MSG_DONTWAIT);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && errno == EAGAIN)
			return;
		if (n <= 0) {
			stop(l, n < 0 ? strerror(errno) : "asking side ended");
			return;
		}
		if (resolver_wire_get_question(&q, data, (size_t)n) < 0) {
			stop(l, "malformed question");
			return;
		}
		ask(l, &q);
	}
}

static void
write_answers(struct line *l)
{
	struct list *first;

	while ((first = list_first(&l->answered)) != NULL) {
		struct job *j = list_entry(first, struct job, node);
		ssize_t n = send(l->fd, j->answer.data, j->answer.len,
		    MSG_DONTWAIT | MSG_NOSIGNAL);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && errno == EAGAIN)
			break;
		if (n < 0) {
			stop(l, strerror(errno));
			return;
		}
		free_job(j);
	}
	rearm(l);
}

static void
on_poll(uv_poll_t *h, int status, int events)
{
	struct line *l = h->data;

	if (status < 0) {
		stop(l, err_str(status));
		return;
	}
	if ((events & UV_READABLE) != 0)
		read_questions(l);
	if (!l->stopped && (events & UV_WRITABLE) != 0)
		write_answers(l);
}

/* --- libunbound --------------------------------------------------------- */

/* One or more lines of libunbound's own log. */
static ssize_t
on_ub_log(void *cookie, const char *text, size_t len)
{
	const struct log *log = cookie;
	char line[400];
	size_t n = len < sizeof(line) - 1 ? len : sizeof(line) - 1;

	memcpy(line, text, n);
	while (n > 0 && line[n - 1] == '\n')
		n--;
	line[n] = '\0';
	if (n > 0)
		log_limited_warn(log, NULL, "libunbound", "text=%s", line);
	return (ssize_t)len;
}

/* A server that does not answer is given up within a second, instead of the
 * 17 of the defaults: a person waits behind each question.  Hosts that were
 * found dead go on being probed, so that they are found alive again. */
static const struct {
	const char *name, *value;
} options[] = {
	{ "do-not-query-localhost:", "no" },
	{ "outbound-msg-retry:", "2" },
	{ "infra-cache-max-rtt:", "1000" },
	{ "unknown-server-time-limit:", "200" },
	{ "infra-keep-probing:", "yes" },
	{ "infra-host-ttl:", "60" },
	{ "msg-cache-size:", "16m" },
	{ "rrset-cache-size:", "32m" },
	{ "key-cache-size:", "8m" },
	{ "neg-cache-size:", "1m" },
	{ "cache-max-ttl:", "86400" },
	{ "cache-max-negative-ttl:", "300" },
	{ "outgoing-range:", "256" },
	{ "num-queries-per-thread:", "1024" },
	{ "edns-buffer-size:", "1232" },
};

/* 0, or libunbound's code with what it was about. */
static int
configure_servers(
    struct ub_ctx *ub, const struct edge_conf *conf, const char **what)
{
	int rc;

	*what = "/etc/resolv.conf";
	if (conf->server_count == 0)
		return ub_ctx_resolvconf(ub, NULL);
	for (size_t i = 0; i < conf->server_count; i++) {
		*what = conf->servers[i];
		rc = ub_ctx_set_fwd(ub, conf->servers[i]);
		if (rc != 0)
			return rc;
	}
	return 0;
}

static int
configure(struct ub_ctx *ub, const struct edge_conf *conf, const char **what)
{
	int rc;

	for (size_t i = 0; i < sizeof(options) / sizeof(options[0]); i++) {
		*what = options[i].name;
		rc = ub_ctx_set_option(ub, options[i].name, options[i].value);
		if (rc != 0)
			return rc;
	}
	rc = configure_servers(ub, conf, what);
	if (rc != 0)
		return rc;
	for (size_t i = 0; i < conf->anchor_count; i++) {
		*what = conf->anchors[i];
		rc = edge_conf_anchor_is_file(conf->anchors[i])
			 ? ub_ctx_add_ta_file(ub, conf->anchors[i])
			 : ub_ctx_add_ta(ub, conf->anchors[i]);
		if (rc != 0)
			return rc;
	}
	/* libunbound answers test. by itself; laboratories use it. */
	*what = "trust_anchors";
	return ub_ctx_zone_remove(ub, "test.");
}

static void
on_warmed_up(void *arg, int rcode, void *packet, int packet_len, int sec,
    char *why_bogus, /* NOLINT(readability-non-const-parameter): libunbound's */
    int was_ratelimited)
{
	(void)rcode;
	(void)packet;
	(void)packet_len;
	(void)sec;
	(void)why_bogus;
	(void)was_ratelimited;
	*(bool *)arg = true;
}

/* The first question makes libunbound open its files.  localhost is answered
 * without asking anyone, before the call returns. */
static int
warm_up(struct ub_ctx *ub)
{
	bool answered = false;
	int id = 0;
	int rc;

	rc = ub_resolve_event(
	    ub, "localhost.", DNS_A, CLASS_IN, &answered, on_warmed_up, &id);
	if (rc == 0 && !answered)
		ub_cancel(ub, id);
	return rc;
}

/* Gives up what libunbound and the jobs hold. */
static void
release(struct resolver *r)
{
	LIST_FOREACH_SAFE (n, &r->lines)
		close_line(list_entry(n, struct line, all));
	if (r->ub != NULL)
		ub_ctx_delete(r->ub);
	ub_event_uv_free(r->events);
	if (r->ub_log != NULL)
		fclose(r->ub_log);
}

static int
add_line(struct resolver *r, int fd, bool first)
{
	struct line *l = calloc(1, sizeof(*l));
	int rc = ERR_NOMEM;

	if (l != NULL)
		rc = uv_poll_init(r->loop, &l->poll, fd);
	if (rc < 0) {
		free(l);
		close(fd);
		return rc;
	}
	l->resolver = r;
	l->poll.data = l;
	l->fd = fd;
	l->first = first;
	list_init(&l->answered);
	list_append(&r->lines, &l->all);
	rearm(l);
	return 0;
}

int
resolver_serve(struct resolver *r, int fd)
{
	return add_line(r, fd, false);
}

int
resolver_open(struct resolver **out, uv_loop_t *loop, struct clock *clock,
    const struct edge_conf *conf, int fd, char *why, size_t size)
{
	static const cookie_io_functions_t log_io = { .write = on_ub_log };
	const char *what = "libunbound";
	struct resolver *r;
	int rc;

	snprintf(why, size, "%s", err_str(ERR_NOMEM));
	r = calloc(1, sizeof(*r));
	if (r == NULL) {
		close(fd);
		return ERR_NOMEM;
	}
	r->loop = loop;
	r->clock = clock;
	list_init(&r->lines);
	list_init(&r->asked);
	log_init(&r->log, "resolver");
	rc = ub_event_uv_new(&r->events, loop, clock);
	if (rc < 0)
		goto fail;
	rc = ERR_NOMEM;
	r->ub_log = fopencookie(&r->log, "w", log_io);
	r->ub = ub_ctx_create_ub_event(r->events);
	if (r->ub_log == NULL || r->ub == NULL)
		goto fail;
	setvbuf(r->ub_log, NULL, _IOLBF, 0);
	ub_ctx_debugout(r->ub, r->ub_log);
	rc = configure(r->ub, conf, &what);
	if (rc == 0)
		rc = warm_up(r->ub);
	if (rc != 0) {
		snprintf(why, size, "%s: %s", what, ub_strerror(rc));
		rc = ERR_CONFIG;
		goto fail;
	}
	rc = add_line(r, fd, true);
	fd = -1;
	if (rc < 0) {
		snprintf(why, size, "%s", err_str(rc));
		goto fail;
	}
	*out = r;
	return 0;

fail:
	release(r);
	if (fd >= 0)
		close(fd);
	free(r);
	return rc;
}

void
resolver_on_end(struct resolver *r, void (*fn)(void *arg), void *arg)
{
	r->on_end = fn;
	r->arg = arg;
}

void
resolver_close(struct resolver *r)
{
	if (r == NULL)
		return;
	/* We may be in a call of its socket's. */
	list_entry(list_first(&r->lines), struct line, all)->last = r;
	release(r);
	r->ub = NULL;
}

/* --- the process -------------------------------------------------------- */

struct process {
	struct child child;
	int dns;
	int asker; /* waits for the resolver to be there, or -1 */
	struct edge_conf *conf;
	struct resolver *resolver;
};

static void
on_stop(void *arg)
{
	struct process *p = arg;

	resolver_close(p->resolver);
	p->resolver = NULL;
	child_end(&p->child, 0);
}

static void
refuse(struct process *p, const char *why)
{
	const struct keeper_blob text = { (const uint8_t *)why, strlen(why) };

	keeper_link_send(p->child.link, KW_REFUSED, &text, 1, -1);
	child_end(&p->child, 1);
}

/* The configuration is whole: start, or take over new log levels. */
static void
apply(struct process *p)
{
	char why[512];
	int rc;

	if (p->conf == NULL) {
		refuse(p, "no configuration");
		return;
	}
	edge_conf_apply_log(p->conf);
	if (p->resolver == NULL) {
		rc = resolver_open(&p->resolver, &p->child.loop, p->child.clock,
		    p->conf, p->dns, why, sizeof(why));
		p->dns = -1;
		if (rc < 0) {
			refuse(p, why);
			return;
		}
		resolver_on_end(p->resolver, on_stop, p);
		if (p->asker >= 0)
			(void)resolver_serve(p->resolver, p->asker);
		p->asker = -1;
		rc = sandbox_enter(SANDBOX_RESOLVER, p->conf->sandbox);
		if (rc < 0) {
			resolver_close(p->resolver);
			p->resolver = NULL;
			refuse(p, "the sandbox cannot be entered");
			return;
		}
	}
	keeper_link_send(p->child.link, KW_READY, NULL, 0, -1);
}

/* The fetcher asks by a line of its own.  Before there is a resolver, it waits
 * for that. */
static void
serve(struct process *p, int fd)
{
	int rc;

	if (p->resolver == NULL) {
		if (p->asker >= 0)
			close(p->asker);
		p->asker = fd;
		return;
	}
	rc = resolver_serve(p->resolver, fd);
	if (rc < 0)
		refuse(p, "the fetcher's line cannot be used");
}

static void
on_message(enum keeper_message type, const struct keeper_blob *blobs, int fd,
    void *arg)
{
	struct process *p = arg;
	char why[512];

	if (type == KW_ASKER) {
		serve(p, fd);
		return;
	}
	if (fd >= 0)
		close(fd);
	switch (type) {
	case KW_CONF:
		edge_conf_free(p->conf);
		p->conf = NULL;
		if (edge_conf_parse(&p->conf, "edge.json",
			(const char *)blobs[0].data, blobs[0].len, why,
			sizeof(why)) < 0)
			refuse(p, why);
		break;
	case KW_APPLY:
		apply(p);
		break;
	case KW_STOP:
		on_stop(p);
		break;
	case KW_ASKER:
		break;
	case KW_EXTERNAL:
	case KW_TRUST:
	case KW_INTERNAL:
	case KW_STAPLE:
	case KW_FETCHER:
	case KW_JUDGE:
	case KW_JUDGED:
	case KW_WANT_ANSWER:
	case KW_OCSP:
	case KW_ANEW:
	case KW_LISTS:
	case KW_RESOLVER:
	case KW_READY:
	case KW_REFUSED:
	case KW_CONTROL:
	case KW_ABOUT:
	case KW_LEVEL:
	case KW_BEAT:
	case KW_ANSWER:
	case KW_REVOCATION:
	case KW_ALIVE:
	case KW_ASK_RELOAD:
	case KW_ASK_LEVEL:
	case KW_ASK_STOP:
		refuse(p, "not for the resolver");
		break;
	}
}

int
resolver_main(int control, int dns)
{
	const struct child_opts opts = {
		.name = "resolver",
		.control = control,
		.on_message = on_message,
		.on_stop = on_stop,
	};
	struct process p = { .dns = dns, .asker = -1 };
	int status;

	status = child_run(&p.child, &opts, &p);
	edge_conf_free(p.conf);
	if (p.dns >= 0)
		close(p.dns);
	if (p.asker >= 0)
		close(p.asker);
	return status;
}
