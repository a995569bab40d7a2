/*
 * edge_gateways - gateways joining and leaving, and what they send.
 *
 * Owns     every struct book and its grace timer.
 * Ends     edge_gateways_forget()
 */
#ifndef EDGE_EDGE_GATEWAYS_H
#define EDGE_EDGE_GATEWAYS_H

#include "edge-proxy/inner_listener.h"

struct edge;

/* For the listener whose arg is the edge. */
extern const struct inner_events edge_gateways_events;

/* Hosting has changed: who lost domains to another, or got them back, is
 * told. */
void edge_gateways_recheck(struct edge *e);
/* Nobody becomes absent by the clock any more. */
void edge_gateways_end_grace(struct edge *e);
void edge_gateways_forget(struct edge *e);

#endif
