/* Member "presence": times, paces and choices of subscriptions both ways. */
#include <string.h>

#include "common/conf.h"
#include "frontend-gateway/gateway_conf_impl.h"
#include "frontend-gateway/translate/activity.h"
#include "frontend-gateway/translate/presence_text.h"

static const int64_t DAY_S = 86400, WEEK_S = 604800;

static uint32_t
number(
    struct conf_obj *o, const char *key, int64_t def, int64_t min, int64_t max)
{
	return (uint32_t)conf_int(o, key, def, min, max);
}

/* Towards Lync's endpoints. */
static void
read_expires(struct gateway_presence_conf *p, struct conf_obj *o)
{
	p->expires_min_s = number(o, "expires_min", 1200, 1, DAY_S);
	p->expires_max_s = number(o, "expires_max", 43200, 1, WEEK_S);
	p->expires_default_s = number(o, "expires_default", 28800, 1, WEEK_S);
	if (p->expires_min_s > p->expires_max_s)
		conf_fail(o, "expires_min", "is above expires_max");
	if (p->expires_default_s < p->expires_min_s ||
	    p->expires_default_s > p->expires_max_s)
		conf_fail(o, "expires_default",
		    "is not between expires_min and expires_max");
}

static void
read_language(struct gateway_conf *c, struct conf_obj *o)
{
	struct gateway_presence_conf *p = &c->presence;
	char tag[XMPP_PRESENCE_LANGUAGE_SIZE];

	p->language = conf_string(o, "language", "en");
	presence_text_language(tag, p->language, strlen(p->language));
	if (tag[0] == '\0')
		conf_fail(o, "language", "\"%s\" is no language tag (BCP 47)",
		    p->language);
	else if (!activity_has_language(p->language))
		gateway_conf_warn(c,
		    "presence: there are no texts in \"%s\", English ones are "
		    "used",
		    p->language);
}

static void
read_texts(struct gateway_presence_conf *p, struct conf_obj *o)
{
	p->generated_status = conf_bool(o, "generated_status", true);
	p->busy_idle_is_away = conf_bool(o, "busy_idle_is_away", false);
	p->unknown_is_available = conf_bool(o, "unknown_is_available", false);
	p->msrtc = conf_bool(o, "msrtc", false);
	p->dnd_is_do_not_disturb = conf_bool(o, "dnd_is_do_not_disturb", false);
	p->xa_is_off_work = conf_bool(o, "xa_is_off_work", false);
	p->short_away_is_inactive =
	    conf_bool(o, "short_away_is_inactive", false);
	p->chat_text = conf_bool(o, "chat_text", false);
}

void
gateway_conf_read_presence(struct gateway_conf *c, struct conf_obj *root)
{
	static const char *const forms[] = { "closed", "terminated" };
	struct conf_obj *o = conf_object(root, "presence", false);
	struct gateway_presence_conf *p = &c->presence;

	p->subscribe_s = number(o, "subscribe_seconds", 28800, 60, WEEK_S);
	read_expires(p, o);
	p->damp_ms = number(o, "damp_ms", 5000, 0, 60000);
	p->renew_per_second = number(o, "renew_per_second", 25, 1, 1000);
	p->first_per_user_s = number(o, "first_per_user_seconds", 10, 0, 3600);
	p->probes_per_second = number(o, "probes_per_second", 50, 1, 10000);
	p->grace_s = number(o, "grace_seconds", 120, 0, 3600);
	p->removal_days = number(o, "removal_days", 7, 0, 366);
	p->pending_repeat_hours = number(o, "pending_repeat_hours", 24, 1, 768);
	p->added_repeat_s = number(o, "added_repeat_seconds", 60, 0, 86400);
	p->retry_s = number(o, "retry_seconds", 60, 1, 3600);
	p->retry_max_s = number(o, "retry_max_seconds", 1800, 1, DAY_S);
	if (p->retry_max_s < p->retry_s)
		conf_fail(o, "retry_max_seconds", "is below retry_seconds");
	gateway_conf_read_rate(&p->newcomers, o, "new");
	p->refusal_ends =
	    gateway_conf_choice(o, "refused_form", forms, 2, 0) == 1;
	read_texts(p, o);
	read_language(c, o);
	p->pairs = (size_t)conf_int(o, "pairs", 1000000, 1, 10000000);
	p->pair_endpoints = (size_t)conf_int(o, "pair_endpoints", 16, 1, 64);
	conf_end_object(o);
}
