/* SPDX-License-Identifier: MIT */
/*
 * What mutexes, events, semaphores and flags have in common: a monitor of
 * the core, the state shared with it, and a way to create it on first use.
 */
#ifndef _EVL_DETAIL_MONITOR_H
#define _EVL_DETAIL_MONITOR_H

#include <evl/syscall.h>
#include <evl/atomic.h>
#include <evl/detail/element.h>
#include <evl/clock-abi.h>
#include <evl/monitor-abi.h>

/* The magic word of a monitor tells its kind and how far along it is. */
#define __EVL_HL_MUTEX		0x4d585410U
#define __EVL_HL_EVENT		0x4d585420U
#define __EVL_HL_SEM		0x4d585430U
#define __EVL_HL_FLAGS		0x4d585440U

#define __EVL_HL_LAZY		1U	/* created on first use */
#define __EVL_HL_LIVE		2U
#define __EVL_HL_CLOSED		3U

/* Creation flags which stay in the library. */
#define EVL_MUTEX_NORMAL	(0 << 0)
#define EVL_MUTEX_RECURSIVE	(1 << 0)
#define __EVL_HL_NAME_HINT	(1 << 15)	/* name may be altered if taken */

/*
 * magic is written last, with release semantics: whoever reads LIVE there may
 * use what comes with it. initval is a ceiling for a mutex.
 */
struct __evl_hl_monitor {
	__u32 magic;
	int efd;
	fundle_t fundle;
	__u32 protocol;
	struct evl_monitor_state *state;
	const char *name;
	int clockfd;
	int initval;
	int flags;
};

#define __EVL_HL_MONITOR_LAZY(__kind, __name, __clockfd, __initval, __flags)	\
	{ (__kind) | __EVL_HL_LAZY, -1, EVL_NO_HANDLE, 0, NULL,			\
	  __name, __clockfd, __initval, __flags }

__EVL_BEGIN_DECLS

__evl_inline __u32 __evl_hl_monitor_type(__u32 kind)
{
	return kind == __EVL_HL_MUTEX ? EVL_MONITOR_GATE : EVL_MONITOR_EVENT;
}

__evl_inline void __evl_hl_fill_attrs(struct evl_monitor_attrs *attrs, __u32 kind,
				      int clockfd, int initval)
{
	memset(attrs, 0, sizeof(*attrs));
	attrs->clockfd = (__u32)clockfd;
	attrs->type = __evl_hl_monitor_type(kind) & 3;
	attrs->initval = (__u32)initval;

	if (kind == __EVL_HL_MUTEX)
		attrs->protocol = initval ? EVL_GATE_PP : EVL_GATE_PI;
	else if (kind == __EVL_HL_SEM)
		attrs->protocol = EVL_EVENT_COUNT;
	else if (kind == __EVL_HL_FLAGS)
		attrs->protocol = EVL_EVENT_MASK;
	else
		attrs->protocol = EVL_EVENT_GATED;
}

__evl_inline void __evl_hl_publish(struct __evl_hl_monitor *mon, __u32 kind, int efd,
				   __u32 protocol, const struct evl_element_ids *eids)
{
	mon->efd = efd;
	mon->fundle = eids->fundle;
	mon->protocol = protocol;
	mon->state = (struct evl_monitor_state *)(void *)
		(__evl_hl_home()->shm + eids->state_offset);
	__evl_hl_store(&mon->magic, kind | __EVL_HL_LIVE);
}

/* The core knows nothing of recursion, it is a matter among users. */
__evl_inline void __evl_hl_set_recursive(const struct evl_element_ids *eids, int flags)
{
	struct evl_monitor_state *state = (struct evl_monitor_state *)(void *)
		(__evl_hl_home()->shm + eids->state_offset);

	state->u.gate.recursive = (flags & EVL_MUTEX_RECURSIVE) != 0;
}

__evl_inline __evl_printf(6, 0) int __evl_hl_monitor_create(struct __evl_hl_monitor *mon,
							   __u32 kind, int clockfd,
							   int initval, int flags,
							   const char *fmt, va_list ap)
{
	int cancel_state = __evl_hl_hold_cancel(), efd;
	struct evl_monitor_attrs attrs;
	struct evl_element_ids eids;

	__evl_hl_fill_attrs(&attrs, kind, clockfd, initval);
	efd = __evl_hl_create_vargs(EVL_MONITOR_DEV, &attrs, flags, &eids, fmt, ap);
	if (efd >= 0) {
		if (kind == __EVL_HL_MUTEX)
			__evl_hl_set_recursive(&eids, flags);
		__evl_hl_publish(mon, kind, efd, attrs.protocol, &eids);
	}
	__evl_hl_allow_cancel(cancel_state);

	return efd;
}

__evl_inline int __evl_hl_monitor_bind(struct __evl_hl_monitor *mon, __u32 kind, int efd)
{
	struct evl_monitor_binding bind;
	struct evl_monitor_attrs wanted;
	int ret;

	memset(&bind, 0, sizeof(bind));
	ret = __evl_hl_ioctl_inband(efd, EVL_MONIOC_BIND, &bind);
	if (ret == 0) {
		/* Both protocols of a gate make a mutex. */
		__evl_hl_fill_attrs(&wanted, kind, 0, 0);
		if (bind.type != wanted.type ||
		    (kind != __EVL_HL_MUTEX && bind.protocol != wanted.protocol))
			ret = -EINVAL;
	}

	if (ret) {
		close(efd);
		return ret;
	}

	__evl_hl_publish(mon, kind, efd, bind.protocol, &bind.eids);

	return efd;
}

__evl_inline __evl_printf(3, 0) int __evl_hl_monitor_open(struct __evl_hl_monitor *mon,
							 __u32 kind, const char *fmt,
							 va_list ap)
{
	int cancel_state = __evl_hl_hold_cancel(), ret;

	ret = __evl_hl_open_vargs(EVL_MONITOR_DEV, fmt, ap);
	if (ret >= 0)
		ret = __evl_hl_monitor_bind(mon, kind, ret);
	__evl_hl_allow_cancel(cancel_state);

	return ret;
}

/*
 * Names are unique in a process, those of public elements in the system. The
 * DEFINE_EVL_* macros only say what a variable is called: neither two runs of a
 * program, nor two variables, must clash.
 */
__evl_inline int __evl_hl_create_lazy(struct __evl_hl_monitor *mon, __u32 kind)
{
	char name[__EVL_HL_NAME_MAX + 1];
	struct evl_monitor_attrs attrs;
	struct evl_element_ids eids;
	int efd;

	__evl_hl_fill_attrs(&attrs, kind, mon->clockfd, mon->initval);
	efd = __evl_hl_create_named(EVL_MONITOR_DEV, mon->name, &attrs, mon->flags, &eids);
	if (efd == -EEXIST && (mon->flags & __EVL_HL_NAME_HINT)) {
		snprintf(name, sizeof(name), "%.200s.%d", mon->name, (int)getpid());
		efd = __evl_hl_create_named(EVL_MONITOR_DEV, name, &attrs,
					    mon->flags, &eids);
	}
	if (efd == -EEXIST && (mon->flags & __EVL_HL_NAME_HINT))
		efd = __evl_hl_create_named(EVL_MONITOR_DEV, NULL, &attrs,
					    mon->flags, &eids);
	if (efd < 0)
		return efd;

	if (kind == __EVL_HL_MUTEX)
		__evl_hl_set_recursive(&eids, mon->flags);

	__evl_hl_publish(mon, kind, efd, attrs.protocol, &eids);

	return 0;
}

/* Two threads may come first: one creates, the other finds it done. */
__evl_cold int __evl_hl_monitor_first_use(struct __evl_hl_monitor *mon, __u32 kind)
{
	struct __evl_hl_process *home;
	int cancel_state, ret = 0;
	__u32 magic;

	magic = __evl_hl_load(&mon->magic);
	if (magic == (kind | __EVL_HL_CLOSED))
		return -EBADF;
	if (magic != (kind | __EVL_HL_LAZY))
		return -EINVAL;

	home = __evl_hl_home();
	cancel_state = __evl_hl_lock_process(home);
	if (__evl_hl_load(&mon->magic) == (kind | __EVL_HL_LAZY))
		ret = __evl_hl_create_lazy(mon, kind);
	__evl_hl_unlock_process(home, cancel_state);

	return ret;
}

/* To be called before anything else is done with a monitor. */
__evl_inline int __evl_hl_monitor_use(struct __evl_hl_monitor *mon, __u32 kind)
{
	if (__evl_likely(__evl_hl_load(&mon->magic) == (kind | __EVL_HL_LIVE)))
		return 0;

	return __evl_hl_monitor_first_use(mon, kind);
}

/* Same, for calls on which nothing is worth creating. */
__evl_inline int __evl_hl_monitor_check(struct __evl_hl_monitor *mon, __u32 kind)
{
	__u32 magic = __evl_hl_load(&mon->magic);

	if (__evl_likely(magic == (kind | __EVL_HL_LIVE)))
		return 0;

	return magic == (kind | __EVL_HL_CLOSED) ? -EBADF : -EINVAL;
}

__evl_inline int __evl_hl_monitor_close(struct __evl_hl_monitor *mon, __u32 kind)
{
	int cancel_state = __evl_hl_hold_cancel(), ret = 0;
	__u32 magic;

	magic = __atomic_exchange_n(&mon->magic, kind | __EVL_HL_CLOSED, __ATOMIC_ACQ_REL);
	if (magic == (kind | __EVL_HL_LIVE)) {
		ret = close(mon->efd) ? -errno : 0;
	} else if (magic != (kind | __EVL_HL_LAZY)) {
		__evl_hl_store(&mon->magic, magic);
		ret = -EINVAL;
	}
	__evl_hl_allow_cancel(cancel_state);

	return ret;
}

/* The state where a date is expected, and no limit is meant. */
static const struct timespec __evl_hl_forever __attribute__((unused)) = { 0, 0 };

/* The status of a wait of which the core has not told the end. */
#define __EVL_HL_NO_STATUS	(-EINPROGRESS)

struct __evl_hl_wait {
	struct __evl_hl_monitor *mon;
	struct evl_monitor_waitreq req;
};

/* Whoever is cancelled has taken neither a unit nor bits. */
__evl_inline void __evl_hl_undo_wait(void *arg)
{
	struct __evl_hl_wait *wait = (struct __evl_hl_wait *)arg;

	if (wait->req.status == 0)
		__evl_hl_quick(wait->mon->efd, EVL_MONIOC_SIGNAL, &wait->req.value);
}

/* Waits on a semaphore, for one unit, or on flags. */
__evl_slow int __evl_hl_monitor_wait(struct __evl_hl_monitor *mon, unsigned long request,
				     const struct timespec *timeout, __s32 *value)
{
	struct __evl_hl_wait wait;
	struct __evl_timespec bounce;
	int ret;

	memset(&wait.req, 0, sizeof(wait.req));
	wait.mon = mon;
	wait.req.timeout_ptr = __evl_hl_date(&bounce, timeout);
	wait.req.gatefd = -1;
	wait.req.status = __EVL_HL_NO_STATUS;
	wait.req.value = *value;

	ret = __evl_hl_ioctl_undo(mon->efd, request, &wait.req, __evl_hl_undo_wait, &wait);
	if (ret)
		return ret;

	*value = wait.req.value;
	return wait.req.status;
}

__EVL_END_DECLS

#endif /* _EVL_DETAIL_MONITOR_H */
