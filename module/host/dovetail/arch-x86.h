/* SPDX-License-Identifier: GPL-2.0-only */
/* What the Dovetail host has to know about x86. */
#ifndef EVL_HOST_DOVETAIL_ARCH_X86_H
#define EVL_HOST_DOVETAIL_ARCH_X86_H

#include <linux/ptrace.h>
#include <asm/trapnr.h>
#include <asm/syscall.h>
#include <asm/unistd.h>

/* A breakpoint or a single step in user space: a debugger's business. */
static inline bool arch_is_debug_trap(unsigned int trapnr,
				      struct pt_regs *regs)
{
	return user_mode(regs) &&
		(trapnr == X86_TRAP_DB || trapnr == X86_TRAP_BP);
}

/* A system call of the 64-bit table, rather than ia32 or x32. */
static inline bool arch_is_native_syscall(unsigned int nr)
{
	return !in_ia32_syscall() && !(nr & __X32_SYSCALL_BIT);
}

/* Whether a regular system call of that number may exist. */
static inline bool arch_syscall_exists(unsigned int nr)
{
	/* The other two tables are not worth knowing: let Linux answer. */
	return !arch_is_native_syscall(nr) || nr < NR_syscalls;
}

#endif /* !EVL_HOST_DOVETAIL_ARCH_X86_H */
