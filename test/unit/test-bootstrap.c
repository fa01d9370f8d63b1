// SPDX-License-Identifier: GPL-2.0-only
/* Bringing the library up, step by step, against a scripted core. */
#include "fake-core.h"
#include <sys/resource.h>

static int setup(void **state)
{
	(void)state;
	fake_reset();
	return 0;
}

static int all_steps(void *arg)
{
	char stdout_name[32];
	int before = fake_open_fds();

	(void)arg;
	assert_int_equal(evl_init(), 0);
	assert_string_equal(fake.opened[0], "/dev/evl/control");
	assert_string_equal(fake.opened[1], "/dev/evl/clock/monotonic");
	assert_string_equal(fake.opened[2], "/dev/evl/clock/realtime");
	assert_string_equal(fake.opened[3], "/dev/evl/proxy/clone");
	assert_string_equal(fake.opened[4], "/dev/evl/proxy/clone");
	assert_int_equal(fake.nr_opened, 5);
	assert_int_equal(fake.nr_mmap, 1);
	assert_int_equal(fake.nr_atfork, 1);

	snprintf(stdout_name, sizeof(stdout_name), "stderr:%d", getpid());
	assert_string_equal(fake.clone_name, stdout_name);
	assert_int_equal(fake.clone.clone_flags, EVL_CLONE_OUTPUT);
	assert_int_equal(fake.clone_attrs[0], 2);
	assert_int_equal(fake.clone_attrs[1], 16384);
	assert_int_equal(fake.clone_attrs[2], 0);

	/* Control, clocks, proxies: nothing more, and nothing inherited. */
	assert_int_equal(fake_open_fds(), before + 5);
	assert_int_equal(fcntl(__evl_hl_home()->ctlfd, F_GETFD), FD_CLOEXEC);
	assert_int_equal(fcntl(__evl_hl_home()->clockfd[0], F_GETFD), FD_CLOEXEC);
	assert_int_equal(fcntl(evl_stdout(), F_GETFD), FD_CLOEXEC);
	assert_int_equal(fcntl(evl_stderr(), F_GETFD), FD_CLOEXEC);

	assert_int_equal(evl_init(), 0);
	assert_int_equal(fake.nr_opened, 5);

	return 0;
}

static void test_all_steps(void **state)
{
	(void)state;
	assert_int_equal(run_in_child(all_steps, NULL), 0);
}

static long page_faults(void)
{
	struct rusage usage;

	assert_int_equal(getrusage(RUSAGE_SELF, &usage), 0);
	return usage.ru_minflt + usage.ru_majflt;
}

/* To read a clock touches no page for the first time. */
static int clock_is_there(void)
{
	struct timespec now;
	long before;

	fake_reset();
	/* The core here does not, and rights may not do. */
	if (mlockall(MCL_CURRENT | MCL_FUTURE))
		return 1;

	assert_int_equal(evl_init(), 0);
	page_faults();
	before = page_faults();
	assert_int_equal(evl_read_clock(EVL_CLOCK_MONOTONIC, &now), 0);
	assert_int_equal(page_faults(), before);

	return 0;
}

/* In a program which has not read any: children are born with what their parent did. */
static int begin_anew(void *arg)
{
	(void)arg;
	execl("/proc/self/exe", "test-bootstrap", "clock", NULL);
	return -1;
}

static void test_clock_is_there(void **state)
{
	int ret = run_in_child(begin_anew, NULL);

	(void)state;
	if (ret == 1)
		skip();
	assert_int_equal(ret, 0);
}

/* The status, 100 more if something was left behind. */
static int init_status(void *arg)
{
	int before = fake_open_fds(), ret = evl_init();

	(void)arg;
	if (ret && fake_open_fds() != before)
		return 100;
	if (evl_init() != ret)
		return 101;
	if (ret == 0)
		return __evl_hl_home()->form;

	return ret;
}

static void test_abi_ranges(void **state)
{
	static const struct {
		unsigned int base, current;
		int expected;
	} ranges[] = {
		{ 32, 37, __EVL_HL_FORM_A },
		{ 36, 36, __EVL_HL_FORM_A },
		{ 36, 45, __EVL_HL_FORM_A },
		{ 23, 32, __EVL_HL_FORM_B },
		{ 32, 32, __EVL_HL_FORM_B },
		{ 37, 40, -ENOEXEC },
		{ 33, 35, -ENOEXEC },
		{ 20, 31, -ENOEXEC },
		{ 0, 0, -ENOEXEC },
	};
	size_t n;

	(void)state;
	for (n = 0; n < sizeof(ranges) / sizeof(ranges[0]); n++) {
		fake.info.abi_base = ranges[n].base;
		fake.info.abi_current = ranges[n].current;
		assert_int_equal(run_in_child(init_status, NULL), ranges[n].expected);
	}
}

static void test_missing_devices(void **state)
{
	static const struct {
		const char *path;
		int error, expected;
	} missing[] = {
		{ "/dev/evl/control", ENOENT, -ENOSYS },
		{ "/dev/evl/control", ENXIO, -ENOSYS },
		{ "/dev/evl/control", EACCES, -EACCES },
		{ "/dev/evl/control", EMFILE, -EMFILE },
		{ "/dev/evl/clock/monotonic", ENOENT, -ENOENT },
		{ "/dev/evl/clock/realtime", EACCES, -EACCES },
		{ "/dev/evl/proxy/clone", EACCES, 0 },
	};
	size_t n;

	(void)state;
	for (n = 0; n < sizeof(missing) / sizeof(missing[0]); n++) {
		fake.missing = missing[n].path;
		fake.missing_error = missing[n].error;
		assert_int_equal(run_in_child(init_status, NULL), missing[n].expected);
	}
}

/* An information structure of another size is another ABI. */
static void test_other_coreinfo(void **state)
{
	(void)state;
	fake_fail(EVL_CTLIOC_GET_COREINFO, INBAND, ENOTTY, 1);
	assert_int_equal(run_in_child(init_status, NULL), -ENOEXEC);
}

static void test_bad_mapping(void **state)
{
	(void)state;
	fake.info.shm_size = 1;
	assert_int_equal(run_in_child(init_status, NULL), -EINVAL);
}

/* Another instance in the process may have taken the names of the streams. */
static int streams_taken(void *arg)
{
	(void)arg;
	fake_fail(EVL_IOC_CLONE, INBAND, EEXIST, 1);
	assert_int_equal(evl_init(), 0);
	assert_true(evl_stdout() >= 0);
	assert_true(evl_stderr() >= 0);
	assert_int_equal(fake_count(EVL_IOC_CLONE, INBAND), 3);

	return 0;
}

static void test_streams_taken(void **state)
{
	(void)state;
	assert_int_equal(run_in_child(streams_taken, NULL), 0);
}

static int child_of_attached(void *arg)
{
	struct __evl_hl_process *home = __evl_hl_home();

	(void)arg;
	assert_int_equal(evl_get_self(), -EPERM);
	assert_true(evl_is_inband());
	assert_int_equal(home->ctlfd, -1);
	assert_int_equal(evl_stdout(), -EBADF);
	assert_int_equal(evl_new_poll(), -ENXIO);
	/* What elements of the parent point to is still there. */
	assert_ptr_equal(home->shm, fake.shm);

	assert_true(evl_attach_self("child") >= 0);
	assert_ptr_equal(home->shm, fake.shm);
	assert_int_equal(fake.nr_mmap, 2);
	assert_int_equal(fake.nr_atfork, 1);

	return 0;
}

static int fork_twice(void *arg)
{
	(void)arg;
	fake_attach();
	assert_int_equal(run_in_child(child_of_attached, NULL), 0);
	assert_true(evl_get_self() >= 0);

	return 0;
}

static void test_fork(void **state)
{
	(void)state;
	assert_int_equal(run_in_child(fork_twice, NULL), 0);
}

static void *init_thread(void *arg)
{
	(void)arg;
	return evl_init() ? &fake : NULL;
}

static int concurrent_init(void *arg)
{
	pthread_t threads[8];
	void *ret;
	int n;

	(void)arg;
	for (n = 0; n < 8; n++)
		pthread_create(&threads[n], NULL, init_thread, NULL);
	for (n = 0; n < 8; n++) {
		pthread_join(threads[n], &ret);
		assert_null(ret);
	}
	assert_int_equal(fake_count(EVL_CTLIOC_GET_COREINFO, INBAND), 1);

	return 0;
}

static void test_concurrent_init(void **state)
{
	(void)state;
	assert_int_equal(run_in_child(concurrent_init, NULL), 0);
}

/* Requests travel in the form which the core knows. */
static int old_form(void *arg)
{
	char c;

	(void)arg;
	fake.info.abi_base = 23;
	fake.info.abi_current = 32;
	fake_attach();
	assert_int_equal(oob_read(7, &c, 1), 1);
	assert_int_equal(oob_write(8, &c, 1), 1);
	assert_int_equal(oob_ioctl(9, EVL_THRIOC_YIELD), 0);
	assert_int_equal(fake.log[0].form, 'B');
	assert_int_equal(fake.log[0].nr, sys_evl_read);
	assert_int_equal(fake.log[0].fd, 7);
	assert_int_equal(fake.log[1].nr, sys_evl_write);
	assert_int_equal(fake.log[2].nr, sys_evl_ioctl);
	assert_int_equal(fake.log[2].request, EVL_THRIOC_YIELD);

	return 0;
}

static void test_old_form(void **state)
{
	(void)state;
	assert_int_equal(run_in_child(old_form, NULL), 0);
}

int main(int argc, char *argv[])
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_all_steps, setup),
		cmocka_unit_test_setup(test_clock_is_there, setup),
		cmocka_unit_test_setup(test_abi_ranges, setup),
		cmocka_unit_test_setup(test_missing_devices, setup),
		cmocka_unit_test_setup(test_other_coreinfo, setup),
		cmocka_unit_test_setup(test_bad_mapping, setup),
		cmocka_unit_test_setup(test_streams_taken, setup),
		cmocka_unit_test_setup(test_fork, setup),
		cmocka_unit_test_setup(test_concurrent_init, setup),
		cmocka_unit_test_setup(test_old_form, setup),
	};

	if (argc > 1 && strcmp(argv[1], "clock") == 0)
		return clock_is_there();

	return cmocka_run_group_tests_name("bootstrap", tests, NULL, NULL);
}
