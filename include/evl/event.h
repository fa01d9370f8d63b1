/* SPDX-License-Identifier: MIT */
/* Events: condition variables, each used along with a mutex. */
#ifndef _EVL_EVENT_H
#define _EVL_EVENT_H

#include <evl/mutex.h>

__EVL_BEGIN_DECLS

struct evl_event {
	struct __evl_hl_monitor monitor;
};

/* An event created on first use: errors come up then. Name may be NULL. */
#define EVL_EVENT_INITIALIZER(__name, __clockfd, __flags)		\
	__EVL_HL_INIT(evl_event, __EVL_HL_MONITOR_LAZY(__EVL_HL_EVENT,	\
			__name, __clockfd, 0, __flags))

#define DEFINE_EVL_EVENT(__name)	\
	struct evl_event __name = { __EVL_HL_MONITOR_LAZY(__EVL_HL_EVENT, #__name, \
			EVL_CLOCK_MONOTONIC, 0, EVL_CLONE_PRIVATE | __EVL_HL_NAME_HINT) }

/*
 * Creates an event. flags: EVL_CLONE_PUBLIC or _PRIVATE. Timeouts are on
 * clockfd. In-band, any thread. Returns a descriptor, or -ENXIO before
 * evl_init(), -EINVAL, -EEXIST, -ENAMETOOLONG, -EMFILE, -ENFILE, -ENOMEM.
 */
__evl_api int evl_create_event(struct evl_event *event, int clockfd,
			       int flags, const char *fmt, ...)
{
	va_list ap;
	int ret;

	va_start(ap, fmt);
	ret = __evl_hl_monitor_create(&event->monitor, __EVL_HL_EVENT, clockfd, 0,
				      flags, fmt, ap);
	va_end(ap);

	return ret;
}

/* int evl_new_event(struct evl_event *event, const char *fmt, ...) */
#define evl_new_event(__event, ...)	\
	__evl_hl_named(evl_create_event(__event, EVL_CLOCK_MONOTONIC, EVL_CLONE_PRIVATE, __VA_ARGS__), \
		       __VA_ARGS__)

/* Binds to a public event by its name, as evl_open_mutex() does. */
__evl_api int evl_open_event(struct evl_event *event,
			     const char *fmt, ...)
{
	va_list ap;
	int ret;

	va_start(ap, fmt);
	ret = __evl_hl_monitor_open(&event->monitor, __EVL_HL_EVENT, fmt, ap);
	va_end(ap);

	return ret;
}

/* Marks the event, and the mutex which its waiters use, if any. */
__evl_inline int __evl_hl_mark_event(struct __evl_hl_monitor *mon, __u32 marks)
{
	struct __evl_hl_process *home = __evl_hl_home();
	struct evl_monitor_state *gate;
	__u32 offset;
	int ret;

	/* Nobody can wait for an event which does not exist yet. */
	if (__evl_hl_load(&mon->magic) == (__EVL_HL_EVENT | __EVL_HL_LAZY))
		return 0;

	ret = __evl_hl_monitor_check(mon, __EVL_HL_EVENT);
	if (ret)
		return ret;

	offset = __evl_hl_load(&mon->state->u.event.gate_offset);
	if (offset == EVL_MONITOR_NOGATE)
		return 0;

	/* Other processes may write there, by mistake as well. */
	if (offset > home->core.shm_size - sizeof(*gate) || offset % sizeof(__u32))
		return -EINVAL;

	gate = (struct evl_monitor_state *)(void *)(home->shm + offset);
	if (marks)
		__evl_hl_or(&mon->state->flags, marks);
	__evl_hl_or(&gate->flags, (__u32)EVL_MONITOR_SIGNALED);

	return 0;
}

/* A wait, and what it takes to hold the mutex again if it is interrupted. */
struct __evl_hl_unwait {
	struct __evl_hl_monitor *event;
	struct __evl_hl_monitor *gate;
	fundle_t self;
	__u32 nesting;
	struct evl_monitor_waitreq req;
};

__evl_inline int __evl_hl_regain(struct __evl_hl_unwait *unwait)
{
	struct evl_monitor_unwaitreq req;
	int ret;

	req.gatefd = unwait->gate->efd;
	do
		ret = __evl_hl_quick_oob(unwait->event->efd, EVL_MONIOC_UNWAIT, &req);
	while (ret == -EINTR);

	/* Without an event to ask, the gate still is to be entered. */
	if (ret == -EBADF)
		ret = __evl_hl_enter_gate(unwait->gate, &__evl_hl_forever);

	return ret;
}

/* Other owners in the meantime left their own count. */
__evl_inline void __evl_hl_restore_nesting(struct __evl_hl_unwait *unwait)
{
	struct evl_monitor_state *state = unwait->gate->state;

	if (evl_get_index(__evl_hl_load(&state->u.gate.owner)) == unwait->self)
		state->u.gate.nesting = unwait->nesting & 0x7fffffff;
}

/*
 * A thread cancelled while it waits holds the mutex in its own handlers, and has
 * not consumed a signal: if it may have received one, the next waiter gets it
 * when the mutex is unlocked. -EAGAIN leaves that open: either the wait was
 * interrupted, or the way back to the mutex which comes after it.
 */
__evl_inline void __evl_hl_cancel_wait(void *arg)
{
	struct __evl_hl_unwait *unwait = (struct __evl_hl_unwait *)arg;

	__evl_hl_regain(unwait);
	__evl_hl_restore_nesting(unwait);
	if (unwait->req.status == 0 || unwait->req.status == -EAGAIN)
		__evl_hl_mark_event(unwait->event, EVL_MONITOR_SIGNALED);
}

/*
 * The core says in status how the wait went, and by the result whether we got
 * the mutex back. If not, that is up to us.
 */
__evl_inline int __evl_hl_wait_once(struct __evl_hl_unwait *unwait, __u64 timeout_ptr)
{
	struct evl_monitor_waitreq *req = &unwait->req;
	int ret, regain;

	memset(req, 0, sizeof(*req));
	req->timeout_ptr = timeout_ptr;
	req->gatefd = unwait->gate->efd;
	req->status = __EVL_HL_NO_STATUS;
	req->value = -1;

	/* What tells that the mutex is not ours any more comes before how the
	 * wait went. */
	ret = __evl_hl_ioctl_undo(unwait->event->efd, EVL_MONIOC_WAIT, req,
				  __evl_hl_cancel_wait, unwait);
	if (ret == 0)
		return req->status;
	if (ret == -EIDRM)
		return ret;

	regain = __evl_hl_regain(unwait);
	if (ret != -EINTR)
		return ret;
	if (regain)
		return regain;

	/*
	 * -EAGAIN (0 from upstream's core) if a signal was handled on the way. The
	 * event may have been signaled while nobody was in line, and is not
	 * remembered: the caller has to look at what it waits for. The same if a
	 * signal kept the core from looking at the request.
	 */
	return req->status == -EAGAIN || req->status == __EVL_HL_NO_STATUS ? 0 : req->status;
}

/*
 * Releases the mutex, waits for the event until a date at most, gets the
 * mutex back, whatever the outcome but -EIDRM. Threads may be woken up for
 * nothing, by a signal they handle for instance: check for what is waited for in
 * a loop. Out-of-band, attached threads. Returns 0, or -ETIMEDOUT,
 * -EINTR if unblocked, -EPERM if not attached or the mutex is not held,
 * -EBADFD if others wait for this event with another mutex, -EIDRM if closed
 * meanwhile, -EBADF if closed before, -EINVAL, -EFAULT.
 */
__evl_api int evl_timedwait_event(struct evl_event *event, struct evl_mutex *mutex,
				  const struct timespec *timeout)
{
	struct __evl_hl_thread *self = __evl_hl_self();
	struct __evl_hl_unwait unwait;
	struct __evl_timespec bounce;
	__u64 timeout_ptr;
	int ret;

	if (self->window == NULL)
		return -EPERM;

	ret = __evl_hl_monitor_check(&mutex->monitor, __EVL_HL_MUTEX);
	if (ret)
		return ret;

	if (evl_get_index(__evl_hl_load(&mutex->monitor.state->u.gate.owner)) != self->handle)
		return -EPERM;

	ret = __evl_hl_monitor_use(&event->monitor, __EVL_HL_EVENT);
	if (ret)
		return ret;

	timeout_ptr = __evl_hl_date(&bounce, timeout);
	unwait.event = &event->monitor;
	unwait.gate = &mutex->monitor;
	unwait.self = self->handle;
	unwait.nesting = mutex->monitor.state->u.gate.nesting;

	ret = __evl_hl_wait_once(&unwait, timeout_ptr);
	__evl_hl_restore_nesting(&unwait);

	return ret;
}

/* Same, without a limit. */
__evl_api int evl_wait_event(struct evl_event *event, struct evl_mutex *mutex)
{
	return evl_timedwait_event(event, mutex, &__evl_hl_forever);
}

/*
 * Wakes up one of the waiters, first in priority order, as soon as the mutex
 * is unlocked. Nothing is remembered if nobody waits. To be called with the
 * mutex held. Any stage, no request. -EBADF if closed, -EINVAL.
 */
__evl_api int evl_signal_event(struct evl_event *event)
{
	return __evl_hl_mark_event(&event->monitor, EVL_MONITOR_SIGNALED);
}

/* Same, for all waiters. */
__evl_api int evl_broadcast_event(struct evl_event *event)
{
	return __evl_hl_mark_event(&event->monitor, EVL_MONITOR_SIGNALED | EVL_MONITOR_BROADCAST);
}

/*
 * Same, for the thread thrfd only, if it waits for this event. Out-of-band,
 * attached threads. -EPERM, -EINVAL, -EBADF, -ESTALE.
 */
__evl_api int evl_signal_thread(struct evl_event *event, int thrfd)
{
	__u32 efd;
	int ret;

	ret = __evl_hl_monitor_use(&event->monitor, __EVL_HL_EVENT);
	if (ret)
		return ret;

	ret = __evl_hl_mark_event(&event->monitor, 0);
	if (ret)
		return ret;

	efd = (__u32)event->monitor.efd;
	return __evl_hl_thread_code(__evl_hl_quick_oob(thrfd, EVL_THRIOC_SIGNAL, &efd));
}

/* Closes an event: waiters get -EIDRM. In-band, any thread. -EINVAL. */
__evl_api int evl_close_event(struct evl_event *event)
{
	return __evl_hl_monitor_close(&event->monitor, __EVL_HL_EVENT);
}

__EVL_END_DECLS

#endif /* _EVL_EVENT_H */
