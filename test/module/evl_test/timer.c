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

/* --- Dates at the limits ---------------------------------------------------------------- */

static void await_extremes(void *arg)
{
	struct context *cx = arg;

	evl_start_timer(&cx->timer, S64_MIN, 0);
	expect(cx, !evl_wait_event(&cx->wq, atomic_read(&cx->shots) == 1));
	evl_start_timer(&cx->timer, evl_ktime_monotonic(), S64_MIN);
	expect(cx, !evl_wait_event(&cx->wq, atomic_read(&cx->shots) == 2));
	expect(cx, !evl_timer_is_running(&cx->timer));
	/* The next one is out of reach, not in the past. */
	evl_start_timer(&cx->timer, evl_ktime_monotonic(), KTIME_MAX);
	expect(cx, !evl_wait_event(&cx->wq, atomic_read(&cx->shots) == 3));
	expect(cx, !evl_sleep(5 * NSEC_PER_MSEC));
	expect(cx, atomic_read(&cx->shots) == 3);
	expect(cx, evl_get_timer_delta(&cx->timer) > KTIME_MAX / 2);
	evl_stop_timer(&cx->timer);
	evl_start_timer(&cx->timer, KTIME_MAX, 0);
	expect(cx, evl_timer_is_running(&cx->timer));
	evl_stop_timer(&cx->timer);
}

void test_timer_extremes(struct context *cx)
{
	init_timer(cx);
	run_thread(cx, await_extremes);
	destroy_timer(cx);
}

/* --- Starting over within the gravity ----------------------------------------------------- */

#define SHORT_DELAY	(100 * NSEC_PER_USEC)

static void start_over(struct evl_timer *timer)
{
	struct context *cx = container_of(timer, struct context, timer);
	ktime_t now = evl_ktime_monotonic();
	int n = atomic_inc_return(&cx->shots);

	cx->dates[n - 1] = now;
	if (n < NR_SHOTS)
		evl_start_timer(timer, now + SHORT_DELAY, 0);
	else
		evl_flush_wait(&cx->wq.wchan, 0);
}

static void await_start_over(void *arg)
{
	struct context *cx = arg;
	int n;

	evl_start_timer(&cx->timer, evl_ktime_monotonic(), 0);
	expect(cx, !evl_wait_event(&cx->wq, atomic_read(&cx->shots) == NR_SHOTS));
	for (n = 1; n < NR_SHOTS; n++)
		expect(cx, cx->dates[n] - cx->dates[n - 1] >= SHORT_DELAY);
}

void test_timer_start_over(struct context *cx)
{
	static const ktime_t large[EVL_NR_GRAVITY] = { EVL_GRAVITY_MAX, EVL_GRAVITY_MAX, EVL_GRAVITY_MAX };

	expect(cx, !evl_set_clock_gravity(&evl_mono_clock, large));
	init_timer(cx);
	cx->timer.handler = start_over;
	run_thread(cx, await_start_over);
	destroy_timer(cx);
	evl_reset_clock_gravity(&evl_mono_clock);
}

/* --- Many at the same date ------------------------------------------------------------------ */

#define NR_CROWD	1000

static atomic_t crowd_shots;

static void count_crowd(struct evl_timer *timer)
{
	atomic_inc(&crowd_shots);
}

/* How many of them expire in a row, without this thread getting the CPU in between. */
static int watch_crowd(struct context *cx, int count, void (*handler)(struct evl_timer *timer))
{
	ktime_t date = evl_ktime_monotonic() + 300 * NSEC_PER_MSEC;
	int n, seen, last = 0, most = 0;

	atomic_set(&crowd_shots, 0);
	for (n = 0; n < count; n++) {
		evl_init_timer_on_cpu(&cx->timers[n], &evl_mono_clock, raw_smp_processor_id(), handler,
				      EVL_GRAVITY_IRQ);
		evl_start_timer(&cx->timers[n], date, 0);
	}
	while (last < count && evl_ktime_monotonic() < date + NSEC_PER_SEC) {
		seen = atomic_read(&crowd_shots);
		most = max(most, seen - last);
		last = seen;
	}
	expect(cx, last == count);
	for (n = 0; n < count; n++)
		evl_destroy_timer(&cx->timers[n]);

	return most;
}

/* An emulated CPU may stand still at any time: it does not always. */
static void watch_crowds(void *arg)
{
	struct context *cx = arg;
	int n;

	/* How they are spread depends on how busy the emulator is. */
	for (n = 0; n < 3; n++) {
		watch_crowd(cx, NR_CROWD, count_crowd);
		evl_sleep(100 * NSEC_PER_MSEC);
	}
}

static void run_crowd(struct context *cx, void (*body)(void *))
{
	cx->timers = kcalloc(NR_CROWD, sizeof(*cx->timers), GFP_KERNEL);
	if (expect(cx, cx->timers))
		run_thread(cx, body);
	kfree(cx->timers);
}

void test_timer_crowd(struct context *cx)
{
	run_crowd(cx, watch_crowds);
}

#define NR_SLOW	8

static void take_long(struct evl_timer *timer)
{
	udelay(500);
	atomic_inc(&crowd_shots);
}

/* After each of these, a tick has taken long enough. The emulated CPU may be late to see that, but not always. */
static void watch_slow(void *arg)
{
	struct context *cx = arg;
	int n, least = NR_SLOW;

	for (n = 0; n < 10 && least > 1; n++)
		least = min(least, watch_crowd(cx, NR_SLOW, take_long));
	expect(cx, least <= 1);
}

void test_timer_slow(struct context *cx)
{
	run_crowd(cx, watch_slow);
}

/* --- Those who always want to be first ---------------------------------------------------------- */

#define NR_PUSHY	64

static ktime_t due_date;
static atomic_t pushed;

static void push_ahead(struct evl_timer *timer)
{
	udelay(50);
	if (evl_ktime_monotonic() > due_date)
		atomic_inc(&pushed);
}

static void note_shot(struct evl_timer *timer)
{
	atomic_inc(&container_of(timer, struct context, timer)->shots);
}

/*
 * From this CPU, those of another one are set for the past, over and over. Of these, one
 * which is due there is passed by no more than were there before, each of them once.
 */
void test_timer_pushy(struct context *cx)
{
	int n, here, there, passed = 0;
	ktime_t limit;

	cx->timers = kcalloc(NR_PUSHY, sizeof(*cx->timers), GFP_KERNEL);
	if (!expect(cx, cx->timers))
		return;

	migrate_disable();
	here = raw_smp_processor_id();
	there = cpumask_any_but(cpu_online_mask, here);
	if (there >= nr_cpu_ids)
		there = here;
	evl_init_timer_on_cpu(&cx->timer, &evl_mono_clock, there, note_shot, EVL_GRAVITY_IRQ);
	for (n = 0; n < NR_PUSHY; n++)
		evl_init_timer_on_cpu(&cx->timers[n], &evl_mono_clock, there, push_ahead, EVL_GRAVITY_IRQ);

	due_date = evl_ktime_monotonic() + 20 * NSEC_PER_MSEC;
	atomic_set(&pushed, 0);
	evl_start_timer(&cx->timer, due_date, 0);
	limit = evl_ktime_monotonic() + 5 * NSEC_PER_SEC;
	while (!atomic_read(&cx->shots) && evl_ktime_monotonic() < limit) {
		for (n = 0; n < NR_PUSHY; n++)
			evl_start_timer(&cx->timers[n], 1, 0);
		passed = atomic_read(&pushed);
		cond_resched();
	}
	expect(cx, atomic_read(&cx->shots) == 1);
	expect(cx, passed <= 2 * NR_PUSHY);

	for (n = 0; n < NR_PUSHY; n++)
		evl_destroy_timer(&cx->timers[n]);
	evl_destroy_timer(&cx->timer);
	migrate_enable();
	kfree(cx->timers);
}

/* --- The end of one whose handler is in progress ---------------------------------------------- */

static void hold_cpu(struct evl_timer *timer)
{
	struct context *cx = container_of(timer, struct context, timer);

	atomic_inc(&cx->shots);
	while (!READ_ONCE(cx->condition))
		cpu_relax();
	atomic_inc(&cx->arrived);
}

struct let_go {
	struct timer_list timer;
	struct context *cx;
};

static void let_go(struct timer_list *timer)
{
	WRITE_ONCE(container_of(timer, struct let_go, timer)->cx->condition, true);
}

/* The timer is set anew for this CPU, while its handler is in progress on another one. */
void test_timer_destroy(struct context *cx)
{
	struct let_go soon = { .cx = cx };
	int here = raw_smp_processor_id(), there = cpumask_any_but(cpu_online_mask, here);

	if (there >= nr_cpu_ids)
		return;

	evl_init_timer_on_cpu(&cx->timer, &evl_mono_clock, there, hold_cpu, EVL_GRAVITY_IRQ);
	evl_start_timer(&cx->timer, evl_ktime_monotonic(), 0);
	while (!atomic_read(&cx->shots))
		cpu_relax();
	evl_move_timer(&cx->timer, &evl_realtime_clock, here);
	evl_start_timer(&cx->timer, evl_read_clock(&evl_realtime_clock) + 1000 * NSEC_PER_SEC, 0);

	timer_setup_on_stack(&soon.timer, let_go, 0);
	soon.timer.expires = jiffies + 3;
	add_timer_on(&soon.timer, here);
	evl_destroy_timer(&cx->timer);
	expect(cx, atomic_read(&cx->arrived));
	expect(cx, !evl_timer_is_running(&cx->timer));
	while (!atomic_read(&cx->arrived))
		cpu_relax();
	/* By the time we may be told, it has expired: nothing to stop. */
	while (timer_pending(&soon.timer))
		cpu_relax();
	destroy_timer_on_stack(&soon.timer);
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
	static const ktime_t some[EVL_NR_GRAVITY] = { 1, 2000, EVL_GRAVITY_MAX };
	static const ktime_t bad[][EVL_NR_GRAVITY] = { { -1, 0, 0 }, { 0, 0, EVL_GRAVITY_MAX + 1 } };
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
