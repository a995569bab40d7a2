#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>

#include "common/list.h"

struct item {
	int n;
	struct list link;
};

static void
fill(struct list *head, struct item *items, int count)
{
	list_init(head);
	for (int i = 0; i < count; i++) {
		items[i].n = i;
		list_append(head, &items[i].link);
	}
}

static void
test_order(void **state)
{
	struct item items[5];
	struct list head;
	int n = 0;

	(void)state;
	fill(&head, items, 5);
	LIST_FOREACH (it, &head)
		assert_int_equal(list_entry(it, struct item, link)->n, n++);
	assert_int_equal(n, 5);
}

static void
test_remove(void **state)
{
	struct item items[5];
	struct list head;
	int sum = 0;

	(void)state;
	fill(&head, items, 5);
	list_remove(&items[0].link);
	list_remove(&items[3].link);
	list_remove(&items[3].link); /* does no harm */
	LIST_FOREACH (it, &head)
		sum = sum * 10 + list_entry(it, struct item, link)->n;
	assert_int_equal(sum, 124);
	list_append(&head, &items[3].link);
	assert_ptr_equal(head.prev, &items[3].link);
}

/* Emptying a list while its nodes are freed, by both ways to walk. */
static void
test_free_while_walking(void **state)
{
	struct list head, *n;
	int met = 0;

	(void)state;
	list_init(&head);
	assert_true(list_empty(&head));
	assert_null(list_first(&head));
	for (int round = 0; round < 2; round++) {
		for (int i = 0; i < 5; i++) {
			struct item *item = calloc(1, sizeof(*item));

			assert_non_null(item);
			item->n = i;
			list_append(&head, &item->link);
		}
		for (int i = 0; round == 0 && i < 5; i++) {
			n = list_first(&head);
			assert_non_null(n);
			assert_int_equal(
			    list_entry(n, struct item, link)->n, i);
			list_remove(n);
			free(list_entry(n, struct item, link));
			met++;
		}
		LIST_FOREACH_SAFE (it, &head) {
			list_remove(it);
			free(list_entry(it, struct item, link));
			met++;
		}
		assert_true(list_empty(&head));
		assert_null(list_first(&head));
	}
	assert_int_equal(met, 10);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_order),
		cmocka_unit_test(test_remove),
		cmocka_unit_test(test_free_while_walking),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
