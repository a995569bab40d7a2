/*
 * A stream from its first byte to its last, with everything that stands
 * between: headers, STARTTLS, SASL, dialback, stream management, both
 * directions.  We are the one who accepted, or the one who dialled.
 *
 * Input: a byte of flags, then chunks, a length byte and so many bytes each:
 * so the peer's bytes are cut anywhere.  A chunk of length 0 lets time pass, one
 * of 255 changes something (see change()).
 *
 * Whoever has not shown a certificate of the domain gets nothing through where
 * the partner's row demands one, and no pair but one of a partner and our own
 * domain is ever told of a stanza.  Every stream ends once.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <arpa/inet.h>
#include <openssl/ssl.h>

#include "common/buf.h"
#include "common/clock.h"
#include "common/jid.h"
#include "common/log.h"
#include "common/tls_identity.h"
#include "edge-proxy/hosting.h"
#include "edge-proxy/identities.h"
#include "edge-proxy/s2s_in.h"
#include "edge-proxy/s2s_out.h"
#include "proto/frame.h"
#include "tests/fuzz/conn_memory.c"
#include "tests/unit/make_cert.c"

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Flags. */
enum {
	DIALS = 1,       /* we do */
	CERTIFICATE = 6, /* two bits: see certificates[] */
	REMOTE = 24,     /* two bits: whom we dial */
	DIRECT = 32,
	VOUCHES = 64, /* the authority answers questions about keys */
	MANAGED = 128 /* we write stanzas once we may */
};

static const char *const remotes[] = { "strict.example", "loose.example",
	"plain.example", "strict.example" };
static const char *const certificates[] = { "strict.example", "other.example",
	NULL, "loose.example" };

enum { PEERS = 4, ASKED_MAX = 8 };

static struct {
	uv_loop_t loop;
	struct hosting *hosting;
	bool partners; /* in its configuration */
	struct identities *ids;
	struct tls_identity own;
	SSL *accepted[PEERS], *dialled[PEERS];
	/* What these were made with lives as long as they do. */
	SSL *others[2 * PEERS];
	SSL_CTX *bare;
	struct tls_identity peers[PEERS];
	struct make_cert ca, leaf, leaves[PEERS];
} world;

/* One run. */
static struct run {
	struct clock *clock;
	struct s2s_in *in;
	struct s2s_out *out;
	uint8_t flags;
	const char *proven; /* domain of the certificate, or NULL */
	struct dialback_ask *asked[ASKED_MAX];
	size_t asked_count;
	bool vouched; /* an authority said yes, or the peer took our key */
	unsigned opened, ended;
	bool up;
} run;

static void
require(bool truth)
{
	if (!truth)
		abort();
}

/* --- once ------------------------------------------------------------------- */

static void
shake_hands(SSL *server, SSL *client)
{
	BIO *a = NULL, *b = NULL;

	require(BIO_new_bio_pair(&a, 0, &b, 0) == 1);
	SSL_set_bio(server, a, a);
	SSL_set_bio(client, b, b);
	SSL_set_accept_state(server);
	SSL_set_connect_state(client);
	for (int i = 0; i < 10; i++) {
		(void)SSL_do_handshake(client);
		(void)SSL_do_handshake(server);
	}
	require(SSL_is_init_finished(server) && SSL_is_init_finished(client));
}

static void
identify(struct tls_identity *out, const struct make_cert *ca,
    const struct make_cert *leaf)
{
	char why[200];

	if (tls_identity_init(out,
		&(struct tls_identity_opts){ .certificate = leaf->pem,
		    .certificate_len = strlen(leaf->pem),
		    .key = leaf->key_pem,
		    .key_len = strlen(leaf->key_pem),
		    .trust = ca->pem,
		    .trust_len = strlen(ca->pem),
		    .peer = TLS_PEER_RECORDED,
		    .judge_as_server = true,
		    .min_version = TLS1_2_VERSION },
		why, sizeof(why)) < 0) {
		fprintf(stderr, "%s\n", why);
		abort();
	}
}

static void
make_leaf(struct make_cert *out, const struct make_cert *ca, const char *name)
{
	make_cert_new(out, &(struct make_cert_opts){ .cn = name,
			       .issuer = ca,
			       .eku = MAKE_CERT_EKU_BOTH,
			       .names = { { MAKE_CERT_DNS, name, 0 } } });
}

/* What both ends hold after a handshake with a peer of that certificate. */
static void
meet(size_t i)
{
	SSL_CTX *server = world.own.server, *client = world.bare;
	SSL **others = &world.others[2 * i];

	if (certificates[i] != NULL) {
		make_leaf(&world.leaves[i], &world.ca, certificates[i]);
		identify(&world.peers[i], &world.ca, &world.leaves[i]);
		client = world.peers[i].client;
		server = world.peers[i].server;
	}
	world.accepted[i] = SSL_new(world.own.server);
	others[0] = SSL_new(client);
	require(world.accepted[i] != NULL && others[0] != NULL);
	shake_hands(world.accepted[i], others[0]);
	world.dialled[i] = SSL_new(world.own.client);
	others[1] = SSL_new(server);
	require(world.dialled[i] != NULL && others[1] != NULL);
	shake_hands(others[1], world.dialled[i]);
}

int
LLVMFuzzerInitialize(int *argc, char ***argv)
{
	struct tls_identity copy;

	(void)argc;
	(void)argv;
	log_set_fd(getenv("TEST_LOG") != NULL ? 2 : -1);
	require(uv_loop_init(&world.loop) == 0);
	make_cert_new(
	    &world.ca, &(struct make_cert_opts){ .cn = "ca", .ca = true });
	make_leaf(&world.leaf, &world.ca, "ours.example");
	identify(&world.own, &world.ca, &world.leaf);
	identify(&copy, &world.ca, &world.leaf);
	require(identities_new(&world.ids) == 0 &&
		identities_add(world.ids, &copy) == 0);
	world.bare = SSL_CTX_new(TLS_method());
	require(world.bare != NULL && hosting_new(&world.hosting) == 0);
	for (size_t i = 0; i < PEERS; i++)
		meet(i);
	return 0;
}

/* --- the site ---------------------------------------------------------------- */

static void
configure(bool partners)
{
	static const char rows[] =
	    "{\"Domain\":\"strict.example\",\"PartnerType\":\"Federated\"},"
	    "{\"Domain\":\"loose.example\",\"PartnerType\":\"Federated\","
	    "\"TlsNegotiation\":\"Optional\",\"SaslNegotiation\":\"Optional\"},"
	    "{\"Domain\":\"plain.example\",\"PartnerType\":\"Federated\","
	    "\"TlsNegotiation\":\"NotSupported\","
	    "\"SaslNegotiation\":\"NotSupported\"}";
	static unsigned counter;
	struct buf out, json, confirm;
	struct frame_writer w;
	struct frame f;

	if (partners == world.partners)
		return;
	world.partners = partners;
	buf_init(&out, 0);
	buf_init(&json, 0);
	buf_init(&confirm, 0);
	(void)buf_addf(&json,
	    "{\"generation\":{\"store\":\"s\",\"counter\":%u},"
	    "\"hosted\":[{\"domain\":\"ours.example\"}],\"partners\":[%s],"
	    "\"dialback\":{\"current\":\"00112233445566778899aabbccddeeff\"},"
	    "\"settings\":{\"bidi\":true}}",
	    ++counter, partners ? rows : "");
	frame_begin(&w, &out, FRAME_CONFIG);
	frame_put(&w, FIELD_JSON, json.data, json.len);
	require(frame_end(&w) == 0 &&
		frame_decode(&f, out.data, out.len) == 0 &&
		hosting_apply(world.hosting, "gw", "s", 1, &f, &confirm) == 0);
	buf_finish(&out);
	buf_finish(&json);
	buf_finish(&confirm);
}

static bool
is_partner(const char *domain)
{
	return strcmp(domain, "strict.example") == 0 ||
	       strcmp(domain, "loose.example") == 0 ||
	       strcmp(domain, "plain.example") == 0;
}

/* What a pair must have shown to be let in. */
static void
check_let_in(const char *local, const char *remote)
{
	require(strcmp(local, "ours.example") == 0 && is_partner(remote));
	if (run.proven != NULL && strcmp(run.proven, remote) == 0 &&
	    conn_memory.secured)
		return;
	require(run.vouched && strcmp(remote, "strict.example") != 0);
}

/* --- inward ------------------------------------------------------------------ */

static void
on_event(struct s2s_in *s, enum stream_event ev, const struct stream_info *info,
    void *arg)
{
	(void)ev;
	(void)arg;
	require(s == run.in && s2s_in_is_up(s));
	run.up = true;
	for (size_t i = 0; i < info->pair_count; i++)
		check_let_in(info->pairs[i].local, info->pairs[i].remote);
}

static uint64_t stanzas;

static void
on_stanza(struct s2s_in *s, const struct xml_elem *e, const struct jid *from,
    const struct jid *to, void *arg)
{
	(void)e;
	(void)arg;
	require(run.up && s2s_in_carries(s, to->ascii, from->ascii));
	check_let_in(to->ascii, from->ascii);
	s2s_in_handled(s, ++stanzas);
}

static void
on_in_end(
    struct s2s_in *s, bool was_up, const struct stream_info *info, void *arg)
{
	(void)info;
	(void)arg;
	require(s == run.in && was_up == run.up);
	run.in = NULL;
	run.ended++;
}

static const struct s2s_in_events in_events = {
	.on_event = on_event,
	.on_stanza = on_stanza,
	.on_end = on_in_end,
};

static void
on_cancel(struct dialback_ask *a)
{
	for (size_t i = 0; i < run.asked_count; i++)
		if (run.asked[i] == a) {
			run.asked[i] = run.asked[--run.asked_count];
			return;
		}
	abort();
}

static int
on_ask(struct dialback_ask *a, void *arg)
{
	(void)arg;
	if (run.asked_count == ASKED_MAX)
		return ERR_FULL;
	a->on_cancel = on_cancel;
	run.asked[run.asked_count++] = a;
	return 0;
}

/* --- outward ----------------------------------------------------------------- */

static void
on_up(struct s2s_out *s, void *arg)
{
	static const char stanza[] = "<message from='a@ours.example' "
				     "to='b@strict.example'><body>x</body>"
				     "</message>";

	(void)arg;
	require(s == run.out && !run.up);
	run.up = true;
	/* The one we dialled has its certificate to show, unless its row does
	 * without. */
	if (strcmp(remotes[(run.flags & REMOTE) >> 3], "strict.example") == 0)
		require(conn_memory.secured && run.proven != NULL &&
			strcmp(run.proven, "strict.example") == 0);
	if (run.flags & MANAGED)
		(void)s2s_out_write(s, stanza, sizeof(stanza) - 1);
}

static void
on_back(struct s2s_out *s, const struct xml_elem *e, const struct jid *from,
    const struct jid *to, void *arg)
{
	(void)e;
	(void)arg;
	require(s == run.out && run.up &&
		strcmp(to->ascii, "ours.example") == 0 &&
		strcmp(from->ascii, remotes[(run.flags & REMOTE) >> 3]) == 0);
}

static void
on_out_end(struct s2s_out *s, const struct s2s_out_end *end,
    const struct stream_info *info, void *arg)
{
	(void)end;
	(void)info;
	(void)arg;
	require(s == run.out);
	run.out = NULL;
	run.ended++;
}

static void
on_drained(struct s2s_out *s, void *arg)
{
	(void)s;
	(void)arg;
}

static const struct s2s_out_events out_events = { .on_up = on_up,
	.on_drained = on_drained,
	.on_stanza = on_back,
	.on_end = on_out_end };

/* --- one run ------------------------------------------------------------------ */

static void
settle(void)
{
	for (int i = 0; i < 20; i++) {
		clock_advance(run.clock, 1);
		uv_run(&world.loop, UV_RUN_NOWAIT);
		if (!conn_memory_turn())
			break;
	}
}

static void
answer_asked(bool valid)
{
	struct dialback_ask *a;

	if (run.asked_count == 0)
		return;
	a = run.asked[--run.asked_count];
	run.vouched = run.vouched || valid;
	a->on_answer(a, valid ? DIALBACK_VALID : DIALBACK_INVALID,
	    COND_UNDEFINED_CONDITION);
}

/* Something that is no byte of the peer. */
static void
change(uint8_t what)
{
	switch (what & 7) {
	case 0:
		conn_memory_hang_up();
		break;
	case 1:
		if (run.in != NULL)
			s2s_in_pause(run.in);
		break;
	case 2:
		if (run.in != NULL)
			s2s_in_resume(run.in);
		break;
	case 3:
		configure(false);
		if (run.in != NULL)
			s2s_in_recheck(run.in);
		break;
	case 4:
		answer_asked((run.flags & VOUCHES) != 0);
		break;
	case 5:
		if (run.in != NULL)
			s2s_in_rest(run.in);
		if (run.out != NULL)
			s2s_out_rest(run.out);
		break;
	case 6:
		if (run.out != NULL)
			s2s_out_request_ack(run.out);
		break;
	default:
		if (run.in != NULL)
			s2s_in_close(run.in, STREAM_ERR_NONE, NULL);
		if (run.out != NULL)
			s2s_out_close(run.out, STREAM_ERR_NONE, NULL);
		break;
	}
}

static void
open_stream(void)
{
	const unsigned which = (run.flags & CERTIFICATE) >> 1;
	struct sockaddr_in addr = { .sin_family = AF_INET,
		.sin_port = htons(5269) };

	run.proven = certificates[which];
	if (run.flags & DIALS) {
		conn_memory.ssl = world.dialled[which];
		/* Without one of his own the peer showed ours. */
		if (run.proven == NULL)
			run.proven = "ours.example";
		/* Whoever is asked takes our key or does not, as he likes. */
		run.vouched = true;
		require(s2s_out_open(&run.out,
			    &(struct s2s_out_opts){ .loop = &world.loop,
				.clock = run.clock,
				.hosting = world.hosting,
				.identities = world.ids,
				.id = "f.1",
				.local = "ours.example",
				.remote = remotes[(run.flags & REMOTE) >> 3],
				.addr = (struct sockaddr *)&addr,
				.direct = (run.flags & DIRECT) != 0,
				.events = &out_events }) == 0);
	} else {
		conn_memory.ssl = world.accepted[which];
		require(s2s_in_open(&run.in, (uv_stream_t *)&run,
			    &(struct s2s_in_opts){ .loop = &world.loop,
				.clock = run.clock,
				.hosting = world.hosting,
				.identities = world.ids,
				.direct = (run.flags & DIRECT) != 0,
				.id = "f.1",
				.ask = on_ask,
				.events = &in_events }) == 0);
	}
	run.opened++;
	settle();
}

static void
end_stream(void)
{
	while (run.asked_count > 0)
		answer_asked(false);
	conn_memory_hang_up();
	for (int i = 0; i < 100 && run.ended < run.opened; i++) {
		clock_advance(run.clock, 1000);
		settle();
	}
	require(run.ended == run.opened && !conn_memory.alive);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (size == 0)
		return 0;
	memset(&run, 0, sizeof(run));
	stanzas = 0;
	run.flags = data[0];
	data++;
	size--;
	require(clock_open_manual(
		    &run.clock, 1000, (int64_t)time(NULL) * 1000) == 0);
	configure(true);
	open_stream();
	while (size > 0 && run.ended == 0) {
		size_t len = data[0];

		data++;
		size--;
		if (len == 0) {
			clock_advance(run.clock, 5000);
		} else if (len == 255 && size > 0) {
			change(data[0]);
			data++;
			size--;
		} else {
			len = len < size ? len : size;
			conn_memory_feed(data, len);
			data += len;
			size -= len;
		}
		settle();
	}
	end_stream();
	clock_close(run.clock);
	return 0;
}
