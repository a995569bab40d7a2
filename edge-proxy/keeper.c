/*
 * keeper - see the header.
 *
 * Start: configuration; user; own confinement; resolver, streams and fetcher,
 * each with a socket pair to us, the latter two with one to the resolver, and
 * one between the two; then, and only then, the certificates and keys, checked
 * and handed down.  When all have said ready, the service manager hears it.
 *
 * Ends of children: without the resolver streams and fetcher go on and are given
 * new lines to a new one.  Without streams the resolver has nobody to answer and
 * ends; both are started again, and the fetcher gets new lines to them.  Without
 * the fetcher certificates are judged by what is known, until there is another.
 *
 * Stop: streams first, since it has to say goodbye to partners and gateways;
 * then the others.  Who does not end in time is killed.
 */
#include "edge-proxy/keeper.h"
#include "edge-proxy/keeper_impl.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <uv.h>

#include "common/err.h"
#include "common/service.h"
#include "edge-proxy/sandbox.h"

enum {
	PAUSE_MIN_MS = 200,
	PAUSE_MAX_MS = 30000,
	STEADY_MS = 60000, /* alive this long: the pause begins anew */
	STOP_MS = 15000    /* for streams to end; the resolver gets it too */
};

static const char *const role_names[] = { KEEPER_STREAMS, KEEPER_RESOLVER,
	KEEPER_FETCHER };

/* --- children ----------------------------------------------------------- */

static void
all_ready(struct keeper *k)
{
	if (k->was_ready)
		return;
	for (size_t i = 0; i < ROLES; i++)
		if (!k->procs[i].ready)
			return;
	k->was_ready = true;
	log_info(&k->log, "ready", "node=%s", k->conf->node);
	service_notify("READY=1");
}

static void
on_message(enum keeper_message type, const struct keeper_blob *blobs, int fd,
    void *arg)
{
	struct proc *p = arg;
	struct keeper *k = p->keeper;
	char why[600];

	if (fd >= 0)
		close(fd);
	switch (type) {
	case KW_READY:
		p->ready = true;
		if (p->role == STREAMS && keeper_operator_reloaded(k, NULL))
			return;
		log_debug(
		    &k->log, "child-ready", "child=%s", role_names[p->role]);
		all_ready(k);
		return;
	case KW_REFUSED:
		snprintf(why, sizeof(why), "%.*s",
		    (int)(blobs[0].len < 512 ? blobs[0].len : 512),
		    (const char *)blobs[0].data);
		if (p->role == STREAMS && keeper_operator_reloaded(k, why))
			return;
		log_error(&k->log, "child-refused", "child=%s reason=%s",
		    role_names[p->role], why);
		if (!k->was_ready)
			keeper_stop(k, 1);
		return;
	case KW_CONF:
	case KW_EXTERNAL:
	case KW_TRUST:
	case KW_INTERNAL:
	case KW_APPLY:
	case KW_RESOLVER:
	case KW_STOP:
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
	case KW_STAPLE:
	case KW_ASKER:
	case KW_FETCHER:
	case KW_JUDGE:
	case KW_JUDGED:
	case KW_WANT_ANSWER:
	case KW_OCSP:
	case KW_ANEW:
	case KW_LISTS:
		if (keeper_operator_message(p, type, blobs))
			return;
		break;
	}
	/* Only a child that was taken over says this. */
	log_error(&k->log, "child-lies", "child=%s message=%s",
	    role_names[p->role], keeper_message_str(type));
	uv_process_kill(&p->process, SIGKILL);
}

static void
on_link_end(int rc, void *arg)
{
	struct proc *p = arg;

	keeper_link_close(p->link);
	p->link = NULL;
	if (rc < 0) {
		log_error(&p->keeper->log, "child-link-broken",
		    "child=%s error=%s", role_names[p->role], err_str(rc));
		uv_process_kill(&p->process, SIGKILL);
	}
}

static void on_child_exit(uv_process_t *h, int64_t status, int signum);

/* Starts one process; both descriptors are given up in any case. */
static int
spawn(struct keeper *k, enum role role, int dns)
{
	struct proc *p = &k->procs[role];
	char name[] = "sallyport-edge", option[] = KEEPER_ROLE_OPTION;
	char value[16];
	char *argv[] = { name, option, value, NULL };
	uv_stdio_container_t stdio[5] = { 0 };
	uv_process_options_t opts = { 0 };
	struct keeper_link_opts link;
	int pair[2] = { -1, -1 };
	int rc;

	snprintf(value, sizeof(value), "%s", role_names[role]);
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0) {
		rc = uv_translate_sys_error(errno);
		goto fail;
	}
	stdio[0].flags = UV_IGNORE;
	for (int i = 1; i < 5; i++)
		stdio[i].flags = UV_INHERIT_FD;
	stdio[1].data.fd = 1;
	stdio[2].data.fd = 2;
	stdio[KEEPER_CONTROL_FD].data.fd = pair[1];
	stdio[KEEPER_DNS_FD].data.fd = dns;
	opts.file = "/proc/self/exe";
	opts.args = argv;
	opts.exit_cb = on_child_exit;
	opts.stdio = stdio;
	opts.stdio_count = 5;
	rc = uv_spawn(&k->loop, &p->process, &opts);
	if (rc < 0) {
		uv_close((uv_handle_t *)&p->process, NULL);
		goto fail;
	}
	/* The line to the one before it, if that has not noticed yet. */
	keeper_link_close(p->link);
	p->link = NULL;
	p->process.data = p;
	p->running = true;
	p->ready = false;
	p->alive = false;
	p->started_ms = clock_now_ms(k->clock);
	close(dns);
	close(pair[1]);
	link = (struct keeper_link_opts){
		.loop = &k->loop,
		.fd = pair[0],
		.on_message = on_message,
		.on_end = on_link_end,
		.arg = p,
	};
	rc = keeper_link_open(&p->link, &link);
	if (rc < 0) {
		close(pair[0]);
		uv_process_kill(&p->process, SIGKILL);
	}
	return rc;

fail:
	close(dns);
	if (pair[0] >= 0)
		close(pair[0]);
	if (pair[1] >= 0)
		close(pair[1]);
	return rc;
}

/* Starts the resolver; *asking is the end that asks it, the caller's. */
static int
spawn_resolver(int *asking, struct keeper *k)
{
	int dns[2];
	int rc;

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, dns) < 0)
		return uv_translate_sys_error(errno);
	rc = spawn(k, RESOLVER, dns[0]);
	if (rc < 0) {
		close(dns[1]);
		return rc;
	}
	*asking = dns[1];
	return 0;
}

/* Gives the two ends of a new socket to two children, by these messages. */
static int
join(struct keeper *k, int kind, enum role a, enum keeper_message to_a,
    enum role b, enum keeper_message to_b)
{
	int pair[2];
	int rc;

	if (socketpair(AF_UNIX, kind | SOCK_CLOEXEC, 0, pair) < 0)
		return uv_translate_sys_error(errno);
	rc = keeper_link_send(k->procs[a].link, to_a, NULL, 0, pair[0]);
	if (rc < 0) {
		close(pair[1]);
		return rc;
	}
	return keeper_link_send(k->procs[b].link, to_b, NULL, 0, pair[1]);
}

/* The line by which the fetcher asks the resolver. */
static int
join_fetcher_to_resolver(struct keeper *k)
{
	return join(
	    k, SOCK_SEQPACKET, RESOLVER, KW_ASKER, FETCHER, KW_RESOLVER);
}

/* The line by which streams asks the fetcher. */
static int
join_fetcher_to_streams(struct keeper *k)
{
	return join(k, SOCK_STREAM, FETCHER, KW_FETCHER, STREAMS, KW_FETCHER);
}

/* The fetcher asks by a line of its own, which it is born with. */
static int
spawn_fetcher(struct keeper *k)
{
	int dns[2];
	int rc;

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, dns) < 0)
		return uv_translate_sys_error(errno);
	rc = spawn(k, FETCHER, dns[0]);
	if (rc < 0) {
		close(dns[1]);
		return rc;
	}
	return keeper_link_send(
	    k->procs[RESOLVER].link, KW_ASKER, NULL, 0, dns[1]);
}

/* Resolver and streams are there and have been told everything. */
static int
start_fetcher(struct keeper *k)
{
	int rc = spawn_fetcher(k);

	if (rc == 0)
		rc = keeper_hand_to_fetcher(k);
	if (rc == 0)
		rc = join_fetcher_to_streams(k);
	keeper_operator_about(k);
	return rc;
}

static int
start_both(struct keeper *k)
{
	int asking = -1;
	int rc;

	rc = spawn_resolver(&asking, k);
	if (rc < 0)
		return rc;
	rc = spawn(k, STREAMS, asking);
	if (rc == 0)
		keeper_operator_serve(k);
	if (rc == 0)
		rc = keeper_hand_to_resolver(k);
	if (rc == 0)
		rc = keeper_hand_to_streams(k, k->conf, k->text);
	if (rc < 0 || k->procs[FETCHER].link == NULL)
		return rc;
	/* It has lost both. */
	rc = join_fetcher_to_resolver(k);
	return rc == 0 ? join_fetcher_to_streams(k) : rc;
}

static int
start_resolver(struct keeper *k)
{
	int asking = -1;
	int rc;

	rc = spawn_resolver(&asking, k);
	if (rc < 0)
		return rc;
	rc = keeper_hand_to_resolver(k);
	if (rc < 0) {
		close(asking);
		return rc;
	}
	keeper_operator_about(k);
	rc = keeper_link_send(
	    k->procs[STREAMS].link, KW_RESOLVER, NULL, 0, asking);
	if (rc == 0 && k->procs[FETCHER].link != NULL)
		rc = join_fetcher_to_resolver(k);
	return rc;
}

/* Starts what does not run, once nothing is in the way. */
static void
on_revive(struct clock_timer *t, void *arg)
{
	struct keeper *k = arg;
	struct proc *s = &k->procs[STREAMS], *r = &k->procs[RESOLVER];
	const struct proc *f = &k->procs[FETCHER];
	int rc = 0;

	(void)t;
	if (k->stopping)
		return;
	if (!s->running && r->running) {
		/* Its asking side is gone; its own end brings us back. */
		uv_process_kill(&r->process, SIGTERM);
		return;
	}
	if (!s->running)
		rc = start_both(k);
	else if (!r->running && s->link != NULL)
		rc = start_resolver(k);
	if (rc == 0 && !f->running && s->link != NULL && r->link != NULL)
		rc = start_fetcher(k);
	if (rc < 0) {
		log_error(&k->log, "restart-failed", "error=%s", err_str(rc));
		clock_timer_start(&k->revive, PAUSE_MAX_MS);
	}
}

static void
finish(struct keeper *k)
{
	if (k->finished)
		return;
	k->finished = true;
	clock_timer_stop(&k->revive);
	clock_timer_stop(&k->kill);
	clock_timer_stop(&k->beat);
	for (size_t i = 0; i < 3; i++)
		uv_close((uv_handle_t *)&k->signals[i], NULL);
}

/* What follows from the end of a child while we go on. */
static void
plan_revival(struct keeper *k, struct proc *p)
{
	if (clock_now_ms(k->clock) - p->started_ms >= STEADY_MS ||
	    p->pause_ms == 0)
		p->pause_ms = PAUSE_MIN_MS;
	else if (p->pause_ms < PAUSE_MAX_MS / 2)
		p->pause_ms *= 2;
	else
		p->pause_ms = PAUSE_MAX_MS;
	clock_timer_start(&k->revive, p->pause_ms);
}

static void
proceed_stop(struct keeper *k)
{
	bool running = false;

	if (k->procs[STREAMS].running)
		return;
	for (size_t i = 0; i < ROLES; i++) {
		const struct proc *p = &k->procs[i];

		running = running || p->running;
		if (p->running && p->link != NULL)
			keeper_link_send(p->link, KW_STOP, NULL, 0, -1);
	}
	if (!running)
		finish(k);
}

static void
on_child_exit(uv_process_t *h, int64_t status, int signum)
{
	struct proc *p = h->data;
	struct keeper *k = p->keeper;

	p->running = false;
	p->ready = false;
	uv_close((uv_handle_t *)h, NULL);
	/* A last word may still be in the socket; it ends by itself. */
	if (k->stopping) {
		log_info(&k->log, "child-ended",
		    "child=%s status=%lld "
		    "signal=%d",
		    role_names[p->role], (long long)status, signum);
		if (status != 0 || signum != 0)
			k->status = 1;
		proceed_stop(k);
		return;
	}
	log_error(&k->log, "child-died", "child=%s status=%lld signal=%d",
	    role_names[p->role], (long long)status, signum);
	if (!k->was_ready)
		keeper_stop(k, 1);
	else {
		p->restarts++;
		if (p->role == STREAMS)
			(void)keeper_operator_reloaded(
			    k, "the streams process ended");
		plan_revival(k, p);
	}
}

/* --- stopping --------------------------------------------- */

static void
on_kill(struct clock_timer *t, void *arg)
{
	struct keeper *k = arg;

	(void)t;
	for (size_t i = 0; i < ROLES; i++) {
		struct proc *p = &k->procs[i];

		if (!p->running)
			continue;
		log_error(&k->log, "child-killed", "child=%s", role_names[i]);
		uv_process_kill(&p->process, SIGKILL);
	}
}

void
keeper_stop(struct keeper *k, int status)
{
	struct proc *s = &k->procs[STREAMS];

	if (k->stopping)
		return;
	k->stopping = true;
	k->status = status;
	service_notify("STOPPING=1");
	log_info(&k->log, "stopping", "status=%d", status);
	clock_timer_stop(&k->revive);
	clock_timer_start(&k->kill, STOP_MS);
	if (s->running && s->link != NULL)
		keeper_link_send(s->link, KW_STOP, NULL, 0, -1);
	else if (s->running)
		uv_process_kill(&s->process, SIGTERM);
	proceed_stop(k);
}

static void
on_signal(uv_signal_t *h, int signum)
{
	struct keeper *k = h->data;

	log_info(&k->log, "signal", "number=%d", signum);
	if (signum == SIGHUP)
		keeper_operator_reload(k, false);
	else if (k->stopping)
		on_kill(NULL, k);
	else
		keeper_stop(k, 0);
}

/* --- start -------------------------------------------------------------- */

static int
open_loop(struct keeper *k)
{
	static const int signums[] = { SIGTERM, SIGINT, SIGHUP };
	int rc;

	rc = uv_loop_init(&k->loop);
	if (rc < 0)
		return rc;
	rc = clock_open_uv(&k->clock, &k->loop);
	if (rc < 0)
		return rc;
	clock_timer_init(&k->revive, k->clock, on_revive, k);
	clock_timer_init(&k->kill, k->clock, on_kill, k);
	keeper_operator_begin(k);
	signal(SIGPIPE, SIG_IGN);
	for (size_t i = 0; i < 3; i++) {
		rc = uv_signal_init(&k->loop, &k->signals[i]);
		if (rc < 0)
			return rc;
		k->signals[i].data = k;
		rc = uv_signal_start(&k->signals[i], on_signal, signums[i]);
		if (rc < 0)
			return rc;
	}
	for (size_t i = 0; i < ROLES; i++) {
		k->procs[i].keeper = k;
		k->procs[i].role = (enum role)i;
	}
	return 0;
}

/* Before any child: what the keeper itself gives up. */
static int
become_small(struct keeper *k)
{
	int rc;

	/* Its folder may be root's. */
	rc = keeper_operator_open(k);
	if (rc < 0)
		return rc;
	rc = sandbox_drop_user(k->conf->user);
	if (rc < 0) {
		log_error(&k->log, "user-failed", "user=%s error=%s",
		    k->conf->user, err_str(rc));
		return rc;
	}
	return sandbox_enter(SANDBOX_KEEPER, k->conf->sandbox);
}

/* The children run, still without a key, when the files are looked at. */
static int
start(struct keeper *k)
{
	char why[1024];
	int dns[2];
	int rc;

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, dns) < 0)
		return uv_translate_sys_error(errno);
	rc = spawn(k, RESOLVER, dns[0]);
	if (rc < 0) {
		close(dns[1]);
		return rc;
	}
	rc = spawn(k, STREAMS, dns[1]);
	if (rc == 0)
		rc = spawn_fetcher(k);
	if (rc < 0)
		return rc;
	rc = edge_conf_check(k->conf, k->path, why, sizeof(why));
	if (rc < 0) {
		log_error(&k->log, "config-refused", "reason=%s", why);
		return rc;
	}
	keeper_operator_serve(k);
	rc = keeper_hand_to_resolver(k);
	if (rc == 0)
		rc = keeper_hand_to_streams(k, k->conf, k->text);
	if (rc == 0)
		rc = keeper_hand_to_fetcher(k);
	if (rc == 0)
		rc = join_fetcher_to_streams(k);
	return rc;
}

int
keeper_run(const char *path)
{
	struct keeper k = { .path = path, .control_fd = -1 };
	char why[1024];
	int rc;

	log_init(&k.log, "keeper");
	log_set_process("keeper");
	rc = edge_conf_load(&k.conf, path, &k.text, why, sizeof(why));
	if (rc < 0) {
		fprintf(stderr, "%s\n", why);
		return 1;
	}
	edge_conf_apply_log(k.conf);
	log_info(&k.log, "starting", "version=%s node=%s", SALLYPORT_VERSION,
	    k.conf->node);
	service_notify_open();
	rc = become_small(&k);
	if (rc == 0)
		rc = open_loop(&k);
	if (rc < 0) {
		log_error(&k.log, "start-failed", "error=%s", err_str(rc));
		rc = 1;
		goto out;
	}
	rc = start(&k);
	if (rc < 0) {
		log_error(&k.log, "start-failed", "error=%s", err_str(rc));
		keeper_stop(&k, 1);
	}
	uv_run(&k.loop, UV_RUN_DEFAULT);
	clock_close(k.clock);
	uv_run(&k.loop, UV_RUN_DEFAULT);
	uv_loop_close(&k.loop);
	log_info(&k.log, "stopped", "status=%d", k.status);
	rc = k.status;
out:
	service_notify_close();
	keeper_operator_finish(&k);
	edge_conf_free(k.conf);
	free(k.text);
	return rc;
}
