// SPDX-License-Identifier: GPL-2.0-only
/*
 * A driver which exchanges data with a program through a cross-buffer, with
 * the in-kernel interface of evl/xbuf.h.
 *
 * The program creates the cross-buffer and hands its descriptor over. A thread
 * of the driver, out-of-band, reads requests from it and writes samples to it;
 * the program does the opposite with plain write(2) and read(2).
 *
 * An interrupt or timer handler may use evl_read_xbuf() and evl_write_xbuf()
 * too, with O_NONBLOCK.
 */
#include <linux/fs.h>
#include <linux/miscdevice.h>
#include <linux/module.h>
#include <linux/mutex.h>
#include <linux/slab.h>
#include <evl/clock.h>
#include <evl/kthread.h>
#include <evl/xbuf.h>
#include "xbuf-driver.h"

struct session {
	struct mutex lock;		/* starting */
	struct evl_kthread thread;
	struct evl_xbuf *xbuf;		/* NULL until started */
	struct evl_file *efilp;
};

/* --- Out-of-band ----------------------------------------------------------------- */

static int send_samples(struct session *s, const struct sampling_request *req)
{
	struct sampling_record rec;
	ktime_t date = evl_ktime_monotonic();
	ssize_t ret;
	u32 n;

	for (n = 0; n < req->count; n++) {
		date = ktime_add_us(date, req->period_us);
		if (evl_sleep_until(date))
			return -EINTR;
		rec.date = date;
		rec.latency = evl_ktime_monotonic() - date;
		/* Sleeps while the ring is full. */
		ret = evl_write_xbuf(s->xbuf, &rec, sizeof(rec), 0);
		if (ret < 0)
			return ret;
	}

	return 0;
}

static void serve(void *arg)
{
	struct sampling_request req;
	struct session *s = arg;
	ssize_t ret;

	while (!evl_kthread_should_stop()) {
		ret = evl_read_xbuf(s->xbuf, &req, sizeof(req), 0);
		if (ret == sizeof(req))
			ret = send_samples(s, &req);
		/* -EIDRM: the application has gone, and nothing will come. */
		if (ret < 0 && ret != -EINTR)
			break;
	}
}

/* --- In-band --------------------------------------------------------------------- */

static int start(struct session *s, int xfd)
{
	int ret;

	s->xbuf = evl_get_xbuf(xfd, &s->efilp);
	if (!s->xbuf)
		return -EBADF;

	ret = evl_run_kthread(&s->thread, serve, s, 70, EVL_CLONE_PRIVATE,
			      "xbuf-driver:%d", task_pid_nr(current));
	if (ret) {
		evl_put_xbuf(s->efilp);
		s->xbuf = NULL;
	}

	return ret;
}

static long driver_ioctl(struct file *filp, unsigned int cmd, unsigned long arg)
{
	struct session *s = filp->private_data;
	int ret;

	if (cmd != XBUF_DRIVER_START)
		return -ENOTTY;

	mutex_lock(&s->lock);
	ret = s->xbuf ? -EBUSY : start(s, arg);
	mutex_unlock(&s->lock);

	return ret;
}

static int driver_open(struct inode *inode, struct file *filp)
{
	struct session *s = kzalloc(sizeof(*s), GFP_KERNEL);

	if (!s)
		return -ENOMEM;

	mutex_init(&s->lock);
	filp->private_data = s;

	return 0;
}

static int driver_release(struct inode *inode, struct file *filp)
{
	struct session *s = filp->private_data;

	if (s->xbuf) {
		evl_stop_kthread(&s->thread);
		evl_put_xbuf(s->efilp);
	}
	kfree(s);

	return 0;
}

static const struct file_operations driver_fops = {
	.owner		= THIS_MODULE,
	.open		= driver_open,
	.release	= driver_release,
	.unlocked_ioctl	= driver_ioctl,
};

static struct miscdevice driver_device = {
	.minor	= MISC_DYNAMIC_MINOR,
	.name	= "xbuf-driver",
	.fops	= &driver_fops,
};
module_misc_device(driver_device);

MODULE_DESCRIPTION("Example of a driver talking through an EVL cross-buffer");
MODULE_AUTHOR("The evl authors");
MODULE_LICENSE("GPL");
