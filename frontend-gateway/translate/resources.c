/* A short list, most important first.  An entry is one block: its numbers, then
 * name, language and status, each with a NUL.
 *
 * The image: version, number of entries, and for each of them at, idle, show,
 * priority, name, language, status. */
#include "frontend-gateway/translate/resources.h"

#include <stdlib.h>
#include <string.h>

#include "common/buf.h"
#include "common/err.h"
#include "common/jid.h"
#include "frontend-gateway/translate/image.h"
#include "frontend-gateway/translate/presence_text.h"

enum { VERSION = 1 };

/* --- entries ------------------------------------------------------------ */

static size_t
length(const char *s)
{
	return s != NULL ? strlen(s) : 0;
}

static size_t
text_size(const struct resource *e)
{
	return length(e->name) + length(e->status) + length(e->language);
}

static char *
append(char *at, const char **field, const char *s)
{
	size_t len = length(s);

	*field = s != NULL ? at : NULL;
	if (s != NULL && len > 0)
		memcpy(at, s, len);
	at[len] = '\0';
	return at + len + 1;
}

static struct resource *
entry_new(const struct resource *u, const char *status, const char *language)
{
	struct resource *e = malloc(sizeof(*e) + length(u->name) +
				    length(status) + length(language) + 3);
	char *at;

	if (e == NULL)
		return NULL;
	*e = *u;
	e->next = NULL;
	if (e->show >= XMPP_SHOW_COUNT)
		e->show = XMPP_SHOW_NONE;
	at = append((char *)(e + 1), &e->name, u->name != NULL ? u->name : "");
	at = append(at, &e->language, language);
	append(at, &e->status, status);
	return e;
}

static bool
same_text(const char *a, const char *b)
{
	return strcmp(a != NULL ? a : "", b != NULL ? b : "") == 0;
}

/* To a watcher; the time of telling is not shown. */
static bool
same_look(const struct resource *a, const struct resource *b)
{
	return a->show == b->show && a->priority == b->priority &&
	       a->idle_since == b->idle_since &&
	       same_text(a->status, b->status) &&
	       same_text(a->language, b->language);
}

static unsigned
rank(enum xmpp_show show)
{
	static const unsigned char ranks[XMPP_SHOW_COUNT] = {
		[XMPP_SHOW_NONE] = 0,
		[XMPP_SHOW_CHAT] = 0,
		[XMPP_SHOW_DND] = 1,
		[XMPP_SHOW_AWAY] = 2,
		[XMPP_SHOW_XA] = 3,
	};

	return ranks[show];
}

/* Whether a stands for the person rather than b. */
static bool
is_before(const struct resource *a, const struct resource *b)
{
	if ((a->priority < 0) != (b->priority < 0))
		return a->priority >= 0;
	if (rank(a->show) != rank(b->show))
		return rank(a->show) < rank(b->show);
	if (a->priority != b->priority)
		return a->priority > b->priority;
	return a->at > b->at;
}

/* --- the list ----------------------------------------------------------- */

void
resources_clear(struct resources *r)
{
	struct resource *e;

	while ((e = r->first) != NULL) {
		r->first = e->next;
		free(e);
	}
}

/* Takes out the entry of that name. */
static struct resource *
take(struct resources *r, const char *name)
{
	for (struct resource **at = &r->first; *at != NULL; at = &(*at)->next) {
		struct resource *e = *at;

		if (strcmp(e->name, name) != 0)
			continue;
		*at = e->next;
		return e;
	}
	return NULL;
}

/* Behind those that are as important, unless it is more recent. */
static void
insert(struct resources *r, struct resource *e)
{
	struct resource **at = &r->first;

	while (*at != NULL && !is_before(e, *at))
		at = &(*at)->next;
	e->next = *at;
	*at = e;
}

/* An entry without its status; NULL when there is no memory for that. */
static struct resource *
without_status(struct resource *e)
{
	struct resource *bare = entry_new(e, NULL, NULL);

	if (bare != NULL)
		bare->next = e->next;
	return bare;
}

/* What is beyond the bounds goes from the end: first the status, then, if the
 * name alone is too much or there is no memory, the entry.  What stays is what
 * a watcher sees first. */
static void
trim(struct resources *r)
{
	size_t text = 0, count = 0;
	struct resource **at = &r->first;

	while (*at != NULL) {
		struct resource *e = *at, *stays = e;

		if (text + text_size(e) > RESOURCES_TEXT_MAX)
			stays = without_status(e);
		if (stays != NULL &&
		    (count == RESOURCES_MAX ||
			text + text_size(stays) > RESOURCES_TEXT_MAX)) {
			if (stays != e)
				free(stays);
			stays = NULL;
		}
		if (stays == NULL) {
			*at = e->next;
			free(e);
			continue;
		}
		if (stays != e) {
			*at = stays;
			free(e);
		}
		text += text_size(stays);
		count++;
		at = &stays->next;
	}
}

int
resources_set(struct resources *r, const struct resource *u, bool *changed)
{
	char status[XMPP_PRESENCE_STATUS_SIZE];
	char language[XMPP_PRESENCE_LANGUAGE_SIZE];
	struct resource *e, *old;
	size_t len;

	len = presence_text_clean(
	    status, u->status != NULL ? u->status : "", length(u->status));
	presence_text_language(language, u->language, length(u->language));
	e = entry_new(u, len > 0 ? status : NULL,
	    len > 0 && language[0] != '\0' ? language : NULL);
	if (e == NULL)
		return ERR_NOMEM;
	old = take(r, e->name);
	if (changed != NULL)
		*changed = old == NULL || !same_look(old, e);
	free(old);
	insert(r, e);
	trim(r);
	return 0;
}

bool
resources_remove(struct resources *r, const char *name)
{
	struct resource *e;

	if (name == NULL || name[0] == '\0') {
		bool any = r->first != NULL;

		resources_clear(r);
		return any;
	}
	e = take(r, name);
	free(e);
	return e != NULL;
}

const struct resource *
resources_best(const struct resources *r)
{
	return r->first;
}

size_t
resources_count(const struct resources *r)
{
	size_t n = 0;

	for (const struct resource *e = r->first; e != NULL; e = e->next)
		n++;
	return n;
}

/* --- images ------------------------------------------------------------- */

int
resources_save(struct buf *out, const struct resources *r)
{
	size_t before = out->len;

	if (r->first == NULL)
		return 0;
	image_put(out, VERSION, 1);
	image_put(out, resources_count(r), 1);
	for (const struct resource *e = r->first; e != NULL; e = e->next) {
		image_put(out, e->at, 8);
		image_put(out, e->idle_since, 8);
		image_put(out, e->show, 1);
		image_put(out, (uint8_t)e->priority, 1);
		image_put_text(out, e->name);
		image_put_text(out, e->language);
		image_put_text(out, e->status);
	}
	if (!buf_failed(out))
		return 0;
	out->len = before;
	return ERR_FULL;
}

/* One entry of an image into r. */
static int
restore_entry(struct resources *r, struct image *i)
{
	char name[JID_PART_MAX + 1], language[XMPP_PRESENCE_LANGUAGE_SIZE];
	char status[XMPP_PRESENCE_STATUS_SIZE];
	struct resource u = { 0 };
	uint64_t show;

	u.at = image_get(i, 8);
	u.idle_since = image_get(i, 8);
	show = image_get(i, 1);
	u.priority = (int8_t)image_get(i, 1);
	image_get_text(i, name, sizeof(name));
	image_get_text(i, language, sizeof(language));
	image_get_text(i, status, sizeof(status));
	if (!i->ok || show >= XMPP_SHOW_COUNT)
		return ERR_MALFORMED;
	u.show = (enum xmpp_show)show;
	u.name = name;
	u.language = language;
	u.status = status;
	return resources_set(r, &u, NULL);
}

int
resources_restore(struct resources *out, const void *data, size_t len)
{
	struct image i = image_of(data, len);
	struct resources r = { 0 };
	uint64_t version, count = 0;
	int rc = 0;

	if (len > 0) {
		version = image_get(&i, 1);
		count = image_get(&i, 1);
		if (i.ok && version > VERSION)
			return ERR_UNSUPPORTED;
		if (version != VERSION || count == 0 || count > RESOURCES_MAX)
			return ERR_MALFORMED;
	}
	for (; rc == 0 && count > 0; count--)
		rc = restore_entry(&r, &i);
	if (rc == 0 && !image_ended(&i))
		rc = ERR_MALFORMED;
	if (rc < 0) {
		resources_clear(&r);
		return rc;
	}
	resources_clear(out);
	*out = r;
	return 0;
}
