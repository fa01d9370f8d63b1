// SPDX-License-Identifier: GPL-2.0-only
/*
 * Flags of drivers.
 *
 * Locking: flag->wait.wchan.lock guards all of a flag.
 */
#include <linux/export.h>
#include <evl/assert.h>
#include <evl/flag.h>
#include <evl/thread.h>

void evl_init_flag(struct evl_flag *flag)
{
	evl_init_wait(&flag->wait, &evl_mono_clock, EVL_WAIT_PRIO, "flag");
	flag->raised = false;
}
EXPORT_SYMBOL_GPL(evl_init_flag);

void evl_destroy_flag(struct evl_flag *flag)
{
	evl_destroy_wait(&flag->wait);
}
EXPORT_SYMBOL_GPL(evl_destroy_flag);

static bool lower(struct evl_flag *flag)
{
	bool raised = flag->raised;

	flag->raised = false;

	return raised;
}

/* The caller was woken up: was that by a pulse? */
static int pulsed(void)
{
	return READ_ONCE(evl_current()->info) & EVL_T_BCAST ? -EAGAIN : 0;
}

int evl_wait_flag_timeout(struct evl_flag *flag, ktime_t timeout,
			  enum evl_tmode tmode)
{
	struct evl_wait_queue *wq = &flag->wait;
	unsigned long flags;
	int ret;

	ret = evl_check_waiter(evl_current());
	if (unlikely(ret))
		return ret;

	/* Woken up in vain, do not start over with the whole of it. */
	if (timeout != EVL_INFINITE && timeout != EVL_NONBLOCK)
		timeout = evl_abs_timeout(wq->clock, timeout, tmode);

	evl_lock_irqsave(&wq->wchan.lock, flags);
	while (!ret && !lower(flag)) {
		if (timeout == EVL_NONBLOCK) {
			ret = -EAGAIN;
			break;
		}
		evl_add_wait_queue(wq, timeout, EVL_ABS);
		evl_unlock_irqrestore(&wq->wchan.lock, flags);
		ret = evl_wait_schedule(&wq->wchan) ?: pulsed();
		evl_lock_irqsave(&wq->wchan.lock, flags);
	}
	evl_unlock_irqrestore(&wq->wchan.lock, flags);

	return ret;
}
EXPORT_SYMBOL_GPL(evl_wait_flag_timeout);

void evl_raise_flag_locked(struct evl_flag *flag)
{
	evl_assert_locked(&flag->wait.wchan.lock);

	flag->raised = true;
	evl_flush_wait_locked(&flag->wait.wchan, 0);
}
EXPORT_SYMBOL_GPL(evl_raise_flag_locked);

void evl_raise_flag_nosched(struct evl_flag *flag)
{
	unsigned long flags;

	evl_lock_irqsave(&flag->wait.wchan.lock, flags);
	evl_raise_flag_locked(flag);
	evl_unlock_irqrestore(&flag->wait.wchan.lock, flags);
}
EXPORT_SYMBOL_GPL(evl_raise_flag_nosched);

void evl_raise_flag(struct evl_flag *flag)
{
	unsigned long flags;

	evl_lock_irqsave(&flag->wait.wchan.lock, flags);
	flag->raised = true;
	evl_flush_unlock(&flag->wait.wchan, 0, flags);
}
EXPORT_SYMBOL_GPL(evl_raise_flag);

void evl_pulse_flag_locked(struct evl_flag *flag)
{
	evl_assert_locked(&flag->wait.wchan.lock);

	evl_flush_wait_locked(&flag->wait.wchan, EVL_T_BCAST);
}
EXPORT_SYMBOL_GPL(evl_pulse_flag_locked);

void evl_pulse_flag_nosched(struct evl_flag *flag)
{
	evl_flush_flag_nosched(flag, EVL_T_BCAST);
}
EXPORT_SYMBOL_GPL(evl_pulse_flag_nosched);

void evl_pulse_flag(struct evl_flag *flag)
{
	evl_flush_flag(flag, EVL_T_BCAST);
}
EXPORT_SYMBOL_GPL(evl_pulse_flag);

void evl_flush_flag_nosched(struct evl_flag *flag, int reason)
{
	unsigned long flags;

	evl_lock_irqsave(&flag->wait.wchan.lock, flags);
	evl_flush_wait_locked(&flag->wait.wchan, reason);
	evl_unlock_irqrestore(&flag->wait.wchan.lock, flags);
}
EXPORT_SYMBOL_GPL(evl_flush_flag_nosched);

void evl_flush_flag(struct evl_flag *flag, int reason)
{
	evl_flush_wait(&flag->wait.wchan, reason);
}
EXPORT_SYMBOL_GPL(evl_flush_flag);

bool evl_read_flag(struct evl_flag *flag)
{
	unsigned long flags;
	bool raised;

	evl_lock_irqsave(&flag->wait.wchan.lock, flags);
	raised = lower(flag);
	evl_unlock_irqrestore(&flag->wait.wchan.lock, flags);

	return raised;
}
EXPORT_SYMBOL_GPL(evl_read_flag);

void evl_clear_flag(struct evl_flag *flag)
{
	evl_read_flag(flag);
}
EXPORT_SYMBOL_GPL(evl_clear_flag);
