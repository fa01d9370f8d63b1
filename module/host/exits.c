// SPDX-License-Identifier: GPL-2.0-only
/* Tasks which end, as the tracepoints of the scheduler tell of them. */
#include <linux/kernel.h>
#include <linux/sched.h>
#include "exits.h"
#include "tracehook.h"

static void (*watcher)(void);

/* Current is the task which both are about; what else they say depends on the kernel. */
static void task_gone(void *data, struct task_struct *task)
{
	watcher();
}

static struct host_tracehook exit_hooks[] = {
	{ .name = "sched_process_exit", .probe = task_gone },
	{ .name = "sched_process_exec", .probe = task_gone },
};

int host_watch_exits(void (*gone)(void))
{
	watcher = gone;

	return host_attach_tracehooks(exit_hooks, ARRAY_SIZE(exit_hooks));
}

void host_unwatch_exits(void)
{
	host_detach_tracehooks(exit_hooks, ARRAY_SIZE(exit_hooks));
}
