/* Any bytes into jid_parse() and the domain functions.  Beyond memory errors
 * it looks for addresses that change when they are prepared a second time:
 * two of those could stand for one user under two names. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "common/jid.h"
#include "common/utf8.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
require(int truth)
{
	if (!truth)
		abort();
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const char *s = (const char *)data;
	char domain[256];
	struct jid j, again;

	if (jid_domain_ascii(domain, sizeof(domain), s, size) == 0) {
		char same[256];

		require(jid_domain_ascii(
			    same, sizeof(same), domain, strlen(domain)) == 0);
		require(strcmp(domain, same) == 0);
	}
	if (jid_parse(&j, s, size) < 0) {
		require(j.block == NULL && j.full == NULL);
		return 0;
	}
	require(utf8_valid_xml(j.bare, strlen(j.bare)));
	require(jid_parse(&again, j.bare, strlen(j.bare)) == 0);
	require(strcmp(again.bare, j.bare) == 0);
	require(jid_bare_equal(&again, &j));
	jid_finish(&again);
	jid_finish(&j);
	return 0;
}
