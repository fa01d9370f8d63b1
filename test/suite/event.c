// SPDX-License-Identifier: GPL-2.0-only
/* Events used along with a mutex: signals, broadcasts, targets, and the ends of waits. */
#include "cond.h"

static void wakes_in_order(void)
{
	struct puppet w[3], s;
	struct cond c;

	new_cond(&c);
	start_puppet(&s, "s", 5, 0);
	for (int i = 0; i < 3; i++) {
		char name[4] = { 'w', '0' + i };

		start_puppet(&w[i], name, 10 + 10 * i, other_cpu());
		begin_wait(&w[i], wait_once, &c);
	}
	check(watched(&c));
	for (int i = 2; i >= 0; i--) {
		check_eq(perform(&s, signal_once, &c), 0);
		check_eq(result(&w[i]), 0);
		for (int j = 0; j < i; j++)
			check(worker_sleeps(&w[j].w));
	}
	check(!watched(&c));
	/* Nothing is remembered. */
	check_eq(perform(&s, signal_once, &c), 0);
	c.date = now() + 20 * NSEC_PER_MSEC;
	check_eq(perform(&w[0], wait_once, &c), -ETIMEDOUT);
	for (int i = 0; i < 3; i++)
		end_puppet(&w[i]);
	end_puppet(&s);
}

static void follows_priorities(void)
{
	struct puppet a, b, s;
	struct cond c;

	new_cond(&c);
	start_puppet(&s, "s", 5, 0);
	start_puppet(&a, "a", 10, other_cpu());
	start_puppet(&b, "b", 20, other_cpu());
	begin_wait(&a, wait_once, &c);
	begin_wait(&b, wait_once, &c);
	check_ok(set_fifo(a.w.efd, 30));
	check_eq(perform(&s, signal_once, &c), 0);
	check_eq(result(&a), 0);
	check(worker_sleeps(&b.w));
	check_eq(perform(&s, signal_once, &c), 0);
	check_eq(result(&b), 0);
	end_puppet(&a);
	end_puppet(&b);
	end_puppet(&s);
}

static void broadcasts(void)
{
	struct puppet w[8], s;
	struct cond c;

	new_cond(&c);
	start_puppet(&s, "s", 5, 0);
	for (int i = 0; i < 8; i++) {
		char name[4] = { 'w', '0' + i };

		start_puppet(&w[i], name, 10 + i, i & other_cpu());
		begin_wait(&w[i], wait_once, &c);
	}
	check_eq(perform(&s, broadcast_once, &c), 0);
	for (int i = 0; i < 8; i++) {
		check_eq(result(&w[i]), 0);
		end_puppet(&w[i]);
	}
	end_puppet(&s);
}

static struct puppet *target;

static int signal_target(struct puppet *p)
{
	struct cond *c = p->arg;
	int ret;

	check_eq(evl_lock_mutex(&c->mutex), 0);
	ret = evl_signal_thread(&c->event, target->w.efd);
	check_eq(evl_unlock_mutex(&c->mutex), 0);
	return ret;
}

static void targets(void)
{
	struct puppet a, b, s;
	struct cond c;

	new_cond(&c);
	start_puppet(&s, "s", 5, 0);
	start_puppet(&a, "a", 10, other_cpu());
	start_puppet(&b, "b", 20, other_cpu());
	begin_wait(&a, wait_once, &c);
	begin_wait(&b, wait_once, &c);
	target = &a;
	check_eq(perform(&s, signal_target, &c), 0);
	check_eq(result(&a), 0);
	check(worker_sleeps(&b.w));
	/* It does not wait any more. */
	check_eq(perform(&s, signal_target, &c), 0);
	check(worker_sleeps(&b.w));
	check_eq(perform(&s, signal_once, &c), 0);
	check_eq(result(&b), 0);
	end_puppet(&a);
	end_puppet(&b);
	end_puppet(&s);
}

static int wait_unlocked(struct puppet *p)
{
	struct cond *c = p->arg;

	return evl_wait_event(&c->event, &c->mutex);
}

static void refuses(void)
{
	struct puppet a, b;
	struct cond c;

	new_cond(&c);
	start_puppet(&a, "a", 10, other_cpu());
	start_puppet(&b, "b", 10, other_cpu());
	check_eq(perform(&b, wait_unlocked, &c), -EPERM);
	begin_wait(&a, wait_once, &c);
	check_eq(perform(&b, wait_elsewhere, &c), -EBADFD);
	check_eq(perform(&b, signal_once, &c), 0);
	check_eq(result(&a), 0);
	end_puppet(&a);
	end_puppet(&b);
}

static int time_out_elsewhere(struct puppet *p)
{
	struct cond *c = p->arg;
	struct timespec date = ns_ts(now() + 10 * NSEC_PER_MSEC);
	struct evl_mutex other;
	int ret;

	check_ok(evl_new_mutex(&other, "other:%d", getpid()));
	check_eq(evl_lock_mutex(&other), 0);
	ret = evl_timedwait_event(&c->event, &other, &date);
	check_eq(evl_unlock_mutex(&other), 0);
	check_ok(evl_close_mutex(&other));
	return ret;
}

/* An event goes from mutex to mutex, as long as nobody waits in between. */
static void changes_mutex(void)
{
	struct puppet a;
	struct cond c;

	new_cond(&c);
	start_puppet(&a, "a", 10, other_cpu());
	for (int i = 0; i < 10; i++) {
		check_eq(perform(&a, time_out_elsewhere, &c), -ETIMEDOUT);
		c.date = now() + 10 * NSEC_PER_MSEC;
		check_eq(perform(&a, wait_once, &c), -ETIMEDOUT);
	}
	end_puppet(&a);
}

static void times_out(void)
{
	struct puppet a;
	struct cond c;
	int64_t date;

	new_cond(&c);
	start_puppet(&a, "a", 10, other_cpu());
	c.date = 1;
	check_eq(perform(&a, wait_once, &c), -ETIMEDOUT);
	date = c.date = now() + 30 * NSEC_PER_MSEC;
	check_eq(perform(&a, wait_once, &c), -ETIMEDOUT);
	check_reached(now(), date);
	check(!watched(&c));
	end_puppet(&a);
}

static void refuses_dates(void)
{
	static const struct timespec bad[] = { { 1, NSEC_PER_SEC }, { 0, -1 }, { -1, 0 } };
	struct cond c;

	new_cond(&c);
	attach_fifo(10);
	check_eq(evl_lock_mutex(&c.mutex), 0);
	for (unsigned int i = 0; i < ARRAY_SIZE(bad); i++)
		check_eq(evl_timedwait_event(&c.event, &c.mutex, &bad[i]), -EINVAL);
	check_eq(evl_timedwait_event(&c.event, &c.mutex, NULL), -EFAULT);
	check_eq(evl_timedwait_event(&c.event, &c.mutex, bad_address(8)), -EFAULT);
	/* Held all along. */
	check_eq(evl_unlock_mutex(&c.mutex), 0);
	check_eq(evl_unlock_mutex(&c.mutex), -EPERM);
	check(!watched(&c));
}

/* Zero is no date, but no limit. */
static int wait_zero(struct puppet *p)
{
	struct timespec zero = { 0 };
	struct cond *c = p->arg;
	int ret;

	check_eq(evl_lock_mutex(&c->mutex), 0);
	ret = evl_timedwait_event(&c->event, &c->mutex, &zero);
	check_eq(evl_unlock_mutex(&c->mutex), 0);
	return ret;
}

static void waits_without_limit(void)
{
	struct puppet a, s;
	struct cond c;

	new_cond(&c);
	start_puppet(&s, "s", 5, 0);
	start_puppet(&a, "a", 10, other_cpu());
	begin_wait(&a, wait_zero, &c);
	check_eq(perform(&s, signal_once, &c), 0);
	check_eq(result(&a), 0);
	end_puppet(&a);
	end_puppet(&s);
}

static void follows_its_clock(void)
{
	struct timespec date;
	struct cond c = { 0 };
	int64_t ns;

	new_mutex(&c.mutex, "cm");
	check_ok(evl_create_event(&c.event, EVL_CLOCK_REALTIME, EVL_CLONE_PRIVATE, "ce:%d", getpid()));
	attach_fifo(10);
	check_eq(evl_lock_mutex(&c.mutex), 0);
	date = ns_ts(now_on(EVL_CLOCK_REALTIME) - NSEC_PER_SEC);
	check_eq(evl_timedwait_event(&c.event, &c.mutex, &date), -ETIMEDOUT);
	ns = now_on(EVL_CLOCK_REALTIME) + 20 * NSEC_PER_MSEC;
	date = ns_ts(ns);
	check_eq(evl_timedwait_event(&c.event, &c.mutex, &date), -ETIMEDOUT);
	check_reached(now_on(EVL_CLOCK_REALTIME), ns);
	check_eq(evl_unlock_mutex(&c.mutex), 0);
}

static void is_unblocked(void)
{
	struct puppet a;
	struct cond c;

	new_cond(&c);
	start_puppet(&a, "a", 10, other_cpu());
	begin_wait(&a, wait_once, &c);
	check_ok(evl_unblock_thread(a.w.efd));
	check_eq(result(&a), -EINTR);
	check_eq(owner_word(&c.mutex), 0);
	end_puppet(&a);
}

static atomic_bool hold_handler;

static void stay_in_handler(int sig)
{
	count_signal(sig);
	while (atomic_load(&hold_handler))
		;
}

/* As everybody should wait. */
static int wait_for_unit(struct puppet *p)
{
	struct cond *c = p->arg;
	int ret;

	check_eq(evl_lock_mutex(&c->mutex), 0);
	while (!c->count) {
		ret = evl_wait_event(&c->event, &c->mutex);
		check_eq(ret, 0);
	}
	c->count--;
	return evl_unlock_mutex(&c->mutex);
}

static int make_unit(struct puppet *p)
{
	struct cond *c = p->arg;

	check_eq(evl_lock_mutex(&c->mutex), 0);
	c->count++;
	check_eq(evl_broadcast_event(&c->event), 0);
	return evl_unlock_mutex(&c->mutex);
}

/* Nobody is in line while the signal is handled: what is missed there is not missed for good. */
static void signaled_in_handler(void)
{
	struct sigaction sa = { .sa_handler = stay_in_handler };
	struct puppet a, s;
	struct cond c;

	new_cond(&c);
	check_sys(sigaction(SIGUSR1, &sa, NULL));
	start_puppet(&s, "s", 5, 0);
	start_puppet(&a, "a", 10, other_cpu());
	begin_wait(&a, wait_for_unit, &c);
	for (int i = 1; i <= 5; i++) {
		check_eq(pthread_kill(a.w.thread, SIGUSR1), 0);
		await(atomic_load(&signal_count) == i);
		await(worker_sleeps(&a.w));
	}
	atomic_store(&hold_handler, true);
	check_eq(pthread_kill(a.w.thread, SIGUSR1), 0);
	await(atomic_load(&signal_count) == 6);
	check_eq(perform(&s, make_unit, &c), 0);
	atomic_store(&hold_handler, false);
	check_eq(result(&a), 0);
	end_puppet(&a);
	end_puppet(&s);
}

static void handled_signal_is_a_wakeup(void)
{
	struct sigaction sa = { .sa_handler = count_signal };
	struct puppet a;
	struct cond c;

	new_cond(&c);
	check_sys(sigaction(SIGUSR1, &sa, NULL));
	start_puppet(&a, "a", 10, other_cpu());
	begin_wait(&a, wait_once, &c);
	check_eq(pthread_kill(a.w.thread, SIGUSR1), 0);
	check_eq(result(&a), 0);
	end_puppet(&a);
}

static void closes_event(void)
{
	struct puppet a;
	struct cond c;

	new_cond(&c);
	start_puppet(&a, "a", 10, other_cpu());
	begin_wait(&a, wait_once, &c);
	check_ok(close(c.event.monitor.efd));
	check_eq(result(&a), -EIDRM);
	end_puppet(&a);
}

static void closes_mutex(void)
{
	struct puppet a;
	struct cond c;

	new_cond(&c);
	start_puppet(&a, "a", 10, other_cpu());
	begin_wait(&a, wait_once, &c);
	check_ok(close(c.mutex.monitor.efd));
	check_eq(result(&a), -EIDRM);
	end_puppet(&a);
}

static int close_its_event(struct puppet *p)
{
	struct cond *c = p->arg;

	return evl_close_event(&c->event);
}

/* @a, whose time is up, wants the mutex back, which @s has. */
static void time_out_behind(struct puppet *a, struct puppet *s, struct cond *c)
{
	new_cond(c);
	start_puppet(s, "s", 5, 0);
	start_puppet(a, "a", 10, other_cpu());
	c->date = now() + patience(1) * NSEC_PER_SEC / 4;
	begin_wait(a, wait_once, c);
	check_eq(perform(s, lock, &c->mutex), 0);
	await(now() > c->date && !watched(c) && worker_sleeps(&a->w));
}

static void owner_closes_event(void)
{
	struct puppet a, s;
	struct cond c;

	time_out_behind(&a, &s, &c);
	check_eq(perform(&s, close_its_event, &c), 0);
	check_eq(perform(&s, unlock, &c.mutex), 0);
	check_eq(result(&a), -ETIMEDOUT);
	end_puppet(&a);
	end_puppet(&s);
}

static void tells_that_mutex_is_lost(void)
{
	struct puppet a, s;
	struct cond c;

	time_out_behind(&a, &s, &c);
	check_ok(close(c.mutex.monitor.efd));
	check_eq(result(&a), -EIDRM);
	end_puppet(&a);
	end_puppet(&s);
}

/* Before, while and after somebody begins to wait. */
static void closes_mutex_any_time(void)
{
	struct puppet a;
	struct cond c;

	start_puppet(&a, "a", 10, other_cpu());
	for (int i = 0; i < 150; i++) {
		new_cond(&c);
		begin(&a, wait_once, &c);
		spin_until(now() + rand() % 300000);
		check_ok(close(c.mutex.monitor.efd));
		check(result(&a) != 0);
		check_ok(close(c.event.monitor.efd));
	}
	end_puppet(&a);
}

/* --- Many units through one event ---------------------------------------------------- */

#define UNITS	500

static int take_units(struct puppet *p)
{
	struct cond *c = p->arg;
	int ret = 0;

	while (!ret && atomic_load(&c->taken) < UNITS) {
		check_eq(evl_lock_mutex(&c->mutex), 0);
		while (!ret && !c->count && atomic_load(&c->taken) < UNITS)
			ret = evl_wait_event(&c->event, &c->mutex);
		if (!ret && c->count) {
			c->count--;
			if (atomic_fetch_add(&c->taken, 1) + 1 == UNITS)
				evl_broadcast_event(&c->event);
		}
		check_eq(evl_unlock_mutex(&c->mutex), 0);
	}
	return ret;
}

static int make_units(struct puppet *p)
{
	struct cond *c = p->arg;

	for (int i = 0; i < UNITS / 2; i++) {
		check_eq(evl_lock_mutex(&c->mutex), 0);
		c->count++;
		check_eq(evl_signal_event(&c->event), 0);
		check_eq(evl_unlock_mutex(&c->mutex), 0);
		if (i % 16 == 0)
			evl_usleep(100);
	}
	return 0;
}

static void loses_nothing(void)
{
	static struct puppet p[6];
	struct cond c;

	new_cond(&c);
	for (int i = 0; i < 6; i++) {
		char name[4] = { 'u', '0' + i };

		start_puppet(&p[i], name, 10 + i, i & other_cpu());
	}
	for (int i = 0; i < 4; i++)
		begin(&p[i], take_units, &c);
	for (int i = 4; i < 6; i++)
		begin(&p[i], make_units, &c);
	for (int i = 0; i < 6; i++)
		check_eq(result(&p[i]), 0);
	check_eq(atomic_load(&c.taken), UNITS);
	check_eq(c.count, 0);
	for (int i = 0; i < 6; i++)
		end_puppet(&p[i]);
}

/* --- Cancellation ------------------------------------------------------------------- */

struct doomed {
	struct cond cond;
	atomic_int handled;
	int unlocked;
	pthread_t thread;
};

static void unlock_doomed(void *arg)
{
	struct doomed *d = arg;

	d->unlocked = evl_unlock_mutex(&d->cond.mutex);
	atomic_fetch_add(&d->handled, 1);
}

static void *wait_doomed(void *arg)
{
	struct doomed *d = arg;

	attach_fifo(10);
	check_eq(evl_lock_mutex(&d->cond.mutex), 0);
	pthread_cleanup_push(unlock_doomed, d);
	/* One which ends first: it must leave nothing behind. */
	check_eq(evl_wait_event(&d->cond.event, &d->cond.mutex), 0);
	for (;;)
		evl_wait_event(&d->cond.event, &d->cond.mutex);
	pthread_cleanup_pop(0);

	return NULL;
}

static void is_cancelled(void)
{
	struct doomed d = { .unlocked = -1 };
	struct puppet a;
	void *result;

	new_cond(&d.cond);
	start_puppet(&a, "a", 5, 0);
	for (int i = 1; i <= 3; i++) {
		check_eq(pthread_create(&d.thread, NULL, wait_doomed, &d), 0);
		await(watched(&d.cond));
		check_eq(perform(&a, signal_once, &d.cond), 0);
		await(watched(&d.cond));
		check_eq(pthread_cancel(d.thread), 0);
		check_eq(pthread_join(d.thread, &result), 0);
		check(result == PTHREAD_CANCELED);
		/* Its handler had the mutex. */
		check_eq(atomic_load(&d.handled), i);
		check_eq(d.unlocked, 0);
		check_eq(owner_word(&d.cond.mutex), 0);
		check_eq(perform(&a, lock, &d.cond.mutex), 0);
		check_eq(perform(&a, unlock, &d.cond.mutex), 0);
	}
	end_puppet(&a);
}

struct victim {
	struct cond *cond;
	int unlocked;
};

static void unlock_victim(void *arg)
{
	struct victim *v = arg;

	v->unlocked = evl_unlock_mutex(&v->cond->mutex);
}

static int wait_for_death(struct puppet *p)
{
	struct victim *v = p->arg;

	check_eq(evl_lock_mutex(&v->cond->mutex), 0);
	pthread_cleanup_push(unlock_victim, v);
	for (;;)
		evl_wait_event(&v->cond->event, &v->cond->mutex);
	pthread_cleanup_pop(0);
}

/* The signal is for a thread which is cancelled before it runs again, or while it waits for the mutex. */
static void cancel_signaled(bool contended)
{
	struct puppet a, b, c;
	struct victim v;
	struct cond cond;
	struct hog hog;

	new_cond(&cond);
	v = (struct victim){ .cond = &cond, .unlocked = -1 };
	start_puppet(&a, "a", 20, other_cpu());
	start_puppet(&b, "b", 10, 0);
	start_puppet(&c, "c", 5, 0);
	begin_wait(&a, wait_for_death, &v);
	begin_wait(&b, wait_once, &cond);
	take_cpu(&hog, other_cpu());
	check_eq(perform(&c, signal_once, &cond), 0);
	if (contended)
		check_eq(perform(&c, lock, &cond.mutex), 0);
	else
		check_eq(pthread_cancel(a.w.thread), 0);
	give_cpu(&hog);
	if (contended) {
		await(worker_sleeps(&a.w));
		check_eq(pthread_cancel(a.w.thread), 0);
		check_eq(perform(&c, unlock, &cond.mutex), 0);
	}
	bury_puppet(&a);
	check_eq(v.unlocked, 0);
	check_eq(result(&b), 0);
	check_eq(owner_word(&cond.mutex), 0);
	end_puppet(&b);
	end_puppet(&c);
}

static void signal_survives_cancellation(void)
{
	cancel_signaled(false);
}

static void signal_survives_cancellation_at_mutex(void)
{
	cancel_signaled(true);
}

static void is_cancelled_after_signal(void)
{
	struct puppet a, c;
	struct victim v;
	struct cond cond;

	new_cond(&cond);
	v = (struct victim){ .cond = &cond, .unlocked = -1 };
	catch_signal(SIGUSR1, 0);
	start_puppet(&a, "a", 10, other_cpu());
	start_puppet(&c, "c", 5, 0);
	begin_wait(&a, wait_for_death, &v);
	check_eq(perform(&c, lock, &cond.mutex), 0);
	signal_worker(&a.w, SIGUSR1);
	await(atomic_load(&signal_count) == 1 && worker_sleeps(&a.w));
	check_eq(pthread_cancel(a.w.thread), 0);
	nap();
	check_eq(perform(&c, unlock, &cond.mutex), 0);
	bury_puppet(&a);
	check_eq(v.unlocked, 0);
	check_eq(owner_word(&cond.mutex), 0);
	end_puppet(&c);
}

/* --- Between processes --------------------------------------------------------------------------- */

static void open_public(struct cond *c)
{
	memset(c, 0, sizeof(*c));
	check_ok(evl_open_mutex(&c->mutex, "/pub-mutex"));
	check_ok(evl_open_event(&c->event, "pub-event"));
}

static void new_public(struct cond *c)
{
	memset(c, 0, sizeof(*c));
	check_ok(evl_init());
	check_ok(evl_create_mutex(&c->mutex, EVL_CLOCK_MONOTONIC, 0, EVL_CLONE_PUBLIC, "pub-mutex"));
	check_ok(evl_new_event(&c->event, "/pub-event"));
	check(has_node("monitor", "pub-event"));
}

static void signal_from_elsewhere(void *arg)
{
	struct cond c;

	(void)arg;
	attach_fifo(5);
	open_public(&c);
	for (int i = 0; i < 2; i++) {
		await(watched(&c));
		check_eq(evl_lock_mutex(&c.mutex), 0);
		check_eq(i ? evl_broadcast_event(&c.event) : evl_signal_event(&c.event), 0);
		check_eq(evl_unlock_mutex(&c.mutex), 0);
	}
}

static void is_signaled_from_elsewhere(void)
{
	struct cond c;
	pid_t pid;

	new_public(&c);
	pid = fork_child(signal_from_elsewhere, NULL);
	attach_fifo(10);
	check_eq(evl_lock_mutex(&c.mutex), 0);
	check_eq(evl_wait_event(&c.event, &c.mutex), 0);
	check_eq(evl_wait_event(&c.event, &c.mutex), 0);
	check_eq(evl_unlock_mutex(&c.mutex), 0);
	wait_success(pid);
	/* It closed its own descriptors only. */
	check(has_node("monitor", "pub-event"));
	check_ok(evl_close_event(&c.event));
	check(!has_node("monitor", "pub-event"));
}

static struct {
	atomic_int in_line;
	atomic_int served;
} *line;

/* Any close sends all waiters away, so each stays until all are served. */
static void wait_elsewhere_for(void *arg)
{
	struct cond c;

	(void)arg;
	attach_fifo(5);
	open_public(&c);
	check_eq(evl_lock_mutex(&c.mutex), 0);
	atomic_fetch_add(&line->in_line, 1);
	check_eq(evl_wait_event(&c.event, &c.mutex), 0);
	check_eq(evl_unlock_mutex(&c.mutex), 0);
	atomic_fetch_add(&line->served, 1);
	await(atomic_load(&line->served) == 3);
}

static void signals_elsewhere(void)
{
	struct puppet s;
	struct cond c;
	pid_t pids[3];

	line = mmap(NULL, sizeof(*line), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	check(line != MAP_FAILED);
	new_public(&c);
	start_puppet(&s, "s", 5, 0);
	for (int i = 0; i < 3; i++)
		pids[i] = fork_child(wait_elsewhere_for, NULL);
	/* They add themselves with the mutex held: whoever has it next finds them wait. */
	await(atomic_load(&line->in_line) == 3);
	check_eq(perform(&s, signal_once, &c), 0);
	check_eq(perform(&s, broadcast_once, &c), 0);
	for (int i = 0; i < 3; i++)
		wait_success(pids[i]);
	check(!watched(&c));
	end_puppet(&s);
}

static const struct CMUnitTest tests[] = {
	TEST(wakes_in_order, "one signal wakes up one waiter, the best one first"),
	TEST(follows_priorities, "waiters are reordered when priorities change"),
	TEST(broadcasts, "a broadcast wakes up all waiters"),
	TEST(targets, "a signal for one thread leaves others alone"),
	TEST(refuses, "the mutex must be held, and the same for all waiters"),
	TEST(changes_mutex, "another mutex will do when nobody waits"),
	TEST(times_out, "a wait ends at its date"),
	TEST(refuses_dates, "a date which is none is refused, the mutex being held"),
	TEST(waits_without_limit, "a date of zero means no limit"),
	TEST(follows_its_clock, "dates are those of the clock which the event was made for"),
	TEST(is_unblocked, "a forced unblock ends a wait, the mutex being held"),
	TEST(is_cancelled, "a thread cancelled in a wait has the mutex in its handlers"),
	TEST(signal_survives_cancellation, "a signal for a thread which is cancelled goes to the next one"),
	TEST(signal_survives_cancellation_at_mutex, "the same for one which waits for the mutex"),
	TEST(is_cancelled_after_signal, "cancelled after an interrupted wait, it has the mutex in its handlers"),
	TEST(handled_signal_is_a_wakeup, "a signal which is handled ends a wait as a wakeup for nothing would"),
	TEST(signaled_in_handler, "and what is signaled meanwhile is not lost"),
	TEST(closes_event, "closing the event sends waiters away"),
	TEST(closes_mutex, "so does closing the mutex for good"),
	TEST(owner_closes_event, "the owner of the mutex may close the event, whoever wants the mutex back"),
	TEST(tells_that_mutex_is_lost, "a wait which ends without the mutex says so, even if its time was up"),
	TEST(closes_mutex_any_time, "nobody waits with a mutex which was closed meanwhile"),
	TEST(loses_nothing, "no signal gets lost between unlocking and waiting"),
	TEST(is_signaled_from_elsewhere, "another process signals a public event"),
	TEST(signals_elsewhere, "waiters in other processes are signaled"),
};

TEST_MAIN("event", tests)
