#include "frontend-gateway/conversation/inward.h"

#include <stdlib.h>
#include <string.h>

#include "common/err.h"
#include "frontend-gateway/conversation/duplicates.h"
#include "proto/channel.h"
#include "proto/condition.h"

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
	for (size_t i = 0; i < in->copy_count; i++)
		buf_finish(&in->copies[i].receipt);
	free(in->subject);
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

/* There must be room. */
static void
add_copy(struct inward *in, const struct inward_opts *opts)
{
	struct inward_copy *c = &in->copies[in->copy_count++];

	*c = (struct inward_copy){ .ticket = opts->ticket,
		.duplicate = opts->duplicate };
	buf_init(&c->receipt, 0);
	if (opts->receipt != NULL) {
		c->receipt = *opts->receipt;
		buf_init(opts->receipt, 0);
	}
	if (c->duplicate != NULL)
		duplicates_set_owner(c->duplicate, in);
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
	in->subject = opts->subject != NULL ? strdup(opts->subject) : NULL;
	in->text = copy(opts->text, opts->len);
	in->html = copy(opts->html, opts->html_len);
	if (in->id == NULL || in->from == NULL || in->text == NULL ||
	    in->html == NULL || (opts->nick != NULL && in->nick == NULL) ||
	    (opts->language != NULL && in->language == NULL) ||
	    (opts->subject != NULL && in->subject == NULL)) {
		release(in);
		return ERR_NOMEM;
	}
	in->len = opts->len;
	in->html_len = opts->html_len;
	in->standing = opts->standing;
	in->on_late = opts->on_late;
	in->arg = opts->arg;
	in->notice = opts->notice;
	if (!opts->notice)
		add_copy(in, opts);
	clock_timer_start(&in->deadline, opts->env->deadline_ms);
	*out = in;
	return 0;
}

int
inward_join(struct inward *in, struct edges_ticket ticket)
{
	struct inward_opts o = { .ticket = ticket };

	if (in->copy_count == INWARD_COPIES_MAX)
		return ERR_FULL;
	add_copy(in, &o);
	return 0;
}

int
inward_correct(struct inward *in, const struct inward_opts *opts)
{
	char *text, *html;

	if (in->copy_count == INWARD_COPIES_MAX)
		return ERR_FULL;
	text = copy(opts->text, opts->len);
	html = copy(opts->html, opts->html_len);
	if (text == NULL || html == NULL) {
		free(text);
		free(html);
		return ERR_NOMEM;
	}
	free(in->text);
	free(in->html);
	in->text = text;
	in->html = html;
	in->len = opts->len;
	in->html_len = opts->html_len;
	add_copy(in, opts);
	return 0;
}

static void
settle(struct inward *in, bool delivered)
{
	uint64_t now_ms = clock_now_ms(in->env->clock);

	for (size_t i = 0; i < in->copy_count; i++)
		duplicates_settle(in->env->duplicates, in->copies[i].duplicate,
		    delivered, now_ms);
}

static void
answer(struct inward *in, const struct channel_result *r)
{
	for (size_t i = 0; i < in->copy_count; i++)
		edges_answer(in->env->edges, in->copies[i].ticket, r);
	settle(in, r->delivered);
}

/* Through the edge that the message came from; a receipt may be lost. */
static void
acknowledge(struct inward *in)
{
	uint64_t seq;

	for (size_t i = 0; i < in->copy_count; i++)
		if (in->copies[i].receipt.len > 0)
			(void)edges_send(in->env->edges,
			    in->copies[i].ticket.edge, &in->copies[i].receipt,
			    NULL, &seq);
}

void
inward_delivered(struct inward *in)
{
	struct channel_result r = { .delivered = true, .proof = PROOF_GATEWAY };

	answer(in, &r);
	acknowledge(in);
	release(in);
}

void
inward_withdrawn(struct inward *in)
{
	struct channel_result r = { .delivered = true, .proof = PROOF_GATEWAY };

	answer(in, &r);
	release(in);
}

void
inward_failed(struct inward *in, enum condition condition, const char *type,
    const char *text)
{
	/* Said only where it says something: an edge is not to tell by it which
	 * of two refusals came from the pool. */
	bool usual =
	    type != NULL && strcmp(type, condition_type(condition)) == 0;
	struct channel_result r = {
		.condition = condition,
		.error_type = usual ? NULL : type,
		.text = text,
	};

	answer(in, &r);
	release(in);
}

void
inward_gone(struct inward *in, const char *text, const char *gone_to)
{
	struct channel_result r = {
		.condition = COND_GONE, .text = text, .gone_to = gone_to
	};

	answer(in, &r);
	release(in);
}

void
inward_abandon(struct inward *in)
{
	settle(in, false);
	release(in);
}
