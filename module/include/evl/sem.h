/* SPDX-License-Identifier: GPL-2.0-only */
/* Counting semaphores of drivers. */
#ifndef EVL_SEM_H
#define EVL_SEM_H

#include <evl/wait.h>

struct evl_ksem {
	struct evl_wait_queue wait;
	unsigned int value;
};

#define EVL_KSEM_INITIALIZER(__name, __value)			\
	{							\
		.wait = EVL_WAIT_INITIALIZER((__name).wait),	\
		.value = (__value),				\
	}

#define DEFINE_EVL_KSEM(__name, __value)			\
	struct evl_ksem __name = EVL_KSEM_INITIALIZER(__name, __value)

void evl_init_ksem(struct evl_ksem *ksem, unsigned int value);
/* Waiters get -EIDRM. */
void evl_destroy_ksem(struct evl_ksem *ksem);

/* Out-of-band callers only: -EPERM for others. 0, -EINTR, -EIDRM, and -ETIMEDOUT from @timeout on,
 * which is a date. */
int evl_down_timeout(struct evl_ksem *ksem, ktime_t timeout);
/* Any context. 0 or -EAGAIN. */
int evl_trydown(struct evl_ksem *ksem);
/* Any context. */
void evl_up(struct evl_ksem *ksem);
/* Wake up all waiters, which get 0 without a unit, and leave none. */
void evl_broadcast(struct evl_ksem *ksem);

static inline int evl_down(struct evl_ksem *ksem)
{
	return evl_down_timeout(ksem, EVL_INFINITE);
}

#endif /* !EVL_SEM_H */
