/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The core heap: memory which can be had and given back on any stage, from a
 * pool reserved at load time (module parameter sysheap_size).
 */
#ifndef EVL_HEAP_H
#define EVL_HEAP_H

#include <linux/types.h>

/* NULL when @size is zero or over a quarter of a page, or the pool is dry. */
void *evl_alloc(size_t size);
void evl_free(void *block);

#endif /* !EVL_HEAP_H */
