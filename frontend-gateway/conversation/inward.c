#include "frontend-gateway/conversation/inward.h"

#include <stdlib.h>
#include <string.h>

#include "common/err.h"
#include "frontend-gateway/conversation/duplicates.h"
#include "proto/channel.h"

static void
on_deadline(struct clock_timer *t, void *arg)
{
	struct inward *in = arg;

	(void)t;
	in->on_late(in, in->arg);
}

static void
release(struct inward *in)
{
	clock_timer_stop(&in->deadline);
	list_remove(&in->link);
	free(in->id);
	free(in->from);
	free(in->nick);
	free(in->text);
	free(in->html);
	free(in->language);
	free(in);
}

static char *
copy(const char *data, size_t len)
{
	char *out = malloc(len + 1);

	if (out == NULL)
		return NULL;
	if (len > 0)
		memcpy(out, data, len);
	out[len] = '\0';
	return out;
}

int
inward_new(struct inward **out, const struct inward_opts *opts)
{
	struct inward *in = calloc(1, sizeof(*in));

	if (in == NULL)
		return ERR_NOMEM;
	list_init(&in->link);
	clock_timer_init(&in->deadline, opts->env->clock, on_deadline, in);
	in->env = opts->env;
	in->id = strdup(opts->id != NULL ? opts->id : "");
	in->from = strdup(opts->from);
	in->nick = opts->nick != NULL ? strdup(opts->nick) : NULL;
	in->language = opts->language != NULL ? strdup(opts->language) : NULL;
	in->text = copy(opts->text, opts->len);
	in->html = copy(opts->html, opts->html_len);
	if (in->id == NULL || in->from == NULL || in->text == NULL ||
	    in->html == NULL || (opts->nick != NULL && in->nick == NULL) ||
	    (opts->language != NULL && in->language == NULL)) {
		release(in);
		return ERR_NOMEM;
	}
	in->len = opts->len;
	in->html_len = opts->html_len;
	in->standing = opts->standing;
	in->on_late = opts->on_late;
	in->arg = opts->arg;
	if (!opts->notice)
		in->copies[in->copy_count++] = opts->ticket;
	in->duplicate = opts->duplicate;
	if (in->duplicate != NULL)
		duplicates_set_owner(in->duplicate, in);
	clock_timer_start(&in->deadline, opts->env->deadline_ms);
	*out = in;
	return 0;
}

int
inward_join(struct inward *in, struct edges_ticket ticket)
{
	if (in->copy_count == INWARD_COPIES_MAX)
		return ERR_FULL;
	in->copies[in->copy_count++] = ticket;
	return 0;
}

static void
answer(struct inward *in, const struct channel_result *r)
{
	for (size_t i = 0; i < in->copy_count; i++)
		edges_answer(in->env->edges, in->copies[i], r);
	duplicates_settle(in->env->duplicates, in->duplicate, r->delivered,
	    clock_now_ms(in->env->clock));
	release(in);
}

void
inward_delivered(struct inward *in)
{
	struct channel_result r = { .delivered = true, .proof = PROOF_GATEWAY };

	answer(in, &r);
}

void
inward_failed(struct inward *in, enum condition condition, const char *type,
    const char *text)
{
	struct channel_result r = {
		.condition = condition, .error_type = type, .text = text
	};

	answer(in, &r);
}

void
inward_abandon(struct inward *in)
{
	duplicates_settle(in->env->duplicates, in->duplicate, false,
	    clock_now_ms(in->env->clock));
	release(in);
}
