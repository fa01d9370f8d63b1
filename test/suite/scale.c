// SPDX-License-Identifier: GPL-2.0-only
/* Numbers of elements beyond what a table of fixed size would hold. */
#include "helpers.h"
#include <evl/event.h>
#include <evl/proxy.h>
#include <evl/xbuf.h>
#include <sys/resource.h>

/* Upstream stops at 256. */
#define NR_THREADS	400
/* 128. */
#define NR_XBUFS	400
/* 64. */
#define NR_PROXIES	300
#define NR_TIMERS	400

static void raise_limits(void)
{
	struct rlimit limit = { 4096, 4096 };

	check_sys(setrlimit(RLIMIT_NOFILE, &limit));
	check_ok(evl_init());
}

static atomic_int slept;

static void sleep_in_line(struct worker *w)
{
	w->efd = check_ok(evl_attach_self("crowd-%d:%d", (int)(long)w->arg, getpid()));
	atomic_store(&w->attached, true);
	check_eq(sleep_until(INT64_MAX), -EINTR);
	atomic_fetch_add(&slept, 1);
}

static void many_threads(void)
{
	static struct worker w[NR_THREADS];

	raise_limits();
	for (int i = 0; i < NR_THREADS; i++) {
		w[i] = (struct worker){ .body = sleep_in_line, .arg = (void *)(long)i, .prio = 1 + i % 99,
					.cpu = i & other_cpu() };
		start_worker(&w[i]);
	}
	for (int i = 0; i < NR_THREADS; i++) {
		await(atomic_load(&w[i].attached));
		check_eq(state_of(w[i].efd).eattrs.sched_priority, 1 + i % 99);
	}
	for (int i = 0; i < NR_THREADS; i++) {
		char name[64];

		/* Unblocking is not remembered: it has to sleep by then. */
		snprintf(name, sizeof(name), "crowd-%d:%d", i, getpid());
		await(strtoul(read_attr("thread", name, "state"), NULL, 0) & EVL_T_DELAY);
		check_ok(evl_unblock_thread(w[i].efd));
	}
	for (int i = 0; i < NR_THREADS; i++)
		join_worker(&w[i]);
	check_eq(atomic_load(&slept), NR_THREADS);
}

static void many_xbufs(void)
{
	int fd[NR_XBUFS];

	raise_limits();
	attach_fifo(10);
	for (int i = 0; i < NR_XBUFS; i++) {
		fd[i] = check_ok(evl_create_xbuf(16, 16, i & 1 ? EVL_CLONE_PUBLIC : 0, "many-%d:%d", i, getpid()));
		check_eq(oob_write(fd[i], &i, sizeof(i)), sizeof(i));
	}
	for (int i = 0; i < NR_XBUFS; i++) {
		int got = -1;

		check_eq(read(fd[i], &got, sizeof(got)), sizeof(got));
		check_eq(got, i);
	}
}

static void many_proxies(void)
{
	int fd[NR_PROXIES], fds[2], sum = 0, got;

	raise_limits();
	attach_fifo(10);
	check_sys(pipe(fds));
	for (int i = 0; i < NR_PROXIES; i++)
		fd[i] = check_ok(evl_new_proxy(fds[1], 16, "many-%d:%d", i, getpid()));
	check_ok(evl_switch_oob());
	for (int i = 0; i < NR_PROXIES; i++)
		check_eq(evl_write_proxy(fd[i], &i, sizeof(i)), sizeof(i));
	/* Order is kept by proxy, so here they come in any. */
	for (int i = 0; i < NR_PROXIES; i++) {
		check_eq(read(fds[0], &got, sizeof(got)), sizeof(got));
		sum += got;
	}
	check_eq(sum, NR_PROXIES * (NR_PROXIES - 1) / 2);
}

static void many_timers(void)
{
	int fd[NR_TIMERS];
	uint64_t ticks;
	int64_t start;

	raise_limits();
	attach_fifo(10);
	for (int i = 0; i < NR_TIMERS; i++)
		fd[i] = check_ok(evl_new_timer(EVL_CLOCK_MONOTONIC));
	start = now() + 10 * NSEC_PER_MSEC;
	for (int i = 0; i < NR_TIMERS; i++) {
		struct itimerspec its = { .it_value = ns_ts(start + i * 7919 % NR_TIMERS * 20000) };

		check_ok(evl_set_timer(fd[i], &its, NULL));
	}
	for (int i = 0; i < NR_TIMERS; i++) {
		check_eq(oob_read(fd[i], &ticks, sizeof(ticks)), sizeof(ticks));
		check_eq(ticks, 1);
		check_reached(now(), start + i * 7919 % NR_TIMERS * 20000);
	}
}

static void big_rings(void)
{
	const size_t size = 4 << 20;
	char *in = malloc(size), *out = malloc(size);
	int fd;

	check(in && out);
	attach_fifo(10);
	fd = check_ok(evl_new_xbuf(size, "big:%d", getpid()));
	for (size_t i = 0; i < size; i++)
		in[i] = i * 2654435761U >> 20;
	check_eq(oob_write(fd, in, size), size);
	check_eq(read(fd, out, size), size);
	check_eq(memcmp(in, out, size), 0);
}

/* More than the core looks at in one go. */
#define NR_EVENTS	300

static struct evl_mutex gate;
static struct evl_event events[NR_EVENTS];
static atomic_int waiting;
static atomic_bool left;

static void wait_for_own_event(struct worker *w)
{
	w->efd = check_ok(evl_attach_self("waits-%d:%d", (int)(long)w->arg, getpid()));
	check_eq(evl_lock_mutex(&gate), 0);
	atomic_fetch_add(&waiting, 1);
	check_eq(evl_wait_event(&events[(long)w->arg], &gate), 0);
	check_eq(evl_unlock_mutex(&gate), 0);
}

static void *scribble(void *arg)
{
	(void)arg;
	pin_to(other_cpu());
	while (!atomic_load(&left))
		__atomic_fetch_or(&gate.monitor.state->flags, EVL_MONITOR_SIGNALED, __ATOMIC_SEQ_CST);
	return NULL;
}

/* Anybody can say all the time that there is something to look at. */
static void gate_is_left(void)
{
	static struct worker w[NR_EVENTS];
	pthread_t scribbler;

	raise_limits();
	check_ok(evl_new_mutex(&gate, "gate:%d", getpid()));
	for (int i = 0; i < NR_EVENTS; i++) {
		check_ok(evl_new_event(&events[i], "event-%d:%d", i, getpid()));
		w[i] = (struct worker){ .body = wait_for_own_event, .arg = (void *)(long)i, .prio = 10 };
		start_worker(&w[i]);
	}
	await(atomic_load(&waiting) == NR_EVENTS);
	attach_fifo(1);
	check_eq(pthread_create(&scribbler, NULL, scribble, NULL), 0);
	for (int i = 0; i < 20; i++) {
		check_eq(evl_lock_mutex(&gate), 0);
		check_eq(evl_unlock_mutex(&gate), 0);
	}
	atomic_store(&left, true);
	check_eq(pthread_join(scribbler, NULL), 0);
	check_eq(evl_lock_mutex(&gate), 0);
	for (int i = 0; i < NR_EVENTS; i++)
		check_eq(evl_signal_event(&events[i]), 0);
	check_eq(evl_unlock_mutex(&gate), 0);
	for (int i = 0; i < NR_EVENTS; i++)
		join_worker(&w[i]);
}

/* More than there is memory for: an error, and nothing is lost. */
static void too_big(void)
{
	check_ok(evl_init());
	for (int i = 0; i < 5; i++)
		check_eq(evl_create_xbuf(1 << 30, 1 << 30, 0, "toobig:%d", getpid()), -ENOMEM);
	check(!has_element("xbuf", own_name("toobig")));
}

static const struct CMUnitTest tests[] = {
	TEST_WITHIN(many_threads, 240, "400 threads"),
	TEST(many_xbufs, "400 cross-buffers"),
	TEST(many_proxies, "300 proxies"),
	TEST(many_timers, "400 timers at once"),
	TEST(big_rings, "rings of megabytes"),
	TEST_WITHIN(gate_is_left, 120, "a gate of many events can be left, whatever others write there"),
	TEST(too_big, "rings larger than memory are -ENOMEM"),
};

TEST_MAIN("scale", tests)
