// SPDX-License-Identifier: GPL-2.0-only
/*
 * CPUs of threads. Out-of-band, a thread is on one CPU, that of its run queue:
 * Linux would otherwise spread threads of the same priority over all CPUs which
 * they may use. In-band, it may use those which Linux was told of, by whoever
 * may (sched_setaffinity(2), a cpuset, CPU hotplug): h->wish.
 *
 * So a thread whose wish leaves more than one CPU narrows its mask to one of them
 * before it gets out-of-band, and restores it when it left that stage. Most have
 * one CPU only, and never come here.
 *
 * What Linux does to the mask meanwhile is learnt where it does it, once nothing
 * can refuse it any more: the new mask becomes the wish. Then
 *
 * - a thread which runs is moved by Linux at once if it has to be. When it gets the
 *   CPU over there it finds itself on another one (stage.c), and has the core
 *   follow at its next resched point;
 * - one which does not run stays where it is until Linux wakes it up. It goes to
 *   the run queue of a CPU which it may use right away: on the old one, it might
 *   wait for a turn that it could not take.
 *
 * Neither disturbs what the thread waits for.
 */
#include <linux/cpumask.h>
#include <evl/rq.h>
#include "stock.h"

/* Locks of the Linux scheduler are held, that of @task among them. */
void stock_mask_changes(struct task_struct *task, const struct cpumask *mask)
{
	struct host_task *h = host_find_task(task);

	/* Narrowing a mask, and restoring it, are no wishes. */
	if (!h || (task == current && h->busy))
		return;

	cpumask_copy(h->wish, mask);
	WRITE_ONCE(h->nr_wishes, h->nr_wishes + 1);
	if (READ_ONCE(h->oob)) {
		set_bit(DUE_MASK, &h->due);
		irq_work_queue(&h->wish_work);
	}
}

/* As soon as the locks of the Linux scheduler are dropped. */
static void follow_wish(struct irq_work *work)
{
	struct host_task *h = container_of(work, struct host_task, wish_work);
	int cpu;

	if (!READ_ONCE(h->oob))
		return;

	cpu = READ_ONCE(h->home);
	if (!cpumask_test_cpu(cpu, h->wish)) {
		cpu = cpumask_any_and(h->wish, &evl_oob_cpus);
		/* There is no CPU for it any more: let it find out. */
		if (cpu >= nr_cpu_ids)
			host_ops->signal(h);
		else
			host_ops->relocate(h, cpu);
	}

	stock_queue_work(h);
}

/* The CPU that @h should be on out-of-band, nr_cpu_ids if there is none. */
static int pick_cpu(struct host_task *h)
{
	int cpu = raw_smp_processor_id();

	if (cpumask_test_cpu(cpu, h->wish) && cpumask_test_cpu(cpu, &evl_oob_cpus))
		return cpu;

	cpu = cpumask_any_and(h->wish, &evl_oob_cpus);

	return cpu < nr_cpu_ids ? cpu : cpumask_any_and(h->wish, cpu_online_mask);
}

/* One attempt; false if the wish changed meanwhile. */
static bool apply_mask(struct host_task *h)
{
	const struct cpumask *mask = h->wish;
	unsigned int seen = READ_ONCE(h->nr_wishes);
	int cpu;

	smp_rmb();
	if (h->oob) {
		cpu = pick_cpu(h);
		if (cpu < nr_cpu_ids)
			mask = cpumask_of(cpu);
	}

	if (!cpumask_equal(&current->cpus_mask, mask))
		set_cpus_allowed_ptr(current, mask);

	return READ_ONCE(h->nr_wishes) == seen;
}

void stock_sync_mask(struct host_task *h)
{
	clear_bit(DUE_MASK, &h->due);
	smp_mb__after_atomic();

	/* Moving may take a nap inside Linux, which is no reason to leave the
	 * out-of-band stage. */
	h->busy = true;
	barrier();
	while (!apply_mask(h))
		;
	barrier();
	h->busy = false;
}

int stock_init_affinity(struct host_task *h)
{
	unsigned long flags;

	if (!zalloc_cpumask_var(&h->wish, GFP_KERNEL))
		return -ENOMEM;

	h->wish_work = IRQ_WORK_INIT_HARD(follow_wish);
	raw_spin_lock_irqsave(&current->pi_lock, flags);
	cpumask_copy(h->wish, &current->cpus_mask);
	raw_spin_unlock_irqrestore(&current->pi_lock, flags);

	return 0;
}

void stock_exit_affinity(struct host_task *h)
{
	irq_work_sync(&h->wish_work);
	free_cpumask_var(h->wish);
}
