// SPDX-License-Identifier: GPL-2.0-only
/* New tasks, as the tracepoint of the scheduler tells of them. */
#include <linux/sched.h>
#include "forks.h"
#include "tracehook.h"

static void (*watcher)(struct task_struct *child);

static void task_forked(void *data, struct task_struct *parent,
			struct task_struct *child)
{
	watcher(child);
}

static struct host_tracehook fork_hook = {
	.name = "sched_process_fork",
	.probe = task_forked,
};

int host_watch_forks(void (*forked)(struct task_struct *child))
{
	watcher = forked;

	return host_attach_tracehooks(&fork_hook, 1);
}

void host_unwatch_forks(void)
{
	host_detach_tracehooks(&fork_hook, 1);
}
