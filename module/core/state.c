// SPDX-License-Identifier: GPL-2.0-only
/* What user space sees of the state of a thread. */
#include <evl/thread.h>
#include "core.h"

void evl_get_thread_state(struct evl_thread *thread,
			  struct evl_thread_state *buf)
{
	unsigned long flags;
	struct evl_rq *rq;

	memset(buf, 0, sizeof(*buf));

	rq = evl_lock_thread_rq_irqsave(thread, flags);
	evl_fill_effective_locked(thread, &buf->eattrs);
	buf->cpu = rq->cpu;
	buf->state = thread->state;
	buf->isw = thread->stat.isw;
	buf->csw = thread->stat.csw;
	buf->sc = thread->stat.sc;
	buf->rwa = thread->stat.rwa;
	buf->xtime = evl_exectime_locked(rq, thread);
	evl_unlock_irqrestore(&rq->lock, flags);
}
