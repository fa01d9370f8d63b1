// SPDX-License-Identifier: GPL-2.0-only
/*
 * The core heap. The pool is cut into pages, each of which serves blocks of one
 * power-of-two size as long as one of them is in use. Getting and giving back
 * a block takes constant time: no list is walked, and the blocks of a page are
 * threaded lazily.
 *
 * Locking: heap.lock, a leaf, guards everything here.
 */
#include <linux/list.h>
#include <linux/log2.h>
#include <linux/module.h>
#include <linux/slab.h>
#include <linux/vmalloc.h>
#include <evl/heap.h>
#include <evl/lock.h>
#include "core/core.h"

#define HEAP_MIN_SHIFT	4
#define HEAP_MAX_SHIFT	(PAGE_SHIFT - 2)
#define HEAP_BUCKETS	(HEAP_MAX_SHIFT - HEAP_MIN_SHIFT + 1)
#define HEAP_MAX_POOL	(1U << 30)

struct heap_page {
	struct list_head next;	/* in heap.free, or its bucket if not full */
	void *free;		/* blocks given back, each leads to the next */
	u16 used;		/* blocks in use */
	u16 fresh;		/* blocks from this one on were never given out */
	u8 shift;		/* of the block size */
};

static struct {
	hard_spinlock_t lock;
	void *pool;
	struct heap_page *pages;
	size_t nr_pages;
	struct list_head free;			/* pages without a size */
	struct list_head bucket[HEAP_BUCKETS];	/* pages with room */
} heap;

static unsigned int sysheap_size = 256 * 1024;
module_param(sysheap_size, uint, 0444);
MODULE_PARM_DESC(sysheap_size, "bytes reserved for the core heap (default 262144)");

static unsigned int blocks_per_page(struct heap_page *page)
{
	return PAGE_SIZE >> page->shift;
}

static void *page_base(struct heap_page *page)
{
	return heap.pool + ((page - heap.pages) << PAGE_SHIFT);
}

/* A page which has room for a block of 1 << @shift bytes, or NULL. */
static struct heap_page *find_page(unsigned int shift)
{
	struct list_head *bucket = &heap.bucket[shift - HEAP_MIN_SHIFT];
	struct heap_page *page;

	page = list_first_entry_or_null(bucket, struct heap_page, next);
	if (page)
		return page;

	page = list_first_entry_or_null(&heap.free, struct heap_page, next);
	if (!page)
		return NULL;

	page->shift = shift;
	page->free = NULL;
	page->fresh = 0;
	page->used = 0;
	list_move(&page->next, bucket);

	return page;
}

static void *take_block(struct heap_page *page)
{
	void *block = page->free;

	if (block)
		page->free = *(void **)block;
	else
		block = page_base(page) + ((size_t)page->fresh++ << page->shift);

	if (++page->used == blocks_per_page(page))
		list_del_init(&page->next);

	return block;
}

void *evl_alloc(size_t size)
{
	struct heap_page *page;
	unsigned long flags;
	unsigned int shift;
	void *block = NULL;

	if (!size || size > (1UL << HEAP_MAX_SHIFT))
		return NULL;

	shift = max_t(unsigned int, order_base_2(size), HEAP_MIN_SHIFT);

	evl_lock_irqsave(&heap.lock, flags);
	page = find_page(shift);
	if (page)
		block = take_block(page);
	evl_unlock_irqrestore(&heap.lock, flags);

	return block;
}
EXPORT_SYMBOL_GPL(evl_alloc);

static void return_block(struct heap_page *page, void *block)
{
	bool was_full = page->used == blocks_per_page(page);

	*(void **)block = page->free;
	page->free = block;

	if (!--page->used)
		list_move(&page->next, &heap.free);
	else if (was_full)
		list_add(&page->next, &heap.bucket[page->shift - HEAP_MIN_SHIFT]);
}

void evl_free(void *block)
{
	unsigned long flags;
	size_t index;

	if (!block)
		return;

	index = (block - heap.pool) >> PAGE_SHIFT;
	if (WARN_ON_ONCE(block < heap.pool || index >= heap.nr_pages))
		return;

	evl_lock_irqsave(&heap.lock, flags);
	return_block(&heap.pages[index], block);
	evl_unlock_irqrestore(&heap.lock, flags);
}
EXPORT_SYMBOL_GPL(evl_free);

int evl_init_heap(void)
{
	size_t n;

	if (!sysheap_size || sysheap_size > HEAP_MAX_POOL) {
		pr_err("evl: sysheap_size must be in the range 1..%u\n", HEAP_MAX_POOL);
		return -EINVAL;
	}

	heap.nr_pages = DIV_ROUND_UP(sysheap_size, PAGE_SIZE);
	heap.pool = vzalloc(heap.nr_pages << PAGE_SHIFT);
	if (!heap.pool)
		return -ENOMEM;

	heap.pages = kvcalloc(heap.nr_pages, sizeof(*heap.pages), GFP_KERNEL);
	if (!heap.pages) {
		vfree(heap.pool);
		return -ENOMEM;
	}

	raw_spin_lock_init(&heap.lock);
	INIT_LIST_HEAD(&heap.free);
	for (n = 0; n < HEAP_BUCKETS; n++)
		INIT_LIST_HEAD(&heap.bucket[n]);
	for (n = 0; n < heap.nr_pages; n++)
		list_add_tail(&heap.pages[n].next, &heap.free);

	return 0;
}

void evl_exit_heap(void)
{
	size_t n, busy = 0;

	for (n = 0; n < heap.nr_pages; n++)
		busy += heap.pages[n].used;
	if (busy)
		pr_warn("evl: %zu core heap blocks leaked\n", busy);

	kvfree(heap.pages);
	vfree(heap.pool);
}
