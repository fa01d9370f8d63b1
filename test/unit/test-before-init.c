// SPDX-License-Identifier: GPL-2.0-only
/* Each call before evl_init(): -ENXIO for elements, and what else works. */
#include "unit.h"
#include <pthread.h>
#include <evl/evl.h>
#include <evl/net/net.h>
#include <evl/net/socket.h>

static void test_creation(void **state)
{
	struct evl_mutex mutex;
	struct evl_event event;
	struct evl_sem sem;
	struct evl_flags flags;
	struct evl_rwlock rwlock;
	struct evl_element_ids eids;

	(void)state;
	assert_int_equal(evl_new_mutex(&mutex, "m"), -ENXIO);
	assert_int_equal(evl_new_event(&event, "e"), -ENXIO);
	assert_int_equal(evl_new_sem(&sem, "s"), -ENXIO);
	assert_int_equal(evl_new_flags(&flags, "f"), -ENXIO);
	assert_int_equal(evl_new_rwlock(&rwlock), -ENXIO);
	assert_int_equal(evl_new_xbuf(1024, "x"), -ENXIO);
	assert_int_equal(evl_new_proxy(1, 1024, "p"), -ENXIO);
	assert_int_equal(evl_new_observable("o"), -ENXIO);
	assert_int_equal(evl_new_poll(), -ENXIO);
	assert_int_equal(evl_new_timer(EVL_CLOCK_MONOTONIC), -ENXIO);
	assert_int_equal(evl_create_element(EVL_XBUF_DEV, "x", NULL, 0, &eids), -ENXIO);
}

static void test_opening(void **state)
{
	struct evl_mutex mutex;
	struct evl_event event;
	struct evl_sem sem;
	struct evl_flags flags;

	(void)state;
	assert_int_equal(evl_open_mutex(&mutex, "m"), -ENXIO);
	assert_int_equal(evl_open_event(&event, "e"), -ENXIO);
	assert_int_equal(evl_open_sem(&sem, "s"), -ENXIO);
	assert_int_equal(evl_open_flags(&flags, "f"), -ENXIO);
	assert_int_equal(evl_open_element(EVL_CLOCK_DEV, "monotonic"), -ENXIO);
	assert_int_equal(evl_open_raw(EVL_POLL_DEV), -ENXIO);
}

static DEFINE_EVL_SEM(static_sem);
static DEFINE_EVL_FLAGS(static_flags);
static DEFINE_EVL_RWLOCK(static_rwlock);
static DEFINE_EVL_MUTEX(static_mutex);
static DEFINE_EVL_EVENT(static_event);
static struct evl_mutex ceiling_mutex =
	EVL_MUTEX_INITIALIZER("ceiling", EVL_CLOCK_MONOTONIC, 10, EVL_MUTEX_NORMAL);

static void test_static(void **state)
{
	int value;

	(void)state;
	assert_int_equal(evl_tryget_sem(&static_sem), -ENXIO);
	assert_int_equal(evl_put_sem(&static_sem), -ENXIO);
	assert_int_equal(evl_flush_sem(&static_sem), -ENXIO);
	assert_int_equal(evl_peek_sem(&static_sem, &value), -EINVAL);
	assert_int_equal(evl_post_flags(&static_flags, 1), -ENXIO);
	assert_int_equal(evl_trywait_flags(&static_flags, &value), -ENXIO);
	assert_int_equal(evl_trylock_read(&static_rwlock), -ENXIO);
	assert_int_equal(evl_lock_mutex(&static_mutex), -EPERM);
	assert_int_equal(evl_unlock_mutex(&static_mutex), -EPERM);
	assert_int_equal(evl_signal_event(&static_event), 0);
	assert_int_equal(evl_wait_event(&static_event, &static_mutex), -EPERM);
}

static void test_static_ceiling(void **state)
{
	(void)state;
	assert_int_equal(evl_get_mutex_ceiling(&static_mutex), 0);
	assert_int_equal(evl_set_mutex_ceiling(&static_mutex, 5), -EINVAL);
	assert_int_equal(evl_get_mutex_ceiling(&ceiling_mutex), 10);
	assert_int_equal(evl_set_mutex_ceiling(&ceiling_mutex, 0), -EINVAL);
	assert_int_equal(evl_set_mutex_ceiling(&ceiling_mutex, 100), -EINVAL);
	assert_int_equal(evl_set_mutex_ceiling(&ceiling_mutex, 42), 0);
	assert_int_equal(evl_get_mutex_ceiling(&ceiling_mutex), 42);
}

/* A monitor never used closes, once; what never was one does not. */
static void test_close(void **state)
{
	DEFINE_EVL_SEM(sem);
	struct evl_sem garbage;

	(void)state;
	memset(&garbage, 0x5a, sizeof(garbage));
	assert_int_equal(evl_close_sem(&sem), 0);
	assert_int_equal(evl_close_sem(&sem), -EINVAL);
	assert_int_equal(evl_tryget_sem(&sem), -EBADF);
	assert_int_equal(evl_close_sem(&garbage), -EINVAL);
	assert_int_equal(evl_tryget_sem(&garbage), -EINVAL);
	assert_int_equal(evl_put_sem(&garbage), -EINVAL);
	assert_int_equal(evl_close_mutex((struct evl_mutex *)(void *)&garbage), -EINVAL);
}

static void test_control(void **state)
{
	union evl_sched_ctlparam param;
	int cpustate;

	(void)state;
	memset(&param, 0, sizeof(param));
	assert_int_equal(evl_control_sched(SCHED_QUOTA, &param, NULL, 0), -ENXIO);
	assert_int_equal(evl_get_cpustate(0, &cpustate), -ENXIO);
}

static void test_self(void **state)
{
	(void)state;
	assert_int_equal(evl_get_self(), -EPERM);
	assert_true(evl_is_inband());
	assert_int_equal(evl_get_current_mode(), EVL_T_INBAND);
	assert_int_equal(evl_detach_self(), -EPERM);
	assert_int_equal(evl_detach_thread(1), -EINVAL);
	assert_int_equal(evl_attach_thread(1, "bad-flags"), -EINVAL);
	assert_int_equal(evl_switch_oob(), -EPERM);
	assert_int_equal(evl_switch_inband(), -EPERM);
	assert_int_equal(evl_yield(), -EPERM);
}

static void test_clock(void **state)
{
	struct timespec a, b;

	(void)state;
	clock_gettime(CLOCK_MONOTONIC, &a);
	assert_int_equal(evl_read_clock(EVL_CLOCK_MONOTONIC, &b), 0);
	assert_true(b.tv_sec > a.tv_sec || (b.tv_sec == a.tv_sec && b.tv_nsec >= a.tv_nsec));
	clock_gettime(CLOCK_REALTIME, &a);
	assert_int_equal(evl_read_clock(EVL_CLOCK_REALTIME, &b), 0);
	assert_true(b.tv_sec > a.tv_sec || (b.tv_sec == a.tv_sec && b.tv_nsec >= a.tv_nsec));
	assert_int_equal(evl_read_clock(-17, &b), -EBADF);
	assert_int_equal(evl_get_clock_resolution(EVL_CLOCK_MONOTONIC, &b), 0);

	assert_int_equal(evl_sleep_until(EVL_CLOCK_MONOTONIC, &b), -EPERM);
	assert_int_equal(evl_usleep(0), 0);
	assert_int_equal(evl_usleep(1000), -EPERM);
	assert_int_equal(evl_usleep(1000001), -EINVAL);
}

/* No core to ask: what matters is that nobody may take it for a success. */
static void test_requests(void **state)
{
	char c = 0;

	(void)state;
	errno = 0;
	assert_int_equal(oob_read(0, &c, 1), -1);
	assert_int_equal(errno, EPERM);
	errno = 0;
	assert_int_equal(oob_write(1, &c, 1), -1);
	assert_int_equal(errno, EPERM);
	errno = 0;
	assert_int_equal(oob_ioctl(1, EVL_CLKIOC_SLEEP, &c), -1);
	assert_int_equal(errno, EPERM);
}

/* For programs which take the library for a sign of a network. */
static void test_network(void **state)
{
	struct evl_net_devstat stat;
	struct oob_msghdr msg;
	struct timespec now = { 0, 0 };
	socklen_t len = 0;

	(void)state;
	memset(&msg, 0, sizeof(msg));
	errno = 0;
	assert_int_equal(oob_recvmsg(0, &msg, &now, 0), -EOPNOTSUPP);
	assert_int_equal(errno, EOPNOTSUPP);
	assert_int_equal(oob_sendmsg(0, &msg, NULL, MSG_DONTWAIT), -EOPNOTSUPP);
	assert_int_equal(oob_setsockopt(0, SOL_SOCKET, 0, &len, len), -EOPNOTSUPP);
	assert_int_equal(oob_getsockopt(0, SOL_SOCKET, 0, &len, &len), -EOPNOTSUPP);
	assert_int_equal(evl_net_open_dev("lo"), -EOPNOTSUPP);
	assert_int_equal(evl_net_open_device("lo"), -EOPNOTSUPP);
	assert_int_equal(evl_net_query_dev(0, &stat), -EOPNOTSUPP);
	assert_int_equal(evl_net_enable_port(0, 0, 0), -EOPNOTSUPP);
	assert_int_equal(evl_net_disable_port(0), -EOPNOTSUPP);
	assert_int_equal(evl_net_set_filter(0, NULL), -EOPNOTSUPP);
	assert_int_equal(evl_net_solicit(0, NULL, 0), -EOPNOTSUPP);
	assert_int_equal(socket(AF_INET, SOCK_DGRAM | SOCK_OOB, 0), -1);
}

static void test_version(void **state)
{
	struct evl_version version = evl_get_version();

	(void)state;
	assert_int_equal(version.api_level, 27);
	assert_int_equal(version.abi_level, 36);
	assert_memory_equal(version.version_string, "evl.", 4);
}

static void test_arguments(void **state)
{
	struct evl_sem sem;
	struct evl_mutex mutex;

	(void)state;
	assert_int_equal(evl_create_sem(&sem, EVL_CLOCK_MONOTONIC, -1, 0, "s"), -EINVAL);
	assert_int_equal(evl_create_mutex(&mutex, EVL_CLOCK_MONOTONIC, 100, 0, "m"), -EINVAL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_creation),
		cmocka_unit_test(test_opening),
		cmocka_unit_test(test_static),
		cmocka_unit_test(test_static_ceiling),
		cmocka_unit_test(test_close),
		cmocka_unit_test(test_control),
		cmocka_unit_test(test_self),
		cmocka_unit_test(test_clock),
		cmocka_unit_test(test_requests),
		cmocka_unit_test(test_network),
		cmocka_unit_test(test_version),
		cmocka_unit_test(test_arguments),
	};

	return cmocka_run_group_tests_name("before-init", tests, NULL, NULL);
}
