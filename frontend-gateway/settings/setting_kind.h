/*
 * setting_kind - how a kind of setting is described: its fields with their
 * types, defaults, bounds and words, its keys, and what only it can check.
 *
 * One file, kind_<name>.c, defines one kind; setting_kind.c lists them.  All
 * that can be said by the table is checked, merged, compared and documented
 * by the table; `check` adds what takes several members or several settings.
 * Names and spellings are those of the Skype for Business cmdlets, and as
 * there they are compared without regard to case on the way in and kept in
 * the cmdlets' spelling.
 */
#ifndef GATEWAY_SETTINGS_SETTING_KIND_H
#define GATEWAY_SETTINGS_SETTING_KIND_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <jansson.h>

struct setting;
struct settings_report;
struct settings_view;

enum {
	SETTING_KEY_SIZE = 3200,     /* of a key, with its NUL */
	SETTING_OBJECT_MAX = 1048576 /* bytes of one object's JSON text */
};

enum setting_type {
	SETTING_BOOL,
	SETTING_INTEGER, /* min .. max */
	SETTING_TEXT,    /* min .. max bytes, no control characters */
	SETTING_CHOICE,  /* one of names */
	SETTING_DOMAIN,  /* kept in comparable form; "" where min is 0 */
	SETTING_DOMAINS, /* a list of up to max of them, sorted, none twice */
	SETTING_DATE,    /* "2026-11-21" or "" */
	SETTING_SECRET   /* a text of min .. max bytes that never comes out */
};

struct setting_field {
	const char *name; /* the cmdlet's parameter */
	enum setting_type type;
	bool lines;    /* a text may have more than one */
	bool required; /* has no default */
	/* Ours alone: stored and read, never shown and never taken from
	 * outside; only whoever commits by himself may set it. */
	bool internal;
	int64_t min, max;
	/* The default: of booleans 0 and 1, of choices the index. */
	int64_t number;
	const char *text; /* of the others; NULL = "" */
	const char *const *names;
	size_t name_count;
	const char *words; /* for the manual: a sentence without its stop */
};

/* An entry that is there without having been set; removing what was set under
 * its key brings it back. */
struct setting_builtin {
	const char *key;
	const char
	    *object; /* JSON text: defaults that differ from the fields' */
};

/* One object to be judged: merged with what was set before. */
struct setting_candidate {
	const struct setting *setting;
	const struct setting *before;     /* NULL = there was none */
	const struct settings_view *view; /* as all will be afterwards */
	struct settings_report *report;   /* takes problems and warnings */
};

struct setting_kind {
	const char *name, *plural;
	const char *words; /* for the manual, a sentence */
	const struct setting_field *fields;
	size_t field_count;
	const struct setting_builtin *builtins;
	size_t builtin_count;
	bool closed;            /* there are no keys but the built-in ones */
	const char *key_member; /* the field that must be the key; or NULL */
	size_t max;             /* settings of this kind */
	/* Brings a key as people write it into the form that is stored; why
	 * (size bytes) tells what is wrong with it.  NULL for a closed kind. */
	bool (*read_key)(char out[static SETTING_KEY_SIZE], const char *given,
	    char *why, size_t size);
	/* May be NULL, as the next two.  Each is called when all single
	 * members are in order. */
	void (*check)(const struct setting_candidate *c);
	/* What was set under a key is to go. */
	void (*check_removal)(const struct setting *s,
	    const struct settings_view *after, struct settings_report *report);
	/* Once for a commit in which something of this kind changes: what
	 * takes all of them. */
	void (*check_all)(
	    const struct settings_view *after, struct settings_report *report);
};

/* All kinds, in the order in which they depend on each other. */
extern const struct setting_kind *const setting_kinds[];
size_t setting_kind_count(void);
/* By name or plural; NULL when there is none. */
const struct setting_kind *setting_kind_find(const char *name);
/* The position in setting_kinds. */
size_t setting_kind_index(const struct setting_kind *k);
/* Without regard to case; NULL when there is none. */
const struct setting_field *
setting_kind_field(const struct setting_kind *k, const char *name);

extern const struct setting_kind setting_kind_partner;
extern const struct setting_kind setting_kind_gateway_config;
extern const struct setting_kind setting_kind_access_edge;
extern const struct setting_kind setting_kind_site;
extern const struct setting_kind setting_kind_policy;
extern const struct setting_kind setting_kind_grant;
extern const struct setting_kind setting_kind_provider;
extern const struct setting_kind setting_kind_licence;
extern const struct setting_kind setting_kind_token;

#endif
