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
#include <linux/sched.h>

struct host_task {
	struct task_struct *task;	/* NULL for the root of a CPU */
	struct hlist_node hash;
	struct dovetail_altsched_context altsched;
	struct irq_work wake;		/* wakes the task up in-band */
	bool is_root;
};

struct host_cpu {
	struct clock_proxy_device *proxy;
	struct host_task *curr;		/* as of the last host_switch() */
	struct host_task *root;
	ktime_t armed;			/* the core's next shot */
	ktime_t inband;			/* the next tick Linux asked for */
	bool in_tick;
	bool notify_inband;		/* a proxy tick is due on return to root */
	bool rcu_watching;
	int cpu;
};

DECLARE_PER_CPU(struct host_cpu *, host_this_cpu);

struct host_task *host_find_task(struct task_struct *task);

static inline struct host_task *host_current(void)
{
	if (!test_thread_local_flags(_TLF_DOVETAIL))
		return NULL;

	return host_find_task(current);
}

static inline bool host_in_irq(void)
{
	return on_pipeline_entry();
}

static inline void host_sched_begin(void) { }
static inline void host_sched_end(void) { }
static inline void host_settle(void) { }

#endif /* !EVL_HOST_DOVETAIL_TYPES_H */
