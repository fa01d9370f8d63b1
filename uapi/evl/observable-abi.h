/* SPDX-License-Identifier: GPL-2.0 WITH Linux-syscall-note */
/*
 * Observables: notices sent to subscribers of an event stream.
 */
#ifndef _EVL_UAPI_OBSERVABLE_ABI_H
#define _EVL_UAPI_OBSERVABLE_ABI_H

#include <linux/types.h>
#include <linux/ioctl.h>
#include <evl/types-abi.h>
#include <evl/factory-abi.h>

/* The lowest tag which an application may send: the core uses the others. */
#define EVL_NOTICE_USER		64

#define EVL_NOTIFY_ALWAYS	(0 << 0)
#define EVL_NOTIFY_ONCHANGE	(1 << 0)	/* merge identical notices */
#define EVL_NOTIFY_MASK		(1 << 0)

struct evl_notice {
	__u32 tag;
	union evl_value event;
};

struct evl_subscription {
	__u32 backlog_count;
	__u32 flags;
};

/* issuer: pid of the sender, 0 for the core. Gaps in serial tell losses. */
struct __evl_notification {
	__u32 tag;
	__u32 serial;
	__s32 issuer;
	union evl_value event;
	struct __evl_timespec date;
};

#define EVL_OBSERVABLE_IOCBASE	'o'

#define EVL_OBSIOC_SUBSCRIBE	_IOW(EVL_OBSERVABLE_IOCBASE, 0, struct evl_subscription)
#define EVL_OBSIOC_UNSUBSCRIBE	_IO(EVL_OBSERVABLE_IOCBASE, 1)

#endif /* _EVL_UAPI_OBSERVABLE_ABI_H */
