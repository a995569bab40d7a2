/*
 * gateway_overlay - what settings say, in the form the program uses, to be
 * laid over the configuration that the file gives.
 *
 * Owns     the partner table and all its strings.
 */
#ifndef GATEWAY_GATEWAY_OVERLAY_H
#define GATEWAY_GATEWAY_OVERLAY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct gateway_conf;
struct gateway_domain;
struct gateway_partner;
struct settings_view;

struct gateway_overlay {
	struct gateway_partner *partners;
	size_t partner_count;
	struct gateway_domain *domains;
	size_t domain_count;
	uint32_t connection_limit, partner_connection_limit;
	uint64_t stream_establishment_ms, stream_inactivity_ms, keep_alive_ms;
	uint32_t subscribe_s;
	bool bodies;
	uint8_t dialback_secret[64];
	size_t dialback_secret_len;
};

/* conf: whose own names no partner may carry.  ERR_CONFIG with words for an
 * admin in why, ERR_NOMEM. */
int
gateway_overlay_make(struct gateway_overlay *out, const struct settings_view *v,
    const struct gateway_conf *conf, char *why, size_t size);
/* Exchanges the content of the two. */
void gateway_overlay_swap(struct gateway_overlay *o, struct gateway_conf *conf);
void gateway_overlay_finish(struct gateway_overlay *o);

#endif
