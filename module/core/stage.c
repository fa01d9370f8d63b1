// SPDX-License-Identifier: GPL-2.0-only
/* Switching between the stages, from the point of view of the thread. */
#include <linux/export.h>
#include <linux/sched/signal.h>
#include <evl/assert.h>
#include <evl/thread.h>
#include <evl/signal-abi.h>
#include "core.h"
#include "ptsync.h"
#include "queue.h"
#include "trace.h"

/* Two run queues, lower CPU first. */
static void lock_two_rqs(struct evl_rq *a, struct evl_rq *b)
{
	if (a->cpu > b->cpu)
		swap(a, b);

	raw_spin_lock(&a->lock);
	if (a != b)
		raw_spin_lock_nested(&b->lock, SINGLE_DEPTH_NESTING);
}

static void unlock_two_rqs(struct evl_rq *a, struct evl_rq *b)
{
	if (a != b)
		raw_spin_unlock(&b->lock);
	raw_spin_unlock(&a->lock);
}

/* @rq and the run queue of @thread, which is returned, both locked. Hard irqs
 * off. */
static struct evl_rq *lock_rq_and_own(struct evl_rq *rq, struct evl_thread *thread)
{
	struct evl_rq *own;

	for (;;) {
		own = READ_ONCE(thread->rq);
		lock_two_rqs(rq, own);
		if (likely(own == thread->rq))
			return own;
		unlock_two_rqs(rq, own);
	}
}

/*
 * @thread goes to @rq, both run queues locked. It may be in line on the one it
 * leaves, or even be taken for the current one there, and takes its place in
 * line on the other one if nothing blocks it.
 */
static void change_rq(struct evl_thread *thread, struct evl_rq *rq)
{
	struct evl_rq *from = thread->rq;

	if (thread->state & EVL_T_READY)
		evl_dequeue_thread(from, thread);
	evl_vacate_rq_locked(thread);

	thread->rq = rq;
	host_set_home(&thread->host, rq->cpu);

	if (!(thread->state & EVL_THREAD_BLOCK_BITS)) {
		evl_enqueue_thread(rq, thread);
		evl_set_resched(rq);
	}
}

/*
 * @h is about to be ours, on this CPU, which may not be the one it had last
 * time: it is in-band, so nothing but its home has to change.
 */
void evl_enter_oob(struct host_task *h)
{
	struct evl_thread *thread = evl_thread_of_host(h);
	struct evl_rq *rq = this_evl_rq(), *from;

	from = lock_rq_and_own(rq, thread);
	change_rq(thread, rq);
	evl_release_thread_locked(thread, EVL_T_INBAND, 0);
	unlock_two_rqs(rq, from);
}

/* A thread has no business out-of-band on a CPU which is not for threads. */
static bool on_foreign_cpu(void)
{
	return !cpumask_test_cpu(raw_smp_processor_id(), &evl_oob_cpus);
}

/* It may have been on its way to wait for something: that ends first. */
static void give_up(struct evl_thread *curr)
{
	const struct evl_sched_attrs weak = { .sched_policy = SCHED_WEAK };

	evl_kick_thread(curr);
	if (!evl_is_inband(curr))
		evl_switch_inband(0, 0);
	evl_set_thread_policy(curr, &weak);
	send_sig(SIGTERM, current, 1);
}

/*
 * Current is out-of-band, and Linux made it run on another CPU than the core
 * believed: the core has it here from now on. Whatever it waits for is not
 * concerned. Hard irqs on; the caller reschedules.
 */
void evl_follow_move(struct host_task *h)
{
	struct evl_thread *curr = evl_thread_of_host(h);
	struct evl_rq *rq, *from;
	unsigned long flags;

	flags = hard_local_irq_save();
	rq = this_evl_rq();
	from = lock_rq_and_own(rq, curr);
	if (from != rq && !(curr->state & EVL_T_INBAND))
		change_rq(curr, rq);
	unlock_two_rqs(rq, from);
	evl_schedule();
	hard_local_irq_restore(flags);

	if (unlikely(on_foreign_cpu()) && !evl_is_inband(curr))
		give_up(curr);
}

/*
 * Linux runs @h on @cpu from now on: have it in line over there, or wake up there
 * later. False if it is in-band, where that is no business of ours. Atomic.
 */
bool evl_relocate_thread(struct host_task *h, int cpu)
{
	struct evl_thread *thread = evl_thread_of_host(h);
	struct evl_rq *rq = evl_cpu_rq(cpu), *from;
	unsigned long flags;
	bool done;

	flags = hard_local_irq_save();
	host_sched_begin();
	from = lock_rq_and_own(rq, thread);
	done = !(thread->state & (EVL_T_INBAND | EVL_T_DORMANT | EVL_T_ZOMBIE));
	if (done && from != rq)
		change_rq(thread, rq);
	unlock_two_rqs(rq, from);
	evl_schedule();
	hard_local_irq_restore(flags);
	host_sched_end();

	return done;
}

/*
 * @h, which is out-of-band for all we know, fell asleep inside Linux: a debugger
 * stopped it, say, or a page it touched has to be read from a disk. It left the
 * out-of-band stage by that, and others run. False if it is not asleep any more.
 * Atomic.
 */
bool evl_thread_asleep(struct host_task *h, enum host_cause cause,
		       unsigned long details)
{
	struct evl_thread *thread = evl_thread_of_host(h);
	unsigned long flags;
	struct evl_rq *rq;
	bool left;

	rq = evl_lock_thread_rq_irqsave(thread, flags);
	left = host_is_asleep(h) &&
		!(thread->state & (EVL_T_INBAND | EVL_T_DORMANT | EVL_T_ZOMBIE));
	if (left) {
		evl_assert(!(thread->state & EVL_THREAD_WAIT_BITS));
		/* It may wake up meanwhile, and go back as soon as it finds itself
		 * in-band, with nothing locked: then the host is done. */
		host_leave_oob(h);
		smp_wmb();
		evl_hold_thread_locked(thread, EVL_T_INBAND);
		thread->info &= ~(EVL_T_KICKED | EVL_T_PTSIG);
		thread->stat.isw++;
		evl_tracepoint(evl_switched_inband, thread);
		evl_vacate_rq_locked(thread);
		evl_sync_window(thread);
	}
	evl_sched_unlock(&rq->lock, flags);

	if (left && cause == HOST_CAUSE_TRAP && thread->state & EVL_T_WOSS)
		evl_notify_thread(thread, EVL_HMDIAG_EXDEMOTE, details);

	return left;
}

int evl_go_oob(struct evl_thread *curr)
{
	int ret;

	if (signal_pending(current))
		return -ERESTARTSYS;

	evl_tracepoint(evl_switching_oob, curr);
	if (curr->window)
		WRITE_ONCE(curr->window->state, curr->state & ~EVL_T_INBAND);

	ret = host_leave_inband(&curr->host);
	if (unlikely(ret)) {
		evl_sync_window(curr);
		return ret;
	}
	evl_tracepoint(evl_switched_oob, curr);

	/* Only now it is known for sure where Linux made it run. */
	if (unlikely(on_foreign_cpu())) {
		give_up(curr);
		return -EPERM;
	}

	/* Or wants it to run: who changed that meanwhile took it for in-band. */
	if (unlikely(host_has_to_move()))
		evl_note_migration(curr);

	/* A signal which came while nobody was there to be kicked. */
	if (unlikely(signal_pending(current)))
		evl_kick_thread(curr);

	return 0;
}

int evl_switch_oob(void)
{
	struct evl_thread *curr = evl_current();
	int ret;

	if (!evl_caller_is_inband_thread(curr))
		return -EPERM;

	ret = evl_go_oob(curr);
	if (!ret && unlikely(evl_stop_is_on(curr)))
		evl_join_stop(curr);

	return ret;
}
EXPORT_SYMBOL_GPL(evl_switch_oob);

void evl_switch_inband(int hmdiag, u64 details)
{
	struct evl_thread *curr = evl_current();
	unsigned long flags;
	struct evl_rq *rq;

	if (!evl_caller_is_oob(curr))
		return;

	evl_tracepoint(evl_switching_inband, curr, hmdiag, details);
	flags = hard_local_irq_save();
	host_prepare_inband(&curr->host);

	rq = evl_lock_thread_rq(curr);
	/* Falling asleep inside Linux may have brought it in-band already. How
	 * its last wait ended is for whoever waited to know. */
	if (!(curr->state & EVL_T_INBAND)) {
		evl_assert(!(curr->state & EVL_THREAD_WAIT_BITS));
		evl_hold_thread_locked(curr, EVL_T_INBAND);
		curr->stat.isw++;
	}
	curr->info &= ~(EVL_T_KICKED | EVL_T_PTSIG);
	curr->moved = false;
	if (unlikely(rq != this_evl_rq()))
		evl_vacate_rq_locked(curr);
	raw_spin_unlock(&rq->lock);

	host_leave_oob(&curr->host);
	evl_schedule_here();
	host_finish_inband(&curr->host);
	hard_local_irq_restore(flags);
	host_resched_point();

	evl_tracepoint(evl_switched_inband, curr);
	evl_sync_window(curr);
	evl_propagate_params(curr);

	/* Linux may keep it asleep for long. */
	if (unlikely(READ_ONCE(curr->hm_pending)) && preemptible())
		evl_deliver_health(&curr->host);
	if (likely(!(READ_ONCE(curr->info) & EVL_T_PTSTOP)))
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

	struct evl_thread *curr = evl_thread_of_host(h);

	if (unlikely(evl_is_inband(curr)))
		return;

	/* Kicked without a signal in user space: nothing to warn of; nor of a stop. */
	if (evl_leave_for_stop(curr, cause) ||
	    (cause == HOST_CAUSE_SIGNAL && !signal_pending(current)))
		cause = HOST_CAUSE_NONE;

	evl_switch_inband(diag[cause], details);
}

/* Back out-of-band after a detour; a signal keeps it in-band. */
void evl_promote_current(struct host_task *h)
{
	if (evl_is_inband(evl_thread_of_host(h)))
		evl_switch_oob();
}
