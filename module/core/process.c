// SPDX-License-Identifier: GPL-2.0-only
/*
 * Processes known to the core, by mm. Each record pins its mm_struct (not the
 * memory), so that the address of one cannot be reused while we know it. No
 * callback tells that an mm is gone: records of dead ones are swept each time
 * another process comes.
 *
 * Locking: lock guards the list and the references; in-band only.
 */
#include <linux/list.h>
#include <linux/mutex.h>
#include <linux/sched/mm.h>
#include <linux/slab.h>
#include <evl/process.h>
#include "core.h"
#include "ptsync.h"

struct evl_process {
	struct mm_struct *mm;
	int refs;			/* threads, not counting the list */
	struct list_head next;
	struct evl_process_stop stop;	/* has a lock of its own */
};

static LIST_HEAD(processes);
static DEFINE_MUTEX(lock);

static struct evl_process *find_process(struct mm_struct *mm)
{
	struct evl_process *proc;

	list_for_each_entry(proc, &processes, next)
		if (proc->mm == mm)
			return proc;

	return NULL;
}

static void forget(struct evl_process *proc)
{
	list_del(&proc->next);
	mmdrop(proc->mm);
	kfree(proc);
}

static void sweep(void)
{
	struct evl_process *proc, *tmp;

	list_for_each_entry_safe(proc, tmp, &processes, next)
		if (!proc->refs && !atomic_read(&proc->mm->mm_users))
			forget(proc);
}

int evl_admit_process(void)
{
	struct evl_process *proc;
	int ret = 0;

	if (!current->mm)
		return -EPERM;

	mutex_lock(&lock);
	sweep();
	if (find_process(current->mm))
		goto out;

	proc = kzalloc(sizeof(*proc), GFP_KERNEL);
	if (!proc) {
		ret = -ENOMEM;
		goto out;
	}
	proc->mm = current->mm;
	mmgrab(proc->mm);
	evl_init_stop(&proc->stop);
	list_add(&proc->next, &processes);
out:
	mutex_unlock(&lock);

	return ret;
}

struct evl_process *evl_get_process(void)
{
	struct evl_process *proc;

	mutex_lock(&lock);
	proc = find_process(current->mm);
	if (proc)
		proc->refs++;
	mutex_unlock(&lock);

	return proc;
}

void evl_put_process(struct evl_process *proc)
{
	mutex_lock(&lock);
	proc->refs--;
	mutex_unlock(&lock);
}

struct evl_process_stop *evl_process_stop(struct evl_process *proc)
{
	return &proc->stop;
}

bool evl_process_is_current(struct evl_process *proc)
{
	return proc->mm == current->mm;
}

void evl_exit_processes(void)
{
	struct evl_process *proc, *tmp;

	list_for_each_entry_safe(proc, tmp, &processes, next)
		forget(proc);
}
