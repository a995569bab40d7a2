/*
 * firewall_diagram - a site as a picture: networks as columns, hosts as boxes,
 * what is allowed as arrows from who connects to who is connected to.
 */
#ifndef DEPLOY_FIREWALL_DIAGRAM_H
#define DEPLOY_FIREWALL_DIAGRAM_H

#include "common/buf.h"
#include "deploy/firewall_rules.h"

/* SVG 1.1 into out; a failure is told by buf_failed(). */
void firewall_diagram_write(struct buf *out, const struct firewall_plan *p);

#endif
