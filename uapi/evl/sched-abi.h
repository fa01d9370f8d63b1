/* SPDX-License-Identifier: GPL-2.0 WITH Linux-syscall-note */
/*
 * Scheduling attributes of threads, and control of the CPU-local classes
 * SCHED_QUOTA and SCHED_TP.
 */
#ifndef _EVL_UAPI_SCHED_ABI_H
#define _EVL_UAPI_SCHED_ABI_H

#include <linux/types.h>
#include <evl/types-abi.h>

/* FIFO (1), RR (2) and NORMAL (0) keep the numbers which Linux gives them. */
#define SCHED_WEAK	43
#define SCHED_QUOTA	44
#define SCHED_TP	45

/* The union holds what the policy asks for; reach it by the names below. */
struct evl_sched_attrs {
	int sched_policy;
	int sched_priority;
	union {
		struct {
			struct __evl_timespec __sched_rr_quantum;
		} rr;
		struct {
			int __sched_group;
		} quota;
		struct {
			int __sched_partition;
		} tp;
	} sched_u;
};

#define sched_rr_quantum	sched_u.rr.__sched_rr_quantum
#define sched_quota_group	sched_u.quota.__sched_group
#define sched_tp_partition	sched_u.tp.__sched_partition

/* SCHED_QUOTA: groups of threads which share a part of each period. */

enum evl_quota_ctlop {
	evl_quota_add,
	evl_quota_remove,
	evl_quota_force_remove,
	evl_quota_set,
	evl_quota_get,
};

/* quota and quota_peak are percents of the period. */
struct evl_quota_ctlparam {
	enum evl_quota_ctlop op;
	union {
		struct {
			int tgid;
		} remove;
		struct {
			int tgid;
			int quota;
			int quota_peak;
		} set;
		struct {
			int tgid;
		} get;
	} u;
};

struct evl_quota_ctlinfo {
	int tgid;
	int quota;
	int quota_peak;
	int quota_sum;
};

/* SCHED_TP: partitions which own windows of a repeated time frame. */

enum evl_tp_ctlop {
	evl_tp_install,
	evl_tp_uninstall,
	evl_tp_start,
	evl_tp_stop,
	evl_tp_get,
};

/* The partition of a window in which no partition runs. */
#define EVL_TP_IDLE	(-1)

struct __evl_tp_window {
	struct __evl_timespec offset;
	struct __evl_timespec duration;
	int ptid;
};

/* Arrays of unknown bound are C11, but not ISO C++: nobody shall be told. */
#if defined(__clang__) && defined(__cplusplus)
#pragma clang diagnostic push
#pragma clang diagnostic ignored "-Wc99-extensions"
#endif

struct evl_tp_ctlparam {
	enum evl_tp_ctlop op;
	int nr_windows;
	__extension__ struct __evl_tp_window windows[];
};

struct evl_tp_ctlinfo {
	int nr_windows;
	__extension__ struct __evl_tp_window windows[];
};

#if defined(__clang__) && defined(__cplusplus)
#pragma clang diagnostic pop
#endif

#define evl_tp_paramlen(__n)	\
	(sizeof(struct evl_tp_ctlparam) + (__n) * sizeof(struct __evl_tp_window))
#define evl_tp_infolen(__n)	\
	(sizeof(struct evl_tp_ctlinfo) + (__n) * sizeof(struct __evl_tp_window))

union evl_sched_ctlparam {
	struct evl_quota_ctlparam quota;
	struct evl_tp_ctlparam tp;
};

union evl_sched_ctlinfo {
	struct evl_quota_ctlinfo quota;
	struct evl_tp_ctlinfo tp;
};

/* info_ptr may be null if the caller does not want to know. */
struct evl_sched_ctlreq {
	int policy;
	int cpu;
	__u64 param_ptr;
	__u64 info_ptr;
};

#endif /* _EVL_UAPI_SCHED_ABI_H */
