/*
 * What the keeper hands down: to each child the configuration, and of the files
 * it names those that the child is there for.  Keys go to streams alone.
 */
#include "edge-proxy/keeper_impl.h"

#include <stdlib.h>
#include <string.h>

#include <openssl/crypto.h>

#include "common/err.h"

/* Up to three files as the blobs of one message. */
struct files {
	char *text[KEEPER_BLOBS_MAX];
	struct keeper_blob blobs[KEEPER_BLOBS_MAX];
};

static void
files_finish(struct files *f)
{
	for (size_t i = 0; i < KEEPER_BLOBS_MAX; i++) {
		if (f->text[i] != NULL)
			OPENSSL_cleanse(f->text[i], f->blobs[i].len);
		free(f->text[i]);
	}
}

/* Reads paths[0 .. count - 1] and sends them. */
static int
send_files(struct keeper *k, enum role role, enum keeper_message type,
    const char *const *paths, size_t count)
{
	struct files f = { 0 };
	int rc = 0;

	for (size_t i = 0; rc == 0 && i < count; i++) {
		rc = edge_conf_read_file(&f.text[i], &f.blobs[i].len, paths[i],
		    type == KW_REVOCATION ? EDGE_CONF_LIST_MAX
					  : EDGE_CONF_FILE_MAX);
		f.blobs[i].data = (const uint8_t *)f.text[i];
		if (rc < 0)
			log_error(&k->log, "file-unreadable",
			    "file=%s error=%s", paths[i], err_str(rc));
	}
	if (rc == 0)
		rc = keeper_link_send(
		    k->procs[role].link, type, f.blobs, count, -1);
	files_finish(&f);
	return rc;
}

static int
send_conf(struct keeper *k, enum role role, const char *text)
{
	const struct keeper_blob blob = { (const uint8_t *)text, strlen(text) };

	return keeper_link_send(k->procs[role].link, KW_CONF, &blob, 1, -1);
}

static int
send_apply(struct keeper *k, enum role role)
{
	return keeper_link_send(k->procs[role].link, KW_APPLY, NULL, 0, -1);
}

/* The authorities partners come from, and the lists of the admin's. */
static int
send_trust(struct keeper *k, enum role role, const struct edge_conf *c)
{
	const char *trust[] = { c->trust };
	int rc = send_files(k, role, KW_TRUST, trust, 1);

	for (size_t i = 0; rc == 0 && i < c->list_count; i++) {
		const char *list[] = { c->lists[i] };

		rc = send_files(k, role, KW_REVOCATION, list, 1);
	}
	return rc;
}

static int
send_certificate(struct keeper *k, const struct edge_conf_files *files)
{
	const char *pair[] = { files->certificate, files->key };
	const char *staple[] = { files->ocsp };
	int rc = send_files(k, STREAMS, KW_EXTERNAL, pair, 2);

	if (rc == 0 && files->ocsp != NULL)
		rc = send_files(k, STREAMS, KW_STAPLE, staple, 1);
	return rc;
}

int
keeper_hand_to_streams(
    struct keeper *k, const struct edge_conf *c, const char *text)
{
	const char *inner[] = { c->inner.certificate, c->inner.key,
		c->inner_trust };
	int rc = send_conf(k, STREAMS, text);

	for (size_t i = 0; rc == 0 && i < c->certificate_count; i++)
		rc = send_certificate(k, &c->certificates[i]);
	if (rc == 0)
		rc = send_trust(k, STREAMS, c);
	if (rc == 0)
		rc = send_files(k, STREAMS, KW_INTERNAL, inner, 3);
	return rc == 0 ? send_apply(k, STREAMS) : rc;
}

int
keeper_hand_to_resolver(struct keeper *k)
{
	int rc = send_conf(k, RESOLVER, k->text);

	return rc == 0 ? send_apply(k, RESOLVER) : rc;
}

int
keeper_hand_to_fetcher(struct keeper *k)
{
	int rc = send_conf(k, FETCHER, k->text);

	if (rc == 0)
		rc = send_trust(k, FETCHER, k->conf);
	return rc == 0 ? send_apply(k, FETCHER) : rc;
}
