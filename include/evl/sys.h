/* SPDX-License-Identifier: MIT */
/*
 * For those who build on the library: elements by class, modes, features, the signal
 * which warns. Newer programs get evl_init() and evl_get_version() from here.
 */
#ifndef _EVL_SYS_H
#define _EVL_SYS_H

#include <evl/version.h>
#include <evl/init.h>
#include <evl/factory-abi.h>
#include <evl/control-abi.h>
#include <evl/thread-abi.h>
#include <signal.h>
#include <unistd.h>
#include <evl/signal-abi.h>

__EVL_BEGIN_DECLS

/*
 * Creates an element of a class (EVL_*_DEV). attrs depends on the class,
 * eids may be NULL. A name which starts with a slash makes it public, NULL
 * anonymous. In-band, any thread. Returns its descriptor, or -ENXIO before
 * evl_init() or while the core is stopped, -EEXIST if the name is taken (by a
 * public element if this one is public, or by one of this process), -EINVAL,
 * -ENAMETOOLONG, -EMFILE, -ENFILE, -ENOMEM, -ENOENT for no such class, -EAGAIN
 * if the class is full, -EPERM, -EACCES.
 */
__evl_api int evl_create_element(const char *type, const char *name, void *attrs,
				 int clone_flags, struct evl_element_ids *eids)
{
	return __evl_hl_create_named(type, name, attrs, clone_flags, eids);
}

/*
 * Opens a public element by its name. In-band, any thread. Returns a
 * descriptor, or -ENXIO before evl_init(), -ENOENT, -EINVAL, -EMFILE, ...
 */
__evl_api int evl_open_element_vargs(const char *type, const char *fmt, va_list ap)
{
	return __evl_hl_open_vargs(type, fmt, ap);
}

__evl_api int evl_open_element(const char *type, const char *fmt, ...)
{
	va_list ap;
	int ret;

	va_start(ap, fmt);
	ret = __evl_hl_open_vargs(type, fmt, ap);
	va_end(ap);

	return ret;
}

/* Opens a device which has no named elements (EVL_POLL_DEV). Otherwise as above. */
__evl_api int evl_open_raw(const char *type)
{
	if (!__evl_hl_ready())
		return -ENXIO;

	return __evl_hl_open_device(type, NULL);
}

/*
 * What the caller is, as the core last told. Any stage, any thread, no request. Returns
 * a mask of state bits (EVL_T_*), EVL_T_INBAND if not attached.
 */
__evl_api int evl_get_current_mode(void)
{
	struct evl_user_window *window = __evl_hl_self()->window;

	return window ? (int)__evl_hl_load(&window->state) : EVL_T_INBAND;
}

/*
 * What the FPU tests of the core may use, a mask defined by the architecture;
 * 0 if there is no core. Calls evl_init(). In-band, any thread.
 */
__evl_api unsigned int evl_detect_fpu(void)
{
	return evl_init() ? 0 : __evl_hl_home()->core.fpu_features;
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
 * installs it but the application; without one, the signal is fatal. In-band,
 * where signals are handled.
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

#endif /* _EVL_SYS_H */
