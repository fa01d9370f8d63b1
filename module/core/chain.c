// SPDX-License-Identifier: GPL-2.0-only
/*
 * PI chains: a thread waits for a mutex, the owner of which waits for another
 * one, and so on. Walks along them bring new priorities to where they belong,
 * and find loops.
 *
 * No chain is locked as a whole. A walk goes one mutex and one run queue at a
 * time, a reference holding the thread which comes next. Whatever changes
 * meanwhile has somebody else take the steps which this walk would miss.
 *
 * User space makes chains as long as it likes. A walk begins with interrupts off
 * by a few steps, enough for what programs do. Where it is to go on is put on a list
 * then, for whoever comes first: the caller, with interrupts on and a few steps at
 * a time; a timer, with a long pause after them, which is all there is if the caller
 * is an interrupt, or loses the CPU; or the waiter whose leaving began the walk.
 *
 * Locking: postponed_lock, a leaf, guards the threads where walks are to go on.
 */
#include <linux/percpu.h>
#include <evl/mutex.h>
#include <evl/thread.h>
#include "boost.h"
#include "core.h"

/* With interrupts off, each of them being a few hundred instructions. */
#define STEPS_AT_ONCE	8
/* Between two ticks which take some, as a multiple of the time they took. */
#define PAUSE		4
/* What the timer leaves to a caller who goes on by himself, unless he loses the
 * CPU: nanoseconds. */
#define CALLER_DELAY	100000

static DEFINE_HARD_SPINLOCK(postponed_lock);
static LIST_HEAD(postponed);		/* evl_thread.walk_next, with a reference */
static DEFINE_PER_CPU(struct evl_timer, walk_timers);

/* --- New priorities ------------------------------------------------------------ */

/*
 * Whoever takes a thread off that list takes the steps of all who put it there: the
 * timer does after @delay, in nanoseconds, unless somebody was there before. Takes
 * over a reference.
 */
static void postpone(struct evl_thread *thread, ktime_t delay)
{
	struct evl_timer *timer = &per_cpu(walk_timers, READ_ONCE(thread->rq)->cpu);
	unsigned long flags;
	bool first;

	evl_lock_irqsave(&postponed_lock, flags);
	first = list_empty(&thread->walk_next);
	if (first)
		list_add_tail(&thread->walk_next, &postponed);
	evl_unlock_irqrestore(&postponed_lock, flags);

	if (!first)
		evl_put_thread(thread);
	/* A pause is not cut short. */
	if (!evl_timer_is_running(timer))
		evl_start_timer(timer, evl_ktime_monotonic() + delay, 0);
}

/* Have the channel of @thread reorder it: whose channel comes next. The reference
 * goes from one to the other. */
static struct evl_thread *take_step(struct evl_thread *thread)
{
	struct evl_chain_walk step;

	evl_begin_walk(&step);
	if (!evl_reorder_waiter(thread, &step)) {
		postpone(thread, EVL_CHANNEL_DELAY);
		return NULL;
	}
	evl_put_thread(thread);

	return step.nr ? step.next[0] : NULL;
}

static struct evl_thread *take_steps(struct evl_thread *thread)
{
	int n;

	for (n = 0; thread && n < STEPS_AT_ONCE; n++)
		thread = take_step(thread);

	return thread;
}

static struct evl_thread *next_postponed(void)
{
	struct evl_thread *thread;
	unsigned long flags;

	evl_lock_irqsave(&postponed_lock, flags);
	thread = list_first_entry_or_null(&postponed, struct evl_thread, walk_next);
	if (thread)
		list_del_init(&thread->walk_next);
	evl_unlock_irqrestore(&postponed_lock, flags);

	return thread;
}

static void go_on(struct evl_timer *timer)
{
	ktime_t start = evl_ktime_monotonic(), now;
	struct evl_thread *thread = next_postponed();

	if (!thread)
		return;

	thread = take_steps(thread);
	if (thread)
		postpone(thread, EVL_CHANNEL_DELAY);

	/* Whoever has the CPU keeps most of it. */
	now = evl_ktime_monotonic();
	if (!list_empty(&postponed))
		evl_start_timer(timer, now + PAUSE * (now - start), 0);
}

void evl_let_others_run(void)
{
	unsigned long flags;

	flags = hard_local_irq_save();
	host_sched_begin();
	evl_schedule();
	hard_local_irq_restore(flags);
	host_sched_end();
}

/* True if the steps from @thread on still wait for somebody to take them: that is
 * us from now on. */
static bool take_back(struct evl_thread *thread)
{
	unsigned long flags;
	bool found;

	evl_lock_irqsave(&postponed_lock, flags);
	found = !list_empty(&thread->walk_next);
	if (found)
		list_del_init(&thread->walk_next);
	evl_unlock_irqrestore(&postponed_lock, flags);

	return found;
}

/*
 * The first steps, hard irqs off. The walks then hold where they are to go on, with
 * a reference of their own. Anybody may: a walk which only its caller knew of would
 * stop when that one loses the CPU, and others rely on it.
 */
static void take_first_steps(struct evl_chain_walk *walk)
{
	struct evl_thread *next;
	int n, left = 0;

	for (n = 0; n < walk->nr; n++) {
		next = take_steps(walk->next[n]);
		if (next) {
			evl_get_thread(next);
			postpone(next, host_in_irq() ? 0 : CALLER_DELAY);
			walk->next[left++] = next;
		}
	}
	walk->nr = left;
}

/* Unless somebody else did meanwhile. Takes over a reference. */
static void walk_on(struct evl_thread *thread)
{
	struct evl_thread *next;
	unsigned long flags;

	do {
		flags = hard_local_irq_save();
		next = take_back(thread) ? take_steps(thread) : NULL;
		if (next) {
			evl_get_thread(next);
			postpone(next, CALLER_DELAY);
		}
		hard_local_irq_restore(flags);
		evl_put_thread(thread);
		evl_let_others_run();
		thread = next;
	} while (thread);
}

/* An interrupt leaves the rest to the timer. */
static void take_other_steps(struct evl_chain_walk *walk)
{
	struct evl_thread *next;

	while (walk->nr) {
		next = walk->next[--walk->nr];
		if (hard_irqs_disabled())
			evl_put_thread(next);
		else
			walk_on(next);
	}
}

void evl_finish_walk(struct evl_chain_walk *walk)
{
	unsigned long flags;

	flags = hard_local_irq_save();
	take_first_steps(walk);
	hard_local_irq_restore(flags);

	take_other_steps(walk);
}

void evl_end_long_walk(struct evl_chain_walk *walk, unsigned long flags)
{
	take_first_steps(walk);
	evl_schedule();
	hard_local_irq_restore(flags);
	host_sched_end();

	take_other_steps(walk);
}

void evl_complete_walks(void)
{
	struct evl_thread *thread;
	unsigned long flags;

	while (!hard_irqs_disabled() && !list_empty(&postponed)) {
		flags = hard_local_irq_save();
		thread = next_postponed();
		thread = thread ? take_steps(thread) : NULL;
		if (thread)
			postpone(thread, CALLER_DELAY);
		hard_local_irq_restore(flags);
		evl_let_others_run();
	}
}

int evl_init_chains(void)
{
	int cpu;

	for_each_possible_cpu(cpu)
		evl_init_timer_on_cpu(&per_cpu(walk_timers, cpu), &evl_mono_clock,
				      cpu, go_on, EVL_GRAVITY_IRQ);

	return 0;
}

/* No thread is left, hence none where a walk is to go on. */
void evl_exit_chains(void)
{
	int cpu;

	for_each_possible_cpu(cpu)
		evl_destroy_timer(&per_cpu(walk_timers, cpu));
}

/* --- Loops ----------------------------------------------------------------------- */

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

	wchan = evl_lock_thread_wchan(thread, &rq, &flags);
	raw_spin_unlock(&rq->lock);
	if (wchan) {
		mutex = evl_mutex_of_wchan(wchan);
		if (mutex) {
			evl_find_owner(mutex);
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
 * walk as well. That one is for those to find who are part of it.
 */
static bool search_chain(struct evl_thread *thread, struct evl_thread *target,
			 u64 *path)
{
	struct evl_thread *mark = NULL, *next;
	unsigned long steps = 0, limit = 1;
	bool found = false;

	*path = 0;
	while (thread) {
		found = thread == target;
		next = found || thread == mark ? NULL : next_in_chain(thread, path);
		if (++steps == limit) {
			mark = thread;
			limit *= 2;
		}
		evl_put_thread(thread);
		thread = next;
		if (steps % STEPS_AT_ONCE == 0)
			evl_let_others_run();
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
		found = search_chain(thread, target, &last);
	} while (found && path != last);

	evl_put_thread(thread);

	return found;
}
