/*
 * resolver_client - name resolution for the streams process, by way of the
 * resolver process (validating libunbound behind a socket pair).
 *
 * Borrows  loop and clock.  Every query is answered exactly once, never from
 * within resolver_query() itself, at the latest after its time limit.
 */
#ifndef EDGE_RESOLVER_CLIENT_H
#define EDGE_RESOLVER_CLIENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>
#include <uv.h>

struct clock;
struct resolver_client;
struct resolver_query;

enum dns_type { DNS_A = 1, DNS_AAAA = 28, DNS_SRV = 33, DNS_TLSA = 52 };

enum dns_status {
	DNS_OK, /* records, maybe none of that type (count 0) */
	DNS_NXDOMAIN,
	DNS_FAILED, /* SERVFAIL, timeout, resolver gone */
	DNS_BOGUS   /* validation failed: do not connect */
};

struct dns_srv {
	uint16_t priority, weight, port;
	char target[256]; /* lower case, no trailing dot; "." = no service */
	/* For who asked to note (srv_set.h): */
	bool direct; /* speaks TLS at once */
	bool secure; /* the answer was */
};

/* data: a digest, or a whole certificate or key. */
struct dns_tlsa {
	uint8_t usage, selector, matching;
	uint16_t len;
	const uint8_t *data;
};

enum {
	DNS_RECORDS_MAX = 64,
	/* Of the data of all TLSA records together. */
	DNS_TLSA_BYTES_MAX = 16384
};

struct dns_answer {
	enum dns_status status;
	bool secure; /* DNSSEC-validated */
	uint32_t ttl;
	enum dns_type type;
	size_t count;
	/* by type; valid only during the callback */
	const struct dns_srv *srv;
	const struct dns_tlsa *tlsa;
	const struct sockaddr_storage *addr; /* port 0 */
};

typedef void resolver_answer_fn(const struct dns_answer *a, void *arg);

/* fd: our end of the socket pair (taken over). */
int resolver_client_open(
    struct resolver_client **out, uv_loop_t *loop, struct clock *clock, int fd);
/* A new line to a new resolver process (taken over): what is unanswered is
 * asked again there, within its time limit. */
int resolver_client_attach(struct resolver_client *rc, int fd);
/* Outstanding queries are answered DNS_FAILED first. */
void resolver_client_close(struct resolver_client *rc);

/* name in A-labels.  ERR_MALFORMED, ERR_FULL (too many outstanding),
 * ERR_CLOSED, ERR_NOMEM; fn is not called then.  The handle is good for resolver_cancel() until the
 * answer. */
int resolver_query(struct resolver_query **out, struct resolver_client *rc,
    const char *name, enum dns_type type, uint64_t limit_ms,
    resolver_answer_fn *fn, void *arg);
void resolver_cancel(struct resolver_query *q);

#endif
