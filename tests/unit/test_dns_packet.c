#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <string.h>
#include <netinet/in.h>
#include <cmocka.h>

#include "common/buf.h"
#include "common/err.h"
#include "edge-proxy/dns_packet.h"
#include "edge-proxy/resolver_wire.h"

static struct resolver_records records;

#define HEAD(rcode, answers) "\0\0\x80" rcode "\0\1\0" answers "\0\0\0\0"
/* The question's name stands at offset 12: "a.example". */
#define QUESTION(type)         "\1a\7example\0\0" type "\0\1"
#define RECORD(type, ttl, len) "\xc0\x0c\0" type "\0\1\0\0\0" ttl "\0" len
#define PACKET(s)              s, sizeof(s) - 1

static const struct {
	const char *bytes;
	size_t len;
	enum dns_type type;
	int rc;
	enum dns_status status;
	size_t count;
	uint32_t ttl;
} packets[] = {
	{ PACKET(HEAD("\0", "\1") QUESTION("\1")
		  RECORD("\1", "\x3c", "\4") "\x7f\0\0\1"),
	    DNS_A, 0, DNS_OK, 1, 60 },
	/* Two records: the shorter time counts. */
	{ PACKET(HEAD("\0", "\2") QUESTION("\1") RECORD("\1", "\x3c",
	      "\4") "\x7f\0\0\1" RECORD("\1", "\x1e", "\4") "\x7f\0\0\2"),
	    DNS_A, 0, DNS_OK, 2, 30 },
	{ PACKET(HEAD("\0", "\0") QUESTION("\x1c")), DNS_AAAA, 0, DNS_OK, 0,
	    0 },
	{ PACKET(HEAD("\3", "\0") QUESTION("\1")), DNS_A, 0, DNS_NXDOMAIN, 0,
	    0 },
	{ PACKET(HEAD("\2", "\0") QUESTION("\1")), DNS_A, 0, DNS_FAILED, 0, 0 },
	/* SRV 1 2 5269 b.example, the target compressed. */
	{ PACKET(HEAD("\0", "\1") QUESTION("\x21")
		  RECORD("\x21", "\5", "\x0a") "\0\1\0\2\x14\x95\1b\xc0\x0e"),
	    DNS_SRV, 0, DNS_OK, 1, 5 },
	/* SRV with the root as target. */
	{ PACKET(HEAD("\0", "\1") QUESTION("\x21")
		  RECORD("\x21", "\5", "\7") "\0\0\0\0\0\0\0"),
	    DNS_SRV, 0, DNS_OK, 1, 5 },
	/* CNAME to b.example, whose address follows. */
	{ PACKET(HEAD("\0", "\2") QUESTION("\1") RECORD(
	      "\5", "\5", "\4") "\1b\xc0\x0e"
				"\xc0\x27\0\1\0\1\0\0\0\7\0\4\x7f\0\0\3"),
	    DNS_A, 0, DNS_OK, 1, 7 },
	/* A CNAME that leads back to itself. */
	{ PACKET(HEAD("\0", "\1") QUESTION("\1")
		  RECORD("\5", "\5", "\2") "\xc0\x0c"),
	    DNS_A, 0, DNS_OK, 0, 0 },
	/* An address of another name is not ours. */
	{ PACKET(HEAD("\0", "\1")
		  QUESTION("\1") "\1x\xc0\x0e\0\1\0\1\0\0\0\7\0\4\x7f\0\0\3"),
	    DNS_A, 0, DNS_OK, 0, 0 },
	/* TLSA 3 1 1 with two bytes. */
	{ PACKET(HEAD("\0", "\1") QUESTION("\x34")
		  RECORD("\x34", "\5", "\5") "\3\1\1\xaa\xbb"),
	    DNS_TLSA, 0, DNS_OK, 1, 5 },
	/* Malformed ones: cut, a loop of pointers, wrong lengths. */
	{ PACKET("\0\0\x80"), DNS_A, ERR_MALFORMED, DNS_FAILED, 0, 0 },
	{ PACKET(HEAD("\0", "\1") QUESTION("\1")), DNS_A, ERR_MALFORMED,
	    DNS_FAILED, 0, 0 },
	{ PACKET(HEAD("\0", "\1") "\xc0\x0c\0\1\0\1"), DNS_A, ERR_MALFORMED,
	    DNS_FAILED, 0, 0 },
	{ PACKET(HEAD("\0", "\1") QUESTION("\1")
		  RECORD("\1", "\5", "\3") "\x7f\0\0"),
	    DNS_A, ERR_MALFORMED, DNS_FAILED, 0, 0 },
	{ PACKET(HEAD("\0", "\1") QUESTION("\1")
		  RECORD("\1", "\5", "\4") "\x7f\0\0"),
	    DNS_A, ERR_MALFORMED, DNS_FAILED, 0, 0 },
	{ PACKET(HEAD("\0", "\1") QUESTION("\x21")
		  RECORD("\x21", "\5", "\7") "\0\1\0\2\x14\x95\1"),
	    DNS_SRV, ERR_MALFORMED, DNS_FAILED, 0, 0 },
};

static void
test_packets(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(packets) / sizeof(packets[0]); i++) {
		struct dns_answer a = { 0 };

		assert_int_equal(
		    dns_packet_read(&a, &records, "A.Example", packets[i].type,
			(const uint8_t *)packets[i].bytes, packets[i].len),
		    packets[i].rc);
		assert_int_equal(a.status, packets[i].status);
		assert_int_equal(a.count, packets[i].count);
		if (a.count > 0)
			assert_int_equal(a.ttl, packets[i].ttl);
	}
}

static void
test_what_a_service_record_says(void **state)
{
	struct dns_answer a;

	(void)state;
	assert_int_equal(dns_packet_read(&a, &records, "a.example.", DNS_SRV,
			     (const uint8_t *)packets[5].bytes, packets[5].len),
	    0);
	assert_int_equal(a.srv[0].priority, 1);
	assert_int_equal(a.srv[0].weight, 2);
	assert_int_equal(a.srv[0].port, 5269);
	assert_string_equal(a.srv[0].target, "b.example");
	assert_int_equal(dns_packet_read(&a, &records, "a.example", DNS_SRV,
			     (const uint8_t *)packets[6].bytes, packets[6].len),
	    0);
	assert_string_equal(a.srv[0].target, ".");
}

/* Every packet of the table, cut at every place, gives an error or less. */
static void
test_cut_packets(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(packets) / sizeof(packets[0]); i++) {
		for (size_t n = 0; n < packets[i].len; n++) {
			struct dns_answer a;

			(void)dns_packet_read(&a, &records, "a.example",
			    packets[i].type, (const uint8_t *)packets[i].bytes,
			    n);
			assert_true(a.count <= packets[i].count);
		}
	}
}

static void
test_questions(void **state)
{
	static const struct {
		const char *name;
		int rc;
	} names[] = {
		{ "_xmpp-server._tcp.a.example", 0 },
		{ ".", 0 },
		{ "", ERR_MALFORMED },
		{ "a b", ERR_MALFORMED },
		{ "a\\032b", ERR_MALFORMED },
		{ "b\xc3\xbc.example", ERR_MALFORMED },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		struct resolver_question q = { .id = 0xa1b2c3d4,
			.type = DNS_SRV },
					 back = { 0 };
		struct buf b;

		buf_init(&b, RESOLVER_QUESTION_MAX);
		strcpy(q.name, names[i].name);
		assert_int_equal(
		    resolver_wire_put_question(&b, &q), names[i].rc);
		if (names[i].rc == 0) {
			assert_int_equal(
			    resolver_wire_get_question(&back, b.data, b.len),
			    0);
			assert_true(back.id == q.id && back.type == q.type);
			assert_string_equal(back.name, q.name);
		}
		buf_finish(&b);
	}
}

static void
test_answers(void **state)
{
	static struct resolver_records back;
	struct dns_srv srv[2] = { { 1, 2, 3, "one.example", false, false },
		{ 4, 5, 6, ".", false, false } };
	struct dns_answer a = { .status = DNS_OK,
		.secure = true,
		.ttl = 77,
		.type = DNS_SRV,
		.count = 2,
		.srv = srv },
			  got;
	struct buf b;
	uint32_t id;

	(void)state;
	buf_init(&b, RESOLVER_ANSWER_MAX);
	assert_int_equal(resolver_wire_put_answer(&b, 9, &a), 0);
	assert_int_equal(
	    resolver_wire_get_answer(&id, &got, &back, b.data, b.len), 0);
	assert_int_equal(id, 9);
	assert_true(got.secure);
	assert_int_equal(got.ttl, 77);
	assert_int_equal(got.count, 2);
	assert_string_equal(got.srv[0].target, "one.example");
	assert_int_equal(got.srv[1].port, 6);
	for (size_t n = 0; n < b.len; n++)
		assert_int_equal(
		    resolver_wire_get_answer(&id, &got, &back, b.data, n),
		    ERR_MALFORMED);
	b.data[4] = 0xff; /* type */
	assert_int_equal(
	    resolver_wire_get_answer(&id, &got, &back, b.data, b.len),
	    ERR_MALFORMED);
	buf_finish(&b);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_packets),
		cmocka_unit_test(test_what_a_service_record_says),
		cmocka_unit_test(test_cut_packets),
		cmocka_unit_test(test_questions),
		cmocka_unit_test(test_answers),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
