// SPDX-License-Identifier: GPL-2.0-only
/* The requests of monitors made by hand: what each answers to whom, and where it leaves the gate. */
#include "cond.h"
#include <evl/flags.h>
#include <evl/sem.h>

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
	check_by_hand(result(&a), -EINTR, &h, -EAGAIN, false);
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

static int unwait_by_hand(struct puppet *p)
{
	struct cond *c = p->arg;
	struct evl_monitor_unwaitreq req = { .gatefd = c->mutex.monitor.efd };

	return oob_ioctl(c->event.monitor.efd, EVL_MONIOC_UNWAIT, &req) ? -errno : 0;
}

static int close_event_fd(struct puppet *p)
{
	return close(((struct cond *)p->arg)->event.monitor.efd);
}

static void unwaits_for_who_closes(void)
{
	struct puppet a, s;
	struct cond c;

	new_cond(&c);
	start_puppet(&s, "s", 5, 0);
	start_puppet(&a, "a", 10, other_cpu());
	check_eq(perform(&s, lock, &c.mutex), 0);
	begin_wait(&a, unwait_by_hand, &c);
	check_eq(perform(&s, close_event_fd, &c), 0);
	check_eq(perform(&s, unlock, &c.mutex), 0);
	check_eq(result(&a), 0);
	check_eq(perform(&a, unlock, &c.mutex), 0);
	end_puppet(&a);
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

static const struct CMUnitTest tests[] = {
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
	TEST(unwaits_for_who_closes, "the owner of the gate may close the event which somebody enters it through"),
	TEST(refuses_targets, "a signal for a thread wants an event, and a thread"),
};

TEST_MAIN("event-request", tests)
