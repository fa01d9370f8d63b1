/* SPDX-License-Identifier: GPL-2.0-only */
/* CPUs which have to stay as they are, online or not. */
#ifndef EVL_HOST_HOTPLUG_H
#define EVL_HOST_HOTPLUG_H

#include <linux/types.h>

/*
 * From now on, no CPU goes offline of which @keeps says that it is needed; with
 * @freeze, none comes online either. Whoever tries gets -EBUSY, ahead of any
 * change to the system, and the log a line. @keeps is called in-band, by the CPU
 * which is about to go, and is notrace.
 *
 * In-band, may sleep. On error, prints one line.
 */
int host_guard_cpus(bool (*keeps)(unsigned int cpu), bool freeze);
/* @keeps is not running on return. */
void host_unguard_cpus(void);

#endif /* !EVL_HOST_HOTPLUG_H */
