// SPDX-License-Identifier: GPL-2.0-only
/* A driver with an observable for each open file, for test/suite/observable-driver.c. */
#include <linux/fs.h>
#include <linux/miscdevice.h>
#include <linux/module.h>
#include <linux/slab.h>
#include <linux/uaccess.h>
#include <evl/file.h>
#include <evl/kthread.h>
#include <evl/lock.h>
#include <evl/observable.h>
#include "evl_notice_test.h"

struct session {
	struct evl_file efile;
	struct evl_observable *observable;
	struct evl_kthread kthread;
	bool has_thread;
};

static long make(struct session *s, const char __user *u_name, int flags)
{
	struct evl_observable *o;

	if (s->observable)
		return -EBUSY;

	o = evl_alloc_observable(u_name, flags);
	if (IS_ERR(o))
		return PTR_ERR(o);
	s->observable = o;

	return 0;
}

static long send(struct session *s, struct evl_notice_test __user *u_req)
{
	struct evl_notice_test req;
	unsigned long flags = 0;
	unsigned int n;

	if (copy_from_user(&req, u_req, sizeof(req)))
		return -EFAULT;
	if (req.irqs_off)
		flags = hard_local_irq_save();
	for (n = 0, req.taken = 0; n < req.count; n++)
		req.taken += evl_send_observable(s->observable, req.tag, evl_intval(req.value + n));
	if (req.irqs_off)
		hard_local_irq_restore(flags);

	return copy_to_user(u_req, &req, sizeof(req)) ? -EFAULT : 0;
}

static void idle_about(void *arg)
{
	while (!evl_kthread_should_stop())
		evl_sleep(1000000);
}

static long run_thread(struct session *s, const char __user *u_name)
{
	char name[64];
	int ret;

	if (strncpy_from_user(name, u_name, sizeof(name)) < 0)
		return -EFAULT;
	name[sizeof(name) - 1] = '\0';

	ret = evl_run_kthread(&s->kthread, idle_about, s, 1,
			      EVL_CLONE_PUBLIC | EVL_CLONE_OBSERVABLE, "%s", name);
	s->has_thread = !ret;

	return ret;
}

static long notice_test_ioctl(struct file *filp, unsigned int cmd, unsigned long arg)
{
	struct session *s = filp->private_data;

	switch (cmd) {
	case NOTICE_TEST_MAKE:
		return make(s, (const char __user *)arg, 0);
	case NOTICE_TEST_MAKE_ONE:
		return make(s, (const char __user *)arg, EVL_CLONE_UNICAST);
	case NOTICE_TEST_THREAD:
		return run_thread(s, (const char __user *)arg);
	}

	if (!s->observable)
		return -ENXIO;

	switch (cmd) {
	case NOTICE_TEST_SEND:
		return send(s, (struct evl_notice_test __user *)arg);
	case NOTICE_TEST_FLUSH:
		evl_flush_observable(s->observable);
		return 0;
	default:
		return evl_ioctl_observable(s->observable, cmd, arg);
	}
}

static ssize_t notice_test_read(struct file *filp, char __user *u_buf, size_t count,
				loff_t *ppos)
{
	struct session *s = filp->private_data;

	return evl_read_observable(s->observable, u_buf, count, filp->f_flags & O_NONBLOCK);
}

static ssize_t notice_test_write(struct file *filp, const char __user *u_buf, size_t count,
				 loff_t *ppos)
{
	struct session *s = filp->private_data;

	return evl_write_observable(s->observable, u_buf, count);
}

static __poll_t notice_test_poll(struct file *filp, poll_table *pt)
{
	struct session *s = filp->private_data;

	return evl_poll_observable(s->observable, filp, pt);
}

static ssize_t notice_test_oob_read(struct file *filp, char __user *u_buf, size_t count)
{
	struct session *s = filp->private_data;

	return evl_oob_read_observable(s->observable, u_buf, count, filp->f_flags & O_NONBLOCK);
}

static ssize_t notice_test_oob_write(struct file *filp, const char __user *u_buf, size_t count)
{
	struct session *s = filp->private_data;

	return evl_write_observable(s->observable, u_buf, count);
}

static __poll_t notice_test_oob_poll(struct file *filp, struct evl_poll_wait *wait)
{
	struct session *s = filp->private_data;

	return evl_oob_poll_observable(s->observable, wait);
}

static const struct evl_file_ops notice_test_oob_ops = {
	.oob_read = notice_test_oob_read,
	.oob_write = notice_test_oob_write,
	.oob_poll = notice_test_oob_poll,
};

static int notice_test_open(struct inode *inode, struct file *filp)
{
	struct session *s = kzalloc(sizeof(*s), GFP_KERNEL);

	if (!s)
		return -ENOMEM;
	filp->private_data = s;
	evl_open_file(&s->efile, filp, &notice_test_oob_ops);

	return stream_open(inode, filp);
}

static int notice_test_release(struct inode *inode, struct file *filp)
{
	struct session *s = filp->private_data;

	if (s->observable)
		evl_flush_observable(s->observable);
	evl_release_file(&s->efile);
	if (s->has_thread)
		evl_stop_kthread(&s->kthread);
	if (s->observable)
		evl_free_observable(s->observable);
	kfree(s);

	return 0;
}

static const struct file_operations notice_test_fops = {
	.owner = THIS_MODULE,
	.open = notice_test_open,
	.release = notice_test_release,
	.read = notice_test_read,
	.write = notice_test_write,
	.poll = notice_test_poll,
	.unlocked_ioctl = notice_test_ioctl,
};

static struct miscdevice notice_test_dev = {
	.minor = MISC_DYNAMIC_MINOR,
	.name = "evl_notice_test",
	.fops = &notice_test_fops,
};
module_misc_device(notice_test_dev);

MODULE_DESCRIPTION("Test of observables of drivers");
MODULE_LICENSE("GPL v2");
