/* SPDX-License-Identifier: GPL-2.0-only */
/* A program whose threads spin out-of-band, for others to stop; and what a debugger does to it. */
#ifndef EVL_TEST_STOPS_H
#define EVL_TEST_STOPS_H

#include "helpers.h"
#include <sys/ptrace.h>

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

/* Where is it, and is it the first time since the epoch changed? */
static void look_around(int id, int *epoch)
{
	sign_in(id, epoch);
	if (evl_is_inband())
		atomic_fetch_add(&stage->inband[id], 1);
}

static void spin_round(int id, int *epoch)
{
	int64_t end = now() + NSEC_PER_MSEC;

	do {
		look_around(id, epoch);
		atomic_fetch_add(&stage->rounds[id], 1);
		__builtin_ia32_pause();
	} while (now() < end);
	/* It may have been over when a stop was. */
	look_around(id, epoch);
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
		nap();
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
		nap();
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
		nap();
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

/* A program of our own, which has @nr threads out-of-band. */
static pid_t start_running(void (*run)(void), int nr)
{
	pid_t pid;

	make_stage();
	pid = check_sys(fork());
	if (!pid) {
		run();
		_exit(0);
	}
	await(atomic_load(&stage->ready) == nr);
	return pid;
}

static pid_t start_program(void)
{
	return start_running(run_spinners, NR_SPINNERS);
}

static void end_program(pid_t pid)
{
	atomic_store(&stage->stop, true);
	wait_success(pid);
}

static long switches_of(pid_t pid, const char *name)
{
	return strtol(attr_of(pid, name, "stats"), NULL, 10);
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

static void await_rounds(int id)
{
	long before = atomic_load(&stage->rounds[id]);

	await(atomic_load(&stage->rounds[id]) > before + 50);
}

static void check_runs_oob(int id)
{
	await_rounds(id);
	check_eq(atomic_load(&stage->inband[id]), 0);
}

static void check_all_run_oob(void)
{
	for (int id = 0; id < NR_SPINNERS; id++)
		check_runs_oob(id);
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

static void detach(pid_t tid)
{
	check_sys(ptrace(PTRACE_DETACH, tid, 0, 0));
}

static void let_go(pid_t tid)
{
	interrupt(tid);
	detach(tid);
}

static void hit_breakpoint(int id)
{
	atomic_store(&stage->trap, id);
	check_eq(await_stop(tid_of(id)), SIGTRAP);
}

#endif /* EVL_TEST_STOPS_H */
