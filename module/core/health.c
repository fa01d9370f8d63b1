// SPDX-License-Identifier: GPL-2.0-only
/*
 * Health monitoring: conditions which a thread asked to be told about, by the
 * signal SIGDEBUG or through its observable.
 */
#include <linux/sched/signal.h>
#include <evl/thread.h>
#include <evl/signal-abi.h>
#include "core.h"
#include "trace.h"

static void send_sigdebug(struct evl_thread *thread, int code)
{
	struct kernel_siginfo si;

	clear_siginfo(&si);
	si.si_signo = SIGDEBUG;
	si.si_code = SI_QUEUE;
	si.si_int = sigdebug_marker | code;
	send_sig_info(SIGDEBUG, &si, thread->host.task);
}

/* What host_notify() leads to. */
void evl_deliver_health(struct host_task *h)
{
	struct evl_thread *thread = evl_thread_of_host(h);
	unsigned long pending;
	int code;

	if (!READ_ONCE(thread->hm_pending))
		return;

	pending = xchg(&thread->hm_pending, 0);
	for_each_set_bit(code, &pending, BITS_PER_LONG)
		send_sigdebug(thread, code);
}

static void deliver_pending(struct irq_work *work)
{
	struct evl_thread *thread =
		container_of(work, struct evl_thread, hm_work);

	evl_deliver_health(&thread->host);
}

void evl_init_health(struct evl_thread *thread)
{
	thread->hm_pending = 0;
	thread->hm_notify = NULL;
	init_irq_work(&thread->hm_work, deliver_pending);
}

void evl_exit_health(struct evl_thread *thread)
{
	irq_work_sync(&thread->hm_work);
}

void evl_notify_thread(struct evl_thread *thread, int code, u64 details)
{
	u32 mode = READ_ONCE(thread->state);

	evl_tracepoint(evl_thread_notify, thread, code, details);
	if (mode & EVL_T_HMOBS && thread->hm_notify)
		thread->hm_notify(thread, code, details);

	if (!(mode & EVL_T_HMSIG))
		return;

	/* The thread itself gets it before it goes on, if it can be sent. */
	if (evl_is_inband(thread) && thread->host.task == current &&
	    preemptible()) {
		send_sigdebug(thread, code);
		return;
	}

	set_bit(code, &thread->hm_pending);
	host_notify(&thread->host, &thread->hm_work);
}

static int change_mode(struct evl_thread *thread, u32 set, u32 clear, u32 *old)
{
	unsigned long flags;
	struct evl_rq *rq;
	u32 state;

	rq = evl_lock_thread_rq_irqsave(thread, flags);
	state = thread->state;
	*old = state & EVL_THREAD_MODE_BITS;
	state = (state | set) & ~clear;
	/* Warnings and the ways to deliver them go by pairs. */
	if (!(state & EVL_THREAD_WARN_BITS) && clear)
		state &= ~EVL_THREAD_HM_BITS;
	if (!(state & EVL_THREAD_HM_BITS) && clear)
		state &= ~EVL_THREAD_WARN_BITS;
	thread->state = state;
	evl_unlock_irqrestore(&rq->lock, flags);

	return 0;
}

int evl_set_thread_mode(struct evl_thread *thread, u32 mask, u32 *old)
{
	if (mask & ~EVL_THREAD_MODE_BITS)
		return -EINVAL;
	if (mask & EVL_T_HMOBS && !thread->hm_notify)
		return -EINVAL;

	/* The documents call an empty mask a peek, and so it is. */
	if (mask && !(mask & EVL_THREAD_HM_BITS))
		mask |= EVL_T_HMSIG;

	return change_mode(thread, mask, 0, old);
}

int evl_clear_thread_mode(struct evl_thread *thread, u32 mask, u32 *old)
{
	if (mask & ~EVL_THREAD_MODE_BITS)
		return -EINVAL;

	return change_mode(thread, 0, mask, old);
}
