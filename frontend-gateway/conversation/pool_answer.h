/*
 * pool_answer - what the pool's final answer to an INVITE or MESSAGE of ours
 * says about the text in it.  Pure.
 */
#ifndef GATEWAY_CONVERSATION_POOL_ANSWER_H
#define GATEWAY_CONVERSATION_POOL_ANSWER_H

#include <stdbool.h>

struct sip_msg;
struct sip_result;

/* The code of its Warning; 0 when there is none. */
unsigned pool_answer_warning(const struct sip_msg *m);
/* The id of its ms-diagnostics, of whatever form; 0 when there is none.  52035
 * goes before others: the client still has the conversation. */
unsigned pool_answer_diagnostics(const struct sip_msg *m);

/* Whether nobody can tell if the client has shown the text: it was not
 * refused, its answer did not come. */
bool pool_answer_is_lost(const struct sip_result *r);
/* Whether a refusal concerns this one text rather than the user. */
bool pool_answer_is_about_text(int status);
/* The pool has nobody of that name, nobody who is there, or nobody who lets
 * herself be disturbed: whoever guesses names hears this. */
bool pool_answer_is_miss(int status);

#endif
