// SPDX-License-Identifier: GPL-2.0-only
/* The events of trace.h, and the marks which drivers may leave. */
#include <linux/atomic.h>
#include <linux/module.h>
#include <evl/trace.h>

#define CREATE_TRACE_POINTS
#include "core/trace.h"

static atomic_t nr_held;

int evl_hold_events(void)
{
	if (!try_module_get(THIS_MODULE))
		return -ENODEV;
	atomic_inc(&nr_held);

	return 0;
}

void evl_release_events(void)
{
	atomic_dec(&nr_held);
	module_put(THIS_MODULE);
}

int evl_count_events(void)
{
	return atomic_read(&nr_held);
}

void evl_trace_trigger(const char *issuer)
{
	evl_tracepoint(evl_trigger, issuer);
}
EXPORT_SYMBOL_GPL(evl_trace_trigger);

void evl_trace_latspot(ktime_t latency)
{
	evl_tracepoint(evl_latspot, latency);
}
EXPORT_SYMBOL_GPL(evl_trace_latspot);
