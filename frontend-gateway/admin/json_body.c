#include "frontend-gateway/admin/json_body.h"

#include <stdbool.h>
#include <stdio.h>

#include "common/err.h"

/* Counts brackets outside of strings; whether they fit is the parser's. */
static bool
is_deep(const char *s, size_t len)
{
	bool quoted = false;
	size_t depth = 0;

	for (size_t i = 0; i < len; i++) {
		if (quoted) {
			if (s[i] == '\\')
				i++;
			else if (s[i] == '"')
				quoted = false;
		} else if (s[i] == '"') {
			quoted = true;
		} else if (s[i] == '{' || s[i] == '[') {
			if (++depth > JSON_BODY_DEPTH)
				return true;
		} else if ((s[i] == '}' || s[i] == ']') && depth > 0) {
			depth--;
		}
	}
	return false;
}

int
json_body_parse(json_t **out, const void *data, size_t len,
    char why[static JSON_BODY_WHY_SIZE])
{
	json_error_t error;
	json_t *body;

	if (data == NULL || len == 0) {
		snprintf(why, JSON_BODY_WHY_SIZE, "is missing");
		return ERR_MALFORMED;
	}
	if (is_deep(data, len)) {
		snprintf(why, JSON_BODY_WHY_SIZE,
		    "more than %d levels of brackets", JSON_BODY_DEPTH);
		return ERR_TOO_LONG;
	}
	body = json_loadb(data, len, JSON_REJECT_DUPLICATES, &error);
	if (body == NULL) {
		snprintf(why, JSON_BODY_WHY_SIZE, "line %d, column %d: %.150s",
		    error.line, error.column, error.text);
		return json_error_code(&error) == json_error_out_of_memory
			   ? ERR_NOMEM
			   : ERR_MALFORMED;
	}
	if (!json_is_object(body)) {
		json_decref(body);
		snprintf(why, JSON_BODY_WHY_SIZE, "is no object");
		return ERR_MALFORMED;
	}
	*out = body;
	return 0;
}
