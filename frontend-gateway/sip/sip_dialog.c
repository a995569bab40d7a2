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
#include "frontend-gateway/sip/sip_dialog_impl.h"

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
drop_texts(char **texts, size_t count)
{
	for (size_t i = 0; i < count; i++)
		free(texts[i]);
}

void
sip_dialog_free_routes(char **routes, size_t count)
{
	drop_texts(routes, count);
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

/* The Record-Route URIs of a message in their order; n of out, which holds
 * SIP_DIALOG_ROUTES_MAX. */
static int
copy_routes(char **out, size_t *n, const struct sip_msg *m)
{
	const char *at, *element;
	struct sip_addr a;
	size_t len;
	int rc;

	for (size_t i = 0;; i++) {
		at = sip_msg_header(m, "Record-Route", i);
		if (at == NULL)
			return 0;
		while (sip_list_next(&at, &element, &len)) {
			if (*n == SIP_DIALOG_ROUTES_MAX)
				return ERR_TOO_LONG;
			rc = sip_addr_read(&a, element, len);
			if (rc < 0)
				return rc;
			out[*n] = strndup(a.uri, a.uri_len);
			if (out[*n] == NULL)
				return ERR_NOMEM;
			(*n)++;
		}
	}
}

/* The same in an array no larger than it need be: dialogs live long. */
static int
read_routes(char ***out, size_t *count, const struct sip_msg *m)
{
	char *texts[SIP_DIALOG_ROUTES_MAX];
	char **routes = NULL;
	size_t n = 0;
	int rc = copy_routes(texts, &n, m);

	if (rc == 0 && n > 0) {
		routes = malloc(n * sizeof(*routes));
		if (routes == NULL)
			rc = ERR_NOMEM;
		else
			memcpy(routes, texts, n * sizeof(*routes));
	}
	if (rc != 0) {
		drop_texts(texts, n);
		return rc;
	}
	*out = routes;
	*count = n;
	return 0;
}

static bool
same_routes(const struct sip_dialog *d, char *const *routes, size_t count)
{
	if (count != d->route_count)
		return false;
	for (size_t i = 0; i < count; i++)
		if (strcmp(routes[i], d->routes[i]) != 0)
			return false;
	return true;
}

/* Takes the route set over from m: in order as UAS, reversed as UAC (RFC 3261
 * 12.1). */
static int
take_routes(struct sip_dialog *d, const struct sip_msg *m, bool reversed)
{
	char **routes;
	size_t count;
	int rc = read_routes(&routes, &count, m);

	if (rc != 0)
		return rc;
	if (reversed)
		reverse(routes, count);
	if (same_routes(d, routes, count)) {
		sip_dialog_free_routes(routes, count);
		return 0;
	}
	sip_dialog_free_routes(d->routes, d->route_count);
	d->changes++;
	d->routes = routes;
	d->route_count = count;
	return 0;
}

static int
take_target(struct sip_dialog *d, const char *uri)
{
	char *copy;

	if (d->target != NULL && strcmp(d->target, uri) == 0)
		return 0;
	copy = strdup(uri);
	if (copy == NULL)
		return ERR_NOMEM;
	free(d->target);
	d->target = copy;
	d->changes++;
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

int
sip_dialog_set_id(struct sip_dialog *d, const char *call_id,
    const char *local_tag, const char *remote_tag)
{
	char *id;
	size_t len;
	int rc = sip_dialog_key(&id, &len, call_id, local_tag, remote_tag);

	if (rc < 0)
		return rc;
	free(d->id);
	d->id = id;
	d->id_len = len;
	d->call_id = id;
	d->local_tag = id + strlen(id) + 1;
	d->remote_tag = d->local_tag + strlen(d->local_tag) + 1;
	return 0;
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
	d->remote_cseq = sip_msg_cseq(request);
	d->remote_cseq_known = true;
	rc = d->local != NULL && d->remote != NULL ? 0 : ERR_NOMEM;
	if (rc == 0)
		rc = sip_dialog_set_id(d, sip_msg_call_id(request), local_tag,
		    sip_msg_from_tag(request));
	if (rc == 0)
		rc = take_target(d, sip_msg_contact_uri(request));
	if (rc == 0)
		rc = take_routes(d, request, false);
	if (rc < 0)
		sip_dialog_finish(d);
	return rc;
}

int
sip_dialog_tag_of(char out[SIP_DIALOG_TAG_SIZE], const char *from)
{
	struct sip_addr a;

	if (sip_addr_read(&a, from, strlen(from)) < 0 ||
	    sip_param_get(
		out, SIP_DIALOG_TAG_SIZE, a.params, a.params_len, "tag") < 0)
		return ERR_MALFORMED;
	return 0;
}

int
sip_dialog_init_uac(struct sip_dialog *d, const struct sip_msg *response,
    const char *from, const char *request_uri)
{
	const char *contact = sip_msg_contact_uri(response);
	bool success = sip_msg_status(response) >= 200;
	char tag[SIP_DIALOG_TAG_SIZE];
	int rc = sip_dialog_tag_of(tag, from);

	memset(d, 0, sizeof(*d));
	if (rc < 0)
		return rc;
	if (*sip_msg_to_tag(response) == '\0' || (success && contact == NULL))
		return ERR_MALFORMED;
	d->state = success ? SIP_DIALOG_CONFIRMED : SIP_DIALOG_EARLY;
	d->uac = true;
	d->local = strdup(from);
	d->remote = strdup(sip_msg_to(response));
	d->local_cseq = sip_msg_cseq(response);
	rc = d->local != NULL && d->remote != NULL ? 0 : ERR_NOMEM;
	if (rc == 0)
		rc = sip_dialog_set_id(d, sip_msg_call_id(response), tag,
		    sip_msg_to_tag(response));
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
	free(d->local);
	free(d->remote);
	free(d->target);
	free(d->id);
	sip_dialog_free_routes(d->routes, d->route_count);
	memset(d, 0, sizeof(*d));
}

/* --- half ones ----------------------------------------------------------- */

int
sip_dialog_init_half(struct sip_dialog *d, const char *from, const char *to,
    const char *call_id, const char *uri)
{
	char tag[SIP_DIALOG_TAG_SIZE];
	int rc = sip_dialog_tag_of(tag, from);

	memset(d, 0, sizeof(*d));
	if (rc < 0)
		return rc;
	d->state = SIP_DIALOG_EARLY;
	d->uac = true;
	d->local = strdup(from);
	d->remote = strdup(to);
	rc = d->local != NULL && d->remote != NULL ? 0 : ERR_NOMEM;
	if (rc == 0)
		rc = sip_dialog_set_id(d, call_id, tag, "");
	if (rc == 0)
		rc = take_target(d, uri);
	if (rc < 0)
		sip_dialog_finish(d);
	return rc;
}

bool
sip_dialog_is_half(const struct sip_dialog *d)
{
	return d->state == SIP_DIALOG_EARLY && *d->remote_tag == '\0';
}

/* As with an INVITE, a NOTIFY's routes stand in the order in which we send
 * them, a response's the other way round. */
int
sip_dialog_complete(struct sip_dialog *d, const struct sip_msg *m)
{
	bool notify = sip_msg_is_request(m);
	const char *tag = notify ? sip_msg_from_tag(m) : sip_msg_to_tag(m);
	const char *call_id = sip_msg_call_id(m);
	struct sip_dialog whole = { .state = SIP_DIALOG_CONFIRMED,
		.uac = true,
		.local_cseq = d->local_cseq,
		.user = d->user };
	int rc;

	assert(sip_dialog_is_half(d));
	if (*tag == '\0' || sip_msg_contact_uri(m) == NULL)
		return ERR_MALFORMED;
	whole.local = strdup(d->local);
	whole.remote = strdup(notify ? sip_msg_from(m) : sip_msg_to(m));
	rc = whole.local != NULL && whole.remote != NULL ? 0 : ERR_NOMEM;
	if (rc == 0)
		rc = sip_dialog_set_id(&whole, call_id, d->local_tag, tag);
	if (rc == 0)
		rc = take_target(&whole, sip_msg_contact_uri(m));
	if (rc == 0)
		rc = take_routes(&whole, m, !notify);
	if (rc < 0) {
		sip_dialog_finish(&whole);
		return rc;
	}
	sip_dialog_finish(d);
	*d = whole;
	return 0;
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

/* Whether this message's Record-Route replaces the route set. */
static bool
brings_routes(const struct sip_msg *m)
{
	enum sip_method method = sip_msg_method(m);

	if (sip_msg_header(m, "Record-Route", 0) == NULL)
		return false;
	return (method != SIP_SUBSCRIBE && method != SIP_NOTIFY) ||
	       sip_msg_lists(m, "Supported", "ms-dialog-route-set-update");
}

/* A refresh without Record-Route leaves the route set alone: proxies need
 * not record themselves again within a dialog (RFC 3261 16.6, 12.2). */
int
sip_dialog_refresh(struct sip_dialog *d, const struct sip_msg *m)
{
	int rc = 0;

	if (sip_msg_contact_uri(m) != NULL)
		rc = take_target(d, sip_msg_contact_uri(m));
	if (rc == 0 && brings_routes(m))
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
