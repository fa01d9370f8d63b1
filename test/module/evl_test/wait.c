// SPDX-License-Identifier: GPL-2.0-only
/* Wait queues. */
#include <linux/smp.h>
#include "context.h"

/* Lock of the queue held: who is told to wait is queued before it is dropped. */
static bool may_go_on(struct context *cx)
{
	if (!cx->condition)
		atomic_inc(&cx->asleep);

	return cx->condition;
}

static void wait_once(void *arg)
{
	struct waiter *w = arg;
	struct context *cx = w->cx;

	w->result = evl_wait_event(&cx->wq, may_go_on(cx));
	cx->order[atomic_inc_return(&cx->arrived) - 1] = w->id;
}

/* How often one of them went to sleep. */
static int count_sleeps(struct context *cx)
{
	unsigned long flags;
	int count;

	evl_lock_irqsave(&cx->wq.wchan.lock, flags);
	count = atomic_read(&cx->asleep);
	evl_unlock_irqrestore(&cx->wq.wchan.lock, flags);

	return count;
}

/* All on one CPU, with priorities in some order, asleep on the queue. */
static bool start_waiters(struct context *cx, int flags)
{
	static const int priorities[NR_WAITERS] = { 20, 40, 10, 30 };
	int n, ret;

	evl_init_wait(&cx->wq, &evl_mono_clock, flags, "evl_test");
	for (n = 0; n < NR_WAITERS; n++) {
		struct waiter *w = &cx->waiters[n];

		w->cx = cx;
		w->id = n;
		ret = evl_run_kthread_on_cpu(&w->thread, cpumask_last(cpu_online_mask), wait_once, w, priorities[n], 0,
					     "evl_test.%d", n);
		if (!expect(cx, !ret))
			return false;
		while (count_sleeps(cx) <= n)
			cond_resched();
	}

	return true;
}

static void join_waiters(struct context *cx, int result)
{
	int n;

	for (n = 0; n < NR_WAITERS; n++) {
		evl_join_kthread(&cx->waiters[n].thread);
		expect(cx, cx->waiters[n].result == result);
	}
}

static void wake_all(void *arg)
{
	struct context *cx = arg;
	unsigned long flags;

	/* Above all waiters, on their CPU: they run once we are done. */
	evl_lock_irqsave(&cx->wq.wchan.lock, flags);
	cx->condition = true;
	while (evl_wake_up_head(&cx->wq.wchan, 0))
		;
	evl_sched_unlock(&cx->wq.wchan.lock, flags);
}

static void check_order(struct context *cx, int flags, const int *wanted)
{
	int n;

	if (!start_waiters(cx, flags))
		return;
	if (expect(cx, !evl_run_kthread_on_cpu(&cx->thread, cpumask_last(cpu_online_mask), wake_all, cx, 90, 0,
					       "evl_test.waker")))
		evl_join_kthread(&cx->thread);
	join_waiters(cx, 0);
	for (n = 0; n < NR_WAITERS; n++)
		expect(cx, cx->order[n] == wanted[n]);
	evl_destroy_wait(&cx->wq);
}

void test_wait_order(struct context *cx)
{
	static const int by_priority[NR_WAITERS] = { 1, 3, 0, 2 };

	check_order(cx, EVL_WAIT_PRIO, by_priority);
}

/* From in-band, one condition at a time. */
void test_wait_wakeup(struct context *cx)
{
	unsigned long flags;
	int n;

	if (!start_waiters(cx, EVL_WAIT_FIFO))
		return;
	/* Woken up in vain, they go back to sleep. */
	evl_flush_wait(&cx->wq.wchan, 0);
	while (count_sleeps(cx) < 2 * NR_WAITERS)
		cond_resched();
	expect(cx, evl_wait_active(&cx->wq.wchan));
	for (n = 0; n < NR_WAITERS; n++) {
		evl_lock_irqsave(&cx->wq.wchan.lock, flags);
		cx->condition = true;
		expect(cx, evl_wake_up_head(&cx->wq.wchan, 0) != NULL);
		evl_sched_unlock(&cx->wq.wchan.lock, flags);
	}
	join_waiters(cx, 0);
	expect(cx, !evl_wait_active(&cx->wq.wchan));
	evl_destroy_wait(&cx->wq);
}

static void wait_in_vain(void *arg)
{
	struct context *cx = arg;
	ktime_t date = evl_ktime_monotonic() + 2 * NSEC_PER_MSEC;

	expect(cx, evl_wait_event_timeout(&cx->wq, date, EVL_ABS, false) == -ETIMEDOUT);
	expect(cx, evl_ktime_monotonic() >= date - evl_get_clock_gravity(&evl_mono_clock, EVL_GRAVITY_KERNEL));
	expect(cx, evl_wait_event_timeout(&cx->wq, NSEC_PER_MSEC, EVL_REL, false) == -ETIMEDOUT);
	expect(cx, evl_wait_event_timeout(&cx->wq, 1, EVL_ABS, false) == -ETIMEDOUT);
	expect(cx, evl_wait_event_timeout(&cx->wq, EVL_NONBLOCK, EVL_REL, false) == -EAGAIN);
	expect(cx, evl_wait_event_timeout(&cx->wq, EVL_NONBLOCK, EVL_REL, true) == 0);
	expect(cx, !evl_wait_active(&cx->wq.wchan));
}

/* Woken up all the time, it still is over at some time, which was asked for once. */
static void wait_disturbed(void *arg)
{
	struct context *cx = arg;
	int asked = 0;

	expect(cx, evl_wait_event_timeout(&cx->wq, (asked++, 20 * NSEC_PER_MSEC), EVL_REL,
					  READ_ONCE(cx->condition)) == -ETIMEDOUT);
	expect(cx, asked == 1);
	atomic_set(&cx->arrived, 1);
}

static void disturb(struct context *cx)
{
	ktime_t limit = evl_ktime_monotonic() + 5 * NSEC_PER_SEC;

	cx->condition = false;
	atomic_set(&cx->arrived, 0);
	if (!expect(cx, !evl_run_kthread_on_cpu(&cx->thread, cpumask_last(cpu_online_mask), wait_disturbed, cx, 10, 0,
						"evl_test.disturbed")))
		return;
	while (!atomic_read(&cx->arrived) && evl_ktime_monotonic() < limit) {
		evl_flush_wait(&cx->wq.wchan, 0);
		usleep_range(500, 1000);
	}
	WRITE_ONCE(cx->condition, true);
	evl_flush_wait(&cx->wq.wchan, 0);
	evl_join_kthread(&cx->thread);
}

void test_wait_timeout(struct context *cx)
{
	evl_init_wait(&cx->wq, &evl_mono_clock, EVL_WAIT_PRIO, "evl_test");
	run_thread(cx, wait_in_vain);
	disturb(cx);
	evl_destroy_wait(&cx->wq);
}

void test_wait_flush(struct context *cx)
{
	if (!start_waiters(cx, EVL_WAIT_PRIO))
		return;
	evl_destroy_wait(&cx->wq);
	join_waiters(cx, -EIDRM);
}

/* An interrupt which keeps the channel until it is told to let go. */
static void hold_channel(void *arg)
{
	struct context *cx = arg;
	unsigned long flags;

	evl_lock_irqsave(&cx->wq.wchan.lock, flags);
	WRITE_ONCE(cx->held, true);
	while (READ_ONCE(cx->held))
		cpu_relax();
	evl_unlock_irqrestore(&cx->wq.wchan.lock, flags);
}

/* Who cannot be interrupted does not wait for a channel which others keep: here, for as
 * long as that takes. The waits end all the same. */
void test_wait_busy(struct context *cx)
{
	unsigned long flags;
	int cpu, n;

	if (!start_waiters(cx, EVL_WAIT_PRIO))
		return;

	preempt_disable();
	cpu = cpumask_any_but(cpu_online_mask, smp_processor_id());
	if (cpu < nr_cpu_ids) {
		smp_call_function_single(cpu, hold_channel, cx, false);
		while (!READ_ONCE(cx->held))
			cpu_relax();
	}
	flags = hard_local_irq_save();
	for (n = 0; n < NR_WAITERS; n++)
		evl_unblock_kthread(&cx->waiters[n].thread, EVL_T_BREAK);
	WRITE_ONCE(cx->held, false);
	hard_local_irq_restore(flags);
	preempt_enable();

	join_waiters(cx, -EINTR);
	evl_destroy_wait(&cx->wq);
}
