/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * User memory from either stage. No lock held, hard irqs on. A fault on the
 * out-of-band stage costs a trip in-band; a bad address is -EFAULT.
 */
#ifndef EVL_UACCESS_H
#define EVL_UACCESS_H

#include <linux/uaccess.h>
#include <linux/time64.h>
#include <evl/types-abi.h>

static inline int evl_copy_from_user(void *to, const void __user *from, size_t n)
{
	if (!access_ok(from, n) || raw_copy_from_user(to, from, n))
		return -EFAULT;

	return 0;
}

static inline int evl_copy_to_user(void __user *to, const void *from, size_t n)
{
	if (!access_ok(to, n) || raw_copy_to_user(to, from, n))
		return -EFAULT;

	return 0;
}

/* An absolute date or a duration from user space: 0, -EFAULT, or -EINVAL when
 * it is negative or has too many nanoseconds. Saturates at KTIME_MAX. */
int evl_get_user_timespec(ktime_t *kt, const struct __evl_timespec __user *u_ts);
int evl_put_user_timespec(struct __evl_timespec __user *u_ts, ktime_t kt);
/* The same on a copy. */
int evl_ktime_of_timespec(ktime_t *kt, const struct __evl_timespec *ts);
struct __evl_timespec evl_timespec_of_ktime(ktime_t kt);

#endif /* !EVL_UACCESS_H */
