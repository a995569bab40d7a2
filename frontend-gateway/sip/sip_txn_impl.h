/*
 * sip_txn_impl - what the files of the transaction layer share; for them
 * alone.
 *
 *   sip_transaction.c  the set of all, their states and keys
 *   sip_client.c       requests of ours
 *   sip_server.c       requests that came
 */
#ifndef FRONTEND_GATEWAY_SIP_SIP_TXN_IMPL_H
#define FRONTEND_GATEWAY_SIP_SIP_TXN_IMPL_H

#include "common/buf.h"
#include "common/clock.h"
#include "common/list.h"
#include "common/log.h"
#include "common/map.h"
#include "frontend-gateway/sip/sip_transaction.h"

enum sip_txn_kind {
	CLIENT_INVITE,
	CLIENT_OTHER,
	SERVER_INVITE,
	SERVER_OTHER,
	KINDS
};

enum sip_txn_state {
	START, /* made, nothing sent or told yet */
	CALLING,
	TRYING,
	PROCEEDING,
	ACCEPTED,
	COMPLETED,
	TERMINATED,
	STATES
};

/* What both kinds share. */
struct sip_txn {
	struct sip_txns *set;
	enum sip_txn_kind kind;
	enum sip_txn_state state;
	struct list node;
	struct map_node by_key;
	char *key;
	uint64_t conn;
	struct clock_timer limit;
	uint64_t since_ms;
};

struct sip_client_txn {
	struct sip_txn t;
	struct sip_msg *invite; /* for ACK and CANCEL; NULL for others */
	char *branch;
	enum sip_method method;
	char *call_id;   /* movable ones, with the whole text */
	struct buf text; /* "" when it is not movable */
	unsigned moves;
	bool heard, rang; /* any provisional answer; one above 100 */
	sip_client_fn *fn;
	void *arg;
	bool cancel; /* asked for */
	bool cancelled;
};

struct sip_server_txn {
	struct sip_txn t;
	struct sip_msg *request;
	char to_tag[33];
	struct clock_timer trying;
	struct buf last; /* the newest answer, sent or not */
	/* Runs while the final answer has found no connection. */
	struct clock_timer again;
	uint32_t pause_ms;
	struct map_node by_merge;
	char *merge_key;
	bool merged;
	void *user;
};

struct sip_txns {
	struct sip_txns_opts opts;
	struct log log;
	struct map clients, servers, merges;
	struct list client_list, server_list;
	size_t client_count, server_count;
	struct sip_delays delays;
};

/* The only writer of the state. */
void sip_txns_set_state(struct sip_txn *t, enum sip_txn_state to);
/* No room for one more. */
bool sip_txns_full(const struct sip_txns *s);
/* The parts joined by line feeds, which none of them can hold; to be freed. */
char *sip_txns_key(const char *const *parts, size_t count);

char *sip_client_key(const char *branch, const char *method);
void sip_client_receive(struct sip_client_txn *c, const struct sip_msg *m);
/* Tells the owner SIP_CLIENT_ENDED. */
void sip_client_free(struct sip_client_txn *c);

int sip_server_receive(struct sip_txns *s, struct sip_msg *m, uint64_t conn);
void sip_server_free(struct sip_server_txn *v);
/* As sip_txns_conn_down(). */
void sip_server_conn_down(struct sip_txns *s, uint64_t conn);

#endif
