// SPDX-License-Identifier: GPL-2.0-only
/*
 * A driver whose files are for both stages, for test/suite/kfile.c: each open file has a stage exclusion lock, to be
 * taken and dropped by requests from either stage, and events, to be raised by them and polled. test/suite/stalls.c maps it.
 */
#include <linux/fs.h>
#include <linux/math64.h>
#include <linux/miscdevice.h>
#include <linux/module.h>
#include <linux/slab.h>
#include <linux/vmalloc.h>
#include <linux/wait.h>
#include <evl/file.h>
#include <evl/poll_head.h>
#include <evl/sched.h>
#include <evl/stax.h>
#include <evl/thread.h>
#include <evl/uaccess.h>
#include "evl_file_test.h"

struct session {
	struct evl_file efile;
	struct evl_stax stax;
	struct evl_poll_head poll_head;
	hard_spinlock_t lock;		/* of events */
	__poll_t events;
	atomic_t watches;
	bool restless;
};

static const struct evl_file_ops file_test_oob_ops;

static void raise_events(struct session *s, __poll_t events)
{
	unsigned long flags;

	evl_lock_irqsave(&s->lock, flags);
	s->events |= events;
	evl_signal_poll_events(&s->poll_head, events);
	evl_sched_unlock(&s->lock, flags);
}

static void clear_events(struct session *s)
{
	unsigned long flags;

	evl_lock_irqsave(&s->lock, flags);
	s->events = 0;
	evl_unlock_irqrestore(&s->lock, flags);
}

/* Two references, for no better reason than to have them. */
static long raise_other(int fd)
{
	struct evl_file *efilp = evl_get_file(fd);
	long ret = -EINVAL;

	if (!efilp)
		return -EBADF;

	if (efilp->ops == &file_test_oob_ops) {
		evl_get_fileref(efilp);
		raise_events(container_of(efilp, struct session, efile), EPOLLIN);
		evl_put_file(efilp);
		ret = 0;
	}
	evl_put_file(efilp);

	return ret;
}

static long add_up(struct evl_file_test_sum __user *u_sum)
{
	struct evl_file_test_sum sum;

	if (evl_copy_from_user(&sum, u_sum, sizeof(sum)))
		return -EFAULT;

	sum.sum = (u64)sum.a + sum.b;

	return evl_copy_to_user(u_sum, &sum, sizeof(sum));
}

/* --- Many files ------------------------------------------------------------------------ */

#define NR_CROWD	400000

/* Of a few lookups, at best: whatever else the machine does comes on top. */
static ktime_t time_lookups(int fd)
{
	ktime_t start, best = KTIME_MAX;
	struct evl_file *efilp;
	unsigned long flags;
	int n, i;

	for (n = 0; n < 500; n++) {
		flags = hard_local_irq_save();
		start = ktime_get_mono_fast_ns();
		for (i = 0; i < 50; i++) {
			efilp = evl_get_file(fd);
			if (efilp)
				evl_put_file(efilp);
		}
		best = min_t(ktime_t, best, ktime_get_mono_fast_ns() - start);
		hard_local_irq_restore(flags);
	}

	return best;
}

/* Nobody looks into them: that they have an address of their own is enough. */
static struct file *crowd_file(int n)
{
	return (struct file *)(PAGE_OFFSET + n * 256UL);
}

static long time_in_crowd(int fd)
{
	struct evl_file *crowd = vcalloc(NR_CROWD, sizeof(*crowd));
	ktime_t alone, along;
	int n;

	if (!crowd)
		return -ENOMEM;

	alone = time_lookups(fd);
	for (n = 0; n < NR_CROWD; n++)
		evl_open_file(&crowd[n], crowd_file(n), &file_test_oob_ops);
	along = time_lookups(fd);
	for (n = 0; n < NR_CROWD; n++)
		evl_release_file(&crowd[n]);
	vfree(crowd);

	return div64_s64(10 * along, max_t(ktime_t, alone, 1));
}

static long file_test_ioctl(struct file *filp, unsigned int cmd, unsigned long arg)
{
	struct session *s = filp->private_data;

	switch (cmd) {
	case FILE_TEST_LOCK:
		return evl_lock_stax(&s->stax);
	case FILE_TEST_TRYLOCK:
		return evl_trylock_stax(&s->stax);
	case FILE_TEST_UNLOCK:
		evl_unlock_stax(&s->stax);
		return 0;
	case FILE_TEST_RAISE:
		raise_events(s, (__force __poll_t)arg);
		return 0;
	case FILE_TEST_CLEAR:
		clear_events(s);
		return 0;
	case FILE_TEST_RAISE_OTHER:
		return raise_other(arg);
	case FILE_TEST_WATCHES:
		return atomic_read(&s->watches);
	case FILE_TEST_SUM:
		return add_up((struct evl_file_test_sum __user *)arg);
	default:
		return -ENOTTY;
	}
}

/* --- Mappings which take long to make ----------------------------------------------------- */

static DECLARE_WAIT_QUEUE_HEAD(mapper_wait);
static bool mappers_kept;
static atomic_t nr_mappers;

static int file_test_mmap(struct file *filp, struct vm_area_struct *vma)
{
	int ret;

	atomic_inc(&nr_mappers);
	ret = wait_event_killable(mapper_wait, !READ_ONCE(mappers_kept));
	atomic_dec(&nr_mappers);

	return ret;
}

static void keep_mappers(bool keep)
{
	WRITE_ONCE(mappers_kept, keep);
	wake_up_all(&mapper_wait);
}

static long file_test_inband_ioctl(struct file *filp, unsigned int cmd, unsigned long arg)
{
	struct session *s = filp->private_data;

	switch (cmd) {
	case FILE_TEST_CROWD:
		return time_in_crowd(arg);
	case FILE_TEST_KEEP_MAPPERS:
		keep_mappers(arg);
		return 0;
	case FILE_TEST_NR_MAPPERS:
		return atomic_read(&nr_mappers);
	case FILE_TEST_RESTLESS:
		evl_init_personal_poll_head(&s->poll_head);
		s->restless = true;
		return 0;
	default:
		return file_test_ioctl(filp, cmd, arg);
	}
}

static void unwatch(struct evl_poll_head *head)
{
	atomic_dec(&container_of(head, struct session, poll_head)->watches);
}

static __poll_t file_test_poll(struct file *filp, struct evl_poll_wait *wait)
{
	struct session *s = filp->private_data;

	if (evl_poll_watch(&s->poll_head, wait, unwatch))
		atomic_inc(&s->watches);
	if (!wait && s->restless)
		evl_signal_poll_events(&s->poll_head, EPOLLIN);

	return READ_ONCE(s->events);
}

static const struct evl_file_ops file_test_oob_ops = {
	.oob_ioctl	= file_test_ioctl,
	.oob_poll	= file_test_poll,
};

static int file_test_open(struct inode *inode, struct file *filp)
{
	struct session *s = kzalloc(sizeof(*s), GFP_KERNEL);

	if (!s)
		return -ENOMEM;

	evl_init_stax(&s->stax);
	evl_init_poll_head(&s->poll_head);
	raw_spin_lock_init(&s->lock);
	filp->private_data = s;
	evl_open_file(&s->efile, filp, &file_test_oob_ops);

	return 0;
}

/* Requests may be under way: those which wait are sent away first, then all are awaited. */
static int file_test_release(struct inode *inode, struct file *filp)
{
	struct session *s = filp->private_data;

	evl_destroy_stax(&s->stax);
	evl_release_file(&s->efile);
	WARN_ON(atomic_read(&s->watches));
	kfree(s);

	return 0;
}

static const struct file_operations file_test_fops = {
	.owner		= THIS_MODULE,
	.open		= file_test_open,
	.release	= file_test_release,
	.unlocked_ioctl	= file_test_inband_ioctl,
	.mmap		= file_test_mmap,
};

static struct miscdevice file_test_device = {
	.minor	= MISC_DYNAMIC_MINOR,
	.name	= "evl_file_test",
	.fops	= &file_test_fops,
};
module_misc_device(file_test_device);

MODULE_DESCRIPTION("Tests of files with out-of-band operations");
MODULE_AUTHOR("The evl authors");
MODULE_LICENSE("GPL");
