/*
 * edge_doors - whether partners may connect now.
 *
 * Ends     the timer e->reopen is the edge's; it stops it at the end.
 * Errors   doors that do not open are noticed (edge_tell), kept as e->doors_why
 *          and tried again.
 */
#ifndef EDGE_EDGE_DOORS_H
#define EDGE_EDGE_DOORS_H

struct edge;
struct edge_conf;

/* Once, before anything else here. */
void edge_doors_init(struct edge *e);
/* The addresses that are configured; other ones than before close the doors
 * until they are settled.  0 or ERR_NOMEM. */
int edge_doors_set(struct edge *e, const struct edge_conf *conf);
/* Opens or closes the doors as hosting and the edge's stage demand. */
void edge_doors_settle(struct edge *e);
/* For doors_new(): what is there goes on, and whoever comes has to wait. */
void edge_doors_on_exhausted(void *arg);

#endif
