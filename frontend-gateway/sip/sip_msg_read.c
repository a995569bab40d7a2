/*
 * Reading a head.  The story is in sip_msg.c.
 */
#include "frontend-gateway/sip/sip_msg_impl.h"

#include <assert.h>
#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include <osipparser2/osip_port.h>

#include "common/err.h"

enum { HEADERS_MAX = 1000, CSEQ_MAX = 0x7fffffff };

/* --- helpers ------------------------------------------------------------ */

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

/* A NUL-terminated copy that lives as long as the message. */
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

/* Texts end at the first NUL everywhere behind this.  RFC 3261 allows one,
 * escaped, in a quoted string; nobody needs it. */
void
sip_msg_read_nul(struct sip_msg *m, size_t len)
{
	char *p = m->text;

	while ((p = memchr(p, '\0', len - (size_t)(p - m->text))) != NULL) {
		set_defect(m, 400, "NUL");
		*p++ = '?';
	}
}

void
sip_msg_read_unfold(char *text, size_t len)
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

osip_message_t *
sip_msg_read_osip(char *text, size_t text_len)
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
	if (colon == NULL) {
		set_defect(m, 400, "header line");
		return 0;
	}
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
	if (!is_token(line)) {
		set_defect(m, 400, "header name");
		return 0;
	}
	m->headers[m->header_count].name = sip_msg_full_name(line);
	m->headers[m->header_count].value = colon;
	m->header_count++;
	return 0;
}

int
sip_msg_read_lines(struct sip_msg *m, size_t len)
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

/* Whether a URI carries headers for the request to be made of it, which a
 * Request-URI must not (RFC 3261 19.1.1).  A '?' may stand in the user, too. */
static bool
has_headers(const char *uri)
{
	const char *at = strchr(uri, '@');

	return strchr(at != NULL ? at : uri, '?') != NULL;
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
	else if (sip_uri_check(uri, strlen(uri)) < 0 || has_headers(uri))
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
	if (sip_params_check(m->top_via, len) < 0)
		set_defect(m, 400, "Via");
	/* An answer to us has our Via alone (RFC 3261 8.1.3.3). */
	if (!m->request && (sip_list_next(&at, &element, &len) ||
			       sip_msg_header(m, "Via", 1) != NULL))
		set_defect(m, 400, "Via");
	if (o == NULL)
		return; /* a defect of its own */
	via = osip_list_get(&o->vias, 0);
	if (via == NULL || via->host == NULL || via->version == NULL ||
	    strcmp(via->version, "2.0") != 0 || *via->host == '\0') {
		set_defect(m, 400, "Via");
		return;
	}
	if (osip_via_param_get_byname(via, branch_name, &branch) == 0 &&
	    branch != NULL && branch->gvalue != NULL &&
	    /* The cookie without an identifier identifies nothing. */
	    strcmp(branch->gvalue, "z9hG4bK") != 0)
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
	size_t zeros, digits;

	if (value == NULL)
		return;
	zeros = strspn(value, "0");
	digits = strspn(value + zeros, "0123456789");
	if (zeros + digits == 0 || digits > 3 ||
	    value[zeros + digits] != '\0' ||
	    (digits == 3 && strncmp(value + zeros, "255", 3) > 0) ||
	    count_of(m, "Max-Forwards") > 1)
		set_defect(m, 400, "Max-Forwards");
}

/* Room for all pieces that keep() is asked for: parts of these lines, a display
 * name and a Via host twice. */
static int
make_arena(struct sip_msg *m)
{
	static const char *const lines[] = { "From", "To", "Via", "Contact",
		"Content-Type" };
	const char *value;

	m->arena_cap = 64;
	for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
		value = sip_msg_header(m, lines[i], 0);
		if (value != NULL)
			m->arena_cap += 2 * strlen(value);
	}
	m->arena = malloc(m->arena_cap);
	return m->arena != NULL ? 0 : ERR_NOMEM;
}

int
sip_msg_read_fields(struct sip_msg *m, osip_message_t *o)
{
	int rc = make_arena(m);

	if (rc < 0)
		return rc;
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
	return 0;
}
