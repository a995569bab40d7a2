/*
 * doctor - everything that must be true on a host before messages pass,
 * looked at in the order in which one thing needs the other: configuration,
 * files, certificates, clock, the daemon, ports, DNS, the channel, the pool,
 * the store, partners.
 *
 * Changes nothing.  What the daemon knows is asked of it; what can be seen
 * without it is looked at even when it does not run.
 */
#ifndef DEPLOY_DOCTOR_H
#define DEPLOY_DOCTOR_H

#include <stdbool.h>
#include <jansson.h>

#include "deploy/account.h"
#include "deploy/args.h"
#include "deploy/report.h"

#define DOCTOR_EDGE    "/etc/sallyport/edge.json"
#define DOCTOR_GATEWAY "/etc/sallyport/gateway.json"

struct doctor {
	struct report r;
	bool edge; /* else the gateway */
	const char *path;
	const char *socket; /* NULL = as configured */
	struct args_names domains;
	/* The user the daemon runs as, when it is another than ours. */
	struct account account;
	bool has_account;
	json_t *conf;   /* the file as it is; NULL when it cannot be read */
	json_t *status; /* the daemon's answer; NULL without one */
};

/* Fills d->r, conf and status; the caller ends them. */
void doctor_run(struct doctor *d);

/* The parts, each in a file by what it is about. */
void doctor_certificates(struct doctor *d);
void doctor_network(struct doctor *d);

/* A member of the configuration by its path ("internal/listen"), or NULL. */
json_t *doctor_conf(const struct doctor *d, const char *path);
const char *doctor_conf_text(const struct doctor *d, const char *path);

#endif
