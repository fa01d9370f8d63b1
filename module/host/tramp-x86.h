/* SPDX-License-Identifier: GPL-2.0-only */
/* Trampolines on x86: what ftrace may have a function call directly. */
#ifndef EVL_HOST_TRAMP_X86_H
#define EVL_HOST_TRAMP_X86_H

#include <linux/linkage.h>
#include <asm/ibt.h>

#define ARCH_TRAMP(__tramp, __body)					\
	void __tramp(void);						\
	asm("	.pushsection .text, \"ax\", @progbits\n"		\
	    "	.globl " #__tramp "\n"					\
	    "	.type " #__tramp ", @function\n"			\
	    #__tramp ":\n"						\
	    ASM_ENDBR							\
	    __body							\
	    "	.size " #__tramp ", . - " #__tramp "\n"		\
	    "	.popsection\n")

/*
 * Has @__to run in place of the function, which has yet to do anything. Going
 * on by a return into @__to rather than a jump leaves the stack of return
 * addresses which processors keep for themselves in step with the other one.
 */
#define ARCH_TRAMP_TO(__tramp, __to)					\
	ARCH_TRAMP(__tramp,						\
		   "	leaq " #__to "(%rip), %rax\n"			\
		   "	movq %rax, (%rsp)\n"				\
		   ASM_RET)

#endif /* !EVL_HOST_TRAMP_X86_H */
