// SPDX-License-Identifier: GPL-2.0-only
/*
 * Groups of 32 flags. User space only peeks at the value; it waits out-of-band
 * by requests, or in-band through read(2) and poll(2).
 *
 * Locking: wchan.lock guards the value, and the waiters. Bits which are posted
 * go to waiters in line first; in-band readers get what is left.
 */
#include <linux/sched/signal.h>
#include <evl/thread.h>
#include "core/core.h"
#include "element/monitor/monitor.h"

/* On the stack of a waiter, at thread->wait_data. */
struct mask_wait {
	u32 bits;
	bool exact;
	u32 got;
};

static void wake_inband(struct irq_work *work)
{
	wake_up_all(&container_of(work, struct evl_event, wake_inband)->inband);
}

void evl_init_mask(struct evl_monitor *mon)
{
	struct evl_event *event = &mon->event;

	evl_init_wchan(&event->wchan, "flags");
	evl_init_poll_head(&event->poll_head);
	init_waitqueue_head(&event->inband);
	init_irq_work(&event->wake_inband, wake_inband);
}

void evl_destroy_mask(struct evl_monitor *mon)
{
	irq_work_sync(&mon->event.wake_inband);
}

/* What @wait would get out of @value. */
static u32 match(const struct mask_wait *wait, u32 value)
{
	u32 got = value & wait->bits;

	return wait->exact && got != wait->bits ? 0 : got;
}

static u32 mask_value(struct evl_monitor *mon)
{
	return atomic_read(evl_event_value(mon));
}

/* Lock held. */
static void value_changed(struct evl_monitor *mon)
{
	struct evl_event *event = &mon->event;

	evl_signal_poll_events(&event->poll_head, mask_value(mon) ?
			       EPOLLIN | EPOLLRDNORM : EPOLLOUT | EPOLLWRNORM);
	if (wq_has_sleeper(&event->inband))
		irq_work_queue(&event->wake_inband);
}

static bool collect(struct evl_monitor *mon, struct mask_wait *wait)
{
	wait->got = match(wait, mask_value(mon));
	if (!wait->got)
		return false;

	atomic_andnot(wait->got, evl_event_value(mon));
	value_changed(mon);

	return true;
}

/* The bits which the first waiter that can be satisfied gets, which is woken up. */
static u32 serve_first(struct evl_wait_channel *wchan, u32 value)
{
	struct evl_thread *waiter, *next;
	struct mask_wait *wait;

	evl_for_each_waiter_safe(waiter, next, wchan) {
		wait = waiter->wait_data;
		wait->got = match(wait, value);
		if (wait->got) {
			evl_wake_up(wchan, waiter, 0);
			return wait->got;
		}
	}

	return 0;
}

/* The bits which all waiters get together. They have them from now on, whatever
 * ends their wait, and are woken up afterwards. */
static u32 serve_all(struct evl_wait_channel *wchan, u32 value)
{
	struct evl_thread *waiter, *next;
	struct mask_wait *wait;
	u32 served = 0;

	evl_for_each_waiter_safe(waiter, next, wchan) {
		wait = waiter->wait_data;
		wait->got = match(wait, value);
		served |= wait->got;
	}

	return served;
}

static bool was_served(const struct evl_thread *waiter)
{
	const struct mask_wait *wait = waiter->wait_data;

	return wait->got;
}

void evl_post_mask(struct evl_monitor *mon, u32 bits, bool all)
{
	struct evl_flush flush = { .step = evl_flush_step, .meant = was_served };
	struct evl_wait_channel *wchan = &mon->event.wchan;
	unsigned long flags;
	u32 value, served;

	evl_lock_irqsave(&wchan->lock, flags);
	/* Those who were served before are out of line then. */
	evl_finish_flush(wchan, &flags);

	value = atomic_fetch_or(bits, evl_event_value(mon)) | bits;
	served = all ? serve_all(wchan, value) : serve_first(wchan, value);
	atomic_andnot(served, evl_event_value(mon));
	value_changed(mon);

	if (all && served)
		evl_run_flush(wchan, &flush, flags);
	else
		evl_sched_unlock(&wchan->lock, flags);
}

static struct mask_wait wanted(u32 bits, bool exact)
{
	return (struct mask_wait){ .bits = bits ?: ~0U, .exact = exact };
}

int evl_try_mask(struct evl_monitor *mon, u32 *bits, bool exact)
{
	struct mask_wait wait = wanted(*bits, exact);
	unsigned long flags;
	bool done;

	evl_lock_irqsave(&mon->event.wchan.lock, flags);
	done = collect(mon, &wait);
	evl_sched_unlock(&mon->event.wchan.lock, flags);

	if (!done)
		return -EAGAIN;

	*bits = wait.got;

	return 0;
}

int evl_wait_mask(struct evl_monitor *mon, u32 *bits, bool exact,
		  ktime_t timeout)
{
	struct evl_wait_channel *wchan = &mon->event.wchan;
	struct mask_wait wait = wanted(*bits, exact);
	struct evl_thread *curr = evl_current();
	unsigned long flags;
	int ret = 0;
	bool done;

	evl_lock_irqsave(&wchan->lock, flags);
	done = collect(mon, &wait);
	if (!done) {
		curr->wait_data = &wait;
		ret = evl_sleep_on(wchan, mon->clock, timeout, EVL_ABS, true);
	}
	evl_sched_unlock(&wchan->lock, flags);

	if (!done && !ret)
		ret = evl_wait_schedule(wchan);
	/* It may have been served right before something else ended the wait. */
	if (ret && !wait.got)
		return ret;

	*bits = wait.got;

	return 0;
}

/* Whoever reads in-band has the file open meanwhile. */
void evl_flush_mask(struct evl_monitor *mon, struct evl_file *file)
{
	evl_flush_file_wait(&mon->event.wchan, file, &mon->element.nr_files);
}

int evl_read_mask_inband(struct evl_monitor *mon, u32 *bits)
{
	int ret;

	for (;;) {
		*bits = 0;
		if (!evl_try_mask(mon, bits, false))
			return 0;
		ret = wait_event_interruptible(mon->event.inband, mask_value(mon));
		if (ret)
			return ret;
	}
}

__poll_t evl_poll_mask(struct evl_monitor *mon, struct evl_poll_wait *wait)
{
	evl_watch_event(mon, wait);

	return mask_value(mon) ? EPOLLIN | EPOLLRDNORM : EPOLLOUT | EPOLLWRNORM;
}
