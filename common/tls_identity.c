/*
 * One certificate, one key, one set of trusted certificates; from them a
 * context to accept with and a context to connect with, alike but for their
 * role.
 *
 * The verdict about a peer is kept in the SSL object by the verify callback:
 * OpenSSL's own verify result is that of the last error, while the first is
 * the one that explains.
 */
#include "common/tls_identity.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

#include "common/err.h"
#include "common/log.h"
#include "common/revocation.h"
#include "common/tls_accept.h"
#include "common/tls_bounds.h"

#define CIPHERS     "ECDHE+AESGCM:ECDHE+CHACHA20"
#define CIPHERS_CBC CIPHERS ":ECDHE+AES"

enum {
	FILE_MAX = 4 * 1024 * 1024, /* a system's whole trust bundle: 0.3 */
	SECURITY_LEVEL = 2,         /* RSA from 2048 bits, no SHA-1 */
	SECURITY_LEVEL_OLD = 0      /* what TLS 1.0 and 1.1 need */
};

/* What goes into both contexts. */
struct parts {
	X509 *leaf;
	STACK_OF(X509) * chain; /* without the leaf */
	EVP_PKEY *key;
	X509_STORE *trust;
};

/* Where messages send the admin. */
struct labels {
	const char *certificate, *key, *trust;
};

/* Where the reason of a failure goes. */
struct reason {
	char *text;
	size_t size;
};

/* Notes the first reason in words; returns code. */
static int __attribute__((format(printf, 3, 4)))
refuse(struct reason why, int code, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	if (why.size > 0)
		(void)vsnprintf(why.text, why.size, fmt, ap);
	va_end(ap);
	ERR_clear_error();
	return code;
}

/* OpenSSL's words for what it failed at last. */
static const char *
openssl_reason(void)
{
	const char *s = ERR_reason_error_string(ERR_peek_last_error());

	return s != NULL ? s : "unknown reason";
}

/* ---- reading PEM ---------------------------------------------------- */

/* Nobody is there to type a passphrase. */
static int
on_passphrase(char *buf, int size, int writing, void *arg)
{
	(void)writing;
	if (size > 0)
		buf[0] = '\0';
	*(bool *)arg = true;
	return -1;
}

static BIO *
open_pem(const char *pem, size_t len)
{
	if (pem == NULL || len == 0 || len > INT_MAX)
		return BIO_new_mem_buf("", 0);
	return BIO_new_mem_buf(pem, (int)len);
}

/* All certificates of a PEM text, in order, at least one. */
static int
read_certificates(STACK_OF(X509) * *out, const char *pem, size_t len,
    const char *label, struct reason why)
{
	STACK_OF(X509) *list = sk_X509_new_null();
	BIO *bio = open_pem(pem, len);
	unsigned long error;
	X509 *cert;
	int rc = ERR_NOMEM;

	if (list == NULL || bio == NULL)
		goto fail;
	while ((cert = PEM_read_bio_X509(bio, NULL, NULL, NULL)) != NULL)
		if (sk_X509_push(list, cert) == 0) {
			X509_free(cert);
			goto fail;
		}
	rc = ERR_CERT;
	error = ERR_peek_last_error();
	if (ERR_GET_LIB(error) != ERR_LIB_PEM ||
	    ERR_GET_REASON(error) != PEM_R_NO_START_LINE) {
		(void)refuse(why, rc, "%s: certificate number %d: %s", label,
		    sk_X509_num(list) + 1, openssl_reason());
		goto fail;
	}
	if (sk_X509_num(list) == 0) {
		(void)refuse(why, rc, "%s: no certificate in PEM form", label);
		goto fail;
	}
	ERR_clear_error();
	BIO_free(bio);
	*out = list;
	return 0;

fail:
	BIO_free(bio);
	sk_X509_pop_free(list, X509_free);
	if (rc == ERR_NOMEM)
		(void)refuse(why, rc, "out of memory");
	return rc;
}

static int
read_key(EVP_PKEY **out, const char *pem, size_t len, const char *label,
    struct reason why)
{
	BIO *bio = open_pem(pem, len);
	bool encrypted = false;
	unsigned long error;
	EVP_PKEY *key;

	if (bio == NULL)
		return refuse(why, ERR_NOMEM, "out of memory");
	key = PEM_read_bio_PrivateKey(bio, NULL, on_passphrase, &encrypted);
	BIO_free(bio);
	if (key != NULL) {
		*out = key;
		return 0;
	}
	if (encrypted)
		return refuse(why, ERR_CERT,
		    "%s: the key is protected by a passphrase", label);
	error = ERR_peek_last_error();
	/* Said by the PEM reader, or by the decoders that all declined. */
	if (ERR_GET_REASON(error) == PEM_R_NO_START_LINE ||
	    ERR_GET_REASON(error) == ERR_R_UNSUPPORTED)
		return refuse(why, ERR_CERT,
		    "%s: no usable private key in PEM form", label);
	return refuse(why, ERR_CERT, "%s: %s", label, openssl_reason());
}

static int
read_trust(X509_STORE **out, const struct tls_identity_opts *o,
    const char *label, struct reason why)
{
	X509_STORE *store = X509_STORE_new();
	STACK_OF(X509) *list = NULL;
	int rc;

	if (store == NULL)
		return refuse(why, ERR_NOMEM, "out of memory");
	rc = read_certificates(&list, o->trust, o->trust_len, label, why);
	for (int i = 0; rc == 0 && i < sk_X509_num(list); i++)
		if (X509_STORE_add_cert(store, sk_X509_value(list, i)) != 1)
			rc = refuse(
			    why, ERR_CERT, "%s: %s", label, openssl_reason());
	sk_X509_pop_free(list, X509_free);
	if (rc == 0)
		*out = store;
	else
		X509_STORE_free(store);
	return rc;
}

static void
parts_finish(struct parts *p)
{
	X509_free(p->leaf);
	sk_X509_pop_free(p->chain, X509_free);
	EVP_PKEY_free(p->key);
	X509_STORE_free(p->trust);
}

/* On error p is half-built, which parts_finish() accepts. */
static int
parts_read(struct parts *p, const struct tls_identity_opts *o,
    const struct labels *l, struct reason why)
{
	int rc;

	rc = read_certificates(
	    &p->chain, o->certificate, o->certificate_len, l->certificate, why);
	if (rc < 0)
		return rc;
	p->leaf = sk_X509_shift(p->chain);
	rc = read_key(&p->key, o->key, o->key_len, l->key, why);
	if (rc < 0)
		return rc;
	if (X509_check_private_key(p->leaf, p->key) != 1)
		return refuse(why, ERR_CERT,
		    "%s: key does not match the certificate", l->key);
	return read_trust(&p->trust, o, l->trust, why);
}

/* ---- judging peers -------------------------------------------------- */

static int verdict_index = -1;
/* Of a context: set where a certificate passes that no list speaks of. */
static int lenient_index = -1;

static void
get_indices(void)
{
	verdict_index = SSL_get_ex_new_index(0, NULL, NULL, NULL, NULL);
	lenient_index = SSL_CTX_get_ex_new_index(0, NULL, NULL, NULL, NULL);
}

/* No list in force speaks of a certificate, which passes for that reason. */
static void
tell_unlisted(X509_STORE_CTX *store_ctx, int error)
{
	X509 *cert = X509_STORE_CTX_get_current_cert(store_ctx);
	char issuer[200] = "";
	struct log log;

	log_init(&log, "tls");
	if (!log_enabled(&log, LOG_DEBUG))
		return;
	if (cert != NULL)
		(void)X509_NAME_oneline(
		    X509_get_issuer_name(cert), issuer, (int)sizeof issuer);
	log_debug(&log, "revocation-unknown", "issuer=%s depth=%d reason=%s",
	    issuer, X509_STORE_CTX_get_error_depth(store_ctx),
	    X509_verify_cert_error_string(error));
}

/* Keeps the first error met.  True when this is none. */
static bool
judge(X509_STORE_CTX *store_ctx)
{
	SSL *ssl = X509_STORE_CTX_get_ex_data(
	    store_ctx, SSL_get_ex_data_X509_STORE_CTX_idx());
	int error = X509_STORE_CTX_get_error(store_ctx);

	if (revocation_unknown(error) &&
	    SSL_CTX_get_ex_data(SSL_get_SSL_CTX(ssl), lenient_index) != NULL) {
		tell_unlisted(store_ctx, error);
		X509_STORE_CTX_set_error(store_ctx, X509_V_OK);
		return true;
	}
	if (SSL_get_ex_data(ssl, verdict_index) == NULL)
		(void)SSL_set_ex_data(
		    ssl, verdict_index, (void *)(intptr_t)error);
	return false;
}

static int
on_verify_required(int ok, X509_STORE_CTX *store_ctx)
{
	return ok == 1 || judge(store_ctx) ? 1 : 0;
}

static int
on_verify_recorded(int ok, X509_STORE_CTX *store_ctx)
{
	if (ok != 1)
		(void)judge(store_ctx);
	return 1;
}

long
tls_first_error(const SSL *ssl)
{
	if (verdict_index < 0)
		return X509_V_OK;
	return (long)(intptr_t)SSL_get_ex_data(ssl, verdict_index);
}

long
tls_peer_verdict(SSL *ssl)
{
	long first;

	if (SSL_get0_peer_certificate(ssl) == NULL)
		return X509_V_ERR_APPLICATION_VERIFICATION;
	first = tls_first_error(ssl);
	return first != X509_V_OK ? first : SSL_get_verify_result(ssl);
}

/* ---- contexts ------------------------------------------------------- */

static void
set_verify(SSL_CTX *ctx, const struct tls_identity_opts *o)
{
	if (o->peer == TLS_PEER_REQUIRED)
		SSL_CTX_set_verify(ctx,
		    SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT,
		    on_verify_required);
	else
		SSL_CTX_set_verify(ctx, SSL_VERIFY_PEER, on_verify_recorded);
}

static bool
set_revocation(SSL_CTX *ctx, const struct revocation *r)
{
	static char lenient;

	if (r == NULL)
		return true;
	if (!r->hard && SSL_CTX_set_ex_data(ctx, lenient_index, &lenient) != 1)
		return false;
	return revocation_set(r, ctx) == 0;
}

/* Everything that is not about certificates. */
static bool
set_protocol(SSL_CTX *ctx, const struct tls_identity_opts *o)
{
	static const unsigned char id[] = "sallyport";
	int level = SECURITY_LEVEL;

	if (o->min_version != 0 && o->min_version < TLS1_2_VERSION)
		level = SECURITY_LEVEL_OLD;
	SSL_CTX_set_security_level(ctx, level);
	SSL_CTX_set_options(ctx, SSL_OP_NO_RENEGOTIATION |
				     SSL_OP_NO_COMPRESSION | SSL_OP_NO_TICKET |
				     SSL_OP_CIPHER_SERVER_PREFERENCE);
	SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_OFF);
	/* Or a client that offers an old session all the same would fail. */
	if (SSL_CTX_set_session_id_context(ctx, id, sizeof id - 1) != 1)
		return false;
	return SSL_CTX_set_num_tickets(ctx, 0) == 1 &&
	       SSL_CTX_set_max_early_data(ctx, 0) == 1 &&
	       SSL_CTX_set_min_proto_version(ctx,
		   o->min_version != 0 ? o->min_version : TLS1_2_VERSION) ==
		   1 &&
	       SSL_CTX_set_max_proto_version(ctx, o->max_version) == 1 &&
	       SSL_CTX_set_cipher_list(ctx,
		   o->allow_cbc || level == SECURITY_LEVEL_OLD ? CIPHERS_CBC
							       : CIPHERS) == 1;
}

static int
new_context(SSL_CTX **out, const SSL_METHOD *method, const struct parts *p,
    const struct tls_identity_opts *o, const struct labels *l,
    struct reason why)
{
	SSL_CTX *ctx = SSL_CTX_new(method);

	if (ctx == NULL)
		return refuse(why, ERR_NOMEM, "out of memory");
	if (!set_protocol(ctx, o)) {
		(void)refuse(
		    why, ERR_CERT, "TLS settings: %s", openssl_reason());
		goto fail;
	}
	if (SSL_CTX_use_cert_and_key(ctx, p->leaf, p->key, p->chain, 1) != 1) {
		(void)refuse(
		    why, ERR_CERT, "%s: %s", l->certificate, openssl_reason());
		goto fail;
	}
	SSL_CTX_set1_cert_store(ctx, p->trust);
	set_verify(ctx, o);
	tls_bounds_set(ctx);
	if (!set_revocation(ctx, o->revocation)) {
		(void)refuse(
		    why, ERR_CERT, "revocation lists: %s", openssl_reason());
		goto fail;
	}
	if (o->judge_as_server &&
	    SSL_CTX_set_purpose(ctx, X509_PURPOSE_SSL_SERVER) != 1) {
		(void)refuse(why, ERR_CERT, "purpose: %s", openssl_reason());
		goto fail;
	}
	*out = ctx;
	return 0;

fail:
	SSL_CTX_free(ctx);
	return ERR_CERT;
}

static int
build(struct tls_identity *out, const struct tls_identity_opts *o,
    const struct labels *l, struct reason why)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;
	struct tls_identity id = { 0 };
	struct parts parts = { 0 };
	int rc;

	*out = id;
	(void)pthread_once(&once, get_indices);
	if (verdict_index < 0 || lenient_index < 0)
		return refuse(why, ERR_NOMEM, "out of memory");
	ERR_clear_error();
	rc = parts_read(&parts, o, l, why);
	if (rc == 0)
		rc = new_context(
		    &id.server, TLS_server_method(), &parts, o, l, why);
	if (rc == 0)
		rc = tls_accept_prepare(id.server);
	if (rc == 0)
		rc = new_context(
		    &id.client, TLS_client_method(), &parts, o, l, why);
	parts_finish(&parts);
	if (rc == 0)
		*out = id;
	else
		tls_identity_finish(&id);
	return rc;
}

int
tls_identity_init(struct tls_identity *out,
    const struct tls_identity_opts *opts, char *why, size_t size)
{
	static const struct labels labels = { "certificate", "key", "trust" };

	return build(out, opts, &labels, (struct reason){ why, size });
}

void
tls_identity_finish(struct tls_identity *id)
{
	SSL_CTX_free(id->server);
	SSL_CTX_free(id->client);
	*id = (struct tls_identity){ 0 };
}

/* ---- files ---------------------------------------------------------- */

struct content {
	char *data;
	size_t len;
};

/* Forgets a file's content; it may have been a key. */
static void
content_finish(struct content *f)
{
	OPENSSL_clear_free(f->data, f->len);
}

static int
content_read(struct content *f, const char *path, struct reason why)
{
	ssize_t n = 1;
	int fd;

	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return refuse(why, ERR_IO, "%s: %s", path, strerror(errno));
	f->data = OPENSSL_malloc(FILE_MAX + 1);
	if (f->data == NULL) {
		(void)close(fd);
		return refuse(why, ERR_NOMEM, "out of memory");
	}
	while (n > 0 && f->len <= FILE_MAX) {
		n = read(fd, f->data + f->len, FILE_MAX + 1 - f->len);
		if (n > 0)
			f->len += (size_t)n;
	}
	if (n < 0)
		(void)refuse(why, ERR_IO, "%s: %s", path, strerror(errno));
	else if (f->len > FILE_MAX)
		(void)refuse(why, ERR_IO, "%s: too large", path);
	(void)close(fd);
	return n < 0 || f->len > FILE_MAX ? ERR_IO : 0;
}

int
tls_identity_load(struct tls_identity *out,
    const struct tls_identity_files *files, char *why, size_t size)
{
	const struct labels labels = { files->certificate, files->key,
		files->trust };
	struct content certificate = { 0 }, key = { 0 }, trust = { 0 };
	struct reason reason = { why, size };
	struct tls_identity_opts o = {
		.peer = files->peer,
		.judge_as_server = files->judge_as_server,
		.min_version = files->min_version,
		.max_version = files->max_version,
		.allow_cbc = files->allow_cbc,
	};
	int rc;

	if (size > 0)
		why[0] = '\0';
	*out = (struct tls_identity){ 0 };
	rc = content_read(&certificate, files->certificate, reason);
	if (rc == 0)
		rc = content_read(&key, files->key, reason);
	if (rc == 0)
		rc = content_read(&trust, files->trust, reason);
	if (rc == 0) {
		o.certificate = certificate.data;
		o.certificate_len = certificate.len;
		o.key = key.data;
		o.key_len = key.len;
		o.trust = trust.data;
		o.trust_len = trust.len;
		rc = build(out, &o, &labels, reason);
	}
	content_finish(&certificate);
	content_finish(&key);
	content_finish(&trust);
	return rc;
}
