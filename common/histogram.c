#include "common/histogram.h"

#include "common/err.h"

const uint32_t histogram_bounds_ms[HISTOGRAM_BOUNDS] = { 1, 5, 10, 25, 50, 100,
	250, 500, 1000, 2500, 5000, 10000, 30000 };

/* Counts beyond it come from no honest peer, and would run over when added. */
enum { COUNT_BITS = 48 };

void
histogram_observe(struct histogram *h, uint64_t ms)
{
	int i = 0;

	while (i < HISTOGRAM_BOUNDS && ms > histogram_bounds_ms[i])
		i++;
	h->counts[i]++;
	h->sum_ms += ms;
}

void
histogram_add(struct histogram *to, const struct histogram *h)
{
	for (int i = 0; i <= HISTOGRAM_BOUNDS; i++)
		to->counts[i] += h->counts[i];
	to->sum_ms += h->sum_ms;
}

uint64_t
histogram_total(const struct histogram *h)
{
	uint64_t total = 0;

	for (int i = 0; i <= HISTOGRAM_BOUNDS; i++)
		total += h->counts[i];
	return total;
}

json_t *
histogram_json(const struct histogram *h)
{
	json_t *counts = json_array();
	int rc = 0;

	for (int i = 0; i <= HISTOGRAM_BOUNDS; i++)
		rc |= json_array_append_new(
		    counts, json_integer((json_int_t)h->counts[i]));
	if (rc != 0) {
		json_decref(counts);
		return NULL;
	}
	return json_pack("{s:o,s:I}", "n", counts, "ms", (json_int_t)h->sum_ms);
}

static int
read_count(uint64_t *out, const json_t *from)
{
	json_int_t v = json_integer_value(from);

	if (!json_is_integer(from) || v < 0 || v >> COUNT_BITS != 0)
		return ERR_MALFORMED;
	*out = (uint64_t)v;
	return 0;
}

int
histogram_read(struct histogram *out, const json_t *from)
{
	const json_t *counts = json_object_get(from, "n");
	struct histogram h;
	int rc = read_count(&h.sum_ms, json_object_get(from, "ms"));

	if (json_array_size(counts) != HISTOGRAM_BOUNDS + 1)
		rc = ERR_MALFORMED;
	for (size_t i = 0; rc == 0 && i <= HISTOGRAM_BOUNDS; i++)
		rc = read_count(&h.counts[i], json_array_get(counts, i));
	if (rc == 0)
		*out = h;
	return rc;
}
