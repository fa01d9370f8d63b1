// SPDX-License-Identifier: GPL-2.0-only
/* Calls deferred to the in-band stage, and the core heap. */
#include <evl/heap.h>
#include "context.h"

static void on_work(struct evl_work *work)
{
	struct context *cx = container_of(work, struct context, work);

	expect(cx, !evl_current_oob());
	expect(cx, !in_atomic() && !irqs_disabled());
	usleep_range(100, 200);
	atomic_inc(&cx->shots);
}

static void call_work(void *arg)
{
	struct context *cx = arg;

	expect(cx, evl_call_inband(&cx->work));
	expect(cx, evl_current_oob());
}

void test_work(struct context *cx)
{
	evl_init_work(&cx->work, on_work);
	run_thread(cx, call_work);
	evl_flush_work(&cx->work);
	expect(cx, atomic_read(&cx->shots) == 1);
	run_thread(cx, call_work);
	evl_cancel_work(&cx->work);
	expect(cx, atomic_read(&cx->shots) <= 2);
}

static void use_heap(void *arg)
{
	static void *blocks[64];
	struct context *cx = arg;
	int n, round;

	for (round = 0; round < 10; round++) {
		for (n = 0; n < ARRAY_SIZE(blocks); n++) {
			blocks[n] = evl_alloc(8 + n * 8);
			if (expect(cx, blocks[n]))
				memset(blocks[n], n, 8 + n * 8);
		}
		for (n = 0; n < ARRAY_SIZE(blocks); n++) {
			expect(cx, !memchr_inv(blocks[n], n, 8 + n * 8));
			evl_free(blocks[n]);
		}
	}
	expect(cx, !evl_alloc(0));
	expect(cx, !evl_alloc(PAGE_SIZE));
	expect(cx, evl_current_oob());
}

void test_heap(struct context *cx)
{
	run_thread(cx, use_heap);
}
