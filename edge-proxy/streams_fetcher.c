/*
 * streams_fetcher - see the header.
 *
 * The fetcher reads what strangers send; what it says is taken for what it is:
 * a verdict about a certificate, or an answer that is judged again here.
 */
#include "edge-proxy/streams_fetcher.h"

#include <stdlib.h>
#include <unistd.h>

#include "common/err.h"
#include "common/log.h"
#include "edge-proxy/cert_status.h"
#include "edge-proxy/edge_conf.h"
#include "edge-proxy/own_staples.h"

struct streams_fetcher {
	uv_loop_t *loop;
	struct keeper_link *line;
	struct cert_status *status;
	struct own_staples *staples;
	json_t *lists; /* as the fetcher told it */
	struct log log;
};

static void
lose_line(struct streams_fetcher *f)
{
	cert_status_attach(f->status, NULL);
	own_staples_attach(f->staples, NULL);
	keeper_link_close(f->line);
	f->line = NULL;
}

static void
on_end(int rc, void *arg)
{
	struct streams_fetcher *f = arg;

	log_warn(&f->log, "fetcher-lost", "reason=%s",
	    rc < 0 ? err_str(rc) : "ended");
	lose_line(f);
}

static void
take_lists(struct streams_fetcher *f, const struct keeper_blob *blob)
{
	json_t *lists =
	    json_loadb((const char *)blob->data, blob->len, 0, NULL);

	if (!json_is_array(lists)) {
		log_error(&f->log, "lists-unreadable", "bytes=%zu", blob->len);
		json_decref(lists);
		return;
	}
	json_decref(f->lists);
	f->lists = lists;
}

static void
on_message(enum keeper_message type, const struct keeper_blob *blobs, int fd,
    void *arg)
{
	struct streams_fetcher *f = arg;

	if (fd >= 0)
		close(fd);
	if (type == KW_JUDGED) {
		cert_status_judged(f->status, blobs);
	} else if (type == KW_OCSP) {
		own_staples_answered(f->staples, blobs);
	} else if (type == KW_ANEW) {
		cert_status_anew(f->status);
		own_staples_anew(f->staples);
	} else if (type == KW_LISTS) {
		take_lists(f, &blobs[0]);
	} else {
		log_error(&f->log, "fetcher-lies", "message=%s",
		    keeper_message_str(type));
		lose_line(f);
	}
}

void
streams_fetcher_attach(struct streams_fetcher *f, int fd)
{
	const struct keeper_link_opts opts = {
		.loop = f->loop,
		.fd = fd,
		.on_message = on_message,
		.on_end = on_end,
		.arg = f,
	};
	int rc;

	lose_line(f);
	rc = keeper_link_open(&f->line, &opts);
	if (rc < 0) {
		close(fd);
		log_error(&f->log, "line-failed", "error=%s", err_str(rc));
		return;
	}
	cert_status_attach(f->status, f->line);
	own_staples_attach(f->staples, f->line);
}

int
streams_fetcher_set(struct streams_fetcher *f, const struct edge_conf *c,
    const struct identities *ids, const struct keeper_blob *files)
{
	cert_status_set(
	    f->status, c->lists_hard, c->lists_hard || c->lists_fetched);
	return own_staples_set(f->staples, ids, files);
}

struct cert_status *
streams_fetcher_status(struct streams_fetcher *f)
{
	return f->status;
}

json_t *
streams_fetcher_describe(const struct streams_fetcher *f)
{
	json_t *o = cert_status_describe(f->status);

	if (o == NULL)
		return NULL;
	(void)json_object_set(o, "lists", f->lists);
	(void)json_object_set_new(
	    o, "staples", own_staples_describe(f->staples));
	return o;
}

int
streams_fetcher_new(
    struct streams_fetcher **out, uv_loop_t *loop, struct clock *clock)
{
	struct streams_fetcher *f = calloc(1, sizeof(*f));
	int rc;

	if (f == NULL)
		return ERR_NOMEM;
	f->loop = loop;
	f->lists = json_array();
	log_init(&f->log, "streams_fetcher");
	rc = cert_status_new(&f->status, clock);
	if (rc == 0)
		rc = own_staples_new(&f->staples, clock);
	if (rc < 0) {
		streams_fetcher_free(f);
		return rc;
	}
	*out = f;
	return 0;
}

void
streams_fetcher_free(struct streams_fetcher *f)
{
	if (f == NULL)
		return;
	keeper_link_close(f->line);
	own_staples_free(f->staples);
	cert_status_free(f->status);
	json_decref(f->lists);
	free(f);
}
