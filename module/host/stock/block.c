// SPDX-License-Identifier: GPL-2.0-only
/*
 * How Linux is made to obey our scheduler.
 *
 * Out-of-band threads are tasks of one same high SCHED_FIFO priority (prio.c), each
 * on one CPU (affinity.c). Those which the core did not pick block at a resched
 * point, i.e. on the way out of a call to the core, or of the kernel (by task
 * work) if an interrupt took the CPU from them. Hence Linux finds one runnable
 * at most, and the moment at which it is preempted depends on where it runs
 * in the kernel: never inside of it.
 *
 * Blocked threads wait for their turn, or for what they wait for: the core knows,
 * and picks them when both have come. Whoever has to handle a signal does not wait
 * any more, and needs no turn for that: it leaves the out-of-band stage.
 *
 * Races: "picked" and "blocked" make a store/load pair,
 *
 *	host_switch()			block()
 *	  picked = true			  blocked = true
 *	  smp_mb()			  set_current_state() (full barrier)
 *	  if (blocked) wake up		  if (!picked) schedule()
 *
 * so that either the task does not sleep, or it is woken up.
 */
#include <linux/cgroup.h>
#include <linux/sched/signal.h>
#include "stock.h"

/* Bits of host_task.queued. */
enum {
	WORK_CLAIMED,			/* by whoever queues task work */
	WORK_ADDED,			/* and Linux has it */
};

/*
 * Kernel threads never are on their way to user space: they come to a resched
 * point at their next call to the core. Others may take long to get there, asleep
 * in Linux as they please, and be no thread of the core any more by then: what is
 * queued keeps @h.
 */
static void add_work(struct host_task *h)
{
	if (!host_ops->hold(h)) {
		clear_bit(WORK_CLAIMED, &h->queued);
		return;
	}

	/* An exiting task goes no further than its exit hook. */
	if (task_work_add(h->task, &h->work, TWA_RESUME)) {
		clear_bit(WORK_CLAIMED, &h->queued);
		host_ops->unhold(h);
		return;
	}

	smp_mb__before_atomic();
	set_bit(WORK_ADDED, &h->queued);
}

/* Claimed, and not added: so it is only while somebody has irqs off. */
static bool being_queued(struct host_task *h)
{
	return READ_ONCE(h->queued) == BIT(WORK_CLAIMED);
}

/*
 * Who finds it queued by somebody else may rely on that. The task itself might be in
 * user space before the other one is through, whose CPU may be a virtual one which
 * does not run: so it waits. The other one is on another CPU, since it has irqs off.
 */
void stock_queue_work(struct host_task *h)
{
	unsigned long flags;

	if (h->task->flags & PF_KTHREAD)
		return;

	flags = hard_local_irq_save();
	if (!test_and_set_bit(WORK_CLAIMED, &h->queued)) {
		add_work(h);
	} else if (h->task == current) {
		while (being_queued(h))
			cpu_relax();
	}
	hard_local_irq_restore(flags);
}

/* A wait ends by that, if there is one, before the stage is left. Its end is no
 * resched point: that is where we are. */
static void leave_for_signal(struct host_task *h)
{
	h->busy = true;
	host_ops->signal(h);
	h->busy = false;
	host_ops->demote(h, HOST_CAUSE_SIGNAL, 0);
}

/*
 * Current is out-of-band, not picked, preemptible. Comes back when it is picked, or
 * in-band.
 */
static void block(struct host_task *h)
{
	for (;;) {
		WRITE_ONCE(h->blocked, true);
		set_current_state(TASK_INTERRUPTIBLE);
		if (READ_ONCE(h->picked) || signal_pending(current))
			break;
		schedule();
	}

	__set_current_state(TASK_RUNNING);
	WRITE_ONCE(h->blocked, false);

	if (unlikely(!READ_ONCE(h->picked) && signal_pending(current)))
		leave_for_signal(h);
}

/* How often a thread sees to what is due in Linux, at one resched point. */
#define MAX_ROUNDS	16

/* Nothing is due, and current is where the core wants it. */
static __always_inline bool nothing_due(struct host_task *h)
{
	if (unlikely(READ_ONCE(h->due)))
		return false;
	if (!h->oob)
		return true;

	return READ_ONCE(h->picked) &&
		likely(READ_ONCE(h->home) == raw_smp_processor_id());
}

static bool is_wanted_inband(struct host_task *h)
{
	return signal_pending(current) || host_ops->kicked(h);
}

/*
 * Whoever may set the affinity of current, or its priority, may do so all the time,
 * and nobody could even kill it then: so a signal, or the watchdog, makes it leave
 * in-band, with these as they are until the next time.
 */
static noinline void pass_resched_point(struct host_task *h)
{
	int rounds = 0;

	do {
		if (READ_ONCE(h->due) && rounds++ >= MAX_ROUNDS) {
			if (!h->oob)
				return;
			if (is_wanted_inband(h)) {
				leave_for_signal(h);
				return;
			}
		}
		if (test_bit(DUE_PRIO, &h->due))
			stock_sync_prio(h);
		if (test_bit(DUE_MASK, &h->due))
			stock_sync_mask(h);
		/* Ahead of a wait, which that ends. */
		if (test_and_clear_bit(DUE_NOTICE, &h->due))
			host_ops->deliver(h);
		if (!h->oob)
			continue;
		if (READ_ONCE(h->home) != raw_smp_processor_id())
			host_ops->follow_move(h);
		else if (!READ_ONCE(h->picked))
			block(h);
	} while (!nothing_due(h));
}

void host_resched_point(void)
{
	struct host_task *h = host_current();

	if (!h || likely(nothing_due(h)))
		return;

	if (preemptible()) {
		/* Whatever is called from there comes here again. */
		if (!h->busy)
			pass_resched_point(h);
		return;
	}

	/* As much as can be done at once, for what may follow in Linux. */
	if (test_bit(DUE_PRIO, &h->due) && !h->oob && !in_interrupt() &&
	    !irqs_disabled())
		stock_sync_prio(h);
	stock_queue_work(h);
}
EXPORT_SYMBOL_GPL(host_resched_point);

/*
 * Does nothing but signals come before user space? Linux has work run in the middle of a
 * stop as well, once woken up in the freezer, or ahead of what it tells a debugger. After
 * that, work is queued once more, as the task looks at signals, or gets its CPU back.
 */
static bool is_way_out(struct host_task *h)
{
	bool in_notify = h->in_notify;

	h->in_notify = false;

	return !in_notify && !cgroup_task_frozen(current);
}

/* On the way to user space, as a rule. */
static void run_task_work(struct callback_head *head)
{
	struct host_task *h = container_of(head, struct host_task, work);
	bool way_out = is_way_out(h);

	/* From here on, another one may be queued, once this one is. */
	while (being_queued(h))
		cpu_relax();
	xchg(&h->queued, 0);

	if (h->attached && h->leaving) {
		host_ops->exit(h);
	} else if (h->attached) {
		if (h->oob && host_ops->kicked(h))
			host_ops->demote(h, HOST_CAUSE_SIGNAL, 0);
		host_resched_point();
		host_ops->deliver(h);
		if (way_out)
			host_ops->come_back(h);
	}

	host_ops->unhold(h);
}

void stock_init_work(struct host_task *h)
{
	h->queued = 0;
	init_task_work(&h->work, run_task_work);
}

bool host_switch(struct host_cpu *hc, struct host_task *prev,
		 struct host_task *next)
{
	if (prev->task) {
		WRITE_ONCE(prev->picked, false);
		/* Current comes to a resched point on its own, unless it was interrupted. */
		if (prev->oob && (prev->task != current || in_hardirq()))
			stock_queue_work(prev);
	}

	if (next->task) {
		WRITE_ONCE(next->picked, true);
		smp_mb();
		if (READ_ONCE(next->blocked))
			wake_up_process(next->task);
	}

	return false;
}

void host_schedule(void)
{
	host_ops->schedule();
}
EXPORT_SYMBOL_GPL(host_schedule);

void host_mayday(struct host_task *h)
{
	stock_queue_work(h);
}

/*
 * A task tells itself as soon as it can: it may be about to wait for long. Else, not by
 * irq_work out-of-band: with PREEMPT_RT that waits for a kernel thread, and a signal
 * cannot be sent from an interrupt anyway. In-band, task work alone would wait for
 * whatever the task sleeps on in Linux.
 */
void host_notify(struct host_task *h, struct irq_work *work)
{
	if (h->task == current && !in_interrupt())
		set_bit(DUE_NOTICE, &h->due);
	stock_queue_work(h);
	if (!READ_ONCE(h->oob))
		irq_work_queue(work);
}
