/* SPDX-License-Identifier: GPL-2.0-only */
/* Shared by the sources of the stock host. */
#ifndef EVL_HOST_STOCK_H
#define EVL_HOST_STOCK_H

#include <host.h>

extern const struct host_ops *host_ops;

/*
 * What a thread has to see to by itself, at its next resched point: bits of
 * host_task.due.
 */
enum {
	DUE_PRIO,			/* its priority in Linux (prio.c) */
	DUE_MASK,			/* its CPUs in Linux (affinity.c) */
	DUE_NOTICE,			/* signals of its health, by itself (block.c) */
};

/* Hooks on the kernel (hooks.c). */
int stock_install_hooks(void);
void stock_remove_hooks(void);

/* --- Who runs, and who does not (block.c) ----------------------------------- */

/* Have @h come to a resched point before it is back in user space. Any context. */
void stock_queue_work(struct host_task *h);
void stock_init_work(struct host_task *h);

/* --- Priority in Linux (prio.c) --------------------------------------------- */

/* Give current the priority that its stage and its thread ask for. Not in an
 * interrupt, irqs on. */
void stock_sync_prio(struct host_task *h);
/* Somebody else gave current, which is out-of-band, another one. */
bool stock_prio_is_off(struct host_task *h);

/* --- CPUs in Linux (affinity.c) --------------------------------------------- */

int stock_init_affinity(struct host_task *h);
void stock_exit_affinity(struct host_task *h);
/* Have current run where its stage allows it to. May sleep. */
void stock_sync_mask(struct host_task *h);
void stock_note_mask(struct host_task *h);
bool stock_mask_is_wide(void);
/* Linux changes the CPUs of a task to @mask, or moves it. Locks of its scheduler
 * are held. */
void stock_mask_changes(struct task_struct *task, const struct cpumask *mask);
void stock_task_moves(struct task_struct *task);

/* --- Ticks (tick.c) --------------------------------------------------------- */

void stock_init_tick(struct host_cpu *hc);
void stock_stop_ticks(void);

#endif /* !EVL_HOST_STOCK_H */
