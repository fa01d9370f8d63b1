// SPDX-License-Identifier: GPL-2.0-only
/* Telling who calls us in a context which is not for that: see assert.h. */
#include <linux/export.h>
#include <linux/printk.h>
#include <linux/sched/signal.h>
#include <evl/assert.h>
#include <evl/thread.h>

static const char *context_of_caller(void)
{
	struct evl_thread *curr;

	if (host_in_irq())
		return "an interrupt";
	curr = evl_current();
	if (curr && !evl_is_inband(curr))
		return "a thread out-of-band";
	if (hard_irqs_disabled() || irqs_disabled())
		return "a section with interrupts off";

	return curr ? "a thread in-band" : "a task which is not attached";
}

bool evl_was_sent_inband(struct evl_thread *curr)
{
	return !host_in_irq() && evl_is_inband(curr) &&
		(curr->in_request || signal_pending(current));
}
EXPORT_SYMBOL_GPL(evl_was_sent_inband);

/* The request in progress starts over: see evl_serve_request(). */
int evl_refuse_waiter(struct evl_thread *curr)
{
	unsigned long flags;
	struct evl_rq *rq;

	if (!curr || !evl_was_sent_inband(curr))
		return -EPERM;

	rq = evl_lock_thread_rq_irqsave(curr, flags);
	curr->info |= EVL_T_BREAK;
	evl_unlock_irqrestore(&rq->lock, flags);
	curr->not_begun = true;

	return -EINTR;
}
EXPORT_SYMBOL_GPL(evl_refuse_waiter);

void evl_report_caller(const char *func, void *caller, const char *only_for)
{
	pr_err("evl: %s() is for %s, and was called by %s (%s[%d], %pS)\n",
	       func, only_for, context_of_caller(), current->comm,
	       task_pid_nr(current), caller);
}
EXPORT_SYMBOL_GPL(evl_report_caller);
