// SPDX-License-Identifier: GPL-2.0-only
/* What a program mapped and locked stays in reach, whatever moment the core chooses to preempt Linux at. */
#include "helpers.h"
#include <sys/resource.h>

#define MAPPED		(4UL << 20)	/* has a page table of its own */
#define LONG_ENOUGH	(3 * NSEC_PER_SEC)

static atomic_bool locked_all, over;

static long minor_faults(void)
{
	struct rusage usage;

	check_sys(getrusage(RUSAGE_THREAD, &usage));

	return usage.ru_minflt;
}

/* Interrupts its CPU, out of step with what goes on there. */
static void preempt_often(struct worker *w)
{
	unsigned int n = 0;

	attach_worker(w);
	while (!atomic_load(&over))
		sleep_until(now() + 20000 + ++n * 7919 % 30000);
}

/* A plain task which has Linux switch from the idle task to it all the time, and computes in between. */
static void come_and_go(struct worker *w)
{
	static volatile char locked[32 * 4096];
	long before, sum = 0;

	for (size_t i = 0; i < sizeof(locked); i += 4096)
		locked[i] = 1;
	await(atomic_load(&locked_all));
	before = minor_faults();
	while (!atomic_load(&over)) {
		nanosleep(&(struct timespec){ .tv_nsec = 1000 }, NULL);
		for (int n = 0; n < 100; n++)
			for (size_t i = 0; i < sizeof(locked); i += 4096)
				sum += locked[i];
	}
	w->result = minor_faults() - before;
	check_eq(sum % 32, 0);
}

/* Every CPU which uses this address space is told to forget about the tables, those excepted which only borrow it. */
static void unmap_tables(int64_t end)
{
	void *p;

	while (now() < end) {
		p = mmap(NULL, MAPPED, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
		check(p != MAP_FAILED);
		*(volatile char *)p = 1;
		check_sys(munmap(p, MAPPED));
	}
}

/*
 * A task which Linux switches to must not be taken for one which borrows an address space because it was preempted on the
 * way: the CPU would keep translations which are void, or lose all of them, and fault without end.
 */
static void switches_address_spaces(void)
{
	struct worker tick = { .body = preempt_often, .name = "tick", .prio = 80, .cpu = other_cpu() };
	struct worker task = { .body = come_and_go, .cpu = other_cpu() };

	check_ok(evl_init());
	start_worker(&tick);
	start_worker(&task);
	await(atomic_load(&tick.attached));
	/* But not what gets mapped from now on. */
	check_sys(mlockall(MCL_CURRENT));
	atomic_store(&locked_all, true);
	unmap_tables(now() + LONG_ENOUGH);
	atomic_store(&over, true);
	join_worker(&task);
	join_worker(&tick);
	check_eq(task.result, 0);
}

static const struct CMUnitTest tests[] = {
	TEST(switches_address_spaces, "a task preempted on its way in finds its address space"),
};

TEST_MAIN("memory", tests)
