// SPDX-License-Identifier: GPL-2.0-only
/*
 * Groups of 32 flags. User space only peeks at the value; it waits out-of-band
 * by requests, or in-band through read(2) and poll(2).
 *
 * Locking: wchan.lock guards the value, and the waiters. It is dropped now and then while
 * bits are posted, see struct mask_post, so it is taken by lock_mask(). Bits which are
 * posted go to waiters in line first; in-band readers get what is left.
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
	u64 seen;	/* by the post of that round, see place_changed() */
};

/*
 * Bits which are being posted, on the stack of whoever posts. Nothing of that shows
 * before it is settled who gets what: the value is as it was, nobody was woken up. The
 * line may be longer than what is looked at in one go, so whoever else comes to the
 * mask meanwhile completes the post first.
 */
struct mask_post {
	struct evl_flush flush;
	u32 bits;		/* what is posted */
	u32 value;		/* with what was there before */
	u32 served;		/* what waiters get of it */
	bool all;
	bool settled;
};

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

/* No post is in progress on return. */
static void lock_mask(struct evl_monitor *mon, unsigned long *flags)
{
	struct evl_wait_channel *wchan = &mon->event.wchan;

	evl_lock_irqsave(&wchan->lock, *flags);
	if (unlikely(wchan->flush))
		evl_finish_flush(wchan, flags);
}

/* Lock held. */
static void value_changed(struct evl_monitor *mon)
{
	struct evl_event *event = &mon->event;

	evl_signal_poll_events(&event->poll_head, mask_value(mon) ?
			       EPOLLIN | EPOLLRDNORM : EPOLLOUT | EPOLLWRNORM);
	evl_wake_inband_waiters(&event->inband);
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

/*
 * Waiters take @served, what is left of @bits stays in the value: in one go, for whoever
 * peeks at it. Nobody else may change it, as the lock is held.
 */
static void settle(struct evl_monitor *mon, u32 bits, u32 served)
{
	atomic_xchg(evl_event_value(mon), (mask_value(mon) | bits) & ~served);
	value_changed(mon);
}

/* Most often the first one in line is the one, or nobody waits. */
static bool post_to_head(struct evl_monitor *mon, u32 bits)
{
	struct evl_wait_channel *wchan = &mon->event.wchan;
	struct evl_thread *head = evl_wait_head(wchan);
	struct mask_wait *wait;
	u32 served = 0;

	if (head) {
		wait = head->wait_data;
		served = wait->got = match(wait, mask_value(mon) | bits);
		if (!served)
			return false;
	}
	settle(mon, bits, served);
	if (head)
		evl_wake_up(wchan, head, 0);

	return true;
}

/* What @waiter gets. It has it from now on, whatever ends its wait. */
static u32 serve(struct evl_wait_channel *wchan, struct mask_post *post,
		 struct evl_thread *waiter)
{
	struct mask_wait *wait = waiter->wait_data;

	wait->seen = wchan->round;
	wait->got = match(wait, post->value);
	post->served |= wait->got;

	return wait->got;
}

/* True if there are others to be looked at. Otherwise the cursor is at the one who gets
 * the bits, if these are for one. */
static bool serve_some(struct evl_wait_channel *wchan, struct mask_post *post)
{
	int left = EVL_WAKE_STEP * EVL_PASSED_PER_WAKE;

	for (; wchan->cursor; wchan->cursor = evl_wait_next(wchan->cursor)) {
		if (!left--)
			return true;
		if (serve(wchan, post, wchan->cursor) && !post->all)
			break;
	}

	return false;
}

static void wake_up_one(struct evl_wait_channel *wchan)
{
	struct evl_thread *waiter = wchan->cursor;

	wchan->cursor = NULL;
	if (waiter)
		evl_wake_up(wchan, waiter, 0);
}

/* Those who were served by a broadcast are woken up afterwards, the first ones at once. */
static bool post_step(struct evl_wait_channel *wchan, struct evl_flush *flush)
{
	struct evl_event *event = container_of(wchan, struct evl_event, wchan);
	struct mask_post *post = container_of(flush, struct mask_post, flush);

	if (!post->settled) {
		if (serve_some(wchan, post))
			return true;
		post->settled = true;
		settle(evl_monitor_of_event(event), post->bits, post->served);
		if (!post->all)
			wake_up_one(wchan);
		else if (post->served)
			wchan->cursor = evl_wait_head(wchan);
	}

	return evl_flush_step(wchan, flush);
}

static bool was_served(const struct evl_thread *waiter)
{
	const struct mask_wait *wait = waiter->wait_data;

	return wait->got;
}

/*
 * Who comes to be ahead of where a post goes on, which may be the end of the line, and was
 * not looked at yet, is next. Those in between were, and are once more.
 */
static void place_changed(struct evl_wait_channel *wchan, struct evl_thread *waiter,
			  struct evl_chain_walk *walk)
{
	struct evl_thread *cursor = wchan->cursor;
	struct evl_flush *flush = wchan->flush;
	struct mask_wait *wait = waiter->wait_data;

	if (!flush || flush->step != post_step ||
	    container_of(flush, struct mask_post, flush)->settled)
		return;

	if (wait->seen != wchan->round &&
	    (!cursor || waiter->wait_prio > cursor->wait_prio))
		wchan->cursor = waiter;
}

void evl_init_mask(struct evl_monitor *mon)
{
	struct evl_event *event = &mon->event;

	evl_init_wchan(&event->wchan, "flags");
	event->wchan.requeue = place_changed;
	evl_init_poll_head(&event->poll_head);
	evl_init_inband_waiters(&event->inband);
}

void evl_destroy_mask(struct evl_monitor *mon)
{
	evl_destroy_inband_waiters(&mon->event.inband);
}

void evl_post_mask(struct evl_monitor *mon, u32 bits, bool all)
{
	struct evl_wait_channel *wchan = &mon->event.wchan;
	struct mask_post post;
	unsigned long flags;

	lock_mask(mon, &flags);
	if (likely(!all) && post_to_head(mon, bits)) {
		evl_sched_unlock(&wchan->lock, flags);
		return;
	}

	post = (struct mask_post){
		.flush = { .step = post_step, .meant = was_served },
		.bits = bits,
		.value = mask_value(mon) | bits,
		.all = all,
	};
	evl_run_flush(wchan, &post.flush, flags);
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

	lock_mask(mon, &flags);
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

	lock_mask(mon, &flags);
	done = collect(mon, &wait);
	if (!done) {
		curr->wait_data = &wait;
		ret = evl_sleep_on(wchan, mon->clock, timeout, EVL_ABS, true);
	}
	evl_sched_unlock(&wchan->lock, flags);

	if (!done && !ret)
		ret = evl_wait_schedule(wchan);
	if (unlikely(ret)) {
		/* It may have been served right before something else ended the wait. */
		if (!wait.got)
			return ret;
		/* Others are to see that before we do. */
		lock_mask(mon, &flags);
		evl_sched_unlock(&wchan->lock, flags);
	}

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
		ret = wait_event_interruptible(mon->event.inband.queue, mask_value(mon));
		if (ret)
			return ret;
	}
}

__poll_t evl_poll_mask(struct evl_monitor *mon, struct evl_poll_wait *wait)
{
	evl_watch_event(mon, wait);

	return mask_value(mon) ? EPOLLIN | EPOLLRDNORM : EPOLLOUT | EPOLLWRNORM;
}
