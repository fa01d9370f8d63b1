/* SPDX-License-Identifier: GPL-2.0-only */
/* Calls deferred to the in-band stage: a handler that may sleep. */
#ifndef EVL_WORK_H
#define EVL_WORK_H

#include <linux/llist.h>
#include <linux/workqueue.h>

/* Handlers which run at once, and those which may wait, each among its likes. */
enum evl_work_queue {
	EVL_WORK_PROMPT,
	EVL_WORK_DISPOSAL,		/* of public elements, for Linux's device nodes */
	EVL_WORK_SEALS,			/* for memory maps of users */
	EVL_NR_WORK_QUEUES,
};

struct evl_work {
	struct llist_node node;		/* on its way to the workqueue */
	struct work_struct work;
	void (*handler)(struct evl_work *work);
	int pending;			/* 0, or the CPU it was called on plus one */
	enum evl_work_queue queue;
};

void evl_init_work(struct evl_work *work, void (*handler)(struct evl_work *work));
/*
 * No handler waits for what user space may keep others waiting for: threads which end
 * and their mutexes rely on handlers, and only so many run at once. One which has to
 * may do so in a queue of its likes, if this is called before the first call.
 */
static inline void evl_let_work_wait(struct evl_work *work, enum evl_work_queue queue)
{
	work->queue = queue;
}

/* Any stage. False if it was pending already; once true, the handler runs once
 * more. It may free what @work is part of. */
bool evl_call_inband(struct evl_work *work);
/* In-band, may sleep: wait for a pending or running handler. */
void evl_flush_work(struct evl_work *work);
/* The same, but drop it if it did not start. */
void evl_cancel_work(struct evl_work *work);

#endif /* !EVL_WORK_H */
