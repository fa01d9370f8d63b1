/* SPDX-License-Identifier: GPL-2.0-only */
/* Flags of drivers: what one thread waits for until somebody raises it. */
#ifndef EVL_FLAG_H
#define EVL_FLAG_H

#include <evl/wait.h>

struct evl_flag {
	struct evl_wait_queue wait;
	bool raised;			/* guarded by wait.wchan.lock */
};

#define EVL_FLAG_INITIALIZER(__name)	\
	{ .wait = EVL_WAIT_INITIALIZER((__name).wait), .raised = false }

#define DEFINE_EVL_FLAG(__name)	\
	struct evl_flag __name = EVL_FLAG_INITIALIZER(__name)

void evl_init_flag(struct evl_flag *flag);

static inline void evl_init_flag_on_stack(struct evl_flag *flag)
{
	evl_init_flag(flag);
}

/* Waiters get -EIDRM. */
void evl_destroy_flag(struct evl_flag *flag);

/*
 * Wait until it is raised, and lower it. Out-of-band callers only: -EPERM for
 * others. 0, -EINTR, -ETIMEDOUT, -EIDRM, -EAGAIN if it was pulsed (or with
 * EVL_NONBLOCK).
 */
int evl_wait_flag_timeout(struct evl_flag *flag, ktime_t timeout,
			  enum evl_tmode tmode);

static inline int evl_wait_flag(struct evl_flag *flag)
{
	return evl_wait_flag_timeout(flag, EVL_INFINITE, EVL_REL);
}

/* First in line, or NULL. Lock held. */
static inline struct evl_thread *evl_wait_flag_head(struct evl_flag *flag)
{
	return evl_wait_head(&flag->wait.wchan);
}

/* Wake up all waiters; the first to run lowers it. Any context. The second and
 * third forms leave it to the caller to reschedule, and to lock. As do their like
 * below, they keep interrupts off until all are awake: for flags which few wait for,
 * see evl_flush_wait_locked(). */
void evl_raise_flag(struct evl_flag *flag);
void evl_raise_flag_nosched(struct evl_flag *flag);
void evl_raise_flag_locked(struct evl_flag *flag);
/* Wake up those which wait at the moment, with -EAGAIN; nothing stays. */
void evl_pulse_flag(struct evl_flag *flag);
void evl_pulse_flag_nosched(struct evl_flag *flag);
void evl_pulse_flag_locked(struct evl_flag *flag);
/* Have waits end with @reason, EVL_T_*. */
void evl_flush_flag(struct evl_flag *flag, int reason);
void evl_flush_flag_nosched(struct evl_flag *flag, int reason);

/* Lower it. */
void evl_clear_flag(struct evl_flag *flag);
/* Lower it, tell whether it was raised. */
bool evl_read_flag(struct evl_flag *flag);

static inline bool evl_peek_flag(struct evl_flag *flag)
{
	return READ_ONCE(flag->raised);
}

#endif /* !EVL_FLAG_H */
