/* Member "messages": what texts become on their way, and the parts of XMPP
 * messages that Lync does not know. */
#include "common/conf.h"
#include "frontend-gateway/gateway_conf_impl.h"
#include "frontend-gateway/translate/words.h"

static void
read_words(struct gateway_messages_conf *m, struct conf_obj *o)
{
	static const char *const marks[] = { "star", "word" };

	m->language = conf_string(o, "language", "en");
	if (!words_speak(m->language))
		conf_fail(o, "language", "is none of %s", words_languages);
	m->receipts = conf_bool(o, "receipts", true);
	m->correction_is_word =
	    gateway_conf_choice(o, "corrections", marks, 2, 0) == 1;
	m->reactions = conf_bool(o, "reactions", true);
	m->retractions = conf_bool(o, "retractions", true);
	m->attention = conf_bool(o, "attention", true);
	m->sent_time = conf_bool(o, "sent_time", true);
	m->headlines = conf_bool(o, "headlines", false);
}

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
	read_words(m, o);
	conf_end_object(o);
}
