#include "frontend-gateway/translate/display_name.h"

#include <stdbool.h>
#include <string.h>

#include <jansson.h>

#include "common/buf.h"
#include "common/err.h"

/* Moves what was made of a name into out; false when nothing is left of it. */
static bool
take(char out[static DISPLAY_NAME_SIZE], const struct buf *name)
{
	if (name->len == 0 || name->len >= DISPLAY_NAME_SIZE)
		return false;
	memcpy(out, name->data, name->len);
	out[name->len] = '\0';
	return true;
}

int
display_name_pick(char out[static DISPLAY_NAME_SIZE],
    const struct display_name_sources *sources)
{
	const char *const names[] = { sources->nick, sources->document,
		sources->full, sources->nickname };
	struct buf name = { 0 };
	bool found = false;
	int rc = 0;

	for (size_t i = 0;
	     rc == 0 && !found && i < sizeof(names) / sizeof(*names); i++) {
		if (names[i] == NULL)
			continue;
		buf_clear(&name);
		rc = address_display(&name, names[i], strlen(names[i]));
		found = rc == 0 && take(out, &name);
	}
	if (rc == 0 && !found && sources->jid != NULL) {
		buf_clear(&name);
		rc = address_display_of(&name, sources->jid);
		found = rc == 0 && take(out, &name);
	}
	if (rc == 0 && !found)
		out[0] = '\0';
	buf_finish(&name);
	return rc < 0 ? ERR_NOMEM : 0;
}

int
display_name_of_answer(
    char out[static DISPLAY_NAME_SIZE], const char *json, size_t len)
{
	json_t *o = json_loadb(json, len, JSON_REJECT_DUPLICATES, NULL);
	struct display_name_sources sources = { 0 };
	int rc = ERR_MALFORMED;

	if (json_is_object(o)) {
		sources.full = json_string_value(json_object_get(o, "fn"));
		sources.nickname =
		    json_string_value(json_object_get(o, "nickname"));
		rc = display_name_pick(out, &sources);
	}
	json_decref(o);
	return rc;
}
