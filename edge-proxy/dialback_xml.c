/* dialback_xml - see the header.  Prefix db always: servers were seen that take
 * no other. */
#include "edge-proxy/dialback_xml.h"

#include <stdio.h>
#include <string.h>

#include "common/buf.h"
#include "common/err.h"
#include "common/jid.h"
#include "common/xml.h"
#include "edge-proxy/xml_stream.h"

#define NS_STANZAS "urn:ietf:params:xml:ns:xmpp-stanzas"
#define SPACE      " \t\r\n"

static const char *const types[] = {
	[DIALBACK_REQUEST] = "request",
	[DIALBACK_VALID] = "valid",
	[DIALBACK_INVALID] = "invalid",
	[DIALBACK_ERROR] = "error",
	[DIALBACK_OTHER] = "unknown",
};

const char *
dialback_type_str(enum dialback_type t)
{
	return types[t];
}

/* --- reading ------------------------------------------------------------- */

static enum dialback_type
read_type(const char *type)
{
	if (type == NULL)
		return DIALBACK_REQUEST;
	for (int t = DIALBACK_VALID; t <= DIALBACK_ERROR; t++)
		if (strcmp(types[t], type) == 0)
			return (enum dialback_type)t;
	return DIALBACK_OTHER;
}

static bool
read_domain(char *ascii, char *text, const char *value)
{
	size_t len = value != NULL ? strlen(value) : 0;

	if (len == 0 ||
	    jid_domain_ascii(ascii, DIALBACK_DOMAIN_SIZE, value, len) < 0)
		return false;
	/* A spelling that takes more room is told in ours. */
	snprintf(text, DIALBACK_DOMAIN_SIZE, "%s",
	    len < DIALBACK_DOMAIN_SIZE ? value : ascii);
	return true;
}

static enum condition
read_condition(const struct xml_elem *e)
{
	const struct xml_elem *error = xml_child(e, NULL, "error");
	const struct xml_elem *c =
	    error != NULL ? xml_child(error, NS_STANZAS, NULL) : NULL;

	while (c != NULL && strcmp(c->name, "text") == 0)
		c = xml_next(error, c, NS_STANZAS, NULL);
	if (c == NULL)
		return COND_UNDEFINED_CONDITION;
	return condition_parse(c->name, strlen(c->name));
}

int
dialback_xml_read(struct dialback_elem *out, const struct xml_elem *e)
{
	const char *id = xml_attr(e, "id");

	memset(out, 0, sizeof(*out));
	out->condition = COND_UNDEFINED_CONDITION;
	out->verify = xml_is(e, XML_NS_DIALBACK, "verify");
	if (!out->verify && !xml_is(e, XML_NS_DIALBACK, "result"))
		return ERR_UNSUPPORTED;
	out->type = read_type(xml_attr(e, "type"));
	if (!read_domain(out->from, out->from_text, xml_attr(e, "from")) ||
	    !read_domain(out->to, out->to_text, xml_attr(e, "to")))
		return ERR_JID;
	if (id != NULL && strlen(id) < sizeof(out->id))
		snprintf(out->id, sizeof(out->id), "%s", id);
	if (out->type == DIALBACK_ERROR)
		out->condition = read_condition(e);
	return 0;
}

int
dialback_xml_key(char *key, const struct xml_elem *e)
{
	struct buf text;
	const char *s;
	size_t len;
	int rc = ERR_NOMEM;

	buf_init(&text, 0);
	xml_text(e, &text);
	s = buf_cstr(&text);
	if (s == NULL)
		goto done;
	s += strspn(s, SPACE);
	len = strlen(s);
	while (len > 0 && strchr(SPACE, s[len - 1]) != NULL)
		len--;
	rc = len == 0 ? ERR_MALFORMED : ERR_TOO_LONG;
	if (len == 0 || len > DIALBACK_KEY_MAX)
		goto done;
	memcpy(key, s, len);
	key[len] = '\0';
	rc = 0;

done:
	buf_finish(&text);
	return rc;
}

/* --- writing ------------------------------------------------------------- */

static void
attribute(struct buf *out, const char *name, const char *value)
{
	if (value == NULL)
		return;
	buf_addf(out, " %s='", name);
	xml_escape_attr(out, value, strlen(value));
	buf_add_char(out, '\'');
}

static const char *
begin(struct buf *out, bool verify, const struct dialback_names *n)
{
	const char *name = verify ? "verify" : "result";

	buf_addf(out, "<db:%s xmlns:db='" XML_NS_DIALBACK "'", name);
	attribute(out, "from", n->from);
	attribute(out, "to", n->to);
	attribute(out, "id", n->id);
	return name;
}

void
dialback_xml_ask(struct buf *out, bool verify, const struct dialback_names *n,
    const char *key)
{
	const char *name = begin(out, verify, n);

	buf_add_char(out, '>');
	xml_escape_text(out, key, strlen(key));
	buf_addf(out, "</db:%s>", name);
}

void
dialback_xml_verdict(
    struct buf *out, bool verify, const struct dialback_names *n, bool valid)
{
	begin(out, verify, n);
	buf_addf(out, " type='%s'/>", valid ? "valid" : "invalid");
}

void
dialback_xml_error(struct buf *out, bool verify, const struct dialback_names *n,
    enum condition condition)
{
	const char *name = begin(out, verify, n);

	buf_addf(out,
	    " type='error'><error type='%s'><%s xmlns='" NS_STANZAS
	    "'/></error></db:%s>",
	    condition_type(condition), condition_str(condition), name);
}
