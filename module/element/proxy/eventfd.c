// SPDX-License-Identifier: GPL-2.0-only
/*
 * Writing to an eventfd from the kernel. Where it only has a write() for user
 * memory, eventfd_signal() is all that is left, which may add one at a time: a
 * reader could see a part of the value. So the addition is done here the way
 * write(2) does it, under the lock of its wait queue.
 *
 * The structure is private to fs/eventfd.c and has started like this since
 * 2.6.22. The place of the wait queue, which poll() gives away, is compared
 * before anything is trusted.
 */
#include <linux/err.h>
#include <linux/eventfd.h>
#include <linux/kref.h>
#include <linux/poll.h>
#include <linux/sched.h>
#include <linux/wait.h>
#include "element/proxy/proxy.h"

struct evl_eventfd {
	struct kref kref;
	wait_queue_head_t wqh;
	u64 count;
};

struct queue_finder {
	poll_table pt;
	wait_queue_head_t *wqh;
};

static void note_queue(struct file *filp, wait_queue_head_t *wqh, poll_table *pt)
{
	container_of(pt, struct queue_finder, pt)->wqh = wqh;
}

struct evl_eventfd *evl_get_eventfd(struct file *filp)
{
	struct queue_finder finder = { .wqh = NULL };
	struct evl_eventfd *eventfd;
	struct eventfd_ctx *ctx;

	ctx = eventfd_ctx_fileget(filp);
	if (IS_ERR(ctx))
		return NULL;

	eventfd = (struct evl_eventfd *)ctx;
	init_poll_funcptr(&finder.pt, note_queue);
	vfs_poll(filp, &finder.pt);
	if (finder.wqh != &eventfd->wqh) {
		eventfd_ctx_put(ctx);
		return NULL;
	}

	return eventfd;
}

void evl_put_eventfd(struct evl_eventfd *eventfd)
{
	eventfd_ctx_put((struct eventfd_ctx *)eventfd);
}

/* To those who are woken up: no eventfd may be added to from there. */
static void set_signalling(bool on)
{
#ifdef CONFIG_EVENTFD
	current->in_eventfd = on;
#endif
}

/*
 * Saturates, as any addition from the kernel does. Whoever is woken up may want
 * to add to the same eventfd right away, asynchronous I/O for one: it finds out
 * that it cannot by the mark on current.
 */
void evl_add_eventfd(struct evl_eventfd *eventfd, u64 value)
{
	unsigned long flags;

	spin_lock_irqsave(&eventfd->wqh.lock, flags);
	eventfd->count += min(value, ULLONG_MAX - eventfd->count);
	set_signalling(true);
	wake_up_locked_poll(&eventfd->wqh, EPOLLIN);
	set_signalling(false);
	spin_unlock_irqrestore(&eventfd->wqh.lock, flags);
}
