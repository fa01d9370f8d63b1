// SPDX-License-Identifier: GPL-2.0-only
/*
 * Keeping CPUs online which the core needs.
 *
 * Modules may have a say when a CPU goes offline, but too late: the first thing
 * that happens is that the scheduler of Linux deactivates it and moves away what
 * is bound there, whatever its affinity, and a refusal does not bring that back.
 * So we step in ahead of sched_cpu_deactivate(), which may refuse by itself, for
 * deadline tasks. All ways to take a CPU off go through it: the files in sysfs,
 * suspend, hibernation.
 *
 * For CPUs which come online, there is an early enough place for modules.
 */
#include <linux/cpu.h>
#include <linux/cpuhotplug.h>
#include <linux/printk.h>
#include "hotplug.h"
#include "redirect.h"

static bool (*cpu_is_kept)(unsigned int cpu);
static enum cpuhp_state frozen_cpus;
static bool frozen;

static bool notrace keeps_cpu(struct ftrace_regs *fregs)
{
	return cpu_is_kept(host_redirect_arg(fregs, 0));
}

static int refuse_offline(unsigned int cpu)
{
	pr_warn("evl: CPU%u stays online until evl is unloaded\n", cpu);

	return -EBUSY;
}

static int refuse_online(unsigned int cpu)
{
	pr_warn("evl: CPU%u stays offline until evl is unloaded\n", cpu);

	return -EBUSY;
}

static struct host_redirect deactivation[] = {
	{
		.name = "sched_cpu_deactivate",
		.to = refuse_offline,
		.match = keeps_cpu,
	},
};

static int freeze_cpus(void)
{
	int ret;

	ret = cpuhp_setup_state_nocalls(CPUHP_BP_PREPARE_DYN, "evl:frozen",
					refuse_online, NULL);
	if (ret < 0) {
		pr_err("evl: cannot freeze the set of CPUs: error %d\n", ret);
		return ret;
	}

	frozen_cpus = ret;
	frozen = true;

	return 0;
}

static void thaw_cpus(void)
{
	if (frozen)
		cpuhp_remove_state_nocalls(frozen_cpus);
	frozen = false;
}

int host_guard_cpus(bool (*keeps)(unsigned int cpu), bool freeze)
{
	int ret;

	if (!IS_ENABLED(CONFIG_HOTPLUG_CPU))
		return 0;

	if (freeze) {
		ret = freeze_cpus();
		if (ret)
			return ret;
	}

	cpu_is_kept = keeps;
	ret = host_install_redirects(deactivation, ARRAY_SIZE(deactivation));
	if (ret) {
		thaw_cpus();
		return ret;
	}

	/* Those which passed here before are where they wanted to be. */
	cpus_read_lock();
	cpus_read_unlock();

	return 0;
}

void host_unguard_cpus(void)
{
	if (!IS_ENABLED(CONFIG_HOTPLUG_CPU))
		return;

	host_remove_redirects(deactivation, ARRAY_SIZE(deactivation));
	thaw_cpus();
	/* Whoever was on its way through here has given up. */
	cpus_read_lock();
	cpus_read_unlock();
}
