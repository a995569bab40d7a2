/*
 * policy_impl - what the files of policy share.  Nobody else includes it.
 *
 * policy.c           judgement
 * policy_settings.c  rights as administrators set them
 */
#ifndef GATEWAY_POLICY_POLICY_IMPL_H
#define GATEWAY_POLICY_POLICY_IMPL_H

#include "common/clock.h"
#include "common/list.h"
#include "common/log.h"
#include "common/map.h"
#include "frontend-gateway/policy/policy.h"
#include "frontend-gateway/policy/rights.h"
#include "frontend-gateway/settings/settings.h"

struct newcomers;

struct policy {
	const struct gateway_conf *conf;
	struct clock *clock; /* NULL: it is 1970-01-01 */
	struct log log;
	struct rights rights;
	struct map pairs;
	struct list by_use; /* longest unused first */
	size_t max;
	struct newcomers *newcomers; /* who ask to watch */
	struct newcomers *misses;    /* who write in vain */
	policy_tie_fn *tie;          /* NULL = nobody knows */
	void *tie_arg;

	/* policy_settings.c */
	struct settings *settings; /* NULL = none are followed */
	struct settings_listener listener;
	policy_change_fn *on_change;
	void *on_change_arg;
	struct clock_timer midnight;
	int32_t day; /* judged by last */
	bool broken; /* a change could not be taken over */
	/* Rights as they will be, made while a large commit is on its way. */
	struct rights coming;
	bool is_coming, is_whole;
	size_t source, at; /* how far they are made */
};

/* The day it is. */
int32_t policy_today(const struct policy *p);

/* --- policy_settings.c -------------------------------------------------- */

void policy_forget_coming(struct policy *p);

#endif
