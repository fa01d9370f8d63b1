// SPDX-License-Identifier: GPL-2.0-only
/* Many threads on one mutex, many mutexes on one thread. */
#include "helpers.h"
#include <evl/mutex.h>

#define CROWD	1000

static struct evl_mutex gate;
static long entries;		/* guarded by gate */
static atomic_int ready;
static struct worker crowd[CROWD];
static char names[CROWD][16];

static void pass_once(struct worker *w)
{
	attach_worker(w);
	atomic_fetch_add(&ready, 1);
	check_ok(evl_lock_mutex(&gate));
	entries++;
	check_ok(evl_unlock_mutex(&gate));
	check_ok(evl_detach_self());
}

static void many_waiters(void)
{
	int efd;

	efd = attach_fifo(90);
	check_ok(evl_new_mutex(&gate, "crowded:%d", getpid()));
	check_ok(evl_lock_mutex(&gate));
	for (int i = 0; i < CROWD; i++) {
		snprintf(names[i], sizeof(names[i]), "crowd%d", i);
		crowd[i] = (struct worker){ .body = pass_once, .name = names[i], .prio = 1 + i % 80,
					    .cpu = i & 1 ? other_cpu() : 0 };
		start_worker(&crowd[i]);
	}
	await(atomic_load(&ready) == CROWD);
	check_eq(entries, 0);
	/* Whoever waits lends its priority, which is below ours. */
	check_eq(attrs_of(efd).sched_priority, 90);
	check_ok(evl_unlock_mutex(&gate));
	for (int i = 0; i < CROWD; i++)
		join_worker(&crowd[i]);
	check_eq(entries, CROWD);
	check_ok(evl_trylock_mutex(&gate));
	check_ok(evl_unlock_mutex(&gate));
}

static struct evl_mutex *make_mutexes(void)
{
	struct evl_mutex *m = calloc(CROWD, sizeof(*m));

	check(m != NULL);
	for (int i = 0; i < CROWD; i++)
		check_ok(evl_new_mutex(&m[i], "gate%d:%d", i, getpid()));
	return m;
}

static void many_gates(void)
{
	struct evl_mutex *m;

	attach_fifo(10);
	m = make_mutexes();
	for (int i = 0; i < CROWD; i++)
		check_ok(evl_lock_mutex(&m[i]));
	for (int i = 0; i < CROWD; i++)
		check_eq(evl_lock_mutex(&m[i]), -EDEADLK);
	for (int i = 0; i < CROWD; i++)
		check_ok(evl_unlock_mutex(&m[i]));
	for (int i = 0; i < CROWD; i++)
		check_eq(evl_unlock_mutex(&m[i]), -EPERM);
}

/* A weak thread goes through the core for each, which keeps track of them all. */
static void hold_all(struct worker *w)
{
	struct evl_mutex *m = w->arg;

	become(SCHED_OTHER, 0);
	attach_worker(w);
	for (int i = 0; i < CROWD; i++)
		check_ok(evl_lock_mutex(&m[i]));
	check(!evl_is_inband());
	check_ok(evl_detach_self());
}

static void many_tracked_gates(void)
{
	struct worker w = { .body = hold_all, .name = "holder", .prio = 0 };
	struct evl_mutex *m;

	attach_fifo(10);
	m = make_mutexes();
	w.arg = m;
	start_worker(&w);
	join_worker(&w);
	/* It left, and so did all that it held. */
	for (int i = 0; i < CROWD; i++) {
		check_ok(evl_lock_mutex(&m[i]));
		check_ok(evl_unlock_mutex(&m[i]));
	}
}

static const struct CMUnitTest tests[] = {
	TEST_WITHIN(many_waiters, 200, "1,000 threads wait for one mutex, and each gets it once"),
	TEST_WITHIN(many_gates, 100, "one thread holds 1,000 mutexes"),
	TEST_WITHIN(many_tracked_gates, 100, "1,000 mutexes known to the core go with their owner"),
};

TEST_MAIN("crowd", tests)
