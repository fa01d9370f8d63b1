// SPDX-License-Identifier: GPL-2.0-only
/* Lines of many waiters, more than are woken up in one go: each of them is, once, and nobody who came later. */
#include "cond.h"
#include <evl/flags.h>
#include <evl/poll.h>
#include <evl/sem.h>
#include <poll.h>
#include <sys/resource.h>

#define MANY	150
#define BEST	77		/* the one of the best priority, see gather() */
#define BITS	0x5

static struct puppet crowd[MANY], teller;
static struct evl_sem sem;
static struct evl_flags flags;
static struct cond cond;
static atomic_int first[MANY];		/* what the first wait of each came to */

static int index_of(struct puppet *p)
{
	return p - crowd;
}

static void gather(void)
{
	struct rlimit limit = { 4 * MANY, 4 * MANY };
	char name[16];

	check_sys(setrlimit(RLIMIT_NOFILE, &limit));
	new_cond(&cond);
	check_ok(evl_new_sem(&sem, "sem:%d", getpid()));
	check_ok(evl_new_flags(&flags, "flags:%d", getpid()));
	/* The lowest of all: whoever wakes up runs before it goes on. */
	start_puppet(&teller, "teller", 1, 0);
	for (int i = 0; i < MANY; i++) {
		snprintf(name, sizeof(name), "crowd%d", i);
		launch_puppet(&crowd[i], name, 2 + i * 7 % 90, i & 1 ? other_cpu() : 0);
		atomic_store(&first[i], 1);
	}
	for (int i = 0; i < MANY; i++)
		finish_act(&crowd[i]);
}

static void disperse(void)
{
	for (int i = 0; i < MANY; i++)
		end_puppet(&crowd[i]);
	end_puppet(&teller);
}

static void line_up(int (*act)(struct puppet *p))
{
	for (int i = 0; i < MANY; i++)
		begin_wait(&crowd[i], act, NULL);
}

/* Everybody was woken up once, waits again, and goes on to do so. */
static void check_once(int result)
{
	for (int i = 0; i < MANY; i++) {
		await(atomic_load(&first[i]) != 1);
		check_eq(atomic_load(&first[i]), result);
		await(worker_sleeps(&crowd[i].w));
		check(atomic_load(&crowd[i].busy));
	}
}

/* --- Semaphores ------------------------------------------------------------------------ */

static int get_twice(struct puppet *p)
{
	atomic_store(&first[index_of(p)], evl_get_sem(&sem));
	return evl_get_sem(&sem);
}

static int flush_sem(struct puppet *p)
{
	(void)p;
	return evl_flush_sem(&sem);
}

static int close_sem(struct puppet *p)
{
	(void)p;
	return evl_close_sem(&sem);
}

static void semaphore_is_flushed(void)
{
	gather();
	line_up(get_twice);
	check_eq(perform(&teller, flush_sem, NULL), 0);
	check_once(-EAGAIN);
	/* The units which they were after are nobody's. */
	check_ok(evl_put_sem(&sem));
	check_eq(result(&crowd[BEST]), 0);
	check_eq(perform(&teller, close_sem, NULL), 0);
	for (int i = 0; i < MANY; i++)
		if (i != BEST)
			check_eq(result(&crowd[i]), -EIDRM);
	disperse();
}

/* --- Flags ------------------------------------------------------------------------------- */

static int wait_bits(void)
{
	int bits, ret = evl_wait_some_flags(&flags, BITS, &bits);

	return ret ?: bits;
}

static int wait_twice(struct puppet *p)
{
	atomic_store(&first[index_of(p)], wait_bits());
	return wait_bits();
}

static int tell_all(struct puppet *p)
{
	(void)p;
	return evl_broadcast_flags(&flags, BITS | 8);
}

static int close_flags(struct puppet *p)
{
	(void)p;
	return evl_close_flags(&flags);
}

static void flags_are_broadcast(void)
{
	int bits;

	gather();
	line_up(wait_twice);
	check_eq(perform(&teller, tell_all, NULL), 0);
	check_once(BITS);
	/* What somebody got is gone, what nobody wanted stays. */
	check_ok(evl_peek_flags(&flags, &bits));
	check_eq(bits, 8);
	check_eq(perform(&teller, close_flags, NULL), 0);
	for (int i = 0; i < MANY; i++)
		check_eq(result(&crowd[i]), -EIDRM);
	disperse();
}

/* --- Events -------------------------------------------------------------------------------- */

static int wait_event_twice(struct puppet *p)
{
	int ret;

	check_eq(evl_lock_mutex(&cond.mutex), 0);
	atomic_store(&first[index_of(p)], evl_wait_event(&cond.event, &cond.mutex));
	ret = evl_wait_event(&cond.event, &cond.mutex);
	check_eq(evl_unlock_mutex(&cond.mutex), 0);
	return ret;
}

static int tell_event(struct puppet *p)
{
	(void)p;
	check_eq(evl_lock_mutex(&cond.mutex), 0);
	check_eq(evl_broadcast_event(&cond.event), 0);
	return evl_unlock_mutex(&cond.mutex);
}

static int close_gate(struct puppet *p)
{
	(void)p;
	return evl_close_mutex(&cond.mutex);
}

static void event_is_broadcast(void)
{
	gather();
	line_up(wait_event_twice);
	check_eq(perform(&teller, tell_event, NULL), 0);
	check_once(0);
	check_eq(perform(&teller, tell_event, NULL), 0);
	for (int i = 0; i < MANY; i++)
		check_eq(result(&crowd[i]), 0);
	check(!watched(&cond));
	disperse();
}

/* --- Many events of a gate ---------------------------------------------------------------- */

#define SOME		20
#define DESERTED	300		/* for each of those which somebody waits for */

static struct evl_event events[2 * SOME];

static int wait_for_own(struct puppet *p)
{
	int ret;

	check_eq(evl_lock_mutex(&cond.mutex), 0);
	ret = evl_wait_event(&events[index_of(p)], &cond.mutex);
	check_eq(evl_unlock_mutex(&cond.mutex), 0);
	return ret;
}

/* The gate goes on looking after events which nobody waits for any more. */
static int wait_in_vain(struct puppet *p)
{
	struct evl_event *event = p->arg;
	struct timespec date;

	check_eq(evl_lock_mutex(&cond.mutex), 0);
	for (int i = 0; i < DESERTED; i++) {
		date = ns_ts(now() + NSEC_PER_MSEC / 2);
		check_eq(evl_timedwait_event(&event[i], &cond.mutex, &date), -ETIMEDOUT);
	}
	return evl_unlock_mutex(&cond.mutex);
}

static int signal_every_other(struct puppet *p)
{
	check_eq(evl_lock_mutex(&cond.mutex), 0);
	for (int i = (intptr_t)p->arg; i < 2 * SOME; i += 2)
		check_eq(evl_signal_event(&events[i]), 0);
	return evl_unlock_mutex(&cond.mutex);
}

static void gate_has_many_events(void)
{
	static struct evl_event deserted[DESERTED];
	struct rlimit limit = { 2048, 2048 };
	char name[16];

	check_sys(setrlimit(RLIMIT_NOFILE, &limit));
	new_cond(&cond);
	start_puppet(&teller, "teller", 1, 0);
	for (int i = 0; i < DESERTED; i++)
		check_ok(evl_new_event(&deserted[i], "deserted%d:%d", i, getpid()));
	for (int i = 0; i < 2 * SOME; i++) {
		check_ok(evl_new_event(&events[i], "event%d:%d", i, getpid()));
		snprintf(name, sizeof(name), "crowd%d", i);
		start_puppet(&crowd[i], name, 10, other_cpu());
	}
	for (int i = 0; i < SOME; i++)
		begin_wait(&crowd[i], wait_for_own, NULL);
	check_eq(perform(&teller, wait_in_vain, deserted), 0);
	for (int i = SOME; i < 2 * SOME; i++)
		begin_wait(&crowd[i], wait_for_own, NULL);
	check_eq(perform(&teller, signal_every_other, NULL), 0);
	for (int i = 0; i < 2 * SOME; i++) {
		if (i % 2)
			check(worker_sleeps(&crowd[i].w));
		else
			check_eq(result(&crowd[i]), 0);
	}
	check_eq(perform(&teller, signal_every_other, (void *)1), 0);
	for (int i = 1; i < 2 * SOME; i += 2)
		check_eq(result(&crowd[i]), 0);
}

/* --- Signals to those who are named -------------------------------------------------------- */

static bool is_called(int i)
{
	return i % 2;
}

/* Of those who are called by name, some change their places in line afterwards. */
static int call_by_name(struct puppet *p)
{
	(void)p;
	check_eq(evl_lock_mutex(&cond.mutex), 0);
	for (int i = MANY - 1; i >= 0; i--)
		if (is_called(i))
			check_eq(evl_signal_thread(&cond.event, crowd[i].w.efd), 0);
	for (int i = 0; i < MANY; i += 5)
		set_fifo(crowd[i].w.efd, 91 - i * 7 % 90);
	return evl_unlock_mutex(&cond.mutex);
}

static int wait_to_be_called(struct puppet *p)
{
	int ret;

	(void)p;
	check_eq(evl_lock_mutex(&cond.mutex), 0);
	ret = evl_wait_event(&cond.event, &cond.mutex);
	check_eq(evl_unlock_mutex(&cond.mutex), 0);
	return ret;
}

static void event_is_signaled_by_name(void)
{
	gather();
	line_up(wait_to_be_called);
	check_eq(perform(&teller, call_by_name, NULL), 0);
	for (int i = 0; i < MANY; i++) {
		if (is_called(i))
			check_eq(result(&crowd[i]), 0);
		else
			check(worker_sleeps(&crowd[i].w));
	}
	check_eq(perform(&teller, tell_event, NULL), 0);
	for (int i = 0; i < MANY; i++)
		if (!is_called(i))
			check_eq(result(&crowd[i]), 0);
	disperse();
}

static int wait_for_event(struct puppet *p)
{
	(void)p;
	check_eq(evl_lock_mutex(&cond.mutex), 0);
	return evl_wait_event(&cond.event, &cond.mutex);
}

static void gate_is_closed(void)
{
	gather();
	line_up(wait_for_event);
	check_eq(perform(&teller, close_gate, NULL), 0);
	for (int i = 0; i < MANY; i++)
		check_eq(result(&crowd[i]), -EIDRM);
	disperse();
}

/* --- Mutexes --------------------------------------------------------------------------------- */

static int lock_it(struct puppet *p)
{
	(void)p;
	return evl_lock_mutex(&cond.mutex);
}

static void mutex_is_closed(void)
{
	gather();
	check_eq(perform(&teller, lock_it, NULL), 0);
	line_up(lock_it);
	check_eq(prio_of(&teller), 91);
	check_eq(perform(&teller, close_gate, NULL), 0);
	for (int i = 0; i < MANY; i++)
		check_eq(result(&crowd[i]), -EIDRM);
	check_eq(prio_of(&teller), 1);
	disperse();
}

/* --- Whoever wakes them up loses the CPU ----------------------------------------------------- */

#define AHEAD	40
#define BEHIND	8

static atomic_int woken;
static atomic_bool seen;

/* The first one in line is the first to run, and keeps the CPU for itself. */
static void after_wakeup(struct puppet *p)
{
	if (index_of(p) == 0)
		while (!atomic_load(&seen))
			;
	if (index_of(p) >= AHEAD)
		atomic_fetch_add(&woken, 1);
}

static int get_and_stay(struct puppet *p)
{
	int ret = evl_get_sem(&sem);

	after_wakeup(p);
	return ret;
}

static int wait_and_stay(struct puppet *p)
{
	int ret = wait_bits();

	after_wakeup(p);
	return ret;
}

static void check_those_behind(int (*act)(struct puppet *p), int (*tell)(struct puppet *p), int want)
{
	if (sysconf(_SC_NPROCESSORS_ONLN) < 2)
		check_skip("there is one CPU");
	new_cond(&cond);
	check_ok(evl_new_sem(&sem, "sem:%d", getpid()));
	check_ok(evl_new_flags(&flags, "flags:%d", getpid()));
	pin_to(1);
	start_puppet(&teller, "teller", 1, 0);
	for (int i = 0; i < AHEAD + BEHIND; i++) {
		char name[16];

		snprintf(name, sizeof(name), "crowd%d", i);
		start_puppet(&crowd[i], name, i < AHEAD ? 60 : 50, i < AHEAD ? 0 : 1);
		begin_wait(&crowd[i], act, NULL);
	}
	begin(&teller, tell, NULL);
	await(atomic_load(&woken) == BEHIND);
	check(atomic_load(&teller.busy));
	atomic_store(&seen, true);
	for (int i = 0; i < AHEAD + BEHIND; i++)
		check_eq(result(&crowd[i]), want);
	check_eq(result(&teller), 0);
}

static void those_behind_semaphore(void)
{
	check_those_behind(get_and_stay, flush_sem, -EAGAIN);
}

static void those_behind_flags(void)
{
	check_those_behind(wait_and_stay, tell_all, BITS);
}

/* --- Whoever wakes them up loses the CPU to a stranger ---------------------------------------- */

/* Broadcasting flags nobody waits for tells it, before the first waiter is woken up. Then it keeps the CPU. */
static int watch_flags(struct puppet *p)
{
	struct evl_poll_event event;
	int group = check_ok(evl_new_poll());

	(void)p;
	check_ok(evl_add_pollfd(group, flags.monitor.efd, POLLIN, evl_nil));
	check_eq(evl_poll(group, &event, 1), 1);
	while (!atomic_load(&seen))
		;
	return 0;
}

static int wait_and_count(struct puppet *p)
{
	int ret = wait_bits();

	(void)p;
	atomic_fetch_add(&woken, 1);
	return ret;
}

static void those_elsewhere(void)
{
	struct puppet stranger;

	if (sysconf(_SC_NPROCESSORS_ONLN) < 2)
		check_skip("there is one CPU");
	check_ok(evl_init());
	check_ok(evl_new_flags(&flags, "flags:%d", getpid()));
	pin_to(1);
	start_puppet(&teller, "teller", 1, 0);
	start_puppet(&stranger, "stranger", 2, 0);
	begin_wait(&stranger, watch_flags, NULL);
	for (int i = 0; i < AHEAD + BEHIND; i++) {
		char name[16];

		snprintf(name, sizeof(name), "crowd%d", i);
		start_puppet(&crowd[i], name, 60, 1);
		begin_wait(&crowd[i], wait_and_count, NULL);
	}
	begin(&teller, tell_all, NULL);
	await(atomic_load(&woken) == AHEAD + BEHIND);
	check(atomic_load(&teller.busy));
	atomic_store(&seen, true);
	for (int i = 0; i < AHEAD + BEHIND; i++)
		check_eq(result(&crowd[i]), BITS);
	check_eq(result(&stranger), 0);
	check_eq(result(&teller), 0);
}

/* --- Whoever closes a mutex loses the CPU to those who waited for it --------------------------- */

static struct evl_mutex by_file;

/* The one who raised the owner came by the file which is closed, and keeps the CPU of whoever closed it. */
static int lock_by_file(struct puppet *p)
{
	int ret = evl_lock_mutex(&by_file);

	(void)p;
	while (!atomic_load(&seen))
		__builtin_ia32_pause();
	return ret;
}

static int close_by_file(struct puppet *p)
{
	(void)p;
	return evl_close_mutex(&by_file);
}

static void owner_is_settled(void)
{
	struct puppet owner, first, second;
	struct evl_mutex public;

	if (sysconf(_SC_NPROCESSORS_ONLN) < 2)
		check_skip("there is one CPU");
	check_ok(evl_init());
	check_ok(evl_new_mutex(&public, "/lines-mutex"));
	check_ok(evl_open_mutex(&by_file, "/lines-mutex"));
	pin_to(0);
	start_puppet(&owner, "owner", 1, 0);
	start_puppet(&first, "first", 90, 1);
	start_puppet(&second, "second", 20, 0);
	start_puppet(&teller, "teller", 1, 1);
	check_eq(perform(&owner, lock, &public), 0);
	begin_wait(&second, lock, &public);
	begin_wait(&first, lock_by_file, NULL);
	check_eq(prio_of(&owner), 90);
	begin(&teller, close_by_file, NULL);
	await(prio_of(&owner) == 20);
	check(atomic_load(&teller.busy));
	check(!(worker_bits(&first.w) & EVL_T_INBAND));
	atomic_store(&seen, true);
	check_eq(result(&first), -EIDRM);
	check_eq(result(&teller), 0);
	check_eq(perform(&owner, unlock, &public), 0);
	check_eq(result(&second), 0);
}

/* --- Not all of them are meant ----------------------------------------------------------------- */

static struct evl_sem other_sem;

/* Every third one, and the last ones in line, came by another file. */
static bool by_other_file(int i)
{
	return i % 3 == 1 || crowd[i].w.prio < 20;
}

static int get_by_file(struct puppet *p)
{
	return evl_get_sem(by_other_file(index_of(p)) ? &other_sem : &sem);
}

static int close_other_sem(struct puppet *p)
{
	(void)p;
	return evl_close_sem(&other_sem);
}

static void other_file_is_closed(void)
{
	struct evl_sem public;

	gather();
	check_ok(evl_close_sem(&sem));
	check_ok(evl_new_sem(&public, "/lines-sem"));
	check_ok(evl_open_sem(&sem, "/lines-sem"));
	check_ok(evl_open_sem(&other_sem, "/lines-sem"));
	check_ok(evl_close_sem(&public));
	line_up(get_by_file);
	check_eq(perform(&teller, close_other_sem, NULL), 0);
	for (int i = 0; i < MANY; i++) {
		if (by_other_file(i))
			check_eq(result(&crowd[i]), -EIDRM);
		else
			check(worker_sleeps(&crowd[i].w));
	}
	check_eq(perform(&teller, close_sem, NULL), 0);
	for (int i = 0; i < MANY; i++)
		if (!by_other_file(i))
			check_eq(result(&crowd[i]), -EIDRM);
	disperse();
}

static int wait_exactly(struct puppet *p)
{
	int want = index_of(p) % 3 ? BITS | 0x100 : BITS;

	return evl_wait_exact_flags(&flags, want) ?: want;
}

static int tell_more(struct puppet *p)
{
	(void)p;
	return evl_broadcast_flags(&flags, BITS | 0x100);
}

static void some_want_more_flags(void)
{
	gather();
	line_up(wait_exactly);
	check_eq(perform(&teller, tell_all, NULL), 0);
	for (int i = 0; i < MANY; i++) {
		if (i % 3)
			check(worker_sleeps(&crowd[i].w));
		else
			check_eq(result(&crowd[i]), BITS);
	}
	check_eq(perform(&teller, tell_more, NULL), 0);
	for (int i = 0; i < MANY; i++)
		if (i % 3)
			check_eq(result(&crowd[i]), BITS | 0x100);
	disperse();
}

/* --- The line changes meanwhile ---------------------------------------------------------------- */

#define ROUNDS	15

static atomic_bool calm;

static int get_once(struct puppet *p)
{
	(void)p;
	return evl_get_sem(&sem);
}

/* Puts people elsewhere in line, and lets the first one have a unit now and then. */
static void *stir(void *arg)
{
	int *units = arg;

	pin_to(other_cpu());
	while (!atomic_load(&calm)) {
		set_fifo(crowd[rand() % MANY].w.efd, 2 + rand() % 90);
		if (rand() % 4 == 0) {
			check_eq(evl_put_sem(&sem), 0);
			++*units;
		}
	}
	return NULL;
}

/* Each flush wakes up all who were there, but for those who got a unit before it came to them. */
static void line_is_stirred(void)
{
	int units = 0, got = 0, left;
	pthread_t stirrer;

	gather();
	for (int round = 0; round < ROUNDS; round++) {
		line_up(get_once);
		atomic_store(&calm, false);
		check_eq(pthread_create(&stirrer, NULL, stir, &units), 0);
		check_eq(perform(&teller, flush_sem, NULL), 0);
		atomic_store(&calm, true);
		check_eq(pthread_join(stirrer, NULL), 0);
		for (int i = 0; i < MANY; i++) {
			int ret = result(&crowd[i]);

			check(ret == 0 || ret == -EAGAIN);
			got += !ret;
		}
		for (left = 0; !evl_tryget_sem(&sem); left++)
			;
		units -= left;
	}
	check_eq(got, units);
	check_eq(perform(&teller, close_sem, NULL), 0);
	disperse();
}

static const struct CMUnitTest tests[] = {
	TEST(semaphore_is_flushed, "all waiters of a semaphore are sent away, once"),
	TEST(flags_are_broadcast, "all waiters of flags get their bits, once"),
	TEST(event_is_broadcast, "all waiters of an event are woken up, once"),
	TEST(gate_has_many_events, "a gate finds those events which were signaled among many"),
	TEST(event_is_signaled_by_name, "those who are signaled by name are woken up, and nobody else"),
	TEST(gate_is_closed, "those whose mutex goes meanwhile are told"),
	TEST(those_behind_semaphore, "those behind in line do not wait for who woke up the others"),
	TEST(those_behind_flags, "for flags, too"),
	TEST(those_elsewhere, "nor does anybody if that one lost the CPU to a stranger"),
	TEST(owner_is_settled, "the owner of a mutex is boosted no more, although whoever closed it lost the CPU"),
	TEST(other_file_is_closed, "closing a file sends those away who came by it, however many did by another"),
	TEST(some_want_more_flags, "a broadcast leaves alone who wants other flags, too, until they come"),
	TEST(line_is_stirred, "nobody is forgotten if others come and go, and priorities change"),
	TEST(mutex_is_closed, "and so are those who wait for the mutex, whose owner is boosted no more"),
};

TEST_MAIN("lines", tests)
