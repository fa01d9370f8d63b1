/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Threads of drivers on the out-of-band stage. Each is an element of the thread
 * class too: it has its attributes in sysfs, and a public one is /dev/evl/thread/<name>.
 */
#ifndef EVL_KTHREAD_H
#define EVL_KTHREAD_H

#include <linux/completion.h>
#include <evl/thread.h>
#include <evl/factory-abi.h>

struct evl_thread_element;

/* Belongs to the driver from evl_run_kthread() to evl_stop_kthread() or
 * evl_join_kthread(). Its members are private. */
struct evl_kthread {
	void (*fn)(void *arg);
	void *arg;
	int priority;
	struct completion ended;
	struct evl_thread_element *te;
};

/*
 * Start a thread which runs @fn(@arg) out-of-band, under SCHED_FIFO at
 * @priority, or weak if that is not positive. It leaves the core when @fn
 * returns, on either stage. @cpu is negative for any. In-band, may sleep.
 *
 * @clone_flags: EVL_CLONE_PUBLIC, EVL_CLONE_OBSERVABLE for its health to be told of
 * to whoever subscribes by its node, EVL_CLONE_UNICAST then to one of them each.
 *
 * 0, -EEXIST (name in use), -EINVAL (priority, flags, name, CPU), -ENAMETOOLONG,
 * -ENOMEM, -ENXIO (core stopped), -EPERM (caller out-of-band, or atomic).
 */
__printf(7, 8)
int __evl_run_kthread(struct evl_kthread *kthread, int cpu,
		      void (*fn)(void *arg), void *arg, int priority,
		      int clone_flags, const char *fmt, ...);

#define evl_run_kthread(__kthread, __fn, __arg, __priority, __clone_flags,	\
			__fmt, ...)						\
	__evl_run_kthread(__kthread, -1, __fn, __arg, __priority,		\
			  __clone_flags, __fmt, ##__VA_ARGS__)

#define evl_run_kthread_on_cpu(__kthread, __cpu, __fn, __arg, __priority,	\
			       __clone_flags, __fmt, ...)			\
	({									\
		int __c = (__cpu);						\
		__c < 0 ? -EINVAL :						\
			__evl_run_kthread(__kthread, __c, __fn, __arg,		\
					  __priority, __clone_flags, __fmt,	\
					  ##__VA_ARGS__);			\
	})

/*
 * Ask @kthread to return, and wait until it did: from now on its blocking calls
 * return -EINTR, and evl_kthread_should_stop() is true. In-band, may sleep.
 */
void evl_stop_kthread(struct evl_kthread *kthread);
/* The same, without asking. */
void evl_join_kthread(struct evl_kthread *kthread);

/* By a thread of this kind: true once it should return. */
bool evl_kthread_should_stop(void);
/* The caller, NULL if it is not one of them. Any stage but irqs. */
struct evl_kthread *evl_current_kthread(void);

/* 0 or -EINVAL. Any stage. */
int evl_set_kthread_priority(struct evl_kthread *kthread, int priority);
/* End its current wait with @reason, some microseconds later maybe if hard irqs are
 * off. Any stage, not under the lock of a channel. */
void evl_unblock_kthread(struct evl_kthread *kthread, int reason);

#endif /* !EVL_KTHREAD_H */
