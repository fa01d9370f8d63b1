// SPDX-License-Identifier: GPL-2.0-only
/* What all kinds of monitors need, and which needs none of them. */
#include "element/monitor/monitor.h"

struct evl_monitor *evl_get_monitor(int fd)
{
	struct evl_file *efilp = evl_get_file(fd);
	struct evl_monitor *mon = NULL;

	if (!efilp)
		return NULL;

	if (efilp->filp->f_op == &evl_monitor_fops) {
		mon = evl_monitor_of(evl_file_element(efilp->filp));
		evl_get_element(&mon->element);
	}
	evl_put_file(efilp);

	return mon;
}

static atomic_t *pollrefs(struct evl_monitor *mon)
{
	return (atomic_t *)&mon->state->u.event.pollrefs;
}

static void unwatch_event(struct evl_poll_head *head)
{
	struct evl_event *event = container_of(head, struct evl_event,
					       poll_head);

	atomic_dec(pollrefs(evl_monitor_of_event(event)));
}

/* User space comes to tell us of changes from now on. */
void evl_watch_event(struct evl_monitor *mon, struct evl_poll_wait *wait)
{
	if (evl_poll_watch(&mon->event.poll_head, wait, unwatch_event)) {
		atomic_inc(pollrefs(mon));
		smp_mb__after_atomic();
	}
}
