// SPDX-License-Identifier: GPL-2.0-only
/*
 * The priority of threads in Linux. All those which are out-of-band have the same
 * one, above whatever the rest of the system may use: which of them runs is not
 * for Linux to decide. In-band, a thread has the priority which its EVL attributes
 * give it, below that. A weak thread keeps the latter on both stages.
 *
 * Only the thread itself changes its priority, as Linux expects it to be done
 * from a task. It does so before it gets out-of-band, and right after it left that
 * stage: so a system call, and whatever it forks or executes, runs at the in-band
 * one. The exception is a fault in user space, which Linux begins to serve with
 * interrupts off: that runs at the former priority until it ends.
 */
#include <linux/module.h>
#include <linux/sched/rt.h>
#include <linux/sched/signal.h>
#include <uapi/linux/sched/types.h>
#include "stock.h"

static unsigned int host_prio = 98;
module_param(host_prio, uint, 0444);
MODULE_PARM_DESC(host_prio, "SCHED_FIFO priority in Linux of out-of-band threads, 2-99 (default 98)");

static unsigned int oob_prio(void)
{
	return clamp(host_prio, 2U, (unsigned int)MAX_RT_PRIO - 1);
}

/* Current, out-of-band, is not where all such threads are, for no good reason. */
bool stock_prio_is_off(struct host_task *h)
{
	return unlikely(current->rt_priority != oob_prio() ||
			current->policy != SCHED_FIFO) &&
		!host_ops->weak(h);
}

void stock_sync_prio(struct host_task *h)
{
	struct sched_attr attr = { .size = sizeof(attr) };
	bool busy;

	clear_bit(DUE_PRIO, &h->due);
	smp_mb__after_atomic();

	if (h->oob && !host_ops->weak(h)) {
		attr.sched_policy = SCHED_FIFO;
		attr.sched_priority = oob_prio();
	} else {
		attr.sched_policy = READ_ONCE(h->inband_policy);
		attr.sched_priority = min_t(int, READ_ONCE(h->inband_prio),
					    oob_prio() - 1);
		attr.sched_nice = task_nice(current);
	}

	if (current->policy == attr.sched_policy &&
	    current->rt_priority == attr.sched_priority)
		return;

	/* What the user wants children to get is none of our business. */
	if (current->sched_reset_on_fork)
		attr.sched_flags = SCHED_FLAG_RESET_ON_FORK;

	/* May have to wait for a lock of Linux, which is no reason to leave the
	 * out-of-band stage. */
	busy = h->busy;
	h->busy = true;
	barrier();
	sched_setattr_nocheck(current, &attr);
	barrier();
	h->busy = busy;
}

/*
 * Have @task, which has a signal pending, come to get_signal() once more before it is
 * back in user space, where it sees to what is due: see before_signal(). Linux forgets
 * about this mark nowhere but there.
 */
static void have_signals_looked_at(struct task_struct *task)
{
	if (!(task->flags & PF_KTHREAD) &&
	    !test_and_set_tsk_thread_flag(task, TIF_NOTIFY_SIGNAL))
		kick_process(task);
}

void host_params_changed(struct host_task *h, int policy, int prio)
{
	WRITE_ONCE(h->inband_policy, policy);
	WRITE_ONCE(h->inband_prio, prio);
	set_bit(DUE_PRIO, &h->due);
	smp_mb__after_atomic();
	if (!h->task)
		return;

	/* Linux handles signals once no work is left: others must not go on adding to
	 * it then. */
	if (READ_ONCE(h->oob) || !signal_pending(h->task))
		stock_queue_work(h);
	else
		have_signals_looked_at(h->task);
}

/* What it is was noted when it changed, and may be about to change again: what the
 * caller saw may be older than that. */
void host_set_inband_prio(struct host_task *h, int policy, int prio)
{
	stock_sync_prio(h);
}
