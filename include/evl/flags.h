/* SPDX-License-Identifier: MIT */
/*
 * Groups of 32 event flags. The descriptor of a group is also a file: reading
 * four bytes collects flags, writing four posts some, poll(2) works, so that
 * in-band threads may wait for flags.
 */
#ifndef _EVL_FLAGS_H
#define _EVL_FLAGS_H

#include <evl/detail/monitor.h>

__EVL_BEGIN_DECLS

struct evl_flags {
	struct __evl_hl_monitor monitor;
};

/* A group created on first use: errors come up then. Name may be NULL. */
#define EVL_FLAGS_INITIALIZER(__name, __clockfd, __initval, __flags)	\
	__EVL_HL_INIT(evl_flags, __EVL_HL_MONITOR_LAZY(__EVL_HL_FLAGS,	\
			__name, __clockfd, __initval, __flags))

#define DEFINE_EVL_FLAGS(__name)	\
	struct evl_flags __name = { __EVL_HL_MONITOR_LAZY(__EVL_HL_FLAGS, #__name, \
			EVL_CLOCK_MONOTONIC, 0, EVL_CLONE_PRIVATE | __EVL_HL_NAME_HINT) }

/*
 * Creates a group, in which initval are set. flags: EVL_CLONE_PUBLIC,
 * _PRIVATE, _NONBLOCK. Timeouts are on clockfd. In-band, any thread. Returns
 * a descriptor, or -ENXIO before evl_init(), -EINVAL, -EEXIST,
 * -ENAMETOOLONG, -EMFILE, -ENFILE, -ENOMEM.
 */
__evl_api int evl_create_flags(struct evl_flags *flg, int clockfd,
			       int initval, int flags,
			       const char *fmt, ...)
{
	va_list ap;
	int ret;

	va_start(ap, fmt);
	ret = __evl_hl_monitor_create(&flg->monitor, __EVL_HL_FLAGS, clockfd, initval,
				      flags, fmt, ap);
	va_end(ap);

	return ret;
}

/* int evl_new_flags(struct evl_flags *flg, const char *fmt, ...) */
#define evl_new_flags(__flg, ...)	\
	__evl_hl_named(evl_create_flags(__flg, EVL_CLOCK_MONOTONIC, 0, EVL_CLONE_PRIVATE, __VA_ARGS__), \
		       __VA_ARGS__)

/* Binds to a public group by its name, as evl_open_mutex() does. */
__evl_api int evl_open_flags(struct evl_flags *flg, const char *fmt, ...)
{
	va_list ap;
	int ret;

	va_start(ap, fmt);
	ret = __evl_hl_monitor_open(&flg->monitor, __EVL_HL_FLAGS, fmt, ap);
	va_end(ap);

	return ret;
}

__evl_inline int __evl_hl_wait_flags(struct evl_flags *flg, unsigned long request, int bits,
				     const struct timespec *timeout, int *r_bits)
{
	__s32 value = bits;
	int ret;

	ret = __evl_hl_monitor_use(&flg->monitor, __EVL_HL_FLAGS);
	if (ret)
		return ret;

	ret = __evl_hl_monitor_wait(&flg->monitor, request, timeout, &value);
	if (ret == 0 && r_bits)
		*r_bits = value;

	return ret;
}

/*
 * Waits until some of bits are set (0: any), until a date at most. Those
 * received are cleared, and go to r_bits unless NULL. Out-of-band, attached
 * threads. Returns 0, or -ETIMEDOUT, -EINTR if unblocked, -EAGAIN with
 * O_NONBLOCK, -EIDRM if closed meanwhile, -EBADF if closed before, -EPERM if
 * not attached, -EINVAL, -EFAULT.
 */
__evl_api int evl_timedwait_some_flags(struct evl_flags *flg, int bits,
				       const struct timespec *timeout, int *r_bits)
{
	return __evl_hl_wait_flags(flg, EVL_MONIOC_WAIT, bits, timeout, r_bits);
}

/* The same without a limit, for any bit, both. */
__evl_api int evl_wait_some_flags(struct evl_flags *flg, int bits, int *r_bits)
{
	return evl_timedwait_some_flags(flg, bits, &__evl_hl_forever, r_bits);
}

__evl_api int evl_timedwait_flags(struct evl_flags *flg, const struct timespec *timeout,
				  int *r_bits)
{
	return evl_timedwait_some_flags(flg, 0, timeout, r_bits);
}

__evl_api int evl_wait_flags(struct evl_flags *flg, int *r_bits)
{
	return evl_timedwait_some_flags(flg, 0, &__evl_hl_forever, r_bits);
}

/* Same, until all of bits are set. These are cleared. */
__evl_api int evl_timedwait_exact_flags(struct evl_flags *flg, int bits,
					const struct timespec *timeout)
{
	return __evl_hl_wait_flags(flg, EVL_MONIOC_WAIT_EXACT, bits, timeout, NULL);
}

__evl_api int evl_wait_exact_flags(struct evl_flags *flg, int bits)
{
	return evl_timedwait_exact_flags(flg, bits, &__evl_hl_forever);
}

__evl_inline int __evl_hl_trywait_flags(struct evl_flags *flg, unsigned long request,
					int bits, int *r_bits)
{
	struct evl_monitor_trywaitreq req;
	int ret;

	ret = __evl_hl_monitor_use(&flg->monitor, __EVL_HL_FLAGS);
	if (ret)
		return ret;

	req.value = bits;
	ret = __evl_hl_quick(flg->monitor.efd, request, &req);
	if (ret == 0 && r_bits)
		*r_bits = req.value;

	return ret;
}

/*
 * Same as the waits above, but -EAGAIN instead of waiting. Any stage, any
 * thread.
 */
__evl_api int evl_trywait_some_flags(struct evl_flags *flg, int bits, int *r_bits)
{
	return __evl_hl_trywait_flags(flg, EVL_MONIOC_TRYWAIT, bits, r_bits);
}

__evl_api int evl_trywait_flags(struct evl_flags *flg, int *r_bits)
{
	return evl_trywait_some_flags(flg, 0, r_bits);
}

__evl_api int evl_trywait_exact_flags(struct evl_flags *flg, int bits)
{
	return __evl_hl_trywait_flags(flg, EVL_MONIOC_TRYWAIT_EXACT, bits, NULL);
}

__evl_inline int __evl_hl_send_flags(struct evl_flags *flg, unsigned long request, int bits)
{
	__s32 value = bits;
	int ret;

	ret = __evl_hl_monitor_use(&flg->monitor, __EVL_HL_FLAGS);
	if (ret)
		return ret;

	if (bits == 0)
		return -EINVAL;

	return __evl_hl_quick(flg->monitor.efd, request, &value);
}

/*
 * Sets bits, and wakes up the first waiter which has been waiting for them.
 * Any stage, any thread. -EINVAL if bits are 0, -EBADF if closed.
 */
__evl_api int evl_post_flags(struct evl_flags *flg, int bits)
{
	return __evl_hl_send_flags(flg, EVL_MONIOC_SIGNAL, bits);
}

/* Same, for all waiters which have been waiting for them. */
__evl_api int evl_broadcast_flags(struct evl_flags *flg, int bits)
{
	return __evl_hl_send_flags(flg, EVL_MONIOC_BROADCAST, bits);
}

/*
 * Tells which bits are set, and leaves them. Any stage, any thread, no
 * request. -EBADF if closed, -EINVAL.
 */
__evl_api int evl_peek_flags(struct evl_flags *flg, int *r_bits)
{
	int ret;

	ret = __evl_hl_monitor_check(&flg->monitor, __EVL_HL_FLAGS);
	if (ret == 0)
		*r_bits = (int)__evl_hl_load(&flg->monitor.state->u.event.value);

	return ret;
}

/* Closes a group: waiters get -EIDRM. In-band, any thread. -EINVAL. */
__evl_api int evl_close_flags(struct evl_flags *flg)
{
	return __evl_hl_monitor_close(&flg->monitor, __EVL_HL_FLAGS);
}

__EVL_END_DECLS

#endif /* _EVL_FLAGS_H */
