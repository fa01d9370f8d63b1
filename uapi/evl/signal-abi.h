/* SPDX-License-Identifier: GPL-2.0 WITH Linux-syscall-note */
/*
 * Health monitoring: the SIGDEBUG signal and the condition codes which it,
 * or an observable thread, reports.
 */
#ifndef _EVL_UAPI_SIGNAL_ABI_H
#define _EVL_UAPI_SIGNAL_ABI_H

/* The kernel and the C library both number this one in <signal.h>. */
#define SIGDEBUG		SIGXCPU

/* The upper half of si_value tells our signals from a real SIGXCPU. */
#define sigdebug_marker		0xfccf0000
#define sigdebug_marker_mask	0xffff0000
#define sigdebug_cause_mask	0x000000ff

#define sigdebug_code(__si)	((__si)->si_value.sival_int)
#define sigdebug_cause(__si)	(sigdebug_code(__si) & sigdebug_cause_mask)
#define sigdebug_marked(__si)	\
	(((unsigned int)sigdebug_code(__si) & sigdebug_marker_mask) == sigdebug_marker)

/* Condition codes, and the mode bit which enables each. */
#define EVL_HMDIAG_SIGDEMOTE	1	/* WOSS: forced in-band by a signal */
#define EVL_HMDIAG_SYSDEMOTE	2	/* WOSS: by an in-band system call */
#define EVL_HMDIAG_EXDEMOTE	3	/* WOSS: by a CPU exception */
#define EVL_HMDIAG_WATCHDOG	4	/* hogs a CPU out-of-band */
#define EVL_HMDIAG_LKDEPEND	5	/* WOLI: lock dependency across stages */
#define EVL_HMDIAG_LKIMBALANCE	6	/* WOLI: unlock of a free mutex */
#define EVL_HMDIAG_LKSLEEP	7	/* WOLI: weak thread sleeps with a mutex */
#define EVL_HMDIAG_STAGEX	8	/* WOSX: blocked by a stage exclusion lock */
#define EVL_HMDIAG_OVERRUN	9	/* WOSO: missed its schedule */

#endif /* _EVL_UAPI_SIGNAL_ABI_H */
