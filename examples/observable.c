// SPDX-License-Identifier: GPL-2.0-only
/*
 * An observable: an out-of-band thread tells of what it measures, and is not kept
 * waiting by any of those who listen. One of these is on each stage.
 */
#include <error.h>
#include <pthread.h>
#include <stdio.h>
#include <evl/evl.h>
#include <evl/observable.h>

#define PRESSURE	(EVL_NOTICE_USER + 0)	/* in Pa */
#define STOPPED		(EVL_NOTICE_USER + 1)

static int ofd;
static pthread_barrier_t ready;

/* Each task has a backlog of its own, here of 16 notices. */
static void follow(const char *who)
{
	struct evl_notification nf;
	int ret;

	ret = evl_subscribe(ofd, 16, EVL_NOTIFY_ALWAYS);
	if (ret)
		error(1, -ret, "evl_subscribe");
	pthread_barrier_wait(&ready);

	do {
		ret = evl_read_observable(ofd, &nf, 1);
		if (ret < 0)
			error(1, -ret, "evl_read_observable");
		if (nf.tag == PRESSURE)
			evl_printf("%s: %lld Pa, notice %u\n", who,
				   (long long)nf.event.lval, nf.serial);
	} while (nf.tag != STOPPED);
}

static void *control(void *arg)
{
	int ret;

	ret = evl_attach_self("observable-control:%d", getpid());
	if (ret < 0)
		error(1, -ret, "evl_attach_self");
	follow("control");
	evl_detach_self();

	return arg;
}

/* An ordinary thread. */
static void *display(void *arg)
{
	follow("display");

	return arg;
}

static void start(pthread_t *thread, int policy, int priority, void *(*body)(void *))
{
	struct sched_param param = { .sched_priority = priority };
	pthread_attr_t attr;
	int ret;

	pthread_attr_init(&attr);
	pthread_attr_setinheritsched(&attr, PTHREAD_EXPLICIT_SCHED);
	pthread_attr_setschedpolicy(&attr, policy);
	pthread_attr_setschedparam(&attr, &param);
	ret = pthread_create(thread, &attr, body, NULL);
	if (ret)
		error(1, ret, "pthread_create");
}

static void tell(unsigned int tag, long long value)
{
	struct evl_notice notice = { .tag = tag, .event = evl_intval(value) };
	int ret;

	ret = evl_update_observable(ofd, &notice, 1);
	if (ret < 0)
		error(1, -ret, "evl_update_observable");
}

int main(void)
{
	struct evl_sched_attrs attrs = { .sched_policy = SCHED_FIFO, .sched_priority = 60 };
	pthread_t threads[2];
	int n, efd, ret;

	efd = evl_attach_self("observable-sensor:%d", getpid());
	if (efd < 0)
		error(1, -efd, "cannot attach to the EVL core");

	ofd = evl_new_observable("pressure:%d", getpid());
	if (ofd < 0)
		error(1, -ofd, "evl_new_observable");

	pthread_barrier_init(&ready, NULL, 3);
	start(threads, SCHED_FIFO, 50, control);
	start(threads + 1, SCHED_OTHER, 0, display);
	pthread_barrier_wait(&ready);

	ret = evl_set_schedattr(efd, &attrs);
	if (ret)
		error(1, -ret, "evl_set_schedattr");

	for (n = 0; n < 3 && evl_usleep(10000) == 0; n++)
		tell(PRESSURE, 101325 + n);
	tell(STOPPED, 0);

	for (n = 0; n < 2; n++)
		pthread_join(threads[n], NULL);

	return evl_detach_self();
}
