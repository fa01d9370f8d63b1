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

/* First tick in the past: all periods since count as missed. */
static void start_in_the_past(void)
{
	int64_t start, ticks;
	int tfd;

	attach_fifo(10);
	tfd = new_timer(EVL_CLOCK_MONOTONIC);
	start = now() - 10 * PERIOD;
	arm(tfd, start, PERIOD);
	ticks = ticks_of(tfd);
	check_ge(ticks, 1);
	check_le(ticks, periods(start, now() + GRAVITY, PERIOD));
	/* Later ones are on the grid that the first date set. */
	ticks += ticks_of(tfd);
	check_reached(now(), start + (ticks - 1) * PERIOD);
}

static void interval_changes(void)
{
	int64_t start;
	int tfd;

	attach_fifo(10);
	tfd = new_timer(EVL_CLOCK_MONOTONIC);
	start = now() + PERIOD;
	arm(tfd, start, PERIOD);
	ticks_of(tfd);
	check_eq(ts_ns(setting(tfd).it_interval), PERIOD);
	start = now() + 2 * PERIOD;
	arm(tfd, start, 2 * PERIOD);
	check_eq(ts_ns(setting(tfd).it_interval), 2 * PERIOD);
	ticks_of(tfd);
	check_reached(now(), start);
	ticks_of(tfd);
	check_reached(now(), start + 2 * PERIOD);
}

/* --- Many ------------------------------------------------------------------------------------------ */

#define NR_TIMERS	64

/* Armed in no order, all of them fire, none before its date. */
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
	TEST(many_timers, "many timers, armed in no order"),
	TEST(realtime_timer_steps, "a realtime timer follows a step of its clock"),
};

TEST_MAIN("timer", tests)
