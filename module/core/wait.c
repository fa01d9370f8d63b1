// SPDX-License-Identifier: GPL-2.0-only
/*
 * Sleeping and waking up.
 *
 * Locking: a thread is linked to a channel, and unlinked from it, with both the
 * lock of the channel and that of the thread's run queue held, in this order.
 * Hence either of them pins thread->wchan, and a channel cannot go away while
 * the run queue of one of its waiters is locked: see evl_lock_thread_wchan().
 */
#include <linux/export.h>
#include <evl/assert.h>
#include <evl/thread.h>
#include "core.h"
#include "queue.h"

void evl_init_wchan(struct evl_wait_channel *wchan, const char *name)
{
	raw_spin_lock_init(&wchan->lock);
	wchan->waiters = RB_ROOT_CACHED;
	wchan->name = name;
	wchan->requeue = NULL;
	wchan->abandon = NULL;
}

void evl_init_wait(struct evl_wait_queue *wq, struct evl_clock *clock,
		   int flags, const char *name)
{
	evl_init_wchan(&wq->wchan, name);
	wq->clock = clock;
	wq->flags = flags;
}
EXPORT_SYMBOL_GPL(evl_init_wait);

void evl_destroy_wait(struct evl_wait_queue *wq)
{
	evl_flush_wait(&wq->wchan, EVL_T_RMID);
}
EXPORT_SYMBOL_GPL(evl_destroy_wait);

int evl_wait_code(u32 info)
{
	if (likely(!(info & (EVL_T_RMID | EVL_T_NOMEM | EVL_T_TIMEO |
			     EVL_T_BREAK))))
		return 0;
	if (info & EVL_T_RMID)
		return -EIDRM;
	if (info & EVL_T_NOMEM)
		return -ENOMEM;
	if (info & EVL_T_TIMEO)
		return -ETIMEDOUT;

	return -EINTR;
}

/* In line of arrival: no priority is below this one. */
#define FIFO_KEY	(-1)

#define waiter_of(__node)	rb_entry(__node, struct evl_thread, wait_node)

static bool goes_first(struct rb_node *a, const struct rb_node *b)
{
	return waiter_of(a)->wait_key > waiter_of(b)->wait_key;
}

/*
 * After those which are at least as important. The key is a copy, since the
 * priority may change while only the run queue is locked. Both locks held.
 */
static void link_waiter(struct evl_wait_channel *wchan,
			struct evl_thread *thread, bool by_priority)
{
	thread->wait_key = by_priority ? thread->wprio : FIFO_KEY;
	rb_add_cached(&thread->wait_node, &wchan->waiters, goes_first);
	thread->wchan = wchan;
	thread->wait_seq++;
}

static inline void unlink_waiter(struct evl_thread *thread)
{
	struct rb_root_cached *waiters = &thread->wchan->waiters;
	struct rb_node *node = &thread->wait_node;

	/* Often it is alone. */
	if (likely(waiters->rb_root.rb_node == node && !node->rb_left &&
		   !node->rb_right))
		*waiters = RB_ROOT_CACHED;
	else
		rb_erase_cached(node, waiters);
	thread->wchan = NULL;
}

/* The result of the last wait is forgotten. Run queue locked. */
static void begin_wait(struct evl_thread *curr)
{
	curr->info &= ~EVL_THREAD_WAKE_BITS;
}

/* A thread which must go in-band does not fall asleep. Run queue locked. */
static bool may_wait(struct evl_thread *curr)
{
	if (unlikely(curr->info & EVL_T_KICKED)) {
		curr->info |= EVL_T_BREAK;
		return false;
	}

	return true;
}

static void start_timeout(struct evl_thread *curr, struct evl_clock *clock,
			  ktime_t date)
{
	/* Its clock may be another one than last time; it is stopped. */
	if (curr->rtimer.clock != clock || curr->rtimer.cpu != curr->rq->cpu)
		evl_move_timer(&curr->rtimer, clock, curr->rq->cpu);

	evl_start_timer(&curr->rtimer, date, 0);
}

static noinline bool hold_until(struct evl_thread *curr, struct evl_clock *clock,
				ktime_t timeout, enum evl_tmode tmode)
{
	timeout = evl_abs_timeout(clock, timeout, tmode);
	if (tmode == EVL_ABS && timeout <= evl_read_clock(clock)) {
		curr->info |= EVL_T_TIMEO;
		return false;
	}

	evl_hold_thread_locked(curr, EVL_T_PEND | EVL_T_DELAY);
	start_timeout(curr, clock, timeout);

	return true;
}

/* Current, which is in line, falls asleep unless it is too late for that. */
static __always_inline bool hold_waiter(struct evl_thread *curr, struct evl_clock *clock,
					ktime_t timeout, enum evl_tmode tmode)
{
	if (!may_wait(curr))
		return false;

	if (timeout != EVL_INFINITE)
		return hold_until(curr, clock, timeout, tmode);

	evl_hold_thread_locked(curr, EVL_T_PEND);

	return true;
}

bool evl_sleep_on(struct evl_wait_channel *wchan, struct evl_clock *clock,
		  ktime_t timeout, enum evl_tmode tmode, bool by_priority)
{
	struct evl_thread *curr = evl_current();
	struct evl_rq *rq = evl_lock_thread_rq(curr);
	bool asleep;

	begin_wait(curr);
	link_waiter(wchan, curr, by_priority);
	asleep = hold_waiter(curr, clock, timeout, tmode);
	if (!asleep)
		unlink_waiter(curr);
	raw_spin_unlock(&rq->lock);

	return asleep;
}

void evl_queue_on(struct evl_wait_channel *wchan)
{
	struct evl_thread *curr = evl_current();
	struct evl_rq *rq = evl_lock_thread_rq(curr);

	begin_wait(curr);
	link_waiter(wchan, curr, true);
	raw_spin_unlock(&rq->lock);
}

bool evl_sleep_queued(struct evl_wait_channel *wchan, struct evl_clock *clock,
		      ktime_t timeout, enum evl_tmode tmode)
{
	struct evl_thread *curr = evl_current();
	struct evl_rq *rq = evl_lock_thread_rq(curr);
	bool asleep = false;

	if (curr->wchan) {
		asleep = hold_waiter(curr, clock, timeout, tmode);
		if (!asleep)
			unlink_waiter(curr);
	}
	raw_spin_unlock(&rq->lock);

	return asleep;
}

void evl_unqueue(struct evl_wait_channel *wchan)
{
	struct evl_thread *curr = evl_current();
	struct evl_rq *rq = evl_lock_thread_rq(curr);

	if (curr->wchan)
		unlink_waiter(curr);
	raw_spin_unlock(&rq->lock);
}

void evl_add_wait_queue(struct evl_wait_queue *wq, ktime_t timeout,
			enum evl_tmode tmode)
{
	struct evl_thread *curr = evl_current();

	/* evl_wait_schedule() has the error. */
	if (evl_check_waiter(curr))
		return;

	evl_check_owned_sleep(curr);
	evl_sleep_on(&wq->wchan, wq->clock, timeout, tmode,
		     !(wq->flags & EVL_WAIT_FIFO));
}
EXPORT_SYMBOL_GPL(evl_add_wait_queue);

int evl_wait_schedule(struct evl_wait_channel *wchan)
{
	struct evl_thread *curr = evl_current();
	int ret;

	ret = evl_check_waiter(curr);
	if (unlikely(ret))
		return ret;

	evl_schedule();
	host_settle();

	return evl_wait_code(READ_ONCE(curr->info));
}
EXPORT_SYMBOL_GPL(evl_wait_schedule);

/* Unlink and make runnable again; both locks held. */
static __always_inline void end_wait(struct evl_thread *thread, u32 info)
{
	if (thread->wchan)
		unlink_waiter(thread);

	if (unlikely(thread->state & EVL_T_DELAY))
		evl_stop_timer(&thread->rtimer);

	evl_release_thread_locked(thread, EVL_T_PEND | EVL_T_DELAY | EVL_T_WAIT,
				  info);
}

static __always_inline void wake_up_waiter(struct evl_thread *waiter, int reason)
{
	struct evl_rq *rq = evl_lock_thread_rq(waiter);

	end_wait(waiter, reason);
	raw_spin_unlock(&rq->lock);
}

void evl_wake_up(struct evl_wait_channel *wchan, struct evl_thread *waiter,
		 int reason)
{
	wake_up_waiter(waiter, reason);
}
EXPORT_SYMBOL_GPL(evl_wake_up);

static struct evl_thread *waiter_or_null(struct rb_node *node)
{
	return node ? waiter_of(node) : NULL;
}

struct evl_thread *evl_wait_head(struct evl_wait_channel *wchan)
{
	return waiter_or_null(rb_first_cached(&wchan->waiters));
}
EXPORT_SYMBOL_GPL(evl_wait_head);

struct evl_thread *evl_wait_next(struct evl_thread *waiter)
{
	return waiter_or_null(rb_next(&waiter->wait_node));
}
EXPORT_SYMBOL_GPL(evl_wait_next);

struct evl_thread *evl_wake_up_head(struct evl_wait_channel *wchan, int reason)
{
	struct evl_thread *waiter = waiter_or_null(rb_first_cached(&wchan->waiters));

	if (waiter)
		wake_up_waiter(waiter, reason);

	return waiter;
}
EXPORT_SYMBOL_GPL(evl_wake_up_head);

int evl_flush_wait_locked(struct evl_wait_channel *wchan, int reason)
{
	int count = 0;

	while (evl_wake_up_head(wchan, reason))
		count++;

	return count;
}
EXPORT_SYMBOL_GPL(evl_flush_wait_locked);

int evl_flush_wait(struct evl_wait_channel *wchan, int reason)
{
	unsigned long flags;
	int count;

	evl_lock_irqsave(&wchan->lock, flags);
	count = evl_flush_wait_locked(wchan, reason);
	evl_sched_unlock(&wchan->lock, flags);

	return count;
}
EXPORT_SYMBOL_GPL(evl_flush_wait);

/*
 * The order is channel first. Coming from the thread, the channel can only be
 * tried: its owner may be spinning on the run queue that we hold, which is also
 * what keeps the channel from vanishing under us.
 */
struct evl_wait_channel *evl_lock_thread_wchan(struct evl_thread *thread,
					       struct evl_rq **rqp)
{
	struct evl_wait_channel *wchan;
	struct evl_rq *rq;

	for (;;) {
		rq = evl_lock_thread_rq(thread);
		wchan = thread->wchan;
		if (!wchan || raw_spin_trylock(&wchan->lock)) {
			*rqp = rq;
			return wchan;
		}
		raw_spin_unlock(&rq->lock);
		cpu_relax();
	}
}

void evl_abort_wait_locked(struct evl_thread *thread, int reason)
{
	end_wait(thread, reason);
}

/*
 * Step by step from the waiter to whom it waits for: one channel, then one run
 * queue locked at a time. Whatever changes meanwhile has somebody else take the
 * steps which we would miss.
 */
static struct evl_thread *reorder(struct evl_thread *thread)
{
	struct evl_wait_channel *wchan;
	struct evl_thread *next = NULL;
	unsigned long flags;
	struct evl_rq *rq;

	flags = hard_local_irq_save();
	wchan = evl_lock_thread_wchan(thread, &rq);
	if (wchan && thread->wait_key != FIFO_KEY &&
	    thread->wait_key != thread->wprio) {
		rb_erase_cached(&thread->wait_node, &wchan->waiters);
		thread->wait_key = thread->wprio;
		rb_add_cached(&thread->wait_node, &wchan->waiters, goes_first);
	}
	raw_spin_unlock(&rq->lock);
	if (wchan) {
		if (wchan->requeue)
			next = wchan->requeue(wchan, thread);
		raw_spin_unlock(&wchan->lock);
	}
	hard_local_irq_restore(flags);

	return next;
}

void evl_requeue_waiters(struct evl_thread *thread)
{
	struct evl_thread *next;

	while (thread) {
		next = reorder(thread);
		evl_put_thread(thread);
		thread = next;
	}
}

/* --- Plain delays --------------------------------------------------------- */

int evl_sleep_until_clock(struct evl_clock *clock, ktime_t date)
{
	struct evl_thread *curr = evl_current();
	unsigned long flags;
	struct evl_rq *rq;
	int ret;

	ret = evl_check_waiter(curr);
	if (unlikely(ret))
		return ret;

	rq = evl_lock_thread_rq_irqsave(curr, flags);
	begin_wait(curr);
	if (may_wait(curr) && date > evl_read_clock(clock)) {
		evl_hold_thread_locked(curr, EVL_T_DELAY);
		start_timeout(curr, clock, date);
	}
	evl_sched_unlock(&rq->lock, flags);

	return READ_ONCE(curr->info) & EVL_T_BREAK ? -EINTR : 0;
}

int evl_sleep_until(ktime_t date)
{
	return evl_sleep_until_clock(&evl_mono_clock, date);
}
EXPORT_SYMBOL_GPL(evl_sleep_until);

int evl_sleep(ktime_t delay)
{
	return evl_sleep_until(ktime_add_safe(evl_ktime_monotonic(), delay));
}
EXPORT_SYMBOL_GPL(evl_sleep);
