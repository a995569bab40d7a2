#include "tests/unit/gateway_sample.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "frontend-gateway/gateway_conf.h"
#include "tests/unit/json_patch.h"

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

char *
gateway_sample_text(const char *patch)
{
	return json_patch(sample, patch != NULL ? patch : "{}");
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
