/*
 * fetch_jobs - the questions of streams, on their way through the fetcher: a
 * chain to be judged (KW_JUDGE), a certificate of ours that wants an answer
 * (KW_WANT_ANSWER).
 *
 * Owns     the jobs and the cache of lists.
 * Borrows  line, place, trust, lists of the admin's.
 * Ends     each question is answered once on the line, at the latest after its
 *          time limit, unless the jobs are dropped.
 */
#ifndef EDGE_FETCH_JOBS_H
#define EDGE_FETCH_JOBS_H

#include <stdbool.h>
#include <openssl/x509.h>

#include "edge-proxy/keeper_wire.h"

struct fetch_jobs;
struct http_fetch_place;

struct fetch_jobs_opts {
	const struct http_fetch_place *place;
	X509_STORE *trust;
	STACK_OF(X509_CRL) * lists; /* of the admin's, or NULL */
	bool fetch;                 /* else nothing is fetched */
};

int fetch_jobs_new(struct fetch_jobs **out, const struct fetch_jobs_opts *opts);
void fetch_jobs_free(struct fetch_jobs *f);
/* To whom answers go; NULL: to nobody.  Jobs of another line are dropped. */
void fetch_jobs_attach(struct fetch_jobs *f, struct keeper_link *line);
/* The two questions.  False: they are not of the format. */
bool fetch_jobs_judge(struct fetch_jobs *f, const struct keeper_blob *blobs);
bool fetch_jobs_answer(struct fetch_jobs *f, const struct keeper_blob *blobs);

#endif
