/* reach - see the header. */
#include "edge-proxy/reach.h"

#include <netinet/in.h>
#include <string.h>

#include "common/err.h"

/* Networks that hold no host to connect to, and those of one link. */
static const struct {
	struct prefix network;
	const char *why;
} never[] = {
#define NOWHERE "it is no address of a host"
#define LINK    "it is a link-local address"
	{ { AF_INET, { 0 }, 8 }, NOWHERE },
	{ { AF_INET, { 169, 254 }, 16 }, LINK },
	{ { AF_INET, { 224 }, 4 }, NOWHERE },
	{ { AF_INET, { 240 }, 4 }, NOWHERE },
	{ { AF_INET6, { 0 }, 128 }, NOWHERE },
	{ { AF_INET6, { 0xfe, 0x80 }, 10 }, LINK },
	{ { AF_INET6, { 0xff }, 8 }, NOWHERE },
#undef NOWHERE
#undef LINK
};

static const struct prefix mapped = { AF_INET6, { [10] = 0xff, [11] = 0xff },
	96 };
static const struct prefix translated = { AF_INET6, { 0x00, 0x64, 0xff, 0x9b },
	96 };
static const struct prefix loopback4 = { AF_INET, { 127 }, 8 };
static const struct prefix loopback6 = { AF_INET6, { [15] = 1 }, 128 };

/* One address; false for what is neither IPv4 nor IPv6. */
static bool
read_address(struct prefix *out, const struct sockaddr_storage *ss)
{
	if (prefix_of_sockaddr(out, ss) < 0)
		return false;
	if (prefix_contains(&mapped, out) ||
	    prefix_contains(&translated, out)) {
		memmove(out->bytes, out->bytes + 12, 4);
		memset(out->bytes + 4, 0, 12);
		out->family = AF_INET;
		out->bits = 32;
	}
	return true;
}

static uint16_t
port_of(const struct sockaddr_storage *ss)
{
	if (ss->ss_family == AF_INET6)
		return ntohs(
		    ((const struct sockaddr_in6 *)(const void *)ss)->sin6_port);
	return ntohs(((const struct sockaddr_in *)(const void *)ss)->sin_port);
}

static void
add_listeners(struct reach_listener *out, size_t *count,
    const struct sockaddr_storage *v, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (read_address(&out[*count].at, &v[i]))
			out[(*count)++].port = port_of(&v[i]);
}

void
reach_init(struct reach *out, const struct edge_conf *conf)
{
	const struct sockaddr_storage *own[] = { &conf->outgoing4,
		&conf->outgoing6 };

	*out = (struct reach){ .network_count = conf->inner_network_count };
	memcpy(out->networks, conf->inner_networks, sizeof(out->networks));
	add_listeners(out->external, &out->external_count, conf->listen,
	    conf->listen_count);
	add_listeners(out->external, &out->external_count, conf->direct_listen,
	    conf->direct_listen_count);
	add_listeners(out->internal, &out->internal_count, conf->inner_listen,
	    conf->inner_listen_count);
	for (size_t i = 0; i < 2; i++)
		if (read_address(&out->outgoing[out->outgoing_count], own[i]))
			out->outgoing_count++;
}

static bool
is_loopback(const struct prefix *a)
{
	return prefix_contains(&loopback4, a) || prefix_contains(&loopback6, a);
}

static bool
is_any(const struct prefix *a)
{
	static const uint8_t zero[16];

	return memcmp(a->bytes, zero, sizeof(zero)) == 0;
}

/* Of the addresses of this host, those that the configuration tells. */
static bool
is_known_as_ours(const struct reach *r, const struct prefix *a)
{
	bool ours = is_loopback(a);

	for (size_t i = 0; i < r->outgoing_count; i++)
		ours = ours || prefix_equal(&r->outgoing[i], a);
	for (size_t i = 0; i < r->external_count; i++)
		ours = ours || prefix_equal(&r->external[i].at, a);
	for (size_t i = 0; i < r->internal_count; i++)
		ours = ours || prefix_equal(&r->internal[i].at, a);
	return ours;
}

static bool
is_there(const struct reach *r, const struct reach_listener *l,
    const struct prefix *a, uint16_t port)
{
	if (l->port != port)
		return false;
	return is_any(&l->at) ? is_known_as_ours(r, a)
			      : prefix_equal(&l->at, a);
}

const char *
reach_refusal(const struct reach *r, const struct sockaddr_storage *address,
    uint16_t port, bool configured)
{
	struct prefix a;

	if (!read_address(&a, address))
		return "it is no IP address";
	for (size_t i = 0; i < sizeof(never) / sizeof(never[0]); i++)
		if (prefix_contains(&never[i].network, &a))
			return never[i].why;
	for (size_t i = 0; i < r->external_count; i++)
		if (is_there(r, &r->external[i], &a, port))
			return "it is our own port for partners";
	for (size_t i = 0; i < r->internal_count; i++) {
		const struct reach_listener *l = &r->internal[i];

		/* The whole host, unless everything is on loopback. */
		if (is_there(r, l, &a, port) ||
		    (prefix_equal(&l->at, &a) && !is_loopback(&a)))
			return "it is our own internal address";
	}
	for (size_t i = 0; !configured && i < r->network_count; i++)
		if (prefix_contains(&r->networks[i], &a))
			return "it lies in internal.networks";
	return NULL;
}

const char *
reach_refusal_public(const struct reach *r,
    const struct sockaddr_storage *address, uint16_t port,
    const struct prefix *permitted, size_t permitted_count)
{
	struct prefix a;
	bool named = false;

	if (!read_address(&a, address))
		return "it is no IP address";
	for (size_t i = 0; i < permitted_count; i++)
		named = named || prefix_contains(&permitted[i], &a);
	if (!named && prefix_is_private(&a))
		return "it lies in a private network";
	return reach_refusal(r, address, port, named);
}
