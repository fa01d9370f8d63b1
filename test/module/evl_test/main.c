// SPDX-License-Identifier: GPL-2.0-only
/*
 * Tests of the kernel interface, for test/suite/kapi.c: a driver as others may write it. Each request runs one case,
 * mostly in threads of its own, and tells the file and line of the first check that failed.
 */
#include <linux/fs.h>
#include <linux/miscdevice.h>
#include <linux/module.h>
#include <linux/uaccess.h>
#include <evl/xbuf.h>
#include "context.h"

void note_failure(struct context *cx, const char *path, int line)
{
	if (!cmpxchg(&cx->run.line, 0, line))
		strscpy(cx->run.file, kbasename(path), sizeof(cx->run.file));
}

void run_thread(struct context *cx, void (*fn)(void *))
{
	int ret = evl_run_kthread(&cx->thread, fn, cx, 50, EVL_CLONE_PRIVATE, "evl_test:%d", task_pid_nr(current));

	if (expect(cx, !ret))
		evl_join_kthread(&cx->thread);
}

static void (*const cases[TEST_NR_CASES])(struct context *cx) = {
	[TEST_KTHREAD] = test_kthread,
	[TEST_KTHREAD_ERRORS] = test_kthread_errors,
	[TEST_KTHREAD_STOP] = test_kthread_stop,
	[TEST_KTHREAD_UNBLOCK] = test_kthread_unblock,
	[TEST_KTHREAD_PRIORITY] = test_kthread_priority,
	[TEST_KTHREAD_HOGS] = test_kthread_hogs,
	[TEST_KTHREAD_PUBLIC] = test_kthread_public,
	[TEST_TIMER_ONESHOT] = test_timer_oneshot,
	[TEST_TIMER_PERIODIC] = test_timer_periodic,
	[TEST_TIMER_STOP] = test_timer_stop,
	[TEST_TIMER_EXTREMES] = test_timer_extremes,
	[TEST_TIMER_START_OVER] = test_timer_start_over,
	[TEST_TIMER_CROWD] = test_timer_crowd,
	[TEST_TIMER_SLOW] = test_timer_slow,
	[TEST_TIMER_PUSHY] = test_timer_pushy,
	[TEST_TIMER_DESTROY] = test_timer_destroy,
	[TEST_CLOCK_GRAVITY] = test_clock_gravity,
	[TEST_WAIT_WAKEUP] = test_wait_wakeup,
	[TEST_WAIT_TIMEOUT] = test_wait_timeout,
	[TEST_WAIT_ORDER] = test_wait_order,
	[TEST_WAIT_FLUSH] = test_wait_flush,
	[TEST_WAIT_BUSY] = test_wait_busy,
	[TEST_WORK] = test_work,
	[TEST_HEAP] = test_heap,
	[TEST_CONTRACTS_STRANGER] = test_contracts_stranger,
	[TEST_CONTRACTS_INBAND] = test_contracts_inband,
	[TEST_CONTRACTS_OOB] = test_contracts_oob,
	[TEST_CONTRACTS_IRQ] = test_contracts_irq,
	[TEST_TRAPS_THREAD] = test_traps_thread,
	[TEST_TRAPS_IRQ] = test_traps_irq,
	[TEST_TRAPS_NMI] = test_traps_nmi,
	[TEST_TRAPS_PROBE] = test_traps_probe,
	[TEST_TRACE] = test_trace,
	[TEST_XBUF_GET] = test_xbuf_get,
	[TEST_XBUF_READ] = test_xbuf_read,
	[TEST_XBUF_WRITE] = test_xbuf_write,
	[TEST_XBUF_ECHO] = test_xbuf_echo,
	[TEST_XBUF_GONE] = test_xbuf_gone,
	[TEST_XBUF_HOLD] = test_xbuf_hold,
};

static struct context *make_context(const struct evl_test_run *run)
{
	struct context *cx = kzalloc(sizeof(*cx), GFP_KERNEL);

	if (cx) {
		cx->run = *run;
		cx->buf = kzalloc(MAX_TRANSFER, GFP_KERNEL);
	}

	return cx;
}

static void free_context(struct context *cx)
{
	kfree(cx->buf);
	kfree(cx);
}

static long test_ioctl(struct file *filp, unsigned int cmd, unsigned long arg)
{
	struct evl_test_run run;
	struct context *cx;

	if (cmd != EVL_TEST_RUN)
		return -ENOTTY;
	if (copy_from_user(&run, (void __user *)arg, sizeof(run)))
		return -EFAULT;
	if (run.nr < 0 || run.nr >= TEST_NR_CASES || run.size > MAX_TRANSFER)
		return -EINVAL;

	cx = make_context(&run);
	if (!cx)
		return -ENOMEM;
	cases[run.nr](cx);
	run = cx->run;
	if ((run.nr == TEST_KTHREAD_PUBLIC || run.nr == TEST_XBUF_HOLD) && !run.result && !run.line)
		filp->private_data = cx;
	else
		free_context(cx);

	return copy_to_user((void __user *)arg, &run, sizeof(run)) ? -EFAULT : 0;
}

static int test_open(struct inode *inode, struct file *filp)
{
	filp->private_data = NULL;
	return 0;
}

static int test_release(struct inode *inode, struct file *filp)
{
	struct context *cx = filp->private_data;

	if (cx) {
		evl_stop_kthread(&cx->thread);
		if (cx->efilp)
			evl_put_xbuf(cx->efilp);
		free_context(cx);
	}

	return 0;
}

static const struct file_operations test_fops = {
	.owner		= THIS_MODULE,
	.open		= test_open,
	.release	= test_release,
	.unlocked_ioctl	= test_ioctl,
};

static struct miscdevice test_device = {
	.minor	= MISC_DYNAMIC_MINOR,
	.name	= "evl_test",
	.fops	= &test_fops,
};
module_misc_device(test_device);

MODULE_DESCRIPTION("Tests of the EVL kernel interface");
MODULE_AUTHOR("The evl authors");
MODULE_LICENSE("GPL");
