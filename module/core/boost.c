// SPDX-License-Identifier: GPL-2.0-only
/*
 * Who owns which mutex, and what owners get out of it: the priority of the
 * first waiter (inheritance), or that of a ceiling.
 *
 * The effective priority of a thread is the highest among its base priority
 * and the boosts of the mutexes which it owns, kept in a tree. It is always
 * settled from these, never by a difference, so that the order in which changes
 * are noticed does not matter.
 *
 * Locking, outer to inner:
 *
 *	mutex->wchan.lock	waiters, word
 *	  of owner: rq->lock	owned, boosters; with the former: mutex->owner
 *
 * Both locks are needed to link a mutex to its owner, or to unlink it. Hence a
 * mutex cannot vanish while the run queue of its owner is locked, and coming
 * from there its lock can be tried. A chain (the owner waits for a mutex, whose
 * owner waits...) is walked one mutex and one run queue at a time, a reference
 * holding the thread which comes next: see evl_requeue_waiters().
 */
#include <linux/export.h>
#include <evl/thread.h>
#include <evl/signal-abi.h>
#include "boost.h"
#include "core.h"

const struct evl_gate_ops *evl_gate_ops;

void evl_set_gate_ops(const struct evl_gate_ops *ops)
{
	WRITE_ONCE(evl_gate_ops, ops);
}

/* --- Effective priority --------------------------------------------------------- */

/* Classes between those two get their share of the CPU by other means. */
static const struct evl_sched_class *boost_class(int boost)
{
	return boost / EVL_CLASS_WEIGHT_UNIT == evl_sched_weak.weight ?
		&evl_sched_weak : &evl_sched_fifo;
}

static int top_boost(struct evl_thread *thread)
{
	struct rb_node *first = rb_first_cached(&thread->boosters);

	return first ? rb_entry(first, struct evl_mutex, boost_node)->boost : 0;
}

bool evl_update_effective_locked(struct evl_thread *thread)
{
	int base = evl_weighted_prio(thread->base_class, thread->bprio);
	int boost = top_boost(thread), old = thread->wprio;
	bool boosted = thread->state & EVL_T_BOOST;

	if (boost <= base) {
		if (boosted)
			evl_boost_thread_locked(thread, NULL, 0);
	} else if (!boosted || boost != old) {
		evl_boost_thread_locked(thread, boost_class(boost),
					boost % EVL_CLASS_WEIGHT_UNIT);
	}

	return thread->wprio != old;
}

void evl_follow_base_change(struct evl_thread *thread)
{
	unsigned long flags;
	struct evl_rq *rq;

	rq = evl_lock_thread_rq_irqsave(thread, flags);
	evl_update_effective_locked(thread);
	evl_sched_unlock(&rq->lock, flags);

	evl_get_thread(thread);
	evl_requeue_waiters(thread);

	flags = hard_local_irq_save();
	host_sched_begin();
	evl_schedule();
	hard_local_irq_restore(flags);
	host_sched_end();
}

/* --- Owners ------------------------------------------------------------------------ */

static bool boosts_more(struct rb_node *a, const struct rb_node *b)
{
	return rb_entry(a, struct evl_mutex, boost_node)->boost >
		rb_entry(b, struct evl_mutex, boost_node)->boost;
}

/* Run queue of the owner locked as well. */
static void set_boost(struct evl_mutex *mutex, int boost)
{
	struct evl_thread *owner = mutex->owner;

	if (boost == mutex->boost)
		return;

	if (mutex->boost)
		rb_erase_cached(&mutex->boost_node, &owner->boosters);
	mutex->boost = boost;
	if (boost)
		rb_add_cached(&mutex->boost_node, &owner->boosters, boosts_more);
}

static int wanted_boost(struct evl_mutex *mutex)
{
	struct evl_thread *first;

	if (mutex->ceiling)
		return mutex->ceiling_boost;

	first = evl_wait_head(&mutex->wchan);

	return first ? first->wait_key : 0;
}

/* Run queue of @owner locked as well. False if it left the core. */
static bool link_owner(struct evl_mutex *mutex, struct evl_thread *owner)
{
	if (!evl_thread_alive(owner))
		return false;

	mutex->owner = owner;
	list_add(&mutex->next_owned, &owner->owned);

	return true;
}

bool evl_track_owner(struct evl_mutex *mutex, struct evl_thread *owner)
{
	struct evl_rq *rq = evl_lock_thread_rq(owner);
	bool alive = link_owner(mutex, owner);

	raw_spin_unlock(&rq->lock);
	if (!alive)
		evl_put_thread(owner);

	return alive;
}

bool evl_track_current(struct evl_mutex *mutex, struct evl_thread *curr, int ceiling)
{
	struct evl_rq *rq = evl_lock_thread_rq(curr);
	bool alive = link_owner(mutex, curr);

	if (alive) {
		evl_get_thread(curr);
		mutex->ceiling_boost = ceiling;
		set_boost(mutex, wanted_boost(mutex));
		/* Current runs: nothing to follow. */
		if (mutex->boost)
			evl_update_effective_locked(curr);
	}
	raw_spin_unlock(&rq->lock);

	return alive;
}

struct evl_thread *evl_untrack_owner(struct evl_mutex *mutex)
{
	struct evl_thread *owner = mutex->owner;
	bool follow = false;
	struct evl_rq *rq;

	if (!owner)
		return NULL;

	rq = evl_lock_thread_rq(owner);
	list_del(&mutex->next_owned);
	if (mutex->boost) {
		set_boost(mutex, 0);
		follow = evl_update_effective_locked(owner) && owner->wchan;
	}
	mutex->owner = NULL;
	mutex->ceiling_boost = 0;
	if (mutex->counted) {
		mutex->counted = false;
		atomic_dec(&owner->held);
	}
	raw_spin_unlock(&rq->lock);

	if (follow)
		return owner;

	evl_put_thread(owner);

	return NULL;
}

struct evl_thread *evl_update_boost(struct evl_mutex *mutex)
{
	struct evl_thread *owner = mutex->owner;
	int boost = wanted_boost(mutex);
	struct evl_rq *rq;
	bool follow;

	/* What a boost comes to was settled when it changed. */
	if (!owner || boost == mutex->boost)
		return NULL;

	rq = evl_lock_thread_rq(owner);
	set_boost(mutex, boost);
	follow = evl_update_effective_locked(owner) && owner->wchan;
	if (follow)
		evl_get_thread(owner);
	raw_spin_unlock(&rq->lock);

	return follow ? owner : NULL;
}

struct evl_thread *evl_mutex_changed(struct evl_wait_channel *wchan,
				     struct evl_thread *waiter)
{
	return evl_update_boost(container_of(wchan, struct evl_mutex, wchan));
}
EXPORT_SYMBOL_GPL(evl_mutex_changed);

struct evl_mutex *evl_mutex_of_wchan(struct evl_wait_channel *wchan)
{
	return wchan->requeue == evl_mutex_changed ?
		container_of(wchan, struct evl_mutex, wchan) : NULL;
}

/* --- Chains ---------------------------------------------------------------------------- */

/*
 * One step. @path gets what identifies the wait of @thread, and what for, among
 * all waits there ever were.
 */
static struct evl_thread *next_in_chain(struct evl_thread *thread, u64 *path)
{
	struct evl_wait_channel *wchan;
	struct evl_thread *next = NULL;
	struct evl_mutex *mutex;
	unsigned long flags;
	struct evl_rq *rq;

	flags = hard_local_irq_save();
	wchan = evl_lock_thread_wchan(thread, &rq);
	raw_spin_unlock(&rq->lock);
	if (wchan) {
		mutex = evl_mutex_of_wchan(wchan);
		if (mutex) {
			evl_adopt_owner(mutex);
			next = mutex->owner;
		}
		if (next)
			evl_get_thread(next);
		*path = (*path + (unsigned long)thread + thread->wait_seq) *
			0x9e3779b97f4a7c15ULL + (unsigned long)next;
		raw_spin_unlock(&wchan->lock);
	}
	hard_local_irq_restore(flags);

	return next;
}

/*
 * Walk from @thread to @target, or until a thread is met twice: the mark moves
 * up at each power of two, so that a loop which @target is not part of ends the
 * walk as well.
 */
static bool walk_chain(struct evl_thread *thread, struct evl_thread *target,
		       u64 *path)
{
	struct evl_thread *mark = NULL, *next;
	unsigned long steps = 0, limit = 1;
	bool found = false;

	*path = 0;
	while (thread && !found) {
		found = thread == target || thread == mark;
		if (++steps == limit) {
			mark = thread;
			limit *= 2;
		}
		next = found ? NULL : next_in_chain(thread, path);
		evl_put_thread(thread);
		thread = next;
	}

	return found;
}

/*
 * Since the chain is not locked as a whole, what a walk finds may be made of
 * pieces which did not exist at the same time. But if the same waits are found
 * twice in a row, they all existed in between. Of two threads about to close a
 * loop, both are in line before they look: the last one sees the other.
 */
bool evl_leads_to(struct evl_thread *thread, struct evl_thread *target)
{
	u64 path, last = 0;
	bool found;

	do {
		evl_get_thread(thread);
		path = last;
		found = walk_chain(thread, target, &last);
	} while (found && path != last);

	evl_put_thread(thread);

	return found;
}

/* --- Health --------------------------------------------------------------------------------- */

/* It may have dropped what we remember it to own. */
static bool owns_any(struct evl_thread *curr)
{
	struct evl_mutex *mutex;
	unsigned long flags;
	struct evl_rq *rq;
	bool any = false;

	rq = evl_lock_thread_rq_irqsave(curr, flags);
	list_for_each_entry(mutex, &curr->owned, next_owned) {
		any = evl_mutex_owner(mutex) == curr->fundle;
		if (any)
			break;
	}
	evl_unlock_irqrestore(&rq->lock, flags);

	return any;
}

/* Going in-band while others may depend on us. */
void evl_check_owned_inband(struct evl_thread *curr)
{
	if (unlikely(curr->state & EVL_T_WOLI) && owns_any(curr))
		evl_notify_thread(curr, EVL_HMDIAG_LKDEPEND, 0);
}

/*
 * About to wait. The report may be a signal, which ends the wait, then has the
 * request issued again: once is enough until a mutex is taken or dropped.
 */
static void report_wait(struct evl_thread *curr, int code)
{
	if (curr->lock_alerts & BIT(code))
		return;

	curr->lock_alerts |= BIT(code);
	evl_notify_thread(curr, code, 0);
}

/* Sleeping on something which is no gate while holding one. */
void __evl_check_owned_sleep(struct evl_thread *curr)
{
	if (atomic_read(&curr->held))
		report_wait(curr, EVL_HMDIAG_LKSLEEP);
}

/* Waiting for somebody who is in-band. */
void evl_check_inband_owner(struct evl_mutex *mutex, struct evl_thread *curr)
{
	if (unlikely(curr->state & EVL_T_WOLI) && evl_is_inband(mutex->owner))
		report_wait(curr, EVL_HMDIAG_LKDEPEND);
}
