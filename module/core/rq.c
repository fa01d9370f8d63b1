// SPDX-License-Identifier: GPL-2.0-only
/*
 * Run queues and their queues: what there is before and after the core
 * runs, see queue.h for the rest.
 */
#include <linux/cpumask.h>
#include <linux/module.h>
#include <linux/slab.h>
#include <linux/topology.h>
#include <evl/thread.h>
#include "core.h"

static char *oobcpus;
module_param(oobcpus, charp, 0444);
MODULE_PARM_DESC(oobcpus, "CPUs which threads may use, e.g. 1-3 (default: all online ones)");

DEFINE_PER_CPU(struct evl_rq, evl_runqueues);
EXPORT_PER_CPU_SYMBOL_GPL(evl_runqueues);

struct cpumask evl_oob_cpus;

static DEFINE_PER_CPU(struct evl_thread, root_threads);

static int init_queue(struct evl_rq_queue *queue, int cpu)
{
	int n;

	queue->head = kcalloc_node(EVL_NR_RQ_INDEXES, sizeof(*queue->head),
				   GFP_KERNEL, cpu_to_node(cpu));
	if (!queue->head)
		return -ENOMEM;

	bitmap_zero(queue->map, EVL_NR_RQ_INDEXES);
	for (n = 0; n < EVL_NR_RQ_INDEXES; n++)
		INIT_LIST_HEAD(&queue->head[n]);

	return 0;
}

static int init_rq(struct evl_rq *rq, int cpu)
{
	struct evl_thread *root = &per_cpu(root_threads, cpu);
	int ret;

	ret = init_queue(&rq->queue, cpu);
	if (ret)
		return ret;

	raw_spin_lock_init(&rq->lock);
	rq->flags = 0;
	rq->cpu = cpu;
	rq->last_switch = 0;

	evl_init_root(rq, root);
	rq->root = root;
	rq->curr = root;
	evl_init_quantum(rq);
	evl_init_watchdog(rq);
	host_init_cpu(&rq->host, &root->host, cpu);

	return 0;
}

static int parse_oobcpus(void)
{
	int ret;

	cpumask_copy(&evl_oob_cpus, cpu_online_mask);
	if (!oobcpus || !*oobcpus)
		return 0;

	ret = cpulist_parse(oobcpus, &evl_oob_cpus);
	if (!ret && !cpumask_and(&evl_oob_cpus, &evl_oob_cpus, cpu_online_mask))
		ret = -EINVAL;
	if (ret)
		pr_err("evl: oobcpus=%s names no online CPU\n", oobcpus);

	return ret;
}

/* CPUs which come online later run no thread, unless they were here before. */
int evl_init_rqs(void)
{
	int ret, cpu;

	ret = parse_oobcpus();
	if (ret)
		return ret;

	for_each_possible_cpu(cpu) {
		ret = init_rq(evl_cpu_rq(cpu), cpu);
		if (ret) {
			evl_exit_rqs();
			return ret;
		}
	}

	return 0;
}

void evl_exit_rqs(void)
{
	struct evl_rq *rq;
	int cpu;

	for_each_possible_cpu(cpu) {
		rq = evl_cpu_rq(cpu);
		if (!rq->queue.head)
			continue;
		WARN_ON(rq->curr != rq->root);
		evl_exit_quantum(rq);
		evl_exit_watchdog(rq);
		kfree(rq->queue.head);
		rq->queue.head = NULL;
	}
}
