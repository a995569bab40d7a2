#include "tests/unit/policy_sample.h"

#include "frontend-gateway/gateway_conf.h"
#include "frontend-gateway/policy/access.h"
#include "frontend-gateway/policy/policy.h"

int
policy_sample(
    struct policy **out, const struct gateway_conf *conf, size_t pairs_max)
{
	static const char name[] = "tag:imported";
	struct access *access;
	struct policy *p;
	int rc = policy_new(&p, conf, pairs_max);

	if (rc < 0)
		return rc;
	access = policy_rights(p)->access;
	access_set_master(access, true);
	rc = access_set_policy(access, name, ACCESS_FEDERATION | ACCESS_XMPP);
	for (size_t i = 0; rc == 0 && i < conf->user_count; i++)
		rc = access_grant(access, conf->users[i], name);
	if (rc < 0)
		policy_free(p);
	else
		*out = p;
	return rc;
}
