// SPDX-License-Identifier: GPL-2.0-only
/* Reading from a ring. Locking: see ring.c. */
#include "element/ring/state.h"

/* The next @len bytes go to a reader; its slot. Lock held. */
static __always_inline unsigned int take_bytes(struct evl_ring *ring, size_t len)
{
	ring->rd = ring_advance(ring, ring->rd, len);
	ring->fill -= len;
	ring->taken += len;

	return begin_transfer(&ring->reads, len);
}

/* Of the @len bytes taken at @pos, put all but the first @keep back, unless
 * others were taken behind them. Lock held. */
static void put_bytes_back(struct evl_ring *ring, unsigned int n, size_t pos,
			   size_t len, size_t keep)
{
	struct evl_ring_queue *q = &ring->reads;

	if (n != last_transfer(q) || ring_advance(ring, pos, len) != ring->rd)
		return;

	ring->rd = ring_advance(ring, pos, keep);
	ring->fill += len - keep;
	ring->taken -= len - keep;
	q->slots[n].len -= len - keep;
}

/* Is less than it asked for all that the reader gets? */
static bool takes_less(struct evl_ring *ring, int mode)
{
	return ring->closed || (mode & (EVL_RING_NONBLOCK | EVL_RING_WHOLE)) == EVL_RING_NONBLOCK;
}

/* Lock held: how many bytes to read now, once some can be. */
static noinline ssize_t wait_data(struct evl_ring *ring, size_t count, int mode,
				  unsigned long *flags)
{
	size_t avail;
	int err;

	for (;;) {
		avail = min(ring_avail(ring), count);
		if (ring_can_read(ring, count))
			return avail;
		if (avail && takes_less(ring, mode))
			return avail;
		err = evl_sleep_on_ring(ring, ring_can_read, count, mode, flags);
		if (!err)
			continue;
		/* What is there when the other end goes can still be read. */
		avail = min(ring_avail(ring), count);
		return avail && ring->closed ? avail : err;
	}
}

static __always_inline void end_read(struct evl_ring *ring, unsigned int slot)
{
	unsigned long flags;

	evl_lock_irqsave(ring_lock(ring), flags);
	ring->taken -= end_transfer(&ring->reads, slot);
	kick_waiters(ring);
	evl_sched_unlock(ring_lock(ring), flags);
}

static noinline void undo_read(struct evl_ring *ring, unsigned int slot, size_t pos,
			       size_t len)
{
	unsigned long flags;

	evl_lock_irqsave(ring_lock(ring), flags);
	put_bytes_back(ring, slot, pos, len, 0);
	evl_unlock_irqrestore(ring_lock(ring), flags);
}

ssize_t evl_read_ring(struct evl_ring *ring, struct evl_ring_buf dst,
		      size_t count, int mode)
{
	unsigned long flags;
	unsigned int slot;
	ssize_t n = count;
	size_t pos;
	int err;

	evl_lock_irqsave(ring_lock(ring), flags);
	if (unlikely(ring_avail(ring) < count)) {
		n = wait_data(ring, count, mode, &flags);
		if (n <= 0) {
			evl_sched_unlock(ring_lock(ring), flags);
			return n;
		}
	}
	pos = ring->rd;
	slot = take_bytes(ring, n);
	if (mode & EVL_RING_DEMAND)
		ring->demand -= count;
	/* There may be enough left for the next one in line, who must not wait
	 * for the end of our copy. */
	if (unlikely(ring->oob_reads && evl_wait_active(&ring->oob.wchan))) {
		evl_wake_ring_waiters(ring);
		evl_sched_unlock(ring_lock(ring), flags);
	} else {
		evl_unlock_irqrestore(ring_lock(ring), flags);
	}

	if (likely(n <= ring->size - pos))
		err = evl_copy_from_ring(dst, ring->mem + pos, n);
	else
		err = evl_wrap_from_ring(ring, dst, pos, n);
	if (unlikely(err))
		undo_read(ring, slot, pos, n);
	end_read(ring, slot);

	return err ?: n;
}

size_t evl_begin_ring_read(struct evl_ring *ring, size_t max, struct evl_ring_span *span)
{
	unsigned long flags;
	size_t n, pos;

	evl_lock_irqsave(ring_lock(ring), flags);
	n = min(ring->fill, max);
	if (n) {
		pos = ring->rd;
		set_span(ring, span, pos, n, take_bytes(ring, n));
	}
	evl_unlock_irqrestore(ring_lock(ring), flags);

	return n;
}

void evl_end_ring_read(struct evl_ring *ring, struct evl_ring_span *span, size_t done)
{
	unsigned long flags;

	evl_lock_irqsave(ring_lock(ring), flags);
	put_bytes_back(ring, span->slot, span->pos, span->len, done);
	ring->taken -= end_transfer(&ring->reads, span->slot);
	kick_waiters(ring);
	evl_sched_unlock(ring_lock(ring), flags);
}
