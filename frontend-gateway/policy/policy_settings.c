/*
 * Rights follow settings.  At first everything is taken over; after that each
 * change by itself, whatever else there is.  A grant or a licence concerns one
 * user, everything else may concern anybody.
 *
 * A large commit would take long to be taken over change by change.  Rights are
 * made anew for it from all settings as they will be, a little at a time while
 * it is on its way, and exchanged when it comes into force.
 *
 * What could not be taken over must not leave a right that was taken away:
 * nobody has any until all of it can be read anew, which each change tries.
 */
#include "frontend-gateway/policy/policy_impl.h"

#include <stdlib.h>
#include <string.h>

#include "common/err.h"
#include "frontend-gateway/policy/access.h"
#include "frontend-gateway/policy/day.h"
#include "frontend-gateway/policy/licences.h"
#include "frontend-gateway/policy/names.h"

enum {
	FEW = 64,             /* users of one commit, told one by one */
	MANY = 1000,          /* changes that rights are made anew for */
	AT_A_TIME = 100,      /* settings taken over in a step */
	LOOK_AGAIN_MS = 5000, /* the wall clock may be set */
	AFTER_MIDNIGHT_MS = 10
};

static const char standard_disclaimer[] =
    "Messages of this conversation may be archived.";

/* --- kinds -------------------------------------------------------------- */

static int
take_access_edge(struct rights *r, const char *key, const struct setting *s)
{
	(void)key;
	access_set_master(
	    r->access, s != NULL && setting_bool(s, "AllowFederatedUsers"));
	return 0;
}

static unsigned
rights_in(const struct setting *s)
{
	static const struct {
		const char *member;
		unsigned right;
	} rows[] = {
		{ "EnableFederationAccess", ACCESS_FEDERATION },
		{ "EnableXmppAccess", ACCESS_XMPP },
		{ "EnablePublicCloudAccess", ACCESS_PUBLIC_CLOUD },
		{ "EnablePublicCloudAudioVideoAccess",
		    ACCESS_PUBLIC_CLOUD_MEDIA },
		{ "EnableOutsideAccess", ACCESS_OUTSIDE },
	};
	unsigned rights = 0;

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		if (setting_bool(s, rows[i].member))
			rights |= rows[i].right;
	return rights;
}

static int
take_policy(struct rights *r, const char *key, const struct setting *s)
{
	if (s != NULL)
		return access_set_policy(r->access, key, rights_in(s));
	access_remove_policy(r->access, key);
	return 0;
}

static int
take_site(struct rights *r, const char *key, const struct setting *s)
{
	const json_t *list = s != NULL ? setting_list(s, "SipDomains") : NULL;
	size_t n = json_array_size(list);
	const char **domains;
	int rc;

	if (s == NULL) {
		access_remove_site(r->access, key);
		return 0;
	}
	domains = calloc(n + 1, sizeof(*domains));
	if (domains == NULL)
		return ERR_NOMEM;
	for (size_t i = 0; i < n; i++)
		domains[i] = json_string_value(json_array_get(list, i));
	rc = access_set_site(r->access, key, domains, n);
	free(domains);
	return rc;
}

static int
take_grant(struct rights *r, const char *key, const struct setting *s)
{
	char name[NAMES_SIZE], why[200];

	if (s == NULL) {
		access_ungrant(r->access, key);
		return 0;
	}
	if (!names_policy(
		name, setting_text(s, "PolicyName"), why, sizeof(why)))
		return ERR_MALFORMED;
	return access_grant(r->access, key, name);
}

static int32_t
date_of(const struct setting *s, const char *member, int32_t otherwise)
{
	int32_t day;

	return day_parse(&day, setting_text(s, member)) ? day : otherwise;
}

static int
take_licence(struct rights *r, const char *key, const struct setting *s)
{
	const char *blank = strchr(key, ' ');
	char *user;
	int rc = 0;

	if (blank == NULL)
		return ERR_MALFORMED;
	user = strndup(key, (size_t)(blank - key));
	if (user == NULL)
		return ERR_NOMEM;
	if (s == NULL)
		licences_remove(r->licences, user, blank + 1);
	else
		rc = licences_set(r->licences, user, blank + 1,
		    date_of(s, "From", DAY_NEVER_BEGUN),
		    date_of(s, "Until", DAY_NEVER_OVER));
	free(user);
	return rc;
}

static int
take_provider(struct rights *r, const char *key, const struct setting *s)
{
	enum providers_name which = providers_find(key);

	if (which == PROVIDERS_COUNT || s == NULL)
		return 0;
	return providers_set(&r->providers, which,
	    &(struct providers_terms){
		.enabled = setting_bool(s, "Enabled"),
		.messages = setting_bool(s, "InstantMessaging"),
		.presence = setting_bool(s, "Presence"),
		.audio = setting_bool(s, "Audio"),
		.video = setting_bool(s, "Video"),
		.route = setting_text(s, "Route"),
		.licences = setting_text(s, "Licences"),
		.start = setting_text(s, "StartDate"),
		.end = setting_text(s, "EndDate"),
	    });
}

static const struct source {
	const struct setting_kind *kind;
	int (*take)(struct rights *r, const char *key, const struct setting *s);
	bool of_user; /* the key begins with whom it concerns */
} sources[] = {
	{ &setting_kind_access_edge, take_access_edge, false },
	{ &setting_kind_policy, take_policy, false },
	{ &setting_kind_site, take_site, false },
	{ &setting_kind_grant, take_grant, true },
	{ &setting_kind_licence, take_licence, true },
	{ &setting_kind_provider, take_provider, false },
};

enum { SOURCES = sizeof(sources) / sizeof(sources[0]) };

static const struct source *
source_of(const struct setting_kind *kind)
{
	for (size_t i = 0; i < SOURCES; i++)
		if (sources[i].kind == kind)
			return &sources[i];
	return NULL;
}

static void
take(struct policy *p, const struct source *from, const char *key,
    const struct setting *s)
{
	int rc = from->take(&p->rights, key, s);

	if (rc == 0)
		return;
	log_error(&p->log, "not-taken-over", "kind=%s key=%s error=%s",
	    from->kind->name, key, err_str(rc));
	p->broken = true;
}

/* --- all of it ---------------------------------------------------------- */

static void
take_kind(
    struct policy *p, const struct settings_view *v, const struct source *from)
{
	size_t n = settings_view_count(v, from->kind);

	for (size_t i = 0; !p->broken && i < n; i++) {
		const struct setting *s = settings_view_at(v, from->kind, i);

		take(p, from, s->key, s);
	}
}

/* ERR_NOMEM: not even begun.  What cannot be read is no error here. */
static int
take_all(struct policy *p, const struct settings_view *v)
{
	struct rights fresh;
	int rc = rights_init(&fresh);

	if (rc < 0)
		return rc;
	rights_finish(&p->rights);
	p->rights = fresh;
	p->broken = false;
	for (size_t i = 0; !p->broken && i < SOURCES; i++)
		take_kind(p, v, &sources[i]);
	return 0;
}

/* --- what is coming ------------------------------------------------------- */

void
policy_forget_coming(struct policy *p)
{
	if (p->is_coming)
		rights_finish(&p->coming);
	p->is_coming = p->is_whole = false;
}

static bool
is_large(const struct settings_delta *deltas, size_t count)
{
	size_t ours = 0;

	for (size_t i = 0; i < count && ours <= MANY; i++)
		ours += deltas[i].before != deltas[i].after &&
			source_of(deltas[i].kind) != NULL;
	return ours > MANY;
}

/* Some more of them; false when there is nothing more to do. */
static bool
make_more(struct policy *p, const struct settings_view *after)
{
	for (int n = 0; n < AT_A_TIME; n++) {
		const struct source *from = &sources[p->source];
		const struct setting *s;

		if (p->at == settings_view_count(after, from->kind)) {
			p->at = 0;
			if (++p->source < SOURCES)
				continue;
			p->is_whole = true;
			return false;
		}
		s = settings_view_at(after, from->kind, p->at++);
		if (from->take(&p->coming, s->key, s) < 0) {
			/* Change by change it can be told which it was. */
			policy_forget_coming(p);
			return false;
		}
	}
	return true;
}

static bool
on_prepare(const struct settings_view *after,
    const struct settings_delta *deltas, size_t count, void *arg)
{
	struct policy *p = arg;

	if (!p->is_coming) {
		if (!is_large(deltas, count) || rights_init(&p->coming) < 0)
			return true;
		p->is_coming = true;
		p->source = p->at = 0;
	}
	return !make_more(p, after);
}

static void
on_dropped(void *arg)
{
	policy_forget_coming(arg);
}

/* Whether they were ready. */
static bool
take_coming(struct policy *p)
{
	const struct rights former = p->rights;

	if (!p->is_whole) {
		policy_forget_coming(p);
		return false;
	}
	p->rights = p->coming;
	p->coming = former;
	p->broken = false;
	policy_forget_coming(p);
	return true;
}

/* --- changes ------------------------------------------------------------ */

/* Whom a change concerns; false: perhaps everybody. */
static bool
concerned(char out[static NAMES_USER_SIZE], const struct settings_delta *d)
{
	const struct source *from = source_of(d->kind);
	size_t len = strcspn(d->key, " ");

	if (from == NULL || !from->of_user || len >= NAMES_USER_SIZE ||
	    strncmp(d->key, LICENCES_EVERYBODY " ", 2) == 0)
		return false;
	memcpy(out, d->key, len);
	out[len] = '\0';
	return true;
}

static void
tell(struct policy *p, const struct settings_delta *deltas, size_t count)
{
	char user[NAMES_USER_SIZE];
	size_t users = 0, ours = 0;

	for (size_t i = 0; i < count; i++)
		if (source_of(deltas[i].kind) != NULL) {
			ours++;
			users += concerned(user, &deltas[i]);
		}
	if (ours == 0)
		return;
	if (users < ours || users > FEW || p->broken) {
		p->on_change(NULL, p->on_change_arg);
		return;
	}
	for (size_t i = 0; i < count; i++)
		if (concerned(user, &deltas[i]))
			p->on_change(user, p->on_change_arg);
}

static void
on_settings(const struct settings_view *now,
    const struct settings_delta *deltas, size_t count, void *arg)
{
	struct policy *p = arg;
	bool was_broken = p->broken, whole = take_coming(p);

	if (was_broken && !whole)
		(void)take_all(p, now);
	for (size_t i = 0; !whole && !was_broken && !p->broken && i < count;
	     i++) {
		const struct source *from = source_of(deltas[i].kind);

		if (from != NULL)
			take(p, from, deltas[i].key, deltas[i].after);
	}
	if (was_broken)
		p->on_change(NULL, p->on_change_arg);
	else
		tell(p, deltas, count);
}

/* --- days --------------------------------------------------------------- */

static void
await_midnight(struct policy *p)
{
	uint64_t rest =
	    day_rest_ms(clock_wall_ms(p->clock)) + AFTER_MIDNIGHT_MS;

	clock_timer_start(
	    &p->midnight, rest < LOOK_AGAIN_MS ? rest : LOOK_AGAIN_MS);
}

/* Licences and services begin and end with a day. */
static void
on_midnight(struct clock_timer *t, void *arg)
{
	struct policy *p = arg;
	int32_t today = policy_today(p);

	(void)t;
	await_midnight(p);
	if (today == p->day)
		return;
	p->day = today;
	p->on_change(NULL, p->on_change_arg);
}

/* --- life --------------------------------------------------------------- */

int
policy_follow(struct policy *p, struct settings *settings, struct clock *clock,
    policy_change_fn *fn, void *arg)
{
	int rc;

	p->settings = settings;
	p->clock = clock;
	p->on_change = fn;
	p->on_change_arg = arg;
	p->day = policy_today(p);
	p->listener.on_change = on_settings;
	p->listener.prepare = on_prepare;
	p->listener.on_dropped = on_dropped;
	p->listener.arg = p;
	rc = take_all(p, settings_now(settings));
	if (rc < 0)
		return rc;
	settings_listen(settings, &p->listener);
	clock_timer_init(&p->midnight, clock, on_midnight, p);
	await_midnight(p);
	log_info(&p->log, "rights-taken-over", "grants=%zu licences=%zu",
	    access_grants(p->rights.access),
	    licences_count(p->rights.licences));
	return 0;
}

void
policy_unfollow(struct policy *p)
{
	if (p->settings == NULL)
		return;
	p->settings = NULL;
	settings_unlisten(&p->listener);
	clock_timer_stop(&p->midnight);
}

const char *
policy_disclaimer(const struct policy *p)
{
	const struct setting *s;
	const char *text;

	if (p->settings == NULL)
		return NULL;
	s = settings_view_get(
	    settings_now(p->settings), &setting_kind_access_edge, "global");
	if (s == NULL || !setting_bool(s, "EnableArchivingDisclaimer"))
		return NULL;
	text = setting_text(s, "ArchivingDisclaimer");
	return text[0] != '\0' ? text : standard_disclaimer;
}
