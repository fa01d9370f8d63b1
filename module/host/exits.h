/* SPDX-License-Identifier: GPL-2.0-only */
/* Being told of tasks which end, on any host, attached or not. */
#ifndef EVL_HOST_EXITS_H
#define EVL_HOST_EXITS_H

/*
 * Have @gone called by each task which exits, while it still has its files, or which
 * is about to run another program. In-band, atomic. One caller only. 0, or what
 * host_attach_tracehooks() says.
 */
int host_watch_exits(void (*gone)(void));
/* No call is in progress on return. */
void host_unwatch_exits(void);

#endif /* !EVL_HOST_EXITS_H */
