/* SPDX-License-Identifier: MIT */
/*
 * Observables: streams of notices, for all subscribers (broadcast), or for
 * one of them each (unicast). See evl_subscribe() in evl/thread.h.
 */
#ifndef _EVL_OBSERVABLE_H
#define _EVL_OBSERVABLE_H

#include <evl/thread.h>
#include <evl/factory-abi.h>
#include <evl/observable-abi.h>

__EVL_BEGIN_DECLS

/* issuer is the pid of the sender, 0 for the core; date is monotonic. */
struct evl_notification {
	__u32 tag;
	__u32 serial;
	__s32 issuer;
	union evl_value event;
	struct timespec date;
};

/*
 * Creates an observable. flags: EVL_CLONE_PUBLIC, _PRIVATE, _NONBLOCK,
 * _UNICAST. In-band, any thread. Returns a descriptor, or -ENXIO before
 * evl_init(), -EINVAL, -EEXIST, -ENAMETOOLONG, -EMFILE, -ENFILE, -ENOMEM.
 */
__evl_api int evl_create_observable(int flags, const char *fmt, ...)
{
	va_list ap;
	int ret;

	va_start(ap, fmt);
	ret = __evl_hl_create_vargs(EVL_OBSERVABLE_DEV, NULL, flags, NULL, fmt, ap);
	va_end(ap);

	return ret;
}

/* int evl_new_observable(const char *fmt, ...) */
#define evl_new_observable(...)	\
	__evl_hl_named(evl_create_observable(EVL_CLONE_PRIVATE, __VA_ARGS__), __VA_ARGS__)

/* Weak threads, and those which are not attached, do it in-band. */
__evl_inline bool __evl_hl_observes_inband(void)
{
	struct evl_user_window *window = __evl_hl_self()->window;

	return window == NULL || (__evl_hl_load(&window->state) & EVL_T_WEAK) != 0;
}

/*
 * Sends nr notices to an observable, or an observable thread. Tags start from
 * EVL_NOTICE_USER. Any stage, any thread. Returns the number of notices which
 * somebody received, 0 if nobody listens, or -EINVAL, -EPERM if the thread is
 * not observable, -EBADF, -EFAULT.
 */
__evl_api int evl_update_observable(int ofd, const struct evl_notice *ntc, int nr)
{
	size_t count;
	ssize_t ret;

	if (nr < 0)
		return -EINVAL;

	count = (size_t)nr * sizeof(*ntc);
	if (__evl_hl_observes_inband())
		ret = write(ofd, ntc, count);
	else
		ret = oob_write(ofd, ntc, count);

	return ret < 0 ? -errno : (int)(ret / (ssize_t)sizeof(*ntc));
}

__evl_inline ssize_t __evl_hl_read_notices(int ofd, void *buf, size_t count)
{
	ssize_t ret;

	if (__evl_hl_observes_inband())
		ret = read(ofd, buf, count);
	else
		ret = oob_read(ofd, buf, count);

	return ret < 0 ? -errno : ret;
}

/*
 * Receives up to nr notifications which the caller has subscribed to, waiting
 * for the first. Any stage, any thread. Returns how many came, or -EAGAIN
 * with O_NONBLOCK, -ENXIO if not subscribed, -EPERM, -EINVAL, -EBADF,
 * -EFAULT.
 */
__evl_api int evl_read_observable(int ofd, struct evl_notification *nf, int nr)
{
	ssize_t ret;

	if (nr < 0)
		return -EINVAL;

#if defined(__LP64__)
	ret = __evl_hl_read_notices(ofd, nf, (size_t)nr * sizeof(*nf));
	return ret < 0 ? (int)ret : (int)(ret / (ssize_t)sizeof(*nf));
#else
	/* One by one: waiting for all would be wrong, and so would be room. */
	struct __evl_notification knf;

	if (nr == 0)
		return 0;

	ret = __evl_hl_read_notices(ofd, &knf, sizeof(knf));
	if (ret <= 0)
		return (int)ret;

	nf->tag = knf.tag;
	nf->serial = knf.serial;
	nf->issuer = knf.issuer;
	nf->event = knf.event;
	nf->date.tv_sec = (time_t)knf.date.tv_sec;
	nf->date.tv_nsec = (long)knf.date.tv_nsec;

	return 1;
#endif
}

__EVL_END_DECLS

#endif /* _EVL_OBSERVABLE_H */
