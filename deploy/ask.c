/*
 * libunbound hands out raw rdata, already without compression; each type is
 * taken apart by length.  Its own log goes nowhere: what matters is in its
 * answers.
 */
#include "deploy/ask.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <unbound.h>

#include "common/err.h"

enum { CLASS_IN = 1, RCODE_NOERROR = 0, RCODE_NXDOMAIN = 3 };

struct ask {
	struct ub_ctx *ub;
};

/* A server that is dead is given up in a second or two, not in 17. */
static const struct {
	const char *name, *value;
} options[] = {
	{ "do-not-query-localhost:", "no" },
	{ "outbound-msg-retry:", "2" },
	{ "infra-cache-max-rtt:", "1000" },
	{ "unknown-server-time-limit:", "200" },
	{ "edns-buffer-size:", "1232" },
};

static int
add_anchor(struct ub_ctx *ub, const char *anchor)
{
	/* A record has blanks and no path has a place there. */
	if (strchr(anchor, ' ') != NULL && access(anchor, F_OK) != 0)
		return ub_ctx_add_ta(ub, anchor);
	return ub_ctx_add_ta_file(ub, anchor);
}

static int
configure(struct ub_ctx *ub, const struct ask_opts *o, const char **what)
{
	int rc = 0;

	for (size_t i = 0; i < sizeof(options) / sizeof(options[0]); i++) {
		*what = options[i].name;
		rc = ub_ctx_set_option(ub, options[i].name, options[i].value);
		if (rc != 0)
			return rc;
	}
	*what = "/etc/resolv.conf";
	if (o->server_count == 0)
		rc = ub_ctx_resolvconf(ub, NULL);
	for (size_t i = 0; i < o->server_count && rc == 0; i++) {
		*what = o->servers[i];
		rc = ub_ctx_set_fwd(ub, o->servers[i]);
	}
	for (size_t i = 0; i < o->anchor_count && rc == 0; i++) {
		*what = o->anchors[i];
		rc = add_anchor(ub, o->anchors[i]);
	}
	if (rc != 0)
		return rc;
	*what = "test.";
	return ub_ctx_zone_remove(ub, "test.");
}

/* The first question makes libunbound open its files. */
static int
warm_up(struct ub_ctx *ub)
{
	struct ub_result *r = NULL;
	int rc = ub_resolve(ub, "localhost.", ASK_A, CLASS_IN, &r);

	ub_resolve_free(r);
	return rc;
}

int
ask_new(struct ask **out, const struct ask_opts *opts, char *why, size_t size)
{
	struct ask *a = calloc(1, sizeof(*a));
	const char *what = "libunbound";
	int rc;

	snprintf(why, size, "%s", err_str(ERR_NOMEM));
	if (a == NULL || (a->ub = ub_ctx_create()) == NULL) {
		free(a);
		return ERR_NOMEM;
	}
	(void)ub_ctx_debugout(a->ub, NULL);
	rc = configure(a->ub, opts, &what);
	if (rc == 0) {
		what =
		    opts->anchor_count > 0 ? "the trust anchors" : "libunbound";
		rc = warm_up(a->ub);
	}
	if (rc != 0) {
		snprintf(why, size, "%s: %s", what, ub_strerror(rc));
		ask_free(a);
		return ERR_CONFIG;
	}
	*out = a;
	return 0;
}

void
ask_free(struct ask *a)
{
	if (a == NULL)
		return;
	ub_ctx_delete(a->ub);
	free(a);
}

/* --- rdata ------------------------------------------------------------------ */

static uint16_t
number(const uint8_t *p)
{
	return (uint16_t)(p[0] << 8 | p[1]);
}

/* A name of length-prefixed labels.  What no host name holds becomes '?', so
 * that it matches nothing. */
static bool
read_name(char out[256], const uint8_t *p, size_t len)
{
	size_t done = 0;

	while (len > 0 && p[0] != 0) {
		size_t n = p[0];

		if (n > 63 || n + 1 >= len || done + n + 2 > 256)
			return false;
		for (size_t i = 1; i <= n; i++) {
			char c = (char)p[i];

			if (c >= 'A' && c <= 'Z')
				c = (char)(c + ('a' - 'A'));
			else if (!((c >= 'a' && c <= 'z') || c == '-' ||
				     c == '_' || (c >= '0' && c <= '9')))
				c = '?';
			out[done++] = c;
		}
		out[done++] = '.';
		p += n + 1;
		len -= n + 1;
	}
	if (len != 1)
		return false;
	if (done == 0)
		out[done++] = '.';
	else
		done--; /* the last dot */
	out[done] = '\0';
	return true;
}

bool
ask_read_record(struct ask_record *r, int type, const uint8_t *p, size_t len)
{
	*r = (struct ask_record){ 0 };
	switch (type) {
	case ASK_A:
		return len == 4 &&
		       inet_ntop(AF_INET, p, r->text, sizeof(r->text)) != NULL;
	case ASK_AAAA:
		return len == 16 &&
		       inet_ntop(AF_INET6, p, r->text, sizeof(r->text)) != NULL;
	case ASK_SRV:
		if (len < 7)
			return false;
		r->priority = number(p);
		r->weight = number(p + 2);
		r->port = number(p + 4);
		return read_name(r->text, p + 6, len - 6);
	default:
		if (len < 4)
			return false;
		r->usage = p[0];
		r->selector = p[1];
		r->matching = p[2];
		r->len = len - 3;
		if (r->len <= ASK_DATA_MAX)
			memcpy(r->data, p + 3, r->len);
		return true;
	}
}

/* By priority; targets of one priority by name, so that output is stable. */
static int
compare(const void *a, const void *b)
{
	const struct ask_record *x = a, *y = b;

	if (x->priority != y->priority)
		return x->priority < y->priority ? -1 : 1;
	return strcmp(x->text, y->text);
}

static void
read_result(struct ask_answer *out, const struct ub_result *r, int type)
{
	out->secure = r->secure != 0;
	if (r->bogus != 0) {
		/* The data is there, and must not be used. */
		out->status = ASK_BOGUS;
		snprintf(out->why, sizeof(out->why), "%s",
		    r->why_bogus != NULL ? r->why_bogus : "no reason given");
		return;
	}
	if (r->rcode != RCODE_NOERROR && r->rcode != RCODE_NXDOMAIN) {
		snprintf(out->why, sizeof(out->why),
		    r->rcode == 2 ? "no name server answered, or it failed "
				    "(SERVFAIL)"
				  : "answer code %d",
		    r->rcode);
		return;
	}
	if (r->canonname != NULL && strcasecmp(r->canonname, r->qname) != 0)
		snprintf(
		    out->canonical, sizeof(out->canonical), "%s", r->canonname);
	for (size_t i = 0; r->data != NULL && r->data[i] != NULL &&
			   out->count < ASK_RECORDS_MAX;
	     i++)
		if (ask_read_record(&out->v[out->count], type,
			(const uint8_t *)r->data[i], (size_t)r->len[i]))
			out->count++;
	qsort(out->v, out->count, sizeof(out->v[0]), compare);
	out->status = out->count > 0 ? ASK_FOUND : ASK_NONE;
}

void
ask_query(struct ask_answer *out, struct ask *a, const char *name, int type)
{
	struct ub_result *r = NULL;
	char absolute[260];
	int rc;

	*out = (struct ask_answer){ .status = ASK_FAILED };
	snprintf(absolute, sizeof(absolute), "%s.", name);
	rc = ub_resolve(a->ub, absolute, type, CLASS_IN, &r);
	if (rc != 0) {
		snprintf(out->why, sizeof(out->why), "%s", ub_strerror(rc));
		return;
	}
	read_result(out, r, type);
	ub_resolve_free(r);
}

const char *
ask_root_anchor(void)
{
	static const char *const places[] = { "/var/lib/unbound/root.key",
		"/usr/share/dns/root.key", "/etc/unbound/root.key" };

	for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++)
		if (access(places[i], R_OK) == 0)
			return places[i];
	return NULL;
}
