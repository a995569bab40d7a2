/* dialback_out - see the header. */
#include "edge-proxy/dialback_out.h"

#include <stdio.h>
#include <string.h>

#include "common/buf.h"
#include "common/err.h"
#include "common/xml.h"
#include "edge-proxy/dialback_key.h"
#include "edge-proxy/hosting.h"
#include "edge-proxy/xml_stream.h"

void
dialback_out_init(struct dialback_out *d, const struct hosting *hosting)
{
	memset(d, 0, sizeof(*d));
	d->hosting = hosting;
	list_init(&d->pairs);
	list_init(&d->asks);
	log_init(&d->log, "dialback");
}

void
dialback_out_header(struct dialback_out *d, const struct stream_header *h)
{
	d->offered = h->dialback;
	d->errors = false;
	d->id[0] = '\0';
	if (h->id != NULL && strlen(h->id) < sizeof(d->id))
		snprintf(d->id, sizeof(d->id), "%s", h->id);
}

void
dialback_out_features(struct dialback_out *d, const struct xml_elem *features)
{
	const struct xml_elem *f =
	    xml_child(features, XML_NS_DIALBACK_FEATURE, "dialback");

	if (f == NULL)
		return;
	d->offered = true;
	d->errors = xml_child(f, XML_NS_DIALBACK_FEATURE, "errors") != NULL;
}

/* --- asking -------------------------------------------------------------- */

static struct dialback_pair *
find_pair(struct dialback_out *d, const char *local, const char *remote)
{
	LIST_FOREACH (it, &d->pairs) {
		struct dialback_pair *p =
		    list_entry(it, struct dialback_pair, link);

		if (strcmp(p->local, local) == 0 &&
		    strcmp(p->remote, remote) == 0)
			return p;
	}
	return NULL;
}

int
dialback_out_request(
    struct dialback_out *d, struct dialback_pair *p, struct buf *out)
{
	const struct dialback_names names = { p->local, p->remote, NULL };
	const char *current, *previous;
	char key[DIALBACK_KEY_LEN + 1];
	int rc;

	if (find_pair(d, p->local, p->remote) != NULL)
		return ERR_EXISTS;
	if (d->id[0] == '\0' ||
	    !hosting_dialback(d->hosting, p->local, &current, &previous))
		return ERR_NOT_FOUND;
	rc = dialback_key_make(key, current, p->remote, p->local, d->id);
	if (rc < 0)
		return rc;
	dialback_xml_ask(out, false, &names, key);
	list_append(&d->pairs, &p->link);
	log_debug(&d->log, "dialback-requested", "local=%s remote=%s", p->local,
	    p->remote);
	return 0;
}

static void
leave(struct dialback_ask *a)
{
	struct dialback_out *d = a->carrier;

	list_remove(&a->link);
	a->carrier = NULL;
	a->on_cancel = NULL;
	d->ask_count--;
}

int
dialback_out_ask(
    struct dialback_out *d, struct dialback_ask *a, struct buf *out)
{
	const struct dialback_names names = { a->local_text, a->remote_text,
		a->id };

	if (d->ask_count == DIALBACK_OUT_ASKS_MAX)
		return ERR_FULL;
	dialback_xml_ask(out, true, &names, a->key);
	a->carrier = d;
	a->on_cancel = leave;
	list_append(&d->asks, &a->link);
	d->ask_count++;
	return 0;
}

/* --- answers ------------------------------------------------------------- */

/* XEP-0220 2.1.1 tells what senders get; that the domain is not there is told
 * as such (servers use both conditions for it). */
static void
settle_pair(struct dialback_out *d, struct dialback_pair *p,
    const struct dialback_elem *e)
{
	enum condition c = COND_REMOTE_SERVER_TIMEOUT;
	char reason[128];

	list_remove(&p->link);
	if (e->type == DIALBACK_VALID) {
		p->on_verdict(p, e->type, COND_UNDEFINED_CONDITION, "");
		return;
	}
	if (e->type == DIALBACK_INVALID) {
		c = COND_INTERNAL_SERVER_ERROR;
		snprintf(reason, sizeof(reason),
		    "partner calls our dialback key invalid");
	} else {
		if (e->condition == COND_ITEM_NOT_FOUND ||
		    e->condition == COND_NOT_ALLOWED)
			c = COND_REMOTE_SERVER_NOT_FOUND;
		snprintf(reason, sizeof(reason), "partner refused dialback: %s",
		    condition_str(e->condition));
	}
	log_warn(&d->log, "dialback-refused-by-partner",
	    "local=%s remote=%s reason=%s", p->local, p->remote, reason);
	p->on_verdict(p, e->type, c, reason);
}

static void
settle_ask(struct dialback_ask *a, const struct dialback_elem *e)
{
	leave(a);
	a->on_answer(a, e->type,
	    e->type == DIALBACK_ERROR ? COND_REMOTE_SERVER_NOT_FOUND
				      : COND_UNDEFINED_CONDITION);
}

static struct dialback_ask *
find_ask(struct dialback_out *d, const struct dialback_elem *e)
{
	LIST_FOREACH (it, &d->asks) {
		struct dialback_ask *a =
		    list_entry(it, struct dialback_ask, link);

		if (e->id[0] != '\0' && strcmp(a->local, e->to) == 0 &&
		    strcmp(a->remote, e->from) == 0 &&
		    strcmp(a->id, e->id) == 0)
			return a;
	}
	return NULL;
}

void
dialback_out_take(struct dialback_out *d, const struct xml_elem *xml)
{
	struct dialback_elem e;
	struct dialback_pair *p = NULL;
	struct dialback_ask *a = NULL;
	int rc = dialback_xml_read(&e, xml);
	bool answer =
	    rc == 0 && e.type >= DIALBACK_VALID && e.type <= DIALBACK_ERROR;

	if (answer && e.verify)
		a = find_ask(d, &e);
	else if (answer)
		p = find_pair(d, e.to, e.from);
	if (a != NULL)
		settle_ask(a, &e);
	else if (p != NULL)
		settle_pair(d, p, &e);
	else
		log_event(&d->log, d->unasked++ == 0 ? LOG_WARN : LOG_DEBUG,
		    "dialback-answer-unasked", "what=%s type=%s from=%s to=%s",
		    e.verify ? "verify" : "result", dialback_type_str(e.type),
		    e.from, e.to);
}

void
dialback_out_fail(
    struct dialback_out *d, enum condition condition, const char *reason)
{
	while (!list_empty(&d->asks)) {
		struct dialback_ask *a =
		    list_entry(d->asks.next, struct dialback_ask, link);

		leave(a);
		a->on_answer(a, DIALBACK_ERROR, condition);
	}
	while (!list_empty(&d->pairs)) {
		struct dialback_pair *p =
		    list_entry(d->pairs.next, struct dialback_pair, link);

		list_remove(&p->link);
		p->on_verdict(p, DIALBACK_ERROR, condition, reason);
	}
}
