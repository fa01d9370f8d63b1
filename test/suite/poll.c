// SPDX-License-Identifier: GPL-2.0-only
/* Poll groups: members and what is ready. */
#include "group.h"
#include <evl/event.h>
#include <evl/flags.h>
#include <evl/mutex.h>

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

/* Nobody reads from a thread which is not observable. */
static void threads_are_errors(void)
{
	int efd = attach_fifo(10), group = new_group();
	struct evl_poll_event evs[2];

	check_ok(evl_add_pollfd(group, efd, POLLIN | POLLOUT, evl_nil));
	check_eq(evl_poll(group, evs, 2), 1);
	check_eq(evs[0].events, POLLERR);
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
	TEST(semaphores, "units are reported, wherever they were put"),
	TEST(flag_groups, "bits are reported, and their absence"),
	TEST(gates_and_events, "gates are ready, events cannot be polled"),
	TEST(threads_are_errors, "a thread is an error to who polls it"),
};

TEST_MAIN("poll", tests)
