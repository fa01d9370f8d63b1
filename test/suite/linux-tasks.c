// SPDX-License-Identifier: GPL-2.0-only
/* Out-of-band threads are Linux tasks, too: what their children get, at which priority they call Linux, who stops them. */
#include "helpers.h"
#include <sys/prctl.h>
#include <sys/ptrace.h>

#ifndef PR_SET_SYSCALL_USER_DISPATCH
#define PR_SET_SYSCALL_USER_DISPATCH	59
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
	TEST(own_dispatch_works, "a program may dispatch its system calls by itself"),
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
