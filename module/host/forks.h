/* SPDX-License-Identifier: GPL-2.0-only */
/* Being told of new tasks, on any host. */
#ifndef EVL_HOST_FORKS_H
#define EVL_HOST_FORKS_H

struct task_struct;

/*
 * Have @forked called by whoever forks, with preemption disabled, when the child
 * is complete and before it runs for the first time. One caller only. 0, or what
 * host_attach_tracehooks() says.
 */
int host_watch_forks(void (*forked)(struct task_struct *child));
/* No call is in progress on return. */
void host_unwatch_forks(void);

#endif /* !EVL_HOST_FORKS_H */
