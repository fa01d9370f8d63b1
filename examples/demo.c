// SPDX-License-Identifier: GPL-2.0-only
/*
 * How late does an out-of-band thread wake up while Linux is busy?
 *
 * A thread samples at 1 kHz, and sends each sample out-of-band through a
 * cross-buffer to the main thread, which reads them in-band and does the
 * arithmetic. A child process keeps Linux busy meanwhile.
 *
 *	demo [-t seconds] [-o file] [-n]
 *
 * -o tells where the histogram goes as "microseconds count" lines (default
 * histogram.dat), -n leaves the load out.
 */
#include <errno.h>
#include <error.h>
#include <fcntl.h>
#include <inttypes.h>
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/utsname.h>
#include <unistd.h>
#include <evl/evl.h>

#define NS_PER_SEC	1000000000LL
#define PERIOD_NS	1000000LL
#define NR_CELLS	10000	/* of a microsecond, the last one is for the rest */
#define NR_ROWS		20

struct sample {
	uint64_t sequence;	/* 0 for the end */
	int64_t date;		/* when the thread wanted to wake up */
	int64_t latency;	/* how late it did, in ns */
};

struct stats {
	uint64_t samples;
	int64_t min, max, sum;
};

static int xfd;
static int duration = 10;
static uint64_t overruns;
static uint32_t inband_switches;
static uint32_t cells[NR_CELLS];

/* --- Out-of-band ------------------------------------------------------------- */

static int64_t now(void)
{
	struct timespec ts;

	evl_read_clock(EVL_CLOCK_MONOTONIC, &ts);

	return ts.tv_sec * NS_PER_SEC + ts.tv_nsec;
}

static void sleep_until(int64_t date)
{
	struct timespec ts = { .tv_sec = date / NS_PER_SEC, .tv_nsec = date % NS_PER_SEC };

	evl_sleep_until(EVL_CLOCK_MONOTONIC, &ts);
}

static uint32_t count_inband_switches(void)
{
	struct evl_thread_state state = { .isw = 0 };

	evl_get_state(evl_get_self(), &state);

	return state.isw;
}

static void *sampler(void *arg)
{
	struct sample sample = { .sequence = 0 };
	uint32_t switches;
	int64_t end;
	int ret;

	ret = evl_attach_self("sampler:%d", getpid());
	if (ret < 0)
		error(1, -ret, "cannot attach the sampling thread");

	/* The first look at the clock may fault its page in, which takes Linux. */
	sample.date = now() + PERIOD_NS;
	switches = count_inband_switches();
	end = sample.date + duration * NS_PER_SEC;

	for (; sample.date < end; sample.date += PERIOD_NS) {
		sleep_until(sample.date);
		sample.latency = now() - sample.date;
		sample.sequence++;
		oob_write(xfd, &sample, sizeof(sample));
		/* Dates which have gone by already are not to be waited for. */
		for (; sample.latency >= PERIOD_NS; sample.latency -= PERIOD_NS) {
			sample.date += PERIOD_NS;
			overruns++;
		}
	}

	inband_switches = count_inband_switches() - switches;
	sample.sequence = 0;
	oob_write(xfd, &sample, sizeof(sample));
	evl_detach_self();

	return arg;
}

static pthread_t start_sampler(void)
{
	struct sched_param param = { .sched_priority = 80 };
	pthread_attr_t attr;
	pthread_t thread;
	int ret;

	pthread_attr_init(&attr);
	pthread_attr_setinheritsched(&attr, PTHREAD_EXPLICIT_SCHED);
	pthread_attr_setschedpolicy(&attr, SCHED_FIFO);
	pthread_attr_setschedparam(&attr, &param);
	ret = pthread_create(&thread, &attr, sampler, NULL);
	if (ret)
		error(1, ret, "cannot start the sampling thread");

	return thread;
}

/* --- In-band ------------------------------------------------------------------ */

static void add_sample(struct stats *s, int64_t latency)
{
	int64_t us = latency / 1000;

	if (!s->samples || latency < s->min)
		s->min = latency;
	if (!s->samples || latency > s->max)
		s->max = latency;
	s->sum += latency;
	s->samples++;
	cells[us < 0 ? 0 : us < NR_CELLS ? us : NR_CELLS - 1]++;
}

static void print_progress(const struct stats *s, int second)
{
	printf("%3d s %8" PRIu64 " samples   latency min %8.1f   avg %8.1f   max %8.1f us\n",
	       second, s->samples, s->min / 1e3, s->sum / 1e3 / s->samples, s->max / 1e3);
	fflush(stdout);
}

static void consume(struct stats *s)
{
	struct sample sample;
	int64_t start = 0;
	int second = 1;

	for (;;) {
		if (read(xfd, &sample, sizeof(sample)) != sizeof(sample))
			error(1, errno, "cannot read the cross-buffer");
		if (!sample.sequence)
			return;
		if (!start)
			start = sample.date;
		for (; sample.date >= start + second * NS_PER_SEC; second++)
			print_progress(s, second);
		add_sample(s, sample.latency);
	}
}

/* Some of everything: system calls, page faults, cache misses, a busy CPU. */
static pid_t start_load(void)
{
	static volatile unsigned int sink;
	unsigned int n;
	size_t size = 1 << 20;
	pid_t pid = fork();
	int fd;

	if (pid)
		return pid;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	fd = open("/dev/null", O_WRONLY);
	for (;;) {
		char *buf = malloc(size);

		memset(buf, 1, size);
		for (n = 0; n < size; n += 512)
			if (write(fd, buf + n, 512) < 0)
				_exit(1);
		for (n = 0; n < 1000000; n++)
			sink += n;
		free(buf);
	}
}

/* --- Results -------------------------------------------------------------------- */

static void print_bar(int from, int to, uint32_t count, uint32_t top)
{
	static const char bar[] = "##################################################";
	int width = (int)((uint64_t)count * 50 / top);

	if (to < NR_CELLS)
		printf("%5d..%-5d", from, to);
	else
		printf("%5d..     ", from);
	printf(" %8u %.*s\n", count, count && !width ? 1 : width, bar);
}

static uint32_t sum_cells(int from, int to)
{
	uint32_t sum = 0;

	for (; from < to && from < NR_CELLS; from++)
		sum += cells[from];

	return sum;
}

/* The smallest of 1, 2, 5, 10, 20... which makes @span fit into the rows. */
static int choose_step(int span)
{
	int step = 1, digit = 0;

	for (; step * NR_ROWS < span; digit++)
		step = digit % 3 == 1 ? step / 2 * 5 : step * 2;

	return step;
}

/* Rows for all but the worst hundredth of the samples, and one for these. */
static void print_histogram(const struct stats *s)
{
	int first = 0, last = NR_CELLS - 1, from, step;
	uint32_t top = 1, tail = 0;

	while (first < last && !cells[first])
		first++;
	while (last > first && tail + cells[last] <= s->samples / 100)
		tail += cells[last--];

	step = choose_step(last - first + 1);
	first -= first % step;
	for (from = first; from <= last; from += step)
		if (sum_cells(from, from + step) > top)
			top = sum_cells(from, from + step);

	printf("\nlatency (us)  samples\n");
	for (from = first; from <= last; from += step)
		print_bar(from, from + step, sum_cells(from, from + step), top);
	tail = sum_cells(from, NR_CELLS);
	if (tail)
		print_bar(from, NR_CELLS, tail, top);
}

static void print_summary(const struct stats *s)
{
	printf("\nsamples %" PRIu64 ", latency min %.1f us, average %.1f us, max %.1f us\n"
	       "overruns %" PRIu64 ", in-band switches %u\n",
	       s->samples, s->min / 1e3, s->sum / 1e3 / s->samples, s->max / 1e3,
	       overruns, inband_switches);
}

static void save_histogram(const struct stats *s, const char *path)
{
	FILE *file = fopen(path, "w");
	struct utsname name;
	int us;

	if (!file)
		error(1, errno, "cannot write %s", path);

	uname(&name);
	fprintf(file, "# Wakeup latency of an out-of-band thread at 1 kHz, %" PRIu64
		" samples, Linux %s\n", s->samples, name.release);
	for (us = 0; us < NR_CELLS; us++)
		if (cells[us])
			fprintf(file, "%d %u\n", us, cells[us]);
	fclose(file);
}

int main(int argc, char *argv[])
{
	const char *path = "histogram.dat";
	struct stats stats = { .samples = 0 };
	bool load = true;
	pid_t child = 0;
	pthread_t thread;
	int opt, ret;

	while ((opt = getopt(argc, argv, "t:o:n")) != -1) {
		if (opt == 't')
			duration = atoi(optarg);
		else if (opt == 'o')
			path = optarg;
		else if (opt == 'n')
			load = false;
		else
			error(2, 0, "usage: demo [-t seconds] [-o file] [-n]");
	}
	if (duration < 1)
		error(2, 0, "a second is the least");

	/* Before memory gets locked: the load has no need for that. */
	if (load)
		child = start_load();

	ret = evl_init();
	if (ret)
		error(1, -ret, "cannot reach the EVL core");

	/* From out-of-band writes to in-band reads, and not the other way. */
	xfd = evl_create_xbuf(1 << 20, 0, EVL_CLONE_PRIVATE, "demo:%d", getpid());
	if (xfd < 0)
		error(1, -xfd, "cannot create a cross-buffer");

	printf("sampling at 1 kHz for %d s, %s in-band load\n", duration,
	       load ? "with" : "without");
	fflush(stdout);
	thread = start_sampler();
	consume(&stats);
	pthread_join(thread, NULL);
	if (child > 0)
		kill(child, SIGKILL);

	print_progress(&stats, duration);
	print_histogram(&stats);
	print_summary(&stats);
	save_histogram(&stats, path);

	return 0;
}
