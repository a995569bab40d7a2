/*
 * noun - what the operator's command can set, one table for each kind of
 * setting: the members by the names of the cmdlets' parameters, their types,
 * and the words that --help says of them.
 *
 * A noun is a collection of the gateway's administration; its members are
 * checked there.  Here they are only read as what they are meant to be.
 */
#ifndef DEPLOY_NOUN_H
#define DEPLOY_NOUN_H

#include <stdbool.h>
#include <stddef.h>
#include <jansson.h>

enum noun_type {
	NOUN_TEXT,
	NOUN_DOMAIN, /* a host or domain name, or "" */
	NOUN_FLAG,
	NOUN_NUMBER,
	NOUN_WORD,   /* one of words */
	NOUN_NAMES,  /* a list, with Add= and Remove= */
	NOUN_SECRET, /* taken from a file, never shown */
	NOUN_TOLD    /* shown, and cannot be set */
};

struct noun_member {
	const char *name;
	enum noun_type type;
	const char *const *words; /* NULL behind the last */
	const char *what;         /* lines of the help text */
	const char *title;        /* its column in a table; NULL = in none */
};

struct noun {
	const char *name;   /* "partner": of a batch, too */
	const char *plural; /* "partners", in paths */
	const char *title;  /* "an XMPP partner" */
	/* The option that names one, the key's column and its word in usage;
	 * option NULL: there is but one, "global". */
	const char *option, *key_title, *key_word;
	/* The key is a member of the object, too, under the option's name. */
	bool key_inside;
	const struct noun_member *members; /* NULL name behind the last */
	/* The key as the gateway has it, from what people write; false when
	 * it can be none.  NULL: as it is written. */
	bool (*read_key)(char *out, size_t size, const char *text);
	const char *examples; /* of each verb: "  sallyport ..." */
	/* What it comes to on a day ("2026-11-21"), in a column TODAY; or
	 * NULL. */
	const char *(*today)(const json_t *object, const char *date);
};

enum { NOUN_KEY_MAX = 3200 };

extern const struct noun noun_partner, noun_gateway_config, noun_access_edge,
    noun_site, noun_policy, noun_grant, noun_provider, noun_licence, noun_token;

/* By the name in a batch or in the audit trail; NULL when it is none. */
const struct noun *noun_find(const char *name);
/* A member by its name, whatever its case; NULL when there is none. */
const struct noun_member *noun_member(const struct noun *n, const char *name);
/* The key for a text, or false. */
bool noun_key(char *out, size_t size, const struct noun *n, const char *text);

#endif
