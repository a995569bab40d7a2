/*
 * map - hash table from byte strings to pointers, intrusive nodes.
 *
 * The node lives in the caller's object and borrows the key, which must stay
 * unchanged while the node is in the map.  Hashing is SipHash with a key drawn
 * at start, so a peer cannot aim collisions.  Growing may fail for want of
 * memory; the map then stays correct and only gets slower.  A node is zeroed
 * before its first use.
 */
#ifndef COMMON_MAP_H
#define COMMON_MAP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct map_node {
	struct map_node *next;
	const void *key;
	size_t key_len;
	uint64_t hash;
	bool in;
};

struct map {
	struct map_node **slots;
	size_t slot_count; /* power of two */
	size_t count;
};

/* 0 or ERR_NOMEM. */
int map_init(struct map *m);
/* Frees the table; the nodes are the caller's. */
void map_finish(struct map *m);
/* 0, or ERR_EXISTS when the key is there already. */
int map_put(struct map *m, struct map_node *n, const void *key, size_t len);
struct map_node *map_get(const struct map *m, const void *key, size_t len);
/* One of the nodes, whichever; NULL when the map is empty. */
struct map_node *map_any(const struct map *m);
/* Does nothing when the node is not in the map. */
void map_remove(struct map *m, struct map_node *n);

/* Calls fn for each node; fn may remove (and free) the node it is given. */
typedef void map_each_fn(struct map_node *n, void *arg);
void map_each(struct map *m, map_each_fn *fn, void *arg);

/* The hash itself: SipHash-2-4 of data under a key of 16 bytes. */
uint64_t map_hash(const uint8_t key[16], const void *data, size_t len);

#define map_entry(node, type, member)                                          \
	((type *)(void *)((char *)(node)-offsetof(type, member)))

#endif
