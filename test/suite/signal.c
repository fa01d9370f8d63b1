// SPDX-License-Identifier: GPL-2.0-only
/* Signals to threads out-of-band, forced unblocking, demotion. */
#include "helpers.h"
#include <evl/sys.h>
#include <sys/time.h>
#include <sys/wait.h>

/* --- Signals to a sleeper --------------------------------------------------------------- */

struct sleeper {
	int64_t date;
	int result;
	int64_t woken;
	bool inband;
};

static void sleep_once(struct worker *w)
{
	struct sleeper *s = w->arg;

	attach_worker(w);
	s->result = sleep_until(s->date);
	s->woken = now();
	s->inband = evl_is_inband();
}

static void start_sleeper(struct worker *w, struct sleeper *s, int64_t date)
{
	*s = (struct sleeper){ .date = date };
	*w = (struct worker){ .body = sleep_once, .name = "sleeper", .prio = 10, .arg = s, .cpu = other_cpu() };
	start_worker(w);
	await(worker_sleeps(w));
}

static void signal_interrupts_sleep(void)
{
	struct sleeper s;
	struct worker w;

	catch_signal(SIGUSR1, 0);
	start_sleeper(&w, &s, INT64_MAX);
	signal_worker(&w, SIGUSR1);
	join_worker(&w);
	check_eq(s.result, -EINTR);
	check_eq(atomic_load(&signal_count), 1);
	check(s.inband);
}

static void restart_resumes_sleep(void)
{
	int64_t date = now() + 300 * NSEC_PER_MSEC;
	struct sleeper s;
	struct worker w;

	catch_signal(SIGUSR1, SA_RESTART);
	start_sleeper(&w, &s, date);
	for (int i = 1; i <= 5; i++) {
		signal_worker(&w, SIGUSR1);
		await(atomic_load(&signal_count) == i);
	}
	join_worker(&w);
	check_eq(s.result, 0);
	check_reached(s.woken, date);
	check(!s.inband);
}

static void nap_once(struct worker *w)
{
	attach_worker(w);
	w->result = evl_usleep(1000000);
}

static void naps_are_sleeps(void)
{
	static const struct {
		const char *name;
		int flags, result;
	} rules[] = { { "ends", 0, -EINTR }, { "goes-on", SA_RESTART, 0 } };

	for (unsigned int i = 0; i < ARRAY_SIZE(rules); i++) {
		struct worker w = { .body = nap_once, .name = rules[i].name, .prio = 10, .cpu = other_cpu() };
		int64_t start = now();

		catch_signal(SIGUSR1, rules[i].flags);
		start_worker(&w);
		await(worker_sleeps(&w));
		signal_worker(&w, SIGUSR1);
		join_worker(&w);
		check_eq(w.result, rules[i].result);
		check_eq(atomic_load(&signal_count), i + 1);
		if (!w.result)
			check_reached(now(), start + NSEC_PER_SEC);
	}
}

static void ignored_signal_does_not_disturb(void)
{
	struct sleeper s;
	struct worker w;
	unsigned int isw;

	signal(SIGUSR1, SIG_IGN);
	start_sleeper(&w, &s, INT64_MAX);
	isw = state_of(w.efd).isw;
	signal_worker(&w, SIGUSR1);
	signal_worker(&w, SIGUSR1);
	/* Once the reason to wake up is another one, nothing came before. */
	check_eq(state_of(w.efd).isw, isw);
	check_ok(evl_unblock_thread(w.efd));
	join_worker(&w);
	check_eq(s.result, -EINTR);
	check(!s.inband);
}

static void sleep_with_signal_blocked(struct worker *w)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGUSR1);
	check_eq(pthread_sigmask(SIG_BLOCK, &set, NULL), 0);
	sleep_once(w);
	check_eq(atomic_load(&signal_count), 0);
	check_eq(pthread_sigmask(SIG_UNBLOCK, &set, NULL), 0);
	check_eq(atomic_load(&signal_count), 1);
}

static void blocked_signal_waits(void)
{
	struct sleeper s = { .date = now() + 200 * NSEC_PER_MSEC };
	struct worker w = { .body = sleep_with_signal_blocked, .name = "sleeper", .prio = 10, .arg = &s };

	catch_signal(SIGUSR1, 0);
	start_worker(&w);
	await(worker_sleeps(&w) || atomic_load(&w.done));
	signal_worker(&w, SIGUSR1);
	join_worker(&w);
	check_eq(s.result, 0);
	check_reached(s.woken, s.date);
	check(!s.inband);
}

static void signal_to_process(void)
{
	struct sleeper s;
	struct worker w;
	sigset_t set;

	/* Only the sleeper takes it. */
	catch_signal(SIGUSR1, 0);
	start_sleeper(&w, &s, INT64_MAX);
	sigemptyset(&set);
	sigaddset(&set, SIGUSR1);
	check_eq(pthread_sigmask(SIG_BLOCK, &set, NULL), 0);
	check_sys(kill(getpid(), SIGUSR1));
	join_worker(&w);
	check_eq(s.result, -EINTR);
	check_eq(atomic_load(&signal_count), 1);
}

static void signal_without_handler_kills(void *arg)
{
	struct sleeper s;
	struct worker w;

	(void)arg;
	start_sleeper(&w, &s, INT64_MAX);
	signal_worker(&w, SIGTERM);
	for (;;)
		pause();
}

static void fatal_signal_kills(void)
{
	wait_signal(fork_child(signal_without_handler_kills, NULL), SIGTERM);
}

static void stop_and_continue(void *arg)
{
	/* Not over by the time that a slow machine sees it asleep. */
	int64_t date = now() + NSEC_PER_SEC;
	struct sleeper s;
	struct worker w;

	(void)arg;
	start_sleeper(&w, &s, date);
	check_sys(kill(getpid(), SIGSTOP));
	join_worker(&w);
	check_eq(s.result, 0);
	check_reached(s.woken, date);
}

static void survives_stop(void)
{
	pid_t pid = fork_child(stop_and_continue, NULL);
	int status;

	check_eq(waitpid(pid, &status, WUNTRACED), pid);
	check(WIFSTOPPED(status));
	check_sys(kill(pid, SIGCONT));
	wait_success(pid);
}

/* --- Signals to a spinner ------------------------------------------------------------------ */

static atomic_bool stop_spinning;
static atomic_long spins;

static void stop_spinner(int sig)
{
	(void)sig;
	atomic_fetch_add(&signal_count, 1);
	atomic_store(&stop_spinning, true);
}

static void spin(struct worker *w)
{
	attach_worker(w);
	check_ok(evl_switch_oob());
	while (!atomic_load(&stop_spinning))
		atomic_fetch_add(&spins, 1);
	w->result = evl_is_inband();
	check_ok(evl_switch_oob());
}

static void signal_reaches_spinner(void)
{
	struct worker w = { .body = spin, .name = "spinner", .prio = 10, .cpu = other_cpu() };
	struct sigaction sa = { .sa_handler = stop_spinner };

	check_sys(sigaction(SIGUSR1, &sa, NULL));
	start_hog(&w);
	await(atomic_load(&spins) > 0);
	signal_worker(&w, SIGUSR1);
	join_worker(&w);
	check_eq(atomic_load(&signal_count), 1);
	check(w.result);
}

static void timer_signals(void)
{
	struct itimerval value = { .it_interval.tv_usec = 5000, .it_value.tv_usec = 5000 };

	catch_signal(SIGALRM, SA_RESTART);
	attach_fifo(10);
	check_sys(setitimer(ITIMER_REAL, &value, NULL));
	while (atomic_load(&signal_count) < 20) {
		int64_t date = now() + 3 * NSEC_PER_MSEC;

		check_ok(sleep_until(date));
		check_reached(now(), date);
	}
}

/* A shower of signals on a thread which keeps changing stage. */
static void change_stage(struct worker *w)
{
	attach_worker(w);
	for (int i = 0; i < 400; i++) {
		check_ok(evl_switch_oob());
		check(!evl_is_inband() || atomic_load(&signal_count));
		check_ok(sleep_until(now() + 10000));
		syscall(SYS_getppid);
	}
	atomic_store(&stop_spinning, true);
}

static void shower_of_signals(void)
{
	struct worker w = { .body = change_stage, .name = "target", .prio = 10, .cpu = other_cpu() };

	catch_signal(SIGUSR1, SA_RESTART);
	start_worker(&w);
	await(atomic_load(&w.attached));
	while (!atomic_load(&stop_spinning)) {
		/* It may have exited by now. */
		syscall(SYS_tgkill, getpid(), atomic_load(&w.tid), SIGUSR1);
		sched_yield();
	}
	join_worker(&w);
}

/* --- Unblocking -------------------------------------------------------------------------------- */

static void unblock_ends_sleep(void)
{
	struct sleeper s;
	struct worker w;

	start_sleeper(&w, &s, INT64_MAX);
	check_ok(evl_unblock_thread(w.efd));
	join_worker(&w);
	check_eq(s.result, -EINTR);
	check(!s.inband);
}

static void unblock_from_oob(void)
{
	struct sleeper s;
	struct worker w;

	start_sleeper(&w, &s, INT64_MAX);
	attach_fifo(20);
	check_ok(evl_switch_oob());
	check_ok(evl_unblock_thread(w.efd));
	check(!evl_is_inband());
	join_worker(&w);
	check_eq(s.result, -EINTR);
}

/* It is not remembered. */
static void unblock_of_runner(void)
{
	int64_t date;
	int efd = attach_fifo(10);

	check_ok(evl_unblock_thread(efd));
	date = now() + 5 * NSEC_PER_MSEC;
	check_ok(sleep_until(date));
	check_reached(now(), date);
}

/* Ended by whoever has a right to it, a wait does not begin again for a signal which came before that was told. */
static void end_with_signal(int (*end)(int efd))
{
	struct worker keeper = { .body = spin, .name = "keeper", .prio = 20, .cpu = other_cpu() };
	struct sleeper s;
	struct worker w;

	catch_signal(SIGUSR1, SA_RESTART);
	start_sleeper(&w, &s, INT64_MAX);
	start_worker(&keeper);
	await(atomic_load(&spins) > 0);
	check_ok(end(w.efd));
	signal_worker(&w, SIGUSR1);
	atomic_store(&stop_spinning, true);
	await(atomic_load(&w.done));
	join_worker(&w);
	join_worker(&keeper);
	check_eq(s.result, -EINTR);
	check_eq(atomic_load(&signal_count), 1);
}

static void unblock_outlives_signal(void)
{
	end_with_signal(evl_unblock_thread);
}

static void unblock_errors(void)
{
	int fd = check_sys(open("/dev/null", O_RDWR));

	check_ok(evl_init());
	check_eq(evl_unblock_thread(-1), -EBADF);
	check_eq(evl_unblock_thread(1000), -EBADF);
	check_eq(evl_unblock_thread(fd), -EBADF);
	check_eq(evl_demote_thread(-1), -EBADF);
	attach_fifo(10);
	check_ok(evl_switch_oob());
	check_eq(evl_unblock_thread(fd), -EBADF);
}

/* --- Demotion ------------------------------------------------------------------------------------ */

static void demote_ends_sleep(void)
{
	struct sleeper s;
	struct worker w;

	start_sleeper(&w, &s, INT64_MAX);
	check_ok(evl_demote_thread(w.efd));
	join_worker(&w);
	check_eq(s.result, -EINTR);
	check(s.inband);
}

static void demotion_outlives_signal(void)
{
	end_with_signal(evl_demote_thread);
}

static void spin_until_inband(struct worker *w)
{
	struct evl_sched_attrs attrs;

	attach_worker(w);
	check_ok(evl_switch_oob());
	atomic_fetch_add(&spins, 1);
	while (!evl_is_inband())
		__builtin_ia32_pause();
	attrs = attrs_of(w->efd);
	check_eq(attrs.sched_policy, SCHED_WEAK);
	check_eq(attrs.sched_priority, 0);
	check_eq(sched_getscheduler(0), SCHED_OTHER);
	/* Weak from now on, until told otherwise. */
	check_ok(evl_usleep(1));
	check(evl_is_inband());
	check_ok(set_fifo(w->efd, 5));
	check_ok(evl_usleep(1));
	check(!evl_is_inband());
}

static void demote_stops_spinner(void)
{
	struct worker w = { .body = spin_until_inband, .name = "spinner", .prio = 10, .cpu = other_cpu() };

	start_hog(&w);
	await(atomic_load(&spins) > 0);
	check_ok(evl_demote_thread(w.efd));
	join_worker(&w);
}

static void demote_self(void)
{
	int efd = attach_fifo(10);

	check_ok(evl_switch_oob());
	check_ok(evl_demote_thread(efd));
	check(evl_is_inband());
	check_eq(attrs_of(efd).sched_policy, SCHED_WEAK);
}

static void demote_inband(void)
{
	int efd = attach_fifo(10);

	check_ok(evl_switch_inband());
	check_ok(evl_demote_thread(efd));
	check_eq(attrs_of(efd).sched_policy, SCHED_WEAK);
	check_eq(attrs_of(efd).sched_priority, 0);
	check_ok(evl_usleep(1));
	check(evl_is_inband());
}

static const struct CMUnitTest tests[] = {
	TEST(signal_interrupts_sleep, "a handled signal ends a sleep: -EINTR"),
	TEST(restart_resumes_sleep, "with SA_RESTART, the sleep goes on to its date"),
	TEST(naps_are_sleeps, "evl_usleep() goes by the same rule"),
	TEST(ignored_signal_does_not_disturb, "an ignored signal does nothing"),
	TEST(blocked_signal_waits, "a blocked signal waits"),
	TEST(signal_to_process, "a signal to the process finds the thread which takes it"),
	TEST(fatal_signal_kills, "a signal nobody handles kills the process"),
	TEST(survives_stop, "a sleep survives SIGSTOP and SIGCONT"),
	TEST(signal_reaches_spinner, "a signal reaches a thread which makes no request"),
	TEST(timer_signals, "a sleeping thread takes the signals of an interval timer"),
	TEST(shower_of_signals, "many signals to a thread which keeps changing stage"),
	TEST(unblock_ends_sleep, "evl_unblock_thread ends a sleep: -EINTR"),
	TEST(unblock_from_oob, "also from out-of-band"),
	TEST(unblock_of_runner, "a thread which does not sleep is not unblocked later"),
	TEST(unblock_outlives_signal, "a signal which comes right after does not make the sleep begin again"),
	TEST(unblock_errors, "descriptors which name no thread are errors"),
	TEST(demote_ends_sleep, "evl_demote_thread ends a sleep, in-band"),
	TEST(demotion_outlives_signal, "whatever signal comes right after"),
	TEST(demote_stops_spinner, "and takes a spinning thread in-band, weak"),
	TEST(demote_self, "also when it is the caller"),
	TEST(demote_inband, "and when the thread is in-band"),
};

TEST_MAIN("signal", tests)
