/* SPDX-License-Identifier: MIT */
/*
 * The EVL library. Everything is in headers: an application needs -I, and
 * -pthread, nothing else.
 *
 * Calls return 0, a count or a descriptor, or a negated error code, unless
 * their comment says otherwise. Timeouts are absolute dates, {0, 0} means no
 * limit; they are on the monotonic clock unless the element was created on
 * another one.
 */
#ifndef _EVL_EVL_H
#define _EVL_EVL_H

#include <evl/version.h>
#include <evl/init.h>
#include <evl/sys.h>
#include <evl/syscall.h>
#include <evl/thread.h>
#include <evl/sched.h>
#include <evl/clock.h>
#include <evl/timer.h>
#include <evl/xbuf.h>
#include <evl/proxy.h>
#include <evl/mutex.h>
#include <evl/event.h>
#include <evl/sem.h>
#include <evl/flags.h>
#include <evl/rwlock.h>
#include <evl/poll.h>
#include <evl/observable.h>
#include <evl/compat.h>

#endif /* _EVL_EVL_H */
