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
 * - a thread which runs is moved by Linux at once if it has to be, which a tracepoint
 *   tells. It goes to the run queue of its new CPU right away: another thread may
 *   have that CPU, of the same priority in Linux, and would not let it run otherwise;
 * - one which does not run stays where it is until Linux wakes it up. It goes to
 *   the run queue of a CPU which it may use right away: on the old one, it might
 *   wait for a turn that it could not take;
 * - whoever finds itself on another CPU than that of its run queue all the same has
 *   the core follow at its next resched point (stage.c).
 *
 * None of this disturbs what the thread waits for.
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

/* Linux moves a task to another CPU. Locks of its scheduler are held. */
void stock_task_moves(struct task_struct *task)
{
	struct host_task *h = host_find_task(task);

	if (h && READ_ONCE(h->oob))
		irq_work_queue(&h->wish_work);
}

/* A CPU for threads among those which Linux was told of, nr_cpu_ids if none. */
static int any_wished_cpu(struct host_task *h)
{
	int cpu;

	for_each_cpu_and(cpu, h->wish, &evl_oob_cpus)
		if (cpu_active(cpu))
			break;

	return cpu;
}

/* As soon as the locks of the Linux scheduler are dropped. */
static void follow_wish(struct irq_work *work)
{
	struct host_task *h = container_of(work, struct host_task, wish_work);
	int cpu;

	if (!READ_ONCE(h->oob))
		return;

	/* Where it is, or will be when Linux wakes it up. */
	cpu = task_cpu(h->task);
	if (!cpumask_test_cpu(cpu, h->wish) || !cpumask_test_cpu(cpu, &evl_oob_cpus))
		cpu = any_wished_cpu(h);

	if (cpu >= nr_cpu_ids)
		/* There is no CPU for it any more: let it find out. */
		host_ops->signal(h);
	else if (cpu != READ_ONCE(h->home))
		host_ops->relocate(h, cpu);

	stock_queue_work(h);
}

/* The CPU that @h should be on out-of-band, nr_cpu_ids if there is none. */
static int pick_cpu(struct host_task *h)
{
	int cpu = raw_smp_processor_id();

	if (cpumask_test_cpu(cpu, h->wish) && cpumask_test_cpu(cpu, &evl_oob_cpus))
		return cpu;

	cpu = any_wished_cpu(h);

	return cpu < nr_cpu_ids ? cpu : cpumask_any_and(h->wish, cpu_active_mask);
}

/*
 * Current, which is out-of-band from now on, has more than one CPU. Whoever changes
 * that holds the lock: the change is seen here, or we are found out-of-band.
 */
bool stock_mask_is_wide(void)
{
	unsigned long flags;
	bool wide;

	raw_spin_lock_irqsave(&current->pi_lock, flags);
	wide = current->nr_cpus_allowed != 1;
	raw_spin_unlock_irqrestore(&current->pi_lock, flags);

	return wide;
}

/* False if the wish changed meanwhile. */
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
	if (!apply_mask(h))
		set_bit(DUE_MASK, &h->due);
	barrier();
	h->busy = false;
}

int stock_init_affinity(struct host_task *h)
{
	h->wish_work = IRQ_WORK_INIT_HARD(follow_wish);

	return zalloc_cpumask_var(&h->wish, GFP_KERNEL) ? 0 : -ENOMEM;
}

/* From here on, changes are noticed. */
void stock_note_mask(struct host_task *h)
{
	unsigned long flags;

	raw_spin_lock_irqsave(&current->pi_lock, flags);
	cpumask_copy(h->wish, &current->cpus_mask);
	raw_spin_unlock_irqrestore(&current->pi_lock, flags);
}

void stock_exit_affinity(struct host_task *h)
{
	irq_work_sync(&h->wish_work);
	free_cpumask_var(h->wish);
}
