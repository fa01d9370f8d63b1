/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Wait channels and wait queues. A channel is what a thread sleeps on; a wait
 * queue is the plain kind of channel. The lock of the channel also guards
 * whatever condition its owner has threads wait for.
 */
#ifndef EVL_WAIT_H
#define EVL_WAIT_H

#include <linux/rbtree.h>
#include <evl/lock.h>
#include <evl/clock.h>
#include <evl/timer.h>

struct evl_thread;
struct evl_chain_walk;
struct evl_file;

struct evl_wait_channel {
	hard_spinlock_t lock;
	struct rb_root_cached waiters;	/* of evl_thread.wait_node, next one first */
	const char *name;		/* as shown by thread/wchan */
	u64 round;			/* flushes begun so far */
	struct evl_flush *flush;	/* the one in progress, or NULL */
	struct evl_thread *cursor;	/* the waiter it goes on with, in line; or NULL */
	/* Who goes on with it, too, see struct evl_flush: the last one which it woke
	 * up, which may be gone and is only compared with, and waiters on this CPU. */
	const struct evl_thread *helper;
	int helper_cpu;
	/*
	 * @waiter was put in another place because its priority changed, or was
	 * removed by a timeout or a forced unblock. Channel lock held. Either
	 * may add to @walk a thread whose own channel has to reorder it in turn.
	 * NULL if nothing is to be done.
	 */
	void (*requeue)(struct evl_wait_channel *wchan, struct evl_thread *waiter,
			struct evl_chain_walk *walk);
	void (*removed)(struct evl_wait_channel *wchan, struct evl_thread *waiter,
			struct evl_chain_walk *walk);
};

#define EVL_WAIT_PRIO	0
#define EVL_WAIT_FIFO	1

struct evl_wait_queue {
	struct evl_wait_channel wchan;
	struct evl_clock *clock;
	int flags;
};

#define EVL_WCHAN_INITIALIZER(__wchan, __name)				\
	{								\
		.lock = __HARD_SPIN_LOCK_INITIALIZER((__wchan).lock),	\
		.waiters = RB_ROOT_CACHED,				\
		.name = (__name),					\
	}

/* For variables: @__wq is its name. */
#define EVL_WAIT_INITIALIZER(__wq)					\
	{								\
		.wchan = EVL_WCHAN_INITIALIZER((__wq).wchan, #__wq),	\
		.clock = &evl_mono_clock,				\
		.flags = EVL_WAIT_PRIO,					\
	}

void evl_init_wchan(struct evl_wait_channel *wchan, const char *name);
void evl_init_wait(struct evl_wait_queue *wq, struct evl_clock *clock,
		   int flags, const char *name);
/*
 * Waiters are released with EVL_T_RMID. Reschedules. They look at @wq once more
 * when they run, to drop out of evl_wait_event() for instance, so its memory has
 * to stay until they are gone, be it by evl_join_kthread(), or by
 * evl_release_file() which waits for requests in progress.
 */
void evl_destroy_wait(struct evl_wait_queue *wq);

/*
 * Going to sleep, step 1: the caller is queued to @wq. @timeout is as @tmode
 * says on the clock of @wq, EVL_INFINITE for no limit. Channel lock held. Then
 * drop the lock, and step 2: evl_wait_schedule(), which returns at once if the
 * caller is not queued: because it is no out-of-band thread, or no wait may begin.
 */
void evl_add_wait_queue(struct evl_wait_queue *wq, ktime_t timeout,
			enum evl_tmode tmode);
/* The same for any channel. 0 if the caller falls asleep, or was woken up in the
 * meantime: evl_wait_schedule() tells how that ended. Else the caller is not in
 * line, and the error is what evl_wait_schedule() would return. */
int evl_sleep_on(struct evl_wait_channel *wchan, struct evl_clock *clock,
		 ktime_t timeout, enum evl_tmode tmode, bool by_priority);
/* The same, about which nobody who watches locks is told. */
int __evl_sleep_on(struct evl_wait_channel *wchan, struct evl_clock *clock,
		   ktime_t timeout, enum evl_tmode tmode, bool by_priority);
/*
 * The same in two steps, for who has to do something in between which takes
 * time, the channel unlocked: the caller is in line first, yet keeps running;
 * it may be woken up as any waiter, but not sent away. Both return as
 * evl_sleep_on() does.
 */
int evl_queue_on(struct evl_wait_channel *wchan, bool by_priority);
int evl_sleep_queued(struct evl_wait_channel *wchan, struct evl_clock *clock,
		     ktime_t timeout, enum evl_tmode tmode);
/* Out of the line, instead of the second step. */
void evl_unqueue(struct evl_wait_channel *wchan);
/*
 * 0 when woken up, -EIDRM, -ENOMEM, -ETIMEDOUT or -EINTR (in that order). If the caller
 * was not queued: -EIDRM if its request came by a file of the core which was closed
 * meanwhile; -EINTR if it is asked to come in-band, or was sent there in the course of
 * its request, by a fault or a signal; -EPERM to any other thread in-band, to who is
 * no thread, and in an interrupt. On the stock host, a thread which was woken up may
 * be in-band when this returns, on its way to a signal.
 */
int evl_wait_schedule(struct evl_wait_channel *wchan);

/* Wake one up, adding @reason to its information bits. Channel lock held; the
 * caller reschedules (evl_sched_unlock()). @waiter must wait there. */
void evl_wake_up(struct evl_wait_channel *wchan, struct evl_thread *waiter,
		 int reason);
/* First in line or NULL if none. */
struct evl_thread *evl_wake_up_head(struct evl_wait_channel *wchan, int reason);
/* All of them in one go; their number. Interrupts stay off for as long as that
 * takes, some thousand instructions for each waiter: for lines which are short. */
int evl_flush_wait_locked(struct evl_wait_channel *wchan, int reason);
/*
 * The same for lines of any length. Takes the lock and reschedules, a few
 * waiters at a time if the caller has interrupts on. Who gets in line meanwhile
 * stays there.
 */
int evl_flush_wait(struct evl_wait_channel *wchan, int reason);

/* How many waiters are woken up in one go, with interrupts off; and how many are
 * passed over, because they are not meant, in the time it takes to wake up one. */
#define EVL_WAKE_STEP		32
#define EVL_PASSED_PER_WAKE	8

/*
 * A flush in steps, for who has more to do than to wake up waiters. step() wakes up
 * some, and returns true if there may be others; channel lock held. It is called by
 * whoever flushes until all are awake. The caller may lose the CPU before, be it to
 * those it woke up, or to somebody else, or may be in-band, where Linux lets others
 * run. Therefore waiters go on as well, when they run: those which run on the CPU of
 * the last step, and the last one which that step woke up, wherever it is. The latter
 * is the least important of them, and closest to those who are still asleep.
 */
struct evl_flush {
	bool (*step)(struct evl_wait_channel *wchan, struct evl_flush *flush);
	u64 round;
	int reason;
	/* Only those which wait in a request by this file, unless NULL. */
	struct evl_file *file;
	/* The number of open files, @file not being one any more: if there is none
	 * when the flush begins, all are meant. NULL if that does not matter. */
	const atomic_t *nr_files;
	/* Only those for which this is true, unless NULL. It stays so until they leave
	 * the line; channel lock held. */
	bool (*meant)(const struct evl_thread *waiter);
	bool unaided;			/* waiters go on by themselves, if they do at all */
	int count;			/* of those woken up */
};

/* Wake up some of those who were in line when @flush began. */
bool evl_flush_step(struct evl_wait_channel *wchan, struct evl_flush *flush);
/* From the first step to the last, once that in progress is over. Lock held, with
 * interrupts as in @flags; it is dropped. With more waiters than one step does, the
 * channel has to be there on return. */
void evl_run_flush(struct evl_wait_channel *wchan, struct evl_flush *flush,
		   unsigned long flags);
/* A step of the flush in progress: false if that was the last one. Lock held. The caller
 * reschedules, and lets others in before the next one. */
bool evl_flush_some(struct evl_wait_channel *wchan);
/* Lock held, which may be dropped meanwhile: no flush is in progress on return. */
void evl_finish_flush(struct evl_wait_channel *wchan, unsigned long *flags);
/* evl_flush_wait() with the lock held, with interrupts as in @flags; it is dropped. */
int evl_flush_unlock(struct evl_wait_channel *wchan, int reason, unsigned long flags);
/* @file, through which threads may wait there, is being released: -EIDRM to them,
 * and to all in line if none of @nr_files is open. */
void evl_flush_file_wait(struct evl_wait_channel *wchan, struct evl_file *file,
			 const atomic_t *nr_files);

static inline bool evl_wait_active(struct evl_wait_channel *wchan)
{
	return !RB_EMPTY_ROOT(&wchan->waiters.rb_root);
}

/* Channel lock held. */
struct evl_thread *evl_wait_head(struct evl_wait_channel *wchan);
struct evl_thread *evl_wait_next(struct evl_thread *waiter);

/* The waiter at hand may be woken up meanwhile. */
#define evl_for_each_waiter_safe(__pos, __next, __wchan)		\
	for (__pos = evl_wait_head(__wchan);				\
	     __pos && (__next = evl_wait_next(__pos), true);		\
	     __pos = __next)

/*
 * Sleep until @cond holds, which is evaluated with the channel lock held.
 * 0 or an error of evl_wait_schedule(); with EVL_NONBLOCK, -EAGAIN.
 */
#define evl_wait_event_timeout(__wq, __timeout, __tmode, __cond)	\
({									\
	struct evl_wait_queue *__q = (__wq);				\
	ktime_t __date = (__timeout);					\
	unsigned long __fl;						\
	int __err = 0;							\
									\
	/* Woken up in vain, it does not start over with all of it. */	\
	if (__date != EVL_INFINITE && __date != EVL_NONBLOCK)		\
		__date = evl_abs_timeout(__q->clock, __date, __tmode);		\
	evl_lock_irqsave(&__q->wchan.lock, __fl);			\
	while (!__err && !(__cond)) {					\
		if (__date == EVL_NONBLOCK) {				\
			__err = -EAGAIN;				\
			break;						\
		}							\
		evl_add_wait_queue(__q, __date, EVL_ABS);		\
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
