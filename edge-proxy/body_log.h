/*
 * body_log - the texts of messages in the log, where two agree to that: the
 * gateway that hosts the domain (EnableLoggingAllMessageBodies), and this
 * edge's own file (log.bodies, see log_body()).
 */
#ifndef EDGE_BODY_LOG_H
#define EDGE_BODY_LOG_H

struct frame;
struct hosting_settings;
struct log;

/* Silent unless it is a message and hs, of the hosted domain, permits it. */
void body_log_frame(const struct log *l, const char *event,
    const struct frame *f, const struct hosting_settings *hs);

#endif
