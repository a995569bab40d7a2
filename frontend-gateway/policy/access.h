/*
 * access - the external access policies, and which of them holds for a user.
 *
 * As *-CsExternalAccessPolicy has it: a policy of its own that was granted to
 * the user counts before that of her site, and that before the global one.  No
 * policy says yes by itself, so who is in none has no rights; above all of them
 * is the organisation's master switch (AllowFederatedUsers).
 *
 * Policies are named "global", "site:<name>", "tag:<name>".  A grant to a policy
 * that is not there gives nothing: nobody gets the rights of a site because
 * his own policy is gone.  So changes may come in any order.
 *
 * A change costs the same whatever else there is, and so does a judgement: two
 * look-ups.  Users are prepared bare JIDs, domains in comparable form; policies
 * and sites are compared without regard to the case of ASCII letters.
 *
 * Errors   ERR_NOMEM, and nothing has changed.
 */
#ifndef GATEWAY_POLICY_ACCESS_H
#define GATEWAY_POLICY_ACCESS_H

#include <stdbool.h>
#include <stddef.h>

struct access;

enum { ACCESS_NAME_MAX = 255 }; /* bytes of a policy's or a site's name */

/* The switches of a policy, as the cmdlets call them. */
enum access_right {
	ACCESS_FEDERATION = 1 << 0,         /* EnableFederationAccess */
	ACCESS_XMPP = 1 << 1,               /* EnableXmppAccess */
	ACCESS_PUBLIC_CLOUD = 1 << 2,       /* EnablePublicCloudAccess */
	ACCESS_PUBLIC_CLOUD_MEDIA = 1 << 3, /* ...AudioVideoAccess */
	ACCESS_OUTSIDE = 1 << 4             /* EnableOutsideAccess */
};

int access_new(struct access **out);
void access_free(struct access *a);

/* The master switch; off at first. */
void access_set_master(struct access *a, bool on);
bool access_master(const struct access *a);

int access_set_policy(struct access *a, const char *name, unsigned rights);
void access_remove_policy(struct access *a, const char *name);

/* A domain belongs to the site that claimed it last. */
int access_set_site(struct access *a, const char *name,
    const char *const *domains, size_t count);
void access_remove_site(struct access *a, const char *name);

int access_grant(struct access *a, const char *user, const char *policy);
void access_ungrant(struct access *a, const char *user);

/* What holds for a user. */
struct access_view {
	unsigned rights;    /* enum access_right */
	const char *policy; /* its name as it was first written; valid until
			     * the next change */
};
/* domain is hers. */
struct access_view
access_of(const struct access *a, const char *user, const char *domain);

size_t access_grants(const struct access *a);
/* Grants to that policy. */
size_t access_granted(const struct access *a, const char *policy);

#endif
