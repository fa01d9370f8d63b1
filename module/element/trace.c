// SPDX-License-Identifier: GPL-2.0-only
/*
 * /dev/evl/trace: programs leave marks among the events of the core, and have what
 * was recorded put aside, from either stage.
 */
#include <linux/ctype.h>
#include <linux/irq_work.h>
#include <linux/kernel.h>
#include <linux/module.h>
#include <linux/slab.h>
#include <evl/thread.h>
#include <evl/trace-abi.h>
#include <evl/uaccess.h>
#include "core/trace.h"
#include "element/element.h"

#define MARK_SIZE	128		/* with the final zero, as programs expect */

/* --- Marks -------------------------------------------------------------------- */

/* A mark is one line of text: that of echo(1) ends with a newline, which goes. */
static void make_line(char *text, size_t len)
{
	if (len && text[len - 1] == '\n')
		len--;
	text[len] = '\0';

	for (; *text; text++)
		if (iscntrl(*text))
			*text = ' ';
}

static ssize_t write_mark(struct file *filp, const char __user *u_buf, size_t count)
{
	char text[MARK_SIZE];

	count = min_t(size_t, count, sizeof(text) - 1);
	if (!count)
		return 0;
	if (evl_copy_from_user(text, u_buf, count))
		return -EFAULT;

	make_line(text, count);
	evl_tracepoint(evl_trace, text);

	return count;
}

static ssize_t trace_write(struct file *filp, const char __user *u_buf, size_t count,
			   loff_t *ppos)
{
	return write_mark(filp, u_buf, count);
}

/* --- Snapshots ---------------------------------------------------------------- */

static void snapshot(struct irq_work *work)
{
#ifdef CONFIG_TRACER_SNAPSHOT
	tracing_snapshot();
#endif
}

static struct irq_work snapshot_work = IRQ_WORK_INIT_HARD(snapshot);

/*
 * What Linux does for it takes locks which an out-of-band caller might have caught it
 * holding: for such a one it is done as soon as Linux has this CPU.
 */
static void take_snapshot(void)
{
	if (evl_current_oob())
		irq_work_queue(&snapshot_work);
	else
		snapshot(&snapshot_work);
}

/* It may be due on a CPU which Linux does not have: nobody but rmmod waits for it. */
void evl_exit_trace(void)
{
	irq_work_sync(&snapshot_work);
}

static long trace_ioctl(struct file *filp, unsigned int cmd, unsigned long arg)
{
	if (cmd != EVL_TRCIOC_SNAPSHOT)
		return -ENOTTY;

	take_snapshot();

	return 0;
}

/* --- Files -------------------------------------------------------------------- */

static const struct evl_file_ops trace_oob_ops = {
	.oob_write = write_mark,
	.oob_ioctl = trace_ioctl,
};

static void end_trace_file(struct evl_core_file *cfile)
{
	kfree(cfile);
}

static int trace_open(struct inode *inode, struct file *filp)
{
	struct evl_core_file *cfile;
	int ret;

	ret = evl_check_published();
	if (ret)
		return ret;

	cfile = kzalloc(sizeof(*cfile), GFP_KERNEL_ACCOUNT);
	if (!cfile)
		return -ENOMEM;

	filp->private_data = cfile;
	evl_open_core_file(cfile, filp, &trace_oob_ops, end_trace_file);

	return stream_open(inode, filp);
}

static int trace_release(struct inode *inode, struct file *filp)
{
	struct evl_core_file *cfile = filp->private_data;

	evl_retire_core_file(cfile);
	evl_drop_core_file(cfile);

	return 0;
}

static const struct file_operations trace_fops = {
	.owner = THIS_MODULE,
	.open = trace_open,
	.release = trace_release,
	.write = trace_write,
	.unlocked_ioctl = trace_ioctl,
	.compat_ioctl = compat_ptr_ioctl,
};

struct evl_factory evl_trace_factory = {
	.name = EVL_TRACE_DEV,
	.flags = EVL_FACTORY_SINGLE,
	.fops = &trace_fops,
};
