/*
 * Reading builds a JSON object from the elements that are named here; writing
 * walks the same names.  Of a vCard (XEP-0054) only what somebody is called
 * passes.
 */
#include "edge-proxy/iq_payload.h"

#include <assert.h>
#include <jansson.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "common/buf.h"
#include "common/err.h"
#include "common/xml.h"
#include "edge-proxy/stanza_ns.h"
#include "proto/frame_info.h"
#include "proto/frame_table.h"

enum { LIST_MAX = 256, NAME_MAX_BYTES = 1023 };

static const struct {
	const char *name, *ns, *element;
} requests[] = {
	[IQ_PING] = { "ping", NS_PING, "ping" },
	[IQ_DISCO_INFO] = { "disco-info", NS_DISCO_INFO, "query" },
	[IQ_DISCO_ITEMS] = { "disco-items", NS_DISCO_ITEMS, "query" },
	[IQ_VERSION] = { "version", NS_VERSION, "query" },
	[IQ_TIME] = { "time", NS_TIME, "time" },
	[IQ_VCARD] = { "vcard", NS_VCARD, "vCard" },
};

enum { REQUEST_COUNT = sizeof(requests) / sizeof(requests[0]) };

/* JSON member, and its element in a vCard: what somebody is called.  Pictures,
 * addresses and the rest stay where they are. */
static const struct {
	const char *key, *element;
} vcard_names[] = {
	{ "fn", "FN" },
	{ "nickname", "NICKNAME" },
};

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

const char *
iq_payload_str(enum iq_request request)
{
	return requests[request].name;
}

enum iq_request
iq_payload_parse(const char *name)
{
	unsigned i;

	for (i = IQ_NONE + 1; i < REQUEST_COUNT; i++)
		if (strcmp(requests[i].name, name) == 0)
			return (enum iq_request)i;
	return IQ_NONE;
}

enum iq_request
iq_payload_of(const struct xml_elem *payload)
{
	unsigned i;

	for (i = IQ_NONE + 1; i < REQUEST_COUNT; i++)
		if (xml_is(payload, requests[i].ns, requests[i].element))
			return (enum iq_request)i;
	return IQ_NONE;
}

/* --- XML to JSON ------------------------------------------------------- */

/* Sets a member, if there is a value.  False without memory; a string that is
 * no valid UTF-8 cannot come out of the parser. */
static bool
set_string(json_t *o, const char *key, const char *value)
{
	return value == NULL ||
	       json_object_set_new(o, key, json_string(value)) == 0;
}

/* The text in e as a string; white space at both ends goes. */
static json_t *
text_of(const struct xml_elem *e)
{
	const char *s;
	json_t *j = NULL;
	struct buf b;
	size_t len;

	buf_init(&b, 0);
	if (xml_text(e, &b) == 0 && (s = buf_cstr(&b)) != NULL) {
		len = b.len;
		while (len > 0 && strchr(" \t\r\n", *s) != NULL) {
			s++;
			len--;
		}
		while (len > 0 && strchr(" \t\r\n", s[len - 1]) != NULL)
			len--;
		j = json_stringn(s, len);
	}
	buf_finish(&b);
	return j;
}

static bool
set_text(json_t *o, const char *key, const struct xml_elem *e)
{
	json_t *j;

	if (e == NULL)
		return true;
	j = text_of(e);
	if (j == NULL)
		return false;
	if (json_string_length(j) == 0) {
		json_decref(j);
		return true;
	}
	return json_object_set_new(o, key, j) == 0;
}

/* A new array as a member. */
static json_t *
set_array(json_t *o, const char *key)
{
	json_t *a = json_array();

	return json_object_set_new(o, key, a) == 0 ? a : NULL;
}

/* Appends an object with those attributes of e that are named. */
static bool
append_attrs(json_t *array, const struct xml_elem *e, const char *const *names)
{
	json_t *o = json_object();

	if (json_array_append_new(array, o) < 0)
		return false;
	for (; *names != NULL; names++)
		if (!set_string(o, *names, xml_attr(e, *names)))
			return false;
	return true;
}

static bool
read_disco_info(json_t *o, const struct xml_elem *q)
{
	static const char *const names[] = { "category", "type", "name", NULL };
	json_t *identities = set_array(o, "identities");
	json_t *features = set_array(o, "features");
	struct xml_elem *c = NULL;
	const char *var;

	if (identities == NULL || features == NULL)
		return false;
	while ((c = xml_next(q, c, NS_DISCO_INFO, NULL)) != NULL) {
		var = xml_attr(c, "var");
		if (strcmp(c->name, "identity") == 0 &&
		    json_array_size(identities) < LIST_MAX) {
			if (!append_attrs(identities, c, names))
				return false;
		} else if (strcmp(c->name, "feature") == 0 && var != NULL &&
			   json_array_size(features) < LIST_MAX) {
			if (json_array_append_new(features, json_string(var)) <
			    0)
				return false;
		}
	}
	return true;
}

static bool
read_disco_items(json_t *o, const struct xml_elem *q)
{
	static const char *const names[] = { "jid", "node", "name", NULL };
	json_t *items = set_array(o, "items");
	struct xml_elem *c = NULL;

	if (items == NULL)
		return false;
	while ((c = xml_next(q, c, NS_DISCO_ITEMS, "item")) != NULL)
		if (json_array_size(items) < LIST_MAX &&
		    !append_attrs(items, c, names))
			return false;
	return true;
}

static bool
read_children(json_t *o, const struct xml_elem *q, const char *const *names)
{
	for (; *names != NULL; names++)
		if (!set_text(o, *names, xml_child(q, q->ns, *names)))
			return false;
	return true;
}

static bool
read_vcard(json_t *o, const struct xml_elem *v)
{
	for (size_t i = 0; i < COUNT(vcard_names); i++) {
		const char *key = vcard_names[i].key;

		if (!set_text(
			o, key, xml_child(v, NS_VCARD, vcard_names[i].element)))
			return false;
		/* Longer is nobody's name. */
		if (json_string_length(json_object_get(o, key)) >
		    NAME_MAX_BYTES)
			json_object_del(o, key);
	}
	return true;
}

static bool
read_answer(json_t *o, enum iq_request request, const struct xml_elem *payload)
{
	static const char *const version[] = { "name", "version", "os", NULL };
	static const char *const time[] = { "tzo", "utc", NULL };

	switch (request) {
	case IQ_DISCO_INFO:
		return read_disco_info(o, payload);
	case IQ_DISCO_ITEMS:
		return read_disco_items(o, payload);
	case IQ_VERSION:
		return read_children(o, payload, version);
	case IQ_TIME:
		return read_children(o, payload, time);
	case IQ_VCARD:
		return read_vcard(o, payload);
	case IQ_NONE:
	case IQ_PING:
		break;
	}
	return true;
}

int
iq_payload_read_answer(
    struct buf *json, enum iq_request request, const struct xml_elem *payload)
{
	json_t *o = json_object();
	char *text = NULL;
	size_t len;
	int rc = ERR_NOMEM;

	if (o == NULL || !read_answer(o, request, payload))
		goto out;
	text = json_dumps(o, JSON_COMPACT);
	if (text == NULL)
		goto out;
	len = strlen(text);
	rc = len > frame_info_field(FIELD_ANSWER)->max
		 ? ERR_TOO_LONG
		 : buf_add(json, text, len);
out:
	free(text);
	json_decref(o);
	return rc;
}

/* --- JSON to XML ------------------------------------------------------- */

static void
put_attr(struct buf *out, const char *name, const char *value)
{
	if (value == NULL)
		return;
	buf_addf(out, " %s='", name);
	xml_escape_attr(out, value, strlen(value));
	buf_add_char(out, '\'');
}

static void
put_text(struct buf *out, const char *name, const char *value)
{
	if (value == NULL)
		return;
	buf_addf(out, "<%s>", name);
	xml_escape_text(out, value, strlen(value));
	buf_addf(out, "</%s>", name);
}

static const char *
string_of(const json_t *o, const char *key)
{
	return json_string_value(json_object_get(o, key));
}

void
iq_payload_write_request(
    struct buf *out, enum iq_request request, const char *node)
{
	assert(request != IQ_NONE);
	buf_addf(out, "<%s xmlns='%s'", requests[request].element,
	    requests[request].ns);
	if (request == IQ_DISCO_INFO || request == IQ_DISCO_ITEMS)
		put_attr(out, "node", node);
	buf_add_str(out, "/>");
}

static void
write_disco(struct buf *out, const json_t *o)
{
	const json_t *list, *item;
	size_t i;

	list = json_object_get(o, "identities");
	json_array_foreach(list, i, item)
	{
		buf_add_str(out, "<identity");
		put_attr(out, "category", string_of(item, "category"));
		put_attr(out, "type", string_of(item, "type"));
		put_attr(out, "name", string_of(item, "name"));
		buf_add_str(out, "/>");
	}
	list = json_object_get(o, "features");
	json_array_foreach(list, i, item)
	{
		if (!json_is_string(item))
			continue;
		buf_add_str(out, "<feature");
		put_attr(out, "var", json_string_value(item));
		buf_add_str(out, "/>");
	}
	list = json_object_get(o, "items");
	json_array_foreach(list, i, item)
	{
		if (string_of(item, "jid") == NULL)
			continue;
		buf_add_str(out, "<item");
		put_attr(out, "jid", string_of(item, "jid"));
		put_attr(out, "node", string_of(item, "node"));
		put_attr(out, "name", string_of(item, "name"));
		buf_add_str(out, "/>");
	}
}

static void
write_vcard(struct buf *out, const json_t *o)
{
	for (size_t i = 0; i < COUNT(vcard_names); i++)
		put_text(out, vcard_names[i].element,
		    string_of(o, vcard_names[i].key));
}

int
iq_payload_write_answer(struct buf *out, enum iq_request request,
    const char *node, const char *json, size_t len)
{
	json_t *o;

	assert(request != IQ_NONE);
	if (request == IQ_PING)
		return 0; /* an empty result */
	o = json_loadb(json, len, JSON_REJECT_DUPLICATES, NULL);
	if (!json_is_object(o)) {
		json_decref(o);
		return ERR_MALFORMED;
	}
	buf_addf(out, "<%s xmlns='%s'", requests[request].element,
	    requests[request].ns);
	if (request == IQ_DISCO_INFO || request == IQ_DISCO_ITEMS)
		put_attr(out, "node", node);
	buf_add_char(out, '>');
	if (request == IQ_DISCO_INFO || request == IQ_DISCO_ITEMS) {
		write_disco(out, o);
	} else if (request == IQ_VERSION) {
		put_text(out, "name", string_of(o, "name"));
		put_text(out, "version", string_of(o, "version"));
		put_text(out, "os", string_of(o, "os"));
	} else if (request == IQ_TIME) {
		put_text(out, "tzo", string_of(o, "tzo"));
		put_text(out, "utc", string_of(o, "utc"));
	} else {
		write_vcard(out, o);
	}
	buf_addf(out, "</%s>", requests[request].element);
	json_decref(o);
	return buf_failed(out) ? ERR_NOMEM : 0;
}
