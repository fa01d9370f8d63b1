/* SPDX-License-Identifier: GPL-2.0 WITH Linux-syscall-note */
/*
 * /dev/evl/control: core information, the shared memory area, per-CPU
 * scheduling control.
 */
#ifndef _EVL_UAPI_CONTROL_ABI_H
#define _EVL_UAPI_CONTROL_ABI_H

#include <linux/types.h>
#include <linux/ioctl.h>
#include <evl/sched-abi.h>

/* The ABI levels which a core built from this tree serves, inclusive. */
#define EVL_ABI_BASE	32
#define EVL_ABI_LEVEL	37

#define EVL_CONTROL_DEV	"/dev/evl/control"

/*
 * shm_size is the exact length to map from the control device: windows and
 * monitor states live there, at the state_offset of their element.
 */
struct evl_core_info {
	__u32 abi_base;
	__u32 abi_current;
	__u32 fpu_features;
	__u64 shm_size;
};

/* An input: the core writes a 32-bit mask of EVL_CPU_* at state_ptr. */
struct evl_cpu_state {
	__u32 cpu;
	__u64 state_ptr;
};

#define EVL_CPU_OOB	(1 << 0)	/* runs out-of-band threads */
#define EVL_CPU_ISOL	(1 << 1)	/* isolated from the in-band scheduler */
#define EVL_CPU_OFFLINE	(1 << 2)

#define EVL_CONTROL_IOCBASE	'C'

#define EVL_CTLIOC_GET_COREINFO	_IOR(EVL_CONTROL_IOCBASE, 0, struct evl_core_info)
#define EVL_CTLIOC_SCHEDCTL	_IOWR(EVL_CONTROL_IOCBASE, 1, struct evl_sched_ctlreq)
#define EVL_CTLIOC_GET_CPUSTATE	_IOR(EVL_CONTROL_IOCBASE, 2, struct evl_cpu_state)

#endif /* _EVL_UAPI_CONTROL_ABI_H */
