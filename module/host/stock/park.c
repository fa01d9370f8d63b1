// SPDX-License-Identifier: GPL-2.0-only
/*
 * How Linux is made to obey our scheduler.
 *
 * Out-of-band threads are tasks of one same high SCHED_FIFO priority, pinned to
 * a CPU. Those which the core did not pick are parked: asleep in schedule() at
 * a settling point, i.e. on the way out of a call to the core, or of the kernel
 * (a task_work) if an interrupt took the CPU from them. Hence Linux finds one
 * runnable at most, and the moment at which it is preempted depends on where it
 * runs in the kernel: never inside of it.
 *
 * A thread in-band has the priority which its EVL attributes give it in Linux,
 * below that of any out-of-band thread.
 *
 * Races: "picked" and "parked" make a store/load pair,
 *
 *	host_switch()			park()
 *	  picked = true			  parked = true
 *	  smp_mb()			  set_current_state() (full barrier)
 *	  if (parked) wake up		  if (!picked) schedule()
 *
 * so that either the task does not sleep, or it is woken up.
 */
#include <linux/delay.h>
#include <linux/module.h>
#include <linux/sched/rt.h>
#include <linux/sched/signal.h>
#include <uapi/linux/sched/types.h>
#include <evl/rq.h>
#include <tasks.h>
#include "stock.h"

static unsigned int host_prio = 98;
module_param(host_prio, uint, 0444);
MODULE_PARM_DESC(host_prio, "SCHED_FIFO priority in Linux of out-of-band threads, 2-99 (default 98)");

enum {
	CHECKPOINT_QUEUED,
	CHECKPOINT_RUNNING,
};

static void queue_checkpoint(struct host_task *h)
{
	if (h->task->flags & PF_KTHREAD ||
	    test_and_set_bit(CHECKPOINT_QUEUED, &h->work_flags))
		return;

	/* An exiting task goes no further than its exit hook. */
	if (task_work_add(h->task, &h->checkpoint, TWA_RESUME))
		clear_bit(CHECKPOINT_QUEUED, &h->work_flags);
}

/* --- Priority in Linux ------------------------------------------------------ */

static unsigned int oob_prio(void)
{
	return clamp(host_prio, 2U, (unsigned int)MAX_RT_PRIO - 1);
}

/* Current task, preemptible. */
static void sync_prio(struct host_task *h)
{
	struct sched_attr attr = { .size = sizeof(attr) };

	WRITE_ONCE(h->stale, false);
	if (h->oob && !host_ops->weak(h)) {
		attr.sched_policy = SCHED_FIFO;
		attr.sched_priority = oob_prio();
	} else {
		attr.sched_policy = READ_ONCE(h->inband_policy);
		attr.sched_priority = min_t(int, READ_ONCE(h->inband_prio),
					    oob_prio() - 1);
		attr.sched_nice = task_nice(current);
	}

	if (current->policy != attr.sched_policy ||
	    current->rt_priority != attr.sched_priority)
		sched_setattr_nocheck(current, &attr);
}

void host_params_changed(struct host_task *h, int policy, int prio)
{
	WRITE_ONCE(h->inband_policy, policy);
	WRITE_ONCE(h->inband_prio, prio);
	WRITE_ONCE(h->stale, true);
	if (h->task)
		queue_checkpoint(h);
}

void host_set_inband_prio(struct host_task *h, int policy, int prio)
{
	WRITE_ONCE(h->inband_policy, policy);
	WRITE_ONCE(h->inband_prio, prio);
	sync_prio(h);
}

/* --- Parking ---------------------------------------------------------------- */

/*
 * Current is out-of-band, not picked, preemptible. A signal ends the wait that
 * it is in, if any; otherwise it has to wait for its turn before it can handle
 * the signal. That sleep is TASK_IDLE: no load, no hung task.
 */
static void park(struct host_task *h)
{
	unsigned int state;

	for (;;) {
		state = host_ops->waits(h) ? TASK_INTERRUPTIBLE : TASK_IDLE;
		/* Each time: to handle a signal may have us park in there. */
		WRITE_ONCE(h->parked, true);
		set_current_state(state);
		if (READ_ONCE(h->picked))
			break;
		if (state == TASK_INTERRUPTIBLE && signal_pending(current)) {
			__set_current_state(TASK_RUNNING);
			host_ops->signal(h);
			continue;
		}
		schedule();
	}

	__set_current_state(TASK_RUNNING);
	WRITE_ONCE(h->parked, false);
}

void host_settle(void)
{
	struct host_task *h = host_current();

	if (!h)
		return;

	if (likely((h->oob ? READ_ONCE(h->picked) : true) &&
		   !READ_ONCE(h->stale)))
		return;

	if (!preemptible()) {
		queue_checkpoint(h);
		return;
	}

	if (READ_ONCE(h->stale))
		sync_prio(h);
	if (h->oob && !READ_ONCE(h->picked))
		park(h);
}
EXPORT_SYMBOL_GPL(host_settle);

/* We are told ahead of a move: until it is over, current may still be here. */
static void await_move(void)
{
	unsigned long flags;

	/* Held from before stock_task_moves() until the new affinity is set. */
	raw_spin_lock_irqsave(&current->pi_lock, flags);
	raw_spin_unlock_irqrestore(&current->pi_lock, flags);

	while (!cpumask_test_cpu(raw_smp_processor_id(), current->cpus_ptr))
		schedule_timeout_uninterruptible(1);
}

/*
 * The core learns of another CPU when a thread comes from the in-band stage,
 * so that is where this one passes by, to be back out-of-band in user space.
 */
static void follow_move(struct host_task *h)
{
	if (likely(!READ_ONCE(h->moved)))
		return;

	WRITE_ONCE(h->moved, false);
	if (h->oob)
		host_ops->demote(h, HOST_CAUSE_NONE, 0);
	await_move();
	host_ops->promote(h);
}

void stock_task_moves(struct host_task *h)
{
	if (!READ_ONCE(h->oob))
		return;

	WRITE_ONCE(h->moved, true);
	/* Pairs with that of host_leave_inband(). */
	smp_mb();
	host_ops->migrate(h);
	queue_checkpoint(h);
}

/* On the way to user space. */
static void run_checkpoint(struct callback_head *head)
{
	struct host_task *h = container_of(head, struct host_task, checkpoint);

	set_bit(CHECKPOINT_RUNNING, &h->work_flags);
	/* From here on, another one may be queued. */
	clear_bit(CHECKPOINT_QUEUED, &h->work_flags);
	smp_mb__after_atomic();

	if (h->attached) {
		if (h->oob && host_ops->kicked(h))
			host_ops->demote(h, HOST_CAUSE_SIGNAL, 0);
		follow_move(h);
		host_settle();
		host_ops->deliver(h);
	}

	clear_bit(CHECKPOINT_RUNNING, &h->work_flags);
}

bool host_switch(struct host_cpu *hc, struct host_task *prev,
		 struct host_task *next)
{
	if (prev->task) {
		WRITE_ONCE(prev->picked, false);
		/* Current settles on its own, unless it was interrupted. */
		if (prev->oob && (prev->task != current || in_hardirq()))
			queue_checkpoint(prev);
	}

	if (next->task) {
		WRITE_ONCE(next->picked, true);
		smp_mb();
		if (READ_ONCE(next->parked))
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
	queue_checkpoint(h);
}

/*
 * Not by irq_work: with PREEMPT_RT that waits for a kernel thread, and a signal
 * cannot be sent from an interrupt anyway.
 */
void host_notify(struct host_task *h, struct irq_work *work)
{
	queue_checkpoint(h);
}

/* --- Stages ----------------------------------------------------------------- */

/*
 * A thread which is moved by Linux must not get ahead of the core, nor the core
 * wait for it on a CPU which it is about to leave:
 * - the CPU it comes from, once kicked, stops to take it for its current one;
 * - a move which began before it was worth telling us is over;
 * - one which begins now finds it out-of-band, or is found by it.
 */
int host_leave_inband(struct host_task *h)
{
	unsigned long flags;

	if (signal_pending(current))
		return -ERESTARTSYS;

	while (unlikely(READ_ONCE(h->picked)))
		cpu_relax();

	WRITE_ONCE(h->oob, true);
	sync_prio(h);
	await_move();

	preempt_disable();
	flags = hard_local_irq_save();
	host_ops->enter_oob(h);
	smp_mb();
	if (unlikely(READ_ONCE(h->moved)))
		host_ops->migrate(h);
	host_ops->schedule();
	hard_local_irq_restore(flags);
	preempt_enable();
	host_settle();

	return 0;
}

void host_prepare_inband(struct host_task *h)
{
}

/* Its rank in Linux goes down at the next settling point. */
void host_leave_oob(struct host_task *h)
{
	h->oob = false;
	if (!host_ops->weak(h))
		WRITE_ONCE(h->stale, true);
}

void host_finish_inband(struct host_task *h)
{
}

/* --- Tasks ------------------------------------------------------------------ */

void host_init_task(struct host_task *h)
{
	h->oob = false;
	h->picked = false;
	h->parked = false;
	h->stale = false;
	h->moved = false;
	h->work_flags = 0;
	h->inband_policy = current->policy;
	h->inband_prio = current->rt_priority;
	init_task_work(&h->checkpoint, run_checkpoint);
}

void host_attach_task(struct host_task *h)
{
	h->attached = true;
	host_insert_task(h);
}

void host_detach_task(struct host_task *h)
{
	host_remove_task(h);
	h->attached = false;
}

/* The task ends, or is on its way to user space: its checkpoint comes soon. */
void host_destroy_task(struct host_task *h)
{
	while (READ_ONCE(h->work_flags))
		msleep(1);
}
