/*
 * ports - the ports the daemons use unless they are told otherwise.
 *
 * Every one has its rows in deploy/ports.json, and every row of ours there
 * has its port here; a unit test holds the two against each other.
 */
#ifndef COMMON_PORTS_H
#define COMMON_PORTS_H

#define PORTS(X)                                                               \
	X(PORTS_XMPP, 5269) /* the edge listens, and connects to partners */   \
	X(PORTS_XMPP_DIRECT,                                                   \
	    5270)               /* direct TLS, where a site has it; habit */   \
	X(PORTS_CHANNEL, 23456) /* the edge listens, the gateway connects */   \
	X(PORTS_SIP, 5061) /* the gateway listens, and connects to the pool */ \
	X(PORTS_DNS, 53)   /* the edge asks */                                 \
	X(PORTS_HTTP, 80)  /* the edge asks authorities */

enum {
#define X(name, number) name = (number),
	PORTS(X)
#undef X
};

#endif
