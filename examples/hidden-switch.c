// SPDX-License-Identifier: GPL-2.0-only
/*
 * Find the hidden switch: a control loop which is to stay out-of-band, and does not.
 *
 *	hidden-switch [<rounds>]	of 10 ms each, 10 unless told otherwise
 *
 * The loop has itself told of each switch in-band (EVL_T_WOSS), by a notice to its own
 * observable (EVL_T_HMOBS). A thread in-band reads these, says whether it was a system
 * call, a fault or a signal, and keeps what a trace, if there is one, has recorded until
 * then. doc/health.md finds the place with that: with evl ps, and evl trace.
 */
#include <error.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <evl/evl.h>
#include <evl/observable.h>
#include <evl/trace.h>

#define THE_END		EVL_NOTICE_USER

static int loop_efd;
static int rounds = 10;
static pthread_barrier_t ready;

/* Somebody's helper, deep down in a library. */
static void note_progress(int n)
{
	struct timespec nap = { .tv_nsec = 1 };

	if (n % 50 == 5)
		nanosleep(&nap, NULL);	/* of libc: a system call of Linux */
}

static void *control_loop(void *arg)
{
	const struct evl_notice bye = { .tag = THE_END };
	int n, ret;

	loop_efd = evl_attach_thread(EVL_CLONE_PUBLIC | EVL_CLONE_OBSERVABLE,
				     "hidden-switch:%d", getpid());
	if (loop_efd < 0)
		error(1, -loop_efd, "cannot attach to the EVL core");

	/* Preparing is done in-band. Until the loop begins, no switch is hidden. */
	evl_switch_inband();
	ret = evl_set_thread_mode(loop_efd, EVL_T_WOSS | EVL_T_HMOBS, NULL);
	if (ret)
		error(1, -ret, "evl_set_thread_mode");
	pthread_barrier_wait(&ready);
	pthread_barrier_wait(&ready);
	evl_switch_oob();

	for (n = 0; n < rounds; n++) {
		evl_usleep(10000);
		note_progress(n);
	}
	evl_update_observable(loop_efd, &bye, 1);
	evl_detach_self();

	return arg;
}

static const char *cause(unsigned int tag)
{
	switch (tag) {
	case EVL_HMDIAG_SIGDEMOTE:
		return "a signal";
	case EVL_HMDIAG_SYSDEMOTE:
		return "a system call of Linux";
	case EVL_HMDIAG_EXDEMOTE:
		return "a fault";
	default:
		return "something else";
	}
}

static void tell_of_switches(void)
{
	struct evl_notification nf;
	int tfd, ret;

	/* Not for everybody: then, there is no trace to keep. */
	tfd = evl_trace_open();

	for (;;) {
		ret = evl_read_observable(loop_efd, &nf, 1);
		if (ret < 0)
			error(1, -ret, "evl_read_observable");
		if (nf.tag == THE_END)
			break;
		evl_trace_snapshot(tfd);
		printf("%ld.%09ld the loop was sent in-band by %s\n",
		       (long)nf.date.tv_sec, nf.date.tv_nsec, cause(nf.tag));
		if (nf.tag == EVL_HMDIAG_EXDEMOTE)
			printf("the instruction is at %#llx\n", (unsigned long long)nf.event.lval);
		fflush(stdout);
	}
}

int main(int argc, char *argv[])
{
	struct sched_param param = { .sched_priority = 50 };
	pthread_attr_t attr;
	pthread_t thread;
	int ret;

	if (argc > 1)
		rounds = atoi(argv[1]);

	pthread_barrier_init(&ready, NULL, 2);
	pthread_attr_init(&attr);
	pthread_attr_setinheritsched(&attr, PTHREAD_EXPLICIT_SCHED);
	pthread_attr_setschedpolicy(&attr, SCHED_FIFO);
	pthread_attr_setschedparam(&attr, &param);
	ret = pthread_create(&thread, &attr, control_loop, NULL);
	if (ret)
		error(1, ret, "pthread_create");

	pthread_barrier_wait(&ready);
	ret = evl_subscribe(loop_efd, 64, EVL_NOTIFY_ALWAYS);
	if (ret)
		error(1, -ret, "evl_subscribe");
	pthread_barrier_wait(&ready);

	tell_of_switches();
	pthread_join(thread, NULL);

	return 0;
}
