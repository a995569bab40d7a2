/*
 * resolver - the process that runs libunbound: DNS with validation, away from
 * keys and from partners' streams.
 *
 * It gets the configuration from the keeper, warms libunbound up (which opens
 * its files at the first question), gives up its rights and then answers the
 * questions of two sockets, those of streams and of the fetcher, until that of
 * streams or the keeper ends.
 */
#ifndef EDGE_RESOLVER_H
#define EDGE_RESOLVER_H

#include <uv.h>

struct clock;
struct edge_conf;
struct resolver;

/* The whole life of the process: its exit status.  control: socket to the
 * keeper; dns: socket to the streams process. */
int resolver_main(int control, int dns);

/* The service by itself, for the process above and for tests.  fd is taken
 * over.  ERR_CONFIG and why when libunbound refuses a setting. */
int resolver_open(struct resolver **out, uv_loop_t *loop, struct clock *clock,
    const struct edge_conf *conf, int fd, char *why, size_t size);
/* One more socket (taken over) whose questions are answered; its end is the
 * end of nothing else. */
int resolver_serve(struct resolver *r, int fd);
/* on_end (may be NULL) fires when the first asking side is gone. */
void resolver_on_end(struct resolver *r, void (*fn)(void *arg), void *arg);
void resolver_close(struct resolver *r);

#endif
