/*
 * ports_builtin - deploy/ports.json, as the build put it into the program.
 */
#ifndef DEPLOY_PORTS_BUILTIN_H
#define DEPLOY_PORTS_BUILTIN_H

#include <stddef.h>

extern const unsigned char ports_builtin[];
extern const size_t ports_builtin_size;

#endif
