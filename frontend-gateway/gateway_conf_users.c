/*
 * The employees who could talk to partners before there were policies: prepared
 * when they are read, for the import.
 */
#include "frontend-gateway/gateway_conf_impl.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/conf.h"
#include "common/jid.h"
#include "frontend-gateway/translate/address.h"

static int
by_string(const void *a, const void *b)
{
	const char *const *x = a, *const *y = b;

	return strcmp(*x, *y);
}

/* "sip:anna@contoso.example", or the same without its scheme. */
static bool
read_user(struct jid *out, const char *s)
{
	char uri[1024];
	int len;

	if (strncasecmp(s, "sip:", 4) == 0)
		s += 4;
	len = snprintf(uri, sizeof(uri), "sip:%s", s);
	if (len < 0 || (size_t)len >= sizeof(uri) ||
	    address_from_sip(out, uri, (size_t)len) != 0)
		return false;
	if (out->local != NULL && out->resource == NULL)
		return true;
	jid_finish(out);
	return false;
}

void
gateway_conf_read_users(struct gateway_conf *c, struct conf_obj *root)
{
	size_t n = gateway_conf_array(root, "users", 0, GATEWAY_CONF_USERS_MAX);

	c->users = calloc(n + 1, sizeof(*c->users));
	if (c->users == NULL) {
		gateway_conf_no_memory(c);
		return;
	}
	for (size_t i = 0; i < n; i++) {
		const char *s = conf_array_string(root, "users", i);
		struct jid j;
		char key[64];

		if (conf_failed(c->doc))
			return;
		snprintf(key, sizeof(key), "users/%zu", i);
		if (!read_user(&j, s)) {
			conf_fail(root, key,
			    "\"%.200s\" is not a user's SIP address", s);
			return;
		}
		if (!gateway_conf_hosts(c, j.ascii))
			conf_fail(root, key, "%s is not hosted", j.ascii);
		c->users[i] = strdup(j.bare);
		jid_finish(&j);
		if (c->users[i] == NULL) {
			gateway_conf_no_memory(c);
			return;
		}
		c->user_count = i + 1;
	}
	qsort(c->users, c->user_count, sizeof(*c->users), by_string);
}
