#include "frontend-gateway/conversation/compose.h"

#include <stdbool.h>
#include <string.h>
#include <time.h>

#include "common/buf.h"
#include "common/err.h"
#include "proto/frame.h"

static bool
is_blank(const struct frame_field *f)
{
	static const char blanks[] = { ' ', '\t', '\r', '\n' };

	if (f == NULL)
		return true;
	for (size_t i = 0; i < f->len; i++)
		if (memchr(blanks, f->data[i], sizeof(blanks)) == NULL)
			return false;
	return true;
}

/* "[sent 2026-11-21 08:15 UTC] " */
static void
put_time(struct buf *out, const struct frame *f, int64_t wall_ms)
{
	uint64_t stamp = frame_u64(f, FIELD_DELAY, 0);
	time_t seconds = (time_t)(stamp / 1000);
	char text[64];
	struct tm tm;

	if (stamp == 0 || stamp > (uint64_t)wall_ms ||
	    (uint64_t)wall_ms - stamp <= COMPOSE_OLD_MS)
		return;
	if (gmtime_r(&seconds, &tm) == NULL)
		return;
	if (strftime(text, sizeof(text), "[sent %Y-%m-%d %H:%M UTC] ", &tm) > 0)
		(void)buf_add_str(out, text);
}

/* Chats repeat no subject; a single message has it as its title. */
static void
put_subject(struct buf *out, const struct frame *f)
{
	const struct frame_field *subject = frame_field(f, FIELD_SUBJECT);

	if (is_blank(subject) || frame_is(f, FIELD_KIND, "chat"))
		return;
	(void)buf_add_char(out, '[');
	(void)buf_add(out, subject->data, subject->len);
	(void)buf_add_str(out, "] ");
}

static void
put_links(struct buf *out, const struct frame *f, bool have_body)
{
	const struct frame_field *body = frame_field(f, FIELD_BODY);
	const struct frame_field *link;

	for (unsigned i = 0; (link = frame_field_n(f, FIELD_LINK, i)) != NULL;
	     i++) {
		if (link->len == 0 ||
		    (body != NULL && memmem(body->data, body->len, link->data,
					 link->len) != NULL))
			continue;
		if (have_body)
			(void)buf_add_char(out, '\n');
		(void)buf_add(out, link->data, link->len);
		have_body = true;
	}
}

int
compose_text(struct buf *out, enum compose_verdict *verdict,
    const struct frame *f, int64_t wall_ms)
{
	const struct frame_field *body = frame_field(f, FIELD_BODY);
	bool have_body = !is_blank(body);

	if (!have_body && !frame_has(f, FIELD_LINK)) {
		*verdict = frame_has(f, FIELD_ENCRYPTED) ? COMPOSE_UNREADABLE
							 : COMPOSE_NOTHING;
		return 0;
	}
	put_time(out, f, wall_ms);
	put_subject(out, f);
	if (have_body)
		(void)buf_add(out, body->data, body->len);
	put_links(out, f, have_body);
	if (buf_failed(out))
		return out->limit > 0 && out->cap >= out->limit ? ERR_FULL
								: ERR_NOMEM;
	*verdict = COMPOSE_TEXT;
	return 0;
}
