#include "proto/condition.h"

#include <assert.h>
#include <string.h>

static const struct {
	const char *text;
	const char *type;
} conditions[COND_COUNT] = {
#define X(name, text, type) [name] = { text, type },
	CONDITIONS(X)
#undef X
};

const char *
condition_str(enum condition c)
{
	assert((unsigned)c < COND_COUNT);
	return conditions[c].text;
}

const char *
condition_type(enum condition c)
{
	assert((unsigned)c < COND_COUNT);
	return conditions[c].type;
}

enum condition
condition_parse(const char *name, size_t len)
{
	unsigned c;

	for (c = 0; c < COND_COUNT; c++)
		if (strlen(conditions[c].text) == len &&
		    memcmp(conditions[c].text, name, len) == 0)
			return (enum condition)c;
	return COND_UNDEFINED_CONDITION;
}
