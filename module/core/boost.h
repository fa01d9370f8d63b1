/* SPDX-License-Identifier: GPL-2.0-only */
/* What mutex.c and boost.c share. The mutex is locked unless said otherwise. */
#ifndef EVL_CORE_BOOST_H
#define EVL_CORE_BOOST_H

#include <evl/mutex.h>

/* @owner, not boosted yet, gets @mutex; takes over a reference to it. False if
 * it left the core. */
bool evl_track_owner(struct evl_mutex *mutex, struct evl_thread *owner);
/* The same for current, which is boosted at once, by @ceiling if not 0. */
bool evl_track_current(struct evl_mutex *mutex, struct evl_thread *curr, int ceiling);
/* The opposite; the channel of the thread returned has to reorder it. */
struct evl_thread *evl_untrack_owner(struct evl_mutex *mutex);
/* Waiters came or went, or a ceiling is to be applied: let the owner know. The
 * channel of the thread returned has to reorder it. */
struct evl_thread *evl_update_boost(struct evl_mutex *mutex);

/* Find out who owns @mutex if nobody is known to. */
void evl_adopt_owner(struct evl_mutex *mutex);

/* Does @thread wait, directly or not, for @target, or for itself? No lock held,
 * a reference to @thread is dropped. */
bool evl_leads_to(struct evl_thread *thread, struct evl_thread *target);

/* Health: the owner of @mutex, which current is about to wait for, is in-band. */
void evl_check_inband_owner(struct evl_mutex *mutex, struct evl_thread *curr);

/* Is it a mutex which threads wait for there? */
struct evl_mutex *evl_mutex_of_wchan(struct evl_wait_channel *wchan);

extern const struct evl_gate_ops *evl_gate_ops;

#endif /* !EVL_CORE_BOOST_H */
