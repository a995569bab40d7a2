/*
 * A pool that answers 301 names the user's new address in Contact, which XMPP
 * carries in <gone/> (RFC 7247 7.2).  It may as well name a host inside; what
 * is said outside is only an address in a domain that is served there.
 */
#include "frontend-gateway/conversation/conversation_impl.h"

#include <string.h>

#include "common/buf.h"
#include "common/jid.h"
#include "frontend-gateway/gateway_conf.h"
#include "frontend-gateway/sip/sip_msg.h"
#include "frontend-gateway/translate/address.h"

const char *
conversation_moved_to(struct buf *out, const struct conversation *c,
    const struct sip_msg *response)
{
	const char *uri =
	    response != NULL ? sip_msg_contact_uri(response) : NULL;
	const char *to = NULL;
	struct jid j;

	if (uri == NULL || address_from_sip(&j, uri, strlen(uri)) != 0)
		return NULL;
	if (j.local != NULL && gateway_conf_hosts(c->env->conf, j.ascii) &&
	    strcmp(j.bare, c->user.bare) != 0 && address_xmpp_uri(out, &j) == 0)
		to = buf_cstr(out);
	jid_finish(&j);
	return to;
}
