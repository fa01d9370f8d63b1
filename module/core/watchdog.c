// SPDX-License-Identifier: GPL-2.0-only
/*
 * The watchdog: Linux must get each CPU now and then. The thread found running
 * when the out-of-band stage held a CPU for too long is forced in-band.
 *
 * The timer is not stopped when a CPU goes back to Linux, which happens far
 * more often than it may expire: an idle shot finds out and lets it rest.
 */
#include <linux/module.h>
#include <evl/thread.h>
#include <evl/signal-abi.h>
#include "core.h"

static unsigned int watchdog_timeout = 4;
module_param(watchdog_timeout, uint, 0644);
MODULE_PARM_DESC(watchdog_timeout, "seconds a CPU may be kept from Linux (default 4, 0 for ever)");

static ktime_t patience(void)
{
	return (ktime_t)READ_ONCE(watchdog_timeout) * NSEC_PER_SEC;
}

/* From root to a thread: the clock ticks from now on. Run queue locked. */
void evl_watch_cpu(struct evl_rq *rq)
{
	rq->oob_since = rq->last_switch;
	if (!evl_timer_is_running(&rq->wd_timer) && watchdog_timeout)
		evl_start_timer(&rq->wd_timer, rq->oob_since + patience(), 0);
}

static void check_cpu(struct evl_timer *timer)
{
	struct evl_rq *rq = container_of(timer, struct evl_rq, wd_timer);
	struct evl_thread *curr;
	ktime_t date;

	raw_spin_lock(&rq->lock);
	curr = rq->curr;
	date = rq->oob_since + patience();
	if (curr == rq->root || !watchdog_timeout) {
		curr = NULL;
	} else if (date > evl_ktime_monotonic()) {
		curr = NULL;
		evl_start_timer(timer, date, 0);
	} else {
		rq->oob_since = date;
		evl_start_timer(timer, date + patience(), 0);
	}
	raw_spin_unlock(&rq->lock);

	if (!curr)
		return;

	/* Current on this CPU, it cannot go away while we run on top of it. */
	pr_warn("evl: watchdog: thread %s kept CPU%d from Linux for %u s, forcing it in-band\n",
		curr->name, rq->cpu, watchdog_timeout);
	evl_notify_thread(curr, EVL_HMDIAG_WATCHDOG, 0);
	evl_kick_thread(curr);
}

void evl_init_watchdog(struct evl_rq *rq)
{
	evl_init_timer_on_cpu(&rq->wd_timer, &evl_mono_clock, rq->cpu, check_cpu,
			      EVL_GRAVITY_IRQ);
}

void evl_exit_watchdog(struct evl_rq *rq)
{
	evl_destroy_timer(&rq->wd_timer);
}
