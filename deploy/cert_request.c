/*
 * OpenSSL makes key and request in memory; files are created last and never
 * opened if they are there.
 */
#include "deploy/cert_request.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

#include "common/buf.h"
#include "deploy/args.h"
#include "deploy/cert_file.h"

enum {
	CN_MAX = 64, /* ub-common-name, RFC 5280 A.1 */
	NAMES_MAX = 1 << 18
};

const char *const cert_request_key_types[CERT_KEY_TYPES] = { "p256", "p384",
	"rsa2048", "rsa3072", "rsa4096" };

static EVP_PKEY *
make_key(enum cert_key_type type)
{
	switch (type) {
	case CERT_KEY_P256:
		return EVP_EC_gen("P-256");
	case CERT_KEY_P384:
		return EVP_EC_gen("P-384");
	case CERT_KEY_RSA2048:
		return EVP_RSA_gen(2048);
	case CERT_KEY_RSA3072:
		return EVP_RSA_gen(3072);
	case CERT_KEY_RSA4096:
		return EVP_RSA_gen(4096);
	}
	return NULL;
}

/* --- the request ---------------------------------------------------------- */

static bool
add_subject_part(X509_NAME *name, const char *field, const char *value)
{
	return value == NULL ||
	       X509_NAME_add_entry_by_txt(name, field, MBSTRING_UTF8,
		   (const unsigned char *)value, -1, -1, 0) == 1;
}

/* Domains in comparable form hold nothing that this syntax acts on. */
static const char *
names_text(struct buf *out, const struct cert_request *q)
{
	for (size_t i = 0; i < q->names->count; i++) {
		const char *name = q->names->v[i];

		buf_addf(out, "%sDNS:%s", i == 0 ? "" : ",", name);
		if (q->srv_name)
			buf_addf(out,
			    ",otherName:1.3.6.1.5.5.7.8.7;IA5STRING:"
			    "_xmpp-server.%s",
			    name);
		if (q->xmpp_addr)
			buf_addf(
			    out, ",otherName:1.3.6.1.5.5.7.8.5;UTF8:%s", name);
	}
	return buf_cstr(out);
}

static bool
add_extension(STACK_OF(X509_EXTENSION) * list, int nid, const char *value)
{
	X509_EXTENSION *ext;
	X509V3_CTX ctx;

	if (value == NULL)
		return false;
	X509V3_set_ctx_nodb(&ctx);
	X509V3_set_ctx(&ctx, NULL, NULL, NULL, NULL, 0);
	ext = X509V3_EXT_conf_nid(NULL, &ctx, nid, value);
	if (ext == NULL)
		return false;
	if (sk_X509_EXTENSION_push(list, ext) > 0)
		return true;
	X509_EXTENSION_free(ext);
	return false;
}

static bool
add_extensions(X509_REQ *req, const struct cert_request *q)
{
	STACK_OF(X509_EXTENSION) *list = sk_X509_EXTENSION_new_null();
	bool rsa = q->type >= CERT_KEY_RSA2048;
	struct buf names;
	bool ok;

	buf_init(&names, NAMES_MAX);
	ok = list != NULL &&
	     add_extension(list, NID_subject_alt_name, names_text(&names, q)) &&
	     add_extension(list, NID_key_usage,
		 rsa ? "critical,digitalSignature,keyEncipherment"
		     : "critical,digitalSignature") &&
	     add_extension(list, NID_ext_key_usage,
		 q->client ? "serverAuth,clientAuth" : "serverAuth") &&
	     X509_REQ_add_extensions(req, list) == 1;
	buf_finish(&names);
	sk_X509_EXTENSION_pop_free(list, X509_EXTENSION_free);
	return ok;
}

static X509_REQ *
make_request(const struct cert_request *q, EVP_PKEY *key)
{
	X509_REQ *req = X509_REQ_new();
	X509_NAME *subject =
	    req != NULL ? X509_REQ_get_subject_name(req) : NULL;
	const char *cn = q->names->v[0];

	if (req != NULL && X509_REQ_set_version(req, X509_REQ_VERSION_1) == 1 &&
	    add_subject_part(subject, "C", q->country) &&
	    add_subject_part(subject, "O", q->organization) &&
	    add_subject_part(subject, "CN", strlen(cn) <= CN_MAX ? cn : NULL) &&
	    X509_REQ_set_pubkey(req, key) == 1 && add_extensions(req, q) &&
	    X509_REQ_sign(req, key, EVP_sha256()) > 0)
		return req;
	X509_REQ_free(req);
	return NULL;
}

/* --- files ------------------------------------------------------------------ */

/* A file that must not be there yet, or NULL with errno. */
static FILE *
create(const char *path, mode_t mode)
{
	int fd = open(
	    path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, mode);
	FILE *f = fd < 0 ? NULL : fdopen(fd, "w");

	if (fd >= 0 && f == NULL)
		close(fd);
	return f;
}

/* Removes what could not be written whole. */
static bool
finish(FILE *f, const char *path, bool written, char *why, size_t size)
{
	if (fflush(f) != 0 || fsync(fileno(f)) != 0)
		written = false;
	if (fclose(f) != 0)
		written = false;
	if (!written) {
		snprintf(why, size, "%s: cannot be written", path);
		(void)unlink(path);
	}
	return written;
}

static bool
cannot_create(const char *path, char *why, size_t size)
{
	snprintf(why, size, "%s: %s", path,
	    errno == EEXIST ? "is there already, and is not written over"
			    : strerror(errno));
	return false;
}

static bool
write_key(EVP_PKEY *key, const char *path, char *why, size_t size)
{
	FILE *f = create(path, 0600);

	if (f == NULL)
		return cannot_create(path, why, size);
	return finish(f, path,
	    PEM_write_PKCS8PrivateKey(f, key, NULL, NULL, 0, NULL, NULL) == 1,
	    why, size);
}

static bool
write_request(X509_REQ *req, const char *path, char *why, size_t size)
{
	FILE *f = create(path, 0644);

	if (f == NULL)
		return cannot_create(path, why, size);
	return finish(f, path, PEM_write_X509_REQ(f, req) == 1, why, size);
}

/* The kind decides on what the key may be used for. */
static bool
read_key(EVP_PKEY **out, struct cert_request *q, char *why, size_t size)
{
	if (!cert_file_key(out, q->key, why, size))
		return false;
	q->type = EVP_PKEY_is_a(*out, "RSA") ? CERT_KEY_RSA2048 : CERT_KEY_P256;
	return true;
}

bool
cert_request_write(const struct cert_request *q, char *why, size_t size)
{
	struct cert_request mine = *q;
	EVP_PKEY *key = NULL;
	X509_REQ *req = NULL;
	bool ok = false;

	/* Before the key, so that none is left without its request. */
	if (access(q->out, F_OK) == 0) {
		errno = EEXIST;
		return cannot_create(q->out, why, size);
	}
	if (q->have_key && !read_key(&key, &mine, why, size))
		goto done;
	if (!q->have_key)
		key = make_key(q->type);
	req = key != NULL ? make_request(&mine, key) : NULL;
	if (req == NULL) {
		const char *reason =
		    ERR_reason_error_string(ERR_peek_last_error());

		snprintf(why, size, "the request cannot be made: %s",
		    reason != NULL ? reason : "unknown reason");
		goto done;
	}
	ok = (q->have_key || write_key(key, q->key, why, size)) &&
	     write_request(req, q->out, why, size);
done:
	ERR_clear_error();
	X509_REQ_free(req);
	EVP_PKEY_free(key);
	return ok;
}
