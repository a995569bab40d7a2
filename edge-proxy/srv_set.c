/* srv_set - see the header. */
#include "edge-proxy/srv_set.h"

#include <string.h>

static bool
says_absent(const struct dns_answer *a)
{
	return a->count == 1 && strcmp(a->srv[0].target, ".") == 0;
}

void
srv_set_add(struct srv_set *set, const struct dns_answer *answer, bool direct)
{
	size_t n =
	    answer->count < DNS_RECORDS_MAX ? answer->count : DNS_RECORDS_MAX;

	if (answer->status > set->worst)
		set->worst = answer->status;
	if (answer->status != DNS_OK || n == 0)
		return;
	set->published = true;
	if (says_absent(answer))
		return;
	for (size_t i = 0; i < n && set->count < SRV_SET_MAX; i++) {
		set->v[set->count] = answer->srv[i];
		set->v[set->count].secure = answer->secure;
		set->v[set->count++].direct = direct;
	}
}

enum srv_verdict
srv_set_judge(const struct srv_set *set)
{
	if (set->worst == DNS_BOGUS)
		return SRV_BOGUS;
	if (set->count > 0)
		return SRV_TARGETS;
	if (set->worst == DNS_FAILED)
		return SRV_UNKNOWN;
	return set->published ? SRV_ABSENT : SRV_ITSELF;
}
