/*
 * How a connection begins.  The dialling side says hello and waits; the
 * accepting side is given the hello, answers welcome and is up at once.  Then
 * both send their control frames (from on_up), replay what is unanswered and
 * go on.
 */
#include "proto/channel_impl.h"

#include <assert.h>
#include <string.h>

#include "common/err.h"

/* hello, welcome.  met: the boot of the peer that our window is about, or
 * "". */
static void
send_greeting(struct channel *ch, enum frame_type type, const char *met)
{
	uint64_t version = type == FRAME_HELLO ? CHANNEL_VERSION : ch->version;
	struct frame_writer w;

	frame_begin(&w, &ch->out, type);
	frame_put_u64(&w, FIELD_VERSION, version);
	frame_put_str(&w, FIELD_NODE, ch->node);
	frame_put_str(&w, FIELD_BOOT, ch->boot);
	if (met[0] != '\0')
		frame_put_str(&w, FIELD_PEER_BOOT, met);
	frame_put_u64(&w, FIELD_SEND_BASE, channel_journal_base(&ch->journal));
	channel_turn_put_report(ch, &w);
	if (ch->role == CHANNEL_DIALS && ch->store[0] != '\0') {
		frame_put_str(&w, FIELD_STORE, ch->store);
		frame_put_u64(&w, FIELD_EPOCH, ch->epoch);
	}
	channel_turn_written(ch, frame_end(&w));
}

/* What both hello and welcome must hold.  NULL, or why not. */
static const char *
check_greeting(const struct channel *ch, const struct frame *f, bool resumed)
{
	uint64_t base = frame_u64(f, FIELD_SEND_BASE, 0);
	const struct frame_field *node = frame_field(f, FIELD_NODE);
	const struct frame_field *boot = frame_field(f, FIELD_BOOT);

	if (frame_u64(f, FIELD_VERSION, 0) < 1)
		return "no protocol version";
	if (f->type == FRAME_WELCOME &&
	    frame_u64(f, FIELD_VERSION, 0) > CHANNEL_VERSION)
		return "protocol version not offered";
	if (node == NULL || node->len == 0)
		return "no node";
	if (boot == NULL || boot->len == 0)
		return "no boot id";
	if (ch->peer_node[0] != '\0' && !frame_is(f, FIELD_NODE, ch->peer_node))
		return "another node than before";
	if (frame_u64(f, FIELD_RESULT_SEEN, 0) >= base)
		return "result-seen not below send-base";
	if (!frame_has(f, FIELD_CREDIT_SEQ) ||
	    !frame_has(f, FIELD_CREDIT_BYTES))
		return "no credit";
	return channel_window_check(&ch->window, base, resumed);
}

/* Both sides know each other's present boot. */
static bool
is_resumed(const struct channel *ch, const struct frame *f)
{
	return ch->peer_boot[0] != '\0' &&
	       frame_is(f, FIELD_BOOT, ch->peer_boot) &&
	       frame_is(f, FIELD_PEER_BOOT, ch->boot);
}

/* A greeting that was checked: from here on the peer is the one it names. */
static int
meet(struct channel *ch, const struct frame *f, bool resumed)
{
	int rc;

	rc = channel_window_meet(
	    &ch->window, frame_u64(f, FIELD_SEND_BASE, 0), resumed);
	if (rc < 0)
		return rc;
	frame_copy(f, FIELD_NODE, ch->peer_node, sizeof(ch->peer_node));
	frame_copy(f, FIELD_BOOT, ch->peer_boot, sizeof(ch->peer_boot));
	frame_copy(f, FIELD_STORE, ch->peer_store, sizeof(ch->peer_store));
	ch->peer_epoch = frame_u64(f, FIELD_EPOCH, 0);
	ch->version = frame_u64(f, FIELD_VERSION, 0) < CHANNEL_VERSION
			  ? (unsigned)frame_u64(f, FIELD_VERSION, 0)
			  : CHANNEL_VERSION;
	if (!resumed)
		channel_journal_renumber(&ch->journal);
	return 0;
}

/* Takes over the credit of a frame.  It never falls on one connection. */
void
channel_greeting_credit(struct channel *ch, const struct frame *f)
{
	ch->credit_seq =
	    channel_later(ch->credit_seq, frame_u64(f, FIELD_CREDIT_SEQ, 0));
	ch->credit_bytes = channel_later(
	    ch->credit_bytes, frame_u64(f, FIELD_CREDIT_BYTES, 0));
}

/* A new connection, before anything went over it. */
static void
begin_connection(struct channel *ch)
{
	channel_turn_disconnect(ch);
	ch->generation++;
	ch->blocked = false;
	ch->attach_ms = ch->input_ms = clock_now_ms(ch->clock);
	ch->ping_sent_ms = ch->attach_ms;
	ch->credit_seq = ch->credit_bytes = 0;
	channel_journal_rewind(&ch->journal);
	channel_window_begin(&ch->window);
}

void
channel_attach(struct channel *ch)
{
	assert(ch->role == CHANNEL_DIALS);
	channel_turn_enter(ch);
	begin_connection(ch);
	channel_turn_state(ch, CH_GREETING);
	send_greeting(ch, FRAME_HELLO, ch->peer_boot);
	channel_turn_start_timer(ch);
	channel_turn_leave(ch);
}

int
channel_attach_hello(
    struct channel *ch, const struct frame *hello, const char **why)
{
	bool resumed = is_resumed(ch, hello);
	char met[sizeof(ch->peer_boot)];
	const char *wrong;
	int rc;

	assert(ch->role == CHANNEL_ACCEPTS);
	wrong = hello->type == FRAME_HELLO ? check_greeting(ch, hello, resumed)
					   : "the first frame is no hello";
	if (wrong != NULL) {
		*why = wrong;
		return ERR_PROTOCOL;
	}
	memcpy(met, ch->peer_boot, sizeof(met));
	channel_turn_enter(ch);
	begin_connection(ch);
	rc = meet(ch, hello, resumed);
	if (rc < 0) {
		*why = "out of memory";
		channel_turn_leave(ch);
		return rc;
	}
	/* Credit of a hello is meant for the boot that it names. */
	if (resumed)
		channel_greeting_credit(ch, hello);
	channel_turn_state(ch, CH_UP);
	send_greeting(ch, FRAME_WELCOME, met);
	channel_turn_start_timer(ch);
	ch->events->on_up(ch, resumed, ch->arg);
	channel_turn_leave(ch);
	return 0;
}

void
channel_greeting_welcome(struct channel *ch, const struct frame *f)
{
	bool resumed = is_resumed(ch, f);
	const char *wrong = check_greeting(ch, f, resumed);
	int rc;

	if (wrong != NULL) {
		channel_turn_fail(ch, ERR_PROTOCOL, wrong);
		return;
	}
	rc = meet(ch, f, resumed);
	if (rc < 0) {
		channel_turn_fail(ch, rc, "no memory for the window");
		return;
	}
	channel_greeting_credit(ch, f);
	channel_turn_state(ch, CH_UP);
	channel_turn_start_timer(ch);
	/* What the hello said of credit and numbers may be void. */
	channel_turn_report(ch, FRAME_CREDIT);
	if (ch->state == CH_UP)
		ch->events->on_up(ch, resumed, ch->arg);
}
