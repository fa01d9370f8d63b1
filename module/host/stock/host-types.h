/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The stock host: what a kernel without Dovetail offers under Dovetail's
 * names. Masking is that of Linux, an out-of-band thread is a Linux task of
 * high priority which blocks as long as the core picked another one.
 */
#ifndef EVL_HOST_STOCK_TYPES_H
#define EVL_HOST_STOCK_TYPES_H

#include <linux/spinlock.h>
#include <linux/irqflags.h>
#include <linux/hrtimer.h>
#include <linux/irq_work.h>
#include <linux/smp.h>
#include <linux/sched.h>
#include <linux/task_work.h>
#include <linux/preempt.h>

typedef raw_spinlock_t hard_spinlock_t;

#define DEFINE_HARD_SPINLOCK(__name)	DEFINE_RAW_SPINLOCK(__name)
#define __HARD_SPIN_LOCK_INITIALIZER(__name)	__RAW_SPIN_LOCK_UNLOCKED(__name)

#define hard_local_irq_save()		\
	({ unsigned long __flags; local_irq_save(__flags); __flags; })
#define hard_local_irq_restore(__flags)	local_irq_restore(__flags)
#define hard_local_irq_disable()	local_irq_disable()
#define hard_local_irq_enable()		local_irq_enable()
#define hard_irqs_disabled()		irqs_disabled()

/* See block.c for how these play together. */
struct host_task {
	struct task_struct *task;	/* NULL for the root of a CPU */
	struct preempt_notifier notifier;	/* how current finds this, too */
	struct hlist_node hash;
	bool oob;			/* under the rule of the core */
	bool attached;			/* owner only */
	bool picked;			/* current on its run queue */
	bool blocked;			/* asleep until picked */
	bool asleep;			/* inside Linux, while out-of-band */
	bool busy;			/* sees to what is due; may sleep for that */
	bool trapped;			/* a signal of an exception is pending */
	bool in_notify;			/* it tells a debugger, and runs work ahead of that */
	bool own_dispatch;		/* the task has its system calls dispatched */
	int home;			/* CPU whose run queue it is on */
	unsigned long due;		/* DUE_*, see stock.h */
	int inband_policy;
	int inband_prio;
	cpumask_var_t wish;		/* CPUs that Linux was told to run it on; */
	unsigned int nr_wishes;		/* changes of it: by pi_lock of the task */
	struct irq_work wish_work;
	struct irq_work asleep_work;
	unsigned long queued;		/* task work is, see block.c */
	bool leaving;			/* executes another program */
	struct callback_head work;
};

struct host_cpu {
	struct hrtimer timer;
	ktime_t armed;			/* date of the shot, KTIME_MAX if none */
	call_single_data_t csd;
	int cpu;
};

struct host_task *host_find_task(struct task_struct *task);

extern struct preempt_ops stock_preempt_ops;

/* The list is private to current: no lock, no read side. */
static inline struct host_task *host_current(void)
{
	struct preempt_notifier *pn;

	hlist_for_each_entry(pn, &current->preempt_notifiers, link)
		if (pn->ops == &stock_preempt_ops)
			return container_of(pn, struct host_task, notifier);

	return NULL;
}

/* The caller of host_switch() comes back from it as itself. */
#define host_pass_lock(__lock)		do { } while (0)
#define host_receive_lock(__lock)	do { } while (0)

/* Whether the caller holds it, or at least somebody does if that is not known. */
#ifdef CONFIG_LOCKDEP
#define host_holds_lock(__lock)		lockdep_is_held(__lock)
#else
#define host_holds_lock(__lock)		raw_spin_is_locked(__lock)
#endif

static inline bool host_in_irq(void)
{
	return in_hardirq();
}

static inline void host_set_home(struct host_task *h, int cpu)
{
	WRITE_ONCE(h->home, cpu);
}

static inline void host_vacate(struct host_task *h)
{
	WRITE_ONCE(h->picked, false);
}

static inline bool host_is_asleep(struct host_task *h)
{
	return READ_ONCE(h->asleep);
}

/* We are part of Linux, which is what its events are made for. */
struct host_trace { };
static inline struct host_trace host_trace_begin(void) { return (struct host_trace){ }; }
static inline void host_trace_end(struct host_trace ht) { }

void host_resched_point(void);
void host_notify(struct host_task *h, struct irq_work *work);
void host_params_changed(struct host_task *h, int policy, int prio);

/* No task switch between a wakeup under a lock and the resched point. */
static inline void host_sched_begin(void)
{
	preempt_disable();
}

static inline void host_sched_end(void)
{
	preempt_enable();
	host_resched_point();
}

#endif /* !EVL_HOST_STOCK_TYPES_H */
