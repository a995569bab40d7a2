/*
 * expat walks the document once; each element is known by its local name and
 * its place: what counts is the name and the parent's, except for a few that
 * mean the same wherever they stand.
 *
 * The encoding: text that is UTF-8 is read as such, whatever is declared.
 * Otherwise a byte order mark, or a NUL among the first two bytes, says
 * UTF-16; what is left is as declared.
 *
 * PIDF: a tuple is gathered apart and compared when it ends, so that of several
 * devices the most available one is told.  What a person element says holds
 * for all of them.
 */
#include "frontend-gateway/translate/presence_document.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include <expat.h>

#include "common/buf.h"
#include "common/err.h"
#include "common/jid.h"
#include "common/utf8.h"
#include "common/xmpp_time.h"
#include "frontend-gateway/translate/activity.h"
#include "frontend-gateway/translate/presence_text.h"

#define COUNT(a) (sizeof(a) / sizeof(*(a)))

enum {
	OFFLINE = 18000,   /* state numbers from here on */
	TEXT_LIMIT = 16384 /* bytes of one text that are looked at */
};

enum element {
	EL_OTHER,
	/* MSRTC */
	EL_PRESENTITY,
	EL_AVAILABILITY,
	EL_ACTIVITY,
	EL_DISPLAY_NAME_MS,
	EL_USER_INFO,
	EL_DEVICE,
	EL_STATES,
	EL_STATE,
	EL_OOF,
	EL_CUSTOM,
	EL_LEGACY,
	/* PIDF */
	EL_PRESENCE,
	EL_TUPLE,
	EL_STATUS,
	EL_BASIC,
	EL_SHOW,
	EL_ACTIVITIES,
	EL_CONTACT,
	EL_PERSON,
	EL_USER_INPUT,
	EL_DISPLAY_NAME,
	/* both */
	EL_NOTE
};

static const struct {
	const char *name;
	enum element element;
} names[] = {
	{ "presentity", EL_PRESENTITY },
	{ "availability", EL_AVAILABILITY },
	{ "activity", EL_ACTIVITY },
	{ "displayName", EL_DISPLAY_NAME_MS },
	{ "userInfo", EL_USER_INFO },
	{ "devicePresence", EL_DEVICE },
	{ "states", EL_STATES },
	{ "state", EL_STATE },
	{ "oof", EL_OOF },
	{ "custom", EL_CUSTOM },
	{ "legacyInterop", EL_LEGACY },
	{ "presence", EL_PRESENCE },
	{ "tuple", EL_TUPLE },
	{ "status", EL_STATUS },
	{ "basic", EL_BASIC },
	{ "show", EL_SHOW },
	{ "activities", EL_ACTIVITIES },
	{ "contact", EL_CONTACT },
	{ "person", EL_PERSON },
	{ "user-input", EL_USER_INPUT },
	{ "display-name", EL_DISPLAY_NAME },
	{ "note", EL_NOTE },
};

typedef char token_text[PRESENCE_DOCUMENT_TOKEN_SIZE];

/* A tuple of PIDF, or its person. */
struct part {
	enum lync_basic basic;
	int priority;
	token_text token;
	struct lync_text note;
	bool note_oof;
};

struct level {
	enum element element;
	char language[XMPP_PRESENCE_LANGUAGE_SIZE];
};

struct reader {
	struct lync_presence *out;
	XML_Parser parser;
	int error;
	unsigned depth, elements;
	struct level levels[PRESENCE_DOCUMENT_DEPTH];

	/* Text is gathered for the element at that depth, whatever is in it;
	 * 0 = for none. */
	unsigned text_depth;
	struct buf text;

	/* MSRTC */
	int user_number, device_number;
	token_text user_token, device_token;
	int state; /* number of the state in hand */
	bool in_device;

	/* PIDF */
	struct part tuple, best, person;
	bool in_tuple, in_person, any_tuple;
	struct lync_text note; /* of the document */
	bool note_oof;
	bool oof_in_hand; /* the note in hand is for out of office */
};

/* --- values ------------------------------------------------------------- */

static void
stop(struct reader *r, int rc)
{
	if (r->error == 0)
		r->error = rc;
	XML_StopParser(r->parser, XML_FALSE);
}

static const char *
local_name(const char *name)
{
	const char *colon = strrchr(name, ':');

	return colon != NULL ? colon + 1 : name;
}

/* The attribute of that local name, or NULL. */
static const char *
attribute(const char **attrs, const char *name)
{
	for (; attrs[0] != NULL; attrs += 2)
		if (strcmp(local_name(attrs[0]), name) == 0)
			return attrs[1];
	return NULL;
}

static bool
is_space(char c)
{
	return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

/* s without white space around it; *len is adjusted. */
static const char *
trim(const char *s, size_t *len)
{
	while (*len > 0 && is_space(s[0])) {
		s++;
		(*len)--;
	}
	while (*len > 0 && is_space(s[*len - 1]))
		(*len)--;
	return s;
}

/* A whole number of at most max, or -1. */
static int
number(const char *s, int max)
{
	size_t len = s != NULL ? strlen(s) : 0;
	int v = 0;

	s = s != NULL ? trim(s, &len) : s;
	if (len == 0 || len > 9)
		return -1;
	for (size_t i = 0; i < len; i++) {
		if (s[i] < '0' || s[i] > '9')
			return -1;
		v = v * 10 + (s[i] - '0');
	}
	return v <= max ? v : -1;
}

/* Thousandths of "0.5", "1", ".25"; -1 when it is no priority (RFC 3863
 * 4.1.5: 0 to 1, up to three digits). */
static int
thousandths(const char *s)
{
	size_t len = s != NULL ? strlen(s) : 0, i = 0;
	int v = 0, scale = 100;
	bool any = false;

	s = s != NULL ? trim(s, &len) : s;
	if (len > 9)
		return -1;
	for (; i < len && s[i] >= '0' && s[i] <= '9'; i++, any = true)
		v = v * 10 + (s[i] - '0');
	if (v > 1)
		return -1;
	v *= 1000;
	if (i < len && s[i] == '.')
		for (i++; i < len && s[i] >= '0' && s[i] <= '9';
		     i++, scale /= 10, any = true)
			v += (s[i] - '0') * scale;
	return any && i == len && v <= 1000 ? v : -1;
}

static void
set_token(token_text out, const char *s, size_t len)
{
	s = trim(s, &len);
	out[0] = '\0';
	if (len == 0 || len >= sizeof(token_text))
		return;
	for (size_t i = 0; i < len; i++)
		if ((unsigned char)s[i] <= ' ' || (unsigned char)s[i] > '~')
			return;
	memcpy(out, s, len);
	out[len] = '\0';
}

static void
set_text(struct lync_text *out, const struct reader *r, const char *language)
{
	presence_text_clean(out->text, (const char *)r->text.data, r->text.len);
	presence_text_language(out->language, language, strlen(language));
}

/* The latest one counts: any device will do. */
static void
note_active(struct reader *r, const char *stamp)
{
	uint64_t ms;

	if (stamp != NULL && xmpp_time_parse(&ms, stamp) &&
	    ms > r->out->last_active)
		r->out->last_active = ms;
}

static void
set_name(struct reader *r, const char *name, size_t len)
{
	struct buf b = { 0 };

	if (r->out->name[0] != '\0' || len == 0)
		return;
	if (address_display(&b, name, len) < 0)
		stop(r, ERR_NOMEM);
	else if (b.len < sizeof(r->out->name) && b.len > 0)
		memcpy(r->out->name, b.data, b.len);
	buf_finish(&b);
}

static enum element
parent_of(const struct reader *r, unsigned up)
{
	return r->depth > up ? r->levels[r->depth - 1 - up].element : EL_OTHER;
}

/* --- PIDF --------------------------------------------------------------- */

/* Of several activities of one device the one that says most. */
static unsigned
weight(const char *token)
{
	static const unsigned char weights[XMPP_SHOW_COUNT] = {
		[XMPP_SHOW_AWAY] = 2,
		[XMPP_SHOW_XA] = 3,
		[XMPP_SHOW_DND] = 4,
	};
	const struct activity *a = activity_find(token);

	if (token[0] == '\0')
		return 0;
	return a != NULL && weights[a->show] != 0 ? weights[a->show] : 1;
}

/* How available a device is; the highest stands for the person. */
static unsigned
openness(const struct part *p)
{
	static const unsigned char ranks[XMPP_SHOW_COUNT] = {
		[XMPP_SHOW_NONE] = 6,
		[XMPP_SHOW_CHAT] = 6,
		[XMPP_SHOW_DND] = 5,
		[XMPP_SHOW_AWAY] = 4,
		[XMPP_SHOW_XA] = 3,
	};
	const struct activity *a = activity_find(p->token);

	if (p->basic == LYNC_BASIC_OPEN)
		return ranks[a != NULL ? a->show : XMPP_SHOW_NONE];
	return p->basic == LYNC_BASIC_CLOSED ? 2 : 1;
}

static void
add_activity(struct reader *r, const char *name, size_t len)
{
	struct part *p = r->in_tuple ? &r->tuple : &r->person;
	token_text token;

	if (!r->in_tuple && !r->in_person)
		return;
	set_token(token, name, len);
	if (weight(token) > weight(p->token))
		memcpy(p->token, token, sizeof(token));
}

static void
begin_tuple(struct reader *r)
{
	memset(&r->tuple, 0, sizeof(r->tuple));
	r->tuple.priority = -1;
	r->in_tuple = true;
}

static void
end_tuple(struct reader *r)
{
	struct part *t = &r->tuple;
	unsigned mine, theirs = openness(&r->best);

	r->in_tuple = false;
	/* Somebody who does something is there. */
	if (t->basic == LYNC_BASIC_NONE && t->token[0] != '\0')
		t->basic = LYNC_BASIC_OPEN;
	mine = openness(t);
	if (!r->any_tuple || mine > theirs ||
	    (mine == theirs && t->priority > r->best.priority))
		r->best = *t;
	r->any_tuple = true;
}

static void
end_note(struct reader *r, const char *language)
{
	struct lync_text *note = &r->note;
	bool *oof = &r->note_oof;

	if (r->in_tuple) {
		note = &r->tuple.note;
		oof = &r->tuple.note_oof;
	} else if (r->in_person) {
		note = &r->person.note;
		oof = &r->person.note_oof;
	}
	/* The first one; an out-of-office note goes before any other. */
	if (note->text[0] == '\0' || (r->oof_in_hand && !*oof)) {
		set_text(note, r, language);
		*oof = r->oof_in_hand && note->text[0] != '\0';
	}
}

static void
end_basic(struct reader *r)
{
	size_t len = r->text.len;
	const char *s = trim((const char *)r->text.data, &len);

	if (!r->in_tuple)
		return;
	if (len == 4 && memcmp(s, "open", 4) == 0)
		r->tuple.basic = LYNC_BASIC_OPEN;
	else if (len == 6 && memcmp(s, "closed", 6) == 0)
		r->tuple.basic = LYNC_BASIC_CLOSED;
}

/* --- MSRTC -------------------------------------------------------------- */

/* A device that is off says nothing about the person: another may be on. */
static void
take_number(struct reader *r, int v, const char *token, size_t len)
{
	int *highest = r->in_device ? &r->device_number : &r->user_number;
	char *kept = r->in_device ? r->device_token : r->user_token;
	token_text t;

	set_token(t, token, len);
	if (v < 0 || (r->in_device && v >= OFFLINE))
		return;
	if (v > *highest || (v == *highest && kept[0] == '\0')) {
		*highest = v;
		memcpy(kept, t, sizeof(t));
	}
}

static void
begin_state(struct reader *r, const char **attrs)
{
	const char *nil = attribute(attrs, "nil");
	int v = number(attribute(attrs, "avail"), 999999999);

	r->state = nil != NULL && strcmp(nil, "true") == 0 ? -1 : v;
	r->text_depth = r->depth;
}

static void
take_custom(struct reader *r, const char **attrs)
{
	const char *lcid = attribute(attrs, "LCID");
	int v = number(lcid, 65535);
	const char *tag = v >= 0 ? presence_text_lcid((unsigned long)v) : NULL;
	struct level *here = &r->levels[r->depth - 1];

	if (tag != NULL)
		presence_text_language(here->language, tag, strlen(tag));
	r->text_depth = r->depth;
}

/* --- the walk ----------------------------------------------------------- */

static void
begin_root(struct reader *r, enum element e, const char **attrs)
{
	const char *uri;
	size_t len;

	if (e != EL_PRESENTITY && e != EL_PRESENCE) {
		stop(r, ERR_UNSUPPORTED);
		return;
	}
	r->out->pidf = e == EL_PRESENCE;
	uri = attribute(attrs, r->out->pidf ? "entity" : "uri");
	len = uri != NULL ? strlen(uri) : 0;
	if (len >= sizeof(r->out->entity))
		stop(r, ERR_TOO_LONG);
	else if (len > 0)
		memcpy(r->out->entity, uri, len);
}

static void
begin_msrtc(struct reader *r, enum element e, const char **attrs)
{
	const char *s;

	if (e == EL_AVAILABILITY)
		r->out->availability =
		    number(attribute(attrs, "aggregate"), 999);
	else if (e == EL_ACTIVITY && parent_of(r, 1) == EL_PRESENTITY)
		r->out->activity = number(attribute(attrs, "aggregate"), 999);
	else if (e == EL_DISPLAY_NAME_MS &&
		 (s = attribute(attrs, "displayName")) != NULL)
		set_name(r, s, strlen(s));
	else if (e == EL_DEVICE)
		r->in_device = true;
	else if (e == EL_STATE && parent_of(r, 1) == EL_STATES) {
		begin_state(r, attrs);
	} else if (e == EL_OOF && parent_of(r, 1) == EL_USER_INFO)
		r->out->oof = true;
	else if (e == EL_LEGACY) {
		s = attribute(attrs, "token");
		take_number(r,
		    number(attribute(attrs, "availability"), 999999999),
		    s != NULL ? s : "", s != NULL ? strlen(s) : 0);
	} else if (e == EL_CUSTOM && parent_of(r, 1) == EL_ACTIVITY)
		take_custom(r, attrs);
}

static void
begin_pidf(
    struct reader *r, enum element e, const char *name, const char **attrs)
{
	if (parent_of(r, 1) == EL_ACTIVITIES && e != EL_ACTIVITY &&
	    e != EL_NOTE)
		add_activity(r, name, strlen(name)); /* RFC 4480's way */
	if (e == EL_TUPLE)
		begin_tuple(r);
	else if (e == EL_PERSON)
		r->in_person = true;
	else if (e == EL_CONTACT && r->in_tuple)
		r->tuple.priority = thousandths(attribute(attrs, "priority"));
	else if (e == EL_USER_INPUT)
		note_active(r, attribute(attrs, "last-input"));
	if (e == EL_BASIC || e == EL_ACTIVITY || e == EL_SHOW ||
	    e == EL_DISPLAY_NAME)
		r->text_depth = r->depth;
}

static void
begin_note(struct reader *r, const char **attrs)
{
	const char *type = attribute(attrs, "type");

	/* RPID's activities may be annotated: that is not the person's note. */
	if (parent_of(r, 1) == EL_ACTIVITIES)
		return;
	r->oof_in_hand = type != NULL && strcmp(type, "OOF") == 0;
	r->text_depth = r->depth;
}

/* The element's place on the way down, with the language in force there. */
static void
push(struct reader *r, enum element e, const char **attrs)
{
	const char *language = attribute(attrs, "lang");
	struct level *here = &r->levels[r->depth++];

	here->element = e;
	here->language[0] = '\0';
	if (r->depth > 1)
		memcpy(
		    here->language, here[-1].language, sizeof(here->language));
	if (language != NULL)
		presence_text_language(
		    here->language, language, strlen(language));
}

static void XMLCALL
on_start(void *arg, const char *name, const char **attrs)
{
	struct reader *r = arg;
	enum element e = EL_OTHER;

	if (r->depth == PRESENCE_DOCUMENT_DEPTH ||
	    ++r->elements > PRESENCE_DOCUMENT_ELEMENTS) {
		stop(r, ERR_TOO_LONG);
		return;
	}
	name = local_name(name);
	for (size_t i = 0; i < COUNT(names) && e == EL_OTHER; i++)
		if (strcmp(names[i].name, name) == 0)
			e = names[i].element;
	push(r, e, attrs);
	note_active(r, attribute(attrs, "lastActive"));
	if (r->text_depth != 0)
		return;
	buf_clear(&r->text);
	if (r->depth == 1)
		begin_root(r, e, attrs);
	else if (e == EL_NOTE)
		begin_note(r, attrs);
	else if (r->out->pidf)
		begin_pidf(r, e, name, attrs);
	else
		begin_msrtc(r, e, attrs);
}

static void XMLCALL
on_text(void *arg, const char *s, int len)
{
	struct reader *r = arg;
	size_t room = TEXT_LIMIT - r->text.len, n = (size_t)len;

	if (r->text_depth == 0)
		return;
	/* What is cut here is far beyond what a note may show. */
	if (buf_add(&r->text, s, n < room ? n : room) < 0)
		stop(r, ERR_NOMEM);
}

static void
end_text(struct reader *r, const struct level *here)
{
	const char *s = (const char *)r->text.data;
	size_t len = r->text.len;

	if (here->element == EL_NOTE)
		end_note(r, here->language);
	else if (here->element == EL_STATE)
		take_number(r, r->state, len > 0 ? s : "", len);
	else if (here->element == EL_CUSTOM)
		set_text(&r->out->custom, r, here->language);
	else if (len == 0)
		return;
	else if (here->element == EL_BASIC)
		end_basic(r);
	else if (here->element == EL_DISPLAY_NAME)
		set_name(r, s, len);
	else
		add_activity(r, s, len); /* activity, show */
}

static void XMLCALL
on_end(void *arg, const char *name)
{
	struct reader *r = arg;
	const struct level *here;

	(void)name;
	if (r->error != 0)
		return;
	here = &r->levels[r->depth - 1];
	if (r->text_depth == r->depth) {
		end_text(r, here);
		r->text_depth = 0;
	}
	if (here->element == EL_TUPLE && r->in_tuple)
		end_tuple(r);
	else if (here->element == EL_PERSON)
		r->in_person = false;
	else if (here->element == EL_DEVICE)
		r->in_device = false;
	r->depth--;
}

static void XMLCALL
on_doctype(void *arg, const char *name, const char *sysid, const char *pubid,
    int internal)
{
	(void)name;
	(void)sysid;
	(void)pubid;
	(void)internal;
	stop(arg, ERR_DENIED);
}

/* --- results ------------------------------------------------------------ */

static void
settle_pidf(struct reader *r)
{
	struct lync_presence *out = r->out;
	const struct part *p = &r->best;

	out->basic = p->basic;
	out->priority = p->priority;
	memcpy(out->token,
	    weight(r->person.token) > weight(p->token) ? r->person.token
						       : p->token,
	    sizeof(out->token));
	out->note = p->note;
	out->note_oof = p->note_oof;
	if (out->note.text[0] == '\0') {
		out->note = r->person.note;
		out->note_oof = r->person.note_oof;
	}
	if (out->note.text[0] == '\0') {
		out->note = r->note;
		out->note_oof = r->note_oof;
	}
	out->known = out->basic != LYNC_BASIC_NONE;
}

static void
settle_msrtc(struct reader *r)
{
	struct lync_presence *out = r->out;
	bool device = r->device_number > r->user_number;

	out->number = device ? r->device_number : r->user_number;
	memcpy(out->token, device ? r->device_token : r->user_token,
	    sizeof(out->token));
	out->note = r->note;
	out->note_oof = r->note.text[0] != '\0' && (r->note_oof || out->oof);
	out->known = out->number >= 3000 || out->availability >= 0;
}

static void
init(struct lync_presence *out)
{
	memset(out, 0, sizeof(*out));
	out->number = -1;
	out->availability = -1;
	out->activity = -1;
	out->priority = -1;
}

static const char *
encoding_of(const uint8_t *s, size_t len)
{
	if (len >= 2 &&
	    ((s[0] == 0xff && s[1] == 0xfe) || (s[0] == 0xfe && s[1] == 0xff)))
		return "UTF-16";
	if (len >= 2 && s[1] == '\0')
		return "UTF-16LE";
	if (len >= 2 && s[0] == '\0')
		return "UTF-16BE";
	return utf8_valid(s, len) ? "UTF-8" : NULL;
}

static int
parse(struct reader *r, const void *data, size_t len)
{
	XML_SetUserData(r->parser, r);
	XML_SetElementHandler(r->parser, on_start, on_end);
	XML_SetCharacterDataHandler(r->parser, on_text);
	XML_SetStartDoctypeDeclHandler(r->parser, on_doctype);
	if (XML_Parse(r->parser, data, (int)len, XML_TRUE) == XML_STATUS_OK)
		return 0;
	if (r->error != 0)
		return r->error;
	return XML_GetErrorCode(r->parser) == XML_ERROR_NO_MEMORY
		   ? ERR_NOMEM
		   : ERR_MALFORMED;
}

int
presence_document_read(struct lync_presence *out, const void *data, size_t len)
{
	struct reader r = { .out = out, .user_number = -1 };
	int rc;

	init(out);
	if (len == 0)
		return 0;
	if (len > PRESENCE_DOCUMENT_MAX)
		return ERR_TOO_LONG;
	r.device_number = -1;
	r.best.priority = -1;
	r.parser = XML_ParserCreate(encoding_of(data, len));
	if (r.parser == NULL)
		return ERR_NOMEM;
	rc = parse(&r, data, len);
	if (rc == 0 && out->pidf)
		settle_pidf(&r);
	else if (rc == 0)
		settle_msrtc(&r);
	else
		init(out);
	XML_ParserFree(r.parser);
	buf_finish(&r.text);
	return rc;
}

bool
presence_document_is_about(
    const struct lync_presence *p, const struct jid *user)
{
	static const char *const schemes[] = { "sip:", "sips:", "pres:" };
	const char *entity = p->entity;
	struct buf uri = { 0 };
	struct jid about;
	bool same = false;

	if (entity[0] == '\0')
		return true;
	/* MSRTC names the address alone. */
	for (size_t i = 0; i < COUNT(schemes); i++)
		if (strncasecmp(entity, schemes[i], strlen(schemes[i])) == 0) {
			entity += strlen(schemes[i]);
			break;
		}
	buf_add_str(&uri, "sip:");
	buf_add_str(&uri, entity);
	if (!buf_failed(&uri) &&
	    address_from_sip(&about, (char *)uri.data, uri.len) == 0) {
		same = jid_bare_equal(&about, user);
		jid_finish(&about);
	}
	buf_finish(&uri);
	return same;
}
