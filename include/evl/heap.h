/* SPDX-License-Identifier: MIT */
/*
 * Memory allocation in bounded time, from memory which the application
 * provides. Blocks are aligned on 16 bytes. Sizes up to 256 are rounded to a
 * power of two, larger ones to 512.
 *
 * The plain calls serialise by a mutex, the _unlocked ones do not: these make
 * no EVL request at all, and may be used before evl_init().
 */
#ifndef _EVL_HEAP_H
#define _EVL_HEAP_H

#include <evl/detail/heap-range.h>
#include <evl/list.h>
#include <evl/mutex.h>

__EVL_BEGIN_DECLS

struct evl_heap {
	struct evl_mutex lock;
	struct evl_heap_extent *extents;
	size_t raw_size;
	size_t usable_size;
	size_t used_size;
};

/* Bookkeeping for a number of pages: an entry and a type each. */
#define EVL_HEAP_PGMAP_BYTES(__nrpages)	\
	((__nrpages) * (sizeof(struct evl_heap_pgentry) + 1))

/*
 * How much memory to provide for user_size bytes to be usable: a constant if
 * user_size is. Alignment of the memory does not matter.
 */
#define EVL_HEAP_RAW_SIZE(__user_size)						\
	((((__user_size) + EVL_HEAP_PAGE_SIZE - 1) & EVL_HEAP_PAGE_MASK) +	\
	 EVL_HEAP_PGMAP_BYTES(((__user_size) + EVL_HEAP_PAGE_SIZE - 1)		\
			      >> EVL_HEAP_PAGE_SHIFT) +				\
	 sizeof(struct evl_heap_extent) + 2 * EVL_HEAP_MIN_ALIGN)

__evl_inline unsigned char *__evl_hl_heap_align(unsigned char *p)
{
	return p + (-(uintptr_t)p & (EVL_HEAP_MIN_ALIGN - 1));
}

/*
 * Adds memory to a heap. -EINVAL if it is too small for a single page, or if
 * it has 4 GiB or more. Any stage, any thread.
 */
__evl_api int evl_extend_heap_unlocked(struct evl_heap *heap, void *mem, size_t size)
{
	const size_t per_page = EVL_HEAP_PAGE_SIZE + EVL_HEAP_PGMAP_BYTES(1);
	struct evl_heap_extent *ext;
	unsigned char *start;
	size_t lost, nrpages;

	if (mem == NULL)
		return -EINVAL;

	start = __evl_hl_heap_align((unsigned char *)mem);
	lost = (size_t)(start - (unsigned char *)mem) + sizeof(*ext) + EVL_HEAP_MIN_ALIGN - 1;
	if (size < lost + per_page)
		return -EINVAL;

	nrpages = (size - lost) / per_page;
	if (nrpages > EVL_HEAP_MAX_EXTSZ >> EVL_HEAP_PAGE_SHIFT)
		return -EINVAL;

	ext = (struct evl_heap_extent *)(void *)start;
	ext->map = (struct evl_heap_pgentry *)(void *)(ext + 1);
	ext->types = (unsigned char *)(ext->map + nrpages);
	ext->pages = __evl_hl_heap_align(ext->types + nrpages);
	ext->nrpages = (__u32)nrpages;
	ext->root = EVL_HEAP_NO_PAGE;
	memset(ext->types, __EVL_HL_PAGE_INNER, nrpages);
	memset(ext->buckets, 0xff, sizeof(ext->buckets));
	__evl_hl_link_free(ext, 0, ext->nrpages);

	ext->next = heap->extents;
	heap->extents = ext;
	heap->raw_size += size;
	heap->usable_size += nrpages << EVL_HEAP_PAGE_SHIFT;

	return 0;
}

/* Makes a heap of some memory. Otherwise as above. */
__evl_api int evl_init_heap_unlocked(struct evl_heap *heap, void *mem, size_t size)
{
	memset(heap, 0, sizeof(*heap));

	return evl_extend_heap_unlocked(heap, mem, size);
}

/* Forgets about a heap, the memory is for the caller to release. Any stage, any thread. */
__evl_api void evl_destroy_heap_unlocked(struct evl_heap *heap)
{
	heap->extents = NULL;
	heap->raw_size = heap->usable_size = heap->used_size = 0;
}

__evl_inline void __evl_hl_link_bucket(struct evl_heap_extent *ext, int bucket, __u32 page)
{
	struct evl_heap_pgentry *entry = ext->map + page;

	entry->prev = EVL_HEAP_NO_PAGE;
	entry->next = ext->buckets[bucket];
	if (entry->next != EVL_HEAP_NO_PAGE)
		ext->map[entry->next].prev = page;
	ext->buckets[bucket] = page;
}

__evl_inline void __evl_hl_unlink_bucket(struct evl_heap_extent *ext, int bucket, __u32 page)
{
	struct evl_heap_pgentry *entry = ext->map + page;

	if (entry->prev == EVL_HEAP_NO_PAGE)
		ext->buckets[bucket] = entry->next;
	else
		ext->map[entry->prev].next = entry->next;

	if (entry->next != EVL_HEAP_NO_PAGE)
		ext->map[entry->next].prev = entry->prev;
}

/* The map of a page all blocks of which are allocated. */
__evl_inline __u32 __evl_hl_full_bucket(int log2)
{
	return (__u32)(((__u64)1 << (EVL_HEAP_PAGE_SIZE >> log2)) - 1);
}

/* Allocates from a page which has room. */
__evl_inline void *__evl_hl_take_block(struct evl_heap_extent *ext, int log2, __u32 page)
{
	struct evl_heap_pgentry *entry = ext->map + page;
	int index = __builtin_ctz(~entry->u.map);

	entry->u.map |= 1U << index;
	if (entry->u.map == __evl_hl_full_bucket(log2))
		__evl_hl_unlink_bucket(ext, log2 - EVL_HEAP_MIN_LOG2, page);

	return ext->pages + ((size_t)page << EVL_HEAP_PAGE_SHIFT) + ((size_t)index << log2);
}

__evl_inline void *__evl_hl_alloc_bucket(struct evl_heap *heap, int log2)
{
	const int bucket = log2 - EVL_HEAP_MIN_LOG2;
	struct evl_heap_extent *ext;
	__u32 page;

	for (ext = heap->extents; ext; ext = ext->next) {
		page = ext->buckets[bucket];
		if (page != EVL_HEAP_NO_PAGE)
			return __evl_hl_take_block(ext, log2, page);
	}

	for (ext = heap->extents; ext; ext = ext->next) {
		page = __evl_hl_take_pages(ext, 1);
		if (page == EVL_HEAP_NO_PAGE)
			continue;
		ext->types[page] = (unsigned char)(__EVL_HL_PAGE_BUCKET + log2);
		ext->map[page].u.map = 0;
		__evl_hl_link_bucket(ext, bucket, page);
		return __evl_hl_take_block(ext, log2, page);
	}

	return NULL;
}

/*
 * Allocates a block: NULL if size is 0, or if there is not enough memory in a
 * row. Any stage, any thread.
 */
__evl_api void *evl_alloc_block_unlocked(struct evl_heap *heap, size_t size)
{
	struct evl_heap_extent *ext;
	size_t length;
	__u32 page;
	int log2;
	void *block;

	if (size == 0 || size > EVL_HEAP_MAX_EXTSZ)
		return NULL;

	if (size <= EVL_HEAP_PAGE_SIZE / 2) {
		log2 = size <= EVL_HEAP_MIN_ALIGN ? EVL_HEAP_MIN_LOG2 :
			32 - __builtin_clz((unsigned int)size - 1);
		block = __evl_hl_alloc_bucket(heap, log2);
		if (block)
			heap->used_size += (size_t)1 << log2;
		return block;
	}

	length = (size + EVL_HEAP_PAGE_SIZE - 1) >> EVL_HEAP_PAGE_SHIFT;
	for (ext = heap->extents; ext; ext = ext->next) {
		page = __evl_hl_take_pages(ext, (__u32)length);
		if (page == EVL_HEAP_NO_PAGE)
			continue;
		heap->used_size += length << EVL_HEAP_PAGE_SHIFT;
		return ext->pages + ((size_t)page << EVL_HEAP_PAGE_SHIFT);
	}

	return NULL;
}

struct __evl_hl_block {
	struct evl_heap_extent *ext;
	__u32 page;
	int log2;		/* 0 unless in a bucket */
	__u32 bit;		/* in the map of a bucket */
	size_t size;
};

/* True if the address is that of an allocated block. */
__evl_inline bool __evl_hl_find_block(struct evl_heap *heap, const void *block,
				      struct __evl_hl_block *found)
{
	const unsigned char *addr = (const unsigned char *)block;
	struct evl_heap_extent *ext;
	size_t offset, inner;
	int type;

	for (ext = heap->extents; ext; ext = ext->next) {
		if (addr >= ext->pages &&
		    addr < ext->pages + ((size_t)ext->nrpages << EVL_HEAP_PAGE_SHIFT))
			break;
	}

	if (ext == NULL)
		return false;

	offset = (size_t)(addr - ext->pages);
	inner = offset & ~EVL_HEAP_PAGE_MASK;
	found->ext = ext;
	found->page = (__u32)(offset >> EVL_HEAP_PAGE_SHIFT);
	found->log2 = 0;
	found->bit = 0;
	type = ext->types[found->page];

	if (type == __EVL_HL_PAGE_BUSY) {
		found->size = (size_t)ext->map[found->page].u.length << EVL_HEAP_PAGE_SHIFT;
		return inner == 0;
	}

	if (type < __EVL_HL_PAGE_BUCKET)
		return false;

	found->log2 = type - __EVL_HL_PAGE_BUCKET;
	found->size = (size_t)1 << found->log2;
	found->bit = 1U << (inner >> found->log2);

	return (inner & (found->size - 1)) == 0 &&
		(ext->map[found->page].u.map & found->bit) != 0;
}

/*
 * Releases a block. -EINVAL if it is not an allocated block of this heap. Any
 * stage, any thread.
 */
__evl_api int evl_free_block_unlocked(struct evl_heap *heap, void *block)
{
	struct evl_heap_pgentry *entry;
	struct __evl_hl_block found;
	int bucket;

	if (!__evl_hl_find_block(heap, block, &found))
		return -EINVAL;

	heap->used_size -= found.size;
	entry = found.ext->map + found.page;

	if (found.log2 == 0) {
		__evl_hl_give_pages(found.ext, found.page, entry->u.length);
		return 0;
	}

	bucket = found.log2 - EVL_HEAP_MIN_LOG2;
	if (entry->u.map == __evl_hl_full_bucket(found.log2))
		__evl_hl_link_bucket(found.ext, bucket, found.page);

	entry->u.map &= ~found.bit;
	if (entry->u.map == 0) {
		__evl_hl_unlink_bucket(found.ext, bucket, found.page);
		__evl_hl_give_pages(found.ext, found.page, 1);
	}

	return 0;
}

/*
 * Looks at a block. Any stage, any thread. Returns its size, rounded to what blocks
 * have, or -EINVAL if it is not an allocated block of this heap.
 */
__evl_api ssize_t evl_check_block_unlocked(struct evl_heap *heap, void *block)
{
	struct __evl_hl_block found;

	return __evl_hl_find_block(heap, block, &found) ? (ssize_t)found.size : -EINVAL;
}

/*
 * Makes a heap which threads share. In-band, any thread. Returns 0, or -EINVAL for
 * memory which is too small or has 4 GiB or more, -ENXIO before evl_init(), and what
 * creating a mutex gives.
 */
__evl_api int evl_init_heap(struct evl_heap *heap, void *mem, size_t size)
{
	int ret, serial;

	ret = evl_init_heap_unlocked(heap, mem, size);
	if (ret)
		return ret;

	/* Names are unique among all processes. */
	serial = __atomic_add_fetch(&__evl_hl_home()->heap_serial, 1, __ATOMIC_RELAXED);
	ret = evl_new_mutex(&heap->lock, "heap:%d.%.3d", (int)getpid(), serial);

	return ret < 0 ? ret : 0;
}

/*
 * Do what the unlocked calls do, one thread at a time. Out-of-band, attached threads.
 * Returns what these do, or -EPERM (NULL) if not attached, and what locking a mutex
 * gives (NULL for all of that).
 */
__evl_api int evl_extend_heap(struct evl_heap *heap, void *mem, size_t size)
{
	int ret;

	ret = evl_lock_mutex(&heap->lock);
	if (ret)
		return ret;

	ret = evl_extend_heap_unlocked(heap, mem, size);
	evl_unlock_mutex(&heap->lock);

	return ret;
}

__evl_api void *evl_alloc_block(struct evl_heap *heap, size_t size)
{
	void *block;

	if (evl_lock_mutex(&heap->lock))
		return NULL;

	block = evl_alloc_block_unlocked(heap, size);
	evl_unlock_mutex(&heap->lock);

	return block;
}

__evl_api int evl_free_block(struct evl_heap *heap, void *block)
{
	int ret;

	ret = evl_lock_mutex(&heap->lock);
	if (ret)
		return ret;

	ret = evl_free_block_unlocked(heap, block);
	evl_unlock_mutex(&heap->lock);

	return ret;
}

__evl_api ssize_t evl_check_block(struct evl_heap *heap, void *block)
{
	ssize_t size;
	int ret;

	ret = evl_lock_mutex(&heap->lock);
	if (ret)
		return ret;

	size = evl_check_block_unlocked(heap, block);
	evl_unlock_mutex(&heap->lock);

	return size;
}

/* Forgets about a heap, and closes its mutex. In-band, any thread. */
__evl_api void evl_destroy_heap(struct evl_heap *heap)
{
	int cancel_state = __evl_hl_hold_cancel();

	evl_destroy_heap_unlocked(heap);
	evl_close_mutex(&heap->lock);
	__evl_hl_allow_cancel(cancel_state);
}

/*
 * Totals, in bytes: memory provided, memory for blocks, memory in blocks. Any stage, any
 * thread, no request.
 */
__evl_api size_t evl_heap_raw_size(const struct evl_heap *heap)
{
	return heap->raw_size;
}

__evl_api size_t evl_heap_size(const struct evl_heap *heap)
{
	return heap->usable_size;
}

__evl_api size_t evl_heap_used(const struct evl_heap *heap)
{
	return heap->used_size;
}

__EVL_END_DECLS

#endif /* _EVL_HEAP_H */
