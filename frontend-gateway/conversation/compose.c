#include "frontend-gateway/conversation/compose.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "common/buf.h"
#include "common/err.h"
#include "common/utf8.h"
#include "frontend-gateway/conversation/said.h"
#include "frontend-gateway/gateway_conf.h"
#include "frontend-gateway/translate/excerpt.h"
#include "frontend-gateway/translate/link_line.h"
#include "frontend-gateway/translate/words.h"
#include "proto/frame.h"

enum { QUOTE_CHARS = 100, REACTION_CHARS = 16 };

/* A stretch of text that is not ours. */
struct text {
	const char *s;
	size_t len;
};

static struct text
text_of(const struct frame_field *f)
{
	if (f == NULL)
		return (struct text){ "", 0 };
	return (struct text){ (const char *)f->data, f->len };
}

static bool
is_blank_char(char c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

static struct text
trim(struct text t)
{
	while (t.len > 0 && is_blank_char(t.s[0])) {
		t.s++;
		t.len--;
	}
	while (t.len > 0 && is_blank_char(t.s[t.len - 1]))
		t.len--;
	return t;
}

static bool
is_blank(struct text t)
{
	return trim(t).len == 0;
}

static void
put(struct buf *out, struct text t)
{
	(void)buf_add(out, t.s, t.len);
}

/* --- before the text ------------------------------------------------------ */

static bool
is_old(const struct frame *f, int64_t wall_ms)
{
	uint64_t stamp = frame_u64(f, FIELD_DELAY, 0);

	return stamp != 0 && stamp <= (uint64_t)wall_ms &&
	       (uint64_t)wall_ms - stamp > COMPOSE_OLD_MS;
}

static void
put_time(struct buf *out, const struct frame *f, const struct compose_opts *o)
{
	time_t seconds = (time_t)(frame_u64(f, FIELD_DELAY, 0) / 1000);
	char text[64];
	struct tm tm;

	if (o->rules->sent_time && is_old(f, o->wall_ms) &&
	    gmtime_r(&seconds, &tm) != NULL &&
	    strftime(text, sizeof(text), "%Y-%m-%d %H:%M UTC", &tm) > 0)
		words_put(out, o->rules->language, WORDS_SENT, text, NULL);
}

static void
put_correction(
    struct buf *out, const struct frame *f, const struct compose_opts *o)
{
	if (!frame_has(f, FIELD_CORRECTS) || o->replaces)
		return;
	if (o->rules->correction_is_word)
		words_put(out, o->rules->language, WORDS_CORRECTED, NULL, NULL);
	else
		(void)buf_add_str(out, "* ");
}

/* Chats repeat no subject; a single message has it as its title. */
static void
put_subject(struct buf *out, const struct frame *f)
{
	struct text subject = text_of(frame_field(f, FIELD_SUBJECT));

	if (is_blank(subject) || frame_is(f, FIELD_KIND, "chat"))
		return;
	(void)buf_add_char(out, '[');
	put(out, trim(subject));
	(void)buf_add_str(out, "] ");
}

/* A call that comes late, or from somebody, calls nobody (XEP-0224 5). */
static bool
calls(const struct frame *f, const struct compose_opts *o)
{
	return frame_has(f, FIELD_ATTENTION) && o->rules->attention &&
	       o->known && !is_old(f, o->wall_ms);
}

/* --- replies (XEP-0461) --------------------------------------------------- */

/* The byte where the code point of that number begins; len when there are not
 * so many. */
static size_t
byte_of(struct text t, unsigned long n)
{
	size_t i = 0;

	while (i < t.len && n > 0) {
		i++;
		while (i < t.len && ((unsigned char)t.s[i] & 0xc0) == 0x80)
			i++;
		n--;
	}
	return i;
}

/* Divides the body of a reply into what it quotes and what it says: before and
 * after.  False when there is no such range, or nothing beside it. */
static bool
divide(struct text *quote, struct text rest[2], const struct frame *f,
    struct text body)
{
	unsigned long start, end;
	char range[33], *at;
	size_t from, to;

	if (!frame_copy(f, FIELD_REPLY_FALLBACK, range, sizeof(range)))
		return false;
	start = strtoul(range, &at, 10);
	if (*at != '-')
		return false;
	end = strtoul(at + 1, &at, 10);
	if (*at != '\0' || start >= end)
		return false;
	from = byte_of(body, start);
	to = byte_of(body, end);
	*quote = (struct text){ body.s + from, to - from };
	rest[0] = (struct text){ body.s, from };
	rest[1] = (struct text){ body.s + to, body.len - to };
	while (rest[1].len > 0 && rest[1].s[0] == '\n') {
		rest[1].s++;
		rest[1].len--;
	}
	return quote->len > 0 && (!is_blank(rest[0]) || !is_blank(rest[1]));
}

/* The first line of a quotation that says something, without its mark. */
static struct text
first_line(struct text quote)
{
	struct text line = { quote.s, 0 };

	while (quote.len > 0) {
		const char *nl = memchr(quote.s, '\n', quote.len);

		line.s = quote.s;
		line.len = nl != NULL ? (size_t)(nl - quote.s) : quote.len;
		quote.s += line.len + (nl != NULL);
		quote.len -= line.len + (nl != NULL);
		while (line.len > 0 &&
		       (line.s[0] == '>' || is_blank_char(line.s[0]))) {
			line.s++;
			line.len--;
		}
		if (line.len > 0)
			break;
	}
	return line;
}

static void
put_quote(struct buf *out, const struct frame *f, struct text quote,
    const struct compose_opts *o)
{
	char line[EXCERPT_SIZE];
	struct text first = first_line(quote);
	size_t len = 0;

	/* What was really said, where it is known. */
	if (o->target != NULL && !frame_has(f, FIELD_CORRECTS)) {
		first.s = o->target->text;
		first.len = strlen(first.s);
	}
	len = excerpt_of(line, first.s, first.len, QUOTE_CHARS);
	if (len == 0)
		return;
	(void)buf_add_str(out, "> ");
	(void)buf_add(out, line, len);
	(void)buf_add_char(out, '\n');
}

/* --- links ---------------------------------------------------------------- */

static struct link_line
link_at(const struct frame *f, unsigned n)
{
	struct text url = text_of(frame_field_n(f, FIELD_LINK, n));
	struct text name = text_of(frame_field_n(f, FIELD_LINK_NAME, n));

	return (struct link_line){
		.url = url.s,
		.url_len = url.len,
		.name = name.s,
		.name_len = name.len,
		.size = frame_u64_n(f, FIELD_LINK_SIZE, n, 0),
	};
}

/* Clients say the address of a file in the body as well. */
static bool
body_is_link(const struct frame *f, struct text body)
{
	struct text b = trim(body), url;

	for (unsigned i = 0; frame_field_n(f, FIELD_LINK, i) != NULL; i++) {
		url = text_of(frame_field_n(f, FIELD_LINK, i));
		if (url.len == b.len && memcmp(url.s, b.s, b.len) == 0)
			return true;
	}
	return false;
}

/* body: what has been shown of it. */
static void
put_links(struct buf *out, const struct frame *f, struct text body)
{
	bool first = body.len == 0;

	for (unsigned i = 0; frame_field_n(f, FIELD_LINK, i) != NULL; i++) {
		struct link_line l = link_at(f, i);
		bool said = l.url_len == 0 ||
			    (body.len > 0 && memmem(body.s, body.len, l.url,
						 l.url_len) != NULL);

		if (said && l.name_len == 0 && l.size == 0)
			continue;
		if (!first)
			(void)buf_add_char(out, '\n');
		first = false;
		if (said)
			link_line_label(out, &l);
		else
			link_line_whole(out, &l);
	}
}

/* --- messages about messages ---------------------------------------------- */

static enum compose_verdict
retraction(struct buf *out, const struct compose_opts *o)
{
	const char *language = o->rules->language;

	/* Nobody takes back what another has said. */
	if (!o->rules->retractions ||
	    (o->target != NULL && !o->target->by_contact))
		return COMPOSE_NOTHING;
	if (o->target != NULL)
		words_put(
		    out, language, WORDS_WITHDRAWN, o->target->text, NULL);
	else
		words_put(out, language, WORDS_WITHDRAWN_UNKNOWN, NULL, NULL);
	return COMPOSE_TEXT;
}

void
compose_reactions(struct buf *out, const struct frame *f)
{
	const struct frame_field *r;
	char line[EXCERPT_SIZE];
	size_t len;

	for (unsigned i = 0; (r = frame_field_n(f, FIELD_REACTION, i)) != NULL;
	     i++) {
		len = excerpt_of(
		    line, (const char *)r->data, r->len, REACTION_CHARS);
		if (len > 0)
			(void)buf_add(out, line, len + 1);
	}
}

static bool
holds(const char *set, size_t len, const char *one)
{
	for (size_t i = 0; i < len; i += strlen(set + i) + 1)
		if (strcmp(set + i, one) == 0)
			return true;
	return false;
}

/* Each message of reactions holds all of them; the new ones are told. */
static int
reaction(struct buf *out, enum compose_verdict *v, const struct frame *f,
    const struct compose_opts *o)
{
	const struct said_message *m = o->target;
	struct buf all, added;
	const char *set, *one;
	int rc = 0;

	*v = COMPOSE_NOTHING;
	if (!o->rules->reactions || m == NULL)
		return 0;
	buf_init(&all, 0);
	buf_init(&added, 0);
	compose_reactions(&all, f);
	set = (const char *)all.data;
	for (size_t i = 0; i < all.len; i += strlen(one) + 1) {
		one = set + i;
		if (holds(m->reactions, m->reactions_len, one) ||
		    holds(set, i, one))
			continue;
		if (added.len > 0)
			(void)buf_add_char(&added, ' ');
		(void)buf_add_str(&added, one);
	}
	if (buf_failed(&all) || buf_failed(&added)) {
		rc = ERR_NOMEM;
	} else if (added.len > 0) {
		words_put(out, o->rules->language, WORDS_REACTED,
		    buf_cstr(&added), m->text);
		*v = COMPOSE_TEXT;
	}
	buf_finish(&all);
	buf_finish(&added);
	return rc;
}

const struct frame_field *
compose_target(const struct frame *f)
{
	static const enum frame_tag tags[] = { FIELD_CORRECTS, FIELD_REACTS_TO,
		FIELD_RETRACTS, FIELD_REPLY_TO };
	const struct frame_field *id;

	for (size_t i = 0; i < sizeof(tags) / sizeof(tags[0]); i++)
		if ((id = frame_field(f, tags[i])) != NULL)
			return id;
	return NULL;
}

/* --- the whole ------------------------------------------------------------ */

/* Returns what its writer says himself. */
static struct text
message(struct buf *out, const struct frame *f, const struct compose_opts *o,
    struct text body)
{
	struct text quote = { "", 0 }, rest[2], said = body;
	bool divided = divide(&quote, rest, f, body);

	if (frame_has(f, FIELD_REPLY_TO))
		put_quote(out, f, quote, o);
	put_time(out, f, o);
	if (calls(f, o)) {
		words_put(out, o->rules->language, WORDS_ATTENTION, NULL, NULL);
		if (!is_blank(body))
			(void)buf_add_char(out, ' ');
	}
	put_correction(out, f, o);
	put_subject(out, f);
	if (divided) {
		said = is_blank(rest[1]) ? rest[0] : rest[1];
		put(out, rest[0]);
		put(out, rest[1]);
	} else if (body_is_link(f, body)) {
		body.len = 0;
	} else {
		put(out, body);
	}
	put_links(out, f, body);
	return said.len > 0 ? said : text_of(frame_field(f, FIELD_LINK));
}

int
compose_text(struct buf *out, struct compose_result *result,
    const struct frame *f, const struct compose_opts *o)
{
	struct text body = text_of(frame_field(f, FIELD_BODY));
	struct compose_result r = { .verdict = COMPOSE_TEXT };
	size_t before = out->len;
	struct text said;
	int rc = 0;

	if (frame_has(f, FIELD_ENCRYPTED)) {
		r.verdict = COMPOSE_UNREADABLE;
	} else if (frame_has(f, FIELD_INVITATION)) {
		r.verdict = COMPOSE_INVITED;
	} else if (frame_has(f, FIELD_RETRACTS)) {
		r.verdict = retraction(out, o);
	} else if (is_blank(body) && frame_has(f, FIELD_REACTS_TO)) {
		rc = reaction(out, &r.verdict, f, o);
	} else if (is_blank(body) && !frame_has(f, FIELD_LINK) &&
		   !calls(f, o)) {
		r.verdict = COMPOSE_NOTHING;
	} else {
		if (is_blank(body))
			body.len = 0;
		said = message(out, f, o, body);
		r.said = said.s;
		r.said_len = said.len;
	}
	if (buf_failed(out))
		return out->limit > 0 && out->cap >= out->limit ? ERR_FULL
								: ERR_NOMEM;
	/* Nothing but links that lead nowhere. */
	if (r.verdict == COMPOSE_TEXT && out->len == before)
		r.verdict = COMPOSE_NOTHING;
	if (rc == 0)
		*result = r;
	return rc;
}
