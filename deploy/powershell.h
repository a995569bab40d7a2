/*
 * powershell - text that a PowerShell script takes as a value and as nothing
 * else.
 *
 * Windows PowerShell reads a file without a mark as the code page of the day,
 * so a script stays ASCII; and it takes the typographic single quotes for
 * plain ones.
 */
#ifndef DEPLOY_POWERSHELL_H
#define DEPLOY_POWERSHELL_H

struct buf;

/* Appends s as an expression: 'contoso.example', or ('K' + [char]0xF6 + 'ln').
 * 0; ERR_MALFORMED for control characters and what is no UTF-8, ERR_FULL
 * when out does not take it. */
int powershell_quote(struct buf *out, const char *s);

#endif
