// SPDX-License-Identifier: GPL-2.0-only
/*
 * What evl_init() says on a machine without a core, and when memory may not
 * be locked. Not for ASan, which makes mlockall() a no-op.
 */
#include "unit.h"
#include <sys/mman.h>
#include <sys/resource.h>
#include <evl/evl.h>

static bool has_core(void)
{
	return access("/dev/evl/control", F_OK) == 0;
}

static int can_lock_memory(void *arg)
{
	(void)arg;
	return mlockall(MCL_CURRENT | MCL_FUTURE);
}

static int init_twice(void *arg)
{
	int ret = evl_init();

	(void)arg;
	return evl_init() == ret ? ret : 1;
}

static void test_no_core(void **state)
{
	(void)state;
	if (has_core() || run_in_child(can_lock_memory, NULL)) {
		print_message("skipped: a core is there, or memory may not be locked\n");
		skip();
	}
	assert_int_equal(run_in_child(init_twice, NULL), -ENOSYS);
}

/* Gives up what allows root to lock memory, but for limit bytes. */
static int init_with_limit(void *arg)
{
	rlim_t limit = *(rlim_t *)arg;
	struct rlimit rlim = { .rlim_cur = limit, .rlim_max = limit };

	if (setrlimit(RLIMIT_MEMLOCK, &rlim))
		return 1;
	if (geteuid() == 0 && (setgid(65534) || setuid(65534)))
		return 2;

	return init_twice(NULL);
}

static void test_not_allowed(void **state)
{
	rlim_t limit = 0;

	(void)state;
	assert_int_equal(run_in_child(init_with_limit, &limit), -EPERM);
}

static void test_not_enough(void **state)
{
	rlim_t limit = 65536;

	(void)state;
	assert_int_equal(run_in_child(init_with_limit, &limit), -ENOMEM);
}

static int attach(void *arg)
{
	int ret = evl_attach_self("unit:%d", getpid());

	(void)arg;
	if (evl_get_self() != -EPERM || !evl_is_inband())
		return 1;

	return ret;
}

static void test_attach_inits(void **state)
{
	(void)state;
	if (has_core() || run_in_child(can_lock_memory, NULL)) {
		print_message("skipped: a core is there, or memory may not be locked\n");
		skip();
	}
	assert_int_equal(run_in_child(attach, NULL), -ENOSYS);
}

/* A failed start leaves the calls which need no core as they were. */
static int after_failure(void *arg)
{
	struct timespec now;

	(void)arg;
	if (evl_init() == 0 || evl_new_poll() != -ENXIO)
		return 1;
	if (evl_read_clock(EVL_CLOCK_MONOTONIC, &now) || evl_detect_fpu())
		return 2;
	if (evl_eprintf("still printing\n") != 15)
		return 3;

	return 0;
}

static void test_after_failure(void **state)
{
	(void)state;
	if (has_core()) {
		print_message("skipped: a core is there\n");
		skip();
	}
	assert_int_equal(run_in_child(after_failure, NULL), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_no_core),
		cmocka_unit_test(test_not_allowed),
		cmocka_unit_test(test_not_enough),
		cmocka_unit_test(test_attach_inits),
		cmocka_unit_test(test_after_failure),
	};

	return cmocka_run_group_tests_name("init", tests, NULL, NULL);
}
