// SPDX-License-Identifier: GPL-2.0-only
/*
 * The tick of each CPU: one pinned hrtimer which expires in hard interrupt
 * context, on PREEMPT_RT too. Linux has the clock event device to itself.
 */
#include <linux/hrtimer.h>
#include <evl/rq.h>
#include "stock.h"

static enum hrtimer_restart shoot(struct hrtimer *timer)
{
	struct host_cpu *hc = container_of(timer, struct host_cpu, timer);

	hc->armed = KTIME_MAX;
	host_ops->tick(hc->cpu, ktime_get_mono_fast_ns());

	return HRTIMER_NORESTART;
}

/* An earlier shot is left alone: it finds nothing to do, and comes back here. */
void host_program_tick(struct host_cpu *hc, ktime_t date)
{
	if (date >= hc->armed)
		return;

	hc->armed = date;
	hrtimer_start(&hc->timer, date, HRTIMER_MODE_ABS_PINNED_HARD);
}

void stock_init_tick(struct host_cpu *hc)
{
	hc->armed = KTIME_MAX;
	hrtimer_init(&hc->timer, CLOCK_MONOTONIC, HRTIMER_MODE_ABS_PINNED_HARD);
	hc->timer.function = shoot;
}

void stock_stop_ticks(void)
{
	int cpu;

	for_each_possible_cpu(cpu)
		hrtimer_cancel(&evl_cpu_rq(cpu)->host.timer);
}
