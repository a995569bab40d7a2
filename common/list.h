/*
 * list - intrusive doubly linked list.
 *
 * The head is a node that points at itself when the list is empty.  A node
 * that is in no list also points at itself, so list_remove() may be called
 * twice.  Nothing is allocated.
 */
#ifndef COMMON_LIST_H
#define COMMON_LIST_H

#include <stdbool.h>
#include <stddef.h>

struct list {
	struct list *next, *prev;
};

#define list_entry(node, type, member)                                         \
	((type *)(void *)((char *)(node)-offsetof(type, member)))

/* NOLINTBEGIN(bugprone-macro-parentheses): `it` is the name of a variable. */

#define LIST_FOREACH(it, head)                                                 \
	for (struct list *it = (head)->next; it != (head); it = it->next)

/* Safe against removal (and freeing) of the current node. */
#define LIST_FOREACH_SAFE(it, head)                                            \
	for (struct list *it = (head)->next, *it##_next = it->next;            \
	     it != (head); it = it##_next, it##_next = it->next)

/* NOLINTEND(bugprone-macro-parentheses) */

static inline void
list_init(struct list *n)
{
	n->next = n->prev = n;
}

static inline bool
list_empty(const struct list *head)
{
	return head->next == head;
}

static inline void
list_append(struct list *head, struct list *n)
{
	n->prev = head->prev;
	n->next = head;
	head->prev->next = n;
	head->prev = n;
}

static inline void
list_remove(struct list *n)
{
	n->prev->next = n->next;
	n->next->prev = n->prev;
	list_init(n);
}

/* The first node; NULL when there is none. */
struct list *list_first(const struct list *head);

#endif
