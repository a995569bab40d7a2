/* The image: version, flags, show, priority, idle, language, status. */
#include "frontend-gateway/translate/xmpp_presence.h"

#include <stdlib.h>
#include <string.h>

#include "common/buf.h"
#include "common/err.h"
#include "frontend-gateway/translate/image.h"

enum { VERSION = 1, FLAG_AVAILABLE = 0x1 };

static const char *const shows[XMPP_SHOW_COUNT] = {
	[XMPP_SHOW_CHAT] = "chat",
	[XMPP_SHOW_AWAY] = "away",
	[XMPP_SHOW_XA] = "xa",
	[XMPP_SHOW_DND] = "dnd",
};

void
xmpp_presence_finish(struct xmpp_presence *p)
{
	free(p->status);
	free(p->language);
	memset(p, 0, sizeof(*p));
}

/* "" is no text. */
static int
copy_text(char **out, const char *s)
{
	*out = NULL;
	if (s == NULL || s[0] == '\0')
		return 0;
	*out = strdup(s);
	return *out != NULL ? 0 : ERR_NOMEM;
}

int
xmpp_presence_copy(struct xmpp_presence *out, const struct xmpp_presence *p)
{
	struct xmpp_presence copy = *p;

	copy.language = NULL;
	if (copy_text(&copy.status, p->status) < 0 ||
	    copy_text(&copy.language, p->language) < 0) {
		xmpp_presence_finish(&copy);
		return ERR_NOMEM;
	}
	xmpp_presence_finish(out);
	*out = copy;
	return 0;
}

static bool
same_text(const char *a, const char *b)
{
	return strcmp(a != NULL ? a : "", b != NULL ? b : "") == 0;
}

bool
xmpp_presence_equal(
    const struct xmpp_presence *a, const struct xmpp_presence *b)
{
	if (!a->available || !b->available)
		return a->available == b->available;
	return a->show == b->show && a->priority == b->priority &&
	       a->idle_since == b->idle_since &&
	       same_text(a->status, b->status) &&
	       same_text(a->language, b->language);
}

const char *
xmpp_presence_show_str(enum xmpp_show show)
{
	return shows[show];
}

enum xmpp_show
xmpp_presence_show_parse(const char *s)
{
	for (unsigned i = 0; s != NULL && i < XMPP_SHOW_COUNT; i++)
		if (shows[i] != NULL && strcmp(shows[i], s) == 0)
			return (enum xmpp_show)i;
	return XMPP_SHOW_NONE;
}

int
xmpp_presence_save(struct buf *out, const struct xmpp_presence *p)
{
	size_t before = out->len;

	image_put(out, VERSION, 1);
	image_put(out, p->available ? FLAG_AVAILABLE : 0, 1);
	image_put(out, p->show, 1);
	image_put(out, (uint8_t)p->priority, 1);
	image_put(out, p->idle_since, 8);
	image_put_text(out, p->language);
	image_put_text(out, p->status);
	if (!buf_failed(out))
		return 0;
	out->len = before;
	return ERR_FULL;
}

int
xmpp_presence_restore(struct xmpp_presence *out, const void *data, size_t len)
{
	struct image i = image_of(data, len);
	struct xmpp_presence p = { 0 };
	char language[XMPP_PRESENCE_LANGUAGE_SIZE];
	char status[XMPP_PRESENCE_STATUS_SIZE];
	uint64_t version = image_get(&i, 1), flags = image_get(&i, 1), show;

	if (i.ok && version > VERSION)
		return ERR_UNSUPPORTED;
	show = image_get(&i, 1);
	p.priority = (int8_t)image_get(&i, 1);
	p.idle_since = image_get(&i, 8);
	image_get_text(&i, language, sizeof(language));
	image_get_text(&i, status, sizeof(status));
	if (!image_ended(&i) || version != VERSION || flags > FLAG_AVAILABLE ||
	    show >= XMPP_SHOW_COUNT)
		return ERR_MALFORMED;
	p.available = flags & FLAG_AVAILABLE;
	p.show = (enum xmpp_show)show;
	p.language = language[0] != '\0' ? language : NULL;
	p.status = status[0] != '\0' ? status : NULL;
	return xmpp_presence_copy(out, &p);
}
