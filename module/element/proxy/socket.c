// SPDX-License-Identifier: GPL-2.0-only
/*
 * Proxies which were sent to their own targets. A proxy keeps its target open. If
 * that is a local socket, and the proxy is under way in its queue, then they keep
 * each other: Linux looks for such cycles among sockets only.
 *
 * Nobody can receive what was sent to a socket which is open nowhere but in
 * proxies that have no input, and in queues which nobody can receive from, either:
 * its messages are thrown away, with all descriptors in them, when another proxy
 * comes or goes, or the core is stopped.
 *
 * Those sockets are found as a garbage collector finds memory. Sockets which such
 * proxies keep are looked at, and all which are in their queues, and in the queues of
 * those. One which is open more often than can be found there is in the hands of
 * somebody, who may receive from it, and from any socket in its queue. What is left
 * is nobody's, and stays so, since nobody can get hold of it any more.
 *
 * Queues change meanwhile. They are counted twice, the number of times that each
 * socket is open is read in between: a message which was under way all the time has
 * been counted right. To be mistaken about others takes somebody who receives and
 * sends the same descriptors over and over, and costs messages in their queues.
 *
 * Locking: sockets.lock, a mutex, guards the list, and is held during a sweep. The
 * lock of a queue is taken inside, that of a listening socket before those of the
 * connections which nobody accepted, as Linux does.
 */
#include <linux/file.h>
#include <linux/fs.h>
#include <linux/hashtable.h>
#include <linux/mutex.h>
#include <linux/net.h>
#include <linux/slab.h>
#include <linux/socket.h>
#include <linux/uio.h>
#include <net/af_unix.h>
#include <net/scm.h>
#include <net/tcp_states.h>
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

static bool is_local_socket(struct file *filp)
{
	struct socket *sock = sock_from_file(filp);

	return sock && sock->ops->family == PF_UNIX;
}

void evl_watch_socket(struct evl_proxy *proxy)
{
	INIT_LIST_HEAD(&proxy->next_socket);
	if (!is_local_socket(proxy->target) || proxy->in.ring.size)
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

/* --- What a sweep knows of a socket -------------------------------------------------- */

struct suspect {
	struct file *filp;		/* kept open by the sweep */
	struct hlist_node hash;
	struct list_head next;
	unsigned long proxies;		/* of those on the list */
	unsigned long queued;		/* how often it is in queues of suspects */
	unsigned long queued_again;	/* the second time */
	bool in_use;
};

struct sweep {
	DECLARE_HASHTABLE(table, 8);
	struct list_head suspects;
	struct list_head in_use;
	bool failed;			/* for lack of memory */
};

static struct suspect *find_suspect(struct sweep *sweep, struct file *filp)
{
	struct suspect *suspect;

	hash_for_each_possible(sweep->table, suspect, hash, (unsigned long)filp)
		if (suspect->filp == filp)
			return suspect;

	return NULL;
}

/* @filp is open. */
static struct suspect *get_suspect(struct sweep *sweep, struct file *filp, gfp_t gfp)
{
	struct suspect *suspect = find_suspect(sweep, filp);

	if (suspect)
		return suspect;

	suspect = kzalloc(sizeof(*suspect), gfp | __GFP_NOWARN);
	if (!suspect) {
		sweep->failed = true;
		return NULL;
	}

	suspect->filp = get_file(filp);
	hash_add(sweep->table, &suspect->hash, (unsigned long)filp);
	list_add_tail(&suspect->next, &sweep->suspects);

	return suspect;
}

static void forget_suspects(struct list_head *list)
{
	struct suspect *suspect, *next;

	list_for_each_entry_safe(suspect, next, list, next) {
		fput(suspect->filp);
		kfree(suspect);
	}
}

/* --- Queues -------------------------------------------------------------------------- */

typedef void (*visit_fn)(struct sweep *sweep, struct file *filp);

#ifdef UNIXCB

static void visit_message(struct sweep *sweep, struct sk_buff *skb, visit_fn visit)
{
	struct scm_fp_list *fpl = UNIXCB(skb).fp;
	int n;

	for (n = 0; fpl && n < fpl->count; n++)
		if (is_local_socket(fpl->fp[n]))
			visit(sweep, fpl->fp[n]);
}

static void visit_connection(struct sweep *sweep, struct sock *sk, visit_fn visit)
{
	struct sk_buff *skb;

	spin_lock_nested(&sk->sk_receive_queue.lock, SINGLE_DEPTH_NESTING);
	skb_queue_walk(&sk->sk_receive_queue, skb)
		visit_message(sweep, skb, visit);
	spin_unlock(&sk->sk_receive_queue.lock);
}

/* Call @visit for each local socket which somebody sent to that of @suspect. It is
 * not to sleep. */
static void visit_queue(struct sweep *sweep, struct suspect *suspect, visit_fn visit)
{
	struct sock *sk = sock_from_file(suspect->filp)->sk;
	struct sk_buff *skb;

	spin_lock(&sk->sk_receive_queue.lock);
	skb_queue_walk(&sk->sk_receive_queue, skb) {
		if (sk->sk_state == TCP_LISTEN)
			visit_connection(sweep, skb->sk, visit);
		else
			visit_message(sweep, skb, visit);
	}
	spin_unlock(&sk->sk_receive_queue.lock);
	cond_resched();
}

#else

/* Linux does not tell modules what its messages are like. A socket in a queue is in
 * use, then. */
static void visit_queue(struct sweep *sweep, struct suspect *suspect, visit_fn visit)
{
}

#endif /* UNIXCB */

static void count_suspect(struct sweep *sweep, struct file *filp)
{
	struct suspect *suspect = get_suspect(sweep, filp, GFP_ATOMIC);

	if (suspect)
		suspect->queued++;
}

static void count_again(struct sweep *sweep, struct file *filp)
{
	struct suspect *suspect = find_suspect(sweep, filp);

	if (suspect)
		suspect->queued_again++;
}

static void set_in_use(struct sweep *sweep, struct suspect *suspect)
{
	suspect->in_use = true;
	list_move_tail(&suspect->next, &sweep->in_use);
}

static void note_in_use(struct sweep *sweep, struct file *filp)
{
	struct suspect *suspect = find_suspect(sweep, filp);

	if (suspect && !suspect->in_use)
		set_in_use(sweep, suspect);
}

/* --- Sweeping ------------------------------------------------------------------------ */

/* All that may be nobody's. The list grows while it is walked. */
static void collect_suspects(struct sweep *sweep)
{
	struct evl_proxy *proxy;
	struct suspect *suspect;

	list_for_each_entry(proxy, &sockets.proxies, next_socket) {
		suspect = get_suspect(sweep, proxy->target, GFP_KERNEL);
		if (suspect)
			suspect->proxies++;
	}

	list_for_each_entry(suspect, &sweep->suspects, next)
		visit_queue(sweep, suspect, count_suspect);
}

/* Has somebody @suspect open, other than this sweep? */
static bool is_open(const struct suspect *suspect)
{
	return file_count(suspect->filp) > suspect->proxies + suspect->queued + 1;
}

static void sort_suspects(struct sweep *sweep)
{
	struct suspect *suspect, *next;

	list_for_each_entry(suspect, &sweep->suspects, next)
		suspect->in_use = is_open(suspect);
	list_for_each_entry(suspect, &sweep->suspects, next)
		visit_queue(sweep, suspect, count_again);
	list_for_each_entry_safe(suspect, next, &sweep->suspects, next)
		if (suspect->in_use || suspect->queued_again != suspect->queued)
			set_in_use(sweep, suspect);
	list_for_each_entry(suspect, &sweep->in_use, next)
		visit_queue(sweep, suspect, note_in_use);
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

static void do_sweep(struct sweep *sweep)
{
	struct suspect *suspect;

	collect_suspects(sweep);
	if (sweep->failed)
		return;

	sort_suspects(sweep);
	list_for_each_entry(suspect, &sweep->suspects, next)
		empty_socket(sock_from_file(suspect->filp));
}

void evl_sweep_sockets(void)
{
	struct sweep *sweep;

	mutex_lock(&sockets.lock);
	sweep = list_empty(&sockets.proxies) ? NULL : kzalloc(sizeof(*sweep), GFP_KERNEL);
	if (sweep) {
		hash_init(sweep->table);
		INIT_LIST_HEAD(&sweep->suspects);
		INIT_LIST_HEAD(&sweep->in_use);
		do_sweep(sweep);
		forget_suspects(&sweep->suspects);
		forget_suspects(&sweep->in_use);
		kfree(sweep);
	}
	mutex_unlock(&sockets.lock);
}
