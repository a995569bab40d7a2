/*
 * What is said without words: that somebody types, that somebody has left.
 * All of it may be lost; nothing waits for it, and it never opens a dialog.
 *
 * Leaving is not believed at once.  Clients say <gone/> freely, so the Lync
 * dialog ends only when silence follows; and a Lync user who changes the
 * device ends one dialog and begins another, so the contact hears <gone/>
 * only when none follows.
 */
#include "frontend-gateway/conversation/conversation_impl.h"

#include <stdlib.h>
#include <string.h>

#include "common/buf.h"
#include "common/err.h"
#include "common/random.h"
#include "frontend-gateway/sip/sip_ua.h"
#include "frontend-gateway/translate/typing.h"
#include "proto/frame.h"

enum {
	CONTACT_LEFT_MS = 60000,
	USER_LEFT_MS = 2000,
	ID_BYTES = 8,
	ID_DIGITS = 2 * ID_BYTES,
	DIALOG_UNKNOWN = 481,
	NOT_THERE = 480,
	NO_ANSWER = 408,
	ROUTE_LOST = 430
};

/* Distinguishes the stanza when it is bounced. */
static const char id_prefix[] = "state-";

bool
conversation_is_state_id(const char *id)
{
	return strncmp(id, id_prefix, sizeof(id_prefix) - 1) == 0;
}

/* --- to the contact ------------------------------------------------------- */

static void
on_state(const char *state, void *arg)
{
	struct conversation *c = arg;
	char id[sizeof(id_prefix) + ID_DIGITS];
	struct frame_writer w;
	struct buf frame;
	uint64_t seq;
	int rc;

	memcpy(id, id_prefix, sizeof(id_prefix));
	random_hex(id + sizeof(id_prefix) - 1, ID_BYTES);
	c->edge = edges_choose(c->env->edges, c->user.ascii, c->user.bare,
	    c->contact.bare, c->edge);
	buf_init(&frame, FRAME_MAX);
	frame_begin(&w, &frame, FRAME_MESSAGE);
	frame_put_str(&w, FIELD_ID, id);
	frame_put_str(&w, FIELD_FROM, c->from);
	frame_put_str(
	    &w, FIELD_TO, c->lock != NULL ? c->lock : c->contact.bare);
	frame_put_str(&w, FIELD_KIND, "chat");
	if (conversation_thread(c, c->thread)[0] != '\0')
		frame_put_str(
		    &w, FIELD_THREAD, conversation_thread(c, c->thread));
	frame_put_str(&w, FIELD_CHAT_STATE, state);
	frame_put_flag(&w, FIELD_NO_STORE);
	rc = frame_end(&w);
	if (rc == 0)
		rc = edges_send(c->env->edges, c->edge, &frame, NULL, &seq);
	if (rc < 0)
		log_debug(&c->log, "state-not-sent", "state=%s error=%s", state,
		    err_str(rc));
	buf_finish(&frame);
}

/* --- to the Lync user ----------------------------------------------------- */

static void
drop_info(struct conversation *c)
{
	if (c->info != NULL)
		sip_ua_drop(c->env->ua, c->info);
	c->info = NULL;
	c->info_in = NULL;
}

static void
on_info_result(struct sip_ua *ua, struct sip_ua_call *call,
    const struct sip_result *r, void *arg)
{
	struct conversation *c = arg;
	struct sip_dialog *d = c->info_in;

	(void)ua;
	(void)call;
	if (!r->final)
		return;
	c->info = NULL;
	c->info_in = NULL;
	if (d == NULL || r->outcome == SIP_OUTCOME_TRANSPORT)
		return;
	/* Who answers so has lost the dialog; the next text opens another. */
	if (r->status == DIALOG_UNKNOWN || r->status == NOT_THERE ||
	    r->status == NO_ANSWER || r->status == ROUTE_LOST) {
		log_info(
		    &c->log, "dialog-lost", "method=INFO status=%d", r->status);
		conversation_drop_dialog(c, d);
	}
	conversation_settle(c);
}

static void
on_typing(bool typing, void *arg)
{
	struct conversation *c = arg;
	const char *body = typing ? typing_info_type : typing_info_idle;
	struct sip_question q = {
		.method = SIP_INFO,
		.content_type = TYPING_INFO_TYPE,
		.body = body,
		.body_len = strlen(body),
		.on_result = on_info_result,
		.arg = c,
	};
	struct sip_dialog *d = conversation_dialog(c);
	int rc;

	if (d == NULL)
		return;
	drop_info(c);
	rc = sip_ua_ask_in(&c->info, c->env->ua, d, &q);
	if (rc < 0)
		log_debug(&c->log, "typing-not-sent", "error=%s", err_str(rc));
	else
		c->info_in = d;
}

/* --- leaving -------------------------------------------------------------- */

static void
on_contact_left(struct clock_timer *t, void *arg)
{
	struct conversation *c = arg;

	(void)t;
	/* What waits to be said is said in a dialog. */
	if (c->call == NULL && c->outward == 0) {
		log_info(&c->log, "contact-left", NULL);
		conversation_hang_up(c);
	}
	conversation_settle(c);
}

static void
on_user_left(struct clock_timer *t, void *arg)
{
	struct conversation *c = arg;

	(void)t;
	on_state("gone", c);
	conversation_settle(c);
}

void
conversation_states_bye(struct conversation *c)
{
	if (typing_state_known(&c->typing))
		clock_timer_start(&c->user_left, USER_LEFT_MS);
}

void
conversation_states_text(struct conversation *c)
{
	clock_timer_stop(&c->contact_left);
	clock_timer_stop(&c->user_left);
}

/* --- from the contact ----------------------------------------------------- */

const char *
conversation_thread(const struct conversation *c, const char *own)
{
	return c->their_thread != NULL ? c->their_thread : own;
}

void
conversation_state(struct conversation *c, const char *state)
{
	bool in_dialog = conversation_dialog(c) != NULL;

	typing_state_contact(&c->typing, state, in_dialog);
	/* What comes after is another thread (XEP-0085 5.2). */
	if (strcmp(state, "gone") == 0) {
		free(c->their_thread);
		c->their_thread = NULL;
	}
	if (strcmp(state, "gone") == 0 && in_dialog)
		clock_timer_start(&c->contact_left, CONTACT_LEFT_MS);
	else
		clock_timer_stop(&c->contact_left);
	conversation_settle(c);
}

void
conversation_wrote(struct conversation *c, bool with_state)
{
	typing_state_contact_wrote(&c->typing, with_state);
}

void
conversation_state_bounced(struct conversation *c)
{
	typing_state_bounced(&c->typing);
}

/* --- life ----------------------------------------------------------------- */

void
conversation_states_init(struct conversation *c)
{
	static const struct typing_events events = { on_state, on_typing };

	typing_state_init(&c->typing, c->env->clock, &events, c);
	clock_timer_init(&c->contact_left, c->env->clock, on_contact_left, c);
	clock_timer_init(&c->user_left, c->env->clock, on_user_left, c);
}

void
conversation_states_stop(struct conversation *c)
{
	typing_state_stop(&c->typing);
	clock_timer_stop(&c->contact_left);
	clock_timer_stop(&c->user_left);
	drop_info(c);
}

void
conversation_states_leave(struct conversation *c, struct sip_dialog *d)
{
	if (c->info_in == d)
		c->info_in = NULL;
	if (conversation_dialog(c) == NULL) {
		typing_state_dialog_lost(&c->typing);
		clock_timer_stop(&c->contact_left);
	}
}

bool
conversation_states_busy(const struct conversation *c)
{
	return clock_timer_running(&c->user_left) ||
	       clock_timer_running(&c->typing.lync);
}
