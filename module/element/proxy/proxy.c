// SPDX-License-Identifier: GPL-2.0-only
/*
 * Proxies: rings between any stage and an ordinary file, the target. The
 * out-of-band side never touches the target: a kernel thread for each direction
 * does, the relay (relay.c). in.c and out.c are the two directions, target.c
 * is about keeping the target open, map.c for those who want to map it.
 */
#include <linux/fdtable.h>
#include <linux/file.h>
#include <linux/fs.h>
#include <linux/magic.h>
#include <linux/major.h>
#include <linux/miscdevice.h>
#include <linux/module.h>
#include <linux/slab.h>
#include <linux/string.h>
#include <linux/sysfs.h>
#include <evl/proxy-abi.h>
#include "element/element.h"
#include "element/proxy/proxy.h"

static struct evl_proxy *file_proxy(struct file *filp)
{
	return container_of(evl_file_element(filp), struct evl_proxy, element);
}

/* --- File operations ------------------------------------------------------------- */

static int check_transfer(struct evl_proxy *proxy, struct evl_ring *ring, size_t count)
{
	if (!ring->size)
		return -ENXIO;
	if (count > ring->size)
		return -EFBIG;
	if (proxy->grain > 1 && count % proxy->grain)
		return -EINVAL;

	return 0;
}

static int file_mode(struct file *filp, int mode)
{
	return filp->f_flags & O_NONBLOCK ? mode | EVL_RING_NONBLOCK : mode;
}

static ssize_t do_read(struct file *filp, char __user *buf, size_t count, int mode)
{
	struct evl_proxy *proxy = file_proxy(filp);
	ssize_t ret = check_transfer(proxy, &proxy->in.ring, count);

	if (ret || !count)
		return ret;

	ret = evl_read_proxy_in(proxy, buf, count, file_mode(filp, mode));

	return ret == -EIDRM ? -EBADF : ret;
}

static ssize_t do_write(struct file *filp, const char __user *buf, size_t count, int mode)
{
	struct evl_proxy *proxy = file_proxy(filp);
	ssize_t ret = check_transfer(proxy, &proxy->out.ring, count);

	if (ret || !count)
		return ret;

	ret = evl_write_proxy_out(proxy, buf, count, file_mode(filp, mode));

	return ret == -EIDRM ? -EBADF : ret;
}

static ssize_t proxy_read(struct file *filp, char __user *buf, size_t count, loff_t *ppos)
{
	return do_read(filp, buf, count, 0);
}

static ssize_t proxy_write(struct file *filp, const char __user *buf, size_t count,
			   loff_t *ppos)
{
	return do_write(filp, buf, count, 0);
}

static ssize_t proxy_oob_read(struct file *filp, char __user *buf, size_t count)
{
	return do_read(filp, buf, count, EVL_RING_OOB);
}

static ssize_t proxy_oob_write(struct file *filp, const char __user *buf, size_t count)
{
	return do_write(filp, buf, count, EVL_RING_OOB);
}

static __poll_t proxy_poll(struct file *filp, poll_table *wait)
{
	struct evl_proxy *proxy = file_proxy(filp);
	__poll_t ready;

	/* There is nothing to wait for. */
	if (!proxy->out.ring.size && !proxy->in.ring.size)
		return EPOLLERR;

	/*
	 * Who polls in-band may well read the target itself next, so what that
	 * is ready for counts, and nothing is read ahead from it. There is room
	 * to write if it is in our ring.
	 */
	ready = evl_poll_target(&proxy->target, filp, wait);
	if (!proxy->in.ring.size)
		ready &= EPOLLERR | EPOLLHUP;
	else
		ready &= ~(EPOLLOUT | EPOLLWRNORM | EPOLLWRBAND);
	if (proxy->out.ring.size)
		ready |= evl_poll_proxy_out(proxy, filp, wait);
	if (proxy->in.ring.size)
		ready |= evl_poll_proxy_in(proxy, filp, wait);

	return ready;
}

/* Only the rings count: the target cannot be asked from here. */
static __poll_t proxy_oob_poll(struct file *filp, struct evl_poll_wait *wait)
{
	struct evl_proxy *proxy = file_proxy(filp);
	__poll_t ready = 0;

	if (!proxy->out.ring.size && !proxy->in.ring.size)
		return EPOLLERR;

	evl_poll_watch(&proxy->out.ring.poll, wait, NULL);
	evl_poll_watch(&proxy->in.ring.poll, wait, NULL);

	if (proxy->out.ring.size)
		ready |= evl_poll_proxy_out(proxy, filp, NULL);
	if (proxy->in.ring.size)
		ready |= evl_poll_proxy_in(proxy, filp, NULL);
	if (proxy->in.ring.size && !(ready & EPOLLIN))
		evl_request_ahead(proxy);

	return ready;
}

static int proxy_mmap(struct file *filp, struct vm_area_struct *vma)
{
	struct evl_target *target = &file_proxy(filp)->target;

	/* Local sockets are not even open for sure. */
	return target->sock ? -ENODEV : evl_map_target(target->filp, vma);
}

static int is_file(const void *filp, struct file *other, unsigned int fd)
{
	return other == filp;
}

/* That takes a look at all of them, which mostly need not be. */
static bool has_another(fl_owner_t table, struct file *filp)
{
	return file_count(filp) > 1 && iterate_fd(table, 0, is_file, filp);
}

/*
 * A process with @table closes a descriptor. If it is the one which keeps the target
 * open, and has no other descriptor of this file, then what was written gets there
 * first, as far as that is a matter of some time: an exiting process has closed the
 * target by itself, maybe.
 */
static int proxy_close(struct file *filp, fl_owner_t table)
{
	struct evl_proxy *proxy = file_proxy(filp);
	fl_owner_t keeper = READ_ONCE(proxy->keeper);

	if (keeper && keeper == table && !has_another(table, filp)) {
		evl_drain_proxy_out(proxy);
		evl_loosen_target(&proxy->target);
		WRITE_ONCE(proxy->keeper, NULL);
	}

	return 0;
}

static const struct file_operations proxy_fops = {
	.owner		= THIS_MODULE,
	.open		= evl_open_element,
	.release	= evl_release_element,
	.read		= proxy_read,
	.write		= proxy_write,
	.poll		= proxy_poll,
	.mmap		= proxy_mmap,
	.flush		= proxy_close,
};

static const struct evl_file_ops proxy_oob_ops = {
	.oob_read	= proxy_oob_read,
	.oob_write	= proxy_oob_write,
	.oob_poll	= proxy_oob_poll,
};

/* --- Life ------------------------------------------------------------------------- */

#define PROXY_WAYS	(EVL_CLONE_INPUT | EVL_CLONE_OUTPUT)

/* The ways in and out, or an error. */
static int check_attrs(const struct evl_proxy_attrs *attrs, u32 clone_flags)
{
	u32 ways = clone_flags & PROXY_WAYS;

	if (attrs->bufsz > EVL_RING_MAX || (!attrs->bufsz && ways))
		return -EINVAL;
	if (attrs->granularity > 1 && attrs->bufsz % attrs->granularity)
		return -EINVAL;

	return attrs->bufsz && !ways ? EVL_CLONE_OUTPUT : ways;
}

/*
 * A target which may come to hold the proxy would keep it, and be kept by it, for
 * ever: it must be none of our files, since those of clone devices and of other
 * proxies do, nor one which other files can be registered with. Nor could a chain
 * of proxies be as long as one likes, for the kernel stack is not. Local sockets
 * are left to target.c.
 */
static bool may_be_target(struct file *filp)
{
	/* Reading the latter two is about whoever reads, here a relay: it would open
	 * files, or get signals of its own. */
	static const char *const refused[] = {
		"[io_uring]", "[userfaultfd]", "[signalfd]",
	};
	struct inode *inode = file_inode(filp);
	const char *name = filp->f_path.dentry->d_name.name;

	if (filp->f_op->owner == THIS_MODULE)
		return false;

	/* A server of file systems may have Linux read and write files for it. */
	if (S_ISCHR(inode->i_mode) && inode->i_rdev == MKDEV(MISC_MAJOR, FUSE_MINOR))
		return false;

	/* Linux does not tell modules which files are of which kind, but by name. */
	return inode->i_sb->s_magic != ANON_INODE_FS_MAGIC ||
		match_string(refused, ARRAY_SIZE(refused), name) < 0;
}

/* With no ring, only what can be mapped is of any use. */
static int check_target(struct file *target, size_t bufsz)
{
	if (!may_be_target(target) || (!bufsz && !evl_can_map_target(target)))
		return -EINVAL;

	return 0;
}

static void free_proxy(struct kref *refs)
{
	struct evl_proxy *proxy = container_of(refs, struct evl_proxy, refs);

	evl_exit_proxy_in(proxy);
	evl_exit_proxy_out(proxy);
	evl_exit_target(&proxy->target);
	evl_put_grace(proxy->grace);
	kfree(proxy);
}

static void release_in_relay(struct evl_relay *relay)
{
	kref_put(&container_of(relay, struct evl_proxy, in.relay)->refs, free_proxy);
}

static void release_out_relay(struct evl_relay *relay)
{
	kref_put(&container_of(relay, struct evl_proxy, out.relay)->refs, free_proxy);
}

/* A relay which does not end while we wait keeps a reference. */
static void stop_relay(struct evl_proxy *proxy, struct evl_relay *relay)
{
	kref_get(&proxy->refs);
	if (evl_stop_relay(relay))
		kref_put(&proxy->refs, free_proxy);
}

/* Nobody but the maker waits; and nobody could have it end if it is exiting. */
static bool waits_for_relays(struct evl_proxy *proxy)
{
	return evl_is_maker(&proxy->element) && !(current->flags & PF_EXITING);
}

static void end_input(struct evl_proxy *proxy)
{
	struct evl_relay *relay = &proxy->in.relay;

	if (waits_for_relays(proxy)) {
		stop_relay(proxy, relay);
		return;
	}

	kref_get(&proxy->refs);
	if (evl_leave_relay(relay, 0))
		kref_put(&proxy->refs, free_proxy);
}

/* Nor does the maker, any more, if there is still something to write. */
static void end_output(struct evl_proxy *proxy)
{
	if (waits_for_relays(proxy) && !evl_ring_busy(&proxy->out.ring)) {
		stop_relay(proxy, &proxy->out.relay);
		return;
	}

	kref_get(&proxy->refs);
	if (evl_leave_proxy_out(proxy))
		kref_put(&proxy->refs, free_proxy);
}

static int start_relays(struct evl_proxy *proxy)
{
	const char *name = proxy->element.name;
	int err = 0;

	if (proxy->out.ring.size)
		err = evl_start_relay(&proxy->out.relay, &proxy->target, name);
	if (!err && proxy->in.ring.size)
		err = evl_start_relay(&proxy->in.relay, &proxy->target, name);
	if (err)
		stop_relay(proxy, &proxy->out.relay);

	return err;
}

static int init_rings(struct evl_proxy *proxy, u32 ways, size_t bufsz)
{
	int err;

	err = evl_init_proxy_out(proxy, ways & EVL_CLONE_OUTPUT ? bufsz : 0);
	if (err)
		return err;

	err = evl_init_proxy_in(proxy, ways & EVL_CLONE_INPUT ? bufsz : 0);
	if (err)
		evl_exit_proxy_out(proxy);

	return err;
}

static int init_proxy(struct evl_proxy *proxy, struct evl_factory *factory,
		      const char *name, u32 clone_flags)
{
	int err;

	kref_init(&proxy->refs);
	proxy->in.relay.release = release_in_relay;
	proxy->out.relay.release = release_out_relay;

	err = evl_init_element(&proxy->element, factory, name, clone_flags);
	if (err)
		return err;

	err = start_relays(proxy);
	if (err)
		evl_cleanup_element(&proxy->element);

	return err;
}

/*
 * A private proxy is about to get a descriptor in the process which makes it, and
 * Linux tells when that one is closed. Of the files of a public one, nobody can say
 * that there are descriptors in any process.
 */
static void set_keeper(struct evl_proxy *proxy, u32 clone_flags)
{
	if (clone_flags & EVL_CLONE_PUBLIC)
		evl_loosen_target(&proxy->target);
	else if (proxy->target.sock)
		proxy->keeper = current->files;
}

static struct evl_element *proxy_build(struct evl_factory *factory, const char *name,
				       const void *p, u32 clone_flags)
{
	const struct evl_proxy_attrs *attrs = p;
	struct evl_proxy *proxy;
	struct file *target;
	int ways, err;

	proxy = kzalloc(sizeof(*proxy), GFP_KERNEL);
	if (!proxy)
		return ERR_PTR(-ENOMEM);

	proxy->grace = evl_get_grace();
	err = PTR_ERR_OR_ZERO(proxy->grace);
	if (err)
		goto free_memory;

	err = -EBADF;
	target = fget(attrs->fd);
	if (!target)
		goto put_grace;

	evl_init_target(&proxy->target, target);
	err = check_target(target, attrs->bufsz);
	if (err)
		goto put_target;

	ways = check_attrs(attrs, clone_flags);
	err = ways;
	if (ways < 0)
		goto put_target;

	proxy->grain = max(attrs->granularity, 1U);
	err = init_rings(proxy, ways, attrs->bufsz);
	if (err)
		goto put_target;

	err = init_proxy(proxy, factory, name, clone_flags | ways);
	if (!err) {
		set_keeper(proxy, clone_flags);
		return &proxy->element;
	}

	kref_put(&proxy->refs, free_proxy);

	return ERR_PTR(err);

put_target:
	evl_exit_target(&proxy->target);
put_grace:
	evl_put_grace(proxy->grace);
free_memory:
	kfree(proxy);

	return ERR_PTR(err);
}

static void proxy_flush(struct evl_element *element, struct evl_file *file)
{
	struct evl_proxy *proxy = container_of(element, struct evl_proxy, element);

	evl_flush_ring(&proxy->out.ring, file, &element->nr_files);
	evl_flush_ring(&proxy->in.ring, file, &element->nr_files);
}

static void proxy_linger(struct evl_element *element)
{
	evl_drain_proxy_out(container_of(element, struct evl_proxy, element));
}

static void proxy_dispose(struct evl_element *element)
{
	struct evl_proxy *proxy = container_of(element, struct evl_proxy, element);

	end_input(proxy);
	end_output(proxy);
	kref_put(&proxy->refs, free_proxy);
}

/* What the target refused: bytes, and the last error. */
static ssize_t lost_show(struct device *dev, struct device_attribute *attr, char *buf)
{
	struct evl_element *element = evl_get_dev_element(dev);
	struct evl_proxy *proxy;
	ssize_t ret;

	if (!element)
		return -EIO;

	proxy = container_of(element, struct evl_proxy, element);
	ret = sysfs_emit(buf, "%llu %d\n", READ_ONCE(proxy->out.lost),
			 READ_ONCE(proxy->out.error));
	evl_put_element(element);

	return ret;
}
static DEVICE_ATTR_RO(lost);

static struct attribute *proxy_attrs[] = {
	&dev_attr_lost.attr,
	NULL,
};
ATTRIBUTE_GROUPS(proxy);

struct evl_factory evl_proxy_factory = {
	.name		= EVL_PROXY_DEV,
	.flags		= EVL_FACTORY_CLONE,
	.clone_flags	= EVL_CLONE_PUBLIC | EVL_CLONE_INPUT | EVL_CLONE_OUTPUT,
	.fops		= &proxy_fops,
	.oob_ops	= &proxy_oob_ops,
	.attrs_size	= sizeof(struct evl_proxy_attrs),
	.build		= proxy_build,
	.dispose	= proxy_dispose,
	.flush		= proxy_flush,
	.linger		= proxy_linger,
	.attrs		= proxy_groups,
};
