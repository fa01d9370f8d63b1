// SPDX-License-Identifier: GPL-2.0-only
/* Dates from and to user space. */
#include <linux/ktime.h>
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
