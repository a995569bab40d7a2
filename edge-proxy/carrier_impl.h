/*
 * carrier_impl - what the files of a carrier share.  Nobody else includes it.
 *
 * carrier.c          riders, connecting, the stream
 * carrier_write.c    what a rider writes
 * carrier_recheck.c  what changes with the configuration
 * carrier_share.c    several pairs on one connection
 * carrier_back.c     carriers that partners have connected
 */
#ifndef EDGE_CARRIER_IMPL_H
#define EDGE_CARRIER_IMPL_H

#include <stdbool.h>
#include <stdint.h>

#include "common/clock.h"
#include "common/list.h"
#include "common/log.h"
#include "edge-proxy/carrier.h"
#include "edge-proxy/outlet.h"
#include "edge-proxy/route_shared.h"

#define DIALBACK (AUTH_DIALBACK_TLS | AUTH_DIALBACK_TCP)

struct carrier {
	struct list link; /* in route_shared.carriers, or alone */
	struct route_shared *shared;
	struct log log;
	struct connector *connector; /* while connecting */
	struct outlet way;           /* while up */
	void *inlet; /* the owner's, for what comes back on it */
	struct list riders;
	struct clock_timer stall; /* runs while some rider awaits room */
	struct clock_timer board; /* of a partner's stream, when riders come */
	uint64_t up_ms, written;
	bool surplus; /* one more than there may be */
};

/* --- carrier.c ----------------------------------------------------------- */

/* Not in any list, and without a way. */
struct carrier *carrier_new(struct route_shared *shared);
void carrier_destroy(struct carrier *c);
struct rider *carrier_rider(struct list *n);
void carrier_attach(struct rider *r, struct carrier *c, enum rider_state state);
void carrier_detach(struct rider *r);
void carrier_tell_aboard(struct rider *r);
/* It was on another one, which has gone, or where it is not welcome. */
void carrier_board_again(struct rider *r);
bool carrier_may_share(const struct rider *r);
/* Whether it is to have connections of its own for the time being. */
bool carrier_is_apart(const struct rider *r);
size_t carrier_count(const struct carrier *c, enum rider_state state);
void carrier_report(const struct carrier *c, enum stream_event ev);

/* From the stream, whoever opened it, to the riders. */
void carrier_room(struct carrier *c);
void carrier_managed(struct carrier *c);
void carrier_acknowledged(struct carrier *c, uint64_t count);
/* Takes it out of the list; nobody is aboard afterwards. */
void carrier_down(struct carrier *c, const struct route_failure *f, bool again);

/* What is permitted to the pair, AUTH_ bits. */
unsigned carrier_methods(const struct rider *r);

/* --- carrier_recheck.c --------------------------------------------------- */

/* As they are now. */
void carrier_read_terms(struct rider_terms *out, const struct rider *r);

/* --- carrier_share.c ----------------------------------------------------- */

bool
carrier_is_at(const struct carrier *c, const struct sockaddr_storage *addr);
/* Whether the stream that is up may be asked for the pair, whose server it
 * leads to. */
bool carrier_may_carry(const struct carrier *c, const struct rider *r);
bool carrier_join(struct carrier *c, struct rider *r);
/* The same domain of the partner's, to be reached by the same way. */
bool carrier_same_server(const struct rider *a, const struct rider *b);
/* Boards one that leads to its partner domain, or waits for it. */
bool carrier_board_other(struct rider *r);
/* The connection it waited for is up. */
void carrier_join_or_go_solo(struct carrier *c, struct rider *r);

/* --- carrier_back.c ------------------------------------------------------ */

/* Boards one that the partner has connected. */
bool carrier_board_back(struct rider *r);

#endif
