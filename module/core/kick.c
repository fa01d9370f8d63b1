// SPDX-License-Identifier: GPL-2.0-only
/* Forced unblocking: timeouts, signals, demotions and migrations. */
#include <linux/export.h>
#include <linux/sched/signal.h>
#include <evl/mutex.h>
#include <evl/thread.h>
#include "core.h"
#include "ptsync.h"
#include "queue.h"
#include "trace.h"

/*
 * Forced changes to a thread take this: irqs off, whatever it waits on locked
 * along with its run queue; then back, letting somebody better run.
 */
struct forced {
	struct evl_thread *thread;
	struct evl_wait_channel *wchan;
	bool aborted;
	struct evl_rq *rq;
	unsigned long flags;
};

/*
 * The channel is not locked if others keep it busy: waiting for it would have no
 * bound, and the caller may have interrupts off, or locks of Linux. See abort_wait().
 */
static void force_begin(struct forced *f, struct evl_thread *thread)
{
	f->thread = thread;
	f->aborted = false;
	if (!evl_try_thread_wchan(thread, &f->wchan, &f->rq, &f->flags)) {
		f->wchan = NULL;
		f->rq = evl_lock_thread_rq_irqsave(thread, f->flags);
	}
}

/* What could not be locked has the wait end a bit later, by the timer of the thread. */
static void abort_wait(struct forced *f, int reason)
{
	if (unlikely(f->thread->wchan != f->wchan)) {
		evl_end_wait_soon_locked(f->thread, reason);
		return;
	}

	evl_end_wait_locked(f->thread, reason | evl_late_reason_locked(f->thread));
	f->aborted = true;
}

/*
 * Whoever the thread lent its priority to gives it back: at once if these are but a
 * few, soon otherwise. Neither does the caller, who may be an interrupt, or hold locks
 * of Linux, spend time on a long chain, nor does the thread, whose date has come.
 */
static void force_end(struct forced *f)
{
	struct evl_wait_channel *wchan = f->wchan;
	struct evl_chain_walk walk;

	evl_begin_walk(&walk);
	host_sched_begin();
	raw_spin_unlock(&f->rq->lock);
	if (wchan) {
		if (f->aborted && wchan->removed)
			wchan->removed(wchan, f->thread, &walk);
		raw_spin_unlock(&wchan->lock);
	}
	if (unlikely(walk.nr))
		evl_leave_walk(&walk);
	evl_end_walk(&walk, f->flags);
}

/*
 * Whoever ends a wait for good, rather than for a signal to be handled, says so: the
 * request is not restarted then, although a signal may have come meanwhile. What a
 * stopped process waits for, until all of it is back, is not for others to end.
 */
bool evl_unblock_thread(struct evl_thread *thread, int reason)
{
	struct forced f;
	bool waits;

	force_begin(&f, thread);
	waits = thread->state & EVL_THREAD_WAIT_BITS && !evl_waits_for_siblings(thread);
	if (waits) {
		evl_tracepoint(evl_unblock_thread, thread, reason);
		abort_wait(&f, reason);
		thread->unblocked = true;
	}
	force_end(&f);

	return waits;
}
EXPORT_SYMBOL_GPL(evl_unblock_thread);

static bool timed_out(struct evl_thread *thread)
{
	return thread->state & EVL_T_DELAY &&
		!evl_timer_is_running(&thread->rtimer);
}


/*
 * From the tick, hard irqs off. By the time the run queue is locked, the wait
 * for which the timer was started may be over, and another one have begun. That
 * one has no time limit, or had the timer started again: either way, it is left
 * alone.
 */
void evl_time_out(struct evl_thread *thread)
{
	struct evl_rq *rq;
	struct forced f;

	/* Nothing but time is what sleepers wait for; the tick reschedules. */
	rq = evl_lock_thread_rq(thread);
	if (likely(!thread->wchan)) {
		if (timed_out(thread)) {
			evl_tracepoint(evl_wakeup_thread, thread, EVL_T_TIMEO);
			evl_release_thread_locked(thread, EVL_T_DELAY,
						  EVL_T_TIMEO);
		}
		raw_spin_unlock(&rq->lock);
		return;
	}
	raw_spin_unlock(&rq->lock);

	force_begin(&f, thread);
	if (timed_out(thread))
		abort_wait(&f, evl_late_reason_locked(thread) ?: EVL_T_TIMEO);
	force_end(&f);
}

/*
 * Get @thread out of whatever keeps it on the out-of-band stage. What it waits
 * for ends with EVL_T_BREAK; a hold is just lifted. If it runs, it notices on
 * its way out of the core, or the host reminds it in user space: each time, should
 * it have got there without having noticed before.
 */
static void kick_thread(struct evl_thread *thread, bool unblock)
{
	struct forced f;

	force_begin(&f, thread);

	if (!(thread->state & (EVL_T_INBAND | EVL_T_ZOMBIE | EVL_T_DORMANT))) {
		evl_tracepoint(evl_kick_thread, thread);
		thread->info |= EVL_T_KICKED;
		if (thread->state & EVL_THREAD_WAIT_BITS) {
			/* If somebody ended this wait already, a bit later, that stays. */
			thread->unblocked = unblock ||
				(thread->unblocked && evl_late_reason_locked(thread));
			abort_wait(&f, EVL_T_BREAK);
		}
		evl_release_thread_locked(thread, EVL_T_SUSP | EVL_T_HALT, 0);
		if (thread->state & EVL_T_USER)
			host_mayday(&thread->host);
	}

	force_end(&f);
}

static bool waits_out_of_band(struct evl_thread *thread)
{
	u32 state = READ_ONCE(thread->state);

	return state & EVL_THREAD_WAIT_BITS && !(state & EVL_T_INBAND);
}

/* Current is about to leave the stage then, which takes that it is not in line any
 * more: its timer sees to that if the channel was busy. */
void evl_kick_thread(struct evl_thread *thread)
{
	kick_thread(thread, false);

	if (thread == evl_current() && !hard_irqs_disabled())
		while (unlikely(waits_out_of_band(thread)))
			cpu_relax();
}

bool evl_is_called_away(void)
{
	struct evl_thread *curr = evl_current();

	return signal_pending(current) ||
		(curr && READ_ONCE(curr->info) & EVL_T_KICKED);
}
EXPORT_SYMBOL_GPL(evl_is_called_away);

void evl_demote_thread(struct evl_thread *thread)
{
	const struct evl_sched_attrs weak = { .sched_policy = SCHED_WEAK };

	/* In this order: whoever comes back from a stop looks at the policy. */
	evl_set_thread_policy(thread, &weak);
	kick_thread(thread, true);
}

void evl_signal_thread(struct host_task *h)
{
	evl_kick_thread(evl_thread_of_host(h));
}

/* Called with locks of the Linux scheduler held: leave it to an interrupt. */
void evl_migrate_thread(struct host_task *h)
{
	struct evl_thread *thread = evl_thread_of_host(h);

	/* The change comes first: see host_has_to_move(). */
	smp_mb();
	if (!evl_is_inband(thread))
		irq_work_queue(&thread->migrate_work);
}

/*
 * Linux moves a thread which only changes CPUs in-band. It passes by there as
 * soon as it runs again, at the end of its request or from user space; what it
 * waits for goes on meanwhile, and ends as if nothing had happened. It may have
 * moved by the time that we get here.
 */
void evl_note_migration(struct evl_thread *thread)
{
	unsigned long flags;
	struct evl_rq *rq;

	rq = evl_lock_thread_rq_irqsave(thread, flags);
	if (!(thread->state & (EVL_T_INBAND | EVL_T_ZOMBIE | EVL_T_DORMANT)) &&
	    !cpumask_test_cpu(rq->cpu, thread->host.task->cpus_ptr)) {
		thread->moved = true;
		if (thread->state & EVL_T_USER)
			host_mayday(&thread->host);
	}
	evl_unlock_irqrestore(&rq->lock, flags);
}
