/*
 * The contact watches the user: one subscription of ours at the pool for each
 * pair, since the pool shows each watcher what he may see.
 *
 * A document that comes is converted at once, by what the partner's type
 * permits, and only the result is kept; it is this pair's alone.
 */
#include "frontend-gateway/presence/presence_impl.h"

#include <stdlib.h>
#include <string.h>

#include "common/buf.h"
#include "common/err.h"
#include "common/jid.h"
#include "frontend-gateway/gateway_conf.h"
#include "frontend-gateway/policy/policy.h"
#include "frontend-gateway/sip/sip_subscriber.h"
#include "frontend-gateway/translate/address.h"
#include "frontend-gateway/translate/display_name.h"
#include "frontend-gateway/translate/ids.h"
#include "frontend-gateway/translate/presence_document.h"
#include "frontend-gateway/translate/presence_to_xmpp.h"

/* --- the kept document -------------------------------------------------- */

int
from_half_current(struct xmpp_presence *out, const struct pair *p)
{
	return p->doc == NULL ? 0
			      : xmpp_presence_restore(out, p->doc, p->doc_len);
}

static int
keep(struct pair *p, const struct xmpp_presence *x)
{
	struct buf image;
	uint8_t *doc;
	int rc;

	buf_init(&image, 0);
	rc = xmpp_presence_save(&image, x);
	if (rc < 0)
		goto done;
	if (image.len == p->doc_len && p->doc != NULL &&
	    memcmp(image.data, p->doc, image.len) == 0)
		goto done;
	doc = malloc(image.len > 0 ? image.len : 1);
	rc = ERR_NOMEM;
	if (doc == NULL)
		goto done;
	if (image.len > 0)
		memcpy(doc, image.data, image.len);
	free(p->doc);
	p->doc = doc;
	p->doc_len = (uint32_t)image.len;
	pair_row_dirty(p);
	rc = 0;
done:
	buf_finish(&image);
	return rc;
}

static int
convert(struct pair *p, const struct lync_presence *d)
{
	const struct gateway_presence_conf *c =
	    &p->presence->opts.conf->presence;
	struct presence_to_xmpp_rules rules = presence_to_xmpp_default();
	struct xmpp_presence fresh = { 0 }, before = { 0 };
	struct policy_presence may;
	int rc;

	may = policy_judge_presence(p->presence->opts.policy, pair_user(p),
	    pair_contact(p), p->partner->remote);
	rules.notes = may.may_note;
	p->noteless = !may.may_note;
	rules.generated_status = c->generated_status;
	rules.language = c->language;
	rules.busy_idle_is_away = c->busy_idle_is_away;
	rules.unknown_is_available = c->unknown_is_available;
	rc = from_half_current(&before, p);
	if (rc == 0)
		rc = presence_to_xmpp_convert(
		    &fresh, d, p->doc != NULL ? &before : NULL, &rules);
	if (rc == 0)
		rc = keep(p, &fresh);
	xmpp_presence_finish(&fresh);
	xmpp_presence_finish(&before);
	return rc;
}

/* What the pool is answered about a document that came to that. */
static int
status_of(int rc)
{
	switch (rc) {
	case ERR_TOO_LONG:
	case ERR_DENIED:
	case ERR_MALFORMED:
		return 400;
	case ERR_UNSUPPORTED:
		return 415;
	case ERR_NOMEM:
		return 500;
	default:
		return 200;
	}
}

/* *tells = the notice brought a document that tells something.  Returns the
 * status to answer with. */
static int
take_document(bool *tells, struct pair *p, const struct sip_notice *notice)
{
	struct presence *pr = p->presence;
	struct lync_presence d;
	struct jid user = { 0 };
	int rc, status;
	bool about;

	*tells = false;
	if (notice->body_len == 0)
		return 200;
	rc = presence_document_read(&d, notice->body, notice->body_len);
	status = status_of(rc);
	if (rc == 0)
		rc = jid_parse(&user, pair_user(p), strlen(pair_user(p)));
	if (rc == 0) {
		about = presence_document_is_about(&d, &user);
		jid_finish(&user);
		rc = about ? convert(p, &d) : ERR_DENIED;
	}
	if (rc == 0)
		names_of_user(p, d.name);
	*tells = rc == 0;
	if (rc == 0 || rc == ERR_NOT_FOUND)
		return 200;
	pr->ignored_documents++;
	log_warn(&pr->log, "document-ignored",
	    "user=%s contact=%s type=%s status=%d error=%s", pair_user(p),
	    pair_contact(p), notice->content_type, status, err_str(rc));
	return status;
}

/* --- the subscription --------------------------------------------------- */

/* What a subscription is opened with: it may outlive its pair, as long as its
 * farewell takes. */
struct presence_sub {
	struct pair *pair; /* NULL: it is on its way out */
	struct sip_subscriber *sip;
};

static void
let_go(struct pair *p)
{
	free(p->sub);
	p->sub = NULL;
	p->presence->subs--;
}

/* --- what the subscription tells ---------------------------------------- */

static void
on_granted(struct sip_subscriber *s, uint32_t expires_s, void *arg)
{
	struct presence_sub *sub = arg;
	struct pair *p = sub->pair;

	(void)s;
	(void)expires_s;
	if (p == NULL)
		return;
	p->why = 0;
	pair_run_kind(p, PAIR_ON_SIP_GRANTED);
}

static int
on_notice(struct sip_subscriber *s, const struct sip_notice *notice, void *arg)
{
	struct presence_sub *sub = arg;
	const char *reason = sip_sub_reason_str(notice->reason);
	struct pair *p = sub->pair;
	struct happening h = { .e = {
				   .retry_after_s = notice->retry_after_s } };
	enum sip_sub_state state = notice->state;
	int status = 200;

	(void)s;
	if (p == NULL)
		return 200;
	/* He stays what he was. */
	if (state == SIP_SUB_STRANGE)
		state = roster_state_from((enum roster_state)p->state.roster)
			    ? SIP_SUB_ACTIVE
			    : SIP_SUB_PENDING;
	switch (state) {
	case SIP_SUB_ACTIVE:
		h.e.kind = PAIR_ON_SIP_ACTIVE;
		status = take_document(&h.e.document, p, notice);
		break;
	case SIP_SUB_PENDING:
	case SIP_SUB_STRANGE:
		h.e.kind = PAIR_ON_SIP_PENDING;
		break;
	case SIP_SUB_TERMINATED:
		log_info(&p->presence->log, "watch-terminated",
		    "user=%s contact=%s reason=%s", pair_user(p),
		    pair_contact(p), reason);
		h.e.kind = PAIR_ON_SIP_TERMINATED;
		h.e.reason = pair_reason_parse(reason, strlen(reason));
		break;
	}
	pair_run(p, &h);
	return status;
}

static void
on_changed(struct sip_subscriber *s, void *arg)
{
	struct presence_sub *sub = arg;

	(void)s;
	if (sub->pair != NULL)
		pair_row_put_sub(sub->pair);
}

static void
on_over(
    struct sip_subscriber *s, const struct sip_subscriber_over *over, void *arg)
{
	struct happening h = { .e = { .kind = PAIR_ON_SIP_OVER,
				   .status = over->status,
				   .retry_after_s = over->retry_after_s } };
	struct presence_sub *sub = arg;
	struct pair *p = sub->pair;

	(void)s;
	if (p == NULL) {
		free(sub);
		return;
	}
	let_go(p);
	if (p->presence->stopping)
		return; /* The pool goes on, and so will the next start. */
	pair_row_drop_sub(p);
	if (over->cause == SIP_SUBSCRIBER_TERMINATED)
		return;
	log_info(&p->presence->log, "watch-over",
	    "user=%s contact=%s cause=%s status=%d", pair_user(p),
	    pair_contact(p), sip_subscriber_cause_str(over->cause),
	    over->status);
	p->why = over->status;
	pair_run(p, &h);
}

static const struct sip_subscriber_events events = {
	.on_granted = on_granted,
	.on_notice = on_notice,
	.on_changed = on_changed,
	.on_over = on_over,
};

/* --- verbs of the machine ----------------------------------------------- */

static void
fill(struct sip_subscriber_opts *o, struct pair *p, struct presence_sub *sub)
{
	const struct gateway_presence_conf *c =
	    &p->presence->opts.conf->presence;
	uint32_t all = (uint32_t)(p->presence->subs / c->renew_per_second);

	*o = (struct sip_subscriber_opts){
		.clock = p->presence->opts.clock,
		.accept = p->plain ? PRESENCE_DOCUMENT_ACCEPT_PIDF
				   : PRESENCE_DOCUMENT_ACCEPT,
		.expires_s = c->subscribe_s,
		.spread_s = all > 60 ? all : 60,
		.events = &events,
		.arg = sub,
	};
}

static int
uri_of(struct buf *out, const char *bare)
{
	struct jid j;
	int rc = jid_parse(&j, bare, strlen(bare));

	if (rc < 0)
		return rc;
	rc = address_to_sip(out, &j, 0);
	jid_finish(&j);
	if (rc == 0 && buf_cstr(out) == NULL)
		rc = ERR_NOMEM;
	return rc;
}

static int
name_of(char out[static DISPLAY_NAME_SIZE], const struct pair *p)
{
	struct display_name_sources from = { .nick = p->name };
	struct jid j;
	int rc = jid_parse(&j, pair_contact(p), strlen(pair_contact(p)));

	if (rc < 0)
		return rc;
	from.jid = &j;
	rc = display_name_pick(out, &from);
	jid_finish(&j);
	return rc;
}

static int
open_now(struct pair *p)
{
	struct presence_sub *sub = calloc(1, sizeof(*sub));
	char name[DISPLAY_NAME_SIZE], epid[IDS_EPID_SIZE];
	struct sip_subscriber_opts o;
	struct buf to, from;
	int rc;

	if (sub == NULL)
		return ERR_NOMEM;
	sub->pair = p;
	buf_init(&to, ADDRESS_URI_MAX);
	buf_init(&from, ADDRESS_URI_MAX);
	fill(&o, p, sub);
	ids_epid(epid, pair_contact(p));
	o.from_epid = epid;
	rc = uri_of(&to, pair_user(p));
	if (rc == 0)
		rc = uri_of(&from, pair_contact(p));
	if (rc == 0)
		rc = name_of(name, p);
	if (rc == 0) {
		o.uri = buf_cstr(&to);
		o.from_uri = buf_cstr(&from);
		o.from_display = name;
		rc = sip_subscriber_open(&sub->sip, p->presence->opts.ua, &o);
	}
	if (rc == 0) {
		p->sub = sub;
		p->presence->subs++;
	} else {
		free(sub);
	}
	buf_finish(&to);
	buf_finish(&from);
	return rc;
}

void
from_half_go(struct pair *p)
{
	struct happening h = { .e = { .kind = PAIR_ON_SIP_OVER } };
	int rc;

	if (p->refresh) {
		p->refresh = false;
		if (p->sub != NULL)
			(void)sip_subscriber_refresh(p->sub->sip);
		return;
	}
	rc = open_now(p);
	if (rc == 0)
		return;
	log_warn(&p->presence->log, "watch-not-opened",
	    "user=%s contact=%s error=%s", pair_user(p), pair_contact(p),
	    err_str(rc));
	/* An address that SIP cannot carry is nobody's at the pool. */
	if (rc == ERR_JID || rc == ERR_NOT_FOUND || rc == ERR_MALFORMED)
		h.e.status = 404;
	pair_run(p, &h);
}

void
from_half_drop(struct pair *p)
{
	from_queue_remove(p);
	p->refresh = false;
	if (p->sub == NULL)
		return;
	sip_subscriber_drop(p->sub->sip);
	let_go(p);
}

void
from_half_open(struct pair *p, bool first, bool plain)
{
	from_half_drop(p);
	pair_row_drop_sub(p);
	p->plain = plain;
	from_queue_put(p, first ? QUEUE_PROMPT : QUEUE_RENEWAL);
}

void
from_half_refresh(struct pair *p)
{
	if (p->sub == NULL || p->queue != QUEUE_NONE)
		return;
	p->refresh = true;
	from_queue_put(p, QUEUE_RENEWAL);
}

/* What she wrote, or what was written in its stead; the document that tells
 * which is with the pool. */
static bool
cut_status(struct pair *p)
{
	struct xmpp_presence x = { 0 };
	bool cut;
	int rc = from_half_current(&x, p);

	cut = rc == 0 && x.status != NULL;
	if (cut) {
		free(x.status);
		free(x.language);
		x.status = x.language = NULL;
		rc = keep(p, &x);
	}
	if (rc < 0)
		log_error(&p->presence->log, "event-lost",
		    "user=%s contact=%s error=%s", pair_user(p),
		    pair_contact(p), err_str(rc));
	xmpp_presence_finish(&x);
	return cut && rc == 0;
}

/* A note that may be told no more goes at once, though it takes the pool's
 * document to say what is left; one that may be told has to come from there. */
void
from_half_follow_policy(struct pair *p)
{
	struct happening h = { .e = { .kind = PAIR_ON_POLICY } };
	struct policy_presence may =
	    policy_judge_presence(p->presence->opts.policy, pair_user(p),
		pair_contact(p), p->partner->remote);

	if (may.may_watch && may.may_note == p->noteless) {
		if (!may.may_note)
			h.e.document = cut_status(p);
		p->noteless = !may.may_note;
		from_half_refresh(p);
	}
	pair_run(p, &h);
}

void
from_half_ask_for(struct presence *pr, uint32_t expires_s, bool now)
{
	LIST_FOREACH (it, &pr->all) {
		struct pair *p = list_entry(it, struct pair, all);

		if (p->sub == NULL)
			continue;
		sip_subscriber_ask_for(p->sub->sip, expires_s);
		if (now)
			from_half_refresh(p);
	}
}

void
from_half_end(struct pair *p)
{
	from_queue_remove(p);
	p->refresh = false;
	pair_row_drop_sub(p);
	if (p->sub == NULL)
		return;
	p->sub->pair = NULL;
	sip_subscriber_end(p->sub->sip);
	p->sub = NULL;
	p->presence->subs--;
}

int
from_half_restore(struct pair *p, uint64_t row, const void *image, size_t len)
{
	struct sip_subscriber_opts o;
	struct presence_sub *sub;
	int rc;

	if (p->sub != NULL)
		return ERR_EXISTS;
	sub = calloc(1, sizeof(*sub));
	if (sub == NULL)
		return ERR_NOMEM;
	sub->pair = p;
	p->plain = (p->state.flags & PAIR_PLAIN) != 0;
	fill(&o, p, sub);
	rc = sip_subscriber_restore(
	    &sub->sip, p->presence->opts.ua, &o, image, len);
	if (rc < 0) {
		free(sub);
		return rc;
	}
	p->sub = sub;
	p->sub_row = row;
	p->presence->subs++;
	return 0;
}

const struct sip_subscriber *
from_half_sip(const struct pair *p)
{
	return p->sub != NULL ? p->sub->sip : NULL;
}
