// SPDX-License-Identifier: GPL-2.0-only
/* The events of trace.h, and the marks which drivers may leave. */
#include <linux/export.h>
#include <evl/trace.h>

#define CREATE_TRACE_POINTS
#include "core/trace.h"

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
