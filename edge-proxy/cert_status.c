/*
 * cert_status - see the header.
 *
 * What is known hangs on entries, one for each chain: asked ─► known ─► asked
 * again when the fetcher said it would be worth while, as long as a stream
 * watches or the certificate is revoked.  Any other goes when that time comes.
 *
 * How it can fail: no fetcher (asked when there is one), no answer in time (the
 * waiting stream's own limit), too many chains (not judged: soft lets pass,
 * hard refuses).
 */
#include "edge-proxy/cert_status.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <openssl/x509_vfy.h>

#include "common/buf.h"
#include "common/err.h"
#include "common/log.h"
#include "common/log_limit.h"
#include "common/map.h"
#include "edge-proxy/chain_status.h"
#include "edge-proxy/ocsp_reply.h"

enum {
	WAIT_MS = 7000,
	ENTRIES_MAX = 2048,
	BYTES_MAX = 16 * 1024 * 1024,
	AGAIN_MIN_S = 10,
	AGAIN_MAX_S = 4 * 60 * 60,
	LEAF_KNOWN = 1
};

struct cert_entry {
	struct list all;
	struct cert_status *status;
	uint8_t key[CHAIN_STATUS_KEY];
	struct buf chain;
	uint8_t flags;
	bool asked; /* on the line that there is */
	bool known;
	long verdict;
	char subject[160];
	struct clock_timer again;
	struct list watches;
};

struct cert_status {
	struct clock *clock;
	struct keeper_link *line;
	struct list entries;
	size_t count, bytes;
	bool hard, ask;
	struct log log;
};

/* --- entries ------------------------------------------------------------- */

static void
free_entry(struct cert_entry *e)
{
	struct cert_status *s = e->status;

	clock_timer_stop(&e->again);
	list_remove(&e->all);
	s->count--;
	s->bytes -= e->chain.len;
	buf_finish(&e->chain);
	free(e);
}

static void
ask(struct cert_entry *e)
{
	struct cert_status *s = e->status;
	const struct keeper_blob blobs[] = {
		{ e->key, sizeof(e->key) },
		{ e->chain.data, e->chain.len },
		{ &e->flags, 1 },
	};

	if (s->line == NULL || e->asked)
		return;
	if (keeper_link_send(s->line, KW_JUDGE, blobs, 3, -1) == 0)
		e->asked = true;
	/* Else the line is broken, and its end is on the way. */
}

/* Nobody watches, and nobody would be let in by its being forgotten. */
static bool
is_idle(const struct cert_entry *e)
{
	return list_empty(&e->watches) &&
	       !(e->known && e->verdict == X509_V_ERR_CERT_REVOKED);
}

static void
on_again(struct clock_timer *t, void *arg)
{
	struct cert_entry *e = arg;

	(void)t;
	if (is_idle(e))
		free_entry(e);
	else
		ask(e);
}

static struct cert_entry *
find(struct cert_status *s, const uint8_t *key)
{
	LIST_FOREACH (it, &s->entries) {
		struct cert_entry *e = list_entry(it, struct cert_entry, all);

		if (memcmp(e->key, key, sizeof(e->key)) == 0)
			return e;
	}
	return NULL;
}

static void
make_room(struct cert_status *s, size_t bytes)
{
	LIST_FOREACH_SAFE (it, &s->entries) {
		struct cert_entry *e = list_entry(it, struct cert_entry, all);

		if (s->count < ENTRIES_MAX && s->bytes + bytes <= BYTES_MAX)
			return;
		if (list_empty(&e->watches))
			free_entry(e);
	}
}

/* Takes chain over, in any case. */
static struct cert_entry *
add(struct cert_status *s, const uint8_t *key, struct buf *chain, uint8_t flags)
{
	struct cert_entry *e = NULL;

	make_room(s, chain->len);
	if (s->count < ENTRIES_MAX && s->bytes + chain->len <= BYTES_MAX)
		e = calloc(1, sizeof(*e));
	if (e == NULL) {
		buf_finish(chain);
		return NULL;
	}
	e->status = s;
	memcpy(e->key, key, sizeof(e->key));
	e->chain = *chain;
	e->flags = flags;
	list_init(&e->watches);
	clock_timer_init(&e->again, s->clock, on_again, e);
	list_append(&s->entries, &e->all);
	s->count++;
	s->bytes += e->chain.len;
	return e;
}

/* --- the staple ---------------------------------------------------------- */

/* What came with the handshake.  X509_V_OK with *known when it says that the
 * certificate is good. */
static long
judge_staple(
    struct cert_status *s, bool *known, SSL *ssl, const STACK_OF(X509) * chain)
{
	const struct ocsp_about about = {
		.cert = sk_X509_value(chain, 0),
		.issuer = sk_X509_value(chain, sk_X509_num(chain) > 1 ? 1 : 0),
		.trust = SSL_CTX_get_cert_store(SSL_get_SSL_CTX(ssl)),
	};
	const unsigned char *der = NULL;
	long len = SSL_get_tlsext_status_ocsp_resp(ssl, &der);
	bool demanded = ocsp_reply_is_demanded(about.cert);
	struct ocsp_reply r = { .said = OCSP_SAID_UNKNOWN };
	const char *why = "the authority does not know the certificate";

	if (len <= 0 || der == NULL)
		return demanded ? X509_V_ERR_OCSP_VERIFY_NEEDED : X509_V_OK;
	if (ocsp_reply_read(&r, der, (size_t)len, &about,
		clock_wall_ms(s->clock), &why) == 0) {
		if (r.said == OCSP_SAID_REVOKED)
			return X509_V_ERR_CERT_REVOKED;
		*known = r.said == OCSP_SAID_GOOD;
	}
	if (*known)
		return X509_V_OK;
	log_limited_warn(&s->log, NULL, "staple-unusable", "reason=%s", why);
	return demanded ? X509_V_ERR_OCSP_VERIFY_FAILED : X509_V_OK;
}

/* --- watching ------------------------------------------------------------ */

void
cert_watch_init(
    struct cert_watch *w, void (*fn)(struct cert_watch *w, long verdict))
{
	*w = (struct cert_watch){ .fn = fn };
	list_init(&w->node);
}

static void
on_limit(struct clock_timer *t, void *arg)
{
	struct cert_watch *w = arg;

	(void)t;
	w->waiting = false;
	w->fn(w, X509_V_ERR_UNABLE_TO_GET_CRL);
}

static void
note_subject(struct cert_entry *e, X509 *leaf)
{
	X509_NAME_oneline(
	    X509_get_subject_name(leaf), e->subject, sizeof(e->subject));
}

static struct cert_entry *
entry_for(struct cert_status *s, const STACK_OF(X509) * chain, bool known)
{
	uint8_t key[CHAIN_STATUS_KEY];
	struct cert_entry *e = NULL;
	struct buf der;

	buf_init(&der, CHAIN_STATUS_BYTES_MAX);
	if (chain_status_write(&der, chain) < 0) {
		buf_finish(&der);
		return NULL;
	}
	chain_status_key(key, der.data, der.len);
	/* With and without a staple are two questions. */
	key[0] = (uint8_t)(key[0] ^ (known ? LEAF_KNOWN : 0));
	e = find(s, key);
	if (e != NULL) {
		buf_finish(&der);
		return e;
	}
	e = add(s, key, &der, known ? LEAF_KNOWN : 0);
	if (e != NULL)
		note_subject(e, sk_X509_value(chain, 0));
	return e;
}

static long
begin_watch(struct cert_watch *w, struct cert_entry *e)
{
	struct cert_status *s = e->status;

	w->entry = e;
	list_append(&e->watches, &w->node);
	if (e->known) {
		/* Its time is up, and there was no fetcher to ask. */
		if (!clock_timer_running(&e->again))
			ask(e);
		if (e->verdict == X509_V_ERR_CERT_REVOKED || s->hard)
			return e->verdict;
		return X509_V_OK;
	}
	ask(e);
	if (!s->hard)
		return X509_V_OK;
	w->waiting = true;
	clock_timer_init(&w->limit, s->clock, on_limit, w);
	clock_timer_start(&w->limit, WAIT_MS);
	return CERT_WATCH_WAIT;
}

long
cert_watch_begin(struct cert_watch *w, struct cert_status *status, SSL *ssl)
{
	STACK_OF(X509) *chain = SSL_get0_verified_chain(ssl);
	struct cert_entry *e;
	bool known = false;
	long verdict;

	if (status == NULL || chain == NULL || sk_X509_num(chain) == 0)
		return X509_V_OK;
	if (!SSL_is_server(ssl)) {
		verdict = judge_staple(status, &known, ssl, chain);
		if (verdict != X509_V_OK)
			return verdict;
	}
	if (!status->ask)
		return X509_V_OK;
	w->status = status;
	e = entry_for(status, chain, known);
	if (e != NULL)
		return begin_watch(w, e);
	log_limited_warn(&status->log, NULL, "chain-not-watched", "reason=%s",
	    "too many, or out of memory");
	return status->hard ? X509_V_ERR_UNABLE_TO_GET_CRL : X509_V_OK;
}

void
cert_watch_end(struct cert_watch *w)
{
	if (w->waiting)
		clock_timer_stop(&w->limit);
	w->waiting = false;
	list_remove(&w->node);
	/* The entry stays for who comes next, until its time. */
	if (w->entry != NULL && list_empty(&w->entry->watches) &&
	    !clock_timer_running(&w->entry->again))
		clock_timer_start(&w->entry->again, WAIT_MS);
	w->entry = NULL;
}

/* --- the fetcher --------------------------------------------------------- */

/* Tells the streams; one may end its watch, or any other's. */
static void
tell(struct cert_entry *e)
{
	struct list all, *n;
	long verdict = e->verdict;
	bool revoked = verdict == X509_V_ERR_CERT_REVOKED;
	bool hard = e->status->hard;

	list_init(&all);
	LIST_FOREACH_SAFE (it, &e->watches) {
		list_remove(it);
		list_append(&all, it);
	}
	while ((n = list_first(&all)) != NULL) {
		struct cert_watch *w = list_entry(n, struct cert_watch, node);
		bool waited = w->waiting;

		list_remove(n);
		list_append(&e->watches, n);
		if (waited)
			clock_timer_stop(&w->limit);
		w->waiting = false;
		if (waited || revoked)
			w->fn(w, revoked || hard ? verdict : X509_V_OK);
	}
}

static void
take_verdict(struct cert_entry *e, const json_t *said)
{
	json_int_t verdict, next;
	const char *why = json_string_value(json_object_get(said, "why"));
	long was = e->known ? e->verdict : X509_V_OK;

	verdict = json_integer_value(json_object_get(said, "verdict"));
	next = json_integer_value(json_object_get(said, "next_s"));
	e->asked = false;
	e->known = true;
	e->verdict = verdict >= 0 && verdict < 1000
			 ? (long)verdict
			 : X509_V_ERR_UNABLE_TO_GET_CRL;
	if (next < AGAIN_MIN_S)
		next = AGAIN_MIN_S;
	if (next > AGAIN_MAX_S)
		next = AGAIN_MAX_S;
	clock_timer_start(&e->again, (uint64_t)next * 1000);
	if (e->verdict == was)
		return;
	if (e->verdict == X509_V_OK)
		log_info(&e->status->log, "certificate-good", "subject=%s",
		    e->subject);
	else
		log_limited_as(&e->status->log,
		    e->verdict == X509_V_ERR_CERT_REVOKED ? LOG_WARN : LOG_INFO,
		    NULL,
		    e->verdict == X509_V_ERR_CERT_REVOKED
			? "certificate-revoked"
			: "certificate-unknown",
		    "subject=%s reason=%s", e->subject,
		    why != NULL ? why : "?");
}

void
cert_status_judged(struct cert_status *s, const struct keeper_blob *blobs)
{
	struct cert_entry *e = NULL;
	json_t *said;

	if (blobs[0].len == CHAIN_STATUS_KEY)
		e = find(s, blobs[0].data);
	if (e == NULL)
		return; /* nobody watches any more */
	said = json_loadb((const char *)blobs[1].data, blobs[1].len, 0, NULL);
	if (!json_is_object(said)) {
		log_error(
		    &s->log, "verdict-unreadable", "bytes=%zu", blobs[1].len);
		json_decref(said);
		return;
	}
	take_verdict(e, said);
	json_decref(said);
	tell(e);
}

void
cert_status_anew(struct cert_status *s)
{
	LIST_FOREACH_SAFE (it, &s->entries) {
		struct cert_entry *e = list_entry(it, struct cert_entry, all);

		e->asked = false;
		if (is_idle(e))
			free_entry(e);
		else
			ask(e);
	}
}

void
cert_status_attach(struct cert_status *s, struct keeper_link *line)
{
	s->line = line;
	LIST_FOREACH (it, &s->entries) {
		struct cert_entry *e = list_entry(it, struct cert_entry, all);
		bool asked = e->asked;

		e->asked = false;
		if (asked || !e->known)
			ask(e);
	}
}

void
cert_status_set(struct cert_status *s, bool hard, bool ask)
{
	s->hard = hard;
	s->ask = ask;
}

int
cert_status_new(struct cert_status **out, struct clock *clock)
{
	struct cert_status *s = calloc(1, sizeof(*s));

	if (s == NULL)
		return ERR_NOMEM;
	s->clock = clock;
	list_init(&s->entries);
	log_init(&s->log, "cert_status");
	*out = s;
	return 0;
}

void
cert_status_free(struct cert_status *s)
{
	if (s == NULL)
		return;
	LIST_FOREACH_SAFE (it, &s->entries)
		free_entry(list_entry(it, struct cert_entry, all));
	free(s);
}

json_t *
cert_status_describe(const struct cert_status *s)
{
	size_t good = 0, revoked = 0, unknown = 0;

	LIST_FOREACH (it, &s->entries) {
		const struct cert_entry *e =
		    list_entry(it, struct cert_entry, all);

		if (!e->known)
			unknown++;
		else if (e->verdict == X509_V_OK)
			good++;
		else if (e->verdict == X509_V_ERR_CERT_REVOKED)
			revoked++;
		else
			unknown++;
	}
	return json_pack("{s:s, s:b, s:I, s:I, s:I}", "failure",
	    s->hard ? "hard" : "soft", "fetcher", s->line != NULL, "good",
	    (json_int_t)good, "revoked", (json_int_t)revoked, "unknown",
	    (json_int_t)unknown);
}
