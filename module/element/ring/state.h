/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The state of a ring, and what follows from it: lock of the ring held, unless
 * said otherwise. Inline, since each transfer takes most of it. See ring.c.
 */
#ifndef EVL_ELEMENT_RING_STATE_H
#define EVL_ELEMENT_RING_STATE_H

#include <evl/sched.h>
#include "element/ring/ring.h"

#define ring_lock(__ring)	(&(__ring)->oob.wchan.lock)

/* An in-band writer waiting for space, on its stack. */
struct evl_ring_writer {
	struct rb_node node;		/* in ring->blocked, largest request first */
	size_t want;
};

static inline size_t ring_space(struct evl_ring *ring)
{
	return ring->size - ring->fill - ring->taken - ring->reserved;
}

static inline size_t ring_avail(struct evl_ring *ring)
{
	return ring->grain > 1 ? rounddown(ring->fill, ring->grain) : ring->fill;
}

static inline size_t ring_advance(struct evl_ring *ring, size_t pos, size_t n)
{
	pos += n;

	return pos < ring->size ? pos : pos - ring->size;
}

/*
 * True if some writer waits for more space than there is. One which was given
 * what it wants is about to add its data, and no reason for a short read.
 */
static inline bool writer_is_stuck(struct evl_ring *ring)
{
	struct rb_node *node;

	if (!ring->oob_reads && evl_wait_active(&ring->oob.wchan))
		return true;

	node = rb_first_cached(&ring->blocked);

	return node && ring_space(ring) <
		rb_entry(node, struct evl_ring_writer, node)->want;
}

static inline bool ring_can_read(struct evl_ring *ring, size_t want)
{
	size_t avail = ring_avail(ring);

	return avail >= want || ring->drain || (avail && writer_is_stuck(ring));
}

static inline bool ring_can_write(struct evl_ring *ring, size_t want)
{
	return ring_space(ring) >= want;
}

/* --- Transfers in progress ---------------------------------------------------- */

static inline unsigned int last_transfer(struct evl_ring_queue *q)
{
	return (q->first + q->nr - 1) % EVL_RING_SLOTS;
}

/* The slot of a transfer of @len bytes which begins behind all others. */
static __always_inline unsigned int begin_transfer(struct evl_ring_queue *q, size_t len)
{
	struct evl_ring_slot *slot;
	unsigned int n;

	if (likely(q->nr < EVL_RING_SLOTS)) {
		q->nr++;
		n = last_transfer(q);
		slot = &q->slots[n];
		slot->len = len;
		slot->users = 1;
	} else {
		n = last_transfer(q);
		slot = &q->slots[n];
		slot->len += len;
		slot->users++;
	}

	return n;
}

/* All that nothing is missing ahead of. */
static inline size_t retire_transfers(struct evl_ring_queue *q)
{
	struct evl_ring_slot *slot;
	size_t len = 0;

	while (q->nr) {
		slot = &q->slots[q->first];
		if (slot->users)
			break;
		len += slot->len;
		q->first = (q->first + 1) % EVL_RING_SLOTS;
		q->nr--;
	}

	return len;
}

/* One more is done: the number of bytes which are over with by now. */
static __always_inline size_t end_transfer(struct evl_ring_queue *q, unsigned int n)
{
	struct evl_ring_slot *slot = &q->slots[n];

	if (unlikely(--slot->users || q->nr > 1))
		return retire_transfers(q);
	q->nr = 0;

	return slot->len;
}

/* --- For whoever moves the data by itself ------------------------------------- */

static inline void set_span(struct evl_ring *ring, struct evl_ring_span *span,
			    size_t pos, size_t len, unsigned int slot)
{
	size_t head = min(len, ring->size - pos);

	span->pos = pos;
	span->len = len;
	span->vec[0].iov_base = ring->mem + pos;
	span->vec[0].iov_len = head;
	span->vec[1].iov_base = ring->mem;
	span->vec[1].iov_len = len - head;
	span->nr = len > head ? 2 : 1;
	span->slot = slot;
}

/* --- Waiting (wait.c) ----------------------------------------------------------- */

typedef bool (*ring_cond)(struct evl_ring *ring, size_t want);

/* Sleep until @cond may hold, which is for the caller to check again: the lock
 * is dropped meanwhile. */
int evl_sleep_on_ring(struct evl_ring *ring, ring_cond cond, size_t want,
		      int mode, unsigned long *flags);
/* The same for a writer, which blocks readers who want more than there is. */
int evl_sleep_for_space(struct evl_ring *ring, size_t want, int mode,
			unsigned long *flags);
void evl_wake_ring_waiters(struct evl_ring *ring);

/* The ring changed. The lock is to be dropped by evl_sched_unlock(). */
static __always_inline void kick_waiters(struct evl_ring *ring)
{
	/* For the last two, which are not locked: see ring.c for in-band
	 * waiters, evl_signal_poll_events() for pollers. */
	smp_mb();
	if (unlikely(evl_wait_active(&ring->oob.wchan) ||
		     waitqueue_active(&ring->inband.queue) ||
		     !list_empty(&ring->poll.watches)))
		evl_wake_ring_waiters(ring);
}

#endif /* !EVL_ELEMENT_RING_STATE_H */
