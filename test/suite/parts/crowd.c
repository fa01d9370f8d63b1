// SPDX-License-Identifier: GPL-2.0-only
/*
 * Threads to look at, for suites in shell. There are four which stay:
 *   crowd waiter    waits for a semaphore, priority 17, on the last CPU
 *   sleeper         sleeps for an hour, priority 5, SCHED_RR
 *   weak            weak, in-band
 *   loser           waits for the semaphore, for an hour at most, priority 99
 * and with an argument, that many more which come, sleep a bit and go, over and over. "ready", then it waits for the end
 * of standard input.
 */
#include <error.h>
#include <evl/evl.h>
#include <evl/sem.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static struct evl_sem sem;
static atomic_int nready;
static atomic_bool over;

static int attach(const char *name, const struct evl_sched_attrs *attrs)
{
	int efd = evl_attach_self("%s:%d", name, getpid()), ret;

	if (efd < 0)
		error(1, -efd, "attaching %s", name);
	ret = attrs ? evl_set_schedattr(efd, attrs) : 0;
	if (ret)
		error(1, -ret, "policy of %s", name);

	return efd;
}

static struct timespec in_an_hour(void)
{
	struct timespec date;

	evl_read_clock(EVL_CLOCK_MONOTONIC, &date);
	date.tv_sec += 3600;

	return date;
}

static void *wait_for_ever(void *arg)
{
	struct evl_sched_attrs attrs = { .sched_policy = SCHED_FIFO, .sched_priority = 17 };
	cpu_set_t set;

	(void)arg;
	CPU_ZERO(&set);
	CPU_SET(sysconf(_SC_NPROCESSORS_ONLN) - 1, &set);
	pthread_setaffinity_np(pthread_self(), sizeof(set), &set);
	attach("crowd waiter", &attrs);
	nready++;
	evl_get_sem(&sem);

	return NULL;
}

static void *wait_for_long(void *arg)
{
	struct evl_sched_attrs attrs = { .sched_policy = SCHED_FIFO, .sched_priority = 99 };
	struct timespec date = in_an_hour();

	(void)arg;
	attach("loser", &attrs);
	nready++;
	evl_timedget_sem(&sem, &date);

	return NULL;
}

static void *sleep_for_long(void *arg)
{
	struct evl_sched_attrs attrs = { .sched_policy = SCHED_RR, .sched_priority = 5,
					 .sched_rr_quantum.tv_nsec = 10000000 };
	struct timespec date = in_an_hour();

	(void)arg;
	attach("sleeper", &attrs);
	nready++;
	evl_sleep_until(EVL_CLOCK_MONOTONIC, &date);

	return NULL;
}

static void *come_and_go(void *arg)
{
	char name[32];

	snprintf(name, sizeof(name), "guest-%d", (int)(long)arg);
	while (!over) {
		attach(name, NULL);
		evl_usleep(1000);
		evl_detach_self();
	}

	return NULL;
}

static void start(void *(*body)(void *), long arg, pthread_t *tid)
{
	pthread_attr_t attr;
	int ret;

	pthread_attr_init(&attr);
	pthread_attr_setstacksize(&attr, EVL_STACK_DEFAULT);
	ret = pthread_create(tid, &attr, body, (void *)arg);
	if (ret)
		error(1, ret, "pthread_create");
}

/* Does the thread of this name, which attached, wait for something by now? */
static bool waits(const char *name)
{
	char path[128];
	unsigned int state;
	FILE *file;

	snprintf(path, sizeof(path), "/sys/devices/virtual/thread/%s:%d/state", name, getpid());
	file = fopen(path, "r");
	if (!file || fscanf(file, "%x", &state) != 1)
		error(1, 0, "cannot read %s", path);
	fclose(file);

	return state & (EVL_T_PEND | EVL_T_DELAY);
}

int main(int argc, char *argv[])
{
	int nguests = argc > 1 ? atoi(argv[1]) : 0, n;
	pthread_t tid, *guests;

	guests = calloc(nguests + 1, sizeof(*guests));
	attach("weak", NULL);
	n = evl_new_sem(&sem, "door:%d", getpid());
	if (n < 0)
		error(1, -n, "evl_new_sem");
	start(wait_for_ever, 0, &tid);
	start(wait_for_long, 0, &tid);
	start(sleep_for_long, 0, &tid);
	for (n = 0; n < nguests; n++)
		start(come_and_go, n, &guests[n]);
	while (nready < 3 || !waits("crowd waiter") || !waits("loser") || !waits("sleeper"))
		sched_yield();

	puts("ready");
	fflush(stdout);
	while (getchar() != EOF)
		;
	over = true;
	for (n = 0; n < nguests; n++)
		pthread_join(guests[n], NULL);

	return 0;
}
