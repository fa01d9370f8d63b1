/* SPDX-License-Identifier: GPL-2.0-only */
/* What test/suite/kapi.c asks of evl_test.ko. */
#ifndef EVL_TEST_H
#define EVL_TEST_H

#include <linux/types.h>
#include <linux/ioctl.h>

#define EVL_TEST_DEVICE	"/dev/evl_test"

enum evl_test_case {
	/* Complete in the kernel. */
	TEST_KTHREAD,
	TEST_KTHREAD_ERRORS,
	TEST_KTHREAD_STOP,
	TEST_KTHREAD_UNBLOCK,
	TEST_KTHREAD_PRIORITY,
	TEST_KTHREAD_HOGS,
	TEST_TIMER_ONESHOT,
	TEST_TIMER_PERIODIC,
	TEST_TIMER_STOP,
	TEST_TIMER_EXTREMES,
	TEST_TIMER_START_OVER,
	TEST_TIMER_CROWD,
	TEST_TIMER_SLOW,
	TEST_TIMER_PUSHY,
	TEST_TIMER_DESTROY,
	TEST_CLOCK_GRAVITY,
	TEST_WAIT_WAKEUP,
	TEST_WAIT_TIMEOUT,
	TEST_WAIT_ORDER,
	TEST_WAIT_FLUSH,
	TEST_WAIT_BUSY,
	TEST_WORK,
	TEST_HEAP,
	TEST_CONTRACTS_STRANGER,
	TEST_CONTRACTS_INBAND,
	TEST_CONTRACTS_OOB,
	TEST_CONTRACTS_IRQ,
	TEST_TRAPS_THREAD,
	TEST_TRAPS_IRQ,
	TEST_TRAPS_NMI,
	TEST_TRAPS_PROBE,
	TEST_TRACE,
	/* With a cross-buffer, and the program at its other end. */
	TEST_XBUF_GET,
	TEST_XBUF_READ,
	TEST_XBUF_WRITE,
	TEST_XBUF_ECHO,
	/* Until the program closes its end. */
	TEST_XBUF_GONE,
	/* A thread which sleeps until the file is closed; on a cross-buffer. */
	TEST_KTHREAD_PUBLIC,
	TEST_XBUF_HOLD,
	TEST_NR_CASES,
};

/* size, count and flags are for the transfers; result is their outcome. */
struct evl_test_run {
	__s32 nr;
	__s32 xfd;
	__u32 size;
	__u32 count;
	__u32 flags;
	__s32 line;		/* where a check failed, or 0 */
	char file[16];
	__s64 result;
};

/* What TEST_KTHREAD_HOGS begins with, on CPU @count: ms of sleep. */
#define EVL_TEST_HOG_DELAY	2000

#define EVL_TEST_RUN	_IOWR('~', 1, struct evl_test_run)

#endif /* !EVL_TEST_H */
