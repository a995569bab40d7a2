/*
 * What is not in the header is apart on purpose: a static analyser that looks
 * into list_first() cannot see that list_remove() changed the head, and takes
 * the node that a loop has just freed for the first one still.
 */
#include "common/list.h"

struct list *
list_first(const struct list *head)
{
	return head->next != head ? head->next : NULL;
}
