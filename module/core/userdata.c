// SPDX-License-Identifier: GPL-2.0-only
/* Dates from and to user space. */
#include <linux/ktime.h>
#include <linux/nsproxy.h>
#include <linux/time_namespace.h>
#include <evl/clock.h>
#include <evl/uaccess.h>

int evl_ktime_of_timespec(ktime_t *kt, const struct __evl_timespec *ts)
{
	if (ts->tv_sec < 0 || ts->tv_nsec < 0 || ts->tv_nsec >= NSEC_PER_SEC)
		return -EINVAL;

	*kt = ktime_set(ts->tv_sec, ts->tv_nsec);

	return 0;
}

struct __evl_timespec evl_timespec_of_ktime(ktime_t kt)
{
	struct timespec64 ts64 = ktime_to_timespec64(kt);

	return (struct __evl_timespec){
		.tv_sec = ts64.tv_sec,
		.tv_nsec = ts64.tv_nsec,
	};
}

int evl_get_user_timespec(ktime_t *kt, const struct __evl_timespec __user *u_ts)
{
	struct __evl_timespec ts;
	int ret;

	ret = evl_copy_from_user(&ts, u_ts, sizeof(ts));

	return ret ?: evl_ktime_of_timespec(kt, &ts);
}

int evl_put_user_timespec(struct __evl_timespec __user *u_ts, ktime_t kt)
{
	struct __evl_timespec ts = evl_timespec_of_ktime(kt);

	return evl_copy_to_user(u_ts, &ts, sizeof(ts));
}

/*
 * How far the monotonic clock, as current sees it, is ahead of that of the machine:
 * containers may have a time namespace. There is none for the wall clock.
 */
static ktime_t offset_of_current(struct evl_clock *clock)
{
	ktime_t offset = 0;

#ifdef CONFIG_TIME_NS
	if (clock == &evl_mono_clock && current->nsproxy)
		offset = timespec64_to_ktime(current->nsproxy->time_ns->offsets.monotonic);
#endif

	return offset;
}

ktime_t evl_date_of_user(struct evl_clock *clock, ktime_t date)
{
	ktime_t offset = offset_of_current(clock);

	if (likely(!offset) || !date || date == KTIME_MAX)
		return date;

	/* Neither end of the range is a date. */
	if (offset > 0)
		return max_t(ktime_t, date - offset, 1);

	return date > KTIME_MAX - 1 + offset ? KTIME_MAX - 1 : date - offset;
}

ktime_t evl_date_to_user(struct evl_clock *clock, ktime_t date)
{
	return max_t(ktime_t, date + offset_of_current(clock), 0);
}

int evl_get_user_date(struct evl_clock *clock, ktime_t *date,
		      const struct __evl_timespec __user *u_ts)
{
	int ret = evl_get_user_timespec(date, u_ts);

	if (!ret)
		*date = evl_date_of_user(clock, *date);

	return ret;
}
