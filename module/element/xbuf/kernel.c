// SPDX-License-Identifier: GPL-2.0-only
/*
 * The out-of-band end of a cross-buffer, for drivers.
 *
 * A driver often keeps the cross-buffer for as long as a file of its own is
 * open. What it holds is the element, not the file of the application: closing
 * that one neither waits for the driver, nor is delayed by it, and sends the
 * driver away if it waits for data or space.
 */
#include <linux/export.h>
#include <linux/fcntl.h>
#include <evl/thread.h>
#include "element/xbuf/xbuf.h"

static bool is_atomic(void)
{
	return host_in_irq() || hard_irqs_disabled();
}

struct evl_xbuf *evl_get_xbuf(int efd, struct evl_file **efilpp)
{
	struct evl_file *efilp = evl_get_file(efd);
	struct evl_xbuf *xbuf = NULL;

	if (!efilp)
		return NULL;

	if (efilp->filp->f_op == &evl_xbuf_fops) {
		xbuf = container_of(evl_file_element(efilp->filp),
				    struct evl_xbuf, element);
		evl_get_element(&xbuf->element);
		*efilpp = &xbuf->driver_end;
	}

	evl_put_file(efilp);

	return xbuf;
}
EXPORT_SYMBOL_GPL(evl_get_xbuf);

void evl_put_xbuf(struct evl_file *efilp)
{
	struct evl_xbuf *xbuf = container_of(efilp, struct evl_xbuf, driver_end);

	/* In-band, the element is gone as soon as nobody uses it. */
	if (evl_current_oob() || is_atomic())
		evl_put_element(&xbuf->element);
	else
		evl_drop_element(&xbuf->element);
}
EXPORT_SYMBOL_GPL(evl_put_xbuf);

/*
 * How to transfer, -EPERM if the caller cannot wait as it asked to. A driver which
 * does not wait gets all of what it asked for, or nothing, unless the rest could not
 * be had anyway; programs get what there is.
 */
static int transfer_mode(int f_flags)
{
	if (f_flags & O_NONBLOCK)
		return EVL_RING_OOB | EVL_RING_NONBLOCK | EVL_RING_WHOLE;

	return is_atomic() || !evl_current_oob() ? -EPERM : EVL_RING_OOB;
}

ssize_t evl_read_xbuf(struct evl_xbuf *xbuf, void *buf, size_t count, int f_flags)
{
	int mode = transfer_mode(f_flags);

	if (mode < 0)
		return mode;

	return evl_read_xbuf_ring(&xbuf->out, evl_kernel_buf(buf), count, mode);
}
EXPORT_SYMBOL_GPL(evl_read_xbuf);

ssize_t evl_write_xbuf(struct evl_xbuf *xbuf, const void *buf, size_t count, int f_flags)
{
	int mode = transfer_mode(f_flags);

	if (mode < 0)
		return mode;

	return evl_write_xbuf_ring(&xbuf->in, evl_kernel_buf(buf), count, mode);
}
EXPORT_SYMBOL_GPL(evl_write_xbuf);
