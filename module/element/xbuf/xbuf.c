// SPDX-License-Identifier: GPL-2.0-only
/*
 * Cross-buffers: a pair of rings between the stages. One is written
 * out-of-band and read in-band, the other one goes the opposite way; either may
 * be missing.
 */
#include <linux/module.h>
#include <linux/poll.h>
#include <linux/slab.h>
#include <linux/sysfs.h>
#include <evl/xbuf-abi.h>
#include "element/xbuf/xbuf.h"

static struct evl_xbuf *file_xbuf(struct file *filp)
{
	return container_of(evl_file_element(filp), struct evl_xbuf, element);
}

/* --- Transfers ---------------------------------------------------------------- */

/* Nothing, or what could never complete. */
static noinline ssize_t odd_transfer(struct evl_ring *ring, size_t count)
{
	if (!ring->size)
		return -ENOBUFS;

	return count ? -EINVAL : 0;
}

static __always_inline bool is_odd(struct evl_ring *ring, size_t count)
{
	return unlikely(count - 1 >= ring->size);
}

static __always_inline ssize_t read_ring(struct evl_ring *ring, struct evl_ring_buf dst,
					 size_t count, int mode)
{
	return is_odd(ring, count) ? odd_transfer(ring, count) :
		evl_read_ring(ring, dst, count, mode);
}

static __always_inline ssize_t write_ring(struct evl_ring *ring, struct evl_ring_buf src,
					  size_t count, int mode)
{
	return is_odd(ring, count) ? odd_transfer(ring, count) :
		evl_write_ring(ring, src, count, mode);
}

ssize_t evl_read_xbuf_ring(struct evl_ring *ring, struct evl_ring_buf dst,
			   size_t count, int mode)
{
	return read_ring(ring, dst, count, mode);
}

ssize_t evl_write_xbuf_ring(struct evl_ring *ring, struct evl_ring_buf src,
			    size_t count, int mode)
{
	return write_ring(ring, src, count, mode);
}

static int file_mode(struct file *filp, int mode)
{
	return filp->f_flags & O_NONBLOCK ? mode | EVL_RING_NONBLOCK : mode;
}

static ssize_t xbuf_read(struct file *filp, char __user *buf, size_t count, loff_t *ppos)
{
	return read_ring(&file_xbuf(filp)->in, evl_user_buf(buf), count,
			 file_mode(filp, 0));
}

static ssize_t xbuf_write(struct file *filp, const char __user *buf, size_t count,
			  loff_t *ppos)
{
	return write_ring(&file_xbuf(filp)->out, evl_user_buf(buf), count,
			  file_mode(filp, 0));
}

static ssize_t xbuf_oob_read(struct file *filp, char __user *buf, size_t count)
{
	return read_ring(&file_xbuf(filp)->out, evl_user_buf(buf), count,
			 file_mode(filp, EVL_RING_OOB));
}

static ssize_t xbuf_oob_write(struct file *filp, const char __user *buf, size_t count)
{
	return write_ring(&file_xbuf(filp)->in, evl_user_buf(buf), count,
			  file_mode(filp, EVL_RING_OOB));
}

static __poll_t xbuf_poll(struct file *filp, poll_table *wait)
{
	struct evl_xbuf *xbuf = file_xbuf(filp);
	__poll_t ready = 0;

	poll_wait(filp, &xbuf->in.inband.queue, wait);
	poll_wait(filp, &xbuf->out.inband.queue, wait);
	/* Pairs with wq_has_sleeper() in ring.c. */
	smp_mb();

	if (evl_ring_fill(&xbuf->in))
		ready |= EPOLLIN | EPOLLRDNORM;
	if (!evl_ring_full(&xbuf->out))
		ready |= EPOLLOUT | EPOLLWRNORM;

	return ready;
}

static __poll_t xbuf_oob_poll(struct file *filp, struct evl_poll_wait *wait)
{
	struct evl_xbuf *xbuf = file_xbuf(filp);
	__poll_t ready = 0;

	evl_poll_watch(&xbuf->out.poll, wait, NULL);
	evl_poll_watch(&xbuf->in.poll, wait, NULL);

	if (evl_ring_fill(&xbuf->out))
		ready |= EPOLLIN | EPOLLRDNORM;
	if (!evl_ring_full(&xbuf->in))
		ready |= EPOLLOUT | EPOLLWRNORM;

	return ready;
}

/* --- Files ---------------------------------------------------------------------- */

/* A driver must not wait for what nobody can send any more. */
static void count_files(struct evl_xbuf *xbuf, int change)
{
	mutex_lock(&xbuf->lock);
	xbuf->nr_files += change;
	evl_close_ring(&xbuf->in, !xbuf->nr_files);
	evl_close_ring(&xbuf->out, !xbuf->nr_files);
	mutex_unlock(&xbuf->lock);
}

static int xbuf_open(struct inode *inode, struct file *filp)
{
	int ret;

	ret = evl_open_element(inode, filp);
	if (!ret)
		count_files(file_xbuf(filp), 1);

	return ret;
}

/* Whoever waits is sent away next, drivers included. */
static int xbuf_release(struct inode *inode, struct file *filp)
{
	/* Unless evl_element_anon_file() gave it up. */
	if (filp->private_data)
		count_files(file_xbuf(filp), -1);

	return evl_release_element(inode, filp);
}

const struct file_operations evl_xbuf_fops = {
	.owner		= THIS_MODULE,
	.open		= xbuf_open,
	.release	= xbuf_release,
	.read		= xbuf_read,
	.write		= xbuf_write,
	.poll		= xbuf_poll,
};

static const struct evl_file_ops xbuf_oob_ops = {
	.oob_read	= xbuf_oob_read,
	.oob_write	= xbuf_oob_write,
	.oob_poll	= xbuf_oob_poll,
};

/* --- Life ---------------------------------------------------------------------- */

static struct evl_element *xbuf_build(struct evl_factory *factory, const char *name,
				      const void *p, u32 clone_flags)
{
	const struct evl_xbuf_attrs *attrs = p;
	struct evl_xbuf *xbuf;
	int err;

	if ((!attrs->i_bufsz && !attrs->o_bufsz) ||
	    attrs->i_bufsz > EVL_RING_MAX || attrs->o_bufsz > EVL_RING_MAX)
		return ERR_PTR(-EINVAL);

	xbuf = kzalloc(sizeof(*xbuf), GFP_KERNEL);
	if (!xbuf)
		return ERR_PTR(-ENOMEM);

	mutex_init(&xbuf->lock);
	/* A private one comes with its only file, which nobody opens. */
	xbuf->nr_files = !(clone_flags & EVL_CLONE_PUBLIC);

	err = evl_init_ring(&xbuf->in, attrs->i_bufsz, 1, false, "xbuf-write");
	if (err)
		goto free_xbuf;

	err = evl_init_ring(&xbuf->out, attrs->o_bufsz, 1, true, "xbuf-read");
	if (err)
		goto destroy_in;

	err = evl_init_element(&xbuf->element, factory, name, clone_flags);
	if (err)
		goto destroy_out;

	return &xbuf->element;

destroy_out:
	evl_destroy_ring(&xbuf->out);
destroy_in:
	evl_destroy_ring(&xbuf->in);
free_xbuf:
	kfree(xbuf);

	return ERR_PTR(err);
}

static void xbuf_flush(struct evl_element *element, struct evl_file *file)
{
	struct evl_xbuf *xbuf = container_of(element, struct evl_xbuf, element);

	evl_flush_ring(&xbuf->in, file, &element->nr_files);
	evl_flush_ring(&xbuf->out, file, &element->nr_files);
}

static void xbuf_dispose(struct evl_element *element)
{
	struct evl_xbuf *xbuf = container_of(element, struct evl_xbuf, element);

	evl_destroy_ring(&xbuf->out);
	evl_destroy_ring(&xbuf->in);
	kfree(xbuf);
}

static ssize_t rings_show(struct device *dev, struct device_attribute *attr, char *buf)
{
	struct evl_element *element = evl_get_dev_element(dev);
	struct evl_xbuf *xbuf;
	ssize_t ret;

	if (!element)
		return -EIO;

	xbuf = container_of(element, struct evl_xbuf, element);
	ret = sysfs_emit(buf, "%zu %zu %zu %zu\n",
			 evl_ring_fill(&xbuf->in), xbuf->in.size,
			 evl_ring_fill(&xbuf->out), xbuf->out.size);
	evl_put_element(element);

	return ret;
}
static DEVICE_ATTR_RO(rings);

static struct attribute *xbuf_attrs[] = {
	&dev_attr_rings.attr,
	NULL,
};
ATTRIBUTE_GROUPS(xbuf);

struct evl_factory evl_xbuf_factory = {
	.name		= EVL_XBUF_DEV,
	.flags		= EVL_FACTORY_CLONE,
	.clone_flags	= EVL_CLONE_PUBLIC,
	.fops		= &evl_xbuf_fops,
	.oob_ops	= &xbuf_oob_ops,
	.attrs_size	= sizeof(struct evl_xbuf_attrs),
	.build		= xbuf_build,
	.dispose	= xbuf_dispose,
	.flush		= xbuf_flush,
	.attrs		= xbuf_groups,
};
