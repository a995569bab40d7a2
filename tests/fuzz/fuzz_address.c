/* Any bytes as a SIP URI and as a JID.  Whatever is taken must come back:
 * a JID written as a URI leads to the same JID, so that no two people share a
 * name on the other side. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "common/buf.h"
#include "common/jid.h"
#include "common/utf8.h"
#include "frontend-gateway/translate/address.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
require(int truth)
{
	if (!truth)
		abort();
}

static void
check_way_back(const struct jid *j, unsigned flags, int must)
{
	struct buf uri = { 0 };
	struct jid back;
	int status;

	if (address_to_sip(&uri, j, flags) < 0) {
		require(!must && uri.len == 0);
	} else {
		status = address_from_sip(&back, (char *)uri.data, uri.len);
		/* Domains that are IP addresses are refused on this side. */
		require(
		    status == 0 ||
		    (!must && status == 404 &&
			strspn(j->ascii, "0123456789.") == strlen(j->ascii)) ||
		    (!must && j->ascii[0] == '['));
		if (status == 0)
			require(flags & ADDRESS_GRUU
				    ? jid_equal(&back, j)
				    : jid_bare_equal(&back, j));
		jid_finish(&back);
	}
	buf_finish(&uri);
}

static void
check_names(const char *s, size_t size)
{
	struct buf name = { 0 }, quoted = { 0 }, uri = { 0 };

	require(address_display(&name, s, size) == 0);
	require(name.len <= ADDRESS_DISPLAY_MAX);
	require(utf8_valid_xml(name.data, name.len));
	buf_add_str(&uri, "sip:bo@partner.example");
	require(
	    address_name_addr(&quoted, buf_cstr(&name), buf_cstr(&uri)) == 0);
	require(strpbrk(buf_cstr(&quoted), "\r\n") == NULL);
	buf_finish(&name);
	buf_finish(&quoted);
	buf_finish(&uri);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const char *s = (const char *)data;
	struct buf text = { 0 };
	struct jid j;

	check_names(s, size);
	if (address_from_sip(&j, s, size) == 0) {
		check_way_back(&j, 0, 1);
		check_way_back(&j, ADDRESS_CONSERVATIVE | ADDRESS_GRUU, 1);
		require(address_display_of(&text, &j) == 0);
		require(address_xmpp_uri(&text, &j) == 0);
	} else {
		require(j.block == NULL);
	}
	jid_finish(&j);
	if (jid_parse(&j, s, size) == 0)
		check_way_back(&j, 0, 0);
	jid_finish(&j);
	buf_finish(&text);
	return 0;
}
