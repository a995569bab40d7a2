/* pair_world_impl - what the parts of the modelled world share. */
#ifndef TESTS_PAIR_WORLD_IMPL_H
#define TESTS_PAIR_WORLD_IMPL_H

#include "tests/unit/pair_world.h"

/* When the world begins: ms since 1970. */
#define PAIR_WORLD_START_MS INT64_C(1750000000000)

void __attribute__((format(printf, 2, 3)))
pair_world_note(struct pair_world *w, const char *fmt, ...);
void __attribute__((noreturn))
pair_world_breach(struct pair_world *w, const char *what);
void pair_world_must(struct pair_world *w, bool so, const char *what);
unsigned pair_world_dice(struct pair_world *w, unsigned sides);
void pair_world_push(
    struct pair_world *w, struct pair_queue *q, struct pair_parcel p);
struct pair_parcel pair_world_pop(struct pair_queue *q);
size_t pair_world_dialogs(const struct pair_world *w);
void pair_world_local(
    struct pair_world *w, struct pair_event e, unsigned generation, int value);
bool pair_world_ends_soon(const struct pair_world *w);
void pair_world_give(
    struct pair_world *w, struct pair_event e, struct pair_endpoint *ep);
void pair_world_give_kind(struct pair_world *w, enum pair_event_kind k);
void pair_world_restart(struct pair_world *w, bool sip_restored);
void pair_world_pool_answer(struct pair_world *w);
void pair_world_pool_notify(struct pair_world *w);
void pair_world_pool_terminate(struct pair_world *w, enum pair_reason why);
void pair_world_pool_refresh(struct pair_world *w);
void pair_world_pool_switch(struct pair_world *w, bool up);
void pair_world_deliver_local(struct pair_world *w);
void pair_world_x_send(struct pair_world *w, enum pair_event_kind k, int value);
void pair_world_x_presence(struct pair_world *w);
enum pair_event_kind pair_world_x_kind(enum roster_stanza st);
void pair_world_x_says(struct pair_world *w, enum roster_stanza st);
void pair_world_deliver_out(struct pair_world *w);
void pair_world_deliver_in(struct pair_world *w);
void pair_world_x_break(struct pair_world *w);
void pair_world_x_decide(struct pair_world *w);
void pair_world_x_online(struct pair_world *w);

#endif
