// SPDX-License-Identifier: GPL-2.0-only
/*
 * Life of the Dovetail host: what is taken from the kernel, and given back.
 */
#include <linux/hrtimer.h>
#include <linux/jiffies.h>
#include <linux/suspend.h>
#include <hotplug.h>
#include "dovetail.h"

const struct host_ops *host_core;

const char *host_name(void)
{
	return "Dovetail";
}

/*
 * The tick proxies live on the CPUs which are online at load, and taking them
 * off when that set has changed crashes the kernel: it may not change.
 */
static bool notrace keeps_cpu(unsigned int cpu)
{
	return true;
}

/*
 * Even if all CPUs stay online, Linux shuts the timers down which it believes to
 * be its own, and the core would get no tick until it is back.
 */
static int refuse_sleep(struct notifier_block *nb, unsigned long event,
			void *data)
{
	if (event != PM_SUSPEND_PREPARE && event != PM_HIBERNATION_PREPARE)
		return NOTIFY_DONE;

	pr_warn("evl: the machine stays awake until evl is unloaded\n");

	return notifier_from_errno(-EBUSY);
}

static struct notifier_block sleep_notifier = {
	.notifier_call = refuse_sleep,
};

/*
 * The tick proxy needs a device in one-shot mode below it, and crashes the
 * kernel without. Linux has its own tests of such devices, and its high
 * resolution mode tells that they were passed.
 */
static int check_timers(void)
{
	if (hrtimer_resolution < TICK_NSEC)
		return 0;

	pr_err("evl: the timers of this machine are not in high resolution mode: boot without 'nohz=off highres=off', and look for 'could not switch' in the kernel log\n");

	return -ENODEV;
}

int host_init(const struct host_ops *ops)
{
	int ret;

	ret = check_timers();
	if (ret)
		return ret;

	ret = enable_oob_stage("evl");
	if (ret) {
		if (ret == -EBUSY)
			pr_err("evl: another real-time core is active in this kernel: unload it, or boot a kernel without it\n");
		else
			pr_err("evl: cannot enable the out-of-band stage: error %d\n",
			       ret);
		return ret;
	}

	host_core = ops;

	ret = host_guard_cpus(keeps_cpu, true);
	if (ret)
		goto fail_guard;

	ret = register_pm_notifier(&sleep_notifier);
	if (ret)
		goto fail_notifier;

	return 0;

fail_notifier:
	host_unguard_cpus();
fail_guard:
	disable_oob_stage();

	return ret;
}

void host_cleanup(void)
{
	unregister_pm_notifier(&sleep_notifier);
	host_unguard_cpus();
	disable_oob_stage();
}

/*
 * Whatever a callback may touch is valid by the time it can come: interrupts
 * before hooks, since these may reschedule; then the tick; then the gate that
 * Dovetail has for most of its events.
 */
int host_start(void)
{
	int ret;

	ret = host_request_irqs();
	if (ret) {
		pr_err("evl: cannot get the interrupts of the scheduler: error %d\n",
		       ret);
		return ret;
	}

	ret = host_install_hooks();
	if (ret)
		goto fail_hooks;

	ret = host_install_tick();
	if (ret)
		goto fail_tick;

	ret = dovetail_start();
	if (ret) {
		pr_err("evl: Dovetail refuses to start: error %d\n", ret);
		goto fail_start;
	}

	return 0;

fail_start:
	host_remove_tick();
fail_tick:
	host_remove_hooks();
fail_hooks:
	host_free_irqs();

	return ret;
}

/* The gate of Dovetail is no barrier: removing the hooks is. */
void host_stop(void)
{
	host_remove_tick();
	dovetail_stop();
	host_remove_hooks();
	host_free_irqs();
}
