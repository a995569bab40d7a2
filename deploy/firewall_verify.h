/*
 * firewall_verify - tries what a plan allows and what it refuses, from the
 * host it runs on.
 *
 * Allowed paths from this host are tried at each address they lead to; so are
 * a few ports that the plan refuses between hosts on both sides of a
 * firewall.  A path to "any address" has nothing to try.
 *
 * Bounds   FIREWALL_PROBES_MAX probes, a few hundred at a time, each with the
 *          same time limit.
 * Errors   ERR_NOMEM, ERR_FULL; what a probe meets is its outcome.
 */
#ifndef DEPLOY_FIREWALL_VERIFY_H
#define DEPLOY_FIREWALL_VERIFY_H

#include "deploy/firewall_rules.h"

enum { FIREWALL_PROBES_MAX = 20000 };

/* Name that stands for a host outside that the site does not list. */
#define FIREWALL_OUTSIDE "internet"

enum firewall_outcome {
	FIREWALL_OPEN,       /* somebody answered */
	FIREWALL_CLOSED,     /* the host refused: the packet got there */
	FIREWALL_FILTERED,   /* silence, or an error from on the way */
	FIREWALL_UNANSWERED, /* UDP, silence: may be either */
	FIREWALL_NO_SOURCE   /* the address to try from is not here */
};

struct firewall_probe {
	const struct firewall_end *from; /* NULL = a host outside */
	const struct firewall_end *to;
	struct prefix address; /* to, as seen from here */
	enum port_transport transport;
	uint16_t port;
	const struct firewall_rule *rule; /* that decides; NULL = none */
	bool wanted;                      /* it should get through */
	enum firewall_outcome outcome;
};

struct firewall_verify {
	const struct firewall_plan *plan;
	struct firewall_probe *probes;
	size_t count, room;
};

/* The one host of the site that has an address of this machine; NULL and the
 * reason in why when there is none, or more than one. */
const char *firewall_verify_whoami(
    const struct firewall_site *site, char *why, size_t size);
bool firewall_verify_knows(const struct firewall_site *site, const char *host);

/* What is to be tried from a host. */
int firewall_verify_make(struct firewall_verify **out,
    const struct firewall_plan *plan, const char *host);
void firewall_verify_free(struct firewall_verify *v);
/* Tries them all, each from its own address. */
void firewall_verify_run(struct firewall_verify *v, unsigned timeout_ms);

/* False when the outcome is not what the plan says.  resets: the firewall
 * answers what it refuses by a reset, as the host itself would. */
bool firewall_probe_ok(const struct firewall_probe *p, bool resets);
const char *firewall_outcome_name(enum firewall_outcome o);

#endif
