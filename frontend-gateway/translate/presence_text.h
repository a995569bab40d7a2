/*
 * presence_text - what people write into their presence, made fit to be shown.
 * Pure.
 */
#ifndef FRONTEND_GATEWAY_TRANSLATE_PRESENCE_TEXT_H
#define FRONTEND_GATEWAY_TRANSLATE_PRESENCE_TEXT_H

#include <stddef.h>

#include "frontend-gateway/translate/xmpp_presence.h"

/* Copies a note: UTF-8 (what is none becomes U+FFFD) without controls, blank
 * lines or spaces at either end, line ends as LF, at most
 * XMPP_PRESENCE_STATUS_CHARS characters; a character keeps the marks that
 * belong to it or goes with them.  Returns the length. */
size_t presence_text_clean(
    char out[static XMPP_PRESENCE_STATUS_SIZE], const char *s, size_t len);

/* Copies a language tag (RFC 5646); "" when it has not the form of one. */
void presence_text_language(
    char out[static XMPP_PRESENCE_LANGUAGE_SIZE], const char *tag, size_t len);

/* The tag for a Windows locale id ([MS-LCID]), "de-DE" for 1031; NULL when
 * it is not among the usual ones. */
const char *presence_text_lcid(unsigned long lcid);

#endif
