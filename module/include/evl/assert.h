/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Contracts as code: what a function expects of its callers.
 *
 * Drivers get contracts wrong, so those of the interface are looked at in every
 * build, where that is one cheap test. The caller is refused, and told so by one
 * line in the log for each place:
 *
 *	if (!evl_caller_is_oob(curr))
 *		return -EPERM;
 *
 * What the parts of the core expect of each other is looked at in a build with
 * EVL_DEBUG=y only. Who breaks it gets a line and a backtrace in the log, once
 * for each place, and goes on.
 */
#ifndef EVL_ASSERT_H
#define EVL_ASSERT_H

#include <linux/bug.h>
#include <linux/errno.h>
#include <linux/kernel.h>
#include <linux/once_lite.h>
#include <evl/lock.h>

struct evl_thread;

/* --- In every build ------------------------------------------------------- */

/* Says in the log that @func was called, by the code at @caller, in a context
 * which it is not for. */
void evl_report_caller(const char *func, void *caller, const char *only_for);

#define evl_refuse_caller(__only_for)					\
	({								\
		DO_ONCE_LITE(evl_report_caller, __func__,		\
			     __builtin_return_address(0), __only_for);	\
		false;							\
	})

/*
 * True if the caller, of which @__curr is the thread or NULL if it has none, may
 * wait or switch on the out-of-band stage. It holds no lock, which is not looked
 * at here.
 */
#define evl_caller_is_oob(__curr)					\
	(likely((__curr) && !evl_is_inband(__curr) && !host_in_irq()) || \
	 evl_refuse_caller("out-of-band threads"))

/*
 * The same for who is about to wait: 0 or an error. A thread which a fault took
 * in-band on the way, where a signal keeps it, did nothing wrong: -EINTR. Anyone
 * else has no business here: -EPERM.
 */
int evl_refuse_waiter(struct evl_thread *curr);
/* Is current, which is in-band, one of those who did nothing wrong? */
bool evl_was_sent_inband(struct evl_thread *curr);

#define evl_check_waiter(__curr)					\
	({								\
		struct evl_thread *__w = (__curr);			\
		int __err = 0;						\
									\
		if (unlikely(!__w || evl_is_inband(__w) || host_in_irq())) { \
			__err = evl_refuse_waiter(__w);			\
			if (__err == -EPERM)				\
				evl_refuse_caller("out-of-band threads"); \
		}							\
		__err;							\
	})

/* True if the caller is a thread in-band. */
#define evl_caller_is_inband_thread(__curr)				\
	(likely((__curr) && evl_is_inband(__curr) && !host_in_irq()) ||	\
	 evl_refuse_caller("threads in-band"))

/* True if the caller may sleep in Linux, whoever it is. */
#define evl_caller_is_inband()						\
	(likely(__evl_may_sleep_inband()) ||				\
	 evl_refuse_caller("callers which may sleep in-band"))

/* Irqs of Linux may be off with hard irqs on, and the other way round. */
#define __evl_may_sleep_inband()					\
	(!host_in_irq() && !hard_irqs_disabled() &&			\
	 !evl_current_oob() && !irqs_disabled())

/* --- In a build with EVL_DEBUG=y ------------------------------------------ */

#ifdef EVL_DEBUG

#define evl_assert(__cond)						\
	WARN_ONCE(!(__cond), "evl: %s() expects %s\n", __func__, #__cond)

/* Nobody holds it at all on a kernel for a single CPU, as far as one can see. */
#define evl_assert_locked(__lock)					\
	evl_assert(!IS_ENABLED(CONFIG_SMP) || host_holds_lock(__lock))

#else

/* Has to compile, all the same. */
#define evl_assert(__cond)						\
	do {								\
		if (0)							\
			(void)(__cond);					\
	} while (0)

#define evl_assert_locked(__lock)	evl_assert(host_holds_lock(__lock))

#endif

/* Hard irqs are off, which also keeps the caller on its CPU. */
#define evl_assert_irqs_off()	evl_assert(hard_irqs_disabled())
/* The caller holds no hard lock: user memory may fault, waits may begin. */
#define evl_assert_irqs_on()	evl_assert(!hard_irqs_disabled())
#define evl_assert_no_irq()	evl_assert(!host_in_irq())
/* The caller is a thread on the out-of-band stage, which holds no lock. */
#define evl_assert_oob()	evl_assert(evl_current_oob() && !host_in_irq())
/* The caller may sleep in Linux. */
#define evl_assert_inband()	evl_assert(__evl_may_sleep_inband())

#endif /* !EVL_ASSERT_H */
