// SPDX-License-Identifier: GPL-2.0-only
/*
 * Readiness of poll groups, and waiting for it.
 *
 * Items which were signaled go to the ready list of their group. That is a mere
 * hint: whoever wants events asks the files of the items in that list whether
 * they are ready indeed. Those which are not leave the list, the others stay
 * there, at the end. Items which are idle cost nothing. Scans of the list are
 * numbered: one ends at the first item which got to the end after it began.
 *
 * Locking: see head.c. Handlers of files are called with the lock of the
 * group dropped, by any number of threads at once:
 *
 *	looking at an item		signaling it
 *	------------------		------------
 *	n = item->signals		change what the handler looks at
 *	unlock				lock
 *	ask the handler: not ready	item->signals++, put it in the list
 *	lock				wake up a thread, unlock
 *	drop it if n == item->signals
 *
 * A signal wakes up one thread. A thread which leaves with items in the list
 * wakes up the next one, and none goes to sleep as long as there are any.
 *
 * A group in a group is listed above as long as it lists anything itself: it
 * signals when its list is not empty any more, and leaves the list above only
 * if it was seen empty since.
 *
 * Whether a personal item is ready depends on the thread which asks, so nobody can
 * take it off a list for others. Such items are in a tree instead, in the order of
 * their last signals, which are numbered. Each thread looks at all of them when it
 * begins to wait, and at those which were signaled since whenever it is woken up. A
 * signal still wakes up one thread, since it may come with interrupts off, and that
 * one wakes up all others when it has looked (pass_on()). Groups which such an item is in,
 * however deep, are personal items in their turn.
 */
#include <linux/hash.h>
#include <evl/sched.h>
#include <evl/thread.h>
#include <evl/uaccess.h>
#include "element/poll/poll.h"

/* Events copied to user space at once. */
#define POLL_CHUNK	16

/* Somebody may signal faster than we look, and never stop. After so many looks what was
 * not looked at counts as ready for a group above; and as not ready for a caller which
 * does not wait, or not any longer. */
#define MAX_LOOKS	4

/* --- The ready list: lock held ------------------------------------------------- */

/* @item was looked at: it stays at the end of the list, or leaves. Nothing is to
 * be done if somebody who looked at it later took it off. */
static void requeue_item(struct evl_poll_item *item, bool stay)
{
	struct evl_poll_set *set = item->set;

	if (list_empty(&item->ready))
		return;

	if (stay) {
		item->scan = set->nr_scans;
		list_move_tail(&item->ready, &set->ready);
	} else {
		list_del_init(&item->ready);
		set->nr_ready--;
	}
}

static u64 begin_scan(struct evl_poll_set *set)
{
	return ++set->nr_scans;
}

/* The first item, unless it came to the end of the list since @scan began, and so
 * did all behind it. */
static struct evl_poll_item *next_item(struct evl_poll_set *set, u64 scan)
{
	struct evl_poll_item *item;

	item = list_first_entry_or_null(&set->ready, struct evl_poll_item, ready);

	return item && item->scan < scan ? item : NULL;
}

/* --- Personal items: lock held ---------------------------------------------------- */

/* Most groups have none of them, and never had. */
static __always_inline bool has_personal(struct evl_poll_set *set)
{
	return unlikely(set->turn);
}

/* A thread which has seen nothing yet begins behind the one which was reported last:
 * who asks for few events at a time gets at all items, too. */
static __always_inline void begin_look(struct evl_poll_set *set, struct evl_poll_look *look)
{
	look->scan = begin_scan(set);
	look->seen = look->latest;
	if (!has_personal(set))
		return;

	look->latest = set->turn;
	look->end = set->turn;
	look->pos = look->seen ?: set->reported;
	look->rest = look->seen ? 0 : set->reported;
}

/* There may be something which @look did not get at. */
static bool has_more(struct evl_poll_set *set, const struct evl_poll_look *look)
{
	return set->nr_ready || set->signaled > look->latest;
}

static struct evl_poll_item *first_after(struct evl_poll_set *set, u64 turn)
{
	struct rb_node *node = set->personal.rb_node;
	struct evl_poll_item *item, *best = NULL;

	while (node) {
		item = rb_entry(node, struct evl_poll_item, personal_node);
		if (item->turn > turn)
			best = item;
		node = item->turn > turn ? node->rb_left : node->rb_right;
	}

	return best;
}

/* One which is signaled meanwhile gets a turn after the end: it is for the next look. */
static noinline struct evl_poll_item *next_personal(struct evl_poll_set *set,
						    struct evl_poll_look *look)
{
	struct evl_poll_item *item;

	item = first_after(set, look->pos);
	if ((!item || item->turn > look->end) && look->rest) {
		look->end = look->rest;
		look->rest = 0;
		item = first_after(set, 0);
	}
	if (!item || item->turn > look->end)
		return NULL;
	look->pos = item->turn;

	return item;
}

/* Which kind comes first is by lot: threads which take turns, and ask for few events,
 * would get at one of them only otherwise. */
static __always_inline struct evl_poll_item *
next_of_all(struct evl_poll_set *set, struct evl_poll_look *look)
{
	if (!has_personal(set))
		return next_item(set, look->scan);

	if (hash_64(look->scan, 1))
		return next_personal(set, look) ?: next_item(set, look->scan);

	return next_item(set, look->scan) ?: next_personal(set, look);
}

/* --- Looking at items ------------------------------------------------------------ */

/* Lock held, but dropped meanwhile; @item is pinned. */
static __poll_t ask_file(struct evl_poll_item *item, unsigned long *flags)
{
	struct evl_poll_set *set = item->set;
	struct evl_file *efilp = item->efilp;
	__poll_t ready = 0;
	bool released;

	if (!efilp)
		return EPOLLNVAL;

	/* It is about to be closed then, and raised again. So may be thousands of
	 * others: the lock is dropped all the same. */
	released = !evl_get_fileref_unless_released(efilp);
	evl_unlock_irqrestore(evl_poll_lock(set), *flags);
	if (!released) {
		ready = evl_poll_file(efilp, NULL);
		evl_put_file(efilp);
	}
	evl_lock_irqsave(evl_poll_lock(set), *flags);

	return ready & item->events;
}

/* True if @item is ready: it is moved to the end of the list, and @ev tells what
 * for. Otherwise it left the list, or was moved as well. */
static bool look_at_item(struct evl_poll_item *item, struct evl_poll_event *ev,
			 unsigned long *flags)
{
	unsigned int signals = item->signals;
	__poll_t ready;
	bool removed;

	item->pins++;
	ready = ask_file(item, flags);

	removed = item->removed;
	if (!removed) {
		requeue_item(item, ready || item->signals != signals);
		ev->fd = item->fd;
		ev->events = (__force u32)ready;
		ev->pollval = item->pollval;
	}
	evl_unpin_poll_item(item);

	return ready && !removed;
}

static bool set_is_ready(struct evl_poll_set *set)
{
	struct evl_poll_look look = { };
	struct evl_poll_item *item;
	struct evl_poll_event ev;
	unsigned long flags;
	bool ready = false;
	int looks = 0;

	evl_lock_irqsave(evl_poll_lock(set), flags);
	/* Nobody will tell the group above of an item which is listed already. */
	do {
		if (looks++ == MAX_LOOKS) {
			ready = true;
			break;
		}
		begin_look(set, &look);
		while (!ready && (item = next_of_all(set, &look)))
			ready = look_at_item(item, &ev, &flags);
	} while (!ready && has_more(set, &look));
	evl_unlock_irqrestore(evl_poll_lock(set), flags);

	return ready;
}

/* A group in a group is ready as soon as one of its items is. */
__poll_t evl_poll_group(struct file *filp, struct evl_poll_wait *wait)
{
	struct evl_poll_set *set = filp->private_data;

	evl_poll_watch(&set->head, wait, NULL);

	return set_is_ready(set) ? EVL_POLL_IN : 0;
}

/* Up to @max events, of those which there are when @look begins: their number. */
static int scan_items(struct evl_poll_set *set, struct evl_poll_look *look,
		      struct evl_poll_event *evs, int max, bool begin)
{
	struct evl_poll_item *item;
	unsigned long flags;
	int count = 0;

	evl_lock_irqsave(evl_poll_lock(set), flags);
	if (begin)
		begin_look(set, look);
	while (count < max && (item = next_of_all(set, look))) {
		if (!look_at_item(item, &evs[count], &flags))
			continue;
		count++;
		if (unlikely(item->personal))
			set->reported = look->pos;
	}
	evl_unlock_irqrestore(evl_poll_lock(set), flags);

	return count;
}

/* The number of events stored at @u_evs, or -EFAULT. If there is none, @look tells what
 * there was to look at. */
static int collect_events(struct evl_poll_set *set, struct evl_poll_look *look,
			  struct evl_poll_event __user *u_evs, int max)
{
	struct evl_poll_event evs[POLL_CHUNK];
	int n, room, err, count = 0;

	do {
		room = min(max - count, POLL_CHUNK);
		n = scan_items(set, look, evs, room, !count);
		if (!n)
			break;
		err = evl_copy_to_user(u_evs + count, evs, n * sizeof(*evs));
		if (err)
			return err;
		count += n;
	} while (n == room && count < max);

	return count;
}

/* --- Waiting ---------------------------------------------------------------------- */

static bool is_over(struct evl_clock *clock, ktime_t timeout)
{
	return timeout != EVL_INFINITE && timeout <= evl_read_clock(clock);
}

/* All waiters are to look at what was signaled, unless they were told. Lock held, which
 * may be dropped meanwhile. */
static void pass_on(struct evl_poll_set *set, unsigned long *flags)
{
	if (likely(set->passed_on == set->signaled))
		return;

	set->passed_on = set->signaled;
	if (!evl_wait_active(&set->waiters.wchan))
		return;

	evl_flush_unlock(&set->waiters.wchan, 0, *flags);
	evl_lock_irqsave(evl_poll_lock(set), *flags);
}

/* Until there is something in the ready list, or not in @look. */
static int sleep_on_set(struct evl_poll_set *set, struct evl_poll_look *look,
			ktime_t timeout, bool tired)
{
	unsigned long flags;
	bool ready;

	evl_lock_irqsave(evl_poll_lock(set), flags);
	pass_on(set, &flags);
	ready = has_more(set, look);
	if (!ready)
		evl_add_wait_queue(&set->waiters, timeout, EVL_ABS);
	evl_unlock_irqrestore(evl_poll_lock(set), flags);

	if (!ready)
		return evl_wait_schedule(&set->waiters.wchan);

	return tired && is_over(set->waiters.clock, timeout) ? -ETIMEDOUT : 0;
}

static bool look_was_complete(struct evl_poll_set *set, const struct evl_poll_look *look)
{
	unsigned long flags;
	bool ret;

	evl_lock_irqsave(evl_poll_lock(set), flags);
	ret = !has_more(set, look);
	evl_unlock_irqrestore(evl_poll_lock(set), flags);

	return ret;
}

/* What is left is for somebody else. */
static void wake_up_next(struct evl_poll_set *set)
{
	unsigned long flags;

	evl_lock_irqsave(evl_poll_lock(set), flags);
	pass_on(set, &flags);
	if (set->nr_ready)
		evl_wake_up_head(&set->waiters.wchan, 0);
	evl_sched_unlock(evl_poll_lock(set), flags);
}

/* As long as others signal items which are not ready, there is something to look
 * at. A caller which is wanted elsewhere does not go on with that, nor one whose time
 * is over. */
static int wait_events(struct evl_poll_set *set, struct evl_poll_event __user *u_evs,
		       int max, ktime_t timeout, bool nonblock)
{
	struct evl_poll_look look = { };
	int ret, looks = 0;
	bool tired;

	for (;;) {
		ret = collect_events(set, &look, u_evs, max);
		if (ret)
			break;
		if (evl_is_called_away()) {
			ret = -EINTR;
			break;
		}
		/* Some may have been hidden by another thread looking at them, or by a
		 * signal which put them off. */
		tired = ++looks >= MAX_LOOKS;
		if (!nonblock)
			ret = sleep_on_set(set, &look, timeout, tired);
		else if (tired || look_was_complete(set, &look))
			ret = -EAGAIN;
		if (ret)
			break;
	}

	wake_up_next(set);

	return ret;
}

static int check_set(struct evl_poll_set *set)
{
	unsigned long flags;
	int err = 0;

	evl_lock_irqsave(evl_poll_lock(set), flags);
	if (!set->nr_items)
		err = -EINVAL;
	else if (set->nr_closed)
		err = -EBADF;
	evl_unlock_irqrestore(evl_poll_lock(set), flags);

	return err;
}

long evl_wait_poll_set(struct evl_poll_set *set, bool nonblock,
		       struct evl_poll_waitreq __user *u_req)
{
	struct evl_poll_waitreq req;
	ktime_t timeout;
	int ret;

	ret = evl_copy_from_user(&req, u_req, sizeof(req));
	if (ret)
		return ret;

	if (req.nrset < 0)
		return -EINVAL;
	if (!req.nrset)
		return 0;

	ret = evl_get_user_date(set->waiters.clock, &timeout,
				u64_to_user_ptr(req.timeout_ptr)) ?:
		check_set(set);
	if (ret)
		return ret;

	ret = wait_events(set, u64_to_user_ptr(req.pollset_ptr), req.nrset,
			  timeout, nonblock);
	if (ret < 0)
		return ret;

	return evl_copy_to_user(&u_req->nrset, &ret, sizeof(ret));
}
