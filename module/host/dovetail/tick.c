// SPDX-License-Identifier: GPL-2.0-only
/*
 * One timer per CPU for two users: the core's next shot, and the tick of Linux
 * which a proxy device stands for. The real device is set to the earlier one.
 *
 * Linux gets its tick by an interrupt posted to the in-band stage: at once if
 * it has the CPU, else when it gets it back. For the same reason its date is
 * left aside while a thread runs, provided that the core has a shot pending:
 * an interrupt would achieve nothing.
 *
 * Locking: none. The state belongs to its CPU, and is only touched by it with
 * hard irqs off.
 */
#include <linux/clockchips.h>
#include <linux/cpumask.h>
#include <linux/smp.h>
#include <linux/tick.h>
#include <linux/timekeeping.h>
#include "dovetail.h"

static bool linux_has_cpu(struct host_cpu *hc)
{
	return raw_cpu_read(host_curr) == hc->root;
}

static void set_device(struct clock_event_device *dev, ktime_t date,
		       ktime_t now)
{
	s64 delta;
	u64 cycles;

	if (dev->features & CLOCK_EVT_FEAT_KTIME) {
		dev->set_next_ktime(date, dev);
		return;
	}

	delta = ktime_sub(date, now);
	if (delta <= (s64)dev->min_delta_ns) {
		dev->set_next_event(dev->min_delta_ticks, dev);
		return;
	}

	delta = min_t(s64, delta, dev->max_delta_ns);
	cycles = ((u64)delta * dev->mult) >> dev->shift;
	if (dev->set_next_event(cycles, dev))
		dev->set_next_event(dev->min_delta_ticks, dev);
}

/*
 * The device is never stopped: a tick that nobody waits for any more costs
 * less than telling all the states of Linux's tick from ours. A tick of Linux
 * may come as late as @recent is old, if not zero: this is not for ours.
 */
static __always_inline void program_from(struct host_cpu *hc, ktime_t recent)
{
	ktime_t date = hc->armed;

	if (hc->in_tick || !hc->timer)
		return;

	if (hc->inband < date && (date == KTIME_MAX || linux_has_cpu(hc)))
		date = hc->inband;

	if (date == hc->shot || date == KTIME_MAX)
		return;

	if (!recent || date != hc->inband)
		recent = ktime_get_mono_fast_ns();

	hc->shot = date;
	set_device(hc->timer, date, recent);
}

static void program_timer(struct host_cpu *hc)
{
	program_from(hc, 0);
}

void host_program_tick(struct host_cpu *hc, ktime_t date)
{
	hc->armed = date;
	program_timer(hc);
}

/* The interrupt of the real device: out-of-band, hard irqs off. */
static void handle_tick(struct clock_event_device *dev)
{
	struct host_cpu *hc = raw_cpu_read(host_this_cpu);
	ktime_t now = ktime_get_mono_fast_ns();

	hc->in_tick = true;
	hc->shot = KTIME_MAX;

	if (hc->armed <= now) {
		hc->armed = KTIME_MAX;
		host_core->tick(hc->cpu, now);
	}

	if (hc->inband <= now) {
		hc->inband = KTIME_MAX;
		if (linux_has_cpu(hc))
			tick_notify_proxy();
		else
			hc->notify_inband = true;
	}

	hc->in_tick = false;
	program_from(hc, now);
}

void host_resume_tick(struct host_cpu *hc)
{
	if (hc->notify_inband) {
		hc->notify_inband = false;
		tick_notify_proxy();
	}

	/* It may have been left aside. */
	if (hc->inband < hc->shot)
		program_timer(hc);
}

/* Linux wants its next tick at @date. In-band, irqs off. */
static int proxy_set_next_ktime(ktime_t date, struct clock_event_device *dev)
{
	struct host_cpu *hc;
	unsigned long flags;

	flags = hard_local_irq_save();
	hc = raw_cpu_read(host_this_cpu);
	hc->inband = date;
	/* While proxies come and go, a tick may pass us by: trust nothing. */
	hc->shot = KTIME_MAX;
	program_timer(hc);
	hard_local_irq_restore(flags);

	return 0;
}

static int proxy_stop(struct clock_event_device *dev)
{
	struct host_cpu *hc;
	unsigned long flags;

	flags = hard_local_irq_save();
	hc = raw_cpu_read(host_this_cpu);
	hc->inband = KTIME_MAX;
	hard_local_irq_restore(flags);

	return 0;
}

/* On each CPU, irqs off. */
static void setup_proxy(struct clock_proxy_device *dev)
{
	struct host_cpu *hc = raw_cpu_read(host_this_cpu);
	struct clock_event_device *proxy = &dev->proxy_device;

	dev->handle_oob_event = handle_tick;
	proxy->features |= CLOCK_EVT_FEAT_KTIME;
	proxy->set_next_ktime = proxy_set_next_ktime;
	if (proxy->set_state_oneshot_stopped)
		proxy->set_state_oneshot_stopped = proxy_stop;

	hc->timer = dev->real_device;
}

/* Shots which were programmed while the proxies were being set up. */
static void reprogram_timer(void *arg)
{
	unsigned long flags;
	struct host_cpu *hc;

	flags = hard_local_irq_save();
	hc = raw_cpu_read(host_this_cpu);
	hc->shot = KTIME_MAX;
	program_timer(hc);
	hard_local_irq_restore(flags);
}

/*
 * All online CPUs, whatever the core uses: uninstalling from some of them only
 * crashes the kernel.
 */
int host_install_tick(void)
{
	int ret;

	ret = tick_install_proxy(setup_proxy, cpu_online_mask);
	if (ret) {
		pr_err("evl: cannot take over the tick (error %d): is a device other than the local APIC or HPET in charge?\n",
		       ret);
		return ret;
	}

	on_each_cpu(reprogram_timer, NULL, true);

	return 0;
}

/*
 * A real device which comes back behind a proxy is offered as the broadcast
 * device of the system first, then as what wakes its CPU up in place of that
 * one. That of a CPU would be accepted for either, and be lost when its CPU
 * goes offline, the way a tick device must not be. None which stops in deep
 * idle states is wanted: so it does, for a moment.
 *
 * This writes to a device which belongs to Linux. But of all that Linux looks at
 * before it accepts one, in both places, C3STOP is the only thing which does
 * no harm: a CPU which goes idle meanwhile, in a state which stops its timer, is
 * woken up by the broadcast device instead.
 */
static void refuse_broadcast(struct host_cpu *hc)
{
	struct clock_event_device *dev = hc->timer;

	if (cpumask_weight(dev->cpumask) > 1 ||
	    dev->features & CLOCK_EVT_FEAT_C3STOP)
		return;

	dev->features |= CLOCK_EVT_FEAT_C3STOP;
	hc->no_broadcast = true;
}

/* On the CPU itself, which is not idle meanwhile. */
static void release_timer(void *arg)
{
	struct host_cpu *hc = raw_cpu_read(host_this_cpu);

	if (hc->no_broadcast)
		hc->timer->features &= ~CLOCK_EVT_FEAT_C3STOP;
	hc->timer = NULL;
}

void host_remove_tick(void)
{
	int cpu;

	for_each_online_cpu(cpu)
		refuse_broadcast(per_cpu(host_this_cpu, cpu));

	tick_uninstall_proxy(cpu_online_mask);

	on_each_cpu(release_timer, NULL, true);
}
