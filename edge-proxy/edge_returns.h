/*
 * edge_returns - what partners send on streams that we opened, where these go
 * both ways (XEP-0288): it goes inward as what comes on theirs does.
 */
#ifndef EDGE_EDGE_RETURNS_H
#define EDGE_EDGE_RETURNS_H

struct jid;
struct s2s_out;
struct xml_elem;

/* For the routes (routes_opts), with the edge as arg. */
void edge_returns_stanza(void *arg, struct s2s_out *s, void **inlet,
    const struct xml_elem *e, const struct jid *from, const struct jid *to);
void edge_returns_end(void *arg, void *inlet);

#endif
