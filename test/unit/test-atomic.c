// SPDX-License-Identifier: GPL-2.0-only
/* Atomic integers: what exchanges return, and that nothing gets lost. */
#include "unit.h"
#include <pthread.h>
#include <evl/atomic.h>

static void test_read(void **state)
{
	atomic_t value = -5;

	(void)state;
	assert_int_equal(atomic_read(&value), -5);
}

static void test_cmpxchg(void **state)
{
	uatomic_t value = 1;

	(void)state;
	assert_int_equal(atomic_cmpxchg(&value, 2, 3), 1);
	assert_int_equal(value, 1);
	assert_int_equal(atomic_cmpxchg(&value, 1, 3), 1);
	assert_int_equal(value, 3);
}

static atomic_t counter;

#define ROUNDS	20000

static void *count(void *arg)
{
	int n, seen;

	(void)arg;
	for (n = 0; n < ROUNDS; n++) {
		do
			seen = atomic_read(&counter);
		while (atomic_cmpxchg_weak(&counter, seen, seen + 1) != seen);
		do
			seen = atomic_read(&counter);
		while (atomic_cmpxchg(&counter, seen, seen + 1) != seen);
	}

	return NULL;
}

static void test_threads(void **state)
{
	pthread_t threads[4];
	int n;

	(void)state;
	for (n = 0; n < 4; n++)
		assert_int_equal(pthread_create(&threads[n], NULL, count, NULL), 0);
	for (n = 0; n < 4; n++)
		pthread_join(threads[n], NULL);
	assert_int_equal(counter, 4 * 2 * ROUNDS);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_read),
		cmocka_unit_test(test_cmpxchg),
		cmocka_unit_test(test_threads),
	};

	return cmocka_run_group_tests_name("atomic", tests, NULL, NULL);
}
