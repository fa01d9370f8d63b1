// SPDX-License-Identifier: GPL-2.0-only
/*
 * A periodic timer: ten ticks, a tenth of a second apart, awaited out-of-band.
 *
 * evl_printf() goes through a proxy, so that the thread does not leave the
 * out-of-band stage to print, as it would for printf().
 */
#include <errno.h>
#include <error.h>
#include <pthread.h>
#include <stdint.h>
#include <evl/evl.h>

static void *run(void *arg)
{
	struct itimerspec setting = {
		.it_interval = { .tv_sec = 0, .tv_nsec = 100000000 },
	};
	uint64_t ticks;
	int self, timer, n;

	self = evl_attach_self("timer-example:%d", getpid());
	if (self < 0)
		error(1, -self, "evl_attach_self");

	/* In-band work comes first: creating elements is a matter for Linux. */
	timer = evl_new_timer(EVL_CLOCK_MONOTONIC);
	if (timer < 0)
		error(1, -timer, "evl_new_timer");

	evl_read_clock(EVL_CLOCK_MONOTONIC, &setting.it_value);
	setting.it_value.tv_sec++;
	evl_set_timer(timer, &setting, NULL);

	for (n = 0; n < 10; n++) {
		if (oob_read(timer, &ticks, sizeof(ticks)) != sizeof(ticks))
			error(1, errno, "oob_read");
		evl_printf("tick %d%s\n", n, ticks > 1 ? ", late" : "");
	}

	close(timer);
	evl_detach_self();

	return arg;
}

int main(void)
{
	struct sched_param param = { .sched_priority = 50 };
	pthread_attr_t attr;
	pthread_t thread;
	int ret;

	pthread_attr_init(&attr);
	pthread_attr_setinheritsched(&attr, PTHREAD_EXPLICIT_SCHED);
	pthread_attr_setschedpolicy(&attr, SCHED_FIFO);
	pthread_attr_setschedparam(&attr, &param);
	ret = pthread_create(&thread, &attr, run, NULL);
	if (ret)
		error(1, ret, "pthread_create");

	return pthread_join(thread, NULL);
}
