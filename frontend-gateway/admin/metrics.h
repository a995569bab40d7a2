/*
 * metrics - the gateway's status in Prometheus' text format (version 0.0.4).
 *
 * Pure: what goes in is the status as an operator gets it, the edges' counters
 * within.  A number that is not there has no sample; what an edge tells that is
 * no number has none either.
 *
 * Errors   ERR_NOMEM, a buffer that is full among it.
 */
#ifndef GATEWAY_ADMIN_METRICS_H
#define GATEWAY_ADMIN_METRICS_H

#include <jansson.h>

struct buf;

#define METRICS_TYPE "text/plain; version=0.0.4; charset=utf-8"

int metrics_write(struct buf *out, const json_t *status);

#endif
