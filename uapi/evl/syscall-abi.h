/* SPDX-License-Identifier: GPL-2.0 WITH Linux-syscall-note */
/*
 * The three out-of-band requests and the ways they travel.
 *
 *   A: prctl(PR_OOB_SYSCALL, nr, a0, a1, a2)          ABI 36 and up
 *   B: prctl(nr | EVL_OOB_SYSCALL_BIT, a0, a1, a2)    ABI 32 and below
 *   C: syscall(nr | EVL_OOB_SYSCALL_BIT, a0, a1, a2)  ABI 26 and below
 *
 * Form B claims the three exact option values only: some options which Linux
 * assigned since have the same bit set (PR_SET_VMA, PR_SET_PTRACER).
 */
#ifndef _EVL_UAPI_SYSCALL_ABI_H
#define _EVL_UAPI_SYSCALL_ABI_H

#define sys_evl_read		0	/* fd, buffer, count */
#define sys_evl_write		1	/* fd, buffer, count */
#define sys_evl_ioctl		2	/* fd, request (32-bit), argument */

#define NR_EVL_SYSCALLS		3

#ifndef PR_OOB_SYSCALL
#define PR_OOB_SYSCALL		0x4f4f4243
#endif

#define EVL_OOB_SYSCALL_BIT	0x10000000

/* True if a prctl() option is request form B. */
#define evl_is_oob_prctl_b(__option)	\
	(((unsigned int)(__option) ^ EVL_OOB_SYSCALL_BIT) < NR_EVL_SYSCALLS)

#endif /* _EVL_UAPI_SYSCALL_ABI_H */
