/* SPDX-License-Identifier: MIT */
/* Threads: a POSIX thread attaches itself to the core. */
#ifndef _EVL_THREAD_H
#define _EVL_THREAD_H

#include <evl/init.h>
#include <evl/sched.h>
#include <evl/compat.h>
#include <limits.h>
#include <evl/signal-abi.h>
#include <evl/thread-abi.h>
#include <evl/observable-abi.h>

__EVL_BEGIN_DECLS

/* A stack size which is enough for most threads, in bytes. */
#define EVL_STACK_DEFAULT	\
	((size_t)(PTHREAD_STACK_MIN > 65536 ? PTHREAD_STACK_MIN : 65536))

/*
 * What the caller is for Linux, turned into what it shall be for the core. Linux is
 * asked: the C library remembers what pthread_getschedparam() said first, whoever
 * changes it by other means.
 */
__evl_inline void __evl_hl_inherit_sched(struct evl_sched_attrs *attrs)
{
	const int sched_batch = 3, sched_idle = 5, reset_on_fork = 0x40000000;
	struct sched_param param;
	int policy;

	memset(attrs, 0, sizeof(*attrs));

	policy = sched_getscheduler(0);
	if (policy >= 0)
		policy &= ~reset_on_fork;
	if (policy < 0 || sched_getparam(0, &param) || policy == SCHED_OTHER ||
	    policy == sched_batch || policy == sched_idle) {
		attrs->sched_policy = SCHED_WEAK;
		return;
	}

	/* SCHED_DEADLINE has no priority, while FIFO starts from 1. */
	attrs->sched_policy = policy == SCHED_RR ? SCHED_RR : SCHED_FIFO;
	attrs->sched_priority = param.sched_priority > 0 ? param.sched_priority : 1;
}

__evl_inline int __evl_hl_attach(int flags, const char *fmt, va_list ap)
{
	const int known = EVL_CLONE_PUBLIC | EVL_CLONE_OBSERVABLE |
		EVL_CLONE_UNICAST | EVL_CLONE_NONBLOCK;
	struct __evl_hl_thread *self;
	struct evl_sched_attrs attrs;
	struct evl_element_ids eids;
	__u64 *slot;
	int ret;

	if (flags & ~known)
		return -EINVAL;

	ret = evl_init();
	if (ret)
		return ret;

	self = __evl_hl_self();
	if (self->window)
		return -EBUSY;

	/* Asked for while there is no stage to switch from yet. */
	__evl_hl_inherit_sched(&attrs);

	ret = __evl_hl_take_slot(__evl_hl_home(), &slot);
	if (ret)
		return ret;

	ret = __evl_hl_create_vargs(EVL_THREAD_DEV, NULL, flags, &eids, fmt, ap);
	if (ret < 0) {
		__evl_hl_give_slot(__evl_hl_home(), slot);
		return ret;
	}

	__evl_hl_remember_thread(self, slot, ret, &eids);

	/* On return, a real-time thread runs out-of-band. */
	ret = __evl_hl_quick_oob(self->efd, EVL_THRIOC_SET_SCHEDPARAM, &attrs);
	if (ret) {
		__evl_hl_ioctl_inband(self->efd, EVL_THRIOC_DETACH_SELF, NULL);
		__evl_hl_forget_thread(self);
		return ret;
	}

	return self->efd;
}

/*
 * Attaches the calling thread to the core. flags: EVL_CLONE_PUBLIC, _PRIVATE,
 * _OBSERVABLE, _UNICAST (if observable), _NONBLOCK. A name which starts with
 * a slash means public, NULL anonymous. The thread is pinned to its CPU. Its
 * in-band policy is inherited: SCHED_FIFO and SCHED_RR keep their priority
 * and return out-of-band; SCHED_OTHER, BATCH and IDLE become SCHED_WEAK and
 * return in-band; others become SCHED_FIFO.
 *
 * The thread is given CAP_SYS_NICE, which requests ask for. It is lost by dropping
 * root afterwards, as by setuid(2), and then all of them are -EPERM: drop it first.
 *
 * The descriptor is the library's: it is closed by detaching, when the thread ends, and
 * in a child made by fork(2). One made by _Fork(3) or clone(2), which run no handlers of
 * libraries, has it until it executes another program. Whoever needs one for longer
 * duplicates it. A destructor of a thread which is about to end may attach it, and had
 * better detach it as well: the library does so in the next round of destructors only,
 * if there is one.
 *
 * Calls evl_init(). In-band, threads which are not attached. Returns a descriptor of
 * the thread, or what evl_init() fails with, -EBUSY if attached already, -EINVAL for
 * bad flags, a badly formed name, or in a cpuset if its affinity has no CPU for
 * threads, -EEXIST, -ENAMETOOLONG, -EMFILE, -ENFILE, -ENOMEM, -EAGAIN, -ENXIO if the
 * core is stopped.
 */
__evl_api int evl_attach_thread(int flags, const char *fmt, ...)
{
	int cancel_state = __evl_hl_hold_cancel(), ret;
	va_list ap;

	va_start(ap, fmt);
	ret = __evl_hl_attach(flags, fmt, ap);
	va_end(ap);
	__evl_hl_allow_cancel(cancel_state);

	return ret;
}

/* int evl_attach_self(const char *fmt, ...): the same, without flags. */
#define evl_attach_self(...)	\
	__evl_hl_named(evl_attach_thread(EVL_CLONE_PRIVATE, __VA_ARGS__), __VA_ARGS__)

__evl_inline int __evl_hl_detach(struct __evl_hl_thread *self)
{
	int ret;

	__evl_hl_leave_oob(self);
	if (!__evl_hl_owns_thread_fd(self->efd, __evl_hl_slot_tid(*self->slot)))
		return -EBADF;

	ret = __evl_hl_ioctl_inband(self->efd, EVL_THRIOC_DETACH_SELF, NULL);
	if (ret)
		return ret;

	__evl_hl_forget_thread(self);
	return 0;
}

/*
 * Detaches the calling thread, and closes the descriptor got by attaching.
 * flags must be 0, else -EINVAL. In-band, whatever stage it comes from. -EPERM if not
 * attached, -EBADF if the program closed that descriptor: the thread detaches when it
 * ends then.
 */
__evl_api int evl_detach_thread(int flags)
{
	struct __evl_hl_thread *self = __evl_hl_self();
	int cancel_state, ret;

	if (flags)
		return -EINVAL;

	if (self->window == NULL)
		return -EPERM;

	cancel_state = __evl_hl_hold_cancel();
	ret = __evl_hl_detach(self);
	__evl_hl_allow_cancel(cancel_state);

	return ret;
}

__evl_api int evl_detach_self(void)
{
	return evl_detach_thread(0);
}

/*
 * Descriptor of the caller. Any stage, any thread, no request. Returns it, or -EPERM if
 * not attached.
 */
__evl_api int evl_get_self(void)
{
	struct __evl_hl_thread *self = __evl_hl_self();

	return self->window ? self->efd : -EPERM;
}

/* True if the caller runs in-band, attached or not. Any stage, no request. */
__evl_api bool evl_is_inband(void)
{
	return __evl_hl_is_inband();
}

/*
 * Moves the caller out-of-band. Any stage, attached threads. Returns 0, at once if it is
 * there, or -EPERM if not attached.
 */
__evl_api int evl_switch_oob(void)
{
	struct __evl_hl_process *home = __evl_hl_home();
	struct __evl_hl_thread *self = __evl_hl_self_in(home);
	int ret;

	if (__evl_unlikely(self->window == NULL))
		return -EPERM;

	if (!__evl_hl_is_inband_in(home))
		return 0;

	/* Where requests are served is where the caller was to go, whatever became
	 * of its descriptor: a program may close that. */
	ret = __evl_hl_quick_in(home, self->efd, EVL_THRIOC_SWITCH_OOB, NULL);

	return __evl_hl_is_inband_in(home) && ret != -EBADF && ret != -ENOTTY ? ret : 0;
}

/*
 * Moves the caller in-band, with nothing to warn of. Any stage, attached threads.
 * Returns 0, at once if it is there, or -EPERM if not attached.
 */
__evl_api int evl_switch_inband(void)
{
	struct __evl_hl_process *home = __evl_hl_home();
	struct __evl_hl_thread *self = __evl_hl_self_in(home);

	if (self->window == NULL)
		return -EPERM;

	if (__evl_hl_is_inband_in(home))
		return 0;

	/* Asking out-of-band spares the core a whole system call in-band. */
	if (__evl_likely(__evl_hl_quick_in(home, self->efd, EVL_THRIOC_SWITCH_INBAND, NULL) == 0))
		return 0;

	/* Any such call leads there: one which does not mind what the descriptor is. */
	__evl_hl_owns_fd(self->efd);

	return 0;
}

/*
 * State, counters and effective priority of a thread. Any stage, any caller.
 * -EBADF, -ESTALE if the thread has gone.
 */
__evl_api int evl_get_state(int efd, struct evl_thread_state *statebuf)
{
	return __evl_hl_quick_thread(efd, EVL_THRIOC_GET_STATE, statebuf);
}

/*
 * Makes the call which a thread sleeps in fail with -EINTR. Nothing happens
 * to a thread which does not sleep. Any stage, any caller. -EBADF, -ESTALE.
 */
__evl_api int evl_unblock_thread(int efd)
{
	return __evl_hl_quick_thread(efd, EVL_THRIOC_UNBLOCK, NULL);
}

/*
 * Unblocks a thread, forces it in-band and makes it SCHED_WEAK. Any stage,
 * any caller. -EBADF, -ESTALE.
 */
__evl_api int evl_demote_thread(int efd)
{
	return __evl_hl_quick_thread(efd, EVL_THRIOC_DEMOTE, NULL);
}

__evl_inline int __evl_hl_change_mode(int efd, unsigned long request, int mask, int *oldmask)
{
	__u32 mode = (__u32)mask;
	int ret;

	ret = __evl_hl_quick_thread(efd, request, &mode);
	if (ret == 0 && oldmask)
		*oldmask = (int)mode;

	return ret;
}

/*
 * Sets mode bits of a thread: EVL_T_WOSS, WOLI, WOSX, WOSO say what to warn
 * of, EVL_T_HMSIG (default) and HMOBS how. The previous bits go to oldmask
 * unless NULL; a zero mask only peeks. Any stage, any caller. -EINVAL for an
 * unknown bit or HMOBS on a thread which is not observable, -EBADF, -ESTALE.
 */
__evl_api int evl_set_thread_mode(int efd, int mask, int *oldmask)
{
	/* Cores turn HMSIG on when asked to set nothing, but clear nothing. */
	return __evl_hl_change_mode(efd, mask ? EVL_THRIOC_SET_MODE :
				    EVL_THRIOC_CLEAR_MODE, mask, oldmask);
}

/*
 * Clears mode bits. Without anything left to warn of, the way to warn goes
 * as well, and conversely. Otherwise as above.
 */
__evl_api int evl_clear_thread_mode(int efd, int mask, int *oldmask)
{
	return __evl_hl_change_mode(efd, EVL_THRIOC_CLEAR_MODE, mask, oldmask);
}

/*
 * Makes the caller receive the notices of an observable, or of an observable
 * thread, up to backlog_count unread ones. flags: EVL_NOTIFY_ALWAYS or
 * EVL_NOTIFY_ONCHANGE. In-band, any thread, attached or not. -EINVAL, -EEXIST
 * if subscribed already, -EPERM if not an observable, -EBADF, -ENOMEM.
 */
__evl_api int evl_subscribe(int ofd, unsigned int backlog_count, int flags)
{
	struct evl_subscription sub;
	int ret;

	sub.backlog_count = backlog_count;
	sub.flags = (__u32)flags;
	ret = __evl_hl_ioctl_inband(ofd, EVL_OBSIOC_SUBSCRIBE, &sub);

	return ret == -ENOTTY ? -EPERM : ret;
}

/*
 * Ends that. In-band, any thread. -ENOENT if not subscribed, -EPERM if not an
 * observable, -EBADF.
 */
__evl_api int evl_unsubscribe(int ofd)
{
	int ret = __evl_hl_ioctl_inband(ofd, EVL_OBSIOC_UNSUBSCRIBE, NULL);

	return ret == -ENOTTY ? -EPERM : ret;
}

__EVL_END_DECLS

#endif /* _EVL_THREAD_H */
