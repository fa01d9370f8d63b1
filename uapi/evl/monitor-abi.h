/* SPDX-License-Identifier: GPL-2.0 WITH Linux-syscall-note */
/*
 * Monitors: gates (mutexes) and events (gated, counting, bit mask), with the
 * state which they share with user space.
 */
#ifndef _EVL_UAPI_MONITOR_ABI_H
#define _EVL_UAPI_MONITOR_ABI_H

#include <linux/types.h>
#include <linux/ioctl.h>
#include <evl/types-abi.h>
#include <evl/factory-abi.h>

/* Types, and the protocols of each. */
#define EVL_MONITOR_EVENT	0
#define EVL_EVENT_GATED		0	/* condition variable */
#define EVL_EVENT_COUNT		1	/* semaphore */
#define EVL_EVENT_MASK		2	/* group of flags */
#define EVL_MONITOR_GATE	1
#define EVL_GATE_PI		0	/* priority inheritance */
#define EVL_GATE_PP		1	/* priority protection (ceiling) */

/* Bits of evl_monitor_state.flags. */
#define EVL_MONITOR_SIGNALED	0x1	/* gate, event: act on exit */
#define EVL_MONITOR_BROADCAST	0x2	/* event: for all waiters */
#define EVL_MONITOR_TARGETED	0x4	/* event: for marked waiters */

/* gate_offset of an event which nobody waits for. */
#define EVL_MONITOR_NOGATE	0xffffffffU

/* initval: the ceiling of a PP gate, else the initial value of an event. */
struct evl_monitor_attrs {
	__u32 clockfd;
	__u32 type : 2;
	__u32 protocol : 4;
	__u32 initval;
};

/*
 * In the shared area, at the state offset of the monitor. Both sides update
 * it with 32-bit atomics, and the core trusts none of it.
 */
struct evl_monitor_state {
	__u32 flags;
	union {
		struct {
			__u32 owner;		/* fundle and lock state */
			__u32 ceiling;
			__u32 recursive : 1;
			__u32 nesting : 31;
		} gate;
		struct {
			__u32 value;		/* signed for a semaphore */
			__u32 pollrefs;
			__u32 gate_offset;	/* of the gate, in the area */
		} event;
	} u;
};

/* timeout_ptr leads to an absolute date, {0, 0} means no limit. */
struct evl_monitor_waitreq {
	__u64 timeout_ptr;
	__s32 gatefd;
	__s32 status;	/* output */
	__s32 value;	/* input and output */
};

struct evl_monitor_unwaitreq {
	__s32 gatefd;
};

struct evl_monitor_trywaitreq {
	__s32 value;	/* input and output */
};

struct evl_monitor_binding {
	__u32 type : 2;
	__u32 protocol : 4;
	struct evl_element_ids eids;
};

#define EVL_MONITOR_IOCBASE	'm'

#define EVL_MONIOC_ENTER	_IOW(EVL_MONITOR_IOCBASE, 0, struct __evl_timespec)
#define EVL_MONIOC_TRYENTER	_IO(EVL_MONITOR_IOCBASE, 1)
#define EVL_MONIOC_EXIT		_IO(EVL_MONITOR_IOCBASE, 2)
#define EVL_MONIOC_WAIT		_IOWR(EVL_MONITOR_IOCBASE, 3, struct evl_monitor_waitreq)
#define EVL_MONIOC_UNWAIT	_IOWR(EVL_MONITOR_IOCBASE, 4, struct evl_monitor_unwaitreq)
#define EVL_MONIOC_BIND		_IOR(EVL_MONITOR_IOCBASE, 5, struct evl_monitor_binding)
#define EVL_MONIOC_SIGNAL	_IOW(EVL_MONITOR_IOCBASE, 6, __s32)
#define EVL_MONIOC_BROADCAST	_IOW(EVL_MONITOR_IOCBASE, 7, __s32)
#define EVL_MONIOC_WAIT_EXACT	_IOWR(EVL_MONITOR_IOCBASE, 8, struct evl_monitor_waitreq)
#define EVL_MONIOC_TRYWAIT	_IOWR(EVL_MONITOR_IOCBASE, 9, struct evl_monitor_trywaitreq)
#define EVL_MONIOC_TRYWAIT_EXACT \
	_IOWR(EVL_MONITOR_IOCBASE, 10, struct evl_monitor_trywaitreq)

#endif /* _EVL_UAPI_MONITOR_ABI_H */
