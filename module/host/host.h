/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The seam between the EVL core and the kernel below it.
 *
 * What the two owe each other:
 *
 * - What a thread waits for ends by what the core decides, never by what a host
 *   believes. A host may have a thread run any time, and find itself wrong: the
 *   thread looks at its state and goes back to sleep.
 * - A resched point (host_resched_point()) returns to its caller when the core picked
 *   that thread, on the CPU where it really runs, or when it is in-band. It is
 *   where the rest of what Linux did to the thread meanwhile is followed: it
 *   may sleep, change CPUs, or leave the out-of-band stage, and must not be
 *   passed with a lock held.
 * - A thread which gets to a resched point in-band has the priority in Linux
 *   which its base parameters give it, below that of any out-of-band thread.
 * - A thread is on the run queue of the CPU it runs on out-of-band. Linux may put
 *   it on another CPU when it is in-band or asleep, or, on the stock host, while
 *   it runs: then it is there without its run queue until its next resched
 *   point, and the core must not take this CPU for that of its run queue.
 *   Whatever it waits for is not disturbed by a move.
 * - A thread which falls asleep in Linux is in-band by that, wherever it was.
 * - A kick makes the other CPU reschedule from a point in time after the call,
 *   however often kicks were sent before.
 *
 * Two hosts implement it: host/dovetail (a thin one) and host/stock (the
 * shim). The core calls what is declared here and nothing else of a host; a
 * host calls the core through struct host_ops only. The vocabulary is that of
 * Dovetail: "hard irqs" is the CPU flag, "in-band" is Linux proper,
 * "out-of-band" is us.
 *
 * Both hosts provide these in <host-types.h>, next to struct host_task (the
 * host's share of a thread) and struct host_cpu (its share of a run queue):
 *
 *   hard_spinlock_t, DEFINE_HARD_SPINLOCK(), __HARD_SPIN_LOCK_INITIALIZER(),
 *			raw_spin_*() working on it
 *   hard_local_irq_save/restore/disable/enable(), hard_irqs_disabled()
 *   host_current()	the host_task of the caller, NULL if it has none
 *   host_in_irq()	true when the caller interrupted something: it may
 *			neither sleep nor switch
 *   host_sched_begin/end()	bracket "unlock; reschedule; irqs on"
 *   host_resched_point()	a resched point, see above; any context: where the
 *			caller may not sleep, it is one on its way to user space
 *   host_set_home(h, cpu)	@h is on the run queue of @cpu from now on
 *   host_vacate(h)	@h is not current on its run queue any more, without
 *			having switched; on Dovetail that cannot happen
 *   host_is_asleep(h)	inside Linux, though it did not leave the stage before
 *   host_pass_lock(lock), host_receive_lock(lock)	bracket host_switch(),
 *			so that lockdep follows the run queue lock
 *   host_holds_lock(lock)	for assertions: false if nobody holds it
 *   host_notify(h, work)	have host_ops.deliver() called before @h, a user
 *			thread, is back in user space if it is current, soon
 *			otherwise. @work calls it too, and is at the disposal
 *			of the host. Any context
 *   host_trace_begin(), host_trace_end(ht)	bracket an event of the trace; the former
 *			returns a struct host_trace for the latter. Any context
 *   host_params_changed(h, policy, prio)	host_set_inband_prio() will be
 *			called with these once @h is in-band; a host which runs
 *			threads as Linux tasks may want to know at once. Atomic,
 *			run queue lock held
 */
#ifndef EVL_HOST_HOST_H
#define EVL_HOST_HOST_H

#include <linux/types.h>
#include <linux/ktime.h>
#include <linux/sched.h>
#include <linux/cpumask.h>
#include <host-types.h>

/* What made a thread leave the out-of-band stage against its will. */
enum host_cause {
	HOST_CAUSE_NONE,
	HOST_CAUSE_SIGNAL,
	HOST_CAUSE_SYSCALL,
	HOST_CAUSE_TRAP,
	HOST_CAUSE_PTRACE,
};

/*
 * What the core registers with a host. Unless said otherwise, @h belongs to
 * an attached thread which cannot vanish during the call.
 */
struct host_ops {
	/* Pick and switch on this CPU. Any stage, any irq state. */
	void (*schedule)(void);
	/* Complete the switch to a thread which just got out-of-band; drops the
	 * run queue lock, hard irqs are off. */
	void (*finish_switch)(void);
	/* @h may be scheduled by the core from now on, on the current CPU. Hard
	 * irqs off. */
	void (*enter_oob)(struct host_task *h);
	/* The per-CPU timer expired, @now on CLOCK_MONOTONIC. Irq context, hard
	 * irqs off. */
	void (*tick)(int cpu, ktime_t now);
	/* The wall clock was set. Any CPU, in-band, may be atomic. */
	void (*clock_was_set)(void);
	/* An out-of-band request. Task context, hard irqs on, either stage. */
	long (*request)(struct host_task *h, u32 nr, unsigned long a0,
			unsigned long a1, unsigned long a2);
	/* A regular system call by an attached thread, about to be run in-band.
	 * May be called atomically on the stock host. */
	void (*inband_syscall)(struct host_task *h, bool oob);
	/* A signal needs the in-band attention of @h. Atomic. */
	void (*signal)(struct host_task *h);
	/* @h, current, must go in-band now. Not atomic on the Dovetail host; may
	 * be atomic on the stock one. */
	void (*demote)(struct host_task *h, enum host_cause cause,
		       unsigned long details);
	/* @h, current, must go back out-of-band (in-band task context). */
	void (*promote)(struct host_task *h);
	/* Linux is about to look at the signals of @h, current and in-band, with irqs on;
	 * or is to run a handler for one of them, atomic. */
	void (*expect_signals)(struct host_task *h);
	void (*expect_handler)(struct host_task *h);
	/* What host_ask_return() is about: @h, current, with nothing but signals to look at
	 * ahead of user space, may go back out-of-band, and may sleep. Is there anything to
	 * do? Atomic. */
	void (*come_back)(struct host_task *h);
	bool (*comes_back)(struct host_task *h);
	/* True if @h was asked to come in-band as soon as possible. */
	bool (*kicked)(struct host_task *h);
	/* True if @h sleeps on something which a signal may interrupt. */
	bool (*waits)(struct host_task *h);
	/* True if @h does not claim more than what it gets from Linux. */
	bool (*weak)(struct host_task *h);
	/* Send what host_notify() was called for. In-band, may be atomic. */
	void (*deliver)(struct host_task *h);
	/* Linux wants @h on another CPU, where it can only go in-band (Dovetail).
	 * Atomic, locks of the Linux scheduler held: defer everything. */
	void (*migrate)(struct host_task *h);
	/* @h, current and out-of-band, is on another CPU than that of its run
	 * queue (stock). Hard irqs on, may sleep. */
	void (*follow_move)(struct host_task *h);
	/* Linux runs @h on @cpu from now on: true if it is on its run queue now,
	 * false if it is in-band (stock). Atomic. */
	bool (*relocate)(struct host_task *h, int cpu);
	/* @h fell asleep inside Linux: true if it did leave the stage by that, for
	 * @cause, with @details as for demote() (stock). Atomic. */
	bool (*asleep)(struct host_task *h, enum host_cause cause,
		       unsigned long details);
	/* @h, current and in-band, exits or executes another program. Atomic. */
	void (*exit)(struct host_task *h);
	/* Keep @h from being destroyed: false if that is about to happen. Any
	 * context; and the end of it. */
	bool (*hold)(struct host_task *h);
	void (*unhold)(struct host_task *h);
};

/* --- Life of the host ----------------------------------------------------- */

const char *host_name(void);

/*
 * Checks that the kernel can host us, and takes what needs no core data yet.
 * Prints one line on refusal. 0, -EBUSY (another core), -ENODEV, -ENOMEM.
 */
int host_init(const struct host_ops *ops);
void host_cleanup(void);

/*
 * Opens the gates: from now on every callback may come. Core data must be
 * valid on all CPUs. On error, all that was opened is closed again.
 */
int host_start(void);
/* Closes the gates and drains the callbacks. No thread may be attached. */
void host_stop(void);

void host_init_cpu(struct host_cpu *hc, struct host_task *root, int cpu);

/* --- Tasks ---------------------------------------------------------------- */

/* In-band, by the task itself; may sleep. Not visible to callbacks yet. 0 or
 * -ENOMEM. */
int host_init_task(struct host_task *h);
/* From now on current is known as @h, and callbacks may come for it. */
void host_attach_task(struct host_task *h);
/* By the task itself, in-band, atomic: no callback after this. */
void host_detach_task(struct host_task *h);
/* No one in the core may be using @h any more; may sleep. */
void host_destroy_task(struct host_task *h);
/* The host_task attached to @task or NULL; stable under hard irqs off. */
struct host_task *host_find_task(struct task_struct *task);
/* Is current in another cpuset than the one of the whole machine? Linux does not
 * tell modules which CPUs it has then. In-band. */
bool host_is_confined(void);
/* Give the in-band side of current this policy and priority; may sleep. */
void host_set_inband_prio(struct host_task *h, int policy, int prio);

/* --- Stages --------------------------------------------------------------- */

/*
 * Leave the in-band stage: 0 on the out-of-band stage with hard irqs on, or
 * -ERESTARTSYS if a signal is pending. In-band task context, may sleep. The
 * host calls host_ops.enter_oob() meanwhile.
 */
int host_leave_inband(struct host_task *h);
/* Right after that: did Linux change the CPUs of current on the way, such that it may
 * not stay on this one, without telling so by migrate()? */
bool host_has_to_move(void);
/* Have host_ops.come_back() called for @h, which is current, once its signals were
 * handled and it is about to return to user space in-band. Any context. */
void host_ask_return(struct host_task *h);
/*
 * Way back in three steps, all by the task itself. prepare: hard irqs off,
 * before the core marks the thread in-band; leave: hard irqs off, after it
 * did, before it reschedules; finish: after it did, enables hard irqs.
 */
void host_prepare_inband(struct host_task *h);
void host_leave_oob(struct host_task *h);
void host_finish_inband(struct host_task *h);

/* --- Scheduling ----------------------------------------------------------- */

/*
 * Give the CPU to @next, which the core just made current on its run queue
 * instead of @prev. Run queue lock held, hard irqs off. True if the caller
 * came back on the in-band stage, the lock having been dropped meanwhile.
 */
bool host_switch(struct host_cpu *hc, struct host_task *prev,
		 struct host_task *next);
/* Have host_ops.schedule() called where it can switch. Hard irqs off, or a
 * context which cannot leave this CPU. */
void host_schedule(void);
/* Have host_ops.schedule() called on another CPU soon. Hard irqs off. */
void host_kick_cpu(int cpu);
/* Have @h, running out-of-band in user space or about to, check for
 * host_ops.kicked() soon. Hard irqs off, run queue lock held. */
void host_mayday(struct host_task *h);

/* --- Timer ---------------------------------------------------------------- */

/* Have host_ops.tick() called on this CPU at @date (CLOCK_MONOTONIC), or
 * KTIME_MAX for never. Hard irqs off, callable from host_ops.tick(). */
void host_program_tick(struct host_cpu *hc, ktime_t date);

#endif /* !EVL_HOST_HOST_H */
