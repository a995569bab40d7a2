/* What the gateway may be called. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

#include "frontend-gateway/sip/sip_product.h"

static const struct {
	const char *text;
	bool valid;
} rows[] = {
	{ SIP_PRODUCT_DEFAULT, true },
	{ "Sallyport", true },
	{ "XmppTGW/6.0.9319.0 Sallyport/1.0", true },
	{ "RTC/6.0 (Microsoft Lync Server; (a))", true },
	{ "()", true },
	{ "~token!/.%*_+`'-", true },
	{ "", false },
	{ " A", false },
	{ "A ", false },
	{ "A  B", false },
	{ "A/", false },
	{ "/1.0", false },
	{ "A/1/2", false },
	{ "A,B", false },
	{ "A(b)", false },
	{ "A (b", false },
	{ "A b)", false },
	{ "A (b)c", false },
	{ "A (\\))", false },
	{ "((((((((()))))))))", false },
	{ "A\r\nVia: x", false },
	{ "A (\r\nVia: x)", false },
	{ "A\tB", false },
	{ "Sallyport/\xc3\xa9", false },
	{ "A (\xc3\xa9)", false },
	{ "A (\x7f)", false },
};

static void
test_what_is_a_product(void **state)
{
	char text[SIP_PRODUCT_SIZE + 1];

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		if (sip_product_is_valid(rows[i].text) != rows[i].valid)
			fail_msg("\"%s\" should%s be possible", rows[i].text,
			    rows[i].valid ? "" : " not");
	memset(text, 'a', sizeof(text));
	text[SIP_PRODUCT_SIZE] = '\0';
	assert_false(sip_product_is_valid(text));
	text[SIP_PRODUCT_SIZE - 1] = '\0';
	assert_true(sip_product_is_valid(text));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_what_is_a_product),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
