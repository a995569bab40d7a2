/* What an operator is told of a conversation. */
#include "frontend-gateway/conversation/conversation_impl.h"

#include <stdio.h>

#include "common/xmpp_time.h"
#include "frontend-gateway/edges.h"

json_t *
conversation_view(const struct conversation *c)
{
	const char *edge =
	    c->edge != EDGES_NONE ? edges_name(c->env->edges, c->edge) : NULL;
	char since[XMPP_TIME_SIZE];
	char key[2 * JID_MAX + 2];

	snprintf(key, sizeof(key), "%s %s", c->user.bare, c->contact.bare);
	xmpp_time_format(since, (uint64_t)c->since_ms);
	return json_pack("{s:s, s:s, s:s, s:s, s:s, s:s, s:I, s:I, s:I, s:I, "
			 "s:I}",
	    "key", key, "user", c->user.bare, "contact", c->contact.bare,
	    "state", conversation_state_str(c), "since", since, "edge",
	    edge != NULL ? edge : "", "dialogs", (json_int_t)c->leg_count,
	    "queued", (json_int_t)c->queue_count, "under_way",
	    (json_int_t)c->outward, "from_user", (json_int_t)c->user_texts,
	    "from_contact", (json_int_t)c->contact_texts);
}
