/*
 * service - what a daemon tells its service manager (sd_notify protocol: one
 * datagram to $NOTIFY_SOCKET), and the signals it takes.
 */
#ifndef COMMON_SERVICE_H
#define COMMON_SERVICE_H

/* Connects to $NOTIFY_SOCKET if it is set and removes the variable.  Call
 * before confinement.  0 also when there is nothing to notify. */
int service_notify_open(void);
/* "READY=1", "STOPPING=1", "STATUS=..."; silently nothing when not open. */
void service_notify(const char *state);
void service_notify_close(void);

#endif
