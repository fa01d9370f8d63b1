// SPDX-License-Identifier: GPL-2.0-only
/*
 * The heap, without its lock: each block is filled with a pattern of its own,
 * so that overlaps show, and memory is accounted for to the last byte.
 */
#include "unit.h"
#include <evl/heap.h>

#define HEAP_SIZE	(256 * 1024UL)

static unsigned char area[EVL_HEAP_RAW_SIZE(HEAP_SIZE)];

struct block {
	unsigned char *mem;
	size_t size;
	unsigned char seed;
};

static void fill_block(struct block *b)
{
	memset(b->mem, b->seed, b->size);
}

static void check_block(const struct block *b)
{
	size_t n;

	for (n = 0; n < b->size; n++) {
		if (b->mem[n] != b->seed)
			fail_msg("block of %zu bytes overwritten at %zu", b->size, n);
	}
}

static size_t rounded(size_t size)
{
	size_t block = 16;

	if (size > 256)
		return (size + 511) & ~(size_t)511;
	while (block < size)
		block *= 2;

	return block;
}

static void test_sizes(void **state)
{
	struct evl_heap heap;

	(void)state;
	assert_int_equal(evl_init_heap_unlocked(&heap, area, sizeof(area)), 0);
	assert_int_equal(evl_heap_size(&heap), HEAP_SIZE);
	assert_int_equal(evl_heap_raw_size(&heap), sizeof(area));
	assert_int_equal(evl_heap_used(&heap), 0);
	evl_destroy_heap_unlocked(&heap);
	assert_null(evl_alloc_block_unlocked(&heap, 16));

	assert_int_equal(evl_init_heap_unlocked(&heap, area, 100), -EINVAL);
	assert_int_equal(evl_init_heap_unlocked(&heap, NULL, 100000), -EINVAL);
	assert_int_equal(evl_init_heap_unlocked(&heap, area, 0), -EINVAL);
}

static void test_any_alignment(void **state)
{
	static unsigned char odd[EVL_HEAP_RAW_SIZE(4096) + 64];
	struct evl_heap heap;
	unsigned int shift;
	void *block;

	(void)state;
	for (shift = 0; shift < 33; shift++) {
		assert_int_equal(evl_init_heap_unlocked(&heap, odd + shift,
							EVL_HEAP_RAW_SIZE(4096)), 0);
		assert_int_equal(evl_heap_size(&heap), 4096);
		block = evl_alloc_block_unlocked(&heap, 4096);
		assert_non_null(block);
		assert_int_equal((uintptr_t)block % 16, 0);
		memset(block, 0x5a, 4096);
		assert_int_equal(evl_free_block_unlocked(&heap, block), 0);
	}
}

static void test_rounding(void **state)
{
	struct evl_heap heap;
	size_t size;
	void *block;

	(void)state;
	assert_int_equal(evl_init_heap_unlocked(&heap, area, sizeof(area)), 0);
	for (size = 1; size < 3000; size++) {
		block = evl_alloc_block_unlocked(&heap, size);
		assert_non_null(block);
		assert_int_equal((uintptr_t)block % 16, 0);
		assert_int_equal(evl_check_block_unlocked(&heap, block), rounded(size));
		assert_int_equal(evl_heap_used(&heap), rounded(size));
		assert_int_equal(evl_free_block_unlocked(&heap, block), 0);
		assert_int_equal(evl_heap_used(&heap), 0);
	}
}

static void test_refusals(void **state)
{
	struct evl_heap heap;
	unsigned char *block, *small;
	int on_stack;

	(void)state;
	assert_int_equal(evl_init_heap_unlocked(&heap, area, sizeof(area)), 0);
	assert_null(evl_alloc_block_unlocked(&heap, 0));
	assert_null(evl_alloc_block_unlocked(&heap, HEAP_SIZE + 1));
	assert_null(evl_alloc_block_unlocked(&heap, (size_t)-1));
	assert_null(evl_alloc_block_unlocked(&heap, (size_t)1 << 33));

	block = evl_alloc_block_unlocked(&heap, 2000);
	small = evl_alloc_block_unlocked(&heap, 64);
	assert_int_equal(evl_free_block_unlocked(&heap, block + 1), -EINVAL);
	assert_int_equal(evl_free_block_unlocked(&heap, block + 512), -EINVAL);
	assert_int_equal(evl_free_block_unlocked(&heap, small + 16), -EINVAL);
	assert_int_equal(evl_free_block_unlocked(&heap, small + 64), -EINVAL);
	assert_int_equal(evl_free_block_unlocked(&heap, &on_stack), -EINVAL);
	assert_int_equal(evl_free_block_unlocked(&heap, NULL), -EINVAL);
	assert_int_equal(evl_check_block_unlocked(&heap, small + 16), -EINVAL);

	assert_int_equal(evl_free_block_unlocked(&heap, block), 0);
	assert_int_equal(evl_free_block_unlocked(&heap, block), -EINVAL);
	assert_int_equal(evl_free_block_unlocked(&heap, small), 0);
	assert_int_equal(evl_free_block_unlocked(&heap, small), -EINVAL);
	assert_int_equal(evl_heap_used(&heap), 0);
}

/* A heap holds as many blocks of a size as there is room for. */
static void test_fill(void **state)
{
	static struct block blocks[HEAP_SIZE / 16];
	struct evl_heap heap;
	size_t size, count, n, step;

	(void)state;
	for (size = 16; size <= HEAP_SIZE; size *= 2) {
		assert_int_equal(evl_init_heap_unlocked(&heap, area, sizeof(area)), 0);
		count = HEAP_SIZE / size;
		for (n = 0; n < count; n++) {
			blocks[n].mem = evl_alloc_block_unlocked(&heap, size);
			blocks[n].size = size;
			blocks[n].seed = (unsigned char)(n * 7 + 1);
			assert_non_null(blocks[n].mem);
			fill_block(&blocks[n]);
		}
		assert_null(evl_alloc_block_unlocked(&heap, size));
		assert_null(evl_alloc_block_unlocked(&heap, 1));
		assert_int_equal(evl_heap_used(&heap), HEAP_SIZE);

		/* Free every other one first: nothing to merge with. */
		for (step = 0; step < 2; step++) {
			for (n = step; n < count; n += 2) {
				check_block(&blocks[n]);
				assert_int_equal(evl_free_block_unlocked(&heap,
						 blocks[n].mem), 0);
			}
		}
		assert_int_equal(evl_heap_used(&heap), 0);
		/* All in one piece again. */
		assert_non_null(evl_alloc_block_unlocked(&heap, HEAP_SIZE));
	}
}

static void test_best_fit(void **state)
{
	static const size_t sizes[] = { 9, 3, 17, 5, 33, 2, 12 };
	struct evl_heap heap;
	void *hole[7], *fence[7], *block;
	unsigned int n;

	(void)state;
	assert_int_equal(evl_init_heap_unlocked(&heap, area, sizeof(area)), 0);
	for (n = 0; n < 7; n++) {
		hole[n] = evl_alloc_block_unlocked(&heap, sizes[n] * 512);
		fence[n] = evl_alloc_block_unlocked(&heap, 512);
		assert_non_null(fence[n]);
	}
	for (n = 0; n < 7; n++)
		assert_int_equal(evl_free_block_unlocked(&heap, hole[n]), 0);

	/* The hole of 5 pages is the shortest with room for 4. */
	block = evl_alloc_block_unlocked(&heap, 4 * 512);
	assert_ptr_equal(block, hole[3]);
	/* Exact fits. */
	block = evl_alloc_block_unlocked(&heap, 17 * 512);
	assert_ptr_equal(block, hole[2]);
	block = evl_alloc_block_unlocked(&heap, 10 * 512);
	assert_ptr_equal(block, hole[6]);
	block = evl_alloc_block_unlocked(&heap, 18 * 512);
	assert_ptr_equal(block, hole[4]);
}

static void test_extend(void **state)
{
	static unsigned char more[3][EVL_HEAP_RAW_SIZE(8192)];
	struct evl_heap heap;
	void *blocks[64];
	int n, count = 0;

	(void)state;
	assert_int_equal(evl_init_heap_unlocked(&heap, more[0], sizeof(more[0])), 0);
	assert_int_equal(evl_extend_heap_unlocked(&heap, more[1], sizeof(more[1])), 0);
	assert_int_equal(evl_extend_heap_unlocked(&heap, more[2], sizeof(more[2])), 0);
	assert_int_equal(evl_extend_heap_unlocked(&heap, more[2], 10), -EINVAL);
	assert_int_equal(evl_heap_size(&heap), 3 * 8192);
	assert_int_equal(evl_heap_raw_size(&heap), sizeof(more));

	/* Extents do not join. */
	assert_null(evl_alloc_block_unlocked(&heap, 8193));
	while (count < 64 && (blocks[count] = evl_alloc_block_unlocked(&heap, 512)))
		count++;
	assert_int_equal(count, 48);
	for (n = 0; n < count; n++)
		assert_int_equal(evl_free_block_unlocked(&heap, blocks[n]), 0);
	assert_int_equal(evl_heap_used(&heap), 0);
	for (n = 0; n < 3; n++)
		assert_non_null(evl_alloc_block_unlocked(&heap, 8192));
}

static unsigned int next_random(void)
{
	static unsigned int seed = 0x2545f491;

	seed ^= seed << 13;
	seed ^= seed >> 17;
	seed ^= seed << 5;

	return seed;
}

#define NR_BLOCKS	600
#define NR_STEPS	200000

/* Allocates and releases at random, mixing sizes, and never loses a byte. */
static void test_torture(void **state)
{
	static struct block blocks[NR_BLOCKS];
	struct evl_heap heap;
	size_t used = 0, refused = 0;
	struct block *b;
	int step;

	(void)state;
	assert_int_equal(evl_init_heap_unlocked(&heap, area, sizeof(area)), 0);

	for (step = 0; step < NR_STEPS; step++) {
		b = &blocks[next_random() % NR_BLOCKS];
		if (b->mem) {
			check_block(b);
			assert_int_equal(evl_check_block_unlocked(&heap, b->mem),
					 rounded(b->size));
			assert_int_equal(evl_free_block_unlocked(&heap, b->mem), 0);
			used -= rounded(b->size);
			b->mem = NULL;
			continue;
		}
		b->size = next_random() % (next_random() % 8 ? 300 : 6000) + 1;
		b->seed = (unsigned char)next_random();
		b->mem = evl_alloc_block_unlocked(&heap, b->size);
		if (b->mem) {
			fill_block(b);
			used += rounded(b->size);
		} else {
			refused++;
		}
		assert_int_equal(evl_heap_used(&heap), used);
	}

	/* It did run short, or this would not have been torture. */
	assert_true(refused > 0);

	for (b = blocks; b < blocks + NR_BLOCKS; b++) {
		if (b->mem) {
			check_block(b);
			assert_int_equal(evl_free_block_unlocked(&heap, b->mem), 0);
			b->mem = NULL;
		}
	}
	assert_int_equal(evl_heap_used(&heap), 0);
	assert_non_null(evl_alloc_block_unlocked(&heap, HEAP_SIZE));
}

static void test_locked_heap_needs_init(void **state)
{
	struct evl_heap heap;

	(void)state;
	assert_int_equal(evl_init_heap(&heap, area, sizeof(area)), -ENXIO);
	assert_int_equal(evl_init_heap(&heap, area, 10), -EINVAL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_sizes),
		cmocka_unit_test(test_any_alignment),
		cmocka_unit_test(test_rounding),
		cmocka_unit_test(test_refusals),
		cmocka_unit_test(test_fill),
		cmocka_unit_test(test_best_fit),
		cmocka_unit_test(test_extend),
		cmocka_unit_test(test_torture),
		cmocka_unit_test(test_locked_heap_needs_init),
	};

	return cmocka_run_group_tests_name("heap", tests, NULL, NULL);
}
