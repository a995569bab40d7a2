/* The texts of our own codes come from the list in the header; those of
 * libuv from libuv's list, compiled in, because uv_strerror() allocates for
 * a code it does not know. */
#include "common/err.h"

#include <uv.h>

const char *
err_str(int rc)
{
	switch (rc) {
	case 0:
		return "no error";
#define X(name, code, text)                                                    \
	case code:                                                             \
		return text;
		ERR_CODES(X)
#undef X
#define X(name, text)                                                          \
	case UV_##name:                                                        \
		return text;
		UV_ERRNO_MAP(X)
#undef X
	default:
		return "unknown error";
	}
}
