// SPDX-License-Identifier: GPL-2.0-only
/*
 * Proxies which were sent to their own targets. A proxy keeps its target open. If
 * that is a local socket, and the proxy is under way in its queue, then they keep
 * each other: Linux looks for such cycles among sockets only.
 *
 * Nobody can receive what was sent to a socket which is open nowhere but in a
 * proxy that has no input: its messages are thrown away, with all descriptors in
 * them, when another proxy comes or goes, or the core is stopped.
 *
 * Locking: sockets.lock, a mutex, guards the list.
 */
#include <linux/fs.h>
#include <linux/mutex.h>
#include <linux/net.h>
#include <linux/socket.h>
#include <linux/uio.h>
#include "element/element.h"
#include "element/proxy/proxy.h"

/* In one go, so that a busy sender does not hold us up. */
#define MAX_MESSAGES	1000

static struct {
	struct mutex lock;
	struct list_head proxies;	/* of local sockets, without input */
} sockets = {
	.lock = __MUTEX_INITIALIZER(sockets.lock),
	.proxies = LIST_HEAD_INIT(sockets.proxies),
};

void evl_watch_socket(struct evl_proxy *proxy)
{
	struct socket *sock = sock_from_file(proxy->target);

	INIT_LIST_HEAD(&proxy->next_socket);
	if (!sock || sock->ops->family != PF_UNIX || proxy->in.ring.size)
		return;

	mutex_lock(&sockets.lock);
	list_add(&proxy->next_socket, &sockets.proxies);
	mutex_unlock(&sockets.lock);
}

void evl_unwatch_socket(struct evl_proxy *proxy)
{
	mutex_lock(&sockets.lock);
	list_del_init(&proxy->next_socket);
	mutex_unlock(&sockets.lock);
}

/* False if there is none. A connection which nobody accepted has a queue, too. */
static bool drop_message(struct socket *sock)
{
	struct msghdr msg = { .msg_flags = MSG_DONTWAIT };
	struct socket *peer;
	char buf[256];
	struct kvec vec = { buf, sizeof(buf) };
	int ret;

	ret = kernel_recvmsg(sock, &msg, &vec, 1, sizeof(buf), MSG_DONTWAIT);
	/* Packets may be empty. */
	if (ret > 0 || (!ret && sock->type != SOCK_STREAM))
		return true;
	if (kernel_accept(sock, &peer, O_NONBLOCK))
		return false;
	sock_release(peer);

	return true;
}

static void empty_socket(struct socket *sock)
{
	int n = 0;

	while (n++ < MAX_MESSAGES && drop_message(sock))
		cond_resched();
}

void evl_sweep_sockets(void)
{
	struct evl_proxy *proxy;

	mutex_lock(&sockets.lock);
	list_for_each_entry(proxy, &sockets.proxies, next_socket)
		if (file_count(proxy->target) == 1)
			empty_socket(sock_from_file(proxy->target));
	mutex_unlock(&sockets.lock);
}
