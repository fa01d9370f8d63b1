// SPDX-License-Identifier: GPL-2.0-only
/*
 * Files with out-of-band operations, found by descriptor from either stage.
 *
 * The descriptor table of the process is read the way Linux does it under RCU;
 * hard irqs off make the read side, which the hosts make hold out-of-band. A
 * hash by address then tells our files from others. A user counts as such only
 * if the file was not released before, and still has that descriptor after it
 * was counted: struct file memory may be reused at any time.
 *
 * Locking: a bucket's lock guards its chain, and the transition of users from
 * zero; it is a leaf.
 */
#include <linux/export.h>
#include <linux/fdtable.h>
#include <linux/hash.h>
#include <linux/nospec.h>
#include <evl/lock.h>
#include <evl/file.h>
#include "core.h"

#define FILE_HASH_BITS	12

struct file_bucket {
	hard_spinlock_t lock;
	struct hlist_head chain;
};

static struct file_bucket buckets[1 << FILE_HASH_BITS];

static struct file_bucket *bucket_of(const struct file *filp)
{
	return &buckets[hash_ptr(filp, FILE_HASH_BITS)];
}

/* The last user is gone; in-band, it may have been an out-of-band one. */
static void report_idle(struct irq_work *work)
{
	complete(&container_of(work, struct evl_file, idle_work)->idle);
}

void evl_open_file(struct evl_file *efilp, struct file *filp,
		   const struct evl_file_ops *ops)
{
	struct file_bucket *b = bucket_of(filp);
	unsigned long flags;

	efilp->filp = filp;
	efilp->ops = ops;
	atomic_set(&efilp->users, 1);
	init_completion(&efilp->idle);
	init_irq_work(&efilp->idle_work, report_idle);
	efilp->on_release = NULL;
	INIT_LIST_HEAD(&efilp->watches);

	evl_lock_irqsave(&b->lock, flags);
	hlist_add_head(&efilp->hash, &b->chain);
	evl_unlock_irqrestore(&b->lock, flags);
}
EXPORT_SYMBOL_GPL(evl_open_file);

void evl_release_file(struct evl_file *efilp)
{
	struct file_bucket *b = bucket_of(efilp->filp);
	unsigned long flags;

	evl_lock_irqsave(&b->lock, flags);
	hlist_del(&efilp->hash);
	evl_unlock_irqrestore(&b->lock, flags);

	if (!atomic_dec_and_test(&efilp->users)) {
		wait_for_completion(&efilp->idle);
		irq_work_sync(&efilp->idle_work);
	}

	if (efilp->on_release)
		efilp->on_release(efilp);
}
EXPORT_SYMBOL_GPL(evl_release_file);

static __always_inline struct evl_file *find_and_get(struct file *filp)
{
	struct file_bucket *b = bucket_of(filp);
	struct evl_file *efilp;

	raw_spin_lock(&b->lock);
	hlist_for_each_entry(efilp, &b->chain, hash) {
		if (efilp->filp == filp) {
			atomic_inc(&efilp->users);
			break;
		}
	}
	raw_spin_unlock(&b->lock);

	return efilp;
}

/* Hard irqs off. */
static __always_inline struct file *lookup_fd(struct fdtable *fdt,
					      unsigned int fd)
{
	if (fd >= fdt->max_fds)
		return NULL;

	fd = array_index_nospec(fd, fdt->max_fds);

	return rcu_dereference_raw(fdt->fd[fd]);
}

/* The descriptor went to another file, or the table was replaced meanwhile. */
static noinline struct evl_file *check_again(struct evl_file *efilp, int fd)
{
	struct file *filp = efilp->filp;

	if (lookup_fd(rcu_dereference_raw(current->files->fdt), fd) == filp)
		return efilp;

	evl_put_file(efilp);

	return NULL;
}

struct evl_file *evl_get_file(int fd)
{
	struct files_struct *files = current->files;
	struct evl_file *efilp = NULL;
	struct fdtable *fdt;
	unsigned long flags;
	struct file *filp;

	flags = hard_local_irq_save();
	fdt = rcu_dereference_raw(files->fdt);
	filp = lookup_fd(fdt, fd);
	if (likely(filp)) {
		efilp = find_and_get(filp);
		if (unlikely(efilp && (rcu_dereference_raw(files->fdt) != fdt ||
				       lookup_fd(fdt, fd) != filp)))
			efilp = check_again(efilp, fd);
	}
	hard_local_irq_restore(flags);

	return efilp;
}
EXPORT_SYMBOL_GPL(evl_get_file);

void evl_get_fileref(struct evl_file *efilp)
{
	atomic_inc(&efilp->users);
}
EXPORT_SYMBOL_GPL(evl_get_fileref);

void evl_last_put_file(struct evl_file *efilp)
{
	irq_work_queue(&efilp->idle_work);
}
EXPORT_SYMBOL_GPL(evl_last_put_file);

int evl_init_files(void)
{
	int n;

	for (n = 0; n < ARRAY_SIZE(buckets); n++)
		raw_spin_lock_init(&buckets[n].lock);

	return 0;
}
