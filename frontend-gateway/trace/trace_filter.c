#include "frontend-gateway/trace/trace_filter.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "common/err.h"
#include "common/jid.h"
#include "frontend-gateway/translate/address.h"

void
trace_filter_finish(struct trace_filter *f)
{
	free(f->user);
	free(f->contact);
	for (size_t i = 0; i < f->domain_count; i++)
		free(f->domains[i]);
	*f = (struct trace_filter){ 0 };
}

bool
trace_filter_is_empty(const struct trace_filter *f)
{
	return f->user == NULL && f->contact == NULL && f->domain_count == 0;
}

/* --- what somebody wrote --------------------------------------------------- */

/* "anna@contoso.example", or as a log of the pool has it. */
static int
parse_address(struct jid *out, const char *text)
{
	if (strncasecmp(text, "sip:", 4) != 0)
		return jid_parse(out, text, strlen(text));
	switch (address_from_sip(out, text, strlen(text))) {
	case 0:
		return 0;
	case 500:
		return ERR_NOMEM;
	default:
		return ERR_JID;
	}
}

static int
set_address(char **out, const char *text, char *why)
{
	struct jid j;
	int rc = parse_address(&j, text);

	if (rc == ERR_NOMEM)
		return rc;
	if (rc < 0) {
		snprintf(why, TRACE_FILTER_WHY_SIZE,
		    "\"%.100s\" is no address: %s", text, err_str(rc));
		return ERR_JID;
	}
	if (j.local == NULL || j.resource != NULL) {
		snprintf(why, TRACE_FILTER_WHY_SIZE,
		    j.local == NULL
			? "\"%.100s\" is a domain, not somebody's address"
			: "\"%.100s\" has a resource; without it, all "
			  "devices are followed",
		    text);
		jid_finish(&j);
		return ERR_JID;
	}
	*out = strdup(j.bare);
	jid_finish(&j);
	return *out != NULL ? 0 : ERR_NOMEM;
}

int
trace_filter_set_user(struct trace_filter *f, const char *text,
    char why[static TRACE_FILTER_WHY_SIZE])
{
	return set_address(&f->user, text, why);
}

int
trace_filter_set_contact(struct trace_filter *f, const char *text,
    char why[static TRACE_FILTER_WHY_SIZE])
{
	return set_address(&f->contact, text, why);
}

int
trace_filter_add_domain(struct trace_filter *f, const char *text,
    char why[static TRACE_FILTER_WHY_SIZE])
{
	char domain[256];
	int rc = jid_domain_ascii(domain, sizeof(domain), text, strlen(text));

	if (rc < 0) {
		snprintf(why, TRACE_FILTER_WHY_SIZE,
		    "\"%.100s\" is no domain: %s", text, err_str(rc));
		return ERR_JID;
	}
	for (size_t i = 0; i < f->domain_count; i++)
		if (strcmp(f->domains[i], domain) == 0)
			return 0;
	if (f->domain_count == TRACE_FILTER_DOMAINS_MAX) {
		snprintf(why, TRACE_FILTER_WHY_SIZE,
		    "that is more than %d domains; name one of them that is "
		    "not the first of its partner",
		    TRACE_FILTER_DOMAINS_MAX);
		return ERR_JID;
	}
	f->domains[f->domain_count] = strdup(domain);
	if (f->domains[f->domain_count] == NULL)
		return ERR_NOMEM;
	f->domain_count++;
	return 0;
}

/* --- what passes ------------------------------------------------------------ */

static bool
has_address(
    const struct trace_party *parties, size_t count, const char *address)
{
	for (size_t i = 0; i < count; i++)
		if (parties[i].bare != NULL &&
		    strcmp(parties[i].bare, address) == 0)
			return true;
	return false;
}

static bool
has_domain(const struct trace_filter *f, const struct trace_party *parties,
    size_t count)
{
	for (size_t i = 0; i < count; i++)
		for (size_t k = 0; k < f->domain_count; k++)
			if (parties[i].ascii != NULL &&
			    strcmp(parties[i].ascii, f->domains[k]) == 0)
				return true;
	return f->domain_count == 0;
}

bool
trace_filter_fits(const struct trace_filter *f,
    const struct trace_party *parties, size_t count)
{
	return (f->user == NULL || has_address(parties, count, f->user)) &&
	       (f->contact == NULL ||
		   has_address(parties, count, f->contact)) &&
	       has_domain(f, parties, count);
}

/* --- for the edges ----------------------------------------------------------- */

static int
add_one(json_t *who, const char *kind, const char *name)
{
	const json_t *one;
	size_t i;

	json_array_foreach(who, i, one)
	{
		const char *there =
		    json_string_value(json_object_get(one, kind));

		if (there != NULL && strcmp(there, name) == 0)
			return 0;
	}
	if (json_array_size(who) == TRACE_FILTER_WHO_MAX)
		return ERR_FULL;
	return json_array_append_new(who, json_pack("{s:s}", kind, name)) == 0
		   ? 0
		   : ERR_NOMEM;
}

int
trace_filter_add_who(const struct trace_filter *f, json_t *who)
{
	const size_t before = json_array_size(who);
	const char *one = f->contact != NULL ? f->contact : f->user;
	int rc = 0;

	/* The rest of the filter is looked at here.  With a contact the edges
	 * tell of the streams with his server, too. */
	if (one != NULL)
		return add_one(who, "address", one);
	for (size_t i = 0; rc == 0 && i < f->domain_count; i++)
		rc = add_one(who, "domain", f->domains[i]);
	while (rc < 0 && json_array_size(who) > before)
		json_array_remove(who, json_array_size(who) - 1);
	return rc;
}
