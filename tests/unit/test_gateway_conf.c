/* gateway.json: what is read, what is refused and in which words. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/err.h"
#include "frontend-gateway/gateway_conf.h"
#include "tests/unit/gateway_sample.h"
#include "tests/unit/make_cert.h"

static const struct {
	const char *patch, *error;
} refused[] = {
	{ "{'node': null}", "/node: is missing" },
	{ "{'node': 'not a name'}",
	    "/node: \"not a name\" is not a domain name" },
	{ "{'edges': []}", "/edges: at least 1 needed" },
	{ "{'edges': [{'name': 'e.example', 'address': '10.0.0.1:70000'}]}",
	    "/edges/0/address: port 70000 is above 65535" },
	{ "{'edges': [{'name': 'e.example', 'address': '10.0.0.1'}]}",
	    "/edges/0/address: \"10.0.0.1\" has no port" },
	{ "{'edges': [{'name': 'e.example', 'address': '10.0.0.1:1'},"
	  "{'name': 'E.example', 'address': '10.0.0.2:1'}]}",
	    "/edges/1/name: e.example is listed twice" },
	{ "{'channel': {'key': null}}", "/channel/key: is missing" },
	{ "{'sip': {'listen': []}}", "/sip/listen: at least 1 needed" },
	{ "{'sip': {'tls_min': '0.9'}}",
	    "/sip/tls_min: \"0.9\" is none of \"1.0\", \"1.1\", \"1.2\", "
	    "\"1.3\"" },
	{ "{'sip': {'tls_max': '1.1'}}", "/sip/tls_max: is below tls_min" },
	{ "{'sip': {'pool': {'connections': 5}}}",
	    "/sip/pool/connections: 5 is above 4" },
	{ "{'sip': {'pool': {'probe_seconds': -1}}}",
	    "/sip/pool/probe_seconds: -1 is below 0" },
	{ "{'sip': {'tls_min': '1.3', 'tls_max': '1.2'}}",
	    "/sip/tls_max: is below tls_min" },
	{ "{'sip': {'negotiate_reply': '200'}}",
	    "/sip/negotiate_reply: \"200\" is none of \"405\", \"488\", "
	    "\"501\", \"200-none\"" },
	{ "{'sip': {'user_agent': 'Sally port/1.0/2'}}",
	    "/sip/user_agent: must be products like \"Name/1.0\" and comments "
	    "in parentheses, of at most 128 characters" },
	{ "{'sip': {'user_agent': 5}}",
	    "/sip/user_agent: must be a string, is a whole number" },
	{ "{'sip': {'pool': {'front_ends': []}}}",
	    "/sip/pool/front_ends: at least 1 needed" },
	{ "{'messages': {'language': 'tlh'}}",
	    "/messages/language: is none of en, de" },
	{ "{'messages': {'corrections': 'bold'}}",
	    "/messages/corrections: \"bold\" is none of \"star\", "
	    "\"word\"" },
	{ "{'messages': {'formatting': 'no'}}",
	    "/messages/formatting: must be true or false, is a string" },
	{ "{'messages': {'bad_characters': 'drop'}}",
	    "/messages/bad_characters: \"drop\" is none of \"refuse\", "
	    "\"replace\"" },
	{ "{'messages': {'reaction': true}}",
	    "/messages/reaction: is not a known setting" },
	{ "{'store': 5}", "/store: must be a string, is a whole number" },
	{ "{'presence': {'language': 'english!'}}",
	    "/presence/language: \"english!\" is no language tag (BCP 47)" },
	{ "{'presence': {'language': ''}}",
	    "/presence/language: \"\" is no language tag (BCP 47)" },
	{ "{'presence': {'language': 'de-'}}",
	    "/presence/language: \"de-\" is no language tag (BCP 47)" },
	{ "{'presence': {'new_contact_per_minute': 0}}",
	    "/presence/new_contact_per_minute: 0 is below 1" },
	{ "{'limits': {'misses_at_once': 100001}}",
	    "/limits/misses_at_once: 100001 is above 100000" },
	{ "{'hosted': []}", "/hosted: at least 1 needed" },
	{ "{'hosted': [{'Domain': 'contoso.example'},"
	  "{'Domain': 'Contoso.Example.'}]}",
	    "/hosted/1/Domain: contoso.example is listed twice" },
	{ "{'hosted': [{'domain': 'contoso.example'}]}",
	    "/hosted/0/Domain: is missing" },
	{ "{'partners': [{'PartnerType': 'Federated'}]}",
	    "/partners/0/Domain: is missing" },
	{ "{'partners': [{'Domain': 'a.example', 'Identity': 'a.example'}]}",
	    "/partners/0/Identity: Identity and Domain exclude each other" },
	{ "{'partners': [{'Domain': 'a.example', 'PartnerType': 'federated'}]}",
	    "/partners/0/PartnerType: \"federated\" is none of \"Federated\", "
	    "\"PublicVerified\", \"PublicUnverified\"" },
	{ "{'partners': [{'Domain': 'a.example', 'ConnectionLimit': -1}]}",
	    "/partners/0/ConnectionLimit: -1 is below 0" },
	{ "{'limits': {'half_open_streams': 0}}",
	    "/limits/half_open_streams: 0 is below 1" },
	{ "{'limits': {'edge_memory_bytes': 1048576}}",
	    "/limits/edge_memory_bytes: 1048576 is below 33554432" },
	{ "{'limits': {'stanzas_per_second': 1000001}}",
	    "/limits/stanzas_per_second: 1000001 is above 1000000" },
	{ "{'partners': [{'Domain': 'a.example',"
	  "'AdditionalDomains': ['b.example', 'c d']}]}",
	    "/partners/0/AdditionalDomains/1: \"c d\" is not a domain name" },
	{ "{'partners': [{'Domain': 'a.example', 'TlsNegotiation':"
	  "'NotSupported', 'SupportDialbackNegotiation': false}]}",
	    "/partners/0: TlsNegotiation NotSupported, SaslNegotiation "
	    "Required and SupportDialbackNegotiation false leave no way to "
	    "authenticate" },
	{ "{'partners': [{'Domain': 'a.example', 'SaslNegotiation':"
	  "'NotSupported', 'SupportDialbackNegotiation': false}]}",
	    "/partners/0: TlsNegotiation Required, SaslNegotiation "
	    "NotSupported and SupportDialbackNegotiation false leave no way "
	    "to authenticate" },
	{ "{'partners': [{'Domain': 'a.example'}, {'Domain': 'b.example',"
	  "'AdditionalDomains': ['A.example']}]}",
	    "/partners: a.example is listed twice" },
	/* Names of our own. */
	{ "{'partners': [{'Domain': 'Contoso.example'}]}",
	    "/partners/0/Domain: contoso.example is a name of our own: a "
	    "partner that carried it could speak for employees" },
	{ "{'partners': [{'Domain': 'a.example',"
	  "'AdditionalDomains': ['pool.contoso.example']}]}",
	    "/partners/0/AdditionalDomains/0: pool.contoso.example is a name "
	    "of our own: a partner that carried it could speak for "
	    "employees" },
	{ "{'partners': [{'Domain': 'fe1.contoso.example'}]}",
	    "/partners/0/Domain: fe1.contoso.example is a name of our own: a "
	    "partner that carried it could speak for employees" },
	{ "{'users': ['anna']}",
	    "/users/0: \"anna\" is not a user's SIP address" },
	{ "{'users': ['anna@contoso.example', 'bo@partner.example']}",
	    "/users/1: partner.example is not hosted" },
	{ "{'dialback_secret_file': '/nonexistent/secret'}",
	    "/dialback_secret_file: /nonexistent/secret: No such file or "
	    "directory" },
	{ "{'limits': {'body_bytes': 200000}}",
	    "/limits/body_bytes: 200000 is above 131072" },
	{ "{'timers': {'outward_ms': 40000}}",
	    "/timers/outward_ms: 40000 is above 31000" },
	{ "{'timers': {'inward': 1}}",
	    "/timers/inward: is not a known setting" },
	{ "{'log': {'level': 'loud'}}",
	    "/log/level: \"loud\" is none of \"error\", \"warn\", \"info\", "
	    "\"debug\"" },
	{ "{'log': {'components': {'edges': 'quiet'}}}",
	    "/log/components/edges: \"quiet\" is none of \"error\", \"warn\", "
	    "\"info\", \"debug\"" },
	{ "{'notices': 'loud'}",
	    "/notices: \"loud\" is none of \"chat\", \"imdn\", \"off\"" },
	{ "{'surprise': 1}", "/surprise: is not a known setting" },
};

static void
mistakes_are_named_with_their_place(void **state)
{
	char error[GATEWAY_CONF_ERROR_SIZE], want[GATEWAY_CONF_ERROR_SIZE];

	(void)state;
	for (size_t i = 0; i < sizeof(refused) / sizeof(refused[0]); i++) {
		struct gateway_conf *c = NULL;
		int rc = gateway_sample_load(&c, refused[i].patch, error);

		if (rc == 0)
			fail_msg("accepted: %s", refused[i].patch);
		assert_int_equal(rc, ERR_CONFIG);
		assert_null(c);
		snprintf(
		    want, sizeof(want), "gateway.json: %s", refused[i].error);
		assert_string_equal(error, want);
	}
}

static void
the_sample_has_the_cmdlets_defaults(void **state)
{
	struct gateway_conf *c = gateway_sample(NULL);
	const struct gateway_partner *p;

	(void)state;
	p = gateway_conf_partner(c, "public.example");
	assert_non_null(p);
	assert_int_equal(p->type, GATEWAY_PUBLIC_UNVERIFIED);
	assert_int_equal(p->tls, NEG_REQUIRED);
	assert_int_equal(p->sasl, NEG_REQUIRED);
	assert_true(p->dialback);
	assert_true(p->keep_alive);
	assert_string_equal(p->proxy_fqdn, "");
	assert_int_equal(c->limits.connection_limit, 1000);
	assert_int_equal(c->limits.partner_connection_limit, 20);
	assert_int_equal(c->limits.half_open_streams, 512);
	assert_int_equal(c->limits.address_streams, 500);
	assert_int_equal(c->limits.address_half_open, 64);
	assert_int_equal(c->limits.stanzas_per_second, 1000);
	assert_int_equal(c->limits.edge_memory_bytes, 256 << 20);
	assert_int_equal(c->timers.stream_establishment_ms, 60000);
	assert_int_equal(c->timers.stream_inactivity_ms, 600000);
	assert_int_equal(c->timers.stream_silence_ms, 60000);
	assert_int_equal(c->timers.keep_alive_ms, 300000);
	assert_true(c->streams.bidirectional);
	assert_int_equal(c->timers.outward_ms, 28000);
	assert_int_equal(c->timers.inward_ms, 60000);
	assert_int_equal(c->timers.idle_ms, 1800000);
	assert_int_equal(c->presence.subscribe_s, 28800);
	assert_int_equal(c->presence.damp_ms, 5000);
	assert_int_equal(c->presence.renew_per_second, 25);
	assert_int_equal(c->presence.first_per_user_s, 10);
	assert_int_equal(c->presence.grace_s, 120);
	assert_int_equal(c->presence.removal_days, 7);
	assert_int_equal(c->presence.newcomers.per_minute, 120);
	assert_int_equal(c->presence.newcomers.at_once, 500);
	assert_int_equal(c->presence.newcomers.contact_per_minute, 2);
	assert_int_equal(c->presence.newcomers.contact_at_once, 20);
	assert_int_equal(c->limits.misses.per_minute, 120);
	assert_int_equal(c->limits.misses.at_once, 500);
	assert_int_equal(c->limits.misses.contact_per_minute, 2);
	assert_int_equal(c->limits.misses.contact_at_once, 20);
	assert_true(c->presence.generated_status);
	assert_false(c->presence.refusal_ends);
	assert_int_equal(c->sip.port, 5061);
	assert_int_equal(c->sip.tls_min, TLS1_2_VERSION);
	assert_int_equal(c->sip.tls_max, 0);
	assert_int_equal(c->sip.connections, 1);
	assert_int_equal(c->sip.probe_ms, 60000);
	assert_int_equal(c->sip.negotiate_reply, SIP_NEGOTIATE_405);
	assert_int_equal(c->notices, GATEWAY_NOTICES_CHAT);
	assert_int_equal(c->sip.contact, SIP_CONTACT_GATEWAY);
	assert_string_equal(c->sip.user_agent, SIP_PRODUCT_DEFAULT);
	assert_int_equal(c->edge_count, 2);
	gateway_conf_free(c);
}

/* The sample that is installed says what holds without it, so that it can be
 * copied and changed. */
static void
the_installed_sample_has_the_defaults(void **state)
{
	struct gateway_conf *without = gateway_sample(NULL);
	char error[GATEWAY_CONF_ERROR_SIZE];
	struct gateway_conf *c;
	const char *language;

	(void)state;
	if (gateway_conf_load(&c, "deploy/examples/gateway.json", error) < 0)
		fail_msg("%s", error);
	assert_memory_equal(&c->limits, &without->limits, sizeof(c->limits));
	assert_memory_equal(&c->timers, &without->timers, sizeof(c->timers));
	language = c->presence.language;
	assert_string_equal(language, without->presence.language);
	c->presence.language = without->presence.language;
	assert_memory_equal(
	    &c->presence, &without->presence, sizeof(c->presence));
	c->presence.language = language;
	gateway_conf_free(c);
	gateway_conf_free(without);
}

/* A language that is one, but not ours. */
static void
a_language_without_texts_is_warned_of(void **state)
{
	struct gateway_conf *c =
	    gateway_sample("{'presence': {'language': 'de-AT'}}");
	size_t before = c->warning_count;

	(void)state;
	gateway_conf_free(c);
	c = gateway_sample("{'presence': {'language': 'tlh'}}");
	assert_int_equal(c->warning_count, before + 1);
	assert_non_null(strstr(c->warnings[before], "\"tlh\""));
	gateway_conf_free(c);
}

static void
look_ups_are_exact(void **state)
{
	struct gateway_conf *c = gateway_sample(NULL);

	(void)state;
	assert_true(gateway_conf_hosts(c, "contoso.example"));
	assert_false(gateway_conf_hosts(c, "sub.contoso.example"));
	assert_false(gateway_conf_hosts(c, "partner.example"));
	assert_non_null(gateway_conf_partner(c, "more.example"));
	assert_ptr_equal(gateway_conf_partner(c, "more.example"),
	    gateway_conf_partner(c, "partner.example"));
	assert_null(gateway_conf_partner(c, "sub.partner.example"));
	assert_null(gateway_conf_partner(c, "contoso.example"));
	assert_int_equal(c->user_count, 2);
	assert_string_equal(c->users[0], "anna@contoso.example");
	assert_string_equal(c->users[1], "o\\27hara@contoso.example");
	gateway_conf_free(c);
}

static void
old_versions_are_warned_of(void **state)
{
	static const struct {
		const char *patch;
		int min, max;
		size_t warnings;
	} rows[] = {
		{ "{'sip': {'tls_min': '1.0'}}", TLS1_VERSION, 0, 1 },
		{ "{'sip': {'tls_min': '1.1', 'tls_max': '1.2'}}",
		    TLS1_1_VERSION, TLS1_2_VERSION, 1 },
		{ "{'sip': {'tls_min': '1.2'}}", TLS1_2_VERSION, 0, 0 },
		{ "{'sip': {'tls_max': '1.3'}}", TLS1_2_VERSION, TLS1_3_VERSION,
		    0 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct gateway_conf *c = gateway_sample(rows[i].patch);
		size_t told = 0;

		assert_int_equal(c->sip.tls_min, rows[i].min);
		assert_int_equal(c->sip.tls_max, rows[i].max);
		for (size_t k = 0; k < c->warning_count; k++)
			told += strstr(c->warnings[k], "sip.tls_min: TLS 1.") !=
				NULL;
		assert_int_equal(told, rows[i].warnings);
		gateway_conf_free(c);
	}
}

static void
unwise_rows_are_warned_of(void **state)
{
	struct gateway_conf *c = gateway_sample(
	    "{'partners': [{'Domain': 'a.example'}, {'Domain': 'b.example',"
	    "'TlsNegotiation': 'Optional',"
	    "'SupportDialbackNegotiation': false}]}");

	(void)state;
	assert_int_equal(c->warning_count, 2);
	assert_string_equal(c->warnings[0],
	    "/partners/0: dialback is never used, for TLS and SASL are both "
	    "required");
	assert_string_equal(c->warnings[1],
	    "/partners/1: SASL needs TLS: with TlsNegotiation Optional the "
	    "negotiation may fail");
	gateway_conf_free(c);
}

static void
an_empty_table_denies_all(void **state)
{
	struct gateway_conf *c =
	    gateway_sample("{'partners': null, 'users': null}");

	(void)state;
	assert_null(gateway_conf_partner(c, "partner.example"));
	assert_int_equal(c->user_count, 0);
	gateway_conf_free(c);
}

/* --- certificates --------------------------------------------------------- */

static void
put_file(const char *dir, const char *name, const char *text)
{
	char path[256];
	FILE *f;

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	f = fopen(path, "w");
	assert_non_null(f);
	assert_true(fputs(text, f) >= 0);
	fclose(f);
}

/* Channel certificate for one name, SIP certificate for another. */
static int
identities_of(const char *channel_name, const char *sip_name, char *error)
{
	struct make_cert ca, channel_cert, sip_cert;
	struct tls_identity channel = { 0 }, sip = { 0 };
	char dir[] = "/tmp/test_gateway_conf.XXXXXX", patch[2048], cmd[64];
	struct gateway_conf *c;
	int rc;

	assert_non_null(mkdtemp(dir));
	make_cert_new(&ca, &(struct make_cert_opts){ .cn = "ca", .ca = true });
	make_cert_new(&channel_cert,
	    &(struct make_cert_opts){ .cn = "x",
		.issuer = &ca,
		.eku = MAKE_CERT_EKU_BOTH,
		.names = { { MAKE_CERT_DNS, channel_name, 0 } } });
	make_cert_new(
	    &sip_cert, &(struct make_cert_opts){ .cn = "x",
			   .issuer = &ca,
			   .eku = MAKE_CERT_EKU_BOTH,
			   .names = { { MAKE_CERT_DNS, sip_name, 0 } } });
	put_file(dir, "ca.pem", ca.pem);
	put_file(dir, "c.pem", channel_cert.pem);
	put_file(dir, "c.key", channel_cert.key_pem);
	put_file(dir, "s.pem", sip_cert.pem);
	put_file(dir, "s.key", sip_cert.key_pem);
	snprintf(patch, sizeof(patch),
	    "{'channel': {'certificate': '%s/c.pem', 'key': '%s/c.key',"
	    "'trust': '%s/ca.pem'}, 'sip': {'certificate': '%s/s.pem',"
	    "'key': '%s/s.key', 'trust': '%s/ca.pem'}}",
	    dir, dir, dir, dir, dir, dir);
	c = gateway_sample(patch);
	rc = gateway_conf_identities(&channel, &sip, c, error);
	if (rc == 0) {
		assert_non_null(channel.client);
		assert_non_null(sip.server);
	} else {
		assert_null(channel.client);
		assert_null(sip.client);
	}
	tls_identity_finish(&channel);
	tls_identity_finish(&sip);
	gateway_conf_free(c);
	make_cert_finish(&ca);
	make_cert_finish(&channel_cert);
	make_cert_finish(&sip_cert);
	snprintf(cmd, sizeof(cmd), "rm -r %s", dir);
	assert_int_equal(system(cmd), 0);
	return rc;
}

static void
certificates_must_name_this_node(void **state)
{
	char error[GATEWAY_CONF_ERROR_SIZE];

	(void)state;
	assert_int_equal(
	    identities_of("gw1.contoso.example", "gw1.contoso.example", error),
	    0);
	assert_int_equal(
	    identities_of("gw2.contoso.example", "gw1.contoso.example", error),
	    ERR_CERT);
	assert_non_null(strstr(error, "/channel/certificate: "));
	assert_non_null(
	    strstr(error, "c.pem does not name gw1.contoso.example"));
	assert_int_equal(
	    identities_of("gw1.contoso.example", "gw2.contoso.example", error),
	    ERR_CERT);
	assert_non_null(strstr(error, "/sip/certificate: "));
}

static void
absent_files_are_named(void **state)
{
	struct gateway_conf *c = gateway_sample(NULL);
	struct tls_identity channel = { 0 }, sip = { 0 };
	char error[GATEWAY_CONF_ERROR_SIZE];

	(void)state;
	assert_true(gateway_conf_identities(&channel, &sip, c, error) < 0);
	assert_non_null(strstr(error, "/channel: "));
	assert_non_null(strstr(error, "c.pem"));
	gateway_conf_free(c);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(mistakes_are_named_with_their_place),
		cmocka_unit_test(the_sample_has_the_cmdlets_defaults),
		cmocka_unit_test(the_installed_sample_has_the_defaults),
		cmocka_unit_test(a_language_without_texts_is_warned_of),
		cmocka_unit_test(look_ups_are_exact),
		cmocka_unit_test(old_versions_are_warned_of),
		cmocka_unit_test(unwise_rows_are_warned_of),
		cmocka_unit_test(an_empty_table_denies_all),
		cmocka_unit_test(certificates_must_name_this_node),
		cmocka_unit_test(absent_files_are_named),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
