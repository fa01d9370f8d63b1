// SPDX-License-Identifier: GPL-2.0-only
/* Lists: order, removal while walking, joining. */
#include "unit.h"
#include <evl/list.h>

struct item {
	int value;
	struct list_head link;
};

static void fill(struct list_head *head, struct item *items, int count, int first)
{
	int n;

	for (n = 0; n < count; n++) {
		items[n].value = first + n;
		list_append(&items[n].link, head);
	}
}

static void check_values(struct list_head *head, int first, int count)
{
	struct item *pos;
	int n = 0;

	list_for_each_entry(pos, head, link)
		assert_int_equal(pos->value, first + n++);
	assert_int_equal(n, count);

	list_for_each_entry_reverse(pos, head, link)
		assert_int_equal(pos->value, first + --n);
	assert_int_equal(n, 0);
}

static void test_empty(void **state)
{
	DEFINE_LIST_HEAD(head);
	struct list_head other, *pos;

	(void)state;
	list_init(&other);
	assert_true(list_empty(&head));
	assert_true(list_empty(&other));
	assert_false(list_is_linked(&other));
	list_for_each(pos, &head)
		fail();
}

static void test_order(void **state)
{
	struct item items[8], front = { .value = -1 };
	DEFINE_LIST_HEAD(head);

	(void)state;
	fill(&head, items, 8, 0);
	check_values(&head, 0, 8);

	list_prepend(&front.link, &head);
	check_values(&head, -1, 9);
	assert_true(list_is_heading(&front.link, &head));
	assert_ptr_equal(list_first_entry(&head, struct item, link), &front);
	assert_ptr_equal(list_last_entry(&head, struct item, link), &items[7]);
	assert_ptr_equal(list_next_entry(&front, &head, link), &items[0]);
	assert_null(list_next_entry(&items[7], &head, link));
	assert_ptr_equal(list_prev_entry(&items[0], &head, link), &front);
	assert_null(list_prev_entry(&front, &head, link));
}

static void test_insert(void **state)
{
	struct item items[2], middle = { .value = 1 };
	DEFINE_LIST_HEAD(head);

	(void)state;
	fill(&head, items, 2, 0);
	items[1].value = 2;
	list_insert(&middle.link, &items[0].link);
	check_values(&head, 0, 3);
}

static void test_pop(void **state)
{
	struct item items[4];
	DEFINE_LIST_HEAD(head);
	int n;

	(void)state;
	fill(&head, items, 4, 10);
	for (n = 0; n < 4; n++)
		assert_int_equal(list_pop_entry(&head, struct item, link)->value, 10 + n);
	assert_true(list_empty(&head));
}

static void test_remove_while_walking(void **state)
{
	struct item items[10], *pos, *tmp;
	DEFINE_LIST_HEAD(head);
	int n = 0;

	(void)state;
	fill(&head, items, 10, 0);
	list_for_each_entry_safe(pos, tmp, &head, link) {
		if (pos->value & 1)
			list_remove_init(&pos->link);
	}
	list_for_each_entry(pos, &head, link) {
		assert_int_equal(pos->value, 2 * n);
		n++;
	}
	assert_int_equal(n, 5);
	assert_false(list_is_linked(&items[1].link));
	assert_true(list_is_linked(&items[2].link));

	list_for_each_entry_reverse_safe(pos, tmp, &head, link)
		list_remove(&pos->link);
	assert_true(list_empty(&head));
}

static void test_safe_heads(void **state)
{
	struct item items[3];
	struct list_head *pos, *tmp;
	DEFINE_LIST_HEAD(head);
	int n = 0;

	(void)state;
	fill(&head, items, 3, 0);
	list_for_each_safe(pos, tmp, &head) {
		list_remove(pos);
		n++;
	}
	assert_int_equal(n, 3);
	list_for_each_reverse(pos, &head)
		fail();
}

static void test_join(void **state)
{
	struct item a[3], b[3];
	DEFINE_LIST_HEAD(dst);
	DEFINE_LIST_HEAD(src);

	(void)state;
	list_join(&src, &dst);
	assert_true(list_empty(&dst));

	fill(&dst, a, 3, 0);
	list_join(&src, &dst);
	check_values(&dst, 0, 3);

	fill(&src, b, 3, 3);
	list_join(&src, &dst);
	check_values(&dst, 0, 6);
	assert_true(list_empty(&src));

	list_join(&dst, &src);
	check_values(&src, 0, 6);
	assert_true(list_empty(&dst));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_empty),
		cmocka_unit_test(test_order),
		cmocka_unit_test(test_insert),
		cmocka_unit_test(test_pop),
		cmocka_unit_test(test_remove_while_walking),
		cmocka_unit_test(test_safe_heads),
		cmocka_unit_test(test_join),
	};

	return cmocka_run_group_tests_name("list", tests, NULL, NULL);
}
