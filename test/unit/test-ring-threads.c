// SPDX-License-Identifier: GPL-2.0-only
/*
 * Rings of pointers among many threads: each pointer comes once, and those of one producer
 * in the order in which it sent them. Built with the thread sanitizer if there is one.
 */
#include "unit.h"
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <evl/ring_ptr.h>

#define NR_PRODUCERS	3
#define NR_CONSUMERS	3
#define NR_ITEMS	6000	/* of each producer */

struct item {
	unsigned int producer;
	unsigned int number;
	unsigned int arrived;	/* written by its consumer, not atomic: the ring orders it */
};

DEFINE_EVL_RINGPTR_STATIC(tiny, 0)
DEFINE_EVL_RINGPTR_STATIC(small, 2)
DEFINE_EVL_RINGPTR_STATIC(large, 7)

struct ring {
	bool (*enqueue)(void *ptr, struct evl_ring_cursor *cursor);
	bool (*dequeue)(void **ptr);
};

static const struct ring rings[] = {
	{ evl_enqueue_tiny, evl_dequeue_tiny },
	{ evl_enqueue_small, evl_dequeue_small },
	{ evl_enqueue_large, evl_dequeue_large },
};

static struct item items[NR_PRODUCERS][NR_ITEMS];
static const struct ring *ring;
static atomic_uint producers, disorder;

static void *produce(void *arg)
{
	struct item *mine = arg;
	struct evl_ring_cursor cursor = { 0 };
	unsigned int n;

	for (n = 0; n < NR_ITEMS; n++) {
		mine[n].number = n;
		while (!ring->enqueue(&mine[n], &cursor))
			sched_yield();
	}
	atomic_fetch_sub(&producers, 1);

	return NULL;
}

static void *consume(void *arg)
{
	unsigned int next[NR_PRODUCERS] = { 0 };
	struct item *item;
	bool last;
	void *ptr;

	(void)arg;
	for (;;) {
		last = atomic_load(&producers) == 0;
		if (!ring->dequeue(&ptr)) {
			/* What was there before the last producer left is found. */
			if (last)
				return NULL;
			sched_yield();
			continue;
		}
		item = ptr;
		item->arrived++;
		if (item->number < next[item->producer])
			atomic_fetch_add(&disorder, 1);
		next[item->producer] = item->number + 1;
	}
}

static void run_threads(const struct ring *which)
{
	pthread_t threads[NR_PRODUCERS + NR_CONSUMERS];
	unsigned int n, i;

	memset(items, 0, sizeof(items));
	ring = which;
	atomic_store(&producers, NR_PRODUCERS);
	for (n = 0; n < NR_PRODUCERS; n++) {
		for (i = 0; i < NR_ITEMS; i++)
			items[n][i].producer = n;
		assert_int_equal(pthread_create(&threads[n], NULL, produce, items[n]), 0);
	}
	for (; n < NR_PRODUCERS + NR_CONSUMERS; n++)
		assert_int_equal(pthread_create(&threads[n], NULL, consume, NULL), 0);
	for (n = 0; n < NR_PRODUCERS + NR_CONSUMERS; n++)
		pthread_join(threads[n], NULL);

	for (n = 0; n < NR_PRODUCERS; n++) {
		for (i = 0; i < NR_ITEMS; i++)
			assert_int_equal(items[n][i].arrived, 1);
	}
	assert_int_equal(atomic_load(&disorder), 0);
}

static void test_one_place(void **state)
{
	(void)state;
	run_threads(&rings[0]);
}

static void test_few_places(void **state)
{
	(void)state;
	run_threads(&rings[1]);
}

static void test_many_places(void **state)
{
	(void)state;
	run_threads(&rings[2]);
}

/*
 * Pools: each thread takes a pointer, is the only one to have it, and puts it back. There
 * is a place for each of them, but somebody who is stopped may have one for a while.
 */
DEFINE_EVL_RINGPTR_STATIC(pool, 3)

static unsigned long buffers[8];

static void *borrow(void *arg)
{
	unsigned int n;
	void *ptr;

	(void)arg;
	for (n = 0; n < NR_ITEMS; n++) {
		while (!evl_dequeue_pool(&ptr))
			sched_yield();
		++*(unsigned long *)ptr;
		while (!evl_enqueue_pool(ptr, NULL))
			sched_yield();
	}

	return NULL;
}

static void test_pool(void **state)
{
	pthread_t threads[4];
	unsigned long sum = 0;
	unsigned int n;
	void *ptr;

	(void)state;
	for (n = 0; n < 8; n++)
		assert_true(evl_enqueue_pool(&buffers[n], NULL));
	for (n = 0; n < 4; n++)
		assert_int_equal(pthread_create(&threads[n], NULL, borrow, NULL), 0);
	for (n = 0; n < 4; n++)
		pthread_join(threads[n], NULL);
	for (n = 0; n < 8; n++)
		assert_true(evl_dequeue_pool(&ptr));
	assert_false(evl_dequeue_pool(&ptr));
	for (n = 0; n < 8; n++)
		sum += buffers[n];
	assert_int_equal(sum, 4 * NR_ITEMS);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_one_place),
		cmocka_unit_test(test_few_places),
		cmocka_unit_test(test_many_places),
		cmocka_unit_test(test_pool),
	};

	return cmocka_run_group_tests_name("ring-threads", tests, NULL, NULL);
}
