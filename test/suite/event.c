// SPDX-License-Identifier: GPL-2.0-only
/* Events used along with a mutex: signals, broadcasts, targets, and the ends of waits; and the requests of monitors. */
#include "puppet.h"
#include <evl/event.h>
#include <evl/flags.h>
#include <evl/sem.h>

struct cond {
	struct evl_mutex mutex;
	struct evl_event event;
	int count;		/* units made, not taken yet */
	atomic_int taken;
	int64_t date;		/* 0 for no limit */
};

static void new_cond(struct cond *c)
{
	memset(c, 0, sizeof(*c));
	new_mutex(&c->mutex, "cm");
	check_ok(evl_new_event(&c->event, "ce:%d", getpid()));
}

static bool watched(struct cond *c)
{
	return c->event.monitor.state->u.event.gate_offset != EVL_MONITOR_NOGATE;
}

/* One wait, whatever it is worth, with the mutex held before and after. */
static int wait_once(struct puppet *p)
{
	struct cond *c = p->arg;
	struct timespec date = ns_ts(c->date);
	int ret, unlocked;

	ret = evl_lock_mutex(&c->mutex);
	if (ret)
		return ret;
	ret = c->date ? evl_timedwait_event(&c->event, &c->mutex, &date) :
		evl_wait_event(&c->event, &c->mutex);
	unlocked = evl_unlock_mutex(&c->mutex);

	return ret == -EIDRM ? ret : unlocked ? unlocked : ret;
}

static int signal_once(struct puppet *p)
{
	struct cond *c = p->arg;

	check_eq(evl_lock_mutex(&c->mutex), 0);
	check_eq(evl_signal_event(&c->event), 0);
	return evl_unlock_mutex(&c->mutex);
}

static int broadcast_once(struct puppet *p)
{
	struct cond *c = p->arg;

	check_eq(evl_lock_mutex(&c->mutex), 0);
	check_eq(evl_broadcast_event(&c->event), 0);
	return evl_unlock_mutex(&c->mutex);
}

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

static int wait_elsewhere(struct puppet *p)
{
	struct cond *c = p->arg;
	struct evl_mutex other;
	int ret;

	check_ok(evl_new_mutex(&other, "other:%d", getpid()));
	check_eq(evl_lock_mutex(&other), 0);
	ret = evl_wait_event(&c->event, &other);
	check_eq(evl_unlock_mutex(&other), 0);
	check_ok(evl_close_mutex(&other));
	return ret;
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

static void outlasts_signals(void)
{
	struct sigaction sa = { .sa_handler = count_signal };
	struct puppet a, s;
	struct cond c;

	new_cond(&c);
	check_sys(sigaction(SIGUSR1, &sa, NULL));
	start_puppet(&s, "s", 5, 0);
	start_puppet(&a, "a", 10, other_cpu());
	begin_wait(&a, wait_once, &c);
	for (int i = 1; i <= 5; i++) {
		check_eq(pthread_kill(a.w.thread, SIGUSR1), 0);
		await(atomic_load(&signal_count) == i);
		await(worker_sleeps(&a.w));
	}
	check_eq(perform(&s, signal_once, &c), 0);
	check_eq(result(&a), 0);
	end_puppet(&a);
	end_puppet(&s);
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

/* --- Requests, by hand ---------------------------------------------------------------- */

static const struct __evl_timespec no_limit;
static const struct __evl_timespec long_ago = { .tv_nsec = 1 };

#define NO_STATUS	0x5555
#define NO_VALUE	0x7777

static int request_wait(unsigned int cmd, struct evl_monitor_waitreq *req, int fd, int gatefd,
			const struct __evl_timespec *date)
{
	*req = (struct evl_monitor_waitreq){
		.timeout_ptr = (uintptr_t)date,
		.gatefd = gatefd,
		.status = NO_STATUS,
		.value = NO_VALUE,
	};
	return oob_ioctl(fd, cmd, req) ? -errno : 0;
}

static const unsigned int waits[] = { EVL_MONIOC_WAIT, EVL_MONIOC_WAIT_EXACT };

/* A wait in either way, which comes to an end at once and leaves the value alone. */
#define check_waits(__fd, __gatefd, __date, __ret, __status)				\
	do {										\
		struct evl_monitor_waitreq __req;					\
		for (unsigned int __i = 0; __i < ARRAY_SIZE(waits); __i++) {		\
			check_eq(request_wait(waits[__i], &__req, __fd, __gatefd, __date), __ret); \
			check_eq(__req.status, __status);				\
			check_eq(__req.value, NO_VALUE);				\
		}									\
	} while (0)

struct zoo {
	struct evl_mutex gate;
	struct evl_event event;
	struct evl_sem sem;
	struct evl_flags flags;
	int gatefd, eventfd, semfd, flagsfd;
	int pipefds[2];
};

static void new_zoo(struct zoo *z)
{
	new_mutex(&z->gate, "zg");
	z->gatefd = z->gate.monitor.efd;
	z->eventfd = check_ok(evl_new_event(&z->event, "ze:%d", getpid()));
	z->semfd = check_ok(evl_new_sem(&z->sem, "zs:%d", getpid()));
	z->flagsfd = check_ok(evl_new_flags(&z->flags, "zf:%d", getpid()));
	check_sys(pipe(z->pipefds));
}

/* Somebody made a request which no library makes, or with something wrong in it. */
static void tells_what_is_wrong(void)
{
	static const struct __evl_timespec bad[] = { { 1, NSEC_PER_SEC }, { 0, -1 }, { -1, 0 } };
	struct evl_monitor_waitreq req;
	struct zoo z;

	new_zoo(&z);
	attach_fifo(10);
	check_waits(z.gatefd, -1, &long_ago, 0, -EINVAL);
	check_waits(z.gatefd, z.gatefd, &long_ago, 0, -EINVAL);
	check_waits(z.eventfd, -1, &long_ago, -EINVAL, -EINVAL);
	check_waits(z.eventfd, 999, &long_ago, 0, -EINVAL);
	check_waits(z.eventfd, z.pipefds[0], &long_ago, 0, -EINVAL);
	check_waits(z.eventfd, z.semfd, &long_ago, 0, -EINVAL);
	check_waits(z.eventfd, z.eventfd, &long_ago, 0, -EINVAL);
	check_waits(z.eventfd, z.gatefd, &long_ago, 0, -EPERM);
	check_waits(z.semfd, z.gatefd, &long_ago, 0, -EINVAL);
	check_waits(z.flagsfd, z.gatefd, &long_ago, 0, -EINVAL);
	/* With a date or without, on the wrong kind of monitor. */
	check_waits(z.semfd, z.gatefd, &no_limit, 0, -EINVAL);

	for (unsigned int i = 0; i < ARRAY_SIZE(bad); i++) {
		check_eq(request_wait(EVL_MONIOC_WAIT, &req, z.semfd, -1, &bad[i]), -EINVAL);
		check_eq(request_wait(EVL_MONIOC_WAIT, &req, z.eventfd, z.gatefd, &bad[i]), -EINVAL);
	}
	check_eq(request_wait(EVL_MONIOC_WAIT, &req, z.semfd, -1, NULL), -EFAULT);
	check_eq(request_wait(EVL_MONIOC_WAIT, &req, z.semfd, -1, bad_address(8)), -EFAULT);
	check_errno(oob_ioctl(z.semfd, EVL_MONIOC_WAIT, NULL), EFAULT);
	check_errno(oob_ioctl(z.semfd, EVL_MONIOC_WAIT, bad_address(8)), EFAULT);
	check(!evl_is_inband());
}

/* Without a gate, the status is what the request comes to. */
static void waits_without_a_gate(void)
{
	struct evl_monitor_waitreq req;
	__s32 bits = 0x30;
	struct zoo z;

	new_zoo(&z);
	attach_fifo(10);
	check_waits(z.semfd, -1, &long_ago, -ETIMEDOUT, -ETIMEDOUT);
	check_waits(z.flagsfd, -1, &long_ago, -ETIMEDOUT, -ETIMEDOUT);
	set_nonblocking(z.semfd, true);
	set_nonblocking(z.flagsfd, true);
	check(!evl_switch_oob());
	check_waits(z.semfd, -1, &no_limit, -EAGAIN, -EAGAIN);
	check_waits(z.flagsfd, -1, &no_limit, -EAGAIN, -EAGAIN);

	check_ok(evl_put_sem(&z.sem));
	check_eq(request_wait(EVL_MONIOC_WAIT, &req, z.semfd, -1, &no_limit), 0);
	check_eq(req.status, 0);
	check_eq(oob_ioctl(z.flagsfd, EVL_MONIOC_SIGNAL, &bits), 0);
	check_eq(request_wait(EVL_MONIOC_WAIT_EXACT, &req, z.flagsfd, -1, &no_limit), -EAGAIN);
	check_eq(request_wait(EVL_MONIOC_WAIT, &req, z.flagsfd, -1, &no_limit), 0);
	check_eq(req.status, 0);
	check_eq(req.value, NO_VALUE & 0x30);
}

static void serves_kinds(void)
{
	struct evl_monitor_trywaitreq try = { .value = 0 };
	struct evl_monitor_unwaitreq unwait;
	__s32 one = 1;
	struct zoo z;

	new_zoo(&z);
	attach_fifo(10);
	/* Neither a gate nor a gated event has a value. */
	for (int i = 0; i < 2; i++) {
		int fd = i ? z.eventfd : z.gatefd;

		check_errno(oob_ioctl(fd, EVL_MONIOC_SIGNAL, &one), EINVAL);
		check_errno(oob_ioctl(fd, EVL_MONIOC_BROADCAST, &one), EINVAL);
		check_errno(oob_ioctl(fd, EVL_MONIOC_TRYWAIT, &try), EINVAL);
		check_errno(oob_ioctl(fd, EVL_MONIOC_TRYWAIT_EXACT, &try), EINVAL);
	}
	/* Only a gate can be entered. */
	for (int i = 0; i < 3; i++) {
		int fd = i == 0 ? z.eventfd : i == 1 ? z.semfd : z.flagsfd;

		check_errno(oob_ioctl(fd, EVL_MONIOC_ENTER, &no_limit), EINVAL);
		check_errno(oob_ioctl(fd, EVL_MONIOC_TRYENTER, NULL), EINVAL);
		check_errno(oob_ioctl(fd, EVL_MONIOC_EXIT, NULL), EINVAL);
	}
	check_errno(oob_ioctl(z.gatefd, EVL_MONIOC_UNWAIT, &unwait), EINVAL);

	unwait.gatefd = 999;
	check_errno(oob_ioctl(z.eventfd, EVL_MONIOC_UNWAIT, &unwait), EINVAL);
	unwait.gatefd = z.pipefds[1];
	check_errno(oob_ioctl(z.eventfd, EVL_MONIOC_UNWAIT, &unwait), EINVAL);
	unwait.gatefd = z.semfd;
	check_errno(oob_ioctl(z.eventfd, EVL_MONIOC_UNWAIT, &unwait), EINVAL);
	check_errno(oob_ioctl(z.eventfd, EVL_MONIOC_UNWAIT, bad_address(8)), EFAULT);
	unwait.gatefd = z.gatefd;
	check_eq(oob_ioctl(z.eventfd, EVL_MONIOC_UNWAIT, &unwait), 0);
	check_eq(evl_get_index(owner_word(&z.gate)), __evl_hl_self()->handle);
	check_eq(oob_ioctl(z.gatefd, EVL_MONIOC_EXIT, NULL), 0);
	check_eq(owner_word(&z.gate), 0);

	check_errno(oob_ioctl(z.semfd, EVL_MONIOC_TRYWAIT, &try), EAGAIN);
	check_errno(oob_ioctl(z.flagsfd, EVL_MONIOC_TRYWAIT, &try), EAGAIN);
	check_eq(try.value, 0);
	check_errno(oob_ioctl(z.semfd, EVL_MONIOC_SIGNAL, bad_address(8)), EFAULT);
	check_errno(oob_ioctl(z.flagsfd, EVL_MONIOC_BROADCAST, bad_address(8)), EFAULT);
	check_errno(oob_ioctl(z.flagsfd, EVL_MONIOC_TRYWAIT, bad_address(8)), EFAULT);
	/* One unit, whatever is asked for; none for nothing. */
	one = 5;
	check_eq(oob_ioctl(z.semfd, EVL_MONIOC_SIGNAL, &one), 0);
	one = 0;
	check_eq(oob_ioctl(z.semfd, EVL_MONIOC_SIGNAL, &one), 0);
	check_eq(oob_ioctl(z.semfd, EVL_MONIOC_TRYWAIT_EXACT, &try), 0);
	check_errno(oob_ioctl(z.semfd, EVL_MONIOC_TRYWAIT, &try), EAGAIN);
	check(!evl_is_inband());
}

static void minds_stages(void)
{
	struct evl_monitor_unwaitreq unwait = { 0 };
	struct evl_monitor_trywaitreq try = { 0 };
	struct evl_monitor_binding bind;
	struct evl_monitor_waitreq req;
	__s32 one = 1;
	struct zoo z;

	new_zoo(&z);
	for (int i = 0; i < 4; i++) {
		int fd = (int[]){ z.gatefd, z.eventfd, z.semfd, z.flagsfd }[i];
		int code = i ? ENOTTY : EINVAL;

		check_errno(ioctl(fd, EVL_MONIOC_WAIT, &req), code);
		check_errno(ioctl(fd, EVL_MONIOC_WAIT_EXACT, &req), code);
		check_errno(ioctl(fd, EVL_MONIOC_UNWAIT, &unwait), code);
		check_errno(ioctl(fd, EVL_MONIOC_ENTER, &no_limit), code);
		check_errno(ioctl(fd, EVL_MONIOC_TRYENTER, NULL), code);
		check_errno(ioctl(fd, EVL_MONIOC_EXIT, NULL), code);
		check_errno(ioctl(fd, EVL_THRIOC_YIELD, NULL), ENOTTY);
	}
	/* Whoever is in-band may look after the value of an event. */
	check_eq(ioctl(z.semfd, EVL_MONIOC_SIGNAL, &one), 0);
	check_eq(ioctl(z.semfd, EVL_MONIOC_TRYWAIT, &try), 0);
	check_eq(ioctl(z.flagsfd, EVL_MONIOC_BROADCAST, &one), 0);
	try.value = 1;
	check_eq(ioctl(z.flagsfd, EVL_MONIOC_TRYWAIT_EXACT, &try), 0);
	check_eq(try.value, 1);

	attach_fifo(10);
	check_errno(oob_ioctl(z.gatefd, EVL_MONIOC_BIND, &bind), EINVAL);
	check_errno(oob_ioctl(z.eventfd, EVL_MONIOC_BIND, &bind), ENOTTY);
	check_errno(oob_ioctl(z.semfd, EVL_MONIOC_BIND, &bind), ENOTTY);
	check_errno(oob_ioctl(z.semfd, EVL_THRIOC_YIELD, NULL), ENOTTY);
	check(!evl_is_inband());
}

static void binds(void)
{
	static const struct evl_monitor_attrs kinds[] = {
		{ .clockfd = -1, .type = EVL_MONITOR_GATE, .protocol = EVL_GATE_PI },
		{ .clockfd = -1, .type = EVL_MONITOR_GATE, .protocol = EVL_GATE_PP, .initval = 10 },
		{ .clockfd = -1, .type = EVL_MONITOR_EVENT, .protocol = EVL_EVENT_GATED },
		{ .clockfd = -1, .type = EVL_MONITOR_EVENT, .protocol = EVL_EVENT_COUNT },
		{ .clockfd = -1, .type = EVL_MONITOR_EVENT, .protocol = EVL_EVENT_MASK },
	};
	struct evl_monitor_binding bind;
	struct evl_monitor_attrs attrs;
	struct evl_element_ids eids;
	int efd, other;

	check_ok(evl_init());
	for (unsigned int i = 0; i < ARRAY_SIZE(kinds); i++) {
		attrs = kinds[i];
		efd = check_ok(evl_create_element(EVL_MONITOR_DEV, "/bound", &attrs, 0, &eids));
		other = check_ok(evl_open_element(EVL_MONITOR_DEV, "bound"));
		for (int j = 0; j < 2; j++) {
			memset(&bind, 0xff, sizeof(bind));
			check_sys(ioctl(j ? other : efd, EVL_MONIOC_BIND, &bind));
			check_eq(bind.type, kinds[i].type);
			check_eq(bind.protocol, kinds[i].protocol);
			check_eq(bind.eids.minor, eids.minor);
			check_eq(bind.eids.fundle, eids.fundle);
			check_eq(bind.eids.state_offset, eids.state_offset);
		}
		check_errno(ioctl(efd, EVL_MONIOC_BIND, NULL), EFAULT);
		check_errno(ioctl(efd, EVL_MONIOC_BIND, bad_address(8)), EFAULT);
		check_sys(close(efd));
		check_sys(close(other));
	}
}

/* --- Waits, by hand ----------------------------------------------------------------------- */

struct by_hand {
	struct cond c;
	struct evl_monitor_waitreq req;
	const struct __evl_timespec *date;
	bool held;		/* once the request was through */
	int regained;		/* UNWAIT of one which was interrupted */
};

static bool holds(struct evl_mutex *m)
{
	return evl_get_index(owner_word(m)) == __evl_hl_self()->handle;
}

static int wait_by_hand(struct puppet *p)
{
	struct by_hand *h = p->arg;
	struct evl_mutex *m = &h->c.mutex;
	struct evl_monitor_unwaitreq unwait = { .gatefd = m->monitor.efd };
	int eventfd = h->c.event.monitor.efd, ret;

	check_eq(evl_lock_mutex(m), 0);
	ret = request_wait(EVL_MONIOC_WAIT, &h->req, eventfd, unwait.gatefd, h->date ?: &no_limit);
	h->held = holds(m);
	if (ret == -EINTR) {
		h->regained = oob_ioctl(eventfd, EVL_MONIOC_UNWAIT, &unwait) ? -errno : 0;
		check(holds(m));
	}
	if (ret != -EIDRM)
		check_eq(evl_unlock_mutex(m), 0);
	return ret;
}

#define check_by_hand(__ret, __want, __h, __status, __held)	\
	do {							\
		check_eq(__ret, __want);			\
		check_eq((__h)->req.status, __status);		\
		check_eq((__h)->req.value, NO_VALUE);		\
		check_eq((__h)->held, __held);			\
	} while (0)

static void new_by_hand(struct by_hand *h)
{
	memset(h, 0, sizeof(*h));
	new_cond(&h->c);
	h->regained = 1;
}

static void holds_the_gate_again(void)
{
	struct __evl_timespec date;
	struct puppet a, b, s;
	struct by_hand h;
	int64_t ns;

	new_by_hand(&h);
	start_puppet(&s, "s", 5, 0);
	start_puppet(&a, "a", 10, other_cpu());
	start_puppet(&b, "b", 10, other_cpu());

	begin_wait(&a, wait_by_hand, &h);
	check_eq(perform(&s, signal_once, &h.c), 0);
	check_by_hand(result(&a), 0, &h, 0, true);

	begin_wait(&a, wait_by_hand, &h);
	check_eq(perform(&s, broadcast_once, &h.c), 0);
	check_by_hand(result(&a), 0, &h, 0, true);

	begin_wait(&a, wait_by_hand, &h);
	check_eq(perform(&b, wait_elsewhere, &h.c), -EBADFD);
	check_ok(evl_unblock_thread(a.w.efd));
	check_by_hand(result(&a), 0, &h, -EINTR, true);

	h.date = &long_ago;
	check_by_hand(perform(&a, wait_by_hand, &h), 0, &h, -ETIMEDOUT, true);
	ns = now() + 20 * NSEC_PER_MSEC;
	date = (struct __evl_timespec){ .tv_sec = ns / NSEC_PER_SEC, .tv_nsec = ns % NSEC_PER_SEC };
	h.date = &date;
	check_by_hand(perform(&a, wait_by_hand, &h), 0, &h, -ETIMEDOUT, true);
	check_eq(owner_word(&h.c.mutex), 0);
	end_puppet(&a);
	end_puppet(&b);
	end_puppet(&s);
}

/* Whatever the handler asked for, the request is not issued again: the caller lost the gate. */
static void loses_the_gate_to_a_signal(void)
{
	struct puppet a;
	struct by_hand h;

	new_by_hand(&h);
	catch_signal(SIGUSR1, SA_RESTART);
	start_puppet(&a, "a", 10, other_cpu());
	begin_wait(&a, wait_by_hand, &h);
	signal_worker(&a.w, SIGUSR1);
	check_by_hand(result(&a), -EINTR, &h, 0, false);
	check_eq(h.regained, 0);
	check_eq(atomic_load(&signal_count), 1);
	check(!watched(&h.c));
	check_eq(owner_word(&h.c.mutex), 0);
	end_puppet(&a);
}

static void loses_the_gate_to_a_close(void)
{
	struct puppet a;
	struct by_hand h;

	new_by_hand(&h);
	start_puppet(&a, "a", 10, other_cpu());
	begin_wait(&a, wait_by_hand, &h);
	check_sys(close(h.c.event.monitor.efd));
	check_by_hand(result(&a), -EIDRM, &h, -EIDRM, false);
	check_eq(owner_word(&h.c.mutex), 0);
	end_puppet(&a);
}

static int signal_and_unlock(struct puppet *p)
{
	struct cond *c = p->arg;

	check_eq(evl_signal_event(&c->event), 0);
	return evl_unlock_mutex(&c->mutex);
}

/*
 * Have @a, which got its signal, wait for the gate, @c having it. A free gate goes to the first who comes: they all
 * share a CPU, where that is @c.
 */
static void get_in_between(struct by_hand *h, struct puppet *a, struct puppet *c, struct puppet *s)
{
	begin_wait(a, wait_by_hand, h);
	check_eq(perform(s, lock, &h->c.mutex), 0);
	begin_wait(c, lock, &h->c.mutex);
	check_eq(perform(s, signal_and_unlock, &h->c), 0);
	check_eq(result(c), 0);
	await(worker_sleeps(&a->w));
	check(!watched(&h->c));
}

static void is_interrupted_at_the_gate(void)
{
	struct puppet a, c, s;
	struct by_hand h;

	new_by_hand(&h);
	catch_signal(SIGUSR1, SA_RESTART);
	start_puppet(&s, "s", 5, other_cpu());
	start_puppet(&a, "a", 10, other_cpu());
	start_puppet(&c, "c", 20, other_cpu());
	get_in_between(&h, &a, &c, &s);
	signal_worker(&a.w, SIGUSR1);
	await(atomic_load(&signal_count) == 1);
	check(atomic_load(&a.busy));
	check_eq(perform(&c, unlock, &h.c.mutex), 0);
	check_by_hand(result(&a), -EINTR, &h, -EAGAIN, false);
	check_eq(h.regained, 0);
	check_eq(owner_word(&h.c.mutex), 0);
	end_puppet(&a);
	end_puppet(&c);
	end_puppet(&s);
}

static void loses_the_gate_for_good(void)
{
	struct puppet a, c, s;
	struct by_hand h;

	new_by_hand(&h);
	start_puppet(&s, "s", 5, other_cpu());
	start_puppet(&a, "a", 10, other_cpu());
	start_puppet(&c, "c", 20, other_cpu());
	get_in_between(&h, &a, &c, &s);
	check_sys(close(h.c.mutex.monitor.efd));
	check_by_hand(result(&a), -EIDRM, &h, 0, false);
	check_eq(perform(&c, unlock, &h.c.mutex), -EBADF);
	end_puppet(&a);
	end_puppet(&c);
	end_puppet(&s);
}

/* --- Targets which are none ------------------------------------------------------------------ */

static int detach_act(struct puppet *p)
{
	(void)p;
	return evl_detach_self();
}

static void refuses_targets(void)
{
	struct evl_event blank = { 0 }, closed;
	struct puppet gone;
	struct zoo z;
	int self, gonefd;
	__u32 fd;

	new_zoo(&z);
	check_ok(evl_new_event(&closed, "closed:%d", getpid()));
	check_ok(evl_close_event(&closed));
	start_puppet(&gone, "gone", 5, 0);
	gonefd = check_sys(dup(gone.w.efd));
	check_eq(evl_signal_thread(&z.event, gonefd), -EPERM);
	check_eq(perform(&gone, detach_act, NULL), 0);

	self = attach_fifo(10);
	fd = z.gatefd;
	check_errno(oob_ioctl(self, EVL_THRIOC_SIGNAL, &fd), EINVAL);
	fd = 999;
	check_errno(oob_ioctl(self, EVL_THRIOC_SIGNAL, &fd), EINVAL);
	fd = z.pipefds[0];
	check_errno(oob_ioctl(self, EVL_THRIOC_SIGNAL, &fd), EINVAL);
	fd = self;
	check_errno(oob_ioctl(self, EVL_THRIOC_SIGNAL, &fd), EINVAL);
	check_errno(oob_ioctl(self, EVL_THRIOC_SIGNAL, bad_address(8)), EFAULT);
	/* These are events all right, though nobody can be told apart there. */
	fd = z.semfd;
	check_eq(oob_ioctl(self, EVL_THRIOC_SIGNAL, &fd), 0);
	fd = z.flagsfd;
	check_eq(oob_ioctl(self, EVL_THRIOC_SIGNAL, &fd), 0);
	fd = z.eventfd;
	check_eq(oob_ioctl(self, EVL_THRIOC_SIGNAL, &fd), 0);
	check_errno(oob_ioctl(gonefd, EVL_THRIOC_SIGNAL, &fd), ESTALE);

	/* It does not wait for anything. */
	check_eq(evl_signal_thread(&z.event, self), 0);
	check_eq(evl_signal_thread(&z.event, gonefd), -ESTALE);
	check_eq(evl_signal_thread(&z.event, 999), -EBADF);
	check_eq(evl_signal_thread(&z.event, z.pipefds[0]), -EBADF);
	check_eq(evl_signal_thread(&closed, self), -EBADF);
	check_eq(evl_signal_thread(&blank, self), -EINVAL);
	check(!evl_is_inband());
	check_errno(ioctl(self, EVL_THRIOC_SIGNAL, &fd), ENOTTY);
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
	TEST(outlasts_signals, "a signal does not end a wait"),
	TEST(closes_event, "closing the event sends waiters away"),
	TEST(closes_mutex, "so does closing the mutex for good"),
	TEST(loses_nothing, "no signal gets lost between unlocking and waiting"),
	TEST(tells_what_is_wrong, "a wait which cannot be says so in its status, or fails"),
	TEST(waits_without_a_gate, "the status of a wait without a gate is its result"),
	TEST(serves_kinds, "requests are for one kind of monitor or another"),
	TEST(minds_stages, "requests on the wrong stage are EINVAL to a gate, ENOTTY to an event"),
	TEST(binds, "any monitor tells what it is"),
	TEST(holds_the_gate_again, "the request comes back with the gate, whatever the status"),
	TEST(loses_the_gate_to_a_signal, "a signal has it come back without, once and for all"),
	TEST(loses_the_gate_to_a_close, "so has a close of the event"),
	TEST(is_interrupted_at_the_gate, "a signal on the way back to the gate is EAGAIN there"),
	TEST(loses_the_gate_for_good, "a gate which is closed on the way back does not change the status"),
	TEST(refuses_targets, "a signal for a thread wants an event, and a thread"),
	TEST(is_signaled_from_elsewhere, "another process signals a public event"),
	TEST(signals_elsewhere, "waiters in other processes are signaled"),
};

TEST_MAIN("event", tests)
