// SPDX-License-Identifier: GPL-2.0-only
/*
 * The out-of-band end of a cross-buffer, for drivers.
 *
 * A driver often keeps the cross-buffer for as long as a file of its own is
 * open. An exiting process closes its files one after the other, and closing
 * an EVL file waits for its out-of-band users: if the cross-buffer came first,
 * its turn would never end. So what a driver holds is a reference on the open
 * file itself, which delays the release instead of blocking it.
 */
#include <linux/export.h>
#include <linux/fcntl.h>
#include <linux/file.h>
#include <evl/heap.h>
#include <evl/thread.h>
#include "element/xbuf/xbuf.h"

struct put_work {
	struct evl_work work;
	struct file *filp;
};

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

	/* The last reference may be gone already, its release waiting for us. */
	if (efilp->filp->f_op == &evl_xbuf_fops &&
	    atomic_long_inc_not_zero(&efilp->filp->f_count)) {
		xbuf = container_of(evl_file_element(efilp->filp),
				    struct evl_xbuf, element);
		*efilpp = efilp;
	}

	evl_put_file(efilp);

	return xbuf;
}
EXPORT_SYMBOL_GPL(evl_get_xbuf);

static void put_file_inband(struct evl_work *work)
{
	struct put_work *put = container_of(work, struct put_work, work);

	fput(put->filp);
	evl_free(put);
}

void evl_put_xbuf(struct evl_file *efilp)
{
	struct put_work *put;

	if (!evl_current_oob() && !is_atomic()) {
		fput(efilp->filp);
		return;
	}

	put = evl_alloc(sizeof(*put));
	if (WARN_ON_ONCE(!put))
		return;

	put->filp = efilp->filp;
	evl_init_work(&put->work, put_file_inband);
	evl_call_inband(&put->work);
}
EXPORT_SYMBOL_GPL(evl_put_xbuf);

/* How to transfer, -EPERM if the caller cannot wait as it asked to. */
static int transfer_mode(int f_flags)
{
	if (f_flags & O_NONBLOCK)
		return EVL_RING_OOB | EVL_RING_NONBLOCK;

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
