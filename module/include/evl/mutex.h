/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Mutexes: those of drivers, and what gates are made of. A mutex belongs to the
 * thread whose handle is in its owner word, which user space may share: see
 * doc/locking.md for what each side does to it.
 */
#ifndef EVL_MUTEX_H
#define EVL_MUTEX_H

#include <linux/atomic.h>
#include <linux/list.h>
#include <linux/rbtree.h>
#include <evl/sched.h>
#include <evl/wait.h>
#include <evl/types-abi.h>

/*
 * Guarded by wchan.lock. What links it to its owner, i.e. all fields from owner
 * on, is changed with the run queue lock of that thread held as well.
 */
struct evl_mutex {
	struct evl_wait_channel wchan;	/* threads waiting for it */
	struct evl_clock *clock;
	atomic_t *word;			/* EVL_MUTEX_*, handle of the owner */
	atomic_t own_word;		/* if it is not shared */
	const u32 *ceiling;		/* NULL for priority inheritance */
	int ceiling_boost;		/* what it amounts to since applied, or 0 */
	bool dead;			/* nobody may wait for it any more */
	bool granted;			/* to owner, which has not run since */
	bool counted;			/* in owner->held */
	struct evl_thread *owner;	/* as far as we know; with a reference */
	struct list_head next_owned;	/* in owner->owned */
	struct rb_node boost_node;	/* in owner->boosters if boost is set */
	int boost;			/* weighted priority it gives the owner */
};

/*
 * @word and @ceiling may be in memory shared with user space; NULL for a
 * private word, and for priority inheritance.
 */
void evl_init_mutex(struct evl_mutex *mutex, struct evl_clock *clock,
		    atomic_t *word, const u32 *ceiling, const char *name);
/* Waiters get -EIDRM, the owner is forgotten. */
void evl_destroy_mutex(struct evl_mutex *mutex);
/* @file of a gate is being released: those who wait in a request by it get -EIDRM,
 * and all others if none of @nr_files is open. Whoever comes while the mutex is dead
 * does as well, and whom it was granted to and has not run since. */
void evl_flush_mutex(struct evl_mutex *mutex, struct evl_file *file,
		     const atomic_t *nr_files);

/*
 * 0, -EDEADLK if the owner waits for current, directly or not, or is current,
 * -EOWNERDEAD if it does not exist, or an error of evl_wait_schedule(). Those
 * who are not out-of-band do not wait: see evl_add_wait_queue().
 */
int evl_lock_mutex_timeout(struct evl_mutex *mutex, ktime_t timeout,
			   enum evl_tmode tmode);
/* 0, -EBUSY, -EDEADLK if current is the owner. */
int evl_trylock_mutex(struct evl_mutex *mutex);
/* 0, -EPERM if current is not the owner. Reschedules. */
int evl_unlock_mutex(struct evl_mutex *mutex);

static inline int evl_lock_mutex(struct evl_mutex *mutex)
{
	return evl_lock_mutex_timeout(mutex, EVL_INFINITE, EVL_REL);
}

/* --- For gates: the same in parts ------------------------------------------- */

/* Mutex lock held: who is the owner, as the word says? */
static inline fundle_t evl_mutex_owner(struct evl_mutex *mutex)
{
	return evl_get_index(atomic_read(mutex->word));
}

/*
 * A PI chain walk: which threads got another priority while they wait, so that
 * their channels have to reorder them, and so on. Noted with locks held, walked
 * once they are dropped: see core/chain.c.
 */
struct evl_chain_walk {
	int nr;
	struct evl_thread *next[2];	/* with references */
};

static inline void evl_begin_walk(struct evl_chain_walk *walk)
{
	walk->nr = 0;
}

/* Takes over a reference. No operation on a mutex adds more than two. */
static inline void evl_add_to_walk(struct evl_chain_walk *walk, struct evl_thread *thread)
{
	walk->next[walk->nr++] = thread;
}

/* No lock held; with hard irqs on, reschedules. */
void evl_finish_walk(struct evl_chain_walk *walk);
void evl_end_long_walk(struct evl_chain_walk *walk, unsigned long flags);

/* The same, followed by what evl_sched_unlock() does once the lock is dropped,
 * host_sched_begin() having been called before. */
static inline void evl_end_walk(struct evl_chain_walk *walk, unsigned long flags)
{
	if (unlikely(walk->nr)) {
		evl_end_long_walk(walk, flags);
		return;
	}
	evl_schedule();
	hard_local_irq_restore(flags);
	host_sched_end();
}

/* Mutex lock held, current being the owner. To be followed by the next one. */
void evl_release_mutex_locked(struct evl_mutex *mutex, struct evl_chain_walk *walk);
/* Drop the lock, complete the changes of priorities, reschedule. */
void evl_put_mutex_lock(struct evl_mutex *mutex, struct evl_chain_walk *walk,
			unsigned long flags);
/* Current may have grabbed it in user space, which leaves the ceiling to us.
 * False if it did not, or not yet. Hard irqs off. */
bool evl_apply_ceiling(struct evl_mutex *mutex, struct evl_thread *curr);

/* What the core has to ask the elements above it. Atomic, any stage. */
struct evl_gate_ops {
	/* With a reference, or NULL. */
	struct evl_thread *(*get_thread)(fundle_t handle);
	/* A thread left @handle in its window: false to forget it, true if it
	 * may still be on its way to take that gate. */
	bool (*commit_ceiling)(fundle_t handle, struct evl_thread *curr);
};

/* NULL when there are no gates any more. */
void evl_set_gate_ops(const struct evl_gate_ops *ops);

/* --- For drivers --------------------------------------------------------------- */

/* Priority inheritance, not recursive. Out-of-band callers only: -EPERM for
 * others. */
struct evl_kmutex {
	struct evl_mutex mutex;
};

/* Its waiters changed: wchan.requeue and wchan.removed of every mutex. */
void evl_mutex_changed(struct evl_wait_channel *wchan, struct evl_thread *waiter,
		       struct evl_chain_walk *walk);

#define EVL_KMUTEX_INITIALIZER(__name)					\
	{								\
		.mutex = {						\
			.wchan = {					\
				.lock = __HARD_SPIN_LOCK_INITIALIZER(	\
					(__name).mutex.wchan.lock),	\
				.waiters = RB_ROOT_CACHED,		\
				.name = #__name,			\
				.requeue = evl_mutex_changed,		\
				.removed = evl_mutex_changed,		\
			},						\
			.clock = &evl_mono_clock,			\
			.word = &(__name).mutex.own_word,		\
		},							\
	}

#define DEFINE_EVL_KMUTEX(__name)					\
	struct evl_kmutex __name = EVL_KMUTEX_INITIALIZER(__name)

void evl_init_kmutex(struct evl_kmutex *kmutex);
void evl_destroy_kmutex(struct evl_kmutex *kmutex);

static inline int evl_lock_kmutex(struct evl_kmutex *kmutex)
{
	return evl_lock_mutex(&kmutex->mutex);
}

/* -EAGAIN if it is taken. */
int evl_trylock_kmutex(struct evl_kmutex *kmutex);

static inline void evl_unlock_kmutex(struct evl_kmutex *kmutex)
{
	evl_unlock_mutex(&kmutex->mutex);
}

#endif /* !EVL_MUTEX_H */
