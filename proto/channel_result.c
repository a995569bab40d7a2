#include "proto/channel_result.h"

#include <string.h>

#include "common/buf.h"
#include "common/err.h"
#include "common/utf8.h"

static const char *const proofs[] = {
	[PROOF_NONE] = "",
	[PROOF_PING] = "ping",
	[PROOF_ACK] = "ack",
	[PROOF_TCP] = "tcp",
	[PROOF_GATEWAY] = "gateway",
};

static const char *const types[] = { NULL, "cancel", "modify", "wait", "auth",
	"continue" };

enum {
	PROOF_COUNT = sizeof(proofs) / sizeof(proofs[0]),
	TYPE_COUNT = sizeof(types) / sizeof(types[0])
};

const char *
proof_str(enum proof p)
{
	return (unsigned)p < PROOF_COUNT ? proofs[p] : "";
}

unsigned
channel_result_type_index(const char *type)
{
	unsigned i;

	if (type == NULL)
		return 0;
	for (i = 1; i < TYPE_COUNT; i++)
		if (strcmp(type, types[i]) == 0)
			return i;
	return 0;
}

const char *
channel_result_type(unsigned index)
{
	return index < TYPE_COUNT ? types[index] : NULL;
}

static bool
text_fits(const char *text)
{
	size_t len;

	if (text == NULL)
		return false;
	len = strlen(text);
	return len > 0 && len <= CHANNEL_RESULT_TEXT_MAX &&
	       utf8_valid_xml(text, len);
}

int
channel_result_write(
    struct buf *out, uint64_t seq, const struct channel_result *r)
{
	struct frame_writer w;

	frame_begin(&w, out, FRAME_RESULT);
	frame_put_u64(&w, FIELD_ANSWERS, seq);
	if (r->delivered) {
		frame_put_str(&w, FIELD_STATUS, "delivered");
		if (r->proof != PROOF_NONE)
			frame_put_str(&w, FIELD_PROOF, proof_str(r->proof));
		return frame_end(&w);
	}
	frame_put_str(&w, FIELD_STATUS, "failed");
	frame_put_str(&w, FIELD_CONDITION, condition_str(r->condition));
	frame_put_str(&w, FIELD_ERROR_TYPE,
	    channel_result_type(channel_result_type_index(r->error_type)));
	if (text_fits(r->text))
		frame_put_str(&w, FIELD_ERROR_TEXT, r->text);
	if (r->condition == COND_GONE && r->gone_to != NULL &&
	    strlen(r->gone_to) <= CHANNEL_RESULT_GONE_MAX)
		frame_put_str(&w, FIELD_GONE_TO, r->gone_to);
	return frame_end(&w);
}

/* A proof this version does not know is no proof, but delivered all the
 * same: the peer may be newer. */
static enum proof
read_proof(const struct frame *f)
{
	unsigned p;

	for (p = PROOF_PING; p < PROOF_COUNT; p++)
		if (frame_is(f, FIELD_PROOF, proofs[p]))
			return (enum proof)p;
	return PROOF_NONE;
}

static const char *
read_type(const struct frame *f)
{
	unsigned i;

	for (i = 1; i < TYPE_COUNT; i++)
		if (frame_is(f, FIELD_ERROR_TYPE, types[i]))
			return types[i];
	return NULL;
}

const char *
channel_result_read(const struct frame *f, uint64_t *seq,
    struct channel_result *r, struct channel_result_texts *texts)
{
	const struct frame_field *cond;

	memset(r, 0, sizeof(*r));
	*seq = frame_u64(f, FIELD_ANSWERS, 0);
	if (*seq == 0)
		return "result without answers";
	if (frame_is(f, FIELD_STATUS, "delivered")) {
		r->delivered = true;
		r->proof = read_proof(f);
		return NULL;
	}
	if (!frame_is(f, FIELD_STATUS, "failed"))
		return "result without status";
	cond = frame_field(f, FIELD_CONDITION);
	if (cond == NULL)
		return "failed without condition";
	r->condition = condition_parse((const char *)cond->data, cond->len);
	r->error_type = read_type(f);
	if (frame_copy(f, FIELD_ERROR_TEXT, texts->text, sizeof(texts->text)))
		r->text = texts->text;
	if (r->condition == COND_GONE &&
	    frame_copy(
		f, FIELD_GONE_TO, texts->gone_to, sizeof(texts->gone_to)))
		r->gone_to = texts->gone_to;
	return NULL;
}
