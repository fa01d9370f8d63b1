// SPDX-License-Identifier: GPL-2.0-only
/* What the descriptors of monitors can do. */
#include <linux/compat.h>
#include <linux/module.h>
#include <linux/poll.h>
#include <evl/thread.h>
#include <evl/uaccess.h>
#include "element/monitor/monitor.h"

static struct evl_monitor *file_monitor(struct file *filp)
{
	return evl_monitor_of(evl_file_element(filp));
}

/* --- Requests ------------------------------------------------------------------------ */

/* A zero date means no limit, and the end of time comes to the same. */
static int get_timeout(struct evl_monitor *mon, ktime_t *timeout, const void __user *u_ts)
{
	int ret = evl_get_user_date(mon->clock, timeout, u_ts);

	if (!ret && *timeout == KTIME_MAX)
		*timeout = EVL_INFINITE;

	return ret;
}

static bool is_nonblock(struct file *filp)
{
	return filp->f_flags & O_NONBLOCK;
}

static long serve_bind(struct file *filp, void __user *u_arg)
{
	struct evl_monitor *mon = file_monitor(filp);
	struct evl_monitor_binding bind;

	memset(&bind, 0, sizeof(bind));
	bind.type = mon->kind == MONITOR_GATE ?
		EVL_MONITOR_GATE : EVL_MONITOR_EVENT;
	bind.protocol = mon->protocol;
	bind.eids.minor = mon->element.minor;
	bind.eids.fundle = mon->element.fundle;
	bind.eids.state_offset = mon->element.state_offset;

	return evl_copy_to_user(u_arg, &bind, sizeof(bind));
}

static long serve_enter(struct file *filp, void __user *u_arg)
{
	ktime_t timeout;
	int ret;

	ret = get_timeout(file_monitor(filp), &timeout, u_arg);

	return ret ?: evl_enter_gate(file_monitor(filp), timeout);
}

static long serve_tryenter(struct file *filp, void __user *u_arg)
{
	return evl_try_gate(file_monitor(filp));
}

static long serve_exit(struct file *filp, void __user *u_arg)
{
	return evl_exit_gate(file_monitor(filp));
}

/* The way back to a gate after an interrupted wait; any event will do. */
static long serve_unwait(struct file *filp, void __user *u_arg)
{
	struct evl_monitor_unwaitreq req;
	struct evl_monitor *gate;
	long ret = -EINVAL;

	if (evl_copy_from_user(&req, u_arg, sizeof(req)))
		return -EFAULT;

	gate = evl_get_monitor(req.gatefd);
	if (!gate)
		return -EINVAL;

	/* As after a wait: its owner may be about to close the event. */
	evl_unpin_request_file();
	if (gate->kind == MONITOR_GATE)
		ret = evl_enter_gate(gate, EVL_INFINITE);
	evl_put_element(&gate->element);

	return ret;
}

/* What its taker cannot be told of stays there for others, as if not taken. */
static void give_back(struct evl_monitor *mon, u32 bits)
{
	if (mon->kind == MONITOR_COUNT)
		evl_signal_count(mon, 1);
	else if (mon->kind == MONITOR_MASK)
		evl_post_mask(mon, bits, false);
}

static int wait_ungated(struct evl_monitor *mon, bool nonblock, s32 *value,
			ktime_t timeout, bool exact)
{
	if (mon->kind == MONITOR_COUNT)
		return nonblock ? evl_try_count(mon) :
			evl_wait_count(mon, timeout);

	return nonblock ? evl_try_mask(mon, (u32 *)value, exact) :
		evl_wait_mask(mon, (u32 *)value, exact, timeout);
}

static long wait_event_of(struct evl_monitor *mon, bool nonblock,
			  struct evl_monitor_waitreq *req, ktime_t timeout, bool exact)
{
	int status = -EINVAL;
	long ret = 0;

	if (mon->kind == MONITOR_GATED)
		ret = evl_wait_gated(mon, req->gatefd, timeout, &status);
	else if (mon->kind != MONITOR_GATE && req->gatefd < 0)
		ret = status = wait_ungated(mon, nonblock, &req->value, timeout, exact);
	req->status = status;

	return ret;
}

static long wait_for(struct evl_monitor *mon, bool nonblock,
		     struct evl_monitor_waitreq __user *u_req, bool exact)
{
	struct evl_monitor_waitreq req __uninitialized;
	ktime_t timeout;
	long ret;

	if (evl_copy_from_user(&req, u_req, sizeof(req)))
		return -EFAULT;

	ret = get_timeout(mon, &timeout, u64_to_user_ptr(req.timeout_ptr));
	if (ret)
		return ret;

	ret = wait_event_of(mon, nonblock, &req, timeout, exact);
	/* Both at once: a wait which failed left the value as it was. */
	BUILD_BUG_ON(offsetofend(typeof(req), status) !=
		     offsetof(typeof(req), value));
	if (evl_copy_to_user(&u_req->status, &req.status,
			     sizeof(req.status) + sizeof(req.value))) {
		if (!ret && !req.status)
			give_back(mon, req.value);
		return -EFAULT;
	}

	return ret;
}

static long wait_request(struct file *filp,
			 struct evl_monitor_waitreq __user *u_req, bool exact)
{
	struct evl_monitor *mon = file_monitor(filp);
	long ret;

	if (mon->kind != MONITOR_GATED)
		return wait_for(mon, is_nonblock(filp), u_req, exact);

	/* Its file may go in the course of it. */
	evl_get_element(&mon->element);
	ret = wait_for(mon, is_nonblock(filp), u_req, exact);
	evl_put_element(&mon->element);

	return ret;
}

static long serve_wait(struct file *filp, void __user *u_arg)
{
	return wait_request(filp, u_arg, false);
}

static long serve_wait_exact(struct file *filp, void __user *u_arg)
{
	return wait_request(filp, u_arg, true);
}

static long trywait_request(struct file *filp, void __user *u_arg, bool exact)
{
	struct evl_monitor *mon = file_monitor(filp);
	struct evl_monitor_trywaitreq req;
	int ret;

	if (evl_copy_from_user(&req, u_arg, sizeof(req)))
		return -EFAULT;

	if (mon->kind == MONITOR_COUNT)
		ret = evl_try_count(mon);
	else if (mon->kind == MONITOR_MASK)
		ret = evl_try_mask(mon, (u32 *)&req.value, exact);
	else
		ret = -EINVAL;
	if (ret)
		return ret;

	ret = evl_copy_to_user(u_arg, &req, sizeof(req));
	if (ret)
		give_back(mon, req.value);

	return ret;
}

static long serve_trywait(struct file *filp, void __user *u_arg)
{
	return trywait_request(filp, u_arg, false);
}

static long serve_trywait_exact(struct file *filp, void __user *u_arg)
{
	return trywait_request(filp, u_arg, true);
}

static long serve_signal(struct file *filp, void __user *u_arg)
{
	struct evl_monitor *mon = file_monitor(filp);
	s32 value;

	if (evl_copy_from_user(&value, u_arg, sizeof(value)))
		return -EFAULT;

	if (mon->kind == MONITOR_COUNT)
		return evl_signal_count(mon, value);
	if (mon->kind != MONITOR_MASK)
		return -EINVAL;

	evl_post_mask(mon, value, false);

	return 0;
}

static long serve_broadcast(struct file *filp, void __user *u_arg)
{
	struct evl_monitor *mon = file_monitor(filp);
	s32 value;

	if (evl_copy_from_user(&value, u_arg, sizeof(value)))
		return -EFAULT;

	if (mon->kind == MONITOR_COUNT)
		return evl_broadcast_count(mon);
	if (mon->kind != MONITOR_MASK)
		return -EINVAL;

	evl_post_mask(mon, value, true);

	return 0;
}

/* Where a request may come from, and what it is for: -EINVAL for others. */
#define INBAND	1
#define OOB	2
#define GATES	4
#define EVENTS	8

struct monitor_request {
	unsigned int cmd;
	unsigned int scope;
	long (*serve)(struct file *filp, void __user *u_arg);
};

#define REQUEST(__name, __scope, __serve)		\
	[_IOC_NR(EVL_MONIOC_##__name)] = {		\
		.cmd = EVL_MONIOC_##__name,		\
		.scope = __scope,			\
		.serve = __serve,			\
	}

/* A wait for a gate says what is wrong in its status field. */
static const struct monitor_request requests[] = {
	REQUEST(ENTER, OOB | GATES, serve_enter),
	REQUEST(TRYENTER, OOB | GATES, serve_tryenter),
	REQUEST(EXIT, OOB | GATES, serve_exit),
	REQUEST(WAIT, OOB | EVENTS | GATES, serve_wait),
	REQUEST(UNWAIT, OOB | EVENTS, serve_unwait),
	REQUEST(BIND, INBAND | EVENTS | GATES, serve_bind),
	REQUEST(SIGNAL, INBAND | OOB | EVENTS, serve_signal),
	REQUEST(BROADCAST, INBAND | OOB | EVENTS, serve_broadcast),
	REQUEST(WAIT_EXACT, OOB | EVENTS | GATES, serve_wait_exact),
	REQUEST(TRYWAIT, INBAND | OOB | EVENTS, serve_trywait),
	REQUEST(TRYWAIT_EXACT, INBAND | OOB | EVENTS, serve_trywait_exact),
};

static long serve_request(struct file *filp, unsigned int cmd,
			  unsigned long arg, unsigned int stage)
{
	bool gate = file_monitor(filp)->kind == MONITOR_GATE;
	const struct monitor_request *req;
	unsigned int nr = _IOC_NR(cmd);

	if (nr >= ARRAY_SIZE(requests) || requests[nr].cmd != cmd)
		return -ENOTTY;

	req = &requests[nr];
	if (!(req->scope & stage))
		return gate ? -EINVAL : -ENOTTY;
	if (!(req->scope & (gate ? GATES : EVENTS)))
		return -EINVAL;

	return req->serve(filp, (void __user *)arg);
}

static long monitor_ioctl(struct file *filp, unsigned int cmd,
			  unsigned long arg)
{
	return serve_request(filp, cmd, arg, INBAND);
}

static long monitor_oob_ioctl(struct file *filp, unsigned int cmd,
			      unsigned long arg)
{
	return serve_request(filp, cmd, arg, OOB);
}

/* --- Flags as files ---------------------------------------------------------------------- */

static int check_transfer(struct file *filp, size_t count)
{
	if (file_monitor(filp)->kind != MONITOR_MASK || count != sizeof(u32))
		return -EINVAL;

	return 0;
}

static ssize_t read_mask(struct file *filp, char __user *u_buf, size_t count,
			 bool oob)
{
	struct evl_monitor *mon = file_monitor(filp);
	u32 bits = 0;
	int ret;

	ret = check_transfer(filp, count);
	if (ret)
		return ret;

	if (is_nonblock(filp))
		ret = evl_try_mask(mon, &bits, false);
	else if (oob)
		ret = evl_wait_mask(mon, &bits, false, EVL_INFINITE);
	else
		ret = evl_read_mask_inband(mon, &bits);
	if (ret)
		return ret;

	ret = evl_copy_to_user(u_buf, &bits, sizeof(bits));
	if (ret) {
		give_back(mon, bits);
		return ret;
	}

	return sizeof(bits);
}

static ssize_t write_mask(struct file *filp, const char __user *u_buf,
			  size_t count)
{
	u32 bits;
	int ret;

	ret = check_transfer(filp, count) ?:
		evl_copy_from_user(&bits, u_buf, sizeof(bits));
	if (ret)
		return ret;

	evl_post_mask(file_monitor(filp), bits, false);

	return sizeof(bits);
}

static ssize_t monitor_read(struct file *filp, char __user *u_buf,
			    size_t count, loff_t *ppos)
{
	return read_mask(filp, u_buf, count, false);
}

static ssize_t monitor_write(struct file *filp, const char __user *u_buf,
			     size_t count, loff_t *ppos)
{
	return write_mask(filp, u_buf, count);
}

static ssize_t monitor_oob_read(struct file *filp, char __user *u_buf,
				size_t count)
{
	return read_mask(filp, u_buf, count, true);
}

static ssize_t monitor_oob_write(struct file *filp, const char __user *u_buf,
				 size_t count)
{
	return write_mask(filp, u_buf, count);
}

static __poll_t monitor_poll(struct file *filp, poll_table *pt)
{
	struct evl_monitor *mon = file_monitor(filp);

	if (mon->kind != MONITOR_MASK)
		return EPOLLERR;

	poll_wait(filp, &mon->event.inband.queue, pt);
	/* Pairs with wq_has_sleeper() in mask.c. */
	smp_mb();

	return atomic_read(evl_event_value(mon)) ?
		EPOLLIN | EPOLLRDNORM : EPOLLOUT | EPOLLWRNORM;
}

static __poll_t monitor_oob_poll(struct file *filp, struct evl_poll_wait *wait)
{
	struct evl_monitor *mon = file_monitor(filp);

	switch (mon->kind) {
	case MONITOR_GATE:
		return EPOLLIN | EPOLLRDNORM;
	case MONITOR_COUNT:
		return evl_poll_count(mon, wait);
	case MONITOR_MASK:
		return evl_poll_mask(mon, wait);
	default:
		return EPOLLERR;
	}
}

/* --- Files --------------------------------------------------------------------------------- */

static int monitor_open(struct inode *inode, struct file *filp)
{
	int ret = evl_open_element(inode, filp);
	struct evl_monitor *mon;

	if (ret)
		return ret;

	mon = file_monitor(filp);
	if (mon->kind == MONITOR_GATE)
		evl_open_gate(mon);

	return 0;
}

static int monitor_release(struct inode *inode, struct file *filp)
{
	struct evl_monitor *mon;

	if (filp->private_data) {
		mon = file_monitor(filp);
		if (mon->kind == MONITOR_GATE)
			evl_close_gate(mon);
	}

	return evl_release_element(inode, filp);
}

const struct file_operations evl_monitor_fops = {
	.owner		= THIS_MODULE,
	.open		= monitor_open,
	.release	= monitor_release,
	.unlocked_ioctl	= monitor_ioctl,
	.compat_ioctl	= compat_ptr_ioctl,
	.read		= monitor_read,
	.write		= monitor_write,
	.poll		= monitor_poll,
};

const struct evl_file_ops evl_monitor_oob_ops = {
	.oob_ioctl	= monitor_oob_ioctl,
	.oob_read	= monitor_oob_read,
	.oob_write	= monitor_oob_write,
	.oob_poll	= monitor_oob_poll,
};
