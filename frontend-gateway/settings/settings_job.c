/*
 * One commit, step by step.  As long as it is only worked out it can be dropped;
 * when it is written it comes into force.
 *
 *   idle -> drafting -> proposing -> collecting -> preparing -> writing
 *              |            |            |             |           |
 *              |            |            '--- dropped -'-----------+
 *              |            |            v                         v
 *              '------------'-------> telling <---------------- applying
 *                                        |
 *   idle <-------------------------- clearing
 *
 * Refused, rehearsed and without effect: from drafting or proposing straight to
 * telling.  A write that fails leaves everything as it was.
 */
#include "frontend-gateway/settings/settings_impl.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

#include "common/err.h"
#include "frontend-gateway/settings/settings_draft.h"
#include "frontend-gateway/settings/settings_writes.h"
#include "frontend-gateway/store/setting_store.h"

#define BIT(n) (1u << (n))

static const unsigned moves[SETTINGS_STAGES] = {
	[SETTINGS_IDLE] = BIT(SETTINGS_DRAFTING),
	[SETTINGS_DRAFTING] = BIT(SETTINGS_PROPOSING) | BIT(SETTINGS_TELLING),
	[SETTINGS_PROPOSING] = BIT(SETTINGS_COLLECTING) | BIT(SETTINGS_TELLING),
	[SETTINGS_COLLECTING] = BIT(SETTINGS_PREPARING) | BIT(SETTINGS_TELLING),
	[SETTINGS_PREPARING] = BIT(SETTINGS_WRITING) | BIT(SETTINGS_TELLING),
	[SETTINGS_WRITING] = BIT(SETTINGS_APPLYING) | BIT(SETTINGS_TELLING),
	[SETTINGS_APPLYING] = BIT(SETTINGS_TELLING),
	[SETTINGS_TELLING] = BIT(SETTINGS_CLEARING),
	[SETTINGS_CLEARING] = BIT(SETTINGS_IDLE),
};

/* The only place that writes the stage. */
static void
move(struct settings *s, enum settings_stage to)
{
	assert(moves[s->job.stage] & BIT(to));
	s->job.stage = to;
}

/* --- what comes to nothing ------------------------------------------------ */

static void
drop_preparations(struct settings *s)
{
	LIST_FOREACH_SAFE (it, &s->listeners) {
		struct settings_listener *l =
		    list_entry(it, struct settings_listener, link);

		if (l->on_dropped != NULL)
			l->on_dropped(l->arg);
	}
}

/* Refused or done, nothing of it is in force; why may be NULL. */
static void
stop(struct settings *s, int rc, const char *why)
{
	struct settings_job *j = &s->job;

	setting_store_drop(j->rows);
	j->rows = NULL;
	if (j->prepared)
		drop_preparations(s);
	if (j->proposed && s->gate.on_dropped != NULL)
		s->gate.on_dropped(s->gate.arg);
	j->prepared = j->proposed = false;
	j->outcome.rc = rc;
	if (why != NULL)
		snprintf(j->why, sizeof(j->why), "%s", why);
	move(s, SETTINGS_TELLING);
}

/* --- until it is written -------------------------------------------------- */

static void
on_drafted(struct settings *s)
{
	const struct settings_draft *d = s->job.draft;

	if (d->rc < 0 || d->changed == 0)
		stop(s, d->rc, NULL);
	else
		move(s, SETTINGS_PROPOSING);
}

static void
step_draft(struct settings *s)
{
	struct settings_job *j = &s->job;
	const struct settings_waiting *w = j->waiting;
	int rc = 1;

	if (j->draft == NULL)
		rc = settings_draft_begin(&j->draft, s->now, w->changes,
		    w->count, w->internal, s->version + 1);
	else
		rc = settings_draft_step(j->draft);
	if (rc < 0) {
		settings_draft_free(j->draft);
		j->draft = NULL;
		stop(s, rc, err_str(rc));
	} else if (j->draft->stage == SETTINGS_DRAFT_MADE) {
		on_drafted(s);
	}
}

/* Whether the gate lets it pass. */
static void
step_propose(struct settings *s)
{
	struct settings_job *j = &s->job;
	struct settings_draft *d = j->draft;

	j->proposed = true;
	if (s->gate.on_proposed != NULL)
		s->gate.on_proposed(d->after, d->deltas, d->count,
		    j->waiting->dry_run, &d->report, &j->hash, s->gate.arg);
	if (d->report.problem_count > 0)
		stop(s, ERR_CONFIG, NULL);
	else if (j->waiting->dry_run)
		stop(s, 0, NULL);
	else
		move(s, SETTINGS_COLLECTING);
}

static int
begin_rows(struct settings *s)
{
	struct settings_job *j = &s->job;
	const struct setting_store_commit commit = { .who = j->waiting->who,
		.via = j->waiting->via,
		.at_ms = clock_wall_ms(s->clock),
		.generation_hash = j->hash };

	return setting_store_begin(&j->rows, &commit, j->draft->changed);
}

/* The row of one change. */
static void
step_collect(struct settings *s)
{
	struct settings_job *j = &s->job;
	const struct settings_delta *d;
	int rc = j->rows == NULL ? begin_rows(s) : 0;

	if (rc == 0 && j->at == j->draft->count) {
		move(s, SETTINGS_PREPARING);
		return;
	}
	d = &j->draft->deltas[j->at];
	if (rc == 0 && d->before != d->after)
		rc = settings_writes_add(
		    j->rows, d, j->waiting->changes[j->at].action);
	j->at++;
	if (rc < 0)
		stop(s, rc, err_str(rc));
}

/* Who is not ready yet; NULL when all are. */
static struct settings_listener *
preparing(struct settings *s)
{
	LIST_FOREACH (it, &s->listeners) {
		struct settings_listener *l =
		    list_entry(it, struct settings_listener, link);

		if (!l->ready && l->prepare != NULL)
			return l;
	}
	return NULL;
}

static void on_written(const struct setting_store_outcome *written, void *arg);

static void
step_prepare(struct settings *s)
{
	struct settings_job *j = &s->job;
	const struct settings_draft *d = j->draft;
	struct settings_listener *l;
	int rc;

	if (!j->prepared)
		LIST_FOREACH (it, &s->listeners)
			list_entry(it, struct settings_listener, link)->ready =
			    false;
	j->prepared = true;
	l = preparing(s);
	if (l != NULL) {
		l->ready = l->prepare(d->after, d->deltas, d->count, l->arg);
		return;
	}
	rc = setting_store_write(s->store, j->rows, on_written, s);
	j->rows = NULL;
	if (rc < 0)
		stop(s, rc, err_str(rc));
	else
		move(s, SETTINGS_WRITING);
}

/* --- afterwards ----------------------------------------------------------- */

static void
on_written(const struct setting_store_outcome *written, void *arg)
{
	struct settings *s = arg;

	if (written->rc < 0) {
		log_error(
		    &s->log, "settings-not-written", "reason=%s", written->why);
		stop(s, written->rc, written->why);
	} else {
		/* Nobody else writes there. */
		assert(written->version == s->version + 1);
		s->job.version = written->version;
		s->job.number = written->generation;
		move(s, SETTINGS_APPLYING);
	}
	settings_go_on(s);
}

static void
log_changes(struct settings *s)
{
	enum { LINES = 20 };
	const struct settings_waiting *w = s->job.waiting;
	const struct settings_draft *d = s->job.draft;
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

/* All of it at once, for everybody. */
static void
step_apply(struct settings *s)
{
	struct settings_job *j = &s->job;
	const struct settings_draft *d = j->draft;

	s->version = j->version;
	settings_view_unref(s->now);
	s->now = settings_view_ref(d->after);
	j->outcome.version = s->version;
	log_changes(s);
	if (s->gate.on_in_force != NULL)
		j->outcome.generation =
		    s->gate.on_in_force(j->number, s->gate.arg);
	LIST_FOREACH_SAFE (it, &s->listeners) {
		struct settings_listener *l =
		    list_entry(it, struct settings_listener, link);

		l->on_change(s->now, d->deltas, d->count, l->arg);
	}
	j->prepared = j->proposed = false;
	move(s, SETTINGS_TELLING);
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
step_tell(struct settings *s)
{
	struct settings_job *j = &s->job;
	struct settings_outcome *o = &j->outcome;
	const struct settings_draft *d = j->draft;

	if (o->rc < 0 && j->why[0] == '\0')
		explain(j->why, sizeof(j->why), o->rc, d);
	o->why = j->why;
	if (d != NULL) {
		o->report = &d->report;
		o->deltas = d->deltas;
		o->delta_count = d->count;
	}
	o->view = s->now;
	move(s, SETTINGS_CLEARING);
	j->waiting->done(o, j->waiting->arg);
}

static void
step_clear(struct settings *s)
{
	struct settings_job *j = &s->job;

	if ((j->draft != NULL && settings_draft_release(j->draft)) ||
	    settings_waiting_release(j->waiting))
		return;
	settings_draft_free(j->draft);
	settings_waiting_free(j->waiting);
	move(s, SETTINGS_IDLE);
	*j = (struct settings_job){ .stage = SETTINGS_IDLE };
}

/* --- all of it ------------------------------------------------------------ */

void
settings_job_begin(struct settings *s, struct settings_waiting *w)
{
	s->job.waiting = w;
	move(s, SETTINGS_DRAFTING);
}

void
settings_job_step(struct settings *s)
{
	static void (*const steps[SETTINGS_STAGES])(struct settings * s) = {
		[SETTINGS_DRAFTING] = step_draft,
		[SETTINGS_PROPOSING] = step_propose,
		[SETTINGS_COLLECTING] = step_collect,
		[SETTINGS_PREPARING] = step_prepare,
		[SETTINGS_APPLYING] = step_apply,
		[SETTINGS_TELLING] = step_tell,
		[SETTINGS_CLEARING] = step_clear,
	};

	assert(steps[s->job.stage] != NULL);
	steps[s->job.stage](s);
}

void
settings_job_abort(struct settings *s)
{
	switch (s->job.stage) {
	case SETTINGS_DRAFTING:
	case SETTINGS_PROPOSING:
	case SETTINGS_COLLECTING:
	case SETTINGS_PREPARING:
		stop(s, ERR_CLOSED, err_str(ERR_CLOSED));
		break;
	case SETTINGS_IDLE:
	case SETTINGS_WRITING:
	case SETTINGS_APPLYING:
	case SETTINGS_TELLING:
	case SETTINGS_CLEARING:
	case SETTINGS_STAGES:
		break;
	}
}
