/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the core knows of a process, i.e. of an mm: that it opened the control
 * device. It is forgotten after the mm is gone.
 */
#ifndef EVL_PROCESS_H
#define EVL_PROCESS_H

#include <linux/types.h>

struct evl_process;

/* Current's process may host threads from now on. 0, -ENOMEM. In-band. */
int evl_admit_process(void);
/* Current's, with a reference, or NULL if it did not open the control device. */
struct evl_process *evl_get_process(void);
void evl_put_process(struct evl_process *proc);
/* True if current runs on the memory of @proc. */
bool evl_process_is_current(struct evl_process *proc);

#endif /* !EVL_PROCESS_H */
