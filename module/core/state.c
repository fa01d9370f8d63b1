// SPDX-License-Identifier: GPL-2.0-only
/* What user space sees of the state of a thread. */
#include <linux/export.h>
#include <evl/thread.h>
#include "core.h"

/* User space may scribble over its window: it is written, never read back. */
void evl_sync_window(struct evl_thread *curr)
{
	struct evl_user_window *window = curr->window;

	if (window) {
		WRITE_ONCE(window->state, curr->state);
		WRITE_ONCE(window->info, curr->info);
	}
}

void evl_get_thread_state(struct evl_thread *thread,
			  struct evl_thread_state *buf)
{
	memset(buf, 0, sizeof(*buf));
	evl_get_thread_effective(thread, &buf->eattrs);
	buf->cpu = READ_ONCE(thread->rq)->cpu;
	buf->state = READ_ONCE(thread->state);
	buf->isw = READ_ONCE(thread->stat.isw);
	buf->csw = READ_ONCE(thread->stat.csw);
	buf->sc = READ_ONCE(thread->stat.sc);
	buf->rwa = READ_ONCE(thread->stat.rwa);
	buf->xtime = evl_thread_exectime(thread);
}
