// SPDX-License-Identifier: GPL-2.0-only
/* Who runs when: priorities, order, round-robin, yielding, CPUs. */
#include "helpers.h"

/*
 * Contenders sleep for ever on one CPU. A thread of higher priority on that CPU unblocks them one after the other, in
 * the order of the array, and only then lets go of the CPU: so they compete from the same point on.
 */
struct contender {
	struct worker w;
	struct evl_sched_attrs attrs;
	void (*race)(struct contender *c);
	int id;
};

static atomic_int log_len;
static int log_ids[512];

static void log_id(int id)
{
	int pos = atomic_fetch_add(&log_len, 1);

	check_lt(pos, (int)ARRAY_SIZE(log_ids));
	log_ids[pos] = id;
}

static void contend(struct worker *w)
{
	struct contender *c = w->arg;

	attach_worker(w);
	if (c->attrs.sched_policy)
		check_ok(evl_set_schedattr(w->efd, &c->attrs));
	check_eq(sleep_until(INT64_MAX), -EINTR);
	c->race(c);
}

struct referee {
	struct contender *c;
	int count;
};

static void release_all(struct worker *w)
{
	struct referee *r = w->arg;
	int i;

	attach_worker(w);
	check_ok(evl_switch_oob());
	for (i = 0; i < r->count; i++)
		check_ok(evl_unblock_thread(r->c[i].w.efd));
}

static void start_race(struct contender *c, int count)
{
	for (int i = 0; i < count; i++) {
		c[i].id = i;
		c[i].w.body = contend;
		c[i].w.arg = &c[i];
		c[i].w.cpu = other_cpu();
		start_worker(&c[i].w);
		await(worker_sleeps(&c[i].w));
	}
}

static void run_race(struct contender *c, int count)
{
	struct referee r = { .c = c, .count = count };
	struct worker w = { .body = release_all, .name = "referee", .prio = 99, .arg = &r, .cpu = other_cpu() };

	start_race(c, count);
	start_worker(&w);
	join_worker(&w);
	for (int i = 0; i < count; i++)
		join_worker(&c[i].w);
}

static void just_log(struct contender *c)
{
	log_id(c->id);
}

/* --- Order --------------------------------------------------------------------------- */

static void by_priority(void)
{
	struct contender c[] = {
		{ .w = { .name = "p10", .prio = 10 }, .race = just_log },
		{ .w = { .name = "p30", .prio = 30 }, .race = just_log },
		{ .w = { .name = "p01", .prio = 1 }, .race = just_log },
		{ .w = { .name = "p20", .prio = 20 }, .race = just_log },
		{ .w = { .name = "p98", .prio = 98 }, .race = just_log },
	};
	static const int wanted[] = { 4, 1, 3, 0, 2 };

	run_race(c, ARRAY_SIZE(c));
	for (unsigned int i = 0; i < ARRAY_SIZE(c); i++)
		check_eq(log_ids[i], wanted[i]);
}

static void in_order_of_arrival(void)
{
	struct contender c[] = {
		{ .w = { .name = "first", .prio = 10 }, .race = just_log },
		{ .w = { .name = "second", .prio = 10 }, .race = just_log },
		{ .w = { .name = "third", .prio = 10 }, .race = just_log },
		{ .w = { .name = "fourth", .prio = 10 }, .race = just_log },
	};

	run_race(c, ARRAY_SIZE(c));
	for (unsigned int i = 0; i < ARRAY_SIZE(c); i++)
		check_eq(log_ids[i], i);
}

static void weak_comes_last(void)
{
	struct contender c[] = {
		{ .w = { .name = "weak99" }, .race = just_log,
		  .attrs = { .sched_policy = SCHED_WEAK, .sched_priority = 99 } },
		{ .w = { .name = "fifo1", .prio = 1 }, .race = just_log },
	};

	run_race(c, ARRAY_SIZE(c));
	check_eq(log_ids[0], 1);
	check_eq(log_ids[1], 0);
}

static void log_and_yield(struct contender *c)
{
	for (int i = 0; i < 50; i++) {
		log_id(c->id);
		check_ok(evl_yield());
	}
}

static void yield_takes_turns(void)
{
	struct contender c[] = {
		{ .w = { .name = "ping", .prio = 10 }, .race = log_and_yield },
		{ .w = { .name = "pong", .prio = 10 }, .race = log_and_yield },
		{ .w = { .name = "pung", .prio = 10 }, .race = log_and_yield },
	};

	run_race(c, ARRAY_SIZE(c));
	check_eq(atomic_load(&log_len), 150);
	for (int i = 0; i < 150; i++)
		check_eq(log_ids[i], i % 3);
}

static void yield_spares_the_lower(void)
{
	struct contender c[] = {
		{ .w = { .name = "lower", .prio = 10 }, .race = just_log },
		{ .w = { .name = "upper", .prio = 11 }, .race = log_and_yield },
	};

	run_race(c, ARRAY_SIZE(c));
	for (int i = 0; i < 50; i++)
		check_eq(log_ids[i], 1);
	check_eq(log_ids[50], 0);
}

/* --- Round-robin ---------------------------------------------------------------------- */

static atomic_long rounds[2];
static atomic_bool finished[2];

/* Ends once the other one was seen to run in between, several times, or ended so. */
static void spin_by_turns(struct contender *c)
{
	long seen = atomic_load(&rounds[!c->id]);
	int turns = 0;

	while (turns < 4 && !atomic_load(&finished[!c->id])) {
		atomic_fetch_add(&rounds[c->id], 1);
		if (atomic_load(&rounds[!c->id]) != seen) {
			seen = atomic_load(&rounds[!c->id]);
			turns++;
		}
	}
	atomic_store(&finished[c->id], true);
}

static void rr_shares_the_cpu(void)
{
	const struct evl_sched_attrs attrs = {
		.sched_policy = SCHED_RR, .sched_priority = 10, .sched_rr_quantum.tv_nsec = 2 * NSEC_PER_MSEC,
	};
	struct contender c[] = {
		{ .w = { .name = "rr0", .prio = 10 }, .race = spin_by_turns, .attrs = attrs },
		{ .w = { .name = "rr1", .prio = 10 }, .race = spin_by_turns, .attrs = attrs },
	};

	run_race(c, ARRAY_SIZE(c));
}

static void spin_alone(struct contender *c)
{
	int64_t end = now() + 30 * NSEC_PER_MSEC;
	long seen = atomic_load(&rounds[!c->id]);

	while (now() < end) {
		atomic_fetch_add(&rounds[c->id], 1);
		check_eq(atomic_load(&rounds[!c->id]), seen);
	}
}

static void fifo_does_not_share(void)
{
	struct contender c[] = {
		{ .w = { .name = "fifo0", .prio = 10 }, .race = spin_alone },
		{ .w = { .name = "fifo1", .prio = 10 }, .race = spin_alone },
	};

	run_race(c, ARRAY_SIZE(c));
}

/* --- Preemption ------------------------------------------------------------------------- */

static atomic_long progress;
static atomic_bool stop;

static void spin_until_stopped(struct worker *w)
{
	attach_worker(w);
	check_ok(evl_switch_oob());
	while (!atomic_load(&stop))
		atomic_fetch_add(&progress, 1);
}

static void interrupt_spinner(struct worker *w)
{
	long seen;

	attach_worker(w);
	while (!atomic_load(&progress))
		check_ok(sleep_until(now() + NSEC_PER_MSEC));
	for (int i = 0; i < 20; i++) {
		check_ok(sleep_until(now() + NSEC_PER_MSEC));
		seen = atomic_load(&progress);
		spin_until(now() + NSEC_PER_MSEC);
		check_eq(atomic_load(&progress), seen);
	}
	atomic_store(&stop, true);
}

static void timer_preempts_spinner(void)
{
	struct worker low = { .body = spin_until_stopped, .name = "low", .prio = 10, .cpu = other_cpu() };
	struct worker high = { .body = interrupt_spinner, .name = "high", .prio = 11, .cpu = other_cpu() };

	start_worker(&high);
	await(atomic_load(&high.attached));
	start_worker(&low);
	join_worker(&high);
	join_worker(&low);
}

static struct {
	int64_t date;
	_Atomic int64_t end;
} busy;

static void keep_busy(struct worker *w)
{
	attach_worker(w);
	check_ok(sleep_until(busy.date - 5 * NSEC_PER_MSEC));
	spin_until(busy.date + 20 * NSEC_PER_MSEC);
	busy.end = now();
}

static void wake_during_busy(struct worker *w)
{
	attach_worker(w);
	check_ok(sleep_until(busy.date));
	check_ne(busy.end, 0);
	check_ge(now(), busy.end);
}

static void lower_has_to_wait(void)
{
	struct worker high = { .body = keep_busy, .name = "high", .prio = 20, .cpu = other_cpu() };
	struct worker low = { .body = wake_during_busy, .name = "low", .prio = 19, .cpu = other_cpu() };

	check_ok(evl_init());
	busy.date = now() + 300 * NSEC_PER_MSEC;
	start_worker(&high);
	await(worker_sleeps(&high) || busy.end);
	start_worker(&low);
	join_worker(&low);
	join_worker(&high);
}

/* A contender which sleeps, so that it can be made ready behind a spinner's back. */
static void stop_from_race(struct contender *c)
{
	(void)c;
	atomic_store(&stop, true);
}

static void start_spinner_and_waiter(struct worker *runs, struct contender *waits)
{
	*runs = (struct worker){ .body = spin_until_stopped, .name = "runs", .prio = 20, .cpu = other_cpu() };
	*waits = (struct contender){ .w = { .name = "waits", .prio = 10 }, .race = stop_from_race };
	start_race(waits, 1);
	start_worker(runs);
	await(atomic_load(&progress) > 0);
	check_ok(evl_unblock_thread(waits->w.efd));
}

static void raising_takes_effect(void)
{
	struct contender waits;
	struct worker runs;

	start_spinner_and_waiter(&runs, &waits);
	check(!atomic_load(&stop));
	check_ok(set_fifo(waits.w.efd, 21));
	join_worker(&waits.w);
	join_worker(&runs);
}

static void lowering_takes_effect(void)
{
	struct contender waits;
	struct worker runs;

	start_spinner_and_waiter(&runs, &waits);
	check(!atomic_load(&stop));
	check_ok(set_fifo(runs.efd, 9));
	join_worker(&waits.w);
	join_worker(&runs);
}

static void lowering_oneself_gives_way(struct contender *c)
{
	struct evl_sched_attrs attrs = { .sched_policy = SCHED_FIFO, .sched_priority = 5 };

	log_id(10 + c->id);
	check_ok(evl_set_schedattr(c->w.efd, &attrs));
	log_id(20 + c->id);
}

static void lowering_oneself(void)
{
	struct contender c[] = {
		{ .w = { .name = "sinks", .prio = 20 }, .race = lowering_oneself_gives_way },
		{ .w = { .name = "stays", .prio = 10 }, .race = just_log },
	};

	run_race(c, ARRAY_SIZE(c));
	check_eq(log_ids[0], 10);
	check_eq(log_ids[1], 1);
	check_eq(log_ids[2], 20);
}

static const struct CMUnitTest tests[] = {
	TEST(by_priority, "the highest priority runs first"),
	TEST(in_order_of_arrival, "equal priorities run in the order they got ready"),
	TEST(weak_comes_last, "a weak thread runs after any real-time one"),
	TEST(yield_takes_turns, "evl_yield takes turns among equals"),
	TEST(yield_spares_the_lower, "evl_yield does not let a lower priority run"),
	TEST(rr_shares_the_cpu, "SCHED_RR threads share the CPU without a request"),
	TEST(fifo_does_not_share, "SCHED_FIFO threads do not"),
	TEST(timer_preempts_spinner, "a timer wakes a thread on top of a spinning one"),
	TEST(lower_has_to_wait, "a lower priority waits until the higher one sleeps"),
	TEST(raising_takes_effect, "raising a priority from another CPU preempts"),
	TEST(lowering_takes_effect, "so does lowering the one which runs"),
	TEST(lowering_oneself, "lowering one's own priority gives way"),
};

TEST_MAIN("sched", tests)
