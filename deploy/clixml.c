/*
 * expat calls with what it finds; a stack of places says what that means
 * there.  A value is finished with the end of its element and handed to the
 * place around it.
 *
 *   Objs > Obj > Props|MS > S, B, U32, Nil, Obj, Ref ...   named by N
 *              > LST|STK|QUE|IE > the same, without names
 *              > DCT > En > two of them, named Key and Value
 *              > TN, TNRef      what type it is, of no interest
 *              > ToString       what it calls itself
 *              > I32 ...        the value of an enumeration
 */
#include "deploy/clixml.h"

#include <assert.h>
#include <errno.h>
#include <expat.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/buf.h"
#include "common/err.h"
#include "common/utf8.h"

enum place {
	PLACE_OBJS,
	PLACE_OBJ,
	PLACE_MEMBERS,
	PLACE_LIST,
	PLACE_DICT,
	PLACE_ENTRY,
	PLACE_SKIP,
	PLACE_STRING,
	PLACE_REF,
	PLACE_TEXT,
	PLACE_BOOL,
	PLACE_NUMBER,
	PLACE_NIL,
	PLACE_COUNT
};

#define IN(p) (1U << (p))
/* Where a value may stand. */
#define VALUES                                                                 \
	(IN(PLACE_OBJ) | IN(PLACE_MEMBERS) | IN(PLACE_LIST) | IN(PLACE_ENTRY))

static const struct {
	const char *name;
	enum place place;
	unsigned inside; /* which places */
} elements[] = {
	{ "Obj", PLACE_OBJ,
	    IN(PLACE_OBJS) | IN(PLACE_MEMBERS) | IN(PLACE_LIST) |
		IN(PLACE_ENTRY) },
	{ "Props", PLACE_MEMBERS, IN(PLACE_OBJ) },
	{ "MS", PLACE_MEMBERS, IN(PLACE_OBJ) },
	{ "LST", PLACE_LIST, IN(PLACE_OBJ) },
	{ "STK", PLACE_LIST, IN(PLACE_OBJ) },
	{ "QUE", PLACE_LIST, IN(PLACE_OBJ) },
	{ "IE", PLACE_LIST, IN(PLACE_OBJ) },
	{ "DCT", PLACE_DICT, IN(PLACE_OBJ) },
	{ "En", PLACE_ENTRY, IN(PLACE_DICT) },
	{ "TN", PLACE_SKIP, IN(PLACE_OBJ) },
	{ "TNRef", PLACE_SKIP, IN(PLACE_OBJ) },
	{ "T", PLACE_SKIP, IN(PLACE_SKIP) },
	{ "ToString", PLACE_STRING, IN(PLACE_OBJ) },
	{ "Ref", PLACE_REF,
	    IN(PLACE_MEMBERS) | IN(PLACE_LIST) | IN(PLACE_ENTRY) },
	{ "S", PLACE_TEXT, VALUES },
	{ "B", PLACE_BOOL, VALUES },
	/* At the top: the cmdlet had nothing to tell. */
	{ "Nil", PLACE_NIL, VALUES | IN(PLACE_OBJS) },
	{ "I32", PLACE_NUMBER, VALUES },
	{ "U32", PLACE_NUMBER, VALUES },
	{ "I64", PLACE_NUMBER, VALUES },
	{ "U64", PLACE_NUMBER, VALUES },
	{ "I16", PLACE_NUMBER, VALUES },
	{ "U16", PLACE_NUMBER, VALUES },
	{ "By", PLACE_NUMBER, VALUES },
	{ "SB", PLACE_NUMBER, VALUES },
	/* Kept as they are written. */
	{ "C", PLACE_TEXT, VALUES },
	{ "D", PLACE_TEXT, VALUES },
	{ "Db", PLACE_TEXT, VALUES },
	{ "Sg", PLACE_TEXT, VALUES },
	{ "DT", PLACE_TEXT, VALUES },
	{ "TS", PLACE_TEXT, VALUES },
	{ "G", PLACE_TEXT, VALUES },
	{ "URI", PLACE_TEXT, VALUES },
	{ "Version", PLACE_TEXT, VALUES },
	{ "XD", PLACE_TEXT, VALUES },
	{ "BA", PLACE_TEXT, VALUES },
	{ "SBK", PLACE_TEXT, VALUES },
	{ "SS", PLACE_TEXT, VALUES },
	{ "PR", PLACE_TEXT, VALUES },
};

enum { ELEMENTS = sizeof(elements) / sizeof(elements[0]) };

struct frame {
	enum place place;
	size_t line;
	char *name;  /* N, decoded; NULL = none */
	char *refid; /* RefId */
	/* Of an Obj: its properties with their lines, what it calls itself,
	 * and what it is when it is no object (an array, a dictionary, a
	 * number).  Of an entry: key and value. */
	json_t *members, *lines, *string, *value;
};

struct reader {
	XML_Parser parser;
	struct frame stack[CLIXML_DEPTH_MAX];
	size_t depth;
	struct buf text; /* of the innermost element */
	json_t *refs;    /* by RefId */
	clixml_object_fn *fn;
	void *arg;
	char *why;
	int rc;
};

/* --- ends ---------------------------------------------------------------------- */

static void __attribute__((format(printf, 3, 4)))
stop(struct reader *r, int rc, const char *fmt, ...)
{
	va_list ap;
	int n;

	if (r->rc != 0)
		return;
	r->rc = rc;
	n = snprintf(r->why, CLIXML_WHY,
	    "%lu: ", (unsigned long)XML_GetCurrentLineNumber(r->parser));
	va_start(ap, fmt);
	vsnprintf(r->why + n, CLIXML_WHY - (size_t)n, fmt, ap);
	va_end(ap);
	XML_StopParser(r->parser, XML_FALSE);
}

static void
finish_frame(struct frame *f)
{
	free(f->name);
	free(f->refid);
	json_decref(f->members);
	json_decref(f->lines);
	json_decref(f->string);
	json_decref(f->value);
	*f = (struct frame){ 0 };
}

/* --- texts --------------------------------------------------------------------- */

static int
hex4(const char *s)
{
	int n = 0;

	for (int i = 0; i < 4; i++) {
		char c = s[i];

		if (c >= '0' && c <= '9')
			n = n * 16 + (c - '0');
		else if (c >= 'A' && c <= 'F')
			n = n * 16 + (c - 'A' + 10);
		else if (c >= 'a' && c <= 'f')
			n = n * 16 + (c - 'a' + 10);
		else
			return -1;
	}
	return n;
}

/* One "_x000A_", or -1. */
static int
escaped(const char *s, size_t len)
{
	return len >= 7 && s[0] == '_' && s[1] == 'x' && s[6] == '_'
		   ? hex4(s + 2)
		   : -1;
}

/* Without the escapes; half a pair of surrogates and NUL become '?'.  The
 * caller frees it; NULL (stopped) without memory. */
static char *
unescape(struct reader *r, const char *s, size_t len)
{
	char *out = malloc(len + 1);
	size_t done = 0;

	if (out == NULL) {
		stop(r, ERR_NOMEM, "out of memory");
		return NULL;
	}
	while (len > 0) {
		int unit = escaped(s, len), low;
		uint32_t c = (uint32_t)unit;
		size_t took = 7;

		if (unit < 0) {
			out[done++] = *s++;
			len--;
			continue;
		}
		if (c >= 0xD800 && c < 0xDC00 &&
		    (low = escaped(s + 7, len - 7)) >= 0xDC00 && low < 0xE000) {
			c = 0x10000 + ((c - 0xD800) << 10) +
			    ((uint32_t)low - 0xDC00);
			took = 14;
		} else if (c == 0 || (c >= 0xD800 && c < 0xE000)) {
			c = '?';
		}
		done += utf8_encode((uint8_t *)out + done, c);
		s += took;
		len -= took;
	}
	out[done] = '\0';
	return out;
}

static json_t *
read_number(struct reader *r, const char *text)
{
	long long n;
	char *end;

	errno = 0;
	n = strtoll(text, &end, 10);
	if (text[0] != '\0' && *end == '\0' && errno == 0)
		return json_integer(n);
	stop(r, ERR_MALFORMED, "\"%.40s\" is no number", text);
	return NULL;
}

static json_t *
read_text(struct reader *r, const char *text)
{
	char *plain = unescape(r, text, r->text.len);
	json_t *value;

	if (plain == NULL)
		return NULL;
	value = json_string(plain);
	if (value == NULL)
		stop(r, ERR_MALFORMED, "a text is no UTF-8");
	free(plain);
	return value;
}

/* The element's text as a JSON value of its kind; NULL when stopped. */
static json_t *
read_value(struct reader *r, const struct frame *f)
{
	const char *text = buf_cstr(&r->text);

	if (text == NULL) {
		stop(r, ERR_NOMEM, "out of memory");
		return NULL;
	}
	if (f->place == PLACE_NIL)
		return json_null();
	if (f->place == PLACE_NUMBER)
		return read_number(r, text);
	if (f->place != PLACE_BOOL)
		return read_text(r, text);
	if (strcmp(text, "true") == 0 || strcmp(text, "false") == 0)
		return json_boolean(text[0] == 't');
	stop(r, ERR_MALFORMED, "\"%.40s\" is neither true nor false", text);
	return NULL;
}

/* --- values -------------------------------------------------------------------- */

/* What an Obj turned out to be. */
static json_t *
object_value(struct frame *f)
{
	if (f->value != NULL && !json_is_integer(f->value) &&
	    !json_is_string(f->value) && !json_is_boolean(f->value))
		return json_incref(f->value); /* a list or a dictionary */
	if (json_object_size(f->members) > 0) {
		if (f->string != NULL)
			json_object_set(f->members, CLIXML_TEXT, f->string);
		return json_incref(f->members);
	}
	if (f->string != NULL)
		return json_incref(f->string);
	return f->value != NULL ? json_incref(f->value) : json_null();
}

static void
note_reference(struct reader *r, const struct frame *f, json_t *value)
{
	if (f->refid == NULL)
		return;
	if (json_object_size(r->refs) >= CLIXML_REFS_MAX)
		stop(r, ERR_FULL, "more than %d objects", CLIXML_REFS_MAX);
	else
		json_object_set(r->refs, f->refid, value);
}

static json_t *
resolve(const struct reader *r, const struct frame *f)
{
	json_t *value =
	    f->refid != NULL ? json_object_get(r->refs, f->refid) : NULL;

	/* To something that is not finished: a circle. */
	return value != NULL ? json_incref(value) : json_null();
}

static void
add_member(struct reader *r, struct frame *object, const struct frame *f,
    json_t *value)
{
	if (f->name == NULL) {
		stop(r, ERR_MALFORMED, "a property without a name");
		return;
	}
	if (json_object_size(object->members) >= CLIXML_MEMBERS_MAX) {
		stop(
		    r, ERR_FULL, "more than %d properties", CLIXML_MEMBERS_MAX);
		return;
	}
	/* Properties count before what was added to them. */
	if (json_object_get(object->members, f->name) != NULL)
		return;
	if (json_object_set(object->members, f->name, value) < 0 ||
	    json_object_set_new(
		object->lines, f->name, json_integer((json_int_t)f->line)) < 0)
		stop(r, ERR_MALFORMED, "a property's name is no UTF-8");
}

static void
add_entry(
    struct reader *r, struct frame *entry, const struct frame *f, json_t *value)
{
	if (f->name != NULL && strcmp(f->name, "Key") == 0) {
		json_decref(entry->string);
		entry->string = json_incref(value);
	} else if (f->name != NULL && strcmp(f->name, "Value") == 0) {
		json_decref(entry->value);
		entry->value = json_incref(value);
	} else {
		stop(r, ERR_MALFORMED, "an entry of a key and a value wanted");
	}
}

static void
hand_out(struct reader *r, struct frame *f)
{
	if (f->place == PLACE_NIL)
		return;
	if (f->place != PLACE_OBJ || json_object_size(f->members) == 0)
		stop(r, ERR_MALFORMED, "not an object with properties");
	else if (!r->fn(f->members, f->lines, f->line, r->arg))
		stop(r, ERR_CLOSED, "stopped");
}

/* value (borrowed) to the place around the element that just ended. */
static void
hand_over(struct reader *r, struct frame *f, json_t *value)
{
	struct frame *around = &r->stack[r->depth - 1];

	if (around->place == PLACE_OBJS)
		hand_out(r, f);
	else if (around->place == PLACE_MEMBERS)
		add_member(r, &r->stack[r->depth - 2], f, value);
	else if (around->place == PLACE_LIST)
		json_array_append(r->stack[r->depth - 2].value, value);
	else if (around->place == PLACE_ENTRY)
		add_entry(r, around, f, value);
	else if (around->value == NULL) /* of an enumeration */
		around->value = json_incref(value);
}

static void
end_entry(struct reader *r, const struct frame *f)
{
	struct frame *object = &r->stack[r->depth - 2];
	const char *key = json_string_value(f->string);

	if (key == NULL || f->value == NULL)
		return; /* keys of other kinds are of no interest */
	if (json_object_size(object->value) >= CLIXML_MEMBERS_MAX)
		stop(r, ERR_FULL, "more than %d entries", CLIXML_MEMBERS_MAX);
	else
		json_object_set(object->value, key, f->value);
}

/* --- expat's calls -------------------------------------------------------------- */

static bool
read_attributes(struct reader *r, struct frame *f, const char **attrs)
{
	for (; attrs[0] != NULL; attrs += 2) {
		char **into = NULL;

		if (strcmp(attrs[0], "N") == 0)
			into = &f->name;
		else if (strcmp(attrs[0], "RefId") == 0)
			into = &f->refid;
		if (into == NULL)
			continue;
		if (strlen(attrs[1]) > 1024) {
			stop(r, ERR_FULL, "a name is too long");
			return false;
		}
		free(*into); /* expat lets none come twice */
		*into = unescape(r, attrs[1], strlen(attrs[1]));
		if (*into == NULL)
			return false;
	}
	return true;
}

static bool
find_place(struct reader *r, enum place *out, const char *name)
{
	const char *local = strrchr(name, '|');

	local = local != NULL ? local + 1 : name;
	if (r->depth == 0) {
		*out = PLACE_OBJS;
		if (strcmp(local, "Objs") == 0)
			return true;
		stop(r, ERR_MALFORMED, "not what Export-Clixml writes");
		return false;
	}
	for (size_t i = 0; i < ELEMENTS; i++)
		if (strcmp(local, elements[i].name) == 0 &&
		    (elements[i].inside & IN(r->stack[r->depth - 1].place)) !=
			0) {
			*out = elements[i].place;
			return true;
		}
	stop(r, ERR_MALFORMED, "<%.40s> is not known here", local);
	return false;
}

/* What the place needs of the object around it. */
static void
prepare(struct reader *r, struct frame *f)
{
	struct frame *object;

	if (f->place == PLACE_OBJ) {
		f->members = json_object();
		f->lines = json_object();
	} else if (f->place == PLACE_LIST || f->place == PLACE_DICT) {
		assert(r->depth > 0); /* the elements' table says inside what */
		object = &r->stack[r->depth - 1];
		json_decref(object->value);
		object->value =
		    f->place == PLACE_LIST ? json_array() : json_object();
	}
}

static void
on_start(void *arg, const char *name, const char **attrs)
{
	struct reader *r = arg;
	struct frame f = { 0 };

	if (r->rc != 0 || !find_place(r, &f.place, name))
		return;
	if (r->depth == CLIXML_DEPTH_MAX) {
		stop(r, ERR_FULL, "nested more than %d deep", CLIXML_DEPTH_MAX);
		return;
	}
	f.line = XML_GetCurrentLineNumber(r->parser);
	if (!read_attributes(r, &f, attrs)) {
		finish_frame(&f);
		return;
	}
	prepare(r, &f);
	r->stack[r->depth++] = f;
	buf_clear(&r->text);
}

static void
on_text(void *arg, const char *text, int len)
{
	struct reader *r = arg;

	if (r->rc == 0 && buf_add(&r->text, text, (size_t)len) < 0)
		stop(r, ERR_FULL, "a text is longer than %d bytes",
		    CLIXML_TEXT_MAX);
}

static void
end_value(struct reader *r, struct frame *f)
{
	json_t *value;

	if (f->place == PLACE_OBJ)
		value = object_value(f);
	else if (f->place == PLACE_REF)
		value = resolve(r, f);
	else
		value = read_value(r, f);
	if (value == NULL)
		return;
	if (f->place == PLACE_OBJ && r->stack[r->depth - 1].place != PLACE_OBJS)
		note_reference(r, f, value);
	hand_over(r, f, value);
	json_decref(value);
}

static void
on_end(void *arg, const char *name)
{
	struct reader *r = arg;
	struct frame f;

	(void)name;
	if (r->rc != 0)
		return;
	f = r->stack[--r->depth];
	switch (f.place) {
	case PLACE_OBJS:
	case PLACE_MEMBERS:
	case PLACE_LIST:
	case PLACE_DICT:
	case PLACE_SKIP:
		break;
	case PLACE_ENTRY:
		end_entry(r, &f);
		break;
	case PLACE_STRING:
		json_decref(r->stack[r->depth - 1].string);
		r->stack[r->depth - 1].string = read_value(r, &f);
		break;
	case PLACE_OBJ:
	case PLACE_REF:
	case PLACE_TEXT:
	case PLACE_BOOL:
	case PLACE_NUMBER:
	case PLACE_NIL:
	case PLACE_COUNT:
		end_value(r, &f);
		break;
	}
	finish_frame(&f);
	buf_clear(&r->text);
}

static void
on_doctype(void *arg, const char *name, const char *system, const char *id,
    int internal)
{
	struct reader *r = arg;

	(void)name;
	(void)system;
	(void)id;
	(void)internal;
	stop(r, ERR_MALFORMED, "a document type has no place here");
}

/* --- the whole ------------------------------------------------------------------- */

static int
parse(struct reader *r, const char *text, size_t len)
{
	enum { CHUNK = 1 << 20 };

	XML_SetUserData(r->parser, r);
	XML_SetElementHandler(r->parser, on_start, on_end);
	XML_SetCharacterDataHandler(r->parser, on_text);
	XML_SetStartDoctypeDeclHandler(r->parser, on_doctype);
	do {
		size_t n = len < CHUNK ? len : CHUNK;

		len -= n;
		if (XML_Parse(r->parser, text, (int)n, len == 0) !=
			XML_STATUS_OK &&
		    r->rc == 0)
			stop(r, ERR_MALFORMED, "%s",
			    XML_ErrorString(XML_GetErrorCode(r->parser)));
		text += n;
	} while (len > 0 && r->rc == 0);
	return r->rc;
}

int
clixml_read(const char *text, size_t len, clixml_object_fn *fn, void *arg,
    char why[CLIXML_WHY])
{
	struct reader *r = calloc(1, sizeof(*r));
	int rc = ERR_NOMEM;

	snprintf(why, CLIXML_WHY, "out of memory");
	if (r == NULL)
		return rc;
	r->fn = fn;
	r->arg = arg;
	r->why = why;
	buf_init(&r->text, CLIXML_TEXT_MAX);
	r->refs = json_object();
	/* Decoded already, whatever the document says of itself. */
	r->parser = XML_ParserCreateNS("UTF-8", '|');
	if (r->parser != NULL && r->refs != NULL)
		rc = parse(r, text, len);
	while (r->depth > 0)
		finish_frame(&r->stack[--r->depth]);
	if (r->parser != NULL)
		XML_ParserFree(r->parser);
	json_decref(r->refs);
	buf_finish(&r->text);
	free(r);
	return rc;
}
