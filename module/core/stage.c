// SPDX-License-Identifier: GPL-2.0-only
/* Switching between the stages, from the point of view of the thread. */
#include <linux/export.h>
#include <linux/sched/signal.h>
#include <evl/assert.h>
#include <evl/thread.h>
#include "core.h"
#include "queue.h"

/* Two run queues, lower CPU first. */
static void lock_two_rqs(struct evl_rq *a, struct evl_rq *b)
{
	if (a->cpu > b->cpu)
		swap(a, b);

	raw_spin_lock(&a->lock);
	if (a != b)
		raw_spin_lock_nested(&b->lock, SINGLE_DEPTH_NESTING);
}

/*
 * @h is about to be ours, on this CPU, which may not be the one it had last
 * time: it is in-band, so nothing but its home has to change.
 */
void evl_enter_oob(struct host_task *h)
{
	struct evl_thread *thread = evl_thread_of_host(h);
	struct evl_rq *rq = this_evl_rq(), *from = thread->rq;

	lock_two_rqs(rq, from);
	thread->rq = rq;
	if (from != rq)
		raw_spin_unlock(&from->lock);
	evl_release_thread_locked(thread, EVL_T_INBAND, 0);
	raw_spin_unlock(&rq->lock);
}

/* A thread pinned to a CPU which is not for us has no future here. */
static bool on_foreign_cpu(void)
{
	return !cpumask_test_cpu(raw_smp_processor_id(), &evl_oob_cpus);
}

static void give_up(struct evl_thread *curr)
{
	const struct evl_sched_attrs weak = { .sched_policy = SCHED_WEAK };

	evl_set_thread_policy(curr, &weak);
	send_sig(SIGTERM, current, 1);
}

int evl_switch_oob(void)
{
	struct evl_thread *curr = evl_current();
	unsigned long flags;
	struct evl_rq *rq;
	int ret;

	if (!evl_caller_is_inband_thread(curr))
		return -EPERM;

	if (signal_pending(current))
		return -ERESTARTSYS;

	if (unlikely(on_foreign_cpu())) {
		give_up(curr);
		return -ERESTARTSYS;
	}

	if (curr->window)
		WRITE_ONCE(curr->window->state, curr->state & ~EVL_T_INBAND);

	ret = host_leave_inband(&curr->host);
	if (unlikely(ret)) {
		evl_sync_window(curr);
		return ret;
	}

	/* A signal which came while nobody was there to be kicked. */
	if (unlikely(signal_pending(current))) {
		rq = evl_lock_thread_rq_irqsave(curr, flags);
		curr->info |= EVL_T_KICKED;
		evl_unlock_irqrestore(&rq->lock, flags);
	}

	return 0;
}
EXPORT_SYMBOL_GPL(evl_switch_oob);

void evl_switch_inband(int hmdiag, u64 details)
{
	struct evl_thread *curr = evl_current();
	unsigned long flags;
	struct evl_rq *rq;

	if (!evl_caller_is_oob(curr))
		return;

	flags = hard_local_irq_save();
	host_prepare_inband(&curr->host);

	rq = evl_lock_thread_rq(curr);
	evl_hold_thread_locked(curr, EVL_T_INBAND);
	curr->info &= ~(EVL_T_KICKED | EVL_THREAD_WAKE_BITS);
	curr->stat.isw++;
	raw_spin_unlock(&rq->lock);

	host_leave_oob(&curr->host);
	evl_schedule_here();
	host_finish_inband(&curr->host);
	hard_local_irq_restore(flags);
	host_settle();

	evl_sync_window(curr);
	evl_propagate_params(curr);

	evl_check_owned_inband(curr);
	if (hmdiag && curr->state & EVL_T_WOSS)
		evl_notify_thread(curr, hmdiag, details);
}
EXPORT_SYMBOL_GPL(evl_switch_inband);

void evl_demote_current(struct host_task *h, enum host_cause cause,
			unsigned long details)
{
	static const u8 diag[] = {
		[HOST_CAUSE_NONE] = 0,
		[HOST_CAUSE_SIGNAL] = EVL_HMDIAG_SIGDEMOTE,
		[HOST_CAUSE_SYSCALL] = EVL_HMDIAG_SYSDEMOTE,
		[HOST_CAUSE_TRAP] = EVL_HMDIAG_EXDEMOTE,
		[HOST_CAUSE_PTRACE] = 0,
	};

	/* Kicked without a signal in user space: nothing to warn of. */
	if (cause == HOST_CAUSE_SIGNAL && !signal_pending(current))
		cause = HOST_CAUSE_NONE;

	evl_switch_inband(diag[cause], details);
}

/* Back out-of-band after a detour; a signal keeps it in-band. */
void evl_promote_current(struct host_task *h)
{
	if (evl_is_inband(evl_thread_of_host(h)))
		evl_switch_oob();
}
