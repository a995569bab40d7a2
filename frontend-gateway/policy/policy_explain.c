/* What holds for one user, and what of a provider, in words for people. */
#include "frontend-gateway/policy/policy_impl.h"

#include <string.h>

#include "frontend-gateway/policy/access.h"
#include "frontend-gateway/policy/names.h"

static const char *
scope_of(const char *policy)
{
	if (strncmp(policy, "tag:", 4) == 0)
		return "user";
	return strncmp(policy, "site:", 5) == 0 ? "site" : "global";
}

json_t *
policy_explain(const struct policy *p, const char *user)
{
	char room[NAMES_DOMAIN_SIZE];
	const char *domain = names_domain(room, user);
	struct access_view v = access_of(p->rights.access, user, domain);
	struct rights_answer a = rights_judge(&p->rights,
	    &(struct rights_question){ user, domain, PROVIDERS_COUNT,
		RIGHTS_MESSAGES, policy_today(p) });

	return json_pack("{s:s, s:s, s:s, s:{s:b, s:b, s:b, s:b, s:b}, s:b, "
			 "s:b, s:s}",
	    "user", user, "scope", scope_of(v.policy), "policy", v.policy,
	    "rights", "EnableFederationAccess",
	    (v.rights & ACCESS_FEDERATION) != 0, "EnableXmppAccess",
	    (v.rights & ACCESS_XMPP) != 0, "EnablePublicCloudAccess",
	    (v.rights & ACCESS_PUBLIC_CLOUD) != 0,
	    "EnablePublicCloudAudioVideoAccess",
	    (v.rights & ACCESS_PUBLIC_CLOUD_MEDIA) != 0, "EnableOutsideAccess",
	    (v.rights & ACCESS_OUTSIDE) != 0, "AllowFederatedUsers",
	    access_master(p->rights.access), "xmpp",
	    !p->broken && a.lack == RIGHTS_NOTHING, "missing",
	    p->broken ? "settings-not-taken-over" : rights_lack_str(a.lack));
}

const char *
policy_provider_state(const struct policy *p, const char *identity)
{
	enum providers_name which = providers_find(identity);

	if (which == PROVIDERS_COUNT)
		return "";
	return providers_state_str(providers_state_of(
	    &p->rights.providers.rows[which], policy_today(p)));
}
