/* SPDX-License-Identifier: MIT */
/*
 * Clocks, and sleeping until a date. EVL_CLOCK_MONOTONIC and EVL_CLOCK_REALTIME stand
 * for the built-in ones, others are descriptors got from evl_open_element("clock", ...).
 */
#ifndef _EVL_CLOCK_H
#define _EVL_CLOCK_H

#include <evl/syscall.h>
#include <evl/detail/vdso.h>
#include <unistd.h>
#include <sys/timex.h>
#include <evl/clock-abi.h>

__EVL_BEGIN_DECLS

/* One per module is as good as one per process. */
extern __evl_hl_gettime_fn __evl_hl_gettime;
__EVL_HL_SHARED __evl_hl_gettime_fn __evl_hl_gettime = NULL;

/* At load time, so that no real-time thread has to. */
void __evl_hl_enter_clock(void);
__attribute__((constructor)) __EVL_HL_SHARED void __evl_hl_enter_clock(void)
{
	__evl_hl_gettime = __evl_hl_find_gettime();
}

__evl_inline bool __evl_hl_is_builtin_clock(int clockfd)
{
	return clockfd == EVL_CLOCK_MONOTONIC || clockfd == EVL_CLOCK_REALTIME;
}

/* The descriptor behind a clock, negative before evl_init(). */
__evl_inline int __evl_hl_clockfd(int clockfd)
{
	if (!__evl_hl_is_builtin_clock(clockfd))
		return clockfd;

	return __evl_hl_home()->clockfd[clockfd == EVL_CLOCK_REALTIME];
}

/* Requests which bring a date. */
__evl_inline int __evl_hl_clock_ioctl(int clockfd, unsigned long request, struct timespec *ts)
{
#if defined(__LP64__)
	return __evl_hl_quick(clockfd, request, ts);
#else
	struct __evl_timespec kts = { 0, 0 };
	int ret;

	if (ts == NULL)
		return -EFAULT;

	ret = __evl_hl_quick(clockfd, request, &kts);
	if (ret == 0) {
		ts->tv_sec = (time_t)kts.tv_sec;
		ts->tv_nsec = (long)kts.tv_nsec;
	}

	return ret;
#endif
}

/*
 * Reads a clock. Any stage, any thread; no request for the built-in clocks,
 * which may be read before evl_init() as well. -EINVAL, -EBADF, -ENOTTY.
 */
__evl_api int evl_read_clock(int clockfd, struct timespec *tp)
{
	__evl_hl_gettime_fn gettime = __evl_hl_gettime;

	if (!__evl_hl_is_builtin_clock(clockfd))
		return __evl_hl_clock_ioctl(clockfd, EVL_CLKIOC_GET_TIME, tp);

	if (__evl_unlikely(gettime == NULL))
		gettime = __evl_hl_libc_gettime;

	return gettime(-clockfd, tp);
}

/*
 * Sets a clock. In-band for the built-in clocks, of which only the realtime
 * one may be set. Any thread. -EPERM, -EINVAL, -EOPNOTSUPP, -EBADF.
 */
__evl_api int evl_set_clock(int clockfd, const struct timespec *tp)
{
	struct __evl_timespec bounce;

	if (__evl_hl_is_builtin_clock(clockfd))
		return clock_settime(-clockfd, tp) ? -errno : 0;

	return __evl_hl_quick(clockfd, EVL_CLKIOC_SET_TIME,
			      (void *)(uintptr_t)__evl_hl_date(&bounce, tp));
}

/* Resolution of a clock. Stages and errors as above. */
__evl_api int evl_get_clock_resolution(int clockfd, struct timespec *tp)
{
	if (__evl_hl_is_builtin_clock(clockfd))
		return clock_getres(-clockfd, tp) ? -errno : 0;

	return __evl_hl_clock_ioctl(clockfd, EVL_CLKIOC_GET_RES, tp);
}

/*
 * Sleeps until a date, 0 at once if it has passed. A signal ends the sleep if its
 * handler was set without SA_RESTART; with it, the sleep goes on to its date.
 * Out-of-band, attached threads: -EPERM for others. -EINTR if a signal ended it, or
 * if unblocked, -EINVAL for a malformed date, -EFAULT, -EBADF.
 */
__evl_api int evl_sleep_until(int clockfd, const struct timespec *timeout)
{
	struct __evl_timespec bounce;

	return __evl_hl_ioctl_oob(__evl_hl_clockfd(clockfd), EVL_CLKIOC_SLEEP,
				  (void *)(uintptr_t)__evl_hl_date(&bounce, timeout));
}

/*
 * Sleeps for a delay in microseconds, one second at most, more is -EINVAL.
 * Otherwise as above.
 */
__evl_api int evl_usleep(useconds_t usecs)
{
	struct timespec date;
	int ret;

	if (usecs > 1000000)
		return -EINVAL;

	if (usecs == 0)
		return 0;

	ret = evl_read_clock(EVL_CLOCK_MONOTONIC, &date);
	if (ret)
		return ret;

	date.tv_sec += usecs / 1000000;
	date.tv_nsec += (long)(usecs % 1000000) * 1000;
	if (date.tv_nsec >= 1000000000) {
		date.tv_nsec -= 1000000000;
		date.tv_sec++;
	}

	return evl_sleep_until(EVL_CLOCK_MONOTONIC, &date);
}

__EVL_END_DECLS

#endif /* _EVL_CLOCK_H */
