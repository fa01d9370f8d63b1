// SPDX-License-Identifier: GPL-2.0-only
/* Poll groups: waiting for them, groups in groups, closing under waiters, poll(2) beside. */
#include "group.h"

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

/* Several ways lead through a lattice of groups, and all groups on them are told. */
static void lattice(void)
{
	enum { LEVELS = 4, WIDTH = 2 };
	int groups[LEVELS][WIDTH], fd;
	struct evl_poll_event evs[WIDTH];

	attach_fifo(10);
	for (int l = 0; l < LEVELS; l++)
		for (int w = 0; w < WIDTH; w++)
			groups[l][w] = new_group();
	for (int l = 0; l + 1 < LEVELS; l++)
		for (int a = 0; a < WIDTH; a++)
			for (int b = 0; b < WIDTH; b++)
				add(groups[l][a], groups[l + 1][b], POLLIN);
	check_eq(evl_add_pollfd(groups[LEVELS - 1][0], groups[0][0], POLLIN, evl_nil), -ELOOP);
	fd = new_timer();
	for (int w = 0; w < WIDTH; w++)
		add(groups[LEVELS - 1][w], fd, POLLIN);
	for (int i = 0; i < 3; i++) {
		for (int l = 0; l < LEVELS; l++)
			for (int w = 0; w < WIDTH; w++)
				expect_idle(groups[l][w]);
		arm(fd, now() + NSEC_PER_MSEC);
		expect(groups[LEVELS - 1][0], fd, POLLIN);
		for (int l = 0; l + 1 < LEVELS; l++)
			for (int w = 0; w < WIDTH; w++)
				check_eq(peek(groups[l][w], evs, WIDTH), WIDTH);
		drain_timer(fd);
	}
}

/* --- Waiters ------------------------------------------------------------------------------ */

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

static const struct CMUnitTest tests[] = {
	TEST(nested_groups_wait, "a group in a group is ready if a member is"),
	TEST(deep_signals, "signals go up through four groups"),
	TEST(loops, "groups do not contain themselves"),
	TEST(depth, "a chain of groups is bounded from both ends"),
	TEST(lattice, "signals go up by all ways"),
	TEST(members_added_while_waiting, "new members and masks count at once"),
	TEST(unblocked, "signals and forced unblocking end a wait"),
	TEST(restarted, "a wait goes on after a signal handler"),
	TEST(all_waiters_see_a_level, "each of several threads gets an event that lasts"),
	TEST(closed_before, "a member which was closed has to be removed"),
	TEST(closed_meanwhile, "a member closed during the wait is reported"),
	TEST(descriptor_closed, "a member lives as long as its file"),
	TEST(group_closed, "closing the group ends the wait"),
	TEST(mixed_with_poll, "poll(2) and epoll(7) on the same file"),
	TEST(proxies, "proxies fetch what is polled for"),
};

TEST_MAIN("poll-wait", tests)
