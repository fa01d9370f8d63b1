// SPDX-License-Identifier: GPL-2.0-only
/*
 * Byte rings between the stages.
 *
 *			 rd              wr
 *	 |<-- taken -->|<--- fill --->|<--- reserved --->|
 *
 * wr is where reserved ends. Locking: ring->oob.wchan.lock, a hard lock, guards
 * everything but the memory of the ring. What is taken belongs to readers, what
 * is reserved to writers, who copy without the lock: user memory may be touched,
 * and a transfer of any size holds the lock for a bounded time.
 *
 * Neither readers nor writers wait for each other: whoever lost the CPU in the
 * middle of a copy must not hold up a more urgent one. Data become readable in
 * the order in which space was reserved, and space is free again in the order in
 * which data were taken. Each transfer in progress has a slot in a short queue;
 * what follows it has either a slot of its own or, when slots are short, a share
 * in the last one. The slot at the head of the queue is over with when the last
 * of its users is done. A write of a few bytes is copied under the lock instead,
 * and needs a slot only behind another one.
 *
 * User memory is checked ahead of a reservation, so that a bad address changes
 * nothing. Should it vanish in the middle of a copy all the same, the
 * reservation is dropped if nothing follows it; else the message goes out with
 * zeroes in place of what vanished, for its bytes are accounted for. In the same
 * way a read which faults puts back all that it took, unless somebody read past
 * it meanwhile.
 *
 * An in-band waiter is woken up by an irq_work, which is raised only if somebody
 * waits:
 *
 *	waiter				waker
 *	------				-----
 *	enter ring->inband.queue	change the ring
 *	lock				[wq_has_sleeper(): smp_mb()]
 *	look at the ring		look at ring->inband.queue
 *
 *	state.h		accounting
 *	wait.c		waiting and waking up
 *	read.c, write.c	transfers
 *	copy.c		data which wrap around
 */
#include <linux/slab.h>
#include <evl/thread.h>
#include "element/ring/state.h"

void evl_kick_ring(struct evl_ring *ring)
{
	unsigned long flags;

	evl_lock_irqsave(ring_lock(ring), flags);
	kick_waiters(ring);
	evl_sched_unlock(ring_lock(ring), flags);
}

void evl_flush_ring(struct evl_ring *ring, struct evl_file *file,
		    const atomic_t *nr_files)
{
	unsigned long flags;

	/* Who waits in-band has a file open, or none at all. As for a flush, somebody
	 * who opened one is counted before it waits. */
	evl_lock_irqsave(ring_lock(ring), flags);
	if (!atomic_read(nr_files))
		ring->removals++;
	evl_unlock_irqrestore(ring_lock(ring), flags);

	evl_flush_file_wait(&ring->oob.wchan, file, nr_files);
	evl_kick_ring(ring);
}

void evl_close_ring(struct evl_ring *ring, bool closed)
{
	unsigned long flags;

	evl_lock_irqsave(ring_lock(ring), flags);
	ring->closed = closed;
	evl_unlock_irqrestore(ring_lock(ring), flags);
}

/* --- Life ---------------------------------------------------------------------- */

int evl_init_ring(struct evl_ring *ring, size_t size, size_t grain,
		  bool oob_reads, const char *name)
{
	memset(ring, 0, sizeof(*ring));

	if (size) {
		/* A size out of reach is an error, not an out-of-memory event. */
		ring->mem = kvmalloc(size, GFP_KERNEL_ACCOUNT | __GFP_NOWARN |
				     __GFP_RETRY_MAYFAIL);
		if (!ring->mem)
			return -ENOMEM;
	}

	ring->size = size;
	ring->grain = grain;
	ring->oob_reads = oob_reads;
	ring->blocked = RB_ROOT_CACHED;
	evl_init_wait(&ring->oob, &evl_mono_clock, EVL_WAIT_PRIO, name);
	evl_init_inband_waiters(&ring->inband);
	evl_init_poll_head(&ring->poll);

	return 0;
}

void evl_destroy_ring(struct evl_ring *ring)
{
	evl_destroy_inband_waiters(&ring->inband);
	evl_destroy_wait(&ring->oob);
	kvfree(ring->mem);
}
