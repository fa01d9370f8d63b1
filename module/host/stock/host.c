// SPDX-License-Identifier: GPL-2.0-only
/* Life of the stock host. */
#include <linux/cpumask.h>
#include <linux/preempt.h>
#include <evl/rq.h>
#include <hotplug.h>
#include "stock.h"

const struct host_ops *host_ops;

const char *host_name(void)
{
	return IS_ENABLED(CONFIG_PREEMPT_RT) ? "stock (PREEMPT_RT)" : "stock";
}

int host_init(const struct host_ops *ops)
{
	host_ops = ops;

	return 0;
}

void host_cleanup(void)
{
}

/* Interrupt context, on the CPU which was kicked. */
static void kicked(void *data)
{
	/* The slot for the next kick is free already. Whoever found it taken a
	 * moment ago left to us what he wanted done: look after that. */
	smp_mb();
	host_ops->schedule();
}

void host_init_cpu(struct host_cpu *hc, struct host_task *root, int cpu)
{
	hc->cpu = cpu;
	INIT_CSD(&hc->csd, kicked, hc);
	stock_init_tick(hc);
}

/* A kick which is still on its way will do for this one. */
void host_kick_cpu(int cpu)
{
	smp_call_function_single_async(cpu, &evl_cpu_rq(cpu)->host.csd);
}

/* The timers of its threads would go on elsewhere, and the threads nowhere. */
static bool notrace keeps_cpu(unsigned int cpu)
{
	return cpumask_test_cpu(cpu, &evl_oob_cpus);
}

int host_start(void)
{
	int ret;

	ret = host_guard_cpus(keeps_cpu, false);
	if (ret)
		return ret;

	/* One may have gone between being counted and being guarded. */
	if (!cpumask_subset(&evl_oob_cpus, cpu_online_mask)) {
		pr_err("evl: a CPU went offline meanwhile: try again\n");
		host_unguard_cpus();
		return -EAGAIN;
	}

	preempt_notifier_inc();
	ret = stock_install_hooks();
	if (ret) {
		preempt_notifier_dec();
		host_unguard_cpus();
	}

	return ret;
}

static void nothing(void *data)
{
}

/* Kicks in flight go through the same queues, and may arm a tick. */
static void flush_kicks(void)
{
	on_each_cpu(nothing, NULL, 1);
}

void host_stop(void)
{
	stock_remove_hooks();
	flush_kicks();
	stock_stop_ticks();
	preempt_notifier_dec();
	host_unguard_cpus();
}
