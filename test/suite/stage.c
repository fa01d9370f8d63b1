// SPDX-License-Identifier: GPL-2.0-only
/* Moves between the stages, wanted and unwanted, and what tells about them. */
#include "helpers.h"
#include <evl/sys.h>

static unsigned int isw(void)
{
	return state_of(evl_get_self()).isw;
}

/* --- Wanted moves ------------------------------------------------------------------ */

static void to_and_fro(void)
{
	attach_fifo(10);
	for (int i = 0; i < 100; i++) {
		check_ok(evl_switch_inband());
		check(evl_is_inband());
		check_ok(evl_switch_inband());
		check(evl_is_inband());
		check_ok(evl_switch_oob());
		check(!evl_is_inband());
		check_ok(evl_switch_oob());
		check(!evl_is_inband());
	}
}

/* Each is issued in-band, and ends out-of-band. */
static void requests_move_oob(void)
{
	struct timespec past = { 0 };

	attach_fifo(10);
	check_ok(evl_switch_inband());
	check_ok(evl_yield());
	check(!evl_is_inband());
	check_ok(evl_switch_inband());
	check_ok(evl_sleep_until(EVL_CLOCK_MONOTONIC, &past));
	check(!evl_is_inband());
	check_ok(evl_switch_inband());
	check_ok(evl_usleep(1));
	check(!evl_is_inband());
	check_ok(evl_switch_inband());
	check_sys(oob_ioctl(evl_get_self(), EVL_THRIOC_YIELD));
	check(!evl_is_inband());
}

/* A request which fails still moves the caller, as the order of checks has it. */
static void failed_requests_move_oob(void)
{
	attach_fifo(10);
	check_ok(evl_switch_inband());
	check_errno(oob_ioctl(-1, EVL_THRIOC_YIELD), EBADF);
	check(!evl_is_inband());
}

static void weak_comes_back(void)
{
	attach_weak();
	check_ok(evl_usleep(1));
	check(evl_is_inband());
	check_ok(evl_yield());
	check(evl_is_inband());
	check_ok(sleep_until(now() + 2 * NSEC_PER_MSEC));
	check(evl_is_inband());
}

/* Weak threads with a priority are no different. */
static void prioritised_weak_comes_back(void)
{
	struct evl_sched_attrs attrs = { .sched_policy = SCHED_WEAK, .sched_priority = 30 };
	struct sched_param param;
	int efd = attach_weak();

	check_ok(evl_set_schedattr(efd, &attrs));
	check_ok(evl_usleep(1));
	check(evl_is_inband());
	check_eq(sched_getscheduler(0), SCHED_FIFO);
	check_sys(sched_getparam(0, &param));
	check_eq(param.sched_priority, 30);
}

/* --- Unwanted ones: system calls --------------------------------------------------------- */

static void system_call_demotes(void)
{
	unsigned int before;

	attach_fifo(10);
	check_ok(evl_switch_oob());
	before = isw();
	for (unsigned int i = 1; i <= 20; i++) {
		syscall(SYS_getppid);
		check(evl_is_inband());
		/* The request itself does not move it back. */
		check_eq(isw(), before + i);
		check(evl_is_inband());
		check_ok(evl_switch_oob());
	}
}

static void no_demotion_in_band(void)
{
	unsigned int before;

	attach_fifo(10);
	check_ok(evl_switch_inband());
	before = isw();
	for (int i = 0; i < 20; i++)
		syscall(SYS_getppid);
	check_eq(isw(), before);
}

static void unknown_call_does_not_demote(void)
{
	attach_fifo(10);
	check_ok(evl_switch_oob());
	check_errno(syscall(5000), ENOSYS);
	check(!evl_is_inband());
}

static void clock_calls_do_not_demote(void)
{
	struct timespec ts = { 0 };
	int64_t before;

	attach_fifo(10);
	check_ok(evl_switch_oob());
	before = now();
	check_sys(syscall(SYS_clock_gettime, CLOCK_MONOTONIC, &ts));
	check_ge(ts_ns(ts), before);
	check_le(ts_ns(ts), now());
	check(!evl_is_inband());
	before = now_on(EVL_CLOCK_REALTIME);
	check_sys(syscall(SYS_clock_gettime, CLOCK_REALTIME, &ts));
	check_ge(ts_ns(ts), before);
	check_le(ts_ns(ts), now_on(EVL_CLOCK_REALTIME));
	check(!evl_is_inband());
	/* A bad address is an error like any other. */
	check_errno(syscall(SYS_clock_gettime, CLOCK_MONOTONIC, 8L), EFAULT);
}

static void other_clock_call_demotes(void)
{
	struct timespec ts;

	attach_fifo(10);
	check_ok(evl_switch_oob());
	check_sys(syscall(SYS_clock_gettime, CLOCK_PROCESS_CPUTIME_ID, &ts));
	check(evl_is_inband());
}

/* Errors and results of system calls survive the move. */
static void results_survive(void)
{
	char buf[8] = "";
	int fds[2];

	check_sys(pipe(fds));
	attach_fifo(10);
	check_ok(evl_switch_oob());
	check_eq(write(fds[1], "across", 6), 6);
	check_ok(evl_switch_oob());
	check_eq(read(fds[0], buf, sizeof(buf)), 6);
	check_str(buf, "across");
	check_ok(evl_switch_oob());
	check_errno(close(-1), EBADF);
	check_ok(evl_switch_oob());
	check_errno(syscall(SYS_openat, AT_FDCWD, "/no/such/file", O_RDONLY), ENOENT);
}

/* --- Faults --------------------------------------------------------------------------------- */

static volatile sig_atomic_t fault_stage = -1;

static void fix_fault(int sig, siginfo_t *si, void *context)
{
	(void)sig;
	(void)context;
	fault_stage = evl_is_inband();
	mprotect(si->si_addr, 4096, PROT_READ | PROT_WRITE);
}

static void fault_demotes(void)
{
	struct sigaction sa = { .sa_sigaction = fix_fault, .sa_flags = SA_SIGINFO };
	char *page = mmap(NULL, 4096, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	check(page != MAP_FAILED);
	check_sys(sigaction(SIGSEGV, &sa, NULL));
	attach_fifo(10);
	check_ok(evl_switch_oob());
	*(volatile char *)page = 'f';
	check_eq(fault_stage, 1);
	check_eq(*page, 'f');
	check_ok(evl_switch_oob());
}

/* A fault which Linux solves alone goes unnoticed but for the move. */
static void soft_fault_is_solved(void)
{
	char *page = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	unsigned int before;

	check(page != MAP_FAILED);
	attach_fifo(10);
	check_sys(munlock(page, 4096));
	check_sys(madvise(page, 4096, MADV_DONTNEED));
	check_ok(evl_switch_oob());
	before = isw();
	*(volatile char *)page = 's';
	check(evl_is_inband());
	check_eq(isw(), before + 1);
	check_eq(*page, 's');
}

/* --- What user space sees ----------------------------------------------------------------------- */

static void window_of_weak(void)
{
	attach_weak();
	check_eq(evl_get_current_mode(), EVL_T_WEAK | EVL_T_USER | EVL_T_INBAND);
}

static void window_of_fifo(void)
{
	attach_fifo(10);
	check_eq(evl_get_current_mode(), EVL_T_USER);
	check_ok(evl_switch_inband());
	check_eq(evl_get_current_mode(), EVL_T_USER | EVL_T_INBAND);
	check_ok(evl_switch_oob());
	check_eq(evl_get_current_mode(), EVL_T_USER);
	check_ok(evl_detach_self());
	check_eq(evl_get_current_mode(), EVL_T_INBAND);
}

static void window_of_rr(void)
{
	struct evl_sched_attrs attrs = { .sched_policy = SCHED_RR, .sched_priority = 10,
					 .sched_rr_quantum.tv_nsec = 10 * NSEC_PER_MSEC };
	int efd = attach_fifo(10);

	check_ok(evl_set_schedattr(efd, &attrs));
	check_ok(evl_switch_inband());
	check_eq(evl_get_current_mode(), EVL_T_USER | EVL_T_INBAND | EVL_T_RRB);
}

static void counters_count(void)
{
	struct evl_thread_state old, new;
	int efd = attach_fifo(10), sleeps = 0;

	check_ok(evl_switch_oob());
	old = state_of(efd);
	for (int i = 0; i < 10; i++)
		check_ok(evl_yield());
	/* On a machine which is late, a date may be past before anybody sleeps. */
	do {
		check_ok(sleep_until(now() + NSEC_PER_MSEC));
		new = state_of(efd);
	} while (++sleeps < 1000 && new.csw < old.csw + 5);
	/* The requests above, the first of those which asked for the last. */
	check_eq(new.sc, old.sc + 10 + 2 * sleeps);
	check_eq(new.isw, old.isw);
	check_ge(new.csw, old.csw + 5);
	check_gt(new.xtime, old.xtime);
}

/* --- FPU ----------------------------------------------------------------------------------------- */

#define NR_XMM	16

static inline void load_xmm(uint64_t v)
{
	uint64_t pattern[2 * NR_XMM];

	for (int i = 0; i < NR_XMM; i++)
		pattern[2 * i] = pattern[2 * i + 1] = v + i;
	asm volatile("movups 0(%0), %%xmm0; movups 16(%0), %%xmm1; movups 32(%0), %%xmm2; movups 48(%0), %%xmm3;"
		     "movups 64(%0), %%xmm4; movups 80(%0), %%xmm5; movups 96(%0), %%xmm6; movups 112(%0), %%xmm7;"
		     "movups 128(%0), %%xmm8; movups 144(%0), %%xmm9; movups 160(%0), %%xmm10; movups 176(%0), %%xmm11;"
		     "movups 192(%0), %%xmm12; movups 208(%0), %%xmm13; movups 224(%0), %%xmm14; movups 240(%0), %%xmm15"
		     : : "r" (pattern) : "memory", "xmm0", "xmm1", "xmm2", "xmm3", "xmm4", "xmm5", "xmm6", "xmm7",
		     "xmm8", "xmm9", "xmm10", "xmm11", "xmm12", "xmm13", "xmm14", "xmm15");
}

static inline bool xmm_are(uint64_t v)
{
	uint64_t found[2 * NR_XMM];
	bool good = true;

	asm volatile("movups %%xmm0, 0(%0); movups %%xmm1, 16(%0); movups %%xmm2, 32(%0); movups %%xmm3, 48(%0);"
		     "movups %%xmm4, 64(%0); movups %%xmm5, 80(%0); movups %%xmm6, 96(%0); movups %%xmm7, 112(%0);"
		     "movups %%xmm8, 128(%0); movups %%xmm9, 144(%0); movups %%xmm10, 160(%0); movups %%xmm11, 176(%0);"
		     "movups %%xmm12, 192(%0); movups %%xmm13, 208(%0); movups %%xmm14, 224(%0); movups %%xmm15, 240(%0)"
		     : : "r" (found) : "memory");
	for (int i = 0; i < NR_XMM; i++)
		good = good && found[2 * i] == v + i && found[2 * i + 1] == v + i;
	return good;
}

/* Bare instructions between loading and looking, lest the compiler use the registers. */
static inline long bare_syscall(long nr, long a0, long a1, long a2, long a3, long a4)
{
	register long r10 asm("r10") = a3;
	register long r8 asm("r8") = a4;
	long ret;

	asm volatile("syscall" : "=a" (ret) : "a" (nr), "D" (a0), "S" (a1), "d" (a2), "r" (r10), "r" (r8)
		     : "rcx", "r11", "memory");
	return ret;
}

static void use_fpu(struct worker *w)
{
	uint64_t seed = (uint64_t)w->prio << 48;
	struct __evl_timespec date;
	int clockfd, round;

	attach_worker(w);
	clockfd = check_sys(open("/dev/evl/clock/monotonic", O_RDWR));
	for (round = 0; round < 100; round++) {
		int64_t next = now() + NSEC_PER_MSEC;
		bool kept;

		date.tv_sec = next / NSEC_PER_SEC;
		date.tv_nsec = next % NSEC_PER_SEC;
		load_xmm(seed + round);
		bare_syscall(SYS_getppid, 0, 0, 0, 0, 0);
		kept = xmm_are(seed + round);
		check(kept);
		load_xmm(seed - round);
		bare_syscall(SYS_prctl, PR_OOB_SYSCALL, sys_evl_ioctl, clockfd, EVL_CLKIOC_SLEEP, (long)&date);
		kept = xmm_are(seed - round);
		check(kept);
	}
}

static void fpu_survives(void)
{
	struct worker w[] = {
		{ .body = use_fpu, .name = "fpu1", .prio = 1, .cpu = other_cpu() },
		{ .body = use_fpu, .name = "fpu2", .prio = 2, .cpu = other_cpu() },
		{ .body = use_fpu, .name = "fpu3", .prio = 3, .cpu = 0 },
		{ .body = use_fpu, .name = "fpu4", .prio = 3, .cpu = other_cpu() },
	};

	for (unsigned int i = 0; i < ARRAY_SIZE(w); i++)
		start_worker(&w[i]);
	for (unsigned int i = 0; i < ARRAY_SIZE(w); i++)
		join_worker(&w[i]);
}

static const struct CMUnitTest tests[] = {
	TEST(to_and_fro, "evl_switch_oob and evl_switch_inband, repeated or not"),
	TEST(requests_move_oob, "requests move the caller out-of-band"),
	TEST(failed_requests_move_oob, "so do requests which fail"),
	TEST(weak_comes_back, "a weak thread is in-band after each request"),
	TEST(prioritised_weak_comes_back, "so is one with a priority, which it has in-band too"),
	TEST(system_call_demotes, "a system call moves the caller in-band, and is counted"),
	TEST(no_demotion_in_band, "system calls in-band do not count"),
	TEST(unknown_call_does_not_demote, "an unknown system call is ENOSYS and does not move the caller"),
	TEST(clock_calls_do_not_demote, "reading the main clocks by system call does not either"),
	TEST(other_clock_call_demotes, "reading another clock does"),
	TEST(results_survive, "results and errors of system calls survive the move"),
	TEST(fault_demotes, "a fault is handled in-band"),
	TEST(soft_fault_is_solved, "a page that is missing is brought in"),
	TEST(window_of_weak, "state bits of a weak thread"),
	TEST(window_of_fifo, "state bits of a real-time thread on each stage"),
	TEST(window_of_rr, "state bits of a round-robin thread"),
	TEST(counters_count, "requests, switches and CPU time are counted"),
	TEST(fpu_survives, "FPU registers survive every kind of switch"),
};

TEST_MAIN("stage", tests)
