// SPDX-License-Identifier: GPL-2.0-only
/*
 * Mapping the target of a proxy. Linux made its checks on the file of the proxy,
 * which is open for everything and has no limits: those which it would have made
 * on the target are left to us. What cannot be forwarded whole is refused.
 */
#include <linux/file.h>
#include <linux/fs.h>
#include <linux/hashtable.h>
#include <linux/magic.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/mount.h>
#include <linux/mutex.h>
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
 * A file cannot be sealed against writing as long as there are shared mappings of it. Ours
 * is not counted before we returned: the hold is what counts until then. The lock which is
 * held for a mapping tells when this one is done. How long that takes is up to others: a
 * work which may wait does so.
 *
 * Locking: holds_lock guards the table. A hold comes with its mm locked for writing, and
 * goes with the same locked for reading: so one is enough for all mappings of a target
 * which are on their way in an mm.
 */
struct seal_hold {
	struct hlist_node next;
	struct evl_work work;
	struct mm_struct *mm;
	struct file *target;
};

#define HOLD_HASH_BITS	8

static DEFINE_MUTEX(holds_lock);
static DEFINE_HASHTABLE(holds, HOLD_HASH_BITS);

static unsigned long hold_key(struct mm_struct *mm, struct file *target)
{
	return (unsigned long)mm ^ (unsigned long)target;
}

static bool is_held(struct mm_struct *mm, struct file *target)
{
	struct seal_hold *hold;
	bool found = false;

	mutex_lock(&holds_lock);
	hash_for_each_possible(holds, hold, next, hold_key(mm, target)) {
		found = hold->mm == mm && hold->target == target;
		if (found)
			break;
	}
	mutex_unlock(&holds_lock);

	return found;
}

static void add_hold(struct seal_hold *hold)
{
	mutex_lock(&holds_lock);
	hash_add(holds, &hold->next, hold_key(hold->mm, hold->target));
	mutex_unlock(&holds_lock);
}

static void remove_hold(struct seal_hold *hold)
{
	mutex_lock(&holds_lock);
	hash_del(&hold->next);
	mutex_unlock(&holds_lock);
}

/* What is unmapped after that does not find the hold any more. */
static void release_hold(struct evl_work *work)
{
	struct seal_hold *hold = container_of(work, struct seal_hold, work);

	/* The user says how long that takes: it is no hang for Linux to tell of. There
	 * are no signals for a worker. */
	while (mmap_read_lock_killable(hold->mm))
		cond_resched();
	remove_hold(hold);
	mapping_unmap_writable(hold->target->f_mapping);
	mmap_read_unlock(hold->mm);

	mmdrop(hold->mm);
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

	if (is_held(vma->vm_mm, target))
		return 0;

	hold = kmalloc(sizeof(*hold), GFP_KERNEL_ACCOUNT);
	if (!hold)
		return -ENOMEM;

	if (mapping_map_writable(target->f_mapping)) {
		kfree(hold);
		return -EPERM;
	}

	hold->target = get_file(target);
	hold->mm = vma->vm_mm;
	mmgrab(hold->mm);
	__module_get(THIS_MODULE);
	add_hold(hold);
	evl_init_work(&hold->work, release_hold);
	evl_let_work_wait(&hold->work, EVL_WORK_SEALS);
	evl_call_inband(&hold->work);

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
