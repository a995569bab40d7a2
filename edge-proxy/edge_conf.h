/*
 * edge_conf - edge.json: what an edge has in a file of its own.
 *
 * That is addresses, certificates, the names of the gateways it obeys, the
 * resolver, and how it logs.  Everything else arrives over the channel.
 *
 * The keeper loads the file; the other processes get its text and parse it
 * again, so that there is one reader of it.  Paths are kept as written,
 * relative ones are relative to the working directory.
 */
#ifndef EDGE_EDGE_CONF_H
#define EDGE_EDGE_CONF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

#include <jansson.h>

#include "common/log.h"
#include "common/prefix.h"
#include "edge-proxy/dane.h"

enum {
	EDGE_CONF_LISTEN_MAX = 16,
	EDGE_CONF_CERTIFICATES_MAX = 64,
	EDGE_CONF_GATEWAYS_MAX = 64,
	EDGE_CONF_SERVERS_MAX = 8,
	EDGE_CONF_ANCHORS_MAX = 16,
	EDGE_CONF_NETWORKS_MAX = 64,
	EDGE_CONF_COMPONENTS_MAX = 64,
	EDGE_CONF_FILE_MAX = 4 * 1024 * 1024,
	EDGE_CONF_LISTS_MAX = 32,
	EDGE_CONF_LIST_MAX = 8 * 1024 * 1024 /* bytes of one */
};

struct edge_conf_files {
	char *certificate;
	char *key;
	char *ocsp; /* the answer to be stapled; NULL: it is fetched */
};

struct edge_conf_level {
	char component[32];
	enum log_level level;
};

struct edge_conf {
	char node[256];

	struct sockaddr_storage listen[EDGE_CONF_LISTEN_MAX];
	size_t listen_count;
	/* The same, for partners who speak TLS at once; maybe none. */
	struct sockaddr_storage direct_listen[EDGE_CONF_LISTEN_MAX];
	size_t direct_listen_count;
	/* Load balancers, who pass partners on by the PROXY protocol; none:
	 * partners come by themselves. */
	struct prefix proxies[EDGE_CONF_NETWORKS_MAX];
	size_t proxy_count;
	/* Source addresses of outgoing connections; ss_family 0 = any. */
	struct sockaddr_storage outgoing4, outgoing6;
	struct edge_conf_files certificates[EDGE_CONF_CERTIFICATES_MAX];
	size_t certificate_count;
	char *trust;
	/* Files of revocation lists, maybe none. */
	char *lists[EDGE_CONF_LISTS_MAX];
	size_t list_count;
	bool lists_hard;    /* whose status is not known is refused too */
	bool lists_fetched; /* lists, and answers for our certificates */
	/* Private networks that they may be fetched from. */
	struct prefix list_networks[EDGE_CONF_NETWORKS_MAX];
	size_t list_network_count;

	struct sockaddr_storage inner_listen[EDGE_CONF_LISTEN_MAX];
	size_t inner_listen_count;
	struct edge_conf_files inner;
	char *inner_trust;
	char gateways[EDGE_CONF_GATEWAYS_MAX][256];
	size_t gateway_count;
	/* Where partners' records must not lead. */
	struct prefix inner_networks[EDGE_CONF_NETWORKS_MAX];
	size_t inner_network_count;

	/* "192.0.2.53@53", as libunbound takes them; none = resolv.conf. */
	char servers[EDGE_CONF_SERVERS_MAX][64];
	size_t server_count;
	/* A path, or the text of a DS or DNSKEY record. */
	char *anchors[EDGE_CONF_ANCHORS_MAX];
	size_t anchor_count;
	struct dane_conf dane;

	uint32_t grace_ms;
	char control[108]; /* path of the control socket; "" = none */
	char user[64];     /* "" = stay who we are */
	bool sandbox;

	enum log_level level;
	struct edge_conf_level levels[EDGE_CONF_COMPONENTS_MAX];
	size_t level_count;
	bool bodies;
};

/* Parses; name is what messages call the text.  On error *out is untouched
 * and why holds one line, "edge.json: /external/listen/0: port 70000 is above
 * 65535".  ERR_CONFIG, ERR_NOMEM.  The result is released with
 * edge_conf_free(). */
int edge_conf_parse(struct edge_conf **out, const char *name, const char *text,
    size_t len, char *why, size_t size);
/* The same from a file; *text (may be NULL) gets what the file held, to be
 * passed on and then free()d. */
int edge_conf_load(struct edge_conf **out, const char *path, char **text,
    char *why, size_t size);
void edge_conf_free(struct edge_conf *c);

/* The whole of a file, at most max bytes and NUL-terminated, to be free()d.
 * ERR_FULL, ERR_NOMEM or libuv's code. */
int edge_conf_read_file(char **out, size_t *len, const char *path, size_t max);
/* A trust anchor is a path, or else the text of a record. */
bool edge_conf_anchor_is_file(const char *anchor);

/* Puts back into fresh what a reload cannot change, as it is in now.  Returns
 * the names of those members that differed ("internal.listen"), an array of
 * the caller's, or NULL without memory. */
json_t *edge_conf_keep(struct edge_conf *fresh, const struct edge_conf *now);

/* Looks at every file the configuration names: certificates load, keys match,
 * trust holds certificates, revocation lists can be read, anchors too, the user
 * exists. */
int edge_conf_check(
    const struct edge_conf *c, const char *name, char *why, size_t size);
/* Whether each revocation list is in force today.  No part of the above: an
 * edge starts with an old list, which is better than none. */
int edge_conf_check_dates(
    const struct edge_conf *c, const char *name, char *why, size_t size);

/* Sets levels and bodies of common/log.h as configured. */
void edge_conf_apply_log(const struct edge_conf *c);

#endif
