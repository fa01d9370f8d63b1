// SPDX-License-Identifier: GPL-2.0-only
/* Poll groups shared by threads and processes, and storms. */
#include "group.h"
#include "notices.h"

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

/* Between two files of one descriptor there may be a moment when it has none: -EBADF is a right answer. */
static void storm_change(struct worker *w)
{
	struct itimerspec value = { };
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
			if (n < 2) {
				value.it_value = ns_ts(now() + NSEC_PER_MSEC / 2);
				ret = evl_set_timer(fd, &value, NULL);
				check(!ret || ret == -EBADF);
			}
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

/* --- Ready for some of them only ----------------------------------------------------------- */

struct subscriber {
	struct worker w;
	char name[16];
	int group, ofd;
	atomic_int subscribed, value;
};

/* Wait for notices, until one of them is negative. */
static void follow_notices(struct worker *w)
{
	struct subscriber *sub = w->arg;
	struct evl_poll_event ev;
	int value;

	attach_worker(w);
	check_ok(evl_subscribe(sub->ofd, 4, EVL_NOTIFY_ALWAYS));
	atomic_store(&sub->subscribed, true);
	do {
		check_eq(evl_poll(sub->group, &ev, 1), 1);
		value = receive(sub->ofd).event.lval;
		atomic_store(&sub->value, value);
	} while (value >= 0);
}

static int first_group(void)
{
	check_ok(evl_init());

	return new_group();
}

/* The first ones in line are the first to subscribe. */
static void start_subscribers(struct subscriber *subs, int nr, int group, int ofd)
{
	memset(subs, 0, nr * sizeof(*subs));
	for (int n = 0; n < nr; n++) {
		snprintf(subs[n].name, sizeof(subs[n].name), "sub%d", n);
		subs[n].group = group;
		subs[n].ofd = ofd;
		subs[n].w = (struct worker){ .body = follow_notices, .name = subs[n].name,
			.prio = 60 - n, .cpu = n & 1 ? other_cpu() : 0, .arg = &subs[n] };
		start_worker(&subs[n].w);
		await(atomic_load(&subs[n].subscribed) && worker_sleeps(&subs[n].w));
	}
}

/* Each notice is for one, in turn: whoever is first in line is woken up for others, too. */
static void check_subscribers(struct subscriber *subs, int nr, int ofd)
{
	for (int n = 0; n < nr; n++) {
		check_eq(send_value(ofd, TAG, n + 1), 1);
		await(atomic_load(&subs[n].value) == n + 1);
		await(worker_sleeps(&subs[0].w));
	}
	for (int n = 0; n < nr; n++)
		check_eq(send_value(ofd, TAG, -1), 1);
	for (int n = 0; n < nr; n++)
		join_worker(&subs[n].w);
}

static void check_each_of(int nr)
{
	int group = first_group(), ofd = new_observable(EVL_CLONE_UNICAST);
	static struct subscriber subs[40];

	attach_fifo(5);
	add(group, ofd, POLLIN);
	check_ok(evl_detach_self());
	become(SCHED_OTHER, 0);
	start_subscribers(subs, nr, group, ofd);
	check_subscribers(subs, nr, ofd);
}

static void each_for_one(void)
{
	check_each_of(2);
}

/* More than are woken up in one go. */
static void each_of_many(void)
{
	check_each_of(40);
}

/* What is in a group deep down is found through all of them, whichever was added first. */
static void each_from_afar(void)
{
	struct subscriber subs[3];
	int ofd;

	check_ok(evl_init());
	ofd = new_observable(EVL_CLONE_UNICAST);
	for (int last = 0; last < 3; last++) {
		int outer = new_group(), middle = new_group(), inner = new_group();

		attach_fifo(5);
		if (last != 0)
			add(outer, middle, POLLIN);
		if (last != 1)
			add(middle, inner, POLLIN);
		if (last != 2)
			add(inner, ofd, POLLIN);
		if (last == 0)
			add(outer, middle, POLLIN);
		else if (last == 1)
			add(middle, inner, POLLIN);
		else
			add(inner, ofd, POLLIN);
		check_ok(evl_detach_self());
		become(SCHED_OTHER, 0);
		start_subscribers(subs, ARRAY_SIZE(subs), outer, ofd);
		check_subscribers(subs, ARRAY_SIZE(subs), ofd);
		for (unsigned int n = 0; n < ARRAY_SIZE(subs); n++)
			close(subs[n].w.efd);
		close(outer);
		close(middle);
		close(inner);
	}
}

/* Nobody who waits has it: all look, and go back to sleep. */
static void for_somebody_else(void)
{
	int group = first_group(), ofd = new_observable(EVL_CLONE_UNICAST);
	struct subscriber subs[2];

	attach_fifo(5);
	check_ok(evl_subscribe(ofd, 4, EVL_NOTIFY_ALWAYS));
	add(group, ofd, POLLIN);
	check_ok(evl_detach_self());
	become(SCHED_OTHER, 0);
	start_subscribers(subs, ARRAY_SIZE(subs), group, ofd);
	check_eq(send_value(ofd, TAG, 7), 1);
	for (unsigned int n = 0; n < ARRAY_SIZE(subs); n++) {
		await(worker_sleeps(&subs[n].w));
		check_eq(atomic_load(&subs[n].value), 0);
	}
	check_received(ofd, TAG, 7);
	/* It is the turn of those. */
	check_eq(send_value(ofd, TAG, 1), 1);
	await(atomic_load(&subs[0].value) == 1);
	check_eq(send_value(ofd, TAG, 2), 1);
	await(atomic_load(&subs[1].value) == 2);
	check_ok(evl_unsubscribe(ofd));
	for (unsigned int n = 0; n < ARRAY_SIZE(subs); n++)
		check_eq(send_value(ofd, TAG, -1), 1);
	for (unsigned int n = 0; n < ARRAY_SIZE(subs); n++)
		join_worker(&subs[n].w);
}

static atomic_bool may_look;

static void look_late(struct worker *w)
{
	struct subscriber *sub = w->arg;

	attach_worker(w);
	check_ok(evl_subscribe(sub->ofd, 4, EVL_NOTIFY_ALWAYS));
	atomic_store(&sub->subscribed, true);
	await(atomic_load(&may_look));
	expect(sub->group, sub->ofd, POLLIN);
	check_received(sub->ofd, TAG, 3);
	expect_idle(sub->group);
}

/* What one thread has read is there for the next one. */
static void found_by_the_next(void)
{
	int group = first_group(), ofd = new_observable(0);
	struct subscriber sub = { .group = group, .ofd = ofd };

	sub.w = (struct worker){ .body = look_late, .name = "late", .prio = 10, .arg = &sub };
	start_worker(&sub.w);
	await(atomic_load(&sub.subscribed));
	attach_fifo(5);
	check_ok(evl_subscribe(ofd, 4, EVL_NOTIFY_ALWAYS));
	add(group, ofd, POLLIN);
	check_eq(send_value(ofd, TAG, 3), 1);
	expect(group, ofd, POLLIN);
	check_received(ofd, TAG, 3);
	expect_idle(group);
	atomic_store(&may_look, true);
	join_worker(&sub.w);
}

static void wait_for_notice(struct worker *w)
{
	struct subscriber *sub = w->arg;

	attach_worker(w);
	check_ok(evl_subscribe(sub->ofd, 4, EVL_NOTIFY_ALWAYS));
	check_eq(send_value(sub->ofd, TAG, 4), 1);
	atomic_store(&sub->subscribed, true);
	expect(sub->group, sub->ofd, POLLIN);
	check_received(sub->ofd, TAG, 4);
}

/* A thread which has notices waits, and another one, which has none, adds the observable. */
static void added_by_others(void)
{
	int group = first_group(), ofd = new_observable(0);
	struct subscriber sub = { .group = group, .ofd = ofd };

	attach_fifo(5);
	add(group, new_timer(), POLLIN);
	check_ok(evl_subscribe(ofd, 4, EVL_NOTIFY_ALWAYS));
	sub.w = (struct worker){ .body = wait_for_notice, .name = "has", .prio = 10, .arg = &sub };
	start_worker(&sub.w);
	await(atomic_load(&sub.subscribed) && worker_sleeps(&sub.w));
	check_received(ofd, TAG, 4);
	add(group, ofd, POLLIN);
	join_worker(&sub.w);
}

static struct {
	int ofd;
	atomic_bool stop;
} repeater;

static void repeat_value(struct worker *w)
{
	(void)w;
	while (!atomic_load(&repeater.stop))
		check_eq(send_value(repeater.ofd, TAG, 7), 1);
}

/* What is signaled again while somebody looks is there all the time. */
static void ready_all_the_time(void)
{
	int group = first_group();
	struct worker w = { .body = repeat_value, .name = "repeat", .cpu = other_cpu() };
	struct evl_poll_event ev;

	attach_fifo(10);
	check_sys(fcntl(group, F_SETFL, O_NONBLOCK));
	/* The first one is looked at first, and is not ready. */
	for (int n = 0; n < 2; n++) {
		repeater.ofd = check_ok(evl_create_observable(0, "one%d:%d", n, getpid()));
		check_ok(evl_subscribe(repeater.ofd, 4, EVL_NOTIFY_ONCHANGE));
		check_ok(evl_add_pollfd(group, repeater.ofd, POLLIN, evl_intval(n)));
	}
	check_eq(send_value(repeater.ofd, TAG, 7), 1);
	start_worker(&w);
	for (int i = 0; i < 20000; i++)
		check_eq(evl_poll(group, &ev, 1), 1);
	atomic_store(&repeater.stop, true);
	join_worker(&w);
}

/* All of them are reported in turn to who asks for one. */
static void one_at_a_time(void)
{
	int group = first_group(), fds[4], seen = 0;
	struct evl_poll_event ev;

	attach_fifo(10);
	for (int n = 0; n < 4; n++) {
		if (n < 2) {
			fds[n] = check_ok(evl_create_observable(0, "one%d:%d", n, getpid()));
			check_ok(evl_subscribe(fds[n], 4, EVL_NOTIFY_ALWAYS));
			check_eq(send_value(fds[n], TAG, n), 1);
		} else {
			fds[n] = new_ticked_timer();
		}
		check_ok(evl_add_pollfd(group, fds[n], POLLIN, evl_intval(n)));
	}
	for (int i = 0; i < 200 && seen != 15; i++) {
		check_eq(evl_poll(group, &ev, 1), 1);
		seen |= 1 << ev.pollval.lval;
	}
	check_eq(seen, 15);
	/* Each of them once, with room for all. */
	struct evl_poll_event evs[8];

	check_eq(evl_poll(group, evs, ARRAY_SIZE(evs)), 4);
}

static const struct CMUnitTest tests[] = {
	TEST(shared_by_threads, "threads share a group, and no message is lost"),
	TEST(shared_by_processes, "processes share a group"),
	TEST(killed_waiters, "a group survives the processes which poll it"),
	TEST(semaphore_pingpong, "no wakeup is lost between two CPUs"),
	TEST(each_for_one, "a notice wakes up the thread which it is for"),
	TEST(each_of_many, "among many"),
	TEST(each_from_afar, "through groups in groups"),
	TEST(for_somebody_else, "one for somebody else wakes up nobody for long"),
	TEST(found_by_the_next, "what one thread has read is there for the next one"),
	TEST(added_by_others, "an observable is ready for others than whoever adds it"),
	TEST(ready_all_the_time, "what is signaled again meanwhile is not missed"),
	TEST(one_at_a_time, "who asks for one event at a time gets at all that is ready"),
	TEST(everything_at_once, "members, groups and files change under those who poll"),
};

TEST_MAIN("poll-share", tests)
