/*
 * The catalogue's rows in the order of the enum.  Dates and licences are read
 * once, when the terms are set.
 */
#include "frontend-gateway/policy/providers.h"

#include <assert.h>
#include <string.h>
#include <strings.h>

#include "common/err.h"
#include "frontend-gateway/policy/day.h"

static const struct {
	const char *identity;
	struct providers_terms terms;
} catalogue[PROVIDERS_COUNT] = {
#define X(name, id, im, pres, aud, vid, by, lic, from, until, words)           \
	[name] = { .identity = (id),                                           \
		.terms = { .enabled = true,                                    \
		    .messages = (im),                                          \
		    .presence = (pres),                                        \
		    .audio = (aud),                                            \
		    .video = (vid),                                            \
		    .route = (by),                                             \
		    .licences = (lic),                                         \
		    .start = (from),                                           \
		    .end = (until) } },
	PROVIDERS_CATALOGUE(X)
#undef X
};

/* --- licences ----------------------------------------------------------- */

/* A name without the blanks around it. */
static void
trim(const char **at, size_t *len)
{
	while (*len > 0 && **at == ' ') {
		(*at)++;
		(*len)--;
	}
	while (*len > 0 && (*at)[*len - 1] == ' ')
		(*len)--;
}

int
providers_read_licences(struct provider *out, const char *text)
{
	size_t count = 0;

	if (out != NULL)
		out->licence_count = 0;
	if (text[strspn(text, " ")] == '\0')
		return 0;
	for (const char *at = text, *end; at != NULL;
	     at = *end == ',' ? end + 1 : NULL) {
		size_t len;

		end = at + strcspn(at, ",");
		len = (size_t)(end - at);
		trim(&at, &len);
		if (len == 0)
			return ERR_MALFORMED;
		if (len >= PROVIDERS_LICENCE_SIZE)
			return ERR_TOO_LONG;
		if (count == PROVIDERS_LICENCES_MAX)
			return ERR_FULL;
		if (out != NULL) {
			memcpy(out->licences[count], at, len);
			out->licences[count][len] = '\0';
			out->licence_count = count + 1;
		}
		count++;
	}
	return 0;
}

/* --- the rows ----------------------------------------------------------- */

/* "" leaves *out as it is. */
static bool
read_date(int32_t *out, const char *s)
{
	return s[0] == '\0' || day_parse(out, s);
}

int
providers_set(struct providers *p, enum providers_name which,
    const struct providers_terms *t)
{
	struct provider row = {
		.identity = catalogue[which].identity,
		.enabled = t->enabled,
		.messages = t->messages,
		.presence = t->presence,
		.audio = t->audio,
		.video = t->video,
		.by_sip = strcasecmp(t->route, "SIP") == 0,
		.start = DAY_NEVER_BEGUN,
		.end = DAY_NEVER_OVER,
	};
	int rc;

	if (!read_date(&row.start, t->start) || !read_date(&row.end, t->end))
		return ERR_MALFORMED;
	rc = providers_read_licences(&row, t->licences);
	if (rc < 0)
		return rc;
	p->rows[which] = row;
	return 0;
}

void
providers_init(struct providers *p)
{
	for (int i = 0; i < PROVIDERS_COUNT; i++) {
		int rc = providers_set(
		    p, (enum providers_name)i, &catalogue[i].terms);

		assert(rc == 0);
	}
}

enum providers_name
providers_find(const char *identity)
{
	for (int i = 0; identity[0] != '\0' && i < PROVIDERS_COUNT; i++)
		if (strcasecmp(identity, catalogue[i].identity) == 0)
			return (enum providers_name)i;
	return PROVIDERS_COUNT;
}

const char *
providers_identity(enum providers_name which)
{
	return catalogue[which].identity;
}

enum providers_state
providers_state_of(const struct provider *p, int32_t today)
{
	if (!p->enabled)
		return PROVIDERS_DISABLED;
	if (today < p->start)
		return PROVIDERS_NOT_BEGUN;
	return today > p->end ? PROVIDERS_ENDED : PROVIDERS_IN_SERVICE;
}

const char *
providers_state_str(enum providers_state s)
{
	static const char *const names[] = {
		[PROVIDERS_IN_SERVICE] = "in service",
		[PROVIDERS_DISABLED] = "disabled",
		[PROVIDERS_NOT_BEGUN] = "not begun",
		[PROVIDERS_ENDED] = "ended",
	};

	return names[s];
}
