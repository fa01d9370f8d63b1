// SPDX-License-Identifier: GPL-2.0-only
/*
 * The watchdog: Linux must get each CPU now and then. The thread found running
 * when the out-of-band stage held a CPU for too long is forced in-band, and told
 * of in the log. A kernel thread cannot be forced: it is told of only.
 *
 * The timer is not stopped when a CPU goes back to Linux, which happens far
 * more often than it may expire: an idle shot finds out and lets it rest.
 */
#include <linux/cpumask.h>
#include <linux/irq_work.h>
#include <linux/module.h>
#include <linux/moduleparam.h>
#include <linux/percpu.h>
#include <evl/thread.h>
#include <evl/signal-abi.h>
#include "core.h"

static unsigned int watchdog_timeout = 4;

/* Whose timers are there, guarded by kernel_param_lock(). The parameter may be written
 * to before that, and after. */
static struct cpumask watched_cpus;

static int change_timeout(const char *val, const struct kernel_param *param);

static const struct kernel_param_ops timeout_ops = {
	.set = change_timeout,
	.get = param_get_uint,
};
module_param_cb(watchdog_timeout, &timeout_ops, &watchdog_timeout, 0644);
__MODULE_PARM_TYPE(watchdog_timeout, "uint");
MODULE_PARM_DESC(watchdog_timeout, "seconds a CPU may be kept from Linux (default 4, 0 for ever)");

/* A thread which was caught on a CPU; told in-band, where one may print. */
struct report {
	struct irq_work work;
	struct evl_thread *thread;	/* NULL if there is nothing to tell */
	unsigned int seconds;
	int cpu;
};

/* Linux gets to the first one late, if others go on: one for each kind of threads. */
enum {
	KERNEL_THREAD,
	USER_THREAD,
	NR_KINDS,
};

static DEFINE_PER_CPU(struct report [NR_KINDS], reports);

static int kind_of(struct evl_thread *thread)
{
	return READ_ONCE(thread->state) & EVL_T_USER ? USER_THREAD : KERNEL_THREAD;
}

/* Once the time is over, for the next thread to be sent in-band, ns. */
#define LINUX_IS_NEXT	NSEC_PER_MSEC

static ktime_t timeout(void)
{
	return (ktime_t)READ_ONCE(watchdog_timeout) * NSEC_PER_SEC;
}

static void print_report(struct irq_work *work)
{
	struct report *report = container_of(work, struct report, work);
	struct evl_thread *thread = READ_ONCE(report->thread);
	bool user = kind_of(thread) == USER_THREAD;

	pr_warn("evl: watchdog: %sthread %s kept CPU%d from Linux for %u s%s\n",
		user ? "" : "kernel ", thread->name, report->cpu,
		report->seconds, user ? ", forcing it in-band" : "");
	smp_store_release(&report->thread, NULL);
	evl_put_thread(thread);
}

/* From the tick. One of a kind at a time is enough. */
static void report_thread(struct evl_thread *thread)
{
	struct report *report = this_cpu_ptr(&reports[kind_of(thread)]);

	if (smp_load_acquire(&report->thread))
		return;

	evl_get_thread(thread);
	report->seconds = READ_ONCE(watchdog_timeout);
	report->cpu = raw_smp_processor_id();
	WRITE_ONCE(report->thread, thread);
	irq_work_queue(&report->work);
}

/*
 * From root to a thread: the clock ticks from now on, or still does if the CPU was only
 * vacated. The timer may have found the root in between, and rest. Run queue locked.
 */
void evl_watch_cpu(struct evl_rq *rq)
{
	if (likely(!rq->vacated)) {
		rq->oob_since = rq->last_switch;
		rq->wd_caught = false;
	}
	if (!evl_timer_is_running(&rq->wd_timer) && watchdog_timeout)
		evl_start_timer(&rq->wd_timer, rq->oob_since + timeout(), 0);
}

/* The timer of @rq follows the timeout, which has changed. */
static void adjust_timer(struct evl_rq *rq)
{
	unsigned long flags;

	evl_lock_irqsave(&rq->lock, flags);
	if (rq->curr == rq->root || !watchdog_timeout)
		evl_stop_timer(&rq->wd_timer);
	else
		evl_start_timer(&rq->wd_timer, rq->oob_since + timeout(), 0);
	evl_unlock_irqrestore(&rq->lock, flags);
}

static int change_timeout(const char *val, const struct kernel_param *param)
{
	int cpu, ret;

	ret = param_set_uint(val, param);
	if (!ret)
		for_each_cpu(cpu, &watched_cpus)
			adjust_timer(evl_cpu_rq(cpu));

	return ret;
}

/*
 * Linux has waited for too long, and @curr runs. A user thread is to leave, once. A kernel
 * thread is not to blame if others were caught, unless Linux is still waiting a whole
 * timeout after that: which of several it is does not matter then.
 */
static bool is_to_blame(struct evl_rq *rq, struct evl_thread *curr, ktime_t now)
{
	if (curr->state & EVL_T_USER)
		return !(curr->info & EVL_T_KICKED);

	return !rq->wd_caught || now >= rq->wd_told + timeout();
}

/* When to look again. Others may be in line behind a thread which was caught, to go on
 * like that: Linux has waited long enough, and is next. */
static ktime_t next_look(struct evl_rq *rq, ktime_t now)
{
	return now + (rq->wd_caught ? LINUX_IS_NEXT : timeout());
}

/* The thread which kept the CPU for too long, NULL if none did. It has a reference:
 * on stock, it may run elsewhere as soon as the run queue is not locked, and leave. */
static struct evl_thread *find_culprit(struct evl_rq *rq)
{
	ktime_t now = evl_ktime_monotonic(), date;
	struct evl_thread *curr, *culprit = NULL;

	raw_spin_lock(&rq->lock);
	curr = rq->curr;
	date = rq->oob_since + timeout();
	if (curr == rq->root || !watchdog_timeout)
		goto out;

	if (date <= now) {
		if (is_to_blame(rq, curr, now)) {
			evl_get_thread(curr);
			culprit = curr;
			rq->wd_told = now;
		}
		if (curr->state & EVL_T_USER && !rq->wd_caught) {
			rq->wd_caught = true;
			rq->wd_told = now;
		}
		date = next_look(rq, now);
	}
	evl_start_timer(&rq->wd_timer, date, 0);
out:
	raw_spin_unlock(&rq->lock);

	return culprit;
}

static void check_cpu(struct evl_timer *timer)
{
	struct evl_rq *rq = container_of(timer, struct evl_rq, wd_timer);
	struct evl_thread *curr = find_culprit(rq);

	if (!curr)
		return;

	report_thread(curr);
	evl_notify_thread(curr, EVL_HMDIAG_WATCHDOG, 0);
	/* A kernel thread has no way in-band but its own: a kick would end its
	 * waits from now on, and give Linux nothing. */
	if (curr->state & EVL_T_USER)
		evl_kick_thread(curr);
	evl_put_thread(curr);
}

void evl_init_watchdog(struct evl_rq *rq)
{
	struct report *report = per_cpu(reports, rq->cpu);
	int kind;

	for (kind = 0; kind < NR_KINDS; kind++) {
		init_irq_work(&report[kind].work, print_report);
		report[kind].thread = NULL;
	}
	evl_init_timer_on_cpu(&rq->wd_timer, &evl_mono_clock, rq->cpu, check_cpu,
			      EVL_GRAVITY_NONE);

	kernel_param_lock(THIS_MODULE);
	cpumask_set_cpu(rq->cpu, &watched_cpus);
	kernel_param_unlock(THIS_MODULE);
}

void evl_exit_watchdog(struct evl_rq *rq)
{
	int kind;

	kernel_param_lock(THIS_MODULE);
	cpumask_clear_cpu(rq->cpu, &watched_cpus);
	kernel_param_unlock(THIS_MODULE);

	evl_destroy_timer(&rq->wd_timer);
	for (kind = 0; kind < NR_KINDS; kind++)
		irq_work_sync(&per_cpu(reports, rq->cpu)[kind].work);
}
