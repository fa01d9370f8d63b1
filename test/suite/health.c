// SPDX-License-Identifier: GPL-2.0-only
/* Mode bits of threads, and the SIGDEBUG signals that they ask for. */
#include "helpers.h"
#include <evl/sys.h>

static int set_mode(int efd, int mask)
{
	int old = -1;

	check_ok(evl_set_thread_mode(efd, mask, &old));
	return old;
}

static int clear_mode(int efd, int mask)
{
	int old = -1;

	check_ok(evl_clear_thread_mode(efd, mask, &old));
	return old;
}

static int peek_mode(int efd)
{
	return clear_mode(efd, 0);
}

/* --- Bits --------------------------------------------------------------------------- */

static void modes_start_clear(void)
{
	check_eq(peek_mode(attach_weak()), 0);
}

static void setting_adds_a_way_to_report(void)
{
	int efd = attach_weak();

	check_eq(set_mode(efd, EVL_T_WOSS), 0);
	check_eq(peek_mode(efd), EVL_T_WOSS | EVL_T_HMSIG);
	check_eq(set_mode(efd, EVL_T_WOLI), EVL_T_WOSS | EVL_T_HMSIG);
	check_eq(peek_mode(efd), EVL_T_WOSS | EVL_T_WOLI | EVL_T_HMSIG);
}

static void setting_nothing_changes_nothing(void)
{
	int efd = attach_weak();

	check_eq(set_mode(efd, 0), 0);
	check_eq(peek_mode(efd), 0);
	set_mode(efd, EVL_T_WOSX);
	check_eq(set_mode(efd, 0), EVL_T_WOSX | EVL_T_HMSIG);
	check_eq(peek_mode(efd), EVL_T_WOSX | EVL_T_HMSIG);
	check_ok(evl_set_thread_mode(efd, 0, NULL));
}

static void clearing_the_last_warning(void)
{
	int efd = attach_weak();

	set_mode(efd, EVL_T_WOSS | EVL_T_WOLI);
	check_eq(clear_mode(efd, EVL_T_WOSS), EVL_T_WOSS | EVL_T_WOLI | EVL_T_HMSIG);
	check_eq(peek_mode(efd), EVL_T_WOLI | EVL_T_HMSIG);
	clear_mode(efd, EVL_T_WOLI);
	check_eq(peek_mode(efd), 0);
}

static void clearing_the_last_report(void)
{
	int efd = attach_weak();

	set_mode(efd, EVL_T_WOSS | EVL_T_WOLI | EVL_T_WOSX | EVL_T_WOSO);
	clear_mode(efd, EVL_T_HMSIG);
	check_eq(peek_mode(efd), 0);
}

static void bad_modes(void)
{
	int efd = attach_weak(), old = 123;

	check_eq(evl_set_thread_mode(efd, EVL_T_WEAK, &old), -EINVAL);
	check_eq(evl_set_thread_mode(efd, EVL_T_WOSS | EVL_T_INBAND, &old), -EINVAL);
	check_eq(evl_set_thread_mode(efd, EVL_T_HMOBS, &old), -EINVAL);
	check_eq(evl_clear_thread_mode(efd, EVL_T_USER, &old), -EINVAL);
	check_eq(old, 123);
	check_eq(peek_mode(efd), 0);
	check_eq(evl_set_thread_mode(-1, EVL_T_WOSS, &old), -EBADF);
	check_errno(ioctl(efd, EVL_THRIOC_SET_MODE, 8L), EFAULT);
	check_eq(peek_mode(efd), 0);
}

static void modes_of_another_thread_body(struct worker *w)
{
	attach_worker(w);
	await(atomic_load((atomic_bool *)w->arg));
	check_eq(peek_mode(w->efd), EVL_T_WOLI | EVL_T_HMSIG);
}

static void modes_of_another_thread(void)
{
	atomic_bool go = false;
	struct worker w = { .body = modes_of_another_thread_body, .name = "other", .arg = &go };

	start_worker(&w);
	await(atomic_load(&w.attached));
	set_mode(w.efd, EVL_T_WOLI);
	atomic_store(&go, true);
	join_worker(&w);
}

/* The window follows at the next request, also those which change it out-of-band. */
static void window_shows_modes(void)
{
	int efd = attach_fifo(10);

	set_mode(efd, EVL_T_WOLI);
	check_ok(evl_switch_oob());
	check_eq(evl_get_current_mode() & EVL_THREAD_MODE_BITS, EVL_T_WOLI | EVL_T_HMSIG);
	clear_mode(efd, EVL_T_WOLI);
	check_eq(evl_get_current_mode() & EVL_THREAD_MODE_BITS, 0);
}

/* --- SIGDEBUG: warn on stage switch ---------------------------------------------------- */

static int watched_fifo(void)
{
	int efd;

	catch_sigdebug();
	efd = attach_fifo(10);
	set_mode(efd, EVL_T_WOSS);
	check_ok(evl_switch_oob());
	return efd;
}

static void expect_only(int cause, int count)
{
	for (int i = 0; i < NR_CAUSES; i++)
		check_eq(take_sigdebug(i), i == cause ? count : 0);
	check_eq(atomic_load(&sigdebug_foreign), 0);
}

static void system_call_is_reported(void)
{
	watched_fifo();
	for (int i = 0; i < 10; i++) {
		syscall(SYS_getppid);
		expect_only(EVL_HMDIAG_SYSDEMOTE, 1);
		/* In-band now: no more. */
		syscall(SYS_getppid);
		expect_only(0, 0);
		check_ok(evl_switch_oob());
	}
}

static void signal_is_reported(void)
{
	catch_signal(SIGUSR1, 0);
	watched_fifo();
	check_sys(raise(SIGUSR1));
	/* raise() is a system call, so the move happened before the signal did. */
	expect_only(EVL_HMDIAG_SYSDEMOTE, 1);
}

static void watched_sleep(struct worker *w)
{
	attach_worker(w);
	set_mode(w->efd, EVL_T_WOSS);
	check_eq(sleep_until(INT64_MAX), -EINTR);
	check(evl_is_inband());
}

static void signal_to_sleeper_is_reported(void)
{
	struct worker w = { .body = watched_sleep, .name = "watched", .prio = 10, .cpu = other_cpu() };

	catch_sigdebug();
	catch_signal(SIGUSR1, 0);
	start_worker(&w);
	await(worker_sleeps(&w));
	signal_worker(&w, SIGUSR1);
	join_worker(&w);
	expect_only(EVL_HMDIAG_SIGDEMOTE, 1);
	check_eq(atomic_load(&signal_count), 1);
}

static void demotion_of_sleeper_is_reported(void)
{
	struct worker w = { .body = watched_sleep, .name = "watched", .prio = 10, .cpu = other_cpu() };

	catch_sigdebug();
	start_worker(&w);
	await(worker_sleeps(&w));
	check_ok(evl_demote_thread(w.efd));
	join_worker(&w);
	expect_only(EVL_HMDIAG_SIGDEMOTE, 1);
}

static void unprotect(int sig, siginfo_t *si, void *context)
{
	(void)sig;
	(void)context;
	mprotect(si->si_addr, 4096, PROT_READ | PROT_WRITE);
}

static void fault_is_reported(void)
{
	struct sigaction sa = { .sa_sigaction = unprotect, .sa_flags = SA_SIGINFO };
	char *page = mmap(NULL, 4096, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	check(page != MAP_FAILED);
	check_sys(sigaction(SIGSEGV, &sa, NULL));
	watched_fifo();
	*(volatile char *)page = 1;
	expect_only(EVL_HMDIAG_EXDEMOTE, 1);
}

static void wanted_move_is_not_reported(void)
{
	int efd = watched_fifo();

	check_sys(oob_ioctl(efd, EVL_THRIOC_SWITCH_INBAND));
	check(evl_is_inband());
	check_ok(evl_switch_oob());
	expect_only(0, 0);
}

static void detaching_is_not_reported(void)
{
	watched_fifo();
	check_ok(evl_detach_self());
	expect_only(0, 0);
}

static void weak_return_is_not_reported(void)
{
	int efd;

	catch_sigdebug();
	efd = attach_weak();
	set_mode(efd, EVL_T_WOSS);
	for (int i = 0; i < 5; i++)
		check_ok(evl_usleep(1));
	syscall(SYS_getppid);
	expect_only(0, 0);
}

static void clock_calls_are_not_reported(void)
{
	struct timespec ts;

	watched_fifo();
	check_sys(syscall(SYS_clock_gettime, CLOCK_MONOTONIC, &ts));
	check_errno(syscall(5000), ENOSYS);
	check_ok(evl_usleep(1));
	expect_only(0, 0);
}

static void cleared_mode_is_silent(void)
{
	int efd = watched_fifo();

	clear_mode(efd, EVL_T_WOSS);
	syscall(SYS_getppid);
	expect_only(0, 0);
}

static void ignore_death(void *arg)
{
	(void)arg;
	attach_fifo(10);
	set_mode(evl_get_self(), EVL_T_WOSS);
	check_ok(evl_switch_oob());
	syscall(SYS_getppid);
	check_fail("SIGDEBUG without a handler did not kill");
}

static void unhandled_kills(void)
{
	wait_signal(fork_child(ignore_death, NULL), SIGDEBUG);
}

/* The handler which the library offers tells the cause on standard output. */
static void ready_made_handler(void)
{
	struct sigaction sa = { .sa_sigaction = evl_sigdebug_handler, .sa_flags = SA_SIGINFO };
	char text[256] = "";
	int fds[2], out;

	check_sys(pipe(fds));
	out = check_sys(dup(STDOUT_FILENO));
	check_sys(sigaction(SIGDEBUG, &sa, NULL));
	attach_fifo(10);
	set_mode(evl_get_self(), EVL_T_WOSS);
	check_sys(dup2(fds[1], STDOUT_FILENO));
	check_ok(evl_switch_oob());
	syscall(SYS_getppid);
	check_sys(dup2(out, STDOUT_FILENO));
	close(fds[1]);
	check_gt(read(fds[0], text, sizeof(text) - 1), 0);
	check(strchr(text, '\n'));
	check_eq(read(fds[0], text, sizeof(text)), 0);
}

/* A signal of the same number from elsewhere is not taken for ours. */
static void foreign_signal_is_not_marked(void)
{
	catch_sigdebug();
	check_sys(raise(SIGXCPU));
	for (int i = 0; i < NR_CAUSES; i++)
		check_eq(take_sigdebug(i), 0);
	check_eq(atomic_load(&sigdebug_foreign), 1);
}

static const struct CMUnitTest tests[] = {
	TEST(modes_start_clear, "a new thread has no mode set"),
	TEST(setting_adds_a_way_to_report, "setting a warning adds EVL_T_HMSIG, and tells the old mode"),
	TEST(setting_nothing_changes_nothing, "an empty mask changes nothing"),
	TEST(clearing_the_last_warning, "the last warning takes the ways to report along"),
	TEST(clearing_the_last_report, "the last way to report takes the warnings along"),
	TEST(bad_modes, "other bits are -EINVAL and change nothing"),
	TEST(modes_of_another_thread, "modes of another thread can be set"),
	TEST(window_shows_modes, "evl_get_current_mode tells them"),
	TEST(system_call_is_reported, "SYSDEMOTE: a system call, once"),
	TEST(signal_is_reported, "SYSDEMOTE: a signal to oneself is a system call first"),
	TEST(signal_to_sleeper_is_reported, "SIGDEMOTE: a signal to a sleeping thread"),
	TEST(demotion_of_sleeper_is_reported, "SIGDEMOTE: a sleeping thread is demoted"),
	TEST(fault_is_reported, "EXDEMOTE: a fault"),
	TEST(wanted_move_is_not_reported, "a move by request is not reported"),
	TEST(detaching_is_not_reported, "nor is detaching"),
	TEST(weak_return_is_not_reported, "nor the return of a weak thread"),
	TEST(clock_calls_are_not_reported, "nor calls which do not demote"),
	TEST(cleared_mode_is_silent, "nor anything without the mode"),
	TEST(unhandled_kills, "SIGDEBUG kills by default"),
	TEST(ready_made_handler, "evl_sigdebug_handler writes a line"),
	TEST(foreign_signal_is_not_marked, "a SIGXCPU from elsewhere is not marked"),
};

TEST_MAIN("health", tests)
