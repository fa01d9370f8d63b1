/* SPDX-License-Identifier: GPL-2.0 WITH Linux-syscall-note */
/*
 * Basic types of the EVL user/kernel interface: handles, dates and the
 * value union carried by notices and poll records.
 */
#ifndef _EVL_UAPI_TYPES_ABI_H
#define _EVL_UAPI_TYPES_ABI_H

#include <linux/types.h>

/*
 * A fundle is a 30-bit handle, unique in its class of elements. The two
 * bits above it carry the lock state when the handle of a thread sits in
 * the owner word of a gate.
 */
typedef __u32 fundle_t;

#define EVL_NO_HANDLE		0x00000000U

#define EVL_MUTEX_FLCLAIM	0x80000000U	/* release by a request */
#define EVL_MUTEX_FLCEIL	0x40000000U	/* ceiling is applied */

#define EVL_HANDLE_INDEX_MASK	(EVL_MUTEX_FLCLAIM | EVL_MUTEX_FLCEIL)

/* The handle alone, without the lock state. */
static inline __attribute__((unused)) fundle_t evl_get_index(fundle_t handle)
{
	return handle & ~EVL_HANDLE_INDEX_MASK;
}

/* Dates are 64-bit on every architecture: struct timespec may not be. */
struct __evl_timespec {
	__s64 tv_sec;
	__s64 tv_nsec;
};

struct __evl_itimerspec {
	struct __evl_timespec it_interval;
	struct __evl_timespec it_value;
};

/* The pointer member is for user space only, the core never follows it. */
union evl_value {
	__s32 val;
	__s64 lval;
	void *ptr;
};

/* Compound literals are not C++: there, functions do the same job. */
#ifndef __cplusplus
#define evl_intval(__val)	((union evl_value){ .lval = (__val) })
#define evl_ptrval(__ptr)	((union evl_value){ .ptr = (__ptr) })
#define evl_nil			evl_intval(0)
#else
static inline union evl_value evl_intval(__s64 val)
{
	union evl_value v;

	v.lval = val;
	return v;
}

static inline union evl_value evl_ptrval(void *ptr)
{
	union evl_value v;

	v.lval = 0;
	v.ptr = ptr;
	return v;
}

#define evl_nil			evl_intval(0)
#endif

#endif /* _EVL_UAPI_TYPES_ABI_H */
