/*
 * dialback_xml - the two elements of server dialback, db:result and db:verify
 * (XEP-0220 2.1, 2.2, 2.5): read from a peer, written for one.  Pure.
 *
 * Never an echo of a peer's element: what is written is made of names that
 * were found to be domains, of escaped text, and of words of ours.
 */
#ifndef EDGE_DIALBACK_XML_H
#define EDGE_DIALBACK_XML_H

#include <stdbool.h>
#include <stddef.h>

#include "proto/condition.h"

struct buf;
struct xml_elem;

enum {
	DIALBACK_DOMAIN_SIZE = 256,
	DIALBACK_ID_SIZE = 256, /* of a stream's id, with its NUL */
	DIALBACK_KEY_MAX = 1024 /* of a key that is not ours: any text */
};

enum dialback_type {
	DIALBACK_REQUEST, /* no type: somebody asks */
	DIALBACK_VALID,
	DIALBACK_INVALID,
	DIALBACK_ERROR,
	DIALBACK_OTHER /* a type that does not exist */
};

struct dialback_elem {
	bool verify; /* else result */
	enum dialback_type type;
	/* comparable forms */
	char from[DIALBACK_DOMAIN_SIZE], to[DIALBACK_DOMAIN_SIZE];
	/* as the peer spells them, for elements sent because of this one */
	char from_text[DIALBACK_DOMAIN_SIZE], to_text[DIALBACK_DOMAIN_SIZE];
	char id[DIALBACK_ID_SIZE]; /* "" when absent or too long */
	enum condition condition;  /* DIALBACK_ERROR; else undefined */
};

/* ERR_UNSUPPORTED: another element of the namespace.  ERR_JID: from or to is
 * not there, or no domain. */
int dialback_xml_read(struct dialback_elem *out, const struct xml_elem *e);
/* The key without white space around it, into key (DIALBACK_KEY_MAX + 1).
 * ERR_TOO_LONG, ERR_MALFORMED (none), ERR_NOMEM. */
int dialback_xml_key(char *key, const struct xml_elem *e);

/* Names of an element to write.  id NULL leaves it out. */
struct dialback_names {
	const char *from, *to, *id;
};
void dialback_xml_ask(struct buf *out, bool verify,
    const struct dialback_names *n, const char *key);
/* valid: else invalid. */
void dialback_xml_verdict(
    struct buf *out, bool verify, const struct dialback_names *n, bool valid);
void dialback_xml_error(struct buf *out, bool verify,
    const struct dialback_names *n, enum condition condition);

/* What an administrator reads. */
const char *dialback_type_str(enum dialback_type t);

#endif
