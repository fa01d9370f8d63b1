/* SPDX-License-Identifier: MIT */
/*
 * Rings of pointers: bounded FIFO queues for any number of producers and consumers, on
 * any stage, attached or not, in signal handlers as well. The core has no part in them.
 *
 * No call ever waits for anybody: whoever is preempted, stopped or killed in the middle
 * of one, at whichever instruction, keeps nobody else from enqueueing or dequeueing.
 * What it was about to pass stays with it, and so does one place of the ring.
 *
 * The algorithm is the circular queue of indices with cycle counters, and the way to
 * make a queue of pointers of two of them, that are described in R. Nikolaev, "A
 * Scalable, Portable, and Memory-Efficient Lock-Free FIFO Queue", DISC 2019
 * (doi:10.4230/LIPIcs.DISC.2019.28), where the queue is called NCQ. Pointers are in
 * slots. One queue has the numbers of slots in use, in the order of their arrival,
 * another one those of spare slots. Together there are as many numbers as each queue has
 * entries, so there always is an entry for a number. It takes atomic operations on
 * eight bytes, and nothing to link.
 */
#ifndef _EVL_RING_PTR_H
#define _EVL_RING_PTR_H

#ifdef __cplusplus
#error "evl/ring_ptr.h is for C only"
#endif

#include <evl/detail/base.h>
#include <stdlib.h>
#include <string.h>

__EVL_BEGIN_DECLS

/* Lines of caches come in pairs on some machines. */
#define EVL_RING_CACHELINE_SHIFT	7
#define EVL_RING_CACHELINE_BYTES	(1U << EVL_RING_CACHELINE_SHIFT)
#define EVL_RING_ALIGNMENT		256

/*
 * The smallest ring whose entries fill a cache line. Others work as well, from order 0,
 * up to what is no larger than an object may be where sizes have 32 bits.
 */
#define EVL_RINGPTR_MINORDER		(EVL_RING_CACHELINE_SHIFT - 3)
#define __EVL_HL_RINGPTR_MAXORDER	(sizeof(size_t) > 4 ? 28 : 26)

typedef __u64 lfatomic_t;
typedef __s64 lfsatomic_t;
#ifdef __SIZEOF_INT128__
__extension__ typedef unsigned __int128 lfatomic_big_t;
#else
typedef lfatomic_t lfatomic_big_t;
#endif

/* For a producer to keep what it knows of a ring. This algorithm remembers nothing. */
struct evl_ring_cursor {
	lfatomic_t none;
};

/*
 * A ring is an array of cells: head and tail of either queue, a cache line each, the
 * entries of either queue, the slots.
 */
#define __EVL_HL_RING_LINE		(EVL_RING_CACHELINE_BYTES / 8)
#define __EVL_HL_RING_CELLS(__order)	\
	(4 * __EVL_HL_RING_LINE + 3 * ((size_t)1 << (__order)))

/* Bytes of a ring which has room for 2^order pointers. */
#define SIZEOF_EVL_RINGPTR(__order)	(__EVL_HL_RING_CELLS(__order) * sizeof(lfatomic_t))

/* Its type. A ring which is all zeroes is an empty one. */
#define TYPEOF_EVL_RINGPTR(__name, __order)				\
	struct evl_ringptr_##__name {					\
		lfatomic_t cells[__EVL_HL_RING_CELLS(__order)];		\
	} __attribute__((aligned(EVL_RING_ALIGNMENT)))

/*
 * One of the queues of a ring. Head and tail only count up. An entry has a number
 * in its lower bits, and above how many times it was filled: that tells who comes
 * late from who is in time, for as long as 64 bits last. In the queue of spare slots
 * all entries are there to begin with, so they are a lap behind.
 */
struct __evl_hl_ring {
	lfatomic_t *head;
	lfatomic_t *tail;
	lfatomic_t *entries;
	lfatomic_t lap;			/* number of entries */
	lfatomic_t first;		/* laps of the entry which is taken first */
	unsigned int order;
};

__evl_always struct __evl_hl_ring __evl_hl_ring_used(lfatomic_t *cells, unsigned int order)
{
	struct __evl_hl_ring ring;

	ring.head = cells;
	ring.tail = cells + __EVL_HL_RING_LINE;
	ring.entries = cells + 4 * __EVL_HL_RING_LINE;
	ring.lap = (lfatomic_t)1 << order;
	ring.first = ring.lap;
	ring.order = order;

	return ring;
}

__evl_always struct __evl_hl_ring __evl_hl_ring_spare(lfatomic_t *cells, unsigned int order)
{
	struct __evl_hl_ring ring = __evl_hl_ring_used(cells, order);

	ring.head += 2 * __EVL_HL_RING_LINE;
	ring.tail += 2 * __EVL_HL_RING_LINE;
	ring.entries += ring.lap;
	ring.first = 0;

	return ring;
}

__evl_always lfatomic_t *__evl_hl_ring_slots(lfatomic_t *cells, unsigned int order)
{
	return cells + 4 * __EVL_HL_RING_LINE + ((size_t)2 << order);
}

/* In one order with whatever else the program does to atomic variables. */
#define __evl_hl_ring_load(__p)		__atomic_load_n(__p, __ATOMIC_SEQ_CST)
#define __evl_hl_ring_cas(__p, __old, __new)	\
	__atomic_compare_exchange_n(__p, __old, __new, false, \
				    __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST)

/* Neighbours in time are in different cache lines, if there is more than one. */
__evl_always lfatomic_t __evl_hl_ring_place(const struct __evl_hl_ring *ring, lfatomic_t count)
{
	lfatomic_t place = count & (ring->lap - 1);

	if (ring->order > EVL_RINGPTR_MINORDER)
		place = (place << EVL_RINGPTR_MINORDER |
			 place >> (ring->order - EVL_RINGPTR_MINORDER)) & (ring->lap - 1);

	return place;
}

/*
 * Puts a number, for which there always is room. Filling an entry is what counts:
 * whoever finds that the tail was not moved behind it moves it.
 */
__evl_always void __evl_hl_ring_put(const struct __evl_hl_ring *ring, lfatomic_t number)
{
	const lfatomic_t laps = ~(ring->lap - 1);
	lfatomic_t tail, place, entry, filled;
	bool done;

	do {
		tail = __evl_hl_ring_load(ring->tail);
		place = __evl_hl_ring_place(ring, tail);
		entry = __evl_hl_ring_load(&ring->entries[place]);
		/* Numbers are relative to their place, hence zeroes are all of them. */
		filled = ((tail & laps) + ring->lap) | (number ^ place);
		done = (entry & laps) == (tail & laps) &&
			__evl_hl_ring_cas(&ring->entries[place], &entry, filled);
		if ((entry & laps) == (filled & laps) || done)
			__evl_hl_ring_cas(ring->tail, &tail, tail + 1);
	} while (!done);
}

/*
 * Takes a number, false if there is none. An entry which is not filled yet says so of
 * the moment when it was looked at: the head is still there, it never passes such one.
 * Nobody overwrites an entry before the head has passed, so what was read is right if
 * it is us who move the head.
 */
__evl_always bool __evl_hl_ring_take(const struct __evl_hl_ring *ring, lfatomic_t *number)
{
	const lfatomic_t laps = ~(ring->lap - 1);
	lfatomic_t head, place, entry, filled;

	do {
		head = __evl_hl_ring_load(ring->head);
		place = __evl_hl_ring_place(ring, head);
		entry = __evl_hl_ring_load(&ring->entries[place]);
		filled = (head & laps) + ring->first;
		if ((entry & laps) == filled - ring->lap)
			return false;
	} while ((entry & laps) != filled || !__evl_hl_ring_cas(ring->head, &head, head + 1));

	*number = (entry & ~laps) ^ place;
	return true;
}

__evl_inline bool __evl_hl_ring_enqueue(lfatomic_t *cells, unsigned int order, void *ptr)
{
	const struct __evl_hl_ring used = __evl_hl_ring_used(cells, order);
	const struct __evl_hl_ring spare = __evl_hl_ring_spare(cells, order);
	lfatomic_t slot;

	if (!__evl_hl_ring_take(&spare, &slot))
		return false;

	__evl_hl_ring_slots(cells, order)[slot] = (uintptr_t)ptr;
	__evl_hl_ring_put(&used, slot);

	return true;
}

__evl_inline bool __evl_hl_ring_dequeue(lfatomic_t *cells, unsigned int order, void **ptr)
{
	const struct __evl_hl_ring used = __evl_hl_ring_used(cells, order);
	const struct __evl_hl_ring spare = __evl_hl_ring_spare(cells, order);
	lfatomic_t slot;

	if (!__evl_hl_ring_take(&used, &slot))
		return false;

	*ptr = (void *)(uintptr_t)__evl_hl_ring_slots(cells, order)[slot];
	__evl_hl_ring_put(&spare, slot);

	return true;
}

/*
 * Defines the calls for a ring of 2^order pointers in memory of the program: ring is its
 * address, a multiple of 8, and better one of EVL_RING_ALIGNMENT. Several processes may
 * share the memory, since a ring has no address of its own in it. At file scope:
 *
 * bool evl_enqueue_<name>(void *ptr, struct evl_ring_cursor *cursor)
 *	Appends a pointer, any, NULL too. False if the ring is full: it has 2^order
 *	pointers, less one for each thread which is in the middle of a call. Lock-free: it
 *	starts over only if a call of somebody else went ahead. The cursor is not used, and
 *	may be NULL here.
 *
 * bool evl_dequeue_<name>(void **ptr)
 *	Takes the oldest pointer. False if the ring is empty, which changes nothing in it:
 *	*ptr is left as it is. Lock-free, as above.
 *
 * void evl_init_cursor_<name>(struct evl_ring_cursor *cursor)
 *	For programs which are to build with upstream's headers, too: each producer has
 *	one there. Wait-free.
 *
 * void evl_clear_<name>(void)
 *	Empties the ring, and brings back the places which ended threads took along. Nobody
 *	may use it meanwhile. It is empty to begin with if its memory is zeroed. Takes a time
 *	which depends on the order only.
 *
 * Any stage, any thread, no request.
 */
#define DEFINE_EVL_RINGPTR_OPS(__name, __ring, __order)					\
	_Static_assert((int)(__order) >= 0 &&						\
		       (int)(__order) <= __EVL_HL_RINGPTR_MAXORDER,			\
		       "the order of a ring is from 0 to 28, or 26 with 32 bits");				\
	__evl_inline bool evl_enqueue_##__name(void *__evl_hl_ptr,			\
					       struct evl_ring_cursor *__evl_hl_cursor)	\
	{										\
		(void)__evl_hl_cursor;							\
		return __evl_hl_ring_enqueue((lfatomic_t *)(void *)(__ring), __order,	\
					     __evl_hl_ptr);				\
	}										\
	__evl_inline bool evl_dequeue_##__name(void **__evl_hl_ptr)			\
	{										\
		return __evl_hl_ring_dequeue((lfatomic_t *)(void *)(__ring), __order,	\
					     __evl_hl_ptr);				\
	}										\
	__evl_inline void evl_init_cursor_##__name(struct evl_ring_cursor *__evl_hl_cursor) \
	{										\
		__evl_hl_cursor->none = 0;						\
	}										\
	__evl_inline void evl_clear_##__name(void)					\
	{										\
		memset((void *)(__ring), 0, SIZEOF_EVL_RINGPTR(__order));		\
	}

/* Same, for a ring which is there from the start. */
#define DEFINE_EVL_RINGPTR_STATIC(__name, __order)					\
	static TYPEOF_EVL_RINGPTR(__name, __order) __evl_hl_ring_##__name;		\
	DEFINE_EVL_RINGPTR_OPS(__name, &__evl_hl_ring_##__name, __order)

/*
 * Same, for a ring which is allocated by
 *
 * int evl_alloc_<name>(void)
 *	Returns 0, or ENOMEM: what posix_memalign(3) does. To be called before all of the
 *	others; again, it leaves the ring as it is. In-band, any thread, one at a time.
 */
#define DEFINE_EVL_RINGPTR_DYNAMIC(__name, __order)					\
	static void *__evl_hl_ring_##__name;						\
	DEFINE_EVL_RINGPTR_OPS(__name, __evl_hl_ring_##__name, __order)			\
	__evl_inline int evl_alloc_##__name(void)					\
	{										\
		int __evl_hl_ret;							\
											\
		if (__evl_hl_ring_##__name)						\
			return 0;							\
		__evl_hl_ret = posix_memalign(&__evl_hl_ring_##__name, EVL_RING_ALIGNMENT, \
					      SIZEOF_EVL_RINGPTR(__order));		\
		if (__evl_hl_ret == 0)							\
			evl_clear_##__name();						\
		else									\
			__evl_hl_ring_##__name = NULL;					\
		return __evl_hl_ret;							\
	}

__EVL_END_DECLS

#endif /* _EVL_RING_PTR_H */
