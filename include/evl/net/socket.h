/* SPDX-License-Identifier: MIT */
/*
 * Sockets with an out-of-band side. There is no network out-of-band yet: these
 * calls are here for programs which take <evl/evl.h> for a sign of one. Any stage, any
 * thread. Returns -EOPNOTSUPP, whatever the call, and sets errno as well. The calls
 * of libc work as ever.
 */
#ifndef _EVL_NET_SOCKET_H
#define _EVL_NET_SOCKET_H

#include <evl/detail/base.h>
#include <sys/socket.h>
#include <evl/fcntl-abi.h>
#include <evl/net/socket-abi.h>

__EVL_BEGIN_DECLS

struct oob_msghdr {
	void *msg_name;
	socklen_t msg_namelen;
	struct iovec *msg_iov;
	size_t msg_iovlen;
	void *msg_control;
	size_t msg_controllen;
	int msg_flags;
	struct timespec msg_time;	/* of reception */
};

__evl_inline int __evl_hl_no_network(void)
{
	errno = EOPNOTSUPP;
	return -EOPNOTSUPP;
}

/* Receives, sends a message. The timeout is a date. */
__evl_api ssize_t oob_recvmsg(int s, struct oob_msghdr *msghdr,
			      const struct timespec *timeout, int flags)
{
	(void)s;
	(void)msghdr;
	(void)timeout;
	(void)flags;

	return __evl_hl_no_network();
}

__evl_api ssize_t oob_sendmsg(int s, const struct oob_msghdr *msghdr,
			      const struct timespec *timeout, int flags)
{
	(void)s;
	(void)msghdr;
	(void)timeout;
	(void)flags;

	return __evl_hl_no_network();
}

/* The twins of setsockopt(2) and getsockopt(2). */
__evl_api int oob_setsockopt(int s, int level, int optname, const void *optval,
			     socklen_t optlen)
{
	(void)s;
	(void)level;
	(void)optname;
	(void)optval;
	(void)optlen;

	return __evl_hl_no_network();
}

__evl_api int oob_getsockopt(int s, int level, int optname, void *optval,
			     socklen_t *optlen)
{
	(void)s;
	(void)level;
	(void)optname;
	(void)optval;
	(void)optlen;

	return __evl_hl_no_network();
}

__EVL_END_DECLS

#endif /* _EVL_NET_SOCKET_H */
