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
 * then, with a date. Until that date it is left to the caller, who takes a few steps
 * at a time with interrupts on; afterwards to a timer, which pauses for long between
 * them. The timer gets all that is left at once if the caller is an interrupt, or has
 * no time to lose: whoever sends a waiter away, and that waiter itself.
 *
 * Locking: postponed_lock, a leaf, guards the threads where walks are to go on.
 */
#include <linux/minmax.h>
#include <linux/percpu.h>
#include <evl/mutex.h>
#include <evl/thread.h>
#include "boost.h"
#include "core.h"

/* With interrupts off, each of them being a few hundred instructions. */
#define STEPS_AT_ONCE	8
/* Between two ticks which take some, as a multiple of the time they took. */
#define PAUSE		4
/* What the timer leaves to a caller who goes on by himself each time he gets on, in
 * nanoseconds: he lost the CPU if he does not. */
#define CALLER_DELAY	100000
/* What a walk may take beyond the length of any chain, as chains change meanwhile. */
#define SPARE_STEPS	64

static DEFINE_HARD_SPINLOCK(postponed_lock);
static LIST_HEAD(postponed);		/* evl_thread.walk_next, with a reference */
static DEFINE_PER_CPU(struct evl_timer, walk_timers);

/*
 * How many steps one walk takes at most. No chain is longer than there are threads,
 * so what takes more goes around in a ring, which is what user space makes of chains
 * by forging owners. There, a walk which raises and one which lowers might follow each
 * other forever.
 */
static unsigned int max_steps(void)
{
	return 2 * evl_count_threads() + SPARE_STEPS;
}

/* --- New priorities ------------------------------------------------------------ */

/*
 * Whoever takes a thread off that list takes the steps of all who put it there, @left
 * of them at most: the timer does after @delay, in nanoseconds, unless somebody was
 * there before. Takes over a reference.
 */
static void postpone(struct evl_thread *thread, unsigned int left, ktime_t delay)
{
	struct evl_timer *timer = &per_cpu(walk_timers, READ_ONCE(thread->rq)->cpu);
	ktime_t date = evl_ktime_monotonic() + delay;
	unsigned long flags;
	bool first;

	evl_lock_irqsave(&postponed_lock, flags);
	first = list_empty(&thread->walk_next);
	if (first) {
		list_add_tail(&thread->walk_next, &postponed);
		thread->walk_left = left;
		thread->walk_date = date;
	} else {
		thread->walk_left = max(thread->walk_left, left);
		thread->walk_date = min(thread->walk_date, date);
	}
	evl_unlock_irqrestore(&postponed_lock, flags);

	if (!first)
		evl_put_thread(thread);
	/* A pause is not cut short, and a tick finds out what is due by itself. */
	if (!evl_timer_is_running(timer))
		evl_start_timer(timer, date, 0);
}

/* Have the channel of @thread reorder it: whose channel comes next. The reference
 * goes from one to the other. */
static struct evl_thread *take_step(struct evl_thread *thread, unsigned int left)
{
	struct evl_chain_walk step;

	evl_begin_walk(&step);
	if (!evl_reorder_waiter(thread, &step)) {
		postpone(thread, left, EVL_CHANNEL_DELAY);
		return NULL;
	}
	evl_put_thread(thread);

	return step.nr ? step.next[0] : NULL;
}

/* A few steps, which are taken off @left: where to go on, or NULL if the walk is over. */
static struct evl_thread *take_steps(struct evl_thread *thread, unsigned int *left)
{
	int n;

	for (n = 0; thread && n < STEPS_AT_ONCE; n++) {
		if (!*left) {
			evl_put_thread(thread);
			return NULL;
		}
		thread = take_step(thread, *left);
		--*left;
	}

	return thread;
}

/* What is due at @date in line of arrival, which differs little from that of dates. */
static struct evl_thread *next_postponed(ktime_t date, unsigned int *left)
{
	struct evl_thread *thread;
	unsigned long flags;

	evl_lock_irqsave(&postponed_lock, flags);
	thread = list_first_entry_or_null(&postponed, struct evl_thread, walk_next);
	if (thread && thread->walk_date <= date) {
		list_del_init(&thread->walk_next);
		*left = thread->walk_left;
	} else {
		thread = NULL;
	}
	evl_unlock_irqrestore(&postponed_lock, flags);

	return thread;
}

/* When that has to be looked at again, KTIME_MAX if nothing is there. */
static ktime_t date_of_next(void)
{
	struct evl_thread *thread;
	unsigned long flags;
	ktime_t date;

	evl_lock_irqsave(&postponed_lock, flags);
	thread = list_first_entry_or_null(&postponed, struct evl_thread, walk_next);
	date = thread ? thread->walk_date : KTIME_MAX;
	evl_unlock_irqrestore(&postponed_lock, flags);

	return date;
}

static void go_on(struct evl_timer *timer)
{
	ktime_t start = evl_ktime_monotonic(), now = start, date;
	struct evl_thread *thread;
	unsigned int left;

	thread = next_postponed(start, &left);
	if (thread) {
		thread = take_steps(thread, &left);
		if (thread)
			postpone(thread, left, 0);
		now = evl_ktime_monotonic();
	}

	/* Whoever has the CPU keeps most of it. */
	date = date_of_next();
	if (date != KTIME_MAX)
		evl_start_timer(timer, max(date, now + PAUSE * (now - start)), 0);
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
static bool take_back(struct evl_thread *thread, unsigned int *left)
{
	unsigned long flags;
	bool found;

	evl_lock_irqsave(&postponed_lock, flags);
	found = !list_empty(&thread->walk_next);
	if (found) {
		list_del_init(&thread->walk_next);
		*left = thread->walk_left;
	}
	evl_unlock_irqrestore(&postponed_lock, flags);

	return found;
}

/*
 * The first steps, hard irqs off. The walks then hold where they are to go on, with
 * a reference of their own. Anybody may: a walk which only its caller knew of would
 * stop when that one loses the CPU, and others rely on it.
 */
static noinline void take_first_steps(struct evl_chain_walk *walk, ktime_t delay)
{
	struct evl_thread *next;
	unsigned int left;
	int n, nr = 0;

	for (n = 0; n < walk->nr; n++) {
		left = max_steps();
		next = take_steps(walk->next[n], &left);
		if (next) {
			evl_get_thread(next);
			postpone(next, left, delay);
			walk->next[nr++] = next;
		}
	}
	walk->nr = nr;
}

/*
 * Unless somebody else did meanwhile, or current is wanted elsewhere: the timer has
 * the rest then. Takes over a reference.
 */
static void walk_on(struct evl_thread *thread)
{
	struct evl_thread *next;
	unsigned long flags;
	unsigned int left;

	while (thread && !evl_is_called_away()) {
		flags = hard_local_irq_save();
		next = take_back(thread, &left) ? take_steps(thread, &left) : NULL;
		if (next) {
			evl_get_thread(next);
			postpone(next, left, CALLER_DELAY);
		}
		hard_local_irq_restore(flags);
		evl_put_thread(thread);
		evl_let_others_run();
		thread = next;
	}
	if (thread)
		evl_put_thread(thread);
}

static void forget_walk(struct evl_chain_walk *walk)
{
	while (walk->nr)
		evl_put_thread(walk->next[--walk->nr]);
}

/* An interrupt leaves the rest to the timer. */
static void take_other_steps(struct evl_chain_walk *walk)
{
	if (hard_irqs_disabled())
		forget_walk(walk);
	while (walk->nr)
		walk_on(walk->next[--walk->nr]);
}

static ktime_t caller_delay(void)
{
	return host_in_irq() ? 0 : CALLER_DELAY;
}

void evl_finish_walk(struct evl_chain_walk *walk)
{
	unsigned long flags;

	flags = hard_local_irq_save();
	take_first_steps(walk, caller_delay());
	hard_local_irq_restore(flags);

	take_other_steps(walk);
}

void evl_end_long_walk(struct evl_chain_walk *walk, unsigned long flags)
{
	take_first_steps(walk, caller_delay());
	evl_schedule();
	hard_local_irq_restore(flags);
	host_sched_end();

	take_other_steps(walk);
}

void evl_leave_walk(struct evl_chain_walk *walk)
{
	take_first_steps(walk, 0);
	forget_walk(walk);
}

void evl_postpone_walk(struct evl_chain_walk *walk)
{
	while (walk->nr)
		postpone(walk->next[--walk->nr], max_steps(), 0);
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

	if (!evl_lock_thread_wchan(thread, &wchan, &rq, &flags))
		return NULL;

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
 * Walk from @thread to @target, or for as long as any chain is: a ring which @target is
 * not part of ends the walk as well. That one is for those to find who are part of
 * it. Who is kicked does not go to sleep anyway.
 */
static bool search_chain(struct evl_thread *thread, struct evl_thread *target,
			 u64 *path)
{
	unsigned int left = max_steps();
	struct evl_thread *next;
	bool found = false;

	*path = 0;
	while (thread) {
		found = thread == target;
		next = found || !left-- || READ_ONCE(target->info) & EVL_T_KICKED ?
			NULL : next_in_chain(thread, path);
		evl_put_thread(thread);
		thread = next;
		if (left % STEPS_AT_ONCE == 0)
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
