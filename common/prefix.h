/*
 * prefix - an IP address or network: "192.0.2.10", "10.1.0.0/16",
 * "2001:db8::/32".
 */
#ifndef COMMON_PREFIX_H
#define COMMON_PREFIX_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

enum { PREFIX_TEXT = 64 };

struct prefix {
	int family; /* AF_INET or AF_INET6 */
	uint8_t bytes[16];
	unsigned bits; /* 32 or 128 for one address */
};

/* 0 or ERR_MALFORMED with the reason, which quotes s. */
int prefix_parse(struct prefix *out, const char *s, char *why, size_t size);
bool prefix_is_host(const struct prefix *p);
bool prefix_equal(const struct prefix *a, const struct prefix *b);
/* The address alone, without its port; ERR_UNSUPPORTED when it is neither
 * IPv4 nor IPv6. */
int prefix_of_sockaddr(struct prefix *out, const struct sockaddr_storage *ss);
/* Every address of inner is in outer. */
bool prefix_contains(const struct prefix *outer, const struct prefix *inner);
/* An address that is not routed between networks of different owners: RFC
 * 1918, RFC 6598, RFC 4193, link-local, loopback. */
bool prefix_is_private(const struct prefix *p);
/* "192.0.2.10", "10.1.0.0/16"; out holds PREFIX_TEXT bytes. */
void prefix_text(char out[static PREFIX_TEXT], const struct prefix *p);
/* The address alone, and "255.255.0.0". */
void prefix_address(char out[static PREFIX_TEXT], const struct prefix *p);
void prefix_mask(char out[static PREFIX_TEXT], const struct prefix *p);
/* The address with a port, for connect(); returns its length. */
socklen_t prefix_sockaddr(
    struct sockaddr_storage *out, const struct prefix *p, uint16_t port);

#endif
