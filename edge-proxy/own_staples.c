/*
 * own_staples - see the header.
 *
 * Each certificate has one timer, whose tick does what is due: drop an answer
 * that is out of date, ask for one that is half over or not there.  A refusal
 * is asked about again after a while that grows.
 */
#include "edge-proxy/own_staples.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <openssl/err.h>
#include <openssl/ssl.h>

#include "common/buf.h"
#include "common/clock.h"
#include "common/err.h"
#include "common/log.h"
#include "common/log_limit.h"
#include "edge-proxy/chain_status.h"
#include "edge-proxy/crl_points.h"
#include "edge-proxy/identities.h"
#include "edge-proxy/ocsp_reply.h"
#include "edge-proxy/ocsp_staple.h"

enum {
	RETRY_MIN_MS = 60 * 1000,
	RETRY_MAX_MS = 60 * 60 * 1000,
	FRESH_MIN_MS = 10 * 60 * 1000,
	FRESH_MAX_MS = 12 * 60 * 60 * 1000,
	TICK_MAX_MS = 60 * 60 * 1000
};

struct staple {
	struct own_staples *owner;
	uint8_t key[CHAIN_STATUS_KEY];
	SSL_CTX *server;        /* ours: a reference */
	STACK_OF(X509) * chain; /* to a trusted root; NULL: leads to none */
	struct buf der;         /* of the chain */
	bool from_file;
	struct buf answer;
	int64_t until_ms, again_ms; /* since 1970; until 0: no answer */
	uint64_t retry_ms;
	struct clock_timer tick;
	char name[160], why[160];
};

struct own_staples {
	struct clock *clock;
	struct keeper_link *line;
	struct staple *v;
	size_t count;
	struct log log;
};

static int64_t
now_ms(const struct staple *s)
{
	return clock_wall_ms(s->owner->clock);
}

static void
finish(struct staple *s)
{
	clock_timer_stop(&s->tick);
	SSL_CTX_free(s->server);
	sk_X509_pop_free(s->chain, X509_free);
	buf_finish(&s->der);
	buf_finish(&s->answer);
}

/* --- the tick ------------------------------------------------------------ */

static void
drop(struct staple *s, const char *why)
{
	if (s->until_ms == 0)
		return;
	s->until_ms = 0;
	buf_clear(&s->answer);
	(void)ocsp_staple_set(s->server, NULL, 0);
	snprintf(s->why, sizeof(s->why), "%s", why);
	log_warn(&s->owner->log, "staple-dropped", "certificate=%s reason=%s",
	    s->name, why);
}

static void
ask(struct staple *s)
{
	const struct keeper_blob blobs[] = {
		{ s->key, sizeof(s->key) },
		{ s->der.data, s->der.len },
	};

	if (s->owner->line == NULL || s->chain == NULL)
		return;
	/* Until it answers, or dies and another is asked. */
	s->again_ms = INT64_MAX;
	(void)keeper_link_send(s->owner->line, KW_WANT_ANSWER, blobs, 2, -1);
}

static void
on_tick(struct clock_timer *t, void *arg)
{
	struct staple *s = arg;
	int64_t now = now_ms(s), next = now + TICK_MAX_MS;

	if (s->until_ms != 0 && s->until_ms <= now)
		drop(s, "it is out of date");
	if (!s->from_file && s->again_ms <= now)
		ask(s);
	if (s->until_ms != 0 && s->until_ms < next)
		next = s->until_ms;
	if (!s->from_file && s->again_ms < next)
		next = s->again_ms;
	/* Walls' clocks jump: at most an hour at a time. */
	clock_timer_start(t, next > now ? (uint64_t)(next - now) : 1000);
}

/* When a newer answer is worth asking for. */
static int64_t
again_at(int64_t now, const struct ocsp_reply *r)
{
	int64_t at = r->from_ms + (r->until_ms - r->from_ms) / 2;

	if (at > now + FRESH_MAX_MS)
		at = now + FRESH_MAX_MS;
	/* A responder that gives the old one for longer. */
	return at < now + FRESH_MIN_MS ? now + FRESH_MIN_MS : at;
}

/* Puts an answer in force, or says why it cannot be. */
static const char *
take(struct staple *s, const void *der, size_t len)
{
	struct ocsp_about about = {
		.cert = sk_X509_value(s->chain, 0),
		.issuer =
		    sk_X509_value(s->chain, sk_X509_num(s->chain) > 1 ? 1 : 0),
		.trust = SSL_CTX_get_cert_store(s->server),
	};
	struct ocsp_reply r;
	const char *why;

	if (s->chain == NULL)
		return "the certificate leads to no authority of "
		       "external.trust";
	if (ocsp_reply_read(&r, der, len, &about, now_ms(s), &why) < 0)
		return why;
	if (r.said != OCSP_SAID_GOOD)
		return r.said == OCSP_SAID_REVOKED
			   ? "our own certificate is revoked"
			   : "the authority does not know the certificate";
	buf_clear(&s->answer);
	if (buf_add(&s->answer, der, len) < 0 ||
	    ocsp_staple_set(s->server, der, len) < 0)
		return err_str(ERR_NOMEM);
	s->until_ms = r.until_ms;
	s->again_ms = again_at(now_ms(s), &r);
	s->retry_ms = 0;
	s->why[0] = '\0';
	return NULL;
}

static void
fail(struct staple *s, const char *why)
{
	snprintf(s->why, sizeof(s->why), "%s", why);
	s->retry_ms = s->retry_ms == 0 ? RETRY_MIN_MS : s->retry_ms * 2;
	if (s->retry_ms > RETRY_MAX_MS)
		s->retry_ms = RETRY_MAX_MS;
	s->again_ms = now_ms(s) + (int64_t)s->retry_ms;
	log_limited_warn(&s->owner->log, NULL, "no-staple",
	    "certificate=%s reason=%s", s->name, why);
}

/* --- the identities ------------------------------------------------------ */

static void
read_chain(struct staple *s)
{
	STACK_OF(X509) *sent = NULL, *others = NULL;
	const char *why = "";
	X509 *leaf = SSL_CTX_get0_certificate(s->server);

	X509_NAME_oneline(
	    X509_get_subject_name(leaf), s->name, sizeof(s->name));
	SSL_CTX_get0_chain_certs(s->server, &others);
	sent = others != NULL ? sk_X509_dup(others) : sk_X509_new_null();
	if (sent == NULL || sk_X509_unshift(sent, leaf) == 0 ||
	    chain_status_verify(
		&s->chain, sent, SSL_CTX_get_cert_store(s->server), &why) < 0 ||
	    chain_status_write(&s->der, s->chain) < 0)
		snprintf(s->why, sizeof(s->why), "its chain: %s", why);
	sk_X509_free(sent);
	ERR_clear_error();
}

static bool
has_responder(const struct staple *s)
{
	struct crl_points points;

	if (s->chain == NULL || sk_X509_num(s->chain) < 2)
		return false;
	crl_points_responders(&points, sk_X509_value(s->chain, 0));
	return points.count > 0;
}

/* What the one before the reload had for the same chain. */
static void
inherit(struct staple *s, const struct staple *old, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (!old[i].from_file && old[i].until_ms != 0 &&
		    memcmp(old[i].key, s->key, sizeof(s->key)) == 0)
			(void)take(s, old[i].answer.data, old[i].answer.len);
}

static void
begin(struct staple *s, struct own_staples *o, SSL_CTX *server,
    const struct keeper_blob *file)
{
	const char *why = NULL;

	*s = (struct staple){ .owner = o };
	buf_init(&s->der, CHAIN_STATUS_BYTES_MAX);
	buf_init(&s->answer, OCSP_REPLY_MAX);
	clock_timer_init(&s->tick, o->clock, on_tick, s);
	SSL_CTX_up_ref(server);
	s->server = server;
	read_chain(s);
	chain_status_key(s->key, s->der.data, s->der.len);
	s->from_file = file->len > 0;
	if (s->from_file)
		why = take(s, file->data, file->len);
	else
		inherit(s, o->v, o->count);
	if (why != NULL) {
		snprintf(s->why, sizeof(s->why), "%s", why);
		log_warn(&o->log, "no-staple", "certificate=%s reason=%s",
		    s->name, why);
	}
	if (!s->from_file && !has_responder(s)) {
		if (s->why[0] == '\0')
			snprintf(s->why, sizeof(s->why),
			    "the certificate names no responder");
		s->again_ms = INT64_MAX;
	}
}

int
own_staples_set(struct own_staples *o, const struct identities *ids,
    const struct keeper_blob *files)
{
	size_t count = identities_count(ids);
	struct staple *v = calloc(count, sizeof(*v));

	if (v == NULL)
		return ERR_NOMEM;
	for (size_t i = 0; i < count; i++)
		begin(&v[i], o, identities_at(ids, i)->server, &files[i]);
	for (size_t i = 0; i < o->count; i++)
		finish(&o->v[i]);
	free(o->v);
	o->v = v;
	o->count = count;
	for (size_t i = 0; i < count; i++)
		clock_timer_start(&v[i].tick, 0);
	return 0;
}

/* --- the fetcher --------------------------------------------------------- */

void
own_staples_attach(struct own_staples *o, struct keeper_link *line)
{
	o->line = line;
	if (line != NULL)
		own_staples_anew(o);
}

void
own_staples_anew(struct own_staples *o)
{
	for (size_t i = 0; i < o->count; i++) {
		struct staple *s = &o->v[i];

		/* A question that is under way may have been forgotten. */
		if (s->from_file || !has_responder(s) ||
		    (s->until_ms != 0 && s->again_ms != INT64_MAX))
			continue;
		s->again_ms = 0;
		clock_timer_start(&s->tick, 0);
	}
}

void
own_staples_answered(struct own_staples *o, const struct keeper_blob *blobs)
{
	char text[160];

	for (size_t i = 0; i < o->count; i++) {
		struct staple *s = &o->v[i];
		const char *why = text;

		if (blobs[0].len != sizeof(s->key) || s->from_file ||
		    memcmp(s->key, blobs[0].data, sizeof(s->key)) != 0)
			continue;
		snprintf(text, sizeof(text), "%.*s",
		    (int)(blobs[2].len < 150 ? blobs[2].len : 150),
		    (const char *)blobs[2].data);
		if (blobs[1].len > 0)
			why = take(s, blobs[1].data, blobs[1].len);
		if (why != NULL)
			fail(s, why);
		else
			log_info(&o->log, "staple-fetched", "certificate=%s",
			    s->name);
		clock_timer_start(&s->tick, 0);
	}
}

/* --- life ---------------------------------------------------------------- */

int
own_staples_new(struct own_staples **out, struct clock *clock)
{
	struct own_staples *o = calloc(1, sizeof(*o));

	if (o == NULL)
		return ERR_NOMEM;
	o->clock = clock;
	log_init(&o->log, "own_staples");
	*out = o;
	return 0;
}

void
own_staples_free(struct own_staples *o)
{
	if (o == NULL)
		return;
	for (size_t i = 0; i < o->count; i++)
		finish(&o->v[i]);
	free(o->v);
	free(o);
}

json_t *
own_staples_describe(const struct own_staples *o)
{
	json_t *all = json_array();

	for (size_t i = 0; i < o->count; i++) {
		const struct staple *s = &o->v[i];

		(void)json_array_append_new(all,
		    json_pack("{s:s, s:b, s:I, s:s, s:s}", "certificate",
			s->name, "stapled", s->until_ms != 0, "until_s",
			(json_int_t)(s->until_ms / 1000), "from",
			s->from_file ? "file" : "authority", "why", s->why));
	}
	return all;
}
