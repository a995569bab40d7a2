/*
 * Commits wait in a list.  The first is worked on until it is done with
 * (settings_job.c), a slice in a turn of the loop, and then the next.
 */
#include "frontend-gateway/settings/settings_impl.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/err.h"
#include "frontend-gateway/settings/settings_load.h"
#include "frontend-gateway/settings/settings_slice.h"

/* --- commits that wait ---------------------------------------------------- */

bool
settings_waiting_release(struct settings_waiting *w)
{
	struct settings_change *c;

	if (w->changes == NULL || w->count == 0)
		return false;
	c = &w->changes[--w->count];
	free((void *)(uintptr_t)c->key);
	json_decref((json_t *)(uintptr_t)c->object);
	return true;
}

void
settings_waiting_free(struct settings_waiting *w)
{
	while (settings_waiting_release(w))
		;
	free(w->changes);
	free(w->who);
	free(w->via);
	free(w);
}

static bool
copy_change(struct settings_change *to, const struct settings_change *from)
{
	*to = *from;
	to->object = json_incref((json_t *)(uintptr_t)from->object);
	to->key = from->key != NULL ? strdup(from->key) : NULL;
	return from->key == NULL || to->key != NULL;
}

static struct settings_waiting *
waiting_new(const struct settings_commit *c, settings_done_fn *done, void *arg)
{
	struct settings_waiting *w = calloc(1, sizeof(*w));
	bool ok;

	if (w == NULL)
		return NULL;
	list_init(&w->link);
	w->dry_run = c->dry_run;
	w->internal = c->internal;
	w->done = done;
	w->arg = arg;
	w->who = strndup(c->who, SETTINGS_NAME_MAX);
	w->via = strndup(c->via, SETTINGS_NAME_MAX);
	w->changes = calloc(c->count + 1, sizeof(*w->changes));
	ok = w->who != NULL && w->via != NULL && w->changes != NULL;
	while (ok && w->count < c->count) {
		ok = copy_change(&w->changes[w->count], &c->changes[w->count]);
		w->count++;
	}
	if (ok)
		return w;
	settings_waiting_free(w);
	return NULL;
}

static void
refuse(struct settings *s, int rc, settings_done_fn *done, void *arg)
{
	struct settings_outcome o = {
		.rc = rc, .why = err_str(rc), .view = s->now
	};

	done(&o, arg);
}

/* --- turn by turn --------------------------------------------------------- */

static bool
has_work(const struct settings *s)
{
	return s->job.stage == SETTINGS_IDLE ? !list_empty(&s->waiting)
					     : s->job.stage != SETTINGS_WRITING;
}

static void
take_next(struct settings *s)
{
	struct settings_waiting *w =
	    list_entry(s->waiting.next, struct settings_waiting, link);

	list_remove(&w->link);
	/* The analyzer does not see that it is gone from there. */
	assert(s->waiting.next != &w->link);
	s->waiting_count--;
	if (s->closing) {
		refuse(s, ERR_CLOSED, w->done, w->arg);
		settings_waiting_free(w);
	} else {
		settings_job_begin(s, w);
	}
}

static void
end_if_idle(struct settings *s)
{
	void (*on_closed)(void *arg) = s->on_closed;
	void *arg = s->closed_arg;

	if (!s->closing || s->running || s->job.stage != SETTINGS_IDLE ||
	    !list_empty(&s->waiting))
		return;
	clock_timer_stop(&s->turn);
	settings_view_unref(s->now);
	free(s);
	if (on_closed != NULL)
		on_closed(arg);
}

void
settings_go_on(struct settings *s)
{
	struct settings_slice slice;

	if (s->running)
		return;
	s->running = true;
	settings_slice_begin(&slice);
	while (has_work(s)) {
		/* Whoever closes has nothing else to do. */
		if (!settings_slice_has_room(&slice) && !s->closing) {
			clock_timer_start(&s->turn, 0);
			break;
		}
		if (s->closing)
			settings_job_abort(s);
		if (s->job.stage == SETTINGS_IDLE)
			take_next(s);
		else
			settings_job_step(s);
	}
	s->running = false;
	end_if_idle(s);
}

static void
on_turn(struct clock_timer *t, void *arg)
{
	(void)t;
	settings_go_on(arg);
}

void
settings_commit(struct settings *s, const struct settings_commit *c,
    settings_done_fn *done, void *arg)
{
	struct settings_waiting *w;

	if (s->closing || s->waiting_count >= SETTINGS_WAITING_MAX ||
	    c->count > SETTINGS_CHANGES_MAX) {
		refuse(s, s->closing ? ERR_CLOSED : ERR_FULL, done, arg);
		return;
	}
	w = waiting_new(c, done, arg);
	if (w == NULL) {
		refuse(s, ERR_NOMEM, done, arg);
		return;
	}
	list_append(&s->waiting, &w->link);
	s->waiting_count++;
	/* With the next slice when one is under way. */
	if (!clock_timer_running(&s->turn))
		settings_go_on(s);
}

/* --- life ----------------------------------------------------------------- */

int
settings_open(struct settings **out, struct setting_store *store,
    struct clock *clock, const struct settings_world *world, char *why,
    size_t size)
{
	struct settings *s = calloc(1, sizeof(*s));
	int rc;

	if (s == NULL) {
		snprintf(why, size, "out of memory");
		return ERR_NOMEM;
	}
	s->store = store;
	s->clock = clock;
	log_init(&s->log, "settings");
	list_init(&s->listeners);
	list_init(&s->waiting);
	clock_timer_init(&s->turn, clock, on_turn, s);
	rc = settings_load(&s->now, &s->version, store, world, why, size);
	if (rc < 0) {
		free(s);
		return rc;
	}
	*out = s;
	return 0;
}

void
settings_close(struct settings *s, void (*on_closed)(void *arg), void *arg)
{
	assert(!s->closing);
	s->closing = true;
	s->on_closed = on_closed;
	s->closed_arg = arg;
	settings_go_on(s);
}

void
settings_set_gate(struct settings *s, const struct settings_gate *gate)
{
	s->gate = *gate;
}

void
settings_listen(struct settings *s, struct settings_listener *l)
{
	list_init(&l->link);
	l->ready = true; /* for what is under way */
	list_append(&s->listeners, &l->link);
}

void
settings_unlisten(struct settings_listener *l)
{
	list_remove(&l->link);
}

bool
settings_is_fresh(const struct settings *s)
{
	return s->version == 0;
}

const struct settings_view *
settings_now(const struct settings *s)
{
	return s->now;
}
