// SPDX-License-Identifier: GPL-2.0-only
/*
 * Tasks, stages, and the switch between contexts.
 *
 * The CPU is in-band when its root context runs, which is whatever task Linux
 * scheduled there. Any other context is that of an attached task, which Linux
 * believes to be asleep.
 */
#include <linux/export.h>
#include <linux/irq_work.h>
#include <linux/rcupdate.h>
#include <linux/sched.h>
#include <linux/sched/signal.h>
#include <uapi/linux/sched/types.h>
#include <tasks.h>
#include "dovetail.h"
#include "arch-x86.h"

DEFINE_PER_CPU(struct host_cpu *, host_this_cpu);
DEFINE_PER_CPU(struct host_task *, host_curr);
EXPORT_PER_CPU_SYMBOL_GPL(host_curr);

void host_init_cpu(struct host_cpu *hc, struct host_task *root, int cpu)
{
	memset(hc, 0, sizeof(*hc));
	hc->root = root;
	hc->cpu = cpu;
	hc->armed = KTIME_MAX;
	hc->inband = KTIME_MAX;
	hc->shot = KTIME_MAX;

	memset(root, 0, sizeof(*root));
	root->is_root = true;
	dovetail_init_altsched(&root->altsched);

	per_cpu(host_this_cpu, cpu) = hc;
	per_cpu(host_curr, cpu) = root;
}

/* --- Tasks ------------------------------------------------------------------ */

static void wake_task(struct irq_work *work)
{
	struct host_task *h = container_of(work, struct host_task, wake);

	wake_up_process(h->task);
}

int host_init_task(struct host_task *h)
{
	memset(h, 0, sizeof(*h));
	h->task = current;
	init_irq_work(&h->wake, wake_task);
	dovetail_init_altsched(&h->altsched);

	return 0;
}

void host_attach_task(struct host_task *h)
{
	host_insert_task(h);
	dovetail_start_altsched();
}

void host_detach_task(struct host_task *h)
{
	dovetail_clear_ucall();
	dovetail_stop_altsched();
	host_remove_task(h);
}

void host_destroy_task(struct host_task *h)
{
	irq_work_sync(&h->wake);
}

void host_set_inband_prio(struct host_task *h, int policy, int prio)
{
	struct sched_attr attr = {
		.size = sizeof(attr),
		.sched_policy = policy,
		.sched_priority = prio,
		.sched_nice = task_nice(h->task),
	};

	/* What the user wants children to get is none of our business. */
	if (h->task->sched_reset_on_fork)
		attr.sched_flags = SCHED_FLAG_RESET_ON_FORK;

	/* Cannot fail for a policy and a priority that exist. */
	sched_setattr_nocheck(h->task, &attr);
}

/* --- Switching -------------------------------------------------------------- */

/*
 * Linux lets us in halfway from a kernel thread to a user task: the address
 * space is that of the latter, current is still the former. On return, Dovetail
 * takes that for a kernel thread which borrows an address space, as the task
 * would go on doing: no other CPU would tell it about changes in there, or the
 * next one to do so would have it lose the address space altogether.
 */
static __always_inline void keep_mm(bool borrowed)
{
	if (unlikely(!borrowed && arch_borrows_mm()))
		arch_own_mm();
}

bool host_switch(struct host_cpu *hc, struct host_task *prev,
		 struct host_task *next)
{
	bool inband_tail, borrowed;

	raw_cpu_write(host_curr, next);

	if (next->is_root)
		host_resume_tick(hc);

	if (!prev->is_root)
		return dovetail_context_switch(&prev->altsched, &next->altsched,
					       false);

	/*
	 * Linux may be idle, with RCU not watching this CPU. Threads do rely
	 * on RCU; so does ftrace, which would lose our hooks as soon as some
	 * tracer shares one of them. Both calls are made by the root context,
	 * on the same CPU, hence they pair.
	 */
	borrowed = arch_borrows_mm();
	rcu_oob_prepare_lock();
	inband_tail = dovetail_context_switch(&prev->altsched, &next->altsched,
					      true);
	rcu_oob_finish_lock();
	keep_mm(borrowed);

	return inband_tail;
}

/* --- In-band to out-of-band --------------------------------------------------- */

/*
 * Linux puts current to sleep, then the task which it picks instead has the
 * core resume current out-of-band: see resume_task() in hooks.c. Whoever
 * switched to us left the run queue lock to release.
 */
int host_leave_inband(struct host_task *h)
{
	int ret;

	ret = dovetail_leave_inband();
	if (ret)
		return ret;

	unstall_oob();
	host_core->finish_switch();
	hard_local_irq_enable();

	return 0;
}

/*
 * Whoever changes the affinity of a thread leaves a mark for it to come in-band, and
 * back, only if he finds it out-of-band: see migrate_task() in hooks.c. The barrier
 * pairs with the one in evl_migrate_thread(), so that one of us sees the other.
 */
bool host_has_to_move(void)
{
	smp_mb();

	return unlikely(!cpumask_test_cpu(raw_smp_processor_id(), current->cpus_ptr));
}

void host_ask_return(struct host_task *h)
{
	dovetail_request_ucall(current);
}

/* --- Out-of-band to in-band --------------------------------------------------- */

/* The wakeup happens as soon as Linux has the CPU: not before we left it. */
void host_prepare_inband(struct host_task *h)
{
	irq_work_queue(&h->wake);
}

void host_leave_oob(struct host_task *h)
{
	dovetail_leave_oob();
}

void host_finish_inband(struct host_task *h)
{
	hard_local_irq_enable();
	dovetail_resume_inband();
}
