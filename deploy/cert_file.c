/* Reading PEM files, and a few texts about them. */
#include "deploy/cert_file.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <openssl/err.h>
#include <openssl/pem.h>

#include "common/cert_names.h"

const char *const cert_file_purposes[CERT_PURPOSES] = { "external", "internal",
	"sip" };

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

static FILE *
open_file(const char *path, char *why, size_t size)
{
	FILE *f = fopen(path, "re");

	if (f == NULL)
		snprintf(why, size, "%s: %s", path, strerror(errno));
	return f;
}

/* Whether reading stopped because there was nothing more to read. */
static bool
at_end(void)
{
	unsigned long e = ERR_peek_last_error();

	return ERR_GET_LIB(e) == ERR_LIB_PEM &&
	       ERR_GET_REASON(e) == PEM_R_NO_START_LINE;
}

bool
cert_file_read(struct cert_file *out, const char *path, char *why, size_t size)
{
	FILE *f = open_file(path, why, size);
	bool ok;

	*out = (struct cert_file){ 0 };
	if (f == NULL)
		return false;
	ERR_clear_error();
	while (
	    out->count < CERT_FILE_MAX &&
	    (out->v[out->count] = PEM_read_X509(f, NULL, NULL, NULL)) != NULL)
		out->count++;
	ok = out->count > 0 && (out->count == CERT_FILE_MAX || at_end());
	if (!ok && out->count == 0 && at_end())
		snprintf(why, size, "%s: no certificate in PEM form", path);
	else if (!ok)
		snprintf(why, size, "%s: certificate number %zu is damaged",
		    path, out->count + 1);
	ERR_clear_error();
	fclose(f);
	if (!ok)
		cert_file_finish(out);
	return ok;
}

void
cert_file_finish(struct cert_file *f)
{
	for (size_t i = 0; i < f->count; i++)
		X509_free(f->v[i]);
	*f = (struct cert_file){ 0 };
}

bool
cert_file_names(X509 *cert, const char *domain)
{
	struct cert_names names;
	bool found = false;

	if (cert_names_read(&names, cert) < 0)
		return false;
	for (size_t i = 0; i < names.count && !found; i++)
		found = cert_name_matches(names.v[i].domain, domain);
	cert_names_finish(&names);
	return found;
}

bool
cert_file_key(EVP_PKEY **out, const char *path, char *why, size_t size)
{
	FILE *f = open_file(path, why, size);
	bool encrypted = false;
	EVP_PKEY *key;

	if (f == NULL)
		return false;
	key = PEM_read_PrivateKey(f, NULL, on_passphrase, &encrypted);
	fclose(f);
	ERR_clear_error();
	if (key == NULL) {
		snprintf(why, size, "%s: %s", path,
		    encrypted ? "the key is protected by a passphrase"
			      : "no private key in PEM form");
		return false;
	}
	*out = key;
	return true;
}

void
cert_file_key_text(char *out, size_t size, EVP_PKEY *key)
{
	char group[64] = "";
	size_t len;

	if (EVP_PKEY_is_a(key, "EC")) {
		if (EVP_PKEY_get_group_name(key, group, sizeof(group), &len) !=
		    1)
			snprintf(group, sizeof(group), "unknown curve");
		snprintf(out, size, "EC %s",
		    strcmp(group, "prime256v1") == 0  ? "P-256"
		    : strcmp(group, "secp384r1") == 0 ? "P-384"
						      : group);
	} else {
		snprintf(out, size, "%s %d bits", EVP_PKEY_get0_type_name(key),
		    EVP_PKEY_get_bits(key));
	}
}

void
cert_file_name_text(char *out, size_t size, const X509_NAME *name)
{
	BIO *bio = BIO_new(BIO_s_mem());
	int n = 0;

	if (bio != NULL && X509_NAME_print_ex(bio, name, 0,
			       XN_FLAG_RFC2253 & ~ASN1_STRFLGS_ESC_MSB) >= 0)
		n = BIO_read(bio, out, (int)size - 1);
	out[n > 0 ? n : 0] = '\0';
	BIO_free(bio);
}
