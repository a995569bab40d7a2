/*
 * The most important resource decides what Lync sees; how it looks is one table
 * by <show/>.  PIDF for Lync says away and busy in the namespace of RPID's
 * draft, which is where Lync clients look.
 */
#include "frontend-gateway/translate/presence_build.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "common/buf.h"
#include "common/err.h"
#include "common/xml.h"
#include "common/xmpp_time.h"
#include "frontend-gateway/translate/resources.h"

#define NS_PIDF       "urn:ietf:params:xml:ns:pidf"
#define NS_RPID_DRAFT "urn:ietf:params:xml:ns:pidf:status:rpid-status"
#define NS_CIPID      "urn:ietf:params:xml:ns:pidf:cipid"
#define NS_CLIENT     "jabber:client"
#define NS_MSRTC      "http://schemas.microsoft.com/09/2002/sip/presence"

enum {
	SHORT_AWAY_MS = 15 * 60 * 1000,
	NUMBER_OFFLINE = 18500,
	NUMBER_DND = 9500,
	NUMBER_INACTIVE = 5000,
};

/* What a Lync user sees, by <show/>. */
struct look {
	const char *activity; /* PIDF; NULL = none */
	const char *token;    /* MSRTC; NULL = none */
	int number;
	int aggregate; /* of activity, MSRTC */
};

static const struct look looks[XMPP_SHOW_COUNT] = {
	[XMPP_SHOW_NONE] = { NULL, NULL, 3500, 400 },
	[XMPP_SHOW_CHAT] = { NULL, NULL, 3500, 400 },
	[XMPP_SHOW_AWAY] = { "away", NULL, 15500, 100 },
	/* 150 would read "out to lunch". */
	[XMPP_SHOW_XA] = { "away", NULL, 15500, 100 },
	[XMPP_SHOW_DND] = { "busy", NULL, 6500, 600 },
};

struct presence_build_rules
presence_build_default(void)
{
	return (struct presence_build_rules){ .standard = true, .notes = true };
}

static struct look
look_of(const struct resource *r, uint64_t now,
    const struct presence_build_rules *rules)
{
	struct look look = { NULL, NULL, NUMBER_OFFLINE, 0 };

	if (r == NULL)
		return look;
	look = looks[r->show];
	if (r->show == XMPP_SHOW_DND && rules->dnd_is_do_not_disturb)
		look.number = NUMBER_DND;
	if (r->show == XMPP_SHOW_XA && rules->xa_is_off_work)
		look.token = "off-work";
	if (r->show == XMPP_SHOW_AWAY && rules->short_away_is_inactive &&
	    r->idle_since != 0 && r->idle_since <= now &&
	    now - r->idle_since < SHORT_AWAY_MS) {
		look.number = NUMBER_INACTIVE;
		look.aggregate = 250;
	}
	return look;
}

int
presence_build_number(const struct resources *r, uint64_t now,
    const struct presence_build_rules *rules)
{
	return look_of(r != NULL ? resources_best(r) : NULL, now, rules).number;
}

int
presence_build_priority(int priority)
{
	return 1000 * priority / 127;
}

/* --- choice of a format -------------------------------------------------- */

/* The next media range of an Accept field: its type without parameters, and
 * whether q makes it unacceptable.  False at the end. */
static bool
next_range(const char **at, char *type, size_t size, bool *refused)
{
	const char *s = *at + strspn(*at, " \t,"), *q;
	size_t whole = strcspn(s, ","), len = strcspn(s, ",; \t");

	if (*s == '\0')
		return false;
	*at = s + whole;
	snprintf(type, size, "%.*s", (int)(len < size ? len : size - 1), s);
	*refused = false;
	for (q = s + len; q < s + whole; q++)
		if (*q == ';') {
			q += 1 + strspn(q + 1, " \t");
			if (strncasecmp(q, "q=0", 3) == 0 &&
			    strspn(q + 3, ".0") == strcspn(q + 3, ",; \t"))
				*refused = true;
			q--;
		}
	return true;
}

enum presence_format
presence_build_choose(
    const char *accept, const struct presence_build_rules *rules)
{
	static const char microsoft[] = "application/msrtc-";
	bool pidf = false, msrtc = false, lync = false, refused;
	char type[80];

	if (accept == NULL || accept[strspn(accept, " \t,")] == '\0')
		return PRESENCE_FORMAT_PIDF;
	while (next_range(&accept, type, sizeof(type), &refused)) {
		if (refused)
			continue;
		if (strcasecmp(type, "application/pidf+xml") == 0 ||
		    strcasecmp(type, "application/*") == 0 ||
		    strcmp(type, "*/*") == 0)
			pidf = true;
		else if (strcasecmp(type, "text/xml+msrtc.pidf") == 0)
			msrtc = lync = true;
		else if (strncasecmp(type, microsoft, strlen(microsoft)) == 0)
			lync = true;
	}
	if (msrtc && (rules->msrtc || !pidf))
		return PRESENCE_FORMAT_MSRTC;
	if (lync)
		return PRESENCE_FORMAT_PIDF;
	if (!pidf)
		return PRESENCE_FORMAT_NONE;
	return rules->standard ? PRESENCE_FORMAT_STANDARD
			       : PRESENCE_FORMAT_PIDF;
}

const char *
presence_build_type(enum presence_format format)
{
	switch (format) {
	case PRESENCE_FORMAT_PIDF:
	case PRESENCE_FORMAT_STANDARD:
		return "application/pidf+xml";
	case PRESENCE_FORMAT_MSRTC:
		return "text/xml+msrtc.pidf";
	case PRESENCE_FORMAT_NONE:
		break;
	}
	return NULL;
}

/* --- pieces -------------------------------------------------------------- */

static void
put_attr(struct buf *out, const char *name, const char *value)
{
	buf_addf(out, " %s='", name);
	xml_escape_attr(out, value, strlen(value));
	buf_add_char(out, '\'');
}

static void
put_text(struct buf *out, const char *s)
{
	xml_escape_text(out, s, strlen(s));
}

/* The element with what the contact wrote, or with our words for chat. */
static void
put_note(struct buf *out, const struct resource *r,
    const struct presence_build_rules *rules)
{
	const char *text = NULL, *language = NULL;

	if (r == NULL)
		return;
	if (rules->notes && r->status != NULL) {
		text = r->status;
		language = r->language;
	} else if (r->show == XMPP_SHOW_CHAT && rules->chat_text) {
		text = "Free to chat";
		language = "en";
	}
	if (text == NULL)
		return;
	buf_add_str(out, "<note");
	if (language != NULL)
		put_attr(out, "xml:lang", language);
	buf_add_char(out, '>');
	put_text(out, text);
	buf_add_str(out, "</note>");
}

static void
put_activity(struct buf *out, const char *activity)
{
	if (activity != NULL)
		buf_addf(out,
		    "<ep:activities><ep:activity>%s</ep:activity>"
		    "</ep:activities>",
		    activity);
}

static void
begin_pidf(struct buf *out, const char *entity)
{
	buf_add_str(out,
	    "<?xml version='1.0' encoding='UTF-8'?>\r\n"
	    "<presence xmlns='" NS_PIDF "' xmlns:ep='" NS_RPID_DRAFT
	    "' xmlns:ci='" NS_CIPID "'");
	put_attr(out, "entity", entity);
	buf_add_char(out, '>');
}

static void
end_pidf(struct buf *out, const char *name)
{
	if (name != NULL && name[0] != '\0') {
		buf_add_str(out, "<ci:display-name>");
		put_text(out, name);
		buf_add_str(out, "</ci:display-name>");
	}
	buf_add_str(out, "</presence>\r\n");
}

/* --- the three forms ----------------------------------------------------- */

static void
build_pidf(struct buf *out, const struct presence_build *in,
    const struct resource *best, const struct presence_build_rules *rules)
{
	struct look look = look_of(best, in->now, rules);

	begin_pidf(out, in->entity);
	buf_addf(out, "<tuple id='0'><status><basic>%s</basic>",
	    best != NULL ? "open" : "closed");
	put_activity(out, look.activity);
	buf_add_str(out, "</status>");
	put_note(out, best, rules);
	buf_add_str(out, "</tuple>");
	end_pidf(out, in->name);
}

/* An xs:ID that is another one for each resource: letters, digits, dots and
 * hyphens as they are, other bytes (and the escape itself) in hexadecimal. */
static void
put_id(struct buf *out, const char *resource)
{
	buf_add_str(out, "ID-");
	for (const unsigned char *s = (const void *)resource; *s != '\0'; s++)
		if ((*s >= '0' && *s <= '9') || (*s >= 'a' && *s <= 'z') ||
		    (*s >= 'A' && *s <= 'Z') || *s == '.' || *s == '-')
			buf_add_char(out, (char)*s);
		else
			buf_addf(out, "_%02x", *s);
}

static void
put_tuple(struct buf *out, const char *entity, const struct resource *r,
    const struct presence_build_rules *rules)
{
	const char *show = xmpp_presence_show_str(r->show);
	int priority = presence_build_priority(r->priority);

	buf_add_str(out, "<tuple id='");
	put_id(out, r->name);
	buf_add_str(out, "'><status><basic>open</basic>");
	put_activity(out, looks[r->show].activity);
	if (show != NULL)
		buf_addf(out, "<show xmlns='" NS_CLIENT "'>%s</show>", show);
	buf_add_str(out, "</status>");
	/* A negative priority has no counterpart; without one it is 0. */
	if (r->priority > 0) {
		buf_addf(out, "<contact priority='%d", priority / 1000);
		if (priority % 1000 != 0)
			buf_addf(out, ".%03d", priority % 1000);
		buf_add_str(out, "'>");
		put_text(out, entity);
		buf_add_str(out, "</contact>");
	} else if (r->priority == 0) {
		buf_add_str(out, "<contact priority='0'>");
		put_text(out, entity);
		buf_add_str(out, "</contact>");
	}
	put_note(out, r, rules);
	if (r->at != 0) {
		char stamp[XMPP_TIME_SIZE];

		xmpp_time_format(stamp, r->at);
		buf_addf(out, "<timestamp>%s</timestamp>", stamp);
	}
	buf_add_str(out, "</tuple>");
}

static void
build_standard(struct buf *out, const struct presence_build *in,
    const struct resource *best, const struct presence_build_rules *rules)
{
	begin_pidf(out, in->entity);
	for (const struct resource *r = best; r != NULL; r = r->next)
		put_tuple(out, in->entity, r, rules);
	if (best == NULL)
		buf_add_str(out,
		    "<tuple id='ID-'><status><basic>closed</basic></status>"
		    "</tuple>");
	end_pidf(out, in->name);
}

static void
build_msrtc(struct buf *out, const struct presence_build *in,
    const struct resource *best, const struct presence_build_rules *rules)
{
	struct look look = look_of(best, in->now, rules);
	const char *uri = in->entity;

	/* The document names the address alone. */
	if (strncmp(uri, "sip:", 4) == 0)
		uri += 4;
	buf_add_str(out, "<?xml version='1.0' encoding='UTF-8'?>\r\n"
			 "<presentity xmlns='" NS_MSRTC "'");
	put_attr(out, "uri", uri);
	buf_addf(out,
	    "><availability aggregate='%d'/><activity aggregate='%d'/>",
	    best != NULL ? 300 : 0, look.aggregate);
	if (in->name != NULL && in->name[0] != '\0') {
		buf_add_str(out, "<displayName");
		put_attr(out, "displayName", in->name);
		buf_add_str(out, "/>");
	}
	buf_addf(out, "<userInfo><states><state avail='%d'>%s</state></states>",
	    look.number, look.token != NULL ? look.token : "");
	put_note(out, best, rules);
	buf_add_str(out, "</userInfo></presentity>\r\n");
}

int
presence_build_document(struct buf *out, enum presence_format format,
    const struct presence_build *in, const struct presence_build_rules *rules)
{
	const struct resource *best =
	    in->resources != NULL ? resources_best(in->resources) : NULL;
	size_t before = out->len;

	switch (format) {
	case PRESENCE_FORMAT_PIDF:
		build_pidf(out, in, best, rules);
		break;
	case PRESENCE_FORMAT_STANDARD:
		build_standard(out, in, best, rules);
		break;
	case PRESENCE_FORMAT_MSRTC:
		build_msrtc(out, in, best, rules);
		break;
	case PRESENCE_FORMAT_NONE:
		return ERR_UNSUPPORTED;
	}
	if (!buf_failed(out))
		return 0;
	out->len = before;
	return ERR_FULL;
}
