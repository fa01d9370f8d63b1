// SPDX-License-Identifier: GPL-2.0-only
/* Rings of pointers between out-of-band threads, and with in-band ones. */
#include "helpers.h"
#include <evl/ring_ptr.h>

/* --- Many producers, many consumers --------------------------------------------------- */

#define NR_PRODUCERS	3
#define NR_CONSUMERS	3
#define NR_DROPS	600	/* of each producer */

DEFINE_EVL_RINGPTR_STATIC(spray, 3)

struct drop {
	int producer;
	int number;
	int arrived;
};

static struct drop drops[NR_PRODUCERS][NR_DROPS];
static atomic_int producing;

/* In-band for who is not attached. Out-of-band, long enough for Linux to get the CPU on a slow machine, too: the
 * watchdog would see to that otherwise. */
static void wait_a_bit(struct worker *w)
{
	if (w->prio)
		sleep_until(now() + 500000);
	else
		nap();
}

static void send_drops(struct worker *w)
{
	struct drop *mine = w->arg;
	struct evl_ring_cursor cursor;
	unsigned int switches;

	attach_worker(w);
	switches = state_of(w->efd).isw;
	evl_init_cursor_spray(&cursor);
	for (int i = 0; i < NR_DROPS; i++) {
		while (!evl_enqueue_spray(&mine[i], &cursor))
			wait_a_bit(w);
		if (i % 8 == 7)
			wait_a_bit(w);
	}
	check_eq(state_of(w->efd).isw, switches);
	atomic_fetch_sub(&producing, 1);
	check_ok(evl_detach_self());
}

static void receive_drops(struct worker *w)
{
	int next[NR_PRODUCERS] = { 0 };
	struct drop *drop;
	bool last;
	void *ptr;

	if (w->prio)
		attach_worker(w);
	for (;;) {
		last = !atomic_load(&producing);
		if (!evl_dequeue_spray(&ptr)) {
			if (last)
				break;
			wait_a_bit(w);
			continue;
		}
		drop = ptr;
		drop->arrived++;
		check_ge(drop->number, next[drop->producer]);
		next[drop->producer] = drop->number + 1;
	}
	if (w->prio)
		check_ok(evl_detach_self());
}

static void each_arrives_once(void)
{
	static const char *const names[] = { "p0", "p1", "p2", "c0", "c1", "c2" };
	struct worker w[NR_PRODUCERS + NR_CONSUMERS];

	check_ok(evl_init());
	atomic_store(&producing, NR_PRODUCERS);
	for (int i = 0; i < NR_PRODUCERS; i++) {
		for (int n = 0; n < NR_DROPS; n++)
			drops[i][n] = (struct drop){ .producer = i, .number = n };
	}
	for (int i = 0; i < NR_PRODUCERS + NR_CONSUMERS; i++) {
		/* The last consumer is in-band. */
		w[i] = (struct worker){ .body = i < NR_PRODUCERS ? send_drops : receive_drops,
					.name = names[i], .prio = i == 5 ? 0 : 10 + i * 7 % 5,
					.cpu = i & 1 ? other_cpu() : 0,
					.arg = i < NR_PRODUCERS ? drops[i] : NULL };
		start_worker(&w[i]);
	}
	for (int i = 0; i < NR_PRODUCERS + NR_CONSUMERS; i++)
		join_worker(&w[i]);
	for (int i = 0; i < NR_PRODUCERS; i++) {
		for (int n = 0; n < NR_DROPS; n++)
			check_eq(drops[i][n].arrived, 1);
	}
}

/* --- Preempted in the middle of a call -------------------------------------------------- */

#define NR_PREEMPTIONS	500

DEFINE_EVL_RINGPTR_STATIC(contended, 1)

static atomic_bool enough;

static void turn_over(struct worker *w)
{
	unsigned long count = 0;
	void *ptr;

	attach_worker(w);
	while (!atomic_load(&enough)) {
		/* Whoever preempts us leaves it as it was. */
		check(evl_enqueue_contended(&count, NULL));
		check(evl_dequeue_contended(&ptr));
		count++;
	}
	check_gt(count, 0);
	check_ok(evl_detach_self());
}

/* On the same CPU: if it had to wait for the other one, it would for ever. */
static void preempt(struct worker *w)
{
	struct worker *low = w->arg;
	int64_t date;
	void *ptr;

	attach_worker(w);
	while (!atomic_load(&low->attached))
		sleep_until(now() + NSEC_PER_MSEC);
	date = now();
	for (int i = 0; i < NR_PREEMPTIONS; i++) {
		/* Odd, to come at another instruction each time. */
		date += 100003;
		check_ok(sleep_until(date));
		check(evl_enqueue_contended(w, NULL));
		check(evl_dequeue_contended(&ptr));
		if (date < now())
			date = now();
	}
	atomic_store(&enough, true);
	check_ok(evl_detach_self());
}

static void nobody_waits_for_the_preempted(void)
{
	struct worker low = { .body = turn_over, .name = "low", .prio = 10 };
	struct worker high = { .body = preempt, .name = "high", .prio = 20, .arg = &low };
	void *ptr;

	check_ok(evl_init());
	/* First, since the other one leaves nothing of the CPU. */
	start_worker(&high);
	await(atomic_load(&high.attached));
	start_worker(&low);
	join_worker(&low);
	join_worker(&high);
	check(!evl_dequeue_contended(&ptr));
}

/* --- Requests --------------------------------------------------------------------------- */

DEFINE_EVL_RINGPTR_DYNAMIC(counted, 5)

static void takes_no_request(void)
{
	struct evl_thread_state before, between, after;
	void *ptr;
	int efd;

	efd = attach_fifo(10);
	check_eq(evl_alloc_counted(), 0);
	check_ok(evl_switch_oob());
	before = state_of(efd);
	between = state_of(efd);
	for (int i = 0; i < 1000; i++) {
		check(evl_enqueue_counted(&ptr, NULL));
		check(evl_dequeue_counted(&ptr));
	}
	after = state_of(efd);
	check_eq(after.isw, between.isw);
	check_eq(after.sc - between.sc, between.sc - before.sc);
	check(!evl_is_inband());
}

/* --- Killed in the middle of a call ------------------------------------------------------ */

#define NR_KILLS	20
#define SHARED_ORDER	7

static void *shared;
DEFINE_EVL_RINGPTR_OPS(shared, shared, SHARED_ORDER)

static void use_until_killed(void *arg)
{
	atomic_int *rounds = arg;
	int64_t start;
	void *ptr;

	attach_fifo(10);
	for (;;) {
		start = now();
		for (int i = 0; i < 200; i++) {
			check(evl_enqueue_shared(arg, NULL));
			check(evl_dequeue_shared(&ptr));
		}
		atomic_fetch_add(rounds, 1);
		rest_from(start, 1, true);
	}
}

static void the_killed_take_little_along(void)
{
	const int size = 1 << SHARED_ORDER;
	atomic_int *rounds;
	int count, seen;
	void *ptr;
	pid_t pid;

	shared = mmap(NULL, SIZEOF_EVL_RINGPTR(SHARED_ORDER) + sizeof(*rounds), PROT_READ | PROT_WRITE,
		      MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	check(shared != MAP_FAILED);
	rounds = (atomic_int *)((char *)shared + SIZEOF_EVL_RINGPTR(SHARED_ORDER));
	for (int i = 1; i <= NR_KILLS; i++) {
		seen = atomic_load(rounds);
		pid = fork_child(use_until_killed, rounds);
		await(atomic_load(rounds) > seen);
		kill(pid, SIGKILL);
		wait_signal(pid, SIGKILL);
		while (evl_dequeue_shared(&ptr))
			check(ptr == rounds);
		for (count = 0; evl_enqueue_shared(rounds, NULL); count++)
			;
		check_ge(count, size - i);
		check_le(count, size);
		while (evl_dequeue_shared(&ptr))
			count--;
		check_eq(count, 0);
	}
	evl_clear_shared();
	for (count = 0; evl_enqueue_shared(rounds, NULL); count++)
		;
	check_eq(count, size);
}

static const struct CMUnitTest tests[] = {
	TEST(each_arrives_once, "each pointer arrives once, and in the order of its producer"),
	TEST(nobody_waits_for_the_preempted, "a thread preempted in a call keeps nobody from going on"),
	TEST(takes_no_request, "a ring takes no request, and leaves the stage alone"),
	TEST(the_killed_take_little_along, "who is killed in a call takes one place along at most"),
};

TEST_MAIN("ring", tests)
