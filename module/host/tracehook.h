/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Probes on tracepoints which are not exported to modules, found by name. A
 * table is attached as a whole or not at all.
 */
#ifndef EVL_HOST_TRACEHOOK_H
#define EVL_HOST_TRACEHOOK_H

#include <linux/types.h>

struct tracepoint;

/*
 * @probe takes @data, then what the TP_PROTO() of the tracepoint says. It runs in
 * the context of the tracepoint; that preemption is disabled, as kernels do so
 * far, is nothing to rely on.
 */
struct host_tracehook {
	const char *name;
	void *probe;
	void *data;
	struct tracepoint *tp;
};

/* In-band, may sleep. On error, prints one line. 0, -ENOENT, or what the
 * tracepoint code says. */
int host_attach_tracehooks(struct host_tracehook *table, int nr);
/* No probe is running on return. */
void host_detach_tracehooks(struct host_tracehook *table, int nr);

#endif /* !EVL_HOST_TRACEHOOK_H */
