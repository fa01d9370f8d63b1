// SPDX-License-Identifier: GPL-2.0-only
/*
 * What Dovetail tells a core.
 *
 * It calls weak functions, empty ones in the kernel proper, which we redirect
 * to those below. The three about file descriptors are left alone: the core
 * looks descriptors up by itself. So are those about CPU idling, which a tick
 * proxy governs already, and about forks, since a child inherits nothing.
 *
 * It does not tell of stops which are due, nor of handlers: a watch on get_signal() does,
 * and a tracepoint.
 */
#include <linux/delay.h>
#include <linux/rcupdate.h>
#include <linux/sched.h>
#include <linux/stop_machine.h>
#include <redirect.h>
#include <tracehook.h>
#include "dovetail.h"
#include "arch-x86.h"

DEFINE_PER_CPU(long, host_hooks_busy);

/*
 * The thread which was interrupted by a trap or by the end of an interrupt, if
 * it may leave the out-of-band stage here. A handler may not, be it that of an
 * interrupt or of an NMI, nor may Linux when preempted on its way in or out, nor
 * who holds a hard lock.
 */
static struct host_task *interrupted_thread(struct pt_regs *regs)
{
	if (!test_thread_local_flags(_TLF_OOB))
		return NULL;

	if (running_inband() || on_pipeline_entry() || test_oob_stall())
		return NULL;

	if (!user_mode(regs) && (in_nmi() || regs_irqs_disabled(regs)))
		return NULL;

	return host_current();
}

/* Hard irqs off on entry, no matter on exit. */
static void mayday(struct pt_regs *regs)
{
	struct host_task *h = interrupted_thread(regs);

	if (!h || !host_core->kicked(h))
		return;

	host_enter_hook();
	hard_local_irq_enable();
	host_core->demote(h, HOST_CAUSE_SIGNAL, 0);
	host_leave_hook();
}

/*
 * The trap for which alone this CPU is in-band, since it hit code that cannot
 * leave the out-of-band stage, or NULL. The CPU does not change meanwhile.
 */
static DEFINE_PER_CPU(struct pt_regs *, lent_to);

/*
 * What hit code which must not leave the out-of-band stage is either an access
 * that may fail, by a tracer for instance: then it fails. Or it is for Linux to
 * do something about on the spot: a breakpoint of a tracer, or the end of it all.
 * Until it did, it has the stage; without, it would return to what it was hit in,
 * over and over again.
 */
static void handle_in_place(unsigned int trapnr, struct pt_regs *regs)
{
	if (user_mode(regs) || arch_fail_access(trapnr, regs))
		return;

	raw_cpu_write(lent_to, regs);
	switch_inband(this_inband_staged());
}

/* True if it was given back, or is not to be by this trap, within the other. */
static bool give_back_stage(struct pt_regs *regs)
{
	struct pt_regs *owner = raw_cpu_read(lent_to);

	if (likely(!owner))
		return false;

	if (owner != regs) {
		/* Dovetail takes either for the end of the first one. */
		set_thread_local_flags(_TLF_OOBTRAP);
		return true;
	}

	raw_cpu_write(lent_to, NULL);
	switch_oob(this_oob_staged());

	return true;
}

/* Whoever turned page faults off, or has no user memory, wants no page. */
static bool wants_failure(unsigned int trapnr, struct pt_regs *regs)
{
	return !user_mode(regs) && (pagefault_disabled() || !current->mm) &&
		arch_fail_access(trapnr, regs);
}

/* Hard irqs off on entry, no matter on exit. Linux handles the trap if we
 * return in-band. */
static void enter_trap(unsigned int trapnr, struct pt_regs *regs)
{
	struct host_task *h = interrupted_thread(regs);
	struct pt_regs *user = user_mode(regs) ? regs : current_pt_regs();

	if (!h || arch_is_probe(trapnr, regs)) {
		handle_in_place(trapnr, regs);
		return;
	}

	if (wants_failure(trapnr, regs))
		return;

	host_enter_hook();
	hard_local_irq_enable();
	host_core->demote(h, arch_is_debug_trap(trapnr, regs) ?
			  HOST_CAUSE_PTRACE : HOST_CAUSE_TRAP,
			  instruction_pointer(user));
	host_leave_hook();
}

/*
 * Hard irqs off on entry and on exit. If the trap hit a request, which wanted
 * to access user memory, that one resumes out-of-band unless a signal is
 * pending.
 */
static void leave_trap(unsigned int trapnr, struct pt_regs *regs)
{
	struct host_task *h;

	if (give_back_stage(regs))
		return;

	if (user_mode(regs) || running_oob())
		return;

	h = host_current();
	if (!h)
		return;

	host_enter_hook();
	hard_local_irq_enable();
	host_core->promote(h);
	hard_local_irq_disable();
	host_leave_hook();
}

/*
 * Kernels from 6.12 on leave a task which fell asleep on the run queue, until its
 * share of the CPU is settled.
 */
static bool runs_in_linux(struct task_struct *task)
{
#ifdef EVL_DELAYED_DEQUEUE
	if (task->se.sched_delayed)
		return false;
#endif
	return READ_ONCE(task->on_rq);
}

/*
 * @task left the in-band stage, from the point of view of Linux: the core may
 * have it. Current is the task which Linux picked next on this CPU, and its
 * run queue is locked: no call to the Linux scheduler here. Hard irqs off.
 *
 * A signal may have kept @task on the run queue of Linux although another task
 * was picked. Then it has to go on in-band: since it does not find the mark
 * that it is bound out-of-band any more, its attempt fails.
 */
static void resume_task(struct task_struct *task)
{
	struct host_task *h;

	if (unlikely(runs_in_linux(task))) {
		clear_ti_local_flags(task_thread_info(task), _TLF_OFFSTAGE);
		return;
	}

	h = host_find_task(task);
	if (WARN_ON_ONCE(!h))
		return;

	unstall_oob();
	host_core->enter_oob(h);
	host_schedule();
	stall_oob();
}

static void clock_set(void)
{
	host_enter_hook();
	host_core->clock_was_set();
	host_leave_hook();
}

/* The lock of the signal handlers of @task is held. */
static void signal_task(struct task_struct *task)
{
	struct host_task *h = host_find_task(task);

	if (h)
		host_core->signal(h);
}

/*
 * Linux changes the CPUs that a task may use; locks of its scheduler are held.
 * A thread which is out-of-band has to come in-band for the move, and should
 * go back afterwards.
 */
static void migrate_task(struct task_struct *task)
{
	struct host_task *h = host_find_task(task);

	if (!h)
		return;

	host_core->migrate(h);
}

static void call_current(void (*fn)(struct host_task *h))
{
	struct host_task *h = host_current();

	if (!h)
		return;

	host_enter_hook();
	fn(h);
	host_leave_hook();
}

/*
 * Current is almost in user space, and goes there without further ado if it is
 * out-of-band now: who was kicked on the way would only know when an interrupt hits
 * it there. So it is looked for here; and hard irqs are off on return, for the
 * interrupt which a kick sends along to come late enough.
 */
static void return_to_user(struct host_task *h)
{
	host_core->come_back(h);
	if (running_inband())
		return;

	hard_local_irq_disable();
	if (host_core->kicked(h)) {
		hard_local_irq_enable();
		host_core->demote(h, HOST_CAUSE_SIGNAL, 0);
	}
}

/* Dovetail tells of stops by a debugger only, and not of those which are due. */
static bool notrace before_signals(struct ftrace_regs *fregs)
{
	call_current(host_core->expect_signals);

	return false;
}

static void probe_deliver(void *data, int sig, struct kernel_siginfo *info,
			  struct k_sigaction *ka)
{
	if (ka->sa.sa_handler != SIG_DFL && ka->sa.sa_handler != SIG_IGN)
		call_current(host_core->expect_handler);
}

/*
 * A debugger had current go on, maybe in the middle of a call which it stepped into: no
 * signal comes of that step any more.
 */
static void leave_stop(struct host_task *h)
{
	if (host_core->comes_back(h))
		host_ask_return(h);
}

/* In-band. */
static void inband_event(enum inband_event_type event, void *data)
{
	struct dovetail_migration_data *migration = data;

	switch (event) {
	case INBAND_TASK_SIGNAL:
		signal_task(data);
		break;
	case INBAND_TASK_MIGRATION:
		migrate_task(migration->task);
		break;
	case INBAND_TASK_EXIT:
		call_current(host_core->exit);
		break;
	case INBAND_TASK_RETUSER:
		call_current(return_to_user);
		break;
	case INBAND_TASK_PTCONT:
		call_current(leave_stop);
		break;
	default:
		/*
		 * Stops are seen when they are due: see before_signals(). The end
		 * of an address space tells nothing about its threads.
		 */
		break;
	}
}

/* Not told by Dovetail if somebody holds on to the former address space. */
static void probe_exec(void *data, struct task_struct *task, pid_t old_pid,
		       struct linux_binprm *bprm)
{
	call_current(host_core->exit);
}

/* In-band, hard irqs off: the end of an interrupt which hit Linux, mostly. */
static bool notrace resched_due(struct ftrace_regs *fregs)
{
	return unlikely(raw_cpu_read(host_resched_due)) && running_inband();
}

unsigned long host_irq_end_site;

ARCH_TRAMP_IF(host_irq_end_tramp, host_schedule_at_irq_end, host_resched_due,
	      host_irq_end_site);
HOST_REDIRECT_TRAMP(host_pipelined_syscall_tramp, host_pipelined_syscall);
HOST_REDIRECT_TRAMP(host_oob_syscall_tramp, host_oob_syscall);

static struct host_redirect hooks[] = {
	{ .name = "handle_oob_mayday", .to = mayday },
	{ .name = "synchronize_pipeline", .to = host_schedule_as_irq_end,
	  .match = resched_due, .tramp = host_irq_end_tramp, .optional = true },
	{ .name = "handle_oob_trap_entry", .to = enter_trap },
	{ .name = "handle_oob_trap_exit", .to = leave_trap },
	{ .name = "handle_inband_event", .to = inband_event },
	{ .name = "resume_oob_task", .to = resume_task },
	{ .name = "inband_clock_was_set", .to = clock_set },
	{ .name = "get_signal", .match = before_signals },
	{ .name = "handle_pipelined_syscall", .to = host_pipelined_syscall,
	  .tramp = host_pipelined_syscall_tramp },
	{ .name = "handle_oob_syscall", .to = host_oob_syscall,
	  .tramp = host_oob_syscall_tramp },
};

static struct host_redirect *const irq_end = &hooks[1];

struct host_irq_end host_irq_end;

/* An internal function of Dovetail: without it, interrupts take a detour. */
static void find_irq_end(void)
{
	host_irq_end.site = NULL;
	if (!irq_end->installed)
		return;

	if (irq_end->direct) {
		host_irq_end.site = &host_irq_end_site;
		host_irq_end.target = (unsigned long)irq_end->tramp;
	} else {
		host_irq_end.site = &irq_end->site;
		host_irq_end.target = irq_end->ops.trampoline;
	}
}

static struct host_tracehook probes[] = {
	{ .name = "sched_process_exec", .probe = probe_exec },
	{ .name = "signal_deliver", .probe = probe_deliver },
};

/* --- Accesses which may fail ------------------------------------------------ */

unsigned long host_fixup_site;

static bool notrace note_fixup(struct ftrace_regs *fregs)
{
	return false;
}

/* Where the kernel has bad accesses fail: it shows when one is made. */
static struct host_redirect fixup[] = {
	{ .name = ARCH_FIXUP_NAME, .match = note_fixup, .optional = true },
};

static void find_fixup(void)
{
	char c;

	if (host_install_redirects(fixup, ARRAY_SIZE(fixup)))
		return;

	/* Nobody has memory there. */
	if (__get_user(c, (char __user *)0))
		host_fixup_site = READ_ONCE(fixup->site);
	host_remove_redirects(fixup, ARRAY_SIZE(fixup));
}

int host_install_hooks(void)
{
	int ret;

	find_fixup();
	ret = host_install_redirects(hooks, ARRAY_SIZE(hooks));
	if (ret)
		return ret;

	find_irq_end();

	ret = host_attach_tracehooks(probes, ARRAY_SIZE(probes));
	if (ret)
		host_remove_redirects(hooks, ARRAY_SIZE(hooks));

	return ret;
}

/* A body may be entered on one CPU and left on another: only the sum counts. */
static long hooks_busy(void)
{
	long sum = 0;
	int cpu;

	for_each_possible_cpu(cpu)
		sum += per_cpu(host_hooks_busy, cpu);

	return sum;
}

static int do_nothing(void *arg)
{
	return 0;
}

/*
 * ftrace and the tracepoints wait for whoever did not sleep meanwhile. Who did
 * is counted, but for the last instructions, hence the grace period. Then stop
 * all CPUs to be sure that none runs a handler of ours out-of-band.
 */
void host_remove_hooks(void)
{
	host_detach_tracehooks(probes, ARRAY_SIZE(probes));
	host_remove_redirects(hooks, ARRAY_SIZE(hooks));

	while (hooks_busy())
		msleep(1);

	synchronize_rcu_tasks();
	stop_machine(do_nothing, NULL, cpu_online_mask);
}
