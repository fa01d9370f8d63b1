// SPDX-License-Identifier: GPL-2.0-only
/* How late a timer wakes up whoever waits for it: min/avg/max of 5000 shots at 1 kHz, the machine being idle. */
#include "bench.h"
#include <evl/timer.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include "../module/evl_bench.h"

#define SAMPLES	5000
#define PERIOD	1000000

static void report_run(const char *name, const struct evl_bench_run *run)
{
	printf("| %s | %lld/%lld/%lld |\n", name, (long long)run->min, (long long)(run->sum / run->samples),
	       (long long)run->max);
}

static void start_run(struct evl_bench_run *run)
{
	memset(run, 0, sizeof(*run));
	run->samples = SAMPLES;
	run->period = PERIOD;
	run->min = INT64_MAX;
	run->max = INT64_MIN;
}

/* The first ones warm up. */
static void add_sample(struct evl_bench_run *run, int n, int64_t late)
{
	if (n < 0)
		return;
	if (late < run->min)
		run->min = late;
	if (late > run->max)
		run->max = late;
	run->sum += late;
}

static int64_t date_ns(const struct timespec *ts)
{
	return ts->tv_sec * 1000000000LL + ts->tv_nsec;
}

static struct timespec ns_date(int64_t ns)
{
	return (struct timespec){ .tv_sec = ns / 1000000000, .tv_nsec = ns % 1000000000 };
}

static int64_t evl_now(void)
{
	struct timespec ts;

	evl_read_clock(EVL_CLOCK_MONOTONIC, &ts);

	return date_ns(&ts);
}

/* --- A thread which sleeps until a date ----------------------------------- */

static void run_sleeper(void)
{
	struct evl_bench_run run;
	struct timespec ts;
	int64_t date;
	int n;

	start_run(&run);
	date = evl_now() + 10 * PERIOD;
	for (n = -100; n < SAMPLES; n++, date += PERIOD) {
		ts = ns_date(date);
		must(evl_sleep_until(EVL_CLOCK_MONOTONIC, &ts));
		add_sample(&run, n, evl_now() - date);
	}
	report_run("timer_wakeup_user", &run);
}

/* --- A thread which reads a timer ----------------------------------------- */

static void run_reader(int timerfd)
{
	struct evl_bench_run run;
	struct itimerspec its;
	uint64_t ticks;
	int64_t date;
	int n;

	start_run(&run);
	date = evl_now() + 10 * PERIOD;
	its.it_value = ns_date(date);
	its.it_interval = ns_date(PERIOD);
	must(evl_set_timer(timerfd, &its, NULL));
	for (n = -100; n < SAMPLES; n++, date += PERIOD) {
		must(oob_read(timerfd, &ticks, sizeof(ticks)));
		add_sample(&run, n, evl_now() - date);
		date += PERIOD * (ticks - 1);
	}
	report_run("timer_wakeup_user_timerfd", &run);
}

/* --- In the kernel -------------------------------------------------------- */

static int open_driver(void)
{
	int fd = open("/mod/evl_bench.ko", O_RDONLY | O_CLOEXEC);

	if (fd >= 0) {
		if (syscall(SYS_finit_module, fd, "", 0) && errno != EEXIST)
			die("cannot load evl_bench.ko: %s", strerror(errno));
		close(fd);
	}

	return must(open("/dev/evl_bench", O_RDWR | O_CLOEXEC));
}

static void run_driver(int fd, unsigned long request, const char *name)
{
	struct evl_bench_run run;

	start_run(&run);
	must(ioctl(fd, request, &run));
	report_run(name, &run);
}

int main(void)
{
	int timerfd, fd;

	setvbuf(stdout, NULL, _IONBF, 0);
	become_fifo(90);
	must(evl_attach_self("bench-latency:%d", getpid()));
	must(evl_switch_inband());
	clear_gravity();
	timerfd = must(evl_new_timer(EVL_CLOCK_MONOTONIC));

	must(evl_switch_oob());
	run_sleeper();
	run_reader(timerfd);
	must(evl_detach_self());

	fd = open_driver();
	run_driver(fd, EVL_BENCH_KTHREAD, "timer_wakeup_kernel_thread");
	run_driver(fd, EVL_BENCH_HANDLER, "timer_wakeup_handler");
	close(fd);
	syscall(SYS_delete_module, "evl_bench", O_NONBLOCK);

	return 0;
}
