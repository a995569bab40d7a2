/* stream_error - one table, read both ways. */
#include "edge-proxy/stream_error.h"

#include <stddef.h>
#include <string.h>

#include "common/xml.h"
#include "edge-proxy/xml_stream.h"

static const char *const names[STREAM_ERR_COUNT] = { [STREAM_ERR_NONE] = "",
#define X(name, text) [name] = (text),
	STREAM_ERRORS(X)
#undef X
};

const char *
stream_error_str(enum stream_error e)
{
	return names[e];
}

enum stream_error
stream_error_parse(const char *name)
{
	for (int i = STREAM_ERR_NONE + 1; i < STREAM_ERR_COUNT; i++) {
		if (strcmp(names[i], name) == 0)
			return (enum stream_error)i;
	}
	if (strcmp(name, "xml-not-well-formed") == 0)
		return STREAM_ERR_NOT_WELL_FORMED;
	return STREAM_ERR_UNDEFINED_CONDITION;
}

enum stream_error
stream_error_read(const struct xml_elem *e)
{
	const struct xml_elem *c = xml_child(e, XML_NS_STREAM_ERRORS, NULL);

	return c != NULL ? stream_error_parse(c->name)
			 : STREAM_ERR_UNDEFINED_CONDITION;
}
