/* SPDX-License-Identifier: GPL-2.0-only */
/* What test/suite/observable-driver.c asks of evl_notice_test.ko. */
#ifndef EVL_NOTICE_TEST_H
#define EVL_NOTICE_TEST_H

#include <linux/types.h>
#include <linux/ioctl.h>

#define EVL_NOTICE_TEST_DEVICE	"/dev/evl_notice_test"

struct evl_notice_test {
	__u32 tag;
	__u32 irqs_off;		/* send with interrupts off */
	__s64 value;		/* of the first, one more for each of the others */
	__u32 count;
	__u32 taken;		/* out: how many of them */
};

/* Make the observable of the file; the argument is its name, in user memory, or 0. */
#define NOTICE_TEST_MAKE	_IO('~', 16)
#define NOTICE_TEST_MAKE_ONE	_IO('~', 17)	/* a unicast one */
#define NOTICE_TEST_SEND	_IOWR('~', 18, struct evl_notice_test)
#define NOTICE_TEST_FLUSH	_IO('~', 19)
/* An observable kernel thread of that name, public, which yields until the file is closed. */
#define NOTICE_TEST_THREAD	_IO('~', 20)

#endif /* !EVL_NOTICE_TEST_H */
