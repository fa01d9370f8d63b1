/* SPDX-License-Identifier: GPL-2.0-only */
/* Shared by the sources of the stock host. */
#ifndef EVL_HOST_STOCK_H
#define EVL_HOST_STOCK_H

#include <host.h>

extern const struct host_ops *host_ops;

/* Hooks on the kernel (hooks.c). */
int stock_install_hooks(void);
void stock_remove_hooks(void);

/* Linux moves an attached task; its scheduler locks are held (park.c). */
void stock_task_moves(struct host_task *h);

/* Ticks (tick.c). */
void stock_init_tick(struct host_cpu *hc);
void stock_stop_ticks(void);

#endif /* !EVL_HOST_STOCK_H */
