/* SPDX-License-Identifier: MIT */
/*
 * Network devices with an out-of-band port, of which there are none yet: see
 * evl/net/socket.h. Any stage, any thread. Returns -EOPNOTSUPP, whatever the call, and
 * sets errno as well.
 */
#ifndef _EVL_NET_NET_H
#define _EVL_NET_NET_H

#include <evl/net/device.h>
#include <evl/net/socket.h>

__EVL_BEGIN_DECLS

/* What a port has done so far, and its buffers. */
struct evl_net_devstat {
	__u64 rx_packets;
	__u64 rx_bytes;
	__u64 tx_packets;
	__u64 tx_bytes;
	__u32 skb_size;
	__u32 skb_free;
	__u32 skb_total;
	__u32 csum_errors;
	__u32 rx_nomem;
	__u32 tx_nomem;
	__u32 flags;
};

/* A descriptor of the device of a name, by either name of the call, and what it did. */
__evl_api int evl_net_open_dev(const char *ifname)
{
	(void)ifname;

	return __evl_hl_no_network();
}

__evl_api int evl_net_open_device(const char *ifname)
{
	return evl_net_open_dev(ifname);
}

__evl_api int evl_net_query_dev(int devfd, struct evl_net_devstat *devs)
{
	(void)devfd;
	(void)devs;

	return __evl_hl_no_network();
}

/* Opens, closes the port of a device. */
__evl_api int evl_net_enable_port(int devfd, size_t poolsz, size_t bufsz)
{
	(void)devfd;
	(void)poolsz;
	(void)bufsz;

	return __evl_hl_no_network();
}

__evl_api int evl_net_disable_port(int devfd)
{
	(void)devfd;

	return __evl_hl_no_network();
}

/* Has a program choose the packets for the port. */
__evl_api int evl_net_set_filter(int devfd, const char *modpath)
{
	(void)devfd;
	(void)modpath;

	return __evl_hl_no_network();
}

/* Looks up the hardware address of a peer ahead of the first message. */
__evl_api int evl_net_solicit(int s, const struct sockaddr *peer, int flags)
{
	(void)s;
	(void)peer;
	(void)flags;

	return __evl_hl_no_network();
}

__EVL_END_DECLS

#endif /* _EVL_NET_NET_H */
