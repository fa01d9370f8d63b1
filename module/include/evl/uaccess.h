/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * User memory from either stage. No lock held, hard irqs on. A fault on the
 * out-of-band stage costs a trip in-band; a bad address is -EFAULT.
 */
#ifndef EVL_UACCESS_H
#define EVL_UACCESS_H

#include <linux/uaccess.h>
#include <linux/time64.h>
#include <evl/assert.h>
#include <evl/types-abi.h>

/*
 * Most arguments of requests are a few words. CPUs without fast short string
 * instructions take longer to get going than to copy these one by one, so
 * sizes up to this one are, if the compiler knows them.
 */
#define EVL_COPY_WORDS	64

#define __evl_by_word(__n)						\
	(__builtin_constant_p(__n) && (__n) <= EVL_COPY_WORDS)

#define __evl_get_word(__type, __off)					\
	unsafe_get_user(*(__type *)((char *)to + (__off)),		\
			(const __type __user *)((const char __user *)from + (__off)), \
			fault)

#define __evl_put_word(__type, __off)					\
	unsafe_put_user(*(const __type *)((const char *)from + (__off)), \
			(__type __user *)((char __user *)to + (__off)),	\
			fault)

/* No loop: compilers do not unroll those around an asm goto. */
#define __evl_each_word(__op, __n)					\
	do {								\
		if ((__n) >= 8)						\
			__op(u64, 0);					\
		if ((__n) >= 16)					\
			__op(u64, 8);					\
		if ((__n) >= 24)					\
			__op(u64, 16);					\
		if ((__n) >= 32)					\
			__op(u64, 24);					\
		if ((__n) >= 40)					\
			__op(u64, 32);					\
		if ((__n) >= 48)					\
			__op(u64, 40);					\
		if ((__n) >= 56)					\
			__op(u64, 48);					\
		if ((__n) >= 64)					\
			__op(u64, 56);					\
		if ((__n) & 4)						\
			__op(u32, (__n) & ~7UL);			\
		if ((__n) & 2)						\
			__op(u16, (__n) & ~3UL);			\
		if ((__n) & 1)						\
			__op(u8, (__n) & ~1UL);				\
	} while (0)

static __always_inline int __evl_get_words(void *to, const void __user *from,
					   const size_t n)
{
	if (!user_read_access_begin(from, n))
		return -EFAULT;

	__evl_each_word(__evl_get_word, n);
	user_read_access_end();

	return 0;
fault:
	user_read_access_end();

	return -EFAULT;
}

static __always_inline int __evl_put_words(void __user *to, const void *from,
					   const size_t n)
{
	if (!user_write_access_begin(to, n))
		return -EFAULT;

	__evl_each_word(__evl_put_word, n);
	user_write_access_end();

	return 0;
fault:
	user_write_access_end();

	return -EFAULT;
}

static __always_inline int evl_copy_from_user(void *to, const void __user *from,
					      size_t n)
{
	evl_assert_irqs_on();

	if (__evl_by_word(n))
		return __evl_get_words(to, from, n);

	if (!access_ok(from, n) || raw_copy_from_user(to, from, n))
		return -EFAULT;

	return 0;
}

static __always_inline int evl_copy_to_user(void __user *to, const void *from,
					    size_t n)
{
	evl_assert_irqs_on();

	if (__evl_by_word(n))
		return __evl_put_words(to, from, n);

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

struct evl_clock;

/*
 * Dates on @clock, as current has them and as the core does: they differ for the
 * monotonic one if current is in a time namespace. 0, for no date, stays 0.
 */
ktime_t evl_date_of_user(struct evl_clock *clock, ktime_t date);
ktime_t evl_date_to_user(struct evl_clock *clock, ktime_t date);
/* evl_get_user_timespec() for a date. */
int evl_get_user_date(struct evl_clock *clock, ktime_t *date,
		      const struct __evl_timespec __user *u_ts);

#endif /* !EVL_UACCESS_H */
