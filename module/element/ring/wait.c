// SPDX-License-Identifier: GPL-2.0-only
/* Waiting for a ring, on either stage. Locking: see ring.c. */
#include <linux/sched/signal.h>
#include <evl/thread.h>
#include "element/ring/state.h"

#define WAKE_BATCH	8

/*
 * One reader at a time, which has the next one woken up once it took its share.
 * Space is dealt to writers in their order, and a large request is not overtaken
 * by those behind it. They are a few at a time as well, however many there are:
 * whoever comes back from waiting wakes up others, whether it writes or not.
 */
static void wake_oob(struct evl_ring *ring)
{
	struct evl_wait_channel *wchan = &ring->oob.wchan;
	struct evl_thread *waiter, *next;
	size_t space = ring_space(ring), want;
	int left = WAKE_BATCH;

	evl_for_each_waiter_safe(waiter, next, wchan) {
		want = (size_t)waiter->wait_data;
		if (ring->oob_reads) {
			if (ring_can_read(ring, want))
				evl_wake_up(wchan, waiter, 0);
			break;
		}
		if (want > space || !left--)
			break;
		space -= want;
		evl_wake_up(wchan, waiter, 0);
	}
}

static void signal_pollers(struct evl_ring *ring)
{
	if (!ring->oob_reads) {
		if (ring_space(ring))
			evl_signal_poll_events(&ring->poll, EPOLLOUT | EPOLLWRNORM);
	} else if (ring_avail(ring) || ring->drain) {
		evl_signal_poll_events(&ring->poll, EPOLLIN | EPOLLRDNORM);
	}
}

void evl_wake_ring_waiters(struct evl_ring *ring)
{
	if (evl_wait_active(&ring->oob.wchan))
		wake_oob(ring);

	signal_pollers(ring);
	evl_wake_inband_waiters(&ring->inband);
}

static int sleep_oob(struct evl_ring *ring, size_t want, unsigned long *flags)
{
	int err;

	evl_current()->wait_data = (void *)want;
	evl_add_wait_queue(&ring->oob, EVL_INFINITE, EVL_REL);
	evl_unlock_irqrestore(ring_lock(ring), *flags);
	err = evl_wait_schedule(&ring->oob.wchan);
	evl_lock_irqsave(ring_lock(ring), *flags);

	return err;
}

static bool check_inband(struct evl_ring *ring, ring_cond cond, size_t want,
			 unsigned int removals)
{
	unsigned long flags;
	bool ret;

	evl_lock_irqsave(ring_lock(ring), flags);
	ret = ring->removals != removals || cond(ring, want);
	evl_unlock_irqrestore(ring_lock(ring), flags);

	return ret;
}

static int sleep_inband(struct evl_ring *ring, ring_cond cond, size_t want,
			unsigned long *flags)
{
	unsigned int removals = ring->removals;
	int err;

	evl_sched_unlock(ring_lock(ring), *flags);
	err = wait_event_interruptible(ring->inband.queue,
				       check_inband(ring, cond, want, removals));
	evl_lock_irqsave(ring_lock(ring), *flags);

	return ring->removals != removals ? -EIDRM : err;
}

int evl_sleep_on_ring(struct evl_ring *ring, ring_cond cond, size_t want,
		      int mode, unsigned long *flags)
{
	int err;

	if (mode & EVL_RING_NONBLOCK)
		return -EAGAIN;
	if (ring->closed)
		return -EIDRM;

	if (mode & EVL_RING_OOB)
		err = sleep_oob(ring, want, flags);
	else
		err = sleep_inband(ring, cond, want, flags);

	/* Whoever woke us up may have left out somebody in our favour. */
	if (err)
		kick_waiters(ring);

	return err;
}

static bool wants_more(struct rb_node *a, const struct rb_node *b)
{
	return rb_entry(a, struct evl_ring_writer, node)->want >
		rb_entry(b, struct evl_ring_writer, node)->want;
}

int evl_sleep_for_space(struct evl_ring *ring, size_t want, int mode,
			unsigned long *flags)
{
	struct evl_ring_writer writer = { .want = want };
	int err;

	if (mode & EVL_RING_OOB) {
		evl_wake_inband_waiters(&ring->inband);
		return evl_sleep_on_ring(ring, ring_can_write, want, mode, flags);
	}

	rb_add_cached(&writer.node, &ring->blocked, wants_more);
	kick_waiters(ring);
	err = evl_sleep_on_ring(ring, ring_can_write, want, mode, flags);
	rb_erase_cached(&writer.node, &ring->blocked);

	return err;
}
