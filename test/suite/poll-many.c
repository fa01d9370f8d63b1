// SPDX-License-Identifier: GPL-2.0-only
/* Poll groups: how many may watch one element, and how many groups may be above one. */
#include "group.h"

/* See doc/poll.md. */
#define MAX_WATCHES	128
#define MAX_ABOVE	15

static int try_add(int group, int fd)
{
	return evl_add_pollfd(group, fd, POLLIN, evl_intval(fd));
}

static void add_duplicates(int group, int fd, int *fds)
{
	for (int i = 0; i < MAX_WATCHES; i++) {
		fds[i] = check_sys(dup(fd));
		add(group, fds[i], POLLIN);
	}
}

static void delete_all(int group, const int *fds, int count)
{
	for (int i = 0; i < count; i++)
		check_ok(evl_del_pollfd(group, fds[i]));
}

static void close_all(const int *fds, int count)
{
	for (int i = 0; i < count; i++)
		check_sys(close(fds[i]));
}

/* --- One element -------------------------------------------------------------------------- */

static void full(void)
{
	struct evl_poll_event evs[MAX_WATCHES + 1];
	int group, other, fd, fds[MAX_WATCHES];

	attach_fifo(10);
	group = new_group();
	other = new_group();
	fd = new_timer();
	add_duplicates(group, fd, fds);
	for (int i = 0; i < 3; i++) {
		check_eq(try_add(group, fd), -ENOSPC);
		check_eq(try_add(other, fd), -ENOSPC);
	}
	check(!evl_is_inband());
	/* Nothing came of it. */
	check_eq(evl_del_pollfd(group, fd), -ENOENT);
	check_eq(evl_poll(other, evs, 1), -EINVAL);
	check_eq(try_add(group, fds[0]), -EEXIST);
	/* Other elements have room of their own. */
	add(other, new_timer(), POLLIN);
	arm(fd, now() + SOON);
	check_ge(poll_for(group, evs, MAX_WATCHES + 1, LONG), 1);
	check_eq(peek(group, evs, MAX_WATCHES + 1), MAX_WATCHES);
	expect_idle(other);
}

static void deleted(void)
{
	int group, other, fd, fds[MAX_WATCHES];

	attach_fifo(10);
	group = new_group();
	other = new_group();
	fd = new_timer();
	add_duplicates(group, fd, fds);
	for (int i = 0; i < MAX_WATCHES; i++) {
		check_eq(try_add(other, fd), -ENOSPC);
		check_ok(evl_del_pollfd(group, fds[i]));
		add(other, fd, POLLIN);
		check_eq(try_add(group, fds[i]), -ENOSPC);
		check_ok(evl_del_pollfd(other, fd));
		add(group, fds[i], POLLIN);
	}
}

static void group_closed(void)
{
	int group, fd, fds[MAX_WATCHES];

	attach_fifo(10);
	fd = new_timer();
	for (int i = 0; i < 3; i++) {
		group = new_group();
		add_duplicates(group, fd, fds);
		check_eq(try_add(group, fd), -ENOSPC);
		close(group);
		close_all(fds, MAX_WATCHES);
	}
}

/* A semaphore which is opened again has one more file, the end of which it outlives. */
static void file_closed(void)
{
	int group, other, fd, fds[MAX_WATCHES];
	struct evl_sem sem, again;

	attach_fifo(10);
	group = new_group();
	other = new_group();
	fd = check_ok(evl_new_sem(&sem, "/crowded:%d", getpid()));
	for (int i = 0; i < 3; i++) {
		add_duplicates(group, check_ok(evl_open_sem(&again, "/crowded:%d", getpid())), fds);
		check_eq(try_add(other, fd), -ENOSPC);
		close_all(fds, MAX_WATCHES);
		check_eq(try_add(other, fd), -ENOSPC);
		check_ok(evl_close_sem(&again));
		add(other, fd, POLLIN);
		check_ok(evl_put_sem(&sem));
		expect(other, fd, POLLIN);
		check_ok(evl_get_sem(&sem));
		check_ok(evl_del_pollfd(other, fd));
		delete_all(group, fds, MAX_WATCHES);
	}
	/* Whoever was refused does not want to be told of units. */
	check_eq(sem.monitor.state->u.event.pollrefs, 0);
}

static void watch_until_killed(void *arg)
{
	int group, fds[MAX_WATCHES];

	become(SCHED_OTHER, 0);
	attach_weak();
	group = new_group();
	add_duplicates(group, *(int *)arg, fds);
	check_eq(try_add(group, *(int *)arg), -ENOSPC);
	check_sys(raise(SIGKILL));
}

static void process_killed(void)
{
	int group, fd;

	attach_fifo(10);
	group = new_group();
	fd = new_timer();
	for (int i = 0; i < 3; i++) {
		wait_signal(fork_child(watch_until_killed, &fd), SIGKILL);
		add(group, fd, POLLIN);
		check_ok(evl_del_pollfd(group, fd));
	}
}

/* --- Many descriptors --------------------------------------------------------------------- */

#define THOUSANDS	5000

static void thousands(void)
{
	static struct evl_poll_event evs[THOUSANDS];
	static int fds[THOUSANDS];
	struct itimerspec often = { 0 };
	int group, fd;

	allow_files(THOUSANDS + 100);
	attach_fifo(10);
	group = new_group();
	fd = new_timer();
	often.it_value = ns_ts(now());
	often.it_interval = ns_ts(NSEC_PER_MSEC);
	check_ok(evl_set_timer(fd, &often, NULL));
	for (int i = 0; i < THOUSANDS; i++) {
		fds[i] = check_sys(dup(fd));
		check_eq(try_add(group, fds[i]), i < MAX_WATCHES ? 0 : -ENOSPC);
	}
	await(peek(group, evs, THOUSANDS) == MAX_WATCHES);
	for (int i = 0; i < THOUSANDS; i++)
		check_eq(evl_del_pollfd(group, fds[i]), i < MAX_WATCHES ? 0 : -ENOENT);
	add(group, fd, POLLIN);
	expect(group, fd, POLLIN);
}

static void poll_until_closed(struct worker *w)
{
	static struct evl_poll_event evs[THOUSANDS];
	int ret;

	attach_worker(w);
	do {
		/* The end of a file takes some work in-band, on this CPU too. */
		check_ok(evl_usleep(100));
		ret = peek(*(int *)w->arg, evs, THOUSANDS);
		/* A file which is about to end has no events, nor has it ended yet. */
	} while (ret > 0 || ret == -ETIMEDOUT);
	w->result = ret;
}

/* Nobody tells of a file which is always ready, so there is nothing to be full. It ends under those who look at it. */
static void thousands_always_ready(void)
{
	static int fds[THOUSANDS];
	int group;
	struct worker w = { .body = poll_until_closed, .name = "poller", .prio = 10, .cpu = other_cpu(), .arg = &group };

	allow_files(THOUSANDS + 100);
	attach_fifo(10);
	group = new_group();
	fds[0] = check_ok(evl_open_element("clock", "monotonic"));
	for (int i = 1; i < THOUSANDS; i++)
		fds[i] = check_sys(dup(fds[0]));
	for (int i = 0; i < THOUSANDS; i++)
		add(group, fds[i], POLLIN);
	start_worker(&w);
	nap();
	close_all(fds, THOUSANDS);
	join_worker(&w);
	check_eq(w.result, -EBADF);
	delete_all(group, fds, THOUSANDS);
	add(group, new_timer(), POLLIN);
	expect_idle(group);
}

/* --- Groups above groups -------------------------------------------------------------------- */

static void new_groups(int *groups, int count)
{
	for (int i = 0; i < count; i++)
		groups[i] = new_group();
}

static void too_many_above(void)
{
	int above[MAX_ABOVE + 2], inner;
	struct evl_poll_event ev;

	attach_fifo(10);
	inner = new_group();
	new_groups(above, ARRAY_SIZE(above));
	for (int i = 0; i < MAX_ABOVE; i++)
		add(above[i], inner, POLLIN);
	for (int i = 0; i < 3; i++) {
		check_eq(try_add(above[MAX_ABOVE], inner), -ENOSPC);
		check(!evl_is_inband());
		/* Nothing came of it. */
		check_eq(evl_del_pollfd(above[MAX_ABOVE], inner), -ENOENT);
		check_eq(evl_poll(above[MAX_ABOVE], &ev, 1), -EINVAL);
	}
	/* One goes, another one comes. */
	check_ok(evl_del_pollfd(above[0], inner));
	add(above[MAX_ABOVE], inner, POLLIN);
	check_eq(try_add(above[0], inner), -ENOSPC);
	close(above[1]);
	add(above[0], inner, POLLIN);
	check_eq(try_add(above[MAX_ABOVE + 1], inner), -ENOSPC);
	/* All of its room comes back with the end of the one below. */
	close(inner);
	inner = new_group();
	for (int i = 2; i < MAX_ABOVE + 2; i++)
		add(above[i], inner, POLLIN);
	check_eq(try_add(above[0], inner), -ENOSPC);
}

/* Each descriptor of a group is a way up. */
static void duplicates_of_a_group(void)
{
	int outer, inner, fds[MAX_ABOVE + 1];

	attach_fifo(10);
	outer = new_group();
	inner = new_group();
	for (int i = 0; i < MAX_ABOVE; i++) {
		fds[i] = check_sys(dup(inner));
		add(outer, fds[i], POLLIN);
	}
	check_eq(try_add(outer, inner), -ENOSPC);
	delete_all(outer, fds, MAX_ABOVE);
	add(outer, inner, POLLIN);
}

/* What counts is the sum of the steps which a signal takes, from the lowest group on. */
static void all_ways_count(void)
{
	int low, middle[3], high[6], top;

	attach_fifo(10);
	low = new_group();
	top = new_group();
	new_groups(middle, 3);
	new_groups(high, 6);
	for (int i = 0; i < 3; i++)
		add(middle[i], low, POLLIN);
	/* Each of these is three ways up from the lowest one, one from each of the middle. */
	for (int n = 0; n < 4; n++)
		for (int i = 0; i < 3; i++)
			add(high[n], middle[i], POLLIN);
	/* Fifteen in all. */
	for (int i = 0; i < 3; i++)
		check_eq(try_add(high[4], middle[i]), -ENOSPC);
	check_eq(try_add(high[4], low), -ENOSPC);
	check_eq(try_add(top, high[0]), -ENOSPC);
	delete_all(high[3], middle, 3);
	add(top, high[0], POLLIN);
	check_eq(try_add(high[4], low), -ENOSPC);
	check_eq(try_add(top, high[1]), -ENOSPC);
	close(low);
	add(top, high[1], POLLIN);
	add(high[4], middle[0], POLLIN);
}

static void expect_all(const int *groups, int count, bool ready)
{
	struct evl_poll_event ev;

	for (int i = 0; i < count; i++)
		check_eq(peek(groups[i], &ev, 1), ready ? 1 : -ETIMEDOUT);
}

/* The longest way of all: as many as may watch an element, as many as may be above each of them. */
static void everybody_is_told(void)
{
	enum { COUNT = MAX_WATCHES * (1 + MAX_ABOVE) };
	static int groups[COUNT];
	struct evl_poll_event ev;
	int fd;

	allow_files(COUNT + 100);
	attach_fifo(10);
	fd = new_timer();
	new_groups(groups, COUNT);
	for (int i = 0; i < COUNT; i++) {
		if (i < MAX_WATCHES)
			add(groups[i], fd, POLLIN);
		else
			add(groups[i], groups[i % MAX_WATCHES], POLLIN);
	}
	for (int i = 0; i < 3; i++) {
		expect_all(groups, COUNT, false);
		arm(fd, now() + NSEC_PER_MSEC);
		check_eq(poll_for(groups[COUNT - 1], &ev, 1, LONG), 1);
		expect_all(groups, COUNT, true);
		drain_timer(fd);
	}
	close(fd);
	expect_all(groups + MAX_WATCHES, COUNT - MAX_WATCHES, true);
}

/* --- Storm ------------------------------------------------------------------------------------ */

static struct storm {
	int groups[4], timer, inner;
	int timers[MAX_WATCHES + 8], inners[MAX_ABOVE + 4];
	atomic_bool stop;
} storm;

static void come_and_go(struct worker *w)
{
	int group, fd, ret;

	attach_worker(w);
	while (!atomic_load(&storm.stop)) {
		for (int n = 0; n < 500; n++) {
			group = storm.groups[rand() % 4];
			fd = n % 8 ? storm.timers[rand() % ARRAY_SIZE(storm.timers)] :
				storm.inners[rand() % ARRAY_SIZE(storm.inners)];
			/* More come than go. */
			ret = rand() % 8 ? try_add(group, fd) : evl_del_pollfd(group, fd);
			check(!ret || ret == -EEXIST || ret == -ENOENT || ret == -ENOSPC);
		}
		check_ok(evl_usleep(200));
	}
}

/* Room does not get lost. */
static void come_and_go_at_once(void)
{
	struct worker w[] = {
		{ .body = come_and_go, .name = "come0", .prio = 9 },
		{ .body = come_and_go, .name = "come1", .prio = 10 },
		{ .body = come_and_go, .name = "come2", .prio = 9 },
		{ .body = come_and_go, .name = "come3", .prio = 10 },
	};
	struct itimerspec often = { .it_interval = ns_ts(NSEC_PER_MSEC) };
	int group, fds[MAX_WATCHES];
	int64_t end;

	check_ok(evl_init());
	new_groups(storm.groups, 4);
	storm.timer = new_timer();
	storm.inner = new_group();
	for (unsigned int i = 0; i < ARRAY_SIZE(storm.timers); i++)
		storm.timers[i] = check_sys(dup(storm.timer));
	for (unsigned int i = 0; i < ARRAY_SIZE(storm.inners); i++)
		storm.inners[i] = check_sys(dup(storm.inner));
	often.it_value = ns_ts(now() + NSEC_PER_MSEC);
	check_ok(evl_set_timer(storm.timer, &often, NULL));
	for (unsigned int i = 0; i < ARRAY_SIZE(w); i++) {
		w[i].cpu = i & 1 ? other_cpu() : 0;
		start_worker(&w[i]);
	}
	end = now() + 5 * NSEC_PER_SEC;
	while (now() < end)
		nap();
	atomic_store(&storm.stop, true);
	for (unsigned int i = 0; i < ARRAY_SIZE(w); i++)
		join_worker(&w[i]);

	close_all(storm.groups, 4);
	attach_fifo(10);
	group = new_group();
	add_duplicates(group, storm.timer, fds);
	check_eq(try_add(group, storm.timer), -ENOSPC);
	for (int i = 0; i < MAX_ABOVE; i++)
		add(group, storm.inners[i], POLLIN);
	check_eq(try_add(group, storm.inner), -ENOSPC);
}

static const struct CMUnitTest tests[] = {
	TEST(full, "a member of 128 groups, or by 128 descriptors, cannot be added once more"),
	TEST(deleted, "deleting a member makes room for another one"),
	TEST(group_closed, "closing a group makes room"),
	TEST(file_closed, "closing a file makes room at its element"),
	TEST(process_killed, "the end of a process makes room"),
	TEST(thousands, "5,000 descriptors of a timer"),
	TEST(thousands_always_ready, "5,000 descriptors of a clock, closed while they are polled"),
	TEST(too_many_above, "fifteen groups above one are the limit"),
	TEST(duplicates_of_a_group, "each descriptor of a group counts"),
	TEST(all_ways_count, "so does each way up, wherever groups are joined"),
	TEST(everybody_is_told, "2,048 groups are told of one tick"),
	TEST(come_and_go_at_once, "room is not lost when members come and go at once"),
};

TEST_MAIN("poll-many", tests)
