// SPDX-License-Identifier: GPL-2.0-only
/*
 * Redirection of kernel functions by ftrace.
 *
 * The flags are chosen with care. Neither RECURSION nor RCU: these insert an
 * assist function that drops nested calls and those made while RCU is not
 * watching, which is the usual case out-of-band; without them each ops has
 * a trampoline of its own that calls us straight. No SAVE_REGS either: the
 * instruction pointer can be changed without, for half the cost. PERMANENT,
 * because a system whose hooks are turned off by a sysctl is a dead system.
 *
 * A direct call does without ftrace, unless somebody else traces the function:
 * then it is made by ftrace, through all that we avoid otherwise.
 */
#include <linux/kernel.h>
#include <linux/string.h>
#include "redirect.h"

static void notrace redirect_always(unsigned long ip, unsigned long parent_ip,
				    struct ftrace_ops *ops,
				    struct ftrace_regs *fregs)
{
	struct host_redirect *r = container_of(ops, struct host_redirect, ops);

	ftrace_regs_set_instruction_pointer(fregs, (unsigned long)r->to);
}

static void notrace redirect_matching(unsigned long ip,
				      unsigned long parent_ip,
				      struct ftrace_ops *ops,
				      struct ftrace_regs *fregs)
{
	struct host_redirect *r = container_of(ops, struct host_redirect, ops);

	WRITE_ONCE(r->site, ip);
	if (r->match(fregs))
		ftrace_regs_set_instruction_pointer(fregs,
						    (unsigned long)r->to);
}

static void notrace observe(unsigned long ip, unsigned long parent_ip,
			    struct ftrace_ops *ops, struct ftrace_regs *fregs)
{
	struct host_redirect *r = container_of(ops, struct host_redirect, ops);

	WRITE_ONCE(r->site, ip);
	r->match(fregs);
}

static void setup_ops(struct host_redirect *r)
{
	memset(&r->ops, 0, sizeof(r->ops));
	r->ops.flags = FTRACE_OPS_FL_PERMANENT;

	if (!r->to) {
		r->ops.func = observe;
		return;
	}

	r->ops.flags |= FTRACE_OPS_FL_IPMODIFY;
	r->ops.func = r->match ? redirect_matching : redirect_always;
}

/*
 * -EBUSY stands for two things: ftrace is off, or another IPMODIFY user owns
 * the function. Only a PERMANENT ops is refused for the former.
 */
static bool ftrace_is_off(struct host_redirect *r)
{
	r->ops.flags &= ~FTRACE_OPS_FL_PERMANENT;
	if (register_ftrace_function(&r->ops))
		return false;

	unregister_ftrace_function(&r->ops);

	return true;
}

/* The filter is still set. */
static int explain(struct host_redirect *r, int ret)
{
	if (r->optional)
		return ret;

	switch (ret) {
	case -ENOENT:
		pr_err("evl: this kernel has no traceable function %s(): wrong kernel, or built without CONFIG_DYNAMIC_FTRACE\n",
		       r->name);
		return ret;
	case -EBUSY:
		if (ftrace_is_off(r)) {
			pr_err("evl: function hooks are turned off: run 'sysctl kernel.ftrace_enabled=1'\n");
			return -EPERM;
		}
		pr_err("evl: %s() is redirected by a live patch or another core: unload that first\n",
		       r->name);
		return ret;
	case -ENODEV:
		pr_err("evl: ftrace shut itself down after an internal error (see above in this log): reboot\n");
		return ret;
	default:
		pr_err("evl: cannot hook %s(): error %d\n", r->name, ret);
		return ret;
	}
}

static int set_filter(struct host_redirect *r)
{
	/* Tells -EINVAL when nothing matches, -ENODEV if ftrace is dead. */
	return ftrace_set_filter(&r->ops, (unsigned char *)r->name,
				 strlen(r->name), 0);
}

/*
 * May fail for reasons which do not concern the other way, e.g. a BPF program
 * attached to the function: that one is left to explain what is wrong.
 */
#ifdef EVL_FTRACE_DIRECT

static bool install_direct(struct host_redirect *r)
{
	if (!r->tramp)
		return false;

	memset(&r->ops, 0, sizeof(r->ops));
	r->direct = !set_filter(r) &&
		!register_ftrace_direct(&r->ops, (unsigned long)r->tramp);
	if (!r->direct)
		ftrace_free_filter(&r->ops);

	return r->direct;
}

static void remove_direct(struct host_redirect *r)
{
	unregister_ftrace_direct(&r->ops, (unsigned long)r->tramp, true);
}

#else

static bool install_direct(struct host_redirect *r)
{
	return false;
}

static void remove_direct(struct host_redirect *r)
{
}

#endif

static int install_plain(struct host_redirect *r)
{
	int ret;

	setup_ops(r);

	ret = set_filter(r);
	if (ret)
		return explain(r, ret == -EINVAL ? -ENOENT : ret);

	ret = register_ftrace_function(&r->ops);
	if (ret) {
		ret = explain(r, ret);
		ftrace_free_filter(&r->ops);
	}

	return ret;
}

static int install_one(struct host_redirect *r)
{
	int ret = 0;

	r->direct = false;
	if (!install_direct(r))
		ret = install_plain(r);

	r->installed = !ret;

	return r->optional ? 0 : ret;
}

int host_install_redirects(struct host_redirect *table, int nr)
{
	int n, ret;

	for (n = 0; n < nr; n++) {
		ret = install_one(table + n);
		if (ret) {
			host_remove_redirects(table, n);
			return ret;
		}
	}

	return 0;
}

void host_remove_redirects(struct host_redirect *table, int nr)
{
	while (nr-- > 0) {
		if (!table[nr].installed)
			continue;
		table[nr].installed = false;
		if (table[nr].direct) {
			remove_direct(table + nr);
			continue;
		}
		unregister_ftrace_function(&table[nr].ops);
		ftrace_free_filter(&table[nr].ops);
	}
}
