/* Each step is a function that returns what it finds missing first. */
#include "frontend-gateway/policy/rights.h"

#include <stddef.h>

#include "common/err.h"
#include "frontend-gateway/policy/access.h"
#include "frontend-gateway/policy/licences.h"

static const struct {
	const char *word;
	enum errors_cause cause;
} lacks[RIGHTS_LACK_COUNT] = { [RIGHTS_NOTHING] = { "", ERRORS_CAUSE_COUNT },
#define X(name, text, code) [name] = { (text), (code) },
	RIGHTS_LACKS(X)
#undef X
};

const char *
rights_lack_str(enum rights_lack lack)
{
	return lacks[lack].word;
}

enum errors_cause
rights_cause(enum rights_lack lack)
{
	return lacks[lack].cause;
}

/* --- judgement ---------------------------------------------------------- */

static enum rights_lack
of_user(unsigned rights)
{
	switch (rights & (ACCESS_FEDERATION | ACCESS_XMPP)) {
	case ACCESS_FEDERATION | ACCESS_XMPP:
		return RIGHTS_NOTHING;
	case ACCESS_FEDERATION:
		return RIGHTS_XMPP;
	case ACCESS_XMPP:
		return RIGHTS_FEDERATION;
	default:
		return RIGHTS_USER;
	}
}

static enum rights_lack
of_provider(const struct provider *p, int32_t today)
{
	switch (providers_state_of(p, today)) {
	case PROVIDERS_IN_SERVICE:
		return RIGHTS_NOTHING;
	case PROVIDERS_NOT_BEGUN:
		return RIGHTS_PROVIDER_NOT_BEGUN;
	case PROVIDERS_ENDED:
		return RIGHTS_PROVIDER_ENDED;
	case PROVIDERS_DISABLED:
		break;
	}
	return RIGHTS_PROVIDER_DISABLED;
}

static enum rights_lack
of_licence(enum licences_state s)
{
	switch (s) {
	case LICENCES_HELD:
		return RIGHTS_NOTHING;
	case LICENCES_NOT_YET:
		return RIGHTS_LICENCE_NOT_BEGUN;
	case LICENCES_EXPIRED:
		return RIGHTS_LICENCE_EXPIRED;
	case LICENCES_MISSING:
		break;
	}
	return RIGHTS_LICENCE_MISSING;
}

/* What the provider could never do. */
static enum rights_lack
of_use(const struct provider *p, enum rights_use use)
{
	switch (use) {
	case RIGHTS_MESSAGES:
		return p->messages ? RIGHTS_NOTHING : RIGHTS_NO_MESSAGES;
	case RIGHTS_PRESENCE:
		return p->presence ? RIGHTS_NOTHING : RIGHTS_NO_PRESENCE;
	case RIGHTS_VIDEO:
		if (p->audio && !p->video)
			return RIGHTS_NO_VIDEO;
		break;
	case RIGHTS_AUDIO:
		break;
	}
	return p->audio ? RIGHTS_NOTHING : RIGHTS_NO_AUDIO;
}

/* The first that is missing is named in *licence. */
static enum rights_lack
of_licences(const char **licence, const struct rights *r,
    const struct provider *p, const struct rights_question *q)
{
	for (size_t i = 0; i < p->licence_count; i++) {
		enum rights_lack lack = of_licence(licences_of(
		    r->licences, q->user, p->licences[i], q->today));

		if (lack != RIGHTS_NOTHING) {
			*licence = p->licences[i];
			return lack;
		}
	}
	return RIGHTS_NOTHING;
}

static bool
is_call(enum rights_use use)
{
	return use == RIGHTS_AUDIO || use == RIGHTS_VIDEO;
}

static enum rights_lack
of_public(const char **licence, const struct rights *r, unsigned rights,
    const struct rights_question *q)
{
	const struct provider *p = &r->providers.rows[q->provider];
	enum rights_lack lack = of_provider(p, q->today);

	if (lack != RIGHTS_NOTHING)
		return lack;
	if (p->by_sip && (rights & ACCESS_PUBLIC_CLOUD) == 0)
		return RIGHTS_PUBLIC_CLOUD;
	if (p->by_sip && is_call(q->use) &&
	    (rights & ACCESS_PUBLIC_CLOUD_MEDIA) == 0)
		return RIGHTS_PUBLIC_CLOUD_CALLS;
	lack = of_licences(licence, r, p, q);
	return lack != RIGHTS_NOTHING ? lack : of_use(p, q->use);
}

struct rights_answer
rights_judge(const struct rights *r, const struct rights_question *q)
{
	struct access_view view = access_of(r->access, q->user, q->domain);
	struct rights_answer a = { RIGHTS_MASTER, view.policy, "", "" };

	if (!access_master(r->access))
		return a;
	a.lack = of_user(view.rights);
	if (a.lack != RIGHTS_NOTHING || q->provider == PROVIDERS_COUNT)
		return a;
	a.provider = r->providers.rows[q->provider].identity;
	a.lack = of_public(&a.licence, r, view.rights, q);
	return a;
}

/* --- life --------------------------------------------------------------- */

int
rights_init(struct rights *r)
{
	int rc;

	*r = (struct rights){ 0 };
	providers_init(&r->providers);
	rc = access_new(&r->access);
	if (rc == 0)
		rc = licences_new(&r->licences);
	if (rc < 0)
		rights_finish(r);
	return rc;
}

void
rights_finish(struct rights *r)
{
	access_free(r->access);
	licences_free(r->licences);
	*r = (struct rights){ 0 };
}
