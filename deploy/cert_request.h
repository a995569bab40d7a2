/*
 * cert_request - a key and the request for a certificate (PKCS#10), as files.
 *
 * The key is written first, for its owner alone; nothing that exists is
 * written over.
 */
#ifndef DEPLOY_CERT_REQUEST_H
#define DEPLOY_CERT_REQUEST_H

#include <stdbool.h>
#include <stddef.h>

struct args_names;

enum cert_key_type {
	CERT_KEY_P256,
	CERT_KEY_P384,
	CERT_KEY_RSA2048,
	CERT_KEY_RSA3072,
	CERT_KEY_RSA4096
};
enum { CERT_KEY_TYPES = 5 };
extern const char *const cert_request_key_types[CERT_KEY_TYPES];

struct cert_request {
	const struct args_names *names;     /* the first is the common name */
	const char *organization, *country; /* NULL = left out */
	bool client;                        /* also clientAuth */
	bool srv_name, xmpp_addr;           /* also as those (RFC 6120) */
	enum cert_key_type type;
	bool have_key; /* the key is there: use it */
	const char *key, *out;
};

/* False with why, one line; a key that was made is left there. */
bool cert_request_write(const struct cert_request *q, char *why, size_t size);

#endif
