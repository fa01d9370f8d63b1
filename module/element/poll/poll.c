// SPDX-License-Identifier: GPL-2.0-only
/*
 * /dev/evl/poll: each open file is a group of files polled out-of-band.
 *
 *	item.c	items, i.e. files in groups, and their memory
 *	ready.c	who is ready, and waiting for it
 *	head.c	connections: who is told of what
 *	nest.c	groups in groups
 *
 * Calls lead downwards in this list.
 *
 * An item stays connected to the poll heads of its file as long as it is in the
 * group, so that waiting costs what is ready, whatever the size of the group.
 */
#include <linux/lockdep.h>
#include <linux/module.h>
#include <linux/slab.h>
#include <evl/factory.h>
#include <evl/sched.h>
#include <evl/thread.h>
#include <evl/uaccess.h>
#include "element/poll/poll.h"

static long control_set(struct evl_poll_set *set,
			const struct evl_poll_ctlreq __user *u_req)
{
	struct evl_poll_ctlreq req;
	int ret;

	ret = evl_copy_from_user(&req, u_req, sizeof(req));
	if (ret)
		return ret;

	switch (req.action) {
	case EVL_POLL_CTLADD:
		ret = evl_add_poll_item(set, &req);
		break;
	case EVL_POLL_CTLDEL:
		ret = evl_del_poll_item(set, &req);
		break;
	case EVL_POLL_CTLMOD:
		ret = evl_mod_poll_item(set, &req);
		break;
	default:
		return -EINVAL;
	}

	/* Whatever was done in-band is done: a signal does not change that. */
	if (ret != -ERESTARTSYS && !evl_current_oob())
		evl_switch_oob();

	return ret;
}

static long poll_oob_ioctl(struct file *filp, unsigned int cmd, unsigned long arg)
{
	struct evl_poll_set *set = filp->private_data;
	void __user *u_arg = (void __user *)arg;

	switch (cmd) {
	case EVL_POLIOC_CTL:
		return control_set(set, u_arg);
	case EVL_POLIOC_WAIT:
		return evl_wait_poll_set(set, filp->f_flags & O_NONBLOCK, u_arg);
	default:
		return -ENOTTY;
	}
}

static const struct evl_file_ops poll_oob_ops = {
	.oob_ioctl = poll_oob_ioctl,
	.oob_poll = evl_poll_group,
};

/* --- Files -------------------------------------------------------------------- */

static void end_poll_file(struct evl_core_file *cfile)
{
	struct evl_poll_set *set = container_of(cfile, struct evl_poll_set, file);

	evl_drop_poll_items(set);
	kfree(set);
}

static int poll_open(struct inode *inode, struct file *filp)
{
	/* Taken inside the lock of whatever is polled, see head.c. */
	static struct lock_class_key lock_key;
	struct evl_poll_set *set;
	int ret;

	ret = evl_check_published();
	if (ret)
		return ret;

	set = kzalloc(sizeof(*set), GFP_KERNEL_ACCOUNT);
	if (!set)
		return -ENOMEM;

	evl_init_wait(&set->waiters, &evl_mono_clock, EVL_WAIT_PRIO, "poll");
	lockdep_set_class(evl_poll_lock(set), &lock_key);
	evl_init_poll_head(&set->head);
	set->open = RB_ROOT;
	set->closed = RB_ROOT;
	set->personal = RB_ROOT;
	INIT_LIST_HEAD(&set->ready);
	INIT_LIST_HEAD(&set->spare);
	INIT_LIST_HEAD(&set->children);
	INIT_LIST_HEAD(&set->parents);

	filp->private_data = set;
	evl_open_core_file(&set->file, filp, &poll_oob_ops, end_poll_file);

	return stream_open(inode, filp);
}

static int poll_release(struct inode *inode, struct file *filp)
{
	struct evl_poll_set *set = filp->private_data;

	evl_retire_core_file(&set->file);
	evl_flush_wait(&set->waiters.wchan, EVL_T_RMID);
	evl_drop_core_file(&set->file);

	return 0;
}

static const struct file_operations poll_fops = {
	.owner = THIS_MODULE,
	.open = poll_open,
	.release = poll_release,
};

struct evl_factory evl_poll_factory = {
	.name = EVL_POLL_DEV,
	.flags = EVL_FACTORY_SINGLE,
	.fops = &poll_fops,
};
