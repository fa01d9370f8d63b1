/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the benchmarks have in common. They run on one CPU, in a virtual machine where an instruction takes one
 * nanosecond: a difference of two dates is a number of instructions.
 */
#ifndef EVL_TEST_BENCH_H
#define EVL_TEST_BENCH_H

#include <evl/evl.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

/* What main() runs at; others stand above or below. */
#define MAIN_PRIO	50
#define ROUNDS		21

__attribute__((noreturn, format(printf, 1, 2), unused))
static void die(const char *fmt, ...)
{
	va_list ap;

	fputs("# ", stdout);
	va_start(ap, fmt);
	vprintf(fmt, ap);
	va_end(ap);
	putchar('\n');
	exit(1);
}

/* For all that has to succeed: zero or more, or -1 and errno, or a negated error code. */
#define must(__expr)								\
	({									\
		long __ret = (long)(__expr);					\
		if (__ret < 0)							\
			die("%s:%d: %s: %s", __FILE__, __LINE__, #__expr,	\
			    strerror(__ret == -1 ? errno : (int)-__ret));	\
		__ret;								\
	})

__attribute__((unused))
static int64_t now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);

	return ts.tv_sec * 1000000000LL + ts.tv_nsec;
}

/* --- Figures -------------------------------------------------------------- */

static int compare_figures(const void *a, const void *b)
{
	int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;

	return (x > y) - (x < y);
}

static int64_t median(int64_t *figures, int count)
{
	qsort(figures, count, sizeof(figures[0]), compare_figures);

	return figures[count / 2];
}

/* What each round took. */
struct series {
	int64_t rounds[ROUNDS];
};

__attribute__((unused))
static void report(const char *name, double figure)
{
	printf("| %s | %.1f |\n", name, figure);
}

__attribute__((unused))
static void report_skipped(const char *name, const char *reason)
{
	printf("# %s: skipped, %s\n", name, reason);
}

/* Time for @count rounds of @__op. */
#define time_loop(__count, __op)					\
	({								\
		int64_t __start = now();				\
		int __n;						\
									\
		for (__n = 0; __n < (__count); __n++) {			\
			__op;						\
			__asm__ volatile("" : : "r"(__n) : "memory");	\
		}							\
		now() - __start;					\
	})

/* What the loop and the clock cost by themselves goes off. */
__attribute__((unused))
static double settle(struct series *s, int count)
{
	struct series none;
	int n;

	for (n = 0; n < ROUNDS; n++)
		none.rounds[n] = time_loop(count, (void)0);

	return (double)(median(s->rounds, ROUNDS) - median(none.rounds, ROUNDS)) / count;
}

/* Rounds of @__op into series @__s; the first ones warm up. */
#define sample(__s, __count, __op)					\
	do {								\
		int __r;						\
									\
		for (__r = -3; __r < ROUNDS; __r++) {			\
			int64_t __t = time_loop(__count, __op);		\
									\
			if (__r >= 0)					\
				(__s)->rounds[__r] = __t;		\
		}							\
	} while (0)

/* Reports as well, which brings the caller in-band. */
#define measure(__name, __count, __op)					\
	do {								\
		struct series __series;					\
									\
		sample(&__series, __count, __op);			\
		report(__name, settle(&__series, __count));		\
	} while (0)

/* --- Set up --------------------------------------------------------------- */

/* The threads of Linux: real-time, on the only CPU. */
__attribute__((unused))
static void become_fifo(int prio)
{
	struct sched_param param = { .sched_priority = prio };
	cpu_set_t cpus;

	CPU_ZERO(&cpus);
	CPU_SET(0, &cpus);
	must(sched_setaffinity(0, sizeof(cpus), &cpus));
	must(-pthread_setschedparam(pthread_self(), SCHED_FIFO, &param));
}

/* Shots at their date, neither before nor after: the figures compared with were made so. */
__attribute__((unused))
static void clear_gravity(void)
{
	static const char path[] = "/sys/class/clock/monotonic/gravity", zero[] = "0i 0k 0u";
	int fd = open(path, O_WRONLY);

	if (fd < 0 || write(fd, zero, strlen(zero)) < 0)
		die("%s: %s", path, strerror(errno));
	close(fd);
}

__attribute__((unused))
static pthread_t start_thread(int prio, void *(*fn)(void *), void *arg)
{
	struct sched_param param = { .sched_priority = prio };
	pthread_attr_t attr;
	pthread_t thread;

	pthread_attr_init(&attr);
	pthread_attr_setinheritsched(&attr, PTHREAD_EXPLICIT_SCHED);
	pthread_attr_setschedpolicy(&attr, SCHED_FIFO);
	pthread_attr_setschedparam(&attr, &param);
	pthread_attr_setstacksize(&attr, EVL_STACK_DEFAULT);
	must(-pthread_create(&thread, &attr, fn, arg));
	pthread_attr_destroy(&attr);

	return thread;
}

#endif /* !EVL_TEST_BENCH_H */
