/*
 * conn_memory - common/conn.h without a network, for fuzz targets: linked in
 * its place.
 *
 * What the session under test writes is taken and counted; what the target
 * feeds arrives as if from the peer.  TLS is done at once, with an SSL made
 * beforehand by a handshake in memory, so that sessions find in it what they
 * would find.
 */
#ifndef TESTS_FUZZ_CONN_MEMORY_H
#define TESTS_FUZZ_CONN_MEMORY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <openssl/ssl.h>

/* For the next conn, and what became of it. */
extern struct conn_memory {
	SSL *ssl;          /* that it gets when TLS begins; borrowed */
	bool alive;        /* there is a conn */
	bool secured;      /* it has TLS */
	unsigned ends;     /* conns that have ended */
	uint64_t written;  /* bytes by the present one */
	size_t header_max; /* most bytes written in one go */
} conn_memory;

/* Lets happen what would at the next turn of the loop: TCP up, TLS done, the
 * end.  Repeat until false. */
bool conn_memory_turn(void);
/* Bytes of the peer; nothing while the session pauses or there is no conn. */
void conn_memory_feed(const uint8_t *data, size_t len);
/* The peer hangs up. */
void conn_memory_hang_up(void);

#endif
