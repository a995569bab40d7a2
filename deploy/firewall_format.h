/*
 * firewall_format - a plan in the language of a device or of people.
 *
 * Each format is one file with one function; this is the list of them and
 * what they share.  Writers are pure: a plan in, text out; a buffer without
 * memory is told by buf_failed().
 */
#ifndef DEPLOY_FIREWALL_FORMAT_H
#define DEPLOY_FIREWALL_FORMAT_H

#include "common/buf.h"
#include "deploy/firewall_rules.h"

struct firewall_format_opts {
	bool nat; /* the translation of addresses as well */
};

typedef void firewall_format_fn(struct buf *out, const struct firewall_plan *p,
    const struct firewall_format_opts *opts);

struct firewall_format {
	const char *name;
	const char *what;
	bool checked; /* our tests have a program that reads it */
	bool can_nat; /* opts.nat means something */
	firewall_format_fn *write;
};

/* i-th format, NULL behind the last. */
const struct firewall_format *firewall_format_at(size_t i);
const struct firewall_format *firewall_format_find(const char *name);

/* What every output begins with, each line behind mark. */
void firewall_format_header(struct buf *out, const struct firewall_plan *p,
    const char *name, const char *mark);
/* Prefixes with sep between, "any" when empty. */
void firewall_format_ends(struct buf *out, const struct firewall_ends *ends,
    const char *sep, const char *any);
/* internet, perimeter or internal. */
const char *firewall_format_zone(const struct firewall_ends *ends);

firewall_format_fn firewall_nftables_write;
firewall_format_fn firewall_iptables_write;
firewall_format_fn firewall_iptables_write6;
firewall_format_fn firewall_firewalld_write;
firewall_format_fn firewall_windows_write;
firewall_format_fn firewall_asa_write;
firewall_format_fn firewall_paloalto_write;
firewall_format_fn firewall_junos_write;
firewall_format_fn firewall_request_write;
firewall_format_fn firewall_json_write;

#endif
