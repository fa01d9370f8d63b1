// SPDX-License-Identifier: GPL-2.0-only
/* A debugger halts the threads of a process, which come back together on the stage they were on. */
#include "stops.h"
#include <sys/user.h>

/* --- All threads at once ------------------------------------------------------------------------- */

static unsigned int bits_of(pid_t pid, const char *name)
{
	return strtoul(attr_of(pid, name, "state"), NULL, 0);
}

/* From now on, they say in which order they go on. */
static void expect_all(void)
{
	atomic_store(&stage->nr_back, 0);
	atomic_fetch_add(&stage->epoch, 1);
}

static void check_order(void)
{
	await(atomic_load(&stage->nr_back) == NR_SPINNERS);
	for (int n = 0; n < NR_SPINNERS; n++)
		check_eq(atomic_load(&stage->back[n]), NR_SPINNERS - 1 - n);
}

static void seize_all(pid_t pid)
{
	seize(pid);
	for (int id = 0; id < NR_SPINNERS; id++)
		seize(tid_of(id));
}

/* As debuggers do once one has hit a breakpoint, @but. */
static void interrupt_all(pid_t pid, int but)
{
	interrupt(pid);
	for (int id = 0; id < NR_SPINNERS; id++)
		if (id != but)
			interrupt(tid_of(id));
}

static void go_on_all(pid_t pid)
{
	for (int id = 0; id < NR_SPINNERS; id++)
		go_on(tid_of(id));
	go_on(pid);
}

static void let_all_go(pid_t pid)
{
	interrupt_all(pid, NOBODY);
	for (int id = 0; id < NR_SPINNERS; id++)
		detach(tid_of(id));
	detach(pid);
}

/* All threads of it are traced. */
static pid_t start_seized(void)
{
	pid_t pid = start_program();

	seize_all(pid);
	return pid;
}

static void end_seized(pid_t pid)
{
	let_all_go(pid);
	end_program(pid);
}

/* One thread of it is. */
static pid_t start_one_seized(int id)
{
	pid_t pid = start_program();

	seize(tid_of(id));
	return pid;
}

static void end_one_seized(pid_t pid, int id)
{
	let_go(tid_of(id));
	end_program(pid);
}

/* --- Halting, and coming back ------------------------------------------------------------------- */

static void breakpoint_halts_all(void)
{
	pid_t pid = start_seized();
	int64_t start;

	for (int n = 0; n < 2 * NR_SPINNERS; n++) {
		int id = n % NR_SPINNERS;

		/* Nobody but the core stops the others. */
		start = now();
		hit_breakpoint(id);
		check_nobody_runs(start);
		check(bits_of(pid, id == 0 ? "low" : id == 1 ? "middle" : "high") & EVL_T_PTRACE);
		interrupt_all(pid, id);
		check_nobody_runs(0);
		go_on_all(pid);
		check_all_run_oob();
		check(!(bits_of(pid, "low") & (EVL_T_PTRACE | EVL_T_PTSYNC)));
	}
	let_all_go(pid);
	check_all_run_oob();
	end_program(pid);
}

/* The debugger has it go on behind the instruction. */
static void crash_halts_all(void)
{
	struct user_regs_struct regs;
	pid_t pid = start_seized();
	int64_t start = now();

	atomic_store(&stage->crash, 1);
	check_eq(await_stop(tid_of(1)), SIGILL);
	check_nobody_runs(start);
	interrupt_all(pid, 1);
	check_sys(ptrace(PTRACE_GETREGS, tid_of(1), 0, &regs));
	regs.rip += 2;
	check_sys(ptrace(PTRACE_SETREGS, tid_of(1), 0, &regs));
	go_on_all(pid);
	await(!(bits_of(pid, "middle") & EVL_T_INBAND));
	atomic_store(&stage->inband[1], 0);
	check_all_run_oob();
	end_seized(pid);
}

static void back_in_order(void)
{
	pid_t pid = start_seized();
	int64_t start;

	for (int n = 0; n < 10; n++) {
		hit_breakpoint(n % NR_SPINNERS);
		interrupt_all(pid, n % NR_SPINNERS);
		expect_all();
		start = now();
		/* From the least important one on. */
		for (int id = 0; id < NR_SPINNERS - 1; id++)
			go_on(tid_of(id));
		for (int t = 0; t < 20; t++)
			nap();
		if (now() - start < PATIENCE / 2) {
			check_eq(atomic_load(&stage->nr_back), 0);
			check(bits_of(pid, "low") & EVL_T_PTSYNC);
		}
		go_on(tid_of(NR_SPINNERS - 1));
		go_on(pid);
		if (now() - start < PATIENCE)
			check_order();
		check_all_run_oob();
	}
	end_seized(pid);
}

static void single_steps(void)
{
	pid_t pid = start_seized();

	for (int n = 0; n < NR_SPINNERS; n++) {
		hit_breakpoint(n);
		interrupt_all(pid, n);
		/* Far enough to come by a request. */
		for (int step = 0; step < 300; step++) {
			check_sys(ptrace(PTRACE_SINGLESTEP, tid_of(n), 0, 0));
			check_eq(await_stop(tid_of(n)), SIGTRAP);
		}
		for (int id = 0; id < NR_SPINNERS; id++)
			atomic_store(&stage->inband[id], 0);
		go_on_all(pid);
		check_all_run_oob();
	}
	end_seized(pid);
}

static void step_into_clone(pid_t tid)
{
	unsigned long child;
	int stop;

	check_sys(ptrace(PTRACE_SETOPTIONS, tid, 0, PTRACE_O_TRACECLONE));
	do {
		check_sys(ptrace(PTRACE_SINGLESTEP, tid, 0, 0));
		stop = await_stop(tid);
	} while (stop == SIGTRAP);
	check_eq(stop, SIGTRAP | PTRACE_EVENT_CLONE << 8);
	check_sys(ptrace(PTRACE_GETEVENTMSG, tid, 0, &child));
	await_stop(child);
	detach(child);
}

/* The step does not end: the debugger has the thread go on from the middle of a call. */
static void step_is_given_up(void)
{
	pid_t pid = start_one_seized(2);

	atomic_store(&stage->fork, 2);
	check_eq(await_stop(tid_of(2)), SIGTRAP);
	step_into_clone(tid_of(2));
	go_on(tid_of(2));
	check_all_run_oob();
	end_one_seized(pid, 2);
}

/* As with "scheduler-locking on" in gdb. */
static void one_goes_on(void)
{
	pid_t pid = start_seized();
	long before[NR_SPINNERS];

	for (int n = 0; n < NR_SPINNERS; n++) {
		hit_breakpoint(n);
		interrupt_all(pid, n);
		for (int id = 0; id < NR_SPINNERS; id++)
			before[id] = atomic_load(&stage->rounds[id]);
		go_on(tid_of(n));
		await(atomic_load(&stage->rounds[n]) > before[n] + 50);
		for (int id = 0; id < NR_SPINNERS; id++)
			if (id != n)
				check_eq(atomic_load(&stage->rounds[id]), before[id]);
		interrupt(tid_of(n));
		go_on_all(pid);
		check_all_run_oob();
	}
	end_seized(pid);
}

/* As in non-stop mode. */
static void one_is_traced(void)
{
	pid_t pid = start_one_seized(2);
	int64_t start = now();

	hit_breakpoint(2);
	check_nobody_runs(start);
	/* The others do not wait for ever. */
	check_runs_oob(0);
	go_on(tid_of(2));
	check_all_run_oob();
	let_go(tid_of(2));
	check_all_run_oob();
	end_program(pid);
}

/* Those who went on alone are left alone. */
static void steps_halt_nobody(void)
{
	pid_t pid = start_one_seized(2);
	long before;

	hit_breakpoint(2);
	await_rounds(0);
	before = switches_of(pid, "low");
	for (int step = 0; step < 100; step++) {
		check_sys(ptrace(PTRACE_SINGLESTEP, tid_of(2), 0, 0));
		check_eq(await_stop(tid_of(2)), SIGTRAP);
	}
	check_eq(switches_of(pid, "low"), before);
	atomic_store(&stage->inband[2], 0);
	go_on(tid_of(2));
	check_all_run_oob();
	end_one_seized(pid, 2);
}

/* A debugger may drop many signals for one thread, while another one is stopped. */
static void signals_do_not_prolong(void)
{
	pid_t pid = start_seized();
	int64_t start;
	long before;

	hit_breakpoint(2);
	interrupt_all(pid, 2);
	before = atomic_load(&stage->rounds[0]);
	start = now();
	while (atomic_load(&stage->rounds[0]) < before + 50) {
		go_on(tid_of(0));
		for (int n = 0; n < 100; n++)
			nap();
		check_lt(now() - start, 20 * PATIENCE);
		check_sys(syscall(SYS_tgkill, pid, tid_of(0), SIGUSR1));
		check_eq(await_stop(tid_of(0)), SIGUSR1);
	}
	go_on_all(pid);
	check_all_run_oob();
	end_seized(pid);
}

/* How long others were kept by a thread which runs a handler meanwhile. */
static int64_t go_on_with_handler(pid_t pid)
{
	int handled = atomic_load(&stage->handled);
	long before = atomic_load(&stage->rounds[1]);
	int64_t start;

	atomic_store(&stage->hold, true);
	check_sys(ptrace(PTRACE_CONT, tid_of(2), 0, SIGUSR1));
	await(atomic_load(&stage->handled) == handled + 1);
	start = now();
	go_on(tid_of(0));
	go_on(tid_of(1));
	go_on(pid);
	await(atomic_load(&stage->rounds[1]) > before);
	start = now() - start;
	atomic_store(&stage->hold, false);
	return start;
}

/* Nobody waits for the one which goes elsewhere. */
static void handler_stays_inband(void)
{
	pid_t pid = start_seized();
	int64_t best = PATIENCE, took;

	for (int n = 0; n < 3; n++) {
		hit_breakpoint(2);
		interrupt_all(pid, 2);
		took = go_on_with_handler(pid);
		if (took < best)
			best = took;
		await(atomic_load(&stage->inband[2]) > 0);
		check_eq(atomic_load(&stage->inband[0]), 0);
		atomic_store(&stage->inband[2], 0);
		await(!(bits_of(pid, "high") & EVL_T_INBAND));
	}
	check(best < PATIENCE * 3 / 4);
	end_seized(pid);
}

/* A stop is not over for all when it is for one, nor is it for those who were in-band. */
static void who_comes_out_halts(void)
{
	pid_t pid = start_one_seized(2);
	int64_t start;
	long before;

	atomic_store(&stage->detour, 0);
	await(atomic_load(&stage->inband_now));
	hit_breakpoint(2);
	await_rounds(1);

	before = atomic_load(&stage->rounds[0]);
	start = now();
	atomic_store(&stage->inband_now, false);
	for (int n = 0; n < 30; n++)
		nap();
	if (now() - start < PATIENCE / 2)
		check_eq(atomic_load(&stage->rounds[0]), before);
	await(atomic_load(&stage->rounds[0]) > before + 50);
	check_eq(atomic_load(&stage->inband[0]), 0);

	seize(tid_of(1));
	start = now();
	hit_breakpoint(1);
	check_nobody_runs(start);
	go_on(tid_of(1));
	go_on(tid_of(2));
	check_all_run_oob();
	for (int id = 1; id < NR_SPINNERS; id++)
		let_go(tid_of(id));
	end_program(pid);
}

static void halt_is_not_for_others_to_end(void)
{
	pid_t pid = start_one_seized(2);
	int64_t start = now();

	hit_breakpoint(2);
	await(bits_of(pid, "middle") & EVL_T_PTSYNC || now() - start > PATIENCE);
	atomic_store(&stage->unblock, 1);
	await(atomic_load(&stage->unblock) == NOBODY);
	check_nobody_runs(start);
	detach(tid_of(2));
	check_all_run_oob();
	end_program(pid);
}

/* Linux moves a thread while another one, which has a signal, is in-band. */
static void nobody_waits_but_for_stops(void)
{
	pid_t pid = start_program();
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(0, &set);
	seize(tid_of(0));
	check_sys(syscall(SYS_tgkill, pid, tid_of(0), SIGUSR1));
	check_eq(await_stop(tid_of(0)), SIGUSR1);
	check_sys(sched_setaffinity(tid_of(2), sizeof(set), &set));
	for (int n = 0; n < 20; n++) {
		nap();
		check(!(bits_of(pid, "high") & EVL_T_PTSYNC));
	}
	check_sys(ptrace(PTRACE_DETACH, tid_of(0), 0, SIGUSR1));
	await(atomic_load(&stage->handled) == 1);
	check_eq(atomic_load(&stage->inband[2]), 0);
	end_program(pid);
}

/* --- The end of a debugger in the middle ---------------------------------------------------------- */

static void debug_and_wait(pid_t pid, int options)
{
	seize_all(pid);
	hit_breakpoint(1);
	interrupt_all(pid, 1);
	check_sys(ptrace(PTRACE_SETOPTIONS, tid_of(0), 0, options));
	atomic_store(&stage->left, true);
	for (;;)
		pause();
}

static void kill_debugger(pid_t pid, int options)
{
	pid_t debugger = check_sys(fork());

	if (!debugger)
		debug_and_wait(pid, options);
	await(atomic_load(&stage->left));
	expect_all();
	check_sys(kill(debugger, SIGKILL));
	wait_signal(debugger, SIGKILL);
}

static void debugger_is_killed(void)
{
	pid_t pid = start_program();

	kill_debugger(pid, 0);
	await(atomic_load(&stage->nr_back) == NR_SPINNERS);
	check_all_run_oob();
	end_program(pid);
}

static void killed_along_with_debugger(void)
{
	pid_t pid = start_program();

	kill_debugger(pid, PTRACE_O_EXITKILL);
	wait_signal(pid, SIGKILL);
}

static void killed_under_debugger(void)
{
	int status;
	pid_t pid = start_seized();

	hit_breakpoint(0);
	interrupt_all(pid, 0);
	go_on(tid_of(0));
	check_sys(kill(pid, SIGKILL));
	/* Its threads are waited for one by one, the first one being the last. */
	for (int id = 0; id < NR_SPINNERS; id++)
		check_eq(waitpid(tid_of(id), &status, __WALL), tid_of(id));
	wait_signal(pid, SIGKILL);
}

static const struct CMUnitTest tests[] = {
	TEST(breakpoint_halts_all, "a breakpoint halts the siblings, and all come back out-of-band"),
	TEST(crash_halts_all, "so does a crash"),
	TEST(back_in_order, "together, the most important one first"),
	TEST(single_steps, "a thread is stepped while the others are stopped"),
	TEST(steps_halt_nobody, "steps halt nobody who went on alone"),
	TEST(signals_do_not_prolong, "nor does it last longer for signals"),
	TEST(step_is_given_up, "a step into a call which is not waited for"),
	TEST(one_goes_on, "one which goes on alone does so, soon"),
	TEST(one_is_traced, "siblings which no debugger stops go on, soon"),
	TEST(handler_stays_inband, "a handler runs in-band, and nobody waits for it"),
	TEST(who_comes_out_halts, "whoever comes out-of-band during a stop halts as well"),
	TEST(halt_is_not_for_others_to_end, "who waits for its siblings is not sent away"),
	TEST(nobody_waits_but_for_stops, "nobody waits for a thread which has a signal, or is moved"),
	TEST(debugger_is_killed, "the debugger is killed with all threads stopped"),
	TEST(killed_along_with_debugger, "it takes the program with it if it wants that"),
	TEST(killed_under_debugger, "a program under a debugger is killed"),
};

TEST_MAIN("debug", tests)
