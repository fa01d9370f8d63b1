/* SPDX-License-Identifier: MIT */
/*
 * Mutexes, with priority inheritance, or with a ceiling: the priority which
 * the owner gets while it holds the mutex. Nobody enters the core to lock or
 * to unlock one which no other thread wants.
 */
#ifndef _EVL_MUTEX_H
#define _EVL_MUTEX_H

#include <evl/detail/monitor.h>
#include <evl/thread-abi.h>

__EVL_BEGIN_DECLS

struct evl_mutex {
	struct __evl_hl_monitor monitor;
};

/* Ceilings are unsigned, the initial value of a monitor is not. */
#ifdef __cplusplus
constexpr int __evl_hl_ceiling(unsigned int ceiling)
{
	return static_cast<int>(ceiling);
}
#else
#define __evl_hl_ceiling(__ceiling)	((int)(__ceiling))
#endif

/* A mutex created on first use: errors come up then. Name may be NULL. */
#define EVL_MUTEX_INITIALIZER(__name, __clockfd, __ceiling, __flags)	\
	__EVL_HL_INIT(evl_mutex, __EVL_HL_MONITOR_LAZY(__EVL_HL_MUTEX,	\
			__name, __clockfd, __evl_hl_ceiling(__ceiling), __flags))

#define DEFINE_EVL_MUTEX(__name)	\
	struct evl_mutex __name = { __EVL_HL_MONITOR_LAZY(__EVL_HL_MUTEX, #__name, \
			EVL_CLOCK_MONOTONIC, 0, EVL_MUTEX_NORMAL | __EVL_HL_NAME_HINT) }

/*
 * Creates a mutex. ceiling 1..99 means priority protection, 0 inheritance.
 * flags: EVL_MUTEX_NORMAL or _RECURSIVE, EVL_CLONE_PUBLIC or _PRIVATE.
 * Timeouts are on clockfd. In-band, any thread. Returns a descriptor, or
 * -ENXIO before evl_init(), -EINVAL, -EEXIST, -ENAMETOOLONG, -EMFILE,
 * -ENFILE, -ENOMEM, -EAGAIN.
 */
__evl_api int evl_create_mutex(struct evl_mutex *mutex, int clockfd,
			       unsigned int ceiling, int flags,
			       const char *fmt, ...)
{
	va_list ap;
	int ret;

	if (ceiling > 99)
		return -EINVAL;

	va_start(ap, fmt);
	ret = __evl_hl_monitor_create(&mutex->monitor, __EVL_HL_MUTEX, clockfd,
				      (int)ceiling, flags, fmt, ap);
	va_end(ap);

	return ret;
}

/* int evl_new_mutex(struct evl_mutex *mutex, const char *fmt, ...) */
#define evl_new_mutex(__mutex, ...)	\
	__evl_hl_named(evl_create_mutex(__mutex, EVL_CLOCK_MONOTONIC, 0, EVL_MUTEX_NORMAL, __VA_ARGS__), \
		       __VA_ARGS__)

/*
 * Binds to a public mutex by its name. In-band, any thread. Returns a
 * descriptor, or -ENXIO before evl_init(), -ENOENT, -EINVAL if the name is
 * that of something else.
 */
__evl_api int evl_open_mutex(struct evl_mutex *mutex,
			     const char *fmt, ...)
{
	va_list ap;
	int ret;

	va_start(ap, fmt);
	ret = __evl_hl_monitor_open(&mutex->monitor, __EVL_HL_MUTEX, fmt, ap);
	va_end(ap);

	return ret;
}

/* Whoever of these asks the core, it knows more than the shared words. */
#define __EVL_HL_SLOW_LOCK	(EVL_T_INBAND | EVL_T_WEAK | EVL_T_WOLI)
#define __EVL_HL_SLOW_UNLOCK	(EVL_T_WEAK | EVL_T_WOLI)

__evl_inline int __evl_hl_relock(struct evl_monitor_state *state)
{
	if (!state->u.gate.recursive)
		return -EDEADLK;

	if (state->u.gate.nesting == 0x7fffffff)
		return -EAGAIN;

	state->u.gate.nesting++;
	return 0;
}

/*
 * Takes a free gate by an exchange. Positive if the core has to be asked.
 *
 * A ceiling is applied lazily: the handle of the gate goes to the window
 * first, then the owner word changes. If we are preempted in between, the
 * core finds that we do not own the gate, and forgets. There is room for one
 * handle only, so a nested ceiling is for the core.
 */
__evl_inline int __evl_hl_grab_gate(struct __evl_hl_monitor *mon, struct __evl_hl_thread *self)
{
	struct evl_monitor_state *state = mon->state;
	struct evl_user_window *window = self->window;
	bool lazy = mon->protocol == EVL_GATE_PP;
	__u32 owner = EVL_NO_HANDLE;

	if (__evl_unlikely((__evl_hl_load(&window->state) & __EVL_HL_SLOW_LOCK) ||
			   (lazy && __evl_hl_load(&window->pp_pending)))) {
		owner = __evl_hl_load(&state->u.gate.owner);
		return evl_get_index(owner) == self->handle ? __evl_hl_relock(state) : 1;
	}

	if (lazy)
		__atomic_store_n(&window->pp_pending, mon->fundle, __ATOMIC_SEQ_CST);

	if (__evl_likely(__evl_hl_cas(&state->u.gate.owner, &owner, self->handle))) {
		state->u.gate.nesting = 1;
		if (__evl_unlikely(__evl_hl_load(&state->flags) & EVL_MONITOR_SIGNALED))
			__evl_hl_and(&state->flags, ~(__u32)EVL_MONITOR_SIGNALED);
		return 0;
	}

	if (lazy)
		__evl_hl_store(&window->pp_pending, EVL_NO_HANDLE);

	return evl_get_index(owner) == self->handle ? __evl_hl_relock(state) : 1;
}

__evl_inline int __evl_hl_begin_lock(struct evl_mutex *mutex)
{
	struct __evl_hl_thread *self = __evl_hl_self();
	int ret;

	if (__evl_unlikely(self->window == NULL))
		return -EPERM;

	ret = __evl_hl_monitor_use(&mutex->monitor, __EVL_HL_MUTEX);
	if (__evl_unlikely(ret))
		return ret;

	return __evl_hl_grab_gate(&mutex->monitor, self);
}

/* Enters through the core, which has us wait for the owner to leave. */
__evl_slow int __evl_hl_enter_gate(struct __evl_hl_monitor *mon,
				   const struct timespec *timeout)
{
	struct __evl_timespec bounce;
	int ret;

	do {
		ret = __evl_hl_quick_oob(mon->efd, EVL_MONIOC_ENTER,
					 (void *)(uintptr_t)__evl_hl_date(&bounce, timeout));
	} while (ret == -EINTR);

	if (ret == 0)
		mon->state->u.gate.nesting = 1;

	return ret;
}

__evl_slow int __evl_hl_tryenter_gate(struct __evl_hl_monitor *mon)
{
	int ret;

	do
		ret = __evl_hl_quick_oob(mon->efd, EVL_MONIOC_TRYENTER, NULL);
	while (ret == -EINTR);

	if (ret == 0)
		mon->state->u.gate.nesting = 1;

	return ret == -EBUSY ? -EAGAIN : ret;
}

/*
 * Locks a mutex, waiting until a date at most. Signals and forced unblocking
 * do not end the wait, nor does being cancelled: this is no cancellation
 * point. Out-of-band, attached threads. Returns 0, or -EPERM if
 * not attached, -ETIMEDOUT, -EDEADLK if the caller holds this normal mutex or
 * waiting would close a cycle, -EAGAIN if locked too often, -EIDRM if closed
 * meanwhile, -EBADF if closed before, -EOWNERDEAD if its owner has gone,
 * -EINVAL, -EFAULT, and what creating it on first use gives.
 */
__evl_api int evl_timedlock_mutex(struct evl_mutex *mutex, const struct timespec *timeout)
{
	int ret;

	ret = __evl_hl_begin_lock(mutex);
	if (__evl_likely(ret <= 0))
		return ret;

	return __evl_hl_enter_gate(&mutex->monitor, timeout);
}

/* Same, without a limit. */
__evl_api int evl_lock_mutex(struct evl_mutex *mutex)
{
	return evl_timedlock_mutex(mutex, &__evl_hl_forever);
}

/* Same, but -EAGAIN at once if another thread holds the mutex. */
__evl_api int evl_trylock_mutex(struct evl_mutex *mutex)
{
	int ret;

	ret = __evl_hl_begin_lock(mutex);
	if (__evl_likely(ret <= 0))
		return ret;

	return __evl_hl_tryenter_gate(&mutex->monitor);
}

/* Leaves through the core, which wakes up whoever waits. */
__evl_slow int __evl_hl_exit_gate(struct __evl_hl_monitor *mon)
{
	int ret;

	do
		ret = __evl_hl_quick_oob(mon->efd, EVL_MONIOC_EXIT, NULL);
	while (ret == -EINTR);

	return ret;
}

/*
 * Unlocks a mutex, which lets signaled events wake up threads. Any stage,
 * attached threads. -EPERM if the caller does not hold it, -EBADF if closed,
 * -EINVAL.
 */
__evl_api int evl_unlock_mutex(struct evl_mutex *mutex)
{
	struct __evl_hl_monitor *mon = &mutex->monitor;
	struct __evl_hl_thread *self = __evl_hl_self();
	struct evl_monitor_state *state;
	__u32 mode, owner;
	int ret;

	/* The handle of nobody is also what a free mutex holds. */
	if (__evl_unlikely(self->window == NULL))
		return -EPERM;

	ret = __evl_hl_monitor_check(mon, __EVL_HL_MUTEX);
	if (__evl_unlikely(ret))
		return ret;

	state = mon->state;
	mode = __evl_hl_load(&self->window->state);
	owner = __evl_hl_load(&state->u.gate.owner);
	if (__evl_unlikely(evl_get_index(owner) != self->handle)) {
		/* If it was asked to watch, the core wants to know. */
		return mode & EVL_T_WOLI ? __evl_hl_exit_gate(mon) : -EPERM;
	}

	if (__evl_unlikely(state->u.gate.nesting > 1)) {
		state->u.gate.nesting--;
		return 0;
	}

	if (__evl_unlikely((mode & __EVL_HL_SLOW_UNLOCK) ||
			   (__evl_hl_load(&state->flags) & EVL_MONITOR_SIGNALED)))
		return __evl_hl_exit_gate(mon);

	/* Fails if the core has left a mark: waiters, ceiling. */
	owner = self->handle;
	if (__evl_unlikely(!__evl_hl_cas(&state->u.gate.owner, &owner, EVL_NO_HANDLE)))
		return __evl_hl_exit_gate(mon);

	if (mon->protocol == EVL_GATE_PP)
		__evl_hl_store(&self->window->pp_pending, EVL_NO_HANDLE);

	return 0;
}

/*
 * Changes the ceiling (1..99) of a mutex which has one, for the next time it
 * is locked. Any stage, any thread. -EINVAL.
 */
__evl_api int evl_set_mutex_ceiling(struct evl_mutex *mutex, unsigned int ceiling)
{
	struct __evl_hl_monitor *mon = &mutex->monitor;
	struct __evl_hl_process *home;
	int cancel_state, ret = 0;

	if (ceiling == 0 || ceiling > 99)
		return -EINVAL;

	if (__evl_hl_load(&mon->magic) == (__EVL_HL_MUTEX | __EVL_HL_LAZY)) {
		home = __evl_hl_home();
		cancel_state = __evl_hl_lock_process(home);
		if (mon->initval)
			mon->initval = (int)ceiling;
		else
			ret = -EINVAL;
		__evl_hl_unlock_process(home, cancel_state);
		/* If somebody created it meanwhile, below is for us, too. */
		if (ret || __evl_hl_load(&mon->magic) == (__EVL_HL_MUTEX | __EVL_HL_LAZY))
			return ret;
	}

	if (__evl_hl_monitor_check(mon, __EVL_HL_MUTEX) || mon->protocol != EVL_GATE_PP)
		return -EINVAL;

	__evl_hl_store(&mon->state->u.gate.ceiling, ceiling);
	return 0;
}

/* Any stage, any thread. Returns the ceiling of a mutex, 0 if it has none, or -EINVAL. */
__evl_api int evl_get_mutex_ceiling(struct evl_mutex *mutex)
{
	struct __evl_hl_monitor *mon = &mutex->monitor;

	if (__evl_hl_load(&mon->magic) == (__EVL_HL_MUTEX | __EVL_HL_LAZY))
		return mon->initval;

	if (__evl_hl_monitor_check(mon, __EVL_HL_MUTEX))
		return -EINVAL;

	if (mon->protocol != EVL_GATE_PP)
		return 0;

	return (int)__evl_hl_load(&mon->state->u.gate.ceiling);
}

/*
 * Closes a mutex: threads which wait for it get -EIDRM. In-band, any thread.
 * -EINVAL if not open.
 */
__evl_api int evl_close_mutex(struct evl_mutex *mutex)
{
	return __evl_hl_monitor_close(&mutex->monitor, __EVL_HL_MUTEX);
}

__EVL_END_DECLS

#endif /* _EVL_MUTEX_H */
