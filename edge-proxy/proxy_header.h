/*
 * proxy_header - what a load balancer puts in front of a connection it passes
 * on: the PROXY protocol, version 2, which tells whom it serves.  Pure.
 *
 *   12 bytes of signature, version and command, family and transport, length
 *   (u16, big-endian), then as many bytes: two addresses, two ports, TLVs
 *
 * Bytes may come in any pieces; the header says after its first 16 bytes how
 * long it is, so that nobody has to read beyond it.
 */
#ifndef EDGE_PROXY_HEADER_H
#define EDGE_PROXY_HEADER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

enum {
	PROXY_HEADER_FIRST = 16, /* bytes that tell the length of all */
	PROXY_HEADER_MAX = PROXY_HEADER_FIRST + 2048
};

struct proxy_header {
	/* The load balancer speaks for itself (it looks whether we live), or
	 * does not know for whom: the connection's own peer counts. */
	bool local;
	struct sockaddr_storage source; /* with its port; unless local */
};

/* Reads data[0 .. len - 1], the beginning of a connection.  0 when the header
 * is whole, which is then of *need bytes; ERR_INCOMPLETE when *need bytes are
 * wanted in all.  ERR_UNSUPPORTED (version 1, not TCP) and ERR_MALFORMED, with
 * why (static). */
int proxy_header_read(struct proxy_header *out, size_t *need,
    const uint8_t *data, size_t len, const char **why);

#endif
