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
#include <signal.h>
#include <evl/signal-abi.h>

__EVL_BEGIN_DECLS

struct evl_version {
	int api_level;			/* __EVL__ */
	int abi_level;			/* EVL_ABI_PREREQ */
	const char *version_string;
};

/* Revisions of this library. Any stage, any thread. */
__evl_api struct evl_version evl_get_version(void)
{
	struct evl_version version;

	version.api_level = __EVL__;
	version.abi_level = EVL_ABI_PREREQ;
	version.version_string = EVL_VERSION_STRING;

	return version;
}

__evl_inline const char *__evl_hl_cause(int code)
{
	switch (code) {
	case EVL_HMDIAG_SIGDEMOTE:
		return "forced in-band by a signal";
	case EVL_HMDIAG_SYSDEMOTE:
		return "switched in-band by a system call";
	case EVL_HMDIAG_EXDEMOTE:
		return "switched in-band by a CPU exception";
	case EVL_HMDIAG_WATCHDOG:
		return "watchdog: thread hogs a CPU out-of-band";
	case EVL_HMDIAG_LKDEPEND:
		return "mutex depends on the in-band stage";
	case EVL_HMDIAG_LKIMBALANCE:
		return "mutex unlocked but not held";
	case EVL_HMDIAG_LKSLEEP:
		return "weak thread sleeps while it holds a mutex";
	case EVL_HMDIAG_STAGEX:
		return "blocked by a stage exclusion lock";
	case EVL_HMDIAG_OVERRUN:
		return "missed its schedule";
	default:
		return "unknown cause";
	}
}

/*
 * A handler for SIGDEBUG which names the cause on standard output. Nobody
 * installs it but the application; without one, the signal is fatal.
 */
__evl_api void evl_sigdebug_handler(int sig, siginfo_t *si, void *ctxt)
{
	int saved_errno = errno;
	const char *cause;
	char text[96];
	size_t len;

	(void)sig;
	(void)ctxt;

	if (!sigdebug_marked(si))
		return;

	/* No stdio in a signal handler. */
	cause = __evl_hl_cause(sigdebug_cause(si));
	memcpy(text, "evl: ", 5);
	len = strlen(cause);
	memcpy(text + 5, cause, len);
	text[5 + len] = '\n';
	if (write(1, text, len + 6) < 0)
		errno = saved_errno;
}

__EVL_END_DECLS

#endif /* _EVL_EVL_H */
