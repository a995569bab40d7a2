/*
 * What is decided about a pair, step by step: each row is a story, each line
 * of it an event and the actions that must follow, in order.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>
#include <jansson.h>

#include "common/err.h"
#include "tests/unit/pair_script.h"

struct line {
	const char *event, *actions;
};
struct story {
	const char *name;
	struct line lines[24];
};

#define ASK                                                                    \
	{                                                                      \
		"subscribe", "store take sip-open:first"                       \
	}
#define GRANT                                                                  \
	{                                                                      \
		"sip-active doc", "store <subscribed! <current"                \
	}
#define PROVEN(stanza)                                                         \
	{                                                                      \
		"result ok re=" stanza, "store-later"                          \
	}
#define ADD                                                                    \
	{                                                                      \
		"watch ctx d=1", "store confirm show-one:closed <subscribe!"   \
	}
#define ACCEPT                                                                 \
	{                                                                      \
		"subscribed", "store take <probe show-all:current"             \
	}

/* The contact watches the user: F7, and what may come in between. */
static const struct story from_stories[] = {
	{ "add; the 200 proves nothing",
	    { ASK, { "sip-granted", "-" }, GRANT, PROVEN("subscribed"),
		{ "sip-active doc", "<current" } } },
	{ "less of her may be told: at once, to who may see her at all",
	    { ASK, { "policy doc", "-" }, GRANT, PROVEN("subscribed"),
		{ "policy", "-" }, { "policy doc", "<current" },
		{ "nowatch policy doc", "sip-end <unavailable" },
		{ "policy doc", "-" } } },
	{ "the NOTIFY overtakes the 200",
	    { ASK, GRANT, { "sip-granted", "-" } } },
	{ "active without a body", { ASK,
				       { "sip-active", "store <subscribed! "
						       "<current" },
				       { "sip-active", "-" } } },
	{ "404 to the first",
	    { ASK, { "sip-over s=404", "store forget-told <unsubscribed!" },
		{ "result ok re=unsubscribed", "store-later" },
		{ "probe", "take <unsubscribed?" } } },
	{ "403 to the first",
	    { ASK, { "sip-over s=403", "store forget-told <unsubscribed!" } } },
	{ "603 to the first",
	    { ASK, { "sip-over s=603", "store forget-told <unsubscribed!" } } },
	{ "503: nothing, again in 60 s, 120 s ... 30 min",
	    { ASK, { "sip-over s=503", "-" }, { "+59 due", "-" },
		{ "+1 due", "sip-open:first" }, { "sip-over s=504", "-" },
		{ "+119 due", "-" }, { "+1 due", "sip-open:first" },
		{ "sip-over s=408", "-" }, { "+240 due", "sip-open:first" },
		{ "sip-over s=500", "-" }, { "+480 due", "sip-open:first" },
		{ "sip-over s=480", "-" }, { "+960 due", "sip-open:first" },
		{ "sip-over s=0", "-" }, { "+1799 due", "-" },
		{ "+1 due", "sip-open:first" }, { "sip-over s=480", "-" },
		{ "+1800 due", "sip-open:first" }, GRANT } },
	{ "the pool's own wish is heard",
	    { ASK, { "sip-over s=503 r=600", "-" }, { "+599 due", "-" },
		{ "+1 due", "sip-open:first" } } },
	{ "a wish beyond all measure is a day",
	    { ASK, { "sip-over s=503 r=4000000000", "-" },
		{ "+86400 due", "sip-open:first" } } },
	{ "a format not taken: less is asked for, once",
	    { ASK, { "sip-over s=415", "sip-open:first:plain store-later" },
		{ "sip-over s=406", "-" },
		{ "+60 due", "sip-open:first:plain" }, GRANT,
		{ "+3600 sip-over s=481", "sip-open:renew:plain" } } },
	{ "489 twice is a no",
	    { ASK, { "sip-over s=489", "sip-open:first:plain store-later" },
		{ "sip-over s=489", "store forget-told <unsubscribed!" } } },
	{ "481 to a refresh: a new dialog, no word",
	    { ASK, GRANT, PROVEN("subscribed"),
		{ "+28187 sip-over s=481", "sip-open:renew" },
		{ "sip-active doc", "<current" } } },
	{ "but not in circles",
	    { ASK, GRANT, PROVEN("subscribed"),
		{ "+3600 sip-over s=481", "sip-open:renew" },
		{ "sip-over s=481", "-" }, { "+60 due", "sip-open:renew" },
		{ "+1 sip-active doc", "<current" } } },
	{ "deactivated: a new one, no word",
	    { ASK, GRANT, PROVEN("subscribed"),
		{ "+3600 sip-terminated why=deactivated", "sip-open:renew" },
		{ "sip-active doc", "<current" } } },
	{ "timeout: likewise",
	    { ASK, GRANT, PROVEN("subscribed"),
		{ "+3600 sip-terminated why=timeout", "sip-open:renew" } } },
	{ "rejected: the end",
	    { ASK, GRANT, PROVEN("subscribed"),
		{ "sip-terminated why=rejected",
		    "store forget-told <unsubscribed!" },
		{ "+1000 due", "-" }, { "probe", "take <unsubscribed?" } } },
	{ "noresource: the end",
	    { ASK, GRANT, PROVEN("subscribed"),
		{ "sip-terminated why=noresource",
		    "store forget-told <unsubscribed!" } } },
	{ "603 to a refresh: the end",
	    { ASK, GRANT, PROVEN("subscribed"),
		{ "sip-over s=603", "store forget-told <unsubscribed!" } } },
	{ "probation: offline at once, again after 300 s",
	    { ASK, GRANT, PROVEN("subscribed"),
		{ "sip-terminated why=probation r=300", "<unavailable" },
		{ "probe", "take <unavailable?" }, { "+299 due", "-" },
		{ "+1 due", "sip-open:renew" },
		{ "sip-active doc", "<current" } } },
	{ "giveup: stays as it is, again after an hour",
	    { ASK, { "sip-terminated why=giveup", "-" }, { "+3599 due", "-" },
		{ "+1 due", "sip-open:first" } } },
	{ "invariant: the last state stays",
	    { ASK, GRANT, PROVEN("subscribed"),
		{ "sip-terminated why=invariant", "-" }, { "+1000 due", "-" },
		{ "probe", "take <current?" },
		{ "unsubscribe", "store take forget-told <unsubscribed?" } } },
	{ "no reason: again, offline only after the grace time",
	    { ASK, GRANT, PROVEN("subscribed"), { "sip-terminated", "-" },
		{ "+60 due", "sip-open:renew" }, { "sip-over s=503", "-" },
		{ "+60 due", "<unavailable" }, { "+60 due", "sip-open:renew" },
		{ "sip-active doc", "<current" } } },
	{ "and not even then when it worked",
	    { ASK, GRANT, PROVEN("subscribed"), { "sip-terminated", "-" },
		{ "+60 due", "sip-open:renew" },
		{ "sip-active doc", "<current" }, { "+60 due", "-" } } },
	{ "pending is silence",
	    { ASK, { "sip-pending", "-" }, { "sip-pending", "-" }, GRANT } },
	{ "pending after a grant is not a no",
	    { ASK, GRANT, PROVEN("subscribed"),
		{ "sip-pending", "<unavailable" }, { "sip-pending", "-" },
		{ "sip-active doc", "<current" } } },
	{ "a granted contact asks again: no SIP",
	    { ASK, GRANT, PROVEN("subscribed"),
		{ "subscribe", "take <subscribed! <current? store-later" } } },
	{ "a waiting contact asks again: nothing more",
	    { ASK, { "subscribe", "take" }, { "sip-over s=503", "-" },
		{ "subscribe", "take" }, { "+60 due", "sip-open:first" },
		GRANT } },
	{ "he leaves", { ASK, GRANT, PROVEN("subscribed"),
			   { "unsubscribe", "store take sip-end forget-told "
					    "<unsubscribed?" },
			   { "unsubscribe", "take" },
			   { "probe", "take <unsubscribed?" } } },
	{ "he leaves while it waits",
	    { ASK, { "sip-over s=503", "-" },
		{ "unsubscribe", "store take forget-told <unsubscribed?" },
		{ "+60 due", "-" } } },
	{ "he leaves before anything was decided",
	    { ASK,
		{ "unsubscribe",
		    "store take sip-end forget-told <unsubscribed?" },
		/* What was under way shows nothing to anybody. */
		{ "sip-active doc", "sip-end" } } },
	{ "probes", { { "probe", "take <unsubscribed?" }, ASK,
			/* He asked; `unsubscribed` would end it. */
			{ "probe", "take <unavailable?" }, GRANT,
			{ "probe", "take <current?" } } },
	{ "a stranger who may not",
	    { { "nowatch subscribe", "refuse:service-unavailable" },
		{ "probe", "take <unsubscribed?" }, { "unsubscribe", "take" },
		{ "unsubscribed", "take" }, { "subscribed", "take" },
		{ "available", "take forget-seen" } } },
	{ "a user who is not permitted: the same",
	    { { "notalk subscribe", "refuse:service-unavailable" },
		{ "probe", "take <unsubscribed?" }, { "unsubscribe", "take" },
		{ "unsubscribed", "take" }, { "subscribed", "take" },
		{ "available", "take forget-seen" } } },
	{ "one who may ask for anybody learns no more than of a stranger",
	    { { "asks notalk subscribe", "take <unsubscribed?" },
		{ "subscribe limited", "refuse:resource-constraint" },
		{ "probe", "take <unsubscribed?" },
		{ "mayw nowatch subscribe", "refuse:service-unavailable" } } },
	{ "who asked already hears nothing new",
	    { ASK, { "asks notalk policy", "sip-end" },
		{ "subscribe limited", "take" },
		{ "mayw policy", "sip-open:first" } } },
	{ "who was allowed it stays so, and sees nothing",
	    { ASK, GRANT, PROVEN("subscribed"),
		{ "asks notalk policy", "sip-end <unavailable" },
		{ "subscribe", "take <subscribed? <unavailable?" },
		{ "mayw policy", "sip-open:renew" } } },
	{ "too many new addresses",
	    { { "subscribe limited", "refuse:resource-constraint" },
		{ "nowatch subscribe limited", "refuse:service-unavailable" },
		{ "mayw subscribe", "store take sip-open:first" },
		{ "subscribe limited", "take" } } },
	{ "`subscribed` is lost on the way",
	    { ASK, GRANT,
		{ "result re=subscribed c=remote-server-timeout", "-" },
		{ "+59 due", "-" }, { "+1 due", "<subscribed!" },
		{ "result re=subscribed c=remote-server-timeout", "-" },
		{ "+119 due", "-" }, { "+1 due", "<subscribed!" },
		{ "result re=subscribed c=remote-server-timeout", "-" },
		{ "partner-back", "<subscribed!" }, PROVEN("subscribed"),
		{ "+10000 due", "-" } } },
	{ "nobody is there to hear it",
	    { ASK, GRANT,
		{ "result re=subscribed c=item-not-found", "store-later" },
		{ "+10000 due", "-" } } },
	{ "it bounced behind its proof",
	    { ASK, GRANT,
		{ "error re=subscribed c=remote-server-timeout", "take" },
		{ "result ok re=subscribed", "-" },
		{ "+60 due", "<subscribed!" }, PROVEN("subscribed") } },
	{ "asked anew while `unsubscribed` is under way: in that order",
	    { ASK, { "sip-over s=403", "store forget-told <unsubscribed!" },
		{ "subscribe", "store take sip-open:first" },
		{ "sip-active doc", "store <current" },
		{ "result ok re=unsubscribed", "<subscribed!" },
		PROVEN("subscribed") } },
	{ "the pool is away for a moment",
	    { ASK, GRANT, PROVEN("subscribed"), { "pool-lost", "-" },
		{ "+10 pool-back", "-" }, { "+34 due", "-" },
		{ "+1 due", "sip-refresh" }, { "+200 due", "-" } } },
	{ "for a minute: what was missed is asked for",
	    { ASK, GRANT, PROVEN("subscribed"), { "pool-lost", "-" },
		{ "+60 pool-back", "sip-refresh" },
		{ "sip-active doc", "<current" }, { "+35 due", "sip-refresh" },
		{ "+200 due", "-" } } },
	{ "what it could not tell ended the subscription, refreshed or not",
	    { ASK, GRANT, PROVEN("subscribed"), { "pool-lost", "-" },
		{ "+60 pool-back", "sip-refresh" },
		{ "sip-active doc", "<current" }, { "+35 due", "sip-refresh" },
		{ "sip-over s=481", "sip-open:renew" },
		{ "sip-active doc", "<current" }, { "+200 due", "-" } } },
	{ "one that was opened since needs no refresh",
	    { ASK, GRANT, PROVEN("subscribed"), { "pool-lost", "-" },
		{ "+60 pool-back", "sip-refresh" },
		{ "sip-over s=481", "sip-open:renew" },
		{ "sip-active doc", "<current" }, { "+200 due", "-" } } },
	{ "away again by then: it begins anew",
	    { ASK, GRANT, PROVEN("subscribed"), { "pool-lost", "-" },
		{ "+5 pool-back", "-" }, { "+30 pool-lost", "-" },
		{ "+5 due", "-" }, { "+5 pool-back", "-" }, { "+34 due", "-" },
		{ "+1 due", "sip-refresh" } } },
	{ "for long: offline once, never `unsubscribed`",
	    { ASK, GRANT, PROVEN("subscribed"), { "pool-lost", "-" },
		{ "sip-over", "-" }, { "+119 due", "-" },
		{ "+1 due", "<unavailable" }, { "+3600 due", "-" },
		{ "pool-back", "sip-open:renew" },
		{ "sip-active doc", "<current" } } },
	{ "for long, and the dialog outlives it",
	    { ASK, GRANT, PROVEN("subscribed"), { "pool-lost", "-" },
		{ "+120 due", "<unavailable" },
		{ "+3600 pool-back", "sip-refresh" },
		{ "sip-active doc", "<current" } } },
	{ "a pool that was not lost does not come back",
	    { ASK, GRANT, PROVEN("subscribed"), { "pool-back", "-" } } },
	{ "404 to a refresh: offline; after a week the end",
	    { ASK, GRANT, PROVEN("subscribed"),
		{ "sip-over s=404", "<unavailable store-later" },
		{ "+3599 due", "-" }, { "+1 due", "sip-open:renew" },
		{ "sip-over s=404", "-" }, { "+597600 due", "sip-open:renew" },
		{ "sip-over s=404", "-" }, { "+3600 due", "sip-open:renew" },
		{ "sip-over s=404",
		    "store forget-told <unsubscribed! forget-seen" } } },
	{ "the same, and she watched him too",
	    { ASK, GRANT, PROVEN("subscribed"), ADD, ACCEPT,
		{ "+1 unwatch d=0", "show-one:closed store-later" },
		{ "sip-over s=404", "<unavailable store-later" },
		{ "+600000 due", "sip-open:renew" },
		{ "+10000 sip-over s=404",
		    "store forget-told <unsubscribed! forget-seen "
		    "<unsubscribe!" } } },
	{ "a user who is found again is not gone",
	    { ASK, GRANT, PROVEN("subscribed"),
		{ "sip-over s=404", "<unavailable store-later" },
		{ "+600000 due", "sip-open:renew" },
		{ "sip-active doc", "<current store-later" },
		{ "+10000 sip-over s=404", "<unavailable store-later" } } },
	{ "a refresh that fails: offline after the grace time",
	    { ASK, GRANT, PROVEN("subscribed"), { "sip-over s=503", "-" },
		{ "+60 due", "sip-open:renew" }, { "+60 due", "<unavailable" },
		{ "sip-active doc", "<current" } } },
	{ "an `unsubscribed` not said yet is not said to one who asks anew",
	    { ASK, { "sip-over s=403", "store forget-told <unsubscribed!" },
		{ "result re=unsubscribed c=remote-server-timeout", "-" },
		{ "subscribe", "store take sip-open:first" },
		{ "+600 due", "-" }, GRANT } },
	{ "a probe that is quicker than the news of a changed policy",
	    { ASK, GRANT, PROVEN("subscribed"),
		{ "nowatch probe", "take <unavailable?" },
		{ "sip-active doc", "sip-end <unavailable" } } },
	{ "403 to a refresh is never the end",
	    { ASK, GRANT, PROVEN("subscribed"),
		{ "sip-over s=403", "<unavailable" },
		{ "+3600 due", "sip-open:renew" }, { "sip-over s=403", "-" },
		{ "+1000000 due", "sip-open:renew" }, { "sip-over s=403", "-" },
		{ "+3600 due", "sip-open:renew" },
		{ "sip-active doc", "<current" } } },
};

/* The user watches the contact: F8 and F9. */
static const struct story to_stories[] = {
	{ "add, with two endpoints; accepted",
	    { ADD, { "watch d=2", "confirm show-one:closed" },
		{ "result ok re=subscribe", "store-later" }, ACCEPT,
		{ "available", "take show-all:current" },
		{ "refresh", "show-one:current" } } },
	{ "both endpoints carry the context: asked once",
	    { ADD, { "watch ctx d=2", "confirm show-one:closed" } } },
	{ "the answer comes before the proof",
	    { ADD, ACCEPT, { "result ok re=subscribe", "-" } } },
	{ "he refuses: closed, and he is left in peace",
	    { ADD, PROVEN("subscribe"),
		{ "unsubscribed", "store take forget-seen show-all:closed" },
		{ "+3600 refresh", "show-one:closed" },
		{ "+100 watch d=2", "confirm show-one:closed" },
		{ "available", "take forget-seen" },
		/* A day later, at a sign-in. */
		{ "+86400 refresh", "show-one:closed store <subscribe!" },
		PROVEN("subscribe"),
		{ "unsubscribed", "store take forget-seen show-all:closed" },
		{ "+86400 refresh", "show-one:closed store-later" },
		{ "+86400 refresh", "show-one:closed store <subscribe!" } } },
	{ "unless she adds him anew",
	    { ADD, PROVEN("subscribe"),
		{ "unsubscribed", "store take forget-seen show-all:closed" },
		{ "+120 watch ctx d=2",
		    "store confirm show-one:closed <subscribe!" },
		ACCEPT } },
	{ "waiting: repeated once a day",
	    { ADD, PROVEN("subscribe"), { "+28800 refresh", "show-one:closed" },
		{ "+57599 refresh", "show-one:closed" },
		{ "+1 refresh", "show-one:closed store <subscribe!" },
		PROVEN("subscribe"),
		{ "+28800 refresh", "show-one:closed" } } },
	{ "a clock set back stops nothing",
	    { ADD, PROVEN("subscribe"),
		{ "+-100000 refresh", "show-one:closed store <subscribe!" } } },
	{ "one endpoint leaves, then the other: nothing to him",
	    { ADD, ACCEPT, { "watch d=2", "confirm show-one:current" },
		{ "unwatch d=1", "show-one:closed" },
		{ "unwatch d=0", "show-one:closed store-later" },
		{ "+633599 due", "-" },
		{ "+1 due", "store forget-seen <unsubscribe!" },
		{ "unsubscribed", "take store-later" },
		{ "result ok re=unsubscribe", "store-later" },
		{ "+1000000 due", "-" } } },
	{ "a sign-in in time finds everything as it was",
	    { ADD, ACCEPT, { "unwatch d=0", "show-one:closed store-later" },
		{ "+600000 watch d=1",
		    "confirm show-one:current <probe store-later" },
		{ "+100000 due", "-" },
		{ "watch d=2", "confirm show-one:current store-later" } } },
	{ "`unsubscribe` is lost: said again",
	    { ADD, ACCEPT, { "unwatch d=0", "show-one:closed store-later" },
		{ "+633600 due", "store forget-seen <unsubscribe!" },
		{ "result re=unsubscribe c=remote-server-timeout", "-" },
		{ "+60 due", "<unsubscribe!" }, PROVEN("unsubscribe") } },
	{ "added again before that was proven: in order",
	    { ADD, ACCEPT, { "unwatch d=0", "show-one:closed store-later" },
		{ "+633600 due", "store forget-seen <unsubscribe!" },
		{ "watch ctx d=1", "store confirm show-one:closed" },
		/* His server's own answer to the first. */
		{ "unsubscribed", "take" },
		{ "result ok re=unsubscribe", "<subscribe!" }, ACCEPT } },
	{ "never asked: `subscribed` is ignored",
	    { { "subscribed", "take" }, ASK, { "subscribed", "take" } } },
	{ "`subscribe` is lost: asked again, later each time",
	    { ADD, { "result re=subscribe c=remote-server-timeout", "-" },
		{ "watch ctx d=2", "confirm show-one:closed" },
		{ "+60 due", "<subscribe!" },
		{ "result re=subscribe c=remote-server-not-found", "-" },
		{ "+119 due", "-" }, { "+1 due", "<subscribe!" },
		PROVEN("subscribe") } },
	{ "he does not exist: closed, no hammering",
	    { ADD,
		{ "result re=subscribe c=item-not-found",
		    "store forget-seen show-all:closed" },
		{ "+3600 due", "-" }, { "refresh", "show-one:closed" },
		{ "watch d=2", "confirm show-one:closed" } } },
	{ "the same, told by a stanza",
	    { ADD,
		{ "error re=subscribe c=item-not-found",
		    "store take forget-seen show-all:closed" },
		{ "result ok re=subscribe", "-" } } },
	{ "by one that names nothing",
	    { ADD, PROVEN("subscribe"),
		{ "error c=service-unavailable",
		    "store take forget-seen show-all:closed" } } },
	{ "a passing trouble, told behind the proof",
	    { ADD, PROVEN("subscribe"),
		{ "error re=subscribe c=remote-server-timeout",
		    "take store-later" },
		{ "+60 due", "<subscribe!" } } },
	{ "the fate of the first is not that of the second",
	    { ADD, { "error re=subscribe c=remote-server-timeout", "take" },
		{ "+60 due", "<subscribe!" },
		{ "result old re=subscribe c=remote-server-timeout", "-" },
		{ "+600 due", "-" }, PROVEN("subscribe") } },
	{ "she is back when the removal falls due",
	    { ADD, ACCEPT, { "unwatch d=0", "show-one:closed store-later" },
		{ "+633600 due d=1", "store-later" }, { "+1 due", "-" } } },
	{ "presence without a word: the word is asked for",
	    { ADD, PROVEN("subscribe"), { "available", "take forget-seen" },
		{ "+120 unavailable", "take forget-seen" },
		{ "available", "take forget-seen <subscribe! store-later" },
		{ "available", "take forget-seen" }, ACCEPT } },
	{ "his account goes: closed",
	    { ADD, ACCEPT,
		{ "error re=probe c=item-not-found",
		    "take forget-seen show-all:current" } } },
	{ "he revokes", { ADD, ACCEPT,
			    { "unsubscribed", "store take forget-seen "
					      "show-all:closed" } } },
	{ "the partner is away for ten minutes",
	    { ADD, ACCEPT, { "partner-lost", "-" }, { "+119 due", "-" },
		{ "+1 due", "forget-seen show-all:closed" },
		{ "refresh", "show-one:closed" },
		{ "+480 partner-back", "<probe" },
		{ "available", "take show-all:current" } } },
	{ "for a moment",
	    { ADD, ACCEPT, { "partner-lost", "-" },
		{ "+10 partner-back", "<probe" }, { "+300 due", "-" } } },
	{ "asked anew, whatever he says",
	    { ADD, { "renewal", "-" }, ACCEPT, { "renewal", "<probe" },
		{ "probed", "-" }, { "+300 due", "-" },
		{ "renewal notalk", "-" }, { "partner-lost", "-" },
		{ "renewal", "-" } } },
	{ "a fetch", { { "fetch", "show-one:closed" }, ADD,
			 { "fetch", "show-one:closed" }, ACCEPT,
			 { "fetch", "show-one:current" },
			 { "unwatch d=0", "show-one:closed store-later" },
			 { "fetch", "show-one:current <probe" } } },
	{ "a user who is not permitted",
	    { { "notalk watch ctx d=1", "decline:403" },
		{ "fetch d=0", "show-one:closed" } } },
};

/* Both ways, restarts, policy, the disk. */
static const struct story world_stories[] = {
	{ "the halves are independent",
	    { ASK, GRANT, PROVEN("subscribed"), ADD, ACCEPT,
		{ "unsubscribe",
		    "store take sip-end forget-told <unsubscribed?" },
		{ "available", "take show-all:current" },
		{ "subscribe", "store take sip-open:first" }, GRANT,
		PROVEN("subscribed"),
		{ "unsubscribed", "store take forget-seen show-all:closed" },
		{ "sip-active doc", "<current" },
		{ "probe", "take <current?" } } },
	{ "restart: nothing is said that was said",
	    { ASK, GRANT, PROVEN("subscribed"), ADD, ACCEPT, { "reload", "-" },
		{ "+5 restart restored d=2", "sip-refresh <probe" },
		{ "sip-active doc", "<current" }, { "+34 due", "-" },
		{ "+1 due", "sip-refresh" }, { "+200 due", "-" } } },
	{ "restart: his server says nothing, twice: closed, until he is heard",
	    { ADD, ACCEPT, { "reload", "-" }, { "+5 restart d=1", "<probe" },
		{ "+3600 due", "-" }, /* it has not gone out yet */
		{ "probed", "-" }, { "+59 due", "-" }, { "+1 due", "<probe" },
		{ "+1 probed", "-" }, { "probed", "-" }, { "+59 due", "-" },
		{ "+1 due", "forget-seen show-all:closed" },
		{ "+3600 due", "-" }, { "refresh", "show-one:closed" },
		{ "+1 available", "take show-all:current" },
		{ "refresh", "show-one:current" } } },
	{ "restart: he answers the second time",
	    { ADD, ACCEPT, { "reload", "-" }, { "+5 restart d=1", "<probe" },
		{ "probed", "-" }, { "+60 due", "<probe" }, { "probed", "-" },
		{ "available", "take show-all:current" }, { "+600 due", "-" },
		{ "refresh", "show-one:current" } } },
	{ "restart: he answers before it is known that he was asked",
	    { ADD, ACCEPT, { "reload", "-" }, { "+5 restart d=1", "<probe" },
		{ "unavailable", "take show-all:current" }, { "probed", "-" },
		{ "+600 due", "-" } } },
	{ "restart: his server is out of reach while he is asked",
	    { ADD, ACCEPT, { "reload", "-" }, { "+5 restart d=1", "<probe" },
		{ "probed", "-" }, { "+30 partner-lost", "-" },
		{ "+119 due", "-" },
		{ "+1 due", "forget-seen show-all:closed" },
		{ "+9 partner-back", "<probe" }, { "probed", "-" },
		{ "+60 due", "<probe" }, { "probed", "-" },
		{ "+60 due", "forget-seen show-all:closed" } } },
	{ "a probe at sign-in: what he has told is trusted",
	    { ADD, ACCEPT, { "unwatch d=0", "show-one:closed store-later" },
		{ "+60 watch d=1",
		    "confirm show-one:current <probe store-later" },
		{ "probed", "-" }, { "+600 due", "-" } } },
	{ "restart: lost dialogs are renewed",
	    { ASK, GRANT, PROVEN("subscribed"), { "reload", "-" },
		{ "+5 restart", "sip-open:renew" },
		{ "sip-active doc", "<current" }, { "+200 due", "-" } } },
	{ "restart: and if that fails he sees it, after the grace time",
	    { ASK, GRANT, PROVEN("subscribed"), { "reload", "-" },
		{ "+5 restart", "sip-open:renew" }, { "+119 due", "-" },
		{ "+1 due", "<unavailable" } } },
	{ "restart: what was not proven is said again",
	    { ASK, GRANT, { "reload", "-" },
		{ "+5 restart restored", "<subscribed! sip-refresh" },
		PROVEN("subscribed"), { "reload", "-" },
		{ "restart restored", "sip-refresh" } } },
	{ "restart: a question not decided is put again",
	    { ASK, { "reload", "-" }, { "restart", "sip-open:first" },
		GRANT } },
	{ "restart: a question not answered is not repeated",
	    { ADD, PROVEN("subscribe"), { "reload", "-" },
		{ "+60 restart d=0", "store-later" },
		{ "watch d=1", "confirm show-one:closed store-later" } } },
	{ "restart: a dialog of nobody",
	    { ASK, GRANT, PROVEN("subscribed"),
		{ "unsubscribe",
		    "store take sip-end forget-told <unsubscribed?" },
		{ "reload", "-" }, { "restart restored", "sip-end" } } },
	{ "restart after long: she has time to sign in",
	    { ADD, ACCEPT, { "unwatch d=0", "show-one:closed store-later" },
		{ "reload", "-" }, { "+9000000 restart", "store-later" },
		{ "+28800 due", "-" },
		{ "watch d=1",
		    "confirm show-one:current <probe store-later" } } },
	{ "or not",
	    { ADD, ACCEPT, { "unwatch d=0", "show-one:closed store-later" },
		{ "reload", "-" }, { "+9000000 restart", "store-later" },
		{ "+28920 due", "store forget-seen <unsubscribe!" } } },
	{ "an old backup's 404 has a day to be confirmed",
	    { ASK, GRANT, PROVEN("subscribed"),
		{ "sip-over s=404", "<unavailable store-later" },
		{ "reload", "-" },
		{ "+9000000 restart", "sip-open:renew store-later" },
		{ "sip-over s=404", "<unavailable" },
		{ "+3600 due", "sip-open:renew" },
		{ "sip-active doc", "<current store-later" } } },
	{ "the user's permission goes and comes",
	    { ASK, GRANT, PROVEN("subscribed"), ADD, ACCEPT,
		{ "notalk policy", "sip-end <unavailable show-all:closed" },
		{ "policy", "-" }, { "probe", "take <unavailable?" },
		{ "subscribe", "refuse:service-unavailable" },
		{ "available", "take show-all:closed" },
		{ "refresh", "show-one:closed" },
		{ "watch d=2", "decline:403" },
		{ "mayw policy d=1", "sip-open:renew show-all:current <probe" },
		{ "sip-active doc", "<current" } } },
	{ "the partner's type no longer lets him watch",
	    { ASK, GRANT, PROVEN("subscribed"),
		{ "nowatch policy", "sip-end <unavailable" },
		{ "sip-active doc", "sip-end" }, { "+1000 due", "-" },
		/* She adds him: now he may. */
		{ "watch ctx d=1", "store confirm show-one:closed "
				   "<subscribe! sip-open:renew" },
		{ "sip-active doc", "<current" } } },
	{ "whom she has added may watch, whatever the type",
	    { { "nowatch subscribe", "refuse:service-unavailable" }, ADD,
		{ "subscribe", "store take sip-open:first" }, GRANT,
		{ "policy", "-" } } },
	{ "barred at the start",
	    { ASK, GRANT, PROVEN("subscribed"), { "reload", "-" },
		{ "notalk restart restored", "sip-end <unavailable" },
		{ "mayw policy", "sip-open:renew" } } },
	{ "what is owed waits for the permission",
	    { ASK, GRANT,
		{ "result re=subscribed c=remote-server-timeout", "-" },
		{ "notalk policy", "sip-end <unavailable" }, { "+60 due", "-" },
		{ "mayw policy", "sip-open:renew <subscribed!" } } },
	{ "a grant that is quicker than the news of a changed policy",
	    { ASK, { "notalk sip-active doc", "sip-end" },
		{ "mayw policy", "sip-open:first" }, GRANT } },
	{ "a barred pair is kept, not removed",
	    { ADD, ACCEPT, { "notalk policy", "show-all:closed" },
		{ "unwatch d=0", "show-one:closed store-later" },
		{ "+633600 due", "store-later" }, { "mayw policy", "-" } } },
	{ "an admin removes the pair",
	    { ASK, GRANT, PROVEN("subscribed"), ADD, ACCEPT,
		{ "remove", "store sip-end forget-told end-all forget-seen "
			    "<unsubscribe! <unsubscribed!" },
		{ "result ok re=unsubscribe d=0", "store-later" },
		{ "result ok re=unsubscribed", "store-later" },
		{ "probe", "take <unsubscribed?" } } },
	{ "of a partner who is none any more",
	    { ASK, GRANT, PROVEN("subscribed"),
		{ "notalk policy", "sip-end <unavailable" },
		{ "remove", "store forget-told forget-seen" },
		{ "+1000 due", "-" } } },
	{ "no disk: the frame is refused, nothing has happened",
	    { { "subscribe nodisk", "| refuse:resource-constraint" },
		{ "probe", "take <unsubscribed?" }, ASK, GRANT,
		PROVEN("subscribed"),
		{ "unsubscribe nodisk", "| refuse:resource-constraint" },
		{ "probe", "take <current?" } } },
	{ "no disk: a grant is kept for later",
	    { ASK, { "sip-granted", "-" }, { "sip-active doc nodisk", "|" },
		{ "probe", "take <unavailable?" }, { "+60 due", "sip-refresh" },
		GRANT } },
	{ "no disk: a rejection likewise",
	    { ASK, GRANT, PROVEN("subscribed"),
		{ "sip-terminated why=rejected nodisk", "| <unavailable" },
		{ "+60 due", "sip-open:renew" },
		{ "sip-over s=603", "store forget-told <unsubscribed!" } } },
	{ "no disk: she can't add him now",
	    { { "watch ctx d=1 nodisk", "| decline:500" },
		{ "+10 watch ctx d=1",
		    "store confirm show-one:closed <subscribe!" } } },
	{ "no disk: his word is not taken",
	    { ADD, PROVEN("subscribe"),
		{ "subscribed nodisk", "| refuse:resource-constraint" },
		{ "refresh", "show-one:closed" }, ACCEPT,
		{ "unsubscribed nodisk", "| refuse:resource-constraint" },
		{ "refresh", "show-one:current" } } },
	{ "no disk: a refusal learnt from the result",
	    { ADD, { "result re=subscribe c=item-not-found nodisk", "|" },
		{ "+60 due", "<subscribe!" } } },
	{ "no disk: a removal is put off",
	    { ADD, ACCEPT, { "unwatch d=0", "show-one:closed store-later" },
		{ "+633600 due nodisk", "| store-later" }, { "+59 due", "-" },
		{ "+1 due", "store forget-seen <unsubscribe!" } } },
	{ "no disk: what is known goes on",
	    { ASK, GRANT, PROVEN("subscribed"),
		{ "sip-active doc nodisk", "<current" },
		{ "probe nodisk", "take <current?" } } },
};

static void
tell(const struct story *stories, size_t count)
{
	int wrong = 0;

	for (size_t i = 0; i < count; i++) {
		const struct line *l = stories[i].lines;
		struct pair_script p;

		pair_script_start(&p);
		for (; l->event != NULL; l++) {
			const char *got = pair_script_play(&p, l->event);

			if (strcmp(got, l->actions) == 0)
				continue;
			print_error("%s: %s:\n     %s\nnot  %s\n",
			    stories[i].name, l->event, got, l->actions);
			wrong++;
			break;
		}
	}
	assert_int_equal(wrong, 0);
}

#define TELL(stories) tell(stories, sizeof(stories) / sizeof((stories)[0]))

static void
contacts_watch_users(void **state)
{
	(void)state;
	TELL(from_stories);
}

static void
users_watch_contacts(void **state)
{
	(void)state;
	TELL(to_stories);
}

static void
the_world_has_its_way(void **state)
{
	(void)state;
	TELL(world_stories);
}

static void
refusals_can_end_dialogs(void **state)
{
	static const struct line lines[] = {
		{ "watch ctx d=1",
		    "store confirm show-one:closed <subscribe!" },
		{ "unsubscribed", "store take forget-seen end-all" },
		{ "+633600 due d=0", "store forget-seen" },
	};
	struct pair_script p;

	(void)state;
	pair_script_start(&p);
	p.rules.refusal_ends = true;
	for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++)
		assert_string_equal(
		    pair_script_play(&p, lines[i].event), lines[i].actions);
	assert_true(pair_state_empty(&p.s));
}

/* --- what is stored ----------------------------------------------------- */

static void
a_row_keeps_what_matters(void **state)
{
	static const char *const lives[] = { "subscribe", "sip-active doc",
		"+86400 sip-over s=404", "watch ctx d=1", "unsubscribed",
		"+100 unwatch d=0", "sip-over s=603" };
	struct pair_script p;

	(void)state;
	pair_script_start(&p);
	for (size_t i = 0; i < sizeof(lives) / sizeof(lives[0]); i++) {
		struct pair_saved once, twice;
		struct pair_state s;

		pair_script_play(&p, lives[i]);
		pair_state_save(&once, &p.s);
		assert_int_equal(pair_state_load(&s, &once), 0);
		pair_state_save(&twice, &s);
		assert_int_equal(once.roster, twice.roster);
		assert_int_equal(once.flags, twice.flags);
		assert_int_equal(s.roster, p.s.roster);
		assert_int_equal(s.to.owed, p.s.to.owed);
		assert_int_equal(s.from.owed, p.s.from.owed);
		assert_int_equal(s.refusals, p.s.refusals);
		assert_int_equal(s.asked_ms, p.s.asked_ms);
		assert_int_equal(s.refused_ms, p.s.refused_ms);
		assert_int_equal(s.remove_ms, p.s.remove_ms);
		assert_int_equal(s.used_ms, p.s.used_ms);
		/* To the hour. */
		assert_int_equal(s.gone_ms / 3600000, p.s.gone_ms / 3600000);
		assert_int_equal(
		    pair_state_invited(&s), pair_state_invited(&p.s));
	}
}

static void
rows_that_are_none_are_refused(void **state)
{
	static const struct pair_saved rows[] = {
		{ .roster = ROSTER_STATE_COUNT },
		{ .roster = UINT32_MAX },
		{ .roster = ROSTER_B, .flags = 3U << 2 },
		{ .roster = ROSTER_B, .flags = 3U << 4 },
		{ .roster = ROSTER_B, .flags = 1U << 10 },
		{ .roster = ROSTER_B, .asked_ms = -1 },
		{ .roster = ROSTER_B, .refused_ms = -1 },
		{ .roster = ROSTER_B, .remove_ms = -1 },
		{ .roster = ROSTER_B, .used_ms = INT64_MIN },
	};
	struct pair_state s = { .roster = ROSTER_F };

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		assert_int_equal(pair_state_load(&s, &rows[i]), ERR_MALFORMED);
		assert_int_equal(s.roster, ROSTER_F);
	}
}

/* A row fresh from the disk may hold any time; none makes the machine count
 * wrong or overflow. */
static void
any_time_on_disk_is_borne(void **state)
{
	static const int64_t times[] = { 0, 1, INT64_MAX };
	static const char *const events[] = { "restart", "due", "watch d=1",
		"refresh", "available", "unwatch d=0", "sip-over s=404",
		"+10 due", "pool-lost", "pool-back", "partner-lost", "due" };

	(void)state;
	for (size_t t = 0; t < sizeof(times) / sizeof(times[0]); t++) {
		for (uint32_t r = 0; r < ROSTER_STATE_COUNT; r++) {
			struct pair_saved row = { .roster = r,
				.flags = 0xfffff000,
				.asked_ms = times[t],
				.refused_ms = times[t],
				.remove_ms = times[t],
				.used_ms = times[t] };
			struct pair_script p;

			pair_script_start(&p);
			assert_int_equal(pair_state_load(&p.s, &row), 0);
			for (size_t i = 0;
			     i < sizeof(events) / sizeof(events[0]); i++) {
				pair_script_play(&p, events[i]);
				assert_true(p.due_ms >= 0);
			}
		}
	}
}

static void
reasons_are_read_in_any_case(void **state)
{
	static const struct {
		const char *text;
		enum pair_reason reason;
	} rows[] = {
		{ "deactivated", PAIR_DEACTIVATED },
		{ "Probation", PAIR_PROBATION },
		{ "rejected", PAIR_REJECTED },
		{ "timeout", PAIR_TIMEOUT },
		{ "giveup", PAIR_GIVEUP },
		{ "NORESOURCE", PAIR_NORESOURCE },
		{ "invariant", PAIR_INVARIANT },
		{ "", PAIR_REASON_NONE },
		{ "rejecte", PAIR_REASON_NONE },
		{ "rejectedx", PAIR_REASON_NONE },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		assert_int_equal(
		    pair_reason_parse(rows[i].text, strlen(rows[i].text)),
		    rows[i].reason);
}

/* --- every cell --------------------------------------------------------- */

/* Stanzas in each state: the state that follows is that of the tables, with
 * the answer they demand, and the frame is answered exactly once. */
static void
every_stanza_in_every_state(void **state)
{
	static const char *const stanzas[] = { "subscribe", "subscribed",
		"unsubscribe", "unsubscribed", "probe", "available",
		"unavailable", "error", "error re=subscribe c=item-not-found" };

	(void)state;
	for (uint32_t r = 0; r < ROSTER_STATE_COUNT; r++) {
		for (size_t i = 0; i < sizeof(stanzas) / sizeof(stanzas[0]);
		     i++) {
			struct pair_saved row = { .roster = r };
			enum roster_state at = (enum roster_state)r, to = at;
			size_t answers = 0, stores = 0;
			struct pair_script p;

			pair_script_start(&p);
			assert_int_equal(pair_state_load(&p.s, &row), 0);
			pair_script_play(&p, "restart restored");
			pair_script_play(&p, stanzas[i]);
			if (i < ROSTER_STANZA_COUNT)
				to = roster_state_in(at, (enum roster_stanza)i)
					 .to;
			else if (i >= 7 && roster_state_pending_out(at))
				to =
				    roster_state_in(at, ROSTER_UNSUBSCRIBED).to;
			assert_int_equal(p.s.roster, to);
			for (size_t k = 0; k < p.last.count; k++) {
				enum pair_action_kind a =
				    p.last.actions[k].kind;

				stores += a == PAIR_STORE;
				answers += a == PAIR_TAKE || a == PAIR_REFUSE;
				/* Not before it is on disk. */
				if (a == PAIR_TAKE && at != to)
					assert_int_equal(stores, 1);
			}
			assert_int_equal(answers, 1);
			assert_int_equal(stores, at != to);
			if (i == 2) /* unsubscribe: no SIP, once gone */
				assert_int_equal(
				    p.s.sip, roster_state_from(to) ||
						     roster_state_pending_in(to)
						 ? PAIR_SIP_LIVE
						 : PAIR_SIP_NONE);
		}
	}
}

/* Where a vector is a matter of the machine, it is a story; the tests that
 * play it on the wire are named beside it. */
static void
vectors_of_subscriptions(void **state)
{
	json_error_t where;
	json_t *document = json_load_file(
	    "tests/vectors/subscriptions.json", JSON_REJECT_DUPLICATES, &where);
	json_t *row, *line;
	size_t i, k, stories = 0;

	(void)state;
	if (document == NULL)
		fail_msg("line %d: %s", where.line, where.text);
	json_array_foreach(json_object_get(document, "subscriptions"), i, row)
	{
		json_t *story = json_object_get(row, "story");
		struct pair_script p;

		pair_script_start(&p);
		stories += story != NULL;
		json_array_foreach(story, k, line)
		{
			const char *want =
			    json_string_value(json_array_get(line, 1));
			const char *got = pair_script_play(
			    &p, json_string_value(json_array_get(line, 0)));

			if (strcmp(got, want) != 0)
				fail_msg("%s, line %zu: got \"%s\", want "
					 "\"%s\"",
				    json_string_value(
					json_object_get(row, "id")),
				    k, got, want);
		}
	}
	assert_true(stories > 20);
	json_decref(document);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(contacts_watch_users),
		cmocka_unit_test(users_watch_contacts),
		cmocka_unit_test(the_world_has_its_way),
		cmocka_unit_test(refusals_can_end_dialogs),
		cmocka_unit_test(a_row_keeps_what_matters),
		cmocka_unit_test(rows_that_are_none_are_refused),
		cmocka_unit_test(any_time_on_disk_is_borne),
		cmocka_unit_test(reasons_are_read_in_any_case),
		cmocka_unit_test(every_stanza_in_every_state),
		cmocka_unit_test(vectors_of_subscriptions),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
