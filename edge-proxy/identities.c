/*
 * identities - see the header.
 */
#include "edge-proxy/identities.h"

#include <stdlib.h>
#include <string.h>

#include "common/cert_names.h"
#include "common/err.h"

enum { IDENTITIES_MAX = 64 };

struct entry {
	struct tls_identity id;
	struct cert_names names;
};

struct identities {
	struct entry *entries;
	size_t count;
	struct cert_status *status;
};

int
identities_new(struct identities **out)
{
	struct identities *ids = calloc(1, sizeof(*ids));

	if (ids == NULL)
		return ERR_NOMEM;
	*out = ids;
	return 0;
}

static void
clear(struct identities *ids)
{
	for (size_t i = 0; i < ids->count; i++) {
		tls_identity_finish(&ids->entries[i].id);
		cert_names_finish(&ids->entries[i].names);
	}
	free(ids->entries);
	ids->entries = NULL;
	ids->count = 0;
}

void
identities_free(struct identities *ids)
{
	if (ids == NULL)
		return;
	clear(ids);
	free(ids);
}

int
identities_add(struct identities *ids, struct tls_identity *id)
{
	struct cert_names names = { 0 };
	struct entry *grown;
	X509 *cert;
	int rc;

	if (ids->count >= IDENTITIES_MAX)
		return ERR_FULL;
	cert = SSL_CTX_get0_certificate(id->server);
	if (cert == NULL)
		return ERR_CERT;
	rc = cert_names_read(&names, cert);
	if (rc < 0)
		return rc;
	grown = realloc(ids->entries, (ids->count + 1) * sizeof(*grown));
	if (grown == NULL) {
		cert_names_finish(&names);
		return ERR_NOMEM;
	}
	ids->entries = grown;
	ids->entries[ids->count].id = *id;
	ids->entries[ids->count].names = names;
	ids->count++;
	memset(id, 0, sizeof(*id));
	return 0;
}

void
identities_replace(struct identities *ids, struct identities *by)
{
	struct cert_status *status = ids->status;

	clear(ids);
	*ids = *by;
	ids->status = status;
	free(by);
}

size_t
identities_count(const struct identities *ids)
{
	return ids->count;
}

const struct tls_identity *
identities_at(const struct identities *ids, size_t i)
{
	return &ids->entries[i].id;
}

void
identities_set_status(struct identities *ids, struct cert_status *status)
{
	ids->status = status;
}

struct cert_status *
identities_status(const struct identities *ids)
{
	return ids->status;
}

static bool
names_domain(const struct cert_names *names, const char *ascii)
{
	for (size_t i = 0; i < names->count; i++)
		if (cert_name_matches(names->v[i].domain, ascii))
			return true;
	return false;
}

const struct tls_identity *
identities_pick(const struct identities *ids, const char *ascii, bool *named)
{
	for (size_t i = 0; i < ids->count; i++) {
		if (!names_domain(&ids->entries[i].names, ascii))
			continue;
		*named = true;
		return &ids->entries[i].id;
	}
	*named = false;
	return ids->count > 0 ? &ids->entries[0].id : NULL;
}
