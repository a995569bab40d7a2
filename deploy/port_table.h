/*
 * port_table - who may speak to whom, as data.
 *
 * deploy/ports.json is the table; it is built into the program, and another
 * file of the same form can stand in for it.  Rows are what the product and
 * the Lync roles beside it need, each with the document it is known from.
 *
 * Owns     the document and all rows; strings live until port_table_free().
 * Errors   told by conf (common/conf.h): "ports.json: /rows/3/port: ...".
 */
#ifndef DEPLOY_PORT_TABLE_H
#define DEPLOY_PORT_TABLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <jansson.h>

#define PORT_TOPOLOGIES(X)                                                     \
	X(PORT_SINGLE_NAT, "single-nat")                                       \
	X(PORT_SINGLE_PUBLIC, "single-public")                                 \
	X(PORT_SCALED_DNS_NAT, "scaled-dns-nat")                               \
	X(PORT_SCALED_DNS_PUBLIC, "scaled-dns-public")                         \
	X(PORT_SCALED_HLB, "scaled-hlb")

/* Ends of a flow; what stands behind each is the site's to say. */
#define PORT_ROLES(X)                                                          \
	X(PORT_INTERNET, "internet")                                           \
	X(PORT_PARTNERS, "partners")                                           \
	X(PORT_RESOLVERS, "resolvers")                                         \
	X(PORT_EDGE_VIP, "edge-vip")                                           \
	X(PORT_LOAD_BALANCER, "load-balancer")                                 \
	X(PORT_EDGE_EXTERNAL, "edge-external")                                 \
	X(PORT_EDGE_INTERNAL, "edge-internal")                                 \
	X(PORT_GATEWAYS, "gateways")                                           \
	X(PORT_FRONT_ENDS, "front-ends")                                       \
	X(PORT_INSIDE, "inside")                                               \
	X(PORT_LYNC_ACCESS, "lync-access")                                     \
	X(PORT_LYNC_ACCESS_VIP, "lync-access-vip")                             \
	X(PORT_LYNC_WEBCONF, "lync-webconf")                                   \
	X(PORT_LYNC_WEBCONF_VIP, "lync-webconf-vip")                           \
	X(PORT_LYNC_AV, "lync-av")                                             \
	X(PORT_LYNC_AV_VIP, "lync-av-vip")                                     \
	X(PORT_LYNC_INTERNAL, "lync-internal")                                 \
	X(PORT_LYNC_INTERNAL_VIP, "lync-internal-vip")

/* Ports a site may have moved. */
#define PORT_SETTINGS(X)                                                       \
	X(PORT_SET_XMPP, "xmpp")                                               \
	X(PORT_SET_PARTNER, "partner")                                         \
	X(PORT_SET_DIRECT, "direct")                                           \
	X(PORT_SET_PARTNER_DIRECT, "partner-direct")                           \
	X(PORT_SET_CHANNEL, "channel")                                         \
	X(PORT_SET_POOL, "pool")                                               \
	X(PORT_SET_GATEWAY, "gateway")                                         \
	X(PORT_SET_DNS, "dns")

#define X(name, text) name,
enum port_topology { PORT_TOPOLOGIES(X) PORT_TOPOLOGY_COUNT };
enum port_role { PORT_ROLES(X) PORT_ROLE_COUNT };
enum port_setting { PORT_SETTINGS(X) PORT_SET_COUNT };
#undef X

enum port_transport { PORT_TCP, PORT_UDP };
enum port_direction { PORT_IN, PORT_OUT, PORT_WITHIN };
enum port_side { PORT_EXTERNAL, PORT_INTERNAL };
enum { PORT_LIST_MAX = 8 };

struct port_row {
	const char *id, *protocol, *purpose;
	bool ours; /* Sallyport's own, not a Lync role's */
	enum port_transport transport;
	uint16_t first, last; /* the same but for a range */
	int setting;          /* enum port_setting; -1 = cannot be moved */
	enum port_role from, to;
	enum port_direction direction;
	enum port_side side;
	unsigned topologies; /* bit set of enum port_topology */
	const char *features[PORT_LIST_MAX];
	size_t feature_count;
	const char *documents[PORT_LIST_MAX]; /* keys of its "documents" */
	size_t document_count;
};

struct port_table {
	struct conf *conf;
	struct port_row *rows;
	size_t count;
};

/* path NULL = the table built in.  0 or an error, told in why. */
int port_table_load(
    struct port_table **out, const char *path, char *why, size_t size);
void port_table_free(struct port_table *t);

bool port_row_serves(const struct port_row *r, const char *feature);
/* One of the table's features. */
bool port_table_has_feature(const struct port_table *t, const char *feature);
/* Full name of a document; NULL if the table has none of that key. */
const char *port_table_document(const struct port_table *t, const char *key);
/* What the table says about a topology or a role; NULL if nothing. */
const char *port_table_about(
    const struct port_table *t, const char *group, const char *key);

/* Row i as it stands in the file; borrowed. */
json_t *port_table_json(const struct port_table *t, size_t i);

const char *port_topology_name(enum port_topology t);
const char *port_role_name(enum port_role r);
const char *port_setting_name(enum port_setting s);
const char *port_transport_name(enum port_transport t);
const char *port_direction_name(enum port_direction d);
const char *port_side_name(enum port_side s);
/* Topology or side by name, -1 for none. */
int port_topology_find(const char *name);
int port_side_find(const char *name);
/* "5269", "50000-59999"; out holds 16 bytes. */
void port_range_text(char out[static 16], uint16_t first, uint16_t last);

#endif
