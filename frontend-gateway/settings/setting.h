/*
 * setting - one setting: what was set under a kind and a key, and what holds
 * where nothing was set.
 *
 * Immutable once it is in a view, and counted, because views share it.  A
 * member that is not in the object has its default: that of the built-in entry
 * of that key, else that of the field.  Secrets are kept beside the object and
 * never come out but through setting_secret().
 *
 * Owns     the key and both objects.
 * Borrows  the kind, which is static.
 */
#ifndef GATEWAY_SETTINGS_SETTING_H
#define GATEWAY_SETTINGS_SETTING_H

#include <stdbool.h>
#include <stdint.h>
#include <jansson.h>

struct setting_kind;
struct setting_field;

struct setting {
	unsigned refs;
	const struct setting_kind *kind;
	char *key;
	uint64_t version; /* 0 = built in, nothing was set */
	json_t *object;   /* what was set, without secrets; not to be changed */
	json_t *secrets;  /* the same, secrets alone */
	/* What holds instead of the fields' defaults; NULL = nothing does. */
	const json_t *builtin;
};

/* object (borrowed) has been checked.  ERR_NOMEM. */
int setting_new(struct setting **out, const struct setting_kind *kind,
    const char *key, uint64_t version, const json_t *object);
struct setting *setting_ref(struct setting *s);
/* NULL is accepted. */
void setting_unref(struct setting *s);

/* The value of a member, default included.  The member must be a field of the
 * kind, of that type; texts are valid as long as the setting. */
bool setting_bool(const struct setting *s, const char *member);
int64_t setting_integer(const struct setting *s, const char *member);
/* Of a text, a choice (as the cmdlet spells it), a domain, a date. */
const char *setting_text(const struct setting *s, const char *member);
/* The index of a choice in its field's names. */
int setting_choice(const struct setting *s, const char *member);
/* A list; NULL when it is empty by default, which jansson reads as such. */
const json_t *setting_list(const struct setting *s, const char *member);
/* NULL when it is not set.  For whoever uses the secret, never to be shown. */
const char *setting_secret(const struct setting *s, const char *member);
/* Whether the member was set, secrets included. */
bool setting_has(const struct setting *s, const char *member);

/* For people: new references, or NULL without memory.
 * {members with their defaults}, without secrets and internal members */
json_t *setting_merged(const struct setting *s);
/* {"key", "version", "object": merged, "set": [members that were set]} */
json_t *setting_item(const struct setting *s);
/* What was set, each secret as "set"; for the audit. */
json_t *setting_shown(const struct setting *s);

#endif
