/*
 * A message is read in four steps.
 *
 * 1. The head is copied and its folds are turned into spaces.
 * 2. libosip2 parses the copy, with a Content-Length of 0: it never sees a
 *    body, whose parser leaks.  What it refuses has a defect, but may still
 *    be answered.
 * 3. The copy is cut into lines in place.
 * 4. The fields every message needs are read from the lines and checked:
 *    libosip2 accepts bad escapes, foreign versions, missing headers, a CSeq
 *    of another method and hosts that are none.
 *
 * Only a head without a Via cannot be answered at all.
 */
#include "frontend-gateway/sip/sip_msg.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "common/err.h"
#include "frontend-gateway/sip/sip_msg_impl.h"

/* --- names -------------------------------------------------------------- */

static const char *const method_names[] = { [SIP_UNKNOWN_METHOD] = "",
#define X(name) [SIP_##name] = #name,
	SIP_METHODS(X)
#undef X
};

const char *
sip_method_name(enum sip_method m)
{
	return method_names[m];
}

enum sip_method
sip_method_of(const char *name)
{
	for (unsigned i = 1; i < SIP_METHOD_COUNT; i++)
		if (strcmp(name, method_names[i]) == 0)
			return (enum sip_method)i;
	return SIP_UNKNOWN_METHOD;
}

/* RFC 3261 7.3.3 and the registry. */
static const struct {
	char compact;
	const char *name;
} compact_names[] = {
	{ 'b', "Referred-By" },
	{ 'c', "Content-Type" },
	{ 'e', "Content-Encoding" },
	{ 'f', "From" },
	{ 'i', "Call-ID" },
	{ 'k', "Supported" },
	{ 'l', "Content-Length" },
	{ 'm', "Contact" },
	{ 'o', "Event" },
	{ 'r', "Refer-To" },
	{ 's', "Subject" },
	{ 't', "To" },
	{ 'u', "Allow-Events" },
	{ 'v', "Via" },
	{ 'x', "Session-Expires" },
};

const char *
sip_msg_full_name(const char *name)
{
	if (name[0] == '\0' || name[1] != '\0')
		return name;
	for (size_t i = 0; i < sizeof(compact_names) / sizeof(compact_names[0]);
	     i++)
		if (tolower((unsigned char)name[0]) == compact_names[i].compact)
			return compact_names[i].name;
	return name;
}

int
sip_msg_parse(struct sip_msg **out, const uint8_t *head, size_t head_len,
    const uint8_t *body, size_t body_len)
{
	osip_message_t *o = NULL;
	struct sip_msg *m;
	int rc = ERR_NOMEM;

	m = calloc(1, sizeof(*m));
	if (m == NULL)
		return ERR_NOMEM;
	m->refs = 1;
	m->text = malloc(head_len + 1);
	m->body = malloc(body_len + 1);
	if (m->text == NULL || m->body == NULL)
		goto fail;
	memcpy(m->text, head, head_len);
	m->text[head_len] = '\0';
	sip_msg_read_nul(m, head_len);
	if (body_len > 0)
		memcpy(m->body, body, body_len);
	m->body[body_len] = '\0';
	m->body_len = body_len;
	sip_msg_read_unfold(m->text, head_len);
	o = sip_msg_read_osip(m->text, head_len);
	rc = sip_msg_read_lines(m, head_len);
	if (rc < 0)
		goto fail;
	rc = sip_msg_read_fields(m, o);
	if (rc < 0)
		goto fail;
	rc = ERR_MALFORMED;
	if (*m->top_via == '\0')
		goto fail;
	osip_message_free(o);
	*out = m;
	return 0;

fail:
	if (o != NULL)
		osip_message_free(o);
	sip_msg_free(m);
	return rc;
}

struct sip_msg *
sip_msg_ref(struct sip_msg *m)
{
	m->refs++;
	return m;
}

void
sip_msg_free(struct sip_msg *m)
{
	if (m == NULL || --m->refs > 0)
		return;
	free(m->text);
	free(m->arena);
	free(m->headers);
	free(m->body);
	free(m);
}

/* --- accessors ---------------------------------------------------------- */

int
sip_msg_defect(const struct sip_msg *m, const char **what)
{
	if (what != NULL)
		*what = m->what;
	return m->defect;
}

bool
sip_msg_is_request(const struct sip_msg *m)
{
	return m->request;
}

enum sip_method
sip_msg_method(const struct sip_msg *m)
{
	return m->method;
}

const char *
sip_msg_method_name(const struct sip_msg *m)
{
	return m->method_name;
}

const char *
sip_msg_uri(const struct sip_msg *m)
{
	return m->uri;
}

int
sip_msg_status(const struct sip_msg *m)
{
	return m->status;
}

const char *
sip_msg_reason(const struct sip_msg *m)
{
	return m->reason;
}

const char *
sip_msg_call_id(const struct sip_msg *m)
{
	return m->call_id;
}

uint32_t
sip_msg_cseq(const struct sip_msg *m)
{
	return m->cseq;
}

const char *
sip_msg_from(const struct sip_msg *m)
{
	return m->from;
}

const char *
sip_msg_to(const struct sip_msg *m)
{
	return m->to;
}

const char *
sip_msg_from_uri(const struct sip_msg *m)
{
	return m->from_uri;
}

const char *
sip_msg_to_uri(const struct sip_msg *m)
{
	return m->to_uri;
}

const char *
sip_msg_from_tag(const struct sip_msg *m)
{
	return m->from_tag;
}

const char *
sip_msg_to_tag(const struct sip_msg *m)
{
	return m->to_tag;
}

const char *
sip_msg_from_display(const struct sip_msg *m)
{
	return m->from_display;
}

const char *
sip_msg_from_epid(const struct sip_msg *m)
{
	return m->from_epid;
}

const char *
sip_msg_to_epid(const struct sip_msg *m)
{
	return m->to_epid;
}

const char *
sip_msg_contact_uri(const struct sip_msg *m)
{
	return m->contact_uri;
}

const char *
sip_msg_branch(const struct sip_msg *m)
{
	return m->branch;
}

const char *
sip_msg_sent_by(const struct sip_msg *m)
{
	return m->sent_by;
}

const char *
sip_msg_top_via(const struct sip_msg *m)
{
	return m->top_via;
}

const char *
sip_msg_content_type(const struct sip_msg *m)
{
	return m->content_type;
}

const uint8_t *
sip_msg_body(const struct sip_msg *m)
{
	return m->body;
}

size_t
sip_msg_body_len(const struct sip_msg *m)
{
	return m->body_len;
}

size_t
sip_msg_header_count(const struct sip_msg *m)
{
	return m->header_count;
}

const struct sip_header *
sip_msg_header_at(const struct sip_msg *m, size_t i)
{
	return &m->headers[i];
}

const char *
sip_msg_header(const struct sip_msg *m, const char *name, size_t nth)
{
	name = sip_msg_full_name(name);
	for (size_t i = 0; i < m->header_count; i++)
		if (strcasecmp(m->headers[i].name, name) == 0 && nth-- == 0)
			return m->headers[i].value;
	return NULL;
}

bool
sip_msg_lists(const struct sip_msg *m, const char *name, const char *token)
{
	const char *at, *element;
	size_t len;

	for (size_t i = 0; i < m->header_count; i++) {
		if (strcasecmp(m->headers[i].name, name) != 0)
			continue;
		at = m->headers[i].value;
		while (sip_list_next(&at, &element, &len))
			if (len == strlen(token) &&
			    strncasecmp(element, token, len) == 0)
				return true;
	}
	return false;
}

/* Whether a media range is that type, its family or everything. */
static bool
is_in_range(const char *range, size_t len, const char *type)
{
	size_t family = strcspn(type, "/") + 1;

	if (len == strlen(type) && strncasecmp(range, type, len) == 0)
		return true;
	if (len == 3 && strncmp(range, "*/*", 3) == 0)
		return true;
	return len == family + 1 && range[family] == '*' &&
	       strncasecmp(range, type, family) == 0;
}

bool
sip_msg_accepts(const struct sip_msg *m, const char *type)
{
	const char *at, *element;
	bool present = false;
	size_t len, n;

	for (size_t i = 0; i < m->header_count; i++) {
		if (strcasecmp(m->headers[i].name, "Accept") != 0)
			continue;
		present = true;
		at = m->headers[i].value;
		while (sip_list_next(&at, &element, &len)) {
			for (n = 0;
			     n < len && element[n] != ';' && element[n] != ' ';
			     n++)
				;
			if (is_in_range(element, n, type))
				return true;
		}
	}
	return !present;
}
