// SPDX-License-Identifier: GPL-2.0-only
/*
 * Priority inversion, and what inheritance is for: three threads on one CPU.
 *
 *	low	holds a resource, wakes up the two others, and works with it
 *	high	wants the resource as well
 *	medium	does not, but computes for a long time
 *
 * With a semaphore, nobody knows that high waits for low: medium preempts low,
 * and high waits for medium. With a mutex, low inherits the priority of high.
 */
#define _GNU_SOURCE 1
#include <error.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <evl/evl.h>

static struct run {
	bool inherits;
	int64_t asked, got;	/* by high, ns */
	int64_t began, ended;	/* by medium */
} *run;
static struct evl_mutex mutex;
static struct evl_sem sem, go;

static void check(int ret, const char *what)
{
	if (ret < 0)
		error(1, -ret, "%s", what);
}

static int64_t now(void)
{
	struct timespec ts;

	evl_read_clock(EVL_CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * 1000000000LL + ts.tv_nsec;
}

static void work(int amount)
{
	for (volatile int n = amount * 1000000; n > 0; n--)
		;
}

static int take(void)
{
	return run->inherits ? evl_lock_mutex(&mutex) : evl_get_sem(&sem);
}

static int drop(void)
{
	return run->inherits ? evl_unlock_mutex(&mutex) : evl_put_sem(&sem);
}

static void attach(const char *name, int priority)
{
	struct evl_sched_attrs attrs = { .sched_policy = SCHED_FIFO, .sched_priority = priority };
	int self = evl_attach_self("%s:%d", name, getpid());

	check(self, "evl_attach_self");
	check(evl_set_schedattr(self, &attrs), "evl_set_schedattr");
	now();	/* It may take Linux to look at the clock for the first time. */
	check(evl_switch_oob(), "evl_switch_oob");
}

static void *high(void *arg)
{
	attach("high", 30);
	check(evl_get_sem(&go), "evl_get_sem");
	run->asked = now();
	check(take(), "taking");
	run->got = now();
	check(drop(), "dropping");
	evl_detach_self();

	return arg;
}

static void *medium(void *arg)
{
	attach("medium", 20);
	check(evl_get_sem(&go), "evl_get_sem");
	run->began = now();
	work(20);
	run->ended = now();
	evl_detach_self();

	return arg;
}

static void *low(void *arg)
{
	int waiters = 0;

	attach("low", 10);
	while (evl_peek_sem(&go, &waiters) == 0 && waiters > -2)
		evl_usleep(1000);
	check(take(), "taking");
	/* The first unit is for high: waiters are in order of priority. */
	check(evl_put_sem(&go) ?: evl_put_sem(&go), "evl_put_sem");
	work(1);
	check(drop(), "dropping");
	evl_detach_self();

	return arg;
}

/* How long high waited, in ms. */
static double measure(struct run *which)
{
	pthread_t a, b, c;

	run = which;
	check(-pthread_create(&a, NULL, high, NULL), "pthread_create");
	check(-pthread_create(&b, NULL, medium, NULL), "pthread_create");
	check(-pthread_create(&c, NULL, low, NULL), "pthread_create");
	pthread_join(a, NULL);
	pthread_join(b, NULL);
	pthread_join(c, NULL);
	return (run->got - run->asked) / 1e6;
}

int main(void)
{
	struct run without = { .inherits = false }, with = { .inherits = true };
	double long_wait, short_wait;
	cpu_set_t cpus;
	bool right;

	CPU_ZERO(&cpus);
	CPU_SET(sched_getcpu(), &cpus);
	sched_setaffinity(0, sizeof(cpus), &cpus);	/* for all threads to come */
	check(evl_init(), "evl_init");
	check(evl_new_mutex(&mutex, NULL), "evl_new_mutex");
	check(evl_create_sem(&sem, EVL_CLOCK_MONOTONIC, 1, EVL_CLONE_PRIVATE, NULL), "sem");
	check(evl_new_sem(&go, NULL), "evl_new_sem");
	long_wait = measure(&without);
	short_wait = measure(&with);
	right = without.got >= without.ended && with.got <= with.began && short_wait < long_wait;

	printf("semaphore: high waited %9.3f ms, %9.3f ms of it for medium\n", long_wait,
	       (without.ended - without.began) / 1e6);
	printf("mutex:     high waited %9.3f ms, for low only\n", short_wait);
	printf("inheritance saved %.3f ms: %s\n", long_wait - short_wait, right ? "right" : "wrong");

	return !right;
}
