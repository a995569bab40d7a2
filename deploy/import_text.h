/*
 * import_text - the bytes of a file that PowerShell wrote, as UTF-8.
 *
 * UTF-16 by its byte order mark, either order (what Windows PowerShell writes
 * unless told otherwise), or UTF-8 with or without one.
 */
#ifndef DEPLOY_IMPORT_TEXT_H
#define DEPLOY_IMPORT_TEXT_H

#include <stddef.h>

struct buf;

enum { IMPORT_FILE_MAX = 256 << 20 };

/* Replaces what is in b (at most IMPORT_FILE_MAX bytes).  ERR_UTF8 for bytes
 * that are neither, ERR_FULL, ERR_NOMEM; b is then undefined. */
int import_text_decode(struct buf *b);

#endif
