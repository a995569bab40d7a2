/*
 * fetcher - the process that learns which certificates have been taken back:
 * it fetches the revocation lists that partners' certificates point to
 * (crl_cache.h), judges their chains, and gets the answers (OCSP) that are
 * stapled to ours.
 *
 * Streams sends it certificates, never addresses: what it connects to stands in
 * a certificate that it has itself found to lead to an authority of
 * external.trust.  Lists, which may be large and come from anywhere, are parsed
 * here and nowhere else; streams hears verdicts.  It holds no key and no file.
 */
#ifndef EDGE_FETCHER_H
#define EDGE_FETCHER_H

/* The whole life of the process: its exit status.  control: socket to the
 * keeper; dns: socket to the resolver process. */
int fetcher_main(int control, int dns);

#endif
