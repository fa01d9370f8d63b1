/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Wait channels and wait queues. A channel is what a thread sleeps on; a wait
 * queue is the plain kind of channel. The lock of the channel also guards
 * whatever condition its owner has threads wait for.
 */
#ifndef EVL_WAIT_H
#define EVL_WAIT_H

#include <linux/list.h>
#include <evl/lock.h>
#include <evl/clock.h>
#include <evl/timer.h>

struct evl_thread;

struct evl_wait_channel {
	hard_spinlock_t lock;
	struct list_head wait_list;	/* of evl_thread.wait_next */
	const char *name;		/* as shown by thread/wchan */
	/* The weighted priority of @waiter changed; channel lock held. NULL: put
	 * it back in place in a priority-ordered list. */
	void (*requeue)(struct evl_wait_channel *wchan, struct evl_thread *waiter);
	/* @waiter was removed by a timeout or forced unblock; channel lock held.
	 * NULL if nothing is to be done. */
	void (*abandon)(struct evl_wait_channel *wchan, struct evl_thread *waiter);
};

#define EVL_WAIT_PRIO	0
#define EVL_WAIT_FIFO	1

struct evl_wait_queue {
	struct evl_wait_channel wchan;
	struct evl_clock *clock;
	int flags;
};

void evl_init_wchan(struct evl_wait_channel *wchan, const char *name);
void evl_init_wait(struct evl_wait_queue *wq, struct evl_clock *clock,
		   int flags, const char *name);
/* Waiters are released with EVL_T_RMID. Reschedules. */
void evl_destroy_wait(struct evl_wait_queue *wq);

/*
 * Going to sleep, step 1: the caller, out-of-band, is queued to @wq. @timeout
 * is as @tmode says on the clock of @wq, EVL_INFINITE for no limit. Channel
 * lock held. Then drop the lock, and step 2: evl_wait_schedule().
 */
void evl_add_wait_queue(struct evl_wait_queue *wq, ktime_t timeout,
			enum evl_tmode tmode);
/* The same for any channel, @prio telling the order. */
void evl_sleep_on(struct evl_wait_channel *wchan, struct evl_clock *clock,
		  ktime_t timeout, enum evl_tmode tmode, bool by_priority);
/* 0 when woken up, -EIDRM, -ENOMEM, -ETIMEDOUT or -EINTR (in that order). */
int evl_wait_schedule(struct evl_wait_channel *wchan);

/* Wake one up, adding @reason to its information bits. Channel lock held; the
 * caller reschedules (evl_sched_unlock()). @waiter must wait there. */
void evl_wake_up(struct evl_wait_channel *wchan, struct evl_thread *waiter,
		 int reason);
/* First in line or NULL if none. */
struct evl_thread *evl_wake_up_head(struct evl_wait_channel *wchan, int reason);
/* All of them; their number. */
int evl_flush_wait_locked(struct evl_wait_channel *wchan, int reason);
/* As above, taking the lock and rescheduling. */
int evl_flush_wait(struct evl_wait_channel *wchan, int reason);

static inline bool evl_wait_active(struct evl_wait_channel *wchan)
{
	return !list_empty(&wchan->wait_list);
}

struct evl_thread *evl_wait_head(struct evl_wait_channel *wchan);

/*
 * Sleep until @cond holds, which is evaluated with the channel lock held.
 * 0 or an error of evl_wait_schedule(); with EVL_NONBLOCK, -EAGAIN.
 */
#define evl_wait_event_timeout(__wq, __timeout, __tmode, __cond)	\
({									\
	struct evl_wait_queue *__q = (__wq);				\
	unsigned long __fl;						\
	int __err = 0;							\
									\
	evl_lock_irqsave(&__q->wchan.lock, __fl);			\
	while (!__err && !(__cond)) {					\
		if ((__timeout) == EVL_NONBLOCK) {			\
			__err = -EAGAIN;				\
			break;						\
		}							\
		evl_add_wait_queue(__q, __timeout, __tmode);		\
		evl_unlock_irqrestore(&__q->wchan.lock, __fl);		\
		__err = evl_wait_schedule(&__q->wchan);			\
		evl_lock_irqsave(&__q->wchan.lock, __fl);		\
	}								\
	evl_unlock_irqrestore(&__q->wchan.lock, __fl);			\
	__err;								\
})

#define evl_wait_event(__wq, __cond)	\
	evl_wait_event_timeout(__wq, EVL_INFINITE, EVL_REL, __cond)

#endif /* !EVL_WAIT_H */
