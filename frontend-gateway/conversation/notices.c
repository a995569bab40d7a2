/*
 *   first failure ── line ──► pause ── 10 s ──► over
 *                               │  more failed: their number ──► pause again
 *
 * A notification under way keeps its line, and is followed by it when the
 * endpoint does not answer 2xx: better told twice than not at all.
 */
#include "frontend-gateway/conversation/notices.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/buf.h"
#include "common/clock.h"
#include "common/err.h"
#include "common/list.h"
#include "common/log.h"
#include "common/map.h"
#include "common/utf8.h"
#include "common/xml.h"
#include "frontend-gateway/sip/sip_build.h"
#include "frontend-gateway/sip/sip_ua.h"
#include "frontend-gateway/translate/errors.h"

enum { LINE_SIZE = 512, IMDN_MAX = 8192 };

/* A pair that was told a moment ago. */
struct pause {
	struct notices *ns;
	struct map_node node;
	struct clock_timer timer;
	unsigned long more; /* failed since */
	const char *user, *contact;
	size_t key_len;
	char key[]; /* both, with their NULs */
};

/* A notification under way. */
struct report {
	struct notices *ns;
	struct list link;
	struct sip_ua_call *call;
	const char *user, *contact, *line;
	char texts[];
};

struct notices {
	struct notices_opts opts;
	struct map pauses;
	struct list reports;
	uint64_t count;
	struct log log;
};

/* --- lines in the chat ---------------------------------------------------- */

void
notices_quote(char out[static NOTICES_QUOTE_SIZE], const char *text, size_t len)
{
	size_t to = 0, count = 0, i = 0, n;
	bool blank = false;
	uint32_t cp;

	for (; i < len; i += n) {
		n = utf8_decode((const uint8_t *)text + i, len - i, &cp);
		if (n == 0)
			break;
		if (cp <= ' ') {
			blank = to > 0;
			continue;
		}
		if (count + (blank ? 1 : 0) >= NOTICES_QUOTE_CHARACTERS) {
			memcpy(out + to, "\xe2\x80\xa6", 3);
			to += 3;
			break;
		}
		if (blank) {
			out[to++] = ' ';
			count++;
		}
		blank = false;
		memcpy(out + to, text + i, n);
		to += n;
		count++;
	}
	out[to] = '\0';
}

static void
put_line(char out[static LINE_SIZE], const struct notice *n)
{
	snprintf(out, LINE_SIZE, "[Not delivered: \"%s\". %s.]", n->quote,
	    n->error->reason);
}

static void
drop_pause(struct pause *p)
{
	clock_timer_stop(&p->timer);
	map_remove(&p->ns->pauses, &p->node);
	free(p);
}

static void
on_pause_over(struct clock_timer *t, void *arg)
{
	struct pause *p = arg;
	struct notices *ns = p->ns;
	char line[LINE_SIZE];

	(void)t;
	if (p->more == 0) {
		drop_pause(p);
		return;
	}
	snprintf(line, sizeof(line),
	    p->more == 1 ? "[%lu more message could not be delivered.]"
			 : "[%lu more messages could not be delivered.]",
	    p->more);
	p->more = 0;
	clock_timer_start(&p->timer, NOTICES_PAUSE_MS);
	ns->opts.on_line(p->user, p->contact, line, ns->opts.arg);
}

/* Begins the pair's pause; NULL for want of memory. */
static struct pause *
new_pause(struct notices *ns, const char *user, const char *contact)
{
	size_t ulen = strlen(user) + 1, clen = strlen(contact) + 1;
	struct pause *p = malloc(sizeof(*p) + ulen + clen);

	if (p == NULL)
		return NULL;
	memset(p, 0, sizeof(*p));
	p->ns = ns;
	p->key_len = ulen + clen;
	p->user = memcpy(p->key, user, ulen);
	p->contact = memcpy(p->key + ulen, contact, clen);
	if (map_put(&ns->pauses, &p->node, p->key, p->key_len) < 0) {
		free(p);
		return NULL;
	}
	clock_timer_init(&p->timer, ns->opts.clock, on_pause_over, p);
	clock_timer_start(&p->timer, NOTICES_PAUSE_MS);
	return p;
}

static struct pause *
find_pause(const struct notices *ns, const char *user, const char *contact)
{
	char key[2 * (3071 + 1)];
	size_t ulen = strlen(user) + 1, clen = strlen(contact) + 1;
	struct map_node *n;

	if (ulen + clen > sizeof(key))
		return NULL;
	memcpy(key, user, ulen);
	memcpy(key + ulen, contact, clen);
	n = map_get(&ns->pauses, key, ulen + clen);
	return n == NULL ? NULL : map_entry(n, struct pause, node);
}

/* The line goes at once, or is counted. */
static void
say(struct notices *ns, const char *user, const char *contact, const char *line)
{
	struct pause *p = find_pause(ns, user, contact);

	if (p != NULL) {
		p->more++;
		return;
	}
	/* Without memory for a pause there is none. */
	(void)new_pause(ns, user, contact);
	ns->opts.on_line(user, contact, line, ns->opts.arg);
}

/* --- notifications ---------------------------------------------------------- */

/* The body, as the IM MCU writes it. */
static int
write_imdn(struct buf *out, const struct notice *n, const char *fqdn)
{
	struct buf uri = { 0 }, diagnostics = { 0 };

	buf_addf(&uri, "<%s>", n->contact_uri);
	sip_build_diagnostics(
	    &diagnostics, n->error->diagnostics, n->error->reason, fqdn);
	buf_add_str(out,
	    "<?xml version=\"1.0\" encoding=\"utf-8\"?>"
	    "<imdn xmlns=\"http://schemas.microsoft.com/rtc/2005/08/imdn\">");
	buf_addf(out, "<message-id>%u</message-id><recipient uri=\"",
	    (unsigned)n->message_id);
	xml_escape_attr(out, (const char *)uri.data, uri.len);
	buf_addf(out,
	    "\"><status>%d</status><entry><key>ms-diagnostics</key><value>",
	    n->error->status);
	xml_escape_text(out, (const char *)diagnostics.data, diagnostics.len);
	buf_add_str(out, "</value></entry></recipient></imdn>");
	buf_finish(&uri);
	buf_finish(&diagnostics);
	return buf_failed(out) ? ERR_NOMEM : 0;
}

static void
on_reported(struct sip_ua *ua, struct sip_ua_call *call,
    const struct sip_result *r, void *arg)
{
	struct report *p = arg;
	struct notices *ns = p->ns;

	(void)ua;
	(void)call;
	if (!r->final)
		return;
	list_remove(&p->link);
	if (r->status >= 300) {
		log_info(&ns->log, "notification-refused",
		    "user=%s contact=%s status=%d", p->user, p->contact,
		    r->status);
		say(ns, p->user, p->contact, p->line);
	}
	free(p);
}

static char *
put(char **at, const char *s)
{
	char *to = *at;

	*at += strlen(s) + 1;
	return memcpy(to, s, strlen(s) + 1);
}

static struct report *
new_report(struct notices *ns, const struct notice *n, const char *line)
{
	struct report *p = malloc(sizeof(*p) + strlen(n->user) +
				  strlen(n->contact) + strlen(line) + 3);
	char *at;

	if (p == NULL)
		return NULL;
	memset(p, 0, sizeof(*p));
	at = p->texts;
	p->ns = ns;
	p->user = put(&at, n->user);
	p->contact = put(&at, n->contact);
	p->line = put(&at, line);
	list_append(&ns->reports, &p->link);
	return p;
}

/* The MCU's notification belongs to no subscription, and so names no event. */
static int
report(struct notices *ns, const struct notice *n, const char *line)
{
	struct sip_question q = {
		.method = SIP_NOTIFY,
		.content_type = NOTICES_IMDN_TYPE,
		.on_result = on_reported,
	};
	struct report *p;
	struct buf body;
	int rc;

	buf_init(&body, IMDN_MAX);
	rc = write_imdn(&body, n, ns->opts.conf->sip.fqdn);
	p = rc == 0 ? new_report(ns, n, line) : NULL;
	if (p == NULL) {
		buf_finish(&body);
		return ERR_NOMEM;
	}
	q.body = body.data;
	q.body_len = body.len;
	q.arg = p;
	rc = sip_ua_ask_in(&p->call, ns->opts.ua, n->dialog, &q);
	if (rc < 0) {
		list_remove(&p->link);
		free(p);
	}
	buf_finish(&body);
	return rc;
}

/* --- both ----------------------------------------------------------------- */

void
notices_tell(struct notices *ns, const struct notice *n)
{
	enum gateway_notices form = ns->opts.conf->notices;
	char line[LINE_SIZE];
	int rc;

	if (form == GATEWAY_NOTICES_OFF)
		return;
	ns->count++;
	put_line(line, n);
	if (form == GATEWAY_NOTICES_IMDN && n->dialog != NULL &&
	    n->message_id != 0) {
		rc = report(ns, n, line);
		if (rc == 0)
			return;
		log_info(&ns->log, "notification-not-sent",
		    "user=%s contact=%s error=%s", n->user, n->contact,
		    err_str(rc));
	}
	say(ns, n->user, n->contact, line);
}

uint64_t
notices_count(const struct notices *ns)
{
	return ns->count;
}

int
notices_new(struct notices **out, const struct notices_opts *opts)
{
	struct notices *ns = calloc(1, sizeof(*ns));

	if (ns == NULL)
		return ERR_NOMEM;
	ns->opts = *opts;
	log_init(&ns->log, "notices");
	list_init(&ns->reports);
	if (map_init(&ns->pauses) < 0) {
		free(ns);
		return ERR_NOMEM;
	}
	*out = ns;
	return 0;
}

static void
on_each_drop(struct map_node *n, void *arg)
{
	(void)arg;
	drop_pause(map_entry(n, struct pause, node));
}

void
notices_free(struct notices *ns)
{
	if (ns == NULL)
		return;
	LIST_FOREACH_SAFE (it, &ns->reports) {
		struct report *p = list_entry(it, struct report, link);

		list_remove(&p->link);
		sip_ua_drop(ns->opts.ua, p->call);
		free(p);
	}
	map_each(&ns->pauses, on_each_drop, NULL);
	map_finish(&ns->pauses);
	free(ns);
}
