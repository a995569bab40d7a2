/*
 * A state number is found for MSRTC, of the numbers and of what the aggregates
 * amount to the highest, which is the least available: a user's own state stays
 * as he set it when he leaves, the aggregates do not.  The number's row tells
 * <show/>, the words and whether a time of last activity means anything.
 */
#include "frontend-gateway/translate/presence_to_xmpp.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "common/err.h"
#include "frontend-gateway/translate/activity.h"
#include "frontend-gateway/translate/presence_document.h"
#include "frontend-gateway/translate/presence_text.h"
#include "frontend-gateway/translate/xmpp_presence.h"

#define COUNT(a) (sizeof(a) / sizeof(*(a)))

enum { NUMBER_KNOWN = 3000, NUMBER_AWAY = 15000, NUMBER_OFFLINE = 18000 };

/* What is found out about a state on the way to xmpp_presence. */
struct view {
	enum xmpp_show show;
	enum activity_word word;
	const char *name; /* of an activity without words; or NULL */
	bool idle;        /* last_active belongs to it */
	bool oof;
};

/* --- by number ---------------------------------------------------------- */

/* Classes of state numbers; a token counts in the class it belongs to. */
static const struct {
	int below;
	enum xmpp_show show;
	enum activity_word word;
	bool idle;
	const char *tokens[3];
} classes[] = {
	{ 4500, XMPP_SHOW_NONE, ACTIVITY_WORD_NONE, false, { NULL } },
	{ 6000, XMPP_SHOW_AWAY, ACTIVITY_INACTIVE, true, { NULL } },
	{ 7500, XMPP_SHOW_DND, ACTIVITY_BUSY, false,
	    { "on-the-phone", "in-a-conference", "in-a-meeting" } },
	{ 9000, XMPP_SHOW_DND, ACTIVITY_BUSY, true,
	    { "on-the-phone", "in-a-conference", "in-a-meeting" } },
	{ 12000, XMPP_SHOW_DND, ACTIVITY_DND, false,
	    { "urgent-interruptions-only", "in-presentation" } },
	{ NUMBER_AWAY, XMPP_SHOW_AWAY, ACTIVITY_BRB, false, { NULL } },
	{ NUMBER_OFFLINE, XMPP_SHOW_AWAY, ACTIVITY_AWAY, true, { "off-work" } },
};

static void
by_number(struct view *v, int number, const char *token,
    const struct presence_to_xmpp_rules *rules)
{
	size_t i = 0;

	while (number >= classes[i].below)
		i++;
	v->show = classes[i].show;
	v->word = classes[i].word;
	v->idle = classes[i].idle;
	if (classes[i].below == 9000 && rules->busy_idle_is_away)
		v->show = XMPP_SHOW_AWAY;
	for (size_t t = 0; t < COUNT(classes[i].tokens); t++)
		if (classes[i].tokens[t] != NULL &&
		    strcmp(classes[i].tokens[t], token) == 0)
			v->word = activity_find(token)->word;
	if (v->word == ACTIVITY_OFF_WORK)
		v->show = XMPP_SHOW_XA;
}

/* --- by aggregates ------------------------------------------------------ */

/* [MS-SIP] 2.2.1.  number is where the class stands among state numbers.  No
 * words: they would claim more than is known. */
static const struct {
	int below;
	enum xmpp_show show;
	bool idle;
	int number;
} aggregates[] = {
	{ 150, XMPP_SHOW_AWAY, false, 15500 }, /* unknown, away */
	{ 200, XMPP_SHOW_XA, false, 15500 },   /* out to lunch */
	{ 300, XMPP_SHOW_AWAY, true, 5000 },   /* idle */
	{ 400, XMPP_SHOW_AWAY, false, 12500 }, /* be right back */
	{ 500, XMPP_SHOW_NONE, false, 3500 },  /* active */
	{ 700, XMPP_SHOW_DND, false, 6500 },   /* in a call, busy */
	{ 800, XMPP_SHOW_AWAY, false, 15500 },
	{ 1000, XMPP_SHOW_NONE, false, 3500 }, /* active */
};

static size_t
aggregate_class(int activity)
{
	size_t i = 0;

	while (activity >= aggregates[i].below)
		i++;
	return i;
}

static int
aggregate_number(const struct lync_presence *in)
{
	if (in->availability < 0)
		return -1;
	if (in->availability < 100)
		return NUMBER_OFFLINE;
	return aggregates[aggregate_class(in->activity)].number;
}

/* Whether both numbers stand for the same class. */
static bool
same_class(int a, int b)
{
	size_t i = 0;

	while (a >= classes[i].below)
		i++;
	return b < classes[i].below && (i == 0 || b >= classes[i - 1].below);
}

/* True when there is something to see of him. */
static bool
look_msrtc(struct view *v, const struct lync_presence *in,
    const struct presence_to_xmpp_rules *rules)
{
	int number = in->number >= NUMBER_KNOWN ? in->number : -1;
	int sum = aggregate_number(in);

	if (number >= NUMBER_OFFLINE || sum >= NUMBER_OFFLINE)
		return false;
	v->oof = in->oof;
	if (number >= 0 && (number >= sum || same_class(number, sum))) {
		by_number(v, number, in->token, rules);
	} else {
		size_t i = aggregate_class(in->activity);

		v->show = aggregates[i].show;
		v->idle = aggregates[i].idle;
		number = sum;
	}
	if (strcmp(in->token, "out-of-office") == 0)
		v->oof = true;
	if (in->note_oof && rules->notes)
		v->oof = true;
	if (v->oof && number >= NUMBER_AWAY)
		v->show = XMPP_SHOW_XA;
	return true;
}

/* --- PIDF --------------------------------------------------------------- */

static bool
look_pidf(struct view *v, const struct lync_presence *in,
    const struct presence_to_xmpp_rules *rules)
{
	const struct activity *a = activity_find(in->token);

	if (in->basic != LYNC_BASIC_OPEN)
		return false;
	v->oof = in->note_oof && rules->notes;
	if (a != NULL) {
		v->show = a->show;
		v->word = a->word;
		v->oof = v->oof || a->oof;
		v->idle = a->show == XMPP_SHOW_AWAY || a->show == XMPP_SHOW_XA;
	}
	/* <show/> says these whole; the others have at least a name. */
	if (a != NULL && a->word == ACTIVITY_WORD_NONE &&
	    xmpp_presence_show_parse(a->token) == XMPP_SHOW_NONE &&
	    strcmp(a->token, "busy") != 0)
		v->name = a->token;
	return true;
}

/* --- texts -------------------------------------------------------------- */

/* "in-transit" becomes "In transit". */
static void
spell(struct lync_text *out, const char *name)
{
	size_t i;

	for (i = 0; name[i] != '\0'; i++)
		out->text[i] = name[i] == '-' ? ' ' : name[i];
	out->text[i] = '\0';
	out->text[0] = (char)toupper((unsigned char)out->text[0]);
	memcpy(out->language, "en", sizeof("en"));
}

static void
say_out_of_office(struct lync_text *out, const struct lync_text *note,
    const struct presence_to_xmpp_rules *rules)
{
	const char *word = activity_word(ACTIVITY_OOF, rules->language);
	char text[sizeof(note->text) + 64];
	int n;

	n = snprintf(text, sizeof(text), "%s%s%s", word,
	    note != NULL ? ": " : "", note != NULL ? note->text : "");
	presence_text_clean(out->text, text, (size_t)n);
	if (note != NULL)
		memcpy(out->language, note->language, sizeof(out->language));
}

/* The status: what the user wrote, else what we say for want of it. */
static void
choose_text(struct lync_text *out, const struct view *v,
    const struct lync_presence *in, const struct presence_to_xmpp_rules *rules)
{
	const struct lync_text *written = NULL;

	memset(out, 0, sizeof(*out));
	if (rules->notes && in->note.text[0] != '\0')
		written = &in->note;
	if (v->oof && rules->generated_status) {
		say_out_of_office(out, written, rules);
	} else if (written != NULL) {
		*out = *written;
		return;
	} else if (rules->notes && in->custom.text[0] != '\0') {
		*out = in->custom;
		return;
	} else if (rules->generated_status && v->word != ACTIVITY_WORD_NONE) {
		const char *word = activity_word(v->word, rules->language);

		memcpy(out->text, word, strlen(word) + 1);
	} else if (rules->generated_status && v->name != NULL) {
		spell(out, v->name);
	}
	if (out->text[0] != '\0' && out->language[0] == '\0') {
		const char *language = activity_language(rules->language);

		memcpy(out->language, language, strlen(language) + 1);
	}
}

/* --- the whole ---------------------------------------------------------- */

struct presence_to_xmpp_rules
presence_to_xmpp_default(void)
{
	return (struct presence_to_xmpp_rules){
		.language = "en",
		.generated_status = true,
		.notes = true,
	};
}

int
presence_to_xmpp_priority(int thousandths)
{
	int p = (127 * thousandths + 999) / 1000;

	if (thousandths <= 0)
		return 0;
	if (thousandths >= 1000)
		return 127;
	return p < 126 ? p : 126;
}

int
presence_to_xmpp_convert(struct xmpp_presence *out,
    const struct lync_presence *in, const struct xmpp_presence *told,
    const struct presence_to_xmpp_rules *rules)
{
	struct xmpp_presence p = { 0 };
	struct view v = { 0 };
	struct lync_text text;

	if (!in->known && rules->unknown_is_available)
		p.available = true;
	else if (!in->known && told == NULL)
		return ERR_NOT_FOUND;
	else if (in->known)
		p.available = in->pidf ? look_pidf(&v, in, rules)
				       : look_msrtc(&v, in, rules);
	if (!p.available)
		return xmpp_presence_copy(out, &p);
	choose_text(&text, &v, in, rules);
	p.show = v.show;
	if (v.idle)
		p.idle_since = in->last_active;
	if (rules->priority && in->priority > 0)
		p.priority = (int8_t)presence_to_xmpp_priority(in->priority);
	p.status = text.text;
	p.language = text.text[0] != '\0' ? text.language : NULL;
	return xmpp_presence_copy(out, &p);
}
