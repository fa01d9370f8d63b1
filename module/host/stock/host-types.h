/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The stock host: what a kernel without Dovetail offers under Dovetail's
 * names. Masking is that of Linux, an out-of-band thread is a Linux task of
 * high priority which parks itself when the core picked another one.
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

struct host_task {
	struct task_struct *task;	/* NULL for the root of a CPU */
	struct hlist_node hash;
	bool oob;			/* managed by the core; owner only */
	bool attached;			/* owner only */
	bool picked;			/* current on its run queue */
	bool parked;			/* asleep until picked */
	bool stale;			/* has not the in-band priority it should */
	bool moved;			/* to another CPU, by Linux */
	int inband_policy;
	int inband_prio;
	unsigned long work_flags;	/* CHECKPOINT_*, see park.c */
	struct callback_head checkpoint;
};

struct host_cpu {
	struct hrtimer timer;
	ktime_t armed;			/* date of the shot, KTIME_MAX if none */
	call_single_data_t csd;
	int cpu;
};

struct host_task *host_find_task(struct task_struct *task);

static inline struct host_task *host_current(void)
{
	return host_find_task(current);
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

void host_settle(void);
void host_notify(struct host_task *h, struct irq_work *work);
void host_params_changed(struct host_task *h, int policy, int prio);

/* No task switch between a wakeup under a lock and the point to settle. */
static inline void host_sched_begin(void)
{
	preempt_disable();
}

static inline void host_sched_end(void)
{
	preempt_enable();
	host_settle();
}

#endif /* !EVL_HOST_STOCK_TYPES_H */
