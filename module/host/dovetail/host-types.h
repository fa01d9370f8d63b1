/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The Dovetail host: the kernel provides the out-of-band stage, hard locks
 * and the alternate scheduling interface; little is left to add.
 */
#ifndef EVL_HOST_DOVETAIL_TYPES_H
#define EVL_HOST_DOVETAIL_TYPES_H

#include <linux/spinlock.h>
#include <linux/irqstage.h>
#include <linux/irq_pipeline.h>
#include <linux/irq_work.h>
#include <linux/dovetail.h>
#include <linux/clockchips.h>
#include <linux/rcupdate.h>
#include <linux/sched.h>

struct host_task {
	struct task_struct *task;	/* NULL for the root of a CPU */
	struct hlist_node hash;
	struct dovetail_altsched_context altsched;
	struct irq_work wake;		/* wakes the task up in-band */
	bool is_root;
};

/* Only touched by its own CPU, with hard irqs off. */
struct host_cpu {
	struct host_task *root;		/* stands for Linux */
	struct clock_event_device *timer;	/* the real one, NULL if not ours */
	ktime_t armed;			/* the core's next shot */
	ktime_t inband;			/* the next tick Linux asked for */
	ktime_t shot;			/* what the timer is set to */
	bool in_tick;
	bool notify_inband;		/* a tick is due on return to Linux */
	bool no_broadcast;		/* timer was told so by us */
	int cpu;
};

/* Who was given the CPU last. */
DECLARE_PER_CPU(struct host_task *, host_curr);

struct host_task *host_find_task(struct task_struct *task);

static inline struct host_task *host_current(void)
{
	struct host_task *h;
	unsigned long flags;

	/* An out-of-band thread neither leaves its CPU nor loses it unseen. */
	if (test_thread_local_flags(_TLF_OOB))
		return raw_cpu_read(host_curr);

	if (!test_thread_local_flags(_TLF_DOVETAIL))
		return NULL;

	/* Others in the bucket go away a grace period after they were removed. */
	flags = hard_local_irq_save();
	h = host_find_task(current);
	hard_local_irq_restore(flags);

	return h;
}

/*
 * Those who watch locks want to know that this one changes hands. Lock debugging
 * is not told of hard locks at all, unless the kernel has CONFIG_DEBUG_HARD_LOCKS.
 */
#define host_pass_lock(__lock)		\
	do {							\
		if (irq_pipeline_debug_locking())		\
			spin_release(&(__lock)->rlock.dep_map,	\
				     _THIS_IP_);		\
	} while (0)

#define host_receive_lock(__lock)	\
	do {							\
		if (irq_pipeline_debug_locking())		\
			spin_acquire(&(__lock)->rlock.dep_map,	\
				     0, 0, _THIS_IP_);		\
		host_own_lock(&(__lock)->rlock);		\
	} while (0)

/* Whether the caller holds it, or at least somebody does if that is not known. */
#ifdef CONFIG_DEBUG_HARD_LOCKS
#define host_holds_lock(__lock)		lockdep_is_held(__lock)
#else
#define host_holds_lock(__lock)		raw_spin_is_locked(__lock)
#endif

static inline void host_own_lock(struct raw_spinlock *lock)
{
#ifdef CONFIG_DEBUG_SPINLOCK
	lock->owner = current;
#endif
}

static inline bool host_in_irq(void)
{
	return on_pipeline_entry();
}

static inline void host_sched_begin(void) { }
static inline void host_sched_end(void) { }
static inline void host_resched_point(void) { }
static inline void host_set_home(struct host_task *h, int cpu) { }

static inline void host_vacate(struct host_task *h)
{
	/* A CPU only changes hands by a switch. */
	WARN_ON_ONCE(1);
}

static inline bool host_is_asleep(struct host_task *h)
{
	return false;
}

/*
 * The trace buffer stands an event in the middle of another one, if the inner one is
 * complete first: of two which interrupt each other by turns, one is lost or worse.
 * Hence no thread is switched out in an event. Those who take events away wait for
 * RCU, which may not look at this CPU, Linux being idle there.
 */
struct host_trace {
	unsigned long flags;
	bool unwatched;
};

static __always_inline struct host_trace host_trace_begin(void)
{
	struct host_trace ht;

	ht.flags = hard_local_irq_save();
	ht.unwatched = !rcu_is_watching();
	if (ht.unwatched)
		rcu_oob_prepare_lock();

	return ht;
}

static __always_inline void host_trace_end(struct host_trace ht)
{
	if (ht.unwatched)
		rcu_oob_finish_lock();
	hard_local_irq_restore(ht.flags);
}

static inline void host_notify(struct host_task *h, struct irq_work *work)
{
	irq_work_queue(work);
}

static inline void host_params_changed(struct host_task *h, int policy,
				       int prio) { }

#endif /* !EVL_HOST_DOVETAIL_TYPES_H */
