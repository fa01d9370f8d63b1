// SPDX-License-Identifier: GPL-2.0-only
/* What a block of memory costs, from a heap of the library and from the C library. */
#include "bench.h"
#include <evl/heap.h>

#define HEAP_SIZE	(1 << 20)

static struct evl_heap heap;

/* Keeps the compiler from finding out that nobody uses the block. */
#define use(__block)	__asm__ volatile("" : : "r"(__block) : "memory")

static void alloc_free(size_t size)
{
	void *block = evl_alloc_block(&heap, size);

	use(block);
	must(evl_free_block(&heap, block));
}

static void alloc_free_unlocked(size_t size)
{
	void *block = evl_alloc_block_unlocked(&heap, size);

	use(block);
	must(evl_free_block_unlocked(&heap, block));
}

static void malloc_free(size_t size)
{
	void *block = malloc(size);

	use(block);
	free(block);
}

/* Others of its size are in use, as in any program. */
static void run(size_t size)
{
	void *kept = evl_alloc_block(&heap, size), *also_kept = malloc(size);
	char name[64];

	snprintf(name, sizeof(name), "heap_alloc_free_%zu", size);
	must(evl_switch_oob());
	measure(name, 1000, alloc_free(size));
	snprintf(name, sizeof(name), "heap_alloc_free_unlocked_%zu", size);
	must(evl_switch_oob());
	measure(name, 1000, alloc_free_unlocked(size));
	snprintf(name, sizeof(name), "malloc_free_%zu", size);
	measure(name, 1000, malloc_free(size));
	must(evl_free_block(&heap, kept));
	free(also_kept);
}

int main(void)
{
	static const size_t sizes[] = { 32, 512, 8192 };
	void *memory = malloc(HEAP_SIZE);
	size_t n;

	setvbuf(stdout, NULL, _IONBF, 0);
	must(mlockall(MCL_CURRENT | MCL_FUTURE));
	become_fifo(MAIN_PRIO);
	must(evl_attach_self("bench-heap:%d", getpid()));
	must(evl_init_heap(&heap, memory, HEAP_SIZE));
	for (n = 0; n < sizeof(sizes) / sizeof(sizes[0]); n++)
		run(sizes[n]);
	evl_destroy_heap(&heap);
	free(memory);

	return 0;
}
