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
/* The same for @waiter, the first in line, which is woken up to find out. */
bool evl_grant_mutex(struct evl_mutex *mutex, struct evl_thread *waiter);
/* The opposite of all of these, if there is an owner. */
void evl_untrack_owner(struct evl_mutex *mutex, struct evl_chain_walk *walk);
/* Waiters came or went, or a ceiling is to be applied: let the owner know. */
void evl_update_boost(struct evl_mutex *mutex, struct evl_chain_walk *walk);

/* Find out who owns @mutex if nobody is known to. */
void evl_find_owner(struct evl_mutex *mutex);

/* Does @thread wait, directly or not, for @target? No lock held, reschedules; a
 * reference to @thread is dropped. */
bool evl_leads_to(struct evl_thread *thread, struct evl_thread *target);

/* Health: does current, about to wait for @mutex, want to know that the owner is
 * in-band? Then tell it, with no lock held. */
bool evl_minds_inband_owner(struct evl_mutex *mutex, struct evl_thread *curr);
void evl_report_inband_owner(struct evl_thread *curr);

/* Is it a mutex which threads wait for there? */
struct evl_mutex *evl_mutex_of_wchan(struct evl_wait_channel *wchan);

extern const struct evl_gate_ops *evl_gate_ops;

#endif /* !EVL_CORE_BOOST_H */
