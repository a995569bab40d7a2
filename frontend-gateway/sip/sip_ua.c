/*
 * A message goes up: transport, transactions (sip_txns_receive), then by kind
 * to sip_ua_in.c or, through the transaction's owner, sip_ua_out.c.
 */
#include "frontend-gateway/sip/sip_ua.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/err.h"
#include "common/log_limit.h"
#include "common/ports.h"
#include "common/random.h"
#include "frontend-gateway/sip/sip_ua_impl.h"

enum { CALLS_MAX = 100000, DIALOGS_MAX = 100000 };

static const unsigned own_methods =
    SIP_METHOD_BIT(SIP_INVITE) | SIP_METHOD_BIT(SIP_ACK) |
    SIP_METHOD_BIT(SIP_BYE) | SIP_METHOD_BIT(SIP_CANCEL) |
    SIP_METHOD_BIT(SIP_OPTIONS) | SIP_METHOD_BIT(SIP_UPDATE);

const char *
sip_dialog_end_str(enum sip_dialog_end why)
{
	static const char *const texts[] = {
#define X(name, text) [name] = (text),
		SIP_DIALOG_ENDS(X)
#undef X
	};

	return texts[why];
}

/* --- texts -------------------------------------------------------------- */

const char *
sip_ua_product(const struct sip_ua *ua)
{
	return ua->product[0] != '\0' ? ua->product : NULL;
}

int
sip_ua_contact(struct buf *out, const struct sip_ua *ua, const char *uri)
{
	const char *user;
	size_t len;

	if (ua->opts.contact == SIP_CONTACT_GRUU)
		return buf_addf(out, "<%.*s;opaque=app:xmppgw;gruu>",
		    (int)strcspn(uri, ";?"), uri);
	if (sip_uri_user(&user, &len, uri) < 0)
		return buf_addf(out, "<sip:%s;transport=tls>", ua->sent_by);
	return buf_addf(
	    out, "<sip:%.*s@%s;transport=tls>", (int)len, user, ua->sent_by);
}

bool
sip_ua_refreshes(enum sip_method method)
{
	return method == SIP_UPDATE || method == SIP_SUBSCRIBE ||
	       method == SIP_NOTIFY;
}

void
sip_ua_branch(char *out)
{
	static const char magic[] = "z9hG4bK";

	memcpy(out, magic, sizeof(magic));
	random_hex(out + sizeof(magic) - 1, 16);
}

const char *
sip_ua_front_end(char *out, size_t size, const struct sip_dialog *d)
{
	const char *params;

	if (d->route_count == 0)
		return NULL;
	params = strchr(d->routes[0], ';');
	if (params == NULL ||
	    sip_param_get(out, size, params, strlen(params), "ms-fe") < 0)
		return NULL;
	return out;
}

/* --- the way up --------------------------------------------------------- */

/* Overload: told without a transaction, for which there is no room. */
static void
turn_away(struct sip_ua *ua, const struct sip_msg *m, uint64_t conn)
{
	static const struct sip_header headers[] = { { "Retry-After", "5" } };
	char tag[33];
	struct sip_build_response r = { .request = m,
		.status = 503,
		.to_tag = tag,
		.headers = headers,
		.header_count = 1 };
	struct buf text;
	int rc;

	random_hex(tag, 16);
	buf_init(&text, 0);
	rc = sip_build_response(&text, &r);
	if (rc == 0)
		rc = sip_transport_send_on(
		    ua->transport, conn, text.data, text.len);
	log_limited_warn(&ua->log, NULL, "overload", "call_id=%s answered=%s",
	    sip_msg_call_id(m), rc == 0 ? "503" : err_str(rc));
	buf_finish(&text);
}

static void
on_message(struct sip_msg *m, uint64_t conn, void *arg)
{
	struct sip_ua *ua = arg;
	int rc;

	if (ua->closing)
		return;
	if (sip_msg_is_request(m))
		ua->requests_in++;
	if (sip_msg_is_request(m) && sip_msg_method(m) == SIP_BENOTIFY) {
		sip_ua_in_benotify(ua, m);
		return;
	}
	rc = sip_txns_receive(ua->txns, m, conn);
	if (rc == ERR_NOT_FOUND && sip_msg_is_request(m))
		sip_ua_answer_acknowledged(ua, m);
	else if (rc == ERR_NOT_FOUND)
		log_debug(&ua->log, "stray-response",
		    "status=%d method=%s call_id=%s", sip_msg_status(m),
		    sip_msg_method_name(m), sip_msg_call_id(m));
	else if (rc < 0 && sip_msg_method(m) != SIP_ACK)
		turn_away(ua, m, conn);
}

static void
on_down(uint64_t conn, void *arg)
{
	struct sip_ua *ua = arg;

	if (!ua->closing)
		sip_txns_conn_down(ua->txns, conn);
}

static void
on_reachable(bool reachable, void *arg)
{
	struct sip_ua *ua = arg;

	log_info(&ua->log, "pool", "reachable=%s", reachable ? "yes" : "no");
	if (!ua->closing && ua->opts.events->on_reachable != NULL)
		ua->opts.events->on_reachable(ua, reachable, ua->opts.arg);
}

static void
free_ua(struct sip_ua *ua)
{
	if (ua->txns != NULL)
		sip_txns_close(ua->txns);
	map_finish(&ua->dialogs);
	free(ua->fqdn);
	free(ua->sent_by);
	free(ua->allow);
	free(ua);
}

static void
on_transport_closed(void *arg)
{
	struct sip_ua *ua = arg;

	ua->opts.events->on_closed(ua, ua->opts.arg);
	free_ua(ua);
}

static const struct sip_transport_events transport_events = {
	.on_message = on_message,
	.on_down = on_down,
	.on_reachable = on_reachable,
	.on_closed = on_transport_closed,
};

static void
on_request(void *arg, struct sip_server_txn *st)
{
	sip_ua_in_request(arg, st);
}

static void
on_cancel(void *arg, struct sip_server_txn *st)
{
	sip_ua_in_cancel(arg, st);
}

/* --- the way down ------------------------------------------------------- */

static int
send_request(void *arg, uint64_t *conn, const struct sip_transport_way *way,
    const void *data, size_t len)
{
	struct sip_ua *ua = arg;
	int rc = sip_transport_send(ua->transport, conn, way, data, len);

	if (rc == 0)
		ua->requests_out++;
	return rc;
}

static int
send_on(void *arg, uint64_t conn, const void *data, size_t len)
{
	struct sip_ua *ua = arg;

	return sip_transport_send_on(ua->transport, conn, data, len);
}

static bool
judge(void *arg, uint64_t conn, const struct sip_transport_outcome *outcome)
{
	struct sip_ua *ua = arg;

	return sip_transport_judge(ua->transport, conn, outcome);
}

/* --- life --------------------------------------------------------------- */

static int
copy_texts(struct sip_ua *ua, const struct sip_ua_opts *o)
{
	struct buf text;
	int rc;

	ua->fqdn = strdup(o->fqdn);
	if (ua->fqdn == NULL)
		return ERR_NOMEM;
	buf_init(&text, 0);
	buf_addf(&text, "%s:%u", o->fqdn,
	    o->port != 0 ? (unsigned)o->port : PORTS_SIP);
	if (buf_cstr(&text) != NULL)
		ua->sent_by = strdup(buf_cstr(&text));
	buf_clear(&text);
	rc = sip_build_methods(&text, ua->methods | own_methods);
	if (rc == 0 && buf_cstr(&text) != NULL)
		ua->allow = strdup(buf_cstr(&text));
	buf_finish(&text);
	return ua->sent_by != NULL && ua->allow != NULL ? 0 : ERR_NOMEM;
}

static int
prepare(struct sip_ua *ua, const struct sip_ua_opts *o)
{
	struct sip_txns_opts txns = { .clock = o->clock,
		.max = o->calls_max != 0 ? o->calls_max : CALLS_MAX,
		.send_request = send_request,
		.send_on = send_on,
		.judge = judge,
		.on_request = on_request,
		.on_cancel = on_cancel,
		.arg = ua };
	int rc;

	log_init(&ua->log, "sip_ua");
	ua->opts = *o;
	if (ua->opts.dialogs_max == 0)
		ua->opts.dialogs_max = DIALOGS_MAX;
	ua->methods = o->methods != 0 ? o->methods
				      : SIP_METHOD_BIT(SIP_INVITE) |
					    SIP_METHOD_BIT(SIP_MESSAGE) |
					    SIP_METHOD_BIT(SIP_INFO);
	ua->timers = o->timers;
	sip_timers_complete(&ua->timers);
	txns.timers = ua->timers;
	sip_ua_set_product(ua, o->product);
	list_init(&ua->dialog_list);
	list_init(&ua->calls);
	rc = map_init(&ua->dialogs);
	if (rc == 0)
		rc = copy_texts(ua, o);
	if (rc == 0)
		rc = sip_txns_open(&ua->txns, &txns);
	/* The caller's texts may go once sip_ua_open() returns. */
	ua->opts.fqdn = ua->opts.pool = ua->opts.product = NULL;
	ua->opts.listen = NULL;
	ua->opts.front_ends = NULL;
	return rc;
}

int
sip_ua_open(
    struct sip_ua **out, const struct sip_ua_opts *o, char *why, size_t size)
{
	struct sip_ua *ua = calloc(1, sizeof(*ua));
	struct sip_transport_opts transport = { .loop = o->loop,
		.clock = o->clock,
		.tls = o->tls,
		.fqdn = o->fqdn,
		.listen = o->listen,
		.listen_count = o->listen_count,
		.pool = o->pool,
		.front_ends = o->front_ends,
		.front_end_count = o->front_end_count,
		.connections = o->connections,
		.probe_ms = o->probe_ms,
		.negotiate_reply = o->negotiate_reply,
		.head_max = o->head_max,
		.body_max = o->body_max,
		.events = &transport_events,
		.arg = ua };
	int rc;

	if (ua == NULL) {
		snprintf(why, size, "%s", err_str(ERR_NOMEM));
		return ERR_NOMEM;
	}
	rc = prepare(ua, o);
	if (rc < 0) {
		snprintf(why, size, "%s", err_str(rc));
		goto fail;
	}
	transport.allow = ua->allow;
	transport.product = ua->product;
	transport.sent_by = ua->sent_by;
	transport.keep_alive_ms = ua->timers.keep_alive;
	rc = sip_transport_open(&ua->transport, &transport, why, size);
	if (rc < 0)
		goto fail;
	*out = ua;
	return 0;

fail:
	free_ua(ua);
	return rc;
}

void
sip_ua_close(struct sip_ua *ua)
{
	assert(!ua->closing);
	ua->closing = true;
	sip_ua_out_close(ua);
	sip_ua_in_close(ua);
	/* Owners who leave a dialog now only mark it. */
	LIST_FOREACH_SAFE (it, &ua->dialog_list)
		sip_ua_dialog_over(list_entry(it, struct ua_dialog, node),
		    SIP_DIALOG_END_CLOSED);
	sip_txns_close(ua->txns);
	ua->txns = NULL;
	sip_transport_close(ua->transport);
}

void
sip_ua_set_tls(struct sip_ua *ua, const struct tls_identity *tls)
{
	sip_transport_set_tls(ua->transport, tls);
}

void
sip_ua_set_product(struct sip_ua *ua, const char *product)
{
	if (product == NULL)
		product = SIP_PRODUCT_DEFAULT;
	assert(product[0] == '\0' || sip_product_is_valid(product));
	snprintf(ua->product, sizeof(ua->product), "%s", product);
}

void
sip_ua_set_tap(struct sip_ua *ua, const struct sip_tap *tap)
{
	sip_transport_set_tap(ua->transport, tap);
}

int
sip_ua_set_front_ends(
    struct sip_ua *ua, const struct sip_front_end *front_ends, size_t count)
{
	return sip_transport_set_front_ends(ua->transport, front_ends, count);
}

bool
sip_ua_reachable(const struct sip_ua *ua)
{
	return sip_transport_connections(ua->transport) > 0;
}

void
sip_ua_each_front_end(const struct sip_ua *ua, sip_front_end_fn *fn, void *arg)
{
	sip_transport_each_front_end(ua->transport, fn, arg);
}

const struct sip_delays *
sip_ua_delays(const struct sip_ua *ua)
{
	return sip_txns_delays(ua->txns);
}

void
sip_ua_get_stats(const struct sip_ua *ua, struct sip_ua_stats *out)
{
	*out = (struct sip_ua_stats){
		.connections = sip_transport_connections(ua->transport),
		.client_txns = sip_txns_client_count(ua->txns),
		.server_txns = sip_txns_server_count(ua->txns),
		.dialogs = ua->dialog_count,
		.requests_in = ua->requests_in,
		.requests_out = ua->requests_out,
	};
}
