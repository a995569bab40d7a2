#include "frontend-gateway/policy/names.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "common/jid.h"
#include "common/utf8.h"
#include "frontend-gateway/translate/address.h"

enum { URI_SIZE = 4096 };

/* --- policies and sites ------------------------------------------------- */

/* Appends what is left of a name, in lower case. */
static bool
put(char out[static NAMES_SIZE], const char *prefix, const char *name,
    char *why, size_t size)
{
	size_t at = strlen(prefix), len = strlen(name);

	if (len == 0 || len > NAMES_MAX || !utf8_valid(name, len)) {
		snprintf(why, size, "a name has 1 to %d bytes", NAMES_MAX);
		return false;
	}
	if (name[0] == ' ' || name[len - 1] == ' ' ||
	    strpbrk(name, "/:*?\"\\") != NULL) {
		snprintf(why, size,
		    "\"%.100s\" is not a name: it has no : / \\ * ? or "
		    "quotes, and no blank at its ends",
		    name);
		return false;
	}
	snprintf(out, NAMES_SIZE, "%s", prefix);
	for (size_t i = 0; i <= len; i++) {
		char c = name[i];

		if ((unsigned char)c < ' ' && i < len) {
			snprintf(why, size, "a name has no control characters");
			return false;
		}
		out[at + i] = c >= 'A' && c <= 'Z' ? (char)(c + 'a' - 'A') : c;
	}
	return true;
}

bool
names_site(
    char out[static NAMES_SIZE], const char *given, char *why, size_t size)
{
	if (strncasecmp(given, "site:", 5) == 0)
		given += 5;
	return put(out, "", given, why, size);
}

bool
names_policy(
    char out[static NAMES_SIZE], const char *given, char *why, size_t size)
{
	if (strcasecmp(given, "global") == 0) {
		memcpy(out, "global", sizeof("global"));
		return true;
	}
	if (strncasecmp(given, "site:", 5) == 0)
		return put(out, "site:", given + 5, why, size);
	if (strncasecmp(given, "tag:", 4) == 0)
		given += 4;
	return put(out, "tag:", given, why, size);
}

/* --- users -------------------------------------------------------------- */

bool
names_user(
    char out[static NAMES_USER_SIZE], const char *given, char *why, size_t size)
{
	const char *s = strncasecmp(given, "sip:", 4) == 0 ? given + 4 : given;
	char uri[URI_SIZE];
	struct jid j;
	int len = snprintf(uri, sizeof(uri), "sip:%s", s);

	if (len > 0 && (size_t)len < sizeof(uri) &&
	    address_from_sip(&j, uri, (size_t)len) == 0) {
		if (j.local != NULL && j.resource == NULL) {
			snprintf(out, NAMES_USER_SIZE, "%s", j.bare);
			jid_finish(&j);
			return true;
		}
		jid_finish(&j);
	}
	snprintf(why, size, "\"%.200s\" is not a user's SIP address", given);
	return false;
}

static bool
is_ascii(const char *s)
{
	while (*s != '\0' && (unsigned char)*s < 0x80)
		s++;
	return *s == '\0';
}

const char *
names_domain(char room[static NAMES_DOMAIN_SIZE], const char *user)
{
	const char *at = strrchr(user, '@');
	const char *domain = at != NULL ? at + 1 : user;

	/* What is prepared is lower-case already. */
	if (is_ascii(domain))
		return domain;
	if (jid_domain_ascii(room, NAMES_DOMAIN_SIZE, domain, strlen(domain)) <
	    0)
		room[0] = '\0';
	return room;
}
