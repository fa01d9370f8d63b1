/* SPDX-License-Identifier: GPL-2.0-only */
/* Monitors: what the rest of the module asks of them. */
#ifndef EVL_MONITOR_H
#define EVL_MONITOR_H

struct evl_thread;

/*
 * Mark @thread, if it waits for the gated event with descriptor @efd, as the one
 * to wake up when its gate is left. 0, -EINVAL if that is no event, or what has a
 * request start over: current was wanted while others kept the event busy. Any stage.
 */
int evl_signal_waiter(struct evl_thread *thread, int efd);

#endif /* !EVL_MONITOR_H */
