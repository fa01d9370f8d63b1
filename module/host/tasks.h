/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Which Linux tasks are attached to the core. host_find_task(), the reader, is
 * declared by <host-types.h>.
 */
#ifndef EVL_HOST_TASKS_H
#define EVL_HOST_TASKS_H

#include <linux/types.h>
#include <host-types.h>

/*
 * By the task itself, in-band; @h->task is set. Once removed, @h must not be
 * freed before an RCU grace period has elapsed.
 */
void host_insert_task(struct host_task *h);
void host_remove_task(struct host_task *h);

#endif /* !EVL_HOST_TASKS_H */
