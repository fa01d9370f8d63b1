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
 * A mutex which others wait for is granted to the first of them, by whoever
 * drops it: the word names that waiter, with the claim. Until it has run, and
 * found out, a thread of better priority which comes along may take the mutex
 * from it, and puts it back in line, ahead of its equals. Others line up. So a
 * waiter waits for one section of each thread which is before it in line, or
 * was the owner, however often they come back; but for threads of better
 * priority, which would have the CPU instead of it anyway.
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
	mutex->wchan.removed = evl_mutex_changed;
	mutex->clock = clock;
	mutex->word = word ?: &mutex->own_word;
	mutex->ceiling = ceiling;
	atomic_set(mutex->word, EVL_NO_HANDLE);
}

void evl_put_mutex_lock(struct evl_mutex *mutex, struct evl_chain_walk *walk,
			unsigned long flags)
{
	host_sched_begin();
	raw_spin_unlock(&mutex->wchan.lock);
	evl_end_walk(walk, flags);
}

/* Whoever it was granted to finds out that it goes; and so does whoever is next in
 * line, one after the other: should it be opened again meanwhile, nobody else would
 * look there. */
static void revoke_grant(struct evl_mutex *mutex, struct evl_chain_walk *walk)
{
	if (!mutex->granted)
		return;

	evl_untrack_owner(mutex, walk);
	atomic_set(mutex->word, EVL_NO_HANDLE);
	evl_wake_up_head(&mutex->wchan, 0);
}

/*
 * Some waiters less. What that makes of the priority of the owner is settled in the same
 * go: whoever flushes may lose the CPU to those who are awake before the next one, and
 * stay without it after the last one.
 */
static bool send_away(struct evl_wait_channel *wchan, struct evl_flush *flush)
{
	struct evl_mutex *mutex = container_of(wchan, struct evl_mutex, wchan);
	bool more = evl_flush_step(wchan, flush);
	struct evl_chain_walk walk;

	evl_begin_walk(&walk);
	if (!more && mutex->dead)
		revoke_grant(mutex, &walk);
	evl_update_boost(mutex, &walk);
	evl_postpone_walk(&walk);

	return more;
}

void evl_flush_mutex(struct evl_mutex *mutex, struct evl_file *file,
		     const atomic_t *nr_files)
{
	struct evl_flush flush = {
		.step = send_away,
		.reason = EVL_T_RMID,
		.file = file,
		.nr_files = nr_files,
	};
	unsigned long flags;

	evl_lock_irqsave(&mutex->wchan.lock, flags);
	evl_run_flush(&mutex->wchan, &flush, flags);
}

void evl_destroy_mutex(struct evl_mutex *mutex)
{
	struct evl_flush flush = { .step = send_away, .reason = EVL_T_RMID };
	struct evl_chain_walk walk;
	unsigned long flags;

	evl_lock_irqsave(&mutex->wchan.lock, flags);
	mutex->dead = true;
	evl_run_flush(&mutex->wchan, &flush, flags);

	evl_begin_walk(&walk);
	evl_lock_irqsave(&mutex->wchan.lock, flags);
	evl_untrack_owner(mutex, &walk);
	evl_put_mutex_lock(mutex, &walk, flags);
}

/* --- Who owns it --------------------------------------------------------------- */

static struct evl_thread *find_thread(fundle_t handle)
{
	const struct evl_gate_ops *ops = READ_ONCE(evl_gate_ops);

	return ops && handle != EVL_NO_HANDLE ? ops->get_thread(handle) : NULL;
}

void evl_find_owner(struct evl_mutex *mutex)
{
	struct evl_thread *owner;

	if (mutex->owner)
		return;

	owner = find_thread(evl_mutex_owner(mutex));
	if (owner)
		evl_track_owner(mutex, owner);
}

/* True if the owner we knew of is not the one that the word tells. */
static bool drop_stale_owner(struct evl_mutex *mutex, struct evl_chain_walk *walk)
{
	struct evl_thread *owner = mutex->owner;

	if (likely(!owner || owner->fundle == evl_mutex_owner(mutex)))
		return false;

	evl_untrack_owner(mutex, walk);

	return true;
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

/* The word if current owns the mutex, and user space may not drop it. */
static u32 claimed_word(struct evl_mutex *mutex, struct evl_thread *thread)
{
	return thread->fundle | EVL_MUTEX_FLCLAIM |
		(mutex->ceiling ? EVL_MUTEX_FLCEIL : 0);
}

/* What the word will be if current gets the mutex. */
static u32 word_of_current(struct evl_mutex *mutex, struct evl_thread *curr)
{
	/* A private word is not seen by who could drop it. */
	if (mutex->ceiling || evl_wait_active(&mutex->wchan) || is_watched(curr) ||
	    mutex->word == &mutex->own_word)
		return claimed_word(mutex, curr);

	return curr->fundle;
}

static void count_current(struct evl_mutex *mutex, struct evl_thread *curr)
{
	curr->lock_alerts = 0;
	if (is_watched(curr)) {
		mutex->counted = true;
		atomic_inc(&curr->held);
	}
}

/* Current owns it from now on, by way of the core. */
static noinline void become_owner(struct evl_mutex *mutex, struct evl_thread *curr)
{
	if (evl_track_current(mutex, curr, mutex->ceiling ? ceiling_boost(mutex) : 0))
		count_current(mutex, curr);
}

/* Current has run, and finds itself the owner. A ceiling counts from here on. */
static noinline int accept_grant(struct evl_mutex *mutex, struct evl_thread *curr, u32 old,
				 struct evl_chain_walk *walk)
{
	u32 mine = word_of_current(mutex, curr);

	if (mine != old && atomic_cmpxchg(mutex->word, old, mine) != old)
		return -EAGAIN;

	mutex->granted = false;
	count_current(mutex, curr);
	if (mutex->ceiling) {
		mutex->ceiling_boost = ceiling_boost(mutex);
		evl_update_boost(mutex, walk);
	}

	return 0;
}

/* Current has a better priority than the thread which was going to have it. */
static noinline int steal_grant(struct evl_mutex *mutex, struct evl_thread *curr, u32 old,
				struct evl_chain_walk *walk)
{
	struct evl_thread *robbed = mutex->owner;

	if (atomic_cmpxchg(mutex->word, old, claimed_word(mutex, curr)) != old)
		return -EAGAIN;

	evl_get_thread(robbed);
	evl_untrack_owner(mutex, walk);
	evl_requeue_robbed(&mutex->wchan, robbed);
	evl_put_thread(robbed);
	become_owner(mutex, curr);

	return 0;
}

/*
 * -EBUSY leaves the word claimed, an owner known, and nothing to walk.
 */
static __always_inline int grab_mutex(struct evl_mutex *mutex, struct evl_thread *curr,
				      struct evl_chain_walk *walk)
{
	u32 mine = word_of_current(mutex, curr);
	u32 old = atomic_cmpxchg(mutex->word, EVL_NO_HANDLE, mine), seen;

	if (old == EVL_NO_HANDLE) {
		/* It dropped the mutex without us. */
		if (mutex->owner)
			evl_untrack_owner(mutex, walk);
		become_owner(mutex, curr);
		return 0;
	}

	if (evl_get_index(old) == curr->fundle)
		return mutex->granted && mutex->owner == curr ?
			accept_grant(mutex, curr, old, walk) : -EDEADLK;

	if (unlikely(mutex->granted) && curr->wprio > READ_ONCE(mutex->owner->wprio))
		return steal_grant(mutex, curr, old, walk);

	if (!(old & EVL_MUTEX_FLCLAIM)) {
		seen = atomic_cmpxchg(mutex->word, old,
				      old | EVL_MUTEX_FLCLAIM);
		if (seen != old)
			return -EAGAIN;
	}

	evl_find_owner(mutex);
	if (mutex->owner)
		return -EBUSY;

	/* The next one in line gets to know that, too. */
	evl_wake_up_head(&mutex->wchan, 0);

	return -EOWNERDEAD;
}

/*
 * The whole of an attempt; a word which changes is looked at again. Mutex lock
 * held, which may be dropped meanwhile. @walk is for evl_put_mutex_lock(), and
 * empty if the result is -EBUSY.
 */
static __always_inline int try_mutex(struct evl_mutex *mutex, struct evl_thread *curr,
				     struct evl_chain_walk *walk, unsigned long *flags)
{
	int ret;

	for (;;) {
		evl_begin_walk(walk);
		if (unlikely(mutex->dead)) {
			/* Should it be opened again, nobody would know. */
			if (mutex->owner == curr)
				revoke_grant(mutex, walk);
			else if (!mutex->owner)
				evl_wake_up_head(&mutex->wchan, 0);
			return -EIDRM;
		}
		ret = unlikely(drop_stale_owner(mutex, walk)) ? -EAGAIN :
			grab_mutex(mutex, curr, walk);
		if (ret != -EAGAIN)
			return ret;
		evl_put_mutex_lock(mutex, walk, *flags);
		evl_lock_irqsave(&mutex->wchan.lock, *flags);
	}
}

int evl_trylock_mutex(struct evl_mutex *mutex)
{
	struct evl_thread *curr = evl_current();
	struct evl_chain_walk walk;
	unsigned long flags;
	int ret;

	ret = evl_check_waiter(curr);
	if (unlikely(ret))
		return ret;

	evl_lock_irqsave(&mutex->wchan.lock, flags);
	ret = try_mutex(mutex, curr, &walk, &flags);
	evl_put_mutex_lock(mutex, &walk, flags);

	return ret;
}

/* Current is in line, and may be the owner already: it is not to be sent away. */
static bool still_waits(struct evl_mutex *mutex, struct evl_thread *curr)
{
	return curr->wchan == &mutex->wchan;
}

/*
 * The owner waits, too, or is in-band: have the boost go on from there, find out
 * whether we wait for ourselves, and tell who asked for it. That may take long,
 * so nothing is locked meanwhile.
 */
static noinline int look_at_owner(struct evl_mutex *mutex, struct evl_chain_walk *walk,
				  unsigned long *flags)
{
	struct evl_thread *curr = evl_current(), *owner = mutex->owner;
	bool report = evl_minds_inband_owner(mutex, curr), deadlock;

	evl_get_thread(owner);
	evl_put_mutex_lock(mutex, walk, *flags);
	if (report)
		evl_report_inband_owner(curr);
	deadlock = evl_leads_to(owner, curr);

	evl_lock_irqsave(&mutex->wchan.lock, *flags);
	if (!deadlock || !still_waits(mutex, curr) || mutex->owner != owner)
		return 0;

	evl_unqueue(&mutex->wchan);

	return -EDEADLK;
}

/* The owner is to be looked at after current got in line. */
static bool owner_needs_look(struct evl_mutex *mutex, struct evl_thread *curr,
			     struct evl_chain_walk *walk)
{
	/* Two threads are about to close a loop: the last one in line sees the
	 * other there, whose own barrier this pairs with. */
	smp_mb();

	return walk->nr || READ_ONCE(mutex->owner->wchan) ||
		unlikely(evl_minds_inband_owner(mutex, curr));
}

/*
 * Wait for the owner, once. Mutex lock held, dropped on return. 0 means to try
 * again.
 */
static int wait_for_owner(struct evl_mutex *mutex, struct evl_thread *curr,
			  ktime_t timeout, unsigned long flags)
{
	struct evl_chain_walk walk;
	int ret = 0;

	evl_begin_walk(&walk);
	/* Robbed of the mutex, it is in line already. */
	if (likely(!still_waits(mutex, curr)))
		ret = evl_queue_on(&mutex->wchan, true);
	if (likely(!ret)) {
		evl_update_boost(mutex, &walk);
		if (owner_needs_look(mutex, curr, &walk))
			ret = look_at_owner(mutex, &walk, &flags);
	}

	ret = ret ?: evl_sleep_queued(&mutex->wchan, mutex->clock, timeout, EVL_ABS);
	if (likely(!ret)) {
		evl_unlock_irqrestore(&mutex->wchan.lock, flags);
		return evl_wait_schedule(&mutex->wchan);
	}

	evl_update_boost(mutex, &walk);
	evl_put_mutex_lock(mutex, &walk, flags);

	return ret;
}

/* It got the mutex, or an error, after it was put back in line. */
static noinline void leave_line(struct evl_mutex *mutex, struct evl_chain_walk *walk)
{
	evl_unqueue(&mutex->wchan);
	evl_update_boost(mutex, walk);
}

int evl_lock_mutex_timeout(struct evl_mutex *mutex, ktime_t timeout,
			   enum evl_tmode tmode)
{
	struct evl_thread *curr = evl_current();
	struct evl_chain_walk walk;
	unsigned long flags;
	int ret;

	ret = evl_check_waiter(curr);
	if (unlikely(ret))
		return ret;

	if (timeout != EVL_INFINITE)
		timeout = evl_abs_timeout(mutex->clock, timeout, tmode);

	do {
		evl_lock_irqsave(&mutex->wchan.lock, flags);
		ret = try_mutex(mutex, curr, &walk, &flags);
		if (ret != -EBUSY) {
			if (unlikely(still_waits(mutex, curr)))
				leave_line(mutex, &walk);
			evl_put_mutex_lock(mutex, &walk, flags);
			break;
		}
		ret = wait_for_owner(mutex, curr, timeout, flags);
	} while (!ret);

	return ret;
}
EXPORT_SYMBOL_GPL(evl_lock_mutex_timeout);

/* --- Dropping it --------------------------------------------------------------------- */

/* The word last: nothing of ours but user space looks at it before we unlock. */
void evl_release_mutex_locked(struct evl_mutex *mutex, struct evl_chain_walk *walk)
{
	struct evl_thread *first;

	if (mutex->owner) {
		mutex->owner->lock_alerts = 0;
		evl_untrack_owner(mutex, walk);
	}

	while ((first = evl_wait_head(&mutex->wchan))) {
		if (evl_grant_mutex(mutex, first)) {
			atomic_set_release(mutex->word, claimed_word(mutex, first));
			return;
		}
	}
	atomic_set_release(mutex->word, EVL_NO_HANDLE);
}

int evl_unlock_mutex(struct evl_mutex *mutex)
{
	struct evl_thread *curr = evl_current();
	struct evl_chain_walk walk;
	unsigned long flags;
	int ret = 0;

	evl_begin_walk(&walk);
	evl_lock_irqsave(&mutex->wchan.lock, flags);
	if (curr && evl_mutex_owner(mutex) == curr->fundle)
		evl_release_mutex_locked(mutex, &walk);
	else
		ret = -EPERM;
	evl_put_mutex_lock(mutex, &walk, flags);

	if (unlikely(ret) && curr && curr->state & EVL_T_WOLI)
		evl_notify_thread(curr, EVL_HMDIAG_LKIMBALANCE, 0);

	return ret;
}
EXPORT_SYMBOL_GPL(evl_unlock_mutex);

/* The first mutex of @thread, locked with hard irqs off, or NULL: there is none, or
 * others keep it busy. */
static struct evl_mutex *lock_first_owned(struct evl_thread *thread,
					  unsigned long *flags)
{
	struct evl_mutex *mutex;
	struct evl_rq *rq;
	int tries;

	for (tries = 0; tries < EVL_LOCK_TRIES; tries++) {
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

	return NULL;
}

bool evl_drop_owned_mutexes(struct evl_thread *thread, unsigned int max)
{
	struct evl_chain_walk walk;
	struct evl_mutex *mutex;
	unsigned long flags;

	while (max-- && (mutex = lock_first_owned(thread, &flags))) {
		evl_begin_walk(&walk);
		if (evl_mutex_owner(mutex) == thread->fundle) {
			evl_release_mutex_locked(mutex, &walk);
		} else {
			evl_untrack_owner(mutex, &walk);
			evl_wake_up_head(&mutex->wchan, 0);
		}
		evl_put_mutex_lock(mutex, &walk, flags);
	}

	return list_empty_careful(&thread->owned);
}

/* --- Ceilings left to us ---------------------------------------------------------------- */

bool evl_apply_ceiling(struct evl_mutex *mutex, struct evl_thread *curr)
{
	struct evl_chain_walk walk;
	bool owner;
	u32 old;

	evl_begin_walk(&walk);
	raw_spin_lock(&mutex->wchan.lock);
	drop_stale_owner(mutex, &walk);
	old = atomic_read(mutex->word);
	owner = evl_get_index(old) == curr->fundle;
	if (owner && !(old & EVL_MUTEX_FLCEIL) &&
	    atomic_cmpxchg(mutex->word, old, old | EVL_MUTEX_FLCEIL) == old) {
		if (!mutex->owner) {
			evl_get_thread(curr);
			evl_track_owner(mutex, curr);
		}
		/* It may be about to sleep, in line somewhere. */
		if (mutex->owner) {
			mutex->ceiling_boost = ceiling_boost(mutex);
			evl_update_boost(mutex, &walk);
		}
	}
	raw_spin_unlock(&mutex->wchan.lock);
	evl_finish_walk(&walk);

	return owner;
}

void evl_commit_ceiling(struct evl_thread *curr)
{
	struct evl_user_window *window = curr->window;
	const struct evl_gate_ops *ops;
	fundle_t handle;

	if (likely(!window || !READ_ONCE(window->pp_pending)))
		return;

	/* On stock, @curr may be running on another CPU by now, and be about to take
	 * another one, or the same one again. One which is put back although it has
	 * dropped that meanwhile is found out by its next lock. */
	handle = xchg(&window->pp_pending, EVL_NO_HANDLE);
	ops = READ_ONCE(evl_gate_ops);
	if (ops && ops->commit_ceiling(handle, curr) &&
	    cmpxchg(&window->pp_pending, EVL_NO_HANDLE, handle) != EVL_NO_HANDLE)
		/* It went on to the next one already: what it made of this one is
		 * final. */
		ops->commit_ceiling(handle, curr);
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
