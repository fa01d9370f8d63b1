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
		/* All of them give back what they got. */
		await(prio_of(&links[0]) == 1);
	}
	return best;
}

/* Each of @count links holds one mutex, and waits for that of the former but for the first one. */
static void build_chain(int count, int cpu)
{
	struct rlimit limit = { 3 * LINKS, 3 * LINKS };
	char name[16];

	check_sys(setrlimit(RLIMIT_NOFILE, &limit));
	for (int i = 0; i < count; i++) {
		snprintf(name, sizeof(name), "link%d", i);
		new_mutex(&held[i], name);
		start_puppet(&links[i], name, 1, cpu);
		check_eq(perform(&links[i], lock, &held[i]), 0);
		if (i)
			begin_wait(&links[i], lock, &held[i - 1]);
	}
}

static void end_chain(int count)
{
	for (int i = 0; i < count; i++) {
		if (i)
			check_eq(result(&links[i]), 0);
		check_eq(perform(&links[i], unlock, &held[i]), 0);
		if (i)
			check_eq(perform(&links[i], unlock, &held[i - 1]), 0);
	}
	for (int i = 0; i < count; i++)
		end_puppet(&links[i]);
}

static void chain_lets_others_run(void)
{
	struct puppet waiter, sleeper;
	int64_t alone, behind;

	build_chain(LINKS, 0);
	start_puppet(&waiter, "waiter", 50, 0);
	start_puppet(&sleeper, "sleeper", 90, 0);
	pin_to(other_cpu());
	alone = lateness(&waiter, &sleeper, 1);
	behind = lateness(&waiter, &sleeper, LINKS);
	print_message("# an unrelated thread is %lld us late, %lld us with a chain of %d\n", (long long)alone / 1000,
		      (long long)behind / 1000, LINKS);
	check_le(behind, 3 * alone + 500000);
	end_chain(LINKS);
	end_puppet(&waiter);
	end_puppet(&sleeper);
}

/* --- Long chains are no business of others -------------------------------------------------------- */

#define BUSY_LINKS	500

/* Changes the priority of the last waiter of a chain all the time, which the first owner gets to know each time. */
static void toggle(struct worker *w)
{
	for (int i = 0; !atomic_load(&over); i++) {
		check_ok(set_fifo(links[BUSY_LINKS - 1].w.efd, 20 + i % 2));
		atomic_fetch_add(&entries, 1);
	}
	(void)w;
}

#define GIVE_UPS	20

/* The CPU time which it takes to give up waiting for a mutex, some times. */
static int64_t time_to_give_up(struct puppet *p, struct evl_mutex *m)
{
	int64_t used = state_of(p->w.efd).xtime;

	for (int i = 0; i < GIVE_UPS; i++)
		check_eq(perform(p, lock_50ms, m), -ETIMEDOUT);
	return state_of(p->w.efd).xtime - used;
}

static void give_up_forever(void *arg)
{
	struct timespec date;

	attach_fifo(50);
	for (;;) {
		date = ns_ts(now() + NSEC_PER_MSEC);
		check_eq(evl_timedlock_mutex(arg, &date), -ETIMEDOUT);
	}
}

/* Some dates of others have passed meanwhile. */
static void let_it_give_up(struct evl_mutex *m)
{
	pid_t pid = fork_child(give_up_forever, m);

	for (int i = 0; i < 500; i++)
		nap();
	kill(pid, SIGKILL);
	wait_signal(pid, SIGKILL);
}

static void others_give_up_as_ever(void)
{
	struct worker toggler = { .body = toggle, .name = "toggler", .cpu = other_cpu() };
	struct puppet owner, other;
	int64_t before, meanwhile;
	struct evl_mutex m;
	long seen;

	new_mutex(&m, "unrelated");
	build_chain(BUSY_LINKS, other_cpu());
	start_puppet(&owner, "owner", 10, 0);
	start_puppet(&other, "other", 50, 0);
	check_eq(perform(&owner, lock, &m), 0);
	before = time_to_give_up(&other, &m);
	start_worker(&toggler);
	await(atomic_load(&entries) > 10);
	seen = atomic_load(&entries);
	meanwhile = time_to_give_up(&other, &m);
	check_gt(atomic_load(&entries), seen);
	print_message("# %lld us to give up %d times, %lld us next to a busy chain of %d\n", (long long)before / 1000,
		      GIVE_UPS, (long long)meanwhile / 1000, BUSY_LINKS);
	check_le(meanwhile, 10 * before + 5 * NSEC_PER_MSEC);
	let_it_give_up(&m);
	atomic_store(&over, true);
	join_worker(&toggler);
	check_eq(perform(&owner, unlock, &m), 0);
	end_chain(BUSY_LINKS);
	end_puppet(&owner);
	end_puppet(&other);
}

/* --- Whoever begins a walk takes it to its end ---------------------------------------------------- */

#define WALKED	300
#define WALKS	60

/* The priority which the first link has as soon as that of the last one was changed. */
static int raise_last(struct puppet *p)
{
	check_ok(evl_switch_oob());
	check_ok(set_fifo(links[WALKED - 1].w.efd, *(int *)p->arg));
	return prio_of(&links[0]);
}

static void caller_takes_the_walk(void)
{
	struct puppet caller;
	int complete = 0;

	build_chain(WALKED, 0);
	start_puppet(&caller, "caller", 90, 0);
	pin_to(other_cpu());
	/* The machine may have the caller lose the CPU for a moment, and a timer takes the rest then: not always. */
	for (int prio = 20; prio < 20 + WALKS; prio++) {
		complete += perform(&caller, raise_last, &prio) == prio;
		await(prio_of(&links[0]) == prio);
	}
	print_message("# %d walks of %d were complete\n", complete, WALKS);
	check_ge(complete, WALKS / 20);
	end_chain(WALKED);
	end_puppet(&caller);
}

/* --- Rings ---------------------------------------------------------------------------------------- */

#define RING	400

static void write_owner(struct evl_mutex *m, __u32 word)
{
	__atomic_store_n(&m->monitor.state->u.gate.owner, word, __ATOMIC_SEQ_CST);
}

/* The core finds loops when the last thread gets in line: have it believe then that a stranger is the owner. */
static void close_ring(struct puppet *stranger)
{
	struct evl_mutex *last = &held[RING - 1], m;
	__u32 owner = owner_word(last);

	new_mutex(&m, "ring");
	check_eq(perform(stranger, lock, &m), 0);
	write_owner(last, owner_word(&m) | EVL_MUTEX_FLCLAIM);
	begin_wait(&links[0], lock, last);
	write_owner(last, owner | EVL_MUTEX_FLCLAIM);
	check_eq(perform(stranger, unlock, &m), 0);
}

static void open_ring(void)
{
	check_ok(evl_close_mutex(&held[RING - 1]));
	check_eq(result(&links[0]), -EIDRM);
	check_eq(perform(&links[0], unlock, &held[0]), 0);
	for (int i = 1; i < RING; i++) {
		check_eq(result(&links[i]), 0);
		check_eq(perform(&links[i], unlock, &held[i - 1]), 0);
		if (i < RING - 1)
			check_eq(perform(&links[i], unlock, &held[i]), 0);
	}
	for (int i = 0; i < RING; i++)
		end_puppet(&links[i]);
}

static void wait_for_ring(void *arg)
{
	pin_to(other_cpu());
	become(SCHED_FIFO, *(int *)arg);
	check_ok(evl_attach_self("victim:%d", getpid()));
	evl_lock_mutex(&held[RING - 1]);
}

/*
 * A thread which is no part of the ring has it raised, and goes before all of it is: the new priority is followed
 * by the old one. Both would go around forever. It is killed, or its time has passed.
 */
static void chase_by_kill(int prio)
{
	pid_t pid = fork_child(wait_for_ring, &prio);

	for (int64_t end = now() + 10 * NSEC_PER_SEC; prio_of(&links[RING * 3 / 4]) != prio;)
		check_lt(now(), end);
	kill(pid, SIGKILL);
	wait_signal(pid, SIGKILL);
}

static void chase_by_timeout(struct puppet *waiter, int prio, int ms)
{
	check_ok(set_fifo(waiter->w.efd, prio));
	date = now() + ms * NSEC_PER_MSEC;
	check_eq(perform(waiter, lock_until_date, &held[RING - 1]), -ETIMEDOUT);
}

static bool has_settled(void)
{
	int prio = prio_of(&links[0]);

	for (int i = 0; i < 200; i++) {
		nap();
		if (prio_of(&links[0]) != prio)
			return false;
	}
	return true;
}

static void ring_settles(void)
{
	struct puppet stranger, waiter;

	build_chain(RING, 0);
	start_puppet(&stranger, "stranger", 1, 0);
	start_puppet(&waiter, "waiter", 1, other_cpu());
	close_ring(&stranger);
	pin_to(0);
	for (int n = 1; n <= 15; n++) {
		chase_by_kill(20 + 2 * n);
		await(has_settled());
		chase_by_timeout(&waiter, 21 + 2 * n, n);
		await(has_settled());
	}
	open_ring();
	end_puppet(&stranger);
	end_puppet(&waiter);
}

static const struct CMUnitTest tests[] = {
	TEST_WITHIN(waits_for_one_section, 60, "a waiter waits for one section of the owner, who gets in line behind it"),
	TEST(better_one_steals, "a better thread takes a mutex before the next owner has run"),
	TEST(robbed_one_gives_up, "a thread which lost a mutex that way still minds its date"),
	TEST(equal_one_lines_up, "a thread of the same priority gets in line"),
	TEST(stays_ahead_of_equals, "a thread which loses a boost stays ahead of its equals"),
	TEST_WITHIN(chain_lets_others_run, 150, "a long chain does not hold up a thread which is not part of it"),
	TEST_WITHIN(others_give_up_as_ever, 150, "whose time has passed is not kept by the long chain of others"),
	TEST_WITHIN(caller_takes_the_walk, 150, "whoever changes a priority has changed it along a long chain"),
	TEST_WITHIN(ring_settles, 150, "priorities settle in a ring made by forged owners"),
};

TEST_MAIN("mutex-order", tests)
