// SPDX-License-Identifier: GPL-2.0-only
/*
 * Mutexes. The owner word holds the handle of the owner, or 0; user space may
 * take a free one, or drop it, without us as long as no flag is set there.
 * EVL_MUTEX_FLCLAIM forbids this: somebody waits, or did.
 *
 * Nothing but the word tells who owns a mutex. What we keep beside it
 * (mutex->owner, boosts) follows, is all that we trust, and may be about
 * somebody else for a while if user space scribbles over the word: then the
 * wrong thread is boosted, and no more.
 *
 * A mutex taken through us which nobody else waits for is left without a claim,
 * for its owner to drop it without us. We remember the owner all the same, in
 * case it dies, until the next one who comes finds out that it is another.
 *
 * A mutex is not handed over. Its owner wakes up the first waiter and clears
 * the word; whoever comes first gets it, the waiter tries again, and claims the
 * word before it sleeps again. So if others are in line, either the word has
 * the claim, or somebody was woken up who will set it.
 *
 * Locking: see boost.c. The word is only changed with mutex->wchan.lock held,
 * and by user space: 0 to its handle, its handle to 0.
 */
#include <linux/export.h>
#include <linux/minmax.h>
#include <evl/assert.h>
#include <evl/thread.h>
#include <evl/signal-abi.h>
#include "boost.h"
#include "core.h"

void evl_init_mutex(struct evl_mutex *mutex, struct evl_clock *clock,
		    atomic_t *word, const u32 *ceiling, const char *name)
{
	memset(mutex, 0, sizeof(*mutex));
	evl_init_wchan(&mutex->wchan, name);
	/* Once more: lock debugging tells locks by where they are initialized,
	 * and other channels may be locked while a mutex is. */
	raw_spin_lock_init(&mutex->wchan.lock);
	mutex->wchan.requeue = evl_mutex_changed;
	mutex->wchan.abandon = evl_mutex_changed;
	mutex->clock = clock;
	mutex->word = word ?: &mutex->own_word;
	mutex->ceiling = ceiling;
	atomic_set(mutex->word, EVL_NO_HANDLE);
}

void evl_put_mutex_lock(struct evl_mutex *mutex, struct evl_thread *next,
			unsigned long flags)
{
	host_sched_begin();
	raw_spin_unlock(&mutex->wchan.lock);
	if (unlikely(next))
		evl_requeue_waiters(next);
	evl_schedule();
	hard_local_irq_restore(flags);
	host_sched_end();
}

void evl_flush_mutex(struct evl_mutex *mutex, bool dead)
{
	struct evl_thread *next;
	unsigned long flags;

	evl_lock_irqsave(&mutex->wchan.lock, flags);
	mutex->dead = dead;
	evl_flush_wait_locked(&mutex->wchan, EVL_T_RMID);
	next = evl_update_boost(mutex);
	evl_put_mutex_lock(mutex, next, flags);
}

void evl_destroy_mutex(struct evl_mutex *mutex)
{
	struct evl_thread *next;
	unsigned long flags;

	evl_lock_irqsave(&mutex->wchan.lock, flags);
	mutex->dead = true;
	evl_flush_wait_locked(&mutex->wchan, EVL_T_RMID);
	next = evl_untrack_owner(mutex);
	evl_put_mutex_lock(mutex, next, flags);
}

/* --- Who owns it --------------------------------------------------------------- */

static struct evl_thread *find_thread(fundle_t handle)
{
	const struct evl_gate_ops *ops = READ_ONCE(evl_gate_ops);

	return ops && handle != EVL_NO_HANDLE ? ops->get_thread(handle) : NULL;
}

void evl_adopt_owner(struct evl_mutex *mutex)
{
	struct evl_thread *owner;

	if (mutex->owner)
		return;

	owner = find_thread(evl_mutex_owner(mutex));
	if (owner)
		evl_track_owner(mutex, owner);
}

/* Where a boost is to be followed from, if the owner we know of is not the one
 * that the word tells. */
static struct evl_thread *drop_stale_owner(struct evl_mutex *mutex)
{
	struct evl_thread *owner = mutex->owner;

	if (likely(!owner || owner->fundle == evl_mutex_owner(mutex)))
		return NULL;

	return evl_untrack_owner(mutex);
}

/* --- Taking it ------------------------------------------------------------------- */

static int ceiling_boost(struct evl_mutex *mutex)
{
	u32 prio = READ_ONCE(*mutex->ceiling);

	return evl_weighted_prio(&evl_sched_fifo,
				 clamp_t(u32, prio, evl_sched_fifo.min_prio,
					 evl_sched_fifo.max_prio));
}

/* Those who unlock through the core have it keep track of what they own. */
static bool is_watched(struct evl_thread *curr)
{
	return curr->state & (EVL_T_WEAK | EVL_T_WOLI);
}

/* What the word will be if current takes a free mutex. */
static u32 word_of_current(struct evl_mutex *mutex, struct evl_thread *curr)
{
	if (mutex->ceiling)
		return curr->fundle | EVL_MUTEX_FLCLAIM | EVL_MUTEX_FLCEIL;

	/* A private word is not seen by who could drop it. */
	if (evl_wait_active(&mutex->wchan) || is_watched(curr) ||
	    mutex->word == &mutex->own_word)
		return curr->fundle | EVL_MUTEX_FLCLAIM;

	return curr->fundle;
}

/* Current owns it from now on, by way of the core. */
static noinline void become_owner(struct evl_mutex *mutex, struct evl_thread *curr)
{
	if (!evl_track_current(mutex, curr,
			       mutex->ceiling ? ceiling_boost(mutex) : 0))
		return;

	curr->lock_alerts = 0;
	if (is_watched(curr)) {
		mutex->counted = true;
		atomic_inc(&curr->held);
	}
}

/*
 * -EBUSY leaves the word claimed, and an owner known. *@next may be where to
 * follow a boost from.
 */
static __always_inline int grab_mutex(struct evl_mutex *mutex, struct evl_thread *curr,
				      struct evl_thread **next)
{
	u32 mine = word_of_current(mutex, curr);
	u32 old = atomic_cmpxchg(mutex->word, EVL_NO_HANDLE, mine), seen;

	if (old == EVL_NO_HANDLE) {
		/* It dropped the mutex without us. */
		if (mutex->owner)
			*next = evl_untrack_owner(mutex);
		become_owner(mutex, curr);
		return 0;
	}

	if (evl_get_index(old) == curr->fundle)
		return -EDEADLK;

	if (!(old & EVL_MUTEX_FLCLAIM)) {
		seen = atomic_cmpxchg(mutex->word, old,
				      old | EVL_MUTEX_FLCLAIM);
		if (seen != old)
			return -EAGAIN;
	}

	evl_adopt_owner(mutex);
	if (mutex->owner)
		return -EBUSY;

	/* The next one in line gets to know that, too. */
	evl_wake_up_head(&mutex->wchan, 0);

	return -EOWNERDEAD;
}

/*
 * The whole of an attempt; a word which changes is looked at again. Mutex lock
 * held, which may be dropped meanwhile. *@next is for evl_put_mutex_lock(), and
 * NULL if the result is -EBUSY.
 */
static __always_inline int try_mutex(struct evl_mutex *mutex, struct evl_thread *curr,
				     struct evl_thread **next, unsigned long *flags)
{
	int ret;

	*next = NULL;
	for (;;) {
		if (mutex->dead)
			return -EIDRM;
		*next = drop_stale_owner(mutex);
		ret = *next ? -EAGAIN : grab_mutex(mutex, curr, next);
		if (ret != -EAGAIN)
			return ret;
		evl_put_mutex_lock(mutex, *next, *flags);
		*next = NULL;
		evl_lock_irqsave(&mutex->wchan.lock, *flags);
	}
}

int evl_trylock_mutex(struct evl_mutex *mutex)
{
	struct evl_thread *curr = evl_current(), *next;
	unsigned long flags;
	int ret;

	ret = evl_check_waiter(curr);
	if (unlikely(ret))
		return ret;

	evl_lock_irqsave(&mutex->wchan.lock, flags);
	ret = try_mutex(mutex, curr, &next, &flags);
	evl_put_mutex_lock(mutex, next, flags);

	return ret;
}

/*
 * The owner waits, too: have the boost go on from there, and find out whether
 * we wait for ourselves. That may take long, so nothing is locked meanwhile.
 */
static int walk_from_owner(struct evl_mutex *mutex, struct evl_thread *next,
			   unsigned long *flags)
{
	struct evl_thread *curr = evl_current(), *owner = mutex->owner;
	bool deadlock;

	evl_get_thread(owner);
	evl_unlock_irqrestore(&mutex->wchan.lock, *flags);

	evl_requeue_waiters(next);
	deadlock = evl_leads_to(owner, curr);

	evl_lock_irqsave(&mutex->wchan.lock, *flags);
	if (!deadlock || curr->wchan != &mutex->wchan || mutex->owner != owner)
		return 0;

	evl_unqueue(&mutex->wchan);

	return -EDEADLK;
}

/*
 * Wait for the owner, once. Mutex lock held, dropped on return. 0 means to try
 * again.
 */
static int wait_for_owner(struct evl_mutex *mutex, struct evl_thread *curr,
			  ktime_t timeout, enum evl_tmode tmode,
			  unsigned long flags)
{
	struct evl_thread *next;
	int ret = 0;

	evl_check_inband_owner(mutex, curr);
	evl_queue_on(&mutex->wchan);
	next = evl_update_boost(mutex);
	if (next || READ_ONCE(mutex->owner->wchan))
		ret = walk_from_owner(mutex, next, &flags);

	if (!ret && evl_sleep_queued(&mutex->wchan, mutex->clock, timeout,
				     tmode)) {
		evl_unlock_irqrestore(&mutex->wchan.lock, flags);
		return evl_wait_schedule(&mutex->wchan);
	}

	ret = ret ?: evl_wait_code(curr->info);
	next = evl_update_boost(mutex);
	evl_put_mutex_lock(mutex, next, flags);

	return ret;
}

int evl_lock_mutex_timeout(struct evl_mutex *mutex, ktime_t timeout,
			   enum evl_tmode tmode)
{
	struct evl_thread *curr = evl_current(), *next;
	unsigned long flags;
	int ret;

	ret = evl_check_waiter(curr);
	if (unlikely(ret))
		return ret;

	if (timeout != EVL_INFINITE)
		timeout = evl_abs_timeout(mutex->clock, timeout, tmode);

	do {
		evl_lock_irqsave(&mutex->wchan.lock, flags);
		ret = try_mutex(mutex, curr, &next, &flags);
		if (ret != -EBUSY) {
			evl_put_mutex_lock(mutex, next, flags);
			break;
		}
		ret = wait_for_owner(mutex, curr, timeout, EVL_ABS, flags);
	} while (!ret);

	return ret;
}
EXPORT_SYMBOL_GPL(evl_lock_mutex_timeout);

/* --- Dropping it --------------------------------------------------------------------- */

struct evl_thread *evl_release_mutex_locked(struct evl_mutex *mutex)
{
	struct evl_thread *next = NULL;

	if (mutex->owner) {
		mutex->owner->lock_alerts = 0;
		next = evl_untrack_owner(mutex);
	}
	if (evl_wait_active(&mutex->wchan))
		evl_wake_up_head(&mutex->wchan, 0);
	atomic_set_release(mutex->word, EVL_NO_HANDLE);

	return next;
}

int evl_unlock_mutex(struct evl_mutex *mutex)
{
	struct evl_thread *curr = evl_current(), *next = NULL;
	unsigned long flags;
	int ret = 0;

	evl_lock_irqsave(&mutex->wchan.lock, flags);
	if (curr && evl_mutex_owner(mutex) == curr->fundle)
		next = evl_release_mutex_locked(mutex);
	else
		ret = -EPERM;
	evl_put_mutex_lock(mutex, next, flags);

	if (unlikely(ret) && curr && curr->state & EVL_T_WOLI)
		evl_notify_thread(curr, EVL_HMDIAG_LKIMBALANCE, 0);

	return ret;
}
EXPORT_SYMBOL_GPL(evl_unlock_mutex);

/* The first mutex of @thread, locked with hard irqs off, or NULL. */
static struct evl_mutex *lock_first_owned(struct evl_thread *thread,
					  unsigned long *flags)
{
	struct evl_mutex *mutex;
	struct evl_rq *rq;

	for (;;) {
		rq = evl_lock_thread_rq_irqsave(thread, *flags);
		mutex = list_first_entry_or_null(&thread->owned,
						 struct evl_mutex, next_owned);
		if (!mutex) {
			evl_unlock_irqrestore(&rq->lock, *flags);
			return NULL;
		}
		/* Against the order: see boost.c. */
		if (raw_spin_trylock(&mutex->wchan.lock)) {
			raw_spin_unlock(&rq->lock);
			return mutex;
		}
		evl_unlock_irqrestore(&rq->lock, *flags);
		cpu_relax();
	}
}

void evl_drop_owned_mutexes(struct evl_thread *thread)
{
	struct evl_mutex *mutex;
	struct evl_thread *next;
	unsigned long flags;

	while ((mutex = lock_first_owned(thread, &flags))) {
		if (evl_mutex_owner(mutex) == thread->fundle) {
			next = evl_release_mutex_locked(mutex);
		} else {
			next = evl_untrack_owner(mutex);
			evl_wake_up_head(&mutex->wchan, 0);
		}
		evl_put_mutex_lock(mutex, next, flags);
	}
}

/* --- Ceilings left to us ---------------------------------------------------------------- */

bool evl_apply_ceiling(struct evl_mutex *mutex, struct evl_thread *curr)
{
	struct evl_thread *next, *boosted = NULL;
	u32 old;

	raw_spin_lock(&mutex->wchan.lock);
	next = drop_stale_owner(mutex);
	old = atomic_read(mutex->word);
	if (evl_get_index(old) == curr->fundle && !(old & EVL_MUTEX_FLCEIL) &&
	    atomic_cmpxchg(mutex->word, old, old | EVL_MUTEX_FLCEIL) == old) {
		if (!mutex->owner) {
			evl_get_thread(curr);
			evl_track_owner(mutex, curr);
		}
		/* It may be about to sleep, in line somewhere. */
		if (mutex->owner) {
			mutex->ceiling_boost = ceiling_boost(mutex);
			boosted = evl_update_boost(mutex);
		}
	}
	raw_spin_unlock(&mutex->wchan.lock);
	evl_requeue_waiters(next);
	evl_requeue_waiters(boosted);

	return old == EVL_NO_HANDLE;
}

void evl_commit_ceiling(struct evl_thread *curr)
{
	struct evl_user_window *window = curr->window;
	const struct evl_gate_ops *ops;
	fundle_t handle;

	if (likely(!window || !READ_ONCE(window->pp_pending)))
		return;

	handle = READ_ONCE(window->pp_pending);
	ops = READ_ONCE(evl_gate_ops);
	if (!ops || !ops->commit_ceiling(handle, curr))
		WRITE_ONCE(window->pp_pending, EVL_NO_HANDLE);
}

/* --- Mutexes of drivers --------------------------------------------------------------------- */

void evl_init_kmutex(struct evl_kmutex *kmutex)
{
	evl_init_mutex(&kmutex->mutex, &evl_mono_clock, NULL, NULL, "kmutex");
}
EXPORT_SYMBOL_GPL(evl_init_kmutex);

void evl_destroy_kmutex(struct evl_kmutex *kmutex)
{
	evl_destroy_mutex(&kmutex->mutex);
}
EXPORT_SYMBOL_GPL(evl_destroy_kmutex);

int evl_trylock_kmutex(struct evl_kmutex *kmutex)
{
	int ret = evl_trylock_mutex(&kmutex->mutex);

	return ret == -EBUSY ? -EAGAIN : ret;
}
EXPORT_SYMBOL_GPL(evl_trylock_kmutex);
