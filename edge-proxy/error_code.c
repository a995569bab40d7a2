#include "edge-proxy/error_code.h"

#include <string.h>

/* Of several conditions with one number the most usual. */
static const struct {
	const char *code;
	enum condition condition;
} codes[] = {
	{ "302", COND_REDIRECT },
	{ "400", COND_BAD_REQUEST },
	{ "401", COND_NOT_AUTHORIZED },
	{ "403", COND_FORBIDDEN },
	{ "404", COND_ITEM_NOT_FOUND },
	{ "405", COND_NOT_ALLOWED },
	{ "406", COND_NOT_ACCEPTABLE },
	{ "407", COND_REGISTRATION_REQUIRED },
	{ "408", COND_REMOTE_SERVER_TIMEOUT },
	{ "409", COND_CONFLICT },
	{ "500", COND_INTERNAL_SERVER_ERROR },
	{ "501", COND_FEATURE_NOT_IMPLEMENTED },
	{ "502", COND_SERVICE_UNAVAILABLE },
	{ "503", COND_SERVICE_UNAVAILABLE },
	{ "504", COND_REMOTE_SERVER_TIMEOUT },
	{ "510", COND_SERVICE_UNAVAILABLE },
};

enum condition
error_code_condition(const char *code)
{
	for (size_t i = 0; code != NULL && i < sizeof(codes) / sizeof(*codes);
	     i++)
		if (strcmp(codes[i].code, code) == 0)
			return codes[i].condition;
	return COND_UNDEFINED_CONDITION;
}
