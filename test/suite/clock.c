// SPDX-License-Identifier: GPL-2.0-only
/* Clocks: reading, setting, sleeping until a date. */
#include "helpers.h"
#include <evl/sys.h>
#include <evl/sem.h>
#include <evl/timer.h>
#include <grp.h>

static const int clocks[] = { EVL_CLOCK_MONOTONIC, EVL_CLOCK_REALTIME };
static const clockid_t posix_ids[] = { CLOCK_MONOTONIC, CLOCK_REALTIME };

static int64_t posix_now(clockid_t id)
{
	struct timespec ts;

	check_sys(clock_gettime(id, &ts));
	return ts_ns(ts);
}

static int open_clock(const char *name)
{
	char path[64];

	snprintf(path, sizeof(path), "/dev/evl/clock/%s", name);
	return check_sys(open(path, O_RDWR | O_CLOEXEC));
}

/* --- Reading ---------------------------------------------------------------------------- */

static void reads_agree_with_posix(void)
{
	for (unsigned int i = 0; i < ARRAY_SIZE(clocks); i++) {
		for (int n = 0; n < 100; n++) {
			int64_t before = posix_now(posix_ids[i]);
			int64_t read = now_on(clocks[i]);

			check_ge(read, before);
			check_le(read, posix_now(posix_ids[i]));
		}
	}
}

/* What reads it comes from the kernel, and is not part of what a process locks: only a new image has never touched it. */
static int read_for_the_first_time(void)
{
	struct timespec ts;
	unsigned int isw;
	int efd;

	efd = attach_fifo(10);
	check_ok(evl_switch_oob());
	isw = state_of(efd).isw;
	check_ok(evl_read_clock(EVL_CLOCK_MONOTONIC, &ts));
	check_ok(evl_read_clock(EVL_CLOCK_REALTIME, &ts));
	check_sys(clock_gettime(CLOCK_MONOTONIC, &ts));
	return state_of(efd).isw - isw;
}

static void become_new_image(void *arg)
{
	(void)arg;
	execl("/proc/self/exe", "clock", "--first-read", NULL);
	check_fail("exec: %s", strerror(errno));
}

static void first_read_does_not_demote(void)
{
	wait_success(fork_child(become_new_image, NULL));
}

static void reads_do_not_demote(void)
{
	int64_t last = 0;

	attach_fifo(10);
	check_ok(evl_switch_oob());
	for (int n = 0; n < 1000; n++) {
		int64_t date = now();

		check_ge(date, last);
		last = date;
		now_on(EVL_CLOCK_REALTIME);
	}
	check(!evl_is_inband());
}

/* By request on the descriptor of a clock, on either stage. */
static void requests_read_clocks(void)
{
	static const char *const names[] = { "monotonic", "realtime" };

	attach_fifo(10);
	for (unsigned int i = 0; i < ARRAY_SIZE(clocks); i++) {
		int fd = open_clock(names[i]);
		struct __evl_timespec ts;
		int64_t before;

		check_ok(evl_switch_oob());
		before = now_on(clocks[i]);
		check_sys(oob_ioctl(fd, EVL_CLKIOC_GET_TIME, &ts));
		check_ge(ts.tv_sec * NSEC_PER_SEC + ts.tv_nsec, before);
		check_le(ts.tv_sec * NSEC_PER_SEC + ts.tv_nsec, now_on(clocks[i]));
		check(!evl_is_inband());
		before = now_on(clocks[i]);
		check_sys(ioctl(fd, EVL_CLKIOC_GET_TIME, &ts));
		check_ge(ts.tv_sec * NSEC_PER_SEC + ts.tv_nsec, before);
		check_le(ts.tv_sec * NSEC_PER_SEC + ts.tv_nsec, now_on(clocks[i]));
	}
}

static void descriptors_name_clocks(void)
{
	int fd = open_clock("monotonic");
	struct timespec ts;
	int64_t before;

	attach_fifo(10);
	before = now();
	check_ok(evl_read_clock(fd, &ts));
	check_ge(ts_ns(ts), before);
	check_le(ts_ns(ts), now());
	before = now() + 2 * NSEC_PER_MSEC;
	ts = ns_ts(before);
	check_ok(evl_sleep_until(fd, &ts));
	check_reached(now(), before);
}

static void resolution_is_one_ns(void)
{
	int fd = open_clock("realtime");
	struct timespec ts;

	attach_fifo(10);
	for (unsigned int i = 0; i < ARRAY_SIZE(clocks); i++) {
		check_ok(evl_get_clock_resolution(clocks[i], &ts));
		check_eq(ts_ns(ts), 1);
	}
	check_ok(evl_get_clock_resolution(fd, &ts));
	check_eq(ts_ns(ts), 1);
}

/* --- Setting ---------------------------------------------------------------------------- */

static void setting_refused(void)
{
	struct __evl_timespec kts = { .tv_sec = 1 };
	struct timespec ts = { .tv_sec = 1 };
	int fd = open_clock("monotonic"), realfd = open_clock("realtime");

	check_eq(evl_set_clock(EVL_CLOCK_MONOTONIC, &ts), -EINVAL);
	attach_fifo(10);
	check_errno(oob_ioctl(fd, EVL_CLKIOC_SET_TIME, &kts), EOPNOTSUPP);
	check_errno(ioctl(realfd, EVL_CLKIOC_SET_TIME, &kts), EOPNOTSUPP);
	check_errno(ioctl(fd, EVL_CLKIOC_SET_TIME, NULL), EFAULT);
	ts.tv_nsec = NSEC_PER_SEC;
	check_eq(evl_set_clock(EVL_CLOCK_REALTIME, &ts), -EINVAL);
	check_sys(setgroups(0, NULL));
	check_sys(setgid(65534));
	check_sys(setuid(65534));
	ts.tv_nsec = 0;
	check_eq(evl_set_clock(EVL_CLOCK_REALTIME, &ts), -EPERM);
}

static void set_realtime(int64_t date)
{
	struct timespec ts = ns_ts(date);

	check_ok(evl_set_clock(EVL_CLOCK_REALTIME, &ts));
}

static void setting_works(void)
{
	int64_t start = now(), real = now_on(EVL_CLOCK_REALTIME), read;

	check_ok(evl_init());
	set_realtime(real + 3600 * NSEC_PER_SEC);
	read = now_on(EVL_CLOCK_REALTIME);
	check_ge(read, real + 3600 * NSEC_PER_SEC);
	check_le(read, real + 3600 * NSEC_PER_SEC + now() - start);
	set_realtime(now_on(EVL_CLOCK_REALTIME) - 3600 * NSEC_PER_SEC);
}

/* --- Sleeping --------------------------------------------------------------------------- */

static void never_wakes_early(void)
{
	attach_fifo(10);
	for (unsigned int i = 0; i < ARRAY_SIZE(clocks); i++) {
		for (int n = 0; n < 100; n++) {
			int64_t date = now_on(clocks[i]) + n * 50000;
			struct timespec ts = ns_ts(date);

			check_ok(evl_sleep_until(clocks[i], &ts));
			check_reached(now_on(clocks[i]), date);
		}
	}
	check(!evl_is_inband());
}

static void weak_sleeps_too(void)
{
	int64_t date;

	attach_weak();
	date = now() + 5 * NSEC_PER_MSEC;
	check_ok(sleep_until(date));
	check_reached(now(), date);
}

static void past_dates_return_at_once(void)
{
	static const int64_t dates[] = { 0, 1, NSEC_PER_SEC };
	unsigned int csw;
	int efd = attach_fifo(10);

	check_ok(evl_switch_oob());
	csw = state_of(efd).csw;
	for (unsigned int i = 0; i < ARRAY_SIZE(dates); i++) {
		struct timespec ts = ns_ts(dates[i]);

		check_ok(evl_sleep_until(EVL_CLOCK_MONOTONIC, &ts));
		check_ok(evl_sleep_until(EVL_CLOCK_REALTIME, &ts));
	}
	/* It never gave the CPU away. */
	check_eq(state_of(efd).csw, csw);
}

static void invalid_dates(void)
{
	static const struct timespec bad[] = {
		{ .tv_sec = 0, .tv_nsec = NSEC_PER_SEC }, { .tv_sec = 0, .tv_nsec = -1 }, { .tv_sec = -1, .tv_nsec = 0 },
		{ .tv_sec = 0, .tv_nsec = LONG_MAX }, { .tv_sec = 0, .tv_nsec = LONG_MIN }, { .tv_sec = LONG_MIN },
		{ .tv_sec = LONG_MAX, .tv_nsec = NSEC_PER_SEC },
	};

	attach_fifo(10);
	for (unsigned int i = 0; i < ARRAY_SIZE(bad); i++) {
		check_eq(evl_sleep_until(EVL_CLOCK_MONOTONIC, &bad[i]), -EINVAL);
		check_eq(evl_sleep_until(EVL_CLOCK_REALTIME, &bad[i]), -EINVAL);
	}
}

static void bad_sleep_requests(void)
{
	struct timespec ts = { 0 };
	int null = check_sys(open("/dev/null", O_RDWR));
	int fd = open_clock("monotonic");

	attach_fifo(10);
	check_errno(oob_ioctl(fd, EVL_CLKIOC_SLEEP, NULL), EFAULT);
	check_errno(oob_ioctl(fd, EVL_CLKIOC_SLEEP, 8L), EFAULT);
	check_eq(evl_sleep_until(null, &ts), -EBADF);
	check_eq(evl_sleep_until(1000, &ts), -EBADF);
	check_lt(evl_sleep_until(evl_get_self(), &ts), 0);
	/* The stage, the request, the operation are wrong. */
	check_errno(ioctl(fd, EVL_CLKIOC_SLEEP, &ts), ENOTTY);
	check_errno(oob_ioctl(fd, EVL_CLKIOC_NEW_TIMER, &fd), ENOTTY);
	check_errno(oob_ioctl(fd, EVL_THRIOC_YIELD, 0), ENOTTY);
	check_errno(read(fd, &ts, sizeof(ts)), EINVAL);
	check_errno(oob_read(fd, &ts, sizeof(ts)), EINVAL);
}

static void usleep_range(void)
{
	int64_t start;

	attach_fifo(10);
	check_ok(evl_usleep(0));
	check_eq(evl_usleep(1000001), -EINVAL);
	check_eq(evl_usleep(UINT_MAX), -EINVAL);
	start = now();
	check_ok(evl_usleep(3000));
	check_reached(now(), start + 3 * NSEC_PER_MSEC);
	start = now();
	check_ok(evl_usleep(1000000));
	check_reached(now(), start + NSEC_PER_SEC);
}

static void sleep_until_doomsday(struct worker *w)
{
	const struct timespec ts = { .tv_sec = LONG_MAX, .tv_nsec = NSEC_PER_SEC - 1 };

	attach_worker(w);
	check_eq(evl_sleep_until(*(int *)w->arg, &ts), -EINTR);
}

/* Dates beyond what the kernel counts in are as good as never. */
static void far_dates(void)
{
	for (unsigned int i = 0; i < ARRAY_SIZE(clocks); i++) {
		struct worker w = { .body = sleep_until_doomsday, .name = "doomsday", .prio = 10,
				    .arg = (void *)&clocks[i], .cpu = other_cpu() };

		start_worker(&w);
		await(worker_sleeps(&w));
		check_gt(strtoull(worker_attr(&w, "timeout"), NULL, 10), 3600 * NSEC_PER_SEC);
		check_ok(evl_unblock_thread(w.efd));
		join_worker(&w);
	}
}

/* --- Steps of the realtime clock --------------------------------------------------------- */

struct nap {
	int clockfd;
	int64_t date, woken;
};

static void sleep_on(struct worker *w)
{
	struct nap *s = w->arg;
	struct timespec ts = ns_ts(s->date);

	attach_worker(w);
	check_ok(evl_sleep_until(s->clockfd, &ts));
	s->woken = now_on(s->clockfd);
}

static void step_during(struct nap *s, int64_t step)
{
	struct worker w = { .body = sleep_on, .name = "stepped", .prio = 10, .arg = s, .cpu = other_cpu() };

	check_ok(evl_init());
	start_worker(&w);
	await(worker_sleeps(&w));
	set_realtime(now_on(EVL_CLOCK_REALTIME) + step);
	join_worker(&w);
	check_reached(s->woken, s->date);
	set_realtime(now_on(EVL_CLOCK_REALTIME) - step);
}

static void step_forward_wakes(void)
{
	struct nap s = { .clockfd = EVL_CLOCK_REALTIME };

	s.date = now_on(EVL_CLOCK_REALTIME) + 7200 * NSEC_PER_SEC;
	step_during(&s, 7201 * NSEC_PER_SEC);
}

static void step_back_delays(void)
{
	struct nap s = { .clockfd = EVL_CLOCK_REALTIME };

	s.date = now_on(EVL_CLOCK_REALTIME) + patience(1) * NSEC_PER_SEC;
	step_during(&s, -500 * NSEC_PER_MSEC);
}

static void monotonic_ignores_steps(void)
{
	struct nap s = { .clockfd = EVL_CLOCK_MONOTONIC };

	s.date = now() + patience(1) * NSEC_PER_SEC;
	step_during(&s, 86400 * NSEC_PER_SEC);
	s.date = now() + patience(1) * NSEC_PER_SEC;
	step_during(&s, -1800 * NSEC_PER_SEC);
}

/* A sleep does not need the file which led to the clock. */
struct sleeper {
	int fd;
	int64_t date;
};

static void sleep_on_file(struct worker *w)
{
	struct sleeper *s = w->arg;
	struct __evl_timespec ts = { .tv_sec = s->date / NSEC_PER_SEC, .tv_nsec = s->date % NSEC_PER_SEC };

	attach_worker(w);
	w->result = oob_ioctl(s->fd, EVL_CLKIOC_SLEEP, &ts) ? -errno : 0;
	check_reached(now(), s->date);
}

static void closed_while_slept_on(void)
{
	struct sleeper s = { .fd = open_clock("monotonic") };
	struct worker w = { .body = sleep_on_file, .name = "sleeper", .prio = 10, .cpu = other_cpu(), .arg = &s };

	check_ok(evl_init());
	s.date = now() + 3 * NSEC_PER_SEC;
	start_worker(&w);
	await(worker_sleeps(&w));
	close(s.fd);
	check_lt(now(), s.date);
	check(worker_sleeps(&w));
	join_worker(&w);
	check_eq(w.result, 0);
}

/* --- Time namespaces --------------------------------------------------------------------- */

#define CLONE_TIME	0x80

/* All dates are those of the container. The core has no other word for them, whoever made the program. */
static void in_namespace(void *arg)
{
	int64_t shift = *(int64_t *)arg, start, date;
	struct itimerspec its = { }, left;
	struct timespec ts;
	struct evl_sem sem;
	__u64 ticks;
	int tfd;

	attach_fifo(10);
	start = now_on(EVL_CLOCK_MONOTONIC);
	check_eq(start >= NSEC_PER_SEC * 1000, shift > 0);
	check_sys(oob_ioctl(__evl_hl_clockfd(EVL_CLOCK_MONOTONIC), EVL_CLKIOC_GET_TIME, &ts));
	check_reached(ts_ns(ts), start);
	check_lt(ts_ns(ts), start + 100 * NSEC_PER_SEC);

	date = now() + 20 * NSEC_PER_MSEC;
	check_ok(sleep_until(date));
	check_reached(now(), date);
	check_ok(evl_usleep(1000));

	check_ok(evl_new_sem(&sem, "ns:%d", getpid()));
	date = now() + 20 * NSEC_PER_MSEC;
	ts = ns_ts(date);
	check_eq(evl_timedget_sem(&sem, &ts), -ETIMEDOUT);
	check_reached(now(), date);

	tfd = check_ok(evl_new_timer(EVL_CLOCK_MONOTONIC));
	date = now() + 20 * NSEC_PER_MSEC;
	its.it_value = ns_ts(date);
	check_ok(evl_set_timer(tfd, &its, NULL));
	check_ok(evl_get_timer(tfd, &left));
	check_le(ts_ns(left.it_value), 20 * NSEC_PER_MSEC);
	check_eq(oob_read(tfd, &ticks, sizeof(ticks)), sizeof(ticks));
	check_reached(now(), date);

	/* Long before that of the machine began. */
	ts = ns_ts(1);
	check_eq(evl_timedget_sem(&sem, &ts), -ETIMEDOUT);
	check_lt(now(), start + 100 * NSEC_PER_SEC);
}

static void shift_clock(void *arg)
{
	int64_t shift = *(int64_t *)arg;
	char line[64];
	int fd;

	if (unshare(CLONE_TIME))
		_exit(EXIT_SKIPPED);
	fd = check_sys(open("/proc/self/timens_offsets", O_WRONLY));
	check_sys(write(fd, line, snprintf(line, sizeof(line), "monotonic %lld 0\n", (long long)shift)));
	close(fd);
	/* Children are in it. */
	wait_success(fork_child(in_namespace, arg));
}

static void time_namespace(void)
{
	int64_t shifts[] = { 100000, -1 };

	for (unsigned int i = 0; i < ARRAY_SIZE(shifts); i++) {
		int status = wait_for(fork_child(shift_clock, &shifts[i]));

		if (WIFEXITED(status) && WEXITSTATUS(status) == EXIT_SKIPPED)
			check_skip("no time namespaces");
		check_eq(status, 0);
	}
}

static const struct CMUnitTest tests[] = {
	TEST(closed_while_slept_on, "closing a clock waits for no sleeper, and wakes none"),
	TEST(reads_agree_with_posix, "both clocks read what POSIX says"),
	TEST(first_read_does_not_demote, "reading does not move the caller, the first time either"),
	TEST(reads_do_not_demote, "reading never moves the caller, nor goes backwards"),
	TEST(requests_read_clocks, "GET_TIME answers on both stages"),
	TEST(descriptors_name_clocks, "a descriptor of a clock serves as well"),
	TEST(resolution_is_one_ns, "the resolution is a nanosecond"),
	TEST(setting_refused, "clocks which cannot be set, callers which may not"),
	TEST(setting_works, "evl_set_clock sets the realtime clock"),
	TEST(never_wakes_early, "a sleep does not end before its date, on either clock"),
	TEST(weak_sleeps_too, "nor that of a weak thread"),
	TEST(past_dates_return_at_once, "dates in the past return without sleeping"),
	TEST(invalid_dates, "dates which are none are -EINVAL"),
	TEST(bad_sleep_requests, "bad pointers, descriptors and stages"),
	TEST(usleep_range, "evl_usleep takes up to a second"),
	TEST(far_dates, "dates too far away last until unblocked"),
	TEST(step_forward_wakes, "setting the realtime clock ahead wakes sleepers"),
	TEST(step_back_delays, "setting it back makes them wait longer"),
	TEST(time_namespace, "in a time namespace, dates are those of its clock"),
	TEST(monotonic_ignores_steps, "the monotonic clock does not care"),
};

int main(int argc, char *argv[])
{
	if (argc > 1 && !strcmp(argv[1], "--first-read"))
		return read_for_the_first_time();
	prepare_main(argc, argv);
	return cmocka_run_group_tests_name("clock", tests, NULL, NULL);
}
