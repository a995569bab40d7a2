/*
 * candidates - addresses that may lead to a partner's server, and which of them
 * to try next (RFC 8305 4, RFC 2782).  Pure.
 *
 * The addresses of an earlier target come before those of a later one; within a
 * target the families take turns, the preferred one first.  What was given back
 * unspoilt comes after all that was never tried.  Addresses may be added at any
 * time.
 */
#ifndef EDGE_CANDIDATES_H
#define EDGE_CANDIDATES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

enum { CANDIDATES_MAX = 48, CANDIDATES_PER_TARGET = 16 };

struct candidate {
	struct sockaddr_storage addr;
	size_t target;
	bool taken;
	bool again; /* was given back */
};

/* Empty when zeroed. */
struct candidates {
	struct candidate v[CANDIDATES_MAX];
	size_t count;
	bool prefer4; /* else IPv6 */
	size_t last_target;
	int last_family; /* taken there; 0 for none */
};

/* target: its place in the order.  What there is no room for is left out. */
void candidates_add(struct candidates *c, const struct sockaddr_storage *addr,
    uint16_t port, size_t target);
/* Takes the next one, or returns NULL. */
struct candidate *candidates_take(struct candidates *c);
/* It was taken and let go without having been tried to the end. */
void candidates_give_back(struct candidate *c);
/* The target must not be used: what was not taken of it never will be. */
void candidates_drop(struct candidates *c, size_t target);
/* The same address and port. */
bool candidates_same_address(
    const struct sockaddr_storage *a, const struct sockaddr_storage *b);

#endif
