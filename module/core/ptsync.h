/* SPDX-License-Identifier: GPL-2.0-only */
/* Processes which Linux stops, see ptsync.c. */
#ifndef EVL_CORE_PTSYNC_H
#define EVL_CORE_PTSYNC_H

#include <linux/list.h>
#include <evl/wait.h>

struct evl_process;
struct evl_thread;

/* The part of a process which is about stops, guarded by the channel of @barrier. */
struct evl_process_stop {
	struct evl_wait_queue barrier;	/* for those which came back */
	struct list_head threads;	/* evl_thread.next_sibling */
	int nr_threads;
	int nr_away;			/* have EVL_T_PTSTOP: stopped, or on their way */
	u32 number;			/* of the last stop, evl_thread.passed_stop */
	bool all_told;			/* of that one, and none has gone on since */
};

void evl_init_stop(struct evl_process_stop *stop);
struct evl_process_stop *evl_process_stop(struct evl_process *proc);

/* Current becomes a thread of its process, or is none any more. */
void evl_enter_process(struct evl_thread *curr);
void evl_leave_process(struct evl_thread *curr);

/*
 * Current is about to leave the out-of-band stage for @cause: halt its siblings if it
 * is going to stop, and have it come back later. True if that is for a stop, of its
 * own or of somebody else, which is nothing to tell its health monitor. Any context.
 */
bool evl_leave_for_stop(struct evl_thread *curr, enum host_cause cause);
/* Current has EVL_T_PTSIG: not any more, if that stop is over for it. */
void evl_drop_stale_halt(struct evl_thread *curr);
/* Current is not expected to come back any more. */
void evl_forget_stop(struct evl_thread *curr);
/* Current came out-of-band by itself: is there a stop which may concern it? Then it
 * halts for that one before it is in user space. */
bool evl_stop_is_on(struct evl_thread *curr);
void evl_join_stop(struct evl_thread *curr);
/* Does @thread wait for its siblings to be back? Its run queue is locked. */
bool evl_waits_for_siblings(struct evl_thread *thread);

/* host_ops.expect_signals, .expect_handler, .comes_back and .come_back */
void evl_expect_signals(struct host_task *h);
void evl_expect_handler(struct host_task *h);
bool evl_comes_back(struct host_task *h);
void evl_come_back(struct host_task *h);

#endif /* !EVL_CORE_PTSYNC_H */
