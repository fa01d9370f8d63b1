// SPDX-License-Identifier: GPL-2.0-only
/*
 * Subscriptions: a task, attached or not, and an observable. They end when the task
 * unsubscribes, exits or executes another program, or when the observable goes.
 *
 * Locking: the lock of an observable, then subscribers.lock, a leaf, which guards the
 * tasks and what they have subscribed to. Whoever starts from a task pins the
 * observable (@pins) from having looked at the latter until it has the former, with
 * interrupts off: the observable spins on that before it goes.
 *
 * A task ends atomically: it is marked as gone at once, and its subscriptions, of
 * which there may be many, are left to a worker. Its next program, or another task at
 * the same address, does not find them any more. The worker waits for nobody.
 */
#include <linux/mm.h>
#include <linux/sched.h>
#include <linux/slab.h>
#include <evl/sched.h>
#include "element/observable/observable.h"
#include "exits.h"

static struct {
	hard_spinlock_t lock;
	struct rb_root tasks;
} subscribers = {
	.lock = __HARD_SPIN_LOCK_INITIALIZER(subscribers.lock),
	.tasks = RB_ROOT,
};

/* --- Tasks which have subscribed --------------------------------------------------- */

static int task_cmp(const void *key, const struct rb_node *node)
{
	const struct task_struct *task = key;
	const struct task_struct *other = rb_entry(node, struct evl_subscriber, node)->task;

	return task < other ? -1 : task > other;
}

static int subscriber_cmp(struct rb_node *a, const struct rb_node *b)
{
	return task_cmp(rb_entry(a, struct evl_subscriber, node)->task, b);
}

static struct evl_subscriber *find_subscriber(struct task_struct *task)
{
	struct rb_node *node = rb_find(task, &subscribers.tasks, task_cmp);

	return node ? rb_entry(node, struct evl_subscriber, node) : NULL;
}

/* The observable locked, or the observer in nobody's reach but ours. Returns the
 * subscriber if it was the last of its subscriptions, to be freed. */
static struct evl_subscriber *leave_task(struct evl_observer *observer)
{
	struct evl_subscriber *subscriber = observer->subscriber;
	bool last;

	raw_spin_lock(&subscribers.lock);
	list_del(&observer->next_of_task);
	/* The worker looks after the one that is gone. */
	last = list_empty(&subscriber->observers) && !subscriber->gone;
	if (last)
		rb_erase(&subscriber->node, &subscribers.tasks);
	raw_spin_unlock(&subscribers.lock);

	return last ? subscriber : NULL;
}

/* The observable locked. True if @fresh is in use now. */
static bool join_task(struct evl_observer *observer, struct evl_subscriber *fresh)
{
	struct evl_subscriber *subscriber;

	raw_spin_lock(&subscribers.lock);
	subscriber = find_subscriber(observer->task);
	if (!subscriber) {
		subscriber = fresh;
		rb_find_add(&fresh->node, &subscribers.tasks, subscriber_cmp);
	}
	observer->subscriber = subscriber;
	list_add_tail(&observer->next_of_task, &subscriber->observers);
	raw_spin_unlock(&subscribers.lock);

	return subscriber == fresh;
}

/* --- Observers of an observable: lock held ------------------------------------------- */

static int observer_task_cmp(const void *key, const struct rb_node *node)
{
	const struct task_struct *task = key;
	const struct task_struct *other = rb_entry(node, struct evl_observer, node)->task;

	return task < other ? -1 : task > other;
}

static int observer_cmp(struct rb_node *a, const struct rb_node *b)
{
	return observer_task_cmp(rb_entry(a, struct evl_observer, node)->task, b);
}

struct evl_observer *evl_find_observer(struct evl_observable *o)
{
	struct rb_node *node = rb_find(current, &o->by_task, observer_task_cmp);
	struct evl_observer *observer;

	if (!node)
		return NULL;

	observer = rb_entry(node, struct evl_observer, node);

	return unlikely(evl_observer_is_gone(observer)) ? NULL : observer;
}

/* False if the task of @observer has subscribed. The one before it at the same
 * address, or its last program, makes room. */
static bool index_observer(struct evl_observable *o, struct evl_observer *observer)
{
	struct evl_observer *other;
	struct rb_node *node;

	node = rb_find_add(&observer->node, &o->by_task, observer_cmp);
	if (likely(!node))
		return true;

	other = rb_entry(node, struct evl_observer, node);
	if (!evl_observer_is_gone(other))
		return false;

	rb_replace_node(node, &observer->node, &o->by_task);
	RB_CLEAR_NODE(node);

	return true;
}

static void link_observer(struct evl_observable *o, struct evl_observer *observer)
{
	observer->seq = ++o->nr_subscriptions;
	list_add_tail(&observer->next, &o->observers);
	list_add_tail(&observer->next_roomy, &o->roomy);
	o->nr_observers++;
}

static void unlink_observer(struct evl_observable *o, struct evl_observer *observer)
{
	if (o->cursor == &observer->next)
		o->cursor = observer->next.next;
	if (likely(!RB_EMPTY_NODE(&observer->node)))
		rb_erase(&observer->node, &o->by_task);
	list_del(&observer->next);
	list_del(&observer->next_roomy);
	o->nr_observers--;
}

/* --- Coming and going ------------------------------------------------------------------- */

static void end_subscriptions(struct evl_work *work);

static struct evl_subscriber *alloc_subscriber(void)
{
	struct evl_subscriber *subscriber;

	subscriber = kzalloc(sizeof(*subscriber), GFP_KERNEL_ACCOUNT);
	if (subscriber) {
		subscriber->task = current;
		INIT_LIST_HEAD(&subscriber->observers);
		evl_init_work(&subscriber->end_work, end_subscriptions);
	}

	return subscriber;
}

static struct evl_observer *alloc_observer(struct evl_observable *o, u32 backlog_count,
					   u32 flags)
{
	struct evl_observer *observer;

	/* A size out of reach is an error, not an out-of-memory event. */
	observer = kvmalloc(struct_size(observer, backlog, backlog_count),
			    GFP_KERNEL_ACCOUNT | __GFP_NOWARN | __GFP_RETRY_MAYFAIL);
	if (observer) {
		memset(observer, 0, sizeof(*observer));
		observer->observable = o;
		observer->task = current;
		observer->flags = flags;
		observer->size = backlog_count;
	}

	return observer;
}

static int insert_observer(struct evl_observable *o, struct evl_observer *observer,
			   struct evl_subscriber **fresh)
{
	unsigned long flags;
	int ret = 0;

	evl_lock_irqsave(observable_lock(o), flags);
	if (!index_observer(o, observer)) {
		ret = -EEXIST;
	} else {
		link_observer(o, observer);
		if (join_task(observer, *fresh))
			*fresh = NULL;
		evl_announce(o, EPOLLOUT | EPOLLWRNORM);
	}
	evl_sched_unlock(observable_lock(o), flags);

	return ret;
}

int evl_subscribe(struct evl_observable *o, u32 backlog_count, u32 flags)
{
	struct evl_subscriber *fresh;
	struct evl_observer *observer;
	int ret;

	if (!backlog_count || flags & ~EVL_NOTIFY_MASK)
		return -EINVAL;

	fresh = alloc_subscriber();
	if (!fresh)
		return -ENOMEM;

	observer = alloc_observer(o, backlog_count, flags);
	if (!observer) {
		kfree(fresh);
		return -ENOMEM;
	}

	ret = insert_observer(o, observer, &fresh);
	if (ret)
		kvfree(observer);
	kfree(fresh);

	return ret;
}

/* The observable locked, which is dropped, and may be gone then. */
static void remove_unlock(struct evl_observable *o, struct evl_observer *observer,
			  unsigned long flags)
{
	struct evl_subscriber *last;

	unlink_observer(o, observer);
	last = leave_task(observer);
	evl_unlock_irqrestore(observable_lock(o), flags);
	kfree(last);
	kvfree(observer);
}

int evl_unsubscribe(struct evl_observable *o)
{
	struct evl_observer *observer;
	unsigned long flags;

	evl_lock_irqsave(observable_lock(o), flags);
	observer = evl_find_observer(o);
	if (!observer) {
		evl_unlock_irqrestore(observable_lock(o), flags);
		return -ENOENT;
	}
	remove_unlock(o, observer, flags);

	return 0;
}

void evl_drop_observers(struct evl_observable *o)
{
	struct evl_observer *observer;
	unsigned long flags;
	bool pinned;

	for (;;) {
		evl_lock_irqsave(observable_lock(o), flags);
		observer = list_first_entry_or_null(&o->observers, struct evl_observer, next);
		if (observer) {
			remove_unlock(o, observer, flags);
			cond_resched();
			continue;
		}
		pinned = o->pins;
		evl_unlock_irqrestore(observable_lock(o), flags);
		if (!pinned)
			break;
		cpu_relax();
	}
}

/* --- End of a task -------------------------------------------------------------------- */

/* subscribers.lock held. */
static struct evl_observer *first_observer(struct evl_subscriber *subscriber)
{
	return list_first_entry_or_null(&subscriber->observers, struct evl_observer,
					next_of_task);
}

/* The observable of one of the subscriptions, locked, with interrupts off. It may
 * have dropped that subscription meanwhile. NULL if there is none left. */
static struct evl_observable *lock_first(struct evl_subscriber *subscriber,
					 unsigned long *flags)
{
	struct evl_observable *o = NULL;
	struct evl_observer *observer;

	evl_lock_irqsave(&subscribers.lock, *flags);
	observer = first_observer(subscriber);
	if (observer) {
		o = observer->observable;
		o->pins++;
		raw_spin_unlock(&subscribers.lock);
		raw_spin_lock(observable_lock(o));
	} else {
		evl_unlock_irqrestore(&subscribers.lock, *flags);
	}

	return o;
}

/* What lock_first() has found, if it is still there; the observable locked. */
static struct evl_observer *unpin_first(struct evl_subscriber *subscriber,
					struct evl_observable *o)
{
	struct evl_observer *observer;

	raw_spin_lock(&subscribers.lock);
	o->pins--;
	observer = first_observer(subscriber);
	if (observer && observer->observable != o)
		observer = NULL;
	raw_spin_unlock(&subscribers.lock);

	return observer;
}

static void end_subscriptions(struct evl_work *work)
{
	struct evl_subscriber *subscriber =
		container_of(work, struct evl_subscriber, end_work);
	struct evl_observer *observer;
	struct evl_observable *o;
	unsigned long flags;

	while ((o = lock_first(subscriber, &flags))) {
		observer = unpin_first(subscriber, o);
		if (observer)
			remove_unlock(o, observer, flags);
		else
			evl_unlock_irqrestore(observable_lock(o), flags);
		cond_resched();
	}

	kfree(subscriber);
}

/* Current exits, or executes another program. Atomic. */
static void task_gone(void)
{
	struct evl_subscriber *subscriber;
	unsigned long flags;

	/* Most tasks have nothing to do with us, and nobody but a task itself puts
	 * it in there. */
	if (likely(RB_EMPTY_ROOT(&subscribers.tasks)))
		return;

	evl_lock_irqsave(&subscribers.lock, flags);
	subscriber = find_subscriber(current);
	if (subscriber) {
		rb_erase(&subscriber->node, &subscribers.tasks);
		WRITE_ONCE(subscriber->gone, true);
	}
	evl_unlock_irqrestore(&subscribers.lock, flags);

	if (subscriber)
		evl_call_inband(&subscriber->end_work);
}

int evl_init_subscribers(void)
{
	return host_watch_exits(task_gone);
}

/* Observables are gone, and with them all subscriptions. What is left are workers at
 * the end of theirs, which evl_exit_works() waits for. */
void evl_exit_subscribers(void)
{
	host_unwatch_exits();
}
