// SPDX-License-Identifier: GPL-2.0-only
/* The control device, and what sysfs tells of the core and of clocks. */
#include "helpers.h"
#include "fault.h"
#include "raw.h"
#include <evl/sys.h>
#include <evl/xbuf.h>
#include <sys/sysmacros.h>

static int open_control(void)
{
	return check_sys(open(EVL_CONTROL_DEV, O_RDWR));
}

static struct evl_core_info core_info(int fd)
{
	struct evl_core_info info;

	memset(&info, 0xaa, sizeof(info));
	check_sys(ioctl(fd, EVL_CTLIOC_GET_COREINFO, &info));
	return info;
}

/* --- The device ----------------------------------------------------------------------------- */

static void tells_the_abi(void)
{
	struct evl_core_info info = core_info(open_control());
	char text[16];

	check_eq(info.abi_base, EVL_ABI_BASE);
	check_eq(info.abi_current, EVL_ABI_LEVEL);
	check_gt(info.shm_size, 0);
	check_eq(info.shm_size % 4096, 0);
	snprintf(text, sizeof(text), "%u", info.abi_current);
	check_str(read_attr("evl", "control", "abi"), text);
}

static void maps_shared_memory(void)
{
	int fd = open_control(), other = open_control();
	size_t size = core_info(fd).shm_size;
	volatile char *one, *two;

	check_errno((long)mmap(NULL, size - 4096, PROT_READ, MAP_SHARED, fd, 0), EINVAL);
	check_errno((long)mmap(NULL, size + 4096, PROT_READ, MAP_SHARED, fd, 0), EINVAL);
	one = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	two = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, other, 0);
	check(one != MAP_FAILED && two != MAP_FAILED);
	/* The last bytes are nobody's as long as few threads are attached. */
	one[size - 1] = 'x';
	check_eq(two[size - 1], 'x');
	one[size - 1] = 0;
	for (size_t i = 0; i < size; i += 4096)
		check_eq(one[i], two[i]);
}

static void unknown_operations(void)
{
	int fd = open_control();
	char c;

	check_errno(ioctl(fd, EVL_CLKIOC_GET_TIME, NULL), ENOTTY);
	check_errno(ioctl(fd, EVL_IOC_CLONE, NULL), ENOTTY);
	check_errno(ioctl(fd, _IOR('C', 0, int), NULL), ENOTTY);
	check_errno(read(fd, &c, 1), EINVAL);
	check_errno(write(fd, &c, 1), EINVAL);
	check_errno(ioctl(fd, EVL_CTLIOC_GET_COREINFO, NULL), EFAULT);
	check_errno(ioctl(fd, EVL_CTLIOC_GET_COREINFO, 8L), EFAULT);
	check_errno(ioctl(fd, EVL_CTLIOC_GET_CPUSTATE, NULL), EFAULT);
	check_errno(ioctl(fd, EVL_CTLIOC_SCHEDCTL, NULL), EFAULT);
}

static void tells_cpu_states(void)
{
	uint32_t word[3] = { 0x55, 0x55, 0x55 };
	struct evl_cpu_state req = { .cpu = 0, .state_ptr = (unsigned long)&word[1] };
	int fd = open_control();

	check_sys(ioctl(fd, EVL_CTLIOC_GET_CPUSTATE, &req));
	check_eq(word[1] & ~EVL_CPU_ISOL, EVL_CPU_OOB);
	check_eq(word[0], 0x55);
	check_eq(word[2], 0x55);
	req.cpu = 100000;
	check_errno(ioctl(fd, EVL_CTLIOC_GET_CPUSTATE, &req), EINVAL);
	req.cpu = ~0U;
	check_errno(ioctl(fd, EVL_CTLIOC_GET_CPUSTATE, &req), EINVAL);
	req = (struct evl_cpu_state){ .cpu = 0, .state_ptr = 8 };
	check_errno(ioctl(fd, EVL_CTLIOC_GET_CPUSTATE, &req), EFAULT);
}

static void control_requests_of_attached(void)
{
	uint32_t state = 0;
	struct evl_cpu_state req = { .cpu = 0, .state_ptr = (unsigned long)&state };
	int value = 0, fd = open_control();

	attach_fifo(10);
	check_ok(evl_switch_oob());
	check_ok(evl_get_cpustate(0, &value));
	check_eq(value & EVL_CPU_OOB, EVL_CPU_OOB);
	check_sys(ioctl(fd, EVL_CTLIOC_GET_CPUSTATE, &req));
	check_eq(state, value);
}

static void nodes_are_where_they_belong(void)
{
	static const char *const nodes[] = {
		"control", "poll", "thread/clone", "monitor/clone", "xbuf/clone", "proxy/clone", "clock/monotonic",
		"clock/realtime",
	};
	struct stat st;
	char path[64];

	for (unsigned int i = 0; i < ARRAY_SIZE(nodes); i++) {
		snprintf(path, sizeof(path), "/dev/evl/%s", nodes[i]);
		check_sys(stat(path, &st));
		check(S_ISCHR(st.st_mode));
		check_eq(st.st_mode & 0007, 0);
		check_eq(st.st_uid, 0);
	}
	check(!has_node("clock", "clone"));
	check(!has_node("poll", "clone"));
}

/* --- sysfs: core and clocks ------------------------------------------------------------------- */

static int write_attr(const char *class, const char *name, const char *attr, const char *text)
{
	char path[256];
	int fd, ret;

	snprintf(path, sizeof(path), "/sys/devices/virtual/%s/%s/%s", class, name, attr);
	fd = check_sys(open(path, O_WRONLY));
	ret = write(fd, text, strlen(text)) < 0 ? -errno : 0;
	close(fd);
	return ret;
}

static void tells_cpus(void)
{
	check_str(read_attr("evl", "control", "cpus"), other_cpu() ? "0-1" : "0");
}

static void gravity_is_adjustable(void)
{
	static const char *const names[] = { "monotonic", "realtime" };
	static const char *const bad[] = { "5x", "x", "-1u", "1u 2q", "99999999999999999999u", "4u,," "z",
					    "1000001i", "1000001k", "1000001" };

	for (unsigned int i = 0; i < ARRAY_SIZE(names); i++) {
		char saved[64];

		strcpy(saved, read_attr("clock", names[i], "gravity"));
		check_str(saved, "0i 3000k 3000u");
		check_ok(write_attr("clock", names[i], "gravity", "100i 200k 300u\n"));
		check_str(read_attr("clock", names[i], "gravity"), "100i 200k 300u");
		check_ok(write_attr("clock", names[i], "gravity", "400\n"));
		check_str(read_attr("clock", names[i], "gravity"), "100i 200k 400u");
		check_ok(write_attr("clock", names[i], "gravity", "7k:8i"));
		check_str(read_attr("clock", names[i], "gravity"), "8i 7k 400u");
		for (unsigned int n = 0; n < ARRAY_SIZE(bad); n++) {
			check_eq(write_attr("clock", names[i], "gravity", bad[n]), -EINVAL);
			check_str(read_attr("clock", names[i], "gravity"), "8i 7k 400u");
		}
		check_ok(write_attr("clock", names[i], "gravity", saved));
	}
}

/* --- Stopping the core ------------------------------------------------------------------------------- */

static int write_state(const char *text)
{
	return write_attr("evl", "control", "state", text);
}

static void state_takes_two_words(void)
{
	check_str(read_attr("evl", "control", "state"), "running");
	check_eq(write_state("halt\n"), -EINVAL);
	check_eq(write_state("\n"), -EINVAL);
	check_ok(write_state("start\n"));
	check_str(read_attr("evl", "control", "state"), "running");
}

static void sleep_attached(void *arg)
{
	(void)arg;
	attach_fifo(10);
	check_eq(write(*(int *)arg, "!", 1), 1);
	sleep_until(INT64_MAX);
	for (;;)
		pause();
}

static void spin_attached(void *arg)
{
	pin_to(other_cpu());
	become(SCHED_FIFO, 10);
	check_ok(evl_attach_self("spins:%d", getpid()));
	check_eq(write(*(int *)arg, "!", 1), 1);
	check_ok(evl_switch_oob());
	for (;;)
		__builtin_ia32_pause();
}

static void stop_and_start(void)
{
	struct evl_core_info info;
	pid_t sleeper, spinner;
	int fds[2], fd;
	char c;

	check_sys(pipe(fds));
	sleeper = fork_child(sleep_attached, &fds[1]);
	check_eq(read(fds[0], &c, 1), 1);
	spinner = fork_child(spin_attached, &fds[1]);
	check_eq(read(fds[0], &c, 1), 1);
	check_ok(evl_init());
	check_ok(write_state("stop\n"));
	check_str(read_attr("evl", "control", "state"), "stopped");
	wait_signal(sleeper, SIGTERM);
	wait_signal(spinner, SIGTERM);
	check(!first_element("thread"));
	/* No new element, but the core still answers. */
	check_eq(evl_attach_self("late:%d", getpid()), -ENXIO);
	check_eq(evl_new_xbuf(64, "late:%d", getpid()), -ENXIO);
	fd = open_control();
	info = core_info(fd);
	check_eq(info.abi_current, EVL_ABI_LEVEL);
	check_ok(write_state("stop\n"));
	check_ok(write_state("start\n"));
	check_str(read_attr("evl", "control", "state"), "running");
	attach_fifo(10);
	check_ok(evl_new_xbuf(64, "back:%d", getpid()));
	/* A thread cannot pull the rug from under itself. */
	check_eq(write_state("stop\n"), -EPERM);
	check_str(read_attr("evl", "control", "state"), "running");
}

static void stop_core(void *arg)
{
	check_eq(write_state("stop\n"), (long)arg);
}

/* Attached, deaf to SIGTERM. */
static void linger_attached(void *arg)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	check_sys(sigprocmask(SIG_BLOCK, &set, NULL));
	attach_weak();
	check_eq(write(*(int *)arg, "!", 1), 1);
	for (;;)
		pause();
}

static pid_t start_lingering(void)
{
	int fds[2];
	pid_t pid;
	char c;

	check_sys(pipe(fds));
	pid = fork_child(linger_attached, &fds[1]);
	check_eq(read(fds[0], &c, 1), 1);
	return pid;
}

static bool core_is(const char *state)
{
	return !strcmp(read_attr("evl", "control", "state"), state);
}

/* It lasts as long as there are threads: nobody else may start or stop the core meanwhile. */
static void stop_in_progress(void)
{
	pid_t lingerer = start_lingering(), stopper;

	check_ok(evl_init());
	stopper = fork_child(stop_core, 0);
	await(core_is("teardown"));
	check_eq(write_state("start\n"), -EINPROGRESS);
	check_eq(write_state("stop\n"), -EINPROGRESS);
	check_eq(write_state("halt\n"), -EINVAL);
	check_eq(evl_attach_self("late:%d", getpid()), -ENXIO);
	check(core_is("teardown"));
	check_sys(kill(lingerer, SIGKILL));
	wait_signal(lingerer, SIGKILL);
	wait_success(stopper);
	check(core_is("stopped"));
	check_ok(write_state("start\n"));
	attach_weak();
}

/* Whoever tires of waiting leaves the core running. */
static void stop_given_up(void)
{
	pid_t lingerer = start_lingering(), stopper = fork_child(stop_core, 0);

	await(core_is("teardown"));
	check_sys(kill(stopper, SIGKILL));
	wait_signal(stopper, SIGKILL);
	check(core_is("running"));
	attach_weak();
	check_sys(kill(lingerer, SIGKILL));
	wait_signal(lingerer, SIGKILL);
	check_ok(write_state("start\n"));
}

/* Whatever became of the tests above, the core runs for the next one. */
static int restart_core(void **state)
{
	(void)state;
	write_state("start");
	return 0;
}

/* --- Creations which wait for their own memory ---------------------------------------------------------- */

static void stop_start_and_create(void *arg)
{
	(void)arg;
	check_ok(write_state("stop"));
	check_ok(write_state("start"));
	close(check_ok(raw_create_xbuf("swift", 64, 64, 0)));
}

/* Nobody else is kept waiting. */
static void check_others(void)
{
	pid_t pid = fork_child(stop_start_and_create, NULL);
	int status;

	if (!reap_within(pid, &status, 30)) {
		print_threads(pid);
		check_fail("others wait for a page fault");
	}
	check_eq(status, 0);
}

static struct evl_clone_req *slow_req;
static long slow_result;

static void *create_slowly(void *arg)
{
	int fd = check_ok(raw_open_clone("xbuf"));

	slow_result = ioctl(fd, EVL_IOC_CLONE, slow_req);
	close(fd);
	return arg;
}

static void faults_hold_nobody(void)
{
	static char page[4096] __attribute__((aligned(4096)));
	struct evl_clone_req *req = (void *)page;
	struct fault_page req_page, name_page, attrs_page;
	struct evl_xbuf_attrs *attrs;
	pthread_t thread;

	new_fault_page(&req_page);
	new_fault_page(&name_page);
	new_fault_page(&attrs_page);
	slow_req = req_page.addr;
	check_eq(pthread_create(&thread, NULL, create_slowly, NULL), 0);

	await_fault(&req_page);
	check_others();
	req->name_ptr = (uintptr_t)name_page.addr;
	req->attrs_ptr = (uintptr_t)attrs_page.addr;
	resolve_fault(&req_page, page);

	await_fault(&name_page);
	check_others();
	memset(page, 0, sizeof(page));
	strcpy(page, "slow");
	resolve_fault(&name_page, page);

	await_fault(&attrs_page);
	check_others();
	/* The request is there no more when it is seen whether an answer can be given. */
	check_sys(madvise(req_page.addr, 4096, MADV_DONTNEED));
	memset(page, 0, sizeof(page));
	attrs = (void *)page;
	attrs->i_bufsz = attrs->o_bufsz = 64;
	resolve_fault(&attrs_page, page);

	await_fault(&req_page);
	check_others();
	resolve_fault(&req_page, NULL);
	pthread_join(thread, NULL);
	check_eq(slow_result, 0);
	close(slow_req->efd);
	check(!has_element("xbuf", "slow"));
}

/* Nothing is created which nobody could be told of. */
static void lost_answer(void)
{
	static char page[4096] __attribute__((aligned(4096)));
	struct evl_clone_req *req = (void *)page;
	struct evl_xbuf_attrs *attrs;
	struct fault_page req_page, attrs_page;
	pthread_t thread;

	new_fault_page(&req_page);
	new_fault_page(&attrs_page);
	slow_req = req_page.addr;
	check_eq(pthread_create(&thread, NULL, create_slowly, NULL), 0);
	await_fault(&req_page);
	req->attrs_ptr = (uintptr_t)attrs_page.addr;
	resolve_fault(&req_page, page);
	await_fault(&attrs_page);
	check_sys(mprotect(req_page.addr, 4096, PROT_READ));
	memset(page, 0, sizeof(page));
	attrs = (void *)page;
	attrs->i_bufsz = attrs->o_bufsz = 64;
	resolve_fault(&attrs_page, page);
	pthread_join(thread, NULL);
	check_eq(slow_result, -1);
	check(!first_element("xbuf"));
	close(check_ok(raw_create_xbuf("after", 64, 64, 0)));
}

static const struct CMUnitTest tests[] = {
	TEST(tells_the_abi, "the range of ABI levels"),
	TEST(maps_shared_memory, "the shared memory maps in full size only, the same for all"),
	TEST(unknown_operations, "unknown requests are ENOTTY, bad pointers EFAULT"),
	TEST(tells_cpu_states, "states of CPUs"),
	TEST(control_requests_of_attached, "also to attached threads, on both stages"),
	TEST(nodes_are_where_they_belong, "device nodes, not open to everybody"),
	TEST(tells_cpus, "sysfs: the CPUs which run threads"),
	TEST(gravity_is_adjustable, "sysfs: the gravity of clocks"),
	TEST(state_takes_two_words, "sysfs: the state of the core takes start and stop only"),
	TEST(stop_and_start, "stopping the core ends its threads, starting serves again"),
	TEST(stop_in_progress, "no other change meanwhile: -EINPROGRESS"),
	TEST(stop_given_up, "a stop which is interrupted leaves the core running"),
	TEST(faults_hold_nobody, "who waits for memory of its own while creating keeps nobody waiting"),
	TEST(lost_answer, "an element whose creator cannot be told of it is gone"),
};

int main(int argc, char *argv[])
{
	prepare_main(argc, argv);
	return cmocka_run_group_tests_name("control", tests, NULL, restart_core);
}
