/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Readiness for out-of-band polling. Whatever may become ready has a poll head;
 * the oob_poll() handler of a file tells which heads speak for it, and returns
 * the events which hold at the moment:
 *
 *	static __poll_t foo_oob_poll(struct file *filp, struct evl_poll_wait *wait)
 *	{
 *		struct foo *foo = filp->private_data;
 *
 *		evl_poll_watch(&foo->poll_head, wait, NULL);
 *
 *		return foo_has_data(foo) ? EPOLLIN | EPOLLRDNORM : 0;
 *	}
 *
 * A file stays connected to its heads as long as it is in a poll group, even if
 * nobody waits: the handler connects once, and is called again, with @wait NULL,
 * when readiness has to be looked at. Readiness which comes must be signaled,
 * that which goes need not be.
 *
 * A signal goes to all who watch a head at once, with interrupts off. Hence a
 * head takes EVL_POLL_MAX_WATCHES of them: adding one more file to a poll group
 * fails with -ENOSPC, there is nothing to be done by the handler.
 */
#ifndef EVL_POLL_HEAD_H
#define EVL_POLL_HEAD_H

#include <linux/list.h>
#include <linux/poll.h>
#include <evl/lock.h>

struct evl_poll_wait;

/* It has to outlive evl_release_file() on all files which connect to it. */
struct evl_poll_head {
	hard_spinlock_t lock;
	unsigned int nr_watches;	/* by connect_lock, see head.c */
	bool personal;			/* see evl_init_personal_poll_head() */
	struct list_head watches;
};

#define EVL_POLL_MAX_HEADS	4	/* that one file may connect to */
#define EVL_POLL_MAX_WATCHES	128	/* of one head */

void evl_init_poll_head(struct evl_poll_head *head);
/*
 * The same, if what oob_poll() handlers return depends on the thread which asks. All
 * threads which wait on a group are woken up by a signal then, for each to ask on its
 * own behalf, instead of one of them.
 */
void evl_init_personal_poll_head(struct evl_poll_head *head);

/*
 * By an oob_poll() handler, before it looks at the condition. True if @wait was
 * connected to @head by this call; @unwatch, which may be NULL, is called when
 * it is no more, atomically, with the head locked. Nothing happens if @wait is
 * NULL, or connected already, or the head has no room. The caller may hold locks which outrank poll
 * heads: those it calls evl_signal_poll_events() with.
 */
bool evl_poll_watch(struct evl_poll_head *head, struct evl_poll_wait *wait,
		    void (*unwatch)(struct evl_poll_head *head));

void __evl_signal_poll_events(struct evl_poll_head *head, __poll_t events);

/*
 * @events may hold from now on. Any context, wait channels of the caller may be
 * locked; costs what it wakes. The caller reschedules, as after evl_wake_up().
 */
static inline void evl_signal_poll_events(struct evl_poll_head *head,
					  __poll_t events)
{
	/* Pairs with evl_poll_watch(): either we see the watch, or it sees what
	 * the caller changed. */
	smp_mb();
	if (!list_empty(&head->watches))
		__evl_signal_poll_events(head, events);
}

#endif /* !EVL_POLL_HEAD_H */
