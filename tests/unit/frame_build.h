/* frame_build - frames for tests from their printed form. */
#ifndef UNIT_FRAME_BUILD_H
#define UNIT_FRAME_BUILD_H

#include "common/buf.h"
#include "proto/frame.h"

/* Appends the frame that json (one object, as frame_to_json() prints it)
 * tells of.  A test fails when it is no frame. */
void frame_build(struct buf *out, const char *json);

#endif
