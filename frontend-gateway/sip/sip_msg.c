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

#include <sys/time.h>
#include <time.h>
#include <sys/types.h>

#include <assert.h>
#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include <osipparser2/osip_parser.h>
#include <osipparser2/osip_port.h>

#include "common/err.h"

enum { HEADERS_MAX = 1000, CSEQ_MAX = 0x7fffffff };

struct sip_msg {
	unsigned refs;
	char *text;  /* the head, cut into strings */
	char *arena; /* pieces that had to be copied */
	size_t arena_len, arena_cap;
	struct sip_header *headers;
	size_t header_count;
	uint8_t *body;
	size_t body_len;

	int defect;
	const char *what;

	bool request;
	enum sip_method method;
	const char *method_name;
	const char *uri;
	int status;
	const char *reason;
	const char *call_id;
	uint32_t cseq;
	const char *from, *to;
	const char *from_uri, *to_uri;
	const char *from_tag, *to_tag;
	const char *from_display;
	const char *from_epid, *to_epid;
	const char *contact_uri;
	const char *top_via, *branch, *sent_by;
	const char *content_type;
};

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

static const char *
full_name(const char *name)
{
	if (name[0] == '\0' || name[1] != '\0')
		return name;
	for (size_t i = 0; i < sizeof(compact_names) / sizeof(compact_names[0]);
	     i++)
		if (tolower((unsigned char)name[0]) == compact_names[i].compact)
			return compact_names[i].name;
	return name;
}

/* --- small helpers ------------------------------------------------------ */

static void
set_defect(struct sip_msg *m, int status, const char *what)
{
	if (m->defect != 0)
		return;
	m->defect = status;
	m->what = what;
}

static bool
is_token(const char *p)
{
	if (*p == '\0')
		return false;
	for (; *p != '\0'; p++)
		if (isalnum((unsigned char)*p) == 0 &&
		    strchr("-.!%*_+`'~", *p) == NULL)
			return false;
	return true;
}

static bool
is_blank(char c)
{
	return c == ' ' || c == '\t';
}

/* A NUL-terminated copy that lives as long as the message.  The pieces are
 * parts of the head, each taken once, so the arena holds them all. */
static char *
keep(struct sip_msg *m, const char *p, size_t len)
{
	char *copy = m->arena + m->arena_len;

	assert(m->arena_cap - m->arena_len > len);
	if (len > 0)
		memcpy(copy, p, len);
	copy[len] = '\0';
	m->arena_len += len + 1;
	return copy;
}

/* A parameter's value; absent when the parameter is not there. */
static const char *
keep_param(struct sip_msg *m, const struct sip_addr *a, const char *name,
    const char *absent)
{
	char *out = m->arena + m->arena_len;

	if (sip_param_get(out, m->arena_cap - m->arena_len, a->params,
		a->params_len, name) < 0)
		return absent;
	m->arena_len += strlen(out) + 1;
	return out;
}

static size_t
count_of(const struct sip_msg *m, const char *name)
{
	size_t n = 0;

	while (sip_msg_header(m, name, n) != NULL)
		n++;
	return n;
}

/* --- steps -------------------------------------------------------------- */

/* "CRLF blank" becomes three spaces. */
static void
unfold(char *text, size_t len)
{
	for (size_t i = 0; i + 2 < len; i++)
		if (text[i] == '\r' && text[i + 1] == '\n' &&
		    is_blank(text[i + 2]))
			text[i] = text[i + 1] = ' ';
}

static void
on_osip_trace(const char *file, int line, osip_trace_level_t level,
    const char *fmt, va_list ap)
{
	(void)file;
	(void)line;
	(void)level;
	(void)fmt;
	(void)ap;
}

/* libosip2 speaks on standard error unless told not to. */
static void
init_osip(void)
{
	static bool done;

	if (done)
		return;
	osip_trace_initialize_func(END_TRACE_LEVEL, on_osip_trace);
	parser_init();
	done = true;
}

/* The digits of Content-Length within the head, or NULL. */
static char *
find_length(char *text, size_t *len)
{
	char *line = strstr(text, "\r\n");
	char *p;
	size_t n;

	for (; line != NULL; line = strstr(line, "\r\n")) {
		line += 2;
		n = strcspn(line, " \t:\r");
		if (!(n == 14 && strncasecmp(line, "Content-Length", n) == 0) &&
		    !(n == 1 && (*line == 'l' || *line == 'L')))
			continue;
		p = line + n;
		p += strspn(p, " \t");
		if (*p != ':')
			continue;
		p++;
		p += strspn(p, " \t");
		*len = strspn(p, "0123456789");
		return *len > 0 ? p : NULL;
	}
	return NULL;
}

static osip_message_t *
osip_read(char *text, size_t text_len)
{
	osip_message_t *o = NULL;
	char saved[16];
	char *length;
	size_t n = 0;

	init_osip();
	if (osip_message_init(&o) != 0)
		return NULL;
	length = find_length(text, &n);
	if (length != NULL && n < sizeof(saved)) {
		memcpy(saved, length, n);
		memset(length, ' ', n);
		*length = '0';
	}
	if (length == NULL || n >= sizeof(saved) ||
	    osip_message_parse(o, text, text_len) != 0) {
		osip_message_free(o);
		o = NULL;
	}
	if (length != NULL && n < sizeof(saved))
		memcpy(length, saved, n);
	return o;
}

static int
add_header(struct sip_msg *m, size_t *cap, char *line)
{
	struct sip_header *grown;
	char *colon, *end;

	colon = strchr(line, ':');
	if (colon == NULL || colon == line)
		return ERR_MALFORMED;
	if (m->header_count == HEADERS_MAX)
		return ERR_TOO_LONG;
	if (m->header_count == *cap) {
		*cap = *cap != 0 ? *cap * 2 : 32;
		grown = realloc(m->headers, *cap * sizeof(*grown));
		if (grown == NULL)
			return ERR_NOMEM;
		m->headers = grown;
	}
	for (end = colon; end > line && is_blank(end[-1]); end--)
		;
	*end = '\0';
	colon++;
	colon += strspn(colon, " \t");
	for (end = colon + strlen(colon); end > colon && is_blank(end[-1]);
	     end--)
		;
	*end = '\0';
	if (!is_token(line))
		return ERR_MALFORMED;
	m->headers[m->header_count].name = full_name(line);
	m->headers[m->header_count].value = colon;
	m->header_count++;
	return 0;
}

/* Cuts the head into lines.  The first one is left at m->text. */
static int
cut_lines(struct sip_msg *m, size_t len)
{
	char *p = m->text, *end;
	size_t cap = 0;
	int rc;

	if (len < 4 || memcmp(m->text + len - 4, "\r\n\r\n", 4) != 0)
		return ERR_MALFORMED;
	end = strstr(p, "\r\n");
	*end = '\0';
	for (p = end + 2; *p != '\r'; p = end + 2) {
		end = strstr(p, "\r\n");
		*end = '\0';
		rc = add_header(m, &cap, p);
		if (rc < 0)
			return rc;
	}
	/* The empty line ends the head: nothing may follow it. */
	return p + 2 == m->text + len ? 0 : ERR_MALFORMED;
}

/* "SIP/2.0 200 OK" */
static void
read_status_line(struct sip_msg *m)
{
	char *p = m->text;

	m->method_name = m->uri = m->reason = "";
	if (strncasecmp(p, "SIP/2.0 ", 8) != 0) {
		set_defect(m, 505, "version");
		return;
	}
	p += 8;
	if (strspn(p, "0123456789") != 3 || (p[3] != ' ' && p[3] != '\0') ||
	    p[0] < '1' || p[0] > '6') {
		set_defect(m, 400, "status code");
		return;
	}
	m->status = (p[0] - '0') * 100 + (p[1] - '0') * 10 + (p[2] - '0');
	m->reason = p[3] == ' ' ? p + 4 : "";
}

/* "INVITE sip:bo@partner.example SIP/2.0", one space each. */
static void
read_request_line(struct sip_msg *m)
{
	char *uri = strchr(m->text, ' ');
	char *version = uri != NULL ? strchr(uri + 1, ' ') : NULL;

	m->request = true;
	m->method_name = m->uri = m->reason = "";
	if (version == NULL || strchr(version + 1, ' ') != NULL) {
		set_defect(m, 400, "request line");
		return;
	}
	*uri++ = '\0';
	*version++ = '\0';
	if (!is_token(m->text)) {
		set_defect(m, 400, "method");
		return;
	}
	m->method_name = m->text;
	m->method = sip_method_of(m->text);
	m->uri = uri;
	if (strncasecmp(version, "SIP/2.0", 8) != 0)
		set_defect(m, 505, "version");
	else if (sip_uri_check(uri, strlen(uri)) < 0)
		set_defect(m, 400, "Request-URI");
	else if (strncasecmp(uri, "sip:", 4) != 0 &&
		 strncasecmp(uri, "sips:", 5) != 0)
		set_defect(m, 416, "Request-URI scheme");
}

/* The one line of that name; "" with a defect when there is none or more. */
static const char *
the_one(struct sip_msg *m, const char *name)
{
	const char *value = sip_msg_header(m, name, 0);

	if (value == NULL || *value == '\0')
		set_defect(m, 400, name);
	else if (sip_msg_header(m, name, 1) != NULL)
		set_defect(m, 400, name);
	return value != NULL ? value : "";
}

static void
read_party(struct sip_msg *m, const char *name, const char *value,
    const char **uri, const char **tag, const char **epid)
{
	struct sip_addr a;

	*uri = *tag = "";
	if (*value == '\0')
		return;
	if (sip_addr_read(&a, value, strlen(value)) < 0) {
		set_defect(m, 400, name);
		return;
	}
	if (sip_uri_check(a.uri, a.uri_len) < 0)
		set_defect(m, 400, name);
	*uri = keep(m, a.uri, a.uri_len);
	*tag = keep_param(m, &a, "tag", "");
	*epid = keep_param(m, &a, "epid", NULL);
	if (**tag != '\0' && !is_token(*tag))
		set_defect(m, 400, name);
}

/* The display name of From, without quotes and their escapes. */
static void
read_display(struct sip_msg *m)
{
	struct sip_addr a;
	char *out;
	size_t n = 0;
	bool quoted;

	if (sip_addr_read(&a, m->from, strlen(m->from)) < 0 ||
	    a.display == NULL)
		return;
	quoted = a.display_len >= 2 && a.display[0] == '"' &&
		 a.display[a.display_len - 1] == '"';
	if (quoted) {
		a.display++;
		a.display_len -= 2;
	}
	out = keep(m, a.display, a.display_len);
	if (quoted) {
		for (size_t i = 0; i < a.display_len; i++) {
			if (out[i] == '\\' && i + 1 < a.display_len)
				i++;
			out[n++] = out[i];
		}
		out[n] = '\0';
	}
	if (*out != '\0')
		m->from_display = out;
}

static void
read_cseq(struct sip_msg *m)
{
	const char *value = the_one(m, "CSeq");
	uint64_t number = 0;
	size_t digits = strspn(value, "0123456789");
	const char *method = value + digits;

	method += strspn(method, " \t");
	if (digits == 0 || digits > 10 || method == value + digits ||
	    !is_token(method)) {
		set_defect(m, 400, "CSeq");
		return;
	}
	for (size_t i = 0; i < digits; i++)
		number = number * 10 + (uint64_t)(value[i] - '0');
	if (number > CSEQ_MAX) {
		set_defect(m, 400, "CSeq");
		return;
	}
	m->cseq = (uint32_t)number;
	if (!m->request) {
		m->method_name = method;
		m->method = sip_method_of(method);
	} else if (strcmp(method, m->method_name) != 0) {
		set_defect(m, 400, "CSeq method");
	}
}

/* The top Via.  Its branch may be absent (RFC 2543; NEGOTIATE). */
static void
read_via(struct sip_msg *m, osip_message_t *o)
{
	static char branch_name[] = "branch"; /* libosip2 knows no const */
	const char *at = sip_msg_header(m, "Via", 0);
	osip_generic_param_t *branch = NULL;
	osip_via_t *via;
	const char *element;
	size_t len, n;
	char *out;

	m->top_via = m->branch = m->sent_by = "";
	if (at == NULL || !sip_list_next(&at, &element, &len))
		return;
	m->top_via = keep(m, element, len);
	if (o == NULL)
		return; /* a defect of its own */
	via = osip_list_get(&o->vias, 0);
	if (via == NULL || via->host == NULL || via->version == NULL ||
	    strcmp(via->version, "2.0") != 0 || *via->host == '\0') {
		set_defect(m, 400, "Via");
		return;
	}
	if (osip_via_param_get_byname(via, branch_name, &branch) == 0 &&
	    branch != NULL && branch->gvalue != NULL)
		m->branch = keep(m, branch->gvalue, strlen(branch->gvalue));
	n = strlen(via->host);
	out = keep(m, via->host, n);
	if (via->port != NULL) {
		m->arena_len--;
		keep(m, ":", 1);
		m->arena_len--;
		keep(m, via->port, strlen(via->port));
	}
	for (char *p = out; *p != '\0'; p++)
		*p = (char)tolower((unsigned char)*p);
	m->sent_by = out;
}

static void
read_contact(struct sip_msg *m)
{
	const char *at = sip_msg_header(m, "Contact", 0);
	struct sip_addr a;
	const char *element;
	size_t len;

	if (at == NULL || !sip_list_next(&at, &element, &len))
		return;
	if (len == 1 && *element == '*')
		return;
	if (sip_addr_read(&a, element, len) < 0 ||
	    sip_uri_check(a.uri, a.uri_len) < 0) {
		set_defect(m, 400, "Contact");
		return;
	}
	m->contact_uri = keep(m, a.uri, a.uri_len);
}

static void
read_content_type(struct sip_msg *m)
{
	const char *value = sip_msg_header(m, "Content-Type", 0);
	size_t n;
	char *out;

	m->content_type = "";
	if (value == NULL)
		return;
	n = strcspn(value, "; \t");
	if (memchr(value, '/', n) == NULL) {
		set_defect(m, 400, "Content-Type");
		return;
	}
	out = keep(m, value, n);
	for (char *p = out; *p != '\0'; p++)
		*p = (char)tolower((unsigned char)*p);
	m->content_type = out;
}

static void
read_max_forwards(struct sip_msg *m)
{
	const char *value = sip_msg_header(m, "Max-Forwards", 0);
	size_t digits;

	if (value == NULL)
		return;
	digits = strspn(value, "0123456789");
	if (digits == 0 || digits > 3 || value[digits] != '\0' ||
	    count_of(m, "Max-Forwards") > 1)
		set_defect(m, 400, "Max-Forwards");
}

static void
read_fields(struct sip_msg *m, osip_message_t *o)
{
	if (strncasecmp(m->text, "SIP/", 4) == 0)
		read_status_line(m);
	else
		read_request_line(m);
	m->from = the_one(m, "From");
	m->to = the_one(m, "To");
	m->call_id = the_one(m, "Call-ID");
	if (strpbrk(m->call_id, " \t") != NULL)
		set_defect(m, 400, "Call-ID");
	read_cseq(m);
	read_via(m, o);
	read_party(
	    m, "From", m->from, &m->from_uri, &m->from_tag, &m->from_epid);
	read_party(m, "To", m->to, &m->to_uri, &m->to_tag, &m->to_epid);
	read_display(m);
	read_contact(m);
	read_content_type(m);
	read_max_forwards(m);
	if (m->body_len > 0 && *m->content_type == '\0')
		set_defect(m, 400, "Content-Type");
	if (o == NULL)
		set_defect(m, 400, "header");
}

int
sip_msg_parse(struct sip_msg **out, const uint8_t *head, size_t head_len,
    const uint8_t *body, size_t body_len)
{
	osip_message_t *o = NULL;
	struct sip_msg *m;
	int rc = ERR_NOMEM;

	if (memchr(head, '\0', head_len) != NULL)
		return ERR_MALFORMED;
	m = calloc(1, sizeof(*m));
	if (m == NULL)
		return ERR_NOMEM;
	m->refs = 1;
	m->arena_cap = 2 * head_len + 64;
	m->text = malloc(head_len + 1);
	m->arena = malloc(m->arena_cap);
	m->body = malloc(body_len + 1);
	if (m->text == NULL || m->arena == NULL || m->body == NULL)
		goto fail;
	memcpy(m->text, head, head_len);
	m->text[head_len] = '\0';
	if (body_len > 0)
		memcpy(m->body, body, body_len);
	m->body[body_len] = '\0';
	m->body_len = body_len;
	unfold(m->text, head_len);
	o = osip_read(m->text, head_len);
	rc = cut_lines(m, head_len);
	if (rc < 0)
		goto fail;
	read_fields(m, o);
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
	name = full_name(name);
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
