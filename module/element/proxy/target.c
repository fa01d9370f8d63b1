// SPDX-License-Identifier: GPL-2.0-only
/*
 * Targets of proxies. Most are kept open until the proxy is gone. A local socket must
 * not be: somebody may send the proxy to it, and receive it nowhere. If the proxy
 * kept the socket open, and the socket the proxy, which is in its queue, neither
 * would ever go. Linux looks for such rings among sockets only.
 *
 * So a local socket is kept open as long as the process which made the proxy has not
 * closed its descriptor: until then, the proxy is somewhere else than in a queue.
 * From then on, the proxy has the memory of the socket only. It opens the socket for
 * each transfer, if somebody else has it open still, and waits for nothing
 * meanwhile.
 *
 * That is by its inode, which the socket and its wait queue are part of, and which
 * nobody else is kept by. Thus those who poll the proxy may be in this wait queue,
 * however long the socket has been closed.
 */
#include <linux/file.h>
#include <linux/rcupdate.h>
#include <linux/socket.h>
#include <net/sock.h>
#include "element/proxy/target.h"

bool evl_is_local_socket(struct file *filp)
{
	struct socket *sock = sock_from_file(filp);

	return sock && sock->ops->family == PF_UNIX;
}

void evl_init_target(struct evl_target *target, struct file *filp)
{
	spin_lock_init(&target->lock);
	target->filp = filp;
	target->mode = filp->f_mode;
	if (evl_is_local_socket(filp)) {
		target->sock = sock_from_file(filp);
		ihold(SOCK_INODE(target->sock));
	}
}

void evl_exit_target(struct evl_target *target)
{
	if (target->filp)
		fput(target->filp);
	if (target->sock)
		iput(SOCK_INODE(target->sock));
}

void evl_loosen_target(struct evl_target *target)
{
	struct file *filp;

	if (!target->sock)
		return;

	spin_lock(&target->lock);
	filp = target->filp;
	WRITE_ONCE(target->filp, NULL);
	spin_unlock(&target->lock);
	if (!filp)
		return;

	wake_up_all(&target->sock->wq.wait);
	fput(filp);
}

static struct file *get_kept_socket(struct evl_target *target)
{
	struct file *filp;

	spin_lock(&target->lock);
	filp = target->filp;
	if (filp)
		get_file(filp);
	spin_unlock(&target->lock);

	return filp;
}

/*
 * Linux looks for sockets which are open in nothing but the queues of each other,
 * and takes away what is there, as nobody can receive it: it does not expect anybody
 * to open such a socket once it has looked. Between the look and the end of that, it
 * holds a spinlock, which RCU waits for. Later on, it sees that we have it open.
 */
static struct file *reopen_socket(struct evl_target *target, bool reading)
{
	struct file *filp = evl_get_file_active(&target->sock->file);

	if (filp && reading)
		synchronize_rcu();

	return filp;
}

struct file *evl_get_target(struct evl_target *target, bool reading)
{
	struct file *filp;

	if (!target->sock)
		return get_file(target->filp);

	filp = get_kept_socket(target);

	return filp ?: reopen_socket(target, reading);
}

/* Not by way of vfs_poll(), which would have those who wait keep the socket open. */
static __poll_t poll_socket(struct evl_target *target, struct file *filp, poll_table *wait)
{
	struct file *held = evl_get_target(target, false);
	struct socket *sock = target->sock;
	__poll_t ready;

	if (!held)
		return EPOLLIN | EPOLLRDNORM | EPOLLRDHUP | EPOLLHUP;

	ready = sock->ops->poll(filp, sock, wait);
	fput(held);

	return ready;
}

__poll_t evl_poll_target(struct evl_target *target, struct file *filp, poll_table *wait)
{
	return target->sock ? poll_socket(target, filp, wait) :
		vfs_poll(target->filp, wait);
}
