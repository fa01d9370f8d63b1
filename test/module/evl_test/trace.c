// SPDX-License-Identifier: GPL-2.0-only
/* Marks of drivers in the trace; test/suite/trace.c looks for them there. */
#include <evl/trace.h>
#include "context.h"

static void leave_marks(void *arg)
{
	struct context *cx = arg;

	expect(cx, evl_current_oob());
	evl_trace_trigger("evl_test out-of-band");
	evl_trace_latspot(1234567);
	expect(cx, evl_current_oob());
}

static void on_mark(struct evl_timer *timer)
{
	struct context *cx = container_of(timer, struct context, timer);

	evl_trace_trigger("evl_test timer");
	atomic_inc(&cx->shots);
}

void test_trace(struct context *cx)
{
	evl_trace_trigger("evl_test in-band");
	run_thread(cx, leave_marks);
	evl_init_timer_on_cpu(&cx->timer, &evl_mono_clock, 0, on_mark, EVL_GRAVITY_IRQ);
	evl_start_timer(&cx->timer, evl_ktime_monotonic() + NSEC_PER_MSEC, 0);
	while (!atomic_read(&cx->shots))
		usleep_range(100, 200);
	evl_destroy_timer(&cx->timer);
}
