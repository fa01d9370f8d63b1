/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The region which the core shares with all processes: thread windows and
 * monitor states. User space may write anything to it at any time.
 */
#ifndef EVL_SHMEM_H
#define EVL_SHMEM_H

#include <linux/types.h>

struct vm_area_struct;

/* Zeroed, NULL when the region is full (module parameter shm_size). In-band. */
void *evl_alloc_shared(size_t size);
void evl_free_shared(void *p, size_t size);
/* Offset of @p from the start of the region. */
u32 evl_shared_offset(void *p);
size_t evl_shared_size(void);
/* -EINVAL unless @vma has exactly the size of the region. */
int evl_mmap_shared(struct vm_area_struct *vma);

#endif /* !EVL_SHMEM_H */
