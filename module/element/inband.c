// SPDX-License-Identifier: GPL-2.0-only
/*
 * In-band waiters are woken up by an irq_work, which must not be a hard one: a
 * wait queue lock sleeps on PREEMPT_RT, and what else hangs on that queue runs
 * code of others, with no lock of ours held.
 */
#include "element/inband.h"

static void wake_waiters(struct irq_work *work)
{
	wake_up_all(&container_of(work, struct evl_inband_waiters, wake)->queue);
}

void evl_init_inband_waiters(struct evl_inband_waiters *waiters)
{
	init_waitqueue_head(&waiters->queue);
	init_irq_work(&waiters->wake, wake_waiters);
	waiters->woken = false;
}

/*
 * On PREEMPT_RT, irq_work_sync() takes a grace period of RCU even if there is
 * nothing to wait for, and thousands of elements may go in a row.
 */
void evl_destroy_inband_waiters(struct evl_inband_waiters *waiters)
{
	if (READ_ONCE(waiters->woken))
		irq_work_sync(&waiters->wake);
}
