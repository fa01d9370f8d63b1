// SPDX-License-Identifier: GPL-2.0-only
/* Stops: a debugger, or SIGSTOP, halts the threads of a process, which come back together on the stage they were on. */
#include "helpers.h"
#include <evl/mutex.h>
#include <evl/sem.h>
#include <evl/sys.h>
#include <sys/mount.h>
#include <sys/ptrace.h>
#include <sys/stat.h>
#include <sys/user.h>

#ifndef PTRACE_EVENT_STOP
#define PTRACE_EVENT_STOP	128
#endif

/* Siblings wait for each other for that long, and then go on alone. */
#define PATIENCE	(500 * NSEC_PER_MSEC)

/* --- The program which is stopped ------------------------------------------------------------ */

#define NR_SPINNERS	3
#define NOBODY		(-1)

/* What the threads of it do, for the test to see and to change: in shared memory. */
static struct stage {
	atomic_int tids[NR_SPINNERS];
	atomic_long rounds[NR_SPINNERS];
	atomic_long inband[NR_SPINNERS];	/* rounds in-band: none, unless told to */
	atomic_int epoch;			/* after it changed, they sign in one by one */
	atomic_int nr_back;
	atomic_int back[NR_SPINNERS];
	atomic_int trap;			/* whoever is to hit a breakpoint */
	atomic_int crash;			/* whoever is to come upon what is no instruction */
	atomic_int fork;			/* whoever is to have a child after a breakpoint */
	atomic_int detour;			/* whoever is to be in-band for a while */
	atomic_bool inband_now;			/* it is, as long as this is set */
	atomic_int unblock;			/* whoever is to be sent away from a wait */
	atomic_int handled;
	atomic_bool hold;			/* handlers do not return */
	atomic_bool post;
	atomic_bool stop;
	atomic_bool left;			/* the one who waits got what it waits for */
	atomic_int result;
	atomic_int ready;
} *stage;

static int prio_of_spinner(int id)
{
	return 10 * (id + 1);
}

static void sign_in(int id, int *epoch)
{
	if (*epoch == atomic_load(&stage->epoch))
		return;
	*epoch = atomic_load(&stage->epoch);
	atomic_store(&stage->back[atomic_fetch_add(&stage->nr_back, 1) % NR_SPINNERS], id);
}

static void spin_round(int id, int *epoch)
{
	int64_t end = now() + NSEC_PER_MSEC;

	do {
		sign_in(id, epoch);
		if (evl_is_inband())
			atomic_fetch_add(&stage->inband[id], 1);
		atomic_fetch_add(&stage->rounds[id], 1);
		__builtin_ia32_pause();
	} while (now() < end);
	/* It may have been over when a stop was. */
	sign_in(id, epoch);
}

/* The child has the memory and the stack of the caller, which it leaves alone: pages that were copied would have threads
 * fault, and be in-band. */
static void fork_in_place(void)
{
	long ret;

	__asm__ volatile("int3\n\t"
			 "syscall\n\t"
			 "test %0, %0\n\t"
			 "jnz 1f\n\t"
			 "mov %2, %%eax\n\t"
			 "xor %%edi, %%edi\n\t"
			 "syscall\n"
			 "1:"
			 : "=a" (ret)
			 : "0" ((long)SYS_clone), "i" (SYS_exit), "D" ((long)CLONE_VM), "S" (0L), "d" (0L)
			 : "rcx", "r11", "memory");
	check_ge(ret, 1);
}

static void fork_traced(int id)
{
	int me = id;

	if (atomic_compare_exchange_strong(&stage->fork, &me, NOBODY))
		fork_in_place();
}

static void make_detour(int id)
{
	int me = id;

	if (!atomic_compare_exchange_strong(&stage->detour, &me, NOBODY))
		return;
	check_ok(evl_switch_inband());
	atomic_store(&stage->inband_now, true);
	while (atomic_load(&stage->inband_now))
		usleep(1000);
	check_ok(evl_switch_oob());
}

/* All but the first one, which is the least important, leave the CPU to others for a while. */
static void spin(struct worker *w)
{
	int id = (int)(intptr_t)w->arg, epoch = 0, me;

	attach_worker(w);
	check_ok(evl_switch_oob());
	atomic_store(&stage->tids[id], atomic_load(&w->tid));
	atomic_fetch_add(&stage->ready, 1);
	while (!atomic_load(&stage->stop)) {
		me = id;
		if (atomic_compare_exchange_strong(&stage->trap, &me, NOBODY))
			__asm__ volatile("int3");
		me = id;
		if (atomic_compare_exchange_strong(&stage->crash, &me, NOBODY))
			__asm__ volatile("ud2");
		fork_traced(id);
		make_detour(id);
		spin_round(id, &epoch);
		evl_usleep(id ? 2000 : 100);
	}
}

static void on_usr1(int sig)
{
	(void)sig;
	atomic_fetch_add(&stage->handled, 1);
	while (atomic_load(&stage->hold))
		usleep(1000);
}

/* By the first thread, which is not one of ours. */
static void serve_wishes(struct worker *spinners)
{
	int id;

	while (!atomic_load(&stage->stop)) {
		id = atomic_load(&stage->unblock);
		if (id != NOBODY) {
			check_ok(evl_unblock_thread(spinners[id].efd));
			atomic_store(&stage->unblock, NOBODY);
		}
		usleep(1000);
	}
}

static void run_spinners(void)
{
	static const char *const names[] = { "low", "middle", "high" };
	static struct worker spinners[NR_SPINNERS];

	check_sys(signal(SIGUSR1, on_usr1) == SIG_ERR ? -1 : 0);
	check_ok(evl_init());
	for (int id = 0; id < NR_SPINNERS; id++) {
		spinners[id] = (struct worker){ .body = spin, .name = names[id], .prio = prio_of_spinner(id),
						.cpu = other_cpu(), .arg = (void *)(intptr_t)id };
		start_worker(&spinners[id]);
	}
	serve_wishes(spinners);
	for (int id = 0; id < NR_SPINNERS; id++)
		join_worker(&spinners[id]);
}

static void make_stage(void)
{
	if (other_cpu() == 0)
		check_skip("there is one CPU");
	stage = mmap(NULL, sizeof(*stage), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	check(stage != MAP_FAILED);
	atomic_store(&stage->trap, NOBODY);
	atomic_store(&stage->crash, NOBODY);
	atomic_store(&stage->fork, NOBODY);
	atomic_store(&stage->detour, NOBODY);
	atomic_store(&stage->unblock, NOBODY);
	check_ok(evl_init());
}

static pid_t start_program(void)
{
	pid_t pid;

	make_stage();
	pid = check_sys(fork());
	if (!pid) {
		run_spinners();
		_exit(0);
	}
	await(atomic_load(&stage->ready) == NR_SPINNERS);
	return pid;
}

static void end_program(pid_t pid)
{
	atomic_store(&stage->stop, true);
	wait_success(pid);
}

static unsigned int bits_of(pid_t pid, const char *name)
{
	char full[64];

	snprintf(full, sizeof(full), "%s:%d", name, pid);
	return strtoul(read_attr("thread", full, "state"), NULL, 0);
}

static long all_rounds(void)
{
	long sum = 0;

	for (int id = 0; id < NR_SPINNERS; id++)
		sum += atomic_load(&stage->rounds[id]);
	return sum;
}

/* Who halts because of a thread which stopped after @since does not do so for ever. */
static void check_nobody_runs(int64_t since)
{
	long before;

	/* One which was told to halt may be on its last instructions. */
	nap();
	before = all_rounds();
	for (int n = 0; n < 30; n++)
		nap();
	if (since && now() - since > PATIENCE / 2)
		return;
	check_eq(all_rounds(), before);
}

static void check_runs_oob(int id, long before)
{
	await(atomic_load(&stage->rounds[id]) > before + 50);
	check_eq(atomic_load(&stage->inband[id]), 0);
}

static void check_all_run_oob(void)
{
	long before[NR_SPINNERS];

	for (int id = 0; id < NR_SPINNERS; id++)
		before[id] = atomic_load(&stage->rounds[id]);
	for (int id = 0; id < NR_SPINNERS; id++)
		check_runs_oob(id, before[id]);
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

/* --- Job control --------------------------------------------------------------------------------- */

static void stop_program(pid_t pid)
{
	int status;

	check_sys(kill(pid, SIGSTOP));
	check_eq(waitpid(pid, &status, WUNTRACED), pid);
	check(WIFSTOPPED(status));
}

static void stopped_by_job_control(void)
{
	pid_t pid = start_program();

	for (int n = 0; n < 10; n++) {
		stop_program(pid);
		check_nobody_runs(0);
		check_sys(kill(pid, SIGCONT));
		check_all_run_oob();
	}
	end_program(pid);
}

static void stop_and_go_storm(void)
{
	pid_t pid = start_program();

	for (int n = 0; n < 300; n++) {
		check_sys(kill(pid, SIGSTOP));
		if (n % 3 == 0)
			nap();
		check_sys(kill(pid, SIGCONT));
		if (n % 7 == 0)
			nap();
	}
	check_all_run_oob();
	end_program(pid);
}

static void killed_while_stopped(void)
{
	pid_t pid = start_program();

	stop_program(pid);
	check_sys(kill(pid, SIGKILL));
	wait_signal(pid, SIGKILL);
}

static void mind_stops(struct worker *w)
{
	attach_worker(w);
	check_ok(evl_set_thread_mode(w->efd, EVL_T_WOSS | EVL_T_HMSIG, NULL));
	check_ok(evl_switch_oob());
	atomic_fetch_add(&stage->ready, 1);
	while (!atomic_load(&stage->stop))
		atomic_fetch_add(&stage->rounds[0], 1);
	check(!evl_is_inband());
	check_eq(take_sigdebug(EVL_HMDIAG_SIGDEMOTE), 0);
}

static void run_minding(void)
{
	struct worker w = { .body = mind_stops, .name = "minds", .prio = 10, .cpu = other_cpu() };

	catch_sigdebug();
	check_ok(evl_init());
	start_worker(&w);
	join_worker(&w);
}

static void stop_is_no_health_event(void)
{
	long before;
	pid_t pid;

	make_stage();
	pid = check_sys(fork());
	if (!pid) {
		run_minding();
		_exit(0);
	}
	await(atomic_load(&stage->ready) == 1);
	stop_program(pid);
	before = atomic_load(&stage->rounds[0]);
	check_sys(kill(pid, SIGCONT));
	await(atomic_load(&stage->rounds[0]) > before);
	end_program(pid);
}

/* --- Waits which a stop comes upon --------------------------------------------------------------- */

static struct evl_sem sem;
static struct evl_mutex mutex;

static int get_unit(void)
{
	return evl_get_sem(&sem);
}

static int get_in_time(void)
{
	struct timespec date = ns_ts(now() + 50 * NSEC_PER_MSEC);

	return evl_timedget_sem(&sem, &date);
}

static int get_mutex(void)
{
	return evl_lock_mutex(&mutex);
}

static void wait_for_it(struct worker *w)
{
	int (*get)(void) = w->arg;

	attach_worker(w);
	w->result = get();
	atomic_store(&stage->left, true);
	if (get == get_mutex && !w->result)
		check_ok(evl_unlock_mutex(&mutex));
}

/* The owner of the mutex is stopped along, out-of-band. */
static void hold_mutex(struct worker *w)
{
	attach_worker(w);
	check_ok(evl_lock_mutex(&mutex));
	atomic_fetch_add(&stage->ready, 1);
	while (!atomic_load(&stage->stop))
		check_ok(evl_usleep(1000));
	check(!evl_is_inband());
	check_ok(evl_unlock_mutex(&mutex));
}

static void be_stopped_waiting(int (*get)(void))
{
	struct worker holder = { .body = hold_mutex, .name = "holder", .prio = 5, .cpu = other_cpu() };
	struct worker w = { .body = wait_for_it, .name = "waiter", .prio = 10, .cpu = other_cpu(), .arg = get };

	check_ok(evl_init());
	check_ok(evl_new_sem(&sem, "unit:%d", getpid()));
	check_ok(evl_new_mutex(&mutex, "held:%d", getpid()));
	start_worker(&holder);
	await(atomic_load(&stage->ready) == 1);
	start_worker(&w);
	await(worker_sleeps(&w));
	check_sys(kill(getpid(), SIGSTOP));
	if (get != get_in_time)
		check(!atomic_load(&stage->left));
	check_ok(evl_put_sem(&sem));
	atomic_store(&stage->stop, true);
	join_worker(&w);
	join_worker(&holder);
	atomic_store(&stage->result, w.result);
	_exit(0);
}

static int result_of_stopped(int (*get)(void))
{
	int status;
	pid_t pid;

	make_stage();
	pid = check_sys(fork());
	if (!pid)
		be_stopped_waiting(get);
	check_eq(waitpid(pid, &status, WUNTRACED), pid);
	check(WIFSTOPPED(status));
	spin_until(now() + 100 * NSEC_PER_MSEC);
	check_sys(kill(pid, SIGCONT));
	wait_success(pid);
	return atomic_load(&stage->result);
}

static void waits_go_on(void)
{
	check_eq(result_of_stopped(get_unit), 0);
	check_eq(result_of_stopped(get_mutex), 0);
}

static void limit_passes_meanwhile(void)
{
	int ret = result_of_stopped(get_in_time);

	/* The unit may be there by the time that it goes on. */
	if (ret)
		check_eq(ret, -ETIMEDOUT);
}

/* --- A debugger ------------------------------------------------------------------------------------ */

static void seize(pid_t tid)
{
	check_sys(ptrace(PTRACE_SEIZE, tid, 0, 0));
}

static int await_stop(pid_t tid)
{
	int status;

	check_eq(waitpid(tid, &status, __WALL), tid);
	if (!WIFSTOPPED(status))
		check_fail("thread ended with %#x", status);
	return status >> 8;
}

static void interrupt(pid_t tid)
{
	check_sys(ptrace(PTRACE_INTERRUPT, tid, 0, 0));
	check_eq(await_stop(tid), SIGTRAP | PTRACE_EVENT_STOP << 8);
}

static void go_on(pid_t tid)
{
	check_sys(ptrace(PTRACE_CONT, tid, 0, 0));
}

static pid_t tid_of(int id)
{
	return atomic_load(&stage->tids[id]);
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

static void detach(pid_t tid)
{
	check_sys(ptrace(PTRACE_DETACH, tid, 0, 0));
}

static void let_go(pid_t tid)
{
	interrupt(tid);
	detach(tid);
}

static void let_all_go(pid_t pid)
{
	interrupt_all(pid, NOBODY);
	for (int id = 0; id < NR_SPINNERS; id++)
		detach(tid_of(id));
	detach(pid);
}

static void hit_breakpoint(int id)
{
	atomic_store(&stage->trap, id);
	check_eq(await_stop(tid_of(id)), SIGTRAP);
}

static void breakpoint_halts_all(void)
{
	pid_t pid = start_program();
	int64_t start;

	seize_all(pid);
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
	pid_t pid = start_program();
	int64_t start = now();

	seize_all(pid);
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
	let_all_go(pid);
	end_program(pid);
}

static void back_in_order(void)
{
	pid_t pid = start_program();
	int64_t start;

	seize_all(pid);
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
	let_all_go(pid);
	end_program(pid);
}

static void single_steps(void)
{
	pid_t pid = start_program();

	seize_all(pid);
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
	let_all_go(pid);
	end_program(pid);
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
	pid_t pid = start_program();

	seize(tid_of(2));
	atomic_store(&stage->fork, 2);
	check_eq(await_stop(tid_of(2)), SIGTRAP);
	step_into_clone(tid_of(2));
	go_on(tid_of(2));
	check_all_run_oob();
	let_go(tid_of(2));
	end_program(pid);
}

/* As with "scheduler-locking on" in gdb. */
static void one_goes_on(void)
{
	pid_t pid = start_program();
	long before[NR_SPINNERS];

	seize_all(pid);
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
	let_all_go(pid);
	end_program(pid);
}

/* As in non-stop mode. */
static void one_is_traced(void)
{
	pid_t pid = start_program();
	int64_t start = now();
	long before;

	seize(tid_of(2));
	hit_breakpoint(2);
	check_nobody_runs(start);
	/* The others do not wait for ever. */
	before = atomic_load(&stage->rounds[0]);
	await(atomic_load(&stage->rounds[0]) > before + 50);
	check_eq(atomic_load(&stage->inband[0]), 0);
	go_on(tid_of(2));
	check_all_run_oob();
	let_go(tid_of(2));
	check_all_run_oob();
	end_program(pid);
}

static long switches_of(pid_t pid, const char *name)
{
	char full[64];

	snprintf(full, sizeof(full), "%s:%d", name, pid);
	return strtol(read_attr("thread", full, "stats"), NULL, 10);
}

/* Those who went on alone are left alone. */
static void steps_halt_nobody(void)
{
	pid_t pid = start_program();
	long before;

	seize(tid_of(2));
	hit_breakpoint(2);
	before = atomic_load(&stage->rounds[0]);
	await(atomic_load(&stage->rounds[0]) > before + 50);
	before = switches_of(pid, "low");
	for (int step = 0; step < 100; step++) {
		check_sys(ptrace(PTRACE_SINGLESTEP, tid_of(2), 0, 0));
		check_eq(await_stop(tid_of(2)), SIGTRAP);
	}
	check_eq(switches_of(pid, "low"), before);
	atomic_store(&stage->inband[2], 0);
	go_on(tid_of(2));
	check_all_run_oob();
	let_go(tid_of(2));
	end_program(pid);
}

/* A debugger may drop many signals for one thread, while another one is stopped. */
static void signals_do_not_prolong(void)
{
	pid_t pid = start_program();
	int64_t start;
	long before;

	seize_all(pid);
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
	let_all_go(pid);
	end_program(pid);
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
	pid_t pid = start_program();
	int64_t best = PATIENCE, took;

	seize_all(pid);
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
	let_all_go(pid);
	end_program(pid);
}

/* --- Stops which are over, new ones, and what is none ------------------------------------------- */

static void wait_weak(struct worker *w)
{
	attach_worker(w);
	check_ok(evl_get_sem(&sem));
	atomic_store(&stage->result, evl_is_inband());
	atomic_store(&stage->left, true);
}

static void run_weak(void)
{
	struct worker sibling = { .body = spin, .name = "low", .prio = 10, .cpu = other_cpu() };
	struct worker weak = { .body = wait_weak, .name = "weak", .cpu = other_cpu() };

	check_ok(evl_init());
	check_ok(evl_new_sem(&sem, "weak:%d", getpid()));
	start_worker(&weak);
	await(worker_sleeps(&weak));
	start_worker(&sibling);
	await(atomic_load(&stage->post));
	check_ok(evl_put_sem(&sem));
	join_worker(&weak);
	join_worker(&sibling);
}

/* It was told to halt, and sleeps until that is over. */
static void weak_thread_after_stop(void)
{
	pid_t pid;

	make_stage();
	pid = check_sys(fork());
	if (!pid) {
		run_weak();
		_exit(0);
	}
	await(atomic_load(&stage->ready) == 1);
	seize(tid_of(0));
	let_go(tid_of(0));
	atomic_store(&stage->post, true);
	await(atomic_load(&stage->left));
	check_eq(atomic_load(&stage->result), true);
	end_program(pid);
}

/* A stop is not over for all when it is for one, nor is it for those who were in-band. */
static void who_comes_out_halts(void)
{
	pid_t pid = start_program();
	int64_t start;
	long before;

	seize(tid_of(2));
	atomic_store(&stage->detour, 0);
	await(atomic_load(&stage->inband_now));
	hit_breakpoint(2);
	before = atomic_load(&stage->rounds[1]);
	await(atomic_load(&stage->rounds[1]) > before + 50);

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
	pid_t pid = start_program();
	int64_t start = now();

	seize(tid_of(2));
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

/* SIGTSTP would stop the program, if it were not blocked. */
static void blocked_stop_is_none(void)
{
	sigset_t set;
	long before;
	pid_t pid;

	sigemptyset(&set);
	sigaddset(&set, SIGTSTP);
	check_sys(sigprocmask(SIG_BLOCK, &set, NULL));
	pid = start_program();
	check_sys(sigprocmask(SIG_UNBLOCK, &set, NULL));
	check_sys(kill(pid, SIGTSTP));
	before = switches_of(pid, "low");
	for (int n = 0; n < 10; n++) {
		check_sys(syscall(SYS_tgkill, pid, tid_of(2), SIGUSR1));
		await(atomic_load(&stage->handled) == n + 1);
	}
	check_eq(switches_of(pid, "low"), before);
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
	pid_t pid = start_program();

	seize_all(pid);
	hit_breakpoint(0);
	interrupt_all(pid, 0);
	go_on(tid_of(0));
	check_sys(kill(pid, SIGKILL));
	/* Its threads are waited for one by one, the first one being the last. */
	for (int id = 0; id < NR_SPINNERS; id++)
		check_eq(waitpid(tid_of(id), &status, __WALL), tid_of(id));
	wait_signal(pid, SIGKILL);
}

/* --- Others who wait for a thread which is stopped ----------------------------------------------- */

static struct evl_mutex shared_mutex;

static void own_shared(struct worker *w)
{
	int epoch = 0;

	attach_worker(w);
	check_ok(evl_set_thread_mode(w->efd, EVL_T_WOLI | EVL_T_HMSIG, NULL));
	check_ok(evl_lock_mutex(&shared_mutex));
	atomic_store(&stage->tids[0], atomic_load(&w->tid));
	atomic_fetch_add(&stage->ready, 1);
	while (!atomic_load(&stage->stop)) {
		if (atomic_exchange(&stage->trap, NOBODY) == 0)
			__asm__ volatile("int3");
		spin_round(0, &epoch);
		check_ok(evl_usleep(100));
	}
	check(!evl_is_inband());
	atomic_store(&stage->handled, take_sigdebug(EVL_HMDIAG_LKDEPEND));
	check_ok(evl_unlock_mutex(&shared_mutex));
}

static void run_owner(void)
{
	struct worker w = { .body = own_shared, .name = "owner", .prio = 10, .cpu = other_cpu() };

	catch_sigdebug();
	check_ok(evl_init());
	check_ok(evl_create_mutex(&shared_mutex, EVL_CLOCK_MONOTONIC, 0, EVL_MUTEX_NORMAL | EVL_CLONE_PUBLIC,
				  "/halted:%d", getppid()));
	start_worker(&w);
	join_worker(&w);
}

static void owner_is_stopped(void)
{
	struct timespec date;
	pid_t pid;

	make_stage();
	pid = check_sys(fork());
	if (!pid) {
		run_owner();
		_exit(0);
	}
	await(atomic_load(&stage->ready) == 1);
	attach_fifo(20);
	check_ok(evl_open_mutex(&shared_mutex, "/halted:%d", getpid()));
	check_ok(evl_switch_inband());
	stop_program(pid);
	date = ns_ts(now() + 50 * NSEC_PER_MSEC);
	check_eq(evl_timedlock_mutex(&shared_mutex, &date), -ETIMEDOUT);
	check_sys(kill(pid, SIGCONT));
	atomic_store(&stage->stop, true);
	check_ok(evl_lock_mutex(&shared_mutex));
	check_ok(evl_unlock_mutex(&shared_mutex));
	wait_success(pid);
	check_ok(evl_close_mutex(&shared_mutex));
}

static void want_shared(struct worker *w)
{
	attach_worker(w);
	check_ok(evl_lock_mutex(&shared_mutex));
	check_ok(evl_unlock_mutex(&shared_mutex));
}

/* Somebody of this process waits for its mutex. */
static pid_t start_wanted_owner(struct worker *w)
{
	pid_t pid;

	make_stage();
	pid = check_sys(fork());
	if (!pid) {
		run_owner();
		_exit(0);
	}
	await(atomic_load(&stage->ready) == 1);
	check_ok(evl_open_mutex(&shared_mutex, "/halted:%d", getpid()));
	start_worker(w);
	await(worker_sleeps(w));
	return pid;
}

static void end_wanted_owner(pid_t pid, struct worker *w)
{
	long before = atomic_load(&stage->rounds[0]);

	await(atomic_load(&stage->rounds[0]) > before + 50);
	atomic_store(&stage->stop, true);
	join_worker(w);
	wait_success(pid);
	check_ok(evl_close_mutex(&shared_mutex));
}

/* It is not told of that, although it goes in-band. */
static void breakpoint_with_mutex(void)
{
	struct worker w = { .body = want_shared, .name = "wants", .prio = 20 };
	pid_t pid = start_wanted_owner(&w);

	seize(tid_of(0));
	for (int n = 0; n < 5; n++) {
		hit_breakpoint(0);
		go_on(tid_of(0));
		check_runs_oob(0, atomic_load(&stage->rounds[0]));
	}
	let_go(tid_of(0));
	end_wanted_owner(pid, &w);
	check_eq(atomic_load(&stage->handled), 0);
}

/* --- The freezer ------------------------------------------------------------------------------------ */

#define CGROUPS	"/tmp/cgroups"
#define FROZEN	CGROUPS "/frozen"

static void write_file(const char *path, const char *text)
{
	int fd = check_sys(open(path, O_WRONLY));

	check_eq(write(fd, text, strlen(text)), strlen(text));
	close(fd);
}

static bool is_frozen(void)
{
	char text[64] = "";
	int fd = check_sys(open(FROZEN "/cgroup.events", O_RDONLY));

	check_ge(read(fd, text, sizeof(text) - 1), 1);
	close(fd);
	return strstr(text, "frozen 1");
}

static void freeze_and_thaw(pid_t pid)
{
	char text[16];

	snprintf(text, sizeof(text), "%d", pid);
	write_file(FROZEN "/cgroup.procs", text);
	write_file(FROZEN "/cgroup.freeze", "1");
	await(is_frozen());
	write_file(FROZEN "/cgroup.freeze", "0");
	await(!is_frozen());
	write_file(CGROUPS "/cgroup.procs", text);
}

static void make_freezer(void)
{
	check(mkdir(CGROUPS, 0755) == 0 || errno == EEXIST);
	if (mount("none", CGROUPS, "cgroup2", 0, NULL))
		check_skip("no cgroups: %s", strerror(errno));
	check_sys(mkdir(FROZEN, 0755));
}

static void remove_freezer(void)
{
	check_sys(rmdir(FROZEN));
	check_sys(umount(CGROUPS));
}

static void frozen_and_thawed(void)
{
	pid_t pid;

	make_freezer();
	pid = start_program();
	for (int n = 0; n < 10; n++) {
		freeze_and_thaw(pid);
		check_all_run_oob();
	}
	end_program(pid);
	remove_freezer();
}

/* It is told that somebody waits for its mutex, which it took in-band with it. */
static void frozen_with_mutex(void)
{
	struct worker w = { .body = want_shared, .name = "wants", .prio = 20 };
	pid_t pid;

	make_freezer();
	pid = start_wanted_owner(&w);
	freeze_and_thaw(pid);
	end_wanted_owner(pid, &w);
	check_ge(atomic_load(&stage->handled), 1);
	remove_freezer();
}

static const struct CMUnitTest tests[] = {
	TEST(stopped_by_job_control, "SIGSTOP halts all threads, SIGCONT has them go on where they were"),
	TEST(stop_and_go_storm, "many stops in a row"),
	TEST(killed_while_stopped, "SIGKILL ends a stopped program"),
	TEST(stop_is_no_health_event, "a stop is nothing to tell of"),
	TEST(waits_go_on, "waits go on after a stop"),
	TEST(limit_passes_meanwhile, "a wait whose time is over by then ends"),
	TEST(owner_is_stopped, "who waits for a stopped owner may give up, or get the mutex later"),
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
	TEST(weak_thread_after_stop, "a weak thread which waited meanwhile is in-band after its request"),
	TEST(who_comes_out_halts, "whoever comes out-of-band during a stop halts as well"),
	TEST(halt_is_not_for_others_to_end, "who waits for its siblings is not sent away"),
	TEST(nobody_waits_but_for_stops, "nobody waits for a thread which has a signal, or is moved"),
	TEST(blocked_stop_is_none, "a signal which is blocked stops nobody"),
	TEST(debugger_is_killed, "the debugger is killed with all threads stopped"),
	TEST(killed_along_with_debugger, "it takes the program with it if it wants that"),
	TEST(killed_under_debugger, "a program under a debugger is killed"),
	TEST(breakpoint_with_mutex, "one which has a mutex is not told of who waits for it at a breakpoint"),
	TEST(frozen_and_thawed, "the freezer of Linux leaves threads where they were"),
	TEST(frozen_with_mutex, "and one which has a mutex is told"),
};

TEST_MAIN("debug", tests)
