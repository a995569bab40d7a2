#include "frontend-gateway/translate/activity.h"

#include <string.h>
#include <strings.h>

#define COUNT(a) (sizeof(a) / sizeof(*(a)))

/* RPID's activities without words of ours are said by their names. */
static const struct activity activities[] = {
	/* Lync */
	{ "on-the-phone", XMPP_SHOW_DND, ACTIVITY_CALL, false },
	{ "in-a-conference", XMPP_SHOW_DND, ACTIVITY_CONFERENCE, false },
	{ "in-a-meeting", XMPP_SHOW_DND, ACTIVITY_MEETING, false },
	{ "urgent-interruptions-only", XMPP_SHOW_DND, ACTIVITY_URGENT, false },
	{ "in-presentation", XMPP_SHOW_DND, ACTIVITY_PRESENTING, false },
	{ "do-not-disturb", XMPP_SHOW_DND, ACTIVITY_DND, false },
	{ "be-right-back", XMPP_SHOW_AWAY, ACTIVITY_BRB, false },
	{ "off-work", XMPP_SHOW_XA, ACTIVITY_OFF_WORK, false },
	{ "out-of-office", XMPP_SHOW_XA, ACTIVITY_OOF, true },
	/* what <show/> tells all of */
	{ "away", XMPP_SHOW_AWAY, ACTIVITY_WORD_NONE, false },
	{ "busy", XMPP_SHOW_DND, ACTIVITY_WORD_NONE, false },
	{ "xa", XMPP_SHOW_XA, ACTIVITY_WORD_NONE, false },
	{ "dnd", XMPP_SHOW_DND, ACTIVITY_WORD_NONE, false },
	{ "chat", XMPP_SHOW_NONE, ACTIVITY_WORD_NONE, false },
	/* RPID */
	{ "meeting", XMPP_SHOW_DND, ACTIVITY_MEETING, false },
	{ "presentation", XMPP_SHOW_DND, ACTIVITY_PRESENTING, false },
	{ "appointment", XMPP_SHOW_DND, ACTIVITY_WORD_NONE, false },
	{ "performance", XMPP_SHOW_DND, ACTIVITY_WORD_NONE, false },
	{ "working", XMPP_SHOW_DND, ACTIVITY_WORD_NONE, false },
	{ "sleeping", XMPP_SHOW_AWAY, ACTIVITY_WORD_NONE, false },
	{ "meal", XMPP_SHOW_AWAY, ACTIVITY_WORD_NONE, false },
	{ "breakfast", XMPP_SHOW_AWAY, ACTIVITY_WORD_NONE, false },
	{ "lunch", XMPP_SHOW_AWAY, ACTIVITY_WORD_NONE, false },
	{ "dinner", XMPP_SHOW_AWAY, ACTIVITY_WORD_NONE, false },
	{ "in-transit", XMPP_SHOW_AWAY, ACTIVITY_WORD_NONE, false },
	{ "steering", XMPP_SHOW_AWAY, ACTIVITY_WORD_NONE, false },
	{ "travel", XMPP_SHOW_AWAY, ACTIVITY_WORD_NONE, false },
	{ "shopping", XMPP_SHOW_AWAY, ACTIVITY_WORD_NONE, false },
	{ "vacation", XMPP_SHOW_XA, ACTIVITY_WORD_NONE, false },
	{ "holiday", XMPP_SHOW_XA, ACTIVITY_WORD_NONE, false },
	{ "permanent-absence", XMPP_SHOW_XA, ACTIVITY_WORD_NONE, false },
};

const struct activity *
activity_find(const char *token)
{
	for (size_t i = 0; i < COUNT(activities); i++)
		if (strcmp(activities[i].token, token) == 0)
			return &activities[i];
	return NULL;
}

/* --- our own words ------------------------------------------------------ */

static const struct {
	const char *language;
	const char *words[ACTIVITY_WORD_COUNT];
} languages[] = {
	{ "en",
	    {
		[ACTIVITY_INACTIVE] = "Inactive",
		[ACTIVITY_BUSY] = "Busy",
		[ACTIVITY_CALL] = "In a call",
		[ACTIVITY_CONFERENCE] = "In a conference call",
		[ACTIVITY_MEETING] = "In a meeting",
		[ACTIVITY_DND] = "Do not disturb",
		[ACTIVITY_URGENT] = "Urgent interruptions only",
		[ACTIVITY_PRESENTING] = "Presenting",
		[ACTIVITY_BRB] = "Be right back",
		[ACTIVITY_AWAY] = "Away",
		[ACTIVITY_OFF_WORK] = "Off work",
		[ACTIVITY_OOF] = "Out of office",
	    } },
	{ "de",
	    {
		[ACTIVITY_INACTIVE] = "Inaktiv",
		[ACTIVITY_BUSY] = "Beschäftigt",
		[ACTIVITY_CALL] = "Am Telefon",
		[ACTIVITY_CONFERENCE] = "In einer Telefonkonferenz",
		[ACTIVITY_MEETING] = "In einer Besprechung",
		[ACTIVITY_DND] = "Nicht stören",
		[ACTIVITY_URGENT] = "Nur dringende Unterbrechungen",
		[ACTIVITY_PRESENTING] = "Präsentiert",
		[ACTIVITY_BRB] = "Gleich zurück",
		[ACTIVITY_AWAY] = "Abwesend",
		[ACTIVITY_OFF_WORK] = "Nicht bei der Arbeit",
		[ACTIVITY_OOF] = "Außer Haus",
	    } },
	{ "fr",
	    {
		[ACTIVITY_INACTIVE] = "Inactif",
		[ACTIVITY_BUSY] = "Occupé",
		[ACTIVITY_CALL] = "En communication",
		[ACTIVITY_CONFERENCE] = "En conférence téléphonique",
		[ACTIVITY_MEETING] = "En réunion",
		[ACTIVITY_DND] = "Ne pas déranger",
		[ACTIVITY_URGENT] = "Urgences uniquement",
		[ACTIVITY_PRESENTING] = "En présentation",
		[ACTIVITY_BRB] = "De retour bientôt",
		[ACTIVITY_AWAY] = "Absent",
		[ACTIVITY_OFF_WORK] = "Hors du travail",
		[ACTIVITY_OOF] = "Absent du bureau",
	    } },
	{ "es",
	    {
		[ACTIVITY_INACTIVE] = "Inactivo",
		[ACTIVITY_BUSY] = "Ocupado",
		[ACTIVITY_CALL] = "En una llamada",
		[ACTIVITY_CONFERENCE] = "En una conferencia",
		[ACTIVITY_MEETING] = "En una reunión",
		[ACTIVITY_DND] = "No molestar",
		[ACTIVITY_URGENT] = "Solo interrupciones urgentes",
		[ACTIVITY_PRESENTING] = "En una presentación",
		[ACTIVITY_BRB] = "Vuelvo enseguida",
		[ACTIVITY_AWAY] = "Ausente",
		[ACTIVITY_OFF_WORK] = "Fuera del trabajo",
		[ACTIVITY_OOF] = "Fuera de la oficina",
	    } },
	{ "it",
	    {
		[ACTIVITY_INACTIVE] = "Inattivo",
		[ACTIVITY_BUSY] = "Occupato",
		[ACTIVITY_CALL] = "Al telefono",
		[ACTIVITY_CONFERENCE] = "In conferenza telefonica",
		[ACTIVITY_MEETING] = "In riunione",
		[ACTIVITY_DND] = "Non disturbare",
		[ACTIVITY_URGENT] = "Solo interruzioni urgenti",
		[ACTIVITY_PRESENTING] = "In presentazione",
		[ACTIVITY_BRB] = "Torno subito",
		[ACTIVITY_AWAY] = "Assente",
		[ACTIVITY_OFF_WORK] = "Non al lavoro",
		[ACTIVITY_OOF] = "Fuori sede",
	    } },
	{ "nl",
	    {
		[ACTIVITY_INACTIVE] = "Inactief",
		[ACTIVITY_BUSY] = "Bezet",
		[ACTIVITY_CALL] = "In gesprek",
		[ACTIVITY_CONFERENCE] = "In een telefonische vergadering",
		[ACTIVITY_MEETING] = "In een vergadering",
		[ACTIVITY_DND] = "Niet storen",
		[ACTIVITY_URGENT] = "Alleen dringende onderbrekingen",
		[ACTIVITY_PRESENTING] = "Geeft een presentatie",
		[ACTIVITY_BRB] = "Ben zo terug",
		[ACTIVITY_AWAY] = "Afwezig",
		[ACTIVITY_OFF_WORK] = "Niet aan het werk",
		[ACTIVITY_OOF] = "Niet op kantoor",
	    } },
};

/* By the primary tag: regions make no difference to these texts. */
static bool
find_language(size_t *at, const char *language)
{
	size_t len = language != NULL ? strcspn(language, "-") : 0;

	for (size_t i = 0; len > 0 && i < COUNT(languages); i++)
		if (strlen(languages[i].language) == len &&
		    strncasecmp(languages[i].language, language, len) == 0) {
			*at = i;
			return true;
		}
	return false;
}

static size_t
language_index(const char *language)
{
	size_t at = 0;

	(void)find_language(&at, language);
	return at;
}

bool
activity_has_language(const char *language)
{
	size_t at;

	return find_language(&at, language);
}

const char *
activity_language(const char *language)
{
	return languages[language_index(language)].language;
}

const char *
activity_word(enum activity_word word, const char *language)
{
	return languages[language_index(language)].words[word];
}
