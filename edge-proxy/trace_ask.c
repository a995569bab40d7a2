/*
 * The gateway is believed in what it asks, but not to ask it well: everything is
 * bounded and prepared before it is compared with what partners write.
 */
#include "edge-proxy/trace_ask.h"

#include <stdio.h>
#include <string.h>

#include <jansson.h>

#include "common/err.h"

static int
parse_who(struct jid *out, const json_t *entry)
{
	const json_t *address = json_object_get(entry, "address");
	const json_t *domain = json_object_get(entry, "domain");
	const json_t *v = address != NULL ? address : domain;
	int rc;

	if ((address != NULL) == (domain != NULL) || !json_is_string(v))
		return ERR_MALFORMED;
	rc = jid_parse(out, json_string_value(v), json_string_length(v));
	if (rc < 0)
		return rc;
	if (out->resource == NULL && (out->local != NULL) == (v == address))
		return 0;
	jid_finish(out);
	return ERR_JID;
}

static int
parse_all(struct trace_ask *a, const json_t *root)
{
	const json_t *seconds = json_object_get(root, "seconds");
	const json_t *bodies = json_object_get(root, "bodies");
	const json_t *who = json_object_get(root, "who"), *entry;
	json_int_t value = json_integer_value(seconds);
	size_t i;
	int rc;

	if (!json_is_integer(seconds) || value < 1 ||
	    value > TRACE_ASK_SECONDS_MAX || !json_is_array(who) ||
	    (bodies != NULL && !json_is_boolean(bodies)))
		return ERR_MALFORMED;
	if (json_array_size(who) > TRACE_ASK_WHO_MAX)
		return ERR_FULL;
	a->seconds = (unsigned)value;
	a->bodies = json_is_true(bodies);
	json_array_foreach(who, i, entry)
	{
		rc = parse_who(&a->who[i], entry);
		if (rc < 0)
			return rc;
		a->count++;
	}
	return 0;
}

int
trace_ask_parse(struct trace_ask *out, const char *json, size_t len)
{
	json_t *root;
	int rc;

	memset(out, 0, sizeof(*out));
	if (len > TRACE_ASK_JSON_MAX)
		return ERR_TOO_LONG;
	root = json_loadb(json, len, JSON_REJECT_DUPLICATES, NULL);
	rc = root != NULL ? parse_all(out, root) : ERR_MALFORMED;
	json_decref(root);
	if (rc < 0)
		trace_ask_finish(out);
	return rc;
}

void
trace_ask_finish(struct trace_ask *a)
{
	for (size_t i = 0; i < a->count; i++)
		jid_finish(&a->who[i]);
	memset(a, 0, sizeof(*a));
}

static bool
is_of(const struct jid *who, const struct jid *j)
{
	return who->local != NULL ? jid_bare_equal(who, j)
				  : strcmp(who->ascii, j->ascii) == 0;
}

bool
trace_ask_concerns(
    const struct trace_ask *a, const struct jid *from, const struct jid *to)
{
	for (size_t i = 0; i < a->count; i++)
		if (is_of(&a->who[i], from) || is_of(&a->who[i], to))
			return true;
	return false;
}

bool
trace_ask_names_domain(const struct trace_ask *a, const char *ascii)
{
	for (size_t i = 0; i < a->count; i++)
		if (strcmp(a->who[i].ascii, ascii) == 0)
			return true;
	return false;
}

bool
trace_ask_may_concern(
    const struct trace_ask *a, const char *one, const char *other)
{
	return trace_ask_names_domain(a, one) ||
	       trace_ask_names_domain(a, other);
}

static bool
has(const struct trace_ask *a, const struct jid *who)
{
	for (size_t i = 0; i < a->count; i++)
		if (jid_bare_equal(&a->who[i], who))
			return true;
	return false;
}

static bool
has_all(const struct trace_ask *a, const struct trace_ask *of)
{
	for (size_t i = 0; i < of->count; i++)
		if (!has(a, &of->who[i]))
			return false;
	return true;
}

bool
trace_ask_equal(const struct trace_ask *a, const struct trace_ask *b)
{
	return a->bodies == b->bodies && has_all(a, b) && has_all(b, a);
}

void
trace_ask_words(char *out, size_t size, const struct trace_ask *a)
{
	size_t used = 0;

	out[0] = '\0';
	for (size_t i = 0; i < a->count; i++) {
		int n = snprintf(out + used, size - used, "%s%s",
		    i > 0 ? " " : "", a->who[i].bare);

		if (n < 0 || (size_t)n >= size - used) {
			snprintf(out + (used + 4 > size ? size - 4 : used), 4,
			    "...");
			return;
		}
		used += (size_t)n;
	}
}
