/*
 * What the contact thinks better of while it still waits: a message that he
 * corrects is sent in its new words, one that he takes back is not sent at
 * all.  What is on its way, or was shown, stays.
 */
#include "frontend-gateway/conversation/conversation_impl.h"

#include <string.h>

#include "common/err.h"
#include "frontend-gateway/gateway_conf.h"

static struct inward *
find(const struct conversation *c, const char *id)
{
	LIST_FOREACH (it, &c->queue) {
		struct inward *in = list_entry(it, struct inward, link);

		/* Once in an INVITE it may have been shown, retried or not. */
		if (in != c->sent && !in->notice && !in->invited &&
		    !in->retried && strcmp(in->id, id) == 0)
			return in;
	}
	return NULL;
}

bool
conversation_waits(const struct conversation *c, const char *id)
{
	return id[0] != '\0' && find(c, id) != NULL;
}

int
conversation_correct(
    struct conversation *c, const char *id, const struct inward_opts *opts)
{
	struct inward *in = find(c, id);
	size_t before, after = opts->len + opts->html_len;
	int rc;

	if (in == NULL)
		return ERR_NOT_FOUND;
	before = in->len + in->html_len;
	if (c->queue_bytes - before + after > c->env->conf->limits.queue_bytes)
		return ERR_FULL;
	rc = inward_correct(in, opts);
	if (rc < 0)
		return rc;
	c->queue_bytes += after - before;
	log_info(&c->log, "corrected", "id=%s by=%s", in->id,
	    opts->id != NULL ? opts->id : "");
	return 0;
}

bool
conversation_withdraw(struct conversation *c, const char *id)
{
	struct inward *in = find(c, id);

	if (in == NULL)
		return false;
	log_info(&c->log, "withdrawn", "id=%s", in->id);
	list_remove(&in->link);
	c->queue_count--;
	c->queue_bytes -= in->len + in->html_len;
	inward_withdrawn(in);
	conversation_settle(c);
	return true;
}
