/* Member "messages": what texts become on their way. */
#include "common/conf.h"
#include "frontend-gateway/gateway_conf_impl.h"

void
gateway_conf_read_messages(struct gateway_conf *c, struct conf_obj *root)
{
	static const char *const bad[] = { "refuse", "replace" };
	struct conf_obj *o = conf_object(root, "messages", false);
	struct gateway_messages_conf *m = &c->messages;

	m->formatting = conf_bool(o, "formatting", true);
	m->styling = conf_bool(o, "styling", true);
	m->replace_bad_text =
	    gateway_conf_choice(o, "bad_characters", bad, 2, 0) == 1;
	conf_end_object(o);
}
