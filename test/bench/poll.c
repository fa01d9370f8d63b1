// SPDX-License-Identifier: GPL-2.0-only
/* What polling out-of-band costs. */
#include "bench.h"
#include <evl/poll.h>
#include <evl/sem.h>
#include <evl/timer.h>
#include <sys/resource.h>

static const struct timespec past = { .tv_sec = 0, .tv_nsec = 1 };

/* --- Timers, of which one is ready --------------------------------------- */

static int make_timer(bool ready)
{
	const struct itimerspec its = { .it_value = past };
	int efd = must(evl_new_timer(EVL_CLOCK_MONOTONIC));

	if (ready)
		must(evl_set_timer(efd, &its, NULL));

	return efd;
}

static void run_group(int count)
{
	struct evl_poll_event pollset[4];
	char name[48];
	int *efds, pfd, n;

	must(evl_switch_inband());
	pfd = must(evl_new_poll());
	efds = calloc(count, sizeof(efds[0]));
	for (n = 0; n < count; n++)
		efds[n] = make_timer(n == count / 2);
	for (n = 0; n < count; n++)
		must(evl_add_pollfd(pfd, efds[n], POLLIN, evl_nil));

	must(evl_switch_oob());
	if (must(evl_timedpoll(pfd, pollset, 4, &past)) != 1)
		die("one descriptor should be ready");
	must(evl_switch_oob());
	snprintf(name, sizeof(name), "poll_one_ready_of_%d", count);
	measure(name, 200, evl_timedpoll(pfd, pollset, 4, &past));

	must(evl_switch_inband());
	close(pfd);
	for (n = 0; n < count; n++)
		close(efds[n]);
	free(efds);
}

/* --- Semaphores ----------------------------------------------------------- */

static struct evl_sem sem, answer;
static volatile int stop;

static int new_group(int efd)
{
	int pfd, ret;

	must(evl_switch_inband());
	pfd = must(evl_new_poll());
	ret = evl_add_pollfd(pfd, efd, POLLIN, evl_nil);
	if (ret == 0)
		return pfd;

	must(evl_switch_inband());
	close(pfd);

	return ret;
}

static void poll_sem(int pfd, struct evl_sem *s)
{
	struct evl_poll_event event;

	must(evl_poll(pfd, &event, 1));
	must(evl_tryget_sem(s));
}

static void *return_sem(void *arg)
{
	int pfd;

	(void)arg;
	must(evl_attach_self("bench-poll-partner:%d", getpid()));
	pfd = must(new_group(sem.monitor.efd));
	must(evl_switch_oob());
	while (!stop) {
		poll_sem(pfd, &sem);
		must(evl_put_sem(&answer));
	}

	return NULL;
}

static void run_pingpong(int pfd)
{
	pthread_t thread;

	must(evl_switch_inband());
	thread = start_thread(MAIN_PRIO, return_sem, NULL);
	must(evl_switch_oob());
	measure("poll_sem_pingpong_roundtrip(2 switches)", 100, (evl_put_sem(&sem), poll_sem(pfd, &answer)));
	must(evl_switch_oob());
	stop = 1;
	must(evl_put_sem(&sem));
	must(evl_switch_inband());
	pthread_join(thread, NULL);
	must(evl_tryget_sem(&answer));
}

static void run_sem(void)
{
	struct evl_poll_event pollev;
	int pfd;

	must(evl_switch_inband());
	if (evl_new_sem(&sem, NULL) < 0 || evl_new_sem(&answer, NULL) < 0) {
		report_skipped("rows of semaphores", "there are no monitors");
		return;
	}

	pfd = new_group(answer.monitor.efd);
	if (pfd < 0) {
		report_skipped("rows of semaphores", strerror(-pfd));
		return;
	}

	run_pingpong(pfd);
	must(evl_switch_oob());
	measure("poll_empty_past_timeout", 1000, evl_timedpoll(pfd, &pollev, 1, &past));
	must(evl_put_sem(&answer));
	must(evl_switch_oob());
	measure("poll_ready_nonblock", 1000, evl_timedpoll(pfd, &pollev, 1, &past));
	must(evl_switch_inband());
	close(pfd);
}

int main(void)
{
	const struct rlimit many = { .rlim_cur = 20000, .rlim_max = 20000 };
	int pfd;

	setvbuf(stdout, NULL, _IONBF, 0);
	must(setrlimit(RLIMIT_NOFILE, &many));
	must(evl_init());
	pfd = evl_new_poll();
	if (pfd < 0) {
		report_skipped("all of them", "there are no poll groups");
		return 0;
	}
	close(pfd);

	become_fifo(MAIN_PRIO);
	must(evl_attach_self("bench-poll:%d", getpid()));
	run_sem();
	run_group(1);
	run_group(100);
	run_group(10000);

	return 0;
}
