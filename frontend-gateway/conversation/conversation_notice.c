/*
 * The archiving disclaimer: a message of its own before the user's first one,
 * or behind the contact's first that she was shown.  Nobody waits for it, and
 * it is not said again when it is lost; a conversation that has ended and
 * begins anew begins with it.
 */
#include "frontend-gateway/conversation/conversation_impl.h"

#include "common/buf.h"
#include "common/err.h"
#include "common/random.h"
#include "frontend-gateway/edges.h"
#include "frontend-gateway/policy/policy.h"
#include "proto/frame.h"

enum { ID_BYTES = 8 };

static int
write_notice(struct buf *frame, const struct conversation *c, const char *text)
{
	char id[sizeof("notice-") + 2 * (size_t)ID_BYTES] = "notice-";
	struct frame_writer w;

	random_hex(id + sizeof("notice-") - 1, ID_BYTES);
	frame_begin(&w, frame, FRAME_MESSAGE);
	frame_put_str(&w, FIELD_ID, id);
	frame_put_str(&w, FIELD_FROM, c->from);
	frame_put_str(
	    &w, FIELD_TO, c->lock != NULL ? c->lock : c->contact.bare);
	frame_put_str(&w, FIELD_KIND, "chat");
	if (conversation_thread(c, c->thread)[0] != '\0')
		frame_put_str(
		    &w, FIELD_THREAD, conversation_thread(c, c->thread));
	frame_put_str(&w, FIELD_BODY, text);
	return frame_end(&w);
}

void
conversation_disclaim(struct conversation *c)
{
	const char *text = policy_disclaimer(c->env->policy);
	struct buf frame;
	uint64_t seq;
	int rc;

	if (text == NULL || c->disclaimed)
		return;
	c->disclaimed = true;
	c->edge = edges_choose(c->env->edges, c->user.ascii, c->user.bare,
	    c->contact.bare, c->edge);
	buf_init(&frame, FRAME_MAX);
	rc = write_notice(&frame, c, text);
	if (rc == 0)
		rc = edges_send(c->env->edges, c->edge, &frame, NULL, &seq);
	if (rc < 0)
		log_warn(
		    &c->log, "disclaimer-not-sent", "error=%s", err_str(rc));
	buf_finish(&frame);
}
