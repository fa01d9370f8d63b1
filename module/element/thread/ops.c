// SPDX-License-Identifier: GPL-2.0-only
/*
 * Requests on the descriptor of a thread. Whoever has the descriptor may look at
 * the thread. To change what it does takes what Linux would ask for: to be who
 * opened the descriptor, or to be allowed to change threads of others.
 */
#include <linux/capability.h>
#include <linux/cred.h>
#include <linux/module.h>
#include <evl/monitor.h>
#include <evl/uaccess.h>
#include "element/observable/observable.h"
#include "element/thread/thread.h"

/* The stages which a request may come from. */
#define INBAND	1
#define OOB	2
#define ANY	(INBAND | OOB)

/* Who may make a request. */
#define ANYONE	0
#define OWNER	1

struct thread_request {
	unsigned int cmd;
	unsigned int stages;
	unsigned int who;
	long (*serve)(struct evl_thread_element *te, void __user *u_arg);
};

static bool is_self(struct evl_thread_element *te)
{
	return &te->thread == evl_current();
}

static long serve_signal(struct evl_thread_element *te, void __user *u_arg)
{
	u32 efd;

	return evl_copy_from_user(&efd, u_arg, sizeof(efd)) ?:
		evl_signal_waiter(&te->thread, efd);
}

static long serve_set_schedparam(struct evl_thread_element *te,
				 void __user *u_arg)
{
	struct evl_sched_attrs attrs;
	int ret;

	ret = evl_copy_from_user(&attrs, u_arg, sizeof(attrs));

	return ret ?: evl_set_thread_policy(&te->thread, &attrs);
}

static long serve_get_schedparam(struct evl_thread_element *te,
				 void __user *u_arg)
{
	struct evl_sched_attrs attrs;

	evl_get_thread_policy(&te->thread, &attrs);

	return evl_copy_to_user(u_arg, &attrs, sizeof(attrs));
}

static long serve_join(struct evl_thread_element *te, void __user *u_arg)
{
	if (is_self(te))
		return -EDEADLK;

	return wait_for_completion_interruptible(&te->gone);
}

static long serve_get_state(struct evl_thread_element *te, void __user *u_arg)
{
	struct evl_thread_state state;

	evl_get_thread_state(&te->thread, &state);

	return evl_copy_to_user(u_arg, &state, sizeof(state));
}

/* The way here led out-of-band already. */
static long serve_switch_oob(struct evl_thread_element *te, void __user *u_arg)
{
	return is_self(te) ? 0 : -EPERM;
}

/* So did the way here lead in-band, unless the request was out-of-band. */
static long serve_switch_inband(struct evl_thread_element *te,
				void __user *u_arg)
{
	if (!is_self(te))
		return -EPERM;

	if (!evl_is_inband(&te->thread))
		evl_switch_inband(0, 0);

	return 0;
}

static long serve_detach_self(struct evl_thread_element *te, void __user *u_arg)
{
	return evl_detach_self();
}

/*
 * The mask is replaced with the mode there was before. It is stored unchanged
 * first, so that nothing changes when it cannot be.
 */
static long change_mode(struct evl_thread_element *te, void __user *u_arg,
			int (*change)(struct evl_thread *, u32, u32 *))
{
	u32 mask, old;
	int ret;

	ret = evl_copy_from_user(&mask, u_arg, sizeof(mask)) ?:
		evl_copy_to_user(u_arg, &mask, sizeof(mask));
	if (ret)
		return ret;

	ret = change(&te->thread, mask, &old);

	return ret ?: evl_copy_to_user(u_arg, &old, sizeof(old));
}

static long serve_set_mode(struct evl_thread_element *te, void __user *u_arg)
{
	return change_mode(te, u_arg, evl_set_thread_mode);
}

static long serve_clear_mode(struct evl_thread_element *te, void __user *u_arg)
{
	return change_mode(te, u_arg, evl_clear_thread_mode);
}

static long serve_unblock(struct evl_thread_element *te, void __user *u_arg)
{
	evl_unblock_thread(&te->thread, EVL_T_BREAK);

	return 0;
}

/* A kernel thread belongs to its driver, and cannot be forced in-band: what it
 * waits for would fail from then on. */
static long serve_demote(struct evl_thread_element *te, void __user *u_arg)
{
	if (!(READ_ONCE(te->thread.state) & EVL_T_USER))
		return -EPERM;

	evl_demote_thread(&te->thread);

	return 0;
}

/* Of the caller, whichever thread it names. */
static long serve_yield(struct evl_thread_element *te, void __user *u_arg)
{
	evl_yield();

	return 0;
}

#define REQUEST(__name, __stages, __who, __serve)	\
	[_IOC_NR(EVL_THRIOC_##__name)] = {		\
		.cmd = EVL_THRIOC_##__name,		\
		.stages = __stages,			\
		.who = __who,				\
		.serve = __serve,			\
	}

/* Those for anyone are harmless, or about the caller. */
static const struct thread_request requests[] = {
	REQUEST(SIGNAL, OOB, OWNER, serve_signal),
	REQUEST(SET_SCHEDPARAM, ANY, OWNER, serve_set_schedparam),
	REQUEST(GET_SCHEDPARAM, ANY, ANYONE, serve_get_schedparam),
	REQUEST(JOIN, INBAND, ANYONE, serve_join),
	REQUEST(GET_STATE, ANY, ANYONE, serve_get_state),
	REQUEST(SWITCH_OOB, OOB, ANYONE, serve_switch_oob),
	REQUEST(SWITCH_INBAND, ANY, ANYONE, serve_switch_inband),
	REQUEST(DETACH_SELF, INBAND, ANYONE, serve_detach_self),
	REQUEST(SET_MODE, ANY, OWNER, serve_set_mode),
	REQUEST(CLEAR_MODE, ANY, OWNER, serve_clear_mode),
	REQUEST(UNBLOCK, ANY, OWNER, serve_unblock),
	REQUEST(DEMOTE, ANY, OWNER, serve_demote),
	REQUEST(YIELD, OOB, ANYONE, serve_yield),
};

static bool may_nice(const struct cred *cred)
{
	return cred->user_ns == &init_user_ns &&
		cap_raised(cred->cap_effective, CAP_SYS_NICE);
}

/*
 * Threads of the core have the capability which is asked for here, whoever they
 * belong to. Kernel threads belong to drivers, which rely on their waits: for them
 * it takes a permitted capability, which is more than what attaching gives, see
 * caps.c. No more than a look, since it may come from out-of-band.
 */
static bool is_owner(struct file *filp, struct evl_thread_element *te)
{
	const struct cred *cred = current_cred();

	if (!(READ_ONCE(te->thread.state) & EVL_T_USER))
		return may_nice(cred) && cap_raised(cred->cap_permitted, CAP_SYS_NICE);

	return is_self(te) || uid_eq(cred->euid, filp->f_cred->euid) ||
		evl_current() || may_nice(cred);
}

static long serve_request(struct file *filp, unsigned int cmd,
			  unsigned long arg, unsigned int stage)
{
	struct evl_thread_element *te = evl_thread_element(evl_file_element(filp));
	const struct thread_request *req;
	unsigned int nr = _IOC_NR(cmd);

	/* Whatever is asked of a dead thread. */
	if (!evl_thread_alive(&te->thread))
		return -ESTALE;

	if (nr >= ARRAY_SIZE(requests))
		return -ENOTTY;

	req = &requests[nr];
	if (req->cmd != cmd || !(req->stages & stage))
		return -ENOTTY;
	if (req->who == OWNER && !is_owner(filp, te))
		return -EPERM;

	return req->serve(te, (void __user *)arg);
}

static struct evl_observable *file_observable(struct file *filp)
{
	return evl_thread_element(evl_file_element(filp))->observable;
}

/* Subscriptions outlive the thread: there may be something left to read. */
static long thread_ioctl(struct file *filp, unsigned int cmd, unsigned long arg)
{
	struct evl_observable *o = file_observable(filp);

	if (_IOC_TYPE(cmd) == EVL_OBSERVABLE_IOCBASE)
		return o ? evl_ioctl_observable(o, cmd, arg) : -EPERM;

	return serve_request(filp, cmd, arg, INBAND);
}

static long thread_oob_ioctl(struct file *filp, unsigned int cmd,
			     unsigned long arg)
{
	return serve_request(filp, cmd, arg, OOB);
}

/* --- Observable threads -------------------------------------------------------------- */

static ssize_t thread_read(struct file *filp, char __user *u_buf, size_t count,
			   loff_t *ppos)
{
	struct evl_observable *o = file_observable(filp);

	return o ? evl_read_observable(o, u_buf, count, filp->f_flags & O_NONBLOCK) : -EPERM;
}

static ssize_t thread_write(struct file *filp, const char __user *u_buf,
			    size_t count, loff_t *ppos)
{
	struct evl_observable *o = file_observable(filp);

	return o ? evl_write_observable(o, u_buf, count) : -EPERM;
}

static __poll_t thread_poll(struct file *filp, poll_table *pt)
{
	struct evl_observable *o = file_observable(filp);

	return o ? evl_poll_observable(o, filp, pt) : EPOLLERR;
}

static ssize_t thread_oob_read(struct file *filp, char __user *u_buf,
			       size_t count)
{
	struct evl_observable *o = file_observable(filp);

	return o ? evl_oob_read_observable(o, u_buf, count, filp->f_flags & O_NONBLOCK) :
		-EPERM;
}

static ssize_t thread_oob_write(struct file *filp, const char __user *u_buf,
				size_t count)
{
	struct evl_observable *o = file_observable(filp);

	return o ? evl_write_observable(o, u_buf, count) : -EPERM;
}

static __poll_t thread_oob_poll(struct file *filp, struct evl_poll_wait *wait)
{
	struct evl_observable *o = file_observable(filp);

	return o ? evl_oob_poll_observable(o, wait) : EPOLLERR;
}

const struct file_operations evl_thread_fops = {
	.owner = THIS_MODULE,
	.open = evl_open_element,
	.release = evl_release_element,
	.unlocked_ioctl = thread_ioctl,
	.compat_ioctl = compat_ptr_ioctl,
	.read = thread_read,
	.write = thread_write,
	.poll = thread_poll,
};

const struct evl_file_ops evl_thread_oob_ops = {
	.oob_ioctl = thread_oob_ioctl,
	.oob_read = thread_oob_read,
	.oob_write = thread_oob_write,
	.oob_poll = thread_oob_poll,
};
