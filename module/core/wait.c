// SPDX-License-Identifier: GPL-2.0-only
/*
 * Sleeping and waking up.
 *
 * Locking: a thread is linked to a channel, and unlinked from it, with both the
 * lock of the channel and that of the thread's run queue held, in this order.
 * Hence either of them pins thread->wchan, and a channel cannot go away while
 * the run queue of one of its waiters is locked: see evl_try_thread_wchan().
 */
#include <linux/export.h>
#include <evl/assert.h>
#include <evl/file.h>
#include <evl/thread.h>
#include "core.h"
#include "queue.h"
#include "trace.h"

void evl_init_wchan(struct evl_wait_channel *wchan, const char *name)
{
	raw_spin_lock_init(&wchan->lock);
	wchan->waiters = RB_ROOT_CACHED;
	wchan->name = name;
	wchan->round = 0;
	wchan->flush = NULL;
	wchan->cursor = NULL;
	wchan->helper = NULL;
	wchan->helper_cpu = 0;
	wchan->requeue = NULL;
	wchan->removed = NULL;
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
#define FIFO_PRIO	(-1)
/* Above all others, and still by priority: added to that, which is far below. */
#define FIRST_PRIO	(1 << 30)

#define waiter_of(__node)	rb_entry(__node, struct evl_thread, wait_node)

static bool goes_first(struct rb_node *a, const struct rb_node *b)
{
	return waiter_of(a)->wait_prio > waiter_of(b)->wait_prio;
}

static bool goes_first_of_equals(struct rb_node *a, const struct rb_node *b)
{
	return waiter_of(a)->wait_prio >= waiter_of(b)->wait_prio;
}

static void link_waiter(struct evl_wait_channel *wchan, struct evl_thread *thread,
			bool (*less)(struct rb_node *, const struct rb_node *))
{
	rb_add_cached(&thread->wait_node, &wchan->waiters, less);
	thread->wchan = wchan;
	thread->wait_round = wchan->round;
	thread->wait_seq++;
}

/* @thread leaves its place in line: a flush goes on behind it. */
static __always_inline void leave_place(struct evl_wait_channel *wchan,
					struct evl_thread *thread)
{
	if (unlikely(wchan->cursor == thread))
		wchan->cursor = evl_wait_next(thread);
}

static inline void unlink_waiter(struct evl_thread *thread)
{
	struct rb_root_cached *waiters = &thread->wchan->waiters;
	struct rb_node *node = &thread->wait_node;

	leave_place(thread->wchan, thread);
	/* Often it is alone. */
	if (likely(waiters->rb_root.rb_node == node && !node->rb_left &&
		   !node->rb_right))
		*waiters = RB_ROOT_CACHED;
	else
		rb_erase_cached(node, waiters);
	thread->wchan = NULL;
}

/* The request in progress came by a file of the core which was closed meanwhile:
 * nobody would end a wait which began from now on. */
static __always_inline bool came_by_closed_file(struct evl_thread *curr)
{
	return curr->request_file && READ_ONCE(curr->request_file->retired);
}

/* What ends a wait leaves EVL_T_BREAK as well, so that does not tell which it was. */
static noinline int refuse_wait(struct evl_thread *curr)
{
	curr->info |= EVL_T_BREAK;
	curr->not_begun = true;

	return -EINTR;
}

/*
 * Every wait starts here, with the run queue of current locked, and none does
 * unless current is out-of-band: a request which touched user memory may have
 * been sent in-band by a fault, and be kept there by a signal. Nothing has
 * happened yet then, so whoever wanted to wait gets -EINTR, and the request
 * starts over where it can: see evl_serve_request(). A thread asked to come
 * in-band does not fall asleep either, nor one whose file was closed (-EIDRM). The
 * result of the last wait is forgotten.
 */
static __always_inline int begin_wait(struct evl_thread *curr)
{
	curr->info &= ~EVL_THREAD_WAKE_BITS;

	/* Starting over would not change it. */
	if (unlikely(came_by_closed_file(curr))) {
		curr->info |= EVL_T_RMID;
		return -EIDRM;
	}

	if (likely(!((curr->state & EVL_T_INBAND) | (curr->info & EVL_T_KICKED))))
		return 0;

	return refuse_wait(curr);
}

/*
 * Put current in line, after those which are at least as important. The priority
 * is a copy, since that of the thread may change while only the run queue is
 * locked. Both locks held. A thread which is in line somewhere is not put in
 * another one: there is a single node to link it by.
 */
static __always_inline int join_line(struct evl_wait_channel *wchan, struct evl_thread *curr,
				     bool by_priority)
{
	int ret = begin_wait(curr);

	if (unlikely(ret))
		return ret;
	if (unlikely(curr->wchan))
		return refuse_wait(curr);

	curr->wait_prio = by_priority ? curr->wprio : FIFO_PRIO;
	link_waiter(wchan, curr, goes_first);

	return 0;
}

static void start_timeout(struct evl_thread *curr, struct evl_clock *clock,
			  ktime_t date)
{
	/* Its clock may be another one than last time; it is stopped. */
	if (curr->rtimer.clock != clock || curr->rtimer.cpu != curr->rq->cpu)
		evl_move_timer(&curr->rtimer, clock, curr->rq->cpu);

	evl_start_timer(&curr->rtimer, date, 0);
}

static noinline int block_until(struct evl_thread *curr, struct evl_clock *clock,
				ktime_t timeout, enum evl_tmode tmode)
{
	timeout = evl_abs_timeout(clock, timeout, tmode);
	if (tmode == EVL_ABS && timeout <= evl_read_clock(clock)) {
		curr->info |= EVL_T_TIMEO;
		return -ETIMEDOUT;
	}

	evl_hold_thread_locked(curr, EVL_T_PEND | EVL_T_DELAY);
	start_timeout(curr, clock, timeout);

	return 0;
}

/* Current, which is in line, blocks unless it is too late for that. */
static __always_inline int block_waiter(struct evl_thread *curr, struct evl_clock *clock,
					ktime_t timeout, enum evl_tmode tmode)
{
	int ret;

	evl_tracepoint(evl_sleep_on, curr, curr->wchan, timeout, tmode, clock);
	if (likely(timeout == EVL_INFINITE)) {
		evl_hold_thread_locked(curr, EVL_T_PEND);
		return 0;
	}

	ret = block_until(curr, clock, timeout, tmode);
	if (ret)
		unlink_waiter(curr);

	return ret;
}

int __evl_sleep_on(struct evl_wait_channel *wchan, struct evl_clock *clock,
		   ktime_t timeout, enum evl_tmode tmode, bool by_priority)
{
	struct evl_thread *curr = evl_current();
	struct evl_rq *rq;
	int ret;

	if (unlikely(!curr))
		return -EPERM;

	rq = evl_lock_thread_rq(curr);
	ret = join_line(wchan, curr, by_priority);
	if (likely(!ret))
		ret = block_waiter(curr, clock, timeout, tmode);
	raw_spin_unlock(&rq->lock);

	return ret;
}

int evl_queue_on(struct evl_wait_channel *wchan, bool by_priority)
{
	struct evl_thread *curr = evl_current();
	struct evl_rq *rq;
	int ret;

	if (unlikely(!curr))
		return -EPERM;

	rq = evl_lock_thread_rq(curr);
	ret = join_line(wchan, curr, by_priority);
	raw_spin_unlock(&rq->lock);

	return ret;
}

int evl_sleep_queued(struct evl_wait_channel *wchan, struct evl_clock *clock,
		     ktime_t timeout, enum evl_tmode tmode)
{
	struct evl_thread *curr = evl_current();
	struct evl_rq *rq = evl_lock_thread_rq(curr);
	int ret = 0;

	if (curr->wchan) {
		ret = begin_wait(curr);
		if (ret)
			unlink_waiter(curr);
		else
			ret = block_waiter(curr, clock, timeout, tmode);
	}
	raw_spin_unlock(&rq->lock);

	return ret;
}

void evl_unqueue(struct evl_wait_channel *wchan)
{
	struct evl_thread *curr = evl_current();
	struct evl_rq *rq = evl_lock_thread_rq(curr);

	if (curr->wchan)
		unlink_waiter(curr);
	raw_spin_unlock(&rq->lock);
}

void evl_requeue_robbed(struct evl_wait_channel *wchan, struct evl_thread *thread)
{
	struct evl_rq *rq = evl_lock_thread_rq(thread);

	if (!thread->wchan) {
		thread->wait_prio = thread->wprio;
		link_waiter(wchan, thread, goes_first_of_equals);
	}
	raw_spin_unlock(&rq->lock);
}

/*
 * It wants to know about waits while it holds a mutex. Telling it takes locks,
 * or ends the wait by a signal: it is in line before, and blocks afterwards.
 */
static noinline int report_and_sleep(struct evl_wait_channel *wchan, struct evl_clock *clock,
				     ktime_t timeout, enum evl_tmode tmode,
				     bool by_priority)
{
	int ret;

	timeout = evl_abs_timeout(clock, timeout, tmode);
	ret = evl_queue_on(wchan, by_priority);
	if (ret)
		return ret;

	raw_spin_unlock(&wchan->lock);
	evl_report_owned_sleep(evl_current());
	raw_spin_lock(&wchan->lock);

	return evl_sleep_queued(wchan, clock, timeout, EVL_ABS);
}

int evl_sleep_on(struct evl_wait_channel *wchan, struct evl_clock *clock,
		 ktime_t timeout, enum evl_tmode tmode, bool by_priority)
{
	struct evl_thread *curr = evl_current();

	if (unlikely(curr && evl_minds_owned_sleep(curr)))
		return report_and_sleep(wchan, clock, timeout, tmode, by_priority);

	return __evl_sleep_on(wchan, clock, timeout, tmode, by_priority);
}

void evl_add_wait_queue(struct evl_wait_queue *wq, ktime_t timeout,
			enum evl_tmode tmode)
{
	/* Any other caller who may not wait is refused there. evl_wait_schedule() has the
	 * error, and has it in the log if it has to be: the channel is not locked then. */
	if (unlikely(host_in_irq()))
		return;

	evl_sleep_on(&wq->wchan, wq->clock, timeout, tmode,
		     !(wq->flags & EVL_WAIT_FIFO));
}
EXPORT_SYMBOL_GPL(evl_add_wait_queue);

/* Linux let current go on although it was not picked: have its CPU pick again. */
static void block_again(struct evl_thread *curr)
{
	unsigned long flags;
	struct evl_rq *rq;

	rq = evl_lock_thread_rq_irqsave(curr, flags);
	if (curr->state & EVL_THREAD_WAIT_BITS)
		evl_set_resched(rq);
	evl_sched_unlock(&rq->lock, flags);
	cpu_relax();
	host_resched_point();
}

/* Current loses the CPU until the core has released it, and no other than the
 * core tells when that is. */
static __always_inline void wait_until_released(struct evl_thread *curr)
{
	evl_schedule();
	host_resched_point();
	while (unlikely(READ_ONCE(curr->state) & EVL_THREAD_WAIT_BITS))
		block_again(curr);
}

/* Make runnable again; run queue lock held. */
static __always_inline void end_block(struct evl_thread *thread, u32 info)
{
	evl_tracepoint(evl_wakeup_thread, thread, info);
	if (unlikely(thread->state & EVL_T_DELAY))
		evl_stop_timer(&thread->rtimer);

	evl_release_thread_locked(thread, EVL_T_PEND | EVL_T_DELAY | EVL_T_WAIT |
				  EVL_T_PTSYNC, info);
}

static __always_inline void wake_up_waiter(struct evl_thread *waiter, int reason)
{
	struct evl_rq *rq = evl_lock_thread_rq(waiter);

	unlink_waiter(waiter);
	end_block(waiter, reason);
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

	evl_tracepoint(evl_flush_wait, wchan, reason);
	while (evl_wake_up_head(wchan, reason))
		count++;

	return count;
}
EXPORT_SYMBOL_GPL(evl_flush_wait_locked);

/* Not those who came later, or by another file. The file does not change while its
 * thread is in line. */
static __always_inline bool is_meant(const struct evl_flush *flush,
				     const struct evl_thread *waiter)
{
	return waiter->wait_round <= flush->round &&
		(!flush->file || waiter->request_file == flush->file) &&
		(!flush->meant || flush->meant(waiter));
}

/* Each waiter is looked at once: there may be many more of those who are not meant
 * than of those who are. */
bool evl_flush_step(struct evl_wait_channel *wchan, struct evl_flush *flush)
{
	struct evl_thread *waiter = wchan->cursor, *next;
	int left = EVL_WAKE_STEP * EVL_PASSED_PER_WAKE;

	wchan->cursor = NULL;
	for (; waiter; waiter = next) {
		if (left <= 0) {
			wchan->cursor = waiter;
			return true;
		}
		next = evl_wait_next(waiter);
		if (!is_meant(flush, waiter)) {
			left--;
			continue;
		}
		left -= EVL_PASSED_PER_WAKE;
		/* Ahead of the wakeup: it may run, and look, before we are through. */
		WRITE_ONCE(wchan->helper, waiter);
		wake_up_waiter(waiter, flush->reason);
		flush->count++;
	}

	return false;
}

bool evl_flush_some(struct evl_wait_channel *wchan)
{
	WRITE_ONCE(wchan->helper_cpu, raw_smp_processor_id());
	if (wchan->flush->step(wchan, wchan->flush))
		return true;

	wchan->flush = NULL;

	return false;
}

/* Another flush may have begun then, even at the same address. */
static void go_on_flushing(struct evl_wait_channel *wchan, unsigned long *flags)
{
	u64 round = wchan->flush->round;

	while (wchan->flush && wchan->flush->round == round) {
		if (!evl_flush_some(wchan))
			return;
		evl_sched_unlock(&wchan->lock, *flags);
		evl_lock_irqsave(&wchan->lock, *flags);
	}
}

void evl_finish_flush(struct evl_wait_channel *wchan, unsigned long *flags)
{
	while (unlikely(wchan->flush))
		go_on_flushing(wchan, flags);
}

/* Whoever opens a file is counted before it can get in line. Since what is seen here,
 * with the lock held, is what those in line are judged by, nobody is taken for one
 * of those who were there before. */
void evl_run_flush(struct evl_wait_channel *wchan, struct evl_flush *flush,
		   unsigned long flags)
{
	evl_finish_flush(wchan, &flags);

	evl_tracepoint(evl_flush_wait, wchan, flush->reason);
	if (flush->nr_files && !atomic_read(flush->nr_files))
		flush->file = NULL;
	flush->round = wchan->round++;
	flush->count = 0;
	wchan->cursor = evl_wait_head(wchan);
	wchan->helper = NULL;
	wchan->flush = flush;
	go_on_flushing(wchan, &flags);
	evl_sched_unlock(&wchan->lock, flags);
}

int evl_flush_unlock(struct evl_wait_channel *wchan, int reason, unsigned long flags)
{
	struct evl_flush flush = { .step = evl_flush_step, .reason = reason };

	evl_run_flush(wchan, &flush, flags);

	return flush.count;
}

void evl_flush_file_wait(struct evl_wait_channel *wchan, struct evl_file *file,
			 const atomic_t *nr_files)
{
	struct evl_flush flush = {
		.step = evl_flush_step,
		.reason = EVL_T_RMID,
		.file = file,
		.nr_files = nr_files,
	};
	unsigned long flags;

	evl_lock_irqsave(&wchan->lock, flags);
	evl_run_flush(wchan, &flush, flags);
}

static bool is_helper(struct evl_wait_channel *wchan)
{
	return READ_ONCE(wchan->helper) == evl_current() ||
		READ_ONCE(wchan->helper_cpu) == raw_smp_processor_id();
}

/* Current was woken up. Those behind it in line may wait for somebody who does not
 * run. Others than helpers keep away from the lock. */
static noinline void help_flush(struct evl_wait_channel *wchan)
{
	unsigned long flags;

	if (!is_helper(wchan))
		return;

	evl_lock_irqsave(&wchan->lock, flags);
	if (wchan->flush && !wchan->flush->unaided && is_helper(wchan))
		go_on_flushing(wchan, &flags);
	evl_sched_unlock(&wchan->lock, flags);
}

int evl_flush_wait(struct evl_wait_channel *wchan, int reason)
{
	unsigned long flags;

	evl_lock_irqsave(&wchan->lock, flags);

	return evl_flush_unlock(wchan, reason, flags);
}
EXPORT_SYMBOL_GPL(evl_flush_wait);

/*
 * How the wait ended is for the core to say, even to a caller which is in-band by
 * now. Either its wait never began, which left EVL_T_BREAK; or it was woken up on
 * its way here, where the stock host may have had it block already, and left the
 * stage for a signal afterwards: whoever woke it up counts on that.
 */
int evl_wait_schedule(struct evl_wait_channel *wchan)
{
	struct evl_thread *curr = evl_current();
	int ret;

	if (likely(curr && !evl_is_inband(curr) && !host_in_irq()))
		wait_until_released(curr);
	else if (!curr || !evl_was_sent_inband(curr))
		return evl_check_waiter(curr);

	/* Others count on that, too. */
	if (unlikely(READ_ONCE(wchan->flush)))
		help_flush(wchan);

	ret = evl_wait_code(READ_ONCE(curr->info));
	evl_tracepoint(evl_finish_wait, curr, wchan, ret);

	return ret;
}
EXPORT_SYMBOL_GPL(evl_wait_schedule);

void evl_end_wait_locked(struct evl_thread *thread, int reason)
{
	thread->late_reason = 0;
	if (thread->wchan)
		unlink_waiter(thread);
	end_block(thread, reason);
}

int evl_late_reason_locked(struct evl_thread *thread)
{
	return unlikely(thread->late_reason && thread->late_wait_seq == thread->wait_seq) ?
		thread->late_reason : 0;
}

/* It has a time limit from now on, if it had none, on a clock which nobody sets; and
 * is not put off by those who want the same. */
void evl_end_wait_soon_locked(struct evl_thread *thread, int reason)
{
	struct evl_timer *timer = &thread->rtimer;
	int late = evl_late_reason_locked(thread);

	thread->late_reason = reason | late;
	thread->late_wait_seq = thread->wait_seq;
	thread->state |= EVL_T_DELAY;
	if (late && evl_timer_is_running(timer))
		return;

	evl_stop_timer(timer);
	evl_move_timer(timer, &evl_mono_clock, timer->cpu);
	evl_start_timer(timer, evl_ktime_monotonic() + EVL_CHANNEL_DELAY, 0);
}

/*
 * The order is channel first. Coming from the thread, the channel can only be
 * tried: its owner may be spinning on the run queue that we hold, which is also
 * what keeps the channel from vanishing under us.
 */
bool evl_try_thread_wchan(struct evl_thread *thread, struct evl_wait_channel **wchanp,
			  struct evl_rq **rqp, unsigned long *flags)
{
	struct evl_wait_channel *wchan;
	int tries;

	for (tries = 0; tries < EVL_LOCK_TRIES; tries++) {
		*rqp = evl_lock_thread_rq_irqsave(thread, *flags);
		wchan = thread->wchan;
		if (!wchan || raw_spin_trylock(&wchan->lock)) {
			*wchanp = wchan;
			return true;
		}
		evl_unlock_irqrestore(&(*rqp)->lock, *flags);
		cpu_relax();
	}

	return false;
}

bool evl_lock_thread_wchan(struct evl_thread *thread, struct evl_wait_channel **wchanp,
			   struct evl_rq **rqp, unsigned long *flags)
{
	struct evl_thread *curr = evl_current();

	while (!evl_try_thread_wchan(thread, wchanp, rqp, flags)) {
		if (evl_is_called_away())
			return false;
		evl_let_others_run();
		if (!curr || evl_is_inband(curr))
			cond_resched();
	}

	return true;
}

/* A flush is going to wake up @thread, which stays where it is until then: elsewhere,
 * that might have passed by already. */
static bool is_meant_now(struct evl_wait_channel *wchan, struct evl_thread *thread)
{
	return wchan->flush && is_meant(wchan->flush, thread);
}

/* Does @thread have to go elsewhere according to its priority? */
static bool is_misplaced(struct evl_wait_channel *wchan, struct evl_thread *thread)
{
	return thread->wait_prio != FIFO_PRIO && thread->wait_prio < FIRST_PRIO &&
		thread->wait_prio != thread->wprio && !is_meant_now(wchan, thread);
}

static void change_place(struct evl_wait_channel *wchan, struct evl_thread *thread,
			 int prio)
{
	leave_place(wchan, thread);
	rb_erase_cached(&thread->wait_node, &wchan->waiters);
	thread->wait_prio = prio;
	rb_add_cached(&thread->wait_node, &wchan->waiters, goes_first);
}

bool evl_reorder_waiter(struct evl_thread *thread, struct evl_chain_walk *walk)
{
	struct evl_wait_channel *wchan;
	unsigned long flags;
	struct evl_rq *rq;

	if (!evl_try_thread_wchan(thread, &wchan, &rq, &flags))
		return false;

	if (wchan && is_misplaced(wchan, thread))
		change_place(wchan, thread, thread->wprio);
	raw_spin_unlock(&rq->lock);
	if (wchan) {
		if (wchan->requeue)
			wchan->requeue(wchan, thread, walk);
		raw_spin_unlock(&wchan->lock);
	}
	hard_local_irq_restore(flags);

	return true;
}

void evl_put_first(struct evl_wait_channel *wchan, struct evl_thread *thread)
{
	if (thread->wait_prio < FIRST_PRIO && !is_meant_now(wchan, thread))
		change_place(wchan, thread, thread->wait_prio + FIRST_PRIO);
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
	ret = begin_wait(curr);
	if (!ret && date > evl_read_clock(clock)) {
		evl_tracepoint(evl_sleep_on, curr, NULL, date, EVL_ABS, clock);
		evl_hold_thread_locked(curr, EVL_T_DELAY);
		start_timeout(curr, clock, date);
	}
	evl_sched_unlock(&rq->lock, flags);
	wait_until_released(curr);

	if (!ret && READ_ONCE(curr->info) & EVL_T_BREAK)
		ret = -EINTR;
	evl_tracepoint(evl_finish_wait, curr, NULL, ret);

	return ret;
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
