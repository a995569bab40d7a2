#include "tests/unit/pair_script.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const int64_t START_MS = 1750000000000;

void
pair_script_start(struct pair_script *p)
{
	memset(p, 0, sizeof(*p));
	p->rules = pair_rules_default;
	p->now_ms = START_MS;
	p->may_talk = p->may_watch = true;
}

static enum pair_event_kind
kind_of(const char *word)
{
	for (int k = 0; k < PAIR_EVENT_COUNT; k++) {
		if (strcmp(pair_event_str((enum pair_event_kind)k), word) == 0)
			return (enum pair_event_kind)k;
	}
	return PAIR_EVENT_COUNT;
}

static enum pair_stanza
stanza_of(const char *word)
{
	for (int st = PAIR_SUBSCRIBE; st <= PAIR_UNAVAILABLE; st++) {
		if (strcmp(pair_stanza_str((enum pair_stanza)st), word) == 0)
			return (enum pair_stanza)st;
	}
	return PAIR_STANZA_UNKNOWN;
}

static void
add(struct pair_script *p, const char *word)
{
	size_t at = strlen(p->text), room = sizeof(p->text) - at;
	int n = snprintf(p->text + at, room, "%s%s", at > 0 ? " " : "", word);

	assert(n > 0 && (size_t)n < room);
	(void)n;
}

static long
number(const char *word)
{
	char *end;
	long n = strtol(word, &end, 10);

	assert(end != word && *end == '\0');
	return n;
}

static void
say_send(char *text, size_t size, const struct pair_action *a)
{
	snprintf(text, size, "<%s%s%s", pair_stanza_str(a->stanza),
	    a->proof ? "!" : "", a->answer ? "?" : "");
}

static void
say(struct pair_script *p, const struct pair_action *a)
{
	const char *show = a->show == PAIR_SHOW_CURRENT ? "current" : "closed";
	const char *name = pair_action_str(a->kind);
	char text[64];

	switch (a->kind) {
	case PAIR_SEND:
		say_send(text, sizeof(text), a);
		if (a->proof)
			p->serials[a->stanza] = a->serial;
		break;
	case PAIR_REFUSE:
		snprintf(text, sizeof(text), "%s:%s", name,
		    condition_str(a->condition));
		break;
	case PAIR_SIP_OPEN:
		snprintf(text, sizeof(text), "%s:%s%s", name,
		    a->first ? "first" : "renew", a->plain ? ":plain" : "");
		break;
	case PAIR_DECLINE:
		snprintf(text, sizeof(text), "%s:%d", name, a->status);
		break;
	case PAIR_SHOW_ONE:
	case PAIR_SHOW_ALL:
		snprintf(text, sizeof(text), "%s:%s", name, show);
		break;
	case PAIR_STORE:
	case PAIR_STORE_LATER:
	case PAIR_TAKE:
	case PAIR_SIP_REFRESH:
	case PAIR_SIP_END:
	case PAIR_CONFIRM:
	case PAIR_END_ALL:
	case PAIR_FORGET_SEEN:
	case PAIR_FORGET_TOLD:
	case PAIR_ACTION_COUNT:
		snprintf(text, sizeof(text), "%s", name);
		break;
	}
	add(p, text);
}

static void
reload(struct pair_script *p)
{
	struct pair_saved saved;
	int rc;

	pair_state_save(&saved, &p->s);
	rc = pair_state_load(&p->s, &saved);
	assert(rc == 0);
	p->due_ms = 0;
}

/* The words of an event; false for "reload". */
static bool
read_event(
    struct pair_script *p, struct pair_event *e, bool *disk, const char *words)
{
	char copy[160], *at = NULL;
	bool old = false;

	*e = (struct pair_event){ .kind = PAIR_EVENT_COUNT };
	assert(strlen(words) < sizeof(copy));
	snprintf(copy, sizeof(copy), "%s", words);
	for (char *w = strtok_r(copy, " ", &at); w != NULL;
	     w = strtok_r(NULL, " ", &at)) {
		if (w[0] == '+')
			p->now_ms += number(w + 1) * 1000;
		else if (strcmp(w, "notalk") == 0)
			p->may_talk = p->may_watch = false;
		else if (strcmp(w, "mayw") == 0)
			p->may_talk = p->may_watch = true;
		else if (strcmp(w, "asks") == 0)
			p->may_ask = true;
		else if (strcmp(w, "nowatch") == 0)
			p->may_watch = false;
		else if (strcmp(w, "ctx") == 0)
			e->context = true;
		else if (strcmp(w, "doc") == 0)
			e->document = true;
		else if (strcmp(w, "restored") == 0)
			e->restored = true;
		else if (strcmp(w, "limited") == 0)
			e->limited = true;
		else if (strcmp(w, "ok") == 0)
			e->delivered = true;
		else if (strcmp(w, "old") == 0)
			old = true;
		else if (strcmp(w, "nodisk") == 0)
			*disk = false;
		else if (strcmp(w, "reload") == 0)
			return false;
		else if (strncmp(w, "d=", 2) == 0)
			p->dialogs = (size_t)number(w + 2);
		else if (strncmp(w, "s=", 2) == 0)
			e->status = (int)number(w + 2);
		else if (strncmp(w, "r=", 2) == 0)
			e->retry_after_s = (uint32_t)number(w + 2);
		else if (strncmp(w, "why=", 4) == 0)
			e->reason = pair_reason_parse(w + 4, strlen(w + 4));
		else if (strncmp(w, "c=", 2) == 0)
			e->condition = condition_parse(w + 2, strlen(w + 2));
		else if (strncmp(w, "re=", 3) == 0)
			e->stanza = stanza_of(w + 3);
		else
			e->kind = kind_of(w);
	}
	if (e->kind == PAIR_EVENT_COUNT) {
		fprintf(stderr, "event not understood: %s\n", words);
		abort();
	}
	e->serial = (uint16_t)(p->serials[e->stanza] - old);
	return true;
}

static void
take(struct pair_script *p)
{
	p->s = p->last.after;
	p->due_ms = p->last.due_ms;
}

const char *
pair_script_play(struct pair_script *p, const char *event)
{
	struct pair_event e;
	bool disk = true;

	p->text[0] = '\0';
	if (!read_event(p, &e, &disk, event)) {
		reload(p);
		return "-";
	}
	e.now_ms = p->now_ms;
	e.may_talk = p->may_talk;
	e.may_watch = p->may_watch;
	e.may_ask = p->may_ask;
	e.dialogs = p->dialogs;
	pair_machine_step(&p->last, &p->s, &e, &p->rules);
	for (size_t i = 0; i < p->last.count; i++) {
		if (!disk && p->last.actions[i].kind == PAIR_STORE) {
			add(p, "|");
			e.failed = e.kind;
			e.kind = PAIR_ON_DISK_FAILED;
			pair_machine_step(&p->last, &p->s, &e, &p->rules);
			for (i = 0; i < p->last.count; i++)
				say(p, &p->last.actions[i]);
			break;
		}
		say(p, &p->last.actions[i]);
	}
	take(p);
	if (p->text[0] == '\0')
		add(p, "-");
	return p->text;
}
