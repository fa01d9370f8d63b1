/* SPDX-License-Identifier: GPL-2.0-only */
/* What tests of events share: an event, its mutex, and what may be asked of threads. */
#ifndef EVL_TEST_COND_H
#define EVL_TEST_COND_H

#include "puppet.h"
#include <evl/event.h>

struct cond {
	struct evl_mutex mutex;
	struct evl_event event;
	int count;		/* units made, not taken yet */
	atomic_int taken;
	int64_t date;		/* 0 for no limit */
};

__attribute__((unused))
static void new_cond(struct cond *c)
{
	memset(c, 0, sizeof(*c));
	new_mutex(&c->mutex, "cm");
	check_ok(evl_new_event(&c->event, "ce:%d", getpid()));
}

__attribute__((unused))
static bool watched(struct cond *c)
{
	return c->event.monitor.state->u.event.gate_offset != EVL_MONITOR_NOGATE;
}

/* One wait, whatever it is worth, with the mutex held before and after. */
__attribute__((unused))
static int wait_once(struct puppet *p)
{
	struct cond *c = p->arg;
	struct timespec date = ns_ts(c->date);
	int ret, unlocked;

	ret = evl_lock_mutex(&c->mutex);
	if (ret)
		return ret;
	ret = c->date ? evl_timedwait_event(&c->event, &c->mutex, &date) :
		evl_wait_event(&c->event, &c->mutex);
	unlocked = evl_unlock_mutex(&c->mutex);

	return ret == -EIDRM ? ret : unlocked ? unlocked : ret;
}

static int tell_waiters(struct cond *c, int (*tell)(struct evl_event *event))
{
	check_eq(evl_lock_mutex(&c->mutex), 0);
	check_eq(tell(&c->event), 0);
	return evl_unlock_mutex(&c->mutex);
}

__attribute__((unused))
static int signal_once(struct puppet *p)
{
	return tell_waiters(p->arg, evl_signal_event);
}

__attribute__((unused))
static int broadcast_once(struct puppet *p)
{
	return tell_waiters(p->arg, evl_broadcast_event);
}

__attribute__((unused))
static int wait_elsewhere(struct puppet *p)
{
	struct cond *c = p->arg;
	struct evl_mutex other;
	int ret;

	check_ok(evl_new_mutex(&other, "other:%d", getpid()));
	check_eq(evl_lock_mutex(&other), 0);
	ret = evl_wait_event(&c->event, &other);
	check_eq(evl_unlock_mutex(&other), 0);
	check_ok(evl_close_mutex(&other));
	return ret;
}

#endif /* !EVL_TEST_COND_H */
