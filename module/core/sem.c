// SPDX-License-Identifier: GPL-2.0-only
/*
 * Semaphores of drivers. A unit which somebody waits for goes straight to the
 * first one in line.
 *
 * Locking: ksem->wait.wchan.lock guards the value.
 */
#include <linux/export.h>
#include <evl/assert.h>
#include <evl/sem.h>
#include <evl/thread.h>

void evl_init_ksem(struct evl_ksem *ksem, unsigned int value)
{
	evl_init_wait(&ksem->wait, &evl_mono_clock, EVL_WAIT_PRIO, "ksem");
	ksem->value = value;
}
EXPORT_SYMBOL_GPL(evl_init_ksem);

void evl_destroy_ksem(struct evl_ksem *ksem)
{
	evl_destroy_wait(&ksem->wait);
}
EXPORT_SYMBOL_GPL(evl_destroy_ksem);

static bool take_unit(struct evl_ksem *ksem)
{
	if (!ksem->value)
		return false;

	ksem->value--;

	return true;
}

int evl_down_timeout(struct evl_ksem *ksem, ktime_t timeout)
{
	struct evl_wait_channel *wchan = &ksem->wait.wchan;
	unsigned long flags;
	bool taken;
	int ret;

	ret = evl_check_waiter(evl_current());
	if (unlikely(ret))
		return ret;

	evl_lock_irqsave(&wchan->lock, flags);
	taken = take_unit(ksem);
	if (!taken)
		evl_add_wait_queue(&ksem->wait, timeout, EVL_ABS);
	evl_unlock_irqrestore(&wchan->lock, flags);

	return taken ? 0 : evl_wait_schedule(wchan);
}
EXPORT_SYMBOL_GPL(evl_down_timeout);

int evl_trydown(struct evl_ksem *ksem)
{
	unsigned long flags;
	bool taken;

	evl_lock_irqsave(&ksem->wait.wchan.lock, flags);
	taken = take_unit(ksem);
	evl_unlock_irqrestore(&ksem->wait.wchan.lock, flags);

	return taken ? 0 : -EAGAIN;
}
EXPORT_SYMBOL_GPL(evl_trydown);

void evl_up(struct evl_ksem *ksem)
{
	struct evl_wait_channel *wchan = &ksem->wait.wchan;
	unsigned long flags;

	evl_lock_irqsave(&wchan->lock, flags);
	if (!evl_wake_up_head(wchan, 0))
		ksem->value++;
	evl_sched_unlock(&wchan->lock, flags);
}
EXPORT_SYMBOL_GPL(evl_up);

void evl_broadcast(struct evl_ksem *ksem)
{
	struct evl_wait_channel *wchan = &ksem->wait.wchan;
	unsigned long flags;

	evl_lock_irqsave(&wchan->lock, flags);
	ksem->value = 0;
	evl_flush_unlock(wchan, EVL_T_BCAST, flags);
}
EXPORT_SYMBOL_GPL(evl_broadcast);
