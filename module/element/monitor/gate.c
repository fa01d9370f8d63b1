// SPDX-License-Identifier: GPL-2.0-only
/*
 * Gates, i.e. mutexes of user space: see core/mutex.c for how the owner word is
 * shared. Leaving a gate also releases waiters of its events.
 *
 * Locking, outer to inner:
 *
 *	gate.mutex.wchan.lock	the gate, the list of its events
 *	event.wchan.lock	an event, its waiters
 *
 * An event stays in the list of its gate after its last waiter left, until
 * somebody comes across it there, or another gate claims it.
 */
#include <linux/pid.h>
#include <linux/sysfs.h>
#include <evl/thread.h>
#include <evl/signal-abi.h>
#include "core/core.h"
#include "element/monitor/monitor.h"
#include "element/thread/thread.h"

void evl_init_gate(struct evl_monitor *mon)
{
	struct evl_monitor_state *state = mon->state;

	INIT_LIST_HEAD(&mon->gate.events);
	evl_init_mutex(&mon->gate.mutex, mon->clock,
		       (atomic_t *)&state->u.gate.owner,
		       mon->protocol == EVL_GATE_PP ?
		       &state->u.gate.ceiling : NULL, "gate");
}

/* Both locked, nobody waits. */
static void forget_event(struct evl_event *event)
{
	evl_reset_gate_offset(event);
	evl_quit_gate(event);
}

/* What is done in one go, with interrupts off: an event which is looked at counts
 * for one, waking up a waiter for some. */
#define BUDGET	(EVL_WAKE_STEP * EVL_PASSED_PER_WAKE)

/* The first ones in line; false if they were all. */
static bool wake_some(struct evl_event *event, int reason, int *budget)
{
	while (*budget > 0 && evl_wake_up_head(&event->wchan, reason))
		*budget -= EVL_PASSED_PER_WAKE;

	return evl_wait_active(&event->wchan);
}

/* Mutex locked: some waiters less, or one event less which names this gate. False
 * if there is none, or if the gate was opened again. */
static bool dismiss_waiters(struct evl_monitor *mon)
{
	struct evl_event *event;
	int budget = BUDGET;

	event = list_first_entry_or_null(&mon->gate.events, struct evl_event, next);
	if (!event || mon->gate.nr_files)
		return false;

	raw_spin_lock(&event->wchan.lock);
	if (!wake_some(event, EVL_T_RMID, &budget))
		forget_event(event);
	raw_spin_unlock(&event->wchan.lock);

	return true;
}

static void forget_events(struct evl_monitor *mon)
{
	struct evl_mutex *mutex = &mon->gate.mutex;
	unsigned long flags;
	bool more;

	do {
		evl_lock_irqsave(&mutex->wchan.lock, flags);
		more = dismiss_waiters(mon);
		evl_sched_unlock(&mutex->wchan.lock, flags);
	} while (more);
}

void evl_destroy_gate(struct evl_monitor *mon)
{
	forget_events(mon);
	evl_destroy_mutex(&mon->gate.mutex);
}

void evl_flush_gate(struct evl_monitor *mon, struct evl_file *file)
{
	evl_flush_mutex(&mon->gate.mutex, file, &mon->element.nr_files);
}

/* All its files may have been closed, yet its clone descriptor kept it. */
void evl_open_gate(struct evl_monitor *mon)
{
	struct evl_mutex *mutex = &mon->gate.mutex;
	unsigned long flags;

	evl_lock_irqsave(&mutex->wchan.lock, flags);
	mon->gate.nr_files++;
	mutex->dead = false;
	evl_unlock_irqrestore(&mutex->wchan.lock, flags);
}

/*
 * With the last descriptor gone, nobody can enter it, nor have it back after a
 * wait for an event. Whoever is about to begin such a wait finds it dead, or is
 * found by us. Those who wait for the gate itself are next: evl_flush_gate().
 */
void evl_close_gate(struct evl_monitor *mon)
{
	struct evl_mutex *mutex = &mon->gate.mutex;
	unsigned long flags;
	bool dead;

	evl_lock_irqsave(&mutex->wchan.lock, flags);
	dead = !--mon->gate.nr_files;
	mutex->dead = dead;
	evl_unlock_irqrestore(&mutex->wchan.lock, flags);

	if (dead)
		forget_events(mon);
}

/* --- Requests -------------------------------------------------------------------- */

static void clear_pending(struct evl_monitor *mon, struct evl_thread *curr)
{
	struct evl_user_window *window = curr->window;

	if (window && READ_ONCE(window->pp_pending) == mon->element.fundle)
		WRITE_ONCE(window->pp_pending, EVL_NO_HANDLE);
}

/* An earlier ceiling first; the word does not say yet that we own a gate. */
static void commit_pending(struct evl_thread *curr)
{
	unsigned long flags;

	if (likely(!evl_ceiling_pending(curr)))
		return;

	flags = hard_local_irq_save();
	evl_commit_ceiling(curr);
	hard_local_irq_restore(flags);

	WRITE_ONCE(curr->window->pp_pending, EVL_NO_HANDLE);
}

long evl_enter_gate(struct evl_monitor *mon, ktime_t timeout)
{
	commit_pending(evl_current());

	return evl_lock_mutex_timeout(&mon->gate.mutex, timeout, EVL_ABS);
}

long evl_try_gate(struct evl_monitor *mon)
{
	commit_pending(evl_current());

	return evl_trylock_mutex(&mon->gate.mutex);
}

/* Those who were signaled by name are first in line, see mark_waiter(). */
static struct evl_thread *first_target(struct evl_event *event)
{
	struct evl_thread *first = evl_wait_head(&event->wchan);

	return first && READ_ONCE(first->info) & EVL_T_SIGNAL ? first : NULL;
}

/* True if there are more than the budget allows for. */
static bool wake_targets(struct evl_event *event, int *budget)
{
	struct evl_thread *target;

	while ((target = first_target(event))) {
		if (*budget <= 0)
			return true;
		evl_wake_up(&event->wchan, target, 0);
		*budget -= EVL_PASSED_PER_WAKE;
	}

	return false;
}

/* Event and gate locked. True if waiters are left which were signaled: their
 * marks stay. */
static bool deliver_event(struct evl_event *event, int *budget)
{
	atomic_t *flags = evl_monitor_flags(evl_monitor_of_event(event));
	int marks = EVL_MONITOR_SIGNALED | EVL_MONITOR_BROADCAST |
		EVL_MONITOR_TARGETED;
	bool more = false;

	marks &= atomic_fetch_andnot(marks, flags);
	if (marks & EVL_MONITOR_SIGNALED) {
		if (marks & EVL_MONITOR_BROADCAST) {
			more = wake_some(event, EVL_T_BCAST, budget);
		} else if (marks & EVL_MONITOR_TARGETED) {
			more = wake_targets(event, budget);
		} else if (evl_wait_active(&event->wchan)) {
			evl_wake_up_head(&event->wchan, EVL_T_SIGNAL);
			*budget -= EVL_PASSED_PER_WAKE;
		}
	}

	if (more)
		atomic_or(marks, flags);
	if (!evl_wait_active(&event->wchan))
		forget_event(event);

	return more;
}

/* Gate locked, so nobody gets in line. */
static bool to_be_looked_at(struct evl_event *event)
{
	struct evl_monitor *mon = evl_monitor_of_event(event);

	return atomic_read(evl_monitor_flags(mon)) & EVL_MONITOR_SIGNALED ||
		!evl_wait_active(&event->wchan);
}

/* False if there is no budget left for all of it. */
static bool look_at_event(struct evl_event *event, int *budget)
{
	bool more;

	if ((*budget)-- <= 0)
		return false;
	if (!to_be_looked_at(event))
		return true;

	raw_spin_lock(&event->wchan.lock);
	more = deliver_event(event, budget);
	raw_spin_unlock(&event->wchan.lock);

	return !more;
}

/* To go on with @event, which comes to the front of the list. */
static void suspend_walk(struct evl_gate *gate, struct evl_event *event)
{
	struct evl_event *first = list_first_entry(&gate->events, struct evl_event, next);

	if (!gate->walk_end && first != event)
		gate->walk_end = first;
	list_rotate_to_front(&event->next, &gate->events);
	gate->walking = true;
}

bool __evl_deliver_signals(struct evl_monitor *mon, bool go_on)
{
	atomic_t *flags = evl_monitor_flags(mon);
	struct evl_gate *gate = &mon->gate;
	struct evl_event *event, *tmp;
	int budget = BUDGET;

	/*
	 * Marks go to an event first, then to its gate: see mark_waiter(). Ours is
	 * taken away before we look at the events, all of them, once for each time
	 * that somebody leaves the gate. One which is found again by then is for the
	 * next one who leaves: anybody can write there, as often as he likes.
	 */
	if (!go_on && atomic_read(flags) & EVL_MONITOR_SIGNALED) {
		atomic_andnot(EVL_MONITOR_SIGNALED, flags);
		gate->walk_end = NULL;
	}
	smp_mb__after_atomic();
	list_for_each_entry_safe(event, tmp, &gate->events, next) {
		if (event == gate->walk_end)
			break;
		if (!look_at_event(event, &budget)) {
			suspend_walk(gate, event);
			return true;
		}
	}
	gate->walk_end = NULL;
	gate->walking = false;

	return false;
}

long evl_exit_gate(struct evl_monitor *mon)
{
	struct evl_mutex *mutex = &mon->gate.mutex;
	struct evl_thread *curr = evl_current();
	struct evl_chain_walk walk;
	bool owner, more = false;
	unsigned long flags;

	do {
		evl_begin_walk(&walk);
		evl_lock_irqsave(&mutex->wchan.lock, flags);
		owner = evl_mutex_owner(mutex) == curr->fundle;
		if (owner) {
			more = evl_deliver_signals(mon, more);
			if (!more) {
				clear_pending(mon, curr);
				evl_release_mutex_locked(mutex, &walk);
			}
		}
		evl_put_mutex_lock(mutex, &walk, flags);
	} while (owner && more);

	if (owner)
		return 0;

	if (curr->state & EVL_T_WOLI)
		evl_notify_thread(curr, EVL_HMDIAG_LKIMBALANCE, 0);

	return -EPERM;
}

/* --- What the core asks --------------------------------------------------------------- */

static struct evl_thread *get_thread(fundle_t handle)
{
	struct evl_thread *thread;
	struct evl_element *element;

	element = evl_get_element_by_fundle(&evl_thread_factory, handle);
	if (!element)
		return NULL;

	thread = &evl_thread_element(element)->thread;
	evl_get_thread(thread);
	evl_put_element(element);

	return thread;
}

static bool commit_ceiling(fundle_t handle, struct evl_thread *curr)
{
	struct evl_element *element;
	struct evl_monitor *mon;
	bool keep = false;

	element = evl_get_element_by_fundle(&evl_monitor_factory, handle);
	if (!element)
		return false;

	mon = evl_monitor_of(element);
	/* If it is not ours it may be in an instant, whoever has it now: we were
	 * interrupted on our way to take it. User space forgets it if it failed. */
	if (mon->kind == MONITOR_GATE && mon->protocol == EVL_GATE_PP)
		keep = !evl_apply_ceiling(&mon->gate.mutex, curr);
	evl_put_element(element);

	return keep;
}

const struct evl_gate_ops evl_monitor_gate_ops = {
	.get_thread = get_thread,
	.commit_ceiling = commit_ceiling,
};

/* --- sysfs ----------------------------------------------------------------------------- */

ssize_t evl_show_gate(struct evl_monitor *mon, char *buf)
{
	struct evl_monitor_state *state = mon->state;
	u32 owner = evl_get_index(READ_ONCE(state->u.gate.owner));
	u32 ceiling = READ_ONCE(state->u.gate.ceiling);
	u32 nesting = state->u.gate.recursive ? state->u.gate.nesting : 1;
	struct evl_thread_element *te;
	struct evl_element *element = NULL;
	ssize_t ret;

	if (owner)
		element = evl_get_element_by_fundle(&evl_thread_factory, owner);
	if (!element)
		return sysfs_emit(buf, "-1 %u 0\n", ceiling);

	te = evl_thread_element(element);
	ret = sysfs_emit(buf, "%s(%d) %u %u\n", te->name, pid_vnr(te->pid),
			 ceiling, nesting);
	evl_put_element(element);

	return ret;
}
