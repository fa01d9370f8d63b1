// SPDX-License-Identifier: GPL-2.0-only
/*
 * Tests of the locks which drivers have, for test/suite/ksync.sh: they run when
 * the module is loaded. Parameter results has a line for each, with the number
 * of the source line of the first check that failed, or 0.
 */
#include <linux/delay.h>
#include <linux/module.h>
#include <evl/flag.h>
#include <evl/kthread.h>
#include <evl/mutex.h>
#include <evl/sem.h>
#include <evl/stax.h>

static char results[512];
module_param_string(results, results, sizeof(results), 0444);

static int failed_line;

#define expect(__cond)						\
	do {							\
		if (!(__cond))					\
			cmpxchg(&failed_line, 0, __LINE__);	\
	} while (0)

#define expect_soon(__cond)					\
	do {							\
		int __n;					\
		for (__n = 0; !(__cond) && __n < 5000; __n++)	\
			msleep(1);				\
		expect(__cond);					\
	} while (0)

struct actor {
	struct evl_kthread kthread;
	void (*body)(void);
	struct evl_thread *self;
	bool over;
};

static void run_actor(void *arg)
{
	struct actor *a = arg;

	WRITE_ONCE(a->self, evl_current());
	a->body();
	WRITE_ONCE(a->over, true);
}

static void start(struct actor *a, void (*body)(void), int prio)
{
	a->body = body;
	a->self = NULL;
	a->over = false;
	expect(!evl_run_kthread(&a->kthread, run_actor, a, prio,
				EVL_CLONE_PRIVATE, "sync_test:%d:%px", prio, a));
}

static void join(struct actor *a)
{
	evl_join_kthread(&a->kthread);
	expect(a->over);
}

static bool sleeps(struct actor *a)
{
	struct evl_thread *self = READ_ONCE(a->self);

	return self && READ_ONCE(self->state) & EVL_T_PEND;
}

static struct actor low, high;
static DEFINE_EVL_KMUTEX(mutex_a);
static DEFINE_EVL_KMUTEX(mutex_b);
static DEFINE_EVL_KSEM(go_low, 0);
static DEFINE_EVL_KSEM(go_high, 0);

/* --- Mutexes ------------------------------------------------------------------- */

static void hold_mutex(void)
{
	expect(!evl_lock_kmutex(&mutex_a));
	expect(evl_lock_kmutex(&mutex_a) == -EDEADLK);
	expect(!evl_down(&go_low));
	evl_unlock_kmutex(&mutex_a);
}

static void want_mutex(void)
{
	expect(evl_trylock_kmutex(&mutex_a) == -EAGAIN);
	expect(!evl_lock_kmutex(&mutex_a));
	evl_unlock_kmutex(&mutex_a);
	expect(!evl_trylock_kmutex(&mutex_a));
	evl_unlock_kmutex(&mutex_a);
}

static void test_inheritance(void)
{
	start(&low, hold_mutex, 5);
	expect_soon(sleeps(&low));
	start(&high, want_mutex, 60);
	expect_soon(sleeps(&high));
	expect(READ_ONCE(low.self->cprio) == 60);
	expect(READ_ONCE(low.self->state) & EVL_T_BOOST);
	evl_up(&go_low);
	join(&high);
	join(&low);
}

static void lock_ab(void)
{
	expect(!evl_lock_kmutex(&mutex_a));
	expect(!evl_down(&go_low));
	expect(!evl_lock_kmutex(&mutex_b));
	evl_unlock_kmutex(&mutex_b);
	evl_unlock_kmutex(&mutex_a);
}

static void lock_ba(void)
{
	expect(!evl_lock_kmutex(&mutex_b));
	expect(!evl_down(&go_high));
	expect(evl_lock_kmutex(&mutex_a) == -EDEADLK);
	evl_unlock_kmutex(&mutex_b);
}

static void test_deadlock(void)
{
	start(&low, lock_ab, 5);
	expect_soon(sleeps(&low));
	start(&high, lock_ba, 60);
	expect_soon(sleeps(&high));
	evl_up(&go_low);
	expect_soon(READ_ONCE(low.self->wchan) == &mutex_b.mutex.wchan);
	evl_up(&go_high);
	join(&high);
	join(&low);
}

/* --- Semaphores and flags ---------------------------------------------------------- */

static DEFINE_EVL_KSEM(sem, 1);
static DEFINE_EVL_FLAG(flag);

static void use_sem(void)
{
	ktime_t date = ktime_add_ms(evl_ktime_monotonic(), 10);

	expect(!evl_down(&sem));
	expect(evl_trydown(&sem) == -EAGAIN);
	expect(evl_down_timeout(&sem, date) == -ETIMEDOUT);
	expect(!evl_down(&sem));
	expect(!evl_down(&sem));
	expect(evl_down(&sem) == -EIDRM);
}

static void test_sem(void)
{
	start(&low, use_sem, 5);
	expect_soon(sleeps(&low));
	msleep(30);
	evl_up(&sem);
	expect_soon(sleeps(&low));
	/* Lets it go on with nothing left for others. */
	msleep(10);
	evl_broadcast(&sem);
	expect(evl_trydown(&sem) == -EAGAIN);
	msleep(10);
	expect_soon(sleeps(&low));
	evl_destroy_ksem(&sem);
	join(&low);
}

static void use_flag(void)
{
	expect(!evl_wait_flag(&flag));
	expect(!evl_peek_flag(&flag));
	expect(evl_wait_flag_timeout(&flag, NSEC_PER_MSEC, EVL_REL) == -ETIMEDOUT);
	expect(evl_wait_flag_timeout(&flag, EVL_NONBLOCK, EVL_REL) == -EAGAIN);
	expect(evl_wait_flag(&flag) == -EAGAIN);
}

static void test_flag(void)
{
	evl_raise_flag(&flag);
	expect(evl_peek_flag(&flag));
	expect(evl_read_flag(&flag));
	expect(!evl_read_flag(&flag));
	evl_raise_flag(&flag);
	start(&low, use_flag, 5);
	msleep(20);
	expect_soon(sleeps(&low));
	evl_pulse_flag(&flag);
	join(&low);
	expect(!evl_peek_flag(&flag));
}

/* --- Stage exclusion ------------------------------------------------------------------ */

static struct evl_stax stax;

static void hold_stax(void)
{
	expect(!evl_lock_stax(&stax));
	expect(!evl_down(&go_low));
	evl_unlock_stax(&stax);
}

static void share_stax(void)
{
	expect(!evl_lock_stax(&stax));
	expect(!evl_trylock_stax(&stax));
	evl_unlock_stax(&stax);
	evl_unlock_stax(&stax);
}

static void test_stax(void)
{
	evl_init_stax(&stax);
	start(&low, hold_stax, 5);
	expect_soon(sleeps(&low));
	start(&high, share_stax, 6);
	join(&high);
	expect(evl_trylock_stax(&stax) == -EAGAIN);
	evl_up(&go_low);
	expect(!evl_lock_stax(&stax));
	join(&low);
	expect(!evl_trylock_stax(&stax));

	/* In-band tasks are inside, the next ones have to wait for this one. */
	start(&high, share_stax, 6);
	expect_soon(sleeps(&high));
	expect(evl_trylock_stax(&stax) == -EAGAIN);
	evl_unlock_stax(&stax);
	expect(sleeps(&high));
	evl_unlock_stax(&stax);
	join(&high);
	evl_destroy_stax(&stax);
}

static const struct {
	const char *what;
	void (*run)(void);
} tests[] = {
	{ "a mutex inherits priorities", test_inheritance },
	{ "deadlocks are found", test_deadlock },
	{ "semaphores", test_sem },
	{ "flags", test_flag },
	{ "stage exclusion", test_stax },
};

static int __init sync_test_init(void)
{
	size_t len = 0;
	int n;

	for (n = 0; n < ARRAY_SIZE(tests); n++) {
		failed_line = 0;
		tests[n].run();
		len += scnprintf(results + len, sizeof(results) - len,
				 "%d %s\n", failed_line, tests[n].what);
	}

	return 0;
}
module_init(sync_test_init);

static void __exit sync_test_exit(void)
{
}
module_exit(sync_test_exit);

MODULE_DESCRIPTION("Tests of the locks of drivers");
MODULE_LICENSE("GPL");
