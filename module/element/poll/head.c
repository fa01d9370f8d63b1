// SPDX-License-Identifier: GPL-2.0-only
/*
 * Poll heads, and what connects items of poll groups to them and to their file.
 *
 * Locking, outer to inner:
 *
 *	nest_lock		mutex (nest.c)
 *	locks of elements	held by callers of evl_poll_watch() and of
 *				evl_signal_poll_events(), wait channels mostly
 *	connect_lock		connections of items, evl_file.watches
 *	evl_poll_head.lock	the list of a head; that of an element, then
 *				those of groups on the way up
 *	lock of a group		one at a time, inside the head which leads there
 *	run queue lock
 *
 * connect_lock is global and not taken by signals: whoever breaks a connection
 * may come from the end of the file or from that of the group, and each of them
 * must find the other one's end intact. A locked head keeps the items connected
 * to it, and the groups they are in, from going away.
 *
 * How long a signal takes, with hard irqs off, is bounded where connections are
 * made: the head of an element has EVL_POLL_MAX_WATCHES of them at most, each of
 * which leads to a group that has no more than MAX_STEPS_UP above it (nest.c).
 */
#include <linux/export.h>
#include <evl/sched.h>
#include "element/poll/poll.h"

static DEFINE_HARD_SPINLOCK(connect_lock);

/* --- Heads ------------------------------------------------------------------ */

void evl_init_poll_head(struct evl_poll_head *head)
{
	raw_spin_lock_init(&head->lock);
	head->nr_watches = 0;
	head->personal = false;
	INIT_LIST_HEAD(&head->watches);
}
EXPORT_SYMBOL_GPL(evl_init_poll_head);

void evl_init_personal_poll_head(struct evl_poll_head *head)
{
	evl_init_poll_head(head);
	head->personal = true;
}
EXPORT_SYMBOL_GPL(evl_init_personal_poll_head);

static void signal_head(struct evl_poll_head *head, __poll_t events, int level);

static bool has_earlier_turn(struct rb_node *a, const struct rb_node *b)
{
	return rb_entry(a, struct evl_poll_item, personal_node)->turn <
		rb_entry(b, struct evl_poll_item, personal_node)->turn;
}

/* Behind all others. Lock of the group held. */
static void give_turn(struct evl_poll_item *item)
{
	struct evl_poll_set *set = item->set;

	item->turn = ++set->turn;
	rb_add(&item->personal_node, &set->personal, has_earlier_turn);
}

/* Have each thread look at @item. Lock of its group held. */
static void note_personal_item(struct evl_poll_item *item)
{
	struct evl_poll_set *set = item->set;

	rb_erase(&item->personal_node, &set->personal);
	give_turn(item);
	set->signaled = item->turn;
}

/* Have @item looked at. True if the groups above have to know. Lock of its group
 * held. */
static bool note_item(struct evl_poll_item *item)
{
	struct evl_poll_set *set = item->set;
	bool news = false;

	if (item->removed)
		return false;

	item->signals++;
	if (unlikely(item->personal)) {
		note_personal_item(item);
		news = true;
	} else if (list_empty(&item->ready)) {
		item->scan = set->nr_scans;
		list_add_tail(&item->ready, &set->ready);
		news = !set->nr_ready++;
	}
	evl_wake_up_head(&set->waiters.wchan, 0);

	return news;
}

static void raise_item(struct evl_poll_item *item, int level)
{
	struct evl_poll_set *set = item->set;
	bool news;

	raw_spin_lock(evl_poll_lock(set));
	news = note_item(item);
	raw_spin_unlock(evl_poll_lock(set));

	/* The groups above know of a group as long as its ready list is not
	 * empty: however they are nested, each is told once. */
	if (!news)
		return;

	/* Pairs with evl_poll_watch(), as in evl_signal_poll_events(). */
	smp_mb();
	if (!list_empty(&set->head.watches))
		signal_head(&set->head, EVL_POLL_IN, level + 1);
}

/* Hard irqs off. @level tells lockdep how many groups up we are, which is not
 * many: see nest.c. */
static void signal_head(struct evl_poll_head *head, __poll_t events, int level)
{
	struct evl_poll_link *link;

	raw_spin_lock_nested(&head->lock, level);
	list_for_each_entry(link, &head->watches, next)
		if (READ_ONCE(link->item->events) & events)
			raise_item(link->item, level);
	raw_spin_unlock(&head->lock);
}

void __evl_signal_poll_events(struct evl_poll_head *head, __poll_t events)
{
	unsigned long flags;

	flags = hard_local_irq_save();
	signal_head(head, events, 0);
	hard_local_irq_restore(flags);
}
EXPORT_SYMBOL_GPL(__evl_signal_poll_events);

void evl_raise_poll_item(struct evl_poll_item *item)
{
	unsigned long flags;

	flags = hard_local_irq_save();
	host_sched_begin();
	raise_item(item, 0);
	evl_schedule();
	hard_local_irq_restore(flags);
	host_sched_end();
}

/* --- Items which each thread looks at ------------------------------------------- */

/* True if @item is the first one of its group, ever. Lock of the latter held. */
static bool single_out(struct evl_poll_item *item)
{
	struct evl_poll_set *set = item->set;
	bool first = !set->head.personal;
	bool listed = !list_empty(&item->ready);

	if (item->removed || item->personal)
		return false;

	if (listed) {
		list_del_init(&item->ready);
		set->nr_ready--;
	}
	item->personal = true;
	give_turn(item);
	/* Whoever was woken up for it, or will look before sleeping, is to find it. */
	if (listed)
		set->signaled = item->turn;
	WRITE_ONCE(set->head.personal, true);

	return first;
}

/* The same way up as that of a signal. A group stays what it came to be. */
static void make_personal(struct evl_poll_item *item, int level)
{
	struct evl_poll_set *set = item->set;
	struct evl_poll_link *link;
	bool first;

	raw_spin_lock(evl_poll_lock(set));
	first = single_out(item);
	raw_spin_unlock(evl_poll_lock(set));

	/* Pairs with evl_poll_watch(): either we see the watch, or it sees that. */
	smp_mb();
	if (!first || list_empty(&set->head.watches))
		return;

	raw_spin_lock_nested(&set->head.lock, level + 1);
	list_for_each_entry(link, &set->head.watches, next)
		make_personal(link->item, level + 1);
	raw_spin_unlock(&set->head.lock);
}

void evl_make_item_personal(struct evl_poll_item *item)
{
	unsigned long flags;

	flags = hard_local_irq_save();
	make_personal(item, 0);
	hard_local_irq_restore(flags);
}

/* --- Connections -------------------------------------------------------------- */

/* connect_lock held. NULL if @head is known already, or there is no room. */
static struct evl_poll_link *find_link(struct evl_poll_wait *wait,
				       struct evl_poll_head *head)
{
	struct evl_poll_link *link, *unused = NULL;
	int n;

	for (n = 0; n < EVL_POLL_MAX_HEADS; n++) {
		link = &wait->links[n];
		if (link->head == head)
			return NULL;
		if (!link->head && !unused)
			unused = link;
	}

	if (!unused || head->nr_watches == EVL_POLL_MAX_WATCHES) {
		wait->overflow = true;
		return NULL;
	}

	return unused;
}

bool evl_poll_watch(struct evl_poll_head *head, struct evl_poll_wait *wait,
		    void (*unwatch)(struct evl_poll_head *head))
{
	struct evl_poll_link *link = NULL;
	unsigned long flags;

	if (!wait)
		return false;

	evl_lock_irqsave(&connect_lock, flags);
	if (!wait->closed)
		link = find_link(wait, head);
	if (link) {
		link->item = container_of(wait, struct evl_poll_item, wait);
		link->head = head;
		link->unwatch = unwatch;
		raw_spin_lock(&head->lock);
		head->nr_watches++;
		list_add_tail(&link->next, &head->watches);
		raw_spin_unlock(&head->lock);
	}
	evl_unlock_irqrestore(&connect_lock, flags);
	/* Pairs with evl_signal_poll_events(), and with make_personal(). */
	smp_mb();
	if (unlikely(READ_ONCE(head->personal)))
		wait->personal = true;

	return link;
}
EXPORT_SYMBOL_GPL(evl_poll_watch);

/* connect_lock held. */
static void disconnect(struct evl_poll_wait *wait)
{
	struct evl_poll_link *link;
	struct evl_poll_head *head;
	int n;

	wait->closed = true;

	for (n = 0; n < EVL_POLL_MAX_HEADS; n++) {
		link = &wait->links[n];
		head = link->head;
		if (!head)
			continue;
		raw_spin_lock(&head->lock);
		list_del(&link->next);
		head->nr_watches--;
		if (link->unwatch)
			link->unwatch(head);
		raw_spin_unlock(&head->lock);
		link->head = NULL;
	}
}

void evl_detach_poll_item(struct evl_poll_item *item)
{
	unsigned long flags;

	evl_lock_irqsave(&connect_lock, flags);
	disconnect(&item->wait);
	list_del_init(&item->file_next);
	evl_unlock_irqrestore(&connect_lock, flags);
}

/* --- End of a file ------------------------------------------------------------ */

void evl_attach_poll_item(struct evl_poll_item *item, struct evl_file *efilp,
			  void (*ended)(struct evl_file *efilp))
{
	unsigned long flags;

	evl_lock_irqsave(&connect_lock, flags);
	if (!item->wait.closed) {
		efilp->on_release = ended;
		list_add_tail(&item->file_next, &efilp->watches);
	}
	evl_unlock_irqrestore(&connect_lock, flags);
}

bool evl_end_poll_item(struct evl_file *efilp,
		       void (*end)(struct evl_poll_item *item))
{
	struct evl_poll_item *item;
	unsigned long flags;

	evl_lock_irqsave(&connect_lock, flags);
	item = list_first_entry_or_null(&efilp->watches, struct evl_poll_item,
					file_next);
	if (item) {
		disconnect(&item->wait);
		list_del_init(&item->file_next);
		end(item);
		raise_item(item, 0);
	}
	evl_sched_unlock(&connect_lock, flags);

	return item;
}
