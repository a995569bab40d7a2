/*
 * The ring holds [base, top).  A slot is
 *
 *   GONE      nothing to remember: never sent (withdrawn by the peer), or
 *             answered and the peer knows
 *   OWED      with the owner
 *   ANSWERED  with the answer, until the peer has seen it
 *
 * base rises past slots that are GONE once the peer cannot come back to them.
 * The span of the ring is bounded through the credit: the peer is never
 * allowed a number beyond base + memory_max.
 */
#include "proto/channel_window.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "common/err.h"
#include "proto/channel_result.h"

enum slot_state { SLOT_GONE, SLOT_OWED, SLOT_ANSWERED };

struct window_slot {
	uint32_t len; /* of the frame, while OWED */
	uint8_t state;
	uint8_t how;  /* proof, or condition + FAILED */
	uint8_t type; /* channel_result_type() */
	char *text;
	uint64_t since_ms; /* while OWED */
};

enum {
	FIRST_CAP = 64,
	FAILED = 0x80, /* added to a condition in a slot */
	/* Texts of remembered failures; past it only conditions are kept. */
	TEXT_MAX = 4 * 1024 * 1024
};

static struct window_slot *
slot_of(const struct channel_window *w, uint64_t id)
{
	assert(id >= w->base && id < w->top);
	return &w->slots[id & (w->cap - 1)];
}

int
channel_window_init(struct channel_window *w, uint64_t frames_max,
    uint64_t bytes_max, uint64_t memory_max)
{
	memset(w, 0, sizeof(*w));
	w->slots = calloc(FIRST_CAP, sizeof(*w->slots));
	if (w->slots == NULL)
		return ERR_NOMEM;
	w->cap = FIRST_CAP;
	w->base = w->top = w->start = w->seen = 1;
	w->frames_max = frames_max;
	w->bytes_max = bytes_max;
	w->memory_max = memory_max;
	return 0;
}

static void
forget_text(struct channel_window *w, struct window_slot *s)
{
	if (s->text == NULL)
		return;
	w->text_bytes -= strlen(s->text) + 1;
	free(s->text);
	s->text = NULL;
}

void
channel_window_finish(struct channel_window *w)
{
	for (; w->base < w->top; w->base++)
		forget_text(w, slot_of(w, w->base));
	free(w->slots);
	w->slots = NULL;
}

/* Another number of slots, for what is in the ring now. */
static int
resize(struct channel_window *w, size_t cap)
{
	struct window_slot *slots = calloc(cap, sizeof(*slots));
	uint64_t id;

	if (slots == NULL)
		return ERR_NOMEM;
	for (id = w->base; id < w->top; id++)
		slots[id & (cap - 1)] = *slot_of(w, id);
	free(w->slots);
	w->slots = slots;
	w->cap = cap;
	return 0;
}

/* Lets the lowest slots go that nobody can ask for again. */
static void
trim(struct channel_window *w)
{
	struct window_slot *s;

	while (w->base < w->top && w->base < w->seen) {
		s = slot_of(w, w->base);
		if (s->state != SLOT_GONE)
			break;
		w->base++;
	}
	/* A smaller ring is a kindness, not a need: no matter if it fails. */
	if (w->cap > FIRST_CAP && w->top - w->base < w->cap / 16)
		(void)resize(w, w->cap / 4);
}

/* Raises seen to id: answers below it are forgotten. */
static void
forget_below(struct channel_window *w, uint64_t id)
{
	struct window_slot *s;

	for (; w->seen < id; w->seen++) {
		if (w->seen < w->base)
			continue;
		s = slot_of(w, w->seen);
		if (s->state != SLOT_ANSWERED)
			continue;
		forget_text(w, s);
		s->state = SLOT_GONE;
	}
	trim(w);
}

/* Raises top to id: the numbers between were never sent or are withdrawn. */
static int
skip_to(struct channel_window *w, uint64_t id)
{
	size_t cap = w->cap;

	while (cap < id - w->base)
		cap *= 2;
	if (cap != w->cap && resize(w, cap) < 0)
		return ERR_NOMEM;
	for (; w->top < id; w->top++)
		memset(&w->slots[w->top & (w->cap - 1)], 0, sizeof(*w->slots));
	return 0;
}

void
channel_window_begin(struct channel_window *w)
{
	w->got_bytes = 0;
	w->told_bytes = 0;
}

const char *
channel_window_check(
    const struct channel_window *w, uint64_t base, bool resumed)
{
	if (base == 0 || base >= WINDOW_SEQ_END)
		return "send-base out of range";
	if (!resumed)
		return NULL;
	if (base < w->seen - w->offset)
		return "send-base went back";
	if (base - 1 > w->told_seq && w->top != w->start)
		return "send-base beyond the credit given";
	return NULL;
}

/* The peer will not come back to numbers below seq. */
static int
raise_to(struct channel_window *w, uint64_t seq)
{
	uint64_t id = seq + w->offset;
	int rc;

	if (id <= w->top) {
		forget_below(w, id);
		return 0;
	}
	if (w->told_seq < seq - 1)
		w->told_seq = seq - 1;
	forget_below(w, w->top);
	if (w->top == w->start) {
		/* Nothing came from this boot: it begins at seq. */
		w->offset = w->top - seq;
		return 0;
	}
	rc = skip_to(w, id);
	if (rc < 0)
		return rc;
	forget_below(w, id);
	return 0;
}

int
channel_window_meet(struct channel_window *w, uint64_t base, bool resumed)
{
	if (resumed)
		return raise_to(w, base);
	/* Ids go on rising; its first frame will be top. */
	forget_below(w, w->top);
	w->start = w->top;
	w->offset = w->top - base;
	w->told_seq = base - 1;
	w->told_bytes = 0;
	return 0;
}

enum window_take
channel_window_take(struct channel_window *w, uint64_t seq, size_t len,
    uint64_t *id, const char **why)
{
	struct window_slot *s;

	if (seq == 0 || seq > w->told_seq) {
		*why = seq == 0 ? "stanza without seq" : "seq beyond credit";
		return WINDOW_WRONG;
	}
	if (len > w->told_bytes - w->got_bytes) {
		*why = "bytes beyond credit";
		return WINDOW_WRONG;
	}
	*id = seq + w->offset;
	if (seq < w->seen - w->offset ||
	    (*id < w->top && slot_of(w, *id)->state == SLOT_GONE)) {
		*why = "seq went back";
		return WINDOW_WRONG;
	}
	if (*id < w->top) {
		w->got_bytes += len;
		s = slot_of(w, *id);
		return s->state == SLOT_OWED ? WINDOW_OWED : WINDOW_ANSWERED;
	}
	if (skip_to(w, *id + 1) < 0)
		return WINDOW_NOMEM;
	s = slot_of(w, *id);
	s->state = SLOT_OWED;
	s->len = (uint32_t)len;
	w->got_bytes += len;
	w->owed_frames++;
	w->owed_bytes += len;
	return WINDOW_NEW;
}

static void
remember(struct channel_window *w, struct window_slot *s,
    const struct channel_result *r)
{
	size_t size;

	s->state = SLOT_ANSWERED;
	if (r->delivered) {
		s->how = (uint8_t)r->proof;
		return;
	}
	s->how = (uint8_t)(FAILED + r->condition);
	s->type = (uint8_t)channel_result_type_index(r->error_type);
	if (r->text == NULL)
		return;
	size = strlen(r->text) + 1;
	if (size > CHANNEL_RESULT_TEXT_MAX + 1 ||
	    size > TEXT_MAX - w->text_bytes)
		return;
	s->text = strdup(r->text);
	if (s->text != NULL)
		w->text_bytes += size;
}

void
channel_window_stamp(struct channel_window *w, uint64_t id, uint64_t now_ms)
{
	slot_of(w, id)->since_ms = now_ms;
}

uint64_t
channel_window_since(const struct channel_window *w, uint64_t id)
{
	const struct window_slot *s = slot_of(w, id);

	assert(s->state == SLOT_OWED);
	return s->since_ms;
}

uint64_t
channel_window_answer(
    struct channel_window *w, uint64_t id, const struct channel_result *r)
{
	struct window_slot *s = slot_of(w, id);
	uint64_t seq = 0;

	assert(s->state == SLOT_OWED);
	assert(w->owed_frames > 0 && w->owed_bytes >= s->len);
	w->owed_frames--;
	w->owed_bytes -= s->len;
	if (id >= w->seen && id >= w->start) {
		remember(w, s, r);
		seq = id - w->offset;
	} else {
		s->state = SLOT_GONE;
		trim(w);
	}
	return seq;
}

void
channel_window_recall(
    const struct channel_window *w, uint64_t id, struct channel_result *r)
{
	const struct window_slot *s = slot_of(w, id);

	assert(s->state == SLOT_ANSWERED);
	memset(r, 0, sizeof(*r));
	r->delivered = s->how < FAILED;
	if (r->delivered) {
		r->proof = (enum proof)s->how;
		return;
	}
	r->condition = (enum condition)(s->how - FAILED);
	r->error_type = channel_result_type(s->type);
	r->text = s->text;
}

int
channel_window_seen(struct channel_window *w, uint64_t seq)
{
	/* An older report than the last one says nothing. */
	if (seq < w->seen - w->offset)
		return 0;
	if (seq >= WINDOW_SEQ_END - 1 ||
	    (seq > w->told_seq && w->top != w->start))
		return ERR_PROTOCOL;
	return raise_to(w, seq + 1);
}

static uint64_t
less(uint64_t a, uint64_t b)
{
	return a > b ? a - b : 0;
}

void
channel_window_credit(
    const struct channel_window *w, uint64_t *seq, uint64_t *bytes)
{
	uint64_t end = w->top + less(w->frames_max, w->owed_frames);

	if (end > w->base + w->memory_max)
		end = w->base + w->memory_max;
	*seq = end - 1 - w->offset;
	*bytes = w->got_bytes + less(w->bytes_max, w->owed_bytes);
}

void
channel_window_told(struct channel_window *w, uint64_t seq, uint64_t bytes)
{
	if (seq > w->told_seq)
		w->told_seq = seq;
	if (bytes > w->told_bytes)
		w->told_bytes = bytes;
}

bool
channel_window_credit_due(const struct channel_window *w, unsigned share)
{
	uint64_t seq, bytes;

	channel_window_credit(w, &seq, &bytes);
	return (seq > w->told_seq &&
		   seq - w->told_seq >= w->frames_max / share) ||
	       (bytes > w->told_bytes &&
		   bytes - w->told_bytes >= w->bytes_max / share);
}
