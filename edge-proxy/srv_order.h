/*
 * srv_order - the order in which the targets of an SRV answer are tried
 * (RFC 2782).  Pure: chance comes from the caller.
 */
#ifndef EDGE_SRV_ORDER_H
#define EDGE_SRV_ORDER_H

#include <stddef.h>
#include <stdint.h>

struct dns_srv;

/* A uniform number in 0 .. bound - 1 (random_below). */
typedef uint32_t srv_order_draw_fn(uint32_t bound);

/* Sorts in place: ascending priority, inside a priority the weighted draw. */
void srv_order(struct dns_srv *v, size_t count, srv_order_draw_fn *draw);

#endif
