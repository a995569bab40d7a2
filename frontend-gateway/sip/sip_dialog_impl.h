/*
 * sip_dialog_impl - what the files of a dialog share; for them alone.
 *
 *   sip_dialog.c        its life, target and routes
 *   sip_dialog_image.c  its form beyond the process
 */
#ifndef FRONTEND_GATEWAY_SIP_SIP_DIALOG_IMPL_H
#define FRONTEND_GATEWAY_SIP_SIP_DIALOG_IMPL_H

#include "frontend-gateway/sip/sip_dialog.h"

enum { SIP_DIALOG_TAG_SIZE = 128 };

void sip_dialog_free_routes(char **routes, size_t count);
/* Makes the key; Call-ID and tags are read in it from then on. */
int sip_dialog_set_id(struct sip_dialog *d, const char *call_id,
    const char *local_tag, const char *remote_tag);
/* The tag of our own From value, which we wrote ourselves. */
int sip_dialog_tag_of(char out[SIP_DIALOG_TAG_SIZE], const char *from);

#endif
