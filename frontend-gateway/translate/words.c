#include "frontend-gateway/translate/words.h"

#include <assert.h>
#include <stddef.h>
#include <string.h>

#include "common/buf.h"

const char words_languages[] = "en, de";

static const struct {
	const char *name;
	const char *says[WORDS_COUNT];
} languages[] = {
	{ "en",
	    {
		[WORDS_SENT] = "[sent %s] ",
		[WORDS_CORRECTED] = "[corrected] ",
		[WORDS_REACTED] = "reacted %s to: \"%s\"",
		[WORDS_WITHDRAWN] = "[a message was withdrawn: \"%s\"]",
		[WORDS_WITHDRAWN_UNKNOWN] = "[a message was withdrawn]",
		[WORDS_ATTENTION] = "[asks for your attention]",
	    } },
	{ "de",
	    {
		[WORDS_SENT] = "[gesendet %s] ",
		[WORDS_CORRECTED] = "[berichtigt] ",
		[WORDS_REACTED] = "reagierte mit %s auf: \"%s\"",
		[WORDS_WITHDRAWN] =
		    "[eine Nachricht wurde zurückgezogen: \"%s\"]",
		[WORDS_WITHDRAWN_UNKNOWN] =
		    "[eine Nachricht wurde zurückgezogen]",
		[WORDS_ATTENTION] = "[bittet um Ihre Aufmerksamkeit]",
	    } },
};

static size_t
find(const char *language)
{
	size_t i = sizeof(languages) / sizeof(languages[0]);

	while (i-- > 0)
		if (strcmp(languages[i].name, language) == 0)
			return i;
	return (size_t)-1;
}

bool
words_speak(const char *language)
{
	return find(language) != (size_t)-1;
}

void
words_put(struct buf *out, const char *language, enum words id,
    const char *inserted, const char *more)
{
	const char *const parts[] = { inserted, more };
	size_t i = find(language);
	const char *at = languages[i != (size_t)-1 ? i : 0].says[id], *gap;

	for (size_t n = 0; (gap = strstr(at, "%s")) != NULL; n++) {
		assert(n < 2 && parts[n] != NULL);
		buf_add(out, at, (size_t)(gap - at));
		buf_add_str(out, parts[n]);
		at = gap + 2;
	}
	buf_add_str(out, at);
}
