// SPDX-License-Identifier: GPL-2.0-only
/*
 * Stage exclusion locks.
 *
 * Locking: stax->oob.wchan.lock guards the count of holders, and whether it is
 * dead. Out-of-band tasks go first: as soon as one waits, no in-band task may
 * join those which are inside. In-band waiters are woken up whenever they may be
 * let in, and look by themselves.
 */
#include <linux/export.h>
#include <evl/assert.h>
#include <evl/stax.h>
#include <evl/thread.h>
#include <evl/signal-abi.h>

static void wake_inband(struct irq_work *work)
{
	wake_up_all(&container_of(work, struct evl_stax, wake)->inband);
}

void evl_init_stax(struct evl_stax *stax)
{
	evl_init_wait(&stax->oob, &evl_mono_clock, EVL_WAIT_PRIO, "stax");
	init_waitqueue_head(&stax->inband);
	init_irq_work(&stax->wake, wake_inband);
	stax->holders = 0;
	stax->dead = false;
}
EXPORT_SYMBOL_GPL(evl_init_stax);

void evl_destroy_stax(struct evl_stax *stax)
{
	unsigned long flags;

	evl_assert_inband();
	WARN_ON(READ_ONCE(stax->holders) > 0);

	/* Some may have been woken up to enter, and not have run yet. */
	evl_lock_irqsave(&stax->oob.wchan.lock, flags);
	stax->dead = true;
	evl_flush_unlock(&stax->oob.wchan, EVL_T_RMID, flags);
	irq_work_sync(&stax->wake);
}
EXPORT_SYMBOL_GPL(evl_destroy_stax);

/* Lock held, as for the next ones. */
static bool enter_oob(struct evl_stax *stax)
{
	if (stax->holders < 0)
		return false;

	stax->holders++;

	return true;
}

static bool enter_inband(struct evl_stax *stax)
{
	if (stax->holders > 0 || evl_wait_active(&stax->oob.wchan))
		return false;

	stax->holders--;

	return true;
}

/* The section is free, or its next users have changed. Drops the lock. */
static void let_in_unlock(struct evl_stax *stax, unsigned long flags)
{
	irq_work_queue(&stax->wake);
	if (!stax->holders)
		evl_flush_unlock(&stax->oob.wchan, 0, flags);
	else
		evl_sched_unlock(&stax->oob.wchan.lock, flags);
}

int evl_trylock_stax(struct evl_stax *stax)
{
	bool oob = evl_current_oob(), entered;
	unsigned long flags;

	evl_lock_irqsave(&stax->oob.wchan.lock, flags);
	entered = oob ? enter_oob(stax) : enter_inband(stax);
	evl_unlock_irqrestore(&stax->oob.wchan.lock, flags);

	return entered ? 0 : -EAGAIN;
}
EXPORT_SYMBOL_GPL(evl_trylock_stax);

/* It had to wait for the other stage, which it asked to be told about. */
static void report_wait(struct evl_thread *curr)
{
	if (!(curr->state & EVL_T_WOSX))
		return;

	evl_notify_thread(curr, EVL_HMDIAG_STAGEX, 0);
	if (curr->state & EVL_T_USER)
		evl_kick_thread(curr);
}

static int lock_oob(struct evl_stax *stax)
{
	struct evl_wait_channel *wchan = &stax->oob.wchan;
	bool waited = false;
	unsigned long flags;
	int ret = 0;

	evl_lock_irqsave(&wchan->lock, flags);
	while (!ret && !stax->dead && !enter_oob(stax)) {
		evl_add_wait_queue(&stax->oob, EVL_INFINITE, EVL_REL);
		evl_unlock_irqrestore(&wchan->lock, flags);
		ret = evl_wait_schedule(wchan);
		waited = true;
		evl_lock_irqsave(&wchan->lock, flags);
	}
	if (stax->dead)
		ret = -EIDRM;
	if (ret && !stax->dead)		/* In-band tasks kept out by us alone. */
		let_in_unlock(stax, flags);
	else
		evl_sched_unlock(&wchan->lock, flags);

	if (waited)
		report_wait(evl_current());

	return ret;
}

int evl_lock_stax(struct evl_stax *stax)
{
	if (evl_current_oob() && !host_in_irq())
		return lock_oob(stax);

	if (!evl_caller_is_inband())
		return -EPERM;

	return wait_event_interruptible(stax->inband, !evl_trylock_stax(stax));
}
EXPORT_SYMBOL_GPL(evl_lock_stax);

void evl_unlock_stax(struct evl_stax *stax)
{
	unsigned long flags;

	/* All who are inside came from the same stage. The caller may be on the
	 * other one by now, if a fault or a signal moved it. */
	evl_lock_irqsave(&stax->oob.wchan.lock, flags);
	stax->holders += stax->holders > 0 ? -1 : 1;
	if (!stax->holders)
		let_in_unlock(stax, flags);
	else
		evl_sched_unlock(&stax->oob.wchan.lock, flags);
}
EXPORT_SYMBOL_GPL(evl_unlock_stax);
