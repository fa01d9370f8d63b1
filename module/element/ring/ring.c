// SPDX-License-Identifier: GPL-2.0-only
/*
 * Byte rings between the stages.
 *
 *	 rd                                              wr
 *	 |<-- taken -->|<--- fill --->|<--- reserved --->|
 *
 * Locking: ring->oob.wchan.lock, a hard lock, guards everything but the memory
 * of the ring. What is taken belongs to the reader, what is reserved to the
 * writers, who copy without the lock: user memory may be touched, and a
 * transfer of any size holds the lock for a bounded time.
 *
 * Reads are serialised (ring->reading). A read which faults puts back all that
 * it took, since nobody can have read past it.
 *
 * Writes are not: a writer which lost the CPU in the middle of a copy must not
 * hold up a more urgent one. Data become readable in the order in which
 * room was reserved. Each write in progress has a slot in a short queue; what
 * follows it has either a slot of its own or, when slots are short, a share in
 * the last one. The slot at the head of the queue becomes readable when the
 * last of its users is done. A write of a few bytes is copied under the lock
 * instead, and needs a slot only behind another one.
 *
 * User memory is checked ahead of a reservation, so that a bad address changes
 * nothing. Should it vanish in the middle of a copy all the same, the
 * reservation is dropped if nothing follows it; else the message goes
 * out with zeroes in place of what vanished, for its bytes are accounted for.
 *
 * In-band waiters are woken up by an irq_work, which must not be a hard one: a
 * wait queue lock sleeps on PREEMPT_RT. It is raised only if somebody waits:
 *
 *	waiter				waker
 *	------				-----
 *	enter ring->inband		change the ring
 *	lock				[wq_has_sleeper(): smp_mb()]
 *	look at the ring		look at ring->inband
 */
#include <linux/sched/signal.h>
#include <linux/slab.h>
#include <evl/sched.h>
#include <evl/thread.h>
#include <evl/uaccess.h>
#include "element/ring/ring.h"

/* Copied under the lock up to this size: beyond, twice is once too often. */
#define RING_INLINE	64

#define ring_lock(__ring)	(&(__ring)->oob.wchan.lock)

/* --- Accounting: lock held ------------------------------------------------- */

static size_t ring_room(struct evl_ring *ring)
{
	return ring->size - ring->fill - ring->taken - ring->reserved;
}

static size_t advance(struct evl_ring *ring, size_t pos, size_t n)
{
	pos += n;

	return pos < ring->size ? pos : pos - ring->size;
}

static void set_span(struct evl_ring *ring, struct evl_ring_span *span,
		     size_t pos, size_t len)
{
	size_t head = min(len, ring->size - pos);

	span->pos = pos;
	span->len = len;
	span->vec[0].iov_base = ring->mem + pos;
	span->vec[0].iov_len = head;
	span->vec[1].iov_base = ring->mem;
	span->vec[1].iov_len = len - head;
	span->nr = len > head ? 2 : 1;
}

static unsigned int last_slot(struct evl_ring *ring)
{
	return (ring->first_slot + ring->nr_slots - 1) % EVL_RING_SLOTS;
}

/* Room for @len bytes at ring->wr goes to a writer; its slot. */
static __always_inline unsigned int reserve_room(struct evl_ring *ring, size_t len)
{
	struct evl_ring_slot *slot;
	unsigned int n;

	ring->wr = advance(ring, ring->wr, len);
	ring->reserved += len;

	if (ring->nr_slots < EVL_RING_SLOTS) {
		ring->nr_slots++;
		n = last_slot(ring);
		slot = &ring->slots[n];
		slot->len = len;
		slot->users = 1;
	} else {
		n = last_slot(ring);
		slot = &ring->slots[n];
		slot->len += len;
		slot->users++;
	}

	return n;
}

/* Publish all that nothing is missing ahead of. */
static void publish_slots(struct evl_ring *ring)
{
	struct evl_ring_slot *slot;

	while (ring->nr_slots) {
		slot = &ring->slots[ring->first_slot];
		if (slot->users)
			break;
		ring->fill += slot->len;
		ring->reserved -= slot->len;
		ring->first_slot = (ring->first_slot + 1) % EVL_RING_SLOTS;
		ring->nr_slots--;
	}
}

/* A writer is done with what it reserved. */
static __always_inline void commit_room(struct evl_ring *ring, unsigned int n)
{
	struct evl_ring_slot *slot = &ring->slots[n];

	if (likely(!--slot->users && ring->nr_slots == 1)) {
		ring->fill += slot->len;
		ring->reserved -= slot->len;
		ring->nr_slots = 0;
	} else {
		publish_slots(ring);
	}
}

/*
 * Give up the end of the @len bytes reserved at @pos but for @keep of them.
 * False if they were followed.
 */
static bool trim_room(struct evl_ring *ring, unsigned int n, size_t pos,
		      size_t len, size_t keep)
{
	if (n != last_slot(ring) || advance(ring, pos, len) != ring->wr)
		return false;

	ring->wr = advance(ring, pos, keep);
	ring->reserved -= len - keep;
	ring->slots[n].len -= len - keep;

	return true;
}

/* Data copied under the lock, no slot needed unless it has to queue up. */
static __always_inline void append_bytes(struct evl_ring *ring, const void *src,
					 size_t len)
{
	size_t head = ring->size - ring->wr;

	if (likely(len <= head)) {
		memcpy(ring->mem + ring->wr, src, len);
	} else {
		memcpy(ring->mem + ring->wr, src, head);
		memcpy(ring->mem, src + head, len - head);
	}
	ring->wr = advance(ring, ring->wr, len);

	if (likely(!ring->nr_slots)) {
		ring->fill += len;
	} else {
		ring->slots[last_slot(ring)].len += len;
		ring->reserved += len;
	}
}

static size_t ring_avail(struct evl_ring *ring)
{
	return ring->grain > 1 ? rounddown(ring->fill, ring->grain) : ring->fill;
}

/*
 * True if some writer waits for more room than there is. One which was given
 * what it wants is about to add its data, and no reason for a short read.
 */
static bool writer_is_stuck(struct evl_ring *ring)
{
	if (!ring->oob_reads && evl_wait_active(&ring->oob.wchan))
		return true;

	return ring->blocked && ring_room(ring) < ring->blocked_want;
}

static bool can_read(struct evl_ring *ring, size_t want)
{
	size_t avail;

	if (ring->reading)
		return false;

	avail = ring_avail(ring);

	return avail >= want || ring->drain || (avail && writer_is_stuck(ring));
}

static bool can_write(struct evl_ring *ring, size_t want)
{
	return ring_room(ring) >= want;
}

/* --- Waiting ---------------------------------------------------------------- */

static void wake_inband(struct irq_work *work)
{
	struct evl_ring *ring = container_of(work, struct evl_ring, wake);

	wake_up_all(&ring->inband);
}

/* Lock held. Readers go one by one; room is dealt to writers in their order, and
 * a large request is not overtaken by those behind it. */
static void wake_oob(struct evl_ring *ring)
{
	struct evl_wait_channel *wchan = &ring->oob.wchan;
	struct evl_thread *waiter, *next;
	size_t room = ring_room(ring), want;

	evl_for_each_waiter_safe(waiter, next, wchan) {
		want = (size_t)waiter->wait_data;
		if (ring->oob_reads) {
			if (can_read(ring, want))
				evl_wake_up(wchan, waiter, 0);
			break;
		}
		if (want > room)
			break;
		room -= want;
		evl_wake_up(wchan, waiter, 0);
	}
}

/* Lock held. */
static void signal_pollers(struct evl_ring *ring)
{
	if (!ring->oob_reads) {
		if (ring_room(ring))
			evl_signal_poll_events(&ring->poll, EPOLLOUT | EPOLLWRNORM);
	} else if (ring_avail(ring) || ring->drain) {
		evl_signal_poll_events(&ring->poll, EPOLLIN | EPOLLRDNORM);
	}
}

static noinline void wake_waiters(struct evl_ring *ring)
{
	if (evl_wait_active(&ring->oob.wchan))
		wake_oob(ring);

	signal_pollers(ring);

	if (wq_has_sleeper(&ring->inband))
		irq_work_queue(&ring->wake);
}

/* The ring changed. Lock held; to be dropped by evl_sched_unlock(). */
static __always_inline void kick_waiters(struct evl_ring *ring)
{
	/* For the last two, which are not locked: see above for in-band
	 * waiters, evl_signal_poll_events() for pollers. */
	smp_mb();
	if (unlikely(evl_wait_active(&ring->oob.wchan) ||
		     waitqueue_active(&ring->inband) ||
		     !list_empty(&ring->poll.watches)))
		wake_waiters(ring);
}

static int sleep_oob(struct evl_ring *ring, size_t want, unsigned long *flags)
{
	struct evl_thread *curr = evl_current();
	int err;

	/* A fault on user memory may have left us on the wrong stage. */
	if (evl_is_inband(curr)) {
		evl_sched_unlock(ring_lock(ring), *flags);
		err = evl_switch_oob();
	} else {
		curr->wait_data = (void *)want;
		evl_add_wait_queue(&ring->oob, EVL_INFINITE, EVL_REL);
		evl_unlock_irqrestore(ring_lock(ring), *flags);
		err = evl_wait_schedule(&ring->oob.wchan);
	}

	evl_lock_irqsave(ring_lock(ring), *flags);

	return err;
}

typedef bool (*ring_cond)(struct evl_ring *ring, size_t want);

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
	err = wait_event_interruptible(ring->inband,
				       check_inband(ring, cond, want, removals));
	evl_lock_irqsave(ring_lock(ring), *flags);

	return ring->removals != removals ? -EIDRM : err;
}

/* Lock held, and held again on return. The condition is for the caller to check
 * again. */
static int sleep_on_ring(struct evl_ring *ring, ring_cond cond, size_t want,
			 int mode, unsigned long *flags)
{
	int err;

	if (mode & EVL_RING_NONBLOCK)
		return -EAGAIN;

	if (mode & EVL_RING_OOB)
		err = sleep_oob(ring, want, flags);
	else
		err = sleep_inband(ring, cond, want, flags);

	/* Whoever woke us up may have left out somebody in our favour. */
	if (err)
		kick_waiters(ring);

	return err;
}

/* --- Transfers ---------------------------------------------------------------- */

/* Lock held: sleep until @count bytes may fit. A reader which wants more than
 * we can add must know that we are stuck. */
static int sleep_for_room(struct evl_ring *ring, size_t count, int mode,
			  unsigned long *flags)
{
	int err;

	if (mode & EVL_RING_OOB) {
		if (wq_has_sleeper(&ring->inband))
			irq_work_queue(&ring->wake);
		return sleep_on_ring(ring, can_write, count, mode, flags);
	}

	ring->blocked_want = ring->blocked++ ? SIZE_MAX : count;
	kick_waiters(ring);
	err = sleep_on_ring(ring, can_write, count, mode, flags);
	ring->blocked--;

	return err;
}

static noinline int sleep_until_room(struct evl_ring *ring, size_t count, int mode,
				     unsigned long *flags)
{
	int err = 0;

	if (mode & EVL_RING_NONBLOCK)
		return -EAGAIN;

	while (!err && !can_write(ring, count))
		err = sleep_for_room(ring, count, mode, flags);

	return err;
}

/* Lock held: wait until @count bytes fit. */
static __always_inline int wait_room(struct evl_ring *ring, size_t count, int mode,
				     unsigned long *flags)
{
	return likely(can_write(ring, count)) ? 0 :
		sleep_until_room(ring, count, mode, flags);
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
	err = wait_room(ring, count, mode, &flags);
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
	err = wait_room(ring, count, mode, &flags);
	if (unlikely(err)) {
		evl_sched_unlock(ring_lock(ring), flags);
		return err;
	}
	pos = ring->wr;
	slot = reserve_room(ring, count);
	evl_unlock_irqrestore(ring_lock(ring), flags);

	if (likely(count <= ring->size - pos))
		err = evl_copy_into_ring(ring->mem + pos, src, count);
	else
		err = evl_wrap_into_ring(ring, pos, src, count);

	evl_lock_irqsave(ring_lock(ring), flags);
	if (unlikely(err) && !trim_room(ring, slot, pos, count, 0))
		err = 0;
	commit_room(ring, slot);
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

/* Lock held: how many bytes to read now, once some can be. */
static noinline ssize_t wait_data(struct evl_ring *ring, size_t count, int mode,
				  unsigned long *flags)
{
	size_t avail;
	int err;

	for (;;) {
		avail = min(ring_avail(ring), count);
		if (can_read(ring, count))
			return avail;
		if (avail && !ring->reading && (mode & EVL_RING_NONBLOCK))
			return avail;
		err = sleep_on_ring(ring, can_read, count, mode, flags);
		if (err)
			return err;
	}
}

static __always_inline void take_bytes(struct evl_ring *ring, size_t len)
{
	ring->fill -= len;
	ring->taken = len;
	ring->reading = true;
}

/* Of the @len bytes taken, @done are gone, the others back. */
static __always_inline void end_read(struct evl_ring *ring, size_t len, size_t done)
{
	unsigned long flags;

	evl_lock_irqsave(ring_lock(ring), flags);
	ring->rd = advance(ring, ring->rd, done);
	ring->fill += len - done;
	ring->taken = 0;
	ring->reading = false;
	kick_waiters(ring);
	evl_sched_unlock(ring_lock(ring), flags);
}

ssize_t evl_read_ring(struct evl_ring *ring, struct evl_ring_buf dst,
		      size_t count, int mode)
{
	unsigned long flags;
	ssize_t n = count;
	size_t pos;
	int err;

	evl_lock_irqsave(ring_lock(ring), flags);
	if (unlikely(ring->reading || ring_avail(ring) < count)) {
		n = wait_data(ring, count, mode, &flags);
		if (n <= 0) {
			evl_sched_unlock(ring_lock(ring), flags);
			return n;
		}
	}
	pos = ring->rd;
	take_bytes(ring, n);
	if (mode & EVL_RING_DEMAND)
		ring->demand -= count;
	evl_unlock_irqrestore(ring_lock(ring), flags);

	if (likely(n <= ring->size - pos))
		err = evl_copy_from_ring(dst, ring->mem + pos, n);
	else
		err = evl_wrap_from_ring(ring, dst, pos, n);
	end_read(ring, n, err ? 0 : n);

	return err ?: n;
}

size_t evl_begin_ring_read(struct evl_ring *ring, size_t max, struct evl_ring_span *span)
{
	unsigned long flags;
	size_t n = 0;

	evl_lock_irqsave(ring_lock(ring), flags);
	if (!ring->reading)
		n = min(ring->fill, max);
	if (n) {
		set_span(ring, span, ring->rd, n);
		take_bytes(ring, n);
	}
	evl_unlock_irqrestore(ring_lock(ring), flags);

	return n;
}

void evl_end_ring_read(struct evl_ring *ring, struct evl_ring_span *span, size_t done)
{
	end_read(ring, span->len, done);
}

size_t evl_begin_ring_write(struct evl_ring *ring, size_t max, struct evl_ring_span *span)
{
	unsigned long flags;
	size_t n;

	evl_lock_irqsave(ring_lock(ring), flags);
	n = min(ring_room(ring), max);
	if (n) {
		set_span(ring, span, ring->wr, n);
		span->slot = reserve_room(ring, n);
	}
	evl_unlock_irqrestore(ring_lock(ring), flags);

	return n;
}

void evl_end_ring_write(struct evl_ring *ring, struct evl_ring_span *span, size_t done)
{
	unsigned long flags;

	evl_lock_irqsave(ring_lock(ring), flags);
	trim_room(ring, span->slot, span->pos, span->len, done);
	commit_room(ring, span->slot);
	kick_waiters(ring);
	evl_sched_unlock(ring_lock(ring), flags);
}

void evl_kick_ring(struct evl_ring *ring)
{
	unsigned long flags;

	evl_lock_irqsave(ring_lock(ring), flags);
	kick_waiters(ring);
	evl_sched_unlock(ring_lock(ring), flags);
}

void evl_flush_ring(struct evl_ring *ring)
{
	unsigned long flags;

	evl_lock_irqsave(ring_lock(ring), flags);
	ring->removals++;
	evl_flush_wait_locked(&ring->oob.wchan, EVL_T_RMID);
	evl_sched_unlock(ring_lock(ring), flags);

	wake_up_all(&ring->inband);
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
	evl_init_wait(&ring->oob, &evl_mono_clock, EVL_WAIT_PRIO, name);
	init_waitqueue_head(&ring->inband);
	init_irq_work(&ring->wake, wake_inband);
	evl_init_poll_head(&ring->poll);

	return 0;
}

void evl_destroy_ring(struct evl_ring *ring)
{
	irq_work_sync(&ring->wake);
	evl_destroy_wait(&ring->oob);
	kvfree(ring->mem);
}
