/* SPDX-License-Identifier: GPL-2.0-only */
/* Clocks by descriptor, and timers on them. */
#ifndef EVL_ELEMENT_CLOCK_H
#define EVL_ELEMENT_CLOCK_H

#include <evl/clock.h>
#include <evl/file.h>

/*
 * The clock which user space calls @clockfd: a built-in one by its negated
 * POSIX id, or the file of a clock. NULL if there is none. *@efilpp holds it
 * until evl_put_clock(). Any stage.
 */
struct evl_clock *evl_get_clock_by_fd(int clockfd, struct evl_file **efilpp);

static inline void evl_put_clock(struct evl_file *efilp)
{
	if (efilp)
		evl_put_file(efilp);
}

/* A new timer on @clock, its descriptor stored to *@u_fd. In-band. */
int evl_new_timerfd(struct evl_clock *clock, int __user *u_fd);

#endif /* !EVL_ELEMENT_CLOCK_H */
