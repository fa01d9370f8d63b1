/* SPDX-License-Identifier: GPL-2.0 WITH Linux-syscall-note */
/*
 * Clocks and the timers based on them.
 */
#ifndef _EVL_UAPI_CLOCK_ABI_H
#define _EVL_UAPI_CLOCK_ABI_H

#include <linux/types.h>
#include <linux/ioctl.h>
#include <evl/types-abi.h>
#include <evl/factory-abi.h>

/*
 * Negated POSIX ids stand for the built-in clocks wherever a descriptor of
 * a clock is expected, hence descriptor 0 can never name a clock.
 */
#define EVL_CLOCK_MONOTONIC	(-1)
#define EVL_CLOCK_REALTIME	(0)

/* Both pointers lead to a __evl_itimerspec, ovalue_ptr may be null. */
struct evl_timerfd_setreq {
	__u64 value_ptr;
	__u64 ovalue_ptr;
};

#define EVL_CLOCK_IOCBASE	'c'

#define EVL_CLKIOC_SLEEP	_IOW(EVL_CLOCK_IOCBASE, 0, struct __evl_timespec)
#define EVL_CLKIOC_GET_RES	_IOR(EVL_CLOCK_IOCBASE, 1, struct __evl_timespec)
#define EVL_CLKIOC_GET_TIME	_IOR(EVL_CLOCK_IOCBASE, 2, struct __evl_timespec)
#define EVL_CLKIOC_SET_TIME	_IOW(EVL_CLOCK_IOCBASE, 3, struct __evl_timespec)
/* The argument is the address of an int which receives the descriptor. */
#define EVL_CLKIOC_NEW_TIMER	_IO(EVL_CLOCK_IOCBASE, 5)

#define EVL_TIMERFD_IOCBASE	't'

#define EVL_TFDIOC_SET		_IOWR(EVL_TIMERFD_IOCBASE, 0, struct evl_timerfd_setreq)
#define EVL_TFDIOC_GET		_IOR(EVL_TIMERFD_IOCBASE, 1, struct __evl_itimerspec)

#endif /* _EVL_UAPI_CLOCK_ABI_H */
