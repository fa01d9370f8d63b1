// SPDX-License-Identifier: GPL-2.0-only
/*
 * Tests of the locks which drivers have, for test/suite/ksync.sh: they run when
 * the module is loaded. Parameter results has a line for each, with the number
 * of the source line of the first check that failed, or 0.
 */
#include <linux/delay.h>
#include <linux/module.h>
#include <evl/clock.h>
#include <evl/flag.h>
#include <evl/kthread.h>
#include <evl/mutex.h>
#include <evl/sched.h>
#include <evl/sem.h>
#include <evl/stax.h>

static char results[1024];
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
	int result;
	bool over;
};

static void run_actor(void *arg)
{
	struct actor *a = arg;

	WRITE_ONCE(a->self, evl_current());
	a->body();
	WRITE_ONCE(a->over, true);
}

/* All on one CPU: the best of them goes first. */
static void start(struct actor *a, void (*body)(void), int prio)
{
	a->body = body;
	a->self = NULL;
	a->result = 1;
	a->over = false;
	expect(!evl_run_kthread_on_cpu(&a->kthread, cpumask_last(cpu_online_mask), run_actor, a, prio,
				       EVL_CLONE_PRIVATE, "sync_test:%d:%px", prio, a));
}

/* For the result of a body. */
static struct actor *this_actor(void)
{
	return container_of(evl_current_kthread(), struct actor, kthread);
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

static struct actor low, mid, high;
static DEFINE_EVL_KMUTEX(mutex_a);
static DEFINE_EVL_KMUTEX(mutex_b);
static DEFINE_EVL_KSEM(go_low, 0);
static DEFINE_EVL_KSEM(go_high, 0);

/* --- Mutexes ------------------------------------------------------------------- */

static struct evl_kmutex made_mutex, *mutex;

static void hold_mutex(void)
{
	expect(!evl_lock_kmutex(mutex));
	expect(evl_lock_kmutex(mutex) == -EDEADLK);
	expect(!evl_down(&go_low));
	evl_unlock_kmutex(mutex);
}

static void want_mutex(void)
{
	expect(evl_trylock_kmutex(mutex) == -EAGAIN);
	expect(!evl_lock_kmutex(mutex));
	evl_unlock_kmutex(mutex);
	expect(!evl_trylock_kmutex(mutex));
	evl_unlock_kmutex(mutex);
}

/* Low holds the mutex, high waits for it. */
static void contend(struct evl_kmutex *which, void (*want)(void))
{
	mutex = which;
	start(&low, hold_mutex, 5);
	expect_soon(sleeps(&low));
	start(&high, want, 60);
	expect_soon(sleeps(&high));
	expect(READ_ONCE(low.self->cprio) == 60);
	expect(READ_ONCE(low.self->state) & EVL_T_BOOST);
}

static void test_inheritance(void)
{
	contend(&mutex_a, want_mutex);
	evl_up(&go_low);
	join(&high);
	join(&low);
}

static void want_dying_mutex(void)
{
	expect(evl_lock_kmutex(mutex) == -EIDRM);
	expect(evl_trylock_kmutex(mutex) == -EIDRM);
	expect(evl_lock_kmutex(mutex) == -EIDRM);
}

static void test_made_mutex(void)
{
	evl_init_kmutex(&made_mutex);
	contend(&made_mutex, want_mutex);
	evl_up(&go_low);
	join(&high);
	join(&low);

	contend(&made_mutex, want_dying_mutex);
	evl_destroy_kmutex(&made_mutex);
	join(&high);
	/* It owns nothing any more, whatever it believes. */
	expect(READ_ONCE(low.self->cprio) == 5);
	expect(!(READ_ONCE(low.self->state) & EVL_T_BOOST));
	evl_up(&go_low);
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

static struct evl_ksem made_sem;

static void take_unit(void)
{
	this_actor()->result = evl_down(&made_sem);
}

static void test_made_sem(void)
{
	evl_init_ksem(&made_sem, 2);
	expect(!evl_trydown(&made_sem));
	expect(!evl_trydown(&made_sem));
	expect(evl_trydown(&made_sem) == -EAGAIN);
	start(&low, take_unit, 5);
	expect_soon(sleeps(&low));
	start(&high, take_unit, 60);
	expect_soon(sleeps(&high));
	/* It is for who comes first in line, not for who comes along. */
	evl_up(&made_sem);
	expect(evl_trydown(&made_sem) == -EAGAIN);
	join(&high);
	expect(!high.result);
	expect(sleeps(&low));
	evl_destroy_ksem(&made_sem);
	join(&low);
	expect(low.result == -EIDRM);
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

/* Under a lock of theirs, drivers wake up others which run once it is dropped. */
static struct evl_flag made_flag;
static DEFINE_HARD_SPINLOCK(driver_lock);

static void pulse_locked(void)
{
	evl_pulse_flag_locked(&made_flag);
}

static void pulse_nosched(void)
{
	evl_pulse_flag_nosched(&made_flag);
}

static void raise_locked(void)
{
	evl_raise_flag_locked(&made_flag);
}

static void raise_nosched(void)
{
	evl_raise_flag_nosched(&made_flag);
}

static void flush_nosched(void)
{
	evl_flush_flag_nosched(&made_flag, EVL_T_BREAK);
}

static void raise_at_once(void)
{
	evl_raise_flag(&made_flag);
}

static void pulse_at_once(void)
{
	evl_pulse_flag(&made_flag);
}

static void flush_at_once(void)
{
	evl_flush_flag(&made_flag, EVL_T_BREAK);
}

static void destroy_at_once(void)
{
	evl_destroy_flag(&made_flag);
}

static const struct flag_form {
	void (*wake)(void);
	hard_spinlock_t *lock;		/* under which it is called, NULL if it reschedules */
	int result;			/* of who waits */
} flag_forms[] = {
	{ raise_locked, &made_flag.wait.wchan.lock, 0 },
	{ raise_nosched, &driver_lock, 0 },
	{ raise_at_once, NULL, 0 },
	{ pulse_locked, &made_flag.wait.wchan.lock, -EAGAIN },
	{ pulse_nosched, &driver_lock, -EAGAIN },
	{ pulse_at_once, NULL, -EAGAIN },
	{ flush_nosched, &driver_lock, -EINTR },
	{ flush_at_once, NULL, -EINTR },
	{ destroy_at_once, NULL, -EIDRM },
};

static const struct flag_form *form;

static void await_flag(void)
{
	int ret = evl_wait_flag(&made_flag);

	WRITE_ONCE(this_actor()->result, ret);
}

/* By low: high, which waits, is on the same CPU. */
static void wake_by_form(void)
{
	unsigned long flags;

	if (form->lock) {
		evl_lock_irqsave(form->lock, flags);
		form->wake();
		expect(READ_ONCE(high.result) == 1);
		evl_sched_unlock(form->lock, flags);
	} else {
		form->wake();
	}
	expect(READ_ONCE(high.result) == form->result);
}

static void test_flag_forms(void)
{
	for (form = flag_forms; form < flag_forms + ARRAY_SIZE(flag_forms); form++) {
		evl_init_flag(&made_flag);
		start(&high, await_flag, 60);
		expect_soon(sleeps(&high));
		start(&low, wake_by_form, 5);
		join(&low);
		join(&high);
		expect(high.result == form->result);
		expect(!evl_peek_flag(&made_flag));
	}
}

static struct evl_thread *flag_head(void)
{
	struct evl_thread *head;
	unsigned long flags;

	evl_lock_irqsave(&made_flag.wait.wchan.lock, flags);
	head = evl_wait_flag_head(&made_flag);
	evl_unlock_irqrestore(&made_flag.wait.wchan.lock, flags);

	return head;
}

/* One of all who wait lowers it, the others go on waiting. */
static void test_made_flag(void)
{
	evl_init_flag_on_stack(&made_flag);
	evl_raise_flag(&made_flag);
	evl_clear_flag(&made_flag);
	expect(!evl_peek_flag(&made_flag));
	expect(!flag_head());
	start(&low, await_flag, 5);
	expect_soon(sleeps(&low));
	expect(flag_head() == low.self);
	start(&high, await_flag, 60);
	expect_soon(sleeps(&high));
	expect(flag_head() == high.self);
	evl_raise_flag(&made_flag);
	join(&high);
	expect(!high.result);
	expect_soon(flag_head() == low.self);
	expect(READ_ONCE(low.result) == 1);
	evl_pulse_flag(&made_flag);
	join(&low);
	expect(low.result == -EAGAIN);
	evl_destroy_flag(&made_flag);
}

/* --- Wait queues -------------------------------------------------------------------- */

static struct evl_wait_queue queue;

static int wait_directly(ktime_t timeout, enum evl_tmode tmode)
{
	unsigned long flags;

	evl_lock_irqsave(&queue.wchan.lock, flags);
	evl_add_wait_queue(&queue, timeout, tmode);
	evl_unlock_irqrestore(&queue.wchan.lock, flags);

	return evl_wait_schedule(&queue.wchan);
}

static void wait_in_line(void)
{
	this_actor()->result = wait_directly(EVL_INFINITE, EVL_REL);
}

/* Wherever it is in line. */
static void wake_one(struct actor *a, int reason)
{
	unsigned long flags;

	evl_lock_irqsave(&queue.wchan.lock, flags);
	evl_wake_up(&queue.wchan, a->self, reason);
	evl_sched_unlock(&queue.wchan.lock, flags);
	join(a);
}

static void queue_three(int flags)
{
	evl_init_wait(&queue, &evl_mono_clock, flags, "sync_test");
	start(&low, wait_in_line, 5);
	expect_soon(sleeps(&low));
	start(&high, wait_in_line, 60);
	expect_soon(sleeps(&high));
	start(&mid, wait_in_line, 30);
	expect_soon(sleeps(&mid));
}

static void expect_line(struct actor *first, struct actor *second, struct actor *third)
{
	struct evl_thread *line[4] = { NULL }, *waiter, *next;
	unsigned long flags;
	int n = 0;

	evl_lock_irqsave(&queue.wchan.lock, flags);
	expect(evl_wait_head(&queue.wchan) == first->self);
	evl_for_each_waiter_safe(waiter, next, &queue.wchan)
		line[n++ & 3] = waiter;
	evl_unlock_irqrestore(&queue.wchan.lock, flags);
	expect(n == 3);
	expect(line[0] == first->self && line[1] == second->self && line[2] == third->self);
}

static void test_wait_queue(void)
{
	unsigned long flags;

	queue_three(EVL_WAIT_PRIO);
	expect_line(&high, &mid, &low);
	wake_one(&mid, 0);
	expect(!mid.result);
	wake_one(&high, EVL_T_NOMEM);
	expect(high.result == -ENOMEM);
	expect(sleeps(&low));
	expect(evl_unblock_thread(low.self, EVL_T_BREAK));
	join(&low);
	expect(low.result == -EINTR);
	expect(!evl_wait_active(&queue.wchan));

	queue_three(EVL_WAIT_FIFO);
	expect_line(&low, &high, &mid);
	wake_one(&high, EVL_T_TIMEO);
	expect(high.result == -ETIMEDOUT);
	evl_lock_irqsave(&queue.wchan.lock, flags);
	expect(evl_flush_wait_locked(&queue.wchan, EVL_T_RMID) == 2);
	expect(!evl_wait_head(&queue.wchan));
	evl_sched_unlock(&queue.wchan.lock, flags);
	join(&low);
	join(&mid);
	expect(low.result == -EIDRM && mid.result == -EIDRM);
	evl_destroy_wait(&queue);
}

static void wait_in_vain(void)
{
	ktime_t date = evl_abs_timeout(&evl_realtime_clock, 2 * NSEC_PER_MSEC, EVL_REL);

	expect(evl_abs_timeout(&evl_realtime_clock, date, EVL_ABS) == date);
	expect(evl_abs_timeout(&evl_realtime_clock, EVL_INFINITE, EVL_REL) == EVL_INFINITE);
	expect(wait_directly(date, EVL_ABS) == -ETIMEDOUT);
	date -= evl_get_clock_gravity(&evl_realtime_clock, EVL_GRAVITY_KERNEL);
	expect(evl_read_clock(&evl_realtime_clock) >= date);
	expect(wait_directly(NSEC_PER_MSEC, EVL_REL) == -ETIMEDOUT);
	expect(wait_directly(1, EVL_ABS) == -ETIMEDOUT);
	expect(!evl_wait_active(&queue.wchan));
}

static void test_wait_dates(void)
{
	evl_init_wait(&queue, &evl_realtime_clock, EVL_WAIT_PRIO, "sync_test");
	start(&low, wait_in_vain, 5);
	join(&low);
	evl_destroy_wait(&queue);
}

static int nr_limits;

static ktime_t take_limit(void)
{
	nr_limits++;

	return 100 * NSEC_PER_MSEC;
}

static void wait_for_nothing(void)
{
	this_actor()->result = evl_wait_event_timeout(&queue, take_limit(), EVL_REL, false);
}

/* Woken up far more often than once in that time. */
static void test_vain_wakeups(void)
{
	unsigned long flags;
	int n;

	evl_init_wait(&queue, &evl_mono_clock, EVL_WAIT_PRIO, "sync_test");
	nr_limits = 0;
	start(&low, wait_for_nothing, 5);
	for (n = 0; !READ_ONCE(low.over) && n < 1000; n++) {
		evl_lock_irqsave(&queue.wchan.lock, flags);
		evl_wake_up_head(&queue.wchan, 0);
		evl_sched_unlock(&queue.wchan.lock, flags);
		msleep(1);
	}
	if (!READ_ONCE(low.over))
		evl_unblock_thread(low.self, EVL_T_BREAK);
	join(&low);
	expect(low.result == -ETIMEDOUT);
	expect(nr_limits == 1);
	evl_destroy_wait(&queue);
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

static void want_stax(void)
{
	this_actor()->result = evl_lock_stax(&stax);
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

	/* Waits which end early. */
	expect(!evl_lock_stax(&stax));
	start(&high, want_stax, 6);
	expect_soon(sleeps(&high));
	expect(evl_trylock_stax(&stax) == -EAGAIN);
	evl_unblock_kthread(&high.kthread, EVL_T_BREAK);
	join(&high);
	expect(high.result == -EINTR);
	expect(!evl_trylock_stax(&stax));
	start(&high, want_stax, 6);
	expect_soon(sleeps(&high));
	evl_destroy_stax(&stax);
	join(&high);
	expect(high.result == -EIDRM);
}

/* As a fault would on a host which takes those in-band. */
static void change_stage_inside(void)
{
	expect(!evl_lock_stax(&stax));
	evl_switch_inband(0, 0);
	evl_unlock_stax(&stax);
	expect(!READ_ONCE(stax.holders));
	expect(!evl_lock_stax(&stax));
	expect(!evl_switch_oob());
	evl_unlock_stax(&stax);
	expect(!READ_ONCE(stax.holders));
}

static void test_stax_stage(void)
{
	evl_init_stax(&stax);
	start(&low, change_stage_inside, 5);
	join(&low);
	expect(!evl_trylock_stax(&stax));
	evl_unlock_stax(&stax);
	evl_destroy_stax(&stax);
}

static const struct {
	const char *what;
	void (*run)(void);
} tests[] = {
	{ "a mutex inherits priorities", test_inheritance },
	{ "deadlocks are found", test_deadlock },
	{ "a mutex made at run time, and destroyed", test_made_mutex },
	{ "semaphores", test_sem },
	{ "a semaphore made at run time, and destroyed", test_made_sem },
	{ "flags", test_flag },
	{ "a flag made at run time, and destroyed", test_made_flag },
	{ "who is woken up runs at once, or when the caller lets it", test_flag_forms },
	{ "a wait queue used directly", test_wait_queue },
	{ "timeouts of a wait queue", test_wait_dates },
	{ "wakeups in vain do not start a timeout over", test_vain_wakeups },
	{ "stage exclusion", test_stax },
	{ "stage exclusion for who changes stage inside", test_stax_stage },
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
