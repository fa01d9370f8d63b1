/* SPDX-License-Identifier: GPL-2.0 WITH Linux-syscall-note */
/*
 * Sockets with out-of-band capability.
 */
#ifndef _EVL_UAPI_NET_SOCKET_ABI_H
#define _EVL_UAPI_NET_SOCKET_ABI_H

#include <linux/types.h>
#include <linux/ioctl.h>
#include <evl/types-abi.h>
#include <evl/fcntl-abi.h>

/* Follows the table of families of the host kernel, not the ABI level. */
#ifndef AF_OOB
#define AF_OOB	46
#endif

/* count and flags are written back, timestamp is the date of reception. */
struct user_oob_msghdr {
	__u64 name_ptr;
	__u64 iov_ptr;
	__u64 ctl_ptr;
	__u32 namelen;
	__u32 iovlen;
	__u32 ctllen;
	__s32 count;
	__u32 flags;
	struct __evl_timespec timeout;
	struct __evl_timespec timestamp;
};

struct evl_netdev_activation {
	__u64 poolsz;
	__u64 bufsz;
};

#define EVL_SOCKET_IOCBASE	0xee

#define EVL_SOCKIOC_ACTIVATE	_IOW(EVL_SOCKET_IOCBASE, 2, struct evl_netdev_activation)
#define EVL_SOCKIOC_DEACTIVATE	_IO(EVL_SOCKET_IOCBASE, 3)
#define EVL_SOCKIOC_SENDMSG	_IOW(EVL_SOCKET_IOCBASE, 4, struct user_oob_msghdr)
#define EVL_SOCKIOC_RECVMSG	_IOWR(EVL_SOCKET_IOCBASE, 5, struct user_oob_msghdr)
#define EVL_SOCKIOC_SETRECVSZ	_IOW(EVL_SOCKET_IOCBASE, 6, int)
#define EVL_SOCKIOC_SETSENDSZ	_IOW(EVL_SOCKET_IOCBASE, 7, int)

#endif /* _EVL_UAPI_NET_SOCKET_ABI_H */
