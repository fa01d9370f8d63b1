// SPDX-License-Identifier: GPL-2.0-only
/*
 * How long a process waits for what it wrote to get to the targets of its proxies,
 * when it closes them. That is a second for each as long as the process may do
 * something about it. But an exiting process closes all of them one after the other,
 * and nothing can end that any more, not even SIGKILL: it has one second in all.
 * Relays go on meanwhile, and for a while afterwards, each by itself.
 *
 * Locking: lock guards the list, and the references from zero.
 */
#include <linux/err.h>
#include <linux/jiffies.h>
#include <linux/list.h>
#include <linux/minmax.h>
#include <linux/pid.h>
#include <linux/sched.h>
#include <linux/slab.h>
#include <linux/spinlock.h>
#include "element/proxy/grace.h"

/* Of one process, shared by the proxies which it made. */
struct evl_grace {
	struct list_head next;
	struct pid *maker;
	unsigned int refs;
	bool exiting;
	unsigned long until;		/* jiffies, if exiting */
};

static DEFINE_SPINLOCK(lock);
static LIST_HEAD(graces);

static struct evl_grace *find_current(void)
{
	struct evl_grace *grace;

	list_for_each_entry(grace, &graces, next) {
		if (grace->maker == task_tgid(current)) {
			grace->refs++;
			return grace;
		}
	}

	return NULL;
}

static void add_current(struct evl_grace *grace)
{
	grace->maker = get_pid(task_tgid(current));
	grace->refs = 1;
	list_add(&grace->next, &graces);
}

struct evl_grace *evl_get_grace(void)
{
	struct evl_grace *grace, *fresh;

	fresh = kzalloc(sizeof(*fresh), GFP_KERNEL);
	if (!fresh)
		return ERR_PTR(-ENOMEM);

	spin_lock(&lock);
	grace = find_current();
	if (!grace)
		add_current(fresh);
	spin_unlock(&lock);

	if (grace)
		kfree(fresh);

	return grace ?: fresh;
}

void evl_put_grace(struct evl_grace *grace)
{
	bool last;

	spin_lock(&lock);
	last = !--grace->refs;
	if (last)
		list_del(&grace->next);
	spin_unlock(&lock);

	if (last) {
		put_pid(grace->maker);
		kfree(grace);
	}
}

long evl_grace_left(struct evl_grace *grace)
{
	long left = EVL_PROXY_GRACE;

	if (!(current->flags & PF_EXITING))
		return left;
	/* Who got the proxy from somebody else has no part in it. */
	if (task_tgid(current) != grace->maker)
		return 0;

	/* It may be one of its threads only, which had files of its own. */
	spin_lock(&lock);
	if (grace->exiting && time_before(jiffies, grace->until + EVL_PROXY_GRACE)) {
		left = max(0L, (long)(grace->until - jiffies));
	} else {
		grace->exiting = true;
		grace->until = jiffies + left;
	}
	spin_unlock(&lock);

	return left;
}
