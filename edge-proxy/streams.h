/*
 * streams - the process that partners and gateways talk to.
 *
 * It gets configuration and certificates from the keeper, warms OpenSSL up,
 * opens the edge, gives up its rights, and from then on changes only by what
 * the keeper hands down again.
 */
#ifndef EDGE_STREAMS_H
#define EDGE_STREAMS_H

/* The whole life of the process: its exit status.  control: socket to the
 * keeper; dns: socket to the resolver process. */
int streams_main(int control, int dns);

#endif
