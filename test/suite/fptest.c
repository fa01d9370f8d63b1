// SPDX-License-Identifier: GPL-2.0-only
/* Floating-point and vector registers follow a thread through switches of tasks and stages. */
#include "helpers.h"
#include <asm/evl/fptest.h>

static unsigned int features;

/* A macro: nothing may come between what is done and the check. */
#define check_kept(__val, __what)						\
	do {									\
		unsigned int __mine = (__val), __found;				\
		int __bad;							\
										\
		evl_set_fpregs(features, __mine);				\
		__what;								\
		__found = evl_check_fpregs(features, __mine, __bad);		\
		if (__found != __mine)						\
			check_fail("register %d has %u, wanted %u", __bad, __found, __mine); \
	} while (0)

static void find_features(void)
{
	features = evl_detect_fpu();
#ifdef __x86_64__
	check(features & evl_x86_xmm2);
	check_eq(!!(features & evl_x86_avx), !!__builtin_cpu_supports("avx"));
#endif
}

/* --- Threads which give way to each other ------------------------------------------------ */

#define NR_SLEEPS	200

static void sleep_with_registers(struct worker *w)
{
	unsigned int mine = (unsigned int)(uintptr_t)w->arg;
	struct timespec date;

	if (w->prio)
		attach_worker(w);
	for (unsigned int i = 0; i < NR_SLEEPS; i++) {
		date = ns_ts(now() + 50000);
		if (w->prio)
			check_kept(mine + i, evl_sleep_until(EVL_CLOCK_MONOTONIC, &date));
		else
			check_kept(mine + i, clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &date, NULL));
	}
	if (w->prio)
		check_ok(evl_detach_self());
}

static void kept_while_asleep(void)
{
	static const char *const names[] = { "s0", "s1", "s2", "s3" };
	struct worker w[4];

	find_features();
	for (int i = 0; i < 4; i++) {
		w[i] = (struct worker){ .body = sleep_with_registers, .name = names[i], .prio = i ? 10 + i : 0,
					.arg = (void *)(uintptr_t)((i + 1) * 10000) };
		start_worker(&w[i]);
	}
	for (int i = 0; i < 4; i++)
		join_worker(&w[i]);
}

/* --- A thread which is preempted between two instructions --------------------------------- */

static atomic_bool enough;

static void spin_with_registers(struct worker *w)
{
	unsigned int round = 0, n;
	int64_t start;

	attach_worker(w);
	while (!atomic_load(&enough)) {
		start = now();
		check_kept(round++, for (n = 0; n < 100000; n++) __asm__ __volatile__(""));
		rest_from(start, 1, true);
	}
	check_ok(evl_detach_self());
}

static void interrupt_with_registers(struct worker *w)
{
	sleep_with_registers(w);
	atomic_store(&enough, true);
}

static void kept_while_preempted(void)
{
	struct worker low = { .body = spin_with_registers, .name = "low", .prio = 10 };
	struct worker high = { .body = interrupt_with_registers, .name = "high", .prio = 20,
			       .arg = (void *)(uintptr_t)1000000 };

	find_features();
	start_worker(&low);
	start_worker(&high);
	join_worker(&high);
	join_worker(&low);
}

/* --- Stages -------------------------------------------------------------------------------- */

static void kept_between_stages(void)
{
	struct worker rival = { .body = sleep_with_registers, .name = "rival", .prio = 20,
				.arg = (void *)(uintptr_t)1000000 };
	unsigned int n = 0;

	find_features();
	attach_fifo(10);
	start_worker(&rival);
	while (!atomic_load(&rival.done)) {
		check_kept(++n, evl_switch_inband());
		check_kept(++n, sched_yield());
		check_kept(++n, evl_switch_oob());
	}
	join_worker(&rival);
}

static const struct CMUnitTest tests[] = {
	TEST(kept_while_asleep, "registers are kept while others run, out-of-band and in-band"),
	TEST(kept_while_preempted, "registers are kept when a thread is preempted"),
	TEST(kept_between_stages, "registers are kept from one stage to the other"),
};

TEST_MAIN("fptest", tests)
