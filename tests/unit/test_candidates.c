/* Which address is tried next. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <arpa/inet.h>
#include <cmocka.h>

#include "edge-proxy/candidates.h"

static void
add(struct candidates *c, const char *text, size_t target)
{
	struct sockaddr_storage a;
	struct sockaddr_in *in = (struct sockaddr_in *)&a;
	struct sockaddr_in6 *in6 = (struct sockaddr_in6 *)&a;

	memset(&a, 0, sizeof(a));
	a.ss_family = strchr(text, ':') != NULL ? AF_INET6 : AF_INET;
	assert_int_equal(inet_pton(a.ss_family, text,
			     a.ss_family == AF_INET6 ? (void *)&in6->sin6_addr
						     : (void *)&in->sin_addr),
	    1);
	candidates_add(c, &a, (uint16_t)(5000 + target), target);
}

/* The last number of its address, and its target by the port. */
static void
show(char *out, size_t size, const struct candidate *x)
{
	const struct sockaddr_in *in = (const struct sockaddr_in *)&x->addr;
	const struct sockaddr_in6 *in6 = (const struct sockaddr_in6 *)&x->addr;
	size_t len = strlen(out);

	if (x->addr.ss_family == AF_INET6)
		snprintf(out + len, size - len, "%d:6.%d ",
		    ntohs(in6->sin6_port) - 5000, in6->sin6_addr.s6_addr[15]);
	else
		snprintf(out + len, size - len, "%d:4.%d ",
		    ntohs(in->sin_port) - 5000,
		    (int)(ntohl(in->sin_addr.s_addr) & 255));
}

static const struct {
	bool prefer4;
	const char *addresses[8]; /* the first character is the target */
	const char *order;
} rows[] = {
	{ false, { "0192.0.2.1", "0192.0.2.2", "02001:db8::1", "02001:db8::2" },
	    "0:6.1 0:4.1 0:6.2 0:4.2 " },
	{ true, { "0192.0.2.1", "0192.0.2.2", "02001:db8::1", "02001:db8::2" },
	    "0:4.1 0:6.1 0:4.2 0:6.2 " },
	{ false, { "0192.0.2.1", "0192.0.2.2", "0192.0.2.3", "02001:db8::1" },
	    "0:6.1 0:4.1 0:4.2 0:4.3 " },
	{ false, { "1192.0.2.1", "12001:db8::1", "0192.0.2.9" },
	    "0:4.9 1:6.1 1:4.1 " },
	{ false, { NULL }, "" },
};

static void
test_order(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct candidates c = { .prefer4 = rows[i].prefer4 };
		struct candidate *x;
		char seen[200] = "";

		for (size_t k = 0; rows[i].addresses[k] != NULL; k++)
			add(&c, rows[i].addresses[k] + 1,
			    (size_t)(rows[i].addresses[k][0] - '0'));
		while ((x = candidates_take(&c)) != NULL)
			show(seen, sizeof(seen), x);
		assert_string_equal(seen, rows[i].order);
	}
}

/* The other family's answer comes late; one that was let go comes last, and
 * only once more. */
static void
test_late_and_again(void **state)
{
	struct candidates c = { 0 };
	struct candidate *first, *x;
	char seen[200] = "";

	(void)state;
	add(&c, "192.0.2.1", 0);
	add(&c, "192.0.2.2", 0);
	first = candidates_take(&c);
	show(seen, sizeof(seen), first);
	add(&c, "2001:db8::1", 0);
	add(&c, "192.0.2.7", 1);
	candidates_give_back(first);
	while ((x = candidates_take(&c)) != NULL) {
		show(seen, sizeof(seen), x);
		if (x == first)
			candidates_give_back(x);
	}
	assert_string_equal(seen, "0:4.1 0:6.1 0:4.2 1:4.7 0:4.1 ");
}

static void
test_bounds(void **state)
{
	struct candidates c = { 0 };
	char text[40];

	(void)state;
	for (size_t t = 0; t < 10; t++) {
		for (int i = 0; i < 100; i++) {
			snprintf(text, sizeof(text), "192.0.2.%d", i);
			add(&c, text, t);
		}
		if (t == 0)
			assert_int_equal(c.count, CANDIDATES_PER_TARGET);
	}
	assert_int_equal(c.count, CANDIDATES_MAX);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_order),
		cmocka_unit_test(test_late_and_again),
		cmocka_unit_test(test_bounds),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
