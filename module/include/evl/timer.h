/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Timers: one-shot or periodic, bound to a clock and a CPU. Handlers run from
 * the tick, out-of-band, with hard irqs off and no core lock held.
 */
#ifndef EVL_TIMER_H
#define EVL_TIMER_H

#include <linux/ktime.h>
#include <linux/timerqueue.h>

struct evl_clock;
struct evl_rq;

/* A timeout of EVL_INFINITE never expires; EVL_NONBLOCK does not wait. */
#define EVL_INFINITE	((ktime_t)0)
#define EVL_NONBLOCK	KTIME_MAX

enum evl_tmode {
	EVL_REL,
	EVL_ABS,
};

/* Which latency to anticipate: that of what the timer wakes up. */
enum evl_gravity_type {
	EVL_GRAVITY_IRQ,
	EVL_GRAVITY_KERNEL,
	EVL_GRAVITY_USER,
	EVL_NR_GRAVITY,
	/* None: what counts is that a time is over, not to be there in time. */
	EVL_GRAVITY_NONE = EVL_NR_GRAVITY,
};

struct evl_timer {
	struct timerqueue_node node;	/* node.expires: that date, or later */
	ktime_t date;			/* asked for, less gravity */
	struct evl_clock *clock;
	void (*handler)(struct evl_timer *timer);
	ktime_t interval;		/* periodic if positive */
	unsigned long overruns;		/* periods missed, ever growing */
	int cpu;
	u8 gravity_type;
	bool queued;
};

void evl_init_timer_on_cpu(struct evl_timer *timer, struct evl_clock *clock,
			   int cpu, void (*handler)(struct evl_timer *timer),
			   enum evl_gravity_type type);
/* Stop and wait for a handler in progress on another CPU. Not from the
 * handler, nor with a lock that it takes. */
void evl_destroy_timer(struct evl_timer *timer);
/*
 * Arm for absolute date @date, then every @interval if that is positive. If
 * called from a handler of the same CPU, the timer expires in a later tick.
 */
void evl_start_timer(struct evl_timer *timer, ktime_t date, ktime_t interval);
void evl_stop_timer(struct evl_timer *timer);
/* To another clock and CPU. The timer must be stopped; it stays on its CPU while
 * its handler is in progress. */
void evl_move_timer(struct evl_timer *timer, struct evl_clock *clock, int cpu);
/* Next date, 0 if stopped. */
ktime_t evl_get_timer_date(struct evl_timer *timer);
/* Time to go until the next shot: 1 ns at least, 0 if stopped. */
ktime_t evl_get_timer_delta(struct evl_timer *timer);

/*
 * For handlers, with the lock held under which others start and stop @timer: did
 * one of them do so since it expired? What it expired for is not true any more
 * then.
 */
bool evl_timer_was_overtaken(struct evl_timer *timer);

static inline bool evl_timer_is_running(struct evl_timer *timer)
{
	return READ_ONCE(timer->queued);
}

#endif /* !EVL_TIMER_H */
