/*
 * pair_world - everything around one pair, modelled: the runtime that carries
 * out the machine's steps, its disk, the pool, the Lync user's endpoints, and
 * the contact with his server, which keeps a roster by RFC 6121.
 *
 * Whatever the machine does is checked while it does it; a breach ends the
 * program with the world's history.
 */
#ifndef TESTS_PAIR_WORLD_H
#define TESTS_PAIR_WORLD_H

#include "frontend-gateway/presence/pair_machine.h"

enum { PAIR_WORLD_ENDPOINTS = 3, PAIR_WORLD_QUEUE = 512 };

/* What travels; value is a presence, 0 = unavailable. */
struct pair_parcel {
	struct pair_event event; /* as the gateway gets it */
	enum pair_stanza stanza; /* as the contact's server gets it */
	int value;
	bool proof;
	uint16_t serial;
	unsigned generation; /* of the SIP subscription */
};

struct pair_queue {
	struct pair_parcel parcels[PAIR_WORLD_QUEUE];
	size_t count;
};

struct pair_endpoint {
	bool dialog; /* she believes to have one */
	bool known;  /* we know it */
	int shown;   /* 0 = closed */
};

struct pair_world {
	uint64_t seed, random;
	int64_t now_ms;

	/* The gateway: memory, disk. */
	struct pair_state s;
	int64_t due_ms;
	bool may_talk, may_watch;
	bool disk_works, dirty; /* dirty: a row waits for the disk */
	struct pair_saved disk;
	bool asked, live; /* the SIP subscription as the runtime has it */
	unsigned generation;
	int document;       /* the last one for this pair */
	int seen;           /* of the contact */
	bool crashed, calm; /* calm: no more crashes */

	/* The pool. */
	bool pool_up, pool_allows;
	bool pool_has; /* a subscription of this generation */
	unsigned pool_generation;
	int anna;

	struct pair_endpoint endpoints[PAIR_WORLD_ENDPOINTS];

	/* The contact and his server. */
	enum roster_state x;
	bool wants, accepts; /* to see her; to be seen by her */
	bool she_wants;      /* to see him, in the end */
	/* Kinds of servers. */
	bool auto_unsubscribed, auto_presence, denies_probes;
	int bo; /* his presence */
	int x_sees;
	bool link_up;

	struct pair_queue out, in, local;

	/* An old backup of either side. */
	struct {
		bool taken;
		struct pair_saved disk;
		bool known[PAIR_WORLD_ENDPOINTS];
		int document;
	} backup;
	struct {
		bool taken;
		enum roster_state x;
	} x_backup;

	size_t asked_in_vain; /* `subscribe`s since he last decided */
	char history[65536];
	size_t history_len;
};

void pair_world_start(struct pair_world *w, uint64_t seed);
/* One thing happens, whatever it is. */
void pair_world_turn(struct pair_world *w);
/* All obstacles go, everybody says once more what he wants, time passes;
 * then both sides must agree. */
void pair_world_settle(struct pair_world *w);
void pair_world_check(struct pair_world *w);

#endif
