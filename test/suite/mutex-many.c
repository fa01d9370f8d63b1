// SPDX-License-Identifier: GPL-2.0-only
/* Mutexes: thousands of waiters, thousands of mutexes, and a storm of a minute. */
#include "puppet.h"
#include <evl/sem.h>
#include <sys/resource.h>

/* --- Many ---------------------------------------------------------------------------------------- */

#define MANY	1000

static void raise_limits(void)
{
	struct rlimit limit = { 3 * MANY, 3 * MANY };

	check_sys(setrlimit(RLIMIT_NOFILE, &limit));
}

static void launch_many(struct puppet *p, struct puppet *owner)
{
	char name[16];

	raise_limits();
	start_puppet(owner, "owner", 1, 0);
	for (int i = 0; i < MANY; i++) {
		snprintf(name, sizeof(name), "many%d", i);
		launch_puppet(&p[i], name, 1 + (i * 7) % 90, i & 1 ? other_cpu() : 0);
	}
	for (int i = 0; i < MANY; i++)
		finish_act(&p[i]);
}

static long entries;		/* guarded by a mutex */

static int enter_once(struct puppet *p)
{
	int ret = evl_lock_mutex(p->arg);

	entries++;

	return ret ? ret : evl_unlock_mutex(p->arg);
}

static void one_gate_many_waiters(void)
{
	static struct puppet p[MANY], owner;
	struct evl_mutex m;

	launch_many(p, &owner);
	new_mutex(&m, "crowd");
	check_eq(perform(&owner, lock, &m), 0);
	for (int i = 0; i < MANY; i++)
		begin_wait(&p[i], lock, &m);
	check_eq(prio_of(&owner), 90);
	check_eq(perform(&owner, unlock, &m), 0);
	check_eq(prio_of(&owner), 1);
	/* Best first; equals in their order. */
	for (int prio = 90; prio > 0; prio--)
		for (int i = 0; i < MANY; i++)
			if (p[i].w.prio == prio) {
				check_eq(result(&p[i]), 0);
				check_eq(perform(&p[i], unlock, &m), 0);
			}
	/* Once more all together, each on its own. */
	check_eq(perform(&owner, lock, &m), 0);
	for (int i = 0; i < MANY; i++)
		begin_wait(&p[i], enter_once, &m);
	check_eq(entries, 0);
	check_eq(perform(&owner, unlock, &m), 0);
	for (int i = 0; i < MANY; i++)
		check_eq(result(&p[i]), 0);
	check_eq(entries, MANY);
	check_ok(perform(&owner, try_lock, &m));
	check_ok(perform(&owner, unlock, &m));
	for (int i = 0; i < MANY; i++)
		end_puppet(&p[i]);
	end_puppet(&owner);
}

static void many_gates_one_owner(void)
{
	static struct puppet p[MANY], owner;
	static struct evl_mutex m[MANY];

	launch_many(p, &owner);
	for (int i = 0; i < MANY; i++) {
		check_ok(evl_new_mutex(&m[i], "gate%d:%d", i, getpid()));
		check_eq(perform(&owner, lock, &m[i]), 0);
		begin(&p[i], lock, &m[i]);
	}
	for (int i = 0; i < MANY; i++)
		await(worker_sleeps(&p[i].w));
	for (int i = MANY - 1; i >= 0; i--) {
		int top = 0;

		for (int j = 0; j <= i; j++)
			top = p[j].w.prio > top ? p[j].w.prio : top;
		if (i % 50 == 0)
			check_eq(prio_of(&owner), top);
		check_eq(perform(&owner, unlock, &m[i]), 0);
		check_eq(result(&p[i]), 0);
		check_eq(perform(&p[i], unlock, &m[i]), 0);
	}
	check_eq(prio_of(&owner), 1);
	for (int i = 0; i < MANY; i++)
		end_puppet(&p[i]);
	end_puppet(&owner);
}

/* A weak thread goes through the core for each, which keeps track of them all. */
static void hold_all(struct worker *w)
{
	struct evl_mutex *m = w->arg;

	/* Not what it inherits. */
	become(SCHED_OTHER, 0);
	attach_worker(w);
	for (int i = 0; i < MANY; i++)
		check_ok(evl_lock_mutex(&m[i]));
	for (int i = 0; i < MANY; i++)
		check_eq(evl_lock_mutex(&m[i]), -EDEADLK);
	check(!evl_is_inband());
	check_ok(evl_detach_self());
}

static void many_tracked_gates(void)
{
	static struct evl_mutex m[MANY];
	struct worker w = { .body = hold_all, .name = "holder", .prio = 0, .arg = m };

	raise_limits();
	attach_fifo(10);
	for (int i = 0; i < MANY; i++)
		check_ok(evl_new_mutex(&m[i], "gate%d:%d", i, getpid()));
	start_worker(&w);
	join_worker(&w);
	/* It left, and so did all that it held. */
	for (int i = 0; i < MANY; i++) {
		check_eq(evl_lock_mutex(&m[i]), 0);
		check_eq(evl_unlock_mutex(&m[i]), 0);
		check_eq(evl_unlock_mutex(&m[i]), -EPERM);
	}
}

/* --- Storms ------------------------------------------------------------------------------------------- */

#define STORM_MUTEXES	4
#define STORM_CHILDREN	6

/* An owner who died unseen by the core leaves a mutex which is of no use to the
 * storm: free it, unless it is another's by now. */
static int lock_or_revive(struct evl_mutex *m, const struct timespec *date)
{
	__u32 *owner = &m->monitor.state->u.gate.owner;
	__u32 seen = __atomic_load_n(owner, __ATOMIC_RELAXED) | EVL_MUTEX_FLCLAIM;
	int ret = evl_timedlock_mutex(m, date);

	if (ret == -EOWNERDEAD)
		__atomic_compare_exchange_n(owner, &seen, 0, false, __ATOMIC_SEQ_CST, __ATOMIC_RELAXED);

	return ret;
}

static void storm_child(void *arg)
{
	struct evl_mutex m[STORM_MUTEXES];
	int seed = (int)(intptr_t)arg;
	struct timespec date;

	srand(seed);
	pin_to(seed & other_cpu());
	become(SCHED_FIFO, 1 + rand() % 80);
	check_ok(evl_attach_self("storm:%d", get_tid()));
	for (int i = 0; i < STORM_MUTEXES; i++)
		if (evl_open_mutex(&m[i], "/storm%d", i) < 0)
			_exit(1);
	for (;;) {
		int first = rand() % STORM_MUTEXES, second = rand() % STORM_MUTEXES;
		int64_t start = now();

		date = ns_ts(start + (1 + rand() % 20) * NSEC_PER_MSEC);
		if (lock_or_revive(&m[first], &date)) {
			evl_usleep(200);
			continue;
		}
		if (lock_or_revive(&m[second], &date) == 0) {
			if (rand() % 4 == 0)
				evl_usleep(rand() % 500);
			evl_unlock_mutex(&m[second]);
		}
		evl_unlock_mutex(&m[first]);
		rest_from(start, STORM_CHILDREN / 2, true);
	}
}

/* Owners, waiters and boosters die at any moment; the mutexes stay usable. */
static void weathers_kills(void)
{
	struct evl_mutex m[STORM_MUTEXES];
	pid_t pid[STORM_CHILDREN];
	int64_t end, next;

	check_ok(evl_init());
	for (int i = 0; i < STORM_MUTEXES; i++)
		check_ok(evl_create_mutex(&m[i], EVL_CLOCK_MONOTONIC, i == 3 ? 85 : 0, EVL_CLONE_PUBLIC,
					  "/storm%d", i));
	for (int i = 0; i < STORM_CHILDREN; i++)
		pid[i] = fork_child(storm_child, (void *)(intptr_t)(i + 1));
	for (end = now() + 60 * NSEC_PER_SEC; now() < end;) {
		int i = rand() % STORM_CHILDREN;

		/* They get to work meanwhile, each time a bit further. */
		next = now() + (20 + rand() % 50) * NSEC_PER_MSEC;
		while (now() < next)
			nap();
		kill(pid[i], SIGKILL);
		wait_for(pid[i]);
		pid[i] = fork_child(storm_child, (void *)(intptr_t)rand());
	}
	for (int i = 0; i < STORM_CHILDREN; i++) {
		kill(pid[i], SIGKILL);
		wait_for(pid[i]);
	}
	attach_fifo(10);
	for (int i = 0; i < STORM_MUTEXES; i++) {
		int ret = evl_trylock_mutex(&m[i]);

		/* One who died holding it unseen by the core left a mark. */
		if (ret == -EOWNERDEAD)
			continue;
		check_eq(ret, 0);
		check_eq(evl_unlock_mutex(&m[i]), 0);
	}
}

static const struct CMUnitTest tests[] = {
	TEST_WITHIN(one_gate_many_waiters, 150, "a thousand waiters for one mutex"),
	TEST_WITHIN(many_gates_one_owner, 150, "a thousand mutexes held by one thread"),
	TEST_WITHIN(many_tracked_gates, 100, "a thousand mutexes known to the core go with their owner"),
	TEST_WITHIN(weathers_kills, 150, "owners and waiters may be killed at any time"),
};

TEST_MAIN("mutex-many", tests)
