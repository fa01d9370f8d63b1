// SPDX-License-Identifier: GPL-2.0-only
/*
 * A cross-buffer between two threads, one on each stage: the in-band one asks,
 * the out-of-band one answers.
 */
#include <errno.h>
#include <error.h>
#include <pthread.h>
#include <stdio.h>
#include <evl/evl.h>

static int xfd;

/* Out-of-band: read with oob_read(), write with oob_write(). */
static void *square(void *arg)
{
	int ret, value;

	ret = evl_attach_self("xbuf-example:%d", getpid());
	if (ret < 0)
		error(1, -ret, "evl_attach_self");

	do {
		if (oob_read(xfd, &value, sizeof(value)) != sizeof(value))
			error(1, errno, "oob_read");
		value *= value;
		if (oob_write(xfd, &value, sizeof(value)) != sizeof(value))
			error(1, errno, "oob_write");
	} while (value);

	evl_detach_self();

	return arg;
}

/* In-band: plain write(2) and read(2). */
static int ask(int value)
{
	if (write(xfd, &value, sizeof(value)) != sizeof(value) ||
	    read(xfd, &value, sizeof(value)) != sizeof(value))
		error(1, errno, "cross-buffer");

	return value;
}

int main(void)
{
	struct sched_param param = { .sched_priority = 50 };
	pthread_attr_t attr;
	pthread_t thread;
	int ret, n;

	ret = evl_init();
	if (ret)
		error(1, -ret, "evl_init");

	xfd = evl_new_xbuf(1024, "xbuf-example:%d", getpid());
	if (xfd < 0)
		error(1, -xfd, "evl_new_xbuf");

	pthread_attr_init(&attr);
	pthread_attr_setinheritsched(&attr, PTHREAD_EXPLICIT_SCHED);
	pthread_attr_setschedpolicy(&attr, SCHED_FIFO);
	pthread_attr_setschedparam(&attr, &param);
	ret = pthread_create(&thread, &attr, square, NULL);
	if (ret)
		error(1, ret, "pthread_create");

	for (n = 5; n >= 0; n--)
		printf("the square of %d is %d\n", n, ask(n));

	return pthread_join(thread, NULL);
}
