// SPDX-License-Identifier: GPL-2.0-only
/* Poll groups: members, readiness, nesting, closing, sharing. */
#include "helpers.h"
#include <evl/poll.h>
#include <evl/event.h>
#include <evl/flags.h>
#include <evl/mutex.h>
#include <evl/sem.h>
#include <evl/xbuf.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <poll.h>

#define SOON	(20 * NSEC_PER_MSEC)
#define LONG	(30 * NSEC_PER_SEC)

#define IN	(POLLIN | POLLRDNORM)
#define OUT	(POLLOUT | POLLWRNORM)

static int new_group(void)
{
	return check_ok(evl_new_poll());
}

static int new_xbuf(size_t size)
{
	static atomic_int serial;

	return check_ok(evl_new_xbuf(size, "polled:%d.%d", getpid(), atomic_fetch_add(&serial, 1)));
}

static int new_timer(void)
{
	return check_ok(evl_new_timer(EVL_CLOCK_MONOTONIC));
}

static void arm(int tfd, int64_t date)
{
	struct itimerspec value = { .it_value = ns_ts(date) };

	check_ok(evl_set_timer(tfd, &value, NULL));
}

/* A timer which ticked, and stays so until it is read. */
static int new_ticked_timer(void)
{
	int64_t date = now() + NSEC_PER_MSEC;
	int tfd = new_timer();

	arm(tfd, date);
	check_ok(sleep_until(date + NSEC_PER_MSEC));
	return tfd;
}

static void drain_timer(int tfd)
{
	uint64_t ticks;

	check_eq(oob_read(tfd, &ticks, sizeof(ticks)), sizeof(ticks));
}

static void add(int group, int fd, int events)
{
	check_ok(evl_add_pollfd(group, fd, events, evl_intval(fd)));
}

static int poll_for(int group, struct evl_poll_event *evs, int max, int64_t ns)
{
	struct timespec ts = ns_ts(now() + ns);

	return evl_timedpoll(group, evs, max, &ts);
}

/* What is ready now. */
static int peek(int group, struct evl_poll_event *evs, int max)
{
	struct timespec past = { .tv_nsec = 1 };

	return evl_timedpoll(group, evs, max, &past);
}

static void expect_idle(int group)
{
	struct evl_poll_event ev;

	check_eq(peek(group, &ev, 1), -ETIMEDOUT);
}

/* The one member which is ready. */
static void expect(int group, int fd, unsigned int events)
{
	struct evl_poll_event evs[4];

	check_eq(poll_for(group, evs, ARRAY_SIZE(evs), LONG), 1);
	check_eq((int)evs[0].fd, fd);
	check_eq(evs[0].events, events);
	check_eq(evs[0].pollval.lval, fd);
}

/* --- Errors ------------------------------------------------------------------------------- */

static void members_come_and_go(void)
{
	int group, fd, other, null;

	attach_fifo(10);
	group = new_group();
	fd = new_timer();
	other = new_timer();
	null = check_sys(open("/dev/null", O_RDWR));

	check_eq(evl_add_pollfd(group, -1, POLLIN, evl_nil), -EBADF);
	check_eq(evl_add_pollfd(group, 1000, POLLIN, evl_nil), -EBADF);
	check_eq(evl_add_pollfd(group, null, POLLIN, evl_nil), -EBADF);
	check_eq(evl_mod_pollfd(group, null, POLLIN, evl_nil), -EBADF);
	check_eq(evl_del_pollfd(group, null), -EBADF);
	check_eq(evl_del_pollfd(group, fd), -ENOENT);
	check_eq(evl_mod_pollfd(group, fd, POLLIN, evl_nil), -ENOENT);

	add(group, fd, POLLIN);
	check_eq(evl_add_pollfd(group, fd, POLLOUT, evl_nil), -EEXIST);
	check_eq(evl_del_pollfd(group, other), -ENOENT);
	check_ok(evl_mod_pollfd(group, fd, POLLOUT, evl_nil));
	check_ok(evl_del_pollfd(group, fd));
	check_eq(evl_del_pollfd(group, fd), -ENOENT);
	for (int i = 0; i < 100; i++) {
		add(group, fd, POLLIN);
		add(group, other, POLLIN);
		check_ok(evl_del_pollfd(group, fd));
		check_ok(evl_del_pollfd(group, other));
	}
	check(!evl_is_inband());
}

static void bad_requests(void)
{
	struct evl_poll_waitreq wait = { .nrset = 1 };
	struct evl_poll_ctlreq ctl = { .action = 3 };
	struct __evl_timespec ts = { 0 };
	struct evl_poll_event evs[2];
	int group;

	attach_fifo(10);
	group = new_group();
	check_errno(oob_ioctl(group, EVL_POLIOC_CTL, &ctl), EINVAL);
	check_errno(oob_ioctl(group, EVL_POLIOC_CTL, (void *)8), EFAULT);
	check_errno(oob_ioctl(group, EVL_POLIOC_WAIT, (void *)8), EFAULT);
	check_errno(oob_ioctl(group, _IO('p', 7), 0), ENOTTY);
	check_errno(oob_read(group, evs, sizeof(evs)), EINVAL);

	add(group, new_ticked_timer(), POLLIN);
	wait.pollset_ptr = (uintptr_t)evs;
	check_errno(oob_ioctl(group, EVL_POLIOC_WAIT, &wait), EFAULT);
	ts.tv_nsec = NSEC_PER_SEC;
	wait.timeout_ptr = (uintptr_t)&ts;
	check_errno(oob_ioctl(group, EVL_POLIOC_WAIT, &wait), EINVAL);
	ts.tv_nsec = 0;
	wait.pollset_ptr = 8;
	check_errno(oob_ioctl(group, EVL_POLIOC_WAIT, &wait), EFAULT);
	wait.pollset_ptr = (uintptr_t)evs;
	check_sys(oob_ioctl(group, EVL_POLIOC_WAIT, &wait));
	check_eq(wait.nrset, 1);

	check_errno(ioctl(group, EVL_POLIOC_WAIT, &wait), ENOTTY);
	check_errno(read(group, evs, sizeof(evs)), EINVAL);
}

static void bad_waits(void)
{
	struct evl_poll_event ev;
	int group, fd;

	attach_fifo(10);
	group = new_group();
	check_eq(evl_poll(group, &ev, 1), -EINVAL);
	fd = new_timer();
	add(group, fd, POLLIN);
	check_eq(evl_poll(group, &ev, -1), -EINVAL);
	check_eq(evl_poll(group, &ev, 0), 0);
	check_ok(evl_del_pollfd(group, fd));
	check_eq(evl_poll(group, &ev, 1), -EINVAL);
	check_eq(evl_poll(fd, &ev, 1), -ENOTTY);
	check_eq(evl_poll(-1, &ev, 1), -EBADF);
}

static void strangers_may_not(void)
{
	struct evl_poll_event ev;
	int group;

	check_ok(evl_init());
	group = new_group();
	check_eq(evl_add_pollfd(group, 0, POLLIN, evl_nil), -EPERM);
	check_eq(evl_poll(group, &ev, 1), -EPERM);
}

static void timeouts(void)
{
	struct timespec never = { .tv_sec = LONG_MAX };
	struct evl_poll_event ev;
	int group, fd;
	int64_t date;

	attach_fifo(10);
	group = new_group();
	fd = new_timer();
	add(group, fd, POLLIN);
	expect_idle(group);
	for (int i = 0; i < 3; i++) {
		date = now() + SOON;
		check_eq(evl_timedpoll(group, &ev, 1, &(struct timespec){ date / NSEC_PER_SEC, date % NSEC_PER_SEC }),
			 -ETIMEDOUT);
		check_ge(now(), date);
	}
	set_nonblocking(group, true);
	check_eq(evl_poll(group, &ev, 1), -EAGAIN);
	set_nonblocking(group, false);
	arm(fd, now() + SOON);
	check_eq(evl_timedpoll(group, &ev, 1, &never), 1);
	set_nonblocking(group, true);
	check_eq(evl_poll(group, &ev, 1), 1);
}

/* --- Readiness ---------------------------------------------------------------------------- */

/* Data to be read out-of-band last until they are read. */
static void level_of_input(void)
{
	int group, fd;
	char c;

	attach_fifo(10);
	group = new_group();
	fd = new_xbuf(64);
	add(group, fd, POLLIN);
	expect_idle(group);
	check_eq(write(fd, "ab", 2), 2);
	expect(group, fd, POLLIN);
	expect(group, fd, POLLIN);
	check_eq(oob_read(fd, &c, 1), 1);
	expect(group, fd, POLLIN);
	check_eq(oob_read(fd, &c, 1), 1);
	expect_idle(group);
	check_eq(write(fd, "c", 1), 1);
	expect(group, fd, POLLIN);
}

static void level_of_output(void)
{
	int group, fd;
	char buf[64];

	attach_fifo(10);
	group = new_group();
	fd = new_xbuf(sizeof(buf));
	memset(buf, 0, sizeof(buf));
	add(group, fd, POLLOUT);
	expect(group, fd, POLLOUT);
	check_eq(oob_write(fd, buf, sizeof(buf)), sizeof(buf));
	expect_idle(group);
	check_eq(read(fd, buf, 1), 1);
	expect(group, fd, POLLOUT);
}

/* Reports are restricted to what was asked for. */
static void masks(void)
{
	struct evl_poll_event ev;
	int group, fd;

	attach_fifo(10);
	group = new_group();
	fd = new_xbuf(64);
	check_eq(write(fd, "a", 1), 1);
	add(group, fd, IN | OUT);
	expect(group, fd, IN | OUT);
	check_ok(evl_mod_pollfd(group, fd, POLLRDNORM, evl_intval(fd)));
	expect(group, fd, POLLRDNORM);
	check_ok(evl_mod_pollfd(group, fd, POLLNVAL | POLLPRI, evl_intval(fd)));
	expect_idle(group);
	check_ok(evl_mod_pollfd(group, fd, 0, evl_intval(fd)));
	expect_idle(group);
	check_ok(evl_mod_pollfd(group, fd, OUT, evl_ptrval(&ev)));
	check_eq(poll_for(group, &ev, 1, LONG), 1);
	check_eq(ev.events, OUT);
	check_eq((uintptr_t)ev.pollval.ptr, (uintptr_t)&ev);
}

/* Files which cannot be polled are always ready. */
static void always_ready(void)
{
	int group, fd;

	attach_fifo(10);
	group = new_group();
	fd = check_ok(evl_open_element("clock", "monotonic"));
	add(group, fd, POLLIN);
	expect(group, fd, POLLIN);
	expect(group, fd, POLLIN);
	check_ok(evl_mod_pollfd(group, fd, IN | OUT, evl_intval(fd)));
	expect(group, fd, IN | OUT);
}

static void timers_wake_up(void)
{
	int group, fd;
	int64_t date;

	attach_fifo(10);
	group = new_group();
	fd = new_timer();
	add(group, fd, POLLIN);
	for (int i = 0; i < 10; i++) {
		date = now() + SOON;
		arm(fd, date);
		expect(group, fd, POLLIN);
		check_ge(now(), date);
		expect(group, fd, POLLIN);
		drain_timer(fd);
		expect_idle(group);
	}
}

/* The same file under two descriptors is two members. */
static void duplicates(void)
{
	struct evl_poll_event evs[4];
	int group, fd, dupfd;

	attach_fifo(10);
	group = new_group();
	fd = new_ticked_timer();
	dupfd = check_sys(dup(fd));
	add(group, fd, POLLIN);
	add(group, dupfd, POLLIN);
	check_eq(poll_for(group, evs, 4, LONG), 2);
	check_eq((int)(evs[0].fd + evs[1].fd), fd + dupfd);
	check_ne(evs[0].fd, evs[1].fd);
	check_ok(evl_del_pollfd(group, dupfd));
	expect(group, fd, POLLIN);
}

/* Two groups polled by one thread in turn have members of their own. */
static void two_groups(void)
{
	int a, b, in_a, in_b;

	attach_fifo(10);
	a = new_group();
	b = new_group();
	in_a = new_ticked_timer();
	in_b = new_ticked_timer();
	add(a, in_a, POLLIN);
	add(b, in_b, POLLIN);
	for (int i = 0; i < 3; i++) {
		expect(a, in_a, POLLIN);
		expect(b, in_b, POLLIN);
	}
	drain_timer(in_a);
	expect_idle(a);
	expect(b, in_b, POLLIN);
}

/* --- Many --------------------------------------------------------------------------------- */

static void allow_files(unsigned int count)
{
	struct rlimit lim = { .rlim_cur = count, .rlim_max = count };

	check_sys(setrlimit(RLIMIT_NOFILE, &lim));
}

/* With less room than there are events, all members have their turn. */
static void fair_shares(void)
{
	enum { COUNT = 100, SHARE = 30 };
	struct evl_poll_event evs[COUNT + 1];
	int group, fd, seen[COUNT * 2] = { 0 }, n;

	attach_fifo(10);
	group = new_group();
	fd = new_ticked_timer();
	for (int i = 0; i < COUNT; i++)
		add(group, check_sys(dup(fd)), POLLIN);
	check_eq(poll_for(group, evs, COUNT + 1, LONG), COUNT);
	for (int i = 0; i < COUNT; i++) {
		check_lt((int)evs[i].fd, COUNT * 2);
		check_eq(evs[i].pollval.lval, evs[i].fd);
		check_eq(seen[evs[i].fd]++, 0);
	}
	memset(seen, 0, sizeof(seen));
	n = 0;
	for (int i = 0; i < (COUNT + SHARE - 1) / SHARE; i++) {
		check_eq(poll_for(group, evs, SHARE, LONG), SHARE);
		for (int j = 0; j < SHARE; j++)
			n += !seen[evs[j].fd]++;
	}
	check_eq(n, COUNT);
}

static void one_of_thousands(void)
{
	enum { COUNT = 10000 };
	static int fds[COUNT];
	int group;

	allow_files(COUNT + 100);
	attach_fifo(10);
	group = new_group();
	for (int i = 0; i < COUNT; i++) {
		fds[i] = new_timer();
		add(group, fds[i], POLLIN);
	}
	expect_idle(group);
	for (int i = 0; i < COUNT; i += COUNT / 10 + 7) {
		arm(fds[i], now() + NSEC_PER_MSEC);
		expect(group, fds[i], POLLIN);
		drain_timer(fds[i]);
		expect_idle(group);
	}
	for (int i = 0; i < COUNT; i += 2)
		check_ok(evl_del_pollfd(group, fds[i]));
	arm(fds[1], now());
	expect(group, fds[1], POLLIN);
}

/* --- Nesting ------------------------------------------------------------------------------ */

static void nested_groups_wait(void)
{
	int outer, inner, fd;

	attach_fifo(10);
	outer = new_group();
	inner = new_group();
	add(outer, inner, POLLIN);
	expect_idle(outer);
	fd = new_timer();
	add(inner, fd, POLLIN);
	expect_idle(outer);
	arm(fd, now() + SOON);
	expect(outer, inner, POLLIN);
	expect(inner, fd, POLLIN);
	expect(outer, inner, POLLIN);
	drain_timer(fd);
	expect_idle(outer);
	expect_idle(inner);
	/* What is ready before it gets into the group counts, too. */
	arm(fd, now());
	expect(inner, fd, POLLIN);
	check_ok(evl_del_pollfd(outer, inner));
	add(outer, inner, IN | OUT);
	expect(outer, inner, IN);
	check_ok(evl_del_pollfd(inner, fd));
	expect_idle(outer);
}

static void deep_signals(void)
{
	int groups[5], fd;

	attach_fifo(10);
	fd = new_timer();
	for (int i = 0; i < 5; i++)
		groups[i] = new_group();
	for (int i = 0; i < 4; i++)
		add(groups[i], groups[i + 1], POLLIN);
	add(groups[4], fd, POLLIN);
	expect_idle(groups[0]);
	arm(fd, now() + SOON);
	for (int i = 0; i < 4; i++)
		expect(groups[i], groups[i + 1], POLLIN);
	drain_timer(fd);
	expect_idle(groups[0]);
	arm(fd, now() + SOON);
	expect(groups[0], groups[1], POLLIN);
}

static void loops(void)
{
	int a, b, c;

	attach_fifo(10);
	a = new_group();
	b = new_group();
	c = new_group();
	check_eq(evl_add_pollfd(a, a, POLLIN, evl_nil), -ELOOP);
	add(a, b, POLLIN);
	check_eq(evl_add_pollfd(a, b, POLLIN, evl_nil), -EEXIST);
	check_eq(evl_add_pollfd(b, a, POLLIN, evl_nil), -ELOOP);
	add(b, c, POLLIN);
	check_eq(evl_add_pollfd(c, a, POLLIN, evl_nil), -ELOOP);
	check_eq(evl_add_pollfd(c, b, POLLIN, evl_nil), -ELOOP);
	add(a, c, POLLIN);
	check(!evl_is_inband());
	check_ok(evl_del_pollfd(a, b));
	check(!evl_is_inband());
	check_eq(evl_add_pollfd(c, a, POLLIN, evl_nil), -ELOOP);
	check_ok(evl_del_pollfd(a, c));
	add(c, a, POLLIN);
	check_eq(evl_add_pollfd(a, b, POLLIN, evl_nil), -ELOOP);
	/* Closing cuts a loop, too. */
	close(c);
	add(a, b, POLLIN);
}

/* Whichever end a chain grows at, five groups on top of each other are the limit. */
static void depth(void)
{
	int down[6], up[6], extra;

	attach_fifo(10);
	for (int i = 0; i < 6; i++) {
		down[i] = new_group();
		up[i] = new_group();
	}
	for (int i = 0; i < 4; i++)
		add(down[i], down[i + 1], POLLIN);
	check_eq(evl_add_pollfd(down[4], down[5], POLLIN, evl_nil), -ELOOP);
	for (int i = 4; i > 0; i--)
		add(up[i - 1], up[i], POLLIN);
	check_eq(evl_add_pollfd(up[5], up[0], POLLIN, evl_nil), -ELOOP);
	/* In the middle. */
	extra = new_group();
	add(extra, down[1], POLLIN);
	check_eq(evl_add_pollfd(up[5], extra, POLLIN, evl_nil), -ELOOP);
	check_ok(evl_del_pollfd(extra, down[1]));
	add(extra, down[2], POLLIN);
	add(up[5], extra, POLLIN);
}

/* Many ways lead through a lattice of groups: checks do not walk them all. */
static void lattice(void)
{
	enum { LEVELS = 5, WIDTH = 40 };
	static int groups[LEVELS][WIDTH];
	struct evl_poll_event evs[WIDTH];
	int fd;

	allow_files(1000);
	attach_fifo(10);
	for (int l = 0; l < LEVELS; l++)
		for (int w = 0; w < WIDTH; w++)
			groups[l][w] = new_group();
	for (int l = 0; l + 1 < LEVELS; l++)
		for (int a = 0; a < WIDTH; a++)
			for (int b = 0; b < (l ? WIDTH : 1); b++)
				add(groups[l][a], groups[l + 1][b], POLLIN);
	check_eq(evl_add_pollfd(groups[LEVELS - 1][0], groups[0][0], POLLIN, evl_nil), -ELOOP);
	fd = new_timer();
	add(groups[LEVELS - 1][0], fd, POLLIN);
	expect_idle(groups[0][0]);
	for (int i = 0; i < 3; i++) {
		arm(fd, now() + NSEC_PER_MSEC);
		expect(groups[0][0], groups[1][0], POLLIN);
		check_eq(peek(groups[1][WIDTH - 1], evs, WIDTH), WIDTH);
		drain_timer(fd);
		expect_idle(groups[0][0]);
		expect_idle(groups[1][WIDTH - 1]);
	}
}

/* --- Waiters ------------------------------------------------------------------------------ */

struct waiter {
	struct worker w;
	int group;
	struct evl_poll_event ev;
};

static void wait_once(struct worker *w)
{
	struct waiter *p = w->arg;

	attach_worker(w);
	w->result = evl_poll(p->group, &p->ev, 1);
}

static void start_waiter(struct waiter *p, const char *name, int group)
{
	p->group = group;
	p->w = (struct worker){ .body = wait_once, .name = name, .prio = 20, .arg = p };
	start_worker(&p->w);
	await(worker_sleeps(&p->w));
}

/* Its name is free again afterwards. */
static int finish_waiter(struct waiter *p)
{
	join_worker(&p->w);
	close(p->w.efd);
	return p->w.result;
}

static void members_added_while_waiting(void)
{
	struct waiter p;
	int group, idle, fd;

	attach_fifo(10);
	group = new_group();
	idle = new_timer();
	fd = new_ticked_timer();
	add(group, idle, POLLIN);
	start_waiter(&p, "waiter", group);
	add(group, fd, POLLIN);
	check_eq(finish_waiter(&p), 1);
	check_eq((int)p.ev.fd, fd);

	check_ok(evl_mod_pollfd(group, fd, POLLOUT, evl_intval(fd)));
	start_waiter(&p, "waiter", group);
	check_ok(evl_mod_pollfd(group, fd, POLLIN, evl_intval(7)));
	check_eq(finish_waiter(&p), 1);
	check_eq((int)p.ev.fd, fd);
	check_eq(p.ev.pollval.lval, 7);
}

static void unblocked(void)
{
	struct waiter p;
	int group;

	attach_fifo(10);
	catch_signal(SIGUSR1, 0);
	group = new_group();
	add(group, new_timer(), POLLIN);
	start_waiter(&p, "waiter", group);
	signal_worker(&p.w, SIGUSR1);
	check_eq(finish_waiter(&p), -EINTR);
	check_eq(atomic_load(&signal_count), 1);

	start_waiter(&p, "waiter", group);
	check_ok(evl_unblock_thread(p.w.efd));
	check_eq(finish_waiter(&p), -EINTR);
}

static void restarted(void)
{
	struct waiter p;
	int group, fd;

	attach_fifo(10);
	catch_signal(SIGUSR1, SA_RESTART);
	group = new_group();
	fd = new_timer();
	add(group, fd, POLLIN);
	start_waiter(&p, "waiter", group);
	for (int i = 1; i < 4; i++) {
		signal_worker(&p.w, SIGUSR1);
		await(atomic_load(&signal_count) == i);
		await(worker_sleeps(&p.w));
	}
	arm(fd, now());
	check_eq(finish_waiter(&p), 1);
}

/* All threads which wait on a group see what lasts. */
static void all_waiters_see_a_level(void)
{
	enum { COUNT = 5 };
	static const char *const names[COUNT] = { "w0", "w1", "w2", "w3", "w4" };
	struct waiter p[COUNT];
	int group, fd;

	attach_fifo(10);
	group = new_group();
	fd = new_timer();
	add(group, fd, POLLIN);
	for (int i = 0; i < COUNT; i++)
		start_waiter(&p[i], names[i], group);
	arm(fd, now() + SOON);
	for (int i = 0; i < COUNT; i++) {
		check_eq(finish_waiter(&p[i]), 1);
		check_eq((int)p[i].ev.fd, fd);
	}
}

/* --- Closing ------------------------------------------------------------------------------ */

static void closed_before(void)
{
	struct evl_poll_event ev;
	int group, fd, other, again;

	attach_fifo(10);
	group = new_group();
	fd = new_timer();
	other = new_ticked_timer();
	add(group, fd, POLLIN);
	add(group, other, POLLIN);
	close(fd);
	check_eq(peek(group, &ev, 1), -EBADF);
	check_eq(evl_mod_pollfd(group, fd, POLLIN, evl_nil), -EBADF);
	check_eq(peek(group, &ev, 1), -EBADF);
	check_ok(evl_del_pollfd(group, fd));
	check_eq(evl_del_pollfd(group, fd), -EBADF);
	expect(group, other, POLLIN);

	/* Another file takes the place of the one which was closed. */
	close(other);
	again = new_ticked_timer();
	if (again != other) {
		check_eq(dup2(again, other), other);
		close(again);
	}
	check_eq(peek(group, &ev, 1), -EBADF);
	add(group, other, POLLIN);
	expect(group, other, POLLIN);
}

static void closed_meanwhile(void)
{
	struct waiter p;
	int group, fd, outer;

	attach_fifo(10);
	group = new_group();
	fd = new_xbuf(64);
	add(group, fd, POLLIN);
	start_waiter(&p, "waiter", group);
	close(fd);
	check_eq(finish_waiter(&p), 1);
	check_eq((int)p.ev.fd, fd);
	check_eq(p.ev.events, POLLNVAL);
	check_eq(evl_poll(group, &p.ev, 1), -EBADF);
	check_ok(evl_del_pollfd(group, fd));

	/* A group in a group. */
	outer = new_group();
	add(outer, group, POLLIN);
	start_waiter(&p, "waiter", outer);
	close(group);
	check_eq(finish_waiter(&p), 1);
	check_eq(p.ev.events, POLLNVAL);
}

/* It is the file which is polled: a descriptor to it may go. */
static void descriptor_closed(void)
{
	int group, fd, dupfd;

	attach_fifo(10);
	group = new_group();
	fd = new_timer();
	dupfd = check_sys(dup(fd));
	add(group, fd, POLLIN);
	close(fd);
	expect_idle(group);
	arm(dupfd, now() + SOON);
	expect(group, fd, POLLIN);
	check_ok(evl_del_pollfd(group, fd));
	check_eq(evl_del_pollfd(group, fd), -EBADF);
}

static void group_closed(void)
{
	struct waiter p;
	int group, fd;

	attach_fifo(10);
	group = new_group();
	fd = new_timer();
	add(group, fd, POLLIN);
	start_waiter(&p, "waiter", group);
	close(group);
	check_eq(finish_waiter(&p), -EIDRM);
	/* The member is none the worse for it. */
	arm(fd, now());
	drain_timer(fd);
}

/* --- Sharing ------------------------------------------------------------------------------ */

#define MESSAGES	2000

struct crowd {
	int group, fd;
	atomic_int taken;
};

/* Take messages as they come, several threads from one buffer; -1 tells to leave. */
static void take_messages(struct worker *w)
{
	struct crowd *crowd = w->arg;
	struct evl_poll_event ev;
	int msg = 0;

	attach_worker(w);
	while (msg >= 0) {
		check_eq(evl_poll(crowd->group, &ev, 1), 1);
		check_eq((int)ev.fd, crowd->fd);
		if (oob_read(crowd->fd, &msg, sizeof(msg)) == sizeof(msg)) {
			if (msg >= 0)
				atomic_fetch_add(&crowd->taken, 1);
		} else {
			check_eq(errno, EAGAIN);
		}
	}
}

static void shared_by_threads(void)
{
	static const char *const names[] = { "t0", "t1", "t2", "t3" };
	struct worker w[ARRAY_SIZE(names)];
	struct crowd crowd = { 0 };
	int end = -1;

	check_ok(evl_init());
	crowd.fd = new_xbuf(64);
	crowd.group = new_group();
	set_nonblocking(crowd.fd, true);
	for (unsigned int i = 0; i < ARRAY_SIZE(names); i++) {
		w[i] = (struct worker){ .body = take_messages, .name = names[i], .prio = 10 + i,
			.cpu = i & 1 ? other_cpu() : 0, .arg = &crowd };
	}
	attach_fifo(5);
	add(crowd.group, crowd.fd, POLLIN);
	check_ok(evl_detach_self());
	become(SCHED_OTHER, 0);
	for (unsigned int i = 0; i < ARRAY_SIZE(names); i++)
		start_worker(&w[i]);
	for (int i = 0; i < MESSAGES; i++)
		await(write(crowd.fd, &i, sizeof(i)) == sizeof(i));
	await(atomic_load(&crowd.taken) == MESSAGES);
	for (unsigned int i = 0; i < ARRAY_SIZE(names); i++)
		await(write(crowd.fd, &end, sizeof(end)) == sizeof(end));
	for (unsigned int i = 0; i < ARRAY_SIZE(names); i++)
		join_worker(&w[i]);
}

/* A child inherits the group, and what is in it. */
static void take_one(void *arg)
{
	struct crowd *crowd = arg;
	struct evl_poll_event ev;
	char c;

	become(SCHED_OTHER, 0);
	attach_weak();
	check_eq(evl_poll(crowd->group, &ev, 1), 1);
	check_eq((int)ev.fd, crowd->fd);
	check_eq(oob_read(crowd->fd, &c, 1), 1);
	check_eq(c, 'x');
}

static void shared_by_processes(void)
{
	struct crowd crowd = { 0 };
	pid_t pid;

	attach_fifo(10);
	crowd.fd = new_xbuf(64);
	crowd.group = new_group();
	add(crowd.group, crowd.fd, POLLIN);
	for (int i = 0; i < 5; i++) {
		pid = fork_child(take_one, &crowd);
		nap();
		check_eq(write(crowd.fd, "x", 1), 1);
		wait_success(pid);
		expect_idle(crowd.group);
	}
}

static void poll_forever(struct worker *w)
{
	struct evl_poll_event ev;

	attach_worker(w);
	/* What lasts is reported at once: leave some time to others. */
	for (;;) {
		poll_for(*(int *)w->arg, &ev, 1, NSEC_PER_MSEC);
		evl_usleep(200);
	}
}

/* Wait on an inherited group, and on one of our own which it is in, until killed. */
static void wait_to_be_killed(void *arg)
{
	int shared = *(int *)arg, own;
	struct worker w[] = {
		{ .body = poll_forever, .name = "doomed0", .prio = 5, .arg = &shared },
		{ .body = poll_forever, .name = "doomed1", .prio = 6, .arg = &own },
	};

	become(SCHED_OTHER, 0);
	attach_weak();
	own = new_group();
	add(own, shared, POLLIN);
	add(own, new_timer(), POLLIN);
	for (unsigned int i = 0; i < ARRAY_SIZE(w); i++)
		start_worker(&w[i]);
	for (;;) {
		check_ok(evl_mod_pollfd(own, shared, POLLIN, evl_nil));
		check_ok(evl_del_pollfd(own, shared));
		add(own, shared, POLLIN);
	}
}

static void killed_waiters(void)
{
	int group, fd;
	pid_t pid;

	attach_fifo(10);
	fd = new_timer();
	group = new_group();
	add(group, fd, POLLIN);
	for (int i = 0; i < 20; i++) {
		pid = fork_child(wait_to_be_killed, &group);
		for (int n = 0; n < i * 5; n++)
			nap();
		arm(fd, now() + NSEC_PER_MSEC);
		expect(group, fd, POLLIN);
		nap();
		check_sys(kill(pid, SIGKILL));
		wait_signal(pid, SIGKILL);
		expect(group, fd, POLLIN);
		drain_timer(fd);
		expect_idle(group);
	}
}

/* --- In-band polling of the same file -------------------------------------------------------- */

static void *poll_inband(void *arg)
{
	struct pollfd pfd = { .fd = *(int *)arg, .events = POLLIN };

	check_eq(poll(&pfd, 1, 60000), 1);
	check_eq(pfd.revents, POLLIN);
	return NULL;
}

static void mixed_with_poll(void)
{
	struct epoll_event eev = { .events = EPOLLIN };
	pthread_t thread;
	struct waiter p;
	int group, fd, epfd;
	char c;

	attach_fifo(10);
	group = new_group();
	fd = new_xbuf(64);
	add(group, fd, POLLIN);
	epfd = check_sys(epoll_create1(0));
	check_sys(epoll_ctl(epfd, EPOLL_CTL_ADD, fd, &eev));
	for (int i = 0; i < 10; i++) {
		check_eq(pthread_create(&thread, NULL, poll_inband, &fd), 0);
		start_waiter(&p, "waiter", group);
		check_eq(epoll_wait(epfd, &eev, 1, 0), 0);
		check_eq(oob_write(fd, "i", 1), 1);
		pthread_join(thread, NULL);
		check_eq(epoll_wait(epfd, &eev, 1, 0), 1);
		check(!atomic_load(&p.w.done));
		check_eq(write(fd, "o", 1), 1);
		check_eq(finish_waiter(&p), 1);
		check_eq(p.ev.events, POLLIN);
		check_eq(oob_read(fd, &c, 1), 1);
		check_eq(c, 'o');
		check_eq(read(fd, &c, 1), 1);
		check_eq(c, 'i');
	}
}

/* A proxy on a pipe: input has to be fetched from the target first. */
static void proxies(void)
{
	int group, in, out, target[2];
	char c;

	attach_fifo(10);
	check_sys(pipe(target));
	group = new_group();
	in = check_ok(evl_create_proxy(target[0], 64, 0, EVL_CLONE_INPUT, "in:%d", getpid()));
	out = check_ok(evl_create_proxy(target[1], 64, 0, EVL_CLONE_OUTPUT, "out:%d", getpid()));
	add(group, in, POLLIN);
	expect_idle(group);
	for (int i = 0; i < 5; i++) {
		check_eq(oob_write(out, "x", 1), 1);
		expect(group, in, POLLIN);
		check_eq(oob_read(in, &c, 1), 1);
		check_eq(c, 'x');
		expect_idle(group);
	}
	add(group, out, POLLOUT);
	expect(group, out, POLLOUT);
}

/* --- Monitors -------------------------------------------------------------------------------- */

static void semaphores(void)
{
	struct waiter p;
	struct evl_sem sem;
	int group, fd;

	attach_fifo(10);
	group = new_group();
	fd = check_ok(evl_new_sem(&sem, "sem:%d", getpid()));
	add(group, fd, IN | OUT);
	expect_idle(group);
	for (int i = 0; i < 5; i++) {
		start_waiter(&p, "waiter", group);
		check_ok(evl_put_sem(&sem));
		check_eq(finish_waiter(&p), 1);
		check_eq(p.ev.events, IN);
		expect(group, fd, IN);
		check_ok(evl_put_sem(&sem));
		check_ok(evl_tryget_sem(&sem));
		expect(group, fd, IN);
		check_ok(evl_get_sem(&sem));
		expect_idle(group);
	}
	/* It may be put before it gets into a group, by way of user space. */
	check_ok(evl_del_pollfd(group, fd));
	check_ok(evl_put_sem(&sem));
	add(group, fd, POLLIN);
	expect(group, fd, POLLIN);
	check_ok(evl_close_sem(&sem));
}

static void flag_groups(void)
{
	struct pollfd pfd = { .events = POLLIN };
	struct waiter p;
	struct evl_flags flags;
	int group, fd, bits = 0;

	attach_fifo(10);
	group = new_group();
	fd = check_ok(evl_new_flags(&flags, "flags:%d", getpid()));
	pfd.fd = fd;
	add(group, fd, POLLIN);
	expect_idle(group);
	for (int i = 0; i < 5; i++) {
		start_waiter(&p, "waiter", group);
		check_eq(poll(&pfd, 1, 0), 0);
		check_ok(evl_post_flags(&flags, 1 << i));
		check_eq(finish_waiter(&p), 1);
		check_eq(p.ev.events, POLLIN);
		check_eq(poll(&pfd, 1, 0), 1);
		expect(group, fd, POLLIN);
		check_ok(evl_trywait_flags(&flags, &bits));
		check_eq(bits, 1 << i);
		expect_idle(group);
	}
	check_ok(evl_mod_pollfd(group, fd, POLLOUT, evl_intval(fd)));
	expect(group, fd, POLLOUT);
	check_ok(evl_post_flags(&flags, 3));
	expect_idle(group);
	start_waiter(&p, "waiter", group);
	check_ok(evl_trywait_flags(&flags, &bits));
	check_eq(finish_waiter(&p), 1);
	check_eq(p.ev.events, POLLOUT);
	check_ok(evl_close_flags(&flags));
}

static void gates_and_events(void)
{
	struct evl_mutex mutex;
	struct evl_event event;
	int group, gate, fd;

	attach_fifo(10);
	group = new_group();
	gate = check_ok(evl_new_mutex(&mutex, "gate:%d", getpid()));
	fd = check_ok(evl_new_event(&event, "event:%d", getpid()));
	add(group, gate, POLLIN | POLLOUT);
	expect(group, gate, POLLIN);
	check_ok(evl_del_pollfd(group, gate));
	add(group, fd, POLLIN);
	expect(group, fd, POLLERR);
	check_ok(evl_close_event(&event));
	check_ok(evl_close_mutex(&mutex));
}

/* Two threads throw a pair of semaphores at each other, one of them through a group. */
struct pingpong {
	struct evl_sem ping, pong;
	int group;
};

static void ponger(struct worker *w)
{
	struct pingpong *pp = w->arg;
	struct evl_poll_event ev;

	attach_worker(w);
	for (int i = 0; i < MESSAGES; i++) {
		check_eq(evl_poll(pp->group, &ev, 1), 1);
		check_ok(evl_tryget_sem(&pp->ping));
		check_ok(evl_put_sem(&pp->pong));
	}
}

static void semaphore_pingpong(void)
{
	struct pingpong pp;
	struct worker w = { .body = ponger, .name = "ponger", .prio = 10, .cpu = other_cpu(), .arg = &pp };

	attach_fifo(10);
	check_ok(evl_new_sem(&pp.pong, "pong:%d", getpid()));
	pp.group = new_group();
	add(pp.group, check_ok(evl_new_sem(&pp.ping, "ping:%d", getpid())), POLLIN);
	start_worker(&w);
	for (int i = 0; i < MESSAGES; i++) {
		check_ok(evl_put_sem(&pp.ping));
		check_ok(evl_get_sem(&pp.pong));
	}
	join_worker(&w);
}

/* --- Storm ----------------------------------------------------------------------------------- */

static struct storm {
	int groups[3];
	int fds[4];
	atomic_bool stop;
} storm;

static void storm_wait(struct worker *w)
{
	struct evl_poll_event evs[4];
	int ret;

	attach_worker(w);
	while (!atomic_load(&storm.stop)) {
		ret = poll_for(storm.groups[rand() % 3], evs, 1 + rand() % 4, NSEC_PER_MSEC);
		if (ret < 0)
			check(ret == -ETIMEDOUT || ret == -EINVAL || ret == -EBADF || ret == -EIDRM);
		check_ok(evl_usleep(100));
	}
}

static void storm_change(struct worker *w)
{
	int group, fd, n, ret;

	attach_worker(w);
	while (!atomic_load(&storm.stop)) {
		group = storm.groups[rand() % 3];
		n = rand() % 7;
		fd = n < 4 ? storm.fds[n] : storm.groups[n - 4];
		switch (rand() % 5) {
		case 0: case 1:
			ret = evl_add_pollfd(group, fd, IN | OUT, evl_nil);
			check(!ret || ret == -EEXIST || ret == -ELOOP || ret == -EBADF);
			break;
		case 2:
			ret = evl_del_pollfd(group, fd);
			check(!ret || ret == -ENOENT || ret == -EBADF);
			break;
		case 3:
			ret = evl_mod_pollfd(group, fd, rand() & 1 ? IN : OUT, evl_nil);
			check(!ret || ret == -ENOENT || ret == -EBADF);
			break;
		default:
			if (n < 2)
				arm(fd, now() + NSEC_PER_MSEC / 2);
		}
		if (!(rand() % 16))
			check_ok(evl_usleep(200));
	}
}

/* Files and groups are replaced under their descriptors, in-band. */
static void storm_replace(struct worker *w)
{
	int fd;

	(void)w;
	while (!atomic_load(&storm.stop)) {
		if (rand() & 1) {
			fd = new_timer();
			check_sys(dup2(fd, storm.fds[rand() & 1]));
		} else {
			fd = new_group();
			check_sys(dup2(fd, storm.groups[rand() % 3]));
		}
		close(fd);
		nap();
	}
}

static void everything_at_once(void)
{
	struct worker w[] = {
		{ .body = storm_wait, .name = "wait0", .prio = 10 },
		{ .body = storm_wait, .name = "wait1", .prio = 12 },
		{ .body = storm_wait, .name = "wait2", .prio = 11, .cpu = 1 },
		{ .body = storm_change, .name = "change0", .prio = 9 },
		{ .body = storm_change, .name = "change1", .prio = 9, .cpu = 1 },
		{ .body = storm_replace, .name = "replace" },
	};
	int64_t end;

	check_ok(evl_init());
	for (int i = 0; i < 3; i++)
		storm.groups[i] = new_group();
	storm.fds[0] = new_timer();
	storm.fds[1] = new_timer();
	storm.fds[2] = new_xbuf(64);
	storm.fds[3] = check_ok(evl_open_element("clock", "monotonic"));
	for (unsigned int i = 0; i < ARRAY_SIZE(w); i++) {
		w[i].cpu = w[i].cpu ? other_cpu() : 0;
		start_worker(&w[i]);
	}
	end = now() + 5 * NSEC_PER_SEC;
	while (now() < end)
		nap();
	atomic_store(&storm.stop, true);
	for (unsigned int i = 0; i < ARRAY_SIZE(w); i++)
		join_worker(&w[i]);
}

static const struct CMUnitTest tests[] = {
	TEST(members_come_and_go, "adding, changing, removing, and their errors"),
	TEST(bad_requests, "bad addresses, actions and dates"),
	TEST(bad_waits, "empty groups, bad counts, other files"),
	TEST(strangers_may_not, "threads which are not attached are refused"),
	TEST(timeouts, "past, near and far dates, and no waiting at all"),
	TEST(level_of_input, "input is reported until it was read"),
	TEST(level_of_output, "room is reported as long as there is some"),
	TEST(masks, "only what was asked for is reported, with its value"),
	TEST(always_ready, "files which cannot be polled are ready"),
	TEST(timers_wake_up, "ticks wake up a thread which polls"),
	TEST(duplicates, "two descriptors of a file are two members"),
	TEST(two_groups, "groups polled in turn do not mix"),
	TEST(fair_shares, "a short buffer serves all members in turn"),
	TEST(one_of_thousands, "10,000 members of which one is ready"),
	TEST(nested_groups_wait, "a group in a group is ready if a member is"),
	TEST(deep_signals, "signals go up through four groups"),
	TEST(loops, "groups do not contain themselves"),
	TEST(depth, "a chain of groups is bounded from both ends"),
	TEST(lattice, "checks of nesting do not walk every path"),
	TEST(members_added_while_waiting, "new members and masks count at once"),
	TEST(unblocked, "signals and forced unblocking end a wait"),
	TEST(restarted, "a wait goes on after a signal handler"),
	TEST(all_waiters_see_a_level, "each of several threads gets an event that lasts"),
	TEST(closed_before, "a member which was closed has to be removed"),
	TEST(closed_meanwhile, "a member closed during the wait is reported"),
	TEST(descriptor_closed, "a member lives as long as its file"),
	TEST(group_closed, "closing the group ends the wait"),
	TEST(shared_by_threads, "threads share a group, and no message is lost"),
	TEST(shared_by_processes, "processes share a group"),
	TEST(killed_waiters, "a group survives the processes which poll it"),
	TEST(mixed_with_poll, "poll(2) and epoll(7) on the same file"),
	TEST(proxies, "proxies fetch what is polled for"),
	TEST(semaphores, "units are reported, wherever they were put"),
	TEST(flag_groups, "bits are reported, and their absence"),
	TEST(gates_and_events, "gates are ready, events cannot be polled"),
	TEST(semaphore_pingpong, "no wakeup is lost between two CPUs"),
	TEST(everything_at_once, "members, groups and files change under those who poll"),
};

TEST_MAIN("poll", tests)
