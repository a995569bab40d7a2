/*
 * dns_plan - the records that let partners find the edges (RFC 6120 3.2.1,
 * XEP-0368, RFC 7673), as a zone file, as PowerShell for Windows DNS, as JSON.
 *
 * For each hosted domain one SRV record per edge; for each edge its
 * addresses, and a TLSA record per certificate it may show.
 */
#ifndef DEPLOY_DNS_PLAN_H
#define DEPLOY_DNS_PLAN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <jansson.h>

#include "deploy/args.h"

struct buf;

enum {
	DNS_PLAN_EDGES_MAX = 32,
	DNS_PLAN_ADDRESSES_MAX = 8,
	DNS_PLAN_TLSA_MAX = 8,
	DNS_PLAN_HASH_SIZE = 65 /* SHA-256 in hex */
};

struct dns_plan_edge {
	char name[256];
	uint32_t priority, weight;
	char addresses[DNS_PLAN_ADDRESSES_MAX][48]; /* as inet_ntop writes */
	size_t count;
};

struct dns_plan {
	struct args_names domains, zones;
	struct dns_plan_edge edges[DNS_PLAN_EDGES_MAX];
	size_t edge_count;
	char tlsa[DNS_PLAN_TLSA_MAX][DNS_PLAN_HASH_SIZE]; /* 3 1 1 */
	size_t tlsa_count;
	uint32_t port, direct_port; /* direct_port 0 = none */
	uint32_t ttl;
};

/* Adds an edge from "NAME[:PRIORITY[:WEIGHT]]=ADDRESS[,ADDRESS]..."; false
 * with why (one line) when it is none. */
bool
dns_plan_add_edge(struct dns_plan *p, const char *spec, char *why, size_t size);
/* Adds the hash of the public key of a PEM certificate. */
bool dns_plan_add_certificate(
    struct dns_plan *p, const char *path, char *why, size_t size);

/* The zone a name belongs in: the longest of the plan's zones and domains
 * that holds it, else what stands behind its first label. */
const char *dns_plan_zone_of(const struct dns_plan *p, const char *name);

void dns_plan_zone_file(struct buf *out, const struct dns_plan *p);
/* 0 or ERR_MALFORMED, ERR_FULL. */
int dns_plan_powershell(struct buf *out, const struct dns_plan *p);
/* A new reference; NULL without memory. */
json_t *dns_plan_json(const struct dns_plan *p);

/* What is allowed but unwise: calls fn for each, one line. */
void dns_plan_warn(const struct dns_plan *p,
    void (*fn)(const char *line, void *arg), void *arg);

/* Whether the internet has no way to the address. */
bool dns_plan_is_private(const char *address);

#endif
