/*
 * streams - see the header.
 *
 * What the keeper hands down is gathered piece by piece and comes into force
 * as a whole with KW_APPLY.  The first time that opens the edge; later times
 * replace certificates, trust, gateways and addresses.  A set that cannot be
 * used is refused and leaves everything as it was.
 *
 * Order at the first time: contexts made, one handshake in memory (it makes
 * OpenSSL load what it loads late), listeners opened, sandbox, ready.
 */
#include "edge-proxy/streams.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <openssl/bio.h>
#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/ssl.h>

#include "common/err.h"
#include "common/log.h"
#include "common/revocation.h"
#include "common/tls_identity.h"
#include "edge-proxy/child.h"
#include "edge-proxy/edge.h"
#include "edge-proxy/edge_conf.h"
#include "edge-proxy/identities.h"
#include "edge-proxy/keeper_wire.h"
#include "edge-proxy/ocsp_staple.h"
#include "edge-proxy/resolver_client.h"
#include "edge-proxy/sandbox.h"
#include "edge-proxy/streams_control.h"
#include "edge-proxy/streams_fetcher.h"

/* A blob that is kept until KW_APPLY. */
struct piece {
	char *data;
	size_t len;
};

struct pair {
	struct piece certificate, key;
	struct piece staple; /* maybe none */
};

/* What has come since the last KW_APPLY. */
struct staged {
	struct edge_conf *conf;
	struct pair pairs[EDGE_CONF_CERTIFICATES_MAX];
	size_t pair_count;
	struct piece trust;
	struct piece lists[EDGE_CONF_LISTS_MAX];
	size_t list_count;
	struct pair inner;
	struct piece inner_trust;
};

struct process {
	struct child child;
	int dns;
	struct staged staged;
	struct identities *identities;
	struct resolver_client *resolver;
	struct streams_fetcher *fetcher;
	struct edge *edge;
	struct streams_control *control; /* NULL without a socket */
	struct log log;
};

/* --- gathering ---------------------------------------------------------- */

static void
drop_piece(struct piece *p)
{
	if (p->data != NULL)
		OPENSSL_cleanse(p->data, p->len);
	free(p->data);
	*p = (struct piece){ 0 };
}

static int
keep_piece(struct piece *p, const struct keeper_blob *blob)
{
	drop_piece(p);
	p->data = malloc(blob->len + 1);
	if (p->data == NULL)
		return ERR_NOMEM;
	memcpy(p->data, blob->data, blob->len);
	p->data[blob->len] = '\0';
	p->len = blob->len;
	return 0;
}

static int
keep_pair(struct pair *p, const struct keeper_blob *blobs)
{
	int rc = keep_piece(&p->certificate, &blobs[0]);

	return rc < 0 ? rc : keep_piece(&p->key, &blobs[1]);
}

static void
drop_staged(struct staged *s)
{
	edge_conf_free(s->conf);
	for (size_t i = 0; i < s->pair_count; i++) {
		drop_piece(&s->pairs[i].certificate);
		drop_piece(&s->pairs[i].key);
		drop_piece(&s->pairs[i].staple);
	}
	drop_piece(&s->trust);
	for (size_t i = 0; i < s->list_count; i++)
		drop_piece(&s->lists[i]);
	drop_piece(&s->inner.certificate);
	drop_piece(&s->inner.key);
	drop_piece(&s->inner_trust);
	*s = (struct staged){ 0 };
}

static void
end(struct process *p, int status)
{
	resolver_client_close(p->resolver);
	p->resolver = NULL;
	streams_control_close(p->control);
	p->control = NULL;
	identities_set_status(p->identities, NULL);
	streams_fetcher_free(p->fetcher);
	p->fetcher = NULL;
	child_end(&p->child, status);
}

/* What was handed down is of no use.  While nothing is in force yet that is
 * the end of the process. */
static void
refuse(struct process *p, const char *why)
{
	const struct keeper_blob text = { (const uint8_t *)why, strlen(why) };

	log_error(&p->log, "hand-over-refused", "reason=%s", why);
	keeper_link_send(p->child.link, KW_REFUSED, &text, 1, -1);
	if (p->edge == NULL)
		end(p, 1);
}

/* --- coming into force -------------------------------------------------- */

/* Reads the lists that partners' certificates are looked for in, and warns of
 * those that are out of date.  Whom they name is refused in the handshake; what
 * becomes of those that no list speaks of is decided after it, when the fetcher
 * has been asked as well (cert_status.h).  On error what *out has is still to be
 * released. */
static int
read_lists(
    struct revocation *out, const struct process *p, char *why, size_t size)
{
	const struct staged *s = &p->staged;

	for (size_t i = 0; i < s->list_count; i++) {
		int first = revocation_count(out);
		char text[300];
		int rc = revocation_add(
		    out, s->lists[i].data, s->lists[i].len, text, sizeof(text));

		if (rc < 0) {
			snprintf(why, size,
			    "/external/revocation/lists/%zu: %s", i, text);
			return rc;
		}
		if (!revocation_in_force(out, first, text, sizeof(text)))
			log_warn(&p->log, "revocation-list-stale",
			    "file=%s reason=%s failure=%s", s->conf->lists[i],
			    text, s->conf->lists_hard ? "hard" : "soft");
	}
	return 0;
}

/* An identity toward partners, or, where lists is NULL, the one toward
 * gateways. */
static int
make_identity(struct tls_identity *out, const struct pair *pair,
    const struct piece *trust, const struct revocation *lists, char *why,
    size_t size)
{
	bool inner = lists == NULL;
	const struct tls_identity_opts opts = {
		.certificate = pair->certificate.data,
		.certificate_len = pair->certificate.len,
		.key = pair->key.data,
		.key_len = pair->key.len,
		.trust = trust->data,
		.trust_len = trust->len,
		.peer = inner ? TLS_PEER_REQUIRED : TLS_PEER_RECORDED,
		.judge_as_server = true,
		.min_version = inner ? TLS1_3_VERSION : TLS1_2_VERSION,
		.revocation =
		    !inner && revocation_count(lists) > 0 ? lists : NULL,
	};

	return tls_identity_init(out, &opts, why, size);
}

static int
make_identities(struct identities **out, const struct staged *s,
    const struct revocation *lists, char *why, size_t size)
{
	struct identities *ids;
	char text[256];
	int rc;

	rc = identities_new(&ids);
	for (size_t i = 0; rc == 0 && i < s->pair_count; i++) {
		struct tls_identity id;

		rc = make_identity(
		    &id, &s->pairs[i], &s->trust, lists, text, sizeof(text));
		if (rc < 0) {
			snprintf(why, size, "/external/certificates/%zu: %s", i,
			    text);
			identities_free(ids);
			return rc;
		}
		rc = ocsp_staple_prepare(&id);
		if (rc == 0)
			rc = identities_add(ids, &id);
		if (rc < 0) {
			tls_identity_finish(&id);
			identities_free(ids);
		}
	}
	if (rc < 0) {
		snprintf(why, size, "%s", err_str(rc));
		return rc;
	}
	*out = ids;
	return 0;
}

/* Moves what one side wants to say over to the other. */
static void
carry(BIO *from, BIO *to)
{
	char piece[4096];
	int n;

	while ((n = BIO_read(from, piece, sizeof(piece))) > 0)
		BIO_write(to, piece, n);
}

/* One handshake with ourselves, so that whatever OpenSSL loads or opens at its
 * first is loaded and opened.  How it ends does not matter. */
static void
warm_up(const struct tls_identity *id)
{
	SSL *server = SSL_new(id->server), *client = SSL_new(id->client);
	BIO *ends[4] = { NULL };

	for (size_t i = 0; i < 4; i++) {
		ends[i] = BIO_new(BIO_s_mem());
		if (ends[i] != NULL)
			BIO_set_mem_eof_return(ends[i], -1);
	}
	if (server != NULL && client != NULL && ends[0] != NULL &&
	    ends[1] != NULL && ends[2] != NULL && ends[3] != NULL) {
		SSL_set_bio(server, ends[0], ends[1]);
		SSL_set_bio(client, ends[2], ends[3]);
		SSL_set_accept_state(server);
		SSL_set_connect_state(client);
		for (int i = 0; i < 8; i++) {
			(void)SSL_do_handshake(client);
			carry(ends[3], ends[0]);
			(void)SSL_do_handshake(server);
			carry(ends[1], ends[2]);
		}
	} else {
		for (size_t i = 0; i < 4; i++)
			BIO_free(ends[i]);
	}
	SSL_free(server);
	SSL_free(client);
	ERR_clear_error();
}

static void
on_edge_stopped(void *arg)
{
	struct process *p = arg;

	p->edge = NULL;
	end(p, 0);
}

/* Partners' certificates, and the answers that go with ours. */
static int
set_fetcher(struct process *p)
{
	const struct staged *s = &p->staged;
	struct keeper_blob files[EDGE_CONF_CERTIFICATES_MAX];

	for (size_t i = 0; i < s->pair_count; i++)
		files[i] = (struct keeper_blob){
			(const uint8_t *)s->pairs[i].staple.data,
			s->pairs[i].staple.len
		};
	return streams_fetcher_set(p->fetcher, s->conf, p->identities, files);
}

/* The first time. */
static int
begin(
    struct process *p, const struct tls_identity *inner, char *why, size_t size)
{
	const struct edge_conf *conf = p->staged.conf;
	struct edge_opts opts = {
		.loop = &p->child.loop,
		.turns = &p->child.turns,
		.clock = p->child.clock,
		.identities = p->identities,
		.conf = conf,
		.inner = inner->server,
		.on_stopped = on_edge_stopped,
		.arg = p,
	};
	int rc;

	warm_up(inner);
	snprintf(why, size, "the line to the resolver cannot be opened");
	rc = resolver_client_open(
	    &p->resolver, &p->child.loop, p->child.clock, p->dns);
	p->dns = -1;
	if (rc < 0)
		return rc;
	opts.resolver = p->resolver;
	rc = edge_open(&p->edge, &opts, why, size);
	if (rc < 0)
		return rc;
	rc = sandbox_enter(SANDBOX_STREAMS, conf->sandbox);
	/* Not one more turn of the loop without it; it has said why. */
	if (rc < 0)
		exit(1);
	return 0;
}

/* Everything is there: it comes into force, or nothing of it does. */
static void
apply(struct process *p)
{
	struct staged *s = &p->staged;
	struct identities *ids = NULL;
	struct tls_identity inner = { 0 };
	struct revocation lists = { 0 };
	char why[512] = "incomplete";
	int rc = ERR_CONFIG;

	if (s->conf == NULL || s->pair_count == 0 || s->trust.data == NULL ||
	    s->inner_trust.data == NULL || s->list_count != s->conf->list_count)
		goto fail;
	rc = read_lists(&lists, p, why, sizeof(why));
	if (rc < 0)
		goto fail;
	rc = make_identities(&ids, s, &lists, why, sizeof(why));
	if (rc < 0)
		goto fail;
	rc = make_identity(
	    &inner, &s->inner, &s->inner_trust, NULL, why, sizeof(why));
	if (rc < 0)
		goto fail;
	identities_replace(p->identities, ids);
	ids = NULL;
	snprintf(why, sizeof(why), "%s", err_str(ERR_NOMEM));
	rc = set_fetcher(p);
	if (rc < 0)
		goto fail;
	if (p->edge == NULL) {
		rc = begin(p, &inner, why, sizeof(why));
	} else {
		snprintf(why, sizeof(why), "the edge cannot take it over");
		rc = edge_reload(p->edge, s->conf, inner.server);
	}
	if (rc < 0)
		goto fail;
	edge_conf_apply_log(s->conf);
	keeper_link_send(p->child.link, KW_READY, NULL, 0, -1);
	log_info(&p->log, "in-force",
	    "certificates=%zu gateways=%zu revocation_lists=%d", s->pair_count,
	    s->conf->gateway_count, revocation_count(&lists));
	revocation_finish(&lists);
	tls_identity_finish(&inner);
	drop_staged(s);
	return;

fail:
	revocation_finish(&lists);
	identities_free(ids);
	tls_identity_finish(&inner);
	drop_staged(s);
	refuse(p, why);
}

/* --- the keeper's messages ---------------------------------------------- */

static void
on_stop(void *arg)
{
	struct process *p = arg;

	if (p->edge != NULL)
		edge_stop(p->edge);
	else
		end(p, 0);
}

/* Keeps one message's content for KW_APPLY. */
static int
stage(struct process *p, enum keeper_message type,
    const struct keeper_blob *blobs, char *why, size_t size)
{
	struct staged *s = &p->staged;
	int rc = 0;

	if (type == KW_CONF) {
		/* A new set begins. */
		drop_staged(s);
		return edge_conf_parse(&s->conf, "edge.json",
		    (const char *)blobs[0].data, blobs[0].len, why, size);
	}
	snprintf(why, size, "out of memory, or too many certificates");
	if (type == KW_EXTERNAL) {
		if (s->pair_count == EDGE_CONF_CERTIFICATES_MAX)
			return ERR_FULL;
		return keep_pair(&s->pairs[s->pair_count++], blobs);
	}
	if (type == KW_STAPLE) {
		snprintf(why, size, "an answer without a certificate");
		return s->pair_count == 0
			   ? ERR_CONFIG
			   : keep_piece(
				 &s->pairs[s->pair_count - 1].staple, blobs);
	}
	if (type == KW_REVOCATION) {
		if (s->list_count == EDGE_CONF_LISTS_MAX)
			return ERR_FULL;
		return keep_piece(&s->lists[s->list_count++], &blobs[0]);
	}
	if (type == KW_TRUST)
		return keep_piece(&s->trust, &blobs[0]);
	rc = keep_pair(&s->inner, blobs);
	return rc < 0 ? rc : keep_piece(&s->inner_trust, &blobs[2]);
}

/* Without it the edge works as well; nobody can ask it then. */
static void
serve_control(struct process *p, int fd)
{
	struct streams_control_opts opts = {
		.loop = &p->child.loop,
		.clock = p->child.clock,
		.link = p->child.link,
		.edge = &p->edge,
		.fetcher = p->fetcher,
		.fd = fd,
	};
	int rc;

	if (p->control != NULL || p->child.ending) {
		close(fd);
		return;
	}
	rc = streams_control_open(&p->control, &opts);
	if (rc < 0)
		log_error(&p->log, "control-failed", "error=%s", err_str(rc));
}

/* Before the first message is looked at: the loop is there by then. */
static int
prepare(struct process *p)
{
	int rc;

	if (p->fetcher != NULL || p->child.ending)
		return 0;
	rc = streams_fetcher_new(&p->fetcher, &p->child.loop, p->child.clock);
	if (rc == 0)
		identities_set_status(
		    p->identities, streams_fetcher_status(p->fetcher));
	return rc;
}

static void
on_message(enum keeper_message type, const struct keeper_blob *blobs, int fd,
    void *arg)
{
	struct process *p = arg;
	char why[512];
	int rc;

	if (prepare(p) < 0) {
		if (fd >= 0)
			close(fd);
		refuse(p, err_str(ERR_NOMEM));
		return;
	}
	switch (type) {
	case KW_CONF:
	case KW_EXTERNAL:
	case KW_TRUST:
	case KW_STAPLE:
	case KW_REVOCATION:
	case KW_INTERNAL:
		if (stage(p, type, blobs, why, sizeof(why)) < 0)
			refuse(p, why);
		break;
	case KW_APPLY:
		apply(p);
		break;
	case KW_RESOLVER:
		if (p->resolver == NULL) {
			close(fd);
			break;
		}
		rc = resolver_client_attach(p->resolver, fd);
		if (rc < 0)
			log_error(
			    &p->log, "resolver-lost", "error=%s", err_str(rc));
		break;
	case KW_FETCHER:
		if (p->fetcher == NULL)
			close(fd);
		else
			streams_fetcher_attach(p->fetcher, fd);
		break;
	case KW_STOP:
		on_stop(p);
		break;
	case KW_CONTROL:
		serve_control(p, fd);
		break;
	case KW_ABOUT:
		if (p->control != NULL)
			streams_control_about(
			    p->control, blobs[0].data, blobs[0].len);
		break;
	case KW_ANSWER:
		if (p->control != NULL)
			streams_control_answer(
			    p->control, blobs[0].data, blobs[0].len);
		break;
	case KW_READY:
	case KW_REFUSED:
	case KW_LEVEL:
	case KW_BEAT:
	case KW_ALIVE:
	case KW_ASK_RELOAD:
	case KW_ASK_LEVEL:
	case KW_ASK_STOP:
	case KW_ASKER:
	case KW_JUDGE:
	case KW_JUDGED:
	case KW_WANT_ANSWER:
	case KW_OCSP:
	case KW_ANEW:
	case KW_LISTS:
		if (fd >= 0)
			close(fd);
		refuse(p, "not for streams");
		break;
	}
}

int
streams_main(int control, int dns)
{
	const struct child_opts opts = {
		.name = "streams",
		.control = control,
		.on_message = on_message,
		.on_stop = on_stop,
	};
	struct process p = { .dns = dns };
	int status;

	log_init(&p.log, "streams");
	if (identities_new(&p.identities) < 0)
		return 1;
	status = child_run(&p.child, &opts, &p);
	drop_staged(&p.staged);
	identities_free(p.identities);
	if (p.dns >= 0)
		close(p.dns);
	return status;
}
