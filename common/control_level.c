/* A request for another log level. */
#include "common/control_level.h"

#include <stdio.h>
#include <string.h>

#include "common/err.h"

int
control_level_parse(struct control_level *out, const char *component,
    const char *level, char *why, size_t size)
{
	static const char letters[] = "abcdefghijklmnopqrstuvwxyz0123456789_";
	struct control_level l = { 0 };

	if (strlen(component) >= sizeof(l.component) ||
	    component[strspn(component, letters)] != '\0') {
		snprintf(why, size,
		    "that is no component's name: as in the log, like s2s_in");
		return ERR_MALFORMED;
	}
	memcpy(l.component, component, strlen(component) + 1);
	if (log_level_parse(&l.level, level) < 0) {
		snprintf(
		    why, size, "the level must be error, warn, info or debug");
		return ERR_MALFORMED;
	}
	*out = l;
	return 0;
}

int
control_level_read(
    struct control_level *out, const json_t *request, char *why, size_t size)
{
	const json_t *component = json_object_get(request, "component");
	const char *level =
	    json_string_value(json_object_get(request, "level"));

	if (component != NULL && !json_is_string(component)) {
		snprintf(why, size, "the component must be a string");
		return ERR_MALFORMED;
	}
	return control_level_parse(out,
	    component != NULL ? json_string_value(component) : "",
	    level != NULL ? level : "", why, size);
}

int
control_level_apply(const struct control_level *l)
{
	return log_set_level(
	    l->component[0] != '\0' ? l->component : NULL, l->level);
}
