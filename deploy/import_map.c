/*
 * What an object is, is seen by members that no other kind has.  Each of the
 * noun's members is read in the forms in which PowerShell writes it: an
 * enumeration by name or by number, a list as an array, as one string or
 * wrapped, a policy as its name or as an object that has one.
 */
#include "deploy/import_map.h"

#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "common/err.h"
#include "common/jid.h"
#include "deploy/clixml.h"
#include "deploy/import_read.h"
#include "deploy/noun.h"
#include "deploy/noun_value.h"

enum { WHERE_SIZE = 512 };

/* The members that tell a kind, and the one that names the object. */
static const struct {
	const struct noun *noun;
	const char *marks[4];
	const char *keys[3];
} kinds[] = {
	{ &noun_partner,
	    { "TlsNegotiation", "SaslNegotiation",
		"SupportDialbackNegotiation" },
	    { "Domain", "Identity" } },
	{ &noun_gateway_config,
	    { "StreamEstablishmentTimeout", "StreamInactivityTimeout",
		"SubscriptionRefreshInterval" },
	    { NULL } },
	{ &noun_access_edge, { "AllowFederatedUsers" }, { NULL } },
	{ &noun_policy,
	    { "EnableXmppAccess", "EnableFederationAccess",
		"EnableOutsideAccess" },
	    { "Identity" } },
	{ &noun_grant, { "ExternalAccessPolicy" }, { "SipAddress" } },
};

enum { KINDS = sizeof(kinds) / sizeof(kinds[0]) };

/* What every such object carries about itself. */
static const char *const housekeeping[] = { "Identity", "Key", "ScopeClass",
	"Anchor", "TypedIdentity", "Element", "XsAnyAttributes",
	"XsAnyElements", "PSComputerName", "RunspaceId", "PSShowComputerName",
	"PSSourceJobInstanceId", CLIXML_TEXT };

/* --- members --------------------------------------------------------------------- */

/* By name, whatever its case. */
static json_t *
member_of(json_t *members, const char *name)
{
	const char *key;
	json_t *value;

	json_object_foreach(members, key, value)
	{
		if (strcasecmp(key, name) == 0)
			return value;
	}
	return NULL;
}

static void __attribute__((format(printf, 4, 5))) problem(struct import *im,
    const struct import_place *at, const char *member, const char *fmt, ...)
{
	json_int_t line = (json_int_t)at->line;
	char where[WHERE_SIZE], text[WHERE_SIZE];
	const json_t *known =
	    member != NULL ? json_object_get(at->lines, member) : NULL;
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	if (json_is_integer(known))
		line = json_integer_value(known);
	if (line > 0)
		snprintf(where, sizeof(where), "%s:%" JSON_INTEGER_FORMAT,
		    at->file, line);
	else
		snprintf(where, sizeof(where), "%s: object %zu", at->file,
		    at->number);
	import_problem(im, "%s: %s%s%s", where, member != NULL ? member : "",
	    member != NULL ? ": " : "", text);
}

/* --- values ------------------------------------------------------------------------ */

/* A text, or what an object calls itself; NULL when it is neither. */
static const char *
text_in(const json_t *value)
{
	static const char *const names[] = { "FriendlyName", "Name", "Value",
		CLIXML_TEXT };
	const char *text = json_string_value(value);

	for (size_t i = 0; text == NULL && i < 4; i++)
		text = json_string_value(json_object_get(value, names[i]));
	return text;
}

static int
compare_texts(const void *a, const void *b)
{
	const json_t *const *x = a, *const *y = b;

	return strcmp(json_string_value(*x), json_string_value(*y));
}

/* Sorted, each once; list is used up. */
static json_t *
in_order(json_t *list)
{
	size_t n = json_array_size(list);
	json_t **all = calloc(n + 1, sizeof(json_t *)), *out = json_array();

	for (size_t i = 0; all != NULL && i < n; i++)
		all[i] = json_array_get(list, i);
	if (all != NULL && n > 1)
		qsort(all, n, sizeof(json_t *), compare_texts);
	for (size_t i = 0; all != NULL && i < n; i++)
		if (i == 0 || !json_equal(all[i], all[i - 1]))
			json_array_append(out, all[i]);
	free(all);
	json_decref(list);
	return out;
}

/* One domain for a list; false when it is none. */
static bool
add_domain(json_t *list, const json_t *value)
{
	const char *text = text_in(value);
	char name[256];

	if (text == NULL ||
	    jid_domain_ascii(name, sizeof(name), text, strlen(text)) < 0)
		return false;
	return json_array_append_new(list, json_string(name)) == 0;
}

static bool
read_names(json_t **out, const json_t *value, char why[NOUN_VALUE_WHY])
{
	const json_t *items = json_object_get(value, "value");
	json_t *list = json_array();
	const char *text = text_in(value);
	bool ok = true;

	if (!json_is_array(items))
		items = value;
	if (json_is_array(items))
		for (size_t i = 0; ok && i < json_array_size(items); i++)
			ok = add_domain(list, json_array_get(items, i));
	else if (text != NULL && text[0] != '\0')
		ok = add_domain(list, value);
	else
		ok = text != NULL || json_is_null(items) ||
		     (json_is_object(items) && json_object_size(items) == 0);
	if (!ok) {
		snprintf(why, NOUN_VALUE_WHY, "not a list of domain names");
		json_decref(list);
		return false;
	}
	*out = in_order(list);
	return true;
}

/* An enumeration's number counts the names in the order in which the
 * cmdlets' documentation has them. */
static bool
read_word(struct import *im, json_t **out, const struct noun_member *m,
    const json_t *value, char why[NOUN_VALUE_WHY])
{
	const char *text = text_in(value);
	json_int_t n = json_integer_value(value), count = 0;

	if (!json_is_integer(value))
		return noun_value_read(out, m, text != NULL ? text : "?", why);
	while (m->words[count] != NULL)
		count++;
	if (n < 0 || n >= count) {
		snprintf(why, NOUN_VALUE_WHY,
		    "%" JSON_INTEGER_FORMAT " is no number from 0 to %d", n,
		    (int)count - 1);
		return false;
	}
	im->numbers = true;
	*out = json_string(m->words[n]);
	return true;
}

/* Lines end as they do here. */
static char *
without_returns(const char *text)
{
	char *out = strdup(text), *to = out;

	for (; out != NULL && *text != '\0'; text++)
		if (*text != '\r')
			*to++ = *text;
	if (out != NULL)
		*to = '\0';
	return out;
}

static bool
read_text(json_t **out, const struct noun_member *m, const char *text,
    char why[NOUN_VALUE_WHY])
{
	char *clean = without_returns(text);
	bool ok;

	if (clean == NULL) {
		snprintf(why, NOUN_VALUE_WHY, "out of memory");
		return false;
	}
	ok = noun_value_read(out, m, clean, why);
	free(clean);
	return ok;
}

static bool
read_scalar(json_t **out, const struct noun_member *m, const json_t *value,
    char why[NOUN_VALUE_WHY])
{
	const char *text = text_in(value);
	char number[32];

	if (json_is_boolean(value))
		text = json_is_true(value) ? "true" : "false";
	if (json_is_integer(value)) {
		snprintf(number, sizeof(number), "%" JSON_INTEGER_FORMAT,
		    json_integer_value(value));
		text = number;
	}
	if (text != NULL)
		return read_text(out, m, text, why);
	snprintf(why, NOUN_VALUE_WHY, "a single value is wanted");
	return false;
}

/* *out stays NULL for a value that says nothing. */
static bool
read_member(struct import *im, json_t **out, const struct noun_member *m,
    const json_t *value, char why[NOUN_VALUE_WHY])
{
	const char *text = json_string_value(value);

	if (m->type == NOUN_NAMES)
		return read_names(out, value, why);
	if (json_is_null(value) || (text != NULL && text[0] == '\0'))
		return true;
	if (m->type == NOUN_WORD)
		return read_word(im, out, m, value, why);
	return read_scalar(out, m, value, why);
}

static bool
is_housekeeping(const char *name)
{
	for (size_t i = 0; i < sizeof(housekeeping) / sizeof(housekeeping[0]);
	     i++)
		if (strcasecmp(name, housekeeping[i]) == 0)
			return true;
	return false;
}

/* Each name once for each kind. */
static void
leave_out(struct import *im, const struct noun *n, const char *name)
{
	json_t *names = json_object_get(im->left_out, n->name);

	if (names == NULL) {
		json_object_set_new(im->left_out, n->name, json_array());
		names = json_object_get(im->left_out, n->name);
	}
	for (size_t i = 0; i < json_array_size(names); i++)
		if (strcmp(json_string_value(json_array_get(names, i)), name) ==
		    0)
			return;
	if (json_array_size(names) < IMPORT_LEFT_OUT_MAX)
		json_array_append_new(names, json_string(name));
}

/* All members that the noun has; false when one does not fit. */
static bool
read_members(struct import *im, json_t *object, const struct noun *n,
    json_t *members, const struct import_place *at)
{
	const char *name;
	json_t *value;
	bool ok = true;

	json_object_foreach(members, name, value)
	{
		const struct noun_member *m = noun_member(n, name);
		char why[NOUN_VALUE_WHY];
		json_t *taken = NULL;

		if (is_housekeeping(name) ||
		    (n->option != NULL && strcasecmp(name, n->option) == 0))
			continue;
		if (m == NULL || m->type == NOUN_SECRET ||
		    m->type == NOUN_TOLD) {
			leave_out(im, n, name);
		} else if (!read_member(im, &taken, m, value, why)) {
			problem(im, at, name, "%s", why);
			ok = false;
		} else if (taken != NULL) {
			json_object_set_new(object, m->name, taken);
		}
	}
	return ok;
}

/* --- settings ----------------------------------------------------------------------- */

static const char *
file_line(char *out, size_t size, const struct import_place *at)
{
	if (at->line > 0)
		snprintf(out, size, "%s:%zu", at->file, at->line);
	else
		snprintf(out, size, "%s: object %zu", at->file, at->number);
	return out;
}

/* object is used up.  What is there twice has to be the same. */
static int
add_setting(struct import *im, const struct noun *n, const char *key,
    json_t *object, const struct import_place *at)
{
	char id[NOUN_KEY_MAX + 32], where[WHERE_SIZE];
	const json_t *seen;
	struct import_setting *s;

	snprintf(id, sizeof(id), "%s %s", n->name, key);
	seen = json_object_get(im->seen, id);
	if (seen != NULL) {
		s = &im->settings[json_integer_value(seen)];
		if (!json_equal(s->object, object))
			import_problem(im, "%s: %s is there twice, differently",
			    file_line(where, sizeof(where), at), id);
		json_decref(object);
		return 0;
	}
	if (im->count == IMPORT_SETTINGS_MAX) {
		import_problem(im, "%s: more than %d objects", at->file,
		    IMPORT_SETTINGS_MAX);
		json_decref(object);
		return 0;
	}
	if (im->count == im->room) {
		size_t room = im->room > 0 ? im->room * 2 : 64;

		s = realloc(im->settings, room * sizeof(*s));
		if (s == NULL)
			goto fail;
		im->settings = s;
		im->room = room;
	}
	s = &im->settings[im->count];
	*s = (struct import_setting){ .noun = n, .object = object };
	s->key = strdup(key);
	if (s->key == NULL || json_object_set_new(im->seen, id,
				  json_integer((json_int_t)im->count)) < 0) {
		free(s->key);
		goto fail;
	}
	im->count++;
	return 0;

fail:
	json_decref(object);
	return ERR_NOMEM;
}

/* Users with a policy of their own; all others have nothing to be moved. */
static int
map_grant(struct import *im, json_t *members, const struct import_place *at)
{
	const char *user = text_in(member_of(members, "SipAddress"));
	const char *policy =
	    text_in(member_of(members, "ExternalAccessPolicy"));
	char key[NOUN_KEY_MAX];
	json_t *object;

	if (user == NULL || user[0] == '\0' || policy == NULL ||
	    policy[0] == '\0' || strcasecmp(policy, "global") == 0) {
		im->skipped++;
		return 0;
	}
	if (strncasecmp(policy, "tag:", 4) == 0)
		policy += 4;
	if (!noun_key(key, sizeof(key), &noun_grant, user)) {
		problem(im, at, "SipAddress", "\"%.200s\" is no address", user);
		return 0;
	}
	object = json_pack("{s:s}", "PolicyName", policy);
	return object != NULL ? add_setting(im, &noun_grant, key, object, at)
			      : ERR_NOMEM;
}

static int
map_kind(struct import *im, size_t kind, json_t *members,
    const struct import_place *at)
{
	const struct noun *n = kinds[kind].noun;
	const char *name = n->option == NULL ? "global" : NULL;
	char key[NOUN_KEY_MAX];
	json_t *object;

	for (size_t i = 0; name == NULL && kinds[kind].keys[i] != NULL; i++)
		name = text_in(member_of(members, kinds[kind].keys[i]));
	if (name == NULL) {
		problem(im, at, kinds[kind].keys[0], "missing");
		return 0;
	}
	if (!noun_key(key, sizeof(key), n, name)) {
		problem(
		    im, at, kinds[kind].keys[0], "\"%.200s\" is none", name);
		return 0;
	}
	object = json_object();
	if (object == NULL)
		return ERR_NOMEM;
	if (n->key_inside)
		json_object_set_new(object, n->option, json_string(key));
	if (read_members(im, object, n, members, at))
		return add_setting(im, n, key, object, at);
	json_decref(object);
	return 0;
}

int
import_map_object(
    struct import *im, json_t *members, const struct import_place *at)
{
	if (!json_is_object(members)) {
		problem(im, at, NULL, "not an object");
		return 0;
	}
	for (size_t k = 0; k < KINDS; k++)
		for (size_t i = 0; i < 4 && kinds[k].marks[i] != NULL; i++)
			if (member_of(members, kinds[k].marks[i]) != NULL)
				return kinds[k].noun == &noun_grant
					   ? map_grant(im, members, at)
					   : map_kind(im, k, members, at);
	problem(im, at, NULL,
	    "none of partner, gateway configuration, external access policy, "
	    "access edge configuration, or user with ExternalAccessPolicy");
	return 0;
}
