// SPDX-License-Identifier: GPL-2.0-only
/*
 * Out-of-band requests from user space, and what comes after them: signals
 * which the caller has to handle in-band, and the return of weak threads.
 */
#include <linux/cred.h>
#include <linux/export.h>
#include <linux/fs.h>
#include <linux/sched/signal.h>
#include <evl/thread.h>
#include <evl/file.h>
#include <evl/syscall-abi.h>
#include <evl/signal-abi.h>
#include "core.h"
#include "ptsync.h"
#include "trace.h"

atomic_t evl_core_state = ATOMIC_INIT(EVL_CORE_DISABLED);

static long serve_read(struct evl_file *efilp, unsigned long u_buf,
		       unsigned long count)
{
	if (!(efilp->filp->f_mode & FMODE_READ))
		return -EBADF;
	if (!efilp->ops->oob_read)
		return -EINVAL;

	return efilp->ops->oob_read(efilp->filp, (char __user *)u_buf, count);
}

static long serve_write(struct evl_file *efilp, unsigned long u_buf,
			unsigned long count)
{
	if (!(efilp->filp->f_mode & FMODE_WRITE))
		return -EBADF;
	if (!efilp->ops->oob_write)
		return -EINVAL;

	return efilp->ops->oob_write(efilp->filp, (const char __user *)u_buf,
				     count);
}

static long serve_ioctl(struct evl_file *efilp, unsigned long cmd,
			unsigned long arg)
{
	long ret = -ENOIOCTLCMD;

	if (efilp->ops->oob_ioctl)
		ret = efilp->ops->oob_ioctl(efilp->filp, (unsigned int)cmd, arg);

	return ret == -ENOIOCTLCMD ? -ENOTTY : ret;
}

static long (*const requests[])(struct evl_file *, unsigned long,
				unsigned long) = {
	[sys_evl_read] = serve_read,
	[sys_evl_write] = serve_write,
	[sys_evl_ioctl] = serve_ioctl,
};

static bool may_request(struct evl_thread *curr)
{
	return curr && cap_raised(current_cap(), CAP_SYS_NICE);
}

/* What a request forced to end comes back with. */
static long interrupted(struct evl_thread *curr, long ret)
{
	if (ret == -EINTR && signal_pending(current) && !curr->unblocked &&
	    !(curr->local_info & EVL_T_NORST))
		return -ERESTARTSYS;

	return ret;
}

/* Nothing in-band turns these into an error which users know of. */
static long finish_restart(long ret)
{
	if ((ret == -ERESTARTSYS || ret == -ERESTARTNOINTR) && !signal_pending(current))
		return -EINTR;

	return ret;
}

/*
 * A signal which is there before the request gets anywhere is handled first, as if
 * the caller had issued the request later: most requests do not wait, and nobody
 * expects these to be interrupted.
 */
static long come_oob(void)
{
	int ret = evl_switch_oob();

	return ret == -ERESTARTSYS ? -ERESTARTNOINTR : ret;
}

int evl_put_off_request(void)
{
	struct evl_thread *curr = evl_current();

	if (signal_pending(current))
		return -ERESTARTNOINTR;

	if (curr && !evl_is_inband(curr)) {
		evl_switch_inband(0, 0);
		curr->not_begun = true;
	}

	return -EINTR;
}

/* For a signal, by whoever demotes it, or because its siblings are stopped. */
static bool is_called_inband(struct evl_thread *curr)
{
	return READ_ONCE(curr->info) & (EVL_T_KICKED | EVL_T_PTSIG) ||
		READ_ONCE(curr->moved);
}

/* False if all that called it in-band was a stop which is over. */
static noinline bool leave_request(struct evl_thread *curr)
{
	bool demoted;

	if (curr->info & EVL_T_PTSIG)
		evl_drop_stale_halt(curr);

	demoted = signal_pending(current) || READ_ONCE(curr->info) & EVL_T_KICKED;
	if (!demoted && !is_called_inband(curr))
		return false;

	if (evl_leave_for_stop(curr, HOST_CAUSE_SIGNAL))
		demoted = false;
	evl_switch_inband(demoted ? EVL_HMDIAG_SIGDEMOTE : 0, 0);

	return true;
}

/*
 * What has to be done in-band, if the handler did not end there anyway. A thread
 * which Linux moves comes back out-of-band on its way to user space.
 */
static long finish_request(struct evl_thread *curr, long ret)
{
	bool signaled = signal_pending(current);

	if (unlikely(signaled))
		ret = interrupted(curr, ret);
	if (unlikely(evl_is_inband(curr)))
		return ret;

	if (unlikely(signaled || is_called_inband(curr)) && leave_request(curr))
		return ret;
	if (curr->state & EVL_T_WEAK && !atomic_read(&curr->held))
		evl_switch_inband(0, 0);

	return ret;
}

void evl_unpin_request_file(void)
{
	struct evl_thread *curr = evl_current();
	struct evl_file *efilp = curr->request_file;

	curr->request_file = NULL;
	if (efilp)
		evl_put_file(efilp);
}

static __always_inline long serve_once(struct evl_thread *curr, u32 nr,
				       unsigned long a0, unsigned long a1, unsigned long a2)
{
	struct evl_file *efilp = evl_get_file((int)a0);
	long ret;

	if (unlikely(!efilp))
		return -EBADF;

	curr->request_file = efilp;
	/* By far the most frequent, and worth a direct call. */
	ret = likely(nr == sys_evl_ioctl) ?
		serve_ioctl(efilp, a1, a2) : requests[nr](efilp, a1, a2);
	if (likely(curr->request_file)) {
		curr->request_file = NULL;
		evl_put_file(efilp);
	}

	return ret;
}

/*
 * The request ended in-band. If it was going to wait, and that did not begin,
 * nothing has happened yet: again, after the signal which may have kept it in-band.
 * A wait which did begin, and was ended by somebody, is over: to tell of it may have
 * brought the caller in-band.
 */
static noinline bool start_over(struct evl_thread *curr, long *ret)
{
	if (*ret != -EINTR || !curr->not_begun || curr->unblocked ||
	    curr->local_info & EVL_T_NORST)
		return false;

	*ret = come_oob();

	return !*ret;
}

long evl_serve_request(struct host_task *h, u32 nr, unsigned long a0,
		       unsigned long a1, unsigned long a2)
{
	struct evl_thread *curr = evl_thread_of_host(h);
	long ret;

	if (unlikely(nr >= NR_EVL_SYSCALLS))
		return -ENOSYS;
	if (unlikely(!may_request(curr)))
		return -EPERM;

	evl_tracepoint(evl_oob_sysentry, nr, a0, a1, a2);
	if (evl_is_inband(curr)) {
		evl_propagate_params(curr);
		ret = come_oob();
		if (ret)
			return finish_restart(ret);
	}

	curr->local_info = 0;
	curr->in_request = true;
	do {
		curr->not_begun = false;
		curr->unblocked = false;
		ret = serve_once(curr, nr, a0, a1, a2);
	} while (unlikely(evl_is_inband(curr)) && start_over(curr, &ret));
	curr->in_request = false;

	curr->stat.sc++;
	ret = finish_request(curr, ret);
	evl_sync_window(curr);
	evl_tracepoint(evl_oob_sysexit, nr, ret);

	return finish_restart(ret);
}

void evl_inband_syscall(struct host_task *h, bool oob)
{
	struct evl_thread *curr = evl_thread_of_host(h);

	if (oob) {
		evl_tracepoint(evl_inband_sysentry, curr);
		evl_switch_inband(EVL_HMDIAG_SYSDEMOTE, 0);
	} else {
		evl_propagate_params(curr);
	}
}

static bool thread_kicked(struct host_task *h)
{
	return is_called_inband(evl_thread_of_host(h));
}

static bool thread_waits(struct host_task *h)
{
	struct evl_thread *thread = evl_thread_of_host(h);

	return READ_ONCE(thread->state) & EVL_THREAD_WAIT_BITS &&
		!(READ_ONCE(thread->info) & EVL_T_KICKED);
}

static bool thread_is_weak(struct host_task *h)
{
	u32 state = READ_ONCE(evl_thread_of_host(h)->state);

	return (state & (EVL_T_WEAK | EVL_T_BOOST)) == EVL_T_WEAK;
}

static bool hold_thread(struct host_task *h)
{
	return refcount_inc_not_zero(&evl_thread_of_host(h)->refs);
}

static void unhold_thread(struct host_task *h)
{
	evl_put_thread(evl_thread_of_host(h));
}

const struct host_ops evl_host_ops = {
	.schedule = evl_schedule_here,
	.finish_switch = evl_finish_switch,
	.enter_oob = evl_enter_oob,
	.tick = evl_tick,
	.clock_was_set = evl_clock_was_set,
	.request = evl_serve_request,
	.inband_syscall = evl_inband_syscall,
	.signal = evl_signal_thread,
	.demote = evl_demote_current,
	.promote = evl_promote_current,
	.expect_signals = evl_expect_signals,
	.expect_handler = evl_expect_handler,
	.comes_back = evl_comes_back,
	.come_back = evl_come_back,
	.kicked = thread_kicked,
	.waits = thread_waits,
	.weak = thread_is_weak,
	.deliver = evl_deliver_health,
	.migrate = evl_migrate_thread,
	.follow_move = evl_follow_move,
	.relocate = evl_relocate_thread,
	.asleep = evl_thread_asleep,
	.exit = evl_exit_current,
	.hold = hold_thread,
	.unhold = unhold_thread,
};
