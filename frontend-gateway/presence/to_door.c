/*
 * The door for SUBSCRIBEs of Lync's endpoints.  Order of the checks: package,
 * form of document, addresses, policy, room.  What passes is an event of its
 * pair.
 */
#include "frontend-gateway/presence/presence_impl.h"

#include <string.h>

#include "common/err.h"
#include "common/jid.h"
#include "frontend-gateway/policy/policy.h"
#include "frontend-gateway/sip/sip_notifier.h"
#include "frontend-gateway/sip/sip_ua.h"
#include "frontend-gateway/translate/address.h"

/* Lync marks a contact just added by an element in the list it sends. */
static bool
has_context(const struct sip_msg *req)
{
	static const char element[] = "<context";
	const uint8_t *at = sip_msg_body(req);
	size_t left = sip_msg_body_len(req), size = sizeof(element) - 1;

	for (; left > size; at++, left--)
		if (memcmp(at, element, size) == 0 &&
		    (at[size] == '/' || at[size] == '>' || at[size] == ' '))
			return true;
	return false;
}

/* Reads both addresses and asks policy.  0, or ERR_DENIED with the cause. */
static int
judge(struct presence *pr, struct policy_refusal *why, struct jid *user,
    struct jid *contact, const struct sip_msg *req)
{
	const char *from = sip_msg_from_uri(req), *to = sip_msg_uri(req);
	int status = address_from_sip(contact, to, strlen(to));

	*why = (struct policy_refusal){ .detail = "", .policy = "" };
	if (status == 0)
		status = address_from_sip(user, from, strlen(from));
	if (status != 0) {
		why->cause = errors_address_cause(status);
		return ERR_DENIED;
	}
	if (contact->local == NULL || user->local == NULL) {
		why->cause = ERRORS_ADDRESS_UNKNOWN;
		return ERR_DENIED;
	}
	return policy_judge_outward(pr->opts.policy, why,
	    &(struct policy_outward){
		user->bare, user->ascii, contact->ascii, RIGHTS_PRESENCE });
}

static void
fetch(struct pair *p, struct sip_server_txn *st)
{
	struct happening h = { .e = { .kind = PAIR_ON_FETCH }, .st = st };

	pair_run(p, &h);
}

static int
find_or_add(struct pair **out, struct presence *pr, const struct jid *user,
    const struct jid *contact)
{
	struct pair_names names = { user->bare, contact->bare, user->ascii,
		contact->ascii };

	*out = pairs_find(pr, user->bare, contact->bare);
	return *out != NULL ? 0 : pairs_add(out, pr, &names);
}

static int
serve(struct presence *pr, struct sip_server_txn *st, const struct sip_msg *req,
    const struct jid *user, const struct jid *contact)
{
	struct pair *p;
	int rc = find_or_add(&p, pr, user, contact);

	if (rc < 0)
		return rc;
	names_of_user(p, sip_msg_from_display(req));
	if (sip_notifier_is_fetch(req)) {
		fetch(p, st);
		return 0;
	}
	rc = to_half_open(p, st, to_half_format(pr, req), has_context(req));
	if (rc < 0)
		pairs_release(p);
	return rc;
}

void
presence_on_request(
    struct presence *pr, struct sip_server_txn *st, const struct sip_msg *req)
{
	struct jid user = { 0 }, contact = { 0 };
	struct policy_refusal why;
	int rc;

	if (pr->stopping) {
		to_half_refuse(pr, st, ERRORS_STOPPING);
		return;
	}
	if (!sip_notifier_admit(pr->opts.ua, st, "presence"))
		return;
	if (to_half_format(pr, req) == PRESENCE_FORMAT_NONE) {
		to_half_refuse(pr, st, ERRORS_DOCUMENT_TYPE);
		return;
	}
	if (judge(pr, &why, &user, &contact, req) < 0) {
		to_half_refuse_because(pr, st, &why);
	} else {
		rc = serve(pr, st, req, &user, &contact);
		if (rc < 0)
			to_half_refuse(pr, st,
			    rc == ERR_FULL ? ERRORS_OVERLOAD : ERRORS_INTERNAL);
	}
	jid_finish(&user);
	jid_finish(&contact);
}
