/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The events of the core, as tracefs, perf and BPF have them: events/evl. See
 * doc/tracing.md for what they are good for.
 *
 * They are hit in any context, with locks of the core held and hard irqs off: what
 * goes into an event is copied from objects which are stable there, without a lock.
 * Whoever adds one calls it by evl_tracepoint(), never by its own name.
 */
#undef TRACE_SYSTEM
#define TRACE_SYSTEM evl

#if !defined(EVL_CORE_TRACE_H) || defined(TRACE_HEADER_MULTI_READ)
#define EVL_CORE_TRACE_H

#include <linux/tracepoint.h>
#include <asm/syscall.h>
#include <evl/factory-abi.h>
#include <evl/signal-abi.h>
#include <evl/syscall-abi.h>
#include <evl/thread.h>

#ifndef evl_tracepoint
/*
 * Hit event @__event, one instruction if nobody wants it. Hosts say what has to hold
 * meanwhile: an event may come while Linux, interrupted by it, is about to write
 * another one, or does not expect this CPU to read anything.
 */
#define evl_tracepoint(__event, __args...)			\
	do {							\
		if (trace_##__event##_enabled()) {		\
			struct host_trace __ht = host_trace_begin(); \
								\
			trace_##__event(__args);		\
			host_trace_end(__ht);			\
		}						\
	} while (0)

/*
 * Somebody wants an event, and nobody does any more. Linux would let the module go all
 * the same, and forget what was set up to happen on its events; but it remembers some
 * of that (event triggers), which then looks at what is gone. Hence these keep it.
 */
int evl_hold_events(void);
void evl_release_events(void);
/* How many are wanted. */
int evl_count_events(void);

/* 0 for what stands for Linux, and for a thread which has no task yet. */
static inline pid_t evl_trace_pid(const struct evl_thread *thread)
{
	struct task_struct *task = READ_ONCE(thread->host.task);

	return task ? task->pid : 0;
}
#endif

/* The letters of EVL_THREAD_STATE_LABELS, and "." for a thread which just runs. */
#define EVL_TRACE_STATES						\
	(EVL_T_SUSP | EVL_T_PEND | EVL_T_DELAY | EVL_T_WAIT |		\
	 EVL_T_READY | EVL_T_DORMANT | EVL_T_ZOMBIE | EVL_T_INBAND |	\
	 EVL_T_HALT | EVL_T_BOOST | EVL_T_PTSYNC | EVL_T_RRB |		\
	 EVL_T_WOSS | EVL_T_PTRACE)

#define evl_print_state(__state)					\
	(((__state) & EVL_TRACE_STATES) ?				\
	 __print_flags((__state) & EVL_TRACE_STATES, "",		\
		       { EVL_T_SUSP, "S" }, { EVL_T_PEND, "W" },	\
		       { EVL_T_DELAY, "D" }, { EVL_T_WAIT, "p" },	\
		       { EVL_T_READY, "R" }, { EVL_T_DORMANT, "U" },	\
		       { EVL_T_ZOMBIE, "Z" }, { EVL_T_INBAND, "X" },	\
		       { EVL_T_HALT, "H" }, { EVL_T_BOOST, "b" },	\
		       { EVL_T_PTSYNC, "#" }, { EVL_T_RRB, "r" },	\
		       { EVL_T_WOSS, "t" }, { EVL_T_PTRACE, "T" }) : ".")

#define evl_print_info(__info)						\
	((__info) ?							\
	 __print_flags(__info, "|",					\
		       { EVL_T_TIMEO, "timeout" }, { EVL_T_RMID, "removed" }, \
		       { EVL_T_BREAK, "break" }, { EVL_T_KICKED, "kicked" }, \
		       { EVL_T_NOMEM, "nomem" }, { EVL_T_SCHEDP, "schedp" }, \
		       { EVL_T_BCAST, "broadcast" }, { EVL_T_SIGNAL, "signal" }) : "-")

#define evl_print_policy(__policy)					\
	__print_symbolic(__policy,					\
			 { 0, "other" }, { 1, "fifo" }, { 2, "rr" },	\
			 { 5, "idle" }, { SCHED_WEAK, "weak" },		\
			 { SCHED_QUOTA, "quota" }, { SCHED_TP, "tp" })

#define evl_print_hmdiag(__code)					\
	__print_symbolic(__code,					\
			 { 0, "none" },					\
			 { EVL_HMDIAG_SIGDEMOTE, "sigdemote" },		\
			 { EVL_HMDIAG_SYSDEMOTE, "sysdemote" },		\
			 { EVL_HMDIAG_EXDEMOTE, "exdemote" },		\
			 { EVL_HMDIAG_WATCHDOG, "watchdog" },		\
			 { EVL_HMDIAG_LKDEPEND, "lkdepend" },		\
			 { EVL_HMDIAG_LKIMBALANCE, "lkimbalance" },	\
			 { EVL_HMDIAG_LKSLEEP, "lksleep" },		\
			 { EVL_HMDIAG_STAGEX, "stagex" },		\
			 { EVL_HMDIAG_OVERRUN, "overrun" })

#define evl_print_clock(__index)					\
	__print_symbolic(__index, { EVL_CLOCK_MONO_INDEX, "monotonic" },	\
			 { EVL_CLOCK_REAL_INDEX, "realtime" })

TRACE_DEFINE_ENUM(EVL_CLOCK_MONO_INDEX);
TRACE_DEFINE_ENUM(EVL_CLOCK_REAL_INDEX);
TRACE_DEFINE_ENUM(EVL_REL);
TRACE_DEFINE_ENUM(EVL_ABS);

/* --- Threads ---------------------------------------------------------------- */

DECLARE_EVENT_CLASS(evl_thread_event,
	TP_PROTO(struct evl_thread *thread),
	TP_ARGS(thread),

	TP_STRUCT__entry(
		__string(name, thread->name)
		__field(pid_t, pid)
		__field(int, policy)
		__field(int, prio)
		__field(int, cpu)
		__field(u32, state)
		__field(u32, info)
	),
	TP_fast_assign(
		evl_assign_str(name, thread->name);
		__entry->pid = evl_trace_pid(thread);
		__entry->policy = thread->class->policy;
		__entry->prio = thread->cprio;
		__entry->cpu = thread->rq->cpu;
		__entry->state = thread->state;
		__entry->info = thread->info;
	),
	TP_printk("name=%s pid=%d class=%s prio=%d cpu=%d state=%s info=%s",
		  __get_str(name), __entry->pid, evl_print_policy(__entry->policy),
		  __entry->prio, __entry->cpu, evl_print_state(__entry->state),
		  evl_print_info(__entry->info))
);

/* The scheduler decided who runs next, be it the one which does already. */
DEFINE_EVENT_FN(evl_thread_event, evl_pick_thread,
	TP_PROTO(struct evl_thread *thread),
	TP_ARGS(thread),
	evl_hold_events, evl_release_events
);

/* @thread has the CPU, after evl_switch_context. */
DEFINE_EVENT_FN(evl_thread_event, evl_switch_tail,
	TP_PROTO(struct evl_thread *thread),
	TP_ARGS(thread),
	evl_hold_events, evl_release_events
);

/* @thread asks for the out-of-band stage; and has it. */
DEFINE_EVENT_FN(evl_thread_event, evl_switching_oob,
	TP_PROTO(struct evl_thread *thread),
	TP_ARGS(thread),
	evl_hold_events, evl_release_events
);

DEFINE_EVENT_FN(evl_thread_event, evl_switched_oob,
	TP_PROTO(struct evl_thread *thread),
	TP_ARGS(thread),
	evl_hold_events, evl_release_events
);

/* @thread came in-band: see evl_switching_inband. */
DEFINE_EVENT_FN(evl_thread_event, evl_switched_inband,
	TP_PROTO(struct evl_thread *thread),
	TP_ARGS(thread),
	evl_hold_events, evl_release_events
);

/* @thread has to come in-band as soon as it can. */
DEFINE_EVENT_FN(evl_thread_event, evl_kick_thread,
	TP_PROTO(struct evl_thread *thread),
	TP_ARGS(thread),
	evl_hold_events, evl_release_events
);

/* --- Scheduling --------------------------------------------------------------- */

/* The scheduler was asked for, and looks for who is to run on this CPU. */
TRACE_EVENT_FN(evl_schedule,
	TP_PROTO(struct evl_rq *rq),
	TP_ARGS(rq),

	TP_STRUCT__entry(
		__string(name, rq->curr->name)
		__field(pid_t, pid)
		__field(int, cpu)
		__field(u32, state)
	),
	TP_fast_assign(
		evl_assign_str(name, rq->curr->name);
		__entry->pid = evl_trace_pid(rq->curr);
		__entry->cpu = rq->cpu;
		__entry->state = rq->curr->state;
	),
	TP_printk("cpu=%d curr=%s pid=%d state=%s", __entry->cpu, __get_str(name),
		  __entry->pid, evl_print_state(__entry->state)),
	evl_hold_events, evl_release_events
);

TRACE_EVENT_FN(evl_switch_context,
	TP_PROTO(struct evl_thread *prev, struct evl_thread *next),
	TP_ARGS(prev, next),

	TP_STRUCT__entry(
		__string(prev_name, prev->name)
		__string(next_name, next->name)
		__field(pid_t, prev_pid)
		__field(int, prev_prio)
		__field(u32, prev_state)
		__field(pid_t, next_pid)
		__field(int, next_prio)
	),
	TP_fast_assign(
		evl_assign_str(prev_name, prev->name);
		evl_assign_str(next_name, next->name);
		__entry->prev_pid = evl_trace_pid(prev);
		__entry->prev_prio = prev->cprio;
		__entry->prev_state = prev->state;
		__entry->next_pid = evl_trace_pid(next);
		__entry->next_prio = next->cprio;
	),
	TP_printk("prev_name=%s prev_pid=%d prev_prio=%d prev_state=%s ==> next_name=%s next_pid=%d next_prio=%d",
		  __get_str(prev_name), __entry->prev_pid, __entry->prev_prio,
		  evl_print_state(__entry->prev_state), __get_str(next_name),
		  __entry->next_pid, __entry->next_prio),
	evl_hold_events, evl_release_events
);

/* --- Stages ------------------------------------------------------------------- */

/* @thread is about to come in-band, for what @cause stands for, EVL_HMDIAG_*. */
TRACE_EVENT_FN(evl_switching_inband,
	TP_PROTO(struct evl_thread *thread, int cause, u64 details),
	TP_ARGS(thread, cause, details),

	TP_STRUCT__entry(
		__string(name, thread->name)
		__field(pid_t, pid)
		__field(int, cause)
		__field(u64, details)
	),
	TP_fast_assign(
		evl_assign_str(name, thread->name);
		__entry->pid = evl_trace_pid(thread);
		__entry->cause = cause;
		__entry->details = details;
	),
	TP_printk("name=%s pid=%d cause=%s details=%#llx", __get_str(name),
		  __entry->pid, evl_print_hmdiag(__entry->cause),
		  (unsigned long long)__entry->details),
	evl_hold_events, evl_release_events
);

/* --- Requests ------------------------------------------------------------------- */

TRACE_EVENT_FN(evl_oob_sysentry,
	TP_PROTO(u32 nr, unsigned long a0, unsigned long a1, unsigned long a2),
	TP_ARGS(nr, a0, a1, a2),

	TP_STRUCT__entry(
		__field(u32, nr)
		__field(unsigned long, a0)
		__field(unsigned long, a1)
		__field(unsigned long, a2)
	),
	TP_fast_assign(
		__entry->nr = nr;
		__entry->a0 = a0;
		__entry->a1 = a1;
		__entry->a2 = a2;
	),
	TP_printk("request=%s fd=%d args=(%#lx, %#lx)",
		  __print_symbolic(__entry->nr, { sys_evl_read, "oob_read" },
				   { sys_evl_write, "oob_write" },
				   { sys_evl_ioctl, "oob_ioctl" }),
		  (int)__entry->a0, __entry->a1, __entry->a2),
	evl_hold_events, evl_release_events
);

TRACE_EVENT_FN(evl_oob_sysexit,
	TP_PROTO(u32 nr, long result),
	TP_ARGS(nr, result),

	TP_STRUCT__entry(
		__field(u32, nr)
		__field(long, result)
	),
	TP_fast_assign(
		__entry->nr = nr;
		__entry->result = result;
	),
	TP_printk("request=%s result=%ld",
		  __print_symbolic(__entry->nr, { sys_evl_read, "oob_read" },
				   { sys_evl_write, "oob_write" },
				   { sys_evl_ioctl, "oob_ioctl" }),
		  __entry->result),
	evl_hold_events, evl_release_events
);

/* @thread, which is current and out-of-band, calls Linux. */
TRACE_EVENT_FN(evl_inband_sysentry,
	TP_PROTO(struct evl_thread *thread),
	TP_ARGS(thread),

	TP_STRUCT__entry(
		__string(name, thread->name)
		__field(pid_t, pid)
		__field(int, nr)
	),
	TP_fast_assign(
		evl_assign_str(name, thread->name);
		__entry->pid = evl_trace_pid(thread);
		__entry->nr = syscall_get_nr(current, task_pt_regs(current));
	),
	TP_printk("name=%s pid=%d syscall=%d", __get_str(name), __entry->pid,
		  __entry->nr),
	evl_hold_events, evl_release_events
);

/* --- Timers ------------------------------------------------------------------- */

/* The handler tells what a timer is for. Its base is locked. */
DECLARE_EVENT_CLASS(evl_timer_event,
	TP_PROTO(struct evl_timer *timer),
	TP_ARGS(timer),

	TP_STRUCT__entry(
		__field(void *, timer)
		__field(void *, handler)
		__field(int, clock)
		__field(int, cpu)
		__field(s64, date)
		__field(s64, interval)
	),
	TP_fast_assign(
		__entry->timer = timer;
		__entry->handler = timer->handler;
		__entry->clock = timer->clock->index;
		__entry->cpu = timer->cpu;
		__entry->date = timer->date;
		__entry->interval = timer->interval;
	),
	TP_printk("timer=%p handler=%ps clock=%s cpu=%d date=%lld interval=%lld",
		  __entry->timer, __entry->handler, evl_print_clock(__entry->clock),
		  __entry->cpu, (long long)__entry->date, (long long)__entry->interval)
);

DEFINE_EVENT_FN(evl_timer_event, evl_timer_start,
	TP_PROTO(struct evl_timer *timer),
	TP_ARGS(timer),
	evl_hold_events, evl_release_events
);

DEFINE_EVENT_FN(evl_timer_event, evl_timer_stop,
	TP_PROTO(struct evl_timer *timer),
	TP_ARGS(timer),
	evl_hold_events, evl_release_events
);

/* Its handler is called next. */
DEFINE_EVENT_FN(evl_timer_event, evl_timer_expire,
	TP_PROTO(struct evl_timer *timer),
	TP_ARGS(timer),
	evl_hold_events, evl_release_events
);

/* It goes with another clock, or CPU, from now on. */
DEFINE_EVENT_FN(evl_timer_event, evl_timer_move,
	TP_PROTO(struct evl_timer *timer),
	TP_ARGS(timer),
	evl_hold_events, evl_release_events
);

/* The next interrupt of this CPU is due at @date, on the monotonic clock. */
TRACE_EVENT_FN(evl_timer_shot,
	TP_PROTO(ktime_t date),
	TP_ARGS(date),

	TP_STRUCT__entry(
		__field(s64, date)
	),
	TP_fast_assign(
		__entry->date = date;
	),
	TP_printk("date=%lld%s", (long long)__entry->date,
		  __entry->date == KTIME_MAX ? " (none)" : ""),
	evl_hold_events, evl_release_events
);

/* --- Sleeping and waking up --------------------------------------------------------- */

/* @thread, current, is going to wait on @wchan, which is NULL if time is all that it
 * waits for. */
TRACE_EVENT_FN(evl_sleep_on,
	TP_PROTO(struct evl_thread *thread, struct evl_wait_channel *wchan,
		 ktime_t timeout, enum evl_tmode tmode, struct evl_clock *clock),
	TP_ARGS(thread, wchan, timeout, tmode, clock),

	TP_STRUCT__entry(
		__string(name, thread->name)
		__string(wchan_name, wchan ? wchan->name : "-")
		__field(pid_t, pid)
		__field(int, prio)
		__field(void *, wchan)
		__field(s64, timeout)
		__field(int, tmode)
		__field(int, clock)
	),
	TP_fast_assign(
		evl_assign_str(name, thread->name);
		evl_assign_str(wchan_name, wchan ? wchan->name : "-");
		__entry->pid = evl_trace_pid(thread);
		__entry->prio = thread->cprio;
		__entry->wchan = wchan;
		__entry->timeout = timeout;
		__entry->tmode = tmode;
		__entry->clock = clock->index;
	),
	TP_printk("name=%s pid=%d prio=%d wchan=%s:%p timeout=%lld%s clock=%s",
		  __get_str(name), __entry->pid, __entry->prio, __get_str(wchan_name),
		  __entry->wchan, (long long)__entry->timeout,
		  !__entry->timeout ? " (none)" :
		  __entry->tmode == EVL_ABS ? " (date)" : " (delay)",
		  evl_print_clock(__entry->clock)),
	evl_hold_events, evl_release_events
);

/* What @thread, whose run queue is locked, waits for ends by that. */
TRACE_EVENT_FN(evl_wakeup_thread,
	TP_PROTO(struct evl_thread *thread, u32 info),
	TP_ARGS(thread, info),

	TP_STRUCT__entry(
		__string(name, thread->name)
		__field(pid_t, pid)
		__field(int, prio)
		__field(int, cpu)
		__field(u32, state)
		__field(u32, info)
	),
	TP_fast_assign(
		evl_assign_str(name, thread->name);
		__entry->pid = evl_trace_pid(thread);
		__entry->prio = thread->cprio;
		__entry->cpu = thread->rq->cpu;
		__entry->state = thread->state;
		__entry->info = info;
	),
	TP_printk("name=%s pid=%d prio=%d cpu=%d state=%s info=%s", __get_str(name),
		  __entry->pid, __entry->prio, __entry->cpu,
		  evl_print_state(__entry->state), evl_print_info(__entry->info)),
	evl_hold_events, evl_release_events
);

/* The wait of @thread is ended by force, for @reason. */
TRACE_EVENT_FN(evl_unblock_thread,
	TP_PROTO(struct evl_thread *thread, u32 reason),
	TP_ARGS(thread, reason),

	TP_STRUCT__entry(
		__string(name, thread->name)
		__field(pid_t, pid)
		__field(u32, state)
		__field(u32, reason)
	),
	TP_fast_assign(
		evl_assign_str(name, thread->name);
		__entry->pid = evl_trace_pid(thread);
		__entry->state = thread->state;
		__entry->reason = reason;
	),
	TP_printk("name=%s pid=%d state=%s reason=%s", __get_str(name), __entry->pid,
		  evl_print_state(__entry->state), evl_print_info(__entry->reason)),
	evl_hold_events, evl_release_events
);

/* @thread, current, is back from its wait: @result is what it gets for it. */
TRACE_EVENT_FN(evl_finish_wait,
	TP_PROTO(struct evl_thread *thread, struct evl_wait_channel *wchan, int result),
	TP_ARGS(thread, wchan, result),

	TP_STRUCT__entry(
		__string(name, thread->name)
		__field(pid_t, pid)
		__field(void *, wchan)
		__field(int, result)
	),
	TP_fast_assign(
		evl_assign_str(name, thread->name);
		__entry->pid = evl_trace_pid(thread);
		__entry->wchan = wchan;
		__entry->result = result;
	),
	TP_printk("name=%s pid=%d wchan=%p result=%d", __get_str(name), __entry->pid,
		  __entry->wchan, __entry->result),
	evl_hold_events, evl_release_events
);

/* All who wait on @wchan, which is locked, are woken up, for @reason. */
TRACE_EVENT_FN(evl_flush_wait,
	TP_PROTO(struct evl_wait_channel *wchan, u32 reason),
	TP_ARGS(wchan, reason),

	TP_STRUCT__entry(
		__string(wchan_name, wchan->name)
		__field(void *, wchan)
		__field(u32, reason)
	),
	TP_fast_assign(
		evl_assign_str(wchan_name, wchan->name);
		__entry->wchan = wchan;
		__entry->reason = reason;
	),
	TP_printk("wchan=%s:%p reason=%s", __get_str(wchan_name), __entry->wchan,
		  evl_print_info(__entry->reason)),
	evl_hold_events, evl_release_events
);

/* --- Priorities ---------------------------------------------------------------------- */

/* The effective priority of @thread, whose run queue is locked, is going to be @prio
 * in @class: by a request, or by a mutex which it owns. */
TRACE_EVENT_FN(evl_thread_update_prio,
	TP_PROTO(struct evl_thread *thread, const struct evl_sched_class *class, int prio),
	TP_ARGS(thread, class, prio),

	TP_STRUCT__entry(
		__string(name, thread->name)
		__field(pid_t, pid)
		__field(int, old_policy)
		__field(int, old_prio)
		__field(int, new_policy)
		__field(int, new_prio)
		__field(int, base_prio)
		__field(bool, boosted)
	),
	TP_fast_assign(
		evl_assign_str(name, thread->name);
		__entry->pid = evl_trace_pid(thread);
		__entry->old_policy = thread->class->policy;
		__entry->old_prio = thread->cprio;
		__entry->new_policy = class->policy;
		__entry->new_prio = prio;
		__entry->base_prio = thread->bprio;
		__entry->boosted = thread->state & EVL_T_BOOST;
	),
	TP_printk("name=%s pid=%d old=%s:%d new=%s:%d base_prio=%d%s", __get_str(name),
		  __entry->pid, evl_print_policy(__entry->old_policy), __entry->old_prio,
		  evl_print_policy(__entry->new_policy), __entry->new_prio,
		  __entry->base_prio, __entry->boosted ? " boosted" : ""),
	evl_hold_events, evl_release_events
);

/* --- Health --------------------------------------------------------------------------- */

/* @thread would be told of @code, EVL_HMDIAG_*, if it wants to: see its mode. */
TRACE_EVENT_FN(evl_thread_notify,
	TP_PROTO(struct evl_thread *thread, int code, u64 details),
	TP_ARGS(thread, code, details),

	TP_STRUCT__entry(
		__string(name, thread->name)
		__field(pid_t, pid)
		__field(int, code)
		__field(u64, details)
		__field(u32, mode)
	),
	TP_fast_assign(
		evl_assign_str(name, thread->name);
		__entry->pid = evl_trace_pid(thread);
		__entry->code = code;
		__entry->details = details;
		__entry->mode = thread->state & EVL_THREAD_HM_BITS;
	),
	TP_printk("name=%s pid=%d code=%s details=%#llx by=%s", __get_str(name),
		  __entry->pid, evl_print_hmdiag(__entry->code),
		  (unsigned long long)__entry->details,
		  __entry->mode ? __print_flags(__entry->mode, "|",
						{ EVL_T_HMSIG, "signal" },
						{ EVL_T_HMOBS, "observable" }) : "-"),
	evl_hold_events, evl_release_events
);

/* --- Elements ---------------------------------------------------------------------------- */

DECLARE_EVENT_CLASS(evl_element_event,
	TP_PROTO(const char *class, const char *name, u32 clone_flags),
	TP_ARGS(class, name, clone_flags),

	TP_STRUCT__entry(
		__string(class, class)
		__string(name, name)
		__field(u32, flags)
	),
	TP_fast_assign(
		evl_assign_str(class, class);
		evl_assign_str(name, name);
		__entry->flags = clone_flags;
	),
	TP_printk("class=%s name=%s%s", __get_str(class), __get_str(name),
		  __entry->flags & EVL_CLONE_PUBLIC ? " public" : "")
);

/* It has a name, and is yet to be seen by others. */
DEFINE_EVENT_FN(evl_element_event, evl_element_new,
	TP_PROTO(const char *class, const char *name, u32 clone_flags),
	TP_ARGS(class, name, clone_flags),
	evl_hold_events, evl_release_events
);

DEFINE_EVENT_FN(evl_element_event, evl_element_dispose,
	TP_PROTO(const char *class, const char *name, u32 clone_flags),
	TP_ARGS(class, name, clone_flags),
	evl_hold_events, evl_release_events
);

/* --- Marks -------------------------------------------------------------------------------- */

/* What a program wrote to /dev/evl/trace. */
TRACE_EVENT_FN(evl_trace,
	TP_PROTO(const char *text),
	TP_ARGS(text),

	TP_STRUCT__entry(
		__string(text, text)
	),
	TP_fast_assign(
		evl_assign_str(text, text);
	),
	TP_printk("%s", __get_str(text)),
	evl_hold_events, evl_release_events
);

/* A driver saw what it was looking for: to take a snapshot by. */
TRACE_EVENT_FN(evl_trigger,
	TP_PROTO(const char *issuer),
	TP_ARGS(issuer),

	TP_STRUCT__entry(
		__string(issuer, issuer)
	),
	TP_fast_assign(
		evl_assign_str(issuer, issuer);
	),
	TP_printk("issuer=%s", __get_str(issuer)),
	evl_hold_events, evl_release_events
);

/* A latency which is the worst one so far, ns. */
TRACE_EVENT_FN(evl_latspot,
	TP_PROTO(s64 latency),
	TP_ARGS(latency),

	TP_STRUCT__entry(
		__field(s64, latency)
	),
	TP_fast_assign(
		__entry->latency = latency;
	),
	TP_printk("latency=%lld ns", (long long)__entry->latency),
	evl_hold_events, evl_release_events
);

#endif /* !EVL_CORE_TRACE_H || TRACE_HEADER_MULTI_READ */

#undef TRACE_INCLUDE_PATH
#define TRACE_INCLUDE_PATH core
#undef TRACE_INCLUDE_FILE
#define TRACE_INCLUDE_FILE trace
#include <trace/define_trace.h>
