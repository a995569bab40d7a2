/* openapi_builtin - openapi.json, made a part of the program by the build. */
#ifndef GATEWAY_ADMIN_OPENAPI_BUILTIN_H
#define GATEWAY_ADMIN_OPENAPI_BUILTIN_H

#include <stddef.h>

extern const unsigned char openapi_builtin[];
extern const size_t openapi_builtin_size;

#endif
