// SPDX-License-Identifier: GPL-2.0-only
/* Threads of drivers. */
#include "context.h"

static void kthread_body(void *arg)
{
	struct context *cx = arg;
	struct evl_sched_attrs attrs;
	ktime_t date;

	expect(cx, evl_current_oob());
	expect(cx, evl_current_kthread() == &cx->thread);
	expect(cx, !evl_kthread_should_stop());
	evl_get_thread_policy(evl_current(), &attrs);
	expect(cx, attrs.sched_policy == SCHED_FIFO && attrs.sched_priority == 50);
	date = evl_ktime_monotonic() + 2 * NSEC_PER_MSEC;
	expect(cx, !evl_sleep_until(date));
	expect(cx, evl_ktime_monotonic() >= date - evl_get_clock_gravity(&evl_mono_clock, EVL_GRAVITY_KERNEL));
	date = evl_ktime_monotonic();
	expect(cx, !evl_sleep(NSEC_PER_MSEC));
	expect(cx, evl_ktime_monotonic() >= date + NSEC_PER_MSEC -
	       evl_get_clock_gravity(&evl_mono_clock, EVL_GRAVITY_KERNEL));
	evl_yield();
	/* Both ways, as often as it likes; it may end in-band. */
	evl_switch_inband(0, 0);
	expect(cx, !evl_current_oob());
	expect(cx, !in_atomic() && !irqs_disabled());
	expect(cx, !evl_switch_oob());
	expect(cx, evl_current_oob());
	cx->run.result = 1;
}

static void pinned_body(void *arg)
{
	struct context *cx = arg;

	cx->run.result |= 2;
	expect(cx, evl_current()->rq->cpu == cpumask_last(cpu_online_mask));
	expect(cx, raw_smp_processor_id() == cpumask_last(cpu_online_mask));
}

void test_kthread(struct context *cx)
{
	expect(cx, !evl_current_kthread());
	run_thread(cx, kthread_body);
	expect(cx, cx->run.result == 1);
	if (expect(cx, !evl_run_kthread_on_cpu(&cx->thread, cpumask_last(cpu_online_mask), pinned_body, cx, 99,
					       EVL_CLONE_PRIVATE, "evl_test.cpu")))
		evl_join_kthread(&cx->thread);
	expect(cx, cx->run.result == 3);
}

static void sleep_for_ever(void *arg)
{
	struct context *cx = arg;

	expect(cx, evl_sleep_until(KTIME_MAX - 1) == -EINTR);
	expect(cx, evl_kthread_should_stop());
	/* It is too late to sleep. */
	expect(cx, evl_sleep(NSEC_PER_SEC) == -EINTR);
}

static void never_runs(void *arg)
{
	struct context *cx = arg;

	expect(cx, false);
}

void test_kthread_errors(struct context *cx)
{
	struct evl_kthread other;
	const char *volatile nameless = NULL;	/* The compiler would complain. */
	char *name = kmalloc(2 * PATH_MAX, GFP_KERNEL);

	if (!expect(cx, name))
		return;
	memset(name, 'n', 2 * PATH_MAX - 1);
	name[2 * PATH_MAX - 1] = '\0';
	expect(cx, evl_run_kthread(&other, never_runs, cx, 100, 0, "evl_test.bad") == -EINVAL);
	expect(cx, evl_run_kthread(&other, never_runs, cx, 1, EVL_CLONE_INPUT, "evl_test.bad") == -EINVAL);
	expect(cx, evl_run_kthread_on_cpu(&other, -1, never_runs, cx, 1, 0, "evl_test.bad") == -EINVAL);
	expect(cx, evl_run_kthread_on_cpu(&other, nr_cpu_ids, never_runs, cx, 1, 0, "evl_test.bad") == -EINVAL);
	expect(cx, evl_run_kthread(&other, never_runs, cx, 1, 0, "%s", name) == -ENAMETOOLONG);
	expect(cx, evl_run_kthread(&other, never_runs, cx, 1, 0, "%s", "") == -EINVAL);
	expect(cx, evl_run_kthread(&other, never_runs, cx, 1, 0, nameless) == -EINVAL);
	kfree(name);
	if (!expect(cx, !evl_run_kthread(&cx->thread, sleep_for_ever, cx, 1, 0, "evl_test.once")))
		return;
	expect(cx, evl_run_kthread(&other, never_runs, cx, 1, 0, "evl_test.once") == -EEXIST);
	expect(cx, evl_set_kthread_priority(&cx->thread, 100) == -EINVAL);
	evl_stop_kthread(&cx->thread);
}

void test_kthread_stop(struct context *cx)
{
	int n;

	/* Before, while and after it goes to sleep. */
	for (n = 0; n < 50; n++) {
		if (!expect(cx, !evl_run_kthread(&cx->thread, sleep_for_ever, cx, 1, 0, "evl_test.stop")))
			return;
		if (n > 20)
			usleep_range(100, 200);
		evl_stop_kthread(&cx->thread);
	}
}

static void sleep_until_unblocked(void *arg)
{
	struct context *cx = arg;

	expect(cx, evl_sleep_until(KTIME_MAX - 1) == -EINTR);
	expect(cx, !evl_kthread_should_stop());
	cx->run.result = 1;
}

/* The thread may not sleep yet, so once is not enough. */
void test_kthread_unblock(struct context *cx)
{
	if (!expect(cx, !evl_run_kthread(&cx->thread, sleep_until_unblocked, cx, 1, 0, "evl_test.unblock")))
		return;
	while (!READ_ONCE(cx->run.result) && !READ_ONCE(cx->run.line)) {
		evl_unblock_kthread(&cx->thread, EVL_T_BREAK);
		cond_resched();
	}
	evl_join_kthread(&cx->thread);
}

static void await_priority(void *arg)
{
	struct context *cx = arg;
	struct evl_sched_attrs attrs;

	do {
		if (evl_sleep(NSEC_PER_MSEC))
			break;
		evl_get_thread_policy(evl_current(), &attrs);
	} while (attrs.sched_priority != 77);
	expect(cx, attrs.sched_policy == SCHED_FIFO);
}

void test_kthread_priority(struct context *cx)
{
	if (!expect(cx, !evl_run_kthread(&cx->thread, await_priority, cx, 1, 0, "evl_test.prio")))
		return;
	expect(cx, !evl_set_kthread_priority(&cx->thread, 77));
	evl_join_kthread(&cx->thread);
}

/* Lives until the file is closed, for the program to look at. */
void test_kthread_public(struct context *cx)
{
	cx->run.result = evl_run_kthread(&cx->thread, sleep_for_ever, cx, 33, EVL_CLONE_PUBLIC, "evl_test.public");
}

/* --- Two which leave Linux nothing --------------------------------------------------------- */

#define HOGS	2

static void take_turns(void *arg)
{
	struct waiter *w = arg;
	ktime_t end = w->cx->date + 3 * NSEC_PER_SEC;

	expect(w->cx, !evl_sleep_until(w->cx->date));
	while (evl_ktime_monotonic() < end)
		evl_yield();
}

/* Neither of them stays long. What the watchdog has to say is for the program to look at. */
void test_kthread_hogs(struct context *cx)
{
	int n, ret;

	cx->date = evl_ktime_monotonic() + EVL_TEST_HOG_DELAY * NSEC_PER_MSEC;
	for (n = 0; n < HOGS; n++) {
		cx->waiters[n].cx = cx;
		ret = evl_run_kthread_on_cpu(&cx->waiters[n].thread, cx->run.count, take_turns, &cx->waiters[n], 10,
					     0, "evl_test.hog%d", n);
		if (!expect(cx, !ret))
			break;
	}
	while (n-- > 0)
		evl_join_kthread(&cx->waiters[n].thread);
}
