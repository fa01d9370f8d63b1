/* SPDX-License-Identifier: GPL-2.0-only */
/* What the parts of the Dovetail host share. */
#ifndef EVL_HOST_DOVETAIL_DOVETAIL_H
#define EVL_HOST_DOVETAIL_DOVETAIL_H

#include <host.h>

/* What the core registered. */
extern const struct host_ops *host_core;

DECLARE_PER_CPU(struct host_cpu *, host_this_cpu);

/* --- Interrupts (irq.c) ----------------------------------------------------- */

int host_request_irqs(void);
void host_free_irqs(void);

/* An interrupt which hit Linux wants the scheduler to run at its end. Hard
 * irqs off. */
DECLARE_PER_CPU(bool, host_resched_due);
/* Called ahead of synchronize_pipeline() then, or in its place. */
void host_schedule_at_irq_end(void);
void host_schedule_as_irq_end(void);

/* --- Hooks (hooks.c) -------------------------------------------------------- */

int host_install_hooks(void);
void host_remove_hooks(void);

/*
 * Where synchronize_pipeline() calls whatever hooks it, once known, and whom it
 * calls if that is us. Other tracers of that function have ftrace look at the
 * state of RCU first, which does not watch this CPU when Linux was idle, and
 * drop the call then.
 */
struct host_irq_end {
	const unsigned long *site;
	unsigned long target;
};

extern struct host_irq_end host_irq_end;

/* Where the function of the kernel calls ftrace which looks for what to do about
 * a bad access, see arch_fail_access(); 0 if not known. */
extern unsigned long host_fixup_site;

/*
 * Hook bodies which may sleep or leave the CPU are counted, so that nobody is
 * in there when the module goes. Any context.
 */
DECLARE_PER_CPU(long, host_hooks_busy);

static __always_inline void host_enter_hook(void)
{
	this_cpu_inc(host_hooks_busy);
}

static __always_inline void host_leave_hook(void)
{
	this_cpu_dec(host_hooks_busy);
}

/* --- System calls (syscall.c) ------------------------------------------------- */

/* Replacements for the hooks of similar names. */
int host_oob_syscall(struct pt_regs *regs);
int host_pipelined_syscall(struct irq_stage *stage, struct pt_regs *regs);

/* --- Timer (tick.c) ----------------------------------------------------------- */

int host_install_tick(void);
void host_remove_tick(void);
/* Linux is about to get the CPU back. Hard irqs off. */
void host_resume_tick(struct host_cpu *hc);

#endif /* !EVL_HOST_DOVETAIL_DOVETAIL_H */
