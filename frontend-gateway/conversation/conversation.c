/*
 * Everything that happens ends in conversation_settle(), which starts whatever
 * can be started and reports a conversation that has nothing left; nothing
 * touches the conversation after it.
 */
#include "frontend-gateway/conversation/conversation_impl.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/buf.h"
#include "common/err.h"
#include "common/jid.h"
#include "common/log.h"
#include "frontend-gateway/gateway_conf.h"
#include "frontend-gateway/sip/sip_sdp.h"
#include "frontend-gateway/sip/sip_ua.h"
#include "frontend-gateway/translate/address.h"
#include "frontend-gateway/translate/body.h"

/* The resource all endpoints of a Lync user share. */
static const char resource[] = "/lync";

#define BIT(s) (1u << (unsigned)(s))

static const struct {
	const char *name;
	unsigned next; /* states this one may lead to */
} states[CONVERSATION_COUNT] = {
	[CONVERSATION_IDLE] = { "idle",
	    BIT(CONVERSATION_INVITING) | BIT(CONVERSATION_OPEN) },
	[CONVERSATION_INVITING] = { "inviting",
	    BIT(CONVERSATION_IDLE) | BIT(CONVERSATION_OPEN) },
	[CONVERSATION_OPEN] = { "open", BIT(CONVERSATION_IDLE) },
};

void
conversation_set_state(struct conversation *c, enum conversation_state to)
{
	if (c->state == to)
		return;
	assert(states[c->state].next & BIT(to));
	log_debug(&c->log, "state", "from=%s to=%s", states[c->state].name,
	    states[to].name);
	c->state = to;
}

const char *
conversation_state_str(const struct conversation *c)
{
	return states[c->state].name;
}

void
conversation_touch(struct conversation *c)
{
	clock_timer_start(&c->idle, c->env->conf->timers.idle_ms);
}

/* --- dialogs ------------------------------------------------------------ */

struct leg *
conversation_leg(struct conversation *c)
{
	return c->leg_count > 0 ? &c->legs[c->leg_count - 1] : NULL;
}

/* Takes the dialog out of the conversation; true when it was there. */
static bool
remove_leg(struct conversation *c, struct sip_dialog *d)
{
	size_t i = 0;

	while (i < c->leg_count && c->legs[i].dialog != d)
		i++;
	if (i == c->leg_count)
		return false;
	memmove(&c->legs[i], &c->legs[i + 1],
	    (c->leg_count - i - 1) * sizeof(c->legs[0]));
	c->leg_count--;
	sip_dialog_set_user(d, NULL);
	if (c->sent_in == d)
		c->sent_in = NULL;
	conversation_states_leave(c, d);
	if (c->leg_count == 0 && c->state == CONVERSATION_OPEN)
		conversation_set_state(c, CONVERSATION_IDLE);
	return true;
}

struct sip_dialog *
conversation_notifiable(const struct conversation *c, const char **contact_uri)
{
	const struct leg *leg;

	if (c->leg_count == 0)
		return NULL;
	leg = &c->legs[c->leg_count - 1];
	*contact_uri = c->contact_uri;
	return (leg->accepts & SIP_SDP_BIT(SIP_SDP_IMDN)) != 0 ? leg->dialog
							       : NULL;
}

struct sip_dialog *
conversation_dialog(const struct conversation *c)
{
	return c->leg_count > 0 ? c->legs[c->leg_count - 1].dialog : NULL;
}

void
conversation_drop_dialog(struct conversation *c, struct sip_dialog *d)
{
	if (remove_leg(c, d))
		sip_ua_forget(c->env->ua, d);
}

void
conversation_end_dialog(struct conversation *c, struct sip_dialog *d)
{
	if (remove_leg(c, d))
		sip_ua_bye(c->env->ua, d);
}

void
conversation_drop_through(struct conversation *c, struct sip_dialog *d)
{
	size_t older = 0;

	while (older < c->leg_count && c->legs[older].dialog != d)
		older++;
	if (older == c->leg_count)
		return;
	while (older-- > 0)
		conversation_end_dialog(c, c->legs[0].dialog);
	conversation_drop_dialog(c, d);
}

void
conversation_hang_up(struct conversation *c)
{
	while (c->leg_count > 0)
		conversation_end_dialog(c, conversation_leg(c)->dialog);
}

void
conversation_add_leg(struct conversation *c, struct sip_dialog *d,
    const char *name, unsigned accepts)
{
	struct leg *leg;

	if (c->leg_count == CONVERSATION_LEGS_MAX)
		conversation_end_dialog(c, c->legs[0].dialog);
	leg = &c->legs[c->leg_count++];
	leg->dialog = d;
	leg->accepts = accepts;
	ids_thread(leg->thread, name, c->env->secret);
	memcpy(c->thread, leg->thread, sizeof(c->thread));
	clock_timer_stop(&c->user_left);
	sip_dialog_set_user(d, c);
	conversation_set_state(c, CONVERSATION_OPEN);
}

bool
conversation_formats(const struct conversation *c)
{
	return gateway_conf_formats(c->env->conf, c->contact.ascii);
}

const char *
conversation_accept_types(const struct conversation *c)
{
	return conversation_formats(c) ? BODY_ACCEPT_TYPES
				       : BODY_ACCEPT_TYPES_PLAIN;
}

/* --- life ----------------------------------------------------------------- */

void
conversation_dialog_ended(
    struct conversation *c, struct sip_dialog *d, bool bye)
{
	if (remove_leg(c, d) && bye && c->leg_count == 0)
		conversation_states_bye(c);
	conversation_settle(c);
}

static void
on_idle(struct clock_timer *t, void *arg)
{
	struct conversation *c = arg;

	(void)t;
	if (c->call != NULL || c->outward > 0 || !list_empty(&c->queue)) {
		conversation_touch(c);
		return;
	}
	log_info(&c->log, "idle", "dialogs=%zu", c->leg_count);
	conversation_hang_up(c);
	conversation_settle(c);
}

/* The user's client is told why; the contact that she has left, which is no
 * more than he would hear of anybody. */
void
conversation_forbid(struct conversation *c, const struct errors_sip *why)
{
	bool open = c->leg_count > 0;

	conversation_drop_call(c);
	conversation_fail_queue(c, COND_SERVICE_UNAVAILABLE);
	while (c->leg_count > 0) {
		struct sip_dialog *d = conversation_leg(c)->dialog;

		if (remove_leg(c, d))
			sip_ua_bye_because(c->env->ua, d, why->diagnostics,
			    why->status, why->reason);
	}
	if (open)
		conversation_states_bye(c);
	conversation_settle(c);
}

static char *
uri_of(const struct jid *j)
{
	struct buf b;
	const char *s = NULL;
	char *out = NULL;

	buf_init(&b, ADDRESS_URI_MAX);
	if (address_to_sip(&b, j, 0) == 0)
		s = buf_cstr(&b);
	if (s != NULL)
		out = strdup(s);
	buf_finish(&b);
	return out;
}

int
conversation_new(struct conversation **out, const struct conversation_env *env,
    const struct jid *user, const struct jid *contact)
{
	struct conversation *c = calloc(1, sizeof(*c));
	int rc = ERR_NOMEM;

	if (c == NULL)
		return ERR_NOMEM;
	c->env = env;
	c->edge = EDGES_NONE;
	c->since_ms = clock_wall_ms(env->clock);
	list_init(&c->queue);
	clock_timer_init(&c->idle, env->clock, on_idle, c);
	conversation_states_init(c);
	log_init(&c->log, "conversation");
	rc = jid_parse(&c->user, user->bare, strlen(user->bare));
	if (rc < 0)
		goto fail;
	rc = jid_parse(&c->contact, contact->bare, strlen(contact->bare));
	if (rc < 0)
		goto fail;
	log_object(
	    &c->log, "user=%s contact=%s", c->user.bare, c->contact.bare);
	c->user_uri = uri_of(&c->user);
	c->contact_uri = uri_of(&c->contact);
	rc = ERR_JID;
	if (c->user_uri == NULL || c->contact_uri == NULL)
		goto fail;
	rc = ERR_NOMEM;
	if (asprintf(&c->from, "%s%s", c->user.bare, resource) < 0) {
		c->from = NULL;
		goto fail;
	}
	*out = c;
	return 0;

fail:
	conversation_free(c);
	return rc;
}

void
conversation_free(struct conversation *c)
{
	if (c == NULL)
		return;
	assert(c->outward == 0);
	clock_timer_stop(&c->idle);
	conversation_states_stop(c);
	conversation_drop_call(c);
	while (c->leg_count > 0) {
		struct sip_dialog *d = conversation_leg(c)->dialog;

		(void)remove_leg(c, d);
		sip_ua_forget(c->env->ua, d);
	}
	conversation_abandon_queue(c);
	jid_finish(&c->user);
	jid_finish(&c->contact);
	free(c->user_uri);
	free(c->contact_uri);
	free(c->from);
	free(c->lock);
	free(c->their_thread);
	free(c);
}

const char *
conversation_user(const struct conversation *c)
{
	return c->user.bare;
}

const char *
conversation_contact(const struct conversation *c)
{
	return c->contact.bare;
}

const char *
conversation_user_domain(const struct conversation *c)
{
	return c->user.ascii;
}

const char *
conversation_contact_domain(const struct conversation *c)
{
	return c->contact.ascii;
}
