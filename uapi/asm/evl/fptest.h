/* SPDX-License-Identifier: GPL-2.0 WITH Linux-syscall-note */
/*
 * Tests of whether floating-point and vector registers follow a task through switches: it
 * sets them all, does what may switch it, and checks them. For the kernel and for programs.
 *
 * features is what evl_detect_fpu() says, bits as defined below.
 *
 *	evl_set_fpregs(features, val)
 *		Sets the registers to a pattern made of 32 bits.
 *
 *	unsigned int evl_check_fpregs(features, val, bad)
 *		Returns val if they still are what it sets them to, and -1 is in bad then.
 *		Else, the number of a wrong register is in bad, and the value which that one has
 *		is returned: of another task, maybe. If just the rest of the pattern is wrong,
 *		it is ~val. Whatever comes out, another check needs another set.
 *
 * These registers are those which code that calls functions has to do without, so the
 * compiler may use any of them in between: nothing but a request or a system call
 * should be there.
 */
#ifndef _EVL_UAPI_ASM_FPTEST_H
#define _EVL_UAPI_ASM_FPTEST_H

#include <linux/types.h>

#define evl_set_fpregs(__features, __val)		__evl_set_fpregs(__features, __val)
#define evl_check_fpregs(__features, __val, __bad)	\
	__evl_check_fpregs(__features, __val, &(__bad))

#if defined(__x86_64__)

#define evl_x86_xmm2	0x1
#define evl_x86_avx	0x2

/* Registers 0 to 7 are those of the x87 unit, 8 to 23 the vectors. */
#define __EVL_FP_STACK		8
#define __EVL_FP_VECTORS	16

struct __evl_fpregs {
	__u64 stack[__EVL_FP_STACK];
	__u64 vectors[__EVL_FP_VECTORS][4];
};

/*
 * Functions proper, so that the compiler leaves these registers alone but for the
 * instructions here. If it may use AVX, it clears the upper halves on the way out.
 */
#ifdef __KERNEL__
#define __evl_fp_function	static __attribute__((unused, noinline))
#define __evl_fp_clobbers	"memory"
#else
#define __evl_fp_function	static __attribute__((unused, noinline, target("no-avx")))
#define __evl_fp_clobbers							\
	"memory", "st", "st(1)", "st(2)", "st(3)", "st(4)", "st(5)", "st(6)", "st(7)", \
	"xmm0", "xmm1", "xmm2", "xmm3", "xmm4", "xmm5", "xmm6", "xmm7",		\
	"xmm8", "xmm9", "xmm10", "xmm11", "xmm12", "xmm13", "xmm14", "xmm15"
#endif

/* An instruction for each of the first registers, a number of bytes apart in memory. */
#define __evl_fp_stack(__insn)	\
	".irp n,0,1,2,3,4,5,6,7\n\t" __insn "\n\t.endr\n\t"
#define __evl_fp_vectors(__insn)	\
	".irp n,0,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15\n\t" __insn "\n\t.endr\n\t"

/* No two words are alike: a register which got into another one is found. */
static __inline__ __attribute__((unused))
__u64 __evl_fp_word(unsigned int val, int reg, int word)
{
	return (__u64)(unsigned int)(reg * 4 + word + 1) << 32 | val;
}

__evl_fp_function
void __evl_set_fpregs(unsigned int features, unsigned int val)
{
	struct __evl_fpregs regs;
	int n, word;

	for (n = 0; n < __EVL_FP_STACK; n++)
		regs.stack[n] = __evl_fp_word(val, n, 0);
	for (n = 0; n < __EVL_FP_VECTORS * 4; n++) {
		word = n % 4;
		regs.vectors[n / 4][word] = __evl_fp_word(val, __EVL_FP_STACK + n / 4, word);
	}

	/* By their names of MMX, the registers of the x87 unit need not be pushed. */
	if (features & evl_x86_avx)
		__asm__ __volatile__(__evl_fp_stack("movq \\n*8(%0), %%mm\\n")
				     __evl_fp_vectors("vmovdqu \\n*32(%1), %%ymm\\n")
				     : : "r"(regs.stack), "r"(regs.vectors) : __evl_fp_clobbers);
	else if (features & evl_x86_xmm2)
		__asm__ __volatile__(__evl_fp_stack("movq \\n*8(%0), %%mm\\n")
				     __evl_fp_vectors("movdqu \\n*32(%1), %%xmm\\n")
				     : : "r"(regs.stack), "r"(regs.vectors) : __evl_fp_clobbers);
	else
		__asm__ __volatile__(__evl_fp_stack("movq \\n*8(%0), %%mm\\n")
				     : : "r"(regs.stack) : __evl_fp_clobbers);
}

static __inline__ __attribute__((unused))
int __evl_fp_wrong(const __u64 *words, int nr, unsigned int val, int reg, unsigned int *found)
{
	int n;

	for (n = 0; n < nr; n++) {
		if (words[n] != __evl_fp_word(val, reg, n)) {
			*found = (unsigned int)words[n];
			if (*found == val)
				*found = ~val;
			return 1;
		}
	}

	return 0;
}

__evl_fp_function
unsigned int __evl_check_fpregs(unsigned int features, unsigned int val, int *bad)
{
	struct __evl_fpregs regs;
	unsigned int found = val;
	int n, words;

	/* They are all read before anything else, and the x87 unit is left empty. */
	if (features & evl_x86_avx)
		__asm__ __volatile__(__evl_fp_stack("movq %%mm\\n, \\n*8(%0)")
				     __evl_fp_vectors("vmovdqu %%ymm\\n, \\n*32(%1)")
				     "emms\n\tvzeroupper"
				     : : "r"(regs.stack), "r"(regs.vectors) : __evl_fp_clobbers);
	else if (features & evl_x86_xmm2)
		__asm__ __volatile__(__evl_fp_stack("movq %%mm\\n, \\n*8(%0)")
				     __evl_fp_vectors("movdqu %%xmm\\n, \\n*32(%1)")
				     "emms"
				     : : "r"(regs.stack), "r"(regs.vectors) : __evl_fp_clobbers);
	else
		__asm__ __volatile__(__evl_fp_stack("movq %%mm\\n, \\n*8(%0)")
				     "emms" : : "r"(regs.stack) : __evl_fp_clobbers);

	words = features & evl_x86_avx ? 4 : features & evl_x86_xmm2 ? 2 : 0;
	for (*bad = 0; *bad < __EVL_FP_STACK; ++*bad) {
		if (__evl_fp_wrong(&regs.stack[*bad], 1, val, *bad, &found))
			return found;
	}
	for (n = 0; n < __EVL_FP_VECTORS; n++, ++*bad) {
		if (__evl_fp_wrong(regs.vectors[n], words, val, *bad, &found))
			return found;
	}
	*bad = -1;

	return val;
}

#else

/*
 * No test of this architecture yet. Programs find out by setting one value and checking
 * for another: that always comes out as if it was there.
 */
static __inline__ __attribute__((unused))
void __evl_set_fpregs(unsigned int features, unsigned int val)
{
	(void)features;
	(void)val;
}

static __inline__ __attribute__((unused))
unsigned int __evl_check_fpregs(unsigned int features, unsigned int val, int *bad)
{
	(void)features;
	*bad = -1;

	return val;
}

#endif

#endif /* _EVL_UAPI_ASM_FPTEST_H */
