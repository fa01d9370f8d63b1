// SPDX-License-Identifier: GPL-2.0-only
/* Ends and beginnings that threads did not plan: exit, SIGKILL, fork, exec, the last close by somebody else. */
#include "helpers.h"
#include <evl/xbuf.h>
#include <spawn.h>
#include <sys/prctl.h>
#include <sys/socket.h>

static const char *self_path;

/* --- Exit ---------------------------------------------------------------------- */

static void exit_oob(struct worker *w)
{
	attach_worker(w);
	check_ok(evl_switch_oob());
	pthread_exit(NULL);
}

static void exits_attached(void)
{
	for (int i = 0; i < 20; i++) {
		struct worker w = { .body = exit_oob, .name = "quits", .prio = 10, .cpu = i & other_cpu() };

		start_worker(&w);
		join_worker(&w);
		check(!has_element("thread", own_name("quits")));
	}
}

static void sleep_forever(struct worker *w)
{
	attach_worker(w);
	sleep_until(INT64_MAX);
	check_fail("woke up");
}

static void spin_forever(struct worker *w)
{
	attach_worker(w);
	check_ok(evl_switch_oob());
	for (;;)
		__builtin_ia32_pause();
}

/* Attached, in-band, in a system call which only a signal ends. */
static void pause_forever(struct worker *w)
{
	attach_worker(w);
	for (;;)
		pause();
}

static void read_forever(struct worker *w)
{
	char c;
	int xfd;

	attach_worker(w);
	xfd = check_ok(evl_new_xbuf(64, "%s.xbuf:%d", w->name, getpid()));
	oob_read(xfd, &c, 1);
	check_fail("read something");
}

/* A process with a thread in each kind of state, all on two CPUs. */
static void start_menagerie(struct worker *w)
{
	static const struct worker zoo[] = {
		{ .body = sleep_forever, .name = "sleeps", .prio = 20, .cpu = 0 },
		{ .body = read_forever, .name = "reads", .prio = 30, .cpu = 1 },
		{ .body = pause_forever, .name = "pauses", .prio = 0, .cpu = 0 },
		{ .body = sleep_forever, .name = "dozes", .prio = 0, .cpu = 1 },
		{ .body = spin_forever, .name = "spins", .prio = 1, .cpu = 1 },
	};

	for (unsigned int i = 0; i < ARRAY_SIZE(zoo); i++) {
		w[i] = zoo[i];
		w[i].cpu &= other_cpu();
		start_worker(&w[i]);
		/* The spinner, last, leaves no time to others on its CPU. */
		await(atomic_load(&w[i].attached));
		if (w[i].body == sleep_forever || w[i].body == read_forever)
			await(worker_sleeps(&w[i]));
	}
}

static void exit_with_menagerie(void *arg)
{
	static struct worker w[5];

	(void)arg;
	start_menagerie(w);
}

static void process_exits(void)
{
	for (int i = 0; i < 5; i++)
		wait_success(fork_child(exit_with_menagerie, NULL));
}

static void wait_with_menagerie(void *arg)
{
	static struct worker w[5];

	start_menagerie(w);
	check_eq(write(*(int *)arg, "!", 1), 1);
	for (;;)
		pause();
}

static void process_is_killed(void)
{
	int fds[2];
	pid_t pid;
	char c;

	check_sys(pipe(fds));
	for (int i = 0; i < 5; i++) {
		pid = fork_child(wait_with_menagerie, &fds[1]);
		check_eq(read(fds[0], &c, 1), 1);
		check_sys(kill(pid, SIGKILL));
		wait_signal(pid, SIGKILL);
		await(!first_element("thread"));
	}
}

static void abort_oob(void *arg)
{
	volatile int *volatile wild = (int *)8;

	(void)arg;
	attach_fifo(10);
	check_ok(evl_switch_oob());
	*wild = 0;
}

static void crashes_oob(void)
{
	wait_signal(fork_child(abort_oob, NULL), SIGSEGV);
}

static void leader_outlived_body(struct worker *w)
{
	int leader = getpid();

	attach_worker(w);
	check_ok(evl_switch_oob());
	for (int i = 0; i < 20; i++)
		check_ok(sleep_until(now() + NSEC_PER_MSEC));
	check_eq(getpid(), leader);
	_exit(0);
}

static void leave_early(void *arg)
{
	static struct worker w = { .body = leader_outlived_body, .name = "heir", .prio = 5 };

	(void)arg;
	attach_fifo(7);
	start_worker(&w);
	pthread_exit(NULL);
}

static void leader_exits_first(void)
{
	wait_success(fork_child(leave_early, NULL));
}

static void cancelled_body(struct worker *w)
{
	attach_worker(w);
	sleep_until(INT64_MAX);
	check_fail("woke up");
}

static void is_cancelled(void)
{
	struct worker w = { .body = cancelled_body, .name = "cancelled", .prio = 5 };
	void *result;

	start_worker(&w);
	await(worker_sleeps(&w));
	check_eq(pthread_cancel(w.thread), 0);
	check_eq(pthread_join(w.thread, &result), 0);
	check(result == PTHREAD_CANCELED);
	check(!has_element("thread", own_name("cancelled")));
}

/* --- Leaving without a word ------------------------------------------------------ */

static void just_return(struct worker *w)
{
	attach_worker(w);
	check_ok(evl_switch_oob());
}

/* However threads end, nothing of them is left, and nobody waits for that. */
static void leaves_nothing(void)
{
	static void (*const ends[])(struct worker *) = { just_return, exit_oob, cancelled_body };
	int before;

	check_ok(evl_init());
	before = count_descriptors();
	for (unsigned int i = 0; i < 3 * ARRAY_SIZE(ends); i++) {
		struct worker w = { .body = ends[i % ARRAY_SIZE(ends)], .name = "leaves", .prio = i & 1 ? 5 : 0 };

		start_worker(&w);
		if (w.body == cancelled_body) {
			await(worker_sleeps(&w));
			check_eq(pthread_cancel(w.thread), 0);
		}
		join_worker(&w);
		check_errno(fcntl(w.efd, F_GETFD), EBADF);
		check_eq(count_descriptors(), before);
		check(!has_element("thread", own_name("leaves")));
	}
}

/* Its number belongs to somebody else then. */
static void close_own_descriptor(struct worker *w)
{
	attach_worker(w);
	check_sys(dup2(*(int *)w->arg, w->efd));
}

static void leaves_files_of_others(void)
{
	int null = check_sys(open("/dev/null", O_RDWR));
	struct worker w = { .body = close_own_descriptor, .name = "leaves", .prio = 5, .arg = &null };

	start_worker(&w);
	join_worker(&w);
	check_eq(fcntl(w.efd, F_GETFD), 0);
	await(!has_element("thread", own_name("leaves")));
}

static void keep_going(struct worker *w)
{
	attach_worker(w);
	while (!atomic_load((atomic_bool *)w->arg))
		check_ok(evl_usleep(1000));
}

/* Nor is it that of another thread, which attached under that number. */
static void leaves_threads_of_others(void)
{
	atomic_bool stop = false;
	struct worker other = { .body = keep_going, .name = "stays", .arg = &stop, .prio = 5 };
	int efd = attach_fifo(3);

	check_sys(close(efd));
	start_worker(&other);
	await(atomic_load(&other.attached));
	check_eq(other.efd, efd);
	check_eq(evl_detach_self(), -EBADF);
	check_ok(evl_switch_oob());
	check(!evl_is_inband());
	check_ok(evl_switch_inband());
	check(evl_is_inband());
	check_eq(evl_get_self(), efd);
	check_eq(attrs_of(efd).sched_priority, 5);
	atomic_store(&stop, true);
	join_worker(&other);
	check_errno(fcntl(efd, F_GETFD), EBADF);
}

static struct evl_mutex late_mutex;
static atomic_int late_result = 1;

/* Made after the one of the library, so it is called after it. */
static void unlock_late(void *arg)
{
	(void)arg;
	atomic_store(&late_result, evl_unlock_mutex(&late_mutex));
}

static void hold_and_return(struct worker *w)
{
	attach_worker(w);
	check_ok(evl_lock_mutex(&late_mutex));
	check_eq(pthread_setspecific(*(pthread_key_t *)w->arg, w), 0);
}

static void destructors_use_evl(void)
{
	pthread_key_t key;
	struct worker w = { .body = hold_and_return, .name = "holds", .prio = 5, .arg = &key };

	check_ok(evl_init());
	check_ok(evl_new_mutex(&late_mutex, "late:%d", getpid()));
	check_eq(pthread_key_create(&key, unlock_late), 0);
	start_worker(&w);
	join_worker(&w);
	check_eq(atomic_load(&late_result), 0);
	check_errno(fcntl(w.efd, F_GETFD), EBADF);
}

/* With everything on, nobody is told that a thread left the stage to end. */
static void watch_stage_and_return(struct worker *w)
{
	attach_worker(w);
	check_ok(evl_switch_oob());
	check_ok(evl_set_thread_mode(w->efd, EVL_T_WOSS | EVL_T_HMSIG, NULL));
}

static void ends_without_warning(void)
{
	struct worker w = { .body = watch_stage_and_return, .name = "watched", .prio = 5 };

	catch_sigdebug();
	start_worker(&w);
	join_worker(&w);
	check_eq(take_sigdebug(EVL_HMDIAG_SYSDEMOTE), 0);
}

static void wait_for_leader(struct worker *w)
{
	while (syscall(SYS_tgkill, getpid(), getpid(), 0) == 0 && fcntl(*(int *)w->arg, F_GETFD) >= 0)
		nap();
	check(!has_element("thread", own_name("fifo")));
	check_errno(fcntl(*(int *)w->arg, F_GETFD), EBADF);
	_exit(0);
}

static void leader_leaves(void *arg)
{
	static struct worker w = { .body = wait_for_leader, .name = "heir" };
	static int efd;

	(void)arg;
	efd = attach_fifo(7);
	w.arg = &efd;
	start_worker(&w);
	pthread_exit(NULL);
}

static void leader_leaves_nothing(void)
{
	wait_success(fork_child(leader_leaves, NULL));
}

static void leave_from(const char *program)
{
	char path[PATH_MAX];
	pid_t pid;

	snprintf(path, sizeof(path), "%.*s%s", (int)(strrchr(self_path, '/') + 1 - self_path), self_path, program);
	pid = check_sys(fork());
	if (!pid) {
		execl(path, path, NULL);
		_exit(127);
	}
	wait_success(pid);
}

static void static_program(void)
{
	leave_from("leaver-static");
}

static void from_plugin(void)
{
	leave_from("leaver");
}

/* --- Fork --------------------------------------------------------------------------- */

static int parent_efd, parent_dup, parent_xfd;

static void child_of_attached(void *arg)
{
	char c = 'x';

	(void)arg;
	check(evl_is_inband());
	check_eq(evl_get_self(), -EPERM);
	check_errno(prctl(PR_OOB_SYSCALL, sys_evl_ioctl, parent_efd, EVL_THRIOC_YIELD, 0), EPERM);
	/* Plain file operations do work on what is inherited. */
	check_eq(write(parent_xfd, &c, 1), 1);
	check_sys(ioctl(parent_dup, EVL_THRIOC_GET_STATE, &(struct evl_thread_state){ 0 }));
	/* The descriptor which the library had is not. */
	check_errno(fcntl(parent_efd, F_GETFD), EBADF);

	/* Attached itself, it may use what is inherited out-of-band too. */
	attach_fifo(3);
	check_eq(oob_read(parent_xfd, &c, 1), 1);
	check_eq(c, 'x');
}

static void forks_attached(void)
{
	parent_efd = attach_fifo(9);
	parent_dup = check_sys(dup(parent_efd));
	parent_xfd = check_ok(evl_new_xbuf(64, "inherited:%d", getpid()));
	for (int i = 0; i < 5; i++) {
		check_ok(evl_switch_oob());
		wait_success(fork_child(child_of_attached, NULL));
		check_eq(evl_get_self(), parent_efd);
		check_eq(attrs_of(parent_efd).sched_priority, 9);
	}
	check_ok(evl_usleep(1));
	check(!evl_is_inband());
}

static void check_no_threads(void *arg)
{
	int *efds = arg;

	for (int i = 0; i < 3; i++)
		check_errno(fcntl(efds[i], F_GETFD), EBADF);
	/* And no thread which is not attached, to detach when it ends. */
	check_eq(evl_detach_self(), -EPERM);
	pthread_exit(NULL);
}

/* The child has no descriptor of any thread, so what it does not know of ends with its thread. */
static void fork_inherits_no_thread(void)
{
	atomic_bool stop = false;
	struct worker w[2];
	int efds[3];

	efds[2] = attach_weak();
	for (int i = 0; i < 2; i++) {
		w[i] = (struct worker){ .body = keep_going, .name = i ? "one" : "other", .arg = &stop, .prio = 5 };
		start_worker(&w[i]);
		await(atomic_load(&w[i].attached));
		efds[i] = w[i].efd;
	}
	for (int i = 0; i < 3; i++) {
		wait_success(fork_child(check_no_threads, efds));
		check_eq(attrs_of(efds[0]).sched_priority, 5);
		check_eq(evl_get_self(), efds[2]);
	}
	atomic_store(&stop, true);
	for (int i = 0; i < 2; i++)
		join_worker(&w[i]);
	check_ok(evl_detach_self());
}

static void fork_often(struct worker *w)
{
	for (int i = 0; i < 20; i++) {
		pid_t pid = check_sys(fork());

		if (!pid)
			_exit(0);
		wait_success(pid);
	}
	atomic_store((atomic_bool *)w->arg, true);
}

/* Threads come and go meanwhile. */
static void fork_among_attaching(void)
{
	atomic_bool stop = false;
	struct worker w = { .body = fork_often, .arg = &stop };
	int before;

	check_ok(evl_init());
	before = count_descriptors();
	start_worker(&w);
	while (!atomic_load(&stop)) {
		check_ok(evl_attach_self("comes:%d", getpid()));
		check_ok(evl_detach_self());
	}
	join_worker(&w);
	check_eq(count_descriptors(), before);
}

static void dirty_memory(void *arg)
{
	volatile char *page = arg;

	for (int i = 0; i < 16; i++)
		page[i * 4096] = 'c';
}

/* What the parent wrote before and after the fork stays its own. */
static void fork_keeps_memory_apart(void)
{
	char *page = mmap(NULL, 16 * 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	pid_t pid;

	check(page != MAP_FAILED);
	attach_fifo(9);
	check_ok(evl_switch_oob());
	memset(page, 'p', 16 * 4096);
	pid = fork_child(dirty_memory, page);
	check_ok(evl_switch_oob());
	for (int i = 0; i < 16 * 4096; i++)
		check_eq(page[i], 'p');
	wait_success(pid);
	for (int i = 0; i < 16 * 4096; i++)
		check_eq(page[i], 'p');
}

static void orphan_uses_element(void *arg)
{
	int *fds = arg;
	char c;

	/* The creator is gone once the other end of the pipe is. */
	close(fds[1]);
	check_eq(read(fds[0], &c, 1), 0);
	attach_fifo(4);
	c = 'y';
	check_eq(oob_write(check_sys(dup(parent_xfd)), &c, 1), 1);
	c = 0;
	check_eq(read(parent_xfd, &c, 1), 1);
	check_eq(c, 'y');
}

/* The element outlives its creator, and goes with the last process that has it open. */
static void create_and_die(void *arg)
{
	int fds[2];

	check_sys(pipe(fds));
	check_ok(evl_init());
	parent_xfd = check_ok(evl_new_xbuf(64, "bequest"));
	check_sys(fcntl(parent_xfd, F_SETFD, 0));
	*(volatile pid_t *)arg = fork_child(orphan_uses_element, fds);
}

static void last_close_by_child(void)
{
	pid_t *orphan = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	check(orphan != MAP_FAILED);
	check_sys(prctl(PR_SET_CHILD_SUBREAPER, 1));
	wait_success(fork_child(create_and_die, orphan));
	wait_success(*orphan);
	await(!has_element("xbuf", "bequest"));
}

/* --- Descriptors of other processes --------------------------------------------------- */

static void open_and_watch(void *arg)
{
	int *fds = arg, efd;
	char c;

	check_ok(evl_init());
	efd = check_ok(evl_open_element("thread", "watched"));
	check_ok(set_fifo(efd, 42));
	check_eq(attrs_of(efd).sched_priority, 42);
	/* Tell that it is open, then wait for the thread to be gone. */
	check_eq(write(fds[0], "o", 1), 1);
	check_eq(read(fds[0], &c, 1), 1);
	check(has_element("thread", "watched"));
	check_eq(evl_unblock_thread(efd), -ESTALE);
	close(efd);
	check_eq(evl_open_element("thread", "watched"), -ENOENT);
}

static void public_thread_from_afar(void)
{
	int fds[2];
	pid_t pid;
	char c;

	check_sys(socketpair(AF_UNIX, SOCK_STREAM, 0, fds));
	become(SCHED_FIFO, 11);
	parent_efd = check_ok(evl_attach_self("/watched"));
	pid = fork_child(open_and_watch, &fds[1]);
	check_eq(read(fds[0], &c, 1), 1);
	check_eq(attrs_of(parent_efd).sched_priority, 42);
	check_ok(evl_detach_self());
	check_eq(write(fds[0], "d", 1), 1);
	wait_success(pid);
}

/* --- Exec -------------------------------------------------------------------------------- */

/* Run by the image that replaced an attached process. */
static int after_exec(const char *name)
{
	char path[64], target[256];
	ssize_t len;
	int fd;

	report = NULL;
	if (prctl(PR_OOB_SYSCALL, sys_evl_ioctl, 0, EVL_CLKIOC_SLEEP, 0) != -1 || errno != EPERM)
		return 2;
	if (has_element("thread", name))
		return 3;
	for (fd = 3; fd < 256; fd++) {
		snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
		len = readlink(path, target, sizeof(target) - 1);
		if (len < 0)
			continue;
		target[len] = '\0';
		if (strstr(target, "evl") || strstr(target, "anon_inode"))
			return 4;
	}
	/* A new life, under the same name. */
	if (evl_attach_self("%s", name) < 0)
		return 5;
	return 0;
}

static void exec_self(struct worker *w)
{
	char name[64];

	attach_worker(w);
	snprintf(name, sizeof(name), "%s", own_name(w->name));
	check_ok(evl_new_xbuf(64, "exec.xbuf:%d", getpid()));
	check_ok(evl_create_xbuf(64, 64, EVL_CLONE_PUBLIC, "exec.public:%d", getpid()));
	check_ok(evl_new_timer(EVL_CLOCK_MONOTONIC));
	check_ok(evl_switch_oob());
	execl(self_path, self_path, "--after-exec", name, NULL);
	check_fail("exec: %s", strerror(errno));
}

static void exec_main(void *arg)
{
	struct worker w = { .name = "image" };

	(void)arg;
	become(SCHED_FIFO, 10);
	exec_self(&w);
}

static void execs_attached(void)
{
	wait_success(fork_child(exec_main, NULL));
}

static void exec_in_thread(void *arg)
{
	struct worker w = { .body = exec_self, .name = "image", .prio = 10, .cpu = other_cpu() };

	(void)arg;
	attach_fifo(5);
	start_worker(&w);
	for (;;)
		evl_usleep(1000);
}

static void execs_from_thread(void)
{
	wait_success(fork_child(exec_in_thread, NULL));
}

static void exec_while_others_sleep(void *arg)
{
	static struct worker zoo[5];
	struct worker w = { .name = "image" };

	(void)arg;
	start_menagerie(zoo);
	exec_self(&w);
}

static void exec_ends_the_others(void)
{
	wait_success(fork_child(exec_while_others_sleep, NULL));
}

static void spawns_programs(void)
{
	char *argv[] = { "true", NULL }, *envp[] = { NULL };
	pid_t pid;

	attach_fifo(10);
	for (int i = 0; i < 5; i++) {
		check_ok(evl_switch_oob());
		check_eq(posix_spawn(&pid, "/bin/true", NULL, NULL, argv, envp), 0);
		wait_success(pid);
	}
	check_ok(evl_usleep(1));
}

static const struct CMUnitTest tests[] = {
	TEST(exits_attached, "a thread which exits is detached"),
	TEST(process_exits, "a process exits with threads in every state"),
	TEST(process_is_killed, "and so it is killed"),
	TEST(crashes_oob, "a wild pointer out-of-band ends in SIGSEGV"),
	TEST(leader_exits_first, "threads go on after the first one exited"),
	TEST(is_cancelled, "a sleeping thread can be cancelled"),
	TEST(leaves_nothing, "a thread which ends attached leaves neither descriptor nor name"),
	TEST(leaves_files_of_others, "nor does it close what has the number of its descriptor"),
	TEST(leaves_threads_of_others, "nor detach by it, or tell another thread"),
	TEST(destructors_use_evl, "destructors of the program find it attached"),
	TEST(ends_without_warning, "and nothing to warn of"),
	TEST(leader_leaves_nothing, "so does the first thread of a process"),
	TEST(static_program, "and one of a static program"),
	TEST(from_plugin, "and one which a plugin attached, and is unloaded"),
	TEST(forks_attached, "a forked child is not attached, its parent stays so"),
	TEST(fork_inherits_no_thread, "a forked child has no descriptor of a thread"),
	TEST(fork_among_attaching, "whatever threads come and go meanwhile"),
	TEST(fork_keeps_memory_apart, "memory is not shared with a forked child"),
	TEST(last_close_by_child, "an element goes with the last process that has it open"),
	TEST(public_thread_from_afar, "another process reaches a public thread until it is gone"),
	TEST(execs_attached, "a new image is not attached and inherits no descriptor"),
	TEST(execs_from_thread, "nor when another thread executes it"),
	TEST(exec_ends_the_others, "threads in every state end when it is executed"),
	TEST(spawns_programs, "an attached thread spawns programs"),
};

int main(int argc, char *argv[])
{
	self_path = realpath("/proc/self/exe", NULL);
	if (argc > 2 && !strcmp(argv[1], "--after-exec"))
		return after_exec(argv[2]);
	prepare_main(argc, argv);
	return cmocka_run_group_tests_name("life", tests, NULL, NULL);
}
