/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Threads which do what a test tells them, one thing at a time. Between two of
 * them they wait in-band, holding whatever they hold.
 */
#ifndef EVL_TEST_PUPPET_H
#define EVL_TEST_PUPPET_H

#include "helpers.h"
#include <evl/mutex.h>
#include <semaphore.h>

struct puppet {
	struct worker w;
	char name[32];
	sem_t go;
	sem_t done;
	int (*act)(struct puppet *p);
	void *arg;
	atomic_bool busy;
	int ret;
};

static void run_puppet(struct worker *w)
{
	struct puppet *p = w->arg;

	attach_worker(w);
	sem_post(&p->done);
	for (;;) {
		while (sem_wait(&p->go))
			;
		if (!p->act)
			break;
		p->ret = p->act(p);
		atomic_store(&p->busy, false);
		sem_post(&p->done);
	}
}

static void launch_flagged(struct puppet *p, const char *name, int prio, int cpu, int flags)
{
	memset(p, 0, sizeof(*p));
	snprintf(p->name, sizeof(p->name), "%s", name);
	sem_init(&p->go, 0, 0);
	sem_init(&p->done, 0, 0);
	p->w.body = run_puppet;
	p->w.name = p->name;
	p->w.prio = prio;
	p->w.cpu = cpu;
	p->w.flags = flags;
	p->w.arg = p;
	start_worker(&p->w);
}

/* Start it without waiting for it, which start_puppet() does. */
__attribute__((unused))
static void launch_puppet(struct puppet *p, const char *name, int prio, int cpu)
{
	launch_flagged(p, name, prio, cpu, 0);
}

static void finish_act(struct puppet *p)
{
	while (sem_wait(&p->done))
		;
}

__attribute__((unused))
static void start_puppet(struct puppet *p, const char *name, int prio, int cpu)
{
	launch_puppet(p, name, prio, cpu);
	finish_act(p);
}

/* One which others may subscribe to. */
__attribute__((unused))
static void start_observable_puppet(struct puppet *p, const char *name, int prio, int cpu)
{
	launch_flagged(p, name, prio, cpu, EVL_CLONE_OBSERVABLE);
	finish_act(p);
}

/* Begin an act, which may last. */
__attribute__((unused))
static void begin(struct puppet *p, int (*act)(struct puppet *), void *arg)
{
	p->act = act;
	p->arg = arg;
	atomic_store(&p->busy, true);
	sem_post(&p->go);
}

/* The result of the last act. */
__attribute__((unused))
static int result(struct puppet *p)
{
	finish_act(p);
	return p->ret;
}

__attribute__((unused))
static int perform(struct puppet *p, int (*act)(struct puppet *), void *arg)
{
	begin(p, act, arg);
	return result(p);
}

/* Begin an act which is going to wait for something out-of-band. */
__attribute__((unused))
static void begin_wait(struct puppet *p, int (*act)(struct puppet *), void *arg)
{
	begin(p, act, arg);
	await(worker_sleeps(&p->w) || !atomic_load(&p->busy));
	check(atomic_load(&p->busy));
}

__attribute__((unused))
static void end_puppet(struct puppet *p)
{
	p->act = NULL;
	sem_post(&p->go);
	join_worker(&p->w);
}

__attribute__((unused))
static int prio_of(struct puppet *p)
{
	return state_of(p->w.efd).eattrs.sched_priority;
}

__attribute__((unused))
static bool is_boosted(struct puppet *p)
{
	return worker_bits(&p->w) & EVL_T_BOOST;
}

/* --- Keeping a CPU ------------------------------------------------------------- */

/* A thread of the best priority, which keeps others from running on its CPU; the caller is on CPU 0 from then on. */
struct hog {
	struct puppet p;
	atomic_bool runs;
	atomic_bool stop;
};

static int keep_cpu(struct puppet *p)
{
	struct hog *hog = p->arg;

	if (evl_switch_oob())
		return -EINVAL;
	atomic_store(&hog->runs, true);
	while (!atomic_load(&hog->stop))
		__builtin_ia32_pause();
	return 0;
}

static void *wait_for_cancellation(void *arg)
{
	for (;;)
		pause();
	return arg;
}

/*
 * The first pthread_cancel() loads a library, which changes the memory map. All CPUs are told of that in-band, those which
 * are busy out-of-band as well: it would last until the watchdog comes.
 */
static void load_unwinder(void)
{
	pthread_t thread;

	check_eq(pthread_create(&thread, NULL, wait_for_cancellation, NULL), 0);
	check_eq(pthread_cancel(thread), 0);
	check_eq(pthread_join(thread, NULL), 0);
}

__attribute__((unused))
static void take_cpu(struct hog *hog, int cpu)
{
	if (cpu == 0)
		check_skip("one CPU");
	load_unwinder();
	pin_to(0);
	atomic_store(&hog->runs, false);
	atomic_store(&hog->stop, false);
	start_puppet(&hog->p, "hog", 90, cpu);
	begin(&hog->p, keep_cpu, hog);
	await(atomic_load(&hog->runs));
}

__attribute__((unused))
static void give_cpu(struct hog *hog)
{
	atomic_store(&hog->stop, true);
	check_eq(result(&hog->p), 0);
	end_puppet(&hog->p);
}

/* The end of a puppet which was cancelled in its act. */
__attribute__((unused))
static void bury_puppet(struct puppet *p)
{
	void *ret;

	check_eq(pthread_join(p->w.thread, &ret), 0);
	check(ret == PTHREAD_CANCELED);
}

/* --- Acts ----------------------------------------------------------------------- */

__attribute__((unused))
static int lock(struct puppet *p)
{
	return evl_lock_mutex(p->arg);
}

__attribute__((unused))
static int try_lock(struct puppet *p)
{
	return evl_trylock_mutex(p->arg);
}

__attribute__((unused))
static int unlock(struct puppet *p)
{
	return evl_unlock_mutex(p->arg);
}

__attribute__((unused))
static int lock_50ms(struct puppet *p)
{
	struct timespec date = ns_ts(now() + 50 * NSEC_PER_MSEC);

	return evl_timedlock_mutex(p->arg, &date);
}

__attribute__((unused))
static void new_mutex(struct evl_mutex *m, const char *stem)
{
	check_ok(evl_init());
	check_ok(evl_new_mutex(m, "%s:%d", stem, getpid()));
}

__attribute__((unused))
static void new_ceiling_mutex(struct evl_mutex *m, int ceiling, const char *stem)
{
	check_ok(evl_init());
	check_ok(evl_create_mutex(m, EVL_CLOCK_MONOTONIC, ceiling, EVL_MUTEX_NORMAL, "%s:%d", stem, getpid()));
}

/* As user space sees the owner word. */
__attribute__((unused))
static __u32 owner_word(struct evl_mutex *m)
{
	return __atomic_load_n(&m->monitor.state->u.gate.owner, __ATOMIC_SEQ_CST);
}

#endif /* !EVL_TEST_PUPPET_H */
