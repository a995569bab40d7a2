/*
 * typing - notices that somebody writes: KeyboardActivity of Lync ([MS-CONVMAN]
 * form, in an INFO) and isComposing (RFC 3994, in a MESSAGE).  Pure.
 */
#ifndef FRONTEND_GATEWAY_TRANSLATE_TYPING_H
#define FRONTEND_GATEWAY_TRANSLATE_TYPING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Content-Types, without parameters. */
#define TYPING_INFO_TYPE      "application/xml"
#define TYPING_COMPOSING_TYPE "application/im-iscomposing+xml"

/* Bodies of TYPING_INFO_TYPE for a Lync client. */
extern const char typing_info_type[], typing_info_idle[];

struct typing_notice {
	bool active;
	uint32_t refresh_s; /* how long it holds; 0 = not said */
};

/* Reads either form; an unknown state is idle, names count without prefix.
 * ERR_MALFORMED (no XML, a document type, nested too deep), ERR_UNSUPPORTED
 * (XML of another kind), ERR_NOMEM. */
int typing_read(struct typing_notice *out, const void *body, size_t len);

#endif
