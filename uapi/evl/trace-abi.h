/* SPDX-License-Identifier: GPL-2.0 WITH Linux-syscall-note */
/*
 * /dev/evl/trace: marks in the kernel trace.
 */
#ifndef _EVL_UAPI_TRACE_ABI_H
#define _EVL_UAPI_TRACE_ABI_H

#include <linux/ioctl.h>
#include <evl/factory-abi.h>

#define EVL_TRACE_IOCBASE	'O'

#define EVL_TRCIOC_SNAPSHOT	_IO(EVL_TRACE_IOCBASE, 0)

#endif /* _EVL_UAPI_TRACE_ABI_H */
