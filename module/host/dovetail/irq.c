// SPDX-License-Identifier: GPL-2.0-only
/*
 * Getting the core's scheduler called.
 *
 * Dovetail offers a module no place to reschedule at the end of an interrupt.
 * If it hit the in-band stage, its last act is to call synchronize_pipeline(),
 * with hard irqs off, in the context of what was interrupted: we step in there.
 * Otherwise, that call is not made unless there is something to synchronize: a
 * synthetic irq which is posted to the out-of-band stage has us called then,
 * in a context which may switch, too, but takes longer to get there.
 */
#include <linux/export.h>
#include <linux/interrupt.h>
#include <linux/irq.h>
#include <linux/irqdomain.h>
#include <linux/smp.h>
#include <asm/irq_regs.h>
#include "dovetail.h"
#include "arch-x86.h"

static unsigned int resched_irq;

DEFINE_PER_CPU(bool, host_resched_due);

/*
 * Runs out-of-band with hard irqs off, and out-of-band irqs stalled, which is
 * not for the core: the context switched to is expected not to be.
 */
static irqreturn_t resched_handler(int irq, void *dev_id)
{
	unstall_oob();
	host_core->schedule();
	stall_oob();

	return IRQ_HANDLED;
}

/* True if we will be called at the end of an interrupt which hit Linux. */
static __always_inline bool hooks_irq_end(void)
{
	const unsigned long *site = READ_ONCE(host_irq_end.site);

	return likely(site) && likely(READ_ONCE(*site)) &&
		arch_calls(*site, host_irq_end.target);
}

/*
 * True if the interrupt hit Linux on the in-band stage, where it will end. The
 * latter is not for granted in the kernel: a task which makes a system call may
 * be on the out-of-band stage for the time that it takes to find out whom the
 * call is for.
 */
static __always_inline bool hit_inband(void)
{
	return raw_cpu_read(host_curr)->is_root &&
		(current->flags & PF_KTHREAD || user_mode(get_irq_regs()));
}

/* Within the handler of an interrupt, where it is not possible now. */
static __always_inline void schedule_later(void)
{
	if (likely(hit_inband()) && hooks_irq_end())
		raw_cpu_write(host_resched_due, true);
	else
		irq_post_oob(resched_irq);
}

/* There may also be a timer to reprogram, so do not second-guess the core. */
static irqreturn_t kick_handler(int irq, void *dev_id)
{
	schedule_later();

	return IRQ_HANDLED;
}

static int schedule_oob(void *arg)
{
	host_core->schedule();

	return 0;
}

/*
 * The way run_oob_call() does it, but for what synchronize_pipeline() is about
 * to do anyway. Nothing but the end of the interrupt is between the wish to
 * come here and us.
 */
void host_schedule_at_irq_end(void)
{
	raw_cpu_write(host_resched_due, false);
	if (WARN_ON_ONCE(running_oob())) {
		irq_post_oob(resched_irq);
		return;
	}

	switch_oob(this_oob_staged());
	host_core->schedule();
	switch_inband(this_inband_staged());
}

/* Afterwards, both stages are synchronized. */
void host_schedule_as_irq_end(void)
{
	raw_cpu_write(host_resched_due, false);
	run_oob_call(schedule_oob, NULL);
}

void host_schedule(void)
{
	unsigned long flags;

	if (on_pipeline_entry()) {
		schedule_later();
		return;
	}

	if (unlikely(test_oob_stall())) {
		flags = hard_local_irq_save();
		irq_post_oob(resched_irq);
		hard_local_irq_restore(flags);
		return;
	}

	if (running_inband())
		run_oob_call(schedule_oob, NULL);
	else
		host_core->schedule();
}
EXPORT_SYMBOL_GPL(host_schedule);

#ifdef CONFIG_SMP

void host_kick_cpu(int cpu)
{
	irq_send_oob_ipi(RESCHEDULE_OOB_IPI, cpumask_of(cpu));
}

static int request_ipi(void)
{
	return __request_percpu_irq(RESCHEDULE_OOB_IPI, kick_handler, IRQF_OOB,
				    "EVL reschedule", &host_this_cpu);
}

static void free_ipi(void)
{
	free_percpu_irq(RESCHEDULE_OOB_IPI, &host_this_cpu);
}

#else

void host_kick_cpu(int cpu) { }
static int request_ipi(void) { return 0; }
static void free_ipi(void) { }

#endif

/*
 * The flag is looked at when leaving a request or an interrupt for user space.
 * A thread which runs on another CPU needs the latter; here, it is in one of
 * the two already, or preempted by whoever calls.
 */
void host_mayday(struct host_task *h)
{
	int cpu = task_cpu(h->task);

	dovetail_send_mayday(h->task);
	if (cpu != raw_smp_processor_id())
		host_kick_cpu(cpu);
}

int host_request_irqs(void)
{
	int ret;

	resched_irq = irq_create_direct_mapping(synthetic_irq_domain);
	if (!resched_irq)
		return -ENOMEM;

	ret = __request_percpu_irq(resched_irq, resched_handler, IRQF_OOB,
				   "EVL switch", &host_this_cpu);
	if (ret)
		goto fail_resched;

	ret = request_ipi();
	if (ret)
		goto fail_ipi;

	return 0;

fail_ipi:
	free_percpu_irq(resched_irq, &host_this_cpu);
fail_resched:
	irq_dispose_mapping(resched_irq);

	return ret;
}

void host_free_irqs(void)
{
	free_ipi();
	free_percpu_irq(resched_irq, &host_this_cpu);
	irq_dispose_mapping(resched_irq);
}
