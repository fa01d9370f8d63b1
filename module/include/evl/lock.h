/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Locks shared by both stages, and the order they nest in, outer to inner, as in
 * doc/locking.md:
 *
 *	mutex, gate		evl_mutex.wchan.lock
 *	other wait channel	evl_wait_channel.lock, of an event after its gate
 *	subscribers		subscribers.lock (element/observable/subscribe.c)
 *	poll connections	connect_lock (element/poll/head.c)
 *	poll head		evl_poll_head.lock, then those of groups above it
 *	poll group		the wait channel of its waiters, inside the head
 *	run queue		evl_rq.lock (two of them: lower CPU first)
 *	timer base		evl_timer_base.lock
 *	leaves			core heap, file table, handles
 *
 * Against that order, a wait channel may only be tried: see wait.c. All of them
 * are hard: hard irqs are off while one is held, and the holder does not touch
 * user memory, allocate from Linux, print or sleep.
 */
#ifndef EVL_LOCK_H
#define EVL_LOCK_H

#include <linux/spinlock.h>
#include <host.h>

#define evl_lock_irqsave(__lock, __flags)			\
	do {							\
		(__flags) = hard_local_irq_save();		\
		raw_spin_lock(__lock);				\
	} while (0)

#define evl_unlock_irqrestore(__lock, __flags)			\
	do {							\
		raw_spin_unlock(__lock);			\
		hard_local_irq_restore(__flags);		\
	} while (0)

#endif /* !EVL_LOCK_H */
