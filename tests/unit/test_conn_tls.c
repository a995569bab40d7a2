/* Connections with TLS: the upgrade in place, its abuses, ends, pressure. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/clock.h"
#include "common/err.h"
#include "common/tls_engine.h"
#include "common/tls_identity.h"
#include "tests/unit/conn_rig.h"
#include "tests/unit/make_cert.h"

/* What both ends of a rig go by. */
struct plan {
	SSL_CTX *server, *client;
	size_t server_leftover, client_leftover;
	int server_rc, client_rc;
	const uint8_t *alpn;
	size_t alpn_len;
};

static struct make_cert ca, leaf, stranger;
/* Recorded verdicts and required trust, at both versions. */
static struct tls_identity recorded[2], required[2], strange[2];
static const int versions[2] = { TLS1_2_VERSION, TLS1_3_VERSION };
static uint8_t block[1024 * 1024];
static const size_t high = (size_t)256 * 1024; /* the default mark */

static void
open_identity(struct tls_identity *id, const struct make_cert *c,
    enum tls_peer peer, int version)
{
	const struct tls_identity_opts o = {
		.certificate = c->pem,
		.certificate_len = strlen(c->pem),
		.key = c->key_pem,
		.key_len = strlen(c->key_pem),
		.trust = ca.pem,
		.trust_len = strlen(ca.pem),
		.peer = peer,
		.judge_as_server = true,
		.min_version = version,
		.max_version = version,
	};
	char why[200];

	assert_int_equal(tls_identity_init(id, &o, why, sizeof why), 0);
}

static int
make_identities(void **state)
{
	(void)state;
	make_cert_new(
	    &ca, &(struct make_cert_opts){ .cn = "root", .ca = true });
	make_cert_new(
	    &leaf, &(struct make_cert_opts){ .cn = "leaf", .issuer = &ca });
	make_cert_new(&stranger, &(struct make_cert_opts){ .cn = "stranger" });
	for (int i = 0; i < 2; i++) {
		open_identity(
		    &recorded[i], &leaf, TLS_PEER_RECORDED, versions[i]);
		open_identity(
		    &required[i], &leaf, TLS_PEER_REQUIRED, versions[i]);
		open_identity(
		    &strange[i], &stranger, TLS_PEER_RECORDED, versions[i]);
	}
	return 0;
}

static int
free_identities(void **state)
{
	(void)state;
	for (int i = 0; i < 2; i++) {
		tls_identity_finish(&recorded[i]);
		tls_identity_finish(&required[i]);
		tls_identity_finish(&strange[i]);
	}
	make_cert_finish(&stranger);
	make_cert_finish(&leaf);
	make_cert_finish(&ca);
	return 0;
}

static int
write_pattern(struct end *e, size_t len)
{
	conn_rig_fill(block, (size_t)conn_bytes_written(e->conn), len);
	return conn_write(e->conn, block, len);
}

static void
close_both(struct rig *r)
{
	if (r->client.conn != NULL)
		conn_close(r->client.conn, CONN_END_LOCAL);
	if (r->server.conn != NULL)
		conn_close(r->server.conn, CONN_END_LOCAL);
	conn_rig_close(r);
}

/* ---- the two ways into TLS ------------------------------------------ */

/* "S" asks for TLS, "P" grants it. */
static void
on_starttls(struct end *e)
{
	struct plan *p = e->rig->test;

	e->on_data = NULL;
	assert_int_equal(e->chunk[0], 'S');
	e->len = 0;
	assert_int_equal(conn_write(e->conn, "P", 1), 0);
	p->server_rc = conn_start_tls_server(
	    e->conn, p->server, e->chunk_len - 1 + p->server_leftover);
}

static void
on_proceed(struct end *e)
{
	struct plan *p = e->rig->test;

	e->on_data = NULL;
	assert_int_equal(e->chunk[0], 'P');
	e->len = 0;
	p->client_rc = conn_start_tls_client(e->conn, p->client,
	    e->chunk_len - 1 + p->client_leftover, "partner.example", p->alpn,
	    p->alpn_len);
}

static void
on_up_server(struct end *e)
{
	struct plan *p = e->rig->test;

	assert_int_equal(conn_start_tls_server(e->conn, p->server, 0), 0);
}

static void
on_up_client(struct end *e)
{
	struct plan *p = e->rig->test;

	assert_int_equal(
	    conn_start_tls_client(e->conn, p->client, 0, NULL, NULL, 0), 0);
}

/* Both ends on the way through STARTTLS. */
static void
begin_starttls(struct rig *r, struct plan *p)
{
	conn_rig_open(r);
	r->test = p;
	r->server.on_data = on_starttls;
	r->client.on_data = on_proceed;
	conn_rig_connect(r);
	assert_int_equal(conn_write(r->client.conn, "S", 1), 0);
}

/* Both ends in TLS from the first byte; returns when both are secure. */
static void
secure_pair(struct rig *r, struct plan *p)
{
	conn_rig_open(r);
	r->test = p;
	r->server.on_up = on_up_server;
	r->client.on_up = on_up_client;
	conn_rig_connect(r);
	conn_rig_until(r, r->server.secured && r->client.secured);
}

static struct plan
plan_of(const struct tls_identity *server, const struct tls_identity *client)
{
	return (
	    struct plan){ .server = server->server, .client = client->client };
}

/* ---- a peer that does TLS by hand ----------------------------------- */

struct raw {
	int fd;
	struct tls_engine tls;
};

/* Carries bytes between the engine and the socket, step bytes a packet. */
static void
raw_carry(struct rig *r, struct raw *w, size_t step)
{
	uint8_t in[4096];
	const uint8_t *out;
	size_t len = tls_engine_output(&w->tls, &out);
	ssize_t n;

	for (size_t at = 0; at < len; at += step) {
		size_t piece = len - at < step ? len - at : step;

		assert_int_equal(
		    send(w->fd, out + at, piece, MSG_NOSIGNAL), piece);
		conn_rig_turn(r);
	}
	tls_engine_output_taken(&w->tls);
	conn_rig_turn(r);
	while ((n = recv(w->fd, in, sizeof in, MSG_DONTWAIT)) > 0)
		assert_int_equal(tls_engine_feed(&w->tls, in, (size_t)n), 0);
}

/* A raw client in TLS with our server's end. */
static void
raw_open(struct rig *r, struct raw *w, struct plan *p, size_t step)
{
	conn_rig_open(r);
	r->test = p;
	r->server.on_up = on_up_server;
	w->fd = conn_rig_raw_client(r);
	assert_int_equal(tls_engine_init(&w->tls, p->client, TLS_CLIENT), 0);
	while (!r->server.secured) {
		(void)tls_engine_handshake(&w->tls);
		raw_carry(r, w, step);
		assert_false(r->server.ended);
	}
	(void)tls_engine_handshake(&w->tls);
}

static void
raw_close(struct raw *w)
{
	tls_engine_finish(&w->tls);
	(void)close(w->fd);
}

static void
raw_write(struct rig *r, struct raw *w, const char *text, size_t step)
{
	size_t n;

	assert_int_equal(
	    tls_engine_write(&w->tls, text, strlen(text), &n), TLS_STEP_DONE);
	raw_carry(r, w, step);
}

/* ---- the upgrade ---------------------------------------------------- */

static void
starttls(void **state)
{
	(void)state;
	for (int i = 0; i < 2; i++) {
		struct plan p = plan_of(&recorded[i], &recorded[i]);
		struct rig r;

		begin_starttls(&r, &p);
		conn_rig_until(&r, r.server.secured && r.client.secured);
		assert_int_equal(p.server_rc, 0);
		assert_int_equal(p.client_rc, 0);
		assert_int_equal(
		    SSL_version(conn_ssl(r.server.conn)), versions[i]);
		assert_string_equal(SSL_get_servername(conn_ssl(r.server.conn),
					TLSEXT_NAMETYPE_host_name),
		    "partner.example");
		assert_int_equal(
		    tls_peer_verdict(conn_ssl(r.server.conn)), X509_V_OK);
		assert_int_equal(
		    tls_peer_verdict(conn_ssl(r.client.conn)), X509_V_OK);
		assert_int_equal(conn_write(r.client.conn, "one", 3), 0);
		assert_int_equal(conn_write(r.server.conn, "two", 3), 0);
		conn_rig_until(&r, r.server.len == 3 && r.client.len == 3);
		assert_true(conn_rig_has(&r.server, "one"));
		assert_true(conn_rig_has(&r.client, "two"));
		conn_close(r.client.conn, CONN_END_LOCAL);
		conn_rig_until(&r, r.server.ended);
		assert_int_equal(r.server.why, CONN_END_PEER);
		conn_rig_close(&r);
	}
}

/* What was written during the handshake leaves right behind it, and many
 * small writes leave as one record. */
static void
writes_wait_for_the_handshake(void **state)
{
	struct plan p = plan_of(&recorded[1], &recorded[1]);
	struct rig r;

	(void)state;
	begin_starttls(&r, &p);
	conn_rig_until(&r, r.client.on_data == NULL);
	for (int i = 0; i < 100; i++)
		assert_int_equal(
		    conn_write(r.client.conn, "0123456789", 10), 0);
	assert_true(conn_queued(r.client.conn) >= 1000);
	assert_false(conn_rig_acknowledged(r.client.conn));
	conn_rig_until(&r, r.server.len == 1000);
	assert_int_equal(r.server.chunks, 2); /* "S", and all of it */
	conn_rig_until(&r, conn_rig_acknowledged(r.client.conn));
	close_both(&r);
}

static void
plaintext_behind_the_upgrade(void **state)
{
	(void)state;
	for (int i = 0; i < 2; i++) {
		struct plan p = plan_of(&recorded[1], &recorded[1]);
		struct end *victim, *other;
		struct rig r;

		if (i == 0)
			p.server_leftover = 7;
		else
			p.client_leftover = 7;
		begin_starttls(&r, &p);
		victim = i == 0 ? &r.server : &r.client;
		other = i == 0 ? &r.client : &r.server;
		conn_rig_until(&r, victim->ended && other->ended);
		assert_int_equal(
		    i == 0 ? p.server_rc : p.client_rc, ERR_PROTOCOL);
		assert_int_equal(victim->why, CONN_END_PLAINTEXT);
		assert_int_equal(victim->rc, ERR_PROTOCOL);
		assert_false(victim->secured);
		assert_false(other->secured);
		conn_rig_close(&r);
	}
}

/* The same over the wire: "S" and more in one packet. */
static void
injected_plaintext_is_never_parsed(void **state)
{
	struct plan p = plan_of(&recorded[1], &recorded[1]);
	struct rig r;
	int fd;

	(void)state;
	conn_rig_open(&r);
	r.test = &p;
	r.server.on_data = on_starttls;
	fd = conn_rig_raw_client(&r);
	assert_int_equal(send(fd, "S<message/>", 11, 0), 11);
	conn_rig_until(&r, r.server.ended);
	assert_int_equal(r.server.why, CONN_END_PLAINTEXT);
	assert_int_equal(r.server.chunks, 1);
	(void)close(fd);
	conn_rig_close(&r);
}

/* What comes where a handshake should be, and the alert record it is worth;
 * to what is no TLS at all OpenSSL sends none. */
static const struct {
	const char *bytes;
	size_t len;
	const char *detail;
	bool alert;
} no_hellos[] = {
	{ "<message/><message/>", 20, "wrong version number", false },
	{ "GET / HTTP/1.1\r\n\r\n", 18, "http request", false },
	{ "\x16\x03\x01\x00\x05hello", 10, "unexpected message", true },
};

static void
no_handshake_where_one_should_be(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof no_hellos / sizeof no_hellos[0]; i++) {
		struct plan p = plan_of(&recorded[1], &recorded[1]);
		uint8_t got[16] = { 0 };
		struct rig r;
		int fd;

		conn_rig_open(&r);
		r.test = &p;
		r.server.on_data = on_starttls;
		fd = conn_rig_raw_client(&r);
		assert_int_equal(send(fd, "S", 1, 0), 1);
		conn_rig_until(&r, r.server.on_data == NULL);
		assert_int_equal(
		    send(fd, no_hellos[i].bytes, no_hellos[i].len, 0),
		    no_hellos[i].len);
		/* The alert and FIN are out before the end is reported. */
		conn_rig_until(
		    &r, conn_write(r.server.conn, "", 0) == ERR_CLOSED);
		for (int k = 0; k < 5; k++)
			conn_rig_turn(&r);
		assert_int_equal(recv(fd, got, sizeof got, MSG_WAITALL),
		    no_hellos[i].alert ? 8 : 1);
		assert_int_equal(got[0], 'P');
		assert_int_equal(got[1], no_hellos[i].alert ? 21 : 0);
		assert_false(r.server.ended);
		assert_int_equal(shutdown(fd, SHUT_WR), 0);
		conn_rig_until(&r, r.server.ended);
		assert_int_equal(r.server.why, CONN_END_TLS);
		assert_int_equal(r.server.rc, ERR_TLS);
		assert_string_equal(r.server.detail, no_hellos[i].detail);
		assert_int_equal(r.server.len, 0);
		(void)close(fd);
		conn_rig_close(&r);
	}
}

static void
start_tls_out_of_turn(void **state)
{
	struct plan p = plan_of(&recorded[1], &recorded[1]);
	struct rig r;

	(void)state;
	conn_rig_open(&r);
	conn_rig_connect(&r);
	assert_int_equal(
	    conn_start_tls_client(r.client.conn, p.client, 0, NULL, NULL, 0),
	    ERR_BAD_STATE);
	conn_abort(r.client.conn, CONN_END_LOCAL);
	assert_int_equal(
	    conn_start_tls_client(r.client.conn, p.client, 0, NULL, NULL, 0),
	    ERR_CLOSED);
	for (int i = 0; i < 10; i++)
		conn_rig_turn(&r);
	conn_rig_close(&r);

	secure_pair(&r, &p);
	assert_int_equal(
	    conn_start_tls_server(r.server.conn, p.server, 0), ERR_BAD_STATE);
	close_both(&r);
}

static int
on_alpn(SSL *ssl, const unsigned char **out, unsigned char *out_len,
    const unsigned char *in, unsigned in_len, void *arg)
{
	static const unsigned char ours[] = "\x0bxmpp-server";
	unsigned char *chosen;
	int rc;

	(void)ssl, (void)arg;
	rc = SSL_select_next_proto(
	    &chosen, out_len, ours, sizeof ours - 1, in, in_len);
	*out = chosen;
	return rc == OPENSSL_NPN_NEGOTIATED ? SSL_TLSEXT_ERR_OK
					    : SSL_TLSEXT_ERR_NOACK;
}

static void
alpn(void **state)
{
	static const uint8_t offer[] = "\x02h2\x0bxmpp-server";
	struct plan p = plan_of(&recorded[1], &recorded[1]);
	const unsigned char *chosen;
	unsigned len;
	struct rig r;

	(void)state;
	SSL_CTX_set_alpn_select_cb(p.server, on_alpn, NULL);
	p.alpn = offer;
	p.alpn_len = sizeof offer - 1;
	begin_starttls(&r, &p);
	conn_rig_until(&r, r.server.secured && r.client.secured);
	SSL_get0_alpn_selected(conn_ssl(r.client.conn), &chosen, &len);
	assert_int_equal(len, 11);
	assert_memory_equal(chosen, "xmpp-server", 11);
	close_both(&r);
	SSL_CTX_set_alpn_select_cb(p.server, NULL, NULL);
}

/* ---- verdicts and refusals ------------------------------------------ */

static void
stranger_is_recorded(void **state)
{
	(void)state;
	for (int i = 0; i < 2; i++) {
		struct plan p = plan_of(&recorded[i], &strange[i]);
		struct rig r;

		secure_pair(&r, &p);
		assert_int_equal(tls_peer_verdict(conn_ssl(r.server.conn)),
		    X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT);
		close_both(&r);
	}
}

/* Both ends learn why, the refused one by the alert. */
static void
stranger_is_refused(void **state)
{
	(void)state;
	for (int i = 0; i < 2; i++) {
		struct plan p = plan_of(&required[i], &strange[i]);
		struct rig r;

		conn_rig_open(&r);
		r.test = &p;
		r.server.on_up = on_up_server;
		r.client.on_up = on_up_client;
		conn_rig_connect(&r);
		conn_rig_until(&r, r.server.ended && r.client.ended);
		assert_int_equal(r.server.why, CONN_END_TLS);
		assert_string_equal(r.server.detail,
		    "certificate verify failed: self-signed certificate");
		assert_int_equal(r.client.why, CONN_END_TLS);
		assert_non_null(strstr(r.client.detail, "alert"));
		assert_false(r.server.secured);
		conn_rig_close(&r);
	}
}

static void
handshake_takes_too_long(void **state)
{
	struct plan p = plan_of(&recorded[1], &recorded[1]);
	struct rig r;
	int fd;

	(void)state;
	conn_rig_open(&r);
	r.test = &p;
	r.server.on_up = on_up_server;
	fd = conn_rig_raw_client(&r);
	clock_advance(r.clock, 19999);
	conn_rig_turn(&r);
	assert_false(r.server.ended);
	clock_advance(r.clock, 1);
	conn_rig_until(&r, r.server.ended);
	assert_int_equal(r.server.why, CONN_END_TLS_TIMEOUT);
	assert_int_equal(r.server.rc, ERR_TIMEOUT);
	(void)close(fd);
	conn_rig_close(&r);
}

/* Once secure, the handshake's limit is no longer there. */
static void
no_limit_once_secure(void **state)
{
	struct plan p = plan_of(&recorded[1], &recorded[1]);
	struct rig r;

	(void)state;
	secure_pair(&r, &p);
	clock_advance(r.clock, 3600000);
	for (int i = 0; i < 5; i++)
		conn_rig_turn(&r);
	assert_false(r.server.ended || r.client.ended);
	close_both(&r);
}

static void
peer_leaves_during_the_handshake(void **state)
{
	struct plan p = plan_of(&recorded[1], &recorded[1]);
	struct rig r;
	int fd;

	(void)state;
	conn_rig_open(&r);
	r.test = &p;
	r.server.on_up = on_up_server;
	fd = conn_rig_raw_client(&r);
	(void)close(fd);
	conn_rig_until(&r, r.server.ended);
	assert_int_equal(r.server.why, CONN_END_TLS);
	assert_int_equal(r.server.rc, UV_EOF);
	conn_rig_close(&r);
}

/* ---- ends ----------------------------------------------------------- */

static void
close_sends_what_is_queued(void **state)
{
	(void)state;
	for (int i = 0; i < 2; i++) {
		struct plan p = plan_of(&recorded[i], &recorded[i]);
		struct rig r;

		secure_pair(&r, &p);
		for (int k = 0; k < 3; k++)
			assert_int_equal(
			    write_pattern(&r.client, sizeof block), 0);
		conn_close(r.client.conn, CONN_END_LOCAL);
		conn_rig_until(&r, r.server.ended && r.client.ended);
		assert_int_equal(r.server.len, 3 * sizeof block);
		assert_true(conn_rig_is_pattern(&r.server));
		assert_int_equal(r.server.why, CONN_END_PEER);
		assert_int_equal(r.client.why, CONN_END_LOCAL);
		conn_rig_close(&r);
	}
}

static void
truncation_is_told_apart(void **state)
{
	(void)state;
	for (int i = 0; i < 2; i++) {
		struct plan p = plan_of(&recorded[i], &recorded[i]);
		struct rig r;

		secure_pair(&r, &p);
		assert_int_equal(conn_write(r.client.conn, "half", 4), 0);
		conn_rig_until(&r, r.server.len == 4);
		conn_abort(r.client.conn, CONN_END_LOCAL);
		conn_rig_until(&r, r.server.ended);
		assert_int_equal(r.server.why, CONN_END_TLS_TRUNCATED);
		conn_rig_close(&r);
	}
}

/* A peer that has said close_notify but reads on gets our rest and ours. */
static void
close_notify_is_answered(void **state)
{
	struct plan p = plan_of(&recorded[1], &recorded[1]);
	enum tls_step step;
	uint8_t got[64];
	struct raw w;
	struct rig r;
	size_t n;

	(void)state;
	raw_open(&r, &w, &p, SIZE_MAX / 2);
	conn_pause(r.server.conn);
	assert_int_equal(conn_write(r.server.conn, "the rest", 8), 0);
	tls_engine_close(&w.tls);
	raw_carry(&r, &w, SIZE_MAX / 2);
	conn_resume(r.server.conn);
	for (int i = 0; i < 10; i++)
		raw_carry(&r, &w, SIZE_MAX / 2);
	step = tls_engine_read(&w.tls, got, sizeof got, &n);
	assert_int_equal(step, TLS_STEP_DONE);
	assert_int_equal(n, 8);
	step = tls_engine_read(&w.tls, got, sizeof got, &n);
	assert_int_equal(step, TLS_STEP_CLOSED);
	assert_false(r.server.ended); /* waits for our FIN */
	raw_close(&w);
	conn_rig_until(&r, r.server.ended);
	assert_int_equal(r.server.why, CONN_END_PEER);
	conn_rig_close(&r);
}

/* A broken record: an alert, a short time for it, no data. */
static void
garbage_within_tls(void **state)
{
	static const uint8_t garbage[] = "\x17\x03\x03\x00\x14"
					 "01234567890123456789";
	struct plan p = plan_of(&recorded[1], &recorded[1]);
	struct raw w;
	struct rig r;

	(void)state;
	raw_open(&r, &w, &p, SIZE_MAX / 2);
	assert_int_equal(
	    send(w.fd, garbage, sizeof garbage - 1, 0), sizeof garbage - 1);
	for (int i = 0; i < 10; i++)
		conn_rig_turn(&r);
	assert_false(r.server.ended);
	clock_advance(r.clock, 1000);
	conn_rig_until(&r, r.server.ended);
	assert_int_equal(r.server.why, CONN_END_TLS);
	assert_int_equal(r.server.len, 0);
	raw_close(&w);
	conn_rig_close(&r);
}

static void
on_any_close(struct end *e)
{
	conn_close(e->conn, CONN_END_LOCAL);
}

static void
on_any_abort(struct end *e)
{
	conn_abort(e->conn, CONN_END_LOCAL);
}

/* Closing when secured, when data comes, and in the middle of a handshake. */
static void
close_in_every_state(void **state)
{
	(void)state;
	for (int i = 0; i < 12; i++) {
		conn_rig_hook_fn *way = i % 2 ? on_any_abort : on_any_close;
		struct plan p = plan_of(&recorded[1], &recorded[1]);
		struct end *closer;
		struct rig r;

		begin_starttls(&r, &p);
		closer = i / 2 % 2 ? &r.server : &r.client;
		if (i / 4 == 0) {
			closer->on_secured = way;
		} else if (i / 4 == 1) {
			conn_rig_until(
			    &r, r.client.secured && r.server.secured);
			closer->on_data = way;
			(void)conn_write(r.client.conn, "a", 1);
			(void)conn_write(r.server.conn, "b", 1);
		} else {
			/* Both have begun, neither is done. */
			conn_rig_until(&r, r.client.on_data == NULL);
			assert_false(r.client.secured || r.server.secured);
			way(closer);
		}
		conn_rig_until(&r, r.client.ended && r.server.ended);
		assert_int_equal(closer->why, CONN_END_LOCAL);
		assert_false(i / 4 == 2 && closer->secured);
		conn_rig_close(&r);
	}
}

/* ---- pressure ------------------------------------------------------- */

static void
slow_reader_fills_and_drains(void **state)
{
	(void)state;
	for (int i = 0; i < 2; i++) {
		struct plan p = plan_of(&recorded[i], &recorded[i]);
		struct rig r;
		size_t total;

		secure_pair(&r, &p);
		conn_pause(r.server.conn);
		while (r.client.backlogs == 0) {
			assert_int_equal(write_pattern(&r.client, 65536), 0);
			conn_rig_turn(&r);
		}
		assert_true(conn_queued(r.client.conn) > high);
		assert_true(conn_queued(r.client.conn) < 2 * high);
		total = (size_t)conn_bytes_written(r.client.conn);
		conn_resume(r.server.conn);
		conn_rig_until(&r, r.server.len == total);
		conn_rig_until(&r, r.client.drains == 1);
		assert_true(conn_rig_is_pattern(&r.server));
		conn_rig_until(&r, conn_rig_acknowledged(r.client.conn));
		close_both(&r);
	}
}

static void
reader_that_never_reads_is_cut_off(void **state)
{
	struct plan p = plan_of(&recorded[1], &recorded[1]);
	struct rig r;
	int rc = 0;

	(void)state;
	secure_pair(&r, &p);
	conn_pause(r.server.conn);
	for (int i = 0; rc == 0 && i < 1000; i++) {
		rc = conn_write(r.client.conn, block, 65536);
		conn_rig_turn(&r);
	}
	assert_int_equal(rc, ERR_FULL);
	conn_rig_until(&r, r.client.ended);
	assert_int_equal(r.client.why, CONN_END_WRITE_FULL);
	conn_resume(r.server.conn);
	conn_rig_until(&r, r.server.ended);
	assert_int_not_equal(r.server.why, CONN_END_PEER);
	conn_rig_close(&r);
}

static void
on_data_pause(struct end *e)
{
	conn_pause(e->conn);
}

/* Records that are in already when the owner pauses wait their turn. */
static void
pause_holds_records_back(void **state)
{
	struct plan p = plan_of(&recorded[1], &recorded[1]);
	struct raw w;
	struct rig r;
	size_t n;

	(void)state;
	raw_open(&r, &w, &p, SIZE_MAX / 2);
	r.server.on_data = on_data_pause;
	for (int i = 0; i < 5; i++)
		assert_int_equal(
		    tls_engine_write(&w.tls, "record", 6, &n), TLS_STEP_DONE);
	raw_carry(&r, &w, SIZE_MAX / 2); /* five records, one packet */
	for (size_t i = 1; i <= 5; i++) {
		conn_rig_until(&r, r.server.len == 6 * i);
		for (int k = 0; k < 5; k++)
			conn_rig_turn(&r);
		assert_int_equal(r.server.chunks, i);
		conn_resume(r.server.conn);
	}
	raw_close(&w);
	close_both(&r);
}

/* The handshake does not wait for an owner that has paused; data does. */
static void
pause_does_not_stop_the_handshake(void **state)
{
	struct plan p = plan_of(&recorded[1], &recorded[1]);
	struct rig r;

	(void)state;
	begin_starttls(&r, &p);
	conn_rig_until(&r, r.server.on_data == NULL);
	conn_pause(r.server.conn);
	conn_rig_until(&r, r.client.on_data == NULL);
	assert_int_equal(conn_write(r.client.conn, "early", 5), 0);
	conn_rig_until(&r, r.server.secured && r.client.secured);
	for (int i = 0; i < 10; i++)
		conn_rig_turn(&r);
	assert_int_equal(r.server.len, 0);
	conn_resume(r.server.conn);
	conn_rig_until(&r, r.server.len == 5);
	close_both(&r);
}

static void
everything_in_single_bytes(void **state)
{
	(void)state;
	for (int i = 0; i < 2; i++) {
		struct plan p = plan_of(&recorded[i], &recorded[i]);
		struct raw w;
		struct rig r;

		raw_open(&r, &w, &p, 1);
		raw_write(&r, &w, "torn", 1);
		raw_write(&r, &w, " apart", 1);
		conn_rig_until(&r, r.server.len == 10);
		assert_true(conn_rig_has(&r.server, "torn apart"));
		raw_close(&w);
		close_both(&r);
	}
}

enum { TOTAL = 16 * 1024 * 1024 };

/* Keeps writing until it has written it all or is told to wait. */
static void
on_drained_more(struct end *e)
{
	size_t left = TOTAL - (size_t)conn_bytes_written(e->conn);

	while (left > 0 && !conn_backlogged(e->conn)) {
		size_t n = left < 50000 ? left : 50000;

		assert_int_equal(write_pattern(e, n), 0);
		left -= n;
	}
}

static void
big_transfers_both_ways(void **state)
{
	(void)state;
	for (int i = 0; i < 2; i++) {
		struct plan p = plan_of(&recorded[i], &recorded[i]);
		struct rig r;

		secure_pair(&r, &p);
		r.client.on_drained = on_drained_more;
		r.server.on_drained = on_drained_more;
		on_drained_more(&r.client);
		on_drained_more(&r.server);
		conn_rig_until(
		    &r, r.server.len == TOTAL && r.client.len == TOTAL);
		assert_true(conn_rig_is_pattern(&r.server));
		assert_true(conn_rig_is_pattern(&r.client));
		assert_true(r.client.backlogs > 0);
		close_both(&r);
	}
}

enum { MANY = 200 };

static void
many_connections_leave_nothing(void **state)
{
	(void)state;
	for (int i = 0; i < MANY; i++) {
		struct plan p = plan_of(&required[i % 2], &required[i % 2]);
		struct rig r;

		secure_pair(&r, &p);
		if (i % 4 < 2)
			conn_close(r.client.conn, CONN_END_LOCAL);
		else
			conn_abort(r.server.conn, CONN_END_LOCAL);
		conn_rig_close(&r);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(starttls),
		cmocka_unit_test(writes_wait_for_the_handshake),
		cmocka_unit_test(plaintext_behind_the_upgrade),
		cmocka_unit_test(injected_plaintext_is_never_parsed),
		cmocka_unit_test(no_handshake_where_one_should_be),
		cmocka_unit_test(start_tls_out_of_turn),
		cmocka_unit_test(alpn),
		cmocka_unit_test(stranger_is_recorded),
		cmocka_unit_test(stranger_is_refused),
		cmocka_unit_test(handshake_takes_too_long),
		cmocka_unit_test(no_limit_once_secure),
		cmocka_unit_test(peer_leaves_during_the_handshake),
		cmocka_unit_test(close_sends_what_is_queued),
		cmocka_unit_test(truncation_is_told_apart),
		cmocka_unit_test(close_notify_is_answered),
		cmocka_unit_test(garbage_within_tls),
		cmocka_unit_test(close_in_every_state),
		cmocka_unit_test(slow_reader_fills_and_drains),
		cmocka_unit_test(reader_that_never_reads_is_cut_off),
		cmocka_unit_test(pause_holds_records_back),
		cmocka_unit_test(pause_does_not_stop_the_handshake),
		cmocka_unit_test(everything_in_single_bytes),
		cmocka_unit_test(big_transfers_both_ways),
		cmocka_unit_test(many_connections_leave_nothing),
	};

	return cmocka_run_group_tests(tests, make_identities, free_identities);
}
