/* What stays is listed once, in keep_all(). */
#include "frontend-gateway/conf_reload.h"

#include <stdbool.h>
#include <string.h>

#include "frontend-gateway/gateway_conf.h"

struct keeping {
	json_t *names;
	bool failed;
};

/* Compares and puts back; members are plain bytes, zero where not in use. */
static void
keep(struct keeping *k, const char *name, void *fresh, const void *now,
    size_t size)
{
	if (memcmp(fresh, now, size) == 0)
		return;
	memcpy(fresh, now, size);
	for (size_t i = 0; i < json_array_size(k->names); i++)
		if (strcmp(json_string_value(json_array_get(k->names, i)),
			name) == 0)
			return;
	if (json_array_append_new(k->names, json_string(name)) < 0)
		k->failed = true;
}

static void
keep_all(struct keeping *k, struct gateway_conf *fresh,
    const struct gateway_conf *now)
{
	struct gateway_sip_conf *f = &fresh->sip;
	const struct gateway_sip_conf *n = &now->sip;

#define KEEP(name, to, from, member)                                           \
	keep(k, name, &(to)->member, &(from)->member, sizeof((to)->member))
	KEEP("node", fresh, now, node);
	KEEP("store", fresh, now, store);
	KEEP("control", fresh, now, control);
	KEEP("admin.socket", fresh, now, admin.socket);
	KEEP("admin.listen", fresh, now, admin.listen_count);
	KEEP("admin.listen", fresh, now, admin.listen);
	KEEP("sip.listen", f, n, listen_count);
	KEEP("sip.listen", f, n, listen);
	KEEP("sip.listen", f, n, port);
	KEEP("sip.fqdn", f, n, fqdn);
	KEEP("sip.pool.name", f, n, pool);
	KEEP("sip.pool.connections", f, n, connections);
	KEEP("sip.pool.probe_seconds", f, n, probe_ms);
	KEEP("sip.negotiate_reply", f, n, negotiate_reply);
	KEEP("sip.contact", f, n, contact);
#undef KEEP
}

json_t *
conf_reload_keep(struct gateway_conf *fresh, const struct gateway_conf *now)
{
	struct keeping k = { .names = json_array() };

	if (k.names == NULL)
		return NULL;
	keep_all(&k, fresh, now);
	if (!k.failed)
		return k.names;
	json_decref(k.names);
	return NULL;
}

void
conf_reload_swap(struct gateway_conf *a, struct gateway_conf *b)
{
	struct gateway_conf tmp = *a;

	*a = *b;
	*b = tmp;
}
