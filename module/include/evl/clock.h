/* SPDX-License-Identifier: GPL-2.0-only */
/* Clocks that timers and timeouts refer to. */
#ifndef EVL_CLOCK_H
#define EVL_CLOCK_H

#include <linux/ktime.h>
#include <linux/timekeeping.h>
#include <evl/timer.h>

struct evl_clock {
	const char *name;
	int index;			/* of its queue in each timer base */
	ktime_t (*read)(void);
	ktime_t resolution;
	ktime_t gravity[EVL_NR_GRAVITY + 1];	/* the last one stays zero */
};

/*
 * A gravity makes up for the latency of an interrupt or a wakeup. Where these
 * take more than this, timers are not what has to be tuned; and a timer which is
 * set off that much early is wrong rather than tuned.
 */
#define EVL_GRAVITY_MAX		NSEC_PER_MSEC

extern struct evl_clock evl_mono_clock;
extern struct evl_clock evl_realtime_clock;

enum { EVL_CLOCK_MONO_INDEX, EVL_CLOCK_REAL_INDEX, EVL_NR_CLOCKS };

static inline ktime_t evl_read_clock(struct evl_clock *clock)
{
	return clock->read();
}

static inline ktime_t evl_ktime_monotonic(void)
{
	return ktime_get_mono_fast_ns();
}

static inline ktime_t evl_get_clock_gravity(struct evl_clock *clock,
					    enum evl_gravity_type type)
{
	return READ_ONCE(clock->gravity[type]);
}

/* Values in ns, -EINVAL if one is negative or above EVL_GRAVITY_MAX. */
int evl_set_clock_gravity(struct evl_clock *clock,
			  const ktime_t gravity[EVL_NR_GRAVITY]);
void evl_reset_clock_gravity(struct evl_clock *clock);

/* Absolute date of a timeout in @tmode; EVL_INFINITE stays so. */
ktime_t evl_abs_timeout(struct evl_clock *clock, ktime_t timeout,
			enum evl_tmode tmode);

#endif /* !EVL_CLOCK_H */
