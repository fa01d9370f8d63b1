/* SPDX-License-Identifier: GPL-2.0-only */
/* Threads, as the core sees them. */
#ifndef EVL_THREAD_H
#define EVL_THREAD_H

#include <linux/refcount.h>
#include <linux/rcupdate.h>
#include <linux/irq_work.h>
#include <linux/completion.h>
#include <evl/rq.h>
#include <evl/sched.h>
#include <evl/wait.h>
#include <evl/timer.h>
#include <evl/work.h>
#include <evl/thread-abi.h>

struct evl_process;
struct evl_file;

/* Whatever keeps a thread off the CPU. */
#define EVL_THREAD_BLOCK_BITS						\
	(EVL_T_SUSP | EVL_T_PEND | EVL_T_DELAY | EVL_T_WAIT |		\
	 EVL_T_DORMANT | EVL_T_INBAND | EVL_T_HALT | EVL_T_PTSYNC |	\
	 EVL_T_ZOMBIE)
/* The part of them which a forced unblock ends. */
#define EVL_THREAD_WAIT_BITS	(EVL_T_PEND | EVL_T_DELAY | EVL_T_WAIT)
/* How a wait ended. */
#define EVL_THREAD_WAKE_BITS						\
	(EVL_T_TIMEO | EVL_T_RMID | EVL_T_BREAK | EVL_T_NOMEM |		\
	 EVL_T_BCAST | EVL_T_SIGNAL)

struct evl_thread_stat {
	u32 isw;			/* switches to in-band */
	u32 csw;			/* times it was given the CPU */
	u32 sc;				/* requests */
	u32 rwa;			/* wakeups from another CPU */
	ktime_t exectime;		/* as of the last time it lost the CPU */
};

/*
 * Guarded by the lock of its run queue unless said otherwise. @rq changes with both
 * run queues locked: on Dovetail while the thread is in-band only, on stock at any
 * time, when Linux moved it or is about to. Whoever does not hold the lock of a run
 * queue may find the thread on another one at the next look, and a thread which is
 * current on a run queue (evl_rq.curr) may be running elsewhere already, and leave.
 */
struct evl_thread {
	struct host_task host;
	struct evl_rq *rq;

	u32 state;			/* EVL_T_* state bits */
	u32 info;			/* EVL_T_* information bits */
	u32 local_info;			/* EVL_T_SYSRST etc., owner only */
	bool in_request;		/* between begin and end of one, owner only */
	bool not_begun;			/* it was refused a wait, see wait.c; owner only */
	bool unblocked;			/* its wait was ended for good, see kick.c */
	bool was_oob;			/* before a stop, see ptsync.c; owner only */

	const struct evl_sched_class *base_class;
	const struct evl_sched_class *class;	/* effective */
	int bprio;			/* base priority in base_class */
	int cprio;			/* effective priority in class */
	int wprio;			/* weighted effective priority */
	unsigned int rq_index;		/* of both in rq->queue */
	struct list_head rq_next;	/* in rq->queue if EVL_T_READY */
	ktime_t rr_quantum;

	struct evl_wait_channel *wchan;	/* slept on, with wchan->lock too */
	struct rb_node wait_node;	/* guarded by wchan->lock, as are these: */
	int wait_prio;			/* its place: a weighted priority */
	u32 wait_seq;			/* of this wait among all */
	u64 wait_round;			/* evl_wait_channel.round when it got in line */
	void *wait_data;		/* for the owner of the channel */
	struct evl_timer rtimer;	/* resource timeouts and delays */
	int late_reason;		/* to end wait late_wait_seq with, if not 0 */
	u32 late_wait_seq;

	/* A PI chain walk is to go on here, guarded by a lock of its own: chain.c */
	struct list_head walk_next;
	ktime_t walk_date;		/* by a timer from then on */
	unsigned int walk_left;		/* steps it may take */
	struct list_head owned;		/* evl_mutex.next_owned */
	struct rb_root_cached boosters;	/* evl_mutex.boost_node, highest first */
	u32 lock_alerts;		/* see boost.c, owner only */
	atomic_t held;			/* gates which pin a weak thread oob */
	struct evl_thread_stat stat;
	ktime_t stat_date, stat_exectime;	/* last readout, for usage */

	struct evl_file *request_file;	/* pinned by the request in progress */
	struct evl_user_window *window;	/* NULL for kernel threads */
	struct evl_process *process;	/* NULL for kernel threads */
	struct list_head next_sibling;	/* in there, see ptsync.c */
	u32 passed_stop;		/* it went on alone from that one */
	u32 rejoined_stop;		/* it waits in that one until: */
	ktime_t rejoin_date;
	fundle_t fundle;		/* as gates record it */
	const char *name;		/* owned by the element */

	struct irq_work hm_work;	/* sends SIGDEBUG in-band */
	unsigned long hm_pending;	/* bit n: diagnostic code n */
	void (*hm_notify)(struct evl_thread *thread, int code, u64 details);
	struct irq_work migrate_work;	/* Linux moves it */
	bool moved;			/* so it has to pass by in-band */

	refcount_t refs;
	void (*release)(struct evl_thread *thread);	/* last reference, in-band */
	void (*exited)(struct evl_thread *thread);	/* left the core, atomic */
	struct evl_work drop_work;	/* it left with many mutexes */
	struct evl_work release_work;
	struct rcu_head rcu;
};

static inline struct evl_thread *evl_thread_of_host(struct host_task *h)
{
	return h ? container_of(h, struct evl_thread, host) : NULL;
}

/* The run queue of a thread, locked; hard irqs off. */
static inline struct evl_rq *evl_lock_thread_rq(struct evl_thread *thread)
{
	struct evl_rq *rq;

	for (;;) {
		rq = READ_ONCE(thread->rq);
		raw_spin_lock(&rq->lock);
		if (likely(rq == thread->rq))
			return rq;
		raw_spin_unlock(&rq->lock);
	}
}

/* The caller's thread, NULL if it is not attached. Any stage but irqs. */
static inline struct evl_thread *evl_current(void)
{
	return evl_thread_of_host(host_current());
}

static inline bool evl_is_inband(struct evl_thread *thread)
{
	return !!(READ_ONCE(thread->state) & EVL_T_INBAND);
}

/* True if the caller is a thread on the out-of-band stage. */
static inline bool evl_current_oob(void)
{
	struct evl_thread *curr = evl_current();

	return curr && !evl_is_inband(curr);
}

/* --- Life (thread.c) -------------------------------------------------------- */

/*
 * Prepare a thread for the current task, or for a kernel thread to be. In-band.
 * @name must outlive the thread; @release is called in-band after the last
 * reference is dropped; @exited as soon as it left the core (atomic, may be
 * NULL). It has one reference, EVL_T_DORMANT|EVL_T_INBAND and is weak.
 */
void evl_init_thread(struct evl_thread *thread, const char *name,
		     void (*release)(struct evl_thread *),
		     void (*exited)(struct evl_thread *));
/*
 * Attach current as @thread, whose references then include one that is
 * dropped when it detaches, exits or executes another program. In-band, may
 * sleep. 0, -EBUSY (attached already), -EINVAL (memory not locked, no CPU to
 * run on), -EPERM (process not known), -ENODEV (no module reference).
 */
int evl_attach_current(struct evl_thread *thread);
/* Detach current, in-band. 0 or -EPERM. */
int evl_detach_current(void);

static inline void evl_get_thread(struct evl_thread *thread)
{
	refcount_inc(&thread->refs);
}

/* Any stage. */
void evl_put_thread(struct evl_thread *thread);

/* True as long as requests may be submitted for it. */
static inline bool evl_thread_alive(struct evl_thread *thread)
{
	return !(READ_ONCE(thread->state) & (EVL_T_ZOMBIE | EVL_T_DORMANT));
}

/* --- Stages (stage.c) ------------------------------------------------------- */

/* 0, or -ERESTARTSYS for a signal which is pending; -EPERM unless current is in-band,
 * and attached, or if it may only run on CPUs which are not for threads: this lasts,
 * so nobody should try again. It is a weak thread then, and gets SIGTERM. */
int evl_switch_oob(void);
/* Current must be out-of-band. @hmdiag is the diagnostic, EVL_HMDIAG_*, of which
 * to notify it if it wants to know of such switches, 0 for none; @details go
 * with it. */
void evl_switch_inband(int hmdiag, u64 details);

/* --- Requests (request.c) ---------------------------------------------------- */

/*
 * The request in progress is going to wait for something which does not end with
 * the file that it was made on: let go of the file. What the handler still needs
 * it has to hold by other means, its code included: this is for elements of the
 * core.
 */
void evl_unpin_request_file(void);

/* --- Forced unblocking (kick.c) ---------------------------------------------- */

/* End a wait of @thread with @reason (EVL_T_BREAK, EVL_T_TIMEO...). False if it
 * was not waiting. Reschedules. Called with hard irqs off, the wait may end some
 * microseconds later: its channel may be busy, on this CPU even. */
bool evl_unblock_thread(struct evl_thread *thread, int reason);
/* Have it come in-band as soon as it can. */
void evl_kick_thread(struct evl_thread *thread);
/* Is current, on whichever stage, to leave what it does for a signal, or for
 * evl_kick_thread()? To be looked at by loops which others may keep going. */
bool evl_is_called_away(void);
/* Weak, unblocked and kicked in-band. */
void evl_demote_thread(struct evl_thread *thread);

/* --- Delays (thread-delay in wait.c) ------------------------------------------ */

/* 0, -EINTR when forcibly unblocked, -EPERM unless out-of-band. */
int evl_sleep_until_clock(struct evl_clock *clock, ktime_t date);
int evl_sleep_until(ktime_t date);
int evl_sleep(ktime_t delay);

/* --- Health (health.c) -------------------------------------------------------- */

/* Report @code to @thread the way its mode says. Any stage, atomic. */
void evl_notify_thread(struct evl_thread *thread, int code, u64 details);
/* As EVL_THRIOC_SET_MODE and CLEAR_MODE do; old mode in *@old. 0, -EINVAL. */
int evl_set_thread_mode(struct evl_thread *thread, u32 mask, u32 *old);
int evl_clear_thread_mode(struct evl_thread *thread, u32 mask, u32 *old);

/* --- Windows (state.c) ---------------------------------------------------------- */

/* Refresh what user space sees of current's state. It may scribble over its
 * window, which is written, never read back. */
static inline void evl_sync_window(struct evl_thread *curr)
{
	struct evl_user_window *window = curr->window;

	if (window) {
		WRITE_ONCE(window->state, curr->state);
		WRITE_ONCE(window->info, curr->info);
	}
}

/* As EVL_THRIOC_GET_STATE. */
void evl_get_thread_state(struct evl_thread *thread,
			  struct evl_thread_state *buf);

/* All attached threads, for whoever must walk them; in-band. */

/* --- Kernel threads (element/thread/kthread.c) ------------------------------------------ */

struct evl_kthread;

#endif /* !EVL_THREAD_H */
