/* SPDX-License-Identifier: GPL-2.0-only */
/* Readers and pollers of an element who wait on the in-band stage. */
#ifndef EVL_ELEMENT_INBAND_H
#define EVL_ELEMENT_INBAND_H

#include <linux/irq_work.h>
#include <linux/wait.h>

struct evl_inband_waiters {
	wait_queue_head_t queue;
	struct irq_work wake;
	bool woken;		/* wake was queued, ever */
};

void evl_init_inband_waiters(struct evl_inband_waiters *waiters);

/* Once nobody can wake them any more, nor wait. Sleeps. */
void evl_destroy_inband_waiters(struct evl_inband_waiters *waiters);

/*
 * From anywhere, with hard locks held. What has changed for them is to be written
 * before: there is a full barrier between that and the look at the queue.
 */
static inline void evl_wake_inband_waiters(struct evl_inband_waiters *waiters)
{
	if (!wq_has_sleeper(&waiters->queue))
		return;

	WRITE_ONCE(waiters->woken, true);
	irq_work_queue(&waiters->wake);
}

#endif /* !EVL_ELEMENT_INBAND_H */
