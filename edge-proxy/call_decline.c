#include "edge-proxy/call_decline.h"

#include <string.h>

#include "common/buf.h"
#include "common/err.h"
#include "edge-proxy/render_out.h"
#include "edge-proxy/stanza_ns.h"

#define NS_CALL   "urn:xmpp:jingle-message:0"
#define NS_JINGLE "urn:xmpp:jingle:1"

enum { ID_MAX = 256 };

static bool
is_between_two(const struct xml_elem *message)
{
	const char *type = xml_attr(message, "type");

	return type == NULL || strcmp(type, "chat") == 0 ||
	       strcmp(type, "normal") == 0;
}

int
call_decline(struct buf *out, const struct xml_elem *message, const char *from,
    const char *to)
{
	const struct xml_elem *proposal =
	    xml_child(message, NS_CALL, "propose");
	const char *id = proposal != NULL ? xml_attr(proposal, "id") : NULL;

	if (id == NULL || strlen(id) > ID_MAX || !is_between_two(message) ||
	    xml_child(message, message->ns, "body") != NULL)
		return 0;
	buf_add_str(out, "<message type='chat'");
	render_out_attr(out, "from", to);
	render_out_attr(out, "to", from);
	buf_add_str(out, "><reject xmlns='" NS_CALL "'");
	render_out_attr(out, "id", id);
	buf_add_str(out, "><reason xmlns='" NS_JINGLE
			 "'><unsupported-applications/></reason>"
			 "</reject><store xmlns='" NS_HINTS "'/></message>");
	if (buf_failed(out))
		return out->limit != 0 ? ERR_FULL : ERR_NOMEM;
	return 1;
}
