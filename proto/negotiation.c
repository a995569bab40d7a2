#include "proto/negotiation.h"

#include <stddef.h>
#include <string.h>

#include "common/err.h"

static const char *const names[] = {
	[NEG_REQUIRED] = "Required",
	[NEG_OPTIONAL] = "Optional",
	[NEG_NOT_SUPPORTED] = "NotSupported",
};

struct negotiation_verdict
negotiation_judge(enum negotiation tls, enum negotiation sasl, bool dialback)
{
	struct negotiation_verdict v = { 0, 0 };
	bool sasl_only = tls == NEG_REQUIRED && sasl == NEG_REQUIRED;

	if (tls != NEG_NOT_SUPPORTED && sasl != NEG_NOT_SUPPORTED)
		v.methods |= AUTH_SASL_TLS;
	if (tls != NEG_NOT_SUPPORTED && dialback && !sasl_only)
		v.methods |= AUTH_DIALBACK_TLS;
	if (tls != NEG_REQUIRED && dialback)
		v.methods |= AUTH_DIALBACK_TCP;
	if (v.methods == 0)
		return v;
	if (sasl != NEG_NOT_SUPPORTED && tls != NEG_REQUIRED)
		v.warnings |= NEG_WARN_SASL_NEEDS_TLS;
	if (sasl_only && dialback)
		v.warnings |= NEG_WARN_DIALBACK_INERT;
	return v;
}

const char *
negotiation_str(enum negotiation n)
{
	return names[n];
}

int
negotiation_parse(enum negotiation *out, const char *name)
{
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		if (strcmp(names[i], name) == 0) {
			*out = (enum negotiation)i;
			return 0;
		}
	}
	return ERR_MALFORMED;
}
