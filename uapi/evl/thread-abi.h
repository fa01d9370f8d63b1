/* SPDX-License-Identifier: GPL-2.0 WITH Linux-syscall-note */
/*
 * Threads: state and information bits, the window which a thread shares with
 * the core, and the requests on the descriptor of a thread.
 */
#ifndef _EVL_UAPI_THREAD_ABI_H
#define _EVL_UAPI_THREAD_ABI_H

#include <linux/types.h>
#include <linux/ioctl.h>
#include <evl/types-abi.h>
#include <evl/factory-abi.h>
#include <evl/sched-abi.h>
#include <evl/signal-abi.h>

/* State bits, in evl_user_window.state and evl_thread_state.state. */
#define EVL_T_SUSP	0x00000001	/* suspended */
#define EVL_T_PEND	0x00000002	/* waits for a resource */
#define EVL_T_DELAY	0x00000004	/* the wait is timed */
#define EVL_T_WAIT	0x00000008	/* waits for its next period */
#define EVL_T_READY	0x00000010	/* linked to a run queue */
#define EVL_T_DORMANT	0x00000020	/* not started yet */
#define EVL_T_ZOMBIE	0x00000040	/* dead, not disposed of yet */
#define EVL_T_INBAND	0x00000080	/* runs in-band */
#define EVL_T_HALT	0x00000100	/* halted */
#define EVL_T_BOOST	0x00000200	/* priority is boosted */
#define EVL_T_PTSYNC	0x00000400	/* frozen with its traced siblings */
#define EVL_T_RRB	0x00000800	/* round-robin */
#define EVL_T_ROOT	0x00001000	/* stands for the in-band stage */
#define EVL_T_WEAK	0x00002000	/* weak scheduling */
#define EVL_T_USER	0x00004000	/* has a user context */
#define EVL_T_WOSS	0x00008000	/* mode: warn on stage switch */
#define EVL_T_WOLI	0x00010000	/* mode: warn on lock inconsistency */
#define EVL_T_WOSX	0x00020000	/* mode: warn on stage exclusion */
#define EVL_T_PTRACE	0x00040000	/* stopped by a debugger */
#define EVL_T_OBSERV	0x00080000	/* observable (exported, not stored) */
#define EVL_T_HMSIG	0x00100000	/* mode: report by SIGDEBUG */
#define EVL_T_HMOBS	0x00200000	/* mode: report by notices */
#define EVL_T_WOSO	0x00400000	/* mode: warn on schedule overrun */

/* One letter for each bit above, from bit 0: a dot prints nothing. */
#define EVL_THREAD_STATE_LABELS	"SWDpRUZXHb#r...t..To.."

/* The bits which user space may set and clear, and what they divide into. */
#define EVL_THREAD_WARN_BITS	(EVL_T_WOSS | EVL_T_WOLI | EVL_T_WOSX | EVL_T_WOSO)
#define EVL_THREAD_HM_BITS	(EVL_T_HMSIG | EVL_T_HMOBS)
#define EVL_THREAD_MODE_BITS	(EVL_THREAD_WARN_BITS | EVL_THREAD_HM_BITS)

/* Information bits, in evl_user_window.info: how the last wait ended, etc. */
#define EVL_T_TIMEO	0x00000001	/* timed out */
#define EVL_T_RMID	0x00000002	/* resource removed */
#define EVL_T_BREAK	0x00000004	/* wait broken */
#define EVL_T_KICKED	0x00000008	/* forced in-band */
#define EVL_T_WCHAN	0x00000010	/* wait channel to be requeued */
#define EVL_T_CANCELD	0x00000040	/* cancellation is pending */
#define EVL_T_PIALERT	0x00000080	/* contended mutex, going in-band */
#define EVL_T_SCHEDP	0x00000100	/* in-band parameters to be updated */
#define EVL_T_BCAST	0x00000200	/* woken up by a broadcast */
#define EVL_T_SIGNAL	0x00000400	/* event was signaled */
#define EVL_T_SXALERT	0x00000800	/* blocked on stage exclusion */
#define EVL_T_PTSIG	0x00001000	/* ptrace signal is pending */
#define EVL_T_PTSTOP	0x00002000	/* ptrace stop is on-going */
#define EVL_T_PTJOIN	0x00004000	/* joins its siblings after a stop */
#define EVL_T_NOMEM	0x00008000	/* out of memory */

/* Private to the core. */
#define EVL_T_SYSRST	0x00000001	/* request may be restarted */
#define EVL_T_IGNOVR	0x00000002	/* overruns are ignored */
#define EVL_T_INFAULT	0x00000004	/* in a fault handler */
#define EVL_T_NORST	0x00000008	/* request may not be restarted */

/*
 * Written by the core but for pp_pending, in which the thread leaves the
 * handle of the ceiling gate it is about to grab without a request.
 */
struct evl_user_window {
	__u32 state;
	__u32 info;
	__u32 pp_pending;
};

/* eattrs tells the effective priority, xtime is CPU time in ns. */
struct evl_thread_state {
	struct evl_sched_attrs eattrs;
	__u32 cpu;
	__u32 state;
	__u32 isw;	/* switches to in-band */
	__u32 csw;	/* context switches */
	__u32 sc;	/* out-of-band requests */
	__u32 rwa;	/* wakeups from a remote CPU */
	__u64 xtime;
};

#define EVL_THREAD_IOCBASE	'T'

#define EVL_THRIOC_SIGNAL		_IOW(EVL_THREAD_IOCBASE, 0, __u32)
#define EVL_THRIOC_SET_SCHEDPARAM	_IOW(EVL_THREAD_IOCBASE, 1, struct evl_sched_attrs)
#define EVL_THRIOC_GET_SCHEDPARAM	_IOR(EVL_THREAD_IOCBASE, 2, struct evl_sched_attrs)
#define EVL_THRIOC_JOIN			_IO(EVL_THREAD_IOCBASE, 3)
#define EVL_THRIOC_GET_STATE		_IOR(EVL_THREAD_IOCBASE, 4, struct evl_thread_state)
#define EVL_THRIOC_SWITCH_OOB		_IO(EVL_THREAD_IOCBASE, 5)
#define EVL_THRIOC_SWITCH_INBAND	_IO(EVL_THREAD_IOCBASE, 6)
#define EVL_THRIOC_DETACH_SELF		_IO(EVL_THREAD_IOCBASE, 7)
/* Mode requests return the previous mode bits in place. */
#define EVL_THRIOC_SET_MODE		_IOWR(EVL_THREAD_IOCBASE, 8, __u32)
#define EVL_THRIOC_CLEAR_MODE		_IOWR(EVL_THREAD_IOCBASE, 9, __u32)
#define EVL_THRIOC_UNBLOCK		_IO(EVL_THREAD_IOCBASE, 10)
#define EVL_THRIOC_DEMOTE		_IO(EVL_THREAD_IOCBASE, 11)
#define EVL_THRIOC_YIELD		_IO(EVL_THREAD_IOCBASE, 12)

#endif /* _EVL_UAPI_THREAD_ABI_H */
