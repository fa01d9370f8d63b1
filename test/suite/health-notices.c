// SPDX-License-Identifier: GPL-2.0-only
/*
 * Health told by the observable of a thread: each code with its details, once, alone or beside SIGDEBUG. Those which
 * take a driver, or long, are in kfile.c and watchdog.c.
 */
#include "notices.h"
#include "puppet.h"
#include "fault.h"
#include <evl/sem.h>
#include <evl/sys.h>
#include <evl/xbuf.h>
#include <ucontext.h>

/* The one who is watched. The first thread, which is not attached, reads the notices. */
static struct puppet seen;
static int seen_mode;
static struct evl_mutex mutex;
static struct evl_sem sem;

static int go_inband(struct puppet *p)
{
	(void)p;
	check_ok(evl_switch_oob());
	return evl_switch_inband();
}

static void watch(int warnings, int ways)
{
	if (seen_mode)
		check_ok(evl_clear_thread_mode(seen.w.efd, seen_mode, NULL));
	seen_mode = warnings | ways;
	check_ok(evl_set_thread_mode(seen.w.efd, seen_mode, NULL));
	/* Its next request shows that to the library. */
	check_eq(perform(&seen, go_inband, NULL), 0);
}

static void start_seen(void)
{
	catch_sigdebug();
	catch_signal(SIGUSR1, 0);
	new_mutex(&mutex, "mutex");
	check_ok(evl_new_sem(&sem, "sem:%d", getpid()));
	start_observable_puppet(&seen, "seen", 10, other_cpu());
	check_ok(evl_subscribe(seen.w.efd, 16, 0));
	set_nonblocking(seen.w.efd, true);
}

static void expect_silence(void)
{
	struct evl_notification nf;

	check_eq(evl_read_observable(seen.w.efd, &nf, 1), -EAGAIN);
	for (int cause = 0; cause < NR_CAUSES; cause++)
		check_eq(take_sigdebug(cause), 0);
	check_eq(atomic_load(&sigdebug_foreign), 0);
}

static void expect_notice(int cause, const void *details)
{
	struct evl_notification nf;

	await(evl_read_observable(seen.w.efd, &nf, 1) == 1);
	check_eq(nf.tag, cause);
	check_eq(nf.issuer, 0);
	check_eq(nf.event.lval, (intptr_t)details);
	check_le(ts_ns(nf.date), now());
	if (seen_mode & EVL_T_HMSIG)
		await(take_sigdebug(cause) == 1);
}

static void expect_told(int cause, const void *details)
{
	expect_notice(cause, details);
	expect_silence();
}

/* By the observable alone, then by both. */
static void each_way(int warnings, void (*provoke)(void))
{
	static const int ways[] = { EVL_T_HMOBS, EVL_T_HMOBS | EVL_T_HMSIG };

	start_seen();
	for (unsigned int i = 0; i < ARRAY_SIZE(ways); i++) {
		watch(warnings, ways[i]);
		provoke();
	}
	end_puppet(&seen);
}

/* --- WOSS -------------------------------------------------------------------------------------- */

static int sleep_on(struct puppet *p)
{
	(void)p;
	return sleep_until(INT64_MAX);
}

static atomic_bool spins;

static int spin(struct puppet *p)
{
	(void)p;
	check_ok(evl_switch_oob());
	atomic_store(&spins, true);
	while (!evl_is_inband())
		__builtin_ia32_pause();
	return 0;
}

static void signal_twice(void)
{
	begin_wait(&seen, sleep_on, NULL);
	signal_worker(&seen.w, SIGUSR1);
	check_eq(result(&seen), -EINTR);
	expect_told(EVL_HMDIAG_SIGDEMOTE, NULL);

	/* It leaves Linux nothing of its CPU. */
	pin_to(0);
	atomic_store(&spins, false);
	begin(&seen, spin, NULL);
	await(atomic_load(&spins));
	signal_worker(&seen.w, SIGUSR1);
	check_eq(result(&seen), 0);
	expect_told(EVL_HMDIAG_SIGDEMOTE, NULL);
}

static void signals(void)
{
	each_way(EVL_T_WOSS, signal_twice);
}

static int call_linux(struct puppet *p)
{
	(void)p;
	check_ok(evl_switch_oob());
	return syscall(SYS_getppid) == getppid() ? 0 : -EINVAL;
}

static void call_once(void)
{
	check_eq(perform(&seen, call_linux, NULL), 0);
	expect_told(EVL_HMDIAG_SYSDEMOTE, NULL);
}

static void system_calls(void)
{
	each_way(EVL_T_WOSS, call_once);
}

/* Functions of which one instruction, from NAME_at to NAME_after, raises an exception. */
#define TRAP(__name, __before, __insn)			\
	extern char __name##_at[], __name##_after[];	\
	void __name##_trap(void *arg);			\
	asm(".pushsection .text\n"			\
	    #__name "_trap:\n" __before "\n"		\
	    #__name "_at:" __insn "\n"			\
	    #__name "_after: ret\n"			\
	    ".popsection\n")

TRAP(store, "", "movb $1, (%rdi)");
TRAP(divide, "xor %eax, %eax; xor %edx, %edx; xor %ecx, %ecx", "divl %ecx");
TRAP(undefined, "", "ud2");

struct trap {
	void (*run)(void *arg);
	void *arg;
	char *at, *after;
};

static const struct trap *trap;

static void pass_over(int sig, siginfo_t *si, void *context)
{
	ucontext_t *uc = context;

	(void)sig;
	(void)si;
	check(evl_is_inband());
	check_eq(uc->uc_mcontext.gregs[REG_RIP], (intptr_t)trap->at);
	uc->uc_mcontext.gregs[REG_RIP] = (intptr_t)trap->after;
}

static int run_trap(struct puppet *p)
{
	trap = p->arg;
	check_ok(evl_switch_oob());
	trap->run(trap->arg);
	return evl_is_inband() ? 0 : -EINVAL;
}

static void run_traps(void)
{
	static const struct trap traps[] = {
		{ store_trap, (void *)8, store_at, store_after },
		{ store_trap, (void *)(1UL << 62), store_at, store_after },
		{ divide_trap, NULL, divide_at, divide_after },
		{ undefined_trap, NULL, undefined_at, undefined_after },
	};

	for (unsigned int i = 0; i < ARRAY_SIZE(traps); i++) {
		check_eq(perform(&seen, run_trap, (void *)&traps[i]), 0);
		expect_told(EVL_HMDIAG_EXDEMOTE, traps[i].at);
	}
}

static void exceptions(void)
{
	static const int sigs[] = { SIGSEGV, SIGFPE, SIGILL };
	struct sigaction sa = { .sa_sigaction = pass_over, .sa_flags = SA_SIGINFO };

	for (unsigned int i = 0; i < ARRAY_SIZE(sigs); i++)
		check_sys(sigaction(sigs[i], &sa, NULL));
	each_way(EVL_T_WOSS, run_traps);
}

/* prctl() by hand: who is demoted inside of it comes from known_request_after. */
extern char known_request_after[];
long known_request(int op, int nr, int fd, const void *buf, size_t count);
asm(".pushsection .text\n"
    "known_request:\n"
    "	mov $157, %eax\n"
    "	mov %rcx, %r10\n"
    "	syscall\n"
    "known_request_after:\n"
    "	ret\n"
    ".popsection\n");

static int xfd;

static int write_page(struct puppet *p)
{
	struct fault_page *page = p->arg;

	int ret;

	check_ok(evl_switch_oob());
	ret = known_request(PR_OOB_SYSCALL, sys_evl_write, xfd, page->addr, 8);
	/* It may be back out-of-band by now. */
	check_ok(evl_switch_inband());
	return ret;
}

/* Whoever lacks a page in a request has to wait for it in-band. */
static void lack_page(void)
{
	struct fault_page page;
	char buf[8];

	new_fault_page(&page);
	/* It came with the memory lock. */
	check_sys(munlock(page.addr, 4096));
	check_sys(madvise(page.addr, 4096, MADV_DONTNEED));
	begin(&seen, write_page, &page);
	await_fault(&page);
	await(worker_bits(&seen.w) & EVL_T_INBAND);
	resolve_fault(&page, NULL);
	check_eq(result(&seen), 8);
	check_eq(read(xfd, buf, 8), 8);
	expect_told(EVL_HMDIAG_EXDEMOTE, known_request_after);
	munmap(page.addr, 4096);
	close(page.uffd);
}

static void missing_pages(void)
{
	check_ok(evl_init());
	xfd = check_ok(evl_new_xbuf(64, "xbuf:%d", getpid()));
	each_way(EVL_T_WOSS, lack_page);
}

/* --- WOLI -------------------------------------------------------------------------------------- */

static struct puppet other;

static void depend_on_seen(void)
{
	check_eq(perform(&seen, lock, &mutex), 0);
	check_eq(perform(&seen, go_inband, NULL), 0);
	/* Nobody waits. */
	expect_silence();
	begin_wait(&other, lock, &mutex);
	check_eq(perform(&seen, go_inband, NULL), 0);
	expect_told(EVL_HMDIAG_LKDEPEND, NULL);
	/* Each time, as long as somebody does. */
	check_eq(perform(&seen, go_inband, NULL), 0);
	expect_told(EVL_HMDIAG_LKDEPEND, NULL);
	check_eq(perform(&seen, unlock, &mutex), 0);
	check_eq(result(&other), 0);
	check_eq(perform(&seen, go_inband, NULL), 0);
	check_eq(perform(&other, unlock, &mutex), 0);
	expect_silence();
}

static void seen_depends(void)
{
	check_eq(perform(&other, lock, &mutex), 0);
	check_eq(perform(&other, go_inband, NULL), 0);
	begin_wait(&seen, lock, &mutex);
	expect_told(EVL_HMDIAG_LKDEPEND, NULL);
	check_eq(perform(&other, unlock, &mutex), 0);
	check_eq(result(&seen), 0);
	check_eq(perform(&seen, unlock, &mutex), 0);
	expect_silence();
}

static void with_other(void (*provoke)(void))
{
	check_ok(evl_init());
	start_puppet(&other, "other", 20, 0);
	each_way(EVL_T_WOLI, provoke);
	end_puppet(&other);
}

static void owner_goes_inband(void)
{
	with_other(depend_on_seen);
}

static void owner_is_inband(void)
{
	with_other(seen_depends);
}

static void unlock_wrongly(void)
{
	check_eq(perform(&seen, unlock, &mutex), -EPERM);
	expect_told(EVL_HMDIAG_LKIMBALANCE, NULL);
	check_eq(perform(&other, lock, &mutex), 0);
	check_eq(perform(&seen, unlock, &mutex), -EPERM);
	expect_told(EVL_HMDIAG_LKIMBALANCE, NULL);
	check_eq(perform(&other, unlock, &mutex), 0);
	check_eq(perform(&seen, lock, &mutex), 0);
	check_eq(perform(&seen, unlock, &mutex), 0);
	expect_silence();
}

static void wrong_unlocks(void)
{
	with_other(unlock_wrongly);
}

static int sleep_on_sem(struct puppet *p)
{
	struct timespec date = ns_ts(now() + NSEC_PER_MSEC);

	return evl_timedget_sem(p->arg, &date);
}

static int get_unit(struct puppet *p)
{
	return evl_get_sem(p->arg);
}

static void sleep_owning(void)
{
	check_eq(perform(&seen, sleep_on_sem, &sem), -ETIMEDOUT);
	expect_silence();
	check_eq(perform(&seen, lock, &mutex), 0);
	check_eq(perform(&seen, sleep_on_sem, &sem), -ETIMEDOUT);
	expect_told(EVL_HMDIAG_LKSLEEP, NULL);
	/* Once, until it takes or drops one. */
	check_eq(perform(&seen, sleep_on_sem, &sem), -ETIMEDOUT);
	expect_silence();
	check_eq(perform(&seen, unlock, &mutex), 0);
	check_eq(perform(&seen, sleep_on_sem, &sem), -ETIMEDOUT);
	expect_silence();
	/* Told right away, not when the sleep ends. */
	check_eq(perform(&seen, lock, &mutex), 0);
	begin(&seen, get_unit, &sem);
	expect_told(EVL_HMDIAG_LKSLEEP, NULL);
	check_ok(evl_put_sem(&sem));
	check_eq(result(&seen), 0);
	check_eq(perform(&seen, unlock, &mutex), 0);
}

static void sleeping_owners(void)
{
	each_way(EVL_T_WOLI, sleep_owning);
}

/* --- Together ------------------------------------------------------------------------------------ */

static int lock_and_call(struct puppet *p)
{
	check_ok(evl_switch_oob());
	await(evl_trylock_mutex(p->arg) == 0);
	return 0;
}

/* What one thing comes to is told in one order. By signal, only the first one would be: they do not queue. */
static void call_while_awaited(void)
{
	check_eq(perform(&seen, lock_and_call, &mutex), 0);
	/* On its way back to where it waits for an act. */
	expect_told(EVL_HMDIAG_SYSDEMOTE, NULL);
	begin_wait(&other, lock, &mutex);
	check_eq(perform(&seen, call_linux, NULL), 0);
	expect_notice(EVL_HMDIAG_LKDEPEND, NULL);
	expect_told(EVL_HMDIAG_SYSDEMOTE, NULL);
	check_eq(perform(&seen, unlock, &mutex), 0);
	expect_notice(EVL_HMDIAG_SYSDEMOTE, NULL);
	expect_silence();
	check_eq(result(&other), 0);
	check_eq(perform(&other, unlock, &mutex), 0);
}

static void both_at_once(void)
{
	check_ok(evl_init());
	start_puppet(&other, "other", 20, 0);
	start_seen();
	watch(EVL_T_WOSS | EVL_T_WOLI, EVL_T_HMOBS);
	call_while_awaited();
	end_puppet(&seen);
	end_puppet(&other);
}

static const struct CMUnitTest tests[] = {
	TEST(signals, "SIGDEMOTE: signals, asleep and in user space"),
	TEST(system_calls, "SYSDEMOTE: system calls"),
	TEST(exceptions, "EXDEMOTE: exceptions, and where they happened"),
	TEST(missing_pages, "EXDEMOTE: a page which is missing, in a request"),
	TEST(owner_goes_inband, "LKDEPEND: in-band with a mutex, if somebody waits for it"),
	TEST(owner_is_inband, "LKDEPEND: about to wait for an owner in-band"),
	TEST(wrong_unlocks, "LKIMBALANCE: unlocking a mutex of nobody, or somebody else"),
	TEST(sleeping_owners, "LKSLEEP: a sleep with a mutex, once"),
	TEST(both_at_once, "two of them at once, in order"),
};

TEST_MAIN("health-notices", tests)
