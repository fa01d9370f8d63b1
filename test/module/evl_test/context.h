/* SPDX-License-Identifier: GPL-2.0-only */
/* What the parts of evl_test.ko share. */
#ifndef EVL_TEST_CONTEXT_H
#define EVL_TEST_CONTEXT_H

#include <linux/delay.h>
#include <linux/slab.h>
#include <evl/clock.h>
#include <evl/kthread.h>
#include <evl/sched.h>
#include <evl/timer.h>
#include <evl/wait.h>
#include <evl/work.h>
#include "../evl_test.h"

#define MAX_TRANSFER	4096
#define NR_WAITERS	4
#define NR_SHOTS	20

struct context;

struct waiter {
	struct evl_kthread thread;
	struct context *cx;
	int id;
	int result;
};

/* One request; what its threads share. */
struct context {
	struct evl_test_run run;
	struct evl_kthread thread;
	struct evl_wait_queue wq;
	struct evl_timer timer;
	struct evl_work work;
	struct evl_xbuf *xbuf;
	struct evl_file *efilp;		/* NULL unless held for longer */
	struct waiter waiters[NR_WAITERS];
	int order[NR_WAITERS];
	atomic_t asleep;
	atomic_t arrived;
	atomic_t shots;
	ktime_t dates[NR_SHOTS];
	ktime_t date;
	bool condition;
	bool held;
	struct evl_timer *timers;
	bool handler_oob;
	bool handler_atomic;
	char *buf;
};

/* The first failure counts. */
void note_failure(struct context *cx, const char *path, int line);


#define expect(__cx, __cond)						\
	({								\
		bool __good = (__cond);					\
		if (!__good)						\
			note_failure(__cx, __FILE__, __LINE__);		\
		__good;							\
	})

/* Run @fn as a thread of SCHED_FIFO, and wait for its end. */
void run_thread(struct context *cx, void (*fn)(void *));

void test_kthread(struct context *cx);
void test_kthread_errors(struct context *cx);
void test_kthread_stop(struct context *cx);
void test_kthread_unblock(struct context *cx);
void test_kthread_priority(struct context *cx);
void test_kthread_hogs(struct context *cx);
void test_kthread_public(struct context *cx);
void test_timer_oneshot(struct context *cx);
void test_timer_periodic(struct context *cx);
void test_timer_stop(struct context *cx);
void test_timer_extremes(struct context *cx);
void test_timer_start_over(struct context *cx);
void test_timer_crowd(struct context *cx);
void test_timer_slow(struct context *cx);
void test_timer_pushy(struct context *cx);
void test_timer_destroy(struct context *cx);
void test_clock_gravity(struct context *cx);
void test_wait_wakeup(struct context *cx);
void test_wait_timeout(struct context *cx);
void test_wait_order(struct context *cx);
void test_wait_flush(struct context *cx);
void test_wait_busy(struct context *cx);
void test_work(struct context *cx);
void test_heap(struct context *cx);
void test_contracts_stranger(struct context *cx);
void test_contracts_inband(struct context *cx);
void test_contracts_oob(struct context *cx);
void test_contracts_irq(struct context *cx);
void test_traps_thread(struct context *cx);
void test_traps_irq(struct context *cx);
void test_traps_nmi(struct context *cx);
void test_traps_probe(struct context *cx);
void test_trace(struct context *cx);
void test_xbuf_hold(struct context *cx);
void test_xbuf_gone(struct context *cx);
void test_xbuf_get(struct context *cx);
void test_xbuf_read(struct context *cx);
void test_xbuf_write(struct context *cx);
void test_xbuf_echo(struct context *cx);

#endif /* !EVL_TEST_CONTEXT_H */
