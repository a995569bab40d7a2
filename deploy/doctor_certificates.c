/* sallyport doctor: the certificates a configuration names. */
#include "deploy/doctor.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "common/cert_names.h"
#include "deploy/cert_check.h"
#include "deploy/cert_file.h"

/* Which of the hosted domains it names; they are crossed off in left. */
static void
find_domains(struct args_names *named, struct args_names *left,
    const struct doctor *d, const char *path)
{
	struct cert_names names;
	struct cert_file file;
	char why[400];

	named->count = 0;
	if (!cert_file_read(&file, path, why, sizeof(why)))
		return;
	if (cert_names_read(&names, file.v[0]) < 0) {
		cert_file_finish(&file);
		return;
	}
	for (size_t i = 0; i < d->domains.count; i++) {
		bool found = false;

		for (size_t k = 0; k < names.count; k++)
			found |= cert_name_matches(
			    names.v[k].domain, d->domains.v[i]);
		if (!found)
			continue;
		(void)args_names_add(named, "doctor", d->domains.v[i]);
		for (size_t k = 0; k < left->count; k++)
			if (strcmp(left->v[k], d->domains.v[i]) == 0)
				memmove(left->v[k], left->v[--left->count],
				    sizeof(left->v[k]));
	}
	cert_names_finish(&names);
	cert_file_finish(&file);
}

static void
look_at(struct doctor *d, enum cert_purpose purpose, const json_t *where,
    const char *trust, const struct args_names *names)
{
	const char *path =
	    json_string_value(json_object_get(where, "certificate"));
	const char *key = json_string_value(json_object_get(where, "key"));
	const struct cert_check check = { .purpose = purpose,
		.names = names,
		.key = key,
		.trust = trust,
		.soon_days = CERT_CHECK_BY_LIFETIME };
	struct report own;
	char what[400], why[400];

	if (path == NULL || key == NULL)
		return; /* the configuration's own check has told */
	snprintf(
	    what, sizeof(what), "%s (%s)", path, cert_file_purposes[purpose]);
	report_init(&own);
	json_decref(cert_check_run(&own, &check, path));
	report_merge(&d->r, &own, "certificate", what, "acceptable");
	if (own.count[REPORT_FAILURE] + own.count[REPORT_WARNING] == 0)
		report_add(&d->r, REPORT_OK, "certificate", "%s: good", what);
	report_finish(&own);
	if (d->has_account &&
	    !account_may(&d->account, key, R_OK, why, sizeof(why))) {
		report_add(&d->r, REPORT_FAILURE, "certificate", "%s", why);
		report_next(&d->r, "chgrp %s %s && chmod 640 %s",
		    d->account.name, key, key);
	}
}

static void
look_at_external(struct doctor *d)
{
	const json_t *list = doctor_conf(d, "external/certificates");
	const char *trust = doctor_conf_text(d, "external/trust");
	static struct args_names left, named;

	left = d->domains;
	for (size_t i = 0; i < json_array_size(list); i++) {
		const json_t *one = json_array_get(list, i);
		const char *path =
		    json_string_value(json_object_get(one, "certificate"));

		if (path != NULL)
			find_domains(&named, &left, d, path);
		look_at(d, CERT_EXTERNAL, one, trust, &named);
	}
	for (size_t i = 0; i < left.count; i++) {
		report_add(&d->r, REPORT_FAILURE, "certificate",
		    "no external certificate names %s", left.v[i]);
		report_next(&d->r,
		    "sallyport certs request --for external --domain %s",
		    left.v[i]);
	}
}

static void
look_at_inner(struct doctor *d, enum cert_purpose purpose, const char *member,
    const char *name)
{
	static struct args_names names;
	const json_t *o = doctor_conf(d, member);

	names.count = 0;
	if (name != NULL && !args_names_add(&names, "doctor", name))
		return;
	look_at(d, purpose, o, json_string_value(json_object_get(o, "trust")),
	    &names);
}

void
doctor_certificates(struct doctor *d)
{
	const char *node = doctor_conf_text(d, "node");

	if (d->edge) {
		look_at_external(d);
		look_at_inner(d, CERT_INTERNAL, "internal", node);
	} else {
		look_at_inner(d, CERT_INTERNAL, "channel", node);
		look_at_inner(
		    d, CERT_SIP, "sip", doctor_conf_text(d, "sip/fqdn"));
	}
}
