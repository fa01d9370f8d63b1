// SPDX-License-Identifier: GPL-2.0-only
/* Attaching threads, and naming elements, against a scripted core. */
#include "fake-core.h"

static int setup(void **state)
{
	(void)state;
	if (evl_get_self() >= 0)
		evl_detach_self();
	/* The library came up once, the address of its memory stays. */
	if (__evl_hl_home()->booted == 0) {
		fake_reset();
		return evl_init();
	}
	fake_reset();

	return 0;
}

static void test_policies(void **state)
{
	static const struct {
		int policy, priority, evl_policy, evl_priority;
	} table[] = {
		{ 0 /* OTHER */, 0, SCHED_WEAK, 0 },
		{ 3 /* BATCH */, 0, SCHED_WEAK, 0 },
		{ 5 /* IDLE */, 0, SCHED_WEAK, 0 },
		{ 1 /* FIFO */, 8, SCHED_FIFO, 8 },
		{ 2 /* RR */, 9, SCHED_RR, 9 },
		{ 6 /* DEADLINE */, 0, SCHED_FIFO, 1 },
	};
	size_t n;

	(void)state;
	for (n = 0; n < sizeof(table) / sizeof(table[0]); n++) {
		fake.policy = table[n].policy;
		fake.priority = table[n].priority;
		assert_true(evl_attach_self("thread-%zu", n) >= 0);
		assert_int_equal(fake.attrs.sched_policy, table[n].evl_policy);
		assert_int_equal(fake.attrs.sched_priority, table[n].evl_priority);
		assert_int_equal(evl_detach_self(), 0);
	}
	assert_int_equal(fake_count(EVL_THRIOC_SET_SCHEDPARAM, OOB), 6);
	assert_int_equal(fake_count(EVL_THRIOC_DETACH_SELF, INBAND), 6);
}

static void test_attach_detach(void **state)
{
	int before = fake_open_fds(), efd;

	(void)state;
	efd = evl_attach_self("me:%d", 1);
	assert_true(efd >= 0);
	assert_string_equal(fake.clone_name, "me:1");
	assert_int_equal(fake.clone.clone_flags, 0);
	assert_int_equal(evl_get_self(), efd);
	assert_int_equal(fcntl(efd, F_GETFD), FD_CLOEXEC);
	assert_int_equal(evl_attach_self("again"), -EBUSY);
	assert_int_equal(evl_detach_self(), 0);
	assert_int_equal(evl_get_self(), -EPERM);
	assert_int_equal(evl_detach_self(), -EPERM);
	assert_int_equal(fake_open_fds(), before);
}

/* If the policy cannot be applied, the thread is not left half attached. */
static void test_failed_policy(void **state)
{
	int before = fake_open_fds();

	(void)state;
	fake_fail(EVL_THRIOC_SET_SCHEDPARAM, OOB, EINVAL, 1);
	assert_int_equal(evl_attach_self("unlucky"), -EINVAL);
	assert_int_equal(fake_count(EVL_THRIOC_DETACH_SELF, INBAND), 1);
	assert_int_equal(evl_get_self(), -EPERM);
	assert_int_equal(fake_open_fds(), before);
	assert_true(evl_attach_self("lucky") >= 0);
}

static void test_attach_flags(void **state)
{
	(void)state;
	assert_int_equal(evl_attach_thread(EVL_CLONE_INPUT, "x"), -EINVAL);
	assert_int_equal(evl_attach_thread(1, "x"), -EINVAL);
	assert_int_equal(evl_attach_thread(EVL_CLONE_PUBLIC, NULL), -EINVAL);
	assert_int_equal(fake.nr_clones, 0);

	assert_true(evl_attach_thread(EVL_CLONE_OBSERVABLE | EVL_CLONE_MASTER |
				      EVL_CLONE_NONBLOCK, "watched") >= 0);
	assert_int_equal(fake.clone.clone_flags, EVL_CLONE_OBSERVABLE | EVL_CLONE_UNICAST);
	assert_true(fcntl(evl_get_self(), F_GETFL) & O_NONBLOCK);
}

/* The last switch in-band is not a surprise, which asking for it out-of-band tells. */
static void test_detach_leaves_the_stage(void **state)
{
	(void)state;
	fake_attach();
	assert_int_equal(evl_detach_self(), 0);
	assert_int_equal(fake_count(EVL_THRIOC_SWITCH_INBAND, OOB), 1);

	fake_attach()->window->state |= EVL_T_INBAND;
	assert_int_equal(evl_detach_self(), 0);
	assert_int_equal(fake_count(EVL_THRIOC_SWITCH_INBAND, OOB), 0);
}

static void test_public_name(void **state)
{
	int before = fake_open_fds(), efd;

	(void)state;
	efd = evl_new_xbuf(1024, "/pub-%d", 3);
	assert_true(efd >= 0);
	assert_string_equal(fake.clone_name, "pub-3");
	assert_int_equal(fake.clone.clone_flags, EVL_CLONE_PUBLIC);
	assert_string_equal(fake.opened[fake.nr_opened - 1], "/dev/evl/xbuf/pub-3");
	assert_int_equal(fcntl(efd, F_GETFD), FD_CLOEXEC);
	assert_int_equal(fake_open_fds(), before + 1);
	close(efd);

	fake.missing = "/dev/evl/xbuf/gone";
	fake.missing_error = ENOENT;
	assert_int_equal(evl_new_xbuf(1024, "/gone"), -ENOENT);
	assert_int_equal(evl_create_xbuf(16, 16, EVL_CLONE_PUBLIC, NULL), -EINVAL);
	assert_int_equal(fake_open_fds(), before);
}

static void test_names(void **state)
{
	char name[400];
	int efd;

	(void)state;
	assert_int_equal(evl_new_xbuf(16, "a/b"), -EINVAL);
	assert_int_equal(evl_new_xbuf(16, "/a/b"), -EINVAL);
	assert_int_equal(evl_new_xbuf(16, "//"), -EINVAL);
	assert_int_equal(evl_new_xbuf(16, "/"), -EINVAL);
	assert_int_equal(evl_new_xbuf(16, "%s", ""), -EINVAL);
	assert_int_equal(evl_new_xbuf(16, "."), -EINVAL);
	assert_int_equal(evl_new_xbuf(16, "/.."), -EINVAL);

	memset(name, 'n', sizeof(name));
	name[256] = '\0';
	assert_int_equal(evl_new_xbuf(16, "%s", name), -ENAMETOOLONG);
	assert_int_equal(evl_open_element(EVL_XBUF_DEV, "%s", name), -ENAMETOOLONG);
	assert_int_equal(fake.nr_clones, 0);

	name[255] = '\0';
	efd = evl_new_xbuf(16, "%s", name);
	assert_true(efd >= 0);
	assert_string_equal(fake.clone_name, name);
	close(efd);
	efd = evl_new_xbuf(16, "/%s", name);
	assert_true(efd >= 0);
	close(efd);

	efd = evl_new_xbuf(16, NULL);
	assert_true(efd >= 0);
	assert_string_equal(fake.clone_name, "(null)");
	close(efd);
}

static void test_clone_errors(void **state)
{
	int before = fake_open_fds();

	(void)state;
	fake_fail(EVL_IOC_CLONE, INBAND, EEXIST, 1);
	assert_int_equal(evl_new_xbuf(16, "taken"), -EEXIST);
	fake_fail(EVL_IOC_CLONE, INBAND, ENXIO, 2);
	assert_int_equal(evl_new_xbuf(16, "stopped"), -ENXIO);
	assert_int_equal(evl_new_observable("stopped"), -ENXIO);
	assert_int_equal(evl_create_xbuf((size_t)1 << 32, 16, 0, "big"), -EINVAL);
	assert_int_equal(evl_new_proxy(1, (size_t)1 << 33, "big"), -EINVAL);
	assert_int_equal(fake_open_fds(), before);
}

static void test_modes(void **state)
{
	int old = 0, efd;

	(void)state;
	fake_attach();
	efd = evl_get_self();
	fake.mode = 0;
	assert_int_equal(evl_set_thread_mode(efd, EVL_T_WOSS, &old), 0);
	assert_int_equal(fake_count(EVL_THRIOC_SET_MODE, OOB), 1);
	assert_int_equal(fake.mode, EVL_T_WOSS);

	/* A mere look must not turn anything on. */
	assert_int_equal(evl_set_thread_mode(efd, 0, &old), 0);
	assert_int_equal(fake_count(EVL_THRIOC_SET_MODE, OOB), 1);
	assert_int_equal(fake_count(EVL_THRIOC_CLEAR_MODE, OOB), 1);
	assert_int_equal(fake.mode, 0);
	assert_int_equal(evl_clear_thread_mode(efd, T_WOSS, NULL), 0);
	assert_int_equal(fake.mode, EVL_T_WOSS);
}

/* The in-tree core refuses requests on the control device out-of-band. */
static void test_control_fallback(void **state)
{
	union evl_sched_ctlparam param;

	(void)state;
	fake_attach();
	memset(&param, 0, sizeof(param));
	fake_fail(EVL_CTLIOC_SCHEDCTL, OOB, EBADF, 1);
	assert_int_equal(evl_control_sched(SCHED_QUOTA, &param, NULL, 0), 0);
	assert_int_equal(fake_count(EVL_CTLIOC_SCHEDCTL, INBAND), 1);
	assert_int_equal(evl_get_cpustate(0, NULL), -EFAULT);
}

static void test_stages(void **state)
{
	struct __evl_hl_thread *self = fake_attach();
	struct evl_thread_state statebuf;
	struct timespec date = { .tv_sec = 1 };
	int efd;

	(void)state;
	assert_false(evl_is_inband());
	assert_int_equal(evl_switch_oob(), 0);
	assert_int_equal(fake.nr_log, 0);
	assert_int_equal(evl_get_state(self->efd, &statebuf), 0);
	assert_int_equal(fake.log[0].stage, OOB);
	assert_int_equal(evl_switch_inband(), 0);
	assert_int_equal(fake_count(EVL_THRIOC_SWITCH_INBAND, OOB), 1);
	assert_int_equal(fake_count(EVL_THRIOC_SWITCH_INBAND, INBAND), 0);

	/* The descriptor may have gone to another file, which is not to be told. */
	fake_fail(EVL_THRIOC_SWITCH_INBAND, OOB, ENOTTY, 1);
	assert_int_equal(evl_switch_inband(), 0);
	assert_int_equal(fake_count(EVL_THRIOC_SWITCH_INBAND, INBAND), 0);

	self->window->state |= EVL_T_INBAND;
	assert_true(evl_is_inband());
	assert_int_equal(evl_switch_inband(), 0);
	assert_int_equal(fake_count(EVL_THRIOC_SWITCH_INBAND, OOB), 2);
	assert_int_equal(fake_count(EVL_THRIOC_SWITCH_INBAND, INBAND), 0);
	assert_int_equal(evl_switch_oob(), 0);
	assert_int_equal(fake_count(EVL_THRIOC_SWITCH_OOB, OOB), 1);
	assert_int_equal(evl_unblock_thread(self->efd), 0);
	assert_int_equal(fake_count(EVL_THRIOC_UNBLOCK, INBAND), 1);

	assert_int_equal(evl_sleep_until(EVL_CLOCK_REALTIME, &date), 0);
	assert_int_equal(fake.log[fake.nr_log - 1].fd, __evl_hl_home()->clockfd[1]);
	assert_int_equal(evl_usleep(1), 0);
	assert_int_equal(fake.log[fake.nr_log - 1].fd, __evl_hl_home()->clockfd[0]);

	efd = evl_new_timer(EVL_CLOCK_MONOTONIC);
	assert_true(efd >= 0);
	assert_int_equal(fcntl(efd, F_GETFD), FD_CLOEXEC);
	assert_int_equal(fake_count(EVL_CLKIOC_NEW_TIMER, INBAND), 1);
	close(efd);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_policies, setup),
		cmocka_unit_test_setup(test_attach_detach, setup),
		cmocka_unit_test_setup(test_failed_policy, setup),
		cmocka_unit_test_setup(test_attach_flags, setup),
		cmocka_unit_test_setup(test_detach_leaves_the_stage, setup),
		cmocka_unit_test_setup(test_public_name, setup),
		cmocka_unit_test_setup(test_names, setup),
		cmocka_unit_test_setup(test_clone_errors, setup),
		cmocka_unit_test_setup(test_modes, setup),
		cmocka_unit_test_setup(test_control_fallback, setup),
		cmocka_unit_test_setup(test_stages, setup),
	};

	return cmocka_run_group_tests_name("attach", tests, NULL, NULL);
}
