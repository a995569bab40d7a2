/*
 * service - what a daemon tells its service manager (sd_notify protocol: one
 * datagram to $NOTIFY_SOCKET), and the signals it takes.
 */
#ifndef COMMON_SERVICE_H
#define COMMON_SERVICE_H

#include <stdint.h>

/* Connects to $NOTIFY_SOCKET if it is set and removes the variable, and those
 * of the watchdog.  Call before confinement.  0 also when there is nothing to
 * notify. */
int service_notify_open(void);
/* "READY=1", "STOPPING=1", "STATUS=..."; silently nothing when not open. */
void service_notify(const char *state);
void service_notify_close(void);
/* A reload begins; "READY=1" ends it. */
void service_reloading(void);
/* Within how many milliseconds the manager wants to hear "WATCHDOG=1" each
 * time (from $WATCHDOG_USEC); 0 = never. */
uint64_t service_watchdog_ms(void);

#endif
