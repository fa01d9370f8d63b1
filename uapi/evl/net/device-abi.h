/* SPDX-License-Identifier: GPL-2.0 WITH Linux-syscall-note */
/*
 * Network devices with an out-of-band port (ABI 37).
 */
#ifndef _EVL_UAPI_NET_DEVICE_ABI_H
#define _EVL_UAPI_NET_DEVICE_ABI_H

#include <linux/types.h>
#include <linux/ioctl.h>

/* What a receive filter may answer. */
enum evl_net_rx_action {
	EVL_RX_DROP = 0,
	EVL_RX_ACCEPT = 1,
	EVL_RX_SKIP = 2,
	EVL_RX_VLAN = 3,
};

/* fd is the output: a descriptor of the device named at name_ptr. */
struct evl_net_devfd {
	__u64 name_ptr;
	__u32 fd;
};

#define EVL_NETDEV_IOCBASE	0xef

#define EVL_NDEVIOC_SETRXEBPF	_IOW(EVL_NETDEV_IOCBASE, 0, __s32)
#define EVL_NET_GETDEVFD	_IOWR(EVL_NETDEV_IOCBASE, 0, struct evl_net_devfd)

#endif /* _EVL_UAPI_NET_DEVICE_ABI_H */
