/*
 * What expat tells becomes a header, a tree, and elements that are handed out;
 * or a refusal (RFC 6120 4.8, 4.9, 11.1).
 */
#include "edge-proxy/xml_stream_impl.h"

#include <string.h>
#include <strings.h>

#include "common/xml.h"

/* --- refusing ------------------------------------------------------------ */

void
xml_stream_refuse(struct xml_stream *xs, enum stream_error e, const char *text)
{
	if (xs->state == XS_FAILED)
		return;
	xs->state = XS_FAILED;
	xs->error = e;
	xs->error_text = text;
	if (xs->busy > 0 && xs->parser != NULL)
		XML_StopParser(xs->parser, XML_FALSE);
}

/* What expat itself objects to. */
void
xml_stream_refuse_expat(struct xml_stream *xs)
{
	enum XML_Error code = XML_GetErrorCode(xs->parser);
	enum stream_error e = STREAM_ERR_NOT_WELL_FORMED;

	if (code == XML_ERROR_UNDEFINED_ENTITY ||
	    code == XML_ERROR_RECURSIVE_ENTITY_REF ||
	    code == XML_ERROR_ASYNC_ENTITY ||
	    code == XML_ERROR_BINARY_ENTITY_REF ||
	    code == XML_ERROR_ATTRIBUTE_EXTERNAL_ENTITY_REF ||
	    code == XML_ERROR_EXTERNAL_ENTITY_HANDLING)
		e = STREAM_ERR_RESTRICTED_XML;
	else if (code == XML_ERROR_UNKNOWN_ENCODING ||
		 code == XML_ERROR_INCORRECT_ENCODING)
		e = STREAM_ERR_UNSUPPORTED_ENCODING;
	else if (code == XML_ERROR_NO_MEMORY)
		e = STREAM_ERR_RESOURCE_CONSTRAINT;
	else if (code == XML_ERROR_AMPLIFICATION_LIMIT_BREACH)
		e = STREAM_ERR_POLICY_VIOLATION;
	xml_stream_refuse(xs, e, XML_ErrorString(code));
}

void
xml_stream_too_much(struct xml_stream *xs, const char *text)
{
	if (xml_arena_is_starved(xs->build.arena))
		xml_stream_refuse(
		    xs, STREAM_ERR_RESOURCE_CONSTRAINT, "out of memory");
	else
		xml_stream_refuse(xs, STREAM_ERR_POLICY_VIOLATION, text);
}

/* --- expat's events ------------------------------------------------------ */

/* Offset behind the token whose event is being handled. */
static uint64_t
event_end(const struct xml_stream *xs)
{
	return (uint64_t)XML_GetCurrentByteIndex(xs->parser) +
	       (uint64_t)XML_GetCurrentByteCount(xs->parser);
}

static bool
is_stream_tag(const char *name)
{
	size_t n = strlen(XML_NS_STREAMS);

	return strncmp(name, XML_NS_STREAMS, n) == 0 &&
	       name[n] == XML_BUILD_SEPARATOR;
}

/* RFC 6120 4.8.1 and 4.8.2; the root is judged before its attributes. */
static void
start_stream(struct xml_stream *xs, const char *name, const char **attrs)
{
	struct stream_header h = { .dialback = xs->dialback };
	unsigned count = 0;

	if (event_end(xs) > xs->limits.header_max) {
		xml_stream_too_much(xs, "stream header too long");
		return;
	}
	if (!is_stream_tag(name)) {
		const char *sep = strchr(name, XML_BUILD_SEPARATOR);

		sep = sep == NULL ? name : sep + 1;
		xml_stream_refuse(xs,
		    strcmp(sep, "stream") == 0 ? STREAM_ERR_INVALID_NAMESPACE
					       : STREAM_ERR_BAD_FORMAT,
		    "not a stream header");
		return;
	}
	if (strcmp(strchr(name, XML_BUILD_SEPARATOR) + 1, "stream") != 0) {
		xml_stream_refuse(
		    xs, STREAM_ERR_BAD_FORMAT, "not a stream header");
		return;
	}
	if (xs->default_ns_wrong) {
		xml_stream_refuse(xs, STREAM_ERR_INVALID_NAMESPACE,
		    "content namespace is not jabber:server");
		return;
	}
	for (size_t i = 0; attrs[i] != NULL; i += 2) {
		if (++count > xs->limits.attrs_max) {
			xml_stream_too_much(xs, "too many attributes");
			return;
		}
		if (strcmp(attrs[i], "to") == 0)
			h.to = attrs[i + 1];
		else if (strcmp(attrs[i], "from") == 0)
			h.from = attrs[i + 1];
		else if (strcmp(attrs[i], "id") == 0)
			h.id = attrs[i + 1];
		else if (strcmp(attrs[i], "version") == 0)
			h.version = attrs[i + 1];
		else if (strcmp(attrs[i], XML_NS_XML "\x01lang") == 0)
			h.lang = attrs[i + 1];
	}
	xs->base = event_end(xs);
	xs->opening.len = (size_t)xs->base;
	xs->in_stream = true;
	xs->events->on_header(xs, &h, xs->arg);
}

static void
start_element(struct xml_stream *xs, const char *name, const char **attrs)
{
	const char *why;

	if (xs->build.depth == 0) {
		xs->base = (uint64_t)XML_GetCurrentByteIndex(xs->parser);
		xs->reread = 0;
	}
	why = xml_build_start(&xs->build, &xs->limits, name, attrs);
	if (why != NULL)
		xml_stream_too_much(xs, why);
}

static void XMLCALL
on_start(void *arg, const char *name, const char **attrs)
{
	struct xml_stream *xs = arg;

	if (xs->state != XS_RUNNING)
		return;
	if (xs->ns_declared > xs->limits.ns_max)
		xml_stream_too_much(xs, "too many namespace declarations");
	else if (!xs->in_stream)
		start_stream(xs, name, attrs);
	else
		start_element(xs, name, attrs);
	xs->ns_declared = 0;
}

/* A first-level element is whole. */
static void
finish_element(struct xml_stream *xs, const struct xml_elem *e)
{
	uint64_t end = event_end(xs);

	xs->element_size = (size_t)(end - xs->base);
	xs->base = end;
	if (xs->element_size > xs->limits.element_max) {
		xml_stream_too_much(xs, "element too large");
		return;
	}
	xs->stop_at = end;
	xs->events->on_element(xs, e, xs->arg);
	xml_build_clear(&xs->build);
}

static void XMLCALL
on_end(void *arg, const char *name)
{
	struct xml_stream *xs = arg;
	struct xml_elem *e;

	(void)name;
	if (xs->state != XS_RUNNING)
		return;
	if (xs->build.depth == 0) {
		xs->state = XS_ENDED;
		XML_StopParser(xs->parser, XML_FALSE);
		xs->events->on_goodbye(xs, xs->arg);
		return;
	}
	e = xml_build_end(&xs->build);
	if (e != NULL)
		finish_element(xs, e);
}

bool
xml_stream_is_space(const char *s, size_t len)
{
	for (size_t i = 0; i < len; i++)
		if (strchr(" \t\r\n", s[i]) == NULL || s[i] == '\0')
			return false;
	return true;
}

static void XMLCALL
on_text(void *arg, const char *s, int len)
{
	struct xml_stream *xs = arg;
	const char *why;

	if (xs->state != XS_RUNNING)
		return;
	if (xs->build.depth == 0) {
		if (!xml_stream_is_space(s, (size_t)len))
			xml_stream_refuse(
			    xs, STREAM_ERR_BAD_FORMAT, "text between elements");
		xs->base = event_end(xs);
		return;
	}
	why = xml_build_text(&xs->build, s, (size_t)len);
	if (why != NULL)
		xml_stream_too_much(xs, why);
}

static void XMLCALL
on_namespace(void *arg, const char *prefix, const char *uri)
{
	struct xml_stream *xs = arg;

	xs->ns_declared++;
	if (xs->in_stream)
		return;
	if (prefix == NULL && uri != NULL && strcmp(uri, XML_NS_SERVER) != 0 &&
	    strcmp(uri, XML_NS_STREAMS) != 0)
		xs->default_ns_wrong = true;
	if (uri != NULL && strcmp(uri, XML_NS_DIALBACK) == 0)
		xs->dialback = true;
}

static void XMLCALL
on_declaration(
    void *arg, const char *version, const char *encoding, int standalone)
{
	struct xml_stream *xs = arg;

	(void)standalone;
	if (version == NULL || strcmp(version, "1.0") != 0)
		xml_stream_refuse(xs, STREAM_ERR_BAD_FORMAT, "not XML 1.0");
	else if (encoding != NULL && strcasecmp(encoding, "UTF-8") != 0)
		xml_stream_refuse(
		    xs, STREAM_ERR_UNSUPPORTED_ENCODING, "not UTF-8");
}

static void XMLCALL
on_comment(void *arg, const char *text)
{
	(void)text;
	xml_stream_refuse(arg, STREAM_ERR_RESTRICTED_XML, "comment");
}

static void XMLCALL
on_instruction(void *arg, const char *target, const char *text)
{
	(void)target;
	(void)text;
	xml_stream_refuse(
	    arg, STREAM_ERR_RESTRICTED_XML, "processing instruction");
}

static void XMLCALL
on_doctype(void *arg, const char *name, const char *system_id,
    const char *public_id, int internal)
{
	(void)name;
	(void)system_id;
	(void)public_id;
	(void)internal;
	xml_stream_refuse(arg, STREAM_ERR_RESTRICTED_XML, "document type");
}

void
xml_stream_listen(struct xml_stream *xs, XML_Parser p)
{
	XML_SetUserData(p, xs);
	XML_SetElementHandler(p, on_start, on_end);
	XML_SetCharacterDataHandler(p, on_text);
	XML_SetStartNamespaceDeclHandler(p, on_namespace);
	XML_SetXmlDeclHandler(p, on_declaration);
	XML_SetCommentHandler(p, on_comment);
	XML_SetProcessingInstructionHandler(p, on_instruction);
	XML_SetStartDoctypeDeclHandler(p, on_doctype);
}
