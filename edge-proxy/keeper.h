/*
 * keeper - the parent: reads files, starts and watches the other three processes,
 * and meets nothing that comes from the network.
 *
 * Starts resolver, streams and fetcher before it reads any key, then hands
 * configuration and PEM material down their sockets; the fetcher gets no key.  A child that dies is
 * started again after a pause that grows; one that dies before it was ever
 * ready ends the daemon, for the fault is then in files or ports.
 *
 * Signals  SIGTERM, SIGINT: stop in order (a second one: at once).
 *          SIGHUP: read configuration and certificates again; a mistake in
 *          them is logged and changes nothing.
 */
#ifndef EDGE_KEEPER_H
#define EDGE_KEEPER_H

#include <stddef.h>

/* Runs the daemon; its exit status. */
int keeper_run(const char *path);

/* The hidden arguments a child is started with, and its descriptors. */
#define KEEPER_ROLE_OPTION "--role"
#define KEEPER_STREAMS     "streams"
#define KEEPER_RESOLVER    "resolver"
#define KEEPER_FETCHER     "fetcher"
enum { KEEPER_CONTROL_FD = 3, KEEPER_DNS_FD = 4 };

#endif
