/*
 * The plan is made as JSON and printed from it, so that people and programs
 * read the same.
 */
#include "deploy/cert_plan.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "common/buf.h"
#include "deploy/args.h"
#include "deploy/cert_file.h"
#include "deploy/text.h"

#define FOLDER "/etc/sallyport/"

enum { COMMAND_SIZE = 1 << 17 };

/* One certificate; put together by the functions that know. */
struct item {
	enum cert_purpose purpose;
	const char *file; /* without folder and ending */
	json_t *hosts;    /* where it is installed */
	json_t *names;    /* the first is the common name */
};

static const struct {
	const char *authority, *key, *type, *trusted;
	bool client;
} kinds[CERT_PURPOSES] = {
	[CERT_EXTERNAL] = { "a public authority", "P-256", "p256",
	    "by partners' servers", false },
	[CERT_INTERNAL] = { "an authority of your own", "P-256", "p256",
	    "by the other half (\"trust\" in its configuration)", true },
	[CERT_SIP] = { "the authority of the pool's servers", "RSA 2048",
	    "rsa2048", "by the Front End Servers (Trusted Root)", true },
};

static void
append(json_t *list, const char *name)
{
	(void)json_array_append_new(list, json_string(name));
}

static json_t *
names_of(const struct args_names *names)
{
	json_t *list = json_array();

	for (size_t i = 0; i < names->count; i++)
		append(list, names->v[i]);
	return list;
}

/* The line that asks for it. */
static json_t *
request_of(const struct item *it)
{
	const char *type = kinds[it->purpose].type;
	json_t *text;
	struct buf b;

	buf_init(&b, COMMAND_SIZE);
	buf_addf(&b, "sallyport certs request --for %s --domain ",
	    cert_file_purposes[it->purpose]);
	for (size_t i = 0; i < json_array_size(it->names); i++)
		buf_addf(&b, "%s%s", i == 0 ? "" : ",",
		    json_string_value(json_array_get(it->names, i)));
	buf_addf(&b, " --key-type %s --key " FOLDER "%s.key --out %s.csr", type,
	    it->file, it->file);
	text = json_string(buf_cstr(&b));
	buf_finish(&b);
	return text;
}

static int
add(json_t *list, const struct item *it)
{
	char certificate[300], key[300];
	json_t *o;

	snprintf(certificate, sizeof(certificate), FOLDER "%s.pem", it->file);
	snprintf(key, sizeof(key), FOLDER "%s.key", it->file);
	o = json_pack("{s:s,s:o,s:O,s:o,s:[s],s:s,s:s,s:s,s:s,s:s,s:o}", "for",
	    cert_file_purposes[it->purpose], "hosts", it->hosts, "names",
	    it->names, "common_name", json_incref(json_array_get(it->names, 0)),
	    "eku", "serverAuth", "key", kinds[it->purpose].key, "authority",
	    kinds[it->purpose].authority, "trusted", kinds[it->purpose].trusted,
	    "certificate", certificate, "key_file", key, "request",
	    request_of(it));
	if (o != NULL && kinds[it->purpose].client)
		append(json_object_get(o, "eku"), "clientAuth");
	json_decref(it->names);
	return json_array_append_new(list, o);
}

static int
add_per_domain(json_t *list, const struct cert_plan *p)
{
	int rc = 0;

	for (size_t i = 0; i < p->domains->count && rc == 0; i++) {
		const struct item it = { .purpose = CERT_EXTERNAL,
			.file = p->domains->v[i],
			.hosts = names_of(p->edges),
			.names = json_pack("[s]", p->domains->v[i]) };

		rc = add(list, &it);
	}
	return rc;
}

/* Each edge with all domains; its own name last, so that the common name is
 * a domain. */
static int
add_per_edge(json_t *list, const struct cert_plan *p)
{
	int rc = 0;

	for (size_t i = 0; i < p->edges->count && rc == 0; i++) {
		struct item it = { .purpose = CERT_EXTERNAL,
			.file = "xmpp",
			.hosts = json_pack("[s]", p->edges->v[i]),
			.names = names_of(p->domains) };

		if (!args_names_have(p->domains, p->edges->v[i]))
			append(it.names, p->edges->v[i]);
		rc = add(list, &it);
	}
	return rc;
}

static int
add_internal(json_t *list, const struct args_names *hosts)
{
	int rc = 0;

	for (size_t i = 0; i < hosts->count && rc == 0; i++) {
		const struct item it = { .purpose = CERT_INTERNAL,
			.file = "internal",
			.hosts = json_pack("[s]", hosts->v[i]),
			.names = json_pack("[s]", hosts->v[i]) };

		rc = add(list, &it);
	}
	return rc;
}

/* One for all nodes, under the name the pool has for them. */
static int
add_sip(json_t *list, const struct cert_plan *p)
{
	struct item it = { .purpose = CERT_SIP, .file = "sip" };

	if (p->gateways->count == 0)
		return 0;
	it.hosts = names_of(p->gateways);
	it.names = json_array();
	append(it.names, p->sip_name != NULL ? p->sip_name : p->gateways->v[0]);
	for (size_t i = 0; i < p->gateways->count; i++)
		if (strcmp(p->gateways->v[i],
			json_string_value(json_array_get(it.names, 0))) != 0)
			append(it.names, p->gateways->v[i]);
	return add(list, &it);
}

json_t *
cert_plan_make(const struct cert_plan *p)
{
	json_t *list = json_array();
	int rc = 0;

	if (p->domains->count > 0)
		rc = p->per_domain ? add_per_domain(list, p)
				   : add_per_edge(list, p);
	if (rc == 0)
		rc = add_internal(list, p->edges);
	if (rc == 0)
		rc = add_internal(list, p->gateways);
	if (rc == 0)
		rc = add_sip(list, p);
	if (rc == 0)
		return list;
	json_decref(list);
	return NULL;
}

static void
print_list(const char *title, const json_t *list)
{
	printf("  %-12s", title);
	for (size_t i = 0; i < json_array_size(list); i++)
		printf("%s%s", i == 0 ? "" : ", ",
		    json_string_value(json_array_get(list, i)));
	putchar('\n');
}

void
cert_plan_print(const json_t *list)
{
	for (size_t i = 0; i < json_array_size(list); i++) {
		const json_t *o = json_array_get(list, i);

		printf("%s%zu. %s\n", i == 0 ? "" : "\n", i + 1,
		    text_of(o, "for"));
		print_list("on", json_object_get(o, "hosts"));
		printf("  %-12s%s\n", "subject", text_of(o, "common_name"));
		print_list("names", json_object_get(o, "names"));
		print_list("use", json_object_get(o, "eku"));
		printf("  %-12s%s\n", "key", text_of(o, "key"));
		printf("  %-12s%s, trusted %s\n", "from",
		    text_of(o, "authority"), text_of(o, "trusted"));
		printf("  %-12s%s, %s\n", "files", text_of(o, "certificate"),
		    text_of(o, "key_file"));
		printf(
		    "  %s\n", json_string_value(json_object_get(o, "request")));
	}
}
