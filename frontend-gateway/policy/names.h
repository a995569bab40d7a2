/*
 * names - how policies, sites and users are named by people, brought into the
 * form in which they are stored and compared.
 *
 * As with the cmdlets the case of letters does not matter: names of policies
 * and sites are kept in lower case.  Pure.
 */
#ifndef GATEWAY_POLICY_NAMES_H
#define GATEWAY_POLICY_NAMES_H

#include <stdbool.h>
#include <stddef.h>

enum {
	NAMES_MAX = 128, /* bytes of a policy's or a site's own name */
	NAMES_SIZE = NAMES_MAX + 8, /* with "site:", "tag:" and NUL */
	NAMES_USER_SIZE = 3072      /* a bare JID with its NUL */
};

/* "Global", "Site:Redmond", "Tag:FedPic", or "FedPic" for the same.  why (size
 * bytes) tells what is wrong. */
bool names_policy(
    char out[static NAMES_SIZE], const char *given, char *why, size_t size);
/* "Redmond", or "Site:Redmond". */
bool names_site(
    char out[static NAMES_SIZE], const char *given, char *why, size_t size);
/* A user's SIP address, with its scheme or without: her prepared bare JID. */
bool names_user(char out[static NAMES_USER_SIZE], const char *given, char *why,
    size_t size);

/* The domain of a prepared bare JID in comparable form: within the JID, or in
 * room for those that are written in other letters. */
enum { NAMES_DOMAIN_SIZE = 256 };
const char *names_domain(char room[static NAMES_DOMAIN_SIZE], const char *user);

#endif
