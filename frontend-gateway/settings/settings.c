/*
 * Commits wait in a list.  The first is drafted against what is in force; when
 * it is sound it goes to the store, and the rest waits until it is back:
 *
 *   waiting -> drafted -> refused, rehearsed, without effect: done
 *                      -> being written -> in force -> done
 *
 * A write that fails leaves everything as it was.
 */
#include "frontend-gateway/settings/settings.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/clock.h"
#include "common/err.h"
#include "common/log.h"
#include "frontend-gateway/settings/settings_draft.h"
#include "frontend-gateway/settings/settings_load.h"
#include "frontend-gateway/settings/settings_writes.h"
#include "frontend-gateway/store/setting_store.h"

struct waiting {
	struct list link;
	struct settings_change *changes;
	size_t count;
	char *who, *via;
	bool dry_run, internal;
	settings_done_fn *done;
	void *arg;
};

struct settings {
	struct setting_store *store;
	struct clock *clock;
	struct log log;
	struct settings_view *now;
	uint64_t version;
	struct settings_gate gate;
	struct list listeners;
	struct list waiting;
	size_t waiting_count;
	struct waiting *writing; /* and its draft; NULL = nothing is */
	struct settings_draft *draft;
	bool running; /* in run() */
	bool closing;
	void (*on_closed)(void *arg);
	void *closed_arg;
};

/* --- commits that wait ---------------------------------------------------- */

static void
waiting_free(struct waiting *w)
{
	for (size_t i = 0; w->changes != NULL && i < w->count; i++) {
		free((void *)(uintptr_t)w->changes[i].key);
		json_decref((json_t *)(uintptr_t)w->changes[i].object);
	}
	free(w->changes);
	free(w->who);
	free(w->via);
	free(w);
}

static bool
copy_change(struct settings_change *to, const struct settings_change *from)
{
	*to = *from;
	to->key = NULL;
	to->object = NULL;
	if (from->key != NULL) {
		to->key = strdup(from->key);
		if (to->key == NULL)
			return false;
	}
	if (from->object != NULL) {
		to->object = json_deep_copy(from->object);
		if (to->object == NULL)
			return false;
	}
	return true;
}

static struct waiting *
waiting_new(const struct settings_commit *c, settings_done_fn *done, void *arg)
{
	struct waiting *w = calloc(1, sizeof(*w));
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
	waiting_free(w);
	return NULL;
}

/* --- how a commit ends ---------------------------------------------------- */

static void
refuse(struct settings *s, int rc, settings_done_fn *done, void *arg)
{
	struct settings_outcome o = {
		.rc = rc, .why = err_str(rc), .view = s->now
	};

	done(&o, arg);
}

/* The first problem stands for all of them. */
static void
explain(char *out, size_t size, int rc, const struct settings_draft *d)
{
	const struct settings_remark *p = &d->report.problems[0];

	if (d->report.problem_count > 0 && p->text != NULL)
		snprintf(out, size, "%s%s%.200s%s%s: %s", p->kind,
		    p->kind[0] != '\0' ? " " : "", p->key != NULL ? p->key : "",
		    p->member != NULL && p->member[0] != '\0' ? " " : "",
		    p->member != NULL ? p->member : "", p->text);
	else
		snprintf(out, size, "%s", err_str(rc));
}

static void
finish(struct settings *s, struct waiting *w, struct settings_draft *d,
    struct settings_outcome *o)
{
	char why[1024] = "";

	if (o->rc < 0 && o->why == NULL)
		explain(why, sizeof(why), o->rc, d);
	if (o->why == NULL)
		o->why = why;
	o->report = &d->report;
	o->deltas = d->deltas;
	o->delta_count = d->count;
	o->view = s->now;
	w->done(o, w->arg);
	settings_draft_free(d);
	waiting_free(w);
}

static void
drop_proposal(struct settings *s)
{
	if (s->gate.on_dropped != NULL)
		s->gate.on_dropped(s->gate.arg);
}

/* --- writing -------------------------------------------------------------- */

static void run(struct settings *s);
static void end_if_idle(struct settings *s);

static void
tell_listeners(struct settings *s, const struct settings_draft *d)
{
	LIST_FOREACH_SAFE (it, &s->listeners) {
		struct settings_listener *l =
		    list_entry(it, struct settings_listener, link);

		l->on_change(s->now, d->deltas, d->count, l->arg);
	}
}

static void
log_changes(
    struct settings *s, const struct waiting *w, const struct settings_draft *d)
{
	enum { LINES = 20 };
	size_t lines = 0;

	for (size_t i = 0; i < d->count && lines < LINES; i++)
		if (d->deltas[i].before != d->deltas[i].after) {
			log_info(&s->log, "setting-changed",
			    "kind=%s key=%s version=%llu who=%s via=%s",
			    d->deltas[i].kind->name, d->deltas[i].key,
			    (unsigned long long)s->version, w->who, w->via);
			lines++;
		}
	if (d->changed > LINES)
		log_info(&s->log, "settings-changed",
		    "more=%zu version=%llu who=%s via=%s", d->changed - LINES,
		    (unsigned long long)s->version, w->who, w->via);
}

static void
on_written(const struct setting_store_outcome *written, void *arg)
{
	struct settings *s = arg;
	struct waiting *w = s->writing;
	struct settings_draft *d = s->draft;
	struct settings_outcome o = { .rc = written->rc,
		.why = written->rc < 0 ? written->why : NULL };

	if (written->rc < 0) {
		log_error(
		    &s->log, "settings-not-written", "reason=%s", written->why);
		drop_proposal(s);
	} else {
		/* Nobody else writes there. */
		assert(written->version == s->version + 1);
		s->version = written->version;
		settings_view_unref(s->now);
		s->now = settings_view_ref(d->after);
		o.version = s->version;
		log_changes(s, w, d);
		if (s->gate.on_in_force != NULL)
			o.generation = s->gate.on_in_force(
			    written->generation, s->gate.arg);
		tell_listeners(s, d);
	}
	finish(s, w, d, &o);
	s->writing = NULL;
	s->draft = NULL;
	run(s);
	end_if_idle(s);
}

static int
write_draft(struct settings *s, struct waiting *w, struct settings_draft *d,
    const char *hash)
{
	struct setting_store_commit commit = { .who = w->who,
		.via = w->via,
		.at_ms = clock_wall_ms(s->clock),
		.generation_hash = hash };
	struct settings_writes writes;
	int rc = settings_writes_make(&writes, d, w->changes);

	if (rc < 0)
		return rc;
	commit.writes = writes.v;
	commit.count = writes.count;
	rc = setting_store_write(s->store, &commit, on_written, s);
	settings_writes_finish(&writes);
	return rc;
}

/* Whether the gate lets it pass. */
static bool
propose(struct settings *s, const struct waiting *w, struct settings_draft *d,
    const char **hash)
{
	if (s->gate.on_proposed != NULL)
		s->gate.on_proposed(d->after, d->deltas, d->count, w->dry_run,
		    &d->report, hash, s->gate.arg);
	return d->report.problem_count == 0;
}

static void
begin(struct settings *s, struct waiting *w)
{
	struct settings_outcome o = { 0 };
	struct settings_draft *d;
	const char *hash = NULL;
	bool proposed = false;

	o.rc = settings_draft_make(
	    &d, s->now, w->changes, w->count, w->internal, s->version + 1);
	if (o.rc < 0) {
		refuse(s, o.rc, w->done, w->arg);
		waiting_free(w);
		return;
	}
	o.rc = d->rc;
	if (o.rc == 0 && d->changed > 0) {
		proposed = true;
		if (!propose(s, w, d, &hash))
			o.rc = ERR_CONFIG;
	}
	if (o.rc == 0 && d->changed > 0 && !w->dry_run) {
		s->writing = w;
		s->draft = d;
		o.rc = write_draft(s, w, d, hash);
		if (o.rc == 0)
			return;
		s->writing = NULL;
		s->draft = NULL;
	}
	if (proposed)
		drop_proposal(s);
	finish(s, w, d, &o);
}

static void
run(struct settings *s)
{
	if (s->running)
		return;
	s->running = true;
	while (s->writing == NULL && !list_empty(&s->waiting)) {
		struct waiting *w =
		    list_entry(s->waiting.next, struct waiting, link);

		list_remove(&w->link);
		/* The analyzer does not see that it is gone from there. */
		assert(s->waiting.next != &w->link);
		s->waiting_count--;
		if (s->closing) {
			refuse(s, ERR_CLOSED, w->done, w->arg);
			waiting_free(w);
		} else {
			begin(s, w);
		}
	}
	s->running = false;
}

void
settings_commit(struct settings *s, const struct settings_commit *c,
    settings_done_fn *done, void *arg)
{
	struct waiting *w;

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
	run(s);
	/* Whoever was told may have closed it. */
	end_if_idle(s);
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
	rc = settings_load(&s->now, &s->version, store, world, why, size);
	if (rc < 0) {
		free(s);
		return rc;
	}
	*out = s;
	return 0;
}

static void
end_if_idle(struct settings *s)
{
	void (*on_closed)(void *arg) = s->on_closed;
	void *arg = s->closed_arg;

	if (!s->closing || s->writing != NULL || s->running ||
	    !list_empty(&s->waiting))
		return;
	settings_view_unref(s->now);
	free(s);
	if (on_closed != NULL)
		on_closed(arg);
}

void
settings_close(struct settings *s, void (*on_closed)(void *arg), void *arg)
{
	assert(!s->closing);
	s->closing = true;
	s->on_closed = on_closed;
	s->closed_arg = arg;
	run(s);
	end_if_idle(s);
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
