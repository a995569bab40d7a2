/*
 * stream_world - what tests of server streams stand on: a loop, a clock that
 * follows real time and can be moved on, an
 * authority, sites with identities and hosting, and a scripted peer that says
 * what no stream of ours would.
 *
 * Whatever fails, fails the test.
 */
#ifndef TESTS_STREAM_WORLD_H
#define TESTS_STREAM_WORLD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <uv.h>

#include "common/buf.h"
#include "common/conn.h"
#include "edge-proxy/dialback_ask.h"
#include "tests/unit/make_cert.h"

struct clock;
struct hosting;
struct identities;
struct resolver_client;
struct s2s_in;
struct s2s_in_events;

struct world {
	uv_loop_t loop;
	struct clock *clock;
	struct make_cert ca, stranger_ca;
};

void world_init(struct world *w);
/* Everything opened in it must be closed; runs the loop to its end. */
void world_finish(struct world *w);
/* Runs until *done, at most ms; tells whether it came to be. */
bool world_run(struct world *w, const bool *done, unsigned ms);
/* Runs for that long. */
void world_pass(struct world *w, unsigned ms);
/* Moves the clock on at once. */
void world_skip(struct world *w, uint64_t ms);

/* One server: hosts a domain, knows a partner, listens on loopback. */
struct site {
	struct world *w;
	const char *hosted, *partner;
	struct identities *ids;
	struct tls_identity *raw; /* for scripted peers */
	struct hosting *hosting;
	uv_tcp_t listener;
	struct sockaddr_storage addr;
	const char *row;
	dialback_asker *ask;
	void *ask_arg;
	const struct s2s_in_events *in_events;
	void *in_arg;
	struct resolver_client *resolver;
	bool direct;
	unsigned in_count;
	bool closed;
};

struct site_opts {
	const char *hosted, *partner;
	const char *settings; /* JSON object, or NULL */
	const char
	    *row; /* of the partner: more members, each ",...", or NULL */
	dialback_asker *ask; /* for its inbound streams */
	void *ask_arg;
	const struct make_cert *issuer; /* NULL: the world's authority */
	/* of its certificate; "" kind ends; none: DNS-ID hosted */
	struct make_cert_name names[4];
	enum make_cert_eku eku;
	long from_s, to_s;
	struct resolver_client *resolver; /* of its inbound streams, or NULL */
	bool direct;                      /* accepts with TLS at once */
	const struct s2s_in_events *in_events; /* NULL: does not accept */
	void *in_arg;
};

void site_init(struct site *s, struct world *w, const struct site_opts *o);
void site_close(struct site *s); /* the listener; before world_finish */
void site_free(struct site *s);  /* the rest; after world_finish */
/* One more certificate, behind the others. */
void site_add_certificate(struct site *s, const char *name);
/* Replaces what the site permits; partner NULL: nobody. */
void site_permit(struct site *s, const char *partner, const char *settings);

/* A scripted peer over a connection of its own. */
struct script {
	struct world *w;
	struct conn *conn;
	struct buf seen;
	const char *want;
	bool connected, secured, found, ended;
	enum conn_end why;
};

void script_connect(struct script *p, struct site *to);
/* The next connection to arrive at listener will be this one's. */
void script_accept(struct script *p, struct world *w, uv_stream_t *listener);
void script_send(struct script *p, const char *text);
/* Runs until text was seen; what was seen up to it is forgotten. */
void script_expect(struct script *p, const char *text);
/* What has come lately, and was not expected yet, has that in it. */
bool script_has(struct script *p, const char *text);
/* Runs until the connection has ended, and says whether text was seen. */
bool script_ended_with(struct script *p, const char *text);
void script_tls_client(struct script *p, struct site *as);
/* Offers sni and alpn (wire form; both may be NULL) and runs until the
 * handshake is done or the connection has ended: whether it is done. */
bool script_tls_offer(
    struct script *p, struct site *as, const char *sni, const char *alpn);
void script_tls_server(struct script *p, struct site *as);
void script_close(struct script *p);

#endif
