/*
 * dialback_ask - a question about a key on its way to the authoritative server
 * of the sender's domain (XEP-0220, the receiving server's step 2).
 *
 * Who asks fills in the question (the rest zeroed) and hands it to a
 * dialback_asker.  Strings are borrowed until on_answer, which fires exactly
 * once and never from within the call that asked; after dialback_ask_cancel()
 * it does not.
 */
#ifndef EDGE_DIALBACK_ASK_H
#define EDGE_DIALBACK_ASK_H

#include "common/list.h"
#include "edge-proxy/dialback_xml.h"
#include "proto/condition.h"

struct dialback_ask {
	const char *local, *remote; /* comparable forms */
	/* the same as the sender spells them, for the key is made of them */
	const char *local_text, *remote_text;
	const char *id;  /* of the stream on which the key was given */
	const char *key; /* as it was given */
	/* verdict: DIALBACK_VALID, _INVALID or _ERROR; condition tells the
	 * sender why there was an error. */
	void (*on_answer)(struct dialback_ask *a, enum dialback_type verdict,
	    enum condition condition);

	/* of who has it now */
	void *carrier;
	void (*on_cancel)(struct dialback_ask *a);
	struct list link;
};

void dialback_ask_cancel(struct dialback_ask *a);

/* 0: on_answer will tell.  ERR_CLOSED, ERR_NOMEM, ERR_FULL: it stays silent. */
typedef int dialback_asker(struct dialback_ask *a, void *arg);

#endif
