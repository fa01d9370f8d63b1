/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Inside the core: bring-up of its parts, and what they share which is no
 * business of elements and drivers.
 */
#ifndef EVL_CORE_CORE_H
#define EVL_CORE_CORE_H

#include <linux/atomic.h>
#include <evl/thread.h>

/* --- Bring-up, in this order; undone in reverse --------------------------- */

int evl_init_heap(void);
void evl_exit_heap(void);
int evl_init_works(void);
void evl_exit_works(void);
int evl_init_shmem(void);
void evl_exit_shmem(void);
int evl_init_files(void);
void evl_exit_files(void);
int evl_init_clocks(void);
void evl_exit_clocks(void);
int evl_init_timers(void);
void evl_exit_timers(void);
int evl_init_rqs(void);
void evl_exit_rqs(void);
void evl_exit_processes(void);
void evl_exit_threads(void);

/* What the core has the host call. */
extern const struct host_ops evl_host_ops;

/* --- State of the core ---------------------------------------------------- */

enum evl_core_state {
	EVL_CORE_DISABLED,
	EVL_CORE_STOPPED,
	EVL_CORE_TEARDOWN,
	EVL_CORE_RUNNING,
};

extern atomic_t evl_core_state;

static inline bool evl_is_running(void)
{
	return atomic_read(&evl_core_state) == EVL_CORE_RUNNING;
}

/* --- Scheduler ------------------------------------------------------------ */

void evl_schedule_here(void);		/* host_ops.schedule */
void evl_finish_switch(void);		/* host_ops.finish_switch */
void evl_init_root(struct evl_rq *rq, struct evl_thread *root);
/* @rq goes from @prev to @next: each pays for its time. Run queue lock held. */
void evl_account_switch(struct evl_rq *rq, struct evl_thread *prev,
			struct evl_thread *next);

/* What evl_get_thread_policy() tells, with what a boost made of it, into @attrs
 * which is zero. Run queue lock held. */
void evl_fill_effective_locked(struct evl_thread *thread,
			       struct evl_sched_attrs *attrs);

/* --- Boosts (boost.c) ------------------------------------------------------- */

int evl_weighted_prio(const struct evl_sched_class *class, int prio);
/* Base parameters, or boosters, of @thread changed: settle its effective
 * priority. True if that changed. Run queue lock held. */
bool evl_update_effective_locked(struct evl_thread *thread);
/* The base parameters of @thread changed. No lock held; reschedules. */
void evl_update_effective(struct evl_thread *thread);
/* Gates owned by @thread, which left the core, are released, @max of them at
 * most. False if others are left. Atomic. */
bool evl_drop_owned_mutexes(struct evl_thread *thread, unsigned int max);
/* Report a demotion while holding gates. */
void evl_check_owned_inband(struct evl_thread *curr);
/* Does current want to be told that it waits for something else while it holds
 * a gate, and was not yet? Then do so, with no lock held. */
bool evl_minds_owned_sleep(struct evl_thread *curr);
void evl_report_owned_sleep(struct evl_thread *curr);
/* Have a gate which current grabbed by itself raise it. Hard irqs off. */
void evl_commit_ceiling(struct evl_thread *curr);

static inline bool evl_ceiling_pending(struct evl_thread *curr)
{
	return curr->window && READ_ONCE(curr->window->pp_pending);
}

/* Quantum of curr starts or stops. Run queue lock held. */
void evl_start_quantum(struct evl_rq *rq, struct evl_thread *next);
void evl_init_quantum(struct evl_rq *rq);
void evl_exit_quantum(struct evl_rq *rq);

/* Watchdog over continuous out-of-band activity. Run queue lock held. */
void evl_watch_cpu(struct evl_rq *rq);
void evl_init_watchdog(struct evl_rq *rq);
void evl_exit_watchdog(struct evl_rq *rq);

/* --- Threads -------------------------------------------------------------- */

/* How many are attached. */
unsigned int evl_count_threads(void);
/* host_ops.exit, and the common part of detaching: current leaves the core. */
void evl_exit_current(struct host_task *h);
void evl_enter_oob(struct host_task *h);

void evl_init_health(struct evl_thread *thread);
void evl_exit_health(struct evl_thread *thread);
void evl_deliver_health(struct host_task *h);

/* The information bits of a wait as an error code. */
int evl_wait_code(u32 info);

/* Remove @thread from its channel or from a delay, both locked. If it was sent
 * away, the channel is to be told once the run queue is not locked any more. */
void evl_end_wait_locked(struct evl_thread *thread, int reason);
/* The same some EVL_CHANNEL_DELAY nanoseconds later, unless it ended meanwhile, for
 * callers which could not lock the channel: evl_time_out() does it then. */
void evl_end_wait_soon_locked(struct evl_thread *thread, int reason);
/* What is going to end this wait of @thread that way, 0 if nothing is. Whoever gives
 * the thread what it waits for is ahead of that. */
int evl_late_reason_locked(struct evl_thread *thread);
/*
 * The channel @thread waits on, with its lock and that of the run queue taken and
 * hard irqs off, or NULL with only the latter taken. False if others keep the channel
 * busy: nothing is locked then. Worth another try EVL_CHANNEL_DELAY nanoseconds later.
 */
bool evl_try_thread_wchan(struct evl_thread *thread, struct evl_wait_channel **wchanp,
			  struct evl_rq **rqp, unsigned long *flags);
#define EVL_CHANNEL_DELAY	5000
/* The same until that is done; false if current is called away from it. */
bool evl_lock_thread_wchan(struct evl_thread *thread, struct evl_wait_channel **wchanp,
			   struct evl_rq **rqp, unsigned long *flags);
/* The request in hand was called away before it did anything: as its result, this has
 * it start over once current has done what it is wanted for. Comes in-band. */
int evl_put_off_request(void);
/* How often a lock is tried, against the order, which others keep busy. */
#define EVL_LOCK_TRIES		16
/* Put @thread in its new place in the line where it waits, if anywhere. No lock
 * held. False if it could not be done now, as above. */
bool evl_reorder_waiter(struct evl_thread *thread, struct evl_chain_walk *walk);
/* @thread, which waits on @wchan in line of priority, goes ahead of all others but those
 * for which this was done before. Both locks held. */
void evl_put_first(struct evl_wait_channel *wchan, struct evl_thread *thread);
/* @thread, which left the line of @wchan to get what it waits for and has not
 * run since, did not get it: back in line, ahead of its equals, for it to find
 * itself there. Channel lock held. */
void evl_requeue_robbed(struct evl_wait_channel *wchan, struct evl_thread *thread);

/* --- PI chain walks (chain.c), see also mutex.h ------------------------------ */

int evl_init_chains(void);
void evl_exit_chains(void);
/* The first steps of @walk, which is empty afterwards: a timer takes the rest. Hard
 * irqs off, no lock held. */
void evl_leave_walk(struct evl_chain_walk *walk);
/* The timer takes them all, at once. Hard irqs off, wait channels may be locked. */
void evl_postpone_walk(struct evl_chain_walk *walk);
/* The local CPU picks again if it was asked to. No lock held. */
void evl_let_others_run(void);

/* The resource timer of @thread expired. */
void evl_time_out(struct evl_thread *thread);

/* Kick of a thread by the host: a signal, a migration. */
void evl_signal_thread(struct host_task *h);
void evl_migrate_thread(struct host_task *h);
void evl_note_migration(struct evl_thread *thread);
/* host_ops.follow_move, .relocate and .asleep: see stage.c. */
void evl_follow_move(struct host_task *h);
bool evl_relocate_thread(struct host_task *h, int cpu);
bool evl_thread_asleep(struct host_task *h, enum host_cause cause,
		       unsigned long details);

/* evl_switch_oob() for current, which is in-band, and may be back from a stop. */
int evl_go_oob(struct evl_thread *curr);

/* Propagate base parameters to the in-band scheduler if they changed. In-band
 * task context. */
void evl_propagate_params(struct evl_thread *curr);

/* --- Ticks and clocks ------------------------------------------------------- */

void evl_tick(int cpu, ktime_t now);	/* host_ops.tick */
void evl_clock_was_set(void);		/* host_ops.clock_was_set */
/* Another CPU changed what the timer of this one has to be set to. Hard irqs
 * off; see evl_check_remote_shot(). */
void evl_program_remote_shot(struct evl_rq *rq);

/* --- Requests --------------------------------------------------------------- */

long evl_serve_request(struct host_task *h, u32 nr, unsigned long a0,
		       unsigned long a1, unsigned long a2);
void evl_inband_syscall(struct host_task *h, bool oob);
void evl_demote_current(struct host_task *h, enum host_cause cause,
			unsigned long details);
void evl_promote_current(struct host_task *h);

#endif /* !EVL_CORE_CORE_H */
