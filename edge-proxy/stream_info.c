/* stream_info - names of directions and events. */
#include "edge-proxy/stream_info.h"

const char *
stream_direction_str(enum stream_direction d)
{
	return d == STREAM_IN ? "in" : "out";
}

const char *
stream_event_str(enum stream_event e)
{
	switch (e) {
	case STREAM_UP:
		return "up";
	case STREAM_UPDATE:
		return "update";
	case STREAM_DOWN:
		return "down";
	case STREAM_FAILED:
		return "failed";
	}
	return "";
}
