// SPDX-License-Identifier: GPL-2.0-only
/* Bring-up of the core, and its exact reverse. */
#include <linux/cpumask.h>
#include <linux/init.h>
#include <linux/module.h>
#include <linux/string.h>
#include <linux/utsname.h>
#include <evl/control-abi.h>
#include <evl/factory.h>
#include <evl/rq.h>
#include "core/core.h"
#include "host.h"

static char *state = "enabled";
module_param(state, charp, 0444);
MODULE_PARM_DESC(state, "whether elements may be created at once: enabled (default), or stopped");

static int initial_state(enum evl_core_state *to)
{
	if (!strcmp(state, "enabled"))
		*to = EVL_CORE_RUNNING;
	else if (!strcmp(state, "stopped"))
		*to = EVL_CORE_STOPPED;
	else
		return -EINVAL;

	return 0;
}

struct subsystem {
	int (*init)(void);		/* NULL if there is nothing to do */
	void (*exit)(void);		/* NULL if there is nothing to undo */
};

static int init_host(void)
{
	return host_init(&evl_host_ops);
}

/* In this order. The gates of the host open when what they lead to is in place,
 * and users see anything of it when nothing can fail any more. */
static const struct subsystem subsystems[] = {
	{ init_host, host_cleanup },
	{ evl_init_heap, evl_exit_heap },
	{ evl_init_works, evl_exit_works },
	{ evl_init_shmem, evl_exit_shmem },
	{ evl_init_files, evl_exit_files },
	{ evl_init_timers, evl_exit_timers },
	{ evl_init_rqs, evl_exit_rqs },
	{ evl_init_chains, evl_exit_chains },
	{ NULL, evl_exit_processes },
	{ NULL, evl_exit_threads },
	{ evl_init_caps, evl_exit_caps },
	{ evl_init_subscribers, evl_exit_subscribers },
	{ evl_init_factories, evl_exit_factories },
	{ host_start, host_stop },
	{ evl_init_clocks, evl_exit_clocks },
	{ evl_publish_factories, evl_unpublish_factories },
};

static void exit_subsystems(int count)
{
	while (count-- > 0)
		if (subsystems[count].exit)
			subsystems[count].exit();
}

static int __init evl_init(void)
{
	enum evl_core_state to;
	int n, ret;

	ret = initial_state(&to);
	if (ret) {
		pr_err("evl: parameter state is '%s', expected enabled or stopped\n",
		       state);
		return ret;
	}

	/* Nobody can ask for anything before the last subsystem is there. */
	atomic_set(&evl_core_state, to);

	for (n = 0; n < ARRAY_SIZE(subsystems); n++) {
		ret = subsystems[n].init ? subsystems[n].init() : 0;
		if (ret) {
			exit_subsystems(n);
			return ret;
		}
	}

	pr_info("evl: %s on the %s host, kernel %s, ABI %d..%d, CPUs %*pbl\n",
		EVL_VERSION, host_name(), init_utsname()->release,
		EVL_ABI_BASE, EVL_ABI_LEVEL, cpumask_pr_args(&evl_oob_cpus));

	return 0;
}

static void __exit evl_exit(void)
{
	exit_subsystems(ARRAY_SIZE(subsystems));
}

module_init(evl_init);
module_exit(evl_exit);

MODULE_DESCRIPTION("EVL real-time core");
MODULE_AUTHOR("The evl authors");
MODULE_LICENSE("GPL v2");
MODULE_VERSION(EVL_VERSION);
