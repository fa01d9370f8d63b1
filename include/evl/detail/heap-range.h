/* SPDX-License-Identifier: MIT */
/*
 * Ranges of free pages in an extent of a heap, found by length: best fit, in
 * a number of steps bounded by the bits of a page number.
 *
 * Each range is described in its own first page. Ranges of different length
 * form a digital tree: a node at depth n agrees with its subtree in the n
 * highest bits of the length. Ranges of equal length form a ring, one of them
 * is in the tree. Links are page numbers, so an extent may be anywhere.
 */
#ifndef _EVL_DETAIL_HEAP_RANGE_H
#define _EVL_DETAIL_HEAP_RANGE_H

#include <evl/detail/base.h>
#include <string.h>

#define EVL_HEAP_PAGE_SHIFT	9
#define EVL_HEAP_PAGE_SIZE	(1UL << EVL_HEAP_PAGE_SHIFT)
#define EVL_HEAP_PAGE_MASK	(~(EVL_HEAP_PAGE_SIZE - 1))
#define EVL_HEAP_MIN_LOG2	4
#define EVL_HEAP_MIN_ALIGN	(1UL << EVL_HEAP_MIN_LOG2)
/* Sizes from 16 to 256 bytes come from pages cut in equal blocks. */
#define EVL_HEAP_MAX_BUCKETS	(EVL_HEAP_PAGE_SHIFT - EVL_HEAP_MIN_LOG2)
#define EVL_HEAP_MAX_EXTSZ	(4294967295UL - EVL_HEAP_PAGE_SIZE + 1)
#define EVL_HEAP_PGENT_BITS	(32 - EVL_HEAP_PAGE_SHIFT)
#define EVL_HEAP_NO_PAGE	0xffffffffU

__EVL_BEGIN_DECLS

/* What a page is, when it is the first of something. */
enum __evl_hl_page_type {
	__EVL_HL_PAGE_INNER,		/* not the first of anything */
	__EVL_HL_PAGE_FREE,		/* first of a free range */
	__EVL_HL_PAGE_TAIL,		/* last of a free range */
	__EVL_HL_PAGE_BUSY,		/* first of an allocated range */
	__EVL_HL_PAGE_BUCKET,		/* + log2 of the block size */
};

/*
 * length: of a range; map: allocated blocks of a bucket. prev and next link
 * the pages of a bucket which have room.
 */
struct evl_heap_pgentry {
	__u32 prev;
	__u32 next;
	union {
		__u32 length;
		__u32 map;
	} u;
};

struct evl_mem_range {
	__u32 length;
	__u32 parent;
	__u32 child[2];
	__u32 next;
	__u32 prev;
	__u32 in_tree;
};

struct evl_heap_extent {
	struct evl_heap_extent *next;
	unsigned char *pages;
	struct evl_heap_pgentry *map;
	unsigned char *types;
	__u32 nrpages;
	__u32 root;
	__u32 buckets[EVL_HEAP_MAX_BUCKETS];
};

__evl_inline struct evl_mem_range *__evl_hl_range(struct evl_heap_extent *ext, __u32 page)
{
	return (struct evl_mem_range *)(void *)
		(ext->pages + ((size_t)page << EVL_HEAP_PAGE_SHIFT));
}

/* Whoever refers to old in the tree shall refer to page. */
__evl_inline void __evl_hl_relink_parent(struct evl_heap_extent *ext, __u32 parent,
					 __u32 old, __u32 page)
{
	struct evl_mem_range *above;

	if (parent == EVL_HEAP_NO_PAGE) {
		ext->root = page;
	} else {
		above = __evl_hl_range(ext, parent);
		above->child[above->child[1] == old] = page;
	}
}

/* Puts page where old is in the tree. */
__evl_inline void __evl_hl_replace_range(struct evl_heap_extent *ext, __u32 old, __u32 page)
{
	struct evl_mem_range *from = __evl_hl_range(ext, old);
	struct evl_mem_range *to = __evl_hl_range(ext, page);
	int n;

	to->in_tree = 1;
	to->parent = from->parent;
	__evl_hl_relink_parent(ext, from->parent, old, page);

	for (n = 0; n < 2; n++) {
		to->child[n] = from->child[n];
		if (to->child[n] != EVL_HEAP_NO_PAGE)
			__evl_hl_range(ext, to->child[n])->parent = page;
	}
}

__evl_inline void __evl_hl_insert_range(struct evl_heap_extent *ext, __u32 page, __u32 length)
{
	struct evl_mem_range *range = __evl_hl_range(ext, page), *node;
	__u32 at = ext->root, parent = EVL_HEAP_NO_PAGE;
	__u32 *link = &ext->root;
	int bit = EVL_HEAP_PGENT_BITS - 1;

	range->length = length;
	range->child[0] = range->child[1] = EVL_HEAP_NO_PAGE;
	range->next = range->prev = page;
	range->in_tree = 1;

	while (at != EVL_HEAP_NO_PAGE) {
		node = __evl_hl_range(ext, at);
		if (node->length == length) {
			range->in_tree = 0;
			range->prev = at;
			range->next = node->next;
			__evl_hl_range(ext, node->next)->prev = page;
			node->next = page;
			return;
		}
		parent = at;
		link = &node->child[(length >> bit--) & 1];
		at = *link;
	}

	range->parent = parent;
	*link = page;
}

__evl_inline void __evl_hl_remove_range(struct evl_heap_extent *ext, __u32 page)
{
	struct evl_mem_range *range = __evl_hl_range(ext, page), *node;
	__u32 mate = range->next, leaf;

	if (mate != page) {
		__evl_hl_range(ext, range->prev)->next = mate;
		__evl_hl_range(ext, mate)->prev = range->prev;
		if (range->in_tree)
			__evl_hl_replace_range(ext, page, mate);
		return;
	}

	/* Any leaf below fits in its place. */
	leaf = page;
	node = range;
	while (node->child[0] != EVL_HEAP_NO_PAGE || node->child[1] != EVL_HEAP_NO_PAGE) {
		leaf = node->child[node->child[0] == EVL_HEAP_NO_PAGE];
		node = __evl_hl_range(ext, leaf);
	}

	__evl_hl_relink_parent(ext, node->parent, leaf, EVL_HEAP_NO_PAGE);
	if (leaf != page)
		__evl_hl_replace_range(ext, page, leaf);
}

/* The shortest range of length pages at least. */
__evl_inline __u32 __evl_hl_find_range(struct evl_heap_extent *ext, __u32 length)
{
	__u32 at = ext->root, best = EVL_HEAP_NO_PAGE, longer = EVL_HEAP_NO_PAGE;
	__u32 best_length = EVL_HEAP_NO_PAGE;
	int bit = EVL_HEAP_PGENT_BITS - 1, side;
	struct evl_mem_range *node;

	while (at != EVL_HEAP_NO_PAGE) {
		node = __evl_hl_range(ext, at);
		if (node->length >= length && node->length < best_length) {
			best = at;
			best_length = node->length;
		}
		/* The last branch not taken has the shortest of the longer. */
		side = (length >> bit--) & 1;
		if (side == 0 && node->child[1] != EVL_HEAP_NO_PAGE)
			longer = node->child[1];
		at = node->child[side];
	}

	while (longer != EVL_HEAP_NO_PAGE) {
		node = __evl_hl_range(ext, longer);
		if (node->length < best_length) {
			best = longer;
			best_length = node->length;
		}
		longer = node->child[node->child[0] == EVL_HEAP_NO_PAGE];
	}

	/* One which is not in the tree is easier to take. */
	return best == EVL_HEAP_NO_PAGE ? best : __evl_hl_range(ext, best)->next;
}

/* Marks both ends of a free range, and makes it available. */
__evl_inline void __evl_hl_link_free(struct evl_heap_extent *ext, __u32 page, __u32 length)
{
	ext->types[page + length - 1] = __EVL_HL_PAGE_TAIL;
	ext->map[page + length - 1].u.length = length;
	ext->types[page] = __EVL_HL_PAGE_FREE;
	ext->map[page].u.length = length;
	__evl_hl_insert_range(ext, page, length);
}

__evl_inline void __evl_hl_unlink_free(struct evl_heap_extent *ext, __u32 page, __u32 length)
{
	__evl_hl_remove_range(ext, page);
	ext->types[page + length - 1] = __EVL_HL_PAGE_INNER;
	ext->types[page] = __EVL_HL_PAGE_INNER;
}

/* First of length pages in a row. */
__evl_inline __u32 __evl_hl_take_pages(struct evl_heap_extent *ext, __u32 length)
{
	__u32 page, found;

	page = __evl_hl_find_range(ext, length);
	if (page == EVL_HEAP_NO_PAGE)
		return page;

	found = __evl_hl_range(ext, page)->length;
	__evl_hl_unlink_free(ext, page, found);
	if (found > length)
		__evl_hl_link_free(ext, page + length, found - length);

	ext->types[page] = __EVL_HL_PAGE_BUSY;
	ext->map[page].u.length = length;

	return page;
}

/* Gives pages back, along with the free ones on either side. */
__evl_inline void __evl_hl_give_pages(struct evl_heap_extent *ext, __u32 page, __u32 length)
{
	__u32 next = page + length, size;

	ext->types[page] = __EVL_HL_PAGE_INNER;

	if (next < ext->nrpages && ext->types[next] == __EVL_HL_PAGE_FREE) {
		size = ext->map[next].u.length;
		__evl_hl_unlink_free(ext, next, size);
		length += size;
	}

	/* A single free page is marked as the first one, not as the last. */
	if (page > 0 && (ext->types[page - 1] == __EVL_HL_PAGE_TAIL ||
			 ext->types[page - 1] == __EVL_HL_PAGE_FREE)) {
		size = ext->map[page - 1].u.length;
		__evl_hl_unlink_free(ext, page - size, size);
		page -= size;
		length += size;
	}

	__evl_hl_link_free(ext, page, length);
}

__EVL_END_DECLS

#endif /* _EVL_DETAIL_HEAP_RANGE_H */
