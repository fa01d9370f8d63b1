/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Take over or watch functions of the kernel with ftrace, the way livepatch
 * does. A table is installed as a whole or not at all.
 */
#ifndef EVL_HOST_REDIRECT_H
#define EVL_HOST_REDIRECT_H

#include <linux/types.h>
#include <linux/ftrace.h>
#include <linux/ptrace.h>
#ifdef EVL_FTRACE_DIRECT
#include "tramp-x86.h"
#endif

/*
 * With @to, calls to @name reach @to instead, with the same arguments; or only
 * those for which @match returns true, if there is one. Without @to, @match is
 * merely called ahead of the function, and its result is ignored.
 *
 * An @optional one which cannot be had, for whatever reason, is merely not
 * @installed.
 *
 * If there is a @tramp for @to, see HOST_REDIRECT_TRAMP(), the function is patched
 * to call that one if possible, which takes a tenth of the time.
 *
 * @match is notrace, and runs in any context the function is called from.
 * RCU may not be watching there, nor does anything prevent recursion.
 */
struct host_redirect {
	const char *name;
	void *to;
	bool (*match)(struct ftrace_regs *fregs);
	void (*tramp)(void);
	bool optional;		/* the rest works without it */
	struct ftrace_ops ops;
	bool installed;
	bool direct;		/* calls @tramp */
	unsigned long site;	/* where the function calls ftrace, once known */
};

/* Defines @__tramp, which has the function @__to run instead. */
#ifdef EVL_FTRACE_DIRECT
#define HOST_REDIRECT_TRAMP(__tramp, __to)	ARCH_TRAMP_TO(__tramp, __to)
#else
#define HOST_REDIRECT_TRAMP(__tramp, __to)				\
	static __maybe_unused void __tramp(void) { }			\
	static_assert(true)
#endif

/*
 * In-band, may sleep. The first entry must have no @tramp: it also tells whether
 * ftrace is on, and keeps it on, which direct calls do not care for. On error,
 * prints one line which says what is missing.
 * 0, -ENOENT (no such function, or not traceable), -EBUSY (somebody else
 * redirects it), -EPERM (ftrace is turned off), or what ftrace says.
 */
int host_install_redirects(struct host_redirect *table, int nr);

/*
 * No new call reaches the module on return, and no task which ran all along
 * is on its way from ftrace to it. Calls in progress are for the caller to
 * wait for.
 */
void host_remove_redirects(struct host_redirect *table, int nr);

/* The argument number @n of the function, up to the third, for @match. */
static __always_inline unsigned long
host_redirect_arg(struct ftrace_regs *fregs, unsigned int n)
{
#ifdef ftrace_regs_get_argument
	return ftrace_regs_get_argument(fregs, n);
#else
	return n == 0 ? fregs->regs.di : n == 1 ? fregs->regs.si : fregs->regs.dx;
#endif
}

#endif /* !EVL_HOST_REDIRECT_H */
