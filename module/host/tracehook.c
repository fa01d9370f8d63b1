// SPDX-License-Identifier: GPL-2.0-only
/* Probes on tracepoints by name. */
#include <linux/kernel.h>
#include <linux/string.h>
#include <linux/tracepoint.h>
#include "tracehook.h"

static void match_name(struct tracepoint *tp, void *priv)
{
	struct host_tracehook *th = priv;

	if (!strcmp(tp->name, th->name))
		th->tp = tp;
}

static int attach_one(struct host_tracehook *th)
{
	int ret;

	th->tp = NULL;
	for_each_kernel_tracepoint(match_name, th);
	if (!th->tp) {
		pr_err("evl: this kernel has no tracepoint %s: build it with CONFIG_TRACEPOINTS and its events\n",
		       th->name);
		return -ENOENT;
	}

	ret = tracepoint_probe_register(th->tp, th->probe, th->data);
	if (ret)
		pr_err("evl: cannot attach to tracepoint %s: error %d\n",
		       th->name, ret);

	return ret;
}

int host_attach_tracehooks(struct host_tracehook *table, int nr)
{
	int n, ret;

	for (n = 0; n < nr; n++) {
		ret = attach_one(table + n);
		if (ret) {
			host_detach_tracehooks(table, n);
			return ret;
		}
	}

	return 0;
}

void host_detach_tracehooks(struct host_tracehook *table, int nr)
{
	while (nr-- > 0)
		tracepoint_probe_unregister(table[nr].tp, table[nr].probe,
					    table[nr].data);

	tracepoint_synchronize_unregister();
}
