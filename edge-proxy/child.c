/*
 * child - see the header.
 */
#include "edge-proxy/child.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "common/clock.h"
#include "common/control_level.h"
#include "common/err.h"
#include "common/log.h"
#include "common/log_limit.h"

static void
on_keeper_gone(int rc, void *arg)
{
	struct child *c = arg;
	struct log log;

	log_init(&log, c->opts.name);
	log_warn(
	    &log, "keeper-gone", "reason=%s", rc < 0 ? err_str(rc) : "ended");
	c->opts.on_stop(c->arg);
}

static void
set_level(const struct keeper_blob *blobs)
{
	struct control_level level;
	char why[128];
	struct log log;

	log_init(&log, "child");
	if (keeper_wire_level(&level, blobs, why, sizeof(why)) < 0 ||
	    control_level_apply(&level) < 0)
		log_error(&log, "log-level-refused", "reason=%s", why);
}

static void
on_message(enum keeper_message type, const struct keeper_blob *blobs, int fd,
    void *arg)
{
	struct child *c = arg;

	if (type == KW_BEAT)
		(void)keeper_link_send(c->link, KW_ALIVE, NULL, 0, -1);
	else if (type == KW_LEVEL)
		set_level(blobs);
	else
		c->opts.on_message(type, blobs, fd, c->arg);
}

static void
on_term(uv_signal_t *h, int signum)
{
	struct child *c = h->data;

	(void)signum;
	c->opts.on_stop(c->arg);
}

/* Signals before anything else: none may find its default. */
static int
set_signals(struct child *c)
{
	int rc;

	signal(SIGINT, SIG_IGN);
	signal(SIGHUP, SIG_IGN);
	signal(SIGPIPE, SIG_IGN);
	/* A keeper that is killed takes us along, and at once: the next one
	 * wants the ports. */
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	rc = uv_signal_init(&c->loop, &c->term);
	if (rc < 0)
		return rc;
	c->term.data = c;
	return uv_signal_start(&c->term, on_term, SIGTERM);
}

int
child_run(struct child *c, const struct child_opts *opts, void *arg)
{
	struct keeper_link_opts link;
	struct log log;
	int rc;

	c->opts = *opts;
	c->arg = arg;
	log_set_process(opts->name);
	log_init(&log, opts->name);
	rc = uv_loop_init(&c->loop);
	if (rc < 0)
		goto fail;
	turns_open(&c->turns, &c->loop);
	rc = clock_open_uv(&c->clock, &c->loop);
	if (rc == 0)
		rc = log_limit_start(c->clock);
	if (rc == 0)
		rc = set_signals(c);
	if (rc < 0)
		goto fail;
	link = (struct keeper_link_opts){
		.loop = &c->loop,
		.fd = opts->control,
		.on_message = on_message,
		.on_end = on_keeper_gone,
		.arg = c,
	};
	rc = keeper_link_open(&c->link, &link);
	if (rc < 0)
		goto fail;
	uv_run(&c->loop, UV_RUN_DEFAULT);
	clock_close(c->clock);
	turns_close(&c->turns);
	uv_run(&c->loop, UV_RUN_DEFAULT);
	rc = uv_loop_close(&c->loop);
	if (rc < 0)
		log_error(&log, "handles-left", "error=%s", err_str(rc));
	return rc < 0 ? 1 : c->status;

fail:
	log_error(&log, "start-failed", "error=%s", err_str(rc));
	return 1;
}

void
child_end(struct child *c, int status)
{
	if (c->ending)
		return;
	c->ending = true;
	c->status = status;
	/* Its timer would keep the loop alive. */
	log_limit_stop();
	keeper_link_close(c->link);
	uv_close((uv_handle_t *)&c->term, NULL);
}
