// SPDX-License-Identifier: GPL-2.0-only
/* Writing to a ring. Locking: see ring.c. */
#include <evl/thread.h>
#include "element/ring/state.h"

/* Copied under the lock up to this size: beyond, twice is once too often. */
#define RING_INLINE	64

/* --- Accounting: lock held ---------------------------------------------------- */

/* Space for @len bytes at ring->wr goes to a writer; its slot. */
static __always_inline unsigned int reserve_space(struct evl_ring *ring, size_t len)
{
	ring->wr = ring_advance(ring, ring->wr, len);
	ring->reserved += len;

	return begin_transfer(&ring->writes, len);
}

/* A writer is done with what it reserved. */
static __always_inline void commit_space(struct evl_ring *ring, unsigned int n)
{
	size_t len = end_transfer(&ring->writes, n);

	ring->fill += len;
	ring->reserved -= len;
}

/*
 * Give up the end of the @len bytes reserved at @pos but for @keep of them.
 * False if they were followed.
 */
static bool trim_space(struct evl_ring *ring, unsigned int n, size_t pos,
		       size_t len, size_t keep)
{
	struct evl_ring_queue *q = &ring->writes;

	if (n != last_transfer(q) || ring_advance(ring, pos, len) != ring->wr)
		return false;

	ring->wr = ring_advance(ring, pos, keep);
	ring->reserved -= len - keep;
	q->slots[n].len -= len - keep;

	return true;
}

/* Data copied under the lock, no slot needed unless it has to queue up. */
static __always_inline void append_bytes(struct evl_ring *ring, const void *src,
					 size_t len)
{
	struct evl_ring_queue *q = &ring->writes;
	size_t head = ring->size - ring->wr;

	if (likely(len <= head)) {
		memcpy(ring->mem + ring->wr, src, len);
	} else {
		memcpy(ring->mem + ring->wr, src, head);
		memcpy(ring->mem, src + head, len - head);
	}
	ring->wr = ring_advance(ring, ring->wr, len);

	if (likely(!q->nr)) {
		ring->fill += len;
	} else {
		q->slots[last_transfer(q)].len += len;
		ring->reserved += len;
	}
}

/* --- Transfers ------------------------------------------------------------------ */

static noinline int sleep_until_space(struct evl_ring *ring, size_t count, int mode,
				      unsigned long *flags)
{
	int err = 0;

	if (mode & EVL_RING_NONBLOCK)
		return -EAGAIN;

	while (!err && !ring_can_write(ring, count))
		err = evl_sleep_for_space(ring, count, mode, flags);

	return err;
}

/* Lock held: wait until @count bytes fit. */
static __always_inline int wait_space(struct evl_ring *ring, size_t count, int mode,
				      unsigned long *flags)
{
	return likely(ring_can_write(ring, count)) ? 0 :
		sleep_until_space(ring, count, mode, flags);
}

static noinline ssize_t write_inline(struct evl_ring *ring, struct evl_ring_buf src,
				     size_t count, int mode)
{
	char bounce[RING_INLINE] __uninitialized;
	unsigned long flags;
	int err;

	if (src.user) {
		if (evl_copy_from_user(bounce, src.cubuf, count))
			return -EFAULT;
		src.ckernel = bounce;
	}

	evl_lock_irqsave(ring_lock(ring), flags);
	err = wait_space(ring, count, mode, &flags);
	if (likely(!err)) {
		append_bytes(ring, src.ckernel, count);
		kick_waiters(ring);
	}
	evl_sched_unlock(ring_lock(ring), flags);

	return err ?: count;
}

static noinline ssize_t write_direct(struct evl_ring *ring, struct evl_ring_buf src,
				     size_t count, int mode)
{
	unsigned long flags;
	unsigned int slot;
	size_t pos;
	int err;

	if (src.user && !evl_ring_source_ok(src.cubuf, count))
		return -EFAULT;

	evl_lock_irqsave(ring_lock(ring), flags);
	err = wait_space(ring, count, mode, &flags);
	if (unlikely(err)) {
		evl_sched_unlock(ring_lock(ring), flags);
		return err;
	}
	pos = ring->wr;
	slot = reserve_space(ring, count);
	evl_unlock_irqrestore(ring_lock(ring), flags);

	if (likely(count <= ring->size - pos))
		err = evl_copy_into_ring(ring->mem + pos, src, count);
	else
		err = evl_wrap_into_ring(ring, pos, src, count);

	evl_lock_irqsave(ring_lock(ring), flags);
	if (unlikely(err) && !trim_space(ring, slot, pos, count, 0))
		err = 0;
	commit_space(ring, slot);
	kick_waiters(ring);
	evl_sched_unlock(ring_lock(ring), flags);

	return err ?: count;
}

ssize_t evl_write_ring(struct evl_ring *ring, struct evl_ring_buf src,
		       size_t count, int mode)
{
	return count > RING_INLINE ? write_direct(ring, src, count, mode) :
		write_inline(ring, src, count, mode);
}

size_t evl_begin_ring_write(struct evl_ring *ring, size_t max, struct evl_ring_span *span)
{
	unsigned long flags;
	size_t n, pos;

	evl_lock_irqsave(ring_lock(ring), flags);
	n = min(ring_space(ring), max);
	if (n) {
		pos = ring->wr;
		set_span(ring, span, pos, n, reserve_space(ring, n));
	}
	evl_unlock_irqrestore(ring_lock(ring), flags);

	return n;
}

void evl_end_ring_write(struct evl_ring *ring, struct evl_ring_span *span, size_t done)
{
	unsigned long flags;

	evl_lock_irqsave(ring_lock(ring), flags);
	trim_space(ring, span->slot, span->pos, span->len, done);
	commit_space(ring, span->slot);
	kick_waiters(ring);
	evl_sched_unlock(ring_lock(ring), flags);
}
