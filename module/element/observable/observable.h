/* SPDX-License-Identifier: GPL-2.0-only */
/* What the files in here, and the thread class, share. See observable.c. */
#ifndef EVL_ELEMENT_OBSERVABLE_H
#define EVL_ELEMENT_OBSERVABLE_H

#include <linux/rbtree.h>
#include <evl/observable.h>
#include <evl/poll_head.h>
#include <evl/wait.h>
#include <evl/work.h>
#include "element/element.h"
#include "element/inband.h"

/* The subscriptions of a task. Guarded by the lock of all subscribers. */
struct evl_subscriber {
	struct rb_node node;
	struct task_struct *task;	/* no reference: it is told by when it ends */
	struct list_head observers;
	bool gone;			/* it ended: nothing reaches it any more */
	struct evl_work end_work;
};

/* Notices which wait to be sent in-band; more than that are lost. */
#define EVL_NOTICES_LATE	32

/* A notice in the kernel. */
struct evl_notice_record {
	u32 tag;
	u32 serial;
	s32 issuer;
	union evl_value event;
	ktime_t date;
};

/* One subscription. Guarded by the lock of the observable. */
struct evl_observer {
	struct evl_observable *observable;
	struct evl_subscriber *subscriber;
	struct task_struct *task;
	struct rb_node node;		/* in observable->by_task */
	struct list_head next;		/* in observable->observers */
	struct list_head next_roomy;	/* in observable->roomy, unless it is full */
	struct list_head next_of_task;	/* in subscriber->observers, by that lock */
	struct evl_thread *waiter;	/* its task, if that may be in line out-of-band */
	u64 seq;			/* of the subscription, among all */
	u32 flags;
	bool any;			/* a notice ever came: */
	u32 last_tag;			/* the last one */
	union evl_value last_event;
	u32 size, rd, fill;		/* of the backlog, in notices */
	struct evl_notice_record backlog[];
};

/* Guarded by readers.wchan.lock unless said otherwise. */
struct evl_observable {
	struct evl_element element;
	struct evl_wait_queue readers;	/* out-of-band ones */
	struct evl_inband_waiters inband;	/* readers and pollers */
	struct evl_poll_head poll;
	struct rb_root by_task;
	struct list_head observers;	/* in order of subscription */
	struct list_head roomy;		/* those which are not full, next one first */
	struct list_head *cursor;	/* in observers: where a broadcast goes on */
	unsigned int nr_observers;
	u64 nr_subscriptions;		/* there ever were */
	u32 serial;			/* of the next notice */
	unsigned int removals;		/* times that all readers were sent away */
	unsigned int pins;		/* see subscribe.c; by that lock, too */
	struct evl_notice_record late[EVL_NOTICES_LATE];	/* left to late_work: */
	unsigned int first_late, nr_late;
	struct evl_work late_work;
};

#define observable_lock(__o)	(&(__o)->readers.wchan.lock)

/* Its task ended, or is another program. */
static inline bool evl_observer_is_gone(const struct evl_observer *observer)
{
	return READ_ONCE(observer->subscriber->gone);
}

extern struct evl_factory evl_observable_factory;

/* The observable of a thread, called like it, to be dropped by evl_put_element().
 * ERR_PTR() on error. */
struct evl_observable *evl_new_thread_observable(const char *name, u32 clone_flags);
static inline void evl_put_observable(struct evl_observable *observable)
{
	evl_put_element(&observable->element);
}

/* Its thread is gone, though notices may be left to be read: its name is free. */
static inline void evl_retire_observable(struct evl_observable *observable)
{
	evl_retire_element(&observable->element);
}

/* @file, one of @nr_files of whatever @observable belongs to, is being released. */
void evl_flush_observable_file(struct evl_observable *observable, struct evl_file *file,
			       const atomic_t *nr_files);

/* --- Subscriptions (subscribe.c) ------------------------------------------------ */

/* By current, in-band. */
int evl_subscribe(struct evl_observable *observable, u32 backlog_count, u32 flags);
int evl_unsubscribe(struct evl_observable *observable);
/* Of current, or NULL. Lock held. It goes with current, or with the observable. */
struct evl_observer *evl_find_observer(struct evl_observable *observable);
/* All of them, once nobody can find the observable any more. In-band. */
void evl_drop_observers(struct evl_observable *observable);

/* --- Sending (send.c) ------------------------------------------------------------- */

void evl_send_late(struct evl_work *work);
/* There is room, or there are notices, for somebody. Lock held. */
void evl_announce(struct evl_observable *observable, __poll_t events);
/*
 * Go on with what is being sent, until there is something to read for @observer, that of
 * current: it does not depend on a sender who may be the least important of all. Who is
 * called away takes one step of it, so that whoever asks again and again gets somewhere.
 * What begins in round @round or later is left alone: others may go on sending for ever.
 * @observer is NULL for who did not subscribe, and waits for nothing. Lock held, dropped
 * meanwhile; may schedule.
 */
void evl_catch_up(struct evl_observable *observable, const struct evl_observer *observer,
		  u64 round, unsigned long *flags);
#define EVL_ALL_ROUNDS	U64_MAX		/* for who waits, and has nothing else to do */
/* That of the next one. Lock held. */
static inline u64 evl_next_round(const struct evl_observable *observable)
{
	return observable->readers.wchan.round;
}
/* Is it time for current to return from a long request? May schedule. */
bool evl_is_wanted_elsewhere(void);

#endif /* !EVL_ELEMENT_OBSERVABLE_H */
