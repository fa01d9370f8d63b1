/* SPDX-License-Identifier: MIT */
/* Older names, for programs written against earlier revisions of the API. */
#ifndef _EVL_COMPAT_H
#define _EVL_COMPAT_H

#include <evl/compiler.h>
#include <evl/control-abi.h>
#include <evl/thread-abi.h>

/* Mode bits, before revision 23. */
#define T_WOSS		EVL_T_WOSS
#define T_WOLI		EVL_T_WOLI
#define T_WOSX		EVL_T_WOSX
#define T_WOSO		EVL_T_WOSO
#define T_HMSIG		EVL_T_HMSIG
#define T_HMOBS		EVL_T_HMOBS

/*
 * int evl_sched_control(int policy, const union evl_sched_ctlparam *param,
 *			 union evl_sched_ctlinfo *info, int cpu): acts as
 * evl_control_sched() does, whose name this was before revision 11.
 */
#define evl_sched_control(__policy, __param, __info, __cpu)	\
	evl_control_sched(__policy, __param, __info, __cpu)

/* Before revision 26: functions now, for good reasons. */
#define proxy_outfd	evl_stdout()
#define proxy_errfd	evl_stderr()

/* int evl_udelay(useconds_t usecs): sleeps as evl_usleep() does. */
#define evl_udelay(__usecs)	evl_usleep(__usecs)

#endif /* _EVL_COMPAT_H */
