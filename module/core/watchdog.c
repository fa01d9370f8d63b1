// SPDX-License-Identifier: GPL-2.0-only
/*
 * The watchdog: Linux must get each CPU now and then. The thread found running
 * when the out-of-band stage held a CPU for too long is forced in-band, and told
 * of in the log. A kernel thread cannot be forced: it is told of only.
 *
 * The timer is not stopped when a CPU goes back to Linux, which happens far
 * more often than it may expire: an idle shot finds out and lets it rest.
 */
#include <linux/irq_work.h>
#include <linux/module.h>
#include <linux/percpu.h>
#include <evl/thread.h>
#include <evl/signal-abi.h>
#include "core.h"

static unsigned int watchdog_timeout = 4;
module_param(watchdog_timeout, uint, 0644);
MODULE_PARM_DESC(watchdog_timeout, "seconds a CPU may be kept from Linux (default 4, 0 for ever)");

/* The last thread which was caught on a CPU; told in-band, where one may print. */
struct report {
	struct irq_work work;
	struct evl_thread *thread;	/* NULL if there is nothing to tell */
	unsigned int seconds;
	int cpu;
};

static DEFINE_PER_CPU(struct report, reports);

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
	bool user = READ_ONCE(thread->state) & EVL_T_USER;

	pr_warn("evl: watchdog: %sthread %s kept CPU%d from Linux for %u s%s\n",
		user ? "" : "kernel ", thread->name, report->cpu,
		report->seconds, user ? ", forcing it in-band" : "");
	smp_store_release(&report->thread, NULL);
	evl_put_thread(thread);
}

/* From the tick. One at a time is enough. */
static void report_thread(struct evl_thread *thread)
{
	struct report *report = this_cpu_ptr(&reports);

	if (smp_load_acquire(&report->thread))
		return;

	evl_get_thread(thread);
	report->seconds = READ_ONCE(watchdog_timeout);
	report->cpu = raw_smp_processor_id();
	WRITE_ONCE(report->thread, thread);
	irq_work_queue(&report->work);
}

/* From root to a thread: the clock ticks from now on. Run queue locked. */
void evl_watch_cpu(struct evl_rq *rq)
{
	rq->oob_since = rq->last_switch;
	rq->wd_caught = false;
	if (!evl_timer_is_running(&rq->wd_timer) && watchdog_timeout)
		evl_start_timer(&rq->wd_timer, rq->oob_since + timeout(), 0);
}

/* Linux had to wait for a user thread, and still has. A kernel thread which runs now is
 * not to blame, unless it has been there for as long itself. */
static bool others_were_caught(struct evl_rq *rq)
{
	return rq->wd_caught && rq->last_switch + timeout() > evl_ktime_monotonic();
}

/* The thread which kept the CPU for too long, NULL if none did. It has a reference:
 * on stock, it may run elsewhere as soon as the run queue is not locked, and leave. */
static struct evl_thread *find_culprit(struct evl_rq *rq)
{
	struct evl_thread *curr;
	ktime_t date;

	raw_spin_lock(&rq->lock);
	curr = rq->curr;
	date = rq->oob_since + timeout();
	if (curr == rq->root || !watchdog_timeout) {
		curr = NULL;
	} else if (date > evl_ktime_monotonic()) {
		curr = NULL;
		evl_start_timer(&rq->wd_timer, date, 0);
	} else if (curr->state & EVL_T_USER || others_were_caught(rq)) {
		/* Others may be in line to go on like that: Linux has waited long
		 * enough, and is next. */
		rq->wd_caught = true;
		evl_start_timer(&rq->wd_timer, evl_ktime_monotonic() + LINUX_IS_NEXT, 0);
		if (curr->state & EVL_T_USER && !(curr->info & EVL_T_KICKED))
			evl_get_thread(curr);
		else
			curr = NULL;
	} else {
		rq->oob_since = date;
		evl_start_timer(&rq->wd_timer, date + timeout(), 0);
		evl_get_thread(curr);
	}
	raw_spin_unlock(&rq->lock);

	return curr;
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
	struct report *report = per_cpu_ptr(&reports, rq->cpu);

	init_irq_work(&report->work, print_report);
	report->thread = NULL;
	evl_init_timer_on_cpu(&rq->wd_timer, &evl_mono_clock, rq->cpu, check_cpu,
			      EVL_GRAVITY_NONE);
}

void evl_exit_watchdog(struct evl_rq *rq)
{
	evl_destroy_timer(&rq->wd_timer);
	irq_work_sync(&per_cpu_ptr(&reports, rq->cpu)->work);
}
