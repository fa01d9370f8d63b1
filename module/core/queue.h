/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Who is in line for a CPU, and who leaves the line or joins it. Inline, since
 * each switch takes most of it. Run queue lock held throughout.
 */
#ifndef EVL_CORE_QUEUE_H
#define EVL_CORE_QUEUE_H

#include <linux/bitops.h>
#include <evl/thread.h>
#include "core/trace.h"

/* --- Queue ---------------------------------------------------------------- */

/* Index 0 is the highest priority, so that the first bit set is the one to pick. */
static inline unsigned int evl_rq_index(const struct evl_sched_class *class, int prio)
{
	return EVL_NR_RQ_INDEXES - 1 - (class->index_base + prio);
}

static inline void evl_enqueue_thread(struct evl_rq *rq, struct evl_thread *thread)
{
	unsigned int index = thread->rq_index;

	list_add_tail(&thread->rq_next, &rq->queue.head[index]);
	__set_bit(index, rq->queue.map);
	thread->state |= EVL_T_READY;
}

static inline void evl_enqueue_thread_head(struct evl_rq *rq, struct evl_thread *thread)
{
	unsigned int index = thread->rq_index;

	list_add(&thread->rq_next, &rq->queue.head[index]);
	__set_bit(index, rq->queue.map);
	thread->state |= EVL_T_READY;
}

static inline void evl_dequeue_thread(struct evl_rq *rq, struct evl_thread *thread)
{
	unsigned int index = thread->rq_index;

	__list_del_entry(&thread->rq_next);
	if (list_empty(&rq->queue.head[index]))
		__clear_bit(index, rq->queue.map);
	thread->state &= ~EVL_T_READY;
}

static inline struct evl_thread *evl_top_thread(struct evl_rq *rq)
{
	unsigned int n, index;

	/* A few words, most of the time empty: no need to call for help. */
	for (n = 0; n < BITS_TO_LONGS(EVL_NR_RQ_INDEXES); n++) {
		if (rq->queue.map[n]) {
			index = n * BITS_PER_LONG + __ffs(rq->queue.map[n]);
			return list_first_entry(&rq->queue.head[index],
						struct evl_thread, rq_next);
		}
	}

	return NULL;
}

/* --- Threads -------------------------------------------------------------- */

/*
 * Have @rq rescheduled. The local CPU waits for the next evl_schedule(), another
 * one is kicked at once: even if the mark is there already, since whoever left
 * it may have been preempted, or moved by Linux, before it came to reschedule.
 */
static inline void evl_set_resched(struct evl_rq *rq)
{
	__set_bit(RQ_RESCHED, &rq->flags);
	if (rq != this_evl_rq())
		host_kick_cpu(rq->cpu);
}

/*
 * @thread is not current on its run queue any more, without having switched
 * away: Linux runs it elsewhere, or not at all. Its CPU picks somebody else, who may
 * be another thread: Linux did not get the CPU in between.
 */
static inline void evl_vacate_rq_locked(struct evl_thread *thread)
{
	struct evl_rq *rq = thread->rq;

	if (likely(thread != rq->curr))
		return;

	evl_account_switch(rq, thread, rq->root);
	rq->curr = rq->root;
	rq->vacated = true;
	evl_tracepoint(evl_switch_context, thread, rq->root);
	host_vacate(&thread->host);
	evl_set_resched(rq);
}

/* @thread, which nothing blocks, may be the one to run now. */
static inline bool evl_may_preempt(struct evl_rq *rq, struct evl_thread *thread)
{
	return rq->curr == rq->root || thread->wprio > rq->curr->wprio ||
		rq->curr->state & EVL_THREAD_BLOCK_BITS;
}

/* Add blocking bits. */
static inline void evl_hold_thread_locked(struct evl_thread *thread, u32 mask)
{
	struct evl_rq *rq = thread->rq;

	if (unlikely(thread->state & EVL_T_READY))
		evl_dequeue_thread(rq, thread);

	thread->state |= mask;
	if (thread == rq->curr)
		evl_set_resched(rq);
}

/* Remove them, and add information bits. */
static inline void evl_release_thread_locked(struct evl_thread *thread, u32 mask,
					     u32 info)
{
	struct evl_rq *rq = thread->rq;
	u32 blocked = thread->state & EVL_THREAD_BLOCK_BITS;

	thread->state &= ~mask;
	thread->info |= info;

	if (!blocked || thread->state & EVL_THREAD_BLOCK_BITS)
		return;

	if (rq != this_evl_rq())
		thread->stat.rwa++;

	/* It may not have left the CPU yet: then it keeps it. */
	if (thread == rq->curr)
		return;

	evl_enqueue_thread(rq, thread);
	if (evl_may_preempt(rq, thread))
		evl_set_resched(rq);
}

#endif /* !EVL_CORE_QUEUE_H */
