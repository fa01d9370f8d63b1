// SPDX-License-Identifier: GPL-2.0-only
/* Life of the stock host. */
#include <linux/cpuhotplug.h>
#include <evl/rq.h>
#include "stock.h"

const struct host_ops *host_ops;

static enum cpuhp_state frozen_cpus;

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

static void kicked(void *data)
{
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

/* Its timers would go on elsewhere, and its threads nowhere. */
static int refuse_offline(unsigned int cpu)
{
	if (!cpumask_test_cpu(cpu, &evl_rq_cpus))
		return 0;

	pr_warn("evl: CPU%u stays online until evl is unloaded\n", cpu);

	return -EBUSY;
}

int host_start(void)
{
	int ret;

	ret = cpuhp_setup_state_nocalls(CPUHP_AP_ONLINE_DYN, "evl:frozen", NULL,
					refuse_offline);
	if (ret < 0) {
		pr_err("evl: cannot freeze the set of CPUs: error %d\n", ret);
		return ret;
	}
	frozen_cpus = ret;

	ret = stock_install_hooks();
	if (ret)
		cpuhp_remove_state_nocalls(frozen_cpus);

	return ret;
}

static void nothing(void *data)
{
}

void host_stop(void)
{
	stock_remove_hooks();
	stock_stop_ticks();
	/* Kicks in flight go through the same queues. */
	on_each_cpu(nothing, NULL, 1);
	cpuhp_remove_state_nocalls(frozen_cpus);
}
