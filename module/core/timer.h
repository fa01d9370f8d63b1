/* SPDX-License-Identifier: GPL-2.0-only */
/* The timers of a CPU, as timer.c keeps them. */
#ifndef EVL_CORE_TIMER_H
#define EVL_CORE_TIMER_H

#include <linux/timerqueue.h>
#include <evl/lock.h>
#include <evl/clock.h>
#include <evl/rq.h>
#include "core.h"

struct evl_timer_base {
	hard_spinlock_t lock;
	struct timerqueue_head queue[EVL_NR_CLOCKS];
	struct evl_timer *running;	/* whose handler is in progress */
	bool overtaken;			/* it was started or stopped since */
	ktime_t next_date;		/* it is put to afterwards, 0 for none */
	struct evl_clock *expiring;	/* the queue in hand, NULL outside ticks */
	/* Of each, as of the last tick: what was due by then expired, or is about to. */
	ktime_t horizon[EVL_NR_CLOCKS];
	ktime_t shot;			/* what the hardware is programmed to */
	ktime_t due;			/* since when an interrupt is, a tick or a kick */
	ktime_t resume;			/* the end of the break, 0 if there is none */
	ktime_t debt;			/* time taken from others of late, as of that date */
	ktime_t debt_date;
	unsigned long remote_shot;	/* bit 0: another CPU wants a new shot */
};

DECLARE_PER_CPU(struct evl_timer_base, evl_timer_bases);

/* A resched kick may also mean "reprogram your timer". Hard irqs off. */
static inline void evl_check_remote_shot(struct evl_rq *rq)
{
	if (unlikely(raw_cpu_read(evl_timer_bases.remote_shot)))
		evl_program_remote_shot(rq);
}

#endif /* !EVL_CORE_TIMER_H */
