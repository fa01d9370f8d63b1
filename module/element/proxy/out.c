// SPDX-License-Identifier: GPL-2.0-only
/*
 * The output side of a proxy. Writers of both stages fill the ring, the relay
 * empties it into the target in the same order. What the target takes in part
 * is offered again; what it refuses is dropped and counted.
 */
#include <linux/fs.h>
#include <linux/fsnotify.h>
#include <linux/uio.h>
#include "element/proxy/proxy.h"

/* --- Relay ------------------------------------------------------------------------ */

static ssize_t signal_eventfd(struct evl_proxy_out *out, struct evl_ring_span *span)
{
	u64 value;

	if (span->len < sizeof(value))
		return -EINVAL;

	/* It may wrap around, so bytewise. */
	memcpy(&value, span->vec[0].iov_base, min(span->vec[0].iov_len, sizeof(value)));
	if (span->vec[0].iov_len < sizeof(value))
		memcpy((void *)&value + span->vec[0].iov_len, span->vec[1].iov_base,
		       sizeof(value) - span->vec[0].iov_len);

	if (value == ULLONG_MAX)
		return -EINVAL;

	evl_add_eventfd(out->eventfd, value);

	return sizeof(value);
}

static ssize_t write_target(struct file *target, struct evl_ring_span *span, loff_t *pos,
			    int flags)
{
	struct iov_iter iter;
	struct kiocb kiocb;
	ssize_t ret;

	ret = rw_verify_area(WRITE, target, pos, span->len);
	if (ret)
		return ret;

	iov_iter_kvec(&iter, ITER_SOURCE, span->vec, span->nr, span->len);
	init_sync_kiocb(&kiocb, target);
	kiocb.ki_flags |= flags;
	kiocb.ki_pos = *pos;

	file_start_write(target);
	ret = target->f_op->write_iter(&kiocb, &iter);
	if (ret > 0)
		fsnotify_modify(target);
	file_end_write(target);

	*pos = kiocb.ki_pos;

	return ret;
}

/* Returns how many bytes are done with. */
static size_t relay_span(struct evl_proxy_out *out, struct evl_ring_span *span)
{
	ssize_t ret;
	int err;

	if (out->eventfd)
		ret = signal_eventfd(out, span);
	else
		ret = evl_call_target(&out->relay, span, write_target);
	if (ret > 0)
		return ret;

	/* Nothing taken and no reason given: refused, not to try for ever. */
	err = ret ? evl_check_relay(&out->relay, ret, EPOLLOUT) : -EIO;
	if (!err)
		return 0;

	WRITE_ONCE(out->lost, out->lost + span->len);
	WRITE_ONCE(out->error, err);

	return span->len;
}

static void relay_output(struct evl_relay *relay)
{
	struct evl_proxy_out *out = container_of(relay, struct evl_proxy_out, relay);
	struct evl_ring *ring = &out->ring;
	size_t grain = out->grain, max, done;
	struct evl_ring_span span;

	for (;;) {
		if (wait_event_interruptible(ring->inband.queue, evl_ring_fill(ring) ||
					     evl_relay_leaving(relay)))
			evl_drop_relay_signals();
		if (evl_relay_stopping(relay) ||
		    (evl_relay_leaving(relay) && !evl_ring_fill(ring)))
			break;
		/* A short write may have left less than a full grain. */
		max = grain > 1 ? grain - out->relayed % grain : ring->size;
		if (!evl_begin_ring_read(ring, max, &span))
			continue;
		done = relay_span(out, &span);
		WRITE_ONCE(out->relayed, out->relayed + done);
		evl_end_ring_read(ring, &span, done);
		cond_resched();
	}
}

/* --- Writers ------------------------------------------------------------------------ */

/*
 * As if the caller had written to the target by itself: what it does next must
 * find the data there. The wait is as long as the target makes it, and ends on
 * a signal: the data is on its way.
 */
static void wait_relay(struct evl_ring *ring, struct evl_proxy_out *out, u64 until)
{
	unsigned int removals = READ_ONCE(ring->removals);

	wait_event_interruptible(ring->inband.queue,
				 READ_ONCE(out->relayed) >= until ||
				 READ_ONCE(ring->removals) != removals);
}

ssize_t evl_write_proxy_out(struct evl_proxy *proxy, const char __user *buf,
			    size_t count, int mode)
{
	struct evl_proxy_out *out = &proxy->out;
	u64 relayed = READ_ONCE(out->relayed);
	bool idle = !evl_ring_busy(&out->ring);
	ssize_t ret;

	/* Rather than lose the data later on. */
	if (!(proxy->target.mode & FMODE_WRITE))
		return -EBADF;

	ret = evl_write_ring(&out->ring, evl_user_buf(buf), count, mode);
	if (ret > 0 && idle && !(mode & (EVL_RING_OOB | EVL_RING_NONBLOCK)))
		wait_relay(&out->ring, out, relayed + count);

	return ret;
}

__poll_t evl_poll_proxy_out(struct evl_proxy *proxy, struct file *filp, poll_table *wait)
{
	struct evl_ring *ring = &proxy->out.ring;

	poll_wait(filp, &ring->inband.queue, wait);
	/* Pairs with wq_has_sleeper() in ring.c. */
	smp_mb();

	return evl_ring_full(ring) ? 0 : EPOLLOUT | EPOLLWRNORM;
}

void evl_drain_proxy_out(struct evl_proxy *proxy)
{
	struct evl_ring *ring = &proxy->out.ring;

	if (evl_ring_busy(ring))
		wait_event_killable_timeout(ring->inband.queue, !evl_ring_busy(ring),
					    evl_grace_left(proxy->grace));
}

bool evl_leave_proxy_out(struct evl_proxy *proxy)
{
	bool ended = evl_leave_relay(&proxy->out.relay, EVL_PROXY_GRACE);

	wake_up_all(&proxy->out.ring.inband.queue);

	return ended;
}

/* --- Life ------------------------------------------------------------------------------ */

int evl_init_proxy_out(struct evl_proxy *proxy, size_t bufsz)
{
	struct evl_proxy_out *out = &proxy->out;
	struct file *target = proxy->target.filp;
	int err;

	if (bufsz && (target->f_mode & FMODE_WRITE) && !target->f_op->write_iter) {
		out->eventfd = evl_get_eventfd(target);
		if (!out->eventfd)
			return -EINVAL;
	}

	out->grain = proxy->grain;
	out->relay.way = "out";
	out->relay.run = relay_output;
	err = evl_init_ring(&out->ring, bufsz, 1, false, "proxy-write");
	if (err && out->eventfd)
		evl_put_eventfd(out->eventfd);

	return err;
}

void evl_exit_proxy_out(struct evl_proxy *proxy)
{
	struct evl_proxy_out *out = &proxy->out;

	evl_destroy_ring(&out->ring);
	if (out->eventfd)
		evl_put_eventfd(out->eventfd);
}
