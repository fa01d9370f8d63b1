// SPDX-License-Identifier: GPL-2.0-only
/* Out-of-band threads are Linux tasks, too: what their children get, at which priority they call Linux, who stops them. */
#include "helpers.h"
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <sys/eventfd.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/resource.h>

#ifndef PR_SET_SYSCALL_USER_DISPATCH
#define PR_SET_SYSCALL_USER_DISPATCH	59
#define PR_SYS_DISPATCH_OFF		0
#endif

struct params {
	int policy;
	int prio;
};

static struct params params_of(pid_t pid)
{
	struct sched_param param;

	check_sys(sched_getparam(pid, &param));
	return (struct params){ .policy = check_sys(sched_getscheduler(pid)), .prio = param.sched_priority };
}

/* --- Priority --------------------------------------------------------------------- */

static void call_runs_at_own_priority(void)
{
	struct sched_param param;

	attach_fifo(10);
	for (int n = 0; n < 10; n++) {
		check_ok(evl_switch_oob());
		check_sys(sched_getparam(0, &param));
		check_eq(param.sched_priority, 10);
	}
}

static void child_gets_own_priority(void)
{
	struct params *seen = mmap(NULL, sizeof(*seen), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	pid_t pid;

	check(seen != MAP_FAILED);
	attach_fifo(10);
	check_ok(evl_switch_oob());
	pid = fork();
	if (!pid) {
		*seen = params_of(0);
		_exit(0);
	}
	wait_success(pid);
	check_eq(seen->policy, SCHED_FIFO);
	check_eq(seen->prio, 10);
}

static void program_gets_own_priority(void)
{
	char text[32] = "";
	struct params seen;
	int fds[2];
	pid_t pid;

	check_sys(pipe(fds));
	pid = fork();
	if (!pid) {
		dup2(fds[1], STDOUT_FILENO);
		attach_fifo(10);
		check_ok(evl_switch_oob());
		execl("/proc/self/exe", "linux-tasks", "--params", NULL);
		_exit(9);
	}
	close(fds[1]);
	check_gt(read(fds[0], text, sizeof(text) - 1), 0);
	wait_success(pid);
	check_eq(sscanf(text, "%d %d", &seen.policy, &seen.prio), 2);
	check_eq(seen.policy, SCHED_FIFO);
	check_eq(seen.prio, 10);
}

static void detached_keeps_own_priority(void)
{
	attach_fifo(10);
	check_ok(evl_switch_oob());
	check_ok(evl_detach_self());
	check_eq(params_of(0).prio, 10);
}

static atomic_bool stop_spinning;

static void spin(struct worker *w)
{
	attach_worker(w);
	check_ok(evl_switch_oob());
	while (!atomic_load(&stop_spinning))
		spin_until(now() + NSEC_PER_MSEC);
}

/* As chrt does it. The core has its own idea of who runs. */
static void priority_is_not_for_others(void)
{
	struct worker w = { .body = spin, .name = "spin", .prio = 10, .cpu = other_cpu() };
	struct sched_param none = { 0 };
	struct params before;

	if (access("/sys/module/evl/parameters/host_prio", F_OK))
		check_skip("the priority in Linux is that of the in-band stage");
	check_ok(evl_init());
	become(SCHED_FIFO, 99);
	start_worker(&w);
	await(atomic_load(&w.attached) && !(worker_bits(&w) & EVL_T_INBAND));
	before = params_of(atomic_load(&w.tid));
	check_gt(before.prio, 10);
	check_sys(sched_setscheduler(atomic_load(&w.tid), SCHED_OTHER, &none));
	/* Sooner or later somebody else runs there, now that he may. */
	pin_to(w.cpu);
	await(params_of(atomic_load(&w.tid)).prio == before.prio);
	check_eq(params_of(atomic_load(&w.tid)).policy, before.policy);
	atomic_store(&stop_spinning, true);
	join_worker(&w);
}

static void reset_on_fork_stays(void)
{
	struct sched_param param = { .sched_priority = 10 };

	pin_to(0);
	check_sys(sched_setscheduler(0, SCHED_FIFO | SCHED_RESET_ON_FORK, &param));
	check_ok(evl_attach_self("reset:%d", get_tid()));
	for (int n = 0; n < 3; n++) {
		check_ok(evl_switch_oob());
		check_ok(evl_usleep(100));
		check_ok(evl_switch_inband());
		check_eq(params_of(0).policy, SCHED_FIFO | SCHED_RESET_ON_FORK);
	}
}

/* --- End by a filter of system calls ---------------------------------------------------------- */

#define NO_CALL		54321
#define MANY_FILES	20000

static void end_at(int nr)
{
	struct sock_filter code[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, nr, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_THREAD),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog filter = { .len = ARRAY_SIZE(code), .filter = code };

	check_sys(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0));
	check_sys(prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &filter));
}

/* Its end takes a while: a lot of files go with it. */
static void call_what_ends_it(struct worker *w)
{
	attach_worker(w);
	check_sys(unshare(CLONE_FILES));
	for (int n = 0; n < MANY_FILES; n++)
		check_sys(eventfd(0, 0));
	end_at(NO_CALL);
	check_ok(evl_switch_oob());
	syscall(NO_CALL);
}

static void ended_by_filter_at_own_priority(void)
{
	struct worker w = { .body = call_what_ends_it, .name = "ended", .prio = 10, .cpu = other_cpu() };
	struct rlimit files = { .rlim_cur = MANY_FILES + 100, .rlim_max = MANY_FILES + 100 };
	struct evl_thread_state state;
	struct sched_param param;
	long looks = 0;

	if (w.cpu == 0)
		check_skip("there is one CPU");
	check_sys(setrlimit(RLIMIT_NOFILE, &files));
	check_ok(evl_init());
	pin_to(0);
	start_worker(&w);
	await(atomic_load(&w.attached));
	await(evl_get_state(w.efd, &state) == -ESTALE);
	while (!sched_getparam(atomic_load(&w.tid), &param)) {
		check_eq(param.sched_priority, 10);
		looks++;
	}
	check_eq(errno, ESRCH);
	check_gt(looks, 0);
	join_worker(&w);
}

/* --- System calls which the program dispatches by itself -------------------------------- */

static atomic_int dispatched;

static void on_sigsys(int sig)
{
	(void)sig;
	atomic_fetch_add(&dispatched, 1);
}

/* Calls are let through, or not, by this byte. */
static char selector;

static void own_dispatch_works(void)
{
	struct sigaction sa = { .sa_handler = on_sigsys, .sa_flags = SA_NODEFER };

	check_sys(sigaction(SIGSYS, &sa, NULL));
	attach_fifo(10);
	if (prctl(PR_SET_SYSCALL_USER_DISPATCH, 1, 0, 0, &selector))
		check_skip("no syscall user dispatch");
	for (int n = 0; n < 3; n++) {
		selector = 0;
		check_ok(evl_switch_oob());
		check(!evl_is_inband());
		getppid();
		check(evl_is_inband());
		check_ok(evl_usleep(100));
	}
	check_eq(atomic_load(&dispatched), 0);
	check_ok(evl_switch_inband());
	check_sys(prctl(PR_SET_SYSCALL_USER_DISPATCH, 0, 0, 0, 0));
	check_ok(evl_switch_oob());
	getppid();
	check(evl_is_inband());
}

#ifndef PTRACE_GET_SYSCALL_USER_DISPATCH_CONFIG
#define PTRACE_GET_SYSCALL_USER_DISPATCH_CONFIG	0x4211
#endif

static void debugger_finds_no_dispatch(void)
{
	struct {
		uint64_t mode, selector, offset, len;
	} config = { .mode = -1ULL };
	int status;
	pid_t pid;

	pid = check_sys(fork());
	if (!pid) {
		check_sys(ptrace(PTRACE_TRACEME, 0, 0, 0));
		attach_fifo(10);
		check_ok(evl_switch_oob());
		check_ok(evl_detach_self());
		raise(SIGSTOP);
		_exit(0);
	}
	check_eq(waitpid(pid, &status, 0), pid);
	check(WIFSTOPPED(status) && WSTOPSIG(status) == SIGSTOP);
	if (ptrace(PTRACE_GET_SYSCALL_USER_DISPATCH_CONFIG, pid, sizeof(config), &config) && errno == EIO) {
		kill(pid, SIGKILL);
		check_skip("this kernel does not tell");
	}
	check_eq(config.mode, PR_SYS_DISPATCH_OFF);
	check_eq(config.offset, 0);
	check_eq(config.len, 0);
	check_sys(ptrace(PTRACE_DETACH, pid, 0, 0));
	wait_success(pid);
}

/* --- Stops inside Linux ------------------------------------------------------------------ */

struct progress {
	atomic_int tid;
	atomic_long ticks;
	atomic_bool stop;
};

static struct progress *progress;

static void tick(struct worker *w)
{
	attach_worker(w);
	while (!atomic_load(&progress->stop)) {
		evl_usleep(1000);
		atomic_fetch_add(&progress->ticks, 1);
	}
}

/* Requests, and calls to Linux, all of which a debugger may stop. */
static void be_traced(struct worker *w)
{
	attach_worker(w);
	atomic_store(&progress->tid, get_tid());
	while (!atomic_load(&progress->stop)) {
		evl_usleep(5000);
		getppid();
		evl_switch_oob();
	}
}

static void run_traced(void)
{
	struct worker ticker = { .body = tick, .name = "ticker", .prio = 10, .cpu = 0 };
	struct worker traced = { .body = be_traced, .name = "traced", .prio = 50, .cpu = 0 };

	check_ok(evl_init());
	start_worker(&ticker);
	await(atomic_load(&progress->ticks) > 5);
	start_worker(&traced);
	join_worker(&traced);
	join_worker(&ticker);
}

static void stopped_by_debugger_others_run(void)
{
	int status;
	pid_t pid, tid;

	progress = mmap(NULL, sizeof(*progress), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	check(progress != MAP_FAILED);
	pid = fork();
	if (!pid) {
		run_traced();
		_exit(0);
	}
	await(atomic_load(&progress->tid));
	tid = atomic_load(&progress->tid);
	check_sys(ptrace(PTRACE_SEIZE, tid, 0, PTRACE_O_TRACESYSGOOD));
	check_sys(ptrace(PTRACE_INTERRUPT, tid, 0, 0));
	check_eq(waitpid(tid, &status, __WALL), tid);
	for (int n = 0; n < 12; n++) {
		long before;

		check_sys(ptrace(PTRACE_SYSCALL, tid, 0, 0));
		check_eq(waitpid(tid, &status, __WALL), tid);
		before = atomic_load(&progress->ticks);
		await(atomic_load(&progress->ticks) > before + 5);
	}
	atomic_store(&progress->stop, true);
	check_sys(ptrace(PTRACE_DETACH, tid, 0, 0));
	wait_success(pid);
}

static const struct CMUnitTest tests[] = {
	TEST(call_runs_at_own_priority, "a system call runs at the in-band priority from its start"),
	TEST(child_gets_own_priority, "so does a child which is forked out-of-band"),
	TEST(program_gets_own_priority, "and a program executed out-of-band"),
	TEST(detached_keeps_own_priority, "a thread which detaches has it back"),
	TEST(priority_is_not_for_others, "out-of-band, nobody changes it from outside for long"),
	TEST(reset_on_fork_stays, "what the user wants children to get stays"),
	TEST_WITHIN(ended_by_filter_at_own_priority, 120, "the end of a thread by a filter of system calls, too, runs at its in-band priority"),
	TEST(own_dispatch_works, "a program may dispatch its system calls by itself"),
	TEST(debugger_finds_no_dispatch, "nothing of the core's own dispatch is left in a thread which detached"),
	TEST_WITHIN(stopped_by_debugger_others_run, 120, "a thread which a debugger stops does not keep the CPU from others"),
};

int main(int argc, char *argv[])
{
	if (argc > 1 && !strcmp(argv[1], "--params")) {
		struct params seen = params_of(0);

		printf("%d %d\n", seen.policy, seen.prio);
		return 0;
	}
	prepare_main(argc, argv);
	return cmocka_run_group_tests_name("linux-tasks", tests, NULL, NULL);
}
