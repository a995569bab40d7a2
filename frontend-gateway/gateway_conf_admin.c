/*
 * Member "admin": where the HTTP interface for administrators listens.  It has
 * no TLS of its own, so nothing but this machine may reach it; a reverse proxy
 * does for others.
 */
#include <netinet/in.h>
#include <string.h>

#include "common/conf.h"
#include "frontend-gateway/gateway_conf_impl.h"

static bool
is_loopback(const struct sockaddr_storage *ss)
{
	struct sockaddr_in in;
	struct sockaddr_in6 in6;

	if (ss->ss_family == AF_INET) {
		memcpy(&in, ss, sizeof(in));
		return ntohl(in.sin_addr.s_addr) >> 24 == 127;
	}
	memcpy(&in6, ss, sizeof(in6));
	return IN6_IS_ADDR_LOOPBACK(&in6.sin6_addr);
}

void
gateway_conf_read_admin(struct gateway_conf *c, struct conf_obj *root)
{
	struct conf_obj *o = conf_object(root, "admin", false);
	struct gateway_admin_conf *a = &c->admin;
	const char *path = conf_string(o, "socket", "");
	const size_t n =
	    gateway_conf_array(o, "listen", 0, GATEWAY_CONF_LISTEN_MAX);

	if (strlen(path) >= sizeof(a->socket))
		conf_fail(o, "socket", "longer than %zu characters",
		    sizeof(a->socket) - 1);
	else
		memcpy(a->socket, path, strlen(path) + 1);
	for (size_t i = 0; i < n; i++) {
		conf_array_address(o, "listen", i, &a->listen[i], 0);
		if (!conf_failed(c->doc) && !is_loopback(&a->listen[i]))
			conf_fail(o, "listen",
			    "only addresses of loopback are possible: others "
			    "come through a reverse proxy");
	}
	a->listen_count = n;
	conf_end_object(o);
}
