// SPDX-License-Identifier: GPL-2.0-only
/* Observables: sending, subscribing, receiving, polling; and what is refused. */
#include "notices.h"
#include <poll.h>
#include <sys/epoll.h>

/* --- Creation ------------------------------------------------------------------------ */

static void creation(void)
{
	int fd, other;

	check_ok(evl_init());
	check_eq(evl_create_observable(EVL_CLONE_INPUT, "bad:%d", getpid()), -EINVAL);
	fd = check_ok(evl_create_observable(EVL_CLONE_PUBLIC | EVL_CLONE_NONBLOCK, "obs:%d",
					    getpid()));
	check(has_node("observable", own_name("obs")));
	check(is_nonblocking(fd));
	check_eq(evl_new_observable("obs:%d", getpid()), -EEXIST);
	other = check_ok(evl_open_element("observable", "obs:%d", getpid()));
	close(fd);
	check(has_node("observable", own_name("obs")));
	close(other);
	check(!has_element("observable", own_name("obs")));
	close(check_ok(evl_create_observable(EVL_CLONE_UNICAST, "one:%d", getpid())));
}

/* --- Subscriptions ---------------------------------------------------------------------- */

static void subscribing(void)
{
	int fd, efd, xfd;

	check_ok(evl_init());
	fd = new_observable(0);
	check_eq(evl_unsubscribe(fd), -ENOENT);
	check_eq(evl_subscribe(fd, 0, 0), -EINVAL);
	check_eq(evl_subscribe(fd, 4, 2), -EINVAL);
	check_eq(evl_subscribe(fd, UINT_MAX, 0), -ENOMEM);
	check_ok(evl_subscribe(fd, 4, 0));
	check_eq(evl_subscribe(fd, 4, 0), -EEXIST);
	check_ok(evl_unsubscribe(fd));
	check_eq(evl_unsubscribe(fd), -ENOENT);
	check_ok(evl_subscribe(fd, 4, EVL_NOTIFY_ONCHANGE));
	check_eq(evl_subscribe(-1, 4, 0), -EBADF);
	check_eq(evl_unsubscribe(-1), -EBADF);

	xfd = check_ok(evl_new_xbuf(64, "xbuf:%d", getpid()));
	check_eq(evl_subscribe(xfd, 4, 0), -EPERM);
	check_eq(evl_unsubscribe(xfd), -EPERM);
	efd = attach_weak();
	check_eq(evl_subscribe(efd, 4, 0), -EPERM);
	check_eq(evl_unsubscribe(efd), -EPERM);
	check_errno(ioctl(fd, EVL_OBSIOC_SUBSCRIBE, bad_address(16)), EFAULT);
	check_errno(ioctl(fd, _IO(EVL_OBSERVABLE_IOCBASE, 9), 0), ENOTTY);
}

static void not_subscribed(void)
{
	struct evl_notification nf;
	struct pollfd pfd = { .events = POLLIN | POLLOUT };

	check_ok(evl_init());
	pfd.fd = new_observable(0);
	check_eq(evl_read_observable(pfd.fd, &nf, 1), -ENXIO);
	check_eq(send_value(pfd.fd, TAG, 1), 0);
	check_eq(poll(&pfd, 1, 0), 1);
	check_eq(pfd.revents, POLLERR);
}

/* --- One subscriber ------------------------------------------------------------------------ */

/* Both ways in-band, or both out-of-band: whichever stage the caller is on. */
static void send_and_receive(int fd, pid_t tid)
{
	struct evl_notice ntc[3] = { notice(TAG, -1), notice(TAG + 1, 2), notice(~0U, 3) };
	struct evl_notification nf[8];
	int64_t before, after;
	int n;

	before = now();
	check_eq(evl_update_observable(fd, ntc, 3), 3);
	after = now();
	check_eq(evl_read_observable(fd, nf, 8), 3);
	for (n = 0; n < 3; n++) {
		check_eq(nf[n].tag, ntc[n].tag);
		check_eq(nf[n].event.lval, ntc[n].event.lval);
		check_eq(nf[n].serial, nf[0].serial + n);
		check_eq(nf[n].issuer, tid);
		check_ge(ts_ns(nf[n].date), before);
		check_le(ts_ns(nf[n].date), after);
		check_eq(ts_ns(nf[n].date), ts_ns(nf[0].date));
	}
}

static void in_order(void)
{
	int fd;

	check_ok(evl_init());
	fd = new_observable(0);
	check_ok(evl_subscribe(fd, 8, 0));
	send_and_receive(fd, get_tid());
	attach_fifo(10);
	send_and_receive(fd, get_tid());
	check_eq(receive((send_value(fd, TAG, 1), fd)).serial, 6);
}

static void stays_out_of_band(void)
{
	pid_t tid = get_tid();
	int fd, efd;

	check_ok(evl_init());
	fd = new_observable(0);
	check_ok(evl_subscribe(fd, 8, 0));
	catch_sigdebug();
	efd = attach_fifo(10);
	check_ok(evl_set_thread_mode(efd, EVL_T_WOSS, NULL));
	send_and_receive(fd, tid);
	check(!evl_is_inband());
	check_eq(take_sigdebug(EVL_HMDIAG_SYSDEMOTE), 0);
}

static void nothing_to_read(void)
{
	struct evl_notification nf;
	int fd;

	check_ok(evl_init());
	fd = new_observable(EVL_CLONE_NONBLOCK);
	check_ok(evl_subscribe(fd, 2, 0));
	check_eq(evl_read_observable(fd, &nf, 1), -EAGAIN);
	check_eq(evl_read_observable(fd, &nf, 0), 0);
	attach_fifo(10);
	check_eq(evl_read_observable(fd, &nf, 1), -EAGAIN);
	check_eq(evl_read_observable(fd, &nf, 0), 0);
}

/* Two kept of three: the third leaves a gap behind. */
static void overflow(void)
{
	struct evl_notice ntc[3] = { notice(TAG, 1), notice(TAG, 2), notice(TAG, 3) };
	struct evl_notification nf[3];
	int fd;

	check_ok(evl_init());
	fd = new_observable(EVL_CLONE_NONBLOCK);
	check_ok(evl_subscribe(fd, 2, 0));
	check_eq(evl_update_observable(fd, ntc, 3), 2);
	check_eq(send_value(fd, TAG, 4), 0);
	check_eq(evl_read_observable(fd, nf, 3), 2);
	check_eq(nf[0].event.lval, 1);
	check_eq(nf[1].event.lval, 2);
	check_eq(nf[1].serial, 1);
	check_eq(send_value(fd, TAG, 5), 1);
	check_eq(evl_read_observable(fd, nf, 3), 1);
	check_eq(nf[0].event.lval, 5);
	check_eq(nf[0].serial, 4);
}

/* What was there is read in order however it wraps around. */
static void wraps_around(void)
{
	int fd, n, sent = 0, seen = 0;

	check_ok(evl_init());
	fd = new_observable(0);
	check_ok(evl_subscribe(fd, 7, 0));
	for (n = 0; n < 50; n++) {
		while (send_value(fd, TAG, sent) == 1)
			sent++;
		check_eq(sent, seen + 7);
		check_received(fd, TAG, seen++);
		check_received(fd, TAG, seen++);
		check_received(fd, TAG, seen++);
	}
}

static void only_changes(void)
{
	int fd;

	check_ok(evl_init());
	fd = new_observable(EVL_CLONE_NONBLOCK);
	check_ok(evl_subscribe(fd, 8, EVL_NOTIFY_ONCHANGE));
	check_eq(send_value(fd, TAG, 0), 1);
	check_eq(send_value(fd, TAG, 0), 1);
	check_eq(send_value(fd, TAG, 1), 1);
	check_eq(send_value(fd, TAG + 1, 1), 1);
	check_eq(send_value(fd, TAG + 1, 1), 1);
	check_eq(send_value(fd, TAG, 0), 1);
	check_received(fd, TAG, 0);
	check_received(fd, TAG, 1);
	check_received(fd, TAG + 1, 1);
	check_received(fd, TAG, 0);
	/* What was read still counts as the last one. */
	check_eq(send_value(fd, TAG, 0), 1);
	check_eq(evl_read_observable(fd, &(struct evl_notification){ }, 1), -EAGAIN);
}

/* --- What is refused ------------------------------------------------------------------------ */

/* The same answers from either stage. */
static void refusals(int fd, ssize_t (*rd)(int, void *, size_t),
		     ssize_t (*wr)(int, const void *, size_t))
{
	struct evl_notice ntc[2] = { notice(TAG, 1), notice(TAG - 1, 2) };
	char buf[80];

	check_errno(wr(fd, ntc, 15), EINVAL);
	check_errno(wr(fd, ntc, 17), EINVAL);
	check_errno(wr(fd, ntc, 32), EINVAL);
	check_errno(wr(fd, ntc + 1, 16), EINVAL);
	check_errno(wr(fd, bad_address(16), 16), EFAULT);
	check_eq(wr(fd, ntc, 0), 0);
	check_errno(rd(fd, buf, 39), EINVAL);
	check_errno(rd(fd, buf, 79), EINVAL);
	check_errno(rd(fd, buf, 40), EAGAIN);
	check_eq(wr(fd, ntc, 16), 16);
	check_errno(rd(fd, bad_address(16), 40), EFAULT);
	/* It is still there. */
	check_eq(rd(fd, buf, 80), 40);
}

static ssize_t plain_read(int fd, void *buf, size_t count)
{
	return read(fd, buf, count);
}

static ssize_t plain_write(int fd, const void *buf, size_t count)
{
	return write(fd, buf, count);
}

static void bad_transfers(void)
{
	int fd;

	check_ok(evl_init());
	fd = new_observable(EVL_CLONE_NONBLOCK);
	check_ok(evl_subscribe(fd, 8, 0));
	refusals(fd, plain_read, plain_write);
	attach_fifo(10);
	refusals(fd, oob_read, oob_write);
	check_errno(oob_ioctl(fd, EVL_OBSIOC_UNSUBSCRIBE, 0), ENOTTY);
}

/* A batch which is good at its beginning is sent as far as that goes. */
static void broken_batch(void)
{
	static struct evl_notice ntc[100];
	struct evl_notification nf;
	int fd, n;

	check_ok(evl_init());
	fd = new_observable(EVL_CLONE_NONBLOCK);
	check_ok(evl_subscribe(fd, 200, 0));
	for (n = 0; n < 100; n++)
		ntc[n] = notice(TAG, n);
	ntc[90].tag = 1;
	n = check_ok(evl_update_observable(fd, ntc, 100));
	check_gt(n, 0);
	check_le(n, 90);
	while (n--)
		receive(fd);
	check_eq(evl_read_observable(fd, &nf, 1), -EAGAIN);
}

static void huge_batch(void)
{
	enum { NR = 100000 };
	struct evl_notification *nf = malloc(NR * sizeof(*nf));
	struct evl_notice *ntc = malloc(NR * sizeof(*ntc));
	int fd, n;

	check_ok(evl_init());
	fd = new_observable(0);
	check_ok(evl_subscribe(fd, NR, 0));
	for (n = 0; n < NR; n++)
		ntc[n] = notice(TAG, n);
	check_eq(evl_update_observable(fd, ntc, NR), NR);
	check_eq(evl_read_observable(fd, nf, NR), NR);
	for (n = 0; n < NR; n++) {
		check_eq(nf[n].event.lval, n);
		check_eq(nf[n].serial, n);
	}
}

/* --- Waiting ----------------------------------------------------------------------------------- */

struct reader {
	struct worker w;
	int fd;
	int flags;		/* of the subscription */
	int count;		/* notices to receive */
	long long sum;
	unsigned int last;	/* serial number */
	atomic_bool ready;
};

static void read_notices(struct worker *w)
{
	struct reader *r = w->arg;
	struct evl_notification nf;
	int n;

	if (w->prio)
		attach_worker(w);
	check_ok(evl_subscribe(r->fd, 64, r->flags));
	atomic_store(&r->ready, true);
	for (n = 0; n < r->count; n++) {
		nf = receive(r->fd);
		r->sum += nf.event.lval;
		r->last = nf.serial;
	}
}

static void start_reader(struct reader *r, int prio, int cpu, const char *name)
{
	r->w = (struct worker){ .body = read_notices, .name = name, .prio = prio, .cpu = cpu,
				.arg = r };
	start_worker(&r->w);
	await(atomic_load(&r->ready));
	if (prio)
		await(worker_sleeps(&r->w));
	else
		await(task_sleeps(atomic_load(&r->w.tid)));
}

/* Readers on either stage, a sender on either stage. */
static void readers_wake_up(void)
{
	struct reader oob, inband;
	int fd, round;

	check_ok(evl_init());
	fd = new_observable(0);
	for (round = 0; round < 2; round++) {
		oob = (struct reader){ .fd = fd, .count = 1 };
		inband = (struct reader){ .fd = fd, .count = 1 };
		start_reader(&oob, 20, other_cpu(), "oob");
		start_reader(&inband, 0, 0, "inband");
		if (round == 1)
			attach_fifo(10);
		check_eq(send_value(fd, TAG, 42), 1);
		join_worker(&oob.w);
		join_worker(&inband.w);
		check_eq(oob.sum, 42);
		check_eq(inband.sum, 42);
		check_eq(oob.last, inband.last);
	}
}

/* A signal ends the wait of who is in-band, and does not end that of who restarts. */
static void signals_end_waits(void)
{
	struct evl_notification nf;
	struct itimerval soon = { .it_value.tv_usec = 50000 };
	int fd;

	check_ok(evl_init());
	fd = new_observable(0);
	check_ok(evl_subscribe(fd, 4, 0));
	catch_signal(SIGALRM, 0);
	check_sys(setitimer(ITIMER_REAL, &soon, NULL));
	check_eq(evl_read_observable(fd, &nf, 1), -EINTR);
	attach_fifo(10);
	check_sys(setitimer(ITIMER_REAL, &soon, NULL));
	check_eq(evl_read_observable(fd, &nf, 1), -EINTR);
	check_eq(atomic_load(&signal_count), 2);
}

static void unblock_ends_waits(void)
{
	struct reader r = { .count = 1 };
	struct evl_notification nf;

	check_ok(evl_init());
	r.fd = new_observable(0);
	start_reader(&r, 20, other_cpu(), "oob");
	/* Sent away in vain: the next notice is its own all the same. */
	check_ok(evl_subscribe(r.fd, 4, 0));
	check_eq(send_value(r.fd, TAG, 7), 1);
	join_worker(&r.w);
	check_eq(r.sum, 7);
	check_eq(evl_read_observable(r.fd, &nf, 1), 1);
}

/* --- Dealt out ---------------------------------------------------------------------------------- */

static void unicast(void)
{
	struct reader r[3];
	int fd, n;

	check_ok(evl_init());
	fd = new_observable(EVL_CLONE_UNICAST);
	for (n = 0; n < 3; n++) {
		r[n] = (struct reader){ .fd = fd, .count = 4 };
		start_reader(r + n, n == 1 ? 0 : 20, other_cpu(), n == 0 ? "a" : n == 1 ? "b" : "c");
	}
	for (n = 0; n < 12; n++)
		check_eq(send_value(fd, TAG, 1 << 2 * (n % 3)), 1);
	for (n = 0; n < 3; n++) {
		join_worker(&r[n].w);
		check_eq(r[n].sum, 4 << 2 * n);
		check_eq(r[n].last, 9 + n);
	}
}

/* Who has no room is passed over as long as somebody has. */
static void unicast_finds_room(void)
{
	struct reader r = { .count = 5 };
	int fd, n;

	check_ok(evl_init());
	fd = r.fd = new_observable(EVL_CLONE_UNICAST | EVL_CLONE_NONBLOCK);
	check_ok(evl_subscribe(fd, 1, 0));
	set_nonblocking(fd, false);
	start_reader(&r, 20, other_cpu(), "oob");
	for (n = 0; n < 6; n++)
		check_eq(send_value(fd, TAG, 1), 1);
	join_worker(&r.w);
	check_eq(r.sum, 5);
	check_received(fd, TAG, 1);
}

/* --- Polling --------------------------------------------------------------------------------------- */

static int poll_now(int fd)
{
	struct pollfd pfd = { .fd = fd, .events = POLLIN | POLLOUT };

	check_ge(poll(&pfd, 1, 0), 0);
	return pfd.revents;
}

static void readiness(void)
{
	int fd, efd, pfd;
	struct evl_poll_event ev;
	struct timespec at_once = { .tv_nsec = 1 };

	check_ok(evl_init());
	fd = new_observable(0);
	check_ok(evl_subscribe(fd, 2, 0));
	check_eq(poll_now(fd), POLLOUT);
	send_value(fd, TAG, 1);
	check_eq(poll_now(fd), POLLIN | POLLOUT);
	send_value(fd, TAG, 2);
	check_eq(poll_now(fd), POLLIN);
	receive(fd);
	check_eq(poll_now(fd), POLLIN | POLLOUT);
	receive(fd);
	check_eq(poll_now(fd), POLLOUT);

	efd = epoll_create1(EPOLL_CLOEXEC);
	check_sys(epoll_ctl(efd, EPOLL_CTL_ADD, fd, &(struct epoll_event){ .events = EPOLLIN }));
	check_eq(epoll_wait(efd, &(struct epoll_event){ }, 1, 0), 0);

	attach_fifo(10);
	pfd = check_ok(evl_new_poll());
	check_ok(evl_add_pollfd(pfd, fd, POLLIN, evl_intval(5)));
	check_eq(evl_timedpoll(pfd, &ev, 1, &at_once), -ETIMEDOUT);
	send_value(fd, TAG, 1);
	check_eq(evl_poll(pfd, &ev, 1), 1);
	check_eq(ev.events, POLLIN);
	check_eq(ev.fd, fd);
	check_eq(ev.pollval.lval, 5);
	check_eq(epoll_wait(efd, &(struct epoll_event){ }, 1, 1000), 1);
	check_ok(evl_mod_pollfd(pfd, fd, POLLOUT, evl_nil));
	check_eq(evl_poll(pfd, &ev, 1), 1);
	check_eq(ev.events, POLLOUT);
	check_ok(evl_unsubscribe(fd));
	check_ok(evl_mod_pollfd(pfd, fd, POLLIN, evl_nil));
	check_eq(evl_poll(pfd, &ev, 1), 1);
	check_eq(ev.events, POLLERR);
}

struct poller {
	struct worker w;
	int fd;
	int events;
	int revents;
	atomic_bool ready;
};

static void wait_in_poll(struct worker *w)
{
	struct poller *p = w->arg;
	struct pollfd inband = { .fd = p->fd, .events = p->events };
	struct evl_poll_event ev;
	int pfd, n;

	if (w->prio)
		attach_worker(w);
	check_ok(evl_subscribe(p->fd, 1, 0));
	if (p->events == POLLOUT)
		check_eq(send_value(p->fd, TAG, 1), 1);
	atomic_store(&p->ready, true);
	if (!w->prio) {
		check_eq(poll(&inband, 1, -1), 1);
		p->revents = inband.revents;
		return;
	}
	pfd = check_ok(evl_new_poll());
	check_ok(evl_add_pollfd(pfd, p->fd, p->events, evl_nil));
	n = evl_poll(pfd, &ev, 1);
	check_eq(n, 1);
	p->revents = ev.events;
	close(pfd);
}

static void start_poller(struct poller *p, int prio)
{
	p->w = (struct worker){ .body = wait_in_poll, .name = prio ? "p-oob" : "p-inb",
				.prio = prio, .cpu = other_cpu(), .arg = p };
	start_worker(&p->w);
	await(atomic_load(&p->ready));
	if (prio)
		await(worker_sleeps(&p->w));
	else
		await(task_sleeps(atomic_load(&p->w.tid)));
}

static void pollers_wake_up(void)
{
	struct poller oob = { .events = POLLIN }, inband = { .events = POLLIN };

	check_ok(evl_init());
	oob.fd = inband.fd = new_observable(0);
	start_poller(&oob, 20);
	start_poller(&inband, 0);
	check_eq(send_value(oob.fd, TAG, 1), 1);
	join_worker(&oob.w);
	join_worker(&inband.w);
	check_eq(oob.revents, POLLIN);
	check_eq(inband.revents, POLLIN);
}

/* Nobody has room until somebody else subscribes. */
static void room_is_told(void)
{
	struct poller oob = { .events = POLLOUT }, inband = { .events = POLLOUT };

	check_ok(evl_init());
	oob.fd = new_observable(0);
	start_poller(&oob, 20);
	check_ok(evl_subscribe(oob.fd, 1, 0));
	join_worker(&oob.w);
	check_eq(oob.revents, POLLOUT);
	close(oob.fd);

	inband.fd = new_observable(0);
	start_poller(&inband, 0);
	check_ok(evl_subscribe(inband.fd, 1, 0));
	join_worker(&inband.w);
	check_eq(inband.revents, POLLOUT);
}

static const struct CMUnitTest tests[] = {
	TEST(creation, "public and private ones, names and flags"),
	TEST(subscribing, "who may subscribe to what, once"),
	TEST(not_subscribed, "nothing is read without a subscription"),
	TEST(in_order, "notices come in order, with their serial numbers, issuer and date"),
	TEST(stays_out_of_band, "sending and receiving out-of-band does not leave the stage"),
	TEST(nothing_to_read, "-EAGAIN when there is nothing, non-blocking"),
	TEST(overflow, "a full backlog keeps what it has, and what is lost leaves a gap"),
	TEST(wraps_around, "a backlog goes around"),
	TEST(only_changes, "only changes, if asked for"),
	TEST(bad_transfers, "bad sizes, tags and addresses, on both stages"),
	TEST(broken_batch, "a batch is sent up to what is wrong with it"),
	TEST(huge_batch, "a batch of any size"),
	TEST(readers_wake_up, "readers on both stages, senders on both stages"),
	TEST(signals_end_waits, "a signal ends a wait"),
	TEST(unblock_ends_waits, "a sleeping reader among others"),
	TEST(unicast, "one subscriber each, in turn"),
	TEST(unicast_finds_room, "who is full is passed over"),
	TEST(readiness, "poll(2), epoll(7) and evl_poll() see what there is"),
	TEST(pollers_wake_up, "notices wake up pollers of both stages"),
	TEST(room_is_told, "so does room"),
};

TEST_MAIN("observable", tests)
