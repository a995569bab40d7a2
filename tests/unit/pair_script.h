/*
 * pair_script - steps of the pair machine in words.
 *
 * An event:   "+120 watch ctx d=1": 120 s later, the first endpoint, with a
 *             context.  Words after the name: ctx doc restored limited ok
 *             old (the result of the one sent before) nodisk, d=<dialogs> s=<status> r=<retry after> why=<reason>
 *             c=<condition> re=<stanza>.  notalk, nowatch, mayw (all) and asks
 *             (may_ask) before the name set the rights from here on.  "reload" is a restart's
 *             saving and loading, without an event.
 * Actions:    "store take sip-open:first <subscribed! <current?": ! = with
 *             proof, ? = an answer somebody waits for; "-" = none.
 */
#ifndef TESTS_PAIR_SCRIPT_H
#define TESTS_PAIR_SCRIPT_H

#include "frontend-gateway/presence/pair_machine.h"

struct pair_script {
	struct pair_state s;
	struct pair_rules rules;
	int64_t now_ms, due_ms;
	size_t dialogs;
	bool may_talk, may_watch, may_ask;
	uint16_t serials[PAIR_UNAVAILABLE + 1]; /* last sent, by stanza */
	struct pair_step last;
	char text[512]; /* its actions */
};

void pair_script_start(struct pair_script *p);
/* Plays one event and returns its actions.  With "nodisk" the list shows what
 * stood before the barrier, "|", and what the failure gives. */
const char *pair_script_play(struct pair_script *p, const char *event);

#endif
