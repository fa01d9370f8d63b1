/* SPDX-License-Identifier: GPL-2.0-only */
/* Marks of drivers in the trace of the kernel, among the events of the core. */
#ifndef EVL_TRACE_H
#define EVL_TRACE_H

#include <linux/ktime.h>

/*
 * Event evl_trigger: what @issuer was looking for happened. Whoever traces may have a
 * snapshot taken by it, or the trace stopped. Any context.
 */
void evl_trace_trigger(const char *issuer);
/* Event evl_latspot: the worst latency so far. Any context. */
void evl_trace_latspot(ktime_t latency);

#endif /* !EVL_TRACE_H */
