// SPDX-License-Identifier: GPL-2.0-only
/* Mutexes: ownership, inheritance, ceilings, deadlocks, and the ends of owners. */
#include "puppet.h"
#include <evl/sem.h>

/* --- Ownership --------------------------------------------------------------------- */

static void locks(void)
{
	struct evl_mutex m;
	struct timespec date;

	new_mutex(&m, "plain");
	check_eq(evl_lock_mutex(&m), -EPERM);
	check_eq(evl_unlock_mutex(&m), -EPERM);
	attach_fifo(10);
	check_eq(evl_unlock_mutex(&m), -EPERM);
	check_eq(evl_lock_mutex(&m), 0);
	check_eq(evl_lock_mutex(&m), -EDEADLK);
	check_eq(evl_trylock_mutex(&m), -EDEADLK);
	check_eq(evl_unlock_mutex(&m), 0);
	check_eq(evl_unlock_mutex(&m), -EPERM);
	check_eq(evl_trylock_mutex(&m), 0);
	check_eq(evl_unlock_mutex(&m), 0);
	date = ns_ts(now() - NSEC_PER_SEC);
	check_eq(evl_timedlock_mutex(&m, &date), 0);
	check_eq(evl_unlock_mutex(&m), 0);
	check_eq(evl_close_mutex(&m), 0);
	check_eq(evl_lock_mutex(&m), -EBADF);
}

static void nests(void)
{
	struct evl_mutex m;

	check_ok(evl_init());
	check_ok(evl_create_mutex(&m, EVL_CLOCK_MONOTONIC, 0, EVL_MUTEX_RECURSIVE, "nest:%d", getpid()));
	attach_fifo(10);
	for (int i = 0; i < 10; i++)
		check_eq(evl_lock_mutex(&m), 0);
	for (int i = 0; i < 10; i++)
		check_eq(evl_unlock_mutex(&m), 0);
	check_eq(evl_unlock_mutex(&m), -EPERM);
}

static void free_of_requests(void)
{
	unsigned int before;
	struct evl_mutex m;
	int efd;

	new_mutex(&m, "free");
	efd = attach_fifo(10);
	before = state_of(efd).sc;
	for (int i = 0; i < 1000; i++) {
		check_eq(evl_lock_mutex(&m), 0);
		check_eq(evl_unlock_mutex(&m), 0);
	}
	/* That of the first readout. */
	check_le(state_of(efd).sc - before, 1);
	check(!evl_is_inband());
}

static void excludes(void)
{
	struct puppet a, b;
	struct evl_mutex m;

	new_mutex(&m, "excl");
	start_puppet(&a, "a", 10, 0);
	start_puppet(&b, "b", 10, other_cpu());
	check_eq(perform(&a, lock, &m), 0);
	check_eq(perform(&b, try_lock, &m), -EAGAIN);
	check_eq(perform(&b, unlock, &m), -EPERM);
	check_eq(perform(&b, lock_50ms, &m), -ETIMEDOUT);
	begin_wait(&b, lock, &m);
	check_eq(perform(&a, unlock, &m), 0);
	check_eq(result(&b), 0);
	/* Nobody else wants it: no need of the core to unlock it. */
	check_eq(owner_word(&m) & (EVL_MUTEX_FLCLAIM | EVL_MUTEX_FLCEIL), 0);
	check_eq(perform(&a, try_lock, &m), -EAGAIN);
	check_eq(perform(&b, unlock, &m), 0);
	check_eq(owner_word(&m), 0);
	end_puppet(&a);
	end_puppet(&b);
}

static void bad_timeouts(void)
{
	struct evl_mutex m;
	struct puppet a;
	struct { __s64 sec, nsec; } ts = { 1, 1000000000 };

	new_mutex(&m, "badto");
	start_puppet(&a, "a", 10, other_cpu());
	check_eq(perform(&a, lock, &m), 0);
	attach_fifo(10);
	check_errno(oob_ioctl(m.monitor.efd, EVL_MONIOC_ENTER, &ts), EINVAL);
	ts.nsec = -1;
	check_errno(oob_ioctl(m.monitor.efd, EVL_MONIOC_ENTER, &ts), EINVAL);
	check_errno(oob_ioctl(m.monitor.efd, EVL_MONIOC_ENTER, NULL), EFAULT);
	ts.sec = 0, ts.nsec = 1;
	check_errno(oob_ioctl(m.monitor.efd, EVL_MONIOC_ENTER, &ts), ETIMEDOUT);
	check_errno(oob_ioctl(m.monitor.efd, EVL_MONIOC_TRYENTER, NULL), EBUSY);
	check_errno(oob_ioctl(m.monitor.efd, EVL_MONIOC_EXIT, NULL), EPERM);
	check_errno(ioctl(m.monitor.efd, EVL_MONIOC_EXIT, NULL), EINVAL);
	evl_switch_inband();
	check_eq(perform(&a, unlock, &m), 0);
	end_puppet(&a);
}

static struct timespec real_date;

static int lock_until(struct puppet *p)
{
	return evl_timedlock_mutex(p->arg, &real_date);
}

static void follows_its_clock(void)
{
	struct evl_mutex m;
	struct puppet a, b;
	int64_t ns;

	check_ok(evl_init());
	check_ok(evl_create_mutex(&m, EVL_CLOCK_REALTIME, 0, EVL_MUTEX_NORMAL, "real:%d", getpid()));
	start_puppet(&a, "a", 10, 0);
	start_puppet(&b, "b", 10, other_cpu());
	check_eq(perform(&a, lock, &m), 0);
	real_date = ns_ts(now_on(EVL_CLOCK_REALTIME) - NSEC_PER_SEC);
	check_eq(perform(&b, lock_until, &m), -ETIMEDOUT);
	ns = now_on(EVL_CLOCK_REALTIME) + 20 * NSEC_PER_MSEC;
	real_date = ns_ts(ns);
	check_eq(perform(&b, lock_until, &m), -ETIMEDOUT);
	check_reached(now_on(EVL_CLOCK_REALTIME), ns);
	/* Zero means no limit there, too. */
	real_date = (struct timespec){ 0 };
	begin_wait(&b, lock_until, &m);
	check_eq(perform(&a, unlock, &m), 0);
	check_eq(result(&b), 0);
	check_eq(perform(&b, unlock, &m), 0);
	end_puppet(&a);
	end_puppet(&b);
}

/* --- Inheritance ----------------------------------------------------------------------- */

static void inherits(void)
{
	struct puppet low, mid, high;
	struct evl_mutex m;

	new_mutex(&m, "pi");
	start_puppet(&low, "low", 5, 0);
	start_puppet(&mid, "mid", 20, other_cpu());
	start_puppet(&high, "high", 50, other_cpu());

	check_eq(perform(&low, lock, &m), 0);
	check_eq(prio_of(&low), 5);
	begin_wait(&mid, lock, &m);
	check_eq(prio_of(&low), 20);
	check(is_boosted(&low));
	begin_wait(&high, lock, &m);
	check_eq(prio_of(&low), 50);
	/* Base parameters are those there were. */
	check_eq(attrs_of(low.w.efd).sched_priority, 5);

	check_eq(perform(&low, unlock, &m), 0);
	check_eq(result(&high), 0);
	check_eq(prio_of(&low), 5);
	check(!is_boosted(&low));
	check_eq(perform(&high, unlock, &m), 0);
	check_eq(result(&mid), 0);
	check_eq(perform(&mid, unlock, &m), 0);
	end_puppet(&low);
	end_puppet(&mid);
	end_puppet(&high);
}

static void gives_back(void)
{
	struct puppet low, high;
	struct evl_mutex m;

	new_mutex(&m, "back");
	start_puppet(&low, "low", 5, 0);
	start_puppet(&high, "high", 50, other_cpu());
	check_eq(perform(&low, lock, &m), 0);
	begin(&high, lock_50ms, &m);
	await(prio_of(&low) == 50 || !atomic_load(&high.busy));
	check_eq(result(&high), -ETIMEDOUT);
	check_eq(prio_of(&low), 5);
	check(!is_boosted(&low));
	check_eq(perform(&low, unlock, &m), 0);
	end_puppet(&low);
	end_puppet(&high);
}

static void follows_policy(void)
{
	struct puppet low, a, b;
	struct evl_mutex m;

	new_mutex(&m, "follow");
	start_puppet(&low, "low", 5, 0);
	start_puppet(&a, "a", 10, other_cpu());
	start_puppet(&b, "b", 20, other_cpu());
	check_eq(perform(&low, lock, &m), 0);
	begin_wait(&a, lock, &m);
	begin_wait(&b, lock, &m);
	check_eq(prio_of(&low), 20);
	check_ok(set_fifo(a.w.efd, 30));
	check_eq(prio_of(&low), 30);
	check_ok(set_fifo(low.w.efd, 40));
	check_eq(prio_of(&low), 40);
	check(!is_boosted(&low));
	check_ok(set_fifo(low.w.efd, 3));
	check_eq(prio_of(&low), 30);
	check(is_boosted(&low));
	/* The first in line changed, too. */
	check_eq(perform(&low, unlock, &m), 0);
	check_eq(prio_of(&low), 3);
	check_eq(result(&a), 0);
	check(atomic_load(&b.busy));
	check_eq(perform(&a, unlock, &m), 0);
	check_eq(result(&b), 0);
	check_eq(perform(&b, unlock, &m), 0);
	end_puppet(&low);
	end_puppet(&a);
	end_puppet(&b);
}

static int lock_2s(struct puppet *p)
{
	struct timespec date = ns_ts(now() + 2 * NSEC_PER_SEC);

	return evl_timedlock_mutex(p->arg, &date);
}

/* Each of DEPTH threads holds a mutex, and waits for that of the one before. */
#define DEPTH	200

static void boosts_chain(void)
{
	static struct puppet p[DEPTH], last;
	static struct evl_mutex m[DEPTH];
	char name[16];

	for (int i = 0; i < DEPTH; i++) {
		snprintf(name, sizeof(name), "chain%d", i);
		new_mutex(&m[i], name);
		launch_puppet(&p[i], name, 1 + i % 3, i & other_cpu());
	}
	start_puppet(&last, "last", 90, 0);
	for (int i = 0; i < DEPTH; i++) {
		finish_act(&p[i]);
		check_eq(perform(&p[i], lock, &m[i]), 0);
		if (i)
			begin_wait(&p[i], lock, &m[i - 1]);
	}
	check_eq(prio_of(&p[0]), 3);

	begin(&last, lock_2s, &m[DEPTH - 1]);
	await(prio_of(&p[0]) == 90 || !atomic_load(&last.busy));
	for (int i = 0; i < DEPTH; i++)
		check_eq(prio_of(&p[i]), 90);
	check_eq(result(&last), -ETIMEDOUT);
	/* Somebody is on the way to the end of it, if not there already. */
	await(prio_of(&p[0]) == 3);
	check_eq(prio_of(&p[DEPTH - 1]), 1 + (DEPTH - 1) % 3);

	/* The first one would close the loop. */
	check_eq(perform(&p[0], lock, &m[DEPTH - 1]), -EDEADLK);
	check_eq(prio_of(&p[DEPTH - 1]), 1 + (DEPTH - 1) % 3);

	check_eq(perform(&p[0], unlock, &m[0]), 0);
	for (int i = 1; i < DEPTH; i++) {
		check_eq(result(&p[i]), 0);
		check_eq(perform(&p[i], unlock, &m[i - 1]), 0);
		check_eq(perform(&p[i], unlock, &m[i]), 0);
	}
	for (int i = 0; i < DEPTH; i++) {
		check_eq(prio_of(&p[i]), 1 + i % 3);
		end_puppet(&p[i]);
		check_ok(evl_close_mutex(&m[i]));
	}
	end_puppet(&last);
}

static void detects_deadlock(void)
{
	struct puppet a, b;
	struct evl_mutex ma, mb;

	new_mutex(&ma, "ma");
	new_mutex(&mb, "mb");
	start_puppet(&a, "a", 10, 0);
	start_puppet(&b, "b", 20, other_cpu());
	check_eq(perform(&a, lock, &ma), 0);
	check_eq(perform(&b, lock, &mb), 0);
	begin_wait(&a, lock, &mb);
	check_eq(perform(&b, lock, &ma), -EDEADLK);
	check_eq(perform(&b, try_lock, &ma), -EAGAIN);
	check_eq(prio_of(&a), 10);
	check_eq(perform(&b, unlock, &mb), 0);
	check_eq(result(&a), 0);
	check_eq(perform(&a, unlock, &mb), 0);
	check_eq(perform(&a, unlock, &ma), 0);
	end_puppet(&a);
	end_puppet(&b);
}

static atomic_bool enough;
static struct evl_mutex inner, outer;

/* One who is about to close a loop, again and again. */
static int keep_closing_loop(struct puppet *p)
{
	long tries = 0;

	(void)p;
	while (!atomic_load(&enough)) {
		check_eq(evl_lock_mutex(&outer), -EDEADLK);
		tries++;
		/* Linux wants its share of the CPU. */
		check_ok(evl_usleep(20));
	}
	return tries > 0 ? 0 : -EAGAIN;
}

static int wait_for_inner(struct puppet *p)
{
	struct timespec date;

	(void)p;
	for (int n = 0; n < 1000; n++) {
		date = ns_ts(now() + NSEC_PER_MSEC);
		check_eq(evl_timedlock_mutex(&inner, &date), -ETIMEDOUT);
	}
	return 0;
}

static void deadlock_of_others(void)
{
	struct puppet x, y, a;

	check_ok(evl_init());
	check_ok(evl_new_mutex(&inner, "inner:%d", getpid()));
	check_ok(evl_new_mutex(&outer, "outer:%d", getpid()));
	start_puppet(&x, "x", 10, 0);
	start_puppet(&y, "y", 10, 0);
	start_puppet(&a, "a", 10, other_cpu());
	check_eq(perform(&x, lock, &inner), 0);
	check_eq(perform(&y, lock, &outer), 0);
	begin_wait(&y, lock, &inner);
	begin(&x, keep_closing_loop, NULL);
	check_eq(perform(&a, wait_for_inner, NULL), 0);
	atomic_store(&enough, true);
	check_eq(result(&x), 0);
	check_eq(perform(&x, unlock, &inner), 0);
	check_eq(result(&y), 0);
	check_eq(perform(&y, unlock, &inner), 0);
	check_eq(perform(&y, unlock, &outer), 0);
	end_puppet(&x);
	end_puppet(&y);
	end_puppet(&a);
}

/* --- Ceilings ------------------------------------------------------------------------------ */

static void applies_ceiling(void)
{
	struct evl_mutex m;
	struct puppet a;

	check_ok(evl_init());
	check_eq(evl_create_mutex(&m, EVL_CLOCK_MONOTONIC, 100, 0, "pp:%d", getpid()), -EINVAL);
	new_ceiling_mutex(&m, 60, "pp");
	check_eq(evl_get_mutex_ceiling(&m), 60);
	start_puppet(&a, "a", 10, other_cpu());
	/* From the in-band stage, by a request. */
	check_eq(perform(&a, lock, &m), 0);
	check_eq(prio_of(&a), 60);
	check(owner_word(&m) & EVL_MUTEX_FLCEIL);
	check_eq(perform(&a, unlock, &m), 0);
	check_eq(prio_of(&a), 10);
	check_ok(evl_set_mutex_ceiling(&m, 70));
	check_eq(perform(&a, lock, &m), 0);
	check_eq(prio_of(&a), 70);
	check_eq(perform(&a, unlock, &m), 0);
	end_puppet(&a);
}

static int lock_lazily(struct puppet *p)
{
	struct evl_mutex *m = p->arg;
	int ret;

	check_ok(evl_switch_oob());
	ret = evl_lock_mutex(m);
	if (ret)
		return ret;
	check_eq(evl_get_index(owner_word(m)), owner_word(m));
	evl_usleep(300000);
	check_eq(__evl_hl_self()->window->pp_pending, 0);
	return evl_unlock_mutex(m);
}

static void applies_ceiling_lazily(void)
{
	struct evl_mutex m;
	struct puppet a;

	new_ceiling_mutex(&m, 60, "lazy");
	start_puppet(&a, "a", 10, other_cpu());
	begin(&a, lock_lazily, &m);
	/* The word tells first. */
	await(prio_of(&a) == 60 || !atomic_load(&a.busy));
	check(owner_word(&m) & EVL_MUTEX_FLCEIL);
	check_eq(result(&a), 0);
	check_eq(prio_of(&a), 10);
	end_puppet(&a);
}

static atomic_int phase;

/* As evl_lock_mutex() does, interrupted between the two steps. */
static int lock_in_two_steps(struct puppet *p)
{
	struct evl_mutex *m = p->arg;
	struct __evl_hl_thread *self = __evl_hl_self();
	__u32 nobody = 0;

	check_ok(evl_switch_oob());
	__atomic_store_n(&self->window->pp_pending, m->monitor.fundle, __ATOMIC_SEQ_CST);
	check_ok(evl_yield());
	atomic_store(&phase, 1);
	while (atomic_load(&phase) != 2)
		;
	check(__atomic_compare_exchange_n(&m->monitor.state->u.gate.owner, &nobody, self->handle, false,
					  __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST));
	m->monitor.state->u.gate.nesting = 1;
	check_ok(evl_yield());
	return state_of(p->w.efd).eattrs.sched_priority;
}

static void keeps_pending_ceiling(void)
{
	struct puppet a, b;
	struct evl_mutex m;

	new_ceiling_mutex(&m, 60, "pending");
	start_puppet(&a, "a", 10, 0);
	start_puppet(&b, "b", 20, other_cpu());
	pin_to(other_cpu());
	for (int taken = 0; taken < 2; taken++) {
		atomic_store(&phase, 0);
		if (taken)
			check_eq(perform(&b, lock, &m), 0);
		begin(&a, lock_in_two_steps, &m);
		await(atomic_load(&phase) == 1);
		if (taken)
			check_eq(perform(&b, unlock, &m), 0);
		atomic_store(&phase, 2);
		check_eq(result(&a), 60);
		check_eq(perform(&a, unlock, &m), 0);
		check_eq(prio_of(&a), 10);
	}
	end_puppet(&a);
	end_puppet(&b);
}

static int get_weak(struct puppet *p)
{
	struct evl_sched_attrs attrs = { .sched_policy = SCHED_WEAK };

	return evl_set_schedattr(p->w.efd, &attrs);
}

static int lock_and_see(struct puppet *p)
{
	int ret = evl_lock_mutex(p->arg);

	if (ret)
		return ret;
	check(!evl_is_inband());
	ret = evl_unlock_mutex(p->arg);
	check(evl_is_inband());
	return ret;
}

static void keeps_weak_oob(void)
{
	struct evl_mutex pi, pp;
	struct puppet a;

	new_mutex(&pi, "wpi");
	new_ceiling_mutex(&pp, 60, "wpp");
	start_puppet(&a, "a", 10, other_cpu());
	check_eq(perform(&a, get_weak, NULL), 0);
	check_eq(perform(&a, lock_and_see, &pi), 0);
	check_eq(perform(&a, lock_and_see, &pp), 0);
	check_eq(perform(&a, lock, &pp), 0);
	check_eq(state_of(a.w.efd).eattrs.sched_policy, SCHED_FIFO);
	check_eq(prio_of(&a), 60);
	check_eq(perform(&a, unlock, &pp), 0);
	check_eq(state_of(a.w.efd).eattrs.sched_policy, SCHED_WEAK);
	check_eq(prio_of(&a), 0);
	end_puppet(&a);
}

/* --- Ends ------------------------------------------------------------------------------------- */

/* Cancelled in line, or with the mutex just received, it would leave it locked for good. */
static void lock_once(struct worker *w)
{
	attach_worker(w);
	w->result = evl_lock_mutex(w->arg) ?: evl_unlock_mutex(w->arg);
	pthread_testcancel();
	w->result = -EINVAL;
}

static void is_no_cancellation_point(void)
{
	struct worker w = { .body = lock_once, .name = "w", .prio = 10, .cpu = other_cpu(), .result = 1 };
	struct puppet a;
	struct evl_mutex m;
	void *ret;

	new_mutex(&m, "held");
	start_puppet(&a, "a", 5, 0);
	check_eq(perform(&a, lock, &m), 0);
	w.arg = &m;
	start_worker(&w);
	await(worker_sleeps(&w));
	check_eq(pthread_cancel(w.thread), 0);
	nap();
	check_eq(perform(&a, unlock, &m), 0);
	check_eq(pthread_join(w.thread, &ret), 0);
	check(ret == PTHREAD_CANCELED);
	check_eq(w.result, 0);
	check_eq(owner_word(&m), 0);
	end_puppet(&a);
}

static void closes_under_waiters(void)
{
	struct evl_mutex m;
	struct puppet a, b;

	new_mutex(&m, "shut");
	start_puppet(&a, "a", 10, 0);
	start_puppet(&b, "b", 20, other_cpu());
	check_eq(perform(&a, lock, &m), 0);
	begin_wait(&b, lock, &m);
	check_ok(close(m.monitor.efd));
	check_eq(result(&b), -EIDRM);
	check_eq(prio_of(&a), 10);
	check_eq(perform(&a, unlock, &m), -EBADF);
	end_puppet(&a);
	end_puppet(&b);
}

/* Each has a file of its own; the last one closed does not matter to the other. */
static void open_and_close(void *arg)
{
	struct evl_mutex m;

	(void)arg;
	attach_fifo(5);
	for (int i = 0; i < 300; i++) {
		check_ok(evl_open_mutex(&m, "/reopened"));
		/* By a request. */
		if (oob_ioctl(m.monitor.efd, EVL_MONIOC_TRYENTER, NULL))
			check_eq(errno, EBUSY);
		if (evl_get_index(owner_word(&m)) == __evl_hl_self()->handle)
			check_sys(oob_ioctl(m.monitor.efd, EVL_MONIOC_EXIT, NULL));
		check_ok(evl_close_mutex(&m));
	}
	_exit(0);
}

static int detach(struct puppet *p)
{
	(void)p;
	return evl_detach_self();
}

static void releases_on_detach(void)
{
	struct evl_mutex m, untracked;
	struct puppet a, b;

	new_mutex(&m, "left");
	new_mutex(&untracked, "lost");
	start_puppet(&a, "a", 10, 0);
	start_puppet(&b, "b", 20, other_cpu());
	check_eq(perform(&a, lock, &m), 0);
	begin_wait(&b, lock, &m);
	check_eq(perform(&a, detach, NULL), 0);
	check_eq(result(&b), 0);
	check_eq(perform(&b, unlock, &m), 0);
	check_eq(owner_word(&m), 0);

	/* Handed over by the core, and wanted by nobody any more. */
	end_puppet(&a);
	start_puppet(&a, "again", 10, 0);
	check_eq(perform(&b, lock, &m), 0);
	begin_wait(&a, lock, &m);
	check_eq(perform(&b, unlock, &m), 0);
	check_eq(result(&a), 0);
	check_eq(perform(&a, detach, NULL), 0);
	check_eq(perform(&b, lock, &m), 0);
	check_eq(perform(&b, unlock, &m), 0);

	/* Dropped without the core, then taken by somebody else. */
	end_puppet(&a);
	start_puppet(&a, "once more", 10, 0);
	check_eq(perform(&b, lock, &m), 0);
	begin_wait(&a, lock, &m);
	check_eq(perform(&b, unlock, &m), 0);
	check_eq(result(&a), 0);
	check_eq(perform(&a, unlock, &m), 0);
	m.monitor.state->u.gate.owner = 0x3fff;
	check_eq(perform(&a, detach, NULL), 0);
	check_eq(owner_word(&m), 0x3fff);

	/* One which the core never heard of. */
	untracked.monitor.state->u.gate.owner = 0x3fff;
	check_eq(perform(&b, lock, &untracked), -EOWNERDEAD);
	check_eq(owner_word(&untracked), 0x80003fff);
	end_puppet(&a);
	end_puppet(&b);
}

static void opens_while_others_close(void)
{
	struct evl_clone_req req = { 0 };
	struct evl_monitor_attrs attrs = { 0 };
	pid_t pid[2];
	int clonefd;

	check_ok(evl_init());
	/* Kept by its clone descriptor, with no file of its own. */
	attrs.clockfd = (__u32)EVL_CLOCK_MONOTONIC;
	attrs.type = EVL_MONITOR_GATE & 3;
	attrs.protocol = EVL_GATE_PI;
	req.name_ptr = (uintptr_t)"reopened";
	req.attrs_ptr = (uintptr_t)&attrs;
	req.clone_flags = EVL_CLONE_PUBLIC;
	clonefd = check_sys(open("/dev/evl/monitor/clone", O_RDWR));
	check_sys(ioctl(clonefd, EVL_IOC_CLONE, &req));
	for (int i = 0; i < 2; i++)
		pid[i] = fork_child(open_and_close, NULL);
	for (int i = 0; i < 2; i++)
		wait_success(pid[i]);
	close(clonefd);
}

static void hold_public(void *arg)
{
	struct evl_mutex m;

	(void)arg;
	attach_fifo(5);
	check_ok(evl_open_mutex(&m, "/shared"));
	check_eq(evl_lock_mutex(&m), 0);
	for (;;)
		pause();
}

static void releases_on_kill(void)
{
	struct evl_mutex m;
	struct puppet b;
	pid_t pid;

	check_ok(evl_init());
	check_ok(evl_create_mutex(&m, EVL_CLOCK_MONOTONIC, 0, EVL_CLONE_PUBLIC, "/shared"));
	start_puppet(&b, "b", 20, other_cpu());
	for (int i = 0; i < 5; i++) {
		pid = fork_child(hold_public, NULL);
		await(owner_word(&m));
		begin_wait(&b, lock, &m);
		kill(pid, SIGKILL);
		/* Its descriptor of the mutex goes before or after it does. */
		if (result(&b) == -EIDRM)
			check_eq(perform(&b, lock, &m), 0);
		check_eq(perform(&b, unlock, &m), 0);
		wait_signal(pid, SIGKILL);
	}
	end_puppet(&b);
}

/* --- Hostile words ---------------------------------------------------------------------------- */

static atomic_bool stop;

static int lock_often(struct puppet *p)
{
	struct evl_mutex *m = p->arg;
	struct timespec date;

	while (!atomic_load(&stop)) {
		date = ns_ts(now() + NSEC_PER_MSEC);
		if (evl_timedlock_mutex(m, &date) == 0)
			evl_unlock_mutex(m);
		/* With such words, most calls return at once. */
		evl_usleep(200);
	}
	return 0;
}

static void survives_scribbling(void)
{
	struct puppet p[4];
	struct evl_mutex m[2];
	__u32 word;
	int64_t end;

	new_mutex(&m[0], "scr0");
	new_ceiling_mutex(&m[1], 40, "scr1");
	for (int i = 0; i < 4; i++) {
		char name[8] = { 's', '0' + i };

		start_puppet(&p[i], name, 10 + i, i & other_cpu());
	}
	for (int i = 0; i < 4; i++)
		begin(&p[i], lock_often, &m[i & 1]);
	for (end = now() + 5 * NSEC_PER_SEC; now() < end; nap()) {
		word = rand();
		if (word & 0x10)
			word &= 0xc000000f;
		m[word & 1].monitor.state->u.gate.owner = word;
		m[~word & 1].monitor.state->flags = word >> 3;
		m[1].monitor.state->u.gate.ceiling = word >> 1;
	}
	atomic_store(&stop, true);
	m[0].monitor.state->u.gate.owner = 0;
	m[1].monitor.state->u.gate.owner = 0;
	for (int i = 0; i < 4; i++) {
		check_eq(result(&p[i]), 0);
		end_puppet(&p[i]);
	}
}

/* --- Health ----------------------------------------------------------------------------------------- */

/* One bit for each code: reports may come together. */
static atomic_uint diags;

static void note_diag(int sig, siginfo_t *si, void *ctx)
{
	(void)sig;
	(void)ctx;
	if (sigdebug_marked(si))
		atomic_fetch_or(&diags, 1U << sigdebug_cause(si));
}

static bool was_told(int code)
{
	return atomic_fetch_and(&diags, ~(1U << code)) & (1U << code);
}

static int watch_locks(struct puppet *p)
{
	int ret = evl_set_thread_mode(p->w.efd, EVL_T_WOLI, NULL);

	/* What user space sees of it is as of the last request. */
	return ret ?: evl_switch_oob();
}

static int go_inband(struct puppet *p)
{
	(void)p;
	check_ok(evl_switch_oob());
	return evl_switch_inband();
}

static int sleep_on_sem(struct puppet *p)
{
	struct timespec date = ns_ts(now() + NSEC_PER_MSEC);

	return evl_timedget_sem(p->arg, &date);
}

static void reports_inconsistencies(void)
{
	struct sigaction sa = { .sa_sigaction = note_diag, .sa_flags = SA_SIGINFO | SA_RESTART };
	struct evl_mutex m;
	struct puppet a, b;
	struct evl_sem s;

	check_sys(sigaction(SIGDEBUG, &sa, NULL));
	new_mutex(&m, "health");
	start_puppet(&a, "a", 10, 0);
	start_puppet(&b, "b", 20, other_cpu());

	/* Unlocking what is not ours. */
	check_eq(perform(&a, watch_locks, NULL), 0);
	check_eq(perform(&a, unlock, &m), -EPERM);
	await(was_told(EVL_HMDIAG_LKIMBALANCE));

	/* Sleeping on something else with a mutex. */
	check_ok(evl_new_sem(&s, "healthsem:%d", getpid()));
	check_eq(perform(&a, lock, &m), 0);
	check_eq(perform(&a, sleep_on_sem, &s), -ETIMEDOUT);
	await(was_told(EVL_HMDIAG_LKSLEEP));

	/* In-band with a mutex, which is nobody else's business as long as nobody waits. */
	perform(&a, go_inband, NULL);
	check(!was_told(EVL_HMDIAG_LKDEPEND));
	check_eq(perform(&a, unlock, &m), 0);
	check_eq(perform(&a, lock, &m), 0);
	begin_wait(&b, lock, &m);
	perform(&a, go_inband, NULL);
	await(was_told(EVL_HMDIAG_LKDEPEND));
	check_eq(perform(&a, unlock, &m), 0);
	check_eq(result(&b), 0);
	check_eq(perform(&b, unlock, &m), 0);

	/* Waiting for an owner which is. */
	check_eq(perform(&a, lock, &m), 0);
	perform(&a, go_inband, NULL);
	check_eq(perform(&b, watch_locks, NULL), 0);
	begin_wait(&b, lock, &m);
	check_eq(perform(&a, unlock, &m), 0);
	check_eq(result(&b), 0);
	await(was_told(EVL_HMDIAG_LKDEPEND));
	check_eq(perform(&b, unlock, &m), 0);
	end_puppet(&a);
	end_puppet(&b);
}

static const struct CMUnitTest tests[] = {
	TEST(locks, "lock, trylock and unlock, also when there is nothing to unlock"),
	TEST(nests, "a recursive mutex is free after as many unlocks"),
	TEST(free_of_requests, "an uncontended mutex costs no request"),
	TEST(excludes, "one owner at a time"),
	TEST(bad_timeouts, "wrong dates and pointers are refused"),
	TEST(follows_its_clock, "dates are those of the clock which the mutex was made for"),
	TEST(inherits, "the owner runs at the priority of its first waiter"),
	TEST(gives_back, "a waiter which gives up takes its priority back"),
	TEST(follows_policy, "boosts and the order of waiters follow new priorities"),
	TEST(boosts_chain, "a boost reaches the end of a long chain, and a loop is found"),
	TEST(detects_deadlock, "a deadlock is an error"),
	TEST(deadlock_of_others, "for those who are part of it, and nobody else"),
	TEST(applies_ceiling, "the owner runs at the ceiling"),
	TEST(applies_ceiling_lazily, "a ceiling taken without a request is applied on the way to sleep"),
	TEST(keeps_pending_ceiling, "a ceiling is not lost by who is interrupted on the way to take the mutex"),
	TEST(keeps_weak_oob, "a weak thread stays out-of-band as long as it holds a mutex"),
	TEST(is_no_cancellation_point, "a thread cancelled while it waits for a mutex gets it first"),
	TEST(closes_under_waiters, "closing sends waiters away"),
	TEST(opens_while_others_close, "a mutex just opened is not the worse for the last one who closed it"),
	TEST(releases_on_detach, "a thread which detaches leaves its mutexes"),
	TEST(releases_on_kill, "a thread which is killed leaves its mutexes"),
	TEST(survives_scribbling, "shared words may hold anything"),
	TEST(reports_inconsistencies, "who asked for it is told about lock inconsistencies"),
};

TEST_MAIN("mutex", tests)
