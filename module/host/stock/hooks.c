// SPDX-License-Identifier: GPL-2.0-only
/*
 * What we must know of, or take over from, a kernel which does not know us:
 *
 *  - prctl(2), when it carries one of our requests, by redirection;
 *  - system calls of out-of-band threads, by a watch on what Linux has look at them
 *    first (see stage.c), their traps and signals, by tracepoints, a die notifier
 *    and a watch on get_signal(): all send them in-band. Stops, after which they come
 *    back, by watches on that, dequeue_signal() and ptrace_notify(), and handlers, by a
 *    tracepoint;
 *  - exit of attached tasks, by a watch on exit_signals(), which is early enough
 *    for nobody to know of it yet (a joiner may reuse the name of the thread);
 *  - the CPUs which they may use, by a watch on what sets them in the end, and
 *    programs which they execute, by a tracepoint;
 *  - steps of the wall clock, by a watch on clock_was_set().
 */
#include <linux/kdebug.h>
#include <linux/sched/signal.h>
#include <linux/syscalls.h>
#include <linux/task_work.h>
#include <linux/unistd.h>
#include <asm/syscall.h>
#include <evl/syscall-abi.h>
#include <redirect.h>
#include <tracehook.h>
#include "stock.h"

/* --- Requests ----------------------------------------------------------------- */

static __always_inline bool is_request(const struct pt_regs *regs)
{
	unsigned int option = regs->di;

	return option == PR_OOB_SYSCALL || evl_is_oob_prctl_b(option);
}

static bool notrace prctl_is_request(struct ftrace_regs *fregs)
{
	return is_request((struct pt_regs *)host_redirect_arg(fregs, 0));
}

/*
 * The restart of a request would start over with the registers untouched. A
 * stranger is told so by the core.
 */
static long serve_prctl(const struct pt_regs *regs)
{
	struct host_task *h = host_current();

	if ((unsigned int)regs->di == PR_OOB_SYSCALL)
		return host_ops->request(h, regs->si, regs->dx, regs->r10,
					 regs->r8);

	/* Like a kernel which does not know this form at all. */
	if (!h)
		return -EINVAL;

	return host_ops->request(h, regs->di & ~EVL_OOB_SYSCALL_BIT, regs->si,
				 regs->dx, regs->r10);
}

/*
 * While there is a signal to handle, nobody else adds work for what is due: they have
 * current come here instead (prio.c). It adds some by itself, a single one for each
 * signal, and always: what is due may be so only when Linux has taken back the mark
 * which they left, as it is about to. The work runs after that.
 */
static bool notrace before_signal(struct ftrace_regs *fregs)
{
	struct host_task *h = host_current();

	if (h && h->oob && h->trapped)
		host_ops->demote(h, HOST_CAUSE_TRAP, instruction_pointer(current_pt_regs()));
	else if (h && h->oob)
		host_ops->demote(h, HOST_CAUSE_SIGNAL, 0);
	if (h) {
		h->trapped = false;
		stock_queue_work(h);
		host_ops->expect_signals(h);
	}

	return false;
}

/*
 * Work which is queued from there on runs when signals have been looked at, and maybe
 * the task was stopped: or else ahead of the next one.
 */
static bool notrace before_dequeue(struct ftrace_regs *fregs)
{
	struct host_task *h = host_current();
	unsigned long flags;

	/*
	 * Work which ran ahead of that may have brought it back, for a signal to come. The
	 * lock of its signal handlers is held, with irqs on if that is PREEMPT_RT: whatever
	 * takes it, or takes long, has to wait.
	 */
	if (h && h->oob) {
		flags = hard_local_irq_save();
		host_ops->demote(h, HOST_CAUSE_SIGNAL, 0);
		hard_local_irq_restore(flags);
	}
	if (h && host_ops->comes_back(h))
		stock_queue_work(h);

	return false;
}

/*
 * The task is about to stop in the middle of a call, of its end for instance, and runs
 * what work there is ahead of that.
 */
static bool notrace before_notify(struct ftrace_regs *fregs)
{
	struct host_task *h = host_current();

	if (h)
		h->in_notify = READ_ONCE(h->queued) && task_work_pending(current);

	return false;
}

static bool notrace before_clock_was_set(struct ftrace_regs *fregs)
{
	host_ops->clock_was_set();

	return false;
}

/*
 * A filter of seccomp ends a thread in the middle of a call which would have been
 * answered out-of-band. What is left of it, which may take as long as the user
 * likes, is in-band.
 */
static bool notrace before_exit(struct ftrace_regs *fregs)
{
	struct host_task *h = host_current();

	if (h && h->oob)
		host_ops->demote(h, HOST_CAUSE_NONE, 0);
	if (h)
		host_ops->exit(h);

	return false;
}

/*
 * What set_cpus_allowed_common() is told besides the task: the new mask, unless
 * it is about a section which Linux may not be moved out of. The structure is
 * private to the scheduler, and has been as it is since it was added.
 */
#define MASK_IS_PASSING	(2 | 4)		/* SCA_MIGRATE_DISABLE, SCA_MIGRATE_ENABLE */

#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 2, 0)

struct affinity_change {
	const struct cpumask *mask;
	struct cpumask *user_mask;
	unsigned int flags;
};

static const struct cpumask *new_mask(struct ftrace_regs *fregs)
{
	struct affinity_change *change =
		(struct affinity_change *)host_redirect_arg(fregs, 1);

	return change->flags & MASK_IS_PASSING ? NULL : change->mask;
}

#else

static const struct cpumask *new_mask(struct ftrace_regs *fregs)
{
	return host_redirect_arg(fregs, 2) & MASK_IS_PASSING ? NULL :
		(const struct cpumask *)host_redirect_arg(fregs, 1);
}

#endif

/* By one way or another, all changes come here, once they were allowed. */
static bool notrace before_mask(struct ftrace_regs *fregs)
{
	const struct cpumask *mask = new_mask(fregs);

	if (mask)
		stock_mask_changes((struct task_struct *)host_redirect_arg(fregs, 0),
				   mask);

	return false;
}

/* Those which the core's own contract answers on the out-of-band stage. */
static bool stays_oob(struct pt_regs *regs, long nr)
{
	/* A debugger wants to see it first, which it does in-band. */
	if (test_syscall_work(SYSCALL_TRACE) || test_syscall_work(SYSCALL_EMU) ||
	    in_ia32_syscall() || (nr >= 0 && nr & __X32_SYSCALL_BIT))
		return false;
	if (nr == __NR_prctl)
		return is_request(regs);
	if (nr == __NR_clock_gettime)
		return regs->di == CLOCK_MONOTONIC || regs->di == CLOCK_REALTIME;

	return nr < 0 || nr >= NR_syscalls;
}

/* Task context, irqs on. Nobody else has looked at the call yet. */
static bool notrace before_dispatch(struct ftrace_regs *fregs)
{
	struct pt_regs *regs = (struct pt_regs *)host_redirect_arg(fregs, 0);
	struct host_task *h = host_current();

	if (h && h->oob && !stays_oob(regs, syscall_get_nr(current, regs)))
		host_ops->inband_syscall(h, true);

	return false;
}

/*
 * A wish for what we narrowed the mask to changes nothing for Linux, which says so
 * here, and is no less of a wish.
 */
static bool notrace before_same_mask(struct ftrace_regs *fregs)
{
	struct task_struct *task = (struct task_struct *)host_redirect_arg(fregs, 0);
	const struct cpumask *mask = new_mask(fregs);

	if (mask && cpumask_equal(mask, &task->cpus_mask))
		stock_mask_changes(task, mask);

	return false;
}

static void on_migrate(void *data, struct task_struct *task, int cpu)
{
	stock_task_moves(task);
}

static struct host_redirect redirects[] = {
	{
		.name = "__x64_sys_prctl",
		.to = serve_prctl,
		.match = prctl_is_request,
	},
	{
		.name = "get_signal",
		.match = before_signal,
	},
	{
		.name = "dequeue_signal",
		.match = before_dequeue,
	},
	{
		.name = "ptrace_notify",
		.match = before_notify,
	},
	{
		.name = "exit_signals",
		.match = before_exit,
	},
	{
		.name = "set_cpus_allowed_common",
		.match = before_mask,
	},
	{
		.name = "__set_cpus_allowed_ptr_locked",
		.match = before_same_mask,
	},
	{
		.name = "syscall_user_dispatch",
		.match = before_dispatch,
	},
	{
		.name = "clock_was_set",
		.match = before_clock_was_set,
	},
};

/* --- What sends a thread in-band ---------------------------------------------- */

static void demote_on_trap(struct pt_regs *regs, enum host_cause cause)
{
	struct host_task *h = host_current();

	if (h && h->oob && user_mode(regs))
		host_ops->demote(h, cause, regs->ip);
}

static void on_page_fault(void *data, unsigned long address,
			  struct pt_regs *regs, unsigned long code)
{
	demote_on_trap(regs, HOST_CAUSE_TRAP);
}

/*
 * Linux tells nobody of some exceptions in user space, of general protection faults
 * for one, but the task itself by a signal. Its lock is held: before_signal() follows.
 */
static void on_signal(void *data, int sig, struct kernel_siginfo *info,
		      struct task_struct *task, int group, int result)
{
	struct host_task *h;

	if (task != current || info == SEND_SIG_NOINFO || info == SEND_SIG_PRIV ||
	    info->si_code <= SI_USER)
		return;

	h = host_current();
	if (h && (sig == SIGSEGV || sig == SIGBUS || sig == SIGFPE || sig == SIGILL))
		h->trapped = true;
}

static int on_die(struct notifier_block *nb, unsigned long event, void *data)
{
	struct die_args *args = data;

	if (event == DIE_INT3 || event == DIE_DEBUG)
		demote_on_trap(args->regs, HOST_CAUSE_PTRACE);
	else if (event == DIE_TRAP || event == DIE_GPF)
		demote_on_trap(args->regs, HOST_CAUSE_TRAP);

	return NOTIFY_DONE;
}

static struct notifier_block die_notifier = {
	.notifier_call = on_die,
};

/* --- Program of attached tasks ------------------------------------------ */

/* Preemption is off. What it leaves behind may be a lot, and can wait until it is
 * on its way to user space. */
static void on_exec(void *data, struct task_struct *task, pid_t old_pid,
		    struct linux_binprm *bprm)
{
	struct host_task *h = host_find_task(task);

	if (h) {
		WRITE_ONCE(h->leaving, true);
		stock_queue_work(h);
	}
}

/*
 * The lock of its signal handlers is held. A signal which the task raised by itself, an
 * exception for instance, was not looked for by dequeue_signal().
 */
static void on_deliver(void *data, int sig, struct kernel_siginfo *info,
		       struct k_sigaction *ka)
{
	struct host_task *h = host_current();

	if (!h || ka->sa.sa_handler == SIG_DFL || ka->sa.sa_handler == SIG_IGN)
		return;

	host_ops->expect_handler(h);
	if (host_ops->comes_back(h))
		stock_queue_work(h);
}

static struct host_tracehook tracehooks[] = {
	{ .name = "signal_deliver", .probe = on_deliver },
	{ .name = "page_fault_user", .probe = on_page_fault },
	{ .name = "signal_generate", .probe = on_signal },
	{ .name = "sched_migrate_task", .probe = on_migrate },
	{ .name = "sched_process_exec", .probe = on_exec },
};

int stock_install_hooks(void)
{
	int ret;

	ret = register_die_notifier(&die_notifier);
	if (ret)
		return ret;

	ret = host_attach_tracehooks(tracehooks, ARRAY_SIZE(tracehooks));
	if (ret)
		goto drop_notifier;

	ret = host_install_redirects(redirects, ARRAY_SIZE(redirects));
	if (ret)
		goto detach_hooks;

	return 0;

detach_hooks:
	host_detach_tracehooks(tracehooks, ARRAY_SIZE(tracehooks));
drop_notifier:
	unregister_die_notifier(&die_notifier);

	return ret;
}

void stock_remove_hooks(void)
{
	host_remove_redirects(redirects, ARRAY_SIZE(redirects));
	host_detach_tracehooks(tracehooks, ARRAY_SIZE(tracehooks));
	unregister_die_notifier(&die_notifier);
}
