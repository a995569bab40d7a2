/*
 * route_rig - routes, connector and s2s_out, towards a real inbound stream of
 * ours or towards a server that follows a script.  The resolver is a table,
 * which stands in the place of resolver_client.c: the rig goes with the programs
 * test_routes* alone (see the Makefile).
 */
#ifndef TESTS_UNIT_ROUTE_RIG_H
#define TESTS_UNIT_ROUTE_RIG_H

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "common/buf.h"
#include "edge-proxy/resolver_client.h"
#include "edge-proxy/routes.h"
#include "edge-proxy/s2s_in.h"
#include "proto/channel.h"
#include "tests/unit/stream_world.h"

#define LOCAL  "contoso.example"
#define REMOTE "partner.example"

#define PEER_HEADER                                                            \
	"<stream:stream xmlns='jabber:server' xmlns:stream='http://etherx."    \
	"jabber.org/streams' from='partner.example' to='contoso.example' "     \
	"version='1.0' id='1'>"
#define PEER_STARTTLS                                                          \
	"<stream:features><starttls "                                          \
	"xmlns='urn:ietf:params:xml:ns:xmpp-tls'/></stream:features>"
#define PEER_PROCEED "<proceed xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>"
#define SASL         "xmlns='urn:ietf:params:xml:ns:xmpp-sasl'"
#define PEER_EXTERNAL                                                          \
	"<stream:features><mechanisms " SASL                                   \
	"><mechanism>EXTERNAL</mechanism></mechanisms></stream:features>"

/* --- the resolver -------------------------------------------------------- */

struct route_record {
	const char *name;
	enum dns_type type;
	enum dns_status status;
	size_t count;
	struct dns_srv srv[8];
	const char *addr;
	uint64_t late_ms;
};

/* What the resolver knows, and what it was asked: "name/type " of each. */
extern struct route_record route_zone[12];
extern size_t route_zone_count;
extern char route_asked[1000];
#define SRV_ASKED                                                              \
	"_xmpp-server._tcp.partner.example/33 "                                \
	"_xmpps-server._tcp.partner.example/33 "
#define OWN_ASKED "partner.example/1 partner.example/28 "

struct route_record *
route_zone_add(const char *name, enum dns_type type, enum dns_status status);
/* One more target in a record: the partner's host, at that port of loopback. */
void
route_zone_target(struct route_record *srv, uint16_t priority, uint16_t port);

/* --- the rig --------------------------------------------------------------- */

struct route_settled {
	unsigned times;
	struct channel_result r;
	char text[200];
};

struct route_rig {
	struct world w;
	struct site edge, partner, second;
	struct routes *routes;
	bool routes_closed;
	struct buf seen; /* stanzas at the partner */
	unsigned stanzas;
	bool in_up, in_ended, pause_in;
	bool handles;    /* the partner counts every stanza as done with */
	unsigned proofs; /* last reported */
	struct s2s_in *in;
	struct buf events;
	bool something; /* settled or told */
	struct route_settled s[400];
	unsigned settled;
	unsigned ids;
	bool here; /* a stream of the partner's own is up */
	/* a scripted server in place of the partner */
	struct script p;
	bool accepted;
	struct tls_accept *at_once; /* it begins with TLS */
};

uint16_t route_port_of(const struct site *s);
void route_begin(struct route_rig *f);
void
route_begin_opts(struct route_rig *f, struct site_opts o, const char *settings);
/* What a partner of ours tells; its arg is the rig. */
extern const struct s2s_in_events route_in_events;
/* The partner is a script. */
void route_begin_scripted(struct route_rig *f);
/* Takes a connection for the script; listener->data is a site of the rig's. */
void route_on_connection(uv_stream_t *listener, int status);
void route_finish(struct route_rig *f);

/* Message n, with a barrier or NULL. */
int route_send_one(struct route_rig *f, unsigned n, const char *barrier);
/* Runs until n stanzas in all are settled. */
void route_until_settled(struct route_rig *f, unsigned n);
void route_until_seen(struct route_rig *f, const char *what);
void route_assert_failed(
    const struct route_settled *s, enum condition c, const char *type);
void route_assert_delivered(const struct route_settled *s, enum proof by);
/* One attempt that must fail, its condition, and back-off behind it. */
void
route_expect_failure(struct route_rig *f, enum condition c, const char *type);

#endif
