/* SPDX-License-Identifier: GPL-2.0 WITH Linux-syscall-note */
/*
 * Polling groups of descriptors out-of-band.
 */
#ifndef _EVL_UAPI_POLL_ABI_H
#define _EVL_UAPI_POLL_ABI_H

#include <linux/types.h>
#include <linux/ioctl.h>
#include <evl/types-abi.h>
#include <evl/factory-abi.h>

#define EVL_POLL_CTLADD	0
#define EVL_POLL_CTLDEL	1
#define EVL_POLL_CTLMOD	2

struct evl_poll_ctlreq {
	__u32 action;
	__u32 fd;
	__u32 events;
	union evl_value pollval;
};

struct evl_poll_event {
	__u32 fd;
	__u32 events;
	union evl_value pollval;
};

/* nrset: room in the set on input, entries filled on output. */
struct evl_poll_waitreq {
	__u64 timeout_ptr;
	__u64 pollset_ptr;
	int nrset;
};

#define EVL_POLL_IOCBASE	'p'

#define EVL_POLIOC_CTL	_IOW(EVL_POLL_IOCBASE, 0, struct evl_poll_ctlreq)
#define EVL_POLIOC_WAIT	_IOWR(EVL_POLL_IOCBASE, 1, struct evl_poll_waitreq)

#endif /* _EVL_UAPI_POLL_ABI_H */
