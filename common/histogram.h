/*
 * histogram - how long things took, in the classes that Prometheus wants.
 *
 * An embedded value; all zeroes is an empty one.  JSON carries one between the
 * halves: {"n":[count of each class, the one without bound last],"ms":sum}.
 */
#ifndef COMMON_HISTOGRAM_H
#define COMMON_HISTOGRAM_H

#include <stdint.h>
#include <jansson.h>

enum { HISTOGRAM_BOUNDS = 13 };

/* Upper bounds in ms, inclusive. */
extern const uint32_t histogram_bounds_ms[HISTOGRAM_BOUNDS];

struct histogram {
	uint64_t counts[HISTOGRAM_BOUNDS + 1];
	uint64_t sum_ms;
};

void histogram_observe(struct histogram *h, uint64_t ms);
void histogram_add(struct histogram *to, const struct histogram *h);
uint64_t histogram_total(const struct histogram *h);

/* The caller's; NULL without memory. */
json_t *histogram_json(const struct histogram *h);
/* ERR_MALFORMED: another number of classes, negative or too large counts; *out
 * is untouched then. */
int histogram_read(struct histogram *out, const json_t *from);

#endif
