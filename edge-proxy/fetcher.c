/*
 * fetcher - see the header.
 *
 * Configuration, trusted authorities and the admin's lists come from the keeper
 * and are put in force as a whole with KW_APPLY; what was fetched before is
 * then forgotten, and streams told to ask anew.  Questions come by the line to
 * streams, which may end and come again while this process lives; so may the
 * line to the resolver.
 *
 * A question that is not of the format ends the line: streams was taken over.
 */
#include "edge-proxy/fetcher.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/pem.h>

#include "common/err.h"
#include "common/log.h"
#include "common/revocation.h"
#include "edge-proxy/child.h"
#include "edge-proxy/edge_conf.h"
#include "edge-proxy/fetch_jobs.h"
#include "edge-proxy/http_fetch.h"
#include "edge-proxy/keeper_wire.h"
#include "edge-proxy/reach.h"
#include "edge-proxy/resolver_client.h"
#include "edge-proxy/sandbox.h"

/* What is in force, or about to be. */
struct stand {
	struct edge_conf *conf;
	X509_STORE *trust;
	struct revocation lists;
};

struct process {
	struct child child;
	int dns;
	struct stand now, next;
	struct reach reach;
	struct http_fetch_place place;
	struct resolver_client *resolver;
	struct fetch_jobs *jobs;
	struct keeper_link *line; /* to streams */
	bool confined;
	struct log log;
};

static void
drop(struct stand *s)
{
	edge_conf_free(s->conf);
	X509_STORE_free(s->trust);
	revocation_finish(&s->lists);
	*s = (struct stand){ 0 };
}

static void
close_line(struct process *p)
{
	if (p->jobs != NULL)
		fetch_jobs_attach(p->jobs, NULL);
	keeper_link_close(p->line);
	p->line = NULL;
}

static void
on_stop(void *arg)
{
	struct process *p = arg;

	close_line(p);
	fetch_jobs_free(p->jobs);
	p->jobs = NULL;
	resolver_client_close(p->resolver);
	p->resolver = NULL;
	child_end(&p->child, 0);
}

static void
refuse(struct process *p, const char *why)
{
	const struct keeper_blob text = { (const uint8_t *)why, strlen(why) };

	log_error(&p->log, "hand-over-refused", "reason=%s", why);
	keeper_link_send(p->child.link, KW_REFUSED, &text, 1, -1);
	on_stop(p);
	p->child.status = 1;
}

/* --- questions ----------------------------------------------------------- */

static void
on_question(enum keeper_message type, const struct keeper_blob *blobs, int fd,
    void *arg)
{
	struct process *p = arg;
	bool ok = false;

	if (fd >= 0)
		close(fd);
	if (p->jobs == NULL)
		return; /* it is told to ask anew when there is */
	if (type == KW_JUDGE)
		ok = fetch_jobs_judge(p->jobs, blobs);
	else if (type == KW_WANT_ANSWER)
		ok = fetch_jobs_answer(p->jobs, blobs);
	if (ok)
		return;
	log_error(
	    &p->log, "streams-lies", "message=%s", keeper_message_str(type));
	close_line(p);
}

static void
on_line_end(int rc, void *arg)
{
	struct process *p = arg;

	log_info(&p->log, "streams-gone", "reason=%s",
	    rc < 0 ? err_str(rc) : "ended");
	close_line(p);
}

static void
open_line(struct process *p, int fd)
{
	const struct keeper_link_opts opts = {
		.loop = &p->child.loop,
		.fd = fd,
		.on_message = on_question,
		.on_end = on_line_end,
		.arg = p,
	};
	int rc;

	close_line(p);
	rc = keeper_link_open(&p->line, &opts);
	if (rc < 0) {
		close(fd);
		log_error(&p->log, "line-failed", "error=%s", err_str(rc));
		return;
	}
	if (p->jobs != NULL)
		fetch_jobs_attach(p->jobs, p->line);
}

/* --- coming into force --------------------------------------------------- */

static int
read_trust(X509_STORE **out, const struct keeper_blob *pem)
{
	BIO *bio = BIO_new_mem_buf(pem->data, (int)pem->len);
	X509_STORE *store = X509_STORE_new();
	X509 *cert;
	int rc = bio != NULL && store != NULL ? 0 : ERR_NOMEM;

	while (rc == 0 &&
	       (cert = PEM_read_bio_X509(bio, NULL, NULL, NULL)) != NULL) {
		if (X509_STORE_add_cert(store, cert) != 1)
			rc = ERR_CERT;
		/* Its first signature makes OpenSSL load what it loads late,
		 * which the sandbox forbids. */
		(void)X509_self_signed(cert, 1);
		X509_free(cert);
	}
	BIO_free(bio);
	ERR_clear_error();
	if (rc == 0)
		*out = store;
	else
		X509_STORE_free(store);
	return rc;
}

/* The first time: the line to the resolver, and the sandbox. */
static int
begin(struct process *p)
{
	int rc;

	rc = resolver_client_open(
	    &p->resolver, &p->child.loop, p->child.clock, p->dns);
	p->dns = -1;
	if (rc < 0)
		return rc;
	return sandbox_enter(SANDBOX_FETCHER, p->next.conf->sandbox);
}

static void
set_place(struct process *p)
{
	const struct edge_conf *c = p->now.conf;

	reach_init(&p->reach, c);
	p->place = (struct http_fetch_place){
		.loop = &p->child.loop,
		.clock = p->child.clock,
		.resolver = p->resolver,
		.reach = &p->reach,
		.permitted = c->list_networks,
		.permitted_count = c->list_network_count,
		.outgoing4 = c->outgoing4,
		.outgoing6 = c->outgoing6,
	};
}

static void
apply(struct process *p)
{
	struct fetch_jobs_opts opts;
	int rc = 0;

	if (p->next.conf == NULL || p->next.trust == NULL) {
		refuse(p, "incomplete");
		return;
	}
	edge_conf_apply_log(p->next.conf);
	if (!p->confined)
		rc = begin(p);
	p->confined = true;
	fetch_jobs_free(p->jobs);
	p->jobs = NULL;
	drop(&p->now);
	p->now = p->next;
	p->next = (struct stand){ 0 };
	set_place(p);
	opts = (struct fetch_jobs_opts){
		.place = &p->place,
		.trust = p->now.trust,
		.lists = p->now.lists.lists,
		.fetch = p->now.conf->lists_fetched,
	};
	if (rc == 0)
		rc = fetch_jobs_new(&p->jobs, &opts);
	if (rc < 0) {
		refuse(p, err_str(rc));
		return;
	}
	if (p->line != NULL) {
		fetch_jobs_attach(p->jobs, p->line);
		(void)keeper_link_send(p->line, KW_ANEW, NULL, 0, -1);
	}
	keeper_link_send(p->child.link, KW_READY, NULL, 0, -1);
}

/* --- the keeper's messages ----------------------------------------------- */

static int
stage(struct process *p, enum keeper_message type,
    const struct keeper_blob *blobs, char *why, size_t size)
{
	struct stand *s = &p->next;

	if (type == KW_CONF) {
		/* A new set begins. */
		drop(s);
		return edge_conf_parse(&s->conf, "edge.json",
		    (const char *)blobs[0].data, blobs[0].len, why, size);
	}
	if (type == KW_REVOCATION)
		return revocation_add(
		    &s->lists, blobs[0].data, blobs[0].len, why, size);
	X509_STORE_free(s->trust);
	s->trust = NULL;
	snprintf(why, size, "external.trust cannot be used");
	return read_trust(&s->trust, &blobs[0]);
}

static void
on_message(enum keeper_message type, const struct keeper_blob *blobs, int fd,
    void *arg)
{
	struct process *p = arg;
	char why[512];

	switch (type) {
	case KW_CONF:
	case KW_TRUST:
	case KW_REVOCATION:
		if (stage(p, type, blobs, why, sizeof(why)) < 0)
			refuse(p, why);
		break;
	case KW_APPLY:
		apply(p);
		break;
	case KW_RESOLVER:
		if (p->resolver == NULL ||
		    resolver_client_attach(p->resolver, fd) < 0)
			refuse(p, "no line to the resolver");
		break;
	case KW_FETCHER:
		open_line(p, fd);
		break;
	case KW_STOP:
		on_stop(p);
		break;
	case KW_EXTERNAL:
	case KW_INTERNAL:
	case KW_STAPLE:
	case KW_ASKER:
	case KW_READY:
	case KW_REFUSED:
	case KW_CONTROL:
	case KW_ABOUT:
	case KW_LEVEL:
	case KW_BEAT:
	case KW_ANSWER:
	case KW_ALIVE:
	case KW_ASK_RELOAD:
	case KW_ASK_LEVEL:
	case KW_ASK_STOP:
	case KW_JUDGE:
	case KW_JUDGED:
	case KW_WANT_ANSWER:
	case KW_OCSP:
	case KW_ANEW:
	case KW_LISTS:
		if (fd >= 0)
			close(fd);
		refuse(p, "not for the fetcher");
		break;
	}
}

int
fetcher_main(int control, int dns)
{
	const struct child_opts opts = {
		.name = "fetcher",
		.control = control,
		.on_message = on_message,
		.on_stop = on_stop,
	};
	struct process p = { .dns = dns };
	int status;

	log_init(&p.log, "fetcher");
	status = child_run(&p.child, &opts, &p);
	drop(&p.now);
	drop(&p.next);
	if (p.dns >= 0)
		close(p.dns);
	return status;
}
