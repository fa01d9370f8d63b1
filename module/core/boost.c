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
 * from there its lock can be tried. If the owner waits, too, its new priority
 * goes on from there: see chain.c.
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

void evl_update_effective(struct evl_thread *thread)
{
	struct evl_chain_walk walk;
	unsigned long flags;
	struct evl_rq *rq;

	rq = evl_lock_thread_rq_irqsave(thread, flags);
	evl_update_effective_locked(thread);
	evl_sched_unlock(&rq->lock, flags);

	evl_begin_walk(&walk);
	evl_get_thread(thread);
	evl_add_to_walk(&walk, thread);
	evl_finish_walk(&walk);
	evl_let_others_run();
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

	return first ? first->wait_prio : 0;
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

/* What @owner gets out of it. Run queue of @owner, which waits for nothing, locked
 * as well. */
static void boost_owner(struct evl_mutex *mutex, struct evl_thread *owner)
{
	set_boost(mutex, wanted_boost(mutex));
	if (mutex->boost)
		evl_update_effective_locked(owner);
}

bool evl_track_current(struct evl_mutex *mutex, struct evl_thread *curr, int ceiling)
{
	struct evl_rq *rq = evl_lock_thread_rq(curr);
	bool alive = link_owner(mutex, curr);

	if (alive) {
		evl_get_thread(curr);
		mutex->ceiling_boost = ceiling;
		boost_owner(mutex, curr);
	}
	raw_spin_unlock(&rq->lock);

	return alive;
}

bool evl_grant_mutex(struct evl_mutex *mutex, struct evl_thread *waiter)
{
	struct evl_rq *rq = evl_lock_thread_rq(waiter);
	bool alive;

	evl_end_wait_locked(waiter, 0);
	alive = link_owner(mutex, waiter);
	if (alive) {
		evl_get_thread(waiter);
		mutex->granted = true;
		boost_owner(mutex, waiter);
	}
	raw_spin_unlock(&rq->lock);

	return alive;
}

void evl_untrack_owner(struct evl_mutex *mutex, struct evl_chain_walk *walk)
{
	struct evl_thread *owner = mutex->owner;
	bool changed = false;
	struct evl_rq *rq;

	if (!owner)
		return;

	rq = evl_lock_thread_rq(owner);
	list_del(&mutex->next_owned);
	if (mutex->boost) {
		set_boost(mutex, 0);
		changed = evl_update_effective_locked(owner) && owner->wchan;
	}
	mutex->owner = NULL;
	mutex->granted = false;
	mutex->ceiling_boost = 0;
	if (mutex->counted) {
		mutex->counted = false;
		atomic_dec(&owner->held);
	}
	raw_spin_unlock(&rq->lock);

	if (changed)
		evl_add_to_walk(walk, owner);
	else
		evl_put_thread(owner);
}

void evl_update_boost(struct evl_mutex *mutex, struct evl_chain_walk *walk)
{
	struct evl_thread *owner = mutex->owner;
	int boost = wanted_boost(mutex);
	struct evl_rq *rq;

	/* What a boost comes to was settled when it changed. */
	if (!owner || boost == mutex->boost)
		return;

	rq = evl_lock_thread_rq(owner);
	set_boost(mutex, boost);
	if (evl_update_effective_locked(owner) && owner->wchan) {
		evl_get_thread(owner);
		evl_add_to_walk(walk, owner);
	}
	raw_spin_unlock(&rq->lock);
}

void evl_mutex_changed(struct evl_wait_channel *wchan, struct evl_thread *waiter,
		       struct evl_chain_walk *walk)
{
	evl_update_boost(container_of(wchan, struct evl_mutex, wchan), walk);
}
EXPORT_SYMBOL_GPL(evl_mutex_changed);

struct evl_mutex *evl_mutex_of_wchan(struct evl_wait_channel *wchan)
{
	return wchan->requeue == evl_mutex_changed ?
		container_of(wchan, struct evl_mutex, wchan) : NULL;
}

/* --- Health --------------------------------------------------------------------------------- */

/* How many mutexes are looked at with interrupts off, the last ones first. */
#define OWNED_LOOKS	32

/* Does somebody wait for a mutex of @curr? It may have dropped what we remember it to
 * own. */
static bool owns_awaited(struct evl_thread *curr)
{
	struct evl_mutex *mutex;
	unsigned long flags;
	bool found = false;
	struct evl_rq *rq;
	int looks = 0;

	rq = evl_lock_thread_rq_irqsave(curr, flags);
	list_for_each_entry(mutex, &curr->owned, next_owned) {
		if (found || looks++ == OWNED_LOOKS)
			break;
		found = evl_wait_active(&mutex->wchan) &&
			evl_mutex_owner(mutex) == curr->fundle;
	}
	evl_unlock_irqrestore(&rq->lock, flags);

	return found;
}

/* Going in-band while others depend on us. */
void evl_check_owned_inband(struct evl_thread *curr)
{
	if (unlikely(curr->state & EVL_T_WOLI) && owns_awaited(curr))
		evl_notify_thread(curr, EVL_HMDIAG_LKDEPEND, 0);
}

/*
 * About to wait. The report may be a signal, which ends the wait, then has the
 * request issued again: once is enough until a mutex is taken or dropped. It
 * takes locks of its own, so nothing is locked meanwhile.
 */
static bool minds_wait(struct evl_thread *curr, int code)
{
	return curr->state & EVL_T_WOLI && !(curr->lock_alerts & BIT(code));
}

static void report_wait(struct evl_thread *curr, int code)
{
	curr->lock_alerts |= BIT(code);
	evl_notify_thread(curr, code, 0);
}

/* Sleeping on something which is no gate while holding one. */
bool evl_minds_owned_sleep(struct evl_thread *curr)
{
	return unlikely(curr->state & EVL_T_WOLI) && atomic_read(&curr->held) &&
		minds_wait(curr, EVL_HMDIAG_LKSLEEP);
}

void evl_report_owned_sleep(struct evl_thread *curr)
{
	report_wait(curr, EVL_HMDIAG_LKSLEEP);
}

/* Waiting for somebody who is in-band. */
bool evl_minds_inband_owner(struct evl_mutex *mutex, struct evl_thread *curr)
{
	return unlikely(curr->state & EVL_T_WOLI) && evl_is_inband(mutex->owner) &&
		minds_wait(curr, EVL_HMDIAG_LKDEPEND);
}

void evl_report_inband_owner(struct evl_thread *curr)
{
	report_wait(curr, EVL_HMDIAG_LKDEPEND);
}
