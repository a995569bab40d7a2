/*
 * fetch_jobs - see the header.
 *
 * Judging: the chain is verified; for each certificate but the root the first
 * list it points to is wanted, the next one if that is not to be had; when all
 * are in, or time is up, the chain is looked for in them and in the admin's.
 *
 * Getting an answer: the chain is verified, the first responder of the leaf is
 * asked, and what it says is judged before it is passed on.
 */
#include "edge-proxy/fetch_jobs.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <jansson.h>
#include <openssl/err.h>

#include "common/buf.h"
#include "common/clock.h"
#include "common/err.h"
#include "common/list.h"
#include "common/log.h"
#include "common/log_limit.h"
#include "common/revocation.h"
#include "common/tls_bounds.h"
#include "edge-proxy/chain_status.h"
#include "edge-proxy/crl_cache.h"
#include "edge-proxy/crl_points.h"
#include "edge-proxy/http_fetch.h"
#include "edge-proxy/ocsp_reply.h"

enum {
	JOBS_MAX = 512,
	WANTS_MAX = TLS_BOUNDS_CHAIN + 1, /* a root may come to it */
	JUDGE_MS = 6000,                  /* below what a stream waits */
	OCSP_MS = 10000,
	UNKNOWN_S = 60,       /* after which a failure is tried again */
	KNOWN_S = 4 * 60 * 60 /* no list is younger for longer */
};

/* One certificate's list. */
struct want {
	struct job *job;
	struct crl_waiter waiter;
	X509 *issuer;
	struct crl_points points;
	size_t at;
	X509_CRL *list; /* ours */
};

struct job {
	struct list all;
	struct fetch_jobs *owner;
	uint8_t key[CHAIN_STATUS_KEY];
	STACK_OF(X509) * chain;
	/* Judging: */
	bool leaf_known;
	struct want wants[WANTS_MAX];
	size_t want_count, pending;
	uint32_t fresh_s;
	struct clock_timer limit;
	char why[160];
	/* An answer: */
	struct http_fetch *fetch;
};

struct fetch_jobs {
	struct fetch_jobs_opts opts;
	struct crl_cache *cache;
	struct keeper_link *line;
	struct list jobs;
	size_t count;
	struct log log;
};

static void
free_job(struct job *j)
{
	clock_timer_stop(&j->limit);
	http_fetch_close(j->fetch);
	for (size_t i = 0; i < j->want_count; i++) {
		crl_waiter_stop(&j->wants[i].waiter);
		X509_CRL_free(j->wants[i].list);
	}
	sk_X509_pop_free(j->chain, X509_free);
	list_remove(&j->all);
	j->owner->count--;
	free(j);
}

/* --- judging ------------------------------------------------------------- */

static void
send_verdict(struct fetch_jobs *f, const uint8_t *key, int verdict,
    const char *why, uint32_t next_s)
{
	json_t *said = json_pack("{s:i, s:s, s:I}", "verdict", verdict, "why",
	    why, "next_s", (json_int_t)next_s);
	char *text = said != NULL ? json_dumps(said, JSON_COMPACT) : NULL;
	struct keeper_blob blobs[] = { { key, CHAIN_STATUS_KEY },
		{ (const uint8_t *)text, 0 } };
	int rc = ERR_NOMEM;

	json_decref(said);
	if (text != NULL) {
		blobs[1].len = strlen(text);
		rc = f->line != NULL
			 ? keeper_link_send(f->line, KW_JUDGED, blobs, 2, -1)
			 : ERR_CLOSED;
	}
	if (rc < 0)
		log_warn(&f->log, "verdict-not-told", "error=%s", err_str(rc));
	free(text);
}

/* The lists of this chain and the admin's; borrowed. */
static STACK_OF(X509_CRL) * gather(const struct job *j)
{
	STACK_OF(X509_CRL) *admins = j->owner->opts.lists;
	STACK_OF(X509_CRL) *all =
	    admins != NULL ? sk_X509_CRL_dup(admins) : sk_X509_CRL_new_null();

	for (size_t i = 0; all != NULL && i < j->want_count; i++) {
		const struct want *w = &j->wants[i];

		if (w->list != NULL)
			(void)sk_X509_CRL_push(all, w->list);
	}
	return all;
}

/* Everything that can be had is there. */
static void
conclude(struct job *j)
{
	struct fetch_jobs *f = j->owner;
	STACK_OF(X509_CRL) *lists = gather(j);
	struct chain_status status = { .verdict =
					   X509_V_ERR_UNABLE_TO_GET_CRL };
	char why[400];

	if (lists != NULL)
		(void)chain_status_judge(
		    &status, j->chain, f->opts.trust, lists, j->leaf_known);
	sk_X509_CRL_free(lists);
	snprintf(why, sizeof(why), "%s at depth %d%s%s",
	    X509_verify_cert_error_string(status.verdict), status.depth,
	    revocation_unknown(status.verdict) && j->why[0] != '\0' ? ": " : "",
	    revocation_unknown(status.verdict) ? j->why : "");
	if (revocation_unknown(status.verdict) && j->fresh_s > UNKNOWN_S)
		j->fresh_s = UNKNOWN_S;
	send_verdict(f, j->key, status.verdict, why, j->fresh_s);
	free_job(j);
}

static void
on_limit(struct clock_timer *t, void *arg)
{
	(void)t;
	conclude(arg);
}

/* Takes the list, or waits for it, or turns to the next address. */
static void
pursue(struct want *w)
{
	struct job *j = w->job;

	while (w->at < w->points.count) {
		const char *url = w->points.urls[w->at];
		struct crl_cache_got got;
		enum crl_cache_answer a = crl_cache_get(
		    j->owner->cache, &got, url, w->issuer, &w->waiter);

		if (a == CRL_CACHE_COMING) {
			j->pending++;
			return;
		}
		if (a == CRL_CACHE_HELD) {
			X509_CRL_up_ref(got.list);
			w->list = got.list;
			if (got.fresh_s < j->fresh_s)
				j->fresh_s = got.fresh_s;
			return;
		}
		snprintf(j->why, sizeof(j->why), "%.60s: %.90s", url, got.why);
		w->at++;
	}
}

static void
on_list(struct crl_waiter *waiter)
{
	struct want *w = list_entry(waiter, struct want, waiter);
	struct job *j = w->job;

	j->pending--;
	pursue(w);
	if (j->pending == 0)
		conclude(j);
}

static void
begin_judging(struct job *j)
{
	int last = sk_X509_num(j->chain) - 1;

	j->fresh_s = KNOWN_S;
	if (!j->owner->opts.fetch)
		last = 0;
	for (int i = 0; i < last && i < WANTS_MAX; i++) {
		struct want *w = &j->wants[j->want_count++];

		w->job = j;
		crl_waiter_init(&w->waiter, on_list);
		w->issuer = sk_X509_value(j->chain, i + 1);
		if (i > 0 || !j->leaf_known)
			crl_points_lists(
			    &w->points, sk_X509_value(j->chain, i));
		pursue(w);
	}
	if (j->pending == 0) {
		conclude(j);
		return;
	}
	clock_timer_start(&j->limit, JUDGE_MS);
}

/* Reads and verifies the chain of a question.  0, or a code and why. */
static int
open_job(struct job **out, struct fetch_jobs *f,
    const struct keeper_blob *blobs, clock_timer_fn *fn, const char **why)
{
	STACK_OF(X509) *sent = NULL;
	struct job *j;
	int rc;

	*why = "too many questions";
	if (f->count >= JOBS_MAX)
		return ERR_FULL;
	*why = "it is no chain";
	rc = chain_status_read(&sent, blobs[1].data, blobs[1].len);
	if (rc < 0)
		return rc;
	j = calloc(1, sizeof(*j));
	*why = err_str(ERR_NOMEM);
	rc = j == NULL
		 ? ERR_NOMEM
		 : chain_status_verify(&j->chain, sent, f->opts.trust, why);
	sk_X509_pop_free(sent, X509_free);
	if (rc < 0) {
		free(j);
		return rc;
	}
	j->owner = f;
	memcpy(j->key, blobs[0].data, sizeof(j->key));
	clock_timer_init(&j->limit, f->opts.place->clock, fn, j);
	list_append(&f->jobs, &j->all);
	f->count++;
	*out = j;
	return 0;
}

bool
fetch_jobs_judge(struct fetch_jobs *f, const struct keeper_blob *blobs)
{
	const char *why;
	struct job *j;

	if (blobs[0].len != CHAIN_STATUS_KEY || blobs[2].len != 1)
		return false;
	if (open_job(&j, f, blobs, on_limit, &why) < 0) {
		log_limited_warn(
		    &f->log, NULL, "chain-not-judged", "reason=%s", why);
		send_verdict(f, blobs[0].data, X509_V_ERR_UNABLE_TO_GET_CRL,
		    why, UNKNOWN_S);
		return true;
	}
	j->leaf_known = blobs[2].data[0] == 1;
	begin_judging(j);
	return true;
}

/* --- answers for ours ---------------------------------------------------- */

static void
send_answer(struct fetch_jobs *f, const uint8_t *key, const struct buf *answer,
    const char *why)
{
	const struct keeper_blob blobs[] = {
		{ key, CHAIN_STATUS_KEY },
		{ answer != NULL ? answer->data : NULL,
		    answer != NULL ? answer->len : 0 },
		{ (const uint8_t *)why, strlen(why) },
	};
	int rc = f->line != NULL
		     ? keeper_link_send(f->line, KW_OCSP, blobs, 3, -1)
		     : ERR_CLOSED;

	if (rc < 0)
		log_warn(&f->log, "answer-not-told", "error=%s", err_str(rc));
}

static void
on_ocsp(int rc, const char *why, const struct buf *body, void *arg)
{
	struct job *j = arg;
	struct ocsp_about about = {
		.cert = sk_X509_value(j->chain, 0),
		.issuer = sk_X509_value(j->chain, 1),
		.trust = j->owner->opts.trust,
	};
	struct ocsp_reply r;

	j->fetch = NULL;
	if (rc == 0)
		rc = ocsp_reply_read(&r, body->data, body->len, &about,
		    clock_wall_ms(j->owner->opts.place->clock), &why);
	send_answer(
	    j->owner, j->key, rc == 0 ? body : NULL, rc == 0 ? "" : why);
	free_job(j);
}

/* The limit of judging; a fetch has its own. */
static void
on_no_limit(struct clock_timer *t, void *arg)
{
	(void)t;
	(void)arg;
}

/* NULL when the question is on its way, else why not. */
static const char *
ask_responder(struct job *j)
{
	struct crl_points points;
	struct buf question;
	struct http_fetch_opts opts = {
		.place = j->owner->opts.place,
		.post_type = "application/ocsp-request",
		.answer_max = OCSP_REPLY_MAX,
		.limit_ms = OCSP_MS,
		.on_done = on_ocsp,
		.arg = j,
	};
	int rc;

	if (!j->owner->opts.fetch)
		return "external.revocation.fetch is off";
	if (sk_X509_num(j->chain) < 2)
		return "it is its own authority";
	crl_points_responders(&points, sk_X509_value(j->chain, 0));
	if (points.count == 0)
		return "the certificate names no responder";
	buf_init(&question, OCSP_REPLY_MAX);
	rc = ocsp_reply_ask(
	    &question, sk_X509_value(j->chain, 0), sk_X509_value(j->chain, 1));
	if (rc == 0) {
		opts.url = points.urls[0];
		opts.post = question.data;
		opts.post_len = question.len;
		rc = http_fetch_open(&j->fetch, &opts);
	}
	buf_finish(&question);
	return rc < 0 ? err_str(rc) : NULL;
}

bool
fetch_jobs_answer(struct fetch_jobs *f, const struct keeper_blob *blobs)
{
	const char *why;
	struct job *j;

	if (blobs[0].len != CHAIN_STATUS_KEY)
		return false;
	if (open_job(&j, f, blobs, on_no_limit, &why) < 0) {
		send_answer(f, blobs[0].data, NULL, why);
		return true;
	}
	why = ask_responder(j);
	if (why == NULL)
		return true;
	send_answer(f, j->key, NULL, why);
	free_job(j);
	return true;
}

/* --- life ---------------------------------------------------------------- */

/* The lists there are, for whoever asks streams. */
static void
on_lists_changed(void *arg)
{
	struct fetch_jobs *f = arg;
	json_t *lists = crl_cache_describe(f->cache);
	char *text = lists != NULL ? json_dumps(lists, JSON_COMPACT) : NULL;
	struct keeper_blob blob = { (const uint8_t *)text, 0 };

	json_decref(lists);
	if (text != NULL && f->line != NULL) {
		blob.len = strlen(text);
		(void)keeper_link_send(f->line, KW_LISTS, &blob, 1, -1);
	}
	free(text);
}

static void
drop_jobs(struct fetch_jobs *f)
{
	LIST_FOREACH_SAFE (it, &f->jobs)
		free_job(list_entry(it, struct job, all));
}

void
fetch_jobs_attach(struct fetch_jobs *f, struct keeper_link *line)
{
	drop_jobs(f);
	f->line = line;
	if (line != NULL)
		on_lists_changed(f);
}

int
fetch_jobs_new(struct fetch_jobs **out, const struct fetch_jobs_opts *opts)
{
	struct fetch_jobs *f = calloc(1, sizeof(*f));
	int rc;

	if (f == NULL)
		return ERR_NOMEM;
	f->opts = *opts;
	list_init(&f->jobs);
	log_init(&f->log, "fetcher");
	rc = crl_cache_new(&f->cache, opts->place, on_lists_changed, f);
	if (rc < 0) {
		free(f);
		return rc;
	}
	*out = f;
	return 0;
}

void
fetch_jobs_free(struct fetch_jobs *f)
{
	if (f == NULL)
		return;
	drop_jobs(f);
	crl_cache_free(f->cache);
	free(f);
}
