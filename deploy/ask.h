/*
 * ask - questions to the DNS as a partner's validating server asks them.
 *
 * Blocking, through libunbound.  Servers are asked as forwarders; without any
 * those of /etc/resolv.conf.  What is secure is proven from the trust anchors
 * given, never taken from a server's word.
 */
#ifndef DEPLOY_ASK_H
#define DEPLOY_ASK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
	ASK_A = 1,
	ASK_AAAA = 28,
	ASK_SRV = 33,
	ASK_TLSA = 52,
	ASK_RECORDS_MAX = 32,
	ASK_DATA_MAX = 64 /* of a TLSA record: SHA-512 */
};

enum ask_status {
	ASK_FOUND,
	ASK_NONE,  /* no such name, or no record of the type */
	ASK_BOGUS, /* signatures do not hold */
	ASK_FAILED /* no server answered, or one failed */
};

struct ask_record {
	char text[256]; /* address, or the SRV record's target; "." = none */
	uint16_t priority, weight, port;
	uint8_t usage, selector, matching;
	uint8_t data[ASK_DATA_MAX];
	size_t len; /* more than ASK_DATA_MAX: not kept */
};

struct ask_answer {
	enum ask_status status;
	bool secure;
	char canonical[256]; /* where a CNAME led, or "" */
	char why[300];       /* when bogus or failed */
	size_t count;
	struct ask_record v[ASK_RECORDS_MAX];
};

struct ask;

struct ask_opts {
	const char *const *servers; /* "192.0.2.53", "192.0.2.53@5353" */
	size_t server_count;
	/* Paths, or texts of DS or DNSKEY records. */
	const char *const *anchors;
	size_t anchor_count;
};

/* ERR_CONFIG with why, ERR_NOMEM.  Anchors that cannot be read are noticed
 * here. */
int
ask_new(struct ask **out, const struct ask_opts *opts, char *why, size_t size);
void ask_free(struct ask *a);

/* type is one of the above. */
void
ask_query(struct ask_answer *out, struct ask *a, const char *name, int type);

/* Takes a record's data apart, as it came: false when it is not of its type.
 * Characters that no host name holds become '?'. */
bool ask_read_record(
    struct ask_record *out, int type, const uint8_t *data, size_t len);

/* The distribution's file with the root's key, or NULL. */
const char *ask_root_anchor(void);

#endif
