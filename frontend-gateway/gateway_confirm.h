/*
 * gateway_confirm - waiting, for a while, until the edges have confirmed what
 * a commit made of their configuration.
 *
 * Owns     those who wait.
 * Ends     gateway_confirm_stop() answers all of them with what is known.
 */
#ifndef GATEWAY_GATEWAY_CONFIRM_H
#define GATEWAY_GATEWAY_CONFIRM_H

#include <stddef.h>
#include <stdint.h>
#include <jansson.h>

#include "common/list.h"

struct clock;
struct edges;

struct gateway_confirm {
	struct clock *clock;
	const struct edges *edges;
	struct list waiting;
};

/* confirmations, borrowed: as edges_confirmations() has them; NULL without
 * memory. */
typedef void gateway_confirm_fn(json_t *confirmations, void *arg);

void gateway_confirm_init(
    struct gateway_confirm *c, struct clock *clock, const struct edges *edges);
/* fn is called once: at once when nothing is to be waited for, else when the
 * last edge that is there has answered, or after wait_ms. */
void gateway_confirm_wait(struct gateway_confirm *c, uint64_t counter,
    uint64_t wait_ms, gateway_confirm_fn *fn, void *arg);
/* An edge has answered. */
void gateway_confirm_look(struct gateway_confirm *c);
void gateway_confirm_stop(struct gateway_confirm *c);

#endif
