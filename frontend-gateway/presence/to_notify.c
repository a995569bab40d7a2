/*
 * What Lync's endpoints are shown of a contact.
 *
 * A mark of the view (resources, name) tells who has seen it already: nothing
 * is shown twice.  A change within DAMP_MS of the last one waits, and only the
 * newest is shown; an endpoint that has just subscribed or refreshed is shown
 * the state at once.
 */
#include "frontend-gateway/presence/presence_impl.h"

#include <string.h>

#include "common/buf.h"
#include "common/err.h"
#include "common/jid.h"
#include "frontend-gateway/gateway_conf.h"
#include "frontend-gateway/sip/sip_notifier.h"
#include "frontend-gateway/translate/address.h"

enum { DOCUMENT_MAX = 65536 };

/* --- the view ----------------------------------------------------------- */

static const struct resources *
seen_as(const struct pair *p, uint8_t show)
{
	return show == PAIR_SHOW_CURRENT ? &p->seen : NULL;
}

static void
add_text(struct buf *b, const char *s)
{
	(void)buf_add(b, s != NULL ? s : "", s != NULL ? strlen(s) + 1 : 1);
}

/* Never 0, which stands for nothing shown. */
static uint64_t
mark_of(const struct pair *p, uint8_t show)
{
	static const uint8_t key[16] = "presence, as see";
	const struct resources *seen = seen_as(p, show);
	const struct resource *r = seen != NULL ? seen->first : NULL;
	uint64_t mark = 1;
	struct buf b;

	buf_init(&b, 0);
	add_text(&b, p->name);
	for (; r != NULL; r = r->next) {
		add_text(&b, r->name);
		add_text(&b, r->status);
		add_text(&b, r->language);
		(void)buf_add(&b, &r->idle_since, sizeof(r->idle_since));
		(void)buf_add_char(&b, (char)r->show);
		(void)buf_add_char(&b, (char)r->priority);
	}
	if (!buf_failed(&b))
		mark = map_hash(key, b.data, b.len) | 1;
	buf_finish(&b);
	return mark;
}

const char *
to_notify_word(const struct pair *p)
{
	const struct resources *seen = seen_as(p, p->show);
	const struct resource *best =
	    seen != NULL ? resources_best(seen) : NULL;
	const char *show;

	if (list_empty(&p->watches))
		return "";
	if (best == NULL)
		return "unavailable";
	show = xmpp_presence_show_str(best->show);
	return show != NULL ? show : "available";
}

static int
write_uri(struct buf *out, const struct pair *p)
{
	struct jid j;
	int rc = jid_parse(&j, pair_contact(p), strlen(pair_contact(p)));

	if (rc < 0)
		return rc;
	rc = address_to_sip(out, &j, 0);
	jid_finish(&j);
	return rc;
}

static int
write_document(
    struct buf *out, const struct pair *p, uint8_t format, uint8_t show)
{
	const struct presence *pr = p->presence;
	struct presence_build in = {
		.name = p->name,
		.resources = seen_as(p, show),
		.now = (uint64_t)clock_wall_ms(pr->opts.clock),
	};
	struct buf uri;
	int rc;

	buf_init(&uri, ADDRESS_URI_MAX);
	rc = write_uri(&uri, p);
	in.entity = buf_cstr(&uri);
	if (rc == 0 && in.entity == NULL)
		rc = ERR_NOMEM;
	if (rc == 0)
		rc = presence_build_document(
		    out, (enum presence_format)format, &in, &pr->build);
	buf_finish(&uri);
	return rc;
}

/* --- dialogs ------------------------------------------------------------ */

void
to_notify_watch(struct presence_watch *w)
{
	struct pair *p = w->pair;
	struct buf document;
	int rc;

	if (!w->confirmed) {
		w->due = true;
		return;
	}
	w->due = false;
	buf_init(&document, DOCUMENT_MAX);
	rc = write_document(&document, p, w->format, p->show);
	if (rc == 0)
		rc = sip_notifier_notify(w->notifier, SIP_SUB_ACTIVE,
		    presence_build_type((enum presence_format)w->format),
		    document.data, document.len);
	buf_finish(&document);
	/* One that was not reached is shown it when the pool is back. */
	w->shown = rc == 0 ? mark_of(p, p->show) : 0;
	if (rc < 0 && rc != ERR_CLOSED)
		log_warn(&p->presence->log, "not-shown",
		    "user=%s contact=%s error=%s", pair_user(p),
		    pair_contact(p), err_str(rc));
}

void
to_notify_now(struct pair *p)
{
	uint64_t mark = mark_of(p, p->show);
	bool any = false;

	p->show_due = false;
	LIST_FOREACH_SAFE (it, &p->watches) {
		struct presence_watch *w =
		    list_entry(it, struct presence_watch, link);

		if (w->shown == mark || w->notifier == NULL)
			continue;
		to_notify_watch(w);
		any = true;
	}
	if (any)
		p->show_ms = clock_now_ms(p->presence->opts.clock) +
			     p->presence->opts.conf->presence.damp_ms;
}

/* Someone has yet to see what is shown now. */
static bool
is_news(const struct pair *p)
{
	uint64_t mark = mark_of(p, p->show);

	LIST_FOREACH (it, &p->watches)
		if (list_entry(it, struct presence_watch, link)->shown != mark)
			return true;
	return false;
}

void
to_notify_all(struct pair *p, enum pair_show show)
{
	p->show = (uint8_t)show;
	if (!is_news(p))
		p->show_due = false;
	else if (p->show_ms > clock_now_ms(p->presence->opts.clock))
		p->show_due = true;
	else
		to_notify_now(p);
}

static void
answer_fetch(struct pair *p, struct happening *h, enum pair_show show)
{
	struct presence *pr = p->presence;
	const struct gateway_presence_conf *c = &pr->opts.conf->presence;
	uint8_t format = PRESENCE_FORMAT_PIDF;
	struct sip_notifier_opts o = {
		.clock = pr->opts.clock,
		.event = "presence",
		.expires_default_s = c->expires_default_s,
		.expires_min_s = c->expires_min_s,
		.expires_max_s = c->expires_max_s,
	};
	struct buf document;
	int rc;

	buf_init(&document, DOCUMENT_MAX);
	rc = write_document(&document, p, format, (uint8_t)show);
	if (rc == 0)
		rc = sip_notifier_fetch(pr->opts.ua, h->st, &o,
		    presence_build_type((enum presence_format)format),
		    document.data, document.len);
	buf_finish(&document);
	if (rc < 0)
		to_half_decline(p, h, 500);
	h->st = NULL;
}

void
to_notify_one(struct pair *p, struct happening *h, enum pair_show show)
{
	if (h->st != NULL) {
		answer_fetch(p, h, show);
		return;
	}
	/* The last one of a dialog that has ended is the notifier's. */
	if (h->watch == NULL || h->watch->notifier == NULL)
		return;
	p->show = (uint8_t)show;
	to_notify_watch(h->watch);
}
