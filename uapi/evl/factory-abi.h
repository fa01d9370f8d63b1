/* SPDX-License-Identifier: GPL-2.0 WITH Linux-syscall-note */
/*
 * Creating elements: the request which each /dev/evl/<class>/clone serves.
 */
#ifndef _EVL_UAPI_FACTORY_ABI_H
#define _EVL_UAPI_FACTORY_ABI_H

#include <linux/types.h>
#include <linux/ioctl.h>
#include <evl/types-abi.h>

/* Bits 0..15 belong to the library and never reach the core. */
#define EVL_CLONE_PRIVATE	(0 << 16)
#define EVL_CLONE_PUBLIC	(1 << 16)	/* gets a node under /dev/evl */
#define EVL_CLONE_OBSERVABLE	(1 << 17)	/* thread: health is observable */
#define EVL_CLONE_NONBLOCK	(1 << 18)	/* library: O_NONBLOCK on the fd */
#define EVL_CLONE_UNICAST	(1 << 19)	/* one subscriber per notice */
#define EVL_CLONE_INPUT		(1 << 20)	/* proxy: readable */
#define EVL_CLONE_OUTPUT	(1 << 21)	/* proxy: writable */
#define EVL_CLONE_COREDEV	(1U << 31)	/* made by the core itself */
#define EVL_CLONE_MASK		0x7fff0000

/* What UNICAST was called up to ABI 22. */
#define EVL_CLONE_MASTER	EVL_CLONE_UNICAST

/* Names of classes, i.e. of directories or devices under /dev/evl. */
#define EVL_THREAD_DEV		"thread"
#define EVL_MONITOR_DEV		"monitor"
#define EVL_POLL_DEV		"poll"
#define EVL_XBUF_DEV		"xbuf"
#define EVL_PROXY_DEV		"proxy"
#define EVL_OBSERVABLE_DEV	"observable"
#define EVL_CLOCK_DEV		"clock"
#define EVL_CLOCK_MONOTONIC_DEV	"monotonic"
#define EVL_CLOCK_REALTIME_DEV	"realtime"
#define EVL_TRACE_DEV		"trace"
#define EVL_RANDOM_DEV		"random"

/* The state offset of an element which shares no state with user space. */
#define EVL_NO_STATE_OFFSET	0xffffffffU

struct evl_element_ids {
	__u32 minor;
	fundle_t fundle;
	__u32 state_offset;
};

/*
 * efd is a ready descriptor for a private element. It is ~0 for a public
 * one: open its node before closing the clone device, which holds the only
 * reference to it so far.
 */
struct evl_clone_req {
	__u64 name_ptr;
	__u64 attrs_ptr;
	__u32 clone_flags;
	struct evl_element_ids eids;
	__u32 efd;
};

#define EVL_IOC_CLONE	_IOWR('f', 0, struct evl_clone_req)

#endif /* _EVL_UAPI_FACTORY_ABI_H */
