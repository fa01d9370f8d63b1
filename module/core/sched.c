// SPDX-License-Identifier: GPL-2.0-only
/*
 * The scheduler proper: who runs next on a CPU, and the switch to it.
 *
 * Locking: evl_rq.lock guards a run queue, the threads on it and their state.
 * On a Dovetail kernel it is held across a switch: whoever resumes drops it.
 */
#include <linux/export.h>
#include <evl/assert.h>
#include <evl/thread.h>
#include "core.h"
#include "queue.h"
#include "timer.h"
#include "trace.h"

/* The running thread keeps the CPU unless it left it, or a better one waits. */
static struct evl_thread *pick_next(struct evl_rq *rq)
{
	struct evl_thread *curr = rq->curr, *top = evl_top_thread(rq);

	if (curr != rq->root &&
	    !(curr->state & (EVL_THREAD_BLOCK_BITS | EVL_T_READY))) {
		if (!top || top->wprio <= curr->wprio)
			return curr;
		evl_enqueue_thread_head(rq, curr);
	}

	if (!top)
		return rq->root;

	evl_dequeue_thread(rq, top);

	return top;
}

/* Whoever a tick is for pays for it, which spares reading the clock again. */
void evl_account_switch(struct evl_rq *rq, struct evl_thread *prev,
			struct evl_thread *next)
{
	ktime_t now = rq->tick_date;

	/* A handler may have had somebody else switched to since. */
	if (now > rq->last_switch)
		rq->tick_date = 0;
	else
		now = evl_ktime_monotonic();

	prev->stat.exectime += now - rq->last_switch;
	rq->last_switch = now;
	next->stat.csw++;
}

void evl_schedule_here(void)
{
	struct evl_thread *prev, *next;
	unsigned long flags;
	struct evl_rq *rq;

	flags = hard_local_irq_save();
	rq = this_evl_rq();
	evl_check_remote_shot(rq);
	if (unlikely(evl_ceiling_pending(rq->curr)))
		evl_commit_ceiling(rq->curr);
	raw_spin_lock(&rq->lock);

	if (!__test_and_clear_bit(RQ_RESCHED, &rq->flags))
		goto out;

	evl_tracepoint(evl_schedule, rq);
	prev = rq->curr;
	next = pick_next(rq);
	evl_tracepoint(evl_pick_thread, next);
	if (next == prev) {
		rq->tick_date = 0;
		rq->vacated = false;
		goto out;
	}

	evl_account_switch(rq, prev, next);
	if ((prev->state | next->state) & EVL_T_RRB)
		evl_start_quantum(rq, next);
	if (prev == rq->root)
		evl_watch_cpu(rq);
	rq->vacated = false;
	rq->curr = next;
	evl_tracepoint(evl_switch_context, prev, next);

	/* Back in-band after a switch: the root dropped the lock for us. */
	host_pass_lock(&rq->lock);
	if (host_switch(&rq->host, &prev->host, &next->host))
		return;

	rq = this_evl_rq();
	host_receive_lock(&rq->lock);
	evl_tracepoint(evl_switch_tail, rq->curr);
out:
	evl_unlock_irqrestore(&rq->lock, flags);
}

void evl_finish_switch(void)
{
	struct evl_rq *rq = this_evl_rq();

	host_receive_lock(&rq->lock);
	evl_tracepoint(evl_switch_tail, rq->curr);
	raw_spin_unlock(&rq->lock);
}

void evl_hold_thread(struct evl_thread *thread, u32 mask)
{
	unsigned long flags;
	struct evl_rq *rq;

	rq = evl_lock_thread_rq_irqsave(thread, flags);
	evl_hold_thread_locked(thread, mask);
	evl_sched_unlock(&rq->lock, flags);
}

void evl_release_thread(struct evl_thread *thread, u32 mask, u32 info)
{
	unsigned long flags;
	struct evl_rq *rq;

	rq = evl_lock_thread_rq_irqsave(thread, flags);
	evl_release_thread_locked(thread, mask, info);
	evl_sched_unlock(&rq->lock, flags);
}

void evl_yield(void)
{
	struct evl_thread *curr = evl_current();
	unsigned long flags;
	struct evl_rq *rq;

	if (evl_check_waiter(curr))
		return;

	rq = evl_lock_thread_rq_irqsave(curr, flags);
	if (curr->state & EVL_T_READY)
		evl_dequeue_thread(rq, curr);
	evl_enqueue_thread(rq, curr);
	evl_set_resched(rq);
	evl_sched_unlock(&rq->lock, flags);
}
EXPORT_SYMBOL_GPL(evl_yield);

ktime_t evl_exectime_locked(struct evl_rq *rq, struct evl_thread *thread)
{
	ktime_t time = thread->stat.exectime;

	if (rq->curr == thread)
		time += evl_ktime_monotonic() - rq->last_switch;

	return time;
}

void evl_init_root(struct evl_rq *rq, struct evl_thread *root)
{
	memset(root, 0, sizeof(*root));
	root->rq = rq;
	root->state = EVL_T_ROOT;
	root->base_class = &evl_sched_idle;
	root->class = &evl_sched_idle;
	root->wprio = 0;
	root->name = "[in-band]";
	INIT_LIST_HEAD(&root->rq_next);
	INIT_LIST_HEAD(&root->owned);
}
