/*
 * All texts are copies of what was received; nothing is put together again
 * from parsed parts.
 */
#include "frontend-gateway/sip/sip_dialog.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "common/err.h"
#include "frontend-gateway/sip/sip_build.h"

#define BIT(s) (1u << (s))

static const unsigned next_states[SIP_DIALOG_STATE_COUNT] = {
	[SIP_DIALOG_EARLY] = BIT(SIP_DIALOG_CONFIRMED) | BIT(SIP_DIALOG_ENDED),
	[SIP_DIALOG_CONFIRMED] = BIT(SIP_DIALOG_ENDED),
	[SIP_DIALOG_ENDED] = 0,
};

static void
set_state(struct sip_dialog *d, enum sip_dialog_state to)
{
	assert((next_states[d->state] & BIT(to)) != 0);
	d->state = to;
}

const char *
sip_dialog_call_id(const struct sip_dialog *d)
{
	return d->call_id;
}

enum sip_dialog_state
sip_dialog_state(const struct sip_dialog *d)
{
	return d->state;
}

bool
sip_dialog_is_uac(const struct sip_dialog *d)
{
	return d->uac;
}

void
sip_dialog_set_user(struct sip_dialog *d, void *user)
{
	d->user = user;
}

void *
sip_dialog_user(const struct sip_dialog *d)
{
	return d->user;
}

/* --- routes ------------------------------------------------------------- */

static void
free_routes(char **routes, size_t count)
{
	for (size_t i = 0; i < count; i++)
		free(routes[i]);
	free(routes);
}

static void
reverse(char **routes, size_t count)
{
	char *other;

	for (size_t i = 0; i < count / 2; i++) {
		other = routes[i];
		routes[i] = routes[count - 1 - i];
		routes[count - 1 - i] = other;
	}
}

/* The Record-Route URIs of a message in their order. */
static int
read_routes(char ***out, size_t *count, const struct sip_msg *m)
{
	char **routes = calloc(SIP_DIALOG_ROUTES_MAX, sizeof(*routes));
	const char *at, *element;
	struct sip_addr a;
	size_t n = 0, len;
	int rc = ERR_NOMEM;

	if (routes == NULL)
		return ERR_NOMEM;
	for (size_t i = 0;; i++) {
		at = sip_msg_header(m, "Record-Route", i);
		if (at == NULL)
			break;
		while (sip_list_next(&at, &element, &len)) {
			rc = ERR_TOO_LONG;
			if (n == SIP_DIALOG_ROUTES_MAX)
				goto fail;
			rc = sip_addr_read(&a, element, len);
			if (rc < 0)
				goto fail;
			rc = ERR_NOMEM;
			routes[n] = strndup(a.uri, a.uri_len);
			if (routes[n] == NULL)
				goto fail;
			n++;
		}
	}
	*out = routes;
	*count = n;
	return 0;

fail:
	free_routes(routes, n);
	return rc;
}

/* Takes the route set over from m: in order as UAS, reversed as UAC (RFC 3261
 * 12.1). */
static int
take_routes(struct sip_dialog *d, const struct sip_msg *m, bool reversed)
{
	char **routes;
	size_t count;
	int rc = read_routes(&routes, &count, m);

	if (rc < 0)
		return rc;
	if (reversed)
		reverse(routes, count);
	free_routes(d->routes, d->route_count);
	d->routes = routes;
	d->route_count = count;
	return 0;
}

static int
take_target(struct sip_dialog *d, const char *uri)
{
	char *copy = strdup(uri);

	if (copy == NULL)
		return ERR_NOMEM;
	free(d->target);
	d->target = copy;
	return 0;
}

/* --- life --------------------------------------------------------------- */

int
sip_dialog_key(char **out, size_t *len, const char *call_id,
    const char *local_tag, const char *remote_tag)
{
	size_t a = strlen(call_id) + 1, b = strlen(local_tag) + 1;
	size_t c = strlen(remote_tag);
	char *key = malloc(a + b + c + 1);

	if (key == NULL)
		return ERR_NOMEM;
	memcpy(key, call_id, a);
	memcpy(key + a, local_tag, b);
	memcpy(key + a + b, remote_tag, c + 1);
	*out = key;
	*len = a + b + c;
	return 0;
}

/* The parts both roles share, once local, remote and the tags are set. */
static int
complete(struct sip_dialog *d, const char *call_id)
{
	d->call_id = strdup(call_id);
	if (d->call_id == NULL || d->local == NULL || d->remote == NULL ||
	    d->local_tag == NULL || d->remote_tag == NULL)
		return ERR_NOMEM;
	return sip_dialog_key(
	    &d->id, &d->id_len, call_id, d->local_tag, d->remote_tag);
}

int
sip_dialog_init_uas(
    struct sip_dialog *d, const struct sip_msg *request, const char *local_tag)
{
	const char *to = sip_msg_to(request);
	size_t size = strlen(to) + strlen(local_tag) + sizeof(";tag=");
	int rc;

	memset(d, 0, sizeof(*d));
	if (sip_msg_contact_uri(request) == NULL)
		return ERR_MALFORMED;
	d->state = SIP_DIALOG_CONFIRMED;
	d->local = malloc(size);
	if (d->local != NULL)
		snprintf(d->local, size, "%s;tag=%s", to, local_tag);
	d->remote = strdup(sip_msg_from(request));
	d->local_tag = strdup(local_tag);
	d->remote_tag = strdup(sip_msg_from_tag(request));
	d->remote_cseq = sip_msg_cseq(request);
	d->remote_cseq_known = true;
	rc = complete(d, sip_msg_call_id(request));
	if (rc == 0)
		rc = take_target(d, sip_msg_contact_uri(request));
	if (rc == 0)
		rc = take_routes(d, request, false);
	if (rc < 0)
		sip_dialog_finish(d);
	return rc;
}

/* The tag of our own From value, which we wrote ourselves. */
static char *
tag_of(const char *from)
{
	struct sip_addr a;
	char tag[128];

	if (sip_addr_read(&a, from, strlen(from)) < 0 ||
	    sip_param_get(tag, sizeof(tag), a.params, a.params_len, "tag") < 0)
		return NULL;
	return strdup(tag);
}

int
sip_dialog_init_uac(struct sip_dialog *d, const struct sip_msg *response,
    const char *from, const char *request_uri)
{
	const char *contact = sip_msg_contact_uri(response);
	bool success = sip_msg_status(response) >= 200;
	int rc;

	memset(d, 0, sizeof(*d));
	if (*sip_msg_to_tag(response) == '\0' || (success && contact == NULL))
		return ERR_MALFORMED;
	d->state = success ? SIP_DIALOG_CONFIRMED : SIP_DIALOG_EARLY;
	d->uac = true;
	d->local = strdup(from);
	d->remote = strdup(sip_msg_to(response));
	d->local_tag = tag_of(from);
	d->remote_tag = strdup(sip_msg_to_tag(response));
	d->local_cseq = sip_msg_cseq(response);
	rc = complete(d, sip_msg_call_id(response));
	if (rc == 0)
		rc = take_target(d, contact != NULL ? contact : request_uri);
	if (rc == 0)
		rc = take_routes(d, response, true);
	if (rc < 0)
		sip_dialog_finish(d);
	return rc;
}

void
sip_dialog_finish(struct sip_dialog *d)
{
	free(d->call_id);
	free(d->local);
	free(d->remote);
	free(d->local_tag);
	free(d->remote_tag);
	free(d->target);
	free(d->id);
	free_routes(d->routes, d->route_count);
	memset(d, 0, sizeof(*d));
}

int
sip_dialog_confirm(struct sip_dialog *d, const struct sip_msg *response)
{
	int rc;

	if (sip_msg_contact_uri(response) == NULL)
		return ERR_MALFORMED;
	rc = take_target(d, sip_msg_contact_uri(response));
	if (rc == 0)
		rc = take_routes(d, response, true);
	if (rc < 0)
		return rc;
	set_state(d, SIP_DIALOG_CONFIRMED);
	return 0;
}

void
sip_dialog_end(struct sip_dialog *d)
{
	if (d->state != SIP_DIALOG_ENDED)
		set_state(d, SIP_DIALOG_ENDED);
}

/* --- requests within ---------------------------------------------------- */

int
sip_dialog_accept_cseq(struct sip_dialog *d, const struct sip_msg *request)
{
	uint32_t cseq = sip_msg_cseq(request);

	if (d->remote_cseq_known && cseq < d->remote_cseq)
		return 500;
	d->remote_cseq = cseq;
	d->remote_cseq_known = true;
	return 0;
}

/* A refresh without Record-Route leaves the route set alone: proxies need
 * not record themselves again within a dialog (RFC 3261 16.6, 12.2). */
int
sip_dialog_refresh(struct sip_dialog *d, const struct sip_msg *m)
{
	int rc = 0;

	if (sip_msg_contact_uri(m) != NULL)
		rc = take_target(d, sip_msg_contact_uri(m));
	if (rc == 0 && sip_msg_header(m, "Record-Route", 0) != NULL)
		rc = take_routes(d, m, !sip_msg_is_request(m));
	return rc;
}

/* Whether the URI has the lr parameter. */
static bool
is_loose(const char *uri)
{
	const char *params = strchr(uri, ';');
	char value[8];

	return params != NULL && sip_param_get(value, sizeof(value), params,
				     strlen(params), "lr") != ERR_NOT_FOUND;
}

/* A first route without ;lr wants to be the Request-URI, with the target at
 * the end of the list (RFC 3261 12.2.1.1). */
static void
fill_way(struct sip_dialog *d, struct sip_build_request *r)
{
	r->uri = d->target;
	r->routes = d->routes;
	r->route_count = d->route_count;
	if (d->route_count > 0 && !is_loose(d->routes[0])) {
		r->uri = d->routes[0];
		r->routes = d->routes + 1;
		r->route_count--;
		r->last_route = d->target;
	}
}

void
sip_dialog_fill(struct sip_dialog *d, struct sip_build_request *r,
    enum sip_method method, uint32_t cseq)
{
	fill_way(d, r);
	r->method = sip_method_name(method);
	r->from = d->local;
	r->to = d->remote;
	r->call_id = d->call_id;
	r->cseq = method == SIP_ACK ? cseq : ++d->local_cseq;
}
