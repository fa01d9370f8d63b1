// SPDX-License-Identifier: GPL-2.0-only
/*
 * Proxies: rings between any stage and an ordinary file, the target. The
 * out-of-band side never touches the target: a kernel thread for each direction
 * does, the relay.
 *
 * A relay is a thread rather than a work item since the target may keep it
 * waiting for ever, be it an empty pipe or a terminal which was stopped. A
 * thread can be sent a signal when the proxy goes away.
 */
#include <linux/file.h>
#include <linux/kthread.h>
#include <linux/mman.h>
#include <linux/module.h>
#include <linux/mount.h>
#include <linux/sched/signal.h>
#include <linux/slab.h>
#include <linux/sysfs.h>
#include <evl/proxy-abi.h>
#include "element/proxy/proxy.h"

static struct evl_proxy *file_proxy(struct file *filp)
{
	return container_of(evl_file_element(filp), struct evl_proxy, element);
}

/* --- Relays -------------------------------------------------------------------- */

int evl_start_relay(struct evl_proxy *proxy, struct evl_relay *relay,
		    int (*fn)(void *proxy), const char *way)
{
	struct task_struct *task;

	task = kthread_run(fn, proxy, "evl-%s:%s", way, proxy->element.name);
	if (IS_ERR(task))
		return PTR_ERR(task);

	relay->task = task;

	return 0;
}

void evl_stop_relay(struct evl_relay *relay)
{
	if (!relay->task)
		return;

	/*
	 * The relay looks at the flag after it dropped signals and before it
	 * calls the target: this signal cannot be lost.
	 */
	WRITE_ONCE(relay->stopping, true);
	smp_mb();
	send_sig(SIGTERM, relay->task, 1);
	kthread_stop(relay->task);
	relay->task = NULL;
}

void evl_drop_relay_signals(void)
{
	flush_signals(current);
	/* Pairs with the one in evl_stop_relay(). */
	smp_mb();
}

int evl_leave_relay(void)
{
	for (;;) {
		set_current_state(TASK_IDLE);
		if (kthread_should_stop())
			break;
		schedule();
	}
	__set_current_state(TASK_RUNNING);

	return 0;
}

/* Sleep until a target in non-blocking mode is ready for @event. */
static void wait_target(struct file *target, struct evl_relay *relay, __poll_t event)
{
	struct poll_wqueues table;
	__poll_t ready;

	poll_initwait(&table);
	ready = vfs_poll(target, &table.pt);
	for (;;) {
		set_current_state(TASK_INTERRUPTIBLE);
		if ((ready & (event | EPOLLERR | EPOLLHUP)) || table.triggered ||
		    signal_pending(current) || evl_relay_stopping(relay))
			break;
		schedule();
	}
	__set_current_state(TASK_RUNNING);
	poll_freewait(&table);
}

int evl_check_relay(struct evl_proxy *proxy, struct evl_relay *relay, int err,
		    __poll_t event)
{
	switch (err) {
	case -EAGAIN:
		wait_target(proxy->target, relay, event);
		break;
	case -EINTR:
	case -ERESTARTSYS:
	case -ERESTARTNOINTR:
	case -ERESTARTNOHAND:
	case -ERESTART_RESTARTBLOCK:
		break;
	default:
		return err;
	}

	evl_drop_relay_signals();

	return 0;
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

	/* There is nothing to wait for. The target might be an epoll set, too,
	 * and this proxy one of its members. */
	if (!proxy->out.ring.size && !proxy->in.ring.size)
		return EPOLLERR;

	/*
	 * Who polls in-band may well read the target itself next, so what that
	 * is ready for counts, and nothing is read ahead from it. There is room
	 * to write if it is in our ring.
	 */
	ready = vfs_poll(proxy->target, wait);
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

/*
 * Linux checked the mapping against the proxy, which is open for everything:
 * what it would have checked on the target is left to us.
 */
static int check_mapping(struct file *target, struct vm_area_struct *vma)
{
	bool writable = target->f_mode & FMODE_WRITE;

	if (!target->f_op->mmap)
		return -ENODEV;
	if (!(target->f_mode & FMODE_READ))
		return -EACCES;
	if ((vma->vm_flags & VM_EXEC) &&
	    ((target->f_path.mnt->mnt_flags & MNT_NOEXEC) ||
	     (target->f_path.mnt->mnt_sb->s_iflags & SB_I_NOEXEC)))
		return -EPERM;
	if (!(vma->vm_flags & VM_SHARED))
		return 0;

	/* Fails on a memory file which was sealed against writing. */
	if (writable && !mapping_map_writable(target->f_mapping))
		mapping_unmap_writable(target->f_mapping);
	else
		writable = false;

	if (writable)
		return 0;
	if (vma->vm_flags & VM_WRITE)
		return -EACCES;

	evl_clear_vm_flags(vma, VM_MAYWRITE);

	return 0;
}

static int proxy_mmap(struct file *filp, struct vm_area_struct *vma)
{
	struct file *target = file_proxy(filp)->target;
	int err = check_mapping(target, vma);

	if (err)
		return err;

	vma_set_file(vma, target);

	return target->f_op->mmap(target, vma);
}

static const struct file_operations proxy_fops = {
	.owner		= THIS_MODULE,
	.open		= evl_open_element,
	.release	= evl_release_element,
	.read		= proxy_read,
	.write		= proxy_write,
	.poll		= proxy_poll,
	.mmap		= proxy_mmap,
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

static int init_proxy(struct evl_proxy *proxy, struct evl_factory *factory,
		      const char *name, u32 clone_flags, size_t bufsz)
{
	int err;

	err = evl_init_proxy_out(proxy, clone_flags & EVL_CLONE_OUTPUT ? bufsz : 0);
	if (err)
		return err;

	err = evl_init_proxy_in(proxy, clone_flags & EVL_CLONE_INPUT ? bufsz : 0);
	if (err)
		goto exit_out;

	err = evl_init_element(&proxy->element, factory, name, clone_flags);
	if (err)
		goto exit_in;

	err = evl_start_proxy_out(proxy);
	if (!err)
		err = evl_start_proxy_in(proxy);
	if (err)
		goto cleanup_element;

	return 0;

cleanup_element:
	evl_stop_relay(&proxy->out.relay);
	evl_cleanup_element(&proxy->element);
exit_in:
	evl_exit_proxy_in(proxy);
exit_out:
	evl_exit_proxy_out(proxy);

	return err;
}

static struct evl_element *proxy_build(struct evl_factory *factory, const char *name,
				       void __user *u_attrs, u32 clone_flags)
{
	struct evl_proxy_attrs attrs;
	struct evl_proxy *proxy;
	int ways, err;

	if (copy_from_user(&attrs, u_attrs, sizeof(attrs)))
		return ERR_PTR(-EFAULT);

	proxy = kzalloc(sizeof(*proxy), GFP_KERNEL);
	if (!proxy)
		return ERR_PTR(-ENOMEM);

	err = -EBADF;
	proxy->target = fget(attrs.fd);
	if (!proxy->target)
		goto free_proxy;

	/* A chain of proxies might be longer than the kernel stack. */
	err = -EINVAL;
	if (proxy->target->f_op == &proxy_fops)
		goto put_target;

	ways = check_attrs(&attrs, clone_flags);
	err = ways;
	if (ways < 0)
		goto put_target;

	proxy->grain = max(attrs.granularity, 1U);
	err = init_proxy(proxy, factory, name, clone_flags | ways, attrs.bufsz);
	if (err)
		goto put_target;

	return &proxy->element;

put_target:
	fput(proxy->target);
free_proxy:
	kfree(proxy);

	return ERR_PTR(err);
}

static void proxy_flush(struct evl_element *element)
{
	struct evl_proxy *proxy = container_of(element, struct evl_proxy, element);

	evl_flush_ring(&proxy->out.ring);
	evl_flush_ring(&proxy->in.ring);
	evl_drain_proxy_out(proxy);
}

static void proxy_dispose(struct evl_element *element)
{
	struct evl_proxy *proxy = container_of(element, struct evl_proxy, element);

	evl_exit_proxy_in(proxy);
	evl_exit_proxy_out(proxy);
	fput(proxy->target);
	kfree(proxy);
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
	.build		= proxy_build,
	.dispose	= proxy_dispose,
	.flush		= proxy_flush,
	.attrs		= proxy_groups,
};
