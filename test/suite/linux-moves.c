// SPDX-License-Identifier: GPL-2.0-only
/* Linux moves threads: from outside, while they wait, run and change stages. None of it is theirs to notice. */
#include "helpers.h"
#include <evl/event.h>
#include <evl/flags.h>
#include <evl/mutex.h>
#include <evl/sem.h>
#include <evl/xbuf.h>

#define MOVES_FOR	(4 * NSEC_PER_SEC)

static atomic_bool stop;

static cpu_set_t set_of(unsigned int mask)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	for (int cpu = 0; cpu < 2; cpu++)
		if (mask & (1U << cpu))
			CPU_SET(cpu, &set);
	return set;
}

static void allow(pid_t tid, unsigned int mask)
{
	cpu_set_t set = set_of(mask);

	check_sys(sched_setaffinity(tid, sizeof(set), &set));
}

static unsigned int allowed(pid_t tid)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	check_sys(sched_getaffinity(tid, sizeof(set), &set));
	return CPU_ISSET(0, &set) | CPU_ISSET(1, &set) << 1;
}

static void need_two_cpus(void)
{
	if (sysconf(_SC_NPROCESSORS_ONLN) < 2)
		check_skip("there is one CPU");
}

/* --- A thread which waits --------------------------------------------------------- */

static struct evl_sem sem;
static struct evl_flags flags;
static struct evl_mutex mutex;
static struct evl_event event;
static int xbuf, timer;

static int wait_date(void)
{
	int64_t date = now() + 300 * NSEC_PER_MSEC;
	int ret = sleep_until(date);

	check_reached(now(), date);
	return ret;
}

static int wait_sem(void)
{
	return evl_get_sem(&sem);
}

static int wait_flags(void)
{
	int bits, ret = evl_wait_flags(&flags, &bits);

	return ret ?: bits;
}

static int wait_event(void)
{
	int ret;

	check_ok(evl_lock_mutex(&mutex));
	ret = evl_wait_event(&event, &mutex);
	check_ok(evl_unlock_mutex(&mutex));
	return ret;
}

static int wait_mutex(void)
{
	int ret = evl_lock_mutex(&mutex);

	check_ok(evl_unlock_mutex(&mutex));
	return ret;
}

static int wait_xbuf(void)
{
	char c;

	return oob_read(xbuf, &c, 1) < 0 ? -errno : c;
}

static int wait_timer(void)
{
	uint64_t ticks;

	return oob_read(timer, &ticks, sizeof(ticks)) < 0 ? -errno : (int)ticks;
}

static void end_none(void)
{
}

static void end_sem(void)
{
	check_ok(evl_put_sem(&sem));
}

static void end_flags(void)
{
	check_ok(evl_post_flags(&flags, 5));
}

static void end_event(void)
{
	check_ok(evl_lock_mutex(&mutex));
	check_ok(evl_signal_event(&event));
	check_ok(evl_unlock_mutex(&mutex));
}

static void end_mutex(void)
{
	check_ok(evl_unlock_mutex(&mutex));
}

static void end_xbuf(void)
{
	check_eq(write(xbuf, "\7", 1), 1);
}

static void end_timer(void)
{
	struct itimerspec its = { .it_value = ns_ts(now() + NSEC_PER_MSEC) };

	check_ok(evl_set_timer(timer, &its, NULL));
}

static const struct wait {
	const char *name;
	int (*wait)(void);
	void (*end)(void);
	int result;
} waits[] = {
	{ "date", wait_date, end_none, 0 },
	{ "sem", wait_sem, end_sem, 0 },
	{ "flags", wait_flags, end_flags, 5 },
	{ "event", wait_event, end_event, 0 },
	{ "mutex", wait_mutex, end_mutex, 0 },
	{ "xbuf", wait_xbuf, end_xbuf, 7 },
	{ "timer", wait_timer, end_timer, 1 },
};

static void wait_once(struct worker *w)
{
	const struct wait *wait = w->arg;

	attach_worker(w);
	w->result = wait->wait();
	check(!evl_is_inband());
}

/* @disturb is what happens to the waiter @w, which is on CPU 1. */
static void each_wait(void (*disturb)(struct worker *w))
{
	need_two_cpus();
	attach_fifo(10);
	check_ok(evl_new_sem(&sem, "%s", own_name("msem")));
	check_ok(evl_new_flags(&flags, "%s", own_name("mflags")));
	check_ok(evl_new_mutex(&mutex, "%s", own_name("mmutex")));
	check_ok(evl_new_event(&event, "%s", own_name("mevent")));
	xbuf = check_ok(evl_new_xbuf(64, "%s", own_name("mxbuf")));
	timer = check_ok(evl_new_timer(EVL_CLOCK_MONOTONIC));

	for (unsigned int n = 0; n < ARRAY_SIZE(waits); n++) {
		const struct wait *wait = &waits[n];
		struct worker w = { .body = wait_once, .name = wait->name, .prio = 20, .cpu = 1, .arg = (void *)wait };

		if (wait->wait == wait_mutex)
			check_ok(evl_lock_mutex(&mutex));
		start_worker(&w);
		await(worker_sleeps(&w));
		disturb(&w);
		wait->end();
		join_worker(&w);
		if (w.result != wait->result)
			check_fail("%s: the wait ended with %d, wanted %d", wait->name, w.result, wait->result);
	}
}

static void set_same(struct worker *w)
{
	allow(atomic_load(&w->tid), 2);
}

static void refuse(struct worker *w)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(CPU_SETSIZE - 1, &set);
	check_errno(sched_setaffinity(atomic_load(&w->tid), sizeof(set), &set), EINVAL);
}

static void move(struct worker *w)
{
	allow(atomic_load(&w->tid), 1);
}

static void move_often(struct worker *w)
{
	for (int n = 0; n < 50; n++)
		allow(atomic_load(&w->tid), 1 + n % 3);
}

static void same_cpus_disturb_nobody(void)
{
	each_wait(set_same);
}

static void refused_cpus_disturb_nobody(void)
{
	each_wait(refuse);
}

static void moves_disturb_no_wait(void)
{
	each_wait(move);
}

static void many_moves_disturb_no_wait(void)
{
	each_wait(move_often);
}

static void sleep_twice(struct worker *w)
{
	attach_worker(w);
	check_ok(sleep_until(now() + 300 * NSEC_PER_MSEC));
	w->result = state_of(w->efd).cpu;
	check_ok(evl_usleep(1000));
	w->arg = (void *)(long)this_cpu();
}

static void moved_sleeper_goes_on_there(void)
{
	struct worker w = { .body = sleep_twice, .name = "there", .prio = 20, .cpu = 1 };

	need_two_cpus();
	check_ok(evl_init());
	start_worker(&w);
	await(worker_sleeps(&w));
	allow(atomic_load(&w.tid), 1);
	join_worker(&w);
	check_eq((long)w.arg, 0);
}

/* The one which keeps the former CPU busy is not in its way. */
static void spin_on_one(struct worker *w)
{
	attach_worker(w);
	check_ok(evl_switch_oob());
	while (!atomic_load(&stop))
		spin_until(now() + NSEC_PER_MSEC);
}

static void moved_sleeper_needs_its_cpu_no_more(void)
{
	struct worker w = { .body = sleep_twice, .name = "away", .prio = 20, .cpu = 1 };
	struct worker s = { .body = spin_on_one, .name = "spin", .prio = 50, .cpu = 1 };

	need_two_cpus();
	check_ok(evl_init());
	start_worker(&w);
	await(worker_sleeps(&w));
	start_worker(&s);
	await(atomic_load(&s.attached));
	allow(atomic_load(&w.tid), 1);
	for (int n = 0; n < 2000 && !atomic_load(&w.done); n++)
		nap();
	check(atomic_load(&w.done) || atomic_load(&stop));
	atomic_store(&stop, true);
	join_worker(&w);
	join_worker(&s);
}

static atomic_long turns;

/* Should all go wrong, the machine is to be had again some day. */
static int64_t deadline;

static void count_turns(struct worker *w)
{
	attach_worker(w);
	check_ok(evl_switch_oob());
	while (!atomic_load(&stop) && now() < deadline)
		atomic_fetch_add(&turns, 1);
}

/* Linux knows but one priority of them: it is for the core to say who is the better one. */
static void moved_runner_goes_on(void)
{
	struct worker hi = { .body = count_turns, .name = "hi", .prio = 50, .cpu = 0 };
	struct worker lo = { .body = spin_on_one, .name = "lo", .prio = 10, .cpu = 1 };
	long seen;

	need_two_cpus();
	/* There, whoever would move it gets no CPU while these two spin. */
	if (access("/sys/module/evl/parameters/host_prio", F_OK))
		check_skip("threads are not Linux tasks out-of-band");
	check_ok(evl_init());
	/* Above both of them, or it would wait for what Linux leaves to others: a twentieth of the time, or nothing. */
	become(SCHED_FIFO, 99);
	deadline = now() + 20 * NSEC_PER_SEC;
	start_worker(&hi);
	start_worker(&lo);
	await(atomic_load(&turns) && atomic_load(&lo.attached));
	allow(atomic_load(&hi.tid), 2);
	seen = atomic_load(&turns);
	await(atomic_load(&turns) > seen + 100);
	check_eq((int)state_of(hi.efd).cpu, 1);
	atomic_store(&stop, true);
	join_worker(&hi);
	join_worker(&lo);
}

/* --- Threads which may run anywhere --------------------------------------------------- */

static atomic_long rounds, wrong;
static atomic_int inside, cpu_changes;

static void widen(void)
{
	allow(0, 3);
	check_eq(allowed(0), 3);
	check_ok(evl_switch_oob());
}

static void lock_and_look(struct worker *w)
{
	attach_worker(w);
	widen();
	while (!atomic_load(&stop)) {
		check_ok(evl_lock_mutex(&mutex));
		if (atomic_fetch_add(&inside, 1))
			atomic_fetch_add(&wrong, 1);
		spin_until(now() + 20000);
		atomic_fetch_sub(&inside, 1);
		check_ok(evl_unlock_mutex(&mutex));
		atomic_fetch_add(&rounds, 1);
		evl_usleep(200);
	}
}

static void run_for(int64_t ns)
{
	int64_t end = now() + ns;

	while (now() < end)
		nap();
	atomic_store(&stop, true);
}

static void mutexes_exclude_anywhere(void)
{
	struct worker w[4] = {
		{ .body = lock_and_look, .name = "any0", .prio = 10 },
		{ .body = lock_and_look, .name = "any1", .prio = 11 },
		{ .body = lock_and_look, .name = "any2", .prio = 12, .cpu = 1 },
		{ .body = lock_and_look, .name = "any3", .prio = 13 },
	};

	need_two_cpus();
	check_ok(evl_init());
	check_ok(evl_new_mutex(&mutex, "%s", own_name("any")));
	for (int n = 0; n < 4; n++)
		start_worker(&w[n]);
	run_for(MOVES_FOR);
	for (int n = 0; n < 4; n++)
		join_worker(&w[n]);
	check_eq(atomic_load(&wrong), 0);
	check_gt(atomic_load(&rounds), 0);
}

/* Out-of-band for good, it stays where it is although others keep that CPU busy. */
static void watch_own_cpu(struct worker *w)
{
	int cpu;

	attach_worker(w);
	widen();
	cpu = this_cpu();
	check_ok(evl_switch_oob());
	cpu = state_of(w->efd).cpu;
	while (!atomic_load(&stop)) {
		int64_t date = now() + NSEC_PER_MSEC;

		check_ok(sleep_until(date));
		check_reached(now(), date);
		if ((int)state_of(w->efd).cpu != cpu)
			atomic_fetch_add(&cpu_changes, 1);
	}
}

static void keep_busy(struct worker *w)
{
	attach_worker(w);
	widen();
	while (!atomic_load(&stop)) {
		int64_t start = now();

		spin_until(start + 3 * NSEC_PER_MSEC);
		rest_from(start, 2, true);
	}
}

static void stays_on_a_cpu_out_of_band(void)
{
	struct worker hi = { .body = watch_own_cpu, .name = "stays", .prio = 20 };
	struct worker lo = { .body = keep_busy, .name = "busy", .prio = 10 };
	struct worker lo2 = { .body = keep_busy, .name = "busy2", .prio = 10 };

	need_two_cpus();
	check_ok(evl_init());
	start_worker(&hi);
	start_worker(&lo);
	start_worker(&lo2);
	run_for(MOVES_FOR);
	join_worker(&hi);
	join_worker(&lo);
	join_worker(&lo2);
	check_eq(atomic_load(&cpu_changes), 0);
}

/* In-band again, it may use what it was allowed, as others see, too. */
static void wide_mask_survives_stages(void)
{
	need_two_cpus();
	attach_fifo(10);
	for (int n = 0; n < 20; n++) {
		allow(0, 3);
		check_ok(evl_switch_oob());
		check_ok(evl_usleep(100));
		check_ok(evl_switch_inband());
		check_eq(allowed(0), 3);
	}
}

static void sleep_anywhere(struct worker *w)
{
	attach_worker(w);
	widen();
	check_ok(evl_get_sem(&sem));
	check_ok(evl_switch_inband());
	w->result = allowed(0);
}

/* To be told to stay where it is, is to be told. */
static void present_cpu_counts_too(void)
{
	struct worker w = { .body = sleep_anywhere, .name = "told", .prio = 10 };
	unsigned int mask;

	need_two_cpus();
	check_ok(evl_init());
	check_ok(evl_new_sem(&sem, "%s", own_name("told")));
	start_worker(&w);
	await(worker_sleeps(&w));
	mask = 1U << state_of(w.efd).cpu;
	allow(atomic_load(&w.tid), mask);
	check_ok(evl_put_sem(&sem));
	join_worker(&w);
	check_eq(w.result, (int)mask);
}

/* --- Moves in the middle of everything ------------------------------------------------- */

static void take_units(struct worker *w)
{
	attach_worker(w);
	while (!atomic_load(&stop)) {
		check_ok(evl_get_sem(&sem));
		atomic_fetch_add(&turns, 1);
	}
}

static void change_stages(struct worker *w)
{
	attach_worker(w);
	while (!atomic_load(&stop)) {
		check_ok(evl_switch_inband());
		check_ok(evl_switch_oob());
		check_ok(evl_usleep(10));
		atomic_fetch_add(&rounds, 1);
	}
}

/* Every unit which is put is taken: nobody is left asleep, nor spins for ever. */
static void no_kick_is_lost(void)
{
	struct worker t = { .body = take_units, .name = "taker", .prio = 10 };
	struct worker c = { .body = change_stages, .name = "changer", .prio = 12 };
	unsigned int seed = 1;
	int64_t end;
	long put;

	need_two_cpus();
	check_ok(evl_init());
	check_ok(evl_new_sem(&sem, "%s", own_name("kick")));
	pin_to(1);
	start_worker(&t);
	start_worker(&c);
	await(atomic_load(&t.attached) && atomic_load(&c.attached));
	end = now() + 3 * MOVES_FOR;
	for (put = 1; now() < end; put++) {
		check_ok(evl_put_sem(&sem));
		if (rand_r(&seed) % 4 == 0)
			allow(atomic_load(&t.tid), 1 + put % 2);
		if (rand_r(&seed) % 8 == 0)
			allow(atomic_load(&c.tid), 1 + put % 3);
		if (rand_r(&seed) % 16 == 0)
			nanosleep(&(struct timespec){ .tv_nsec = rand_r(&seed) % 50000 }, NULL);
	}
	await(atomic_load(&turns) == put - 1);
	atomic_store(&stop, true);
	check_ok(evl_put_sem(&sem));
	join_worker(&t);
	join_worker(&c);
	check_gt(atomic_load(&rounds), 0);
}

static atomic_int ready_for;
static struct evl_user_window *_Atomic window;

/*
 * Out-of-band in user space, where each signal finds it. It rests on its way there: on the Dovetail host, Linux has
 * locks when it loses the CPU to a thread which leaves it, and whoever wants to move the thread would wait for these.
 */
static void spin_between_signals(struct worker *w)
{
	int seen;

	attach_worker(w);
	atomic_store(&window, __evl_hl_self()->window);
	while (!atomic_load(&stop) && now() < deadline) {
		seen = atomic_load(&signal_count) + 1;
		if (atomic_load(&ready_for) == seen && !evl_is_inband())
			continue;
		evl_switch_oob();
		evl_usleep(10000);
		atomic_store(&ready_for, seen);
	}
}

static bool reached(atomic_int *count, int wanted)
{
	int64_t end = now() + 15 * NSEC_PER_SEC;

	while (atomic_load(count) != wanted && now() < end)
		__builtin_ia32_pause();
	return atomic_load(count) == wanted;
}

static bool shows_inband(void)
{
	return *(volatile __u32 *)&atomic_load(&window)->state & EVL_T_INBAND;
}

/*
 * On the Dovetail host, a move takes the thread in-band and back. The signal is sent as long after the thread got there
 * as makes it come now before, now after it went back: sooner or later, right then.
 */
static void no_signal_is_lost(void)
{
	struct worker w = { .body = spin_between_signals, .name = "signaled", .prio = 10, .cpu = 1 };
	int64_t end, seen, delay = 100000;
	unsigned int switches;

	need_two_cpus();
	catch_signal(SIGUSR1, 0);
	check_ok(evl_init());
	pin_to(0);
	end = now() + 2 * MOVES_FOR;
	deadline = end + 30 * NSEC_PER_SEC;
	start_worker(&w);
	for (int n = 1; n < 10 || now() < end; n++) {
		check(reached(&ready_for, n));
		switches = state_of(w.efd).isw;
		allow(atomic_load(&w.tid), n % 2 ? 3 : 2);
		seen = now();
		while (!shows_inband() && now() < seen + 50 * NSEC_PER_MSEC)
			__builtin_ia32_pause();
		spin_until(now() + delay);
		signal_worker(&w, SIGUSR1);
		check(reached(&signal_count, n));
		if (state_of(w.efd).isw - switches > 1)
			delay -= delay / 8;
		else if (delay < NSEC_PER_MSEC)
			delay += delay / 8 + 1000;
	}
	atomic_store(&stop, true);
	join_worker(&w);
}

static const struct CMUnitTest tests[] = {
	TEST(same_cpus_disturb_nobody, "CPUs set to what they were disturb no wait"),
	TEST(refused_cpus_disturb_nobody, "nor do CPUs which Linux refuses"),
	TEST(moves_disturb_no_wait, "a waiter which is moved does not notice"),
	TEST(many_moves_disturb_no_wait, "however often that happens"),
	TEST(moved_sleeper_goes_on_there, "a sleeper which is moved wakes up over there"),
	TEST(moved_sleeper_needs_its_cpu_no_more, "even if somebody has its former CPU for good"),
	TEST(moved_runner_goes_on, "a runner which is moved preempts whom it outranks over there"),
	TEST(mutexes_exclude_anywhere, "mutexes exclude threads which may run anywhere"),
	TEST(stays_on_a_cpu_out_of_band, "a thread which may run anywhere stays on a CPU out-of-band"),
	TEST(wide_mask_survives_stages, "and may run anywhere in-band again"),
	TEST(present_cpu_counts_too, "unless it was told to stay on the CPU it is on"),
	TEST(no_kick_is_lost, "moves lose no wakeup, nor a thread"),
	TEST(no_signal_is_lost, "a signal to a thread which is being moved is handled"),
};

TEST_MAIN("linux-moves", tests)
