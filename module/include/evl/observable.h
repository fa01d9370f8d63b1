/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Observables, for drivers: streams of notices which applications subscribe to, each
 * task with a backlog of its own. An application gets at one by a file of the driver,
 * whose operations hand over to those below.
 */
#ifndef EVL_OBSERVABLE_H
#define EVL_OBSERVABLE_H

#include <linux/fs.h>
#include <linux/poll.h>
#include <evl/observable-abi.h>

struct evl_observable;
struct evl_poll_wait;

/*
 * An observable for a driver. @u_name, in user memory, is what it is called in
 * sysfs; NULL has the core invent something. @clone_flags is EVL_CLONE_UNICAST, for
 * each notice to go to one subscriber, or 0. In-band, may sleep. ERR_PTR(): -EINVAL,
 * -EFAULT, -EEXIST, -ENAMETOOLONG, -ENOMEM, -ENXIO (the core is stopped).
 */
struct evl_observable *evl_alloc_observable(const char __user *u_name, int clone_flags);
/* Nobody is inside any of the operations below, nor comes there again: see
 * evl_flush_observable(). Subscriptions end. In-band, may sleep. */
void evl_free_observable(struct evl_observable *observable);

/*
 * Send a notice; applications take tags from EVL_NOTICE_USER on for theirs. Any
 * context, no lock of a rank below that of a wait channel held. True if there is a
 * subscriber who gets it.
 *
 * With interrupts off, the first EVL_NOTIFY_NOW subscribers are the limit: if there
 * are more of them, a worker sends it in-band, and in order with others which were
 * left to it. Those which find too many left to it are lost.
 */
bool evl_send_observable(struct evl_observable *observable, u32 tag, union evl_value event);
#define EVL_NOTIFY_NOW		32

/* Whoever waits for notices gets -EBADF. Before the last file by which applications
 * come here is released. In-band. */
void evl_flush_observable(struct evl_observable *observable);

/*
 * read() and oob_read(): notices to the caller, as many as there are and fit, waiting
 * for the first unless @nonblock. The number of bytes, or -EAGAIN, -ENXIO (no
 * subscriber), -EINVAL (no multiple of the size of a struct __evl_notification),
 * -EBADF (flushed), -EINTR, -ERESTARTSYS, -EFAULT.
 */
ssize_t evl_read_observable(struct evl_observable *observable, char __user *u_buf,
			    size_t count, bool nonblock);
ssize_t evl_oob_read_observable(struct evl_observable *observable, char __user *u_buf,
				size_t count, bool nonblock);
/*
 * write() and oob_write(): notices from the caller, never waiting. The number of
 * bytes of those which some subscriber got, or -EINVAL (no multiple of the size of a
 * struct evl_notice, a tag of the core), -EFAULT. What came before an error is sent.
 */
ssize_t evl_write_observable(struct evl_observable *observable,
			     const char __user *u_buf, size_t count);
/* poll() and oob_poll(): EPOLLERR if the caller has not subscribed, EPOLLIN for
 * notices, EPOLLOUT if some subscriber has room. */
__poll_t evl_poll_observable(struct evl_observable *observable, struct file *filp,
			     poll_table *pt);
__poll_t evl_oob_poll_observable(struct evl_observable *observable,
				 struct evl_poll_wait *wait);
/* ioctl(), in-band: EVL_OBSIOC_SUBSCRIBE and EVL_OBSIOC_UNSUBSCRIBE, for the caller.
 * 0, -EINVAL, -EEXIST, -ENOENT, -ENOMEM, -EFAULT, -ENOTTY for any other request. */
long evl_ioctl_observable(struct evl_observable *observable, unsigned int cmd,
			  unsigned long arg);

#endif /* !EVL_OBSERVABLE_H */
