/* SPDX-License-Identifier: GPL-2.0-only */
/* What the Dovetail host has to know about x86. */
#ifndef EVL_HOST_DOVETAIL_ARCH_X86_H
#define EVL_HOST_DOVETAIL_ARCH_X86_H

#include <linux/ptrace.h>
#include <asm/ibt.h>
#include <asm/trapnr.h>
#include <asm/syscall.h>
#include <asm/text-patching.h>
#include <asm/tlbflush.h>
#include <asm/unistd.h>
#include <evl/syscall-abi.h>
#include <redirect.h>

/*
 * True if there is a call to @target at @site. While that is being patched, the
 * answer may be late by the time of a trap.
 */
static __always_inline bool arch_calls(unsigned long site, unsigned long target)
{
	u32 distance = target - (site + CALL_INSN_SIZE);

	return READ_ONCE(*(u8 *)site) == CALL_INSN_OPCODE &&
		READ_ONCE(*(u32 *)(site + 1)) == distance;
}

/*
 * Defines @__tramp for a function without arguments, see redirect.h: calls
 * @__fn ahead of that function if the per-CPU flag @__flag is set. Leaves in
 * @__site where the function is patched.
 */
#ifdef CONFIG_SMP
#define __ARCH_THIS_CPU		"%gs:"
#else
#define __ARCH_THIS_CPU
#endif

#ifdef EVL_FTRACE_DIRECT
#define ARCH_TRAMP_IF(__tramp, __fn, __flag, __site)			\
	ARCH_TRAMP(__tramp,						\
		   "	cmpq $0, " #__site "(%rip)\n"			\
		   "	je 2f\n"					\
		   "1:	cmpb $0, " __ARCH_THIS_CPU #__flag "(%rip)\n"	\
		   "	jne 3f\n"					\
		   ASM_RET						\
		   "2:	movq (%rsp), %rax\n"				\
		   "	subq $5, %rax\n"				\
		   "	movq %rax, " #__site "(%rip)\n"		\
		   "	jmp 1b\n"					\
		   "3:	pushq %rbp\n"					\
		   "	movq %rsp, %rbp\n"				\
		   "	call " #__fn "\n"				\
		   "	popq %rbp\n"					\
		   ASM_RET)
#else
#define ARCH_TRAMP_IF(__tramp, __fn, __flag, __site)			\
	HOST_REDIRECT_TRAMP(__tramp, __fn)
#endif

/*
 * True while this CPU merely borrows the address space it uses, so that other
 * CPUs need not tell it about changes. It is the only member of a structure
 * which is exported to modules, though not declared to them: the build looks
 * whether it still is.
 */
#ifndef EVL_TLB_IS_LAZY
#error "evl: this kernel has another struct tlb_state_shared: arch_borrows_mm() has to be adapted"
#endif
DECLARE_PER_CPU_SHARED_ALIGNED(bool, cpu_tlbstate_shared);

static __always_inline bool arch_borrows_mm(void)
{
	return raw_cpu_read(cpu_tlbstate_shared);
}

/* Own it again, and have missed nothing meanwhile. Hard irqs off. */
static inline void arch_own_mm(void)
{
	raw_cpu_write(cpu_tlbstate_shared, false);
	__flush_tlb_all();
}

/*
 * Have the access fail which @regs tells of, if it is one which may: go on where
 * it left word to. The kernel does so by a function which it keeps to itself.
 */
#define ARCH_FIXUP_NAME		"fixup_exception"

typedef int (*arch_fixup_fn)(struct pt_regs *regs, int trapnr,
			     unsigned long error_code, unsigned long address);

static inline arch_fixup_fn arch_fixup(void)
{
	unsigned long entry = host_fixup_site;

	/* Indirect calls may have to go through the landing pad. */
	if (entry && is_endbr(*(u32 *)(entry - ENDBR_INSN_SIZE)))
		entry -= ENDBR_INSN_SIZE;

	return (arch_fixup_fn)entry;
}

static inline bool arch_fail_access(unsigned int trapnr, struct pt_regs *regs)
{
	arch_fixup_fn fixup = arch_fixup();

	return trapnr == X86_TRAP_PF && !user_mode(regs) && fixup &&
		fixup(regs, trapnr, 0, 0);
}

/* A breakpoint or a single step in user space: a debugger's business. */
static inline bool arch_is_debug_trap(unsigned int trapnr,
				      struct pt_regs *regs)
{
	return user_mode(regs) &&
		(trapnr == X86_TRAP_DB || trapnr == X86_TRAP_BP);
}

/* A breakpoint or a single step in the kernel: a tracer's, which is served the
 * way NMIs are. */
static inline bool arch_is_probe(unsigned int trapnr, struct pt_regs *regs)
{
	return !user_mode(regs) &&
		(trapnr == X86_TRAP_DB || trapnr == X86_TRAP_BP);
}

/* A system call of the 64-bit table, rather than ia32 or x32. */
static inline bool arch_is_native_syscall(unsigned int nr)
{
	return !in_ia32_syscall() && !(nr & __X32_SYSCALL_BIT);
}

/* Form A of a request by a 64-bit task: see syscall-abi.h. */
static __always_inline bool arch_is_request_a(const struct pt_regs *regs)
{
	return (u32)regs->orig_ax == __NR_prctl &&
		(u32)regs->di == PR_OOB_SYSCALL && !in_ia32_syscall();
}

/* Its parts. */
#define arch_request_nr(__regs)		((u32)(__regs)->si)
#define arch_request_arg0(__regs)	((__regs)->dx)
#define arch_request_arg1(__regs)	((__regs)->r10)
#define arch_request_arg2(__regs)	((__regs)->r8)

static __always_inline void arch_set_result(struct pt_regs *regs, long ret)
{
	regs->ax = ret;
}

/* Whether a regular system call of that number may exist. */
static inline bool arch_syscall_exists(unsigned int nr)
{
	/* The other two tables are not worth knowing: let Linux answer. */
	return !arch_is_native_syscall(nr) || nr < NR_syscalls;
}

#endif /* !EVL_HOST_DOVETAIL_ARCH_X86_H */
