/*
 * A non-blocking socket and poll() with what is left of the time.  The stream
 * is read by expat with handlers that only note which elements there were; TLS
 * is given the socket once <proceed/> is there.
 */
#include "deploy/xmpp_probe.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>
#include <expat.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

#include "common/conf.h"
#include "deploy/dial.h"

#define STREAMS "http://etherx.jabber.org/streams"
#define TLS     "urn:ietf:params:xml:ns:xmpp-tls"
#define ERRORS  "urn:ietf:params:xml:ns:xmpp-streams"

enum { READ_MAX = 65536 };

struct session {
	struct xmpp_probe *out;
	const struct xmpp_probe_opts *opts;
	int fd;
	struct timespec until;
	bool stream, features, starttls, proceed, failed;
	char error[64]; /* condition of a stream error */
};

/* --- the socket --------------------------------------------------------- */

static int
left_ms(const struct session *s)
{
	struct timespec now;
	long ms;

	(void)clock_gettime(CLOCK_MONOTONIC, &now);
	ms = (long)(s->until.tv_sec - now.tv_sec) * 1000 +
	     (s->until.tv_nsec - now.tv_nsec) / 1000000;
	return ms > 0 ? (int)ms : 0;
}

static bool
fail(struct session *s, enum xmpp_probe_step step, const char *what,
    const char *why)
{
	s->out->step = step;
	snprintf(s->out->why, sizeof(s->out->why), "%s%s%s", what,
	    why[0] != '\0' ? ": " : "", why);
	return false;
}

/* False with errno set. */
static bool
wait_for(const struct session *s, short events)
{
	struct pollfd p = { .fd = s->fd, .events = events };
	int n;

	do {
		n = poll(&p, 1, left_ms(s));
	} while (n < 0 && errno == EINTR);
	if (n == 0)
		errno = ETIMEDOUT;
	return n > 0;
}

static bool
dial(struct session *s)
{
	struct sockaddr_storage to;
	char address[80], why[200];

	snprintf(address, sizeof(address),
	    strchr(s->opts->address, ':') != NULL ? "[%s]:%u" : "%s:%u",
	    s->opts->address, (unsigned)s->opts->port);
	if (conf_parse_address(&to, address, 0, why, sizeof(why)) < 0)
		return fail(s, XMPP_PROBE_UNREACHABLE, why, "");
	s->fd = dial_tcp(&to, left_ms(s), why, sizeof(why));
	return s->fd >= 0 || fail(s, XMPP_PROBE_UNREACHABLE, why, "");
}

static bool
say(struct session *s, const char *text)
{
	size_t len = strlen(text), done = 0;

	while (done < len) {
		ssize_t n;

		if (!wait_for(s, POLLOUT))
			return fail(s, XMPP_PROBE_NO_STREAM, "cannot write",
			    strerror(errno));
		n = send(s->fd, text + done, len - done, MSG_NOSIGNAL);
		if (n < 0 && errno != EINTR && errno != EAGAIN)
			return fail(s, XMPP_PROBE_NO_STREAM, "cannot write",
			    strerror(errno));
		done += n > 0 ? (size_t)n : 0;
	}
	return true;
}

/* --- the stream ----------------------------------------------------------- */

static void
on_start(void *arg, const XML_Char *name, const XML_Char **attributes)
{
	struct session *s = arg;

	(void)attributes;
	if (strcmp(name, STREAMS "|stream") == 0)
		s->stream = true;
	else if (strcmp(name, TLS "|starttls") == 0)
		s->starttls = true;
	else if (strcmp(name, TLS "|proceed") == 0)
		s->proceed = true;
	else if (strcmp(name, TLS "|failure") == 0)
		s->failed = true;
	else if (strncmp(name, ERRORS "|", strlen(ERRORS "|")) == 0 &&
		 s->error[0] == '\0')
		snprintf(s->error, sizeof(s->error), "%s",
		    name + strlen(ERRORS "|"));
}

static void
on_end(void *arg, const XML_Char *name)
{
	struct session *s = arg;

	if (strcmp(name, STREAMS "|features") == 0)
		s->features = true;
	else if (strcmp(name, STREAMS "|error") == 0)
		s->failed = true;
}

/* XMPP forbids them (RFC 6120 11.1), and expanding them costs. */
static void
on_doctype(void *arg, const XML_Char *name, const XML_Char *system,
    const XML_Char *public, int has_subset)
{
	(void)name;
	(void)system;
	(void)public;
	(void)has_subset;
	((struct session *)arg)->failed = true;
}

/* Reads until *done, a failure, or too much. */
static bool
hear(struct session *s, XML_Parser parser, const bool *done)
{
	char chunk[4096];
	size_t all = 0;

	while (!*done && !s->failed) {
		ssize_t n;

		if (!wait_for(s, POLLIN))
			return fail(s, XMPP_PROBE_NO_STREAM,
			    "no answer to the stream header", strerror(errno));
		n = recv(s->fd, chunk, sizeof(chunk), 0);
		if (n < 0 && (errno == EINTR || errno == EAGAIN))
			continue;
		all += n > 0 ? (size_t)n : 0;
		if (n <= 0 || all > READ_MAX)
			return fail(s, XMPP_PROBE_NO_STREAM,
			    "the server closed the connection", s->error);
		if (XML_Parse(parser, chunk, (int)n, 0) == XML_STATUS_ERROR)
			return fail(s, XMPP_PROBE_NO_STREAM,
			    "what answers is no XMPP server", "");
	}
	if (s->failed)
		return fail(s, XMPP_PROBE_NO_STREAM,
		    "the server refused the stream",
		    s->error[0] != '\0' ? s->error : "no reason given");
	return true;
}

static bool
open_stream(struct session *s, XML_Parser parser)
{
	char header[1200], from[300] = "";

	/* Domains in comparable form hold nothing to escape. */
	if (s->opts->from != NULL)
		snprintf(from, sizeof(from), " from='%s'", s->opts->from);
	snprintf(header, sizeof(header),
	    "<?xml version='1.0'?><stream:stream xmlns='jabber:server' "
	    "xmlns:stream='" STREAMS "' to='%s'%s version='1.0'>",
	    s->opts->domain, from);
	if (!say(s, header) || !hear(s, parser, &s->features))
		return false;
	if (!s->starttls)
		return fail(s, XMPP_PROBE_NO_TLS,
		    "the server does not offer STARTTLS", "");
	return say(s, "<starttls xmlns='" TLS "'/>") &&
	       hear(s, parser, &s->proceed);
}

static bool
start_tls(struct session *s)
{
	XML_Parser parser = XML_ParserCreateNS(NULL, '|');
	bool ok;

	if (parser == NULL)
		return fail(s, XMPP_PROBE_NO_STREAM, "out of memory", "");
	XML_SetUserData(parser, s);
	XML_SetElementHandler(parser, on_start, on_end);
	XML_SetStartDoctypeDeclHandler(parser, on_doctype);
	/* Elements are small: each is to be seen when it is there. */
	(void)XML_SetReparseDeferralEnabled(parser, XML_FALSE);
	ok = open_stream(s, parser);
	XML_ParserFree(parser);
	return ok;
}

/* --- TLS -------------------------------------------------------------------- */

/* The first error is the one that explains; the handshake goes on. */
static int
on_verify(int ok, X509_STORE_CTX *ctx)
{
	SSL *ssl = X509_STORE_CTX_get_ex_data(
	    ctx, SSL_get_ex_data_X509_STORE_CTX_idx());
	struct session *s = SSL_get_app_data(ssl);

	if (!ok && s->out->verdict == X509_V_OK)
		s->out->verdict = X509_STORE_CTX_get_error(ctx);
	return 1;
}

static SSL_CTX *
new_context(struct session *s)
{
	SSL_CTX *ctx = SSL_CTX_new(TLS_client_method());
	int ok;

	if (ctx == NULL)
		return NULL;
	(void)SSL_CTX_set_min_proto_version(ctx, TLS1_2_VERSION);
	SSL_CTX_set_verify(ctx, SSL_VERIFY_PEER, on_verify);
	ok = s->opts->trust != NULL
		 ? SSL_CTX_load_verify_locations(ctx, s->opts->trust, NULL)
		 : SSL_CTX_set_default_verify_paths(ctx);
	if (ok != 1) {
		fail(s, XMPP_PROBE_NO_TLS,
		    "trusted certificates cannot be read",
		    s->opts->trust != NULL ? s->opts->trust : "");
		SSL_CTX_free(ctx);
		return NULL;
	}
	return ctx;
}

static bool
shake_hands(struct session *s, SSL *ssl)
{
	static const unsigned char alpn[] = "\x0bxmpp-server";
	const char *reason;

	if (SSL_set_fd(ssl, s->fd) != 1 ||
	    SSL_set_tlsext_host_name(ssl, s->opts->domain) != 1)
		return fail(s, XMPP_PROBE_NO_TLS, "out of memory", "");
	if (s->opts->direct_tls)
		(void)SSL_set_alpn_protos(ssl, alpn, sizeof(alpn) - 1);
	for (;;) {
		int n = SSL_connect(ssl);
		int error = SSL_get_error(ssl, n);

		if (n == 1)
			break;
		if ((error == SSL_ERROR_WANT_READ && wait_for(s, POLLIN)) ||
		    (error == SSL_ERROR_WANT_WRITE && wait_for(s, POLLOUT)))
			continue;
		reason = ERR_reason_error_string(ERR_peek_last_error());
		return fail(s, XMPP_PROBE_NO_TLS, "TLS",
		    reason != NULL ? reason : "the connection ended or hung");
	}
	snprintf(s->out->tls, sizeof(s->out->tls), "%s", SSL_get_version(ssl));
	s->out->certificate = SSL_get1_peer_certificate(ssl);
	s->out->step = XMPP_PROBE_DONE;
	(void)SSL_shutdown(ssl);
	return true;
}

static void
secure(struct session *s)
{
	SSL_CTX *ctx;
	SSL *ssl;

	s->out->verdict = X509_V_OK;
	/* OpenSSL writes to the socket without asking for silence. */
	(void)signal(SIGPIPE, SIG_IGN);
	ERR_clear_error();
	ctx = new_context(s);
	if (ctx == NULL)
		return;
	ssl = SSL_new(ctx);
	if (ssl == NULL) {
		fail(s, XMPP_PROBE_NO_TLS, "out of memory", "");
	} else {
		SSL_set_app_data(ssl, s);
		(void)shake_hands(s, ssl);
	}
	SSL_free(ssl);
	SSL_CTX_free(ctx);
	ERR_clear_error();
}

void
xmpp_probe_run(struct xmpp_probe *out, const struct xmpp_probe_opts *o)
{
	struct session s = { .out = out, .opts = o, .fd = -1 };

	*out = (struct xmpp_probe){ .step = XMPP_PROBE_UNREACHABLE,
		.verdict = X509_V_ERR_APPLICATION_VERIFICATION };
	(void)clock_gettime(CLOCK_MONOTONIC, &s.until);
	s.until.tv_sec += XMPP_PROBE_MS / 1000;
	if (dial(&s) && (o->direct_tls || start_tls(&s)))
		secure(&s);
	if (s.fd >= 0)
		close(s.fd);
}

void
xmpp_probe_finish(struct xmpp_probe *p)
{
	X509_free(p->certificate);
	p->certificate = NULL;
}
