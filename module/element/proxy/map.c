// SPDX-License-Identifier: GPL-2.0-only
/*
 * Mapping the target of a proxy. Linux made its checks on the file of the proxy,
 * which is open for everything and has no limits: those which it would have made
 * on the target are left to us. What cannot be forwarded whole is refused.
 */
#include <linux/file.h>
#include <linux/fs.h>
#include <linux/magic.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/mount.h>
#include <linux/sched/mm.h>
#include <linux/slab.h>
#include <evl/work.h>
#include "element/proxy/proxy.h"

/*
 * Whether mappings of @target are like any other to Linux. Huge pages are not:
 * their size shows in the address and in how memory is accounted, both decided
 * before we are asked. Ordinary files look for a good address at most, devices
 * which choose one themselves may rely on it.
 */
bool evl_can_map_target(struct file *target)
{
	struct inode *inode = file_inode(target);

	if (!target->f_op->mmap)
		return false;
	/* They have the operation since others do, and may hold the proxy. */
	if (evl_is_local_socket(target))
		return false;
	if (inode->i_sb->s_magic == HUGETLBFS_MAGIC)
		return false;

	return S_ISREG(inode->i_mode) || !target->f_op->get_unmapped_area;
}

static bool fits_offsets(struct file *target, struct vm_area_struct *vma)
{
	umode_t mode = file_inode(target)->i_mode;
	u64 len = vma->vm_end - vma->vm_start;

	if (!S_ISREG(mode) && !S_ISBLK(mode) && !S_ISSOCK(mode))
		return true;

	return len <= MAX_LFS_FILESIZE &&
		vma->vm_pgoff <= (MAX_LFS_FILESIZE - len) >> PAGE_SHIFT;
}

/* Of a mapping which others see the changes of. */
static int check_shared(struct file *target, struct vm_area_struct *vma)
{
	struct inode *inode = file_inode(target);
	loff_t pos = 0;

	if (!(target->f_mode & FMODE_WRITE)) {
		if (vma->vm_flags & VM_WRITE)
			return -EACCES;
		evl_clear_vm_flags(vma, VM_MAYWRITE);
		return 0;
	}

	if (IS_APPEND(inode))
		return -EACCES;
	if (!(vma->vm_flags & VM_WRITE))
		return 0;
	if (IS_SWAPFILE(target->f_mapping->host))
		return -ETXTBSY;

	return rw_verify_area(WRITE, target, &pos, 0);
}

static int check_mapping(struct file *target, struct vm_area_struct *vma)
{
	loff_t pos = 0;
	int err;

	if (!evl_can_map_target(target))
		return -ENODEV;
	if (!fits_offsets(target, vma))
		return -EOVERFLOW;
	if (!(target->f_mode & FMODE_READ))
		return -EACCES;

	/* Nobody but Linux can have the code of a file judged by all who want a
	 * say in that. */
	if (vma->vm_flags & VM_EXEC)
		return -EPERM;
	evl_clear_vm_flags(vma, VM_MAYEXEC);

	err = rw_verify_area(READ, target, &pos, 0);
	if (err)
		return err;

	return vma->vm_flags & VM_SHARED ? check_shared(target, vma) : 0;
}

/* --- Seals ------------------------------------------------------------------------ */

/*
 * A file cannot be sealed against writing as long as there are shared mappings
 * of it. Ours is not counted before we returned: the hold is what counts until
 * then. The lock which is held for a mapping tells when this one is done. How long
 * that takes is up to others: the lock is tried now and then.
 */
struct seal_hold {
	struct delayed_work work;
	unsigned long delay;		/* until the next try */
	struct mm_struct *mm;
	struct file *target;
};

static void release_hold(struct work_struct *work)
{
	struct seal_hold *hold = container_of(to_delayed_work(work), struct seal_hold, work);

	if (!mmap_read_trylock(hold->mm)) {
		hold->delay = min(2 * hold->delay + 1, HZ / 10UL);
		evl_queue_later(&hold->work, hold->delay);
		return;
	}
	mmap_read_unlock(hold->mm);
	mmdrop(hold->mm);
	mapping_unmap_writable(hold->target->f_mapping);
	fput(hold->target);
	kfree(hold);
	/* Those who wait for works wait for the end of this. */
	module_put(THIS_MODULE);
}

/* -EPERM if the target was sealed, even if that is to be read only: kernels
 * differ in what they make of that. */
static int hold_seals(struct file *target, struct vm_area_struct *vma)
{
	struct seal_hold *hold;

	hold = kmalloc(sizeof(*hold), GFP_KERNEL);
	if (!hold)
		return -ENOMEM;

	if (mapping_map_writable(target->f_mapping)) {
		kfree(hold);
		return -EPERM;
	}

	INIT_DELAYED_WORK(&hold->work, release_hold);
	hold->delay = 0;
	hold->target = get_file(target);
	hold->mm = vma->vm_mm;
	mmgrab(hold->mm);
	__module_get(THIS_MODULE);
	evl_queue_later(&hold->work, hold->delay);

	return 0;
}

int evl_map_target(struct file *target, struct vm_area_struct *vma)
{
	int err;

	err = check_mapping(target, vma);
	if (!err && vma->vm_flags & VM_SHARED)
		err = hold_seals(target, vma);
	if (err)
		return err;

	vma_set_file(vma, target);

	return target->f_op->mmap(target, vma);
}
