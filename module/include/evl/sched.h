/* SPDX-License-Identifier: GPL-2.0-only */
/* The scheduler: what the rest of the core and drivers call. */
#ifndef EVL_SCHED_H
#define EVL_SCHED_H

#include <evl/rq.h>
#include <evl/sched-abi.h>

struct evl_thread;

/*
 * A scheduling class. Weights order classes; a thread's weighted priority is
 * weight * EVL_CLASS_WEIGHT_UNIT + priority.
 */
struct evl_sched_class {
	const char *name;
	int weight;
	int policy;			/* as user space names it */
	int index_base;			/* of its threads in the queue */
	int min_prio, max_prio;
};

#define EVL_CLASS_WEIGHT_UNIT	1024

extern const struct evl_sched_class evl_sched_idle;
extern const struct evl_sched_class evl_sched_weak;
extern const struct evl_sched_class evl_sched_fifo;

/*
 * Run the scheduler on this CPU if it was asked for. Any context; hard irqs
 * off, or a caller which cannot leave this CPU. The way to call it after a
 * wakeup is evl_sched_unlock().
 */
static inline void evl_schedule(void)
{
	if (test_bit(RQ_RESCHED, &this_evl_rq()->flags))
		host_schedule();
}

/* Drop @__lock, let a thread that was woken up under it run, restore irqs. */
#define evl_sched_unlock(__lock, __flags)			\
	do {							\
		host_sched_begin();				\
		raw_spin_unlock(__lock);			\
		evl_schedule();					\
		hard_local_irq_restore(__flags);		\
		host_sched_end();				\
	} while (0)

/* The run queue of a thread, locked; hard irqs off: evl_lock_thread_rq(), see
 * thread.h. */
#define evl_lock_thread_rq_irqsave(__thread, __flags)		\
	({ (__flags) = hard_local_irq_save(); evl_lock_thread_rq(__thread); })

/* Add blocking bits, or remove them (and add information bits), queueing or
 * dequeueing the thread accordingly. Reschedules. */
void evl_hold_thread(struct evl_thread *thread, u32 mask);
void evl_release_thread(struct evl_thread *thread, u32 mask, u32 info);

/* Base policy and priority. 0, -EINVAL, -ESTALE if @thread has ended. Reschedules. */
int evl_set_thread_policy(struct evl_thread *thread,
			  const struct evl_sched_attrs *attrs);
void evl_get_thread_policy(struct evl_thread *thread,
			   struct evl_sched_attrs *attrs);
/*
 * Boost: raise the effective class and priority to @class, @prio, or drop the
 * boost if @class is NULL. Run queue lock held.
 */
void evl_boost_thread_locked(struct evl_thread *thread,
			     const struct evl_sched_class *class, int prio);

/* Move current to the tail of its priority group. */
void evl_yield(void);

/* Total execution time out-of-band of @thread, in ns. Lock of its run queue
 * @rq held. */
ktime_t evl_exectime_locked(struct evl_rq *rq, struct evl_thread *thread);

#endif /* !EVL_SCHED_H */
