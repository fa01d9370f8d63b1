// SPDX-License-Identifier: GPL-2.0-only
/*
 * /dev/evl/trace: programs leave marks among the events of the core, and ask for what
 * was recorded to be put aside, from either stage.
 */
#include <linux/ctype.h>
#include <linux/kernel.h>
#include <linux/module.h>
#include <linux/slab.h>
#include <evl/trace.h>
#include <evl/trace-abi.h>
#include <evl/uaccess.h>
#include "core/trace.h"
#include "element/element.h"

#define MARK_SIZE	128		/* with the final zero, as programs expect */

/* --- Marks -------------------------------------------------------------------- */

/* Well-formed UTF-8, by its first two bytes; those which follow are 0x80 to 0xbf. */
static const struct {
	u8 first, last;		/* of the first byte */
	u8 low, high;		/* of the second one */
	u8 length;
} sequences[] = {
	{ 0xc2, 0xc2, 0xa0, 0xbf, 2 },	/* below are control characters */
	{ 0xc3, 0xdf, 0x80, 0xbf, 2 },
	{ 0xe0, 0xe0, 0xa0, 0xbf, 3 },
	{ 0xe1, 0xec, 0x80, 0xbf, 3 },
	{ 0xed, 0xed, 0x80, 0x9f, 3 },	/* above are surrogates */
	{ 0xee, 0xef, 0x80, 0xbf, 3 },
	{ 0xf0, 0xf0, 0x90, 0xbf, 4 },
	{ 0xf1, 0xf3, 0x80, 0xbf, 4 },
	{ 0xf4, 0xf4, 0x80, 0x8f, 4 },
};

/* Bytes of the printable character which @p, ended by a zero, begins with; 0 for none. */
static size_t character_length(const u8 *p)
{
	size_t n, len = 2;

	if (*p < 0x80)
		return iscntrl(*p) ? 0 : 1;

	for (n = 0; n < ARRAY_SIZE(sequences); n++)
		if (*p >= sequences[n].first && *p <= sequences[n].last)
			break;
	if (n == ARRAY_SIZE(sequences) || p[1] < sequences[n].low || p[1] > sequences[n].high)
		return 0;
	while (len < sequences[n].length && (p[len] & 0xc0) == 0x80)
		len++;

	return len == sequences[n].length ? len : 0;
}

/*
 * A mark is one line of text: that of echo(1) ends with a newline, which goes. What is
 * none becomes blanks: who reads the trace may have a terminal which obeys it.
 */
static void make_line(char *text, size_t len)
{
	size_t step;

	if (len && text[len - 1] == '\n')
		len--;
	text[len] = '\0';

	for (; *text; text += step ?: 1) {
		step = character_length((const u8 *)text);
		if (!step)
			*text = ' ';
	}
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

/*
 * A snapshot swaps buffers which root may be about to size or to free: that is safe
 * only by a trigger, whose removal waits for those on their way. So this is the event
 * which root sets one up on. Without it, nothing is put aside.
 */
static long trace_ioctl(struct file *filp, unsigned int cmd, unsigned long arg)
{
	if (cmd != EVL_TRCIOC_SNAPSHOT)
		return -ENOTTY;

	evl_trace_trigger("program");

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
