/*
 * What an operator and the service manager want of the keeper.
 *
 * A reload: file and certificates are read and checked here, then handed to
 * streams; only when streams has put them in force do they take the place of
 * the old ones here too.  Whoever asked hears of the first thing that was
 * wrong.
 *
 * The watchdog is petted when all children have answered a beat since it was
 * petted last: a child that hangs brings all of us down, and up again.
 */
#include "edge-proxy/keeper_impl.h"

#include <errno.h>
#include <fcntl.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/control.h"
#include "common/control_level.h"
#include "common/err.h"
#include "common/service.h"

/* --- the control socket -------------------------------------------------- */

/* Root has made the socket for the user we are about to become. */
static int
give_away(const char *path, const char *user)
{
	const struct passwd *pw;

	if (user[0] == '\0' || geteuid() != 0)
		return 0;
	pw = getpwnam(user);
	if (pw == NULL)
		return ERR_NOT_FOUND;
	return lchown(path, pw->pw_uid, pw->pw_gid) < 0 ? -errno : 0;
}

int
keeper_operator_open(struct keeper *k)
{
	int rc;

	if (k->conf->control[0] == '\0')
		return 0;
	rc = control_bind(k->conf->control);
	if (rc >= 0) {
		k->control_fd = rc;
		rc = give_away(k->conf->control, k->conf->user);
	}
	if (rc < 0)
		log_error(&k->log, "control-failed", "path=%s error=%s",
		    k->conf->control, err_str(rc));
	return rc;
}

void
keeper_operator_finish(struct keeper *k)
{
	if (k->control_fd >= 0)
		close(k->control_fd);
	k->control_fd = -1;
}

void
keeper_operator_serve(struct keeper *k)
{
	int fd, rc;

	if (k->control_fd < 0 || k->procs[STREAMS].link == NULL)
		return;
	/* Ours stays: a streams process that comes later serves it on. */
	fd = fcntl(k->control_fd, F_DUPFD_CLOEXEC, 0);
	rc = fd < 0 ? ERR_IO
		    : keeper_link_send(
			  k->procs[STREAMS].link, KW_CONTROL, NULL, 0, fd);
	if (rc < 0)
		log_error(&k->log, "control-lost", "error=%s", err_str(rc));
	keeper_operator_about(k);
}

static json_t *
process_json(const char *name, int pid, uint64_t since_ms, unsigned restarts)
{
	return json_pack("{s:s, s:i, s:I, s:i}", "name", name, "pid", pid,
	    "since_ms", (json_int_t)since_ms, "restarts", (int)restarts);
}

/* Sends text, which is used up, to streams as the one blob of a message. */
static void
tell_streams(struct keeper *k, enum keeper_message type, json_t *content)
{
	struct keeper_link *link = k->procs[STREAMS].link;
	char *text = content != NULL ? json_dumps(content, JSON_COMPACT) : NULL;
	struct keeper_blob blob = { (const uint8_t *)text, 0 };
	int rc = ERR_NOMEM;

	json_decref(content);
	if (text != NULL) {
		blob.len = strlen(text);
		rc = link != NULL ? keeper_link_send(link, type, &blob, 1, -1)
				  : ERR_CLOSED;
	}
	if (rc < 0)
		log_warn(&k->log, "streams-not-told", "message=%s error=%s",
		    keeper_message_str(type), err_str(rc));
	free(text);
}

void
keeper_operator_about(struct keeper *k)
{
	static const char *const names[] = { "streams", "resolver", "fetcher" };
	json_t *all;

	if (k->control_fd < 0 || k->procs[STREAMS].link == NULL)
		return;
	all = json_array();
	(void)json_array_append_new(
	    all, process_json("keeper", (int)getpid(), k->started_ms, 0));
	for (size_t i = 0; i < ROLES; i++) {
		const struct proc *p = &k->procs[i];

		if (p->running)
			(void)json_array_append_new(
			    all, process_json(names[i], p->process.pid,
				     p->started_ms, p->restarts));
	}
	tell_streams(k, KW_ABOUT, all);
}

/* --- reload --------------------------------------------------------------- */

static void
drop_reload(struct keeper_reload *r)
{
	edge_conf_free(r->conf);
	free(r->text);
	json_decref(r->restart);
	*r = (struct keeper_reload){ 0 };
}

/* Whether the resolver would have to begin anew. */
static bool
resolver_differs(const struct edge_conf *a, const struct edge_conf *b)
{
	if (a->server_count != b->server_count ||
	    a->anchor_count != b->anchor_count)
		return true;
	for (size_t i = 0; i < a->server_count; i++)
		if (strcmp(a->servers[i], b->servers[i]) != 0)
			return true;
	for (size_t i = 0; i < a->anchor_count; i++)
		if (strcmp(a->anchors[i], b->anchors[i]) != 0)
			return true;
	return false;
}

/* What streams has put in force is now what we have. */
static void
adopt(struct keeper *k)
{
	struct keeper_reload *r = &k->reload;
	struct proc *resolver = &k->procs[RESOLVER];
	bool differs = resolver_differs(k->conf, r->conf);
	struct edge_conf *conf = k->conf;
	char *text = k->text;

	k->conf = r->conf;
	k->text = r->text;
	r->conf = conf;
	r->text = text;
	edge_conf_apply_log(k->conf);
	for (size_t i = 0; i < json_array_size(r->restart); i++)
		log_warn(&k->log, "restart-needed", "member=%s",
		    json_string_value(json_array_get(r->restart, i)));
	log_info(&k->log, "reloaded", "certificates=%zu gateways=%zu",
	    k->conf->certificate_count, k->conf->gateway_count);
	/* A child that is down gets all of it when it starts. */
	if (k->procs[FETCHER].link != NULL && keeper_hand_to_fetcher(k) < 0)
		log_error(&k->log, "reload-failed", "child=%s", "fetcher");
	if (resolver->link == NULL)
		return;
	if (differs && resolver->running)
		uv_process_kill(&resolver->process, SIGTERM);
	else if (keeper_hand_to_resolver(k) < 0)
		log_error(&k->log, "reload-failed", "child=%s", "resolver");
}

/* The end of a reload, good (why NULL) or bad; tells who asked. */
static void
conclude(struct keeper *k, const char *why)
{
	struct keeper_reload *r = &k->reload;
	bool asked = r->asked;
	json_t *answer;

	if (why != NULL) {
		log_error(&k->log, "reload-refused", "reason=%s", why);
		answer = json_pack("{s:s}", "error", why);
	} else {
		adopt(k);
		answer = json_pack("{s:O}", "restart", r->restart);
	}
	drop_reload(r);
	if (asked)
		tell_streams(k, KW_ANSWER, answer);
	else
		json_decref(answer);
	service_notify("READY=1");
}

bool
keeper_operator_reloaded(struct keeper *k, const char *why)
{
	if (!k->reload.running)
		return false;
	conclude(k, why);
	return true;
}

/* Loads and checks the files into k->reload. */
static int
prepare(struct keeper *k, char *why, size_t size)
{
	struct keeper_reload *r = &k->reload;
	int rc;

	rc = edge_conf_load(&r->conf, k->path, &r->text, why, size);
	if (rc < 0)
		return rc;
	r->restart = edge_conf_keep(r->conf, k->conf);
	if (r->restart == NULL) {
		snprintf(why, size, "%s", err_str(ERR_NOMEM));
		return ERR_NOMEM;
	}
	return edge_conf_check(r->conf, k->path, why, size);
}

void
keeper_operator_reload(struct keeper *k, bool asked)
{
	struct keeper_reload *r = &k->reload;
	char why[1024];

	if (k->stopping || r->running) {
		log_warn(&k->log, "reload-refused", "reason=%s",
		    k->stopping ? "stopping" : "one is under way");
		if (asked)
			tell_streams(k, KW_ANSWER,
			    json_pack("{s:s}", "error",
				k->stopping ? "the edge is stopping"
					    : "a reload is under way"));
		return;
	}
	service_reloading();
	r->asked = asked;
	if (prepare(k, why, sizeof(why)) < 0) {
		conclude(k, why);
		return;
	}
	/* A streams process that is down gets all of it when it starts. */
	if (k->procs[STREAMS].link == NULL) {
		conclude(k, NULL);
		return;
	}
	r->running = true;
	if (keeper_hand_to_streams(k, r->conf, r->text) < 0)
		conclude(k, "the streams process cannot be reached");
}

/* --- what children say ---------------------------------------------------- */

static void
on_ask_level(struct keeper *k, const struct keeper_blob *blobs)
{
	struct control_level level;
	char why[128];
	int rc;

	rc = keeper_wire_level(&level, blobs, why, sizeof(why));
	if (rc == 0)
		rc = control_level_apply(&level);
	if (rc < 0) {
		log_warn(&k->log, "log-level-refused", "error=%s", err_str(rc));
		return;
	}
	log_info(&k->log, "log-level", "component=%s level=%d",
	    level.component[0] != '\0' ? level.component : "all",
	    (int)level.level);
	for (size_t i = 0; i < ROLES; i++)
		if (k->procs[i].link != NULL)
			(void)keeper_link_send(
			    k->procs[i].link, KW_LEVEL, blobs, 2, -1);
}

/* All have answered: that is what there is to say. */
static void
on_alive(struct proc *p)
{
	struct keeper *k = p->keeper;

	p->alive = true;
	for (size_t i = 0; i < ROLES; i++)
		if (!k->procs[i].alive)
			return;
	for (size_t i = 0; i < ROLES; i++)
		k->procs[i].alive = false;
	service_notify("WATCHDOG=1");
}

bool
keeper_operator_message(
    struct proc *p, enum keeper_message type, const struct keeper_blob *blobs)
{
	struct keeper *k = p->keeper;

	if (type == KW_ALIVE) {
		on_alive(p);
		return true;
	}
	if (p->role != STREAMS)
		return false;
	if (type == KW_ASK_RELOAD)
		keeper_operator_reload(k, true);
	else if (type == KW_ASK_LEVEL)
		on_ask_level(k, blobs);
	else if (type == KW_ASK_STOP)
		keeper_stop(k, 0);
	else
		return false;
	return true;
}

/* --- signs of life --------------------------------------------------------- */

static void
on_beat(struct clock_timer *t, void *arg)
{
	struct keeper *k = arg;

	for (size_t i = 0; i < ROLES; i++)
		if (k->procs[i].link != NULL)
			(void)keeper_link_send(
			    k->procs[i].link, KW_BEAT, NULL, 0, -1);
	clock_timer_start(t, service_watchdog_ms() / 4 + 1);
}

void
keeper_operator_begin(struct keeper *k)
{
	k->started_ms = clock_now_ms(k->clock);
	clock_timer_init(&k->beat, k->clock, on_beat, k);
	if (service_watchdog_ms() > 0)
		clock_timer_start(&k->beat, service_watchdog_ms() / 4 + 1);
}
