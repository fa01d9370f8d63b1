// SPDX-License-Identifier: GPL-2.0-only
/*
 * Sits where the core wants to be, as another core would: evl.ko has to refuse to load beside it. With Dovetail, it
 * owns the out-of-band stage; elsewhere, it redirects a function which the core needs.
 */
#include <linux/ftrace.h>
#include <linux/module.h>

#ifdef CONFIG_DOVETAIL

#include <linux/irq_pipeline.h>

static int take_seat(void)
{
	return enable_oob_stage("rival");
}

static void leave_seat(void)
{
	disable_oob_stage();
}

#else

static void pass_through(unsigned long ip, unsigned long parent_ip, struct ftrace_ops *ops, struct ftrace_regs *fregs)
{
}

static struct ftrace_ops rival_ops = {
	.func = pass_through,
	.flags = FTRACE_OPS_FL_IPMODIFY | FTRACE_OPS_FL_SAVE_REGS,
};

static int take_seat(void)
{
	static char name[] = "__x64_sys_prctl";
	int ret = ftrace_set_filter(&rival_ops, name, strlen(name), 1);

	return ret ?: register_ftrace_function(&rival_ops);
}

static void leave_seat(void)
{
	unregister_ftrace_function(&rival_ops);
	ftrace_free_filter(&rival_ops);
}

#endif

static int __init rival_init(void)
{
	return take_seat();
}

static void __exit rival_exit(void)
{
	leave_seat();
}

module_init(rival_init);
module_exit(rival_exit);

MODULE_DESCRIPTION("Stands in for another real-time core");
MODULE_AUTHOR("The evl authors");
MODULE_LICENSE("GPL");
