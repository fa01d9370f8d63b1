// SPDX-License-Identifier: GPL-2.0-only
/*
 * Tasks and stages. An out-of-band thread is a Linux task all the same, hence it
 * may leave that stage without passing by here: by falling asleep inside
 * Linux, where a debugger stopped it, or while a page is read from a disk. Or it
 * may find itself on another CPU. Linux tells when it takes the CPU from one of
 * our tasks and gives it one, by preempt notifiers: what it really did, that is.
 */
#include <linux/rcupdate.h>
#include <linux/sched/signal.h>
#include <asm/syscall.h>
#include <tasks.h>
#include "stock.h"

/* --- System calls ----------------------------------------------------------- */

/*
 * An out-of-band thread has Linux look at each of its system calls before it does
 * anything about them, which is where we watch (hooks.c). Other tasks do not pay
 * for that. The means is syscall user dispatch, set such that calls from anywhere
 * in the program are to be left alone; if the program uses that itself, it is set
 * already.
 */
static void watch_syscalls(struct host_task *h)
{
	h->own_dispatch = test_task_syscall_work(h->task, SYSCALL_USER_DISPATCH);
	if (likely(!h->own_dispatch)) {
		h->task->syscall_dispatch.offset = 0;
		h->task->syscall_dispatch.len = ULONG_MAX;
		set_task_syscall_work(h->task, SYSCALL_USER_DISPATCH);
	}
}

/* The range stays, which counts for nothing without the mark: Linux may be about
 * to look at it, for the call which has the thread leave. */
static void unwatch_syscalls(struct host_task *h)
{
	if (likely(!h->own_dispatch))
		clear_task_syscall_work(h->task, SYSCALL_USER_DISPATCH);
}

/* Current is in-band, and leaves nothing of ours to debuggers: a mark is its own. */
static void forget_range(void)
{
	if (test_syscall_work(SYSCALL_USER_DISPATCH))
		return;

	current->syscall_dispatch.offset = 0;
	current->syscall_dispatch.len = 0;
}

/* --- Losing the CPU, and getting one -------------------------------------------------- */

/* Current loses the CPU to @next. Hard irqs off, run queue of Linux locked. */
static void sched_out(struct preempt_notifier *pn, struct task_struct *next)
{
	struct host_task *h = container_of(pn, struct host_task, notifier);

	unsigned int state = READ_ONCE(current->__state);

	if (!h->oob || h->blocked || h->busy || !state)
		return;

	/* A lock which sleeps on PREEMPT_RT is held for a moment, as it spins
	 * elsewhere. Nobody would have a kernel thread come back. */
	if (state & TASK_RTLOCK_WAIT || current->flags & PF_KTHREAD)
		return;

	WRITE_ONCE(h->asleep, true);
	irq_work_queue(&h->asleep_work);
}

/* Current got the CPU back, or another one: hard irqs on, nothing locked. */
static void sched_in(struct preempt_notifier *pn, int cpu)
{
	struct host_task *h = container_of(pn, struct host_task, notifier);

	if (unlikely(h->asleep))
		WRITE_ONCE(h->asleep, false);
	h->in_notify = false;
	if (!h->oob) {
		/* A debugger may have had it go on in the middle of a call which it stepped
		 * into: no signal comes of that step any more. */
		if (unlikely(host_ops->comes_back(h)))
			stock_queue_work(h);
		return;
	}
	if (unlikely(READ_ONCE(h->home) != cpu))
		stock_queue_work(h);
	/* Whoever changed it from outside did so for the in-band stage. */
	if (unlikely(stock_prio_is_off(h))) {
		set_bit(DUE_PRIO, &h->due);
		stock_queue_work(h);
	}
}

struct preempt_ops stock_preempt_ops = {
	.sched_in = sched_in,
	.sched_out = sched_out,
};
EXPORT_SYMBOL_GPL(stock_preempt_ops);

/* As soon as the run queue is not locked any more. */
static void left_asleep(struct irq_work *work)
{
	struct host_task *h = container_of(work, struct host_task, asleep_work);

	/* It is on its way into user memory, from where it entered the kernel. */
	host_ops->asleep(h, h->task->ptrace ? HOST_CAUSE_PTRACE : HOST_CAUSE_TRAP,
			 instruction_pointer(task_pt_regs(h->task)));
}

/* --- Stages ----------------------------------------------------------------- */

int host_leave_inband(struct host_task *h)
{
	unsigned long flags;

	if (signal_pending(current))
		return -ERESTARTSYS;

	WRITE_ONCE(h->oob, true);
	watch_syscalls(h);
	stock_sync_prio(h);
	if (unlikely(stock_mask_is_wide()))
		stock_sync_mask(h);

	flags = hard_local_irq_save();
	host_ops->enter_oob(h);
	host_ops->schedule();
	hard_local_irq_restore(flags);
	host_resched_point();

	/* A signal may have had it leave again, in line for the CPU. */
	return h->oob ? 0 : -ERESTARTSYS;
}

/* Changes are wishes, which are found at the resched point in there: affinity.c. */
bool host_has_to_move(void)
{
	return false;
}

void host_prepare_inband(struct host_task *h)
{
}

void host_ask_return(struct host_task *h)
{
	stock_queue_work(h);
}

/* Not necessarily by the thread itself: it may be asleep inside Linux. */
void host_leave_oob(struct host_task *h)
{
	if (!h->oob)
		return;

	WRITE_ONCE(h->oob, false);
	unwatch_syscalls(h);
	if (!host_ops->weak(h))
		set_bit(DUE_PRIO, &h->due);
	if (unlikely(!cpumask_equal(&h->task->cpus_mask, h->wish)))
		set_bit(DUE_MASK, &h->due);
	/* One which fell asleep comes to no resched point by itself any more. */
	if (unlikely(h->task != current && READ_ONCE(h->due)))
		stock_queue_work(h);
}

void host_finish_inband(struct host_task *h)
{
}

/* --- Tasks ------------------------------------------------------------------ */

int host_init_task(struct host_task *h)
{
	int ret;

	ret = stock_init_affinity(h);
	if (ret)
		return ret;

	h->oob = false;
	h->picked = false;
	h->blocked = false;
	h->asleep = false;
	h->busy = false;
	h->leaving = false;
	h->home = -1;
	h->due = 0;
	h->nr_wishes = 0;
	h->inband_policy = current->policy;
	h->inband_prio = current->rt_priority;
	h->asleep_work = IRQ_WORK_INIT_HARD(left_asleep);
	preempt_notifier_init(&h->notifier, &stock_preempt_ops);
	stock_init_work(h);

	return 0;
}

void host_attach_task(struct host_task *h)
{
	h->attached = true;
	host_insert_task(h);
	stock_note_mask(h);
	preempt_notifier_register(&h->notifier);
}

void host_detach_task(struct host_task *h)
{
	/* What is due is seen to as long as anybody knows of it. */
	if (preemptible() && !(current->flags & PF_EXITING))
		host_resched_point();
	forget_range();
	preempt_notifier_unregister(&h->notifier);
	host_remove_task(h);
	h->attached = false;
}

/* Whoever found it in the table may still be looking at it, and so may an interrupt.
 * Nobody queues work any more, nor is any queued: see stock_queue_work(). */
void host_destroy_task(struct host_task *h)
{
	synchronize_rcu();
	irq_work_sync(&h->asleep_work);
	stock_exit_affinity(h);
}
