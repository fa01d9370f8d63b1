// SPDX-License-Identifier: GPL-2.0-only
/* Timer descriptors: setting, reading, periods, overruns. */
#include "helpers.h"
#include <poll.h>

#define PERIOD	(5 * NSEC_PER_MSEC)

static int new_timer(int clockfd)
{
	return check_ok(evl_new_timer(clockfd));
}

static void arm(int tfd, int64_t date, int64_t interval)
{
	struct itimerspec value = { .it_value = ns_ts(date), .it_interval = ns_ts(interval) };

	check_ok(evl_set_timer(tfd, &value, NULL));
}

static struct itimerspec setting(int tfd)
{
	struct itimerspec value;

	check_ok(evl_get_timer(tfd, &value));
	return value;
}

static uint64_t ticks_of(int tfd)
{
	uint64_t ticks = 0;

	check_eq(oob_read(tfd, &ticks, sizeof(ticks)), sizeof(ticks));
	return ticks;
}

/* --- Errors -------------------------------------------------------------------------------- */

static void bad_clocks(void)
{
	int null = check_sys(open("/dev/null", O_RDWR));

	check_ok(evl_init());
	check_lt(evl_new_timer(null), 0);
	check_lt(evl_new_timer(1000), 0);
	check_lt(evl_new_timer(-2), 0);
}

static void bad_settings(void)
{
	static const struct itimerspec bad[] = {
		{ .it_value = { 0, NSEC_PER_SEC } }, { .it_value = { 0, -1 } }, { .it_value = { -1, 0 } },
		{ .it_value = { 1, 0 }, .it_interval = { 0, NSEC_PER_SEC } },
		{ .it_value = { 1, 0 }, .it_interval = { 0, -1 } },
		{ .it_value = { 1, 0 }, .it_interval = { -1, 0 } },
	};
	struct evl_timerfd_setreq req = { .value_ptr = 8 };
	struct itimerspec value;
	int tfd;

	attach_fifo(10);
	tfd = new_timer(EVL_CLOCK_MONOTONIC);
	arm(tfd, now() + 1000 * NSEC_PER_SEC, PERIOD);
	for (unsigned int i = 0; i < ARRAY_SIZE(bad); i++)
		check_eq(evl_set_timer(tfd, &bad[i], NULL), -EINVAL);
	check_errno(oob_ioctl(tfd, EVL_TFDIOC_SET, &req), EFAULT);
	check_errno(oob_ioctl(tfd, EVL_TFDIOC_SET, NULL), EFAULT);
	check_errno(ioctl(tfd, EVL_TFDIOC_GET, 8L), EFAULT);
	check_eq(evl_set_timer(-1, &bad[0], NULL), -EBADF);
	check_eq(evl_get_timer(1000, &value), -EBADF);
	/* Nothing of this changed what it was set to. */
	check_eq(ts_ns(setting(tfd).it_interval), PERIOD);
	check_gt(ts_ns(setting(tfd).it_value), 900 * NSEC_PER_SEC);
}

static void bad_operations(void)
{
	uint64_t ticks;
	int tfd;

	attach_fifo(10);
	tfd = new_timer(EVL_CLOCK_MONOTONIC);
	arm(tfd, 1, 0);
	check_errno(oob_read(tfd, &ticks, 7), EINVAL);
	check_errno(oob_read(tfd, &ticks, 0), EINVAL);
	check_errno(oob_read(tfd, (void *)8, 8), EFAULT);
	check_errno(oob_write(tfd, &ticks, 8), EINVAL);
	check_errno(read(tfd, &ticks, 8), EINVAL);
	check_errno(write(tfd, &ticks, 8), EINVAL);
	check_errno(ioctl(tfd, EVL_CLKIOC_GET_TIME, &ticks), ENOTTY);
	check_errno(oob_ioctl(tfd, EVL_THRIOC_YIELD), ENOTTY);
}

static void descriptor_flags(void)
{
	int tfd;

	check_ok(evl_init());
	tfd = new_timer(EVL_CLOCK_REALTIME);
	check(fcntl(tfd, F_GETFD) & FD_CLOEXEC);
	check_eq(fcntl(tfd, F_GETFL) & O_ACCMODE, O_RDWR);
}

/* --- One shot --------------------------------------------------------------------------------- */

static void single_shot(int clockfd)
{
	int tfd = new_timer(clockfd);

	for (int i = 0; i < 20; i++) {
		int64_t date = now_on(clockfd) + i * 200000;

		arm(tfd, date, 0);
		check_eq(ticks_of(tfd), 1);
		check_reached(now_on(clockfd), date);
		check_eq(ts_ns(setting(tfd).it_value), 0);
	}
	check(!evl_is_inband());
	close(tfd);
}

static void fires_once(void)
{
	attach_fifo(10);
	single_shot(EVL_CLOCK_MONOTONIC);
	single_shot(EVL_CLOCK_REALTIME);
}

static void nothing_to_read(void)
{
	uint64_t ticks;
	int tfd;

	attach_fifo(10);
	tfd = new_timer(EVL_CLOCK_MONOTONIC);
	set_nonblocking(tfd, true);
	check_errno(oob_read(tfd, &ticks, 8), EAGAIN);
	arm(tfd, now() + 1000 * NSEC_PER_SEC, 0);
	check_errno(oob_read(tfd, &ticks, 8), EAGAIN);
	arm(tfd, 1, 0);
	set_nonblocking(tfd, false);
	check_eq(ticks_of(tfd), 1);
	set_nonblocking(tfd, true);
	check_errno(oob_read(tfd, &ticks, 8), EAGAIN);
}

static void remaining_time(void)
{
	int64_t date, before, after, left, last = INT64_MAX;
	int tfd;

	attach_fifo(10);
	tfd = new_timer(EVL_CLOCK_MONOTONIC);
	check_eq(ts_ns(setting(tfd).it_value), 0);
	date = now() + 100 * NSEC_PER_SEC;
	arm(tfd, date, 0);
	for (int i = 0; i < 10; i++) {
		before = now();
		left = ts_ns(setting(tfd).it_value);
		after = now();
		check_le(left, date - before);
		check_ge(left, date - after);
		check_le(left, last);
		last = left;
	}
}

static void disarming(void)
{
	struct itimerspec old, off = { .it_value = { 0, 0 } };
	uint64_t ticks;
	int tfd;

	attach_fifo(10);
	tfd = new_timer(EVL_CLOCK_MONOTONIC);
	arm(tfd, now() + 100 * NSEC_PER_SEC, PERIOD);
	check_ok(evl_set_timer(tfd, &off, &old));
	check_gt(ts_ns(old.it_value), 0);
	check_le(ts_ns(old.it_value), 100 * NSEC_PER_SEC);
	check_eq(ts_ns(old.it_interval), PERIOD);
	check_eq(ts_ns(setting(tfd).it_value), 0);
	set_nonblocking(tfd, true);
	check_errno(oob_read(tfd, &ticks, 8), EAGAIN);
}

/* Setting it anew drops the ticks of the former setting. */
static void rearming(void)
{
	int64_t date;
	int tfd;

	attach_fifo(10);
	tfd = new_timer(EVL_CLOCK_MONOTONIC);
	arm(tfd, now() + NSEC_PER_SEC, 0);
	date = now() + 10 * NSEC_PER_MSEC;
	arm(tfd, date, 0);
	check_eq(ticks_of(tfd), 1);
	check_reached(now(), date);
}

/* Set in-band by a thread which is not attached, read by one which is. */
static void wait_for_tick(struct worker *w)
{
	attach_worker(w);
	check_eq(ticks_of(*(int *)w->arg), 1);
}

static void set_by_the_unattached(void)
{
	struct worker w = { .body = wait_for_tick, .name = "reader", .prio = 10, .cpu = other_cpu() };
	int tfd;

	check_ok(evl_init());
	tfd = new_timer(EVL_CLOCK_MONOTONIC);
	w.arg = &tfd;
	start_worker(&w);
	await(worker_sleeps(&w));
	arm(tfd, now() + 10 * NSEC_PER_MSEC, 0);
	join_worker(&w);
}

static void read_until_closed(struct worker *w)
{
	uint64_t ticks;

	attach_worker(w);
	check_eq(oob_read(*(int *)w->arg, &ticks, 8), -1);
	check(errno == EIDRM || errno == EBADF);
}

static void closed_under_reader(void)
{
	struct worker w = { .body = read_until_closed, .name = "reader", .prio = 10, .cpu = other_cpu() };
	int tfd;

	check_ok(evl_init());
	tfd = new_timer(EVL_CLOCK_MONOTONIC);
	w.arg = &tfd;
	start_worker(&w);
	await(worker_sleeps(&w));
	close(tfd);
	join_worker(&w);
}

/* --- Periods ------------------------------------------------------------------------------------ */

/* Periods that began in [start, date]: what the ticks must add up to. */
static int64_t periods(int64_t start, int64_t date, int64_t period)
{
	return date < start ? 0 : 1 + (date - start) / period;
}

/*
 * No tick may come early, but the machine may be late with any of them. A tick that was lost would be missing at the
 * best of times.
 */
static int64_t behind(int64_t start, int64_t period, int clockfd, int64_t sum)
{
	int64_t missing = periods(start, now_on(clockfd) + GRAVITY, period) - sum;

	check_ge(missing, 0);
	return missing;
}

static void run_periodic(int clockfd, int64_t period, int64_t total)
{
	int tfd = new_timer(clockfd);
	int64_t start = now_on(clockfd) + period, sum = 0, missing, least = INT64_MAX;

	arm(tfd, start, period);
	while (sum < total || (least && sum < 10 * total)) {
		sum += ticks_of(tfd);
		missing = behind(start, period, clockfd, sum);
		if (sum > total / 2 && missing < least)
			least = missing;
	}
	check_eq(least, 0);
	check(!evl_is_inband());
	close(tfd);
}

static void ticks_follow_the_clock(void)
{
	attach_fifo(10);
	run_periodic(EVL_CLOCK_MONOTONIC, PERIOD, 100);
	run_periodic(EVL_CLOCK_REALTIME, PERIOD, 100);
}

static void thousand_periods(void)
{
	unsigned int isw;
	int efd = attach_fifo(90);

	isw = state_of(efd).isw;
	check_ok(evl_switch_oob());
	run_periodic(EVL_CLOCK_MONOTONIC, NSEC_PER_MSEC, 1000);
	/* Making the timer, and closing it: that is all the in-band work there was. */
	check_le(state_of(efd).isw, isw + 3);
}

static void overruns_add_up(void)
{
	int64_t start, sum, ticks, most = 0, missing = 1;
	int tfd;

	attach_fifo(10);
	tfd = new_timer(EVL_CLOCK_MONOTONIC);
	start = now() + PERIOD;
	arm(tfd, start, PERIOD);
	sum = ticks_of(tfd);
	for (int i = 0; i < 5; i++) {
		spin_until(now() + 4 * PERIOD);
		ticks = ticks_of(tfd);
		most = ticks > most ? ticks : most;
		sum += ticks;
		behind(start, PERIOD, EVL_CLOCK_MONOTONIC, sum);
	}
	check_gt(most, 1);
	/* In step again, all of them were told. */
	for (int i = 0; missing && i < 1000; i++) {
		sum += ticks_of(tfd);
		missing = behind(start, PERIOD, EVL_CLOCK_MONOTONIC, sum);
	}
	check_eq(missing, 0);
}

static void interval_changes(void)
{
	int64_t former, start;
	int tfd = -1;

	attach_fifo(10);
	/* A tick of the former period which comes before the new one is set survives: once more then. */
	do {
		close(tfd);
		tfd = new_timer(EVL_CLOCK_MONOTONIC);
		former = now() + PERIOD;
		arm(tfd, former, PERIOD);
		ticks_of(tfd);
		check_eq(ts_ns(setting(tfd).it_interval), PERIOD);
		start = now() + 2 * PERIOD;
		arm(tfd, start, 2 * PERIOD);
	} while (now() + GRAVITY >= former + PERIOD);
	check_eq(ts_ns(setting(tfd).it_interval), 2 * PERIOD);
	ticks_of(tfd);
	check_reached(now(), start);
	ticks_of(tfd);
	check_reached(now(), start + 2 * PERIOD);
}

/* A timer which nobody reads costs nothing, however short its period; and all periods are told in the end. */
#define NR_UNREAD	50

static long reads_until(int64_t date)
{
	long n = 0;

	while (now() < date)
		n++;
	return n;
}

static void shortest_period(void)
{
	int64_t start, ticks;
	long alone, along = 0;
	int tfd[NR_UNREAD];

	attach_fifo(10);
	for (int i = 0; i < NR_UNREAD; i++)
		tfd[i] = new_timer(EVL_CLOCK_MONOTONIC);
	check_ok(evl_switch_oob());
	alone = reads_until(now() + 20 * NSEC_PER_MSEC);
	start = now();
	for (int i = 0; i < NR_UNREAD; i++)
		arm(tfd[i], start + i, 1);
	/* The machine may be busy with something else at times. */
	for (int i = 0; i < 20 && along < alone / 2; i++)
		along = reads_until(now() + 20 * NSEC_PER_MSEC);
	check_ge(along, alone / 2);
	ticks = ticks_of(tfd[0]);
	check_ge(ticks, 20 * NSEC_PER_MSEC);
	check_le(ticks, now() - start + GRAVITY);
	ticks += ticks_of(tfd[0]);
	check_le(ticks, now() - start + GRAVITY);
}

/* A timer whose date has come has 1 ns left until the tick, which a busy machine may take some time to get to. */
static int64_t time_left(int tfd, int64_t *before)
{
	int64_t left;

	do {
		*before = now();
		left = ts_ns(setting(tfd).it_value);
	} while (left == 1);
	return left;
}

/* What is left of a period is told whether the last ticks were read or not. */
static void check_on_grid(int tfd, int64_t start, int64_t period)
{
	int64_t before, left = time_left(tfd, &before), latest = now() + left;

	check_gt(left, 0);
	check_le(left, period);
	check_ge(latest - (latest - start) % period, before + left);
}

/* All periods since count as missed, although other timers have expired on this CPU since. */
static void start_in_the_past(void)
{
	int64_t start, ticks;
	int tfd;

	attach_fifo(10);
	tfd = new_timer(EVL_CLOCK_MONOTONIC);
	check_ok(evl_usleep(1000));
	start = now() - 10 * PERIOD;
	arm(tfd, start, PERIOD);
	ticks = ticks_of(tfd);
	check_ge(ticks, 11);
	check_le(ticks, periods(start, now() + GRAVITY, PERIOD));
	/* Later ones are on the grid that the first date set. */
	check_on_grid(tfd, start, PERIOD);
	ticks += ticks_of(tfd);
	check_reached(now(), start + (ticks - 1) * PERIOD);
}

static void unread_period(void)
{
	int64_t start, before, left;
	int tfd;

	attach_fifo(10);
	tfd = new_timer(EVL_CLOCK_MONOTONIC);
	start = now();
	arm(tfd, start, 100 * NSEC_PER_SEC);
	spin_until(start + NSEC_PER_MSEC);
	for (int i = 0; i < 2; i++) {
		left = time_left(tfd, &before);
		check_le(left, start + 100 * NSEC_PER_SEC - (start + NSEC_PER_MSEC));
		check_ge(left, start + 100 * NSEC_PER_SEC - now());
		if (!i)
			check_eq(ticks_of(tfd), 1);
	}
	start = now() + PERIOD;
	arm(tfd, start, PERIOD);
	for (int i = 1; i < 6; i++) {
		spin_until(start + i * PERIOD + PERIOD / 4);
		check_on_grid(tfd, start, PERIOD);
	}
	check_ge(ticks_of(tfd), 6);
	check_on_grid(tfd, start, PERIOD);
}

/* --- Several readers ---------------------------------------------------------------------------- */

static void take_tick(struct worker *w)
{
	uint64_t ticks;

	attach_worker(w);
	w->result = oob_read(*(int *)w->arg, &ticks, 8) == 8 ? (int)ticks : -errno;
}

static void ticks_go_to_one_reader(void)
{
	struct worker w[3];
	int tfd;

	check_ok(evl_init());
	tfd = new_timer(EVL_CLOCK_MONOTONIC);
	for (int i = 0; i < 3; i++) {
		w[i] = (struct worker){ .body = take_tick, .prio = 10 + i, .cpu = 0, .arg = &tfd,
					.name = i == 0 ? "low" : i == 1 ? "mid" : "high" };
		start_worker(&w[i]);
		await(worker_sleeps(&w[i]));
	}
	/* By priority. Who is sent away leaves what comes next to others. */
	arm(tfd, 1, 0);
	join_worker(&w[2]);
	check_eq(w[2].result, 1);
	check(worker_sleeps(&w[0]) && worker_sleeps(&w[1]));
	check_ok(evl_unblock_thread(w[1].efd));
	join_worker(&w[1]);
	check_eq(w[1].result, -EINTR);
	arm(tfd, 1, 0);
	join_worker(&w[0]);
	check_eq(w[0].result, 1);
}

/* --- Two CPUs ------------------------------------------------------------------------------------- */

static atomic_int shared_tfd;
static atomic_bool storm_over;

/* Keeps setting whatever timer there is to its own CPU, for right now. */
static void set_in_storm(struct worker *w)
{
	attach_worker(w);
	while (!atomic_load(&storm_over)) {
		struct itimerspec value = { .it_value = ns_ts(now()), .it_interval = ns_ts(1) };
		int tfd = atomic_load(&shared_tfd);

		if (tfd >= 0)
			evl_set_timer(tfd, &value, NULL);
		if (w->cpu == 0)
			evl_usleep(50);
	}
}

static void closed_in_storm(void)
{
	struct worker w[2];
	int64_t end;

	check_ok(evl_init());
	atomic_store(&shared_tfd, -1);
	for (int i = 0; i < 2; i++) {
		w[i] = (struct worker){ .body = set_in_storm, .name = i ? "there" : "here", .prio = 0,
					.cpu = i ? other_cpu() : 0 };
		start_worker(&w[i]);
		await(atomic_load(&w[i].attached));
	}
	end = now() + 2 * NSEC_PER_SEC;
	for (int n = 0; now() < end || n < 100; n++) {
		int tfd = new_timer(n & 1 ? EVL_CLOCK_REALTIME : EVL_CLOCK_MONOTONIC);

		atomic_store(&shared_tfd, tfd);
		for (int i = 0; i < n % 7; i++)
			sched_yield();
		atomic_store(&shared_tfd, -1);
		close(tfd);
	}
	atomic_store(&storm_over, true);
	for (int i = 0; i < 2; i++)
		join_worker(&w[i]);
}

/* Set from one CPU, disarmed from another one, right when it expires. */
static atomic_int phase;

static void arm_on_demand(struct worker *w)
{
	int tfd = *(int *)w->arg, p;

	attach_worker(w);
	check_ok(evl_switch_oob());
	while ((p = atomic_load(&phase)) >= 0) {
		if (p != 1)
			continue;
		arm(tfd, now() + 30000, 1000);
		atomic_store(&phase, 2);
	}
}

static void disarmed_for_good(void)
{
	struct worker w = { .body = arm_on_demand, .name = "armer", .prio = 10, .cpu = other_cpu() };
	struct itimerspec off = { .it_value = { 0, 0 } };
	uint64_t ticks;
	int tfd;

	if (!other_cpu())
		check_skip("one CPU");
	attach_fifo(10);
	tfd = new_timer(EVL_CLOCK_MONOTONIC);
	set_nonblocking(tfd, true);
	w.arg = &tfd;
	start_worker(&w);
	/* From then on it needs nothing of Linux, which has no CPU left. */
	await(atomic_load(&w.attached));
	for (int i = 0; i < 300; i++) {
		atomic_store(&phase, 1);
		while (atomic_load(&phase) != 2)
			__builtin_ia32_pause();
		spin_until(now() + i * 300);
		check_ok(evl_set_timer(tfd, &off, NULL));
		if (oob_read(tfd, &ticks, 8) != 8)
			check_eq(errno, EAGAIN);
		check_errno(oob_read(tfd, &ticks, 8), EAGAIN);
		check_eq(ts_ns(setting(tfd).it_value), 0);
	}
	atomic_store(&phase, -1);
	join_worker(&w);
}

/*
 * The timer expires on one CPU while another one sets it: the new setting holds,
 * and what is left is told. It is not to take the last shot of the old one for a
 * period of its own.
 */
static void set_as_it_expires(void)
{
	int64_t date, left;
	int tfd;

	if (!other_cpu())
		check_skip("one CPU");
	check_ok(evl_init());
	/* Out-of-band callers would have the timer with them. */
	tfd = new_timer(EVL_CLOCK_MONOTONIC);
	pin_to(other_cpu());
	for (int i = 0; i < 3000; i++) {
		/* One tick which nobody reads. */
		arm(tfd, now() + 10, 0);
		date = now() + 60000;
		arm(tfd, date, 0);
		spin_until(date - 2000 + (i % 40) * 100);
		date = now() + 30000;
		arm(tfd, date, 0);
		left = ts_ns(setting(tfd).it_value);
		check(left > 0 || now() >= date);
		spin_until(date + 5000);
		setting(tfd);
	}
	pin_to(0);
	attach_fifo(10);
	check_ge(ticks_of(tfd), 1);
}

/* --- Many ------------------------------------------------------------------------------------------ */

#define NR_TIMERS	64

static void many_timers(void)
{
	int64_t start, date[NR_TIMERS];
	int tfd[NR_TIMERS], left = NR_TIMERS, i;
	uint64_t ticks;

	attach_fifo(10);
	for (i = 0; i < NR_TIMERS; i++) {
		tfd[i] = new_timer(i % 3 ? EVL_CLOCK_MONOTONIC : EVL_CLOCK_REALTIME);
		set_nonblocking(tfd[i], true);
	}
	start = now() + 20 * NSEC_PER_MSEC;
	for (i = 0; i < NR_TIMERS; i++) {
		int64_t delay = (i * 37 % NR_TIMERS) * 300000;

		date[i] = start + delay;
		arm(tfd[i], i % 3 ? date[i] : now_on(EVL_CLOCK_REALTIME) + date[i] - now(), 0);
	}
	while (left > 0) {
		check_ok(evl_usleep(500));
		for (i = 0; i < NR_TIMERS; i++) {
			if (tfd[i] < 0 || oob_read(tfd[i], &ticks, 8) != 8)
				continue;
			check_eq(ticks, 1);
			if (i % 3)
				check_reached(now(), date[i]);
			close(tfd[i]);
			tfd[i] = -1;
			left--;
		}
	}
}

static void realtime_timer_steps(void)
{
	struct timespec ts;
	int tfd;

	attach_fifo(10);
	tfd = new_timer(EVL_CLOCK_REALTIME);
	arm(tfd, now_on(EVL_CLOCK_REALTIME) + 3600 * NSEC_PER_SEC, 0);
	ts = ns_ts(now_on(EVL_CLOCK_REALTIME) + 3601 * NSEC_PER_SEC);
	check_ok(evl_set_clock(EVL_CLOCK_REALTIME, &ts));
	check_eq(ticks_of(tfd), 1);
	ts = ns_ts(now_on(EVL_CLOCK_REALTIME) - 3601 * NSEC_PER_SEC);
	check_ok(evl_set_clock(EVL_CLOCK_REALTIME, &ts));
}

static const struct CMUnitTest tests[] = {
	TEST(bad_clocks, "what is no clock has no timer"),
	TEST(bad_settings, "bad settings are -EINVAL or -EFAULT and change nothing"),
	TEST(bad_operations, "short reads, writes and foreign requests are errors"),
	TEST(descriptor_flags, "the descriptor is close-on-exec"),
	TEST(fires_once, "a timer fires at its date, once, on either clock"),
	TEST(nothing_to_read, "a non-blocking read without a tick is EAGAIN"),
	TEST(remaining_time, "evl_get_timer tells the time left"),
	TEST(disarming, "a zero date disarms, and the former setting is told"),
	TEST(rearming, "a new date replaces the former one"),
	TEST(set_by_the_unattached, "anyone may set a timer, in-band"),
	TEST(closed_under_reader, "closing a timer wakes its reader up"),
	TEST(ticks_follow_the_clock, "ticks and overruns follow the clock, without drift"),
	TEST(thousand_periods, "a thousand periods of a millisecond, all out-of-band"),
	TEST(overruns_add_up, "missed periods are told at the next read"),
	TEST(start_in_the_past, "a first date in the past keeps the grid"),
	TEST(interval_changes, "the interval can be changed while running"),
	TEST(shortest_period, "a timer which nobody reads takes no time, however short its period"),
	TEST(unread_period, "time left is told whether the last tick was read or not"),
	TEST(set_as_it_expires, "a timer which is set while it expires has the new setting"),
	TEST(ticks_go_to_one_reader, "a tick goes to the first of several readers, or to the next one if that is sent away"),
	TEST(closed_in_storm, "timers are closed while they are set and expire on two CPUs"),
	TEST(disarmed_for_good, "a timer which is disarmed while it expires stays disarmed"),
	TEST(many_timers, "many timers, armed in no order"),
	TEST(realtime_timer_steps, "a realtime timer follows a step of its clock"),
};

TEST_MAIN("timer", tests)
