// SPDX-License-Identifier: GPL-2.0-only
/* Calls from contexts which they are not for: refused, with nothing done. */
#include <evl/flag.h>
#include <evl/mutex.h>
#include <evl/sem.h>
#include <evl/stax.h>
#include "context.h"

static DEFINE_EVL_KMUTEX(kmutex);
static DEFINE_EVL_KSEM(ksem, 1);
static DEFINE_EVL_FLAG(flag);
static struct evl_stax stax;

/* Every call which may wait out-of-band, none of which would have to. */
static void wait_in_vain(struct context *cx)
{
	evl_raise_flag(&flag);
	cx->condition = false;
	expect(cx, evl_wait_event(&cx->wq, cx->condition) == -EPERM);
	expect(cx, evl_wait_event_timeout(&cx->wq, 1, EVL_ABS, cx->condition) == -EPERM);
	expect(cx, evl_lock_kmutex(&kmutex) == -EPERM);
	expect(cx, evl_trylock_kmutex(&kmutex) == -EPERM);
	expect(cx, evl_down(&ksem) == -EPERM);
	expect(cx, evl_down_timeout(&ksem, 1) == -EPERM);
	expect(cx, evl_wait_flag(&flag) == -EPERM);
	expect(cx, evl_sleep(1) == -EPERM);
	expect(cx, evl_sleep_until(KTIME_MAX - 1) == -EPERM);
	evl_yield();
	/* Nobody is in line, no unit is gone. */
	expect(cx, !evl_wait_active(&cx->wq.wchan));
	expect(cx, !evl_wait_active(&kmutex.mutex.wchan));
	expect(cx, !evl_trydown(&ksem));
	evl_up(&ksem);
	expect(cx, evl_read_flag(&flag));
}

static void begin(struct context *cx)
{
	evl_init_wait(&cx->wq, &evl_mono_clock, EVL_WAIT_PRIO, "evl_test");
	evl_init_stax(&stax);
}

static void end(struct context *cx)
{
	evl_destroy_stax(&stax);
	evl_destroy_wait(&cx->wq);
}

/* A task which is no thread of the core. */
void test_contracts_stranger(struct context *cx)
{
	begin(cx);
	wait_in_vain(cx);
	expect(cx, evl_switch_oob() == -EPERM);
	evl_switch_inband(0, 0);
	/* What is for both stages works, unless nothing may sleep. */
	expect(cx, !evl_lock_stax(&stax));
	evl_unlock_stax(&stax);
	local_irq_disable();
	expect(cx, evl_lock_stax(&stax) == -EPERM);
	local_irq_enable();
	hard_local_irq_disable();
	expect(cx, evl_lock_stax(&stax) == -EPERM);
	hard_local_irq_enable();
	end(cx);
}

static void break_inband(void *arg)
{
	struct context *cx = arg;

	evl_switch_inband(0, 0);
	wait_in_vain(cx);
	evl_switch_inband(0, 0);
	expect(cx, !evl_current_oob());
	expect(cx, !evl_switch_oob());
}

void test_contracts_inband(struct context *cx)
{
	begin(cx);
	run_thread(cx, break_inband);
	end(cx);
}

static void break_oob(void *arg)
{
	struct context *cx = arg;
	struct evl_kthread other = { };

	expect(cx, evl_switch_oob() == -EPERM);
	expect(cx, evl_run_kthread(&other, break_inband, cx, 1, 0, "evl_test.other") == -EPERM);
	expect(cx, evl_current_oob());
}

void test_contracts_oob(struct context *cx)
{
	begin(cx);
	run_thread(cx, break_oob);
	end(cx);
}

static void on_shot(struct evl_timer *timer)
{
	struct context *cx = container_of(timer, struct context, timer);

	wait_in_vain(cx);
	expect(cx, evl_switch_oob() == -EPERM);
	evl_switch_inband(0, 0);
	expect(cx, evl_lock_stax(&stax) == -EPERM);
	evl_destroy_timer(timer);
	atomic_inc(&cx->shots);
}

/* The interrupt hits a thread which is free to do all that. */
static void spin_until_shot(void *arg)
{
	struct context *cx = arg;

	evl_start_timer(&cx->timer, evl_ktime_monotonic() + NSEC_PER_MSEC, 0);
	while (!atomic_read(&cx->shots))
		cpu_relax();
	expect(cx, evl_current_oob());
}

void test_contracts_irq(struct context *cx)
{
	int cpu = cpumask_last(cpu_online_mask);

	begin(cx);
	evl_init_timer_on_cpu(&cx->timer, &evl_mono_clock, cpu, on_shot, EVL_GRAVITY_IRQ);
	if (expect(cx, !evl_run_kthread_on_cpu(&cx->thread, cpu, spin_until_shot, cx, 50, 0, "evl_test.spin")))
		evl_join_kthread(&cx->thread);
	evl_destroy_timer(&cx->timer);
	end(cx);
}
