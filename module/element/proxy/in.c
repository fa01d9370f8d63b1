// SPDX-License-Identifier: GPL-2.0-only
/*
 * The input side of a proxy. Readers of both stages tell how many bytes they
 * want, the relay reads no more than that from the target: what nobody asked
 * for stays there.
 *
 * Locking: the lock of the ring guards demand, ahead, eof and error. The relay
 * is the only writer of the ring.
 */
#include <linux/fs.h>
#include <linux/fsnotify.h>
#include <linux/uio.h>
#include <evl/sched.h>
#include "element/proxy/proxy.h"

#define in_lock(__in)	(&(__in)->ring.oob.wchan.lock)

/* --- Relay -------------------------------------------------------------------------- */

static ssize_t read_target(struct file *target, struct evl_ring_span *span, loff_t *pos,
			   int flags)
{
	struct iov_iter iter;
	struct kiocb kiocb;
	ssize_t ret;

	ret = rw_verify_area(READ, target, pos, span->len);
	if (ret)
		return ret;

	iov_iter_kvec(&iter, ITER_DEST, span->vec, span->nr, span->len);
	init_sync_kiocb(&kiocb, target);
	kiocb.ki_flags |= flags;
	kiocb.ki_pos = *pos;
	ret = target->f_op->read_iter(&kiocb, &iter);
	if (ret > 0)
		fsnotify_access(target);
	*pos = kiocb.ki_pos;

	return ret;
}

/*
 * Bytes that the target should be asked for: whole grains, which is all that
 * an eventfd gives for instance, as long as there is room for them.
 */
static size_t get_shortage(struct evl_proxy_in *in)
{
	unsigned long flags;
	struct evl_ring *ring = &in->ring;
	size_t want, room, ret = 0;

	evl_lock_irqsave(in_lock(in), flags);
	want = min(in->ring.demand, ring->size);
	/* What is fetched ahead is on top of what is there, and counts down. */
	want = max(want, ring->fill + min(in->ahead, ring->size - ring->fill));
	room = ring->size - ring->fill - ring->taken;
	if (ring->fill >= want)
		in->ahead = 0;
	else if (!in->eof && !in->error)
		ret = min(roundup(want - ring->fill, ring->grain), room);
	evl_unlock_irqrestore(in_lock(in), flags);

	return ret;
}

/* The target gave nothing: readers get what is there, then this. */
static void end_input(struct evl_proxy_in *in, int error)
{
	unsigned long flags;

	evl_lock_irqsave(in_lock(in), flags);
	in->ahead = 0;
	in->eof = !error;
	in->error = error;
	in->ring.drain = true;
	evl_unlock_irqrestore(in_lock(in), flags);

	evl_kick_ring(&in->ring);
}

static void fetch_input(struct evl_proxy_in *in, size_t count)
{
	struct evl_ring_span span;
	ssize_t ret;
	int err = 0;

	if (!evl_begin_ring_write(&in->ring, count, &span))
		return;

	ret = evl_call_target(&in->relay, &span, read_target);
	if (ret > 0) {
		unsigned long flags;

		/* Before a reader can take them: they are not to be fetched twice. */
		evl_lock_irqsave(in_lock(in), flags);
		in->ahead -= min_t(size_t, in->ahead, ret);
		evl_unlock_irqrestore(in_lock(in), flags);
	}
	evl_end_ring_write(&in->ring, &span, max_t(ssize_t, ret, 0));

	if (ret < 0)
		err = evl_check_relay(&in->relay, ret, EPOLLIN);
	if (!ret || err)
		end_input(in, err);
}

static void relay_input(struct evl_relay *relay)
{
	struct evl_proxy_in *in = container_of(relay, struct evl_proxy_in, relay);
	size_t count;

	for (;;) {
		count = 0;
		if (wait_event_interruptible(in->ring.inband.queue,
					     (count = get_shortage(in)) ||
					     evl_relay_stopping(relay)))
			evl_drop_relay_signals();
		if (evl_relay_stopping(relay))
			break;
		if (count)
			fetch_input(in, count);
		cond_resched();
	}
}

/* --- Readers ------------------------------------------------------------------------- */

/* Have the relay fetch @count bytes which nobody waits for, if need be. */
static void request_ahead(struct evl_proxy_in *in, size_t count)
{
	unsigned long flags;

	evl_lock_irqsave(in_lock(in), flags);
	if (in->ring.fill < count)
		in->ahead = max(in->ahead, count - in->ring.fill);
	evl_unlock_irqrestore(in_lock(in), flags);

	evl_kick_ring(&in->ring);
}

static void change_demand(struct evl_proxy_in *in, ssize_t delta)
{
	unsigned long flags;

	evl_lock_irqsave(in_lock(in), flags);
	in->ring.demand += delta;
	evl_unlock_irqrestore(in_lock(in), flags);

	if (delta > 0)
		evl_kick_ring(&in->ring);
}

/*
 * Nothing is left: the error, which stays, or the end of file, which one reader
 * is told and then takes back its @demand. False if somebody else was told
 * meanwhile. The relay asks the target again for those who still wait.
 */
static bool report_end(struct evl_proxy_in *in, size_t demand, ssize_t *ret)
{
	unsigned long flags;
	bool told;

	evl_lock_irqsave(in_lock(in), flags);
	told = in->eof || in->error;
	if (told) {
		*ret = in->error;
		in->eof = false;
		in->ahead = 0;
		in->ring.demand -= demand;
		in->ring.drain = !!in->error;
	}
	evl_unlock_irqrestore(in_lock(in), flags);

	evl_kick_ring(&in->ring);

	return told;
}

static ssize_t read_available(struct evl_proxy_in *in, struct evl_ring_buf dst,
			      size_t count, int mode)
{
	ssize_t ret;

	request_ahead(in, count);
	ret = evl_read_ring(&in->ring, dst, count, mode);
	/* Existing programs know the lack of data as a count of zero. */
	if (ret == -EAGAIN)
		return 0;
	if (!ret)
		report_end(in, 0, &ret);

	return ret;
}

ssize_t evl_read_proxy_in(struct evl_proxy *proxy, char __user *buf, size_t count,
			  int mode)
{
	struct evl_proxy_in *in = &proxy->in;
	struct evl_ring_buf dst = evl_user_buf(buf);
	ssize_t ret;

	if (mode & EVL_RING_NONBLOCK)
		return read_available(in, dst, count, mode);

	change_demand(in, count);
	for (;;) {
		ret = evl_read_ring(&in->ring, dst, count, mode | EVL_RING_DEMAND);
		if (ret) {
			if (ret < 0 && ret != -EFAULT)
				change_demand(in, -(ssize_t)count);
			return ret;
		}
		if (report_end(in, count, &ret))
			return ret;
	}
}

__poll_t evl_poll_proxy_in(struct evl_proxy *proxy, struct file *filp, poll_table *wait)
{
	struct evl_proxy_in *in = &proxy->in;

	poll_wait(filp, &in->ring.inband.queue, wait);
	/* Pairs with wq_has_sleeper() in ring.c. */
	smp_mb();

	if (evl_ring_fill(&in->ring) >= proxy->grain || READ_ONCE(in->ring.drain))
		return EPOLLIN | EPOLLRDNORM;

	return 0;
}

void evl_request_ahead(struct evl_proxy *proxy)
{
	request_ahead(&proxy->in, proxy->grain);
}

/* --- Life --------------------------------------------------------------------------------- */

/* What any read from the target would return, 0 if it may succeed. */
static int check_target(struct file *target)
{
	if (!(target->f_mode & FMODE_READ))
		return -EBADF;

	return S_ISDIR(file_inode(target)->i_mode) ? -EISDIR : 0;
}

int evl_init_proxy_in(struct evl_proxy *proxy, size_t bufsz)
{
	struct evl_proxy_in *in = &proxy->in;
	struct file *target = proxy->target.filp;
	int err;

	if (bufsz) {
		in->error = check_target(target);
		if (!in->error && !target->f_op->read_iter)
			return -EINVAL;
	}

	in->relay.way = "in";
	in->relay.run = relay_input;
	in->relay.reads = true;
	err = evl_init_ring(&in->ring, bufsz, proxy->grain, true, "proxy-read");
	in->ring.drain = !!in->error;

	return err;
}

void evl_exit_proxy_in(struct evl_proxy *proxy)
{
	evl_destroy_ring(&proxy->in.ring);
}
