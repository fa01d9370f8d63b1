// SPDX-License-Identifier: GPL-2.0-only
/* evl_init(): what it sets up, what it refuses, and what other calls say before it. */
#include "helpers.h"
#include <evl/proxy.h>
#include <evl/xbuf.h>
#include <grp.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/resource.h>

/*
 * The library is headers only, so its calls to ioctl() are ours to answer: here a core of other ABI levels is played,
 * or one which does not know the request at all.
 */
static struct {
	bool active;
	unsigned int base, current;
} mock;

int ioctl(int fd, unsigned long request, ...)
{
	va_list ap;
	void *arg;
	int ret;

	va_start(ap, request);
	arg = va_arg(ap, void *);
	va_end(ap);
	ret = syscall(SYS_ioctl, fd, request, arg);
	if (mock.active && !ret && request == EVL_CTLIOC_GET_COREINFO) {
		struct evl_core_info *info = arg;

		if (!mock.current) {
			errno = ENOTTY;
			return -1;
		}
		info->abi_base = mock.base;
		info->abi_current = mock.current;
	}

	return ret;
}

static void mock_core(unsigned int base, unsigned int current)
{
	mock.active = true;
	mock.base = base;
	mock.current = current;
}

static long status_kb(const char *key)
{
	char line[128];
	long value = -1;
	FILE *f = fopen("/proc/self/status", "r");

	check(f);
	while (fgets(line, sizeof(line), f)) {
		if (!strncmp(line, key, strlen(key)))
			value = strtol(line + strlen(key) + 1, NULL, 10);
	}
	fclose(f);
	return value;
}

static void become_nobody(rlim_t memlock)
{
	struct rlimit limit = { memlock, memlock };

	check_sys(setrlimit(RLIMIT_MEMLOCK, &limit));
	check_sys(setgroups(0, NULL));
	check_sys(setgid(65534));
	check_sys(setuid(65534));
}

static void succeeds_repeatedly(void)
{
	check_eq(evl_init(), 0);
	check_eq(evl_init(), 0);
}

static void locks_memory(void)
{
	const size_t size = 1 << 20;
	long locked;

	check_eq(status_kb("VmLck"), 0);
	check_ok(evl_init());
	locked = status_kb("VmLck");
	check_gt(locked, 0);
	/* Future mappings too. */
	check(mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) != MAP_FAILED);
	check_ge(status_kb("VmLck"), locked + (long)size / 1024);
}

static void without_memlock_right(void)
{
	become_nobody(0);
	check_eq(evl_init(), -EPERM);
	check_eq(evl_init(), -EPERM);
	check_eq(evl_attach_self("denied:%d", getpid()), -EPERM);
}

static void beyond_memlock_limit(void)
{
	become_nobody(64 * 1024);
	check_eq(evl_init(), -ENOMEM);
}

static void without_device_rights(void)
{
	become_nobody(RLIM_INFINITY);
	check_eq(evl_init(), -EACCES);
}

static void hide_devices(void)
{
	check_sys(unshare(CLONE_NEWNS));
	check_sys(mount("none", "/dev/evl", "tmpfs", 0, NULL));
}

static void without_core(void)
{
	hide_devices();
	check_eq(evl_init(), -ENOSYS);
	check_eq(evl_attach_self("coreless:%d", getpid()), -ENOSYS);
}

static void core_too_old(void)
{
	mock_core(22, 31);
	check_eq(evl_init(), -ENOEXEC);
	check_eq(evl_attach_self("old:%d", getpid()), -ENOEXEC);
}

static void core_too_new(void)
{
	mock_core(EVL_ABI_PREREQ + 1, EVL_ABI_PREREQ + 5);
	check_eq(evl_init(), -ENOEXEC);
}

static void core_of_another_layout(void)
{
	mock_core(0, 0);
	check_eq(evl_init(), -ENOEXEC);
}

static void core_of_one_level(void)
{
	mock_core(EVL_ABI_PREREQ, EVL_ABI_PREREQ);
	check_eq(evl_init(), 0);
}

static void core_of_old_requests(void)
{
	mock_core(23, 32);
	check_eq(evl_init(), 0);
	attach_fifo(1);
	check_ok(evl_usleep(1));
}

static void failure_is_final(void)
{
	mock_core(0, 0);
	check_eq(evl_init(), -ENOEXEC);
	mock.active = false;
	check_eq(evl_init(), -ENOEXEC);
	check_eq(evl_new_xbuf(1024, "late:%d", getpid()), -ENXIO);
}

static void creation_before_init(void)
{
	int state;

	check_eq(evl_new_xbuf(1024, "early:%d", getpid()), -ENXIO);
	check_eq(evl_create_xbuf(1024, 1024, EVL_CLONE_PUBLIC, "early:%d", getpid()), -ENXIO);
	check_eq(evl_new_proxy(1, 1024, "early:%d", getpid()), -ENXIO);
	check_eq(evl_create_proxy(1, 1024, 0, EVL_CLONE_OUTPUT, "early:%d", getpid()), -ENXIO);
	check_eq(evl_new_timer(EVL_CLOCK_MONOTONIC), -ENXIO);
	check_eq(evl_get_cpustate(0, &state), -ENXIO);
	check(!has_element("xbuf", own_name("early")));
	check(!has_element("proxy", own_name("early")));
}

static void unattached_before_init(void)
{
	struct timespec ts = { 0 };
	int64_t before = now();

	check(evl_is_inband());
	check_eq(evl_get_current_mode(), EVL_T_INBAND);
	check_eq(evl_get_self(), -EPERM);
	check_eq(evl_detach_self(), -EPERM);
	check_eq(evl_switch_oob(), -EPERM);
	check_eq(evl_switch_inband(), -EPERM);
	check_eq(evl_yield(), -EPERM);
	check_eq(evl_stdout(), -EBADF);
	check_eq(evl_stderr(), -EBADF);
	check_lt(evl_sleep_until(EVL_CLOCK_MONOTONIC, &ts), 0);
	check_lt(evl_usleep(1), 0);
	check_eq(evl_read_clock(EVL_CLOCK_REALTIME, &ts), 0);
	check_ge(now(), before);
}

static void printing_before_init(void)
{
	char buf[16] = "";
	int fds[2];

	check_sys(pipe(fds));
	check_sys(dup2(fds[1], STDERR_FILENO));
	check_eq(evl_printf("a%d", 1), 2);
	check_eq(evl_eprintf("b%d", 22), 3);
	check_eq(read(fds[0], buf, sizeof(buf)), 5);
	check_str(buf, "a1b22");
}

static void attach_initialises(void)
{
	attach_weak();
	check_ok(evl_new_xbuf(1024, "auto:%d", getpid()));
	check_eq(evl_init(), 0);
}

static void version_is_ours(void)
{
	struct evl_version version = evl_get_version();

	check_eq(version.api_level, __EVL__);
	check_ge(version.abi_level, EVL_ABI_BASE);
	check_le(version.abi_level, EVL_ABI_LEVEL);
	check(version.version_string && version.version_string[0]);
}

static void makes_print_proxies(void)
{
	check(!has_element("proxy", own_name("stdout")));
	check_ok(evl_init());
	check(has_element("proxy", own_name("stdout")));
	check(has_element("proxy", own_name("stderr")));
	check_ge(evl_stdout(), 0);
	check_ge(evl_stderr(), 0);
	check_ne(evl_stdout(), evl_stderr());
	check(fcntl(evl_stdout(), F_GETFD) & FD_CLOEXEC);
	check(fcntl(evl_stderr(), F_GETFD) & FD_CLOEXEC);
}

static void survives_closed_streams(void)
{
	close(STDOUT_FILENO);
	close(STDERR_FILENO);
	check_ok(evl_init());
	check_eq(evl_stdout(), -EBADF);
	check_eq(evl_stderr(), -EBADF);
	attach_weak();
}

static void use_after_fork(void *arg)
{
	(void)arg;
	check(evl_is_inband());
	check_eq(evl_get_self(), -EPERM);
	check_eq(evl_new_xbuf(1024, "child:%d", getpid()), -ENXIO);
	check_ok(evl_init());
	check(has_element("proxy", own_name("stdout")));
	check_ok(evl_new_xbuf(1024, "child:%d", getpid()));
	attach_fifo(1);
}

static void fork_starts_over(void)
{
	int efd = attach_fifo(1);

	for (int i = 0; i < 3; i++)
		wait_success(fork_child(use_after_fork, NULL));
	/* The parent is as it was. */
	check_eq(evl_get_self(), efd);
	check_ok(evl_switch_oob());
	check(!evl_is_inband());
	check_ok(evl_new_xbuf(1024, "parent:%d", getpid()));
}

static void detects_fpu(void)
{
	struct evl_core_info info;
	int fd = check_sys(open(EVL_CONTROL_DEV, O_RDWR));

	check_sys(ioctl(fd, EVL_CTLIOC_GET_COREINFO, &info));
	check_eq(evl_detect_fpu(), info.fpu_features);
}

static void *init_thread(void *arg)
{
	*(int *)arg = evl_init();
	return NULL;
}

/* Many first callers: one initialises, all see the same outcome. */
static void concurrent_first_calls(void)
{
	pthread_t threads[8];
	int status[8];
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(threads); i++) {
		status[i] = 1;
		check_eq(pthread_create(&threads[i], NULL, init_thread, &status[i]), 0);
	}
	for (i = 0; i < ARRAY_SIZE(threads); i++) {
		check_eq(pthread_join(threads[i], NULL), 0);
		check_eq(status[i], 0);
	}
}

/* --- Descriptors which the program closes ------------------------------------------------------------ */

#define NR_DATA	8

/* Have files of the program take the numbers of what the library opened. */
static void replace_descriptors(int *fds)
{
	check_sys(syscall(SYS_close_range, 3, ~0U, 0));
	for (int i = 0; i < NR_DATA; i++)
		fds[i] = check_sys(memfd_create("data", 0));
}

static void check_untouched(const int *fds)
{
	struct stat st;

	for (int i = 0; i < NR_DATA; i++) {
		check_sys(fstat(fds[i], &st));
		check_eq(st.st_size, 0);
	}
}

static void closed_by_program(void)
{
	int fds[NR_DATA], pipefds[2], state;
	char buf[16] = "";

	check_ok(evl_init());
	replace_descriptors(fds);
	check_sys(pipe(pipefds));
	check_sys(dup2(pipefds[1], STDERR_FILENO));
	/* As before evl_init(). */
	check_eq(evl_printf("hello"), 5);
	check_eq(read(pipefds[0], buf, sizeof(buf)), 5);
	check_eq(evl_eprintf("world"), 5);
	check_eq(read(pipefds[0], buf, sizeof(buf)), 5);
	check_str(buf, "world");
	check_eq(evl_stdout(), -EBADF);
	check_eq(evl_stderr(), -EBADF);
	check_eq(evl_get_cpustate(0, &state), -EBADF);
	check_eq(evl_new_timer(EVL_CLOCK_MONOTONIC), -EBADF);
	check_untouched(fds);
}

/* Out-of-band, too, where the files are elements. */
static void closed_while_attached(void)
{
	int fds[NR_DATA], state;
	struct stat st;

	attach_fifo(10);
	check_sys(syscall(SYS_close_range, 3, ~0U, 0));
	for (int i = 0; i < NR_DATA; i++)
		fds[i] = check_ok(evl_new_xbuf(64, "xbuf.%d:%d", i, getpid()));
	check_ok(evl_switch_oob());
	check_lt(evl_printf("hello"), 0);
	check_lt(evl_eprintf("world"), 0);
	check_lt(evl_get_cpustate(0, &state), 0);
	for (int i = 0; i < NR_DATA; i++) {
		check_sys(fstat(fds[i], &st));
		set_nonblocking(fds[i], true);
		check_errno(read(fds[i], &state, sizeof(state)), EAGAIN);
	}
}

static void check_in_child(void *arg)
{
	check_untouched(arg);
	check_ok(evl_init());
	check_untouched(arg);
	check_ge(evl_stdout(), 0);
}

static void child_of_closer(void)
{
	int fds[NR_DATA];

	check_ok(evl_init());
	replace_descriptors(fds);
	wait_success(fork_child(check_in_child, fds));
	check_untouched(fds);
}

static void count_ours(void *arg)
{
	int n = 0;

	for (int fd = 3; fd < 64; fd++)
		n += fcntl(fd, F_GETFD) >= 0;
	check_eq(n, *(int *)arg);
}

/* In a child, what the library opened is closed, once and for all. */
static void child_has_none_of_ours(void)
{
	int before = 0;

	for (int fd = 3; fd < 64; fd++)
		before += fcntl(fd, F_GETFD) >= 0;
	check_ok(evl_init());
	wait_success(fork_child(count_ours, &before));
}

static const struct CMUnitTest tests[] = {
	TEST(succeeds_repeatedly, "returns 0, again and again"),
	TEST(locks_memory, "locks present and future memory"),
	TEST(without_memlock_right, "no right to lock memory is -EPERM"),
	TEST(beyond_memlock_limit, "more memory than may be locked is -ENOMEM"),
	TEST(without_device_rights, "no right to open the control device is -EACCES"),
	TEST(without_core, "no core is -ENOSYS"),
	TEST(core_too_old, "a core whose ABI ends too early is -ENOEXEC"),
	TEST(core_too_new, "a core whose ABI starts too late is -ENOEXEC"),
	TEST(core_of_another_layout, "a core which does not know the request is -ENOEXEC"),
	TEST(core_of_one_level, "a core with just the ABI we need is taken"),
	TEST(core_of_old_requests, "a core of ABI 32 gets the older form of requests"),
	TEST(failure_is_final, "the status of the first call is kept"),
	TEST(creation_before_init, "elements cannot be created before: -ENXIO"),
	TEST(unattached_before_init, "other calls say -EPERM, or work, before"),
	TEST(printing_before_init, "evl_printf and evl_eprintf write to stderr before"),
	TEST(attach_initialises, "attaching a thread does it implicitly"),
	TEST(version_is_ours, "evl_get_version tells the levels of the headers"),
	TEST(makes_print_proxies, "stdout and stderr get a proxy each"),
	TEST(survives_closed_streams, "closed standard streams are no obstacle"),
	TEST(fork_starts_over, "a forked child starts over, its parent goes on"),
	TEST(detects_fpu, "evl_detect_fpu tells what the core said"),
	TEST(concurrent_first_calls, "concurrent first calls agree"),
	TEST(closed_by_program, "descriptors which the program closed are not used, whoever has their numbers"),
	TEST(closed_while_attached, "neither if these are elements, and the caller out-of-band"),
	TEST(child_of_closer, "nor closed in a child"),
	TEST(child_has_none_of_ours, "which has no other descriptor of the library"),
};

TEST_MAIN("init", tests)
