// SPDX-License-Identifier: GPL-2.0-only
/* CPUs which are not for threads: left out by oobcpus=, or come online after the module was loaded. */
#include "helpers.h"
#include <evl/mutex.h>
#include <sys/mount.h>

#define CPU1_ONLINE	"/sys/devices/system/cpu/cpu1/online"

static atomic_bool stop;
static atomic_long turns, refused, strayed;

static void load(const char *parameters)
{
	int fd = check_sys(open("/mod/evl.ko", O_RDONLY | O_CLOEXEC));

	check_sys(syscall(SYS_finit_module, fd, parameters, 0));
	close(fd);
}

static void unload(void)
{
	/* Threads which just went hold it for a moment. */
	await(syscall(SYS_delete_module, "evl", O_NONBLOCK) == 0);
}

static bool set_online(bool on)
{
	int fd = open(CPU1_ONLINE, O_WRONLY);
	bool done = fd >= 0 && write(fd, on ? "1" : "0", 1) == 1;

	if (fd >= 0)
		close(fd);
	return done;
}

static void allow_cpu(pid_t tid, int cpu)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(cpu, &set);
	check_sys(sched_setaffinity(tid, sizeof(set), &set));
}

/* On CPU 1, and out-of-band, for as long as it takes to be sure. No system call in here. */
static bool strays(void)
{
	int64_t end = now() + 2 * NSEC_PER_MSEC;

	do
		if (this_cpu() != 1 || evl_is_inband())
			return false;
	while (now() < end);
	/* It may have lost the CPU in between. */
	return this_cpu() == 1 && !evl_is_inband();
}

/* Whoever is sent away for a CPU which is not for threads gets SIGTERM, and is weak. */
static void change_stages(struct worker *w)
{
	struct timespec none = { 0 };
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	pthread_sigmask(SIG_BLOCK, &set, NULL);
	attach_worker(w);
	while (!atomic_load(&stop)) {
		atomic_fetch_add(&turns, 1);
		if (evl_switch_oob()) {
			atomic_fetch_add(&refused, 1);
			while (sigtimedwait(&set, NULL, &none) > 0)
				;
			set_fifo(w->efd, 10);
			continue;
		}
		if (strays())
			atomic_fetch_add(&strayed, 1);
		evl_switch_inband();
	}
}

static void move_to_and_fro(void)
{
	struct worker w = { .body = change_stages, .name = "stray", .prio = 10, .cpu = 0 };
	int64_t end;

	check_ok(evl_init());
	pin_to(1);
	start_worker(&w);
	await(atomic_load(&w.attached));
	end = now() + 5 * NSEC_PER_SEC;
	for (int n = 0; now() < end; n++) {
		allow_cpu(atomic_load(&w.tid), n % 2);
		nanosleep(&(struct timespec){ .tv_nsec = n % 16 * 20000 }, NULL);
	}
	allow_cpu(atomic_load(&w.tid), 0);
	atomic_store(&stop, true);
	join_worker(&w);
	check_eq(atomic_load(&strayed), 0);
	check_gt(atomic_load(&turns), 0);
	check_gt(atomic_load(&refused), 0);
}

/* In a child, so that nothing of it is left when the module goes. */
static void in_child(void (*body)(void))
{
	pid_t pid = check_sys(fork());

	if (!pid) {
		body();
		_exit(0);
	}
	wait_success(pid);
}

static void left_out(void)
{
	if (sysconf(_SC_NPROCESSORS_ONLN) < 2)
		check_skip("there is one CPU");
	load("oobcpus=0");
	in_child(move_to_and_fro);
	unload();
}

static struct evl_mutex door;
static atomic_bool is_mine;

/* Moved to a CPU which is not for threads, with something that another one waits for. */
static void go_astray(struct worker *w)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	pthread_sigmask(SIG_BLOCK, &set, NULL);
	attach_worker(w);
	check_ok(evl_lock_mutex(&door));
	atomic_store(&is_mine, true);
	for (int i = 0; i < 100; i++)
		nap();
	allow_cpu(0, 1);
	check_eq(evl_unlock_mutex(&door), -EPERM);
	check_eq(evl_switch_oob(), -EPERM);
}

static void meet_astray(void)
{
	struct worker w = { .body = go_astray, .name = "astray", .prio = 10, .cpu = 0 };

	check_ok(evl_init());
	check_ok(evl_new_mutex(&door, "door:%d", getpid()));
	pin_to(0);
	start_worker(&w);
	await(atomic_load(&is_mine));
	attach_fifo(20);
	/* It is gone then, and let go of all it had. */
	check_eq(evl_lock_mutex(&door), 0);
	join_worker(&w);
}

static void left_out_and_told(void)
{
	if (sysconf(_SC_NPROCESSORS_ONLN) < 2)
		check_skip("there is one CPU");
	load("oobcpus=0");
	in_child(meet_astray);
	unload();
}

static void come_late(void)
{
	if (access(CPU1_ONLINE, W_OK) || !set_online(false))
		check_skip("this kernel cannot take CPUs offline");
	load("");
	if (!set_online(true)) {
		unload();
		check(set_online(true));
		check_skip("no CPU comes online while evl is loaded");
	}
	in_child(move_to_and_fro);
	unload();
}

/* --- Cpusets ------------------------------------------------------------------ */

#define CGROUPS	"/sys/fs/cgroup"

static bool write_text(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);
	bool done = fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text);

	if (fd >= 0)
		close(fd);
	return done;
}

static void make_cpuset(const char *cpus)
{
	if (mount("none", CGROUPS, "cgroup2", 0, NULL) && errno != EBUSY)
		check_skip("no cgroups");
	if (!write_text(CGROUPS "/cgroup.subtree_control", "+cpuset"))
		check_skip("no cpusets");
	check_sys(mkdir(CGROUPS "/confined", 0755));
	check(write_text(CGROUPS "/confined/cpuset.cpus", cpus));
}

static void remove_cpuset(void)
{
	/* The dead stay for a moment. */
	await(rmdir(CGROUPS "/confined") == 0);
	check_sys(umount(CGROUPS));
}

static void enter_cpuset(void)
{
	check(write_text(CGROUPS "/confined/cgroup.procs", "0"));
}

static void attach_in_cpuset_without_cpu(void)
{
	cpu_set_t set;

	check_ok(evl_init());
	enter_cpuset();
	check_eq(evl_attach_self("confined:%d", getpid()), -EINVAL);
	check_sys(sched_getaffinity(0, sizeof(set), &set));
	check_eq(CPU_COUNT(&set), 1);
	check(CPU_ISSET(1, &set));
	/* One of its affinity is fine. */
	check(write_text(CGROUPS "/confined/cpuset.cpus", "0-1"));
	CPU_SET(0, &set);
	check_sys(sched_setaffinity(0, sizeof(set), &set));
	check_eq(state_of(check_ok(evl_attach_self("confined:%d", getpid()))).cpu, 0);
}

static void attach_with_affinity_elsewhere(void)
{
	pin_to(1);
	check_eq(state_of(check_ok(evl_attach_self("moved:%d", getpid()))).cpu, 0);
	check_eq(this_cpu(), 0);
}

static void cpuset_is_not_left(void)
{
	if (sysconf(_SC_NPROCESSORS_ONLN) < 2)
		check_skip("there is one CPU");
	make_cpuset("1");
	load("oobcpus=0");
	in_child(attach_in_cpuset_without_cpu);
	unload();
	remove_cpuset();
}

static void affinity_is_no_obstacle(void)
{
	if (sysconf(_SC_NPROCESSORS_ONLN) < 2)
		check_skip("there is one CPU");
	load("oobcpus=0");
	in_child(attach_with_affinity_elsewhere);
	unload();
}

static const struct CMUnitTest tests[] = {
	TEST(left_out, "no thread runs out-of-band on a CPU which oobcpus= leaves out"),
	TEST(left_out_and_told, "whoever is moved to one which was left out is told so by each call"),
	TEST(come_late, "nor on one which came online after the module was loaded"),
	TEST(cpuset_is_not_left, "attaching does not lead out of a cpuset which has no CPU for threads"),
	TEST(affinity_is_no_obstacle, "a thread which no cpuset confines is moved to one, whatever its affinity says"),
};

TEST_MAIN("load-oobcpus", tests)
