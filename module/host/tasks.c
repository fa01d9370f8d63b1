// SPDX-License-Identifier: GPL-2.0-only
/*
 * The table of attached tasks, hashed by task pointer.
 *
 * Locking: tasks_lock, a hard leaf lock, serialises writers. Readers take no
 * lock: an entry found with hard irqs off stays valid until they are enabled
 * again, since entries are freed a grace period after their removal, which
 * cannot end meanwhile. An entry for current stays for longer, for a task inserts
 * and removes itself; but the walk to it may pass by those of others.
 */
#include <linux/cgroup.h>
#include <linux/export.h>
#include <linux/hash.h>
#include <linux/rculist.h>
#include <linux/spinlock.h>
#include "host.h"
#include "tasks.h"

#define TASK_HASH_BITS	10

static struct hlist_head task_hash[1 << TASK_HASH_BITS];
static DEFINE_HARD_SPINLOCK(tasks_lock);

static __always_inline struct hlist_head *task_bucket(struct task_struct *task)
{
	return task_hash + hash_ptr(task, TASK_HASH_BITS);
}

/* Tracepoint probes call this for every task: most find an empty bucket. */
struct host_task *host_find_task(struct task_struct *task)
{
	struct host_task *h;

	hlist_for_each_entry_rcu_notrace(h, task_bucket(task), hash) {
		if (h->task == task)
			return h;
	}

	return NULL;
}
EXPORT_SYMBOL_GPL(host_find_task);

void host_insert_task(struct host_task *h)
{
	unsigned long flags;

	raw_spin_lock_irqsave(&tasks_lock, flags);
	hlist_add_head_rcu(&h->hash, task_bucket(h->task));
	raw_spin_unlock_irqrestore(&tasks_lock, flags);
}

void host_remove_task(struct host_task *h)
{
	unsigned long flags;

	raw_spin_lock_irqsave(&tasks_lock, flags);
	hlist_del_init_rcu(&h->hash);
	raw_spin_unlock_irqrestore(&tasks_lock, flags);
}

bool host_is_confined(void)
{
	bool confined = false;

#ifdef CONFIG_CPUSETS
	rcu_read_lock();
	confined = task_css(current, cpuset_cgrp_id)->parent;
	rcu_read_unlock();
#endif

	return confined;
}
