/*
 * Everything that happens ends in conversation_settle(), which starts whatever
 * can be started and reports a conversation that has nothing left; nothing
 * touches the conversation after it.
 *
 * A message stays at the head of the queue while it is on its way, so its
 * deadline and the dialog's fate find it in one place.
 */
#include "frontend-gateway/conversation/conversation_impl.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base64.h"
#include "common/buf.h"
#include "common/err.h"
#include "common/jid.h"
#include "common/log.h"
#include "common/random.h"
#include "frontend-gateway/gateway_conf.h"
#include "frontend-gateway/sip/sip_sdp.h"
#include "frontend-gateway/sip/sip_ua.h"
#include "frontend-gateway/translate/address.h"
#include "frontend-gateway/translate/body.h"
#include "frontend-gateway/translate/errors.h"

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

/* The only place that writes c->state. */
static void
set_state(struct conversation *c, enum conversation_state to)
{
	if (c->state == to)
		return;
	assert(states[c->state].next & BIT(to));
	log_debug(&c->log, "state", "from=%s to=%s", states[c->state].name,
	    states[to].name);
	c->state = to;
}

void
conversation_touch(struct conversation *c)
{
	clock_timer_start(&c->idle, c->env->conf->timers.idle_ms);
}

/* --- dialogs ------------------------------------------------------------ */

static struct leg *
current(struct conversation *c)
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
		set_state(c, CONVERSATION_IDLE);
	return true;
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

static void
hang_up(struct conversation *c, struct sip_dialog *d)
{
	if (remove_leg(c, d))
		sip_ua_bye(c->env->ua, d);
}

static void
hang_up_all(struct conversation *c)
{
	while (c->leg_count > 0)
		hang_up(c, current(c)->dialog);
}

void
conversation_add_leg(
    struct conversation *c, struct sip_dialog *d, const char *name)
{
	struct leg *leg;

	if (c->leg_count == CONVERSATION_LEGS_MAX)
		hang_up(c, c->legs[0].dialog);
	leg = &c->legs[c->leg_count++];
	leg->dialog = d;
	ids_thread(leg->thread, name, c->env->secret);
	memcpy(c->thread, leg->thread, sizeof(c->thread));
	clock_timer_stop(&c->user_left);
	sip_dialog_set_user(d, c);
	set_state(c, CONVERSATION_OPEN);
}

/* --- XMPP to Lync: the queue --------------------------------------------- */

static struct inward *
head(struct conversation *c)
{
	if (list_empty(&c->queue))
		return NULL;
	return list_entry(c->queue.next, struct inward, link);
}

static void
unqueue(struct conversation *c, struct inward *in)
{
	list_remove(&in->link);
	c->queue_count--;
	c->queue_bytes -= in->len;
	if (c->sent == in)
		c->sent = NULL;
}

static void
delivered(struct conversation *c, struct inward *in)
{
	log_info(&c->log, "delivered", "id=%s from=%s", in->id, in->from);
	unqueue(c, in);
	inward_delivered(in);
	conversation_touch(c);
}

static void
failed(struct conversation *c, struct inward *in, const struct errors_stanza *e)
{
	log_info(&c->log, "failed", "id=%s from=%s condition=%s", in->id,
	    in->from, condition_str(e->condition));
	unqueue(c, in);
	inward_failed(in, e->condition, e->type, e->text);
}

static void
failed_here(struct conversation *c, struct inward *in, enum condition why)
{
	struct errors_stanza e = { .condition = why };

	failed(c, in, &e);
}

void
conversation_drop_call(struct conversation *c)
{
	if (c->call != NULL)
		sip_ua_drop(c->env->ua, c->call);
	c->call = NULL;
	c->sent = NULL;
	c->sent_in = NULL;
	c->yielded = false;
	if (c->state == CONVERSATION_INVITING)
		set_state(c, CONVERSATION_IDLE);
}

void
conversation_yield(struct conversation *c)
{
	assert(c->state == CONVERSATION_INVITING);
	c->yielded = true;
	sip_ua_cancel(c->env->ua, c->call);
}

static void
on_late(struct inward *in, void *arg)
{
	struct conversation *c = arg;

	if (c->sent == in)
		conversation_drop_call(c);
	failed_here(c, in, COND_REMOTE_SERVER_TIMEOUT);
	conversation_settle(c);
}

/* --- XMPP to Lync: what the pool answered ---------------------------------- */

/* Number at the start of a header's value; 0 when there is none. */
static unsigned
leading_number(const char *value)
{
	unsigned n = 0;

	if (value == NULL)
		return 0;
	for (; *value >= '0' && *value <= '9' && n < 10000000; value++)
		n = n * 10 + (unsigned)(*value - '0');
	return n;
}

/* 52035 means that the client still has the conversation; clients and servers
 * put their ids in fields of their own, and several may be there. */
static unsigned
diagnostics_of(const struct sip_msg *m)
{
	static const char *const names[] = { "ms-client-diagnostics",
		"ms-diagnostics", "ms-diagnostics-public" };
	unsigned first = 0;

	for (size_t i = 0; i < 3; i++) {
		for (size_t k = 0; k < 8; k++) {
			unsigned n =
			    leading_number(sip_msg_header(m, names[i], k));

			if (n == 0)
				break;
			if (n == 52035)
				return n;
			if (first == 0)
				first = n;
		}
	}
	return first;
}

static enum errors_next
judge(struct conversation *c, struct errors_stanza *e, const struct inward *in,
    const struct sip_result *r, bool in_dialog)
{
	struct errors_answer a = {
		.status = r->status,
		.transport = r->outcome == SIP_OUTCOME_TRANSPORT,
		.in_dialog = in_dialog,
		.retried = in->retried,
	};
	enum errors_next next;

	if (r->response != NULL) {
		a.warning =
		    leading_number(sip_msg_header(r->response, "Warning", 0));
		a.diagnostics = diagnostics_of(r->response);
		/* What only we know (no answer, no connection) says nothing
		 * about a user. */
		a.stranger = policy_conceals(in->standing);
	}
	next = errors_from_sip(e, &a);
	log_info(&c->log, "pool-answered",
	    "id=%s method=%s status=%d diagnostics=%u retry=%d", in->id,
	    in_dialog ? "MESSAGE" : "INVITE", r->status, a.diagnostics,
	    next == ERRORS_RETRY_INVITE || next == ERRORS_RETRY_CONVERSATION);
	if (next == ERRORS_REPORT && e->alarm)
		log_error(&c->log, "pool-demands-credentials", "status=%d",
		    r->status);
	return next;
}

/* Whether a refusal concerns this one text rather than the user. */
static bool
about_content(int status)
{
	return status == 413 || status == 415 || status == 488 ||
	       status == 513 || status == 606;
}

/* True when the message is to be sent once more. */
static bool
act(struct conversation *c, struct inward *in, const struct sip_result *r,
    bool in_dialog)
{
	struct errors_stanza e;

	switch (judge(c, &e, in, r, in_dialog)) {
	case ERRORS_TAKEN:
	case ERRORS_NOTHING:
		delivered(c, in);
		return false;
	case ERRORS_RETRY_INVITE:
	case ERRORS_RETRY_CONVERSATION:
		in->retried = true;
		return true;
	case ERRORS_REPORT:
		break;
	}
	failed(c, in, &e);
	if (in_dialog || about_content(r->status))
		return false;
	/* Those behind would meet the same answer, each after an INVITE of
	 * its own. */
	while ((in = head(c)) != NULL &&
	       judge(c, &e, in, r, false) == ERRORS_REPORT)
		failed(c, in, &e);
	return false;
}

static void
on_message_result(struct sip_ua *ua, struct sip_ua_call *call,
    const struct sip_result *r, void *arg)
{
	struct conversation *c = arg;
	struct inward *in = c->sent;
	struct sip_dialog *d = c->sent_in;

	(void)ua;
	if (!r->final)
		return;
	assert(c->call == call && in != NULL);
	c->call = NULL;
	c->sent = NULL;
	c->sent_in = NULL;
	/* To be sent again means that the dialog is lost, and what is older
	 * than it is not to be trusted either. */
	if (act(c, in, r, true)) {
		if (d != NULL)
			conversation_drop_dialog(c, d);
		hang_up_all(c);
	}
	conversation_settle(c);
}

/* Whether the callee has shown the text of the INVITE; he says so. */
static bool
was_shown(const struct inward *in, const struct sip_result *r)
{
	return in->invited &&
	       sip_msg_lists(r->response, "Supported", "ms-text-format");
}

/* An INVITE that gave way has ended.  If the answer crossed the CANCEL its
 * dialog is one too many, but the text may have been seen; else the text
 * follows in the user's dialog, which settling does. */
static void
on_yielded(
    struct conversation *c, struct inward *in, const struct sip_result *r)
{
	c->yielded = false;
	if (r->dialog == NULL)
		return;
	sip_dialog_set_user(r->dialog, NULL);
	sip_ua_bye(c->env->ua, r->dialog);
	if (was_shown(in, r))
		delivered(c, in);
}

static void
on_invite_result(struct sip_ua *ua, struct sip_ua_call *call,
    const struct sip_result *r, void *arg)
{
	struct conversation *c = arg;
	struct inward *in = c->sent;

	(void)ua;
	if (!r->final)
		return;
	assert(c->call == call && in != NULL);
	c->call = NULL;
	c->sent = NULL;
	if (c->yielded) {
		on_yielded(c, in, r);
		conversation_settle(c);
		return;
	}
	if (r->dialog == NULL) {
		set_state(c, CONVERSATION_IDLE);
		(void)act(c, in, r, false);
		conversation_settle(c);
		return;
	}
	conversation_add_leg(c, r->dialog, c->id);
	conversation_touch(c);
	/* Else it follows as a MESSAGE. */
	if (was_shown(in, r))
		delivered(c, in);
	conversation_settle(c);
}

/* --- XMPP to Lync: asking -------------------------------------------------- */

static void
new_id(struct conversation *c)
{
	uint8_t raw[16];
	struct buf b;

	buf_init(&b, sizeof(c->id) - 1);
	random_bytes(raw, sizeof(raw));
	memset(c->id, 0, sizeof(c->id));
	if (base64_encode(&b, raw, sizeof(raw)) == 0)
		memcpy(c->id, b.data, b.len);
	else
		random_hex(c->id, sizeof(raw));
	buf_finish(&b);
}

static int
ask_invite(struct conversation *c, struct inward *in)
{
	struct sip_header headers[2] = { { "Ms-Conversation-ID", c->id } };
	struct sip_question q = {
		.method = SIP_INVITE,
		.uri = c->user_uri,
		.from_uri = c->contact_uri,
		.headers = headers,
		.header_count = 1,
		.content_type = "application/sdp",
		.on_result = on_invite_result,
		.arg = c,
		.user = c,
	};
	struct buf sdp, first, name;
	int rc;

	new_id(c);
	buf_init(&sdp, CONVERSATION_TEXT_MAX);
	buf_init(&first, CONVERSATION_TEXT_MAX);
	buf_init(&name, CONVERSATION_TEXT_MAX);
	rc = sip_sdp_offer(&sdp, c->env->conf->sip.fqdn, CONVERSATION_SDP_PORT,
	    BODY_ACCEPT_TYPES);
	/* A text too long for a header field follows as a MESSAGE. */
	in->invited = ids_text_format(&first, in->text, in->len) == 0;
	if (in->invited) {
		headers[1].name = "ms-text-format";
		headers[1].value = buf_cstr(&first);
		q.header_count = 2;
	}
	if (in->nick != NULL)
		(void)address_display(&name, in->nick, strlen(in->nick));
	if (name.len == 0)
		(void)address_display_of(&name, &c->contact);
	q.from_display = name.len > 0 ? buf_cstr(&name) : NULL;
	q.body = sdp.data;
	q.body_len = sdp.len;
	if (rc == 0 && in->invited && headers[1].value == NULL)
		rc = ERR_NOMEM;
	if (rc == 0)
		rc = sip_ua_ask(&c->call, c->env->ua, &q);
	buf_finish(&sdp);
	buf_finish(&first);
	buf_finish(&name);
	if (rc < 0)
		return rc;
	c->sent = in;
	set_state(c, CONVERSATION_INVITING);
	return 0;
}

static int
ask_message(struct conversation *c, struct inward *in)
{
	struct sip_question q = {
		.method = SIP_MESSAGE,
		.content_type = BODY_CONTENT_TYPE,
		.body = in->text,
		.body_len = in->len,
		.on_result = on_message_result,
		.arg = c,
	};
	struct sip_dialog *d = current(c)->dialog;
	int rc;

	rc = sip_ua_ask_in(&c->call, c->env->ua, d, &q);
	if (rc < 0)
		return rc;
	c->sent = in;
	c->sent_in = d;
	return 0;
}

/* Starts the next message if none is on its way. */
static void
pump(struct conversation *c)
{
	struct inward *in;
	int rc;

	while (c->call == NULL && (in = head(c)) != NULL) {
		rc = c->state == CONVERSATION_OPEN ? ask_message(c, in)
						   : ask_invite(c, in);
		/* No connection with the pool: wait for one, or for the
		 * deadline. */
		if (rc == 0 || rc == ERR_CLOSED)
			return;
		log_warn(&c->log, "not-asked", "id=%s error=%s", in->id,
		    err_str(rc));
		failed_here(c, in, COND_RESOURCE_CONSTRAINT);
	}
}

void
conversation_settle(struct conversation *c)
{
	pump(c);
	if (c->state == CONVERSATION_IDLE && c->call == NULL &&
	    list_empty(&c->queue) && c->outward == 0 &&
	    !conversation_states_busy(c))
		c->env->on_unused(c, c->env->arg);
}

int
conversation_take(struct conversation *c, const struct inward_opts *opts)
{
	struct inward_opts o = *opts;
	struct inward *in;
	char *lock;
	int rc;

	if (c->queue_count >= c->env->conf->limits.queue_messages ||
	    c->queue_bytes + o.len > c->env->conf->limits.queue_bytes)
		return ERR_FULL;
	o.on_late = on_late;
	o.arg = c;
	rc = inward_new(&in, &o);
	if (rc < 0)
		return rc;
	list_append(&c->queue, &in->link);
	c->queue_count++;
	c->queue_bytes += in->len;
	/* The user's answers go to the device he is written to from. */
	lock = o.notice ? NULL : strdup(o.from);
	if (lock != NULL) {
		free(c->lock);
		c->lock = lock;
	}
	c->edge = edges_choose(c->env->edges, c->user.ascii, c->user.bare,
	    c->contact.bare, c->edge);
	conversation_states_text(c);
	conversation_touch(c);
	conversation_settle(c);
	return 0;
}

void
conversation_unlock(struct conversation *c, const char *full)
{
	if (c->lock == NULL || strcmp(c->lock, full) != 0)
		return;
	free(c->lock);
	c->lock = NULL;
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
	hang_up_all(c);
	conversation_settle(c);
}

void
conversation_forbid(struct conversation *c)
{
	struct inward *in;

	conversation_drop_call(c);
	while ((in = head(c)) != NULL)
		failed_here(c, in, COND_SERVICE_UNAVAILABLE);
	hang_up_all(c);
	conversation_settle(c);
}

void
conversation_hang_up(struct conversation *c)
{
	hang_up_all(c);
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
	struct inward *in;

	if (c == NULL)
		return;
	assert(c->outward == 0);
	clock_timer_stop(&c->idle);
	conversation_states_stop(c);
	conversation_drop_call(c);
	while (c->leg_count > 0) {
		struct sip_dialog *d = current(c)->dialog;

		(void)remove_leg(c, d);
		sip_ua_forget(c->env->ua, d);
	}
	while ((in = head(c)) != NULL) {
		unqueue(c, in);
		inward_abandon(in);
	}
	jid_finish(&c->user);
	jid_finish(&c->contact);
	free(c->user_uri);
	free(c->contact_uri);
	free(c->from);
	free(c->lock);
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
