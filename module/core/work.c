// SPDX-License-Identifier: GPL-2.0-only
/*
 * Calls deferred to the in-band stage: an irq_work, which may be raised from
 * anywhere, queues a work item, which may sleep.
 *
 * The pending bit pairs each successful evl_call_inband() with one run of the
 * handler, so that a reference may travel with the call. It is cleared right
 * before the handler runs: whoever calls from then on gets another run.
 *
 * The irq_work is a plain one: on PREEMPT_RT it runs in a thread, where nothing
 * is forbidden.
 */
#include <linux/bitops.h>
#include <linux/workqueue.h>
#include <evl/assert.h>
#include <evl/work.h>
#include "core/core.h"

#define WORK_PENDING	0

static struct workqueue_struct *work_queue;

static void run_work(struct work_struct *p)
{
	struct evl_work *work = container_of(p, struct evl_work, work);

	/*
	 * Interrupt context may still be busy with the irq_work after it queued
	 * us, and the handler is free to release the memory of both.
	 */
	irq_work_sync(&work->irq_work);
	clear_bit(WORK_PENDING, &work->flags);
	smp_mb__after_atomic();
	work->handler(work);
}

static void relay_work(struct irq_work *p)
{
	struct evl_work *work = container_of(p, struct evl_work, irq_work);

	queue_work(work_queue, &work->work);
}

void evl_init_work(struct evl_work *work, void (*handler)(struct evl_work *work))
{
	init_irq_work(&work->irq_work, relay_work);
	INIT_WORK(&work->work, run_work);
	work->handler = handler;
	work->flags = 0;
}
EXPORT_SYMBOL_GPL(evl_init_work);

bool evl_call_inband(struct evl_work *work)
{
	if (test_and_set_bit(WORK_PENDING, &work->flags))
		return false;

	irq_work_queue(&work->irq_work);

	return true;
}
EXPORT_SYMBOL_GPL(evl_call_inband);

void evl_flush_work(struct evl_work *work)
{
	evl_assert_inband();

	irq_work_sync(&work->irq_work);
	flush_work(&work->work);
}
EXPORT_SYMBOL_GPL(evl_flush_work);

void evl_cancel_work(struct evl_work *work)
{
	evl_assert_inband();

	irq_work_sync(&work->irq_work);
	if (cancel_work_sync(&work->work))
		clear_bit(WORK_PENDING, &work->flags);
}
EXPORT_SYMBOL_GPL(evl_cancel_work);

int evl_init_works(void)
{
	/* Unbound: an out-of-band thread may be hogging the CPU of the caller. */
	work_queue = alloc_workqueue("evl", WQ_UNBOUND, 0);

	return work_queue ? 0 : -ENOMEM;
}

/* A handler which drops the last reference on the module is still running
 * in it: wait for its end. */
void evl_exit_works(void)
{
	destroy_workqueue(work_queue);
}
