#include "frontend-gateway/admin/auth.h"

#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "common/clock.h"
#include "common/err.h"
#include "common/log_limit.h"
#include "frontend-gateway/admin/http_server.h"
#include "frontend-gateway/admin/tokens.h"
#include "frontend-gateway/settings/setting.h"
#include "frontend-gateway/settings/settings_view.h"

/* Addresses of one host: there are few, and the one that has been quiet for
 * longest makes room. */
enum { ADDRESSES = 16, NAME_SIZE = 64 };

struct address {
	char name[HTTP_PEER_SIZE];
	uint64_t since_ms;
	unsigned failures;
};

struct auth {
	struct clock *clock;
	struct log log;
	char own[NAME_SIZE]; /* the user this daemon runs as */
	struct address addresses[ADDRESSES];
};

/* Asked once, at the start: user names may be kept somewhere slow. */
static void
name_of(char out[static NAME_SIZE], uid_t uid)
{
	struct passwd pw, *found = NULL;
	char text[1024];

	if (getpwuid_r(uid, &pw, text, sizeof(text), &found) == 0 &&
	    found != NULL)
		snprintf(out, NAME_SIZE, "%s", pw.pw_name);
	else
		snprintf(out, NAME_SIZE, "uid %u", (unsigned)uid);
}

int
auth_new(struct auth **out, struct clock *clock)
{
	struct auth *a = calloc(1, sizeof(*a));

	if (a == NULL)
		return ERR_NOMEM;
	a->clock = clock;
	log_init(&a->log, "admin");
	name_of(a->own, geteuid());
	*out = a;
	return 0;
}

void
auth_free(struct auth *a)
{
	free(a);
}

static struct address *
address_of(struct auth *a, const char *name)
{
	const uint64_t now = clock_now_ms(a->clock);
	struct address *oldest = &a->addresses[0];

	for (size_t i = 0; i < ADDRESSES; i++) {
		struct address *s = &a->addresses[i];

		if (strcmp(s->name, name) == 0) {
			if (now - s->since_ms >= AUTH_MINUTE_MS) {
				s->since_ms = now;
				s->failures = 0;
			}
			return s;
		}
		if (s->since_ms < oldest->since_ms)
			oldest = s;
	}
	snprintf(oldest->name, sizeof(oldest->name), "%s", name);
	oldest->since_ms = now;
	oldest->failures = 0;
	return oldest;
}

static enum auth_verdict
refuse(struct auth *a, const struct http_peer *peer, const char *reason)
{
	struct address *s = address_of(a, peer->name);

	log_limited_warn(&a->log, peer->name, "token-refused",
	    "peer=%s reason=%s", peer->name, reason);
	if (s->failures >= AUTH_FAILURES)
		return AUTH_LIMITED;
	s->failures++;
	return AUTH_WRONG;
}

static const char *
bearer_of(const char *header)
{
	static const char scheme[] = "Bearer ";
	const char *s;

	if (strncasecmp(header, scheme, sizeof(scheme) - 1) != 0)
		return NULL;
	s = header + sizeof(scheme) - 1;
	return s + strspn(s, " ");
}

enum auth_verdict
auth_check(struct auth *a, struct auth_caller *out,
    const struct http_peer *peer, const char *header,
    const struct settings_view *v)
{
	const struct setting *t;
	const char *text;

	if (peer->local) {
		snprintf(out->who, sizeof(out->who), "%s",
		    peer->uid == geteuid() ? a->own : "root");
		out->via = "socket";
		out->write = true;
		return AUTH_GOOD;
	}
	if (header == NULL)
		return AUTH_MISSING;
	text = bearer_of(header);
	if (text == NULL)
		return refuse(a, peer, "not a bearer token");
	switch (tokens_check(&t, v, text, clock_wall_ms(a->clock))) {
	case TOKENS_GOOD:
		break;
	case TOKENS_MALFORMED:
		return refuse(a, peer, "malformed");
	case TOKENS_WRONG:
		return refuse(a, peer, "unknown");
	case TOKENS_EXPIRED:
		return refuse(a, peer, "expired");
	}
	snprintf(out->who, sizeof(out->who), "%.200s (token %s)",
	    setting_text(t, "Name"), t->key);
	snprintf(out->token, sizeof(out->token), "%s", t->key);
	out->via = "http";
	out->write = tokens_may_write(t);
	return AUTH_GOOD;
}
