/*
 * policy - who may write to whom, who may see whose presence, and who may
 * learn why not.
 *
 * Default deny.  A Lync user must have the rights that it takes (rights.h), the
 * contact's domain be a listed partner; what a partner's users may do of their
 * own accord depends on its type ("Configure XMPP gateway policies"):
 *
 *                          Federated   PublicVerified   PublicUnverified
 *   write first               yes           yes               no
 *   add, see presence         yes           yes               no
 *   see the status note       yes           no                no
 *
 * A contact the Lync user has invited may write and watch whatever the type:
 * she has added him to her contacts (the pairs that are stored know), or has
 * written to him.  The latter is remembered while the process lives,
 * POLICY_PAIRS_MAX pairs of it; the one not used for longest goes first.
 *
 * Rights are what administrators set (policy_follow()), and change in the turn
 * in which a setting comes into force.  Dates begin and end at midnight, UTC.
 *
 * Users are prepared bare JIDs, domains in comparable form.
 */
#ifndef GATEWAY_POLICY_POLICY_H
#define GATEWAY_POLICY_POLICY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <jansson.h>

#include "frontend-gateway/policy/rights.h"
#include "frontend-gateway/translate/errors.h"

struct clock;
struct gateway_conf;
struct policy;
struct settings;

enum { POLICY_PAIRS_MAX = 100000 };

/* pairs_max 0 = POLICY_PAIRS_MAX.  conf is borrowed. */
int policy_new(
    struct policy **out, const struct gateway_conf *conf, size_t pairs_max);
void policy_free(struct policy *p);
/* The configuration has changed. */
void policy_recheck(struct policy *p);

/* The rights of user may have changed, or with NULL those of anybody. */
typedef void policy_change_fn(const char *user, void *arg);
/* Takes the rights over from settings, and every change of them from now on;
 * until policy_unfollow().  What a commit changes is told once, user by user
 * when there are few.  0 or ERR_NOMEM. */
int policy_follow(struct policy *p, struct settings *settings,
    struct clock *clock, policy_change_fn *fn, void *arg);
void policy_unfollow(struct policy *p);
/* The rights themselves; without settings nobody has any. */
struct rights *policy_rights(struct policy *p);

/* What the stored contacts know of a pair. */
enum policy_tie {
	POLICY_TIE_NONE,
	POLICY_TIE_WATCHES, /* the contact sees the user's presence */
	POLICY_TIE_INVITED, /* the user has added the contact */
	POLICY_TIE_BOTH
};
typedef enum policy_tie
policy_tie_fn(const char *user, const char *contact, void *arg);
/* fn is asked from now on; NULL = nobody. */
void policy_set_ties(struct policy *p, policy_tie_fn *fn, void *arg);

/* What a contact stands for towards a Lync user. */
enum policy_standing {
	POLICY_DENIED,   /* may not write; must learn nothing */
	POLICY_STRANGER, /* may write; must not learn who exists here */
	POLICY_KNOWN     /* invited, or watches her as he may */
};

struct policy_inward {
	enum policy_standing standing;
	const char *reason; /* for the log; static */
};
/* May contact (of domain) write to user? */
struct policy_inward policy_judge_inward(struct policy *p, const char *user,
    const char *contact, const char *contact_domain);
/* The same for a message that would begin a chat.  Who has tried too many
 * addresses in vain (limits.misses) is denied as long as he is nobody's
 * contact, whomever he turns to: he cannot go on finding out who exists.
 * A chat that comes about costs nothing.  now_ms is monotonic. */
struct policy_inward policy_judge_first(struct policy *p, const char *user,
    const char *contact, const char *contact_domain, uint64_t now_ms);
/* The pool had nobody for a stranger's first message. */
void policy_missed(struct policy *p, const char *contact,
    const char *contact_domain, uint64_t now_ms);

/* Whether the contact sees the user's presence, as she has agreed to; only then
 * may he learn that a message reached a device (XEP-0184 8). */
bool
policy_watches(const struct policy *p, const char *user, const char *contact);

/* Whether a contact of that standing must not be told why the pool refused his
 * message.  Unknown, blocked and forbidden users look alike to all but the
 * known, so that nobody can harvest the directory. */
bool policy_conceals(enum policy_standing standing);

/* What contact (of domain) may have of user's presence, decided without asking
 * anybody; it is the same for users who exist and for those who do not. */
struct policy_presence {
	bool may_talk;      /* either may have anything to do with the other */
	bool may_watch;     /* and the contact may see her presence */
	bool may_note;      /* and her status note */
	bool may_ask;       /* the partner's people may ask for anybody's */
	const char *reason; /* of the first "no", or "known", "partner-type" */
};
struct policy_presence policy_judge_presence(struct policy *p, const char *user,
    const char *contact, const char *contact_domain);

/* May a contact without a tie turn to one more address?  Takes from his rate
 * if so.  now_ms is monotonic. */
bool policy_admit(struct policy *p, const char *contact,
    const char *contact_domain, uint64_t now_ms);

/* Why a user is refused. */
struct policy_refusal {
	enum errors_cause cause;
	const char *detail; /* behind its reason: a name, or "" */
	const char *policy; /* that holds for her, or "" */
};
struct policy_outward {
	const char *user, *user_domain, *contact_domain;
	enum rights_use use;
};
/* May the user write to a contact at that domain, watch or call him?  0, or
 * ERR_DENIED with *why; its texts are valid until settings change.  That a call
 * is permitted does not mean that XMPP carries it. */
int policy_judge_outward(const struct policy *p, struct policy_refusal *why,
    const struct policy_outward *o);

/* For an administrator: what holds for a user (prepared bare JID) of the domain,
 * or NULL without memory.
 *
 *   {"user", "scope": "user" | "site" | "global", "policy": "tag:fedpic",
 *    "rights": {"EnableFederationAccess": true, ...},
 *    "AllowFederatedUsers": true, "xmpp": true, "missing": ""}
 *
 * xmpp: she may talk to XMPP partners; missing: else, what is. */
json_t *policy_explain(const struct policy *p, const char *user);

/* How a provider of the catalogue stands today: "in service", "disabled", "not
 * begun", "ended"; "" when there is none of that Identity. */
const char *policy_provider_state(const struct policy *p, const char *identity);

/* What contacts are to be told when a conversation begins; NULL = nothing.
 * Valid until settings change. */
const char *policy_disclaimer(const struct policy *p);

/* The user has written to the contact.  Forgetting it for want of memory only
 * costs the contact his standing. */
void policy_remember(struct policy *p, const char *user, const char *contact);

#endif
