// SPDX-License-Identifier: GPL-2.0-only
/*
 * Semaphores of user space. The count is shared: what is positive can be taken,
 * and anything but negative be added to, without us. Each waiter subtracted one
 * before it slept, so a negative count makes all others come here.
 *
 * Locking: wchan.lock guards the waiters, and each one's share of the count. Who
 * is woken up is decided on the line, never on the count, which may be wrong.
 */
#include <evl/thread.h>
#include "core/core.h"
#include "element/monitor/monitor.h"

/* Back to the count with the unit which it would have got. */
static void waiter_removed(struct evl_wait_channel *wchan, struct evl_thread *waiter,
			   struct evl_chain_walk *walk)
{
	struct evl_event *event = container_of(wchan, struct evl_event, wchan);

	atomic_inc(evl_event_value(evl_monitor_of_event(event)));
}

void evl_init_count(struct evl_monitor *mon)
{
	evl_init_wchan(&mon->event.wchan, "sem");
	mon->event.wchan.removed = waiter_removed;
	evl_init_poll_head(&mon->event.poll_head);
}

static void signal_poll(struct evl_monitor *mon)
{
	if (atomic_read(evl_event_value(mon)) > 0)
		evl_signal_poll_events(&mon->event.poll_head,
				       EPOLLIN | EPOLLRDNORM);
}

/* What each of them had taken is given back. */
static bool send_away(struct evl_wait_channel *wchan, struct evl_flush *flush)
{
	struct evl_event *event = container_of(wchan, struct evl_event, wchan);
	int before = flush->count;
	bool more = evl_flush_step(wchan, flush);

	atomic_add(flush->count - before,
		   evl_event_value(evl_monitor_of_event(event)));

	return more;
}

static void flush_waiters(struct evl_monitor *mon, struct evl_flush *flush)
{
	struct evl_wait_channel *wchan = &mon->event.wchan;
	unsigned long flags;

	evl_lock_irqsave(&wchan->lock, flags);
	evl_run_flush(wchan, flush, flags);
}

void evl_flush_count(struct evl_monitor *mon, struct evl_file *file)
{
	struct evl_flush flush = {
		.step = send_away,
		.reason = EVL_T_RMID,
		.file = file,
		.nr_files = &mon->element.nr_files,
	};

	flush_waiters(mon, &flush);
}

int evl_broadcast_count(struct evl_monitor *mon)
{
	struct evl_flush flush = { .step = send_away, .reason = EVL_T_BCAST };

	flush_waiters(mon, &flush);

	return 0;
}

int evl_try_count(struct evl_monitor *mon)
{
	return atomic_dec_if_positive(evl_event_value(mon)) < 0 ? -EAGAIN : 0;
}

int evl_wait_count(struct evl_monitor *mon, ktime_t timeout)
{
	struct evl_wait_channel *wchan = &mon->event.wchan;
	unsigned long flags;
	int ret = 0;
	bool taken;

	evl_lock_irqsave(&wchan->lock, flags);
	taken = atomic_dec_return(evl_event_value(mon)) >= 0;
	if (!taken) {
		ret = evl_sleep_on(wchan, mon->clock, timeout, EVL_ABS, true);
		if (unlikely(ret))
			atomic_inc(evl_event_value(mon));
	}
	evl_unlock_irqrestore(&wchan->lock, flags);

	if (taken || unlikely(ret))
		return ret;

	ret = evl_wait_schedule(wchan);
	if (!ret && READ_ONCE(evl_current()->info) & EVL_T_BCAST)
		ret = -EAGAIN;

	return ret;
}

/* One more, unless there are as many as there can be. */
static int add_unit(struct evl_monitor *mon)
{
	int old = atomic_read(evl_event_value(mon));

	do {
		if (old == INT_MAX)
			return -EOVERFLOW;
	} while (!atomic_try_cmpxchg(evl_event_value(mon), &old, old + 1));

	return 0;
}

int evl_signal_count(struct evl_monitor *mon, bool one)
{
	struct evl_wait_channel *wchan = &mon->event.wchan;
	unsigned long flags;
	int ret = 0;

	evl_lock_irqsave(&wchan->lock, flags);
	if (one) {
		ret = add_unit(mon);
		evl_wake_up_head(wchan, 0);
	}
	signal_poll(mon);
	evl_sched_unlock(&wchan->lock, flags);

	return ret;
}

__poll_t evl_poll_count(struct evl_monitor *mon, struct evl_poll_wait *wait)
{
	evl_watch_event(mon, wait);

	return atomic_read(evl_event_value(mon)) > 0 ?
		EPOLLIN | EPOLLRDNORM : 0;
}
