/*
 * The user watches the contact: each of her endpoints has a dialog with us.
 *
 * The machine says whether a SUBSCRIBE is confirmed.  The 200 goes out when the
 * dialog's row is on disk, the state right behind it.
 */
#include "frontend-gateway/presence/presence_impl.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

#include "common/buf.h"
#include "common/err.h"
#include "common/log_limit.h"
#include "frontend-gateway/gateway_conf.h"
#include "frontend-gateway/sip/sip_notifier.h"
#include "frontend-gateway/sip/sip_ua.h"
#include "frontend-gateway/translate/errors.h"

enum { ACCEPT_MAX = 2048 };

/* The package of all of them. */
static const char package[] = "presence";

/* --- watches ------------------------------------------------------------ */

void
to_half_hold(struct presence_watch *w)
{
	w->holders++;
}

void
to_half_unhold(struct presence_watch *w)
{
	assert(w->holders > 0);
	if (--w->holders == 0 && w->notifier == NULL)
		free(w);
}

static struct presence_watch *
new_watch(struct pair *p)
{
	struct presence_watch *w = calloc(1, sizeof(*w));

	if (w == NULL)
		return NULL;
	w->pair = p;
	if (list_empty(&p->watches))
		p->presence->watched++;
	list_append(&p->watches, &w->link);
	p->presence->dialogs++;
	return w;
}

/* Out of its pair; freed when nothing holds it. */
static void
close_watch(struct presence_watch *w)
{
	struct pair *p = w->pair;

	w->notifier = NULL;
	list_remove(&w->link);
	p->presence->dialogs--;
	if (list_empty(&p->watches))
		p->presence->watched--;
	if (w->holders == 0)
		free(w);
}

size_t
to_half_count(const struct pair *p)
{
	size_t n = 0;

	LIST_FOREACH (it, &p->watches)
		n++;
	return n;
}

/* --- refusals ----------------------------------------------------------- */

void
to_half_refuse_because(struct presence *pr, struct sip_server_txn *st,
    const struct policy_refusal *why)
{
	const struct sip_msg *req = sip_ua_request_of(st);
	char reason[ERRORS_DETAIL_SIZE];
	struct errors_sip e;
	struct sip_header retry;
	struct sip_answer a;
	char seconds[16];
	int rc;

	errors_refusal(&e, why->cause);
	errors_detail(reason, &e, why->detail);
	log_limited_info(&pr->log, sip_msg_from_uri(req), "refused",
	    "method=SUBSCRIBE from=%s uri=%s status=%d diagnostics=%u "
	    "reason=%s policy=%s",
	    sip_msg_from_uri(req), sip_msg_uri(req), e.status, e.diagnostics,
	    reason, why->policy);
	snprintf(seconds, sizeof(seconds), "%u", e.retry_after);
	retry = (struct sip_header){ "Retry-After", seconds };
	a = (struct sip_answer){ .status = e.status,
		.headers = &retry,
		.header_count = e.retry_after > 0 ? 1 : 0,
		.diagnostics = e.diagnostics,
		.diagnostics_reason = reason };
	rc = sip_ua_respond(pr->opts.ua, st, &a);
	if (rc < 0)
		log_warn(&pr->log, "not-answered", "error=%s", err_str(rc));
}

void
to_half_refuse(
    struct presence *pr, struct sip_server_txn *st, enum errors_cause cause)
{
	const struct policy_refusal why = {
		.cause = cause, .detail = "", .policy = ""
	};

	to_half_refuse_because(pr, st, &why);
}

/* What the machine declines, it declines for want of a disk or of the right to
 * be here. */
static void
cause_of(struct policy_refusal *why, const struct pair *p, int status)
{
	const struct policy_outward o = { pair_user(p), p->partner->local,
		p->partner->remote, RIGHTS_PRESENCE };

	if (status != 403)
		*why = (struct policy_refusal){ ERRORS_NO_DISK, "", "" };
	else if (policy_judge_outward(p->presence->opts.policy, why, &o) == 0)
		why->cause = ERRORS_USER_NOT_PERMITTED;
}

void
to_half_decline(struct pair *p, struct happening *h, int status)
{
	struct presence_watch *w = h->watch;
	char reason[ERRORS_DETAIL_SIZE];
	struct policy_refusal why;
	struct errors_sip e;

	cause_of(&why, p, status);
	if (h->st != NULL) {
		to_half_refuse_because(p->presence, h->st, &why);
		h->st = NULL;
		return;
	}
	if (w == NULL || w->notifier == NULL || w->confirmed)
		return;
	errors_refusal(&e, why.cause);
	errors_detail(reason, &e, why.detail);
	log_limited_info(&p->presence->log, pair_user(p), "declined",
	    "user=%s contact=%s status=%d diagnostics=%u reason=%s policy=%s",
	    pair_user(p), pair_contact(p), status, e.diagnostics, reason,
	    why.policy);
	sip_notifier_refuse(w->notifier, status, e.diagnostics, reason);
	close_watch(w);
}

/* --- events of a dialog ------------------------------------------------- */

static void
ended(struct presence_watch *w, bool tell)
{
	struct pair *p = w->pair;
	struct happening h = { .e = { .kind = PAIR_ON_UNWATCH } };

	pair_row_drop_watch(w);
	close_watch(w);
	if (tell)
		pair_run(p, &h);
}

uint8_t
to_half_format(const struct presence *pr, const struct sip_msg *req)
{
	const char *value;
	struct buf all;
	uint8_t format;

	buf_init(&all, ACCEPT_MAX);
	for (size_t i = 0; (value = sip_msg_header(req, "Accept", i)) != NULL;
	     i++)
		(void)buf_addf(&all, "%s%s", i > 0 ? "," : "", value);
	format = (uint8_t)presence_build_choose(
	    buf_failed(&all) ? NULL : buf_cstr(&all), &pr->build);
	buf_finish(&all);
	return format;
}

static void
on_refresh(struct sip_notifier *n, const struct sip_msg *req,
    uint32_t expires_s, void *arg)
{
	struct presence_watch *w = arg;
	struct happening h = { .e = { .kind = PAIR_ON_REFRESH }, .watch = w };
	uint8_t format = to_half_format(w->pair->presence, req);

	(void)n;
	(void)expires_s;
	if (sip_msg_header(req, "Accept", 0) != NULL &&
	    format != PRESENCE_FORMAT_NONE)
		w->format = format;
	w->shown = 0;
	(void)pair_row_put_watch(w, NULL, NULL);
	pair_run(w->pair, &h);
}

static void
on_changed(struct sip_notifier *n, void *arg)
{
	struct presence_watch *w = arg;

	(void)n;
	if (w->confirmed)
		(void)pair_row_put_watch(w, NULL, NULL);
}

/* It has not seen the last state: again with the next change, or when the
 * pool is back. */
static void
on_answer(struct sip_notifier *n, int status, void *arg)
{
	struct presence_watch *w = arg;

	(void)n;
	if (status >= 300)
		w->shown = 0;
}

static void
on_end(struct sip_notifier *n, enum sip_notifier_why why, void *arg)
{
	struct presence_watch *w = arg;
	struct pair *p = w->pair;

	(void)n;
	if (why == SIP_NOTIFIER_CLOSED || p->presence->stopping) {
		close_watch(w);
		return;
	}
	log_info(&p->presence->log, "endpoint-left",
	    "user=%s contact=%s why=%s", pair_user(p), pair_contact(p),
	    sip_notifier_why_str(why));
	ended(w, w->confirmed);
}

static const struct sip_notifier_events events = {
	.on_refresh = on_refresh,
	.on_changed = on_changed,
	.on_answer = on_answer,
	.on_end = on_end,
};

static void
fill(struct sip_notifier_opts *o, const struct presence *pr,
    struct presence_watch *w)
{
	const struct gateway_presence_conf *c = &pr->opts.conf->presence;

	*o = (struct sip_notifier_opts){
		.clock = pr->opts.clock,
		.event = package,
		.expires_default_s = c->expires_default_s,
		.expires_min_s = c->expires_min_s,
		.expires_max_s = c->expires_max_s,
		.label = w != NULL ? w->format : 0,
		.events = &events,
		.arg = w,
	};
}

/* --- confirmation ------------------------------------------------------- */

/* It cannot be kept; the machine has counted it. */
static void
give_up(struct presence_watch *w)
{
	struct errors_sip e;

	errors_refusal(&e, ERRORS_NO_DISK);
	sip_notifier_refuse(w->notifier, e.status, e.diagnostics, e.reason);
	ended(w, true);
}

/* The dialog's row is on disk, or not. */
static void
on_stored(int rc, void *arg)
{
	struct presence_watch *w = arg;

	/* Without notifier it has gone meanwhile, perhaps its pair as well. */
	if (w->notifier == NULL || w->pair->presence->stopping) {
		to_half_unhold(w);
		return;
	}
	if (rc == 0)
		rc = sip_notifier_confirm(w->notifier, 0);
	if (rc < 0) {
		w->holders--;
		give_up(w);
		return;
	}
	w->confirmed = true;
	if (w->due)
		to_notify_watch(w);
	to_half_unhold(w);
}

void
to_half_confirm(struct pair *p, struct happening *h)
{
	struct presence_watch *w = h->watch;

	(void)p;
	if (w == NULL || w->notifier == NULL)
		return;
	if (pair_row_put_watch(w, on_stored, w) < 0)
		give_up(w);
	else
		to_half_hold(w);
}

void
to_half_end_all(struct pair *p)
{
	LIST_FOREACH_SAFE (it, &p->watches) {
		struct presence_watch *w =
		    list_entry(it, struct presence_watch, link);

		if (w->confirmed)
			sip_notifier_end(
			    w->notifier, SIP_SUB_REJECTED, 0, NULL, NULL, 0);
		else
			sip_notifier_refuse(w->notifier, 403, 0, NULL);
		pair_row_drop_watch(w);
		close_watch(w);
	}
}

void
to_half_drop_all(struct pair *p)
{
	LIST_FOREACH_SAFE (it, &p->watches) {
		struct presence_watch *w =
		    list_entry(it, struct presence_watch, link);

		sip_notifier_drop(w->notifier);
		close_watch(w);
	}
}

int
to_half_restore(struct pair *p, uint64_t row, const void *image, size_t len)
{
	struct presence_watch *w = new_watch(p);
	struct sip_notifier_opts o;
	int rc;

	if (w == NULL)
		return ERR_NOMEM;
	w->row = row;
	w->confirmed = true;
	fill(&o, p->presence, w);
	rc = sip_notifier_restore(
	    &w->notifier, p->presence->opts.ua, &o, image, len);
	if (rc < 0) {
		close_watch(w);
		return rc;
	}
	w->format = (uint8_t)sip_notifier_label(w->notifier);
	if (w->format == PRESENCE_FORMAT_NONE ||
	    w->format > PRESENCE_FORMAT_STANDARD)
		w->format = PRESENCE_FORMAT_PIDF;
	return 0;
}

int
to_half_open(
    struct pair *p, struct sip_server_txn *st, uint8_t format, bool context)
{
	struct happening h = { .e = { .kind = PAIR_ON_WATCH,
				   .context = context } };
	struct presence_watch *w;
	struct sip_notifier_opts o;
	int rc;

	if (to_half_count(p) >= p->presence->opts.conf->presence.pair_endpoints)
		return ERR_FULL;
	w = new_watch(p);
	if (w == NULL)
		return ERR_NOMEM;
	w->format = format;
	fill(&o, p->presence, w);
	rc = sip_notifier_open(&w->notifier, p->presence->opts.ua, st, &o);
	if (rc < 0) {
		close_watch(w);
		return rc;
	}
	h.watch = w;
	pair_run(p, &h);
	return 0;
}
