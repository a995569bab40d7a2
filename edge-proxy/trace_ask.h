/*
 * trace_ask - whose traffic one gateway wants to see: the content of a trace
 * frame (proto/CHANNEL.md).  Pure.
 */
#ifndef EDGE_TRACE_ASK_H
#define EDGE_TRACE_ASK_H

#include <stdbool.h>
#include <stddef.h>

#include "common/jid.h"

enum {
	TRACE_ASK_WHO_MAX = 16,
	TRACE_ASK_SECONDS_MAX = 300,
	TRACE_ASK_JSON_MAX = 65536,
	TRACE_ASK_WORDS_SIZE = 512
};

/* A zeroed one asks for nobody. */
struct trace_ask {
	unsigned seconds;
	bool bodies;
	size_t count;
	/* Bare; a domain without a local part is all of that domain. */
	struct jid who[TRACE_ASK_WHO_MAX];
};

/* ERR_MALFORMED, ERR_TOO_LONG, ERR_FULL (more than we take), ERR_JID,
 * ERR_NOMEM; *out is zeroed then. */
int trace_ask_parse(struct trace_ask *out, const char *json, size_t len);
void trace_ask_finish(struct trace_ask *a);

/* Is one of the two asked for? */
bool trace_ask_concerns(
    const struct trace_ask *a, const struct jid *from, const struct jid *to);
/* Can there be one among the stanzas between two domains (comparable forms)? */
bool trace_ask_may_concern(
    const struct trace_ask *a, const char *one, const char *other);
/* Is it the domain, or that of the address, of somebody asked for? */
bool trace_ask_names_domain(const struct trace_ask *a, const char *ascii);
/* The same, whatever order it was asked in or for how long. */
bool trace_ask_equal(const struct trace_ask *a, const struct trace_ask *b);
/* For the log: "anna@contoso.example partner.example", cut with "...". */
void trace_ask_words(char *out, size_t size, const struct trace_ask *a);

#endif
