// SPDX-License-Identifier: GPL-2.0-only
/*
 * Timer queues: a red-black tree for each clock in each CPU's base.
 *
 * Locking: evl_timer_base.lock guards the trees of a CPU, and the timers whose
 * ->cpu designates it. It is the innermost of the scheduling locks: timers are
 * started and stopped with wait channels and run queues locked. Handlers run
 * with no lock held, so that they may take any of them.
 */
#include <linux/export.h>
#include <linux/percpu.h>
#include <linux/math64.h>
#include <evl/assert.h>
#include <evl/clock.h>
#include <evl/rq.h>
#include "core.h"
#include "timer.h"
#include "trace.h"

/*
 * Anybody may have timers on a CPU, and set them as he likes, from other CPUs too.
 * Others keep their share of it by three rules.
 *
 * - A tick expires TICK_BATCH timers of a clock at most, for TICK_TIME or little more.
 *   If more of them are due, interrupts and threads have their turn first: there is
 *   no tick in a break which lasts as long as the tick took.
 * - What ticks take, and kicks which announce earlier ones, each with INTERRUPT_TIME on
 *   top, is a debt which time pays off, but for what lies between the date when one is
 *   due and its beginning. With more than MAX_DEBT, there is a break, as long as it
 *   takes to pay.
 * - What is started for a date which is past counts from the last tick on: it comes
 *   behind everything that was due by then. So each timer is passed by those only
 *   which were there before it.
 */
#define TICK_BATCH	32
#define TICK_TIME	(50 * NSEC_PER_USEC)
#define INTERRUPT_TIME	(6 * NSEC_PER_USEC)
#define MAX_DEBT	(100 * NSEC_PER_USEC)
#define MIN_BREAK	(10 * NSEC_PER_USEC)
#define MAX_BREAK	NSEC_PER_MSEC

DEFINE_PER_CPU(struct evl_timer_base, evl_timer_bases);

/* A timer may move to another CPU until its base is locked. */
static struct evl_timer_base *lock_base(struct evl_timer *timer)
{
	struct evl_timer_base *base;

	for (;;) {
		int cpu = READ_ONCE(timer->cpu);

		base = per_cpu_ptr(&evl_timer_bases, cpu);
		raw_spin_lock(&base->lock);
		if (likely(timer->cpu == cpu))
			return base;
		raw_spin_unlock(&base->lock);
	}
}

void evl_init_timer_on_cpu(struct evl_timer *timer, struct evl_clock *clock,
			   int cpu, void (*handler)(struct evl_timer *timer),
			   enum evl_gravity_type type)
{
	timerqueue_init(&timer->node);
	timer->clock = clock;
	timer->handler = handler;
	timer->interval = 0;
	timer->overruns = 0;
	timer->cpu = cpu;
	timer->gravity_type = type;
	timer->queued = false;
}
EXPORT_SYMBOL_GPL(evl_init_timer_on_cpu);

static void enqueue(struct evl_timer_base *base, struct evl_timer *timer)
{
	timerqueue_add(&base->queue[timer->clock->index], &timer->node);
	WRITE_ONCE(timer->queued, true);
}

static void dequeue(struct evl_timer_base *base, struct evl_timer *timer)
{
	timerqueue_del(&base->queue[timer->clock->index], &timer->node);
	WRITE_ONCE(timer->queued, false);
}

/* Whoever starts or stops it decides, not the period which its handler is for. */
static void remove_timer(struct evl_timer_base *base, struct evl_timer *timer)
{
	if (base->running == timer) {
		base->next_date = 0;
		base->overtaken = true;
	}
	if (timer->queued)
		dequeue(base, timer);
}

static ktime_t timer_gravity(struct evl_timer *timer)
{
	return evl_get_clock_gravity(timer->clock, timer->gravity_type);
}

/* The earliest date of all queues, on the monotonic clock. */
static __always_inline ktime_t next_shot(struct evl_timer_base *base)
{
	ktime_t date, best = KTIME_MAX;
	struct timerqueue_node *node;

	node = timerqueue_getnext(&base->queue[EVL_CLOCK_MONO_INDEX]);
	if (node)
		best = node->expires;

	node = timerqueue_getnext(&base->queue[EVL_CLOCK_REAL_INDEX]);
	if (node) {
		date = ktime_sub(node->expires,
				 ktime_sub(evl_read_clock(&evl_realtime_clock),
					   evl_ktime_monotonic()));
		best = min(best, max_t(ktime_t, 0, date));
	}

	return best;
}

/* A break ends with a tick, whatever is due then: nobody has it end earlier. */
static __always_inline ktime_t next_tick(struct evl_timer_base *base)
{
	return unlikely(base->resume) ? base->resume : next_shot(base);
}

static __always_inline void program_here(struct evl_timer_base *base, int cpu)
{
	base->shot = base->due = next_tick(base);
	/* What is started for a date which is past is due from now on. */
	if (unlikely(base->due < base->debt_date + base->debt))
		base->due = max(base->due, evl_ktime_monotonic());
	evl_tracepoint(evl_timer_shot, base->shot);
	host_program_tick(&evl_cpu_rq(cpu)->host, base->shot);
}

/* Base locked. Another CPU programs its own hardware when kicked. */
static void program_shot(struct evl_timer_base *base, int cpu)
{
	if (base->expiring)
		return;

	if (cpu == raw_smp_processor_id()) {
		program_here(base, cpu);
	} else if (next_tick(base) < base->shot &&
		   !test_and_set_bit(0, &base->remote_shot)) {
		base->due = min(base->due, evl_ktime_monotonic());
		host_kick_cpu(cpu);
	}
}

/* An interrupt began at @start. Base locked. */
static __always_inline void pay(struct evl_timer_base *base, ktime_t start)
{
	ktime_t paid = min(start, base->due) - base->debt_date;

	base->debt = max_t(ktime_t, base->debt - max_t(ktime_t, paid, 0), 0);
}

/* The same one took until @end; @more if others have to wait for the rest of it. */
static __always_inline void charge(struct evl_timer_base *base, ktime_t start, ktime_t end,
				   bool more)
{
	ktime_t debt = base->debt + end - start + INTERRUPT_TIME;

	/* A virtual CPU may not have run for long. */
	debt = min_t(ktime_t, debt, MAX_BREAK);
	base->debt = debt;
	base->debt_date = end;
	if (unlikely(more || debt > MAX_DEBT))
		base->resume = end + max_t(ktime_t, debt, MIN_BREAK);
}

/* A tick in progress, whose handlers may have come here, programs the next one. */
void evl_program_remote_shot(struct evl_rq *rq)
{
	struct evl_timer_base *base = this_cpu_ptr(&evl_timer_bases);
	ktime_t start = evl_ktime_monotonic();

	raw_spin_lock(&base->lock);
	clear_bit(0, &base->remote_shot);
	if (likely(!base->expiring)) {
		pay(base, start);
		program_here(base, rq->cpu);
		charge(base, start, evl_ktime_monotonic(), false);
		if (unlikely(base->resume > base->shot))
			program_here(base, rq->cpu);
	}
	raw_spin_unlock(&base->lock);
}

static bool is_head(struct evl_timer_base *base, struct evl_timer *timer)
{
	return timerqueue_getnext(&base->queue[timer->clock->index]) ==
		&timer->node;
}

/*
 * The date of @timer was past at the last tick. What is started in a tick is for a
 * later one, and if that takes forgoing the gravity, it does: a timer which starts
 * itself over again within its gravity would keep the CPU in ticks. The wall clock
 * may have been set back since that tick, or even in it, which ends there then.
 */
static noinline ktime_t late_shot(struct evl_timer_base *base, struct evl_timer *timer)
{
	ktime_t *horizon = &base->horizon[timer->clock->index];
	ktime_t now = evl_read_clock(timer->clock);

	*horizon = min(*horizon, now);
	if (timer->clock == base->expiring)
		return max_t(ktime_t, timer->date + timer_gravity(timer), *horizon + 1);

	return max_t(ktime_t, timer->date, min(*horizon + 1, now));
}

/* For @date, we shoot earlier by the gravity: that is what periods are counted from,
 * even if it expires later. Base locked. */
static void set_date(struct evl_timer_base *base, struct evl_timer *timer, ktime_t date)
{
	/* Hardware has no idea of negative dates; zero stands for none. */
	timer->date = max_t(ktime_t, date - timer_gravity(timer), 1);
	timer->node.expires = likely(timer->date > base->horizon[timer->clock->index]) ?
		timer->date : late_shot(base, timer);
}

void evl_start_timer(struct evl_timer *timer, ktime_t date, ktime_t interval)
{
	struct evl_timer_base *base;
	unsigned long flags;

	flags = hard_local_irq_save();
	base = lock_base(timer);
	remove_timer(base, timer);
	set_date(base, timer, date);
	timer->interval = interval;
	evl_tracepoint(evl_timer_start, timer);
	enqueue(base, timer);
	if (is_head(base, timer))
		program_shot(base, timer->cpu);

	evl_unlock_irqrestore(&base->lock, flags);
}
EXPORT_SYMBOL_GPL(evl_start_timer);

/* Out of the queue; false if its handler is in progress. */
static bool stop_timer(struct evl_timer *timer)
{
	struct evl_timer_base *base;
	unsigned long flags;
	bool idle;

	flags = hard_local_irq_save();
	base = lock_base(timer);
	evl_tracepoint(evl_timer_stop, timer);
	remove_timer(base, timer);
	timer->interval = 0;
	idle = base->running != timer;
	evl_unlock_irqrestore(&base->lock, flags);

	return idle;
}

/* The shot of a stopped timer is left pending: it costs less than to reprogram
 * the hardware, and expires nothing. */
void evl_stop_timer(struct evl_timer *timer)
{
	stop_timer(timer);
}
EXPORT_SYMBOL_GPL(evl_stop_timer);

/* On this CPU, in an interrupt: the caller is in the handler, or interrupted it. */
static bool runs_here(struct evl_timer *timer)
{
	return host_in_irq() &&
		READ_ONCE(raw_cpu_ptr(&evl_timer_bases)->running) == timer;
}

bool evl_timer_was_overtaken(struct evl_timer *timer)
{
	struct evl_timer_base *base;
	unsigned long flags;
	bool overtaken;

	flags = hard_local_irq_save();
	base = lock_base(timer);
	overtaken = base->running == timer && base->overtaken;
	evl_unlock_irqrestore(&base->lock, flags);

	return overtaken;
}
EXPORT_SYMBOL_GPL(evl_timer_was_overtaken);

/* A timer whose handler is in progress stays on the CPU it is in progress on,
 * so that there is one place to look at. The handler may start it again. */
void evl_destroy_timer(struct evl_timer *timer)
{
	/* Its handler would wait for itself. */
	if (runs_here(timer)) {
		evl_stop_timer(timer);
		evl_refuse_caller("callers other than its handler");
		return;
	}

	while (!stop_timer(timer))
		cpu_relax();
}
EXPORT_SYMBOL_GPL(evl_destroy_timer);

void evl_move_timer(struct evl_timer *timer, struct evl_clock *clock, int cpu)
{
	struct evl_timer_base *base;
	unsigned long flags;

	flags = hard_local_irq_save();
	base = lock_base(timer);
	if (!timer->queued) {
		timer->clock = clock;
		if (likely(base->running != timer))
			WRITE_ONCE(timer->cpu, cpu);
		evl_tracepoint(evl_timer_move, timer);
	}
	evl_unlock_irqrestore(&base->lock, flags);
}
EXPORT_SYMBOL_GPL(evl_move_timer);

ktime_t evl_get_timer_date(struct evl_timer *timer)
{
	struct evl_timer_base *base;
	unsigned long flags;
	ktime_t date = 0;

	flags = hard_local_irq_save();
	base = lock_base(timer);
	if (timer->queued) {
		date = timer->date;
		if (base->running == timer && base->next_date)
			date = base->next_date;
		date = ktime_add_safe(date, timer_gravity(timer));
	}
	evl_unlock_irqrestore(&base->lock, flags);

	return date;
}
EXPORT_SYMBOL_GPL(evl_get_timer_date);

ktime_t evl_get_timer_delta(struct evl_timer *timer)
{
	ktime_t date = evl_get_timer_date(timer), now;

	if (!date)
		return 0;

	now = evl_read_clock(timer->clock);

	return date > now ? ktime_sub(date, now) : 1;
}
EXPORT_SYMBOL_GPL(evl_get_timer_delta);

/* Next date of a periodic timer: the first one which is not past yet. */
static ktime_t next_date(struct evl_timer *timer, ktime_t now)
{
	ktime_t late = ktime_sub(now, timer->date);
	u64 missed = 0;

	if (unlikely(late >= timer->interval)) {
		missed = div64_u64(late, timer->interval);
		timer->overruns += missed;
	}

	return ktime_add_safe(timer->date + timer->interval * missed,
			      timer->interval);
}

static __always_inline void run_handler(struct evl_timer_base *base,
					struct evl_timer *timer)
{
	evl_tracepoint(evl_timer_expire, timer);
	base->overtaken = false;
	WRITE_ONCE(base->running, timer);
	raw_spin_unlock(&base->lock);
	timer->handler(timer);
	raw_spin_lock(&base->lock);
	WRITE_ONCE(base->running, NULL);
}

/* To a later date, which often changes nothing to its place. */
static void postpone(struct evl_timer_base *base, struct evl_timer *timer,
		     ktime_t date)
{
	struct timerqueue_node *next = timerqueue_iterate_next(&timer->node);

	timer->date = date;
	if (!next || next->expires > date) {
		timer->node.expires = date;
		return;
	}

	dequeue(base, timer);
	timer->node.expires = date;
	enqueue(base, timer);
}

/*
 * Somebody is waiting for what a handler does: a periodic timer stays where it is
 * meanwhile, and is put to its next date afterwards, unless it was started or
 * stopped.
 */
static __always_inline void expire(struct evl_timer_base *base,
				   struct evl_timer *timer, ktime_t now)
{
	if (timer->interval > 0) {
		base->next_date = next_date(timer, now);
		run_handler(base, timer);
		if (base->next_date)
			postpone(base, timer, base->next_date);
		base->next_date = 0;
	} else {
		dequeue(base, timer);
		run_handler(base, timer);
	}
}

/* Enough for the tick which began at @start, where @count timers of a clock expired.
 * What a handler does may take a while. */
static __always_inline bool is_enough(int count, ktime_t start)
{
	if (likely(!count))
		return false;

	return count >= TICK_BATCH || evl_ktime_monotonic() - start > TICK_TIME;
}

/* What is due by @now, each timer once. True if there is more of that than the tick,
 * which began at @start, should take. */
static bool expire_queue(struct evl_timer_base *base, struct evl_clock *clock,
			 ktime_t now, ktime_t start)
{
	struct timerqueue_node *node;
	int count = 0;

	base->expiring = clock;
	base->horizon[clock->index] = now;

	while ((node = timerqueue_getnext(&base->queue[clock->index])) &&
	       node->expires <= base->horizon[clock->index]) {
		if (unlikely(is_enough(count++, start)))
			return true;
		expire(base, container_of(node, struct evl_timer, node), now);
	}

	return false;
}

/* What is due by @now, on either clock. True if there is more. */
static __always_inline bool expire_queues(struct evl_timer_base *base, ktime_t now)
{
	bool more = expire_queue(base, &evl_mono_clock, now, now);

	if (timerqueue_getnext(&base->queue[EVL_CLOCK_REAL_INDEX]))
		more |= expire_queue(base, &evl_realtime_clock,
				     evl_read_clock(&evl_realtime_clock), now);
	base->expiring = NULL;

	return more;
}

void evl_tick(int cpu, ktime_t now)
{
	struct evl_timer_base *base = this_cpu_ptr(&evl_timer_bases);
	struct evl_rq *rq = evl_cpu_rq(cpu);
	bool more = false;

	raw_spin_lock(&base->lock);
	pay(base, now);
	/* The host may not take back what it was programmed to before a break. */
	if (likely(now >= base->resume)) {
		base->resume = 0;
		more = expire_queues(base, now);
	}
	charge(base, now, evl_ktime_monotonic(), more);
	program_here(base, cpu);
	raw_spin_unlock(&base->lock);

	if (test_bit(RQ_RESCHED, &rq->flags)) {
		rq->tick_date = now;
		host_schedule();
	}
}

/*
 * Dates on the wall clock did not change, the time to wait for them did. Have
 * every CPU compute its next shot again.
 */
void evl_clock_was_set(void)
{
	struct evl_timer_base *base;
	unsigned long flags;
	int cpu;

	for_each_online_cpu(cpu) {
		base = per_cpu_ptr(&evl_timer_bases, cpu);
		evl_lock_irqsave(&base->lock, flags);
		base->shot = KTIME_MAX;
		program_shot(base, cpu);
		evl_unlock_irqrestore(&base->lock, flags);
	}
}

int evl_init_timers(void)
{
	struct evl_timer_base *base;
	int cpu, n;

	for_each_possible_cpu(cpu) {
		base = per_cpu_ptr(&evl_timer_bases, cpu);
		raw_spin_lock_init(&base->lock);
		base->shot = KTIME_MAX;
		base->due = KTIME_MAX;
		for (n = 0; n < EVL_NR_CLOCKS; n++)
			timerqueue_init_head(&base->queue[n]);
	}

	return 0;
}

void evl_exit_timers(void)
{
	int cpu, n;

	for_each_possible_cpu(cpu)
		for (n = 0; n < EVL_NR_CLOCKS; n++)
			WARN_ON(timerqueue_getnext(&per_cpu_ptr(&evl_timer_bases,
								cpu)->queue[n]));
}
