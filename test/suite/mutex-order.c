// SPDX-License-Identifier: GPL-2.0-only
/* Mutexes: who is the next owner, how long a waiter waits, and what long chains cost others. */
#include "puppet.h"
#include <evl/sem.h>
#include <sys/resource.h>

/* --- The bound of inheritance --------------------------------------------------------------------- */

#define ROUNDS	30

static struct evl_mutex shared;
static atomic_bool over;
static atomic_long entries, passed;	/* of the better thread; times it was passed by in spite of being in line */

static void enter_all_the_time(struct worker *w)
{
	long seen = -1;

	attach_worker(w);
	while (!atomic_load(&over)) {
		int64_t start = now();

		check_ok(evl_lock_mutex(&shared));
		if (atomic_load(&entries) == seen)
			atomic_fetch_add(&passed, 1);
		spin_until(start + 200000);
		/* With the claim, somebody is in line now. */
		seen = owner_word(&shared) & EVL_MUTEX_FLCLAIM ? atomic_load(&entries) : -1;
		check_ok(evl_unlock_mutex(&shared));
		if (seen < 0)
			rest_from(start, 1, true);
	}
}

static void enter_now_and_then(struct worker *w)
{
	attach_worker(w);
	for (int i = 0; i < ROUNDS; i++) {
		evl_usleep(2000);
		check_ok(evl_lock_mutex(&shared));
		atomic_fetch_add(&entries, 1);
		check_ok(evl_unlock_mutex(&shared));
	}
	atomic_store(&over, true);
}

static void waits_for_one_section(void)
{
	struct worker low = { .body = enter_all_the_time, .name = "low", .prio = 1, .cpu = other_cpu() };
	struct worker high = { .body = enter_now_and_then, .name = "high", .prio = 90 };

	new_mutex(&shared, "bound");
	start_worker(&low);
	start_worker(&high);
	join_worker(&high);
	join_worker(&low);
	check_eq(atomic_load(&entries), ROUNDS);
	check_eq(atomic_load(&passed), 0);
}

/* --- Granted, not taken yet: all on one CPU, so that the next owner does not run at once ---------- */

static atomic_int order;

/* The place among those who got in. */
static int get_in(struct puppet *p)
{
	int ret = evl_lock_mutex(p->arg), place;

	if (ret)
		return ret;
	place = atomic_fetch_add(&order, 1) + 1;
	ret = evl_unlock_mutex(p->arg);
	return ret ? ret : place;
}

static int unlock_and_lock(struct puppet *p)
{
	int ret = evl_unlock_mutex(p->arg);

	if (ret)
		return ret;
	ret = evl_lock_mutex(p->arg);
	return ret ? ret : atomic_load(&order);
}

static int unlock_and_try(struct puppet *p)
{
	int ret = evl_unlock_mutex(p->arg);

	return ret ? ret : evl_trylock_mutex(p->arg);
}

static void better_one_steals(void)
{
	struct puppet high, a, b;
	struct evl_mutex m;

	new_mutex(&m, "steal");
	start_puppet(&high, "high", 50, 0);
	start_puppet(&a, "a", 10, 0);
	start_puppet(&b, "b", 10, 0);
	pin_to(other_cpu());
	check_eq(perform(&high, lock, &m), 0);
	begin_wait(&a, get_in, &m);
	begin_wait(&b, get_in, &m);
	/* In no time, and by whatever call. */
	check_eq(perform(&high, unlock_and_lock, &m), 0);
	await(worker_sleeps(&a.w));
	check_eq(perform(&high, unlock_and_try, &m), 0);
	await(worker_sleeps(&a.w));
	check(worker_sleeps(&b.w));
	check_eq(prio_of(&high), 50);
	/* Who was robbed is still the first. */
	check_eq(perform(&high, unlock, &m), 0);
	check_eq(result(&a), 1);
	check_eq(result(&b), 2);
	check_eq(owner_word(&m), 0);
	end_puppet(&high);
	end_puppet(&a);
	end_puppet(&b);
}

static void robbed_one_gives_up(void)
{
	struct puppet high, low, a;
	struct evl_mutex m;

	new_mutex(&m, "giveup");
	start_puppet(&high, "high", 50, 0);
	start_puppet(&low, "low", 5, 0);
	start_puppet(&a, "a", 10, 0);
	pin_to(other_cpu());
	check_eq(perform(&high, lock, &m), 0);
	begin(&a, lock_50ms, &m);
	await(worker_sleeps(&a.w) || !atomic_load(&a.busy));
	check_eq(perform(&high, unlock_and_lock, &m), 0);
	check_eq(result(&a), -ETIMEDOUT);
	begin_wait(&low, lock, &m);
	check_eq(perform(&high, unlock, &m), 0);
	check_eq(result(&low), 0);
	check_eq(prio_of(&low), 5);
	check_eq(perform(&low, unlock, &m), 0);
	check_eq(owner_word(&m), 0);
	end_puppet(&high);
	end_puppet(&low);
	end_puppet(&a);
}

static void equal_one_lines_up(void)
{
	struct evl_mutex pi, pp;
	struct puppet a, b;

	new_mutex(&pi, "equalpi");
	new_ceiling_mutex(&pp, 10, "equalpp");
	start_puppet(&a, "a", 10, 0);
	start_puppet(&b, "b", 10, 0);
	pin_to(other_cpu());
	for (int i = 0; i < 2; i++) {
		struct evl_mutex *m = i ? &pp : &pi;

		atomic_store(&order, 0);
		check_eq(perform(&a, lock, m), 0);
		begin_wait(&b, get_in, m);
		/* b got in meanwhile. */
		check_eq(perform(&a, unlock_and_lock, m), 1);
		check_eq(result(&b), 1);
		check_eq(perform(&a, unlock, m), 0);
	}
	end_puppet(&a);
	end_puppet(&b);
}

/* --- A boost which goes while its thread waits for the CPU ---------------------------------------- */

static struct evl_sem go_low, go_mid;
static int64_t date;

static int low_part(struct puppet *p)
{
	(void)p;
	check_ok(evl_get_sem(&go_low));
	return atomic_fetch_add(&order, 1) + 1;
}

static int mid_part(struct puppet *p)
{
	(void)p;
	check_ok(evl_get_sem(&go_mid));
	return atomic_fetch_add(&order, 1) + 1;
}

static int lock_until_date(struct puppet *p)
{
	struct timespec ts = ns_ts(date);

	return evl_timedlock_mutex(p->arg, &ts);
}

/* Both may run, and do not as long as this one keeps the CPU: neither before nor after the boost goes. */
static int wake_both(struct puppet *p)
{
	check_ok(evl_switch_oob());
	check_ok(evl_put_sem(&go_mid));
	check_ok(evl_put_sem(&go_low));
	check_ok(set_fifo(((struct puppet *)p->arg)->w.efd, 5));
	check(!evl_is_inband());
	return 0;
}

static void stays_ahead_of_equals(void)
{
	struct puppet low, mid, high, top;
	struct evl_mutex m;

	new_mutex(&m, "ahead");
	check_ok(evl_new_sem(&go_low, "golow:%d", getpid()));
	check_ok(evl_new_sem(&go_mid, "gomid:%d", getpid()));
	start_puppet(&low, "low", 10, 0);
	start_puppet(&mid, "mid", 10, 0);
	start_puppet(&high, "high", 50, 0);
	start_puppet(&top, "top", 60, 0);
	pin_to(other_cpu());
	check_eq(perform(&low, lock, &m), 0);
	begin_wait(&low, low_part, NULL);
	begin_wait(&mid, mid_part, NULL);
	begin_wait(&high, lock, &m);
	check_eq(prio_of(&low), 50);
	check_eq(perform(&top, wake_both, &high), 0);
	check_eq(result(&low), 1);
	check_eq(result(&mid), 2);
	check_eq(prio_of(&low), 10);
	check_eq(perform(&low, unlock, &m), 0);
	check_eq(result(&high), 0);
	check_eq(perform(&high, unlock, &m), 0);
	end_puppet(&low);
	end_puppet(&mid);
	end_puppet(&high);
	end_puppet(&top);
}

/* --- Long chains ---------------------------------------------------------------------------------- */

#define LINKS	800

static struct puppet links[LINKS];
static struct evl_mutex held[LINKS];

static int sleep_past_date(struct puppet *p)
{
	int ret = sleep_until(date + 5000);

	*(int64_t *)p->arg = now() - date;
	return ret;
}

/* How late a thread gets the CPU which has nothing to do with a chain of @count links, the last waiter of which
 * gives up just then: the best of some. */
static int64_t lateness(struct puppet *waiter, struct puppet *sleeper, int count)
{
	int64_t best = INT64_MAX, late;

	for (int i = 0; i < 8; i++) {
		date = now() + 150 * NSEC_PER_MSEC;
		begin(waiter, lock_until_date, &held[count - 1]);
		begin(sleeper, sleep_past_date, &late);
		check_eq(result(waiter), -ETIMEDOUT);
		check_eq(result(sleeper), 0);
		if (late < best)
			best = late;
		/* All of them gave back what they got. */
		check_eq(prio_of(&links[0]), 1);
	}
	return best;
}

static void chain_lets_others_run(void)
{
	struct rlimit limit = { 3 * LINKS, 3 * LINKS };
	struct puppet waiter, sleeper;
	int64_t alone, behind;
	char name[16];

	check_sys(setrlimit(RLIMIT_NOFILE, &limit));
	for (int i = 0; i < LINKS; i++) {
		snprintf(name, sizeof(name), "link%d", i);
		new_mutex(&held[i], name);
		start_puppet(&links[i], name, 1, 0);
		check_eq(perform(&links[i], lock, &held[i]), 0);
		if (i)
			begin_wait(&links[i], lock, &held[i - 1]);
	}
	start_puppet(&waiter, "waiter", 50, 0);
	start_puppet(&sleeper, "sleeper", 90, 0);
	pin_to(other_cpu());
	alone = lateness(&waiter, &sleeper, 1);
	behind = lateness(&waiter, &sleeper, LINKS);
	print_message("# an unrelated thread is %lld us late, %lld us with a chain of %d\n", (long long)alone / 1000,
		      (long long)behind / 1000, LINKS);
	check_le(behind, 3 * alone + 500000);
	for (int i = 0; i < LINKS; i++) {
		if (i)
			check_eq(result(&links[i]), 0);
		check_eq(perform(&links[i], unlock, &held[i]), 0);
		if (i)
			check_eq(perform(&links[i], unlock, &held[i - 1]), 0);
	}
	for (int i = 0; i < LINKS; i++)
		end_puppet(&links[i]);
	end_puppet(&waiter);
	end_puppet(&sleeper);
}

static const struct CMUnitTest tests[] = {
	TEST_WITHIN(waits_for_one_section, 60, "a waiter waits for one section of the owner, who gets in line behind it"),
	TEST(better_one_steals, "a better thread takes a mutex before the next owner has run"),
	TEST(robbed_one_gives_up, "a thread which lost a mutex that way still minds its date"),
	TEST(equal_one_lines_up, "a thread of the same priority gets in line"),
	TEST(stays_ahead_of_equals, "a thread which loses a boost stays ahead of its equals"),
	TEST_WITHIN(chain_lets_others_run, 150, "a long chain does not hold up a thread which is not part of it"),
};

TEST_MAIN("mutex-order", tests)
