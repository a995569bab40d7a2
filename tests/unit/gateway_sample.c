#include "tests/unit/gateway_sample.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <jansson.h>

#include "frontend-gateway/gateway_conf.h"

static const char sample[] =
    "{'node': 'gw1.contoso.example',"
    " 'edges': ["
    "  {'name': 'edge1.contoso.example', 'address': '127.0.0.1:23456'},"
    "  {'name': 'edge2.contoso.example', 'address': '[::1]:23456'}],"
    " 'channel': {'certificate': 'c.pem', 'key': 'c.key', 'trust': 'ca.pem'},"
    " 'sip': {'listen': ['127.0.0.1:5061'], 'fqdn': 'gw1.contoso.example',"
    "  'certificate': 's.pem', 'key': 's.key', 'trust': 'sip-ca.pem',"
    "  'pool': {'name': 'pool.contoso.example', 'front_ends': ["
    "   {'name': 'fe1.contoso.example', 'address': '127.0.0.2:5061'}]}},"
    " 'store': 'gateway.db',"
    " 'hosted': [{'Domain': 'contoso.example'}],"
    " 'partners': ["
    "  {'Domain': 'partner.example', 'PartnerType': 'Federated',"
    "   'AdditionalDomains': ['more.example']},"
    "  {'Domain': 'verified.example', 'PartnerType': 'PublicVerified'},"
    "  {'Domain': 'public.example'}],"
    " 'users': ['anna@contoso.example', 'sip:o\\u0027hara@contoso.example']}";

static void
merge(json_t *into, json_t *patch)
{
	const char *key;
	json_t *value;

	json_object_foreach(patch, key, value)
	{
		json_t *old = json_object_get(into, key);

		if (json_is_null(value))
			json_object_del(into, key);
		else if (json_is_object(value) && json_is_object(old))
			merge(old, value);
		else
			json_object_set(into, key, value);
	}
}

/* Single quotes stand for double ones, to be readable in C. */
static json_t *
parse(const char *text)
{
	char *copy = strdup(text);
	json_error_t e;
	json_t *root;

	if (copy == NULL)
		abort();
	for (char *p = copy; *p != '\0'; p++)
		if (*p == '\'')
			*p = '"';
	root = json_loads(copy, 0, &e);
	if (root == NULL) {
		fprintf(stderr, "%s: %s\n", copy, e.text);
		abort();
	}
	free(copy);
	return root;
}

char *
gateway_sample_text(const char *patch)
{
	json_t *root = parse(sample), *over;
	char *text;

	if (patch != NULL) {
		over = parse(patch);
		merge(root, over);
		json_decref(over);
	}
	text = json_dumps(root, JSON_INDENT(1));
	json_decref(root);
	if (text == NULL)
		abort();
	return text;
}

int
gateway_sample_load(struct gateway_conf **out, const char *patch, char *error)
{
	char *text = gateway_sample_text(patch);
	int rc;

	rc = gateway_conf_parse(out, "gateway.json", text, strlen(text), error);
	free(text);
	return rc;
}

struct gateway_conf *
gateway_sample(const char *patch)
{
	char error[GATEWAY_CONF_ERROR_SIZE];
	struct gateway_conf *c;

	if (gateway_sample_load(&c, patch, error) == 0)
		return c;
	fprintf(stderr, "%s\n", error);
	abort();
}
