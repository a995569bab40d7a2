/*
 * error_code - the conditions of numbered stanza errors, as servers before
 * RFC 3920 send them (XEP-0086 3).  Pure.
 */
#ifndef EDGE_ERROR_CODE_H
#define EDGE_ERROR_CODE_H

#include "proto/condition.h"

/* code is the attribute's value, or NULL; COND_UNDEFINED_CONDITION when it
 * says nothing. */
enum condition error_code_condition(const char *code);

#endif
