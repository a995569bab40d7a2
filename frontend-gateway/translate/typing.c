#include "frontend-gateway/translate/typing.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <expat.h>

#include "common/err.h"

enum { DEPTH_MAX = 8, LEN_MAX = 4096, TEXT_MAX = 32 };

const char typing_info_type[] = "<?xml version=\"1.0\"?><KeyboardActivity>"
				"<status status=\"type\"/></KeyboardActivity>";
const char typing_info_idle[] = "<?xml version=\"1.0\"?><KeyboardActivity>"
				"<status status=\"idle\"/></KeyboardActivity>";

struct reader {
	XML_Parser parser;
	enum { OTHER, KEYBOARD, COMPOSING } kind;
	unsigned depth;
	bool refused;
	struct typing_notice notice;
	enum { NO_TEXT, STATE, REFRESH } wanted;
	char text[TEXT_MAX];
	size_t text_len;
};

/* The name without its prefix. */
static const char *
local(const char *name)
{
	const char *colon = strrchr(name, ':');

	return colon != NULL ? colon + 1 : name;
}

static void
read_root(struct reader *r, const char *name)
{
	if (strcmp(name, "KeyboardActivity") == 0)
		r->kind = KEYBOARD;
	else if (strcmp(name, "isComposing") == 0)
		r->kind = COMPOSING;
}

static void
read_status(struct reader *r, const char **attrs)
{
	for (; attrs[0] != NULL; attrs += 2)
		if (strcmp(local(attrs[0]), "status") == 0)
			r->notice.active = strcmp(attrs[1], "type") == 0;
}

static void
on_start(void *arg, const char *name, const char **attrs)
{
	struct reader *r = arg;

	name = local(name);
	r->wanted = NO_TEXT;
	if (++r->depth > DEPTH_MAX) {
		r->refused = true;
		XML_StopParser(r->parser, XML_FALSE);
	} else if (r->depth == 1) {
		read_root(r, name);
	} else if (r->depth == 2 && r->kind == KEYBOARD &&
		   strcmp(name, "status") == 0) {
		read_status(r, attrs);
	} else if (r->depth == 2 && r->kind == COMPOSING) {
		r->wanted = strcmp(name, "state") == 0     ? STATE
			    : strcmp(name, "refresh") == 0 ? REFRESH
							   : NO_TEXT;
		r->text_len = 0;
	}
}

static void
on_text(void *arg, const char *s, int len)
{
	struct reader *r = arg;

	for (int i = 0; i < len && r->wanted != NO_TEXT; i++)
		if (strchr(" \t\r\n", s[i]) == NULL &&
		    r->text_len < TEXT_MAX - 1)
			r->text[r->text_len++] = s[i];
}

static uint32_t
number(const char *s)
{
	uint32_t n = 0;

	for (; *s >= '0' && *s <= '9'; s++)
		n = n < 100000 ? n * 10 + (uint32_t)(*s - '0') : n;
	return *s == '\0' ? n : 0;
}

static void
on_end(void *arg, const char *name)
{
	struct reader *r = arg;

	(void)name;
	r->text[r->text_len] = '\0';
	if (r->depth == 2 && r->wanted == STATE)
		r->notice.active = strcmp(r->text, "active") == 0;
	else if (r->depth == 2 && r->wanted == REFRESH)
		r->notice.refresh_s = number(r->text);
	r->wanted = NO_TEXT;
	r->depth--;
}

static void
on_doctype(void *arg, const char *name, const char *sysid, const char *pubid,
    int internal)
{
	struct reader *r = arg;

	(void)name;
	(void)sysid;
	(void)pubid;
	(void)internal;
	r->refused = true;
	XML_StopParser(r->parser, XML_FALSE);
}

int
typing_read(struct typing_notice *out, const void *body, size_t len)
{
	struct reader r = { .kind = OTHER };
	enum XML_Status status;
	bool out_of_memory;

	if (len > LEN_MAX)
		return ERR_MALFORMED;
	r.parser = XML_ParserCreate(NULL);
	if (r.parser == NULL)
		return ERR_NOMEM;
	XML_SetUserData(r.parser, &r);
	XML_SetElementHandler(r.parser, on_start, on_end);
	XML_SetCharacterDataHandler(r.parser, on_text);
	XML_SetStartDoctypeDeclHandler(r.parser, on_doctype);
	status = XML_Parse(r.parser, body, (int)len, XML_TRUE);
	out_of_memory = XML_GetErrorCode(r.parser) == XML_ERROR_NO_MEMORY;
	XML_ParserFree(r.parser);
	if (out_of_memory)
		return ERR_NOMEM;
	if (status != XML_STATUS_OK || r.refused)
		return ERR_MALFORMED;
	if (r.kind == OTHER)
		return ERR_UNSUPPORTED;
	*out = r.notice;
	return 0;
}
