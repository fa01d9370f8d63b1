/* SPDX-License-Identifier: MIT */
/* Counting semaphores. */
#ifndef _EVL_SEM_H
#define _EVL_SEM_H

#include <evl/detail/monitor.h>

__EVL_BEGIN_DECLS

struct evl_sem {
	struct __evl_hl_monitor monitor;
};

/* A semaphore created on first use: errors come up then. Name may be NULL. */
#define EVL_SEM_INITIALIZER(__name, __clockfd, __initval, __flags)	\
	__EVL_HL_INIT(evl_sem, __EVL_HL_MONITOR_LAZY(__EVL_HL_SEM,	\
			__name, __clockfd, __initval, __flags))

#define DEFINE_EVL_SEM(__name)	\
	struct evl_sem __name = { __EVL_HL_MONITOR_LAZY(__EVL_HL_SEM, #__name, \
			EVL_CLOCK_MONOTONIC, 0, EVL_CLONE_PRIVATE | __EVL_HL_NAME_HINT) }

/*
 * Creates a semaphore with initval units. flags: EVL_CLONE_PUBLIC, _PRIVATE,
 * _NONBLOCK. Timeouts are on clockfd. In-band, any thread. Returns a
 * descriptor, or -ENXIO before evl_init(), -EINVAL, -EEXIST, -ENAMETOOLONG,
 * -EMFILE, -ENFILE, -ENOMEM.
 */
__evl_api int evl_create_sem(struct evl_sem *sem, int clockfd,
			     int initval, int flags,
			     const char *fmt, ...)
{
	va_list ap;
	int ret;

	if (initval < 0)
		return -EINVAL;

	va_start(ap, fmt);
	ret = __evl_hl_monitor_create(&sem->monitor, __EVL_HL_SEM, clockfd, initval,
				      flags, fmt, ap);
	va_end(ap);

	return ret;
}

/* int evl_new_sem(struct evl_sem *sem, const char *fmt, ...) */
#define evl_new_sem(__sem, ...)	\
	__evl_hl_named(evl_create_sem(__sem, EVL_CLOCK_MONOTONIC, 0, EVL_CLONE_PRIVATE, __VA_ARGS__), \
		       __VA_ARGS__)

/* Binds to a public semaphore by its name, as evl_open_mutex() does. */
__evl_api int evl_open_sem(struct evl_sem *sem, const char *fmt, ...)
{
	va_list ap;
	int ret;

	va_start(ap, fmt);
	ret = __evl_hl_monitor_open(&sem->monitor, __EVL_HL_SEM, fmt, ap);
	va_end(ap);

	return ret;
}

/* True if a free unit was taken. */
__evl_inline bool __evl_hl_take_unit(struct evl_monitor_state *state)
{
	__u32 value = __evl_hl_load(&state->u.event.value);

	while ((__s32)value > 0) {
		if (__evl_hl_cas(&state->u.event.value, &value, value - 1))
			return true;
	}

	return false;
}

/*
 * Takes a unit at once, -EAGAIN if there is none. Any stage, any thread, no
 * request. -EBADF if closed, -EINVAL.
 */
__evl_api int evl_tryget_sem(struct evl_sem *sem)
{
	int ret;

	ret = __evl_hl_monitor_use(&sem->monitor, __EVL_HL_SEM);
	if (ret)
		return ret;

	return __evl_hl_take_unit(sem->monitor.state) ? 0 : -EAGAIN;
}

/*
 * Takes a unit, waiting for one until a date at most. Out-of-band, attached
 * threads. Returns 0, or -ETIMEDOUT, -EINTR if unblocked, -EAGAIN if flushed
 * or with O_NONBLOCK, -EIDRM if closed meanwhile, -EBADF if closed before,
 * -EPERM if not attached and there is no unit, -EINVAL, -EFAULT.
 */
__evl_api int evl_timedget_sem(struct evl_sem *sem, const struct timespec *timeout)
{
	__s32 value = 1;
	int ret;

	ret = evl_tryget_sem(sem);
	if (ret != -EAGAIN)
		return ret;

	return __evl_hl_monitor_wait(&sem->monitor, EVL_MONIOC_WAIT, timeout, &value);
}

/* Same, without a limit. */
__evl_api int evl_get_sem(struct evl_sem *sem)
{
	return evl_timedget_sem(sem, &__evl_hl_forever);
}

/* Hands units to waiters; none has pollers told of the value. */
__evl_slow int __evl_hl_post_sem(struct __evl_hl_monitor *mon, __s32 units)
{
	return __evl_hl_quick(mon->efd, EVL_MONIOC_SIGNAL, &units);
}

/*
 * Adds a unit, or gives it to the first waiter. Any stage, any thread.
 * -EOVERFLOW if there are 2^31-1, -EBADF if closed, -EINVAL.
 */
__evl_api int evl_put_sem(struct evl_sem *sem)
{
	struct evl_monitor_state *state;
	__u32 value;
	int ret;

	ret = __evl_hl_monitor_use(&sem->monitor, __EVL_HL_SEM);
	if (ret)
		return ret;

	state = sem->monitor.state;
	value = __evl_hl_load(&state->u.event.value);
	do {
		if ((__s32)value < 0 || __evl_hl_load(&state->u.event.pollrefs))
			return __evl_hl_post_sem(&sem->monitor, 1);
		if (value == 0x7fffffff)
			return -EOVERFLOW;
	} while (!__evl_hl_cas(&state->u.event.value, &value, value + 1));

	/*
	 * Pollers register before they look at the value, we look for them after we
	 * changed it: one of us sees the other.
	 */
	if (__evl_likely(!__atomic_load_n(&state->u.event.pollrefs, __ATOMIC_SEQ_CST)))
		return 0;

	return __evl_hl_post_sem(&sem->monitor, 0);
}

/*
 * Wakes up all waiters with -EAGAIN: they take no unit. Any stage, any
 * thread. -EBADF if closed, -EINVAL.
 */
__evl_api int evl_flush_sem(struct evl_sem *sem)
{
	__s32 unused = 0;
	int ret;

	ret = __evl_hl_monitor_use(&sem->monitor, __EVL_HL_SEM);
	if (ret)
		return ret;

	return __evl_hl_quick(sem->monitor.efd, EVL_MONIOC_BROADCAST, &unused);
}

/*
 * Tells how many units there are, or minus the number of waiters. Any stage,
 * any thread, no request. -EBADF if closed, -EINVAL.
 */
__evl_api int evl_peek_sem(struct evl_sem *sem, int *r_val)
{
	int ret;

	ret = __evl_hl_monitor_check(&sem->monitor, __EVL_HL_SEM);
	if (ret == 0)
		*r_val = (int)__evl_hl_load(&sem->monitor.state->u.event.value);

	return ret;
}

/* Closes a semaphore: waiters get -EIDRM. In-band, any thread. -EINVAL. */
__evl_api int evl_close_sem(struct evl_sem *sem)
{
	return __evl_hl_monitor_close(&sem->monitor, __EVL_HL_SEM);
}

__EVL_END_DECLS

#endif /* _EVL_SEM_H */
