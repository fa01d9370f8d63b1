/* SPDX-License-Identifier: MIT */
/*
 * Polling many descriptors out-of-band. Events are those of poll(2): POLLERR,
 * POLLHUP and POLLNVAL (closed meanwhile) come unasked.
 */
#ifndef _EVL_POLL_H
#define _EVL_POLL_H

#include <evl/syscall.h>
#include <evl/detail/element.h>
#include <sys/poll.h>
#include <evl/poll-abi.h>

__EVL_BEGIN_DECLS

/*
 * Creates a group of polled descriptors, itself one which may be polled.
 * In-band, any thread. Returns a descriptor, or -ENXIO before evl_init(),
 * -EMFILE, -ENFILE, -ENOMEM.
 */
__evl_api int evl_new_poll(void)
{
	if (!__evl_hl_ready())
		return -ENXIO;

	return __evl_hl_open_device(EVL_POLL_DEV, NULL);
}

__evl_inline int __evl_hl_poll_ctl(int efd, __u32 action, int fd, unsigned int events,
				   union evl_value pollval)
{
	struct evl_poll_ctlreq req;

	memset(&req, 0, sizeof(req));
	req.action = action;
	req.fd = (__u32)fd;
	req.events = events;
	req.pollval = pollval;

	return __evl_hl_quick_oob(efd, EVL_POLIOC_CTL, &req);
}

/*
 * Adds a descriptor to a group; pollval comes back with its events, which are
 * reported as long as they last. Out-of-band, attached threads. Returns 0, or
 * -EEXIST, -EBADF if out-of-band requests do not apply to newfd, -ELOOP for
 * groups nested in a cycle or too deep, -ENOSPC if 128 watch that element
 * already, or more than 15 steps would lead up from a group, -ENOMEM, -EPERM.
 */
__evl_api int evl_add_pollfd(int efd, int newfd, unsigned int events,
			     union evl_value pollval)
{
	return __evl_hl_poll_ctl(efd, EVL_POLL_CTLADD, newfd, events, pollval);
}

/*
 * Removes a descriptor from a group. Out-of-band, attached threads. -ENOENT if it is
 * not there, -EBADF, -EPERM.
 */
__evl_api int evl_del_pollfd(int efd, int delfd)
{
	return __evl_hl_poll_ctl(efd, EVL_POLL_CTLDEL, delfd, 0, evl_nil);
}

/* Changes what a descriptor is polled for. Otherwise as above. */
__evl_api int evl_mod_pollfd(int efd, int modfd, unsigned int events,
			     union evl_value pollval)
{
	return __evl_hl_poll_ctl(efd, EVL_POLL_CTLMOD, modfd, events, pollval);
}

/*
 * Waits for events, until a date on the monotonic clock at most. Out-of-band,
 * attached threads. Returns the number of entries filled in pollset, up to
 * nrset, or -ETIMEDOUT, -EINTR if unblocked, -EAGAIN with O_NONBLOCK, -EINVAL
 * for an empty group or a negative nrset, -EIDRM if closed meanwhile, -EBADF,
 * -EPERM, -EFAULT.
 */
__evl_api int evl_timedpoll(int efd, struct evl_poll_event *pollset, int nrset,
			    const struct timespec *timeout)
{
	struct __evl_timespec bounce;
	struct evl_poll_waitreq req;
	int ret;

	memset(&req, 0, sizeof(req));
	req.timeout_ptr = __evl_hl_date(&bounce, timeout);
	req.pollset_ptr = __evl_hl_ptr64(pollset);
	req.nrset = nrset;

	ret = __evl_hl_ioctl_oob(efd, EVL_POLIOC_WAIT, &req);
	return ret < 0 ? ret : req.nrset;
}

/* Same, without a limit. */
__evl_api int evl_poll(int efd, struct evl_poll_event *pollset, int nrset)
{
	const struct timespec forever = { 0, 0 };

	return evl_timedpoll(efd, pollset, nrset, &forever);
}

__EVL_END_DECLS

#endif /* _EVL_POLL_H */
