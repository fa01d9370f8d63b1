// SPDX-License-Identifier: GPL-2.0-only
/* Timers, and their handlers. */
#include "context.h"

static void on_shot(struct evl_timer *timer)
{
	struct context *cx = container_of(timer, struct context, timer);
	int n = atomic_inc_return(&cx->shots);

	if (n <= NR_SHOTS)
		cx->dates[n - 1] = evl_ktime_monotonic();
	cx->handler_atomic = irqs_disabled() || hard_irqs_disabled();
	evl_flush_wait(&cx->wq.wchan, 0);
}

static void init_timer(struct context *cx)
{
	evl_init_wait(&cx->wq, &evl_mono_clock, EVL_WAIT_PRIO, "evl_test");
	evl_init_timer_on_cpu(&cx->timer, &evl_mono_clock, cpumask_first(cpu_online_mask), on_shot, EVL_GRAVITY_IRQ);
}

static void destroy_timer(struct context *cx)
{
	evl_destroy_timer(&cx->timer);
	evl_destroy_wait(&cx->wq);
}

static void await_shot(void *arg)
{
	struct context *cx = arg;

	cx->date = evl_ktime_monotonic() + 3 * NSEC_PER_MSEC;
	expect(cx, !evl_timer_is_running(&cx->timer));
	expect(cx, evl_get_timer_date(&cx->timer) == 0);
	expect(cx, evl_get_timer_delta(&cx->timer) == 0);
	evl_start_timer(&cx->timer, cx->date, 0);
	expect(cx, evl_get_timer_delta(&cx->timer) <= 3 * NSEC_PER_MSEC);
	expect(cx, !evl_wait_event(&cx->wq, atomic_read(&cx->shots) > 0));
	expect(cx, cx->handler_atomic);
	expect(cx, cx->dates[0] >= cx->date);
	expect(cx, !evl_timer_is_running(&cx->timer));
}

void test_timer_oneshot(struct context *cx)
{
	init_timer(cx);
	run_thread(cx, await_shot);
	expect(cx, atomic_read(&cx->shots) == 1);
	destroy_timer(cx);
}

static void await_shots(void *arg)
{
	struct context *cx = arg;
	int n;

	cx->date = evl_ktime_monotonic() + NSEC_PER_MSEC;
	evl_start_timer(&cx->timer, cx->date, NSEC_PER_MSEC);
	expect(cx, !evl_wait_event(&cx->wq, atomic_read(&cx->shots) >= NR_SHOTS));
	expect(cx, evl_timer_is_running(&cx->timer));
	evl_stop_timer(&cx->timer);
	expect(cx, !evl_timer_is_running(&cx->timer));
	/* None before its period, and periods do not add up delays. */
	for (n = 0; n < NR_SHOTS; n++)
		expect(cx, cx->dates[n] >= cx->date + n * NSEC_PER_MSEC);
}

void test_timer_periodic(struct context *cx)
{
	init_timer(cx);
	run_thread(cx, await_shots);
	destroy_timer(cx);
}

static void stop_early(void *arg)
{
	struct context *cx = arg;

	evl_start_timer(&cx->timer, evl_ktime_monotonic() + 5 * NSEC_PER_MSEC, 0);
	evl_stop_timer(&cx->timer);
	expect(cx, !evl_timer_is_running(&cx->timer));
	expect(cx, !evl_sleep(10 * NSEC_PER_MSEC));
	expect(cx, atomic_read(&cx->shots) == 0);
	/* And it can be used again. */
	evl_start_timer(&cx->timer, evl_ktime_monotonic(), 0);
	expect(cx, !evl_wait_event(&cx->wq, atomic_read(&cx->shots) == 1));
}

void test_timer_stop(struct context *cx)
{
	init_timer(cx);
	run_thread(cx, stop_early);
	destroy_timer(cx);
}

static bool gravity_is(const ktime_t gravity[EVL_NR_GRAVITY])
{
	int n;

	for (n = 0; n < EVL_NR_GRAVITY; n++)
		if (evl_get_clock_gravity(&evl_realtime_clock, n) != gravity[n])
			return false;

	return true;
}

void test_clock_gravity(struct context *cx)
{
	static const ktime_t some[EVL_NR_GRAVITY] = { 1, 2000, NSEC_PER_SEC };
	static const ktime_t bad[][EVL_NR_GRAVITY] = { { -1, 0, 0 }, { 0, 0, NSEC_PER_SEC + 1 } };
	ktime_t normal[EVL_NR_GRAVITY];
	int n;

	evl_reset_clock_gravity(&evl_realtime_clock);
	for (n = 0; n < EVL_NR_GRAVITY; n++)
		normal[n] = evl_get_clock_gravity(&evl_realtime_clock, n);
	expect(cx, !evl_set_clock_gravity(&evl_realtime_clock, some));
	expect(cx, gravity_is(some));
	for (n = 0; n < ARRAY_SIZE(bad); n++)
		expect(cx, evl_set_clock_gravity(&evl_realtime_clock, bad[n]) == -EINVAL);
	expect(cx, gravity_is(some));
	evl_reset_clock_gravity(&evl_realtime_clock);
	expect(cx, gravity_is(normal));
}
