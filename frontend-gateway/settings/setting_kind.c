#include "frontend-gateway/settings/setting_kind.h"

#include <assert.h>
#include <string.h>
#include <strings.h>

const struct setting_kind *const setting_kinds[] = {
	&setting_kind_gateway_config,
	&setting_kind_access_edge,
	&setting_kind_site,
	&setting_kind_policy,
	&setting_kind_grant,
	&setting_kind_provider,
	&setting_kind_licence,
	&setting_kind_partner,
	&setting_kind_token,
};

enum { COUNT = sizeof(setting_kinds) / sizeof(setting_kinds[0]) };

size_t
setting_kind_count(void)
{
	return COUNT;
}

const struct setting_kind *
setting_kind_find(const char *name)
{
	for (size_t i = 0; i < COUNT; i++)
		if (strcmp(setting_kinds[i]->name, name) == 0 ||
		    strcmp(setting_kinds[i]->plural, name) == 0)
			return setting_kinds[i];
	return NULL;
}

size_t
setting_kind_index(const struct setting_kind *k)
{
	for (size_t i = 0; i < COUNT; i++)
		if (setting_kinds[i] == k)
			return i;
	assert(!"a kind that is not listed");
	return 0;
}

const struct setting_field *
setting_kind_field(const struct setting_kind *k, const char *name)
{
	for (size_t i = 0; i < k->field_count; i++)
		if (strcasecmp(k->fields[i].name, name) == 0)
			return &k->fields[i];
	return NULL;
}
