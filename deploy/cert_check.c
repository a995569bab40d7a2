/*
 * Each property is looked at by itself, so that one run tells everything that
 * is wrong; only then comes the question whether somebody would accept the
 * certificate.
 */
#include "deploy/cert_check.h"

#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509_vfy.h>
#include <openssl/x509v3.h>

#include "common/cert_names.h"
#include "deploy/args.h"
#include "deploy/report.h"

enum {
	SECURITY_LEVEL = 2, /* OpenSSL's: RSA from 2048 bits, no SHA-1 */
	SECURITY_BITS = 112,
	SOON_MAX = 30,
	TEXT_SIZE = 400
};

struct look {
	struct report *r;
	const struct cert_check *c;
	const char *path;
	struct cert_file file;
	X509 *cert; /* the first of the file */
	json_t *about;
};

static void
tell(struct look *k, const char *key, json_t *value)
{
	(void)json_object_set_new(k->about, key, value);
}

/* --- names -------------------------------------------------------------- */

static bool
is_named(const struct cert_names *names, const char *name)
{
	for (size_t i = 0; i < names->count; i++)
		if (cert_name_matches(names->v[i].domain, name))
			return true;
	return false;
}

static void
judge_kinds(struct look *k, const struct cert_names *names)
{
	bool wildcard = false, other = false;

	for (size_t i = 0; i < names->count; i++) {
		wildcard |= names->v[i].domain[0] == '*';
		other |= names->v[i].kind != CERT_DNS_ID;
	}
	if (wildcard && k->c->purpose == CERT_SIP) {
		report_add(k->r, REPORT_WARNING, "names",
		    "a wildcard: Lync does not support them");
		report_next(k->r, "list each name by itself");
	} else if (wildcard) {
		report_add(k->r, REPORT_NOTE, "names",
		    "a wildcard stands for exactly one label: "
		    "*.contoso.example "
		    "does not cover contoso.example");
	}
	if (other) {
		report_add(k->r, REPORT_WARNING, "names",
		    "an SRVName or XmppAddr: ejabberd 23.01 drops the "
		    "connection when it meets one");
		report_next(
		    k->r, "ask for DNS names only, they do for every server");
	}
}

static void
judge_names(struct look *k)
{
	json_t *list = json_array();
	struct cert_names names;
	size_t missing = 0;

	if (cert_names_read(&names, k->cert) < 0) {
		report_add(k->r, REPORT_FAILURE, "names",
		    "the subject alternative name cannot be read");
		json_decref(list);
		return;
	}
	for (size_t i = 0; i < names.count; i++)
		(void)json_array_append_new(
		    list, report_text(names.v[i].domain));
	tell(k, "names", list);
	if (names.count == 0) {
		report_add(k->r, REPORT_FAILURE, "names",
		    "no subject alternative name; nobody looks at the common "
		    "name");
		report_next(k->r,
		    "ask again: sallyport certs request puts names there");
	}
	for (size_t i = 0; names.count > 0 && i < k->c->names->count; i++) {
		const char *name = k->c->names->v[i];

		if (is_named(&names, name)) {
			report_add(
			    k->r, REPORT_OK, "names", "%s is named", name);
			continue;
		}
		missing++;
		report_add(
		    k->r, REPORT_FAILURE, "names", "%s is not named", name);
		report_next(k->r,
		    "ask for a certificate that names it, or give %s one of "
		    "its own",
		    name);
	}
	judge_kinds(k, &names);
	cert_names_finish(&names);
}

/* The pool compares its name for us with the subject too. */
static void
judge_subject(struct look *k)
{
	char cn[256] = "";
	X509_NAME *subject = X509_get_subject_name(k->cert);

	if (k->c->purpose != CERT_SIP || k->c->names->count == 0)
		return;
	(void)X509_NAME_get_text_by_NID(
	    subject, NID_commonName, cn, sizeof(cn));
	if (strcasecmp(cn, k->c->names->v[0]) == 0) {
		report_add(
		    k->r, REPORT_OK, "subject", "the common name is %s", cn);
		return;
	}
	report_add(k->r, REPORT_WARNING, "subject",
	    "the common name is \"%s\", not %s", cn, k->c->names->v[0]);
	report_next(
	    k->r, "Lync expects the trusted application pool's name there");
}

/* --- dates -------------------------------------------------------------- */

static void
date_text(char out[32], const ASN1_TIME *t)
{
	struct tm tm;

	if (ASN1_TIME_to_tm(t, &tm) != 1 ||
	    strftime(out, 32, "%Y-%m-%d %H:%M UTC", &tm) == 0)
		snprintf(out, 32, "?");
}

/* Authorities that renew every few weeks would else always be late. */
static int
soon(const struct look *k)
{
	int days = 0, seconds = 0;

	if (k->c->soon_days != CERT_CHECK_BY_LIFETIME)
		return (int)k->c->soon_days;
	(void)ASN1_TIME_diff(&days, &seconds, X509_get0_notBefore(k->cert),
	    X509_get0_notAfter(k->cert));
	return days / 3 < SOON_MAX ? days / 3 : SOON_MAX;
}

static void
judge_dates(struct look *k)
{
	const ASN1_TIME *from = X509_get0_notBefore(k->cert);
	const ASN1_TIME *to = X509_get0_notAfter(k->cert);
	char first[32], last[32];
	int days = 0, seconds = 0;

	date_text(first, from);
	date_text(last, to);
	tell(k, "not_before", json_string(first));
	tell(k, "not_after", json_string(last));
	if (ASN1_TIME_diff(&days, &seconds, NULL, to) != 1) {
		report_add(k->r, REPORT_FAILURE, "dates",
		    "the date of its end cannot be read");
		return;
	}
	tell(k, "days_left", json_integer(days));
	if (X509_cmp_time(from, NULL) > 0) {
		report_add(k->r, REPORT_FAILURE, "dates", "not valid before %s",
		    first);
		report_next(k->r, "is this host's clock right?");
	} else if (days < 0 || seconds < 0) {
		report_add(
		    k->r, REPORT_FAILURE, "dates", "expired at %s", last);
		report_next(k->r, "renew it: sallyport certs request");
	} else if (days < soon(k)) {
		report_add(k->r, REPORT_WARNING, "dates",
		    "expires in %d days, at %s", days, last);
		report_next(k->r, "renew it: sallyport certs request");
	} else {
		report_add(k->r, REPORT_OK, "dates", "valid until %s, %d days",
		    last, days);
	}
}

/* --- key and signature -------------------------------------------------- */

static void
judge_strength(struct look *k)
{
	EVP_PKEY *key = X509_get0_pubkey(k->cert);
	int digest = NID_undef, algorithm = NID_undef, bits = 0;
	uint32_t flags;
	char text[80];

	if (key == NULL) {
		report_add(k->r, REPORT_FAILURE, "key",
		    "the public key is of a kind that nobody here knows");
		return;
	}
	cert_file_key_text(text, sizeof(text), key);
	tell(k, "key", report_text(text));
	report_add(k->r,
	    EVP_PKEY_get_security_bits(key) < SECURITY_BITS ? REPORT_FAILURE
							    : REPORT_OK,
	    "key", "%s%s", text,
	    EVP_PKEY_get_security_bits(key) < SECURITY_BITS ? " is too weak"
							    : "");
	if (X509_get_signature_info(
		k->cert, &digest, &algorithm, &bits, &flags) != 1)
		bits = 0;
	tell(k, "signature",
	    report_text(OBJ_nid2sn(X509_get_signature_nid(k->cert))));
	if (bits < SECURITY_BITS) {
		report_add(k->r, REPORT_FAILURE, "signature",
		    "signed with %s, which is refused today",
		    OBJ_nid2ln(digest));
		report_next(k->r, "ask the authority for SHA-256");
	} else if (algorithm == NID_rsassaPss && k->c->purpose == CERT_SIP) {
		report_add(k->r, REPORT_FAILURE, "signature",
		    "signed with RSASSA-PSS, which Lync does not support");
		report_next(k->r, "ask the authority for plain RSA signatures");
	} else {
		report_add(k->r, REPORT_OK, "signature", "%s",
		    OBJ_nid2ln(X509_get_signature_nid(k->cert)));
	}
}

static void
judge_key_mode(struct look *k)
{
	struct stat st;

	if (stat(k->c->key, &st) == 0 && (st.st_mode & S_IRWXO) != 0) {
		report_add(k->r, REPORT_FAILURE, "key-file",
		    "%s: everybody on this host may read it", k->c->key);
		report_next(k->r, "chmod o= %s", k->c->key);
	}
}

static void
judge_key_file(struct look *k)
{
	EVP_PKEY *key = NULL;
	char why[TEXT_SIZE];

	if (k->c->key == NULL)
		return;
	if (!cert_file_key(&key, k->c->key, why, sizeof(why))) {
		report_add(k->r, REPORT_FAILURE, "key-file", "%s", why);
		return;
	}
	if (X509_check_private_key(k->cert, key) == 1) {
		report_add(k->r, REPORT_OK, "key-file",
		    "%s belongs to the certificate", k->c->key);
	} else {
		report_add(k->r, REPORT_FAILURE, "key-file",
		    "%s does not belong to the certificate", k->c->key);
		report_next(k->r, "find the key that the request was made of");
	}
	ERR_clear_error();
	EVP_PKEY_free(key);
	judge_key_mode(k);
}

/* --- what it may be used for ------------------------------------------------ */

static void
judge_client_use(struct look *k, bool client)
{
	switch (k->c->purpose) {
	case CERT_EXTERNAL:
		if (!client)
			report_add(k->r, REPORT_NOTE, "use",
			    "for servers only, as public authorities issue "
			    "them today; ejabberd before 25.08 does not take "
			    "it from a server that connects to it, and falls "
			    "back to dialback");
		break;
	case CERT_INTERNAL:
		break;
	case CERT_SIP:
		if (client)
			break;
		report_add(k->r, REPORT_WARNING, "use",
		    "not for client authentication; the pool may refuse the "
		    "gateway's own connections");
		report_next(k->r,
		    "ask for a template with server and client authentication");
		break;
	}
}

static void
judge_use(struct look *k)
{
	uint32_t eku = X509_get_extended_key_usage(k->cert);
	bool any = eku == UINT32_MAX;
	bool server = any || (eku & (XKU_SSL_SERVER | XKU_ANYEKU)) != 0;
	bool client = any || (eku & (XKU_SSL_CLIENT | XKU_ANYEKU)) != 0;
	json_t *list = json_array();

	if (!any && (eku & XKU_SSL_SERVER) != 0)
		(void)json_array_append_new(list, json_string("serverAuth"));
	if (!any && (eku & XKU_SSL_CLIENT) != 0)
		(void)json_array_append_new(list, json_string("clientAuth"));
	tell(k, "eku", list);
	if (!server) {
		report_add(k->r, REPORT_FAILURE, "use",
		    "not for server authentication");
		report_next(k->r, "ask for a certificate for a TLS web server");
	} else {
		report_add(k->r, REPORT_OK, "use", "%s",
		    any      ? "not restricted"
		    : client ? "server and client authentication"
			     : "server authentication");
	}
	judge_client_use(k, client);
	if ((X509_get_key_usage(k->cert) & KU_DIGITAL_SIGNATURE) == 0) {
		report_add(k->r, REPORT_FAILURE, "use",
		    "its key may not sign (key usage), which TLS needs");
		report_next(k->r, "ask for digitalSignature in the key usage");
	}
	if (X509_check_ca(k->cert) == 1)
		report_add(k->r, REPORT_WARNING, "use",
		    "it is an authority's certificate; is it the first of the "
		    "file by mistake?");
}

/* --- revocation ------------------------------------------------------------- */

static void
add_point(json_t *list, const DIST_POINT *point)
{
	const GENERAL_NAMES *names;

	if (point->distpoint == NULL || point->distpoint->type != 0)
		return;
	names = point->distpoint->name.fullname;
	for (int i = 0; i < sk_GENERAL_NAME_num(names); i++) {
		const GENERAL_NAME *n = sk_GENERAL_NAME_value(names, i);
		char uri[TEXT_SIZE];

		if (n->type != GEN_URI)
			continue;
		snprintf(uri, sizeof(uri), "%.*s",
		    ASN1_STRING_length(n->d.uniformResourceIdentifier),
		    (const char *)ASN1_STRING_get0_data(
			n->d.uniformResourceIdentifier));
		(void)json_array_append_new(list, report_text(uri));
	}
}

static json_t *
crl_points(X509 *cert)
{
	CRL_DIST_POINTS *points =
	    X509_get_ext_d2i(cert, NID_crl_distribution_points, NULL, NULL);
	json_t *list = json_array();

	for (int i = 0; points != NULL && i < sk_DIST_POINT_num(points); i++)
		add_point(list, sk_DIST_POINT_value(points, i));
	CRL_DIST_POINTS_free(points);
	return list;
}

static json_t *
ocsp_points(X509 *cert)
{
	STACK_OF(OPENSSL_STRING) *uris = X509_get1_ocsp(cert);
	json_t *list = json_array();

	for (int i = 0; uris != NULL && i < sk_OPENSSL_STRING_num(uris); i++)
		(void)json_array_append_new(
		    list, report_text(sk_OPENSSL_STRING_value(uris, i)));
	X509_email_free(uris);
	return list;
}

static void
judge_revocation(struct look *k)
{
	json_t *crls = crl_points(k->cert), *ocsp = ocsp_points(k->cert);
	size_t n = json_array_size(crls);

	if (n > 0)
		report_add(k->r, REPORT_OK, "revocation", "%zu CRL points: %s",
		    n, json_string_value(json_array_get(crls, 0)));
	else if (json_array_size(ocsp) > 0 && k->c->purpose != CERT_SIP)
		report_add(k->r, REPORT_OK, "revocation", "OCSP at %s",
		    json_string_value(json_array_get(ocsp, 0)));
	else if (k->c->purpose == CERT_SIP) {
		report_add(k->r, REPORT_WARNING, "revocation",
		    "no CRL distribution point; Lync wants one in every "
		    "server's certificate");
		report_next(
		    k->r, "ask an authority that publishes a revocation list");
	} else {
		report_add(k->r, REPORT_NOTE, "revocation",
		    "neither CRL nor OCSP: it cannot be revoked");
	}
	tell(k, "crl", crls);
	tell(k, "ocsp", ocsp);
}

/* --- chain ---------------------------------------------------------------- */

/* What the checks above have told of the certificate itself. */
static int
on_verify(int ok, X509_STORE_CTX *ctx)
{
	int error = X509_STORE_CTX_get_error(ctx);

	if (ok || X509_STORE_CTX_get_error_depth(ctx) > 0)
		return ok;
	return error == X509_V_ERR_CERT_HAS_EXPIRED ||
	       error == X509_V_ERR_CERT_NOT_YET_VALID ||
	       error == X509_V_ERR_INVALID_PURPOSE ||
	       error == X509_V_ERR_EE_KEY_TOO_SMALL ||
	       error == X509_V_ERR_CA_MD_TOO_WEAK;
}

static bool
load_crl(struct look *k, X509_STORE *store)
{
	FILE *f = fopen(k->c->crl, "re");
	X509_CRL *crl =
	    f != NULL ? PEM_read_X509_CRL(f, NULL, NULL, NULL) : NULL;
	bool ok = crl != NULL && X509_STORE_add_crl(store, crl) == 1 &&
		  X509_STORE_set_flags(store, X509_V_FLAG_CRL_CHECK) == 1;

	if (!ok)
		report_add(k->r, REPORT_FAILURE, "revocation",
		    "%s: no revocation list in PEM form", k->c->crl);
	X509_CRL_free(crl);
	if (f != NULL)
		fclose(f);
	return ok;
}

static X509_STORE *
load_trust(struct look *k)
{
	X509_STORE *store = X509_STORE_new();
	int ok;

	if (store == NULL)
		return NULL;
	ok = k->c->trust != NULL ? X509_STORE_load_file(store, k->c->trust)
				 : X509_STORE_set_default_paths(store);
	if (ok != 1) {
		report_add(k->r, REPORT_FAILURE, "chain",
		    "%s: no trusted certificates in it",
		    k->c->trust != NULL ? k->c->trust : "the system's trust");
	} else if (k->c->crl == NULL || load_crl(k, store)) {
		return store;
	}
	X509_STORE_free(store);
	return NULL;
}

static void
tell_broken(struct look *k, X509_STORE_CTX *ctx)
{
	int error = X509_STORE_CTX_get_error(ctx);
	X509 *at = X509_STORE_CTX_get_current_cert(ctx);
	char issuer[TEXT_SIZE] = "?";

	if (at != NULL)
		cert_file_name_text(
		    issuer, sizeof(issuer), X509_get_issuer_name(at));
	report_add(k->r, REPORT_FAILURE, "chain", "%s",
	    X509_verify_cert_error_string(error));
	switch (error) {
	case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT:
	case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY:
	case X509_V_ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE:
		report_next(k->r,
		    "append the certificate of the issuer (%s) to %s; if it "
		    "is a root that is trusted where it counts, name it with "
		    "--trust",
		    issuer, k->path);
		break;
	case X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT:
	case X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN:
		report_next(k->r,
		    "nobody trusts it by itself: ask an authority, or name "
		    "your own with --trust");
		break;
	case X509_V_ERR_CERT_REVOKED:
		report_next(k->r, "its authority took it back: ask for a new "
				  "one, with a new key");
		break;
	default:
		break;
	}
}

static void
verify(struct look *k, X509_STORE *store)
{
	X509_STORE_CTX *ctx = X509_STORE_CTX_new();
	STACK_OF(X509) *rest = sk_X509_new_null();
	X509_VERIFY_PARAM *param;

	for (size_t i = 1; rest != NULL && i < k->file.count; i++)
		(void)sk_X509_push(rest, k->file.v[i]);
	if (ctx == NULL || rest == NULL ||
	    X509_STORE_CTX_init(ctx, store, k->cert, rest) != 1) {
		report_add(k->r, REPORT_FAILURE, "chain", "out of memory");
		goto done;
	}
	param = X509_STORE_CTX_get0_param(ctx);
	(void)X509_VERIFY_PARAM_set_purpose(param, X509_PURPOSE_SSL_SERVER);
	X509_VERIFY_PARAM_set_auth_level(param, SECURITY_LEVEL);
	X509_STORE_CTX_set_verify_cb(ctx, on_verify);
	if (X509_verify_cert(ctx) != 1) {
		tell_broken(k, ctx);
	} else {
		STACK_OF(X509) *chain = X509_STORE_CTX_get0_chain(ctx);
		char root[TEXT_SIZE];

		cert_file_name_text(root, sizeof(root),
		    X509_get_subject_name(
			sk_X509_value(chain, sk_X509_num(chain) - 1)));
		report_add(k->r, REPORT_OK, "chain", "leads to %s%s", root,
		    k->c->crl != NULL ? "; not revoked" : "");
	}
done:
	sk_X509_free(rest);
	X509_STORE_CTX_free(ctx);
	ERR_clear_error();
}

static void
judge_order(struct look *k)
{
	for (size_t i = 0; i + 1 < k->file.count; i++) {
		if (X509_check_issued(k->file.v[i + 1], k->file.v[i]) ==
		    X509_V_OK)
			continue;
		report_add(k->r, REPORT_WARNING, "chain",
		    "certificate number %zu of the file is not that of the "
		    "issuer of number %zu",
		    i + 2, i + 1);
		report_next(
		    k->r, "order: the server's own, then each one's issuer");
		return;
	}
}

static void
judge_chain(struct look *k)
{
	X509_STORE *store;

	judge_order(k);
	if (k->c->trust == NULL && k->c->purpose != CERT_EXTERNAL) {
		report_add(k->r, REPORT_SKIPPED, "chain",
		    "--trust says whom the other side trusts");
		return;
	}
	store = load_trust(k);
	if (store == NULL)
		return;
	verify(k, store);
	X509_STORE_free(store);
}

/* --- the whole -------------------------------------------------------------- */

static void
judge_all(struct look *k)
{
	static const char *const who[CERT_PURPOSES] = { "a partner's server",
		"the other half", "the pool" };
	size_t failures = k->r->count[REPORT_FAILURE];
	char text[TEXT_SIZE];

	cert_file_name_text(text, sizeof(text), X509_get_subject_name(k->cert));
	tell(k, "subject", report_text(text));
	cert_file_name_text(text, sizeof(text), X509_get_issuer_name(k->cert));
	tell(k, "issuer", report_text(text));
	judge_names(k);
	judge_subject(k);
	judge_dates(k);
	judge_strength(k);
	judge_key_file(k);
	judge_use(k);
	judge_revocation(k);
	judge_chain(k);
	tell(k, "acceptable",
	    json_boolean(k->r->count[REPORT_FAILURE] == failures));
	if (k->r->count[REPORT_FAILURE] == failures)
		report_add(k->r, REPORT_OK, "acceptable", "%s accepts it",
		    who[k->c->purpose]);
	else
		report_add(k->r, REPORT_FAILURE, "acceptable",
		    "%s does not accept it", who[k->c->purpose]);
}

json_t *
cert_check_run(struct report *r, const struct cert_check *c, const char *path)
{
	struct look k = {
		.r = r, .c = c, .path = path, .about = json_object()
	};
	char why[TEXT_SIZE];

	tell(&k, "file", report_text(path));
	if (!cert_file_read(&k.file, path, why, sizeof(why))) {
		report_add(r, REPORT_FAILURE, "file", "%s", why);
		return k.about;
	}
	k.cert = k.file.v[0];
	judge_all(&k);
	cert_file_finish(&k.file);
	return k.about;
}
