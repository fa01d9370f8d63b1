// SPDX-License-Identifier: GPL-2.0-only
/*
 * Calls deferred to the in-band stage: an irq_work, which may be raised from
 * anywhere, queues work items, which may sleep.
 *
 * The pending mark pairs each successful evl_call_inband() with one run of the
 * handler, so that a reference may travel with the call. It is cleared right
 * before the handler runs: whoever calls from then on gets another run. It says
 * which CPU the call was made on, too.
 *
 * The handler is free to release the memory of its call, which Linux might still
 * look at if the irq_work were a part of it. So each CPU has one, which is there
 * for good, and a list of calls to queue. It is a hard one: on PREEMPT_RT, too,
 * nothing but raw locks is needed to queue work.
 */
#include <linux/irq_work.h>
#include <linux/llist.h>
#include <linux/percpu.h>
#include <linux/workqueue.h>
#include <evl/assert.h>
#include <evl/work.h>
#include "core/core.h"

struct relay {
	struct irq_work irq_work;
	struct llist_head calls;	/* evl_work.node */
};

static DEFINE_PER_CPU(struct relay, relays);
static struct workqueue_struct *queues[EVL_NR_WORK_QUEUES];

static void run_work(struct work_struct *p)
{
	struct evl_work *work = container_of(p, struct evl_work, work);

	xchg(&work->pending, 0);
	work->handler(work);
}

/* Each call may be gone, or be made again, as soon as it is queued. */
static void relay_calls(struct irq_work *p)
{
	struct relay *relay = container_of(p, struct relay, irq_work);
	struct llist_node *calls = llist_del_all(&relay->calls);
	struct evl_work *work, *next;

	llist_for_each_entry_safe(work, next, llist_reverse_order(calls), node)
		queue_work(queues[work->queue], &work->work);
}

/*
 * What was called before is queued on return. If it is not pending its handler runs
 * already, or never will. An out-of-band thread may keep the CPU of the call for as
 * long as it likes.
 */
static void finish_call(struct evl_work *work)
{
	struct relay *relay;
	int pending;

	while ((pending = READ_ONCE(work->pending))) {
		relay = per_cpu_ptr(&relays, pending - 1);
		if (!irq_work_is_busy(&relay->irq_work))
			break;
		schedule_timeout_uninterruptible(1);
	}
	smp_rmb();
}

void evl_init_work(struct evl_work *work, void (*handler)(struct evl_work *work))
{
	INIT_WORK(&work->work, run_work);
	work->handler = handler;
	work->pending = 0;
	work->queue = EVL_WORK_PROMPT;
}
EXPORT_SYMBOL_GPL(evl_init_work);

bool evl_call_inband(struct evl_work *work)
{
	struct relay *relay;
	unsigned long flags;
	bool done;

	/* Others rely on whoever has claimed any of this to queue it, here, next. */
	flags = hard_local_irq_save();
	done = !cmpxchg(&work->pending, 0, raw_smp_processor_id() + 1);
	if (done) {
		relay = raw_cpu_ptr(&relays);
		llist_add(&work->node, &relay->calls);
		irq_work_queue(&relay->irq_work);
	}
	hard_local_irq_restore(flags);

	return done;
}
EXPORT_SYMBOL_GPL(evl_call_inband);

void evl_flush_work(struct evl_work *work)
{
	evl_assert_inband();

	finish_call(work);
	flush_work(&work->work);
}
EXPORT_SYMBOL_GPL(evl_flush_work);

void evl_cancel_work(struct evl_work *work)
{
	evl_assert_inband();

	finish_call(work);
	if (cancel_work_sync(&work->work))
		xchg(&work->pending, 0);
}
EXPORT_SYMBOL_GPL(evl_cancel_work);

static void destroy_queues(void)
{
	int n;

	for (n = 0; n < EVL_NR_WORK_QUEUES; n++) {
		if (queues[n])
			destroy_workqueue(queues[n]);
		queues[n] = NULL;
	}
}

int evl_init_works(void)
{
	static const char *const names[] = {
		[EVL_WORK_PROMPT] = "evl",
		[EVL_WORK_DISPOSAL] = "evl_disposal",
		[EVL_WORK_SEALS] = "evl_seals",
	};
	struct relay *relay;
	int cpu, n;

	for_each_possible_cpu(cpu) {
		relay = per_cpu_ptr(&relays, cpu);
		relay->irq_work = IRQ_WORK_INIT_HARD(relay_calls);
		init_llist_head(&relay->calls);
	}

	/* Unbound: an out-of-band thread may be hogging the CPU of the caller. */
	for (n = 0; n < EVL_NR_WORK_QUEUES; n++) {
		queues[n] = alloc_workqueue("%s", WQ_UNBOUND, 0, names[n]);
		if (!queues[n]) {
			destroy_queues();
			return -ENOMEM;
		}
	}

	return 0;
}

/* A handler which drops the last reference on the module is still running
 * in it: wait for its end. */
void evl_exit_works(void)
{
	int cpu;

	for_each_possible_cpu(cpu)
		irq_work_sync(&per_cpu_ptr(&relays, cpu)->irq_work);
	destroy_queues();
}
