// SPDX-License-Identifier: GPL-2.0-only
/* Life of the stock host. */
#include <linux/rcupdate.h>
#include <evl/rq.h>
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

int host_start(void)
{
	return stock_install_hooks();
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
}
