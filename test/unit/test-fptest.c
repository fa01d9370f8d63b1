// SPDX-License-Identifier: GPL-2.0-only
/* Tests of FPU registers: they find what is wrong, and leave the FPU usable. */
#define _GNU_SOURCE
#include "unit.h"
#include <sched.h>
#include <sys/ioctl.h>
#include <evl/evl.h>
#include <asm/evl/fptest.h>

#ifdef __x86_64__

static unsigned int features(void)
{
	return evl_x86_xmm2 | (__builtin_cpu_supports("avx") ? evl_x86_avx : 0);
}

/* All that a CPU may have: none, SSE2, AVX. */
static const unsigned int sets[] = { 0, evl_x86_xmm2, evl_x86_xmm2 | evl_x86_avx };

#define for_each_set(__set)	\
	for (__set = sets; __set < sets + 3 && !(*__set & ~features()); __set++)

static void test_set(void **state)
{
	const unsigned int *set;
	unsigned int found;
	int bad;

	(void)state;
	for_each_set(set) {
		evl_set_fpregs(*set, 0);
		found = evl_check_fpregs(*set, 0, bad);
		assert_int_equal(found, 0);
		assert_int_equal(bad, -1);
		evl_set_fpregs(*set, ~0U);
		found = evl_check_fpregs(*set, ~0U, bad);
		assert_int_equal(found, ~0U);
		assert_int_equal(bad, -1);
	}
}

static void test_other_value(void **state)
{
	const unsigned int *set;
	unsigned int found;
	int bad;

	(void)state;
	for_each_set(set) {
		evl_set_fpregs(*set, 1);
		found = evl_check_fpregs(*set, 2, bad);
		assert_int_equal(found, 1);
		assert_int_equal(bad, 0);
	}
}

/* One register at a time, in each of its words, to zero. */
#define SPOIL(__insn, __reg, __features, __value)				\
	do {									\
		unsigned int __found;						\
		int __bad;							\
										\
		evl_set_fpregs(__features, 77);					\
		__asm__ __volatile__(__insn);					\
		__found = evl_check_fpregs(__features, 77, __bad);		\
		assert_int_equal(__bad, __reg);					\
		assert_int_equal(__found, __value);				\
	} while (0)

#define SPOIL_X87(__n)	SPOIL("pxor %mm" #__n ", %mm" #__n, __n, features(), 0)
#define SPOIL_XMM(__n)								\
	do {									\
		SPOIL("pxor %xmm" #__n ", %xmm" #__n, 8 + __n, evl_x86_xmm2, 0);	\
		SPOIL("psrldq $8, %xmm" #__n, 8 + __n, evl_x86_xmm2, ~77U);	\
		SPOIL("movq %xmm" #__n ", %xmm" #__n, 8 + __n, evl_x86_xmm2, 0);	\
		SPOIL("psllq $32, %xmm" #__n "; psrlq $32, %xmm" #__n, 8 + __n, evl_x86_xmm2, ~77U); \
	} while (0)
/* Writes of the lower half with this encoding clear the upper one. */
#define SPOIL_YMM(__n)	\
	SPOIL("vmovdqa %xmm" #__n ", %xmm" #__n, 8 + __n, features(), 0)

static void test_each_register(void **state)
{
	(void)state;
	SPOIL_X87(0); SPOIL_X87(1); SPOIL_X87(2); SPOIL_X87(3);
	SPOIL_X87(4); SPOIL_X87(5); SPOIL_X87(6); SPOIL_X87(7);
	SPOIL_XMM(0); SPOIL_XMM(1); SPOIL_XMM(2); SPOIL_XMM(3);
	SPOIL_XMM(4); SPOIL_XMM(5); SPOIL_XMM(6); SPOIL_XMM(7);
	SPOIL_XMM(8); SPOIL_XMM(9); SPOIL_XMM(10); SPOIL_XMM(11);
	SPOIL_XMM(12); SPOIL_XMM(13); SPOIL_XMM(14); SPOIL_XMM(15);
	if (!(features() & evl_x86_avx))
		return;
	SPOIL_YMM(0); SPOIL_YMM(1); SPOIL_YMM(2); SPOIL_YMM(3);
	SPOIL_YMM(4); SPOIL_YMM(5); SPOIL_YMM(6); SPOIL_YMM(7);
	SPOIL_YMM(8); SPOIL_YMM(9); SPOIL_YMM(10); SPOIL_YMM(11);
	SPOIL_YMM(12); SPOIL_YMM(13); SPOIL_YMM(14); SPOIL_YMM(15);
}

static void test_exchanged(void **state)
{
	(void)state;
	SPOIL("movq %mm3, %mm2", 2, features(), ~77U);
	SPOIL("movdqa %xmm9, %xmm4", 8 + 4, features(), ~77U);
	SPOIL("psrlq $32, %xmm4; psllq $32, %xmm4", 8 + 4, features(), 0);
}

/* What programs have in between. */
static void test_requests(void **state)
{
	const struct timespec delay = { .tv_nsec = 1000000 };
	struct evl_thread_state thread;
	unsigned int found;
	int bad, n;

	(void)state;
	evl_set_fpregs(features(), 5);
	sched_yield();
	found = evl_check_fpregs(features(), 5, bad);
	assert_int_equal(bad, -1);
	assert_int_equal(found, 5);

	evl_set_fpregs(features(), 6);
	n = ioctl(-1, EVL_THRIOC_GET_STATE, &thread);
	found = evl_check_fpregs(features(), 6, bad);
	assert_int_equal(n, -1);
	assert_int_equal(bad, -1);

	evl_set_fpregs(features(), 7);
	n = oob_ioctl(-1, EVL_THRIOC_GET_STATE, &thread);
	found = evl_check_fpregs(features(), 7, bad);
	assert_int_equal(n, -1);
	assert_int_equal(bad, -1);

	evl_set_fpregs(features(), 8);
	n = clock_nanosleep(CLOCK_MONOTONIC, 0, &delay, NULL);
	found = evl_check_fpregs(features(), 8, bad);
	assert_int_equal(n, 0);
	assert_int_equal(bad, -1);
	assert_int_equal(found, 8);
}

static int keep_setting(void *arg)
{
	unsigned int found, n;
	int bad;

	for (n = 0; n < 2000; n++) {
		evl_set_fpregs(features(), *(int *)arg + n);
		sched_yield();
		found = evl_check_fpregs(features(), *(int *)arg + n, bad);
		if (found != *(int *)arg + n)
			return 1;
	}

	return 0;
}

static void test_two_processes(void **state)
{
	int mine = 1000000, others = 2000000, status;
	cpu_set_t set;
	pid_t pid;

	(void)state;
	CPU_ZERO(&set);
	CPU_SET(sched_getcpu(), &set);
	sched_setaffinity(0, sizeof(set), &set);
	pid = fork();
	if (pid == 0)
		_exit(keep_setting(&others));
	assert_int_equal(keep_setting(&mine), 0);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
}

/* Who sets many times and checks once leaves no full stack to others. */
static void test_leaves_stack(void **state)
{
	volatile long double third = 1.0L;
	char text[32];
	int n, bad;

	(void)state;
	for (n = 0; n < 20; n++)
		evl_set_fpregs(features(), 3);
	assert_int_equal(evl_check_fpregs(features(), 3, bad), 3);
	for (n = 0; n < 20; n++)
		third = third / 3.0L * 3.0L;
	snprintf(text, sizeof(text), "%.6Lf", third);
	assert_string_equal(text, "1.000000");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_set),
		cmocka_unit_test(test_other_value),
		cmocka_unit_test(test_each_register),
		cmocka_unit_test(test_exchanged),
		cmocka_unit_test(test_requests),
		cmocka_unit_test(test_two_processes),
		cmocka_unit_test(test_leaves_stack),
	};

	return cmocka_run_group_tests_name("fptest", tests, NULL, NULL);
}

#else

int main(void)
{
	unsigned int found;
	int bad;

	evl_set_fpregs(0, 1);
	found = evl_check_fpregs(0, 2, bad);

	return found != 2 || bad != -1;
}

#endif
