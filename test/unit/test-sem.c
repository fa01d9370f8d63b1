// SPDX-License-Identifier: GPL-2.0-only
/*
 * The user side of semaphores, flags and read-write locks, and creation on
 * first use.
 */
#include "fake-sync.h"

static void test_sem(void **state)
{
	struct evl_monitor_state *shared;
	struct evl_sem sem;
	int value = -1;

	(void)state;
	assert_true(evl_create_sem(&sem, EVL_CLOCK_REALTIME, 2, 0, "s") >= 0);
	assert_int_equal(fake.clone_attrs[0], EVL_CLOCK_REALTIME);
	assert_int_equal(fake.clone_attrs[1], EVL_MONITOR_EVENT | EVL_EVENT_COUNT << 2);
	assert_int_equal(fake.clone_attrs[2], 2);
	shared = sem.monitor.state;
	shared->u.event.value = 2;
	fake.nr_log = 0;

	assert_int_equal(evl_get_sem(&sem), 0);
	assert_int_equal(evl_tryget_sem(&sem), 0);
	assert_int_equal(evl_tryget_sem(&sem), -EAGAIN);
	assert_int_equal(evl_put_sem(&sem), 0);
	assert_int_equal(evl_peek_sem(&sem, &value), 0);
	assert_int_equal(value, 1);
	assert_int_equal(fake.nr_log, 0);

	/* Waiters, pollers: the core has to know. */
	shared->u.event.value = (__u32)-2;
	assert_int_equal(evl_put_sem(&sem), 0);
	assert_int_equal(fake_count(EVL_MONIOC_SIGNAL, OOB), 1);
	shared->u.event.value = 0;
	shared->u.event.pollrefs = 1;
	assert_int_equal(evl_put_sem(&sem), 0);
	assert_int_equal(fake_count(EVL_MONIOC_SIGNAL, OOB), 2);
	assert_int_equal(shared->u.event.value, 0);
	shared->u.event.pollrefs = 0;

	shared->u.event.value = 0x7fffffff;
	assert_int_equal(evl_put_sem(&sem), -EOVERFLOW);
	shared->u.event.value = 0;

	assert_int_equal(evl_get_sem(&sem), 0);
	assert_int_equal(fake_count(EVL_MONIOC_WAIT, OOB), 1);
	fake_fail(EVL_MONIOC_WAIT, OOB, EAGAIN, 1);
	assert_int_equal(evl_get_sem(&sem), -EAGAIN);
	assert_int_equal(evl_flush_sem(&sem), 0);
	assert_int_equal(fake_count(EVL_MONIOC_BROADCAST, OOB), 1);

	self->window->state |= EVL_T_INBAND;
	shared->u.event.value = (__u32)-1;
	assert_int_equal(evl_put_sem(&sem), 0);
	assert_int_equal(fake_count(EVL_MONIOC_SIGNAL, INBAND), 1);
	evl_close_sem(&sem);
}

static void test_flags(void **state)
{
	struct evl_flags flags;
	int bits = 0;

	(void)state;
	assert_true(evl_new_flags(&flags, "f") >= 0);
	assert_int_equal(fake.clone_attrs[1], EVL_MONITOR_EVENT | EVL_EVENT_MASK << 2);
	flags.monitor.state->u.event.value = 0x80000001;
	assert_int_equal(evl_peek_flags(&flags, &bits), 0);
	assert_int_equal(bits, (int)0x80000001);
	assert_int_equal(evl_post_flags(&flags, 0), -EINVAL);
	assert_int_equal(evl_broadcast_flags(&flags, 0), -EINVAL);
	assert_int_equal(evl_post_flags(&flags, 1), 0);
	assert_int_equal(fake_count(EVL_MONIOC_SIGNAL, OOB), 1);
	assert_int_equal(evl_wait_some_flags(&flags, 6, &bits), 0);
	assert_int_equal(bits, 6);
	assert_int_equal(evl_wait_exact_flags(&flags, 6), 0);
	assert_int_equal(fake_count(EVL_MONIOC_WAIT_EXACT, OOB), 1);
	assert_int_equal(evl_trywait_exact_flags(&flags, 6), 0);
	assert_int_equal(fake_count(EVL_MONIOC_TRYWAIT_EXACT, OOB), 1);
	assert_int_equal(evl_wait_flags(&flags, NULL), 0);
	evl_close_flags(&flags);
}

static struct evl_flags cancel_flags;
static int cancel_status, given_back;

/* As a thread is cancelled before it is back from the core. */
static int sleep_with_status(struct fake_request *req, void *arg)
{
	struct evl_monitor_waitreq *wait = (struct evl_monitor_waitreq *)arg;

	if (req->request == EVL_MONIOC_SIGNAL)
		memcpy(&given_back, arg, sizeof(given_back));
	if (req->request != EVL_MONIOC_WAIT)
		return 0;

	wait->status = cancel_status;
	wait->value = 6;
	pthread_cancel(pthread_self());
	for (;;)
		pause();
}

static void *wait_for_bits(void *arg)
{
	(void)arg;
	if (evl_attach_self(NULL) < 0)
		return NULL;
	__evl_hl_self()->window->state = EVL_T_USER;
	evl_wait_flags(&cancel_flags, NULL);

	return NULL;
}

static void test_cancel(void **state)
{
	static const int statuses[] = { 0, -EINTR, -ETIMEDOUT };
	pthread_t thread;
	void *ret;
	size_t n;

	(void)state;
	assert_true(evl_new_flags(&cancel_flags, "c") >= 0);
	fake.on_request = sleep_with_status;
	for (n = 0; n < sizeof(statuses) / sizeof(statuses[0]); n++) {
		cancel_status = statuses[n];
		given_back = 0;
		pthread_create(&thread, NULL, wait_for_bits, NULL);
		pthread_join(thread, &ret);
		assert_ptr_equal(ret, PTHREAD_CANCELED);
		assert_int_equal(given_back, cancel_status ? 0 : 6);
	}
	evl_close_flags(&cancel_flags);
}

static DEFINE_EVL_SEM(contested);
static pthread_barrier_t barrier;

static void *use_first(void *arg)
{
	(void)arg;
	pthread_barrier_wait(&barrier);
	return evl_put_sem(&contested) ? &contested : NULL;
}

/* Many first users: one element. */
static void test_first_use(void **state)
{
	pthread_t threads[8];
	void *ret;
	int n;

	(void)state;
	pthread_barrier_init(&barrier, NULL, 8);
	for (n = 0; n < 8; n++)
		pthread_create(&threads[n], NULL, use_first, NULL);
	for (n = 0; n < 8; n++) {
		pthread_join(threads[n], &ret);
		assert_null(ret);
	}
	assert_int_equal(fake.nr_clones, 1);
	assert_string_equal(fake.clone_name, "contested");
	assert_int_equal(contested.monitor.state->u.event.value, 8);
	evl_close_sem(&contested);
}

/* Another run of the program has the name: that of a variable may change. */
static void test_name_of_variable(void **state)
{
	static struct evl_sem named =
		EVL_SEM_INITIALIZER("chosen", EVL_CLOCK_MONOTONIC, 0, 0);
	DEFINE_EVL_SEM(variable);
	char expected[64];

	(void)state;
	fake_fail(EVL_IOC_CLONE, INBAND, EEXIST, 1);
	assert_int_equal(evl_put_sem(&variable), 0);
	snprintf(expected, sizeof(expected), "variable.%d", getpid());
	assert_string_equal(fake.clone_name, expected);

	fake_fail(EVL_IOC_CLONE, INBAND, EEXIST, 1);
	assert_int_equal(evl_put_sem(&named), -EEXIST);
	assert_int_equal(evl_put_sem(&named), 0);
	evl_close_sem(&variable);
	evl_close_sem(&named);
}

static void test_rwlock(void **state)
{
	struct evl_rwlock rwlock;

	(void)state;
	assert_int_equal(evl_new_rwlock(&rwlock), 0);
	fake.nr_log = 0;

	assert_int_equal(evl_lock_read(&rwlock), 0);
	assert_int_equal(evl_trylock_read(&rwlock), 0);
	assert_int_equal(evl_trylock_write(&rwlock), -EAGAIN);
	assert_int_equal(evl_unlock_read(&rwlock), 0);
	assert_int_equal(evl_unlock_read(&rwlock), 0);
	assert_int_equal(evl_unlock_read(&rwlock), -EINVAL);
	assert_int_equal(evl_lock_write(&rwlock), 0);
	assert_int_equal(evl_trylock_read(&rwlock), -EAGAIN);
	assert_int_equal(evl_trylock_write(&rwlock), -EAGAIN);
	assert_int_equal(evl_unlock_write(&rwlock), 0);
	assert_int_equal(evl_unlock_write(&rwlock), -EINVAL);
	assert_int_equal(fake.nr_log, 0);
	assert_int_equal(rwlock.word, 0);

	assert_int_equal(evl_destroy_rwlock(&rwlock), 0);
	assert_int_equal(evl_destroy_rwlock(&rwlock), -EINVAL);
	assert_int_equal(evl_lock_read(&rwlock), -EINVAL);
}

/* Waiting writers first, then all readers at once; each gets one unit. */
static void test_rwlock_handover(void **state)
{
	struct evl_rwlock rwlock;

	(void)state;
	assert_int_equal(evl_new_rwlock(&rwlock), 0);
	assert_int_equal(evl_lock_read(&rwlock), 0);
	/* The fake core lets waits return at once: only the words count. */
	assert_int_equal(evl_lock_write(&rwlock), 0);
	assert_int_equal(evl_lock_read(&rwlock), 0);
	assert_int_equal(evl_lock_read(&rwlock), 0);
	assert_int_equal(evl_trylock_read(&rwlock), -EAGAIN);
	assert_int_equal(rwlock.word, __EVL_HL_RW_READER + __EVL_HL_RW_WWAIT +
			 2 * __EVL_HL_RW_RWAIT);

	assert_int_equal(evl_unlock_read(&rwlock), 0);
	assert_int_equal(rwlock.word, __EVL_HL_RW_WRITER + 2 * __EVL_HL_RW_RWAIT);
	assert_int_equal(rwlock.writers.monitor.state->u.event.value, 1);

	/* Another writer comes: before the readers, who came before. */
	assert_int_equal(evl_lock_write(&rwlock), 0);
	rwlock.writers.monitor.state->u.event.value = 0;
	assert_int_equal(evl_unlock_write(&rwlock), 0);
	assert_int_equal(rwlock.word, __EVL_HL_RW_WRITER + 2 * __EVL_HL_RW_RWAIT);
	assert_int_equal(rwlock.writers.monitor.state->u.event.value, 1);
	assert_int_equal(rwlock.readers.monitor.state->u.event.value, 0);

	assert_int_equal(evl_unlock_write(&rwlock), 0);
	assert_int_equal(rwlock.word, 2 * __EVL_HL_RW_READER);
	assert_int_equal(rwlock.readers.monitor.state->u.event.value, 2);
	assert_int_equal(evl_unlock_read(&rwlock), 0);
	assert_int_equal(evl_unlock_read(&rwlock), 0);
	assert_int_equal(rwlock.word, 0);
	evl_destroy_rwlock(&rwlock);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_sem, setup),
		cmocka_unit_test_setup(test_flags, setup),
		cmocka_unit_test_setup(test_cancel, setup),
		cmocka_unit_test_setup(test_first_use, setup),
		cmocka_unit_test_setup(test_name_of_variable, setup),
		cmocka_unit_test_setup(test_rwlock, setup),
		cmocka_unit_test_setup(test_rwlock_handover, setup),
	};

	return cmocka_run_group_tests_name("sem", tests, NULL, NULL);
}
