// SPDX-License-Identifier: GPL-2.0-only
/*
 * The region shared with all processes, given out in slots of 16 bytes: a
 * thread window and a monitor state take one each.
 *
 * Locking: shmem.lock, a mutex, guards the map of slots.
 */
#include <linux/bitmap.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/mutex.h>
#include <linux/vmalloc.h>
#include <evl/shmem.h>
#include "core/core.h"

#define SHM_SLOT_SIZE	16UL
#define SHM_MAX_SIZE	(1U << 30)

static struct {
	struct mutex lock;
	void *base;
	size_t size;
	unsigned long *map;		/* a bit is set for each slot in use */
	unsigned long nr_slots;
	unsigned long hint;		/* no free slot below this one */
} shmem;

static unsigned int shm_size = 1024 * 1024;
module_param(shm_size, uint, 0444);
MODULE_PARM_DESC(shm_size, "bytes of memory shared with processes (default 1048576)");

void *evl_alloc_shared(size_t size)
{
	unsigned long nr = DIV_ROUND_UP(size, SHM_SLOT_SIZE), slot;
	void *p = NULL;

	if (!nr)
		return NULL;

	mutex_lock(&shmem.lock);
	slot = bitmap_find_next_zero_area(shmem.map, shmem.nr_slots, shmem.hint, nr, 0);
	if (slot < shmem.nr_slots) {
		bitmap_set(shmem.map, slot, nr);
		if (slot == shmem.hint)
			shmem.hint = slot + nr;
		p = shmem.base + slot * SHM_SLOT_SIZE;
		memset(p, 0, nr * SHM_SLOT_SIZE);
	}
	mutex_unlock(&shmem.lock);

	return p;
}

void evl_free_shared(void *p, size_t size)
{
	unsigned long slot;

	if (!p)
		return;

	slot = evl_shared_offset(p) / SHM_SLOT_SIZE;

	mutex_lock(&shmem.lock);
	bitmap_clear(shmem.map, slot, DIV_ROUND_UP(size, SHM_SLOT_SIZE));
	shmem.hint = min(shmem.hint, slot);
	mutex_unlock(&shmem.lock);
}

u32 evl_shared_offset(void *p)
{
	return p - shmem.base;
}

size_t evl_shared_size(void)
{
	return shmem.size;
}

int evl_mmap_shared(struct vm_area_struct *vma)
{
	if (vma->vm_end - vma->vm_start != shmem.size)
		return -EINVAL;

	/* A private copy would look right, and never change. */
	if (!(vma->vm_flags & VM_SHARED))
		return -EINVAL;

	/* The offset says nothing: all processes map the whole of it. */
	return remap_vmalloc_range(vma, shmem.base, 0);
}

int evl_init_shmem(void)
{
	if (!shm_size || shm_size > SHM_MAX_SIZE) {
		pr_err("evl: shm_size must be in the range 1..%u\n", SHM_MAX_SIZE);
		return -EINVAL;
	}

	mutex_init(&shmem.lock);
	shmem.size = PAGE_ALIGN(shm_size);
	shmem.nr_slots = shmem.size / SHM_SLOT_SIZE;
	shmem.base = vmalloc_user(shmem.size);
	if (!shmem.base)
		return -ENOMEM;

	shmem.map = vzalloc(BITS_TO_LONGS(shmem.nr_slots) * sizeof(long));
	if (!shmem.map) {
		vfree(shmem.base);
		return -ENOMEM;
	}

	return 0;
}

void evl_exit_shmem(void)
{
	if (!bitmap_empty(shmem.map, shmem.nr_slots))
		pr_warn("evl: shared memory leaked\n");

	vfree(shmem.map);
	vfree(shmem.base);
}
