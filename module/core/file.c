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
 * The hash grows with the number of files, in-band, when one is opened: by one
 * bucket at a time, so that nobody is held up for longer than a chain takes.
 *
 * Users hold no reference to the struct file, and cannot: Linux would not release
 * it while a wait goes on which its release is to end. User memory can keep them as
 * long as its owner likes, and Linux closes the last descriptor in whichever process
 * happens to be the last one: that must not wait for them. So a file of the core goes
 * in two steps. Its release marks it, for waits to end and for none to begin; the
 * last user completes it, by a worker if that is a request.
 *
 * Locking: grow_mutex serialises growth. A bucket's lock guards its chain, and
 * the transition of users from zero; it is a leaf. What is in a bucket, and which
 * bucket a file belongs to, only changes with the lock of that bucket held: whoever
 * has it looks at nr_buckets again.
 */
#include <linux/cred.h>
#include <linux/export.h>
#include <linux/fdtable.h>
#include <linux/hash.h>
#include <linux/log2.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/mutex.h>
#include <linux/nospec.h>
#include <linux/pid.h>
#include <linux/sched/signal.h>
#include <linux/slab.h>
#include <evl/lock.h>
#include <evl/file.h>
#include "core.h"

struct file_bucket {
	hard_spinlock_t lock;
	struct hlist_head chain;
};

/* --- The hash --------------------------------------------------------------- */

#define BASE_BITS	12
#define BASE_BUCKETS	(1U << BASE_BITS)
#define MAX_SEGMENTS	16
#define MAX_LOAD	2		/* files for each bucket */

static struct file_bucket base[BASE_BUCKETS];
/* Bucket n is in segments[fls(n >> BASE_BITS)], from the second one on. */
static struct file_bucket *segments[MAX_SEGMENTS];
static unsigned int nr_buckets = BASE_BUCKETS;
static atomic_t nr_files;
static DEFINE_MUTEX(grow_mutex);

static struct file_bucket *bucket_at(unsigned int index)
{
	unsigned int segment = fls(index >> BASE_BITS);

	if (!segment)
		return &base[index];

	return &segments[segment][index - (BASE_BUCKETS << (segment - 1))];
}

/* With @nr buckets, those from @nr on up to the next power of two are still part
 * of the ones which they are going to be split from. */
static unsigned int index_of(u32 hash, unsigned int nr)
{
	unsigned int low = rounddown_pow_of_two(nr);
	unsigned int index = hash & (2 * low - 1);

	return index < nr ? index : index & (low - 1);
}

/* The bucket of @filp, locked; hard irqs off. */
static __always_inline struct file_bucket *lock_bucket(const struct file *filp)
{
	u32 hash = hash_ptr(filp, 32);
	struct file_bucket *b;
	unsigned int nr;

	for (;;) {
		nr = smp_load_acquire(&nr_buckets);
		b = likely(nr == BASE_BUCKETS) ? &base[hash & (BASE_BUCKETS - 1)] :
			bucket_at(index_of(hash, nr));
		raw_spin_lock(&b->lock);
		if (likely(READ_ONCE(nr_buckets) == nr))
			return b;
		raw_spin_unlock(&b->lock);
	}
}

/* Memory for bucket @nr; mutex held. */
static bool extend_buckets(unsigned int nr)
{
	unsigned int segment = fls(nr >> BASE_BITS);

	if (segment >= MAX_SEGMENTS)
		return false;

	if (!segments[segment])
		segments[segment] = kvcalloc(BASE_BUCKETS << (segment - 1),
					     sizeof(struct file_bucket),
					     GFP_KERNEL | __GFP_NOWARN);

	return segments[segment];
}

/* One more bucket, which takes its share of another one. */
static void split_bucket(unsigned int nr)
{
	struct file_bucket *from = bucket_at(nr - rounddown_pow_of_two(nr));
	struct file_bucket *to = bucket_at(nr);
	struct hlist_node *next;
	struct evl_file *efilp;
	unsigned long flags;

	raw_spin_lock_init(&to->lock);
	INIT_HLIST_HEAD(&to->chain);

	evl_lock_irqsave(&from->lock, flags);
	raw_spin_lock_nested(&to->lock, SINGLE_DEPTH_NESTING);
	hlist_for_each_entry_safe(efilp, next, &from->chain, hash) {
		if (index_of(hash_ptr(efilp->key, 32), nr + 1) != nr)
			continue;
		hlist_del(&efilp->hash);
		hlist_add_head(&efilp->hash, &to->chain);
	}
	smp_store_release(&nr_buckets, nr + 1);
	raw_spin_unlock(&to->lock);
	evl_unlock_irqrestore(&from->lock, flags);
}

/* Chains stay short as files get more. Without memory they do not, that is all. */
static void grow_hash(void)
{
	mutex_lock(&grow_mutex);
	if (atomic_read(&nr_files) / MAX_LOAD > nr_buckets &&
	    extend_buckets(nr_buckets))
		split_bucket(nr_buckets);
	mutex_unlock(&grow_mutex);
}

/* --- Files ------------------------------------------------------------------ */

/* The last user is gone; in-band, it may have been an out-of-band one. */
static void report_idle(struct irq_work *work)
{
	complete(&container_of(work, struct evl_file, idle_work)->idle);
}

/* Handlers get @filp. */
static void init_file(struct evl_file *efilp, const struct file *key, struct file *filp,
		      const struct evl_file_ops *ops)
{
	efilp->filp = filp;
	efilp->key = key;
	efilp->ops = ops;
	atomic_set(&efilp->users, 1);
	efilp->retired = false;
	init_completion(&efilp->idle);
	init_irq_work(&efilp->idle_work, report_idle);
	efilp->end_work = NULL;
	efilp->on_release = NULL;
	INIT_LIST_HEAD(&efilp->watches);
}

static void hash_file(struct evl_file *efilp)
{
	struct file_bucket *b;
	unsigned long flags;

	flags = hard_local_irq_save();
	b = lock_bucket(efilp->key);
	hlist_add_head(&efilp->hash, &b->chain);
	evl_unlock_irqrestore(&b->lock, flags);

	if (atomic_inc_return(&nr_files) / MAX_LOAD > READ_ONCE(nr_buckets))
		grow_hash();
}

static void unhash_file(struct evl_file *efilp)
{
	struct file_bucket *b;
	unsigned long flags;

	flags = hard_local_irq_save();
	b = lock_bucket(efilp->key);
	hlist_del(&efilp->hash);
	evl_unlock_irqrestore(&b->lock, flags);
	atomic_dec(&nr_files);
}

static void tell_watchers(struct evl_file *efilp)
{
	void (*on_release)(struct evl_file *efilp) = READ_ONCE(efilp->on_release);

	if (on_release)
		on_release(efilp);
}

void evl_open_file(struct evl_file *efilp, struct file *filp,
		   const struct evl_file_ops *ops)
{
	init_file(efilp, filp, filp, ops);
	hash_file(efilp);
}
EXPORT_SYMBOL_GPL(evl_open_file);

void evl_release_file(struct evl_file *efilp)
{
	unhash_file(efilp);

	if (!atomic_dec_and_test(&efilp->users)) {
		wait_for_completion(&efilp->idle);
		irq_work_sync(&efilp->idle_work);
	}

	tell_watchers(efilp);
}
EXPORT_SYMBOL_GPL(evl_release_file);

/* fcntl(2) may have changed them since the last request. The file is there as long
 * as it is hashed. Bucket locked. */
static __always_inline void update_flags(struct evl_file *efilp, const struct file *filp)
{
	struct file *stand_in = efilp->filp;
	unsigned int f_flags = READ_ONCE(filp->f_flags);

	if (unlikely(READ_ONCE(stand_in->f_flags) != f_flags) && stand_in != filp)
		WRITE_ONCE(stand_in->f_flags, f_flags);
}

static __always_inline struct evl_file *find_and_get(struct file *filp)
{
	struct file_bucket *b = lock_bucket(filp);
	struct evl_file *efilp;

	hlist_for_each_entry(efilp, &b->chain, hash) {
		if (efilp->key == filp) {
			atomic_inc(&efilp->users);
			update_flags(efilp, filp);
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
	if (lookup_fd(rcu_dereference_raw(current->files->fdt), fd) == efilp->key)
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
	if (efilp->end_work)
		evl_call_inband(efilp->end_work);
	else
		irq_work_queue(&efilp->idle_work);
}
EXPORT_SYMBOL_GPL(evl_last_put_file);

/* --- Files of the core itself ----------------------------------------------------- */

/* How long the process which opened a file may be kept waiting when it closes it. */
#define PATIENCE	(2 * HZ)

/* No user is left, and none can come. */
static void end_file(struct evl_core_file *cfile)
{
	struct pid *opener = cfile->opener;

	/* Those which were told already do not count; others may have come since. */
	tell_watchers(&cfile->efile);
	cfile->end(cfile);
	put_pid(opener);
}

static void do_end_work(struct evl_work *work)
{
	struct evl_core_file *cfile = container_of(work, struct evl_core_file, end_work);
	const struct cred *cred = cfile->stand_in.f_cred;

	end_file(cfile);
	put_cred(cred);
	/* evl_exit_works() waits until this returned. */
	module_put(THIS_MODULE);
}

void evl_open_core_file(struct evl_core_file *cfile, struct file *filp,
			const struct evl_file_ops *ops,
			void (*end)(struct evl_core_file *cfile))
{
	struct file *stand_in = &cfile->stand_in;

	stand_in->f_op = filp->f_op;
	stand_in->f_mode = filp->f_mode;
	stand_in->f_flags = filp->f_flags;
	stand_in->f_cred = filp->f_cred;
	stand_in->private_data = filp->private_data;

	cfile->opener = get_pid(task_tgid(current));
	cfile->end = end;
	evl_init_work(&cfile->end_work, do_end_work);

	init_file(&cfile->efile, filp, stand_in, ops);
	cfile->efile.end_work = &cfile->end_work;
	hash_file(&cfile->efile);
}

/* Those who poll the file are told at once, however long its requests last. */
bool evl_retire_core_file(struct evl_core_file *cfile)
{
	struct evl_file *efilp = &cfile->efile;

	unhash_file(efilp);
	/* Looked at with a wait channel locked: whoever is in line by the time that
	 * the caller has that lock is woken up, whoever comes later sees this. */
	WRITE_ONCE(efilp->retired, true);
	tell_watchers(efilp);

	return atomic_read(&efilp->users) > 1;
}

/*
 * Threads of this process, most likely, are on their way out of a request: what it
 * closed is gone when close(2) returns, so it may use the name again, and so on.
 * There is nobody left who could when it exits.
 */
static void await_requests(struct evl_core_file *cfile)
{
	unsigned long limit = jiffies + PATIENCE;
	long delay = 1;

	if (task_tgid(current) != cfile->opener || current->flags & PF_EXITING)
		return;

	while (atomic_read(&cfile->efile.users) > 1 && time_before(jiffies, limit)) {
		schedule_timeout_killable(delay);
		if (fatal_signal_pending(current))
			break;
		delay = min(delay * 2, HZ / 10L);
	}
}

void evl_drop_core_file(struct evl_core_file *cfile)
{
	struct evl_file *efilp = &cfile->efile;
	const struct cred *cred;

	if (atomic_read(&efilp->users) > 1)
		await_requests(cfile);

	if (atomic_cmpxchg(&efilp->users, 1, 0) != 1) {
		/* Requests go on when the file, which pins both, is no more. */
		cred = get_cred(cfile->stand_in.f_cred);
		__module_get(THIS_MODULE);
		if (!atomic_dec_and_test(&efilp->users))
			return;
		module_put(THIS_MODULE);
		put_cred(cred);
	}

	end_file(cfile);
}

/* --- Bring-up ----------------------------------------------------------------------- */

int evl_init_files(void)
{
	int n;

	for (n = 0; n < BASE_BUCKETS; n++)
		raw_spin_lock_init(&base[n].lock);

	return 0;
}

void evl_exit_files(void)
{
	int n;

	for (n = 0; n < MAX_SEGMENTS; n++)
		kvfree(segments[n]);
}
