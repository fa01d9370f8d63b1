/* SPDX-License-Identifier: GPL-2.0-only */
/* Poll groups and what goes into them. */
#ifndef EVL_TEST_GROUP_H
#define EVL_TEST_GROUP_H

#include "helpers.h"
#include <evl/poll.h>
#include <evl/sem.h>
#include <evl/xbuf.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <poll.h>

#define SOON	(20 * NSEC_PER_MSEC)
#define LONG	(30 * NSEC_PER_SEC)

#define IN	(POLLIN | POLLRDNORM)
#define OUT	(POLLOUT | POLLWRNORM)

__attribute__((unused))
static int new_group(void)
{
	return check_ok(evl_new_poll());
}

__attribute__((unused))
static int new_xbuf(size_t size)
{
	static atomic_int serial;

	return check_ok(evl_new_xbuf(size, "polled:%d.%d", getpid(), atomic_fetch_add(&serial, 1)));
}

__attribute__((unused))
static int new_timer(void)
{
	return check_ok(evl_new_timer(EVL_CLOCK_MONOTONIC));
}

__attribute__((unused))
static void arm(int tfd, int64_t date)
{
	struct itimerspec value = { .it_value = ns_ts(date) };

	check_ok(evl_set_timer(tfd, &value, NULL));
}

/* A timer which ticked, and stays so until it is read. */
__attribute__((unused))
static int new_ticked_timer(void)
{
	int tfd = new_timer();

	arm(tfd, now() + NSEC_PER_MSEC);
	/* However late the machine is, that is a later one. */
	check_ok(sleep_until(now() + 2 * NSEC_PER_MSEC));
	return tfd;
}

__attribute__((unused))
static void drain_timer(int tfd)
{
	uint64_t ticks;

	check_eq(oob_read(tfd, &ticks, sizeof(ticks)), sizeof(ticks));
}

__attribute__((unused))
static void add(int group, int fd, int events)
{
	check_ok(evl_add_pollfd(group, fd, events, evl_intval(fd)));
}

__attribute__((unused))
static int poll_for(int group, struct evl_poll_event *evs, int max, int64_t ns)
{
	struct timespec ts = ns_ts(now() + ns);

	return evl_timedpoll(group, evs, max, &ts);
}

/* What is ready now. */
__attribute__((unused))
static int peek(int group, struct evl_poll_event *evs, int max)
{
	struct timespec past = { .tv_nsec = 1 };

	return evl_timedpoll(group, evs, max, &past);
}

__attribute__((unused))
static void expect_idle(int group)
{
	struct evl_poll_event ev;

	check_eq(peek(group, &ev, 1), -ETIMEDOUT);
}

/* The one member which is ready. */
__attribute__((unused))
static void expect(int group, int fd, unsigned int events)
{
	struct evl_poll_event evs[4];

	check_eq(poll_for(group, evs, ARRAY_SIZE(evs), LONG), 1);
	check_eq((int)evs[0].fd, fd);
	check_eq(evs[0].events, events);
	check_eq(evs[0].pollval.lval, fd);
}

__attribute__((unused))
static void allow_files(unsigned int count)
{
	struct rlimit lim = { .rlim_cur = count, .rlim_max = count };

	check_sys(setrlimit(RLIMIT_NOFILE, &lim));
}

struct waiter {
	struct worker w;
	int group;
	struct evl_poll_event ev;
};

__attribute__((unused))
static void wait_once(struct worker *w)
{
	struct waiter *p = w->arg;

	attach_worker(w);
	w->result = evl_poll(p->group, &p->ev, 1);
}

__attribute__((unused))
static void start_waiter(struct waiter *p, const char *name, int group)
{
	p->group = group;
	p->w = (struct worker){ .body = wait_once, .name = name, .prio = 20, .arg = p };
	start_worker(&p->w);
	await(worker_sleeps(&p->w));
}

/* Its name is free again afterwards. */
__attribute__((unused))
static int finish_waiter(struct waiter *p)
{
	join_worker(&p->w);
	close(p->w.efd);
	return p->w.result;
}

#endif /* !EVL_TEST_GROUP_H */
