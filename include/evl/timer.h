/* SPDX-License-Identifier: MIT */
/*
 * Timers on a clock, once or with a period. A read by oob_read() waits for a tick, and
 * gives the number of ticks since the last one as a 64-bit integer: more than one means
 * overruns.
 */
#ifndef _EVL_TIMER_H
#define _EVL_TIMER_H

#include <evl/clock.h>
#include <evl/detail/descriptor.h>
#include <string.h>

__EVL_BEGIN_DECLS

__evl_inline int __evl_hl_create_timer(int fd)
{
	int efd = -1, ret;

	ret = __evl_hl_ioctl_inband(fd, EVL_CLKIOC_NEW_TIMER, &efd);
	if (ret)
		return ret;

	if (__evl_hl_fcntl(efd, __EVL_HL_F_SETFD, __EVL_HL_FD_CLOEXEC) < 0) {
		ret = -errno;
		close(efd);
		return ret;
	}

	return efd;
}

/*
 * Creates a timer on a clock. In-band, any thread. Returns its descriptor, or
 * -ENXIO before evl_init(), -EBADF, -EMFILE, -ENFILE, -ENOMEM.
 */
__evl_api int evl_new_timer(int clockfd)
{
	const int fd = __evl_hl_clockfd(clockfd);
	int cancel_state, ret;

	if (!__evl_hl_ready())
		return -ENXIO;

	if (__evl_hl_is_builtin_clock(clockfd) && !__evl_hl_owns_fd(fd))
		return -EBADF;

	cancel_state = __evl_hl_hold_cancel();
	ret = __evl_hl_create_timer(fd);
	__evl_hl_allow_cancel(cancel_state);

	return ret;
}

#if !defined(__LP64__)
__evl_inline void __evl_hl_itimer_from(struct itimerspec *to, const struct __evl_itimerspec *from)
{
	to->it_interval.tv_sec = (time_t)from->it_interval.tv_sec;
	to->it_interval.tv_nsec = (long)from->it_interval.tv_nsec;
	to->it_value.tv_sec = (time_t)from->it_value.tv_sec;
	to->it_value.tv_nsec = (long)from->it_value.tv_nsec;
}
#endif

/*
 * Arms a timer: it_value is the date of the first tick, {0, 0} disarms;
 * it_interval the period, {0, 0} for a single tick. ovalue, unless NULL, gets
 * the previous setting, with it_value as a delay. Any stage, any thread.
 * -EINVAL for a malformed date, -EFAULT, -EBADF, -ENOTTY.
 */
__evl_api int evl_set_timer(int efd, const struct itimerspec *value,
			    struct itimerspec *ovalue)
{
	struct evl_timerfd_setreq req;
#if defined(__LP64__)
	req.value_ptr = __evl_hl_ptr64(value);
	req.ovalue_ptr = __evl_hl_ptr64(ovalue);

	return __evl_hl_quick(efd, EVL_TFDIOC_SET, &req);
#else
	struct __evl_itimerspec kvalue, kovalue;
	int ret;

	if (value == NULL)
		return -EFAULT;

	kvalue.it_interval.tv_sec = value->it_interval.tv_sec;
	kvalue.it_interval.tv_nsec = value->it_interval.tv_nsec;
	kvalue.it_value.tv_sec = value->it_value.tv_sec;
	kvalue.it_value.tv_nsec = value->it_value.tv_nsec;
	req.value_ptr = __evl_hl_ptr64(&kvalue);
	req.ovalue_ptr = ovalue ? __evl_hl_ptr64(&kovalue) : 0;

	ret = __evl_hl_quick(efd, EVL_TFDIOC_SET, &req);
	if (ret == 0 && ovalue)
		__evl_hl_itimer_from(ovalue, &kovalue);

	return ret;
#endif
}

/*
 * Tells the delay to the next tick, {0, 0} if disarmed, and the period. Any
 * stage, any thread. -EFAULT, -EBADF, -ENOTTY.
 */
__evl_api int evl_get_timer(int efd, struct itimerspec *value)
{
#if defined(__LP64__)
	return __evl_hl_quick(efd, EVL_TFDIOC_GET, value);
#else
	struct __evl_itimerspec kvalue;
	int ret;

	if (value == NULL)
		return -EFAULT;

	ret = __evl_hl_quick(efd, EVL_TFDIOC_GET, &kvalue);
	if (ret == 0)
		__evl_hl_itimer_from(value, &kvalue);

	return ret;
#endif
}

__EVL_END_DECLS

#endif /* _EVL_TIMER_H */
