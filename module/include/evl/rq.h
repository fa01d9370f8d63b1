/* SPDX-License-Identifier: GPL-2.0-only */
/* Run queues: one per CPU. See lock.h for the lock order. */
#ifndef EVL_RQ_H
#define EVL_RQ_H

#include <linux/percpu.h>
#include <linux/bitmap.h>
#include <evl/lock.h>
#include <evl/timer.h>

struct evl_thread;

/* Weak threads use indexes 0..99 from the end, SCHED_FIFO and SCHED_RR 128..227. */
#define EVL_NR_RQ_INDEXES	256

/* The heads are allocated: static per-CPU memory of modules is 8 KB in all. */
struct evl_rq_queue {
	DECLARE_BITMAP(map, EVL_NR_RQ_INDEXES);
	struct list_head *head;
};

struct evl_rq {
	hard_spinlock_t lock;
	unsigned long flags;		/* RQ_*, guarded by the lock */
	int cpu;
	struct evl_thread *curr;	/* the one picked last */
	struct evl_thread *root;	/* stands for Linux on this CPU */
	struct evl_rq_queue queue;	/* runnable, but for curr */
	struct evl_timer rr_timer;	/* quantum of curr */
	struct evl_timer wd_timer;	/* watchdog over oob activity */
	bool vacated;			/* curr is the root, but Linux did not get the CPU */
	bool wd_caught;			/* a user thread, since Linux ran last */
	ktime_t wd_told;		/* date of that, or of the last report since */
	ktime_t last_switch;		/* date of the last change of curr */
	ktime_t tick_date;		/* of a tick which wants one, or 0 */
	ktime_t oob_since;		/* date Linux lost the CPU */
	struct host_cpu host;
};

enum {
	RQ_RESCHED,			/* the scheduler must run here */
};

DECLARE_PER_CPU(struct evl_rq, evl_runqueues);

/*
 * CPUs that threads may use. All possible CPUs have a run queue: a thread which
 * Linux puts on another one must find something there until it is sent back.
 */
extern struct cpumask evl_oob_cpus;

static inline struct evl_rq *evl_cpu_rq(int cpu)
{
	return &per_cpu(evl_runqueues, cpu);
}

/* Hard irqs off, or a caller which does not mind a stale answer. */
static inline struct evl_rq *this_evl_rq(void)
{
	return raw_cpu_ptr(&evl_runqueues);
}

#endif /* !EVL_RQ_H */
