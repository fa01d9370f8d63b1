// SPDX-License-Identifier: GPL-2.0-only
/* Numbers of elements beyond what a table of fixed size would hold. */
#include "puppet.h"
#include <evl/event.h>
#include <evl/flags.h>
#include <evl/proxy.h>
#include <evl/xbuf.h>
#include <sys/resource.h>
#include <sys/utsname.h>

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

/* --- Lines of flags, longer than what is looked at in one go ------------------------- */

#define NR_WAITERS	600
#define NR_TAKERS	20		/* among the former, each of which takes what comes */
#define COMES		0x1
#define NEVER_COMES	0x2

static struct puppet waiter[NR_WAITERS], teller;
static struct evl_flags flags;
static atomic_int got[NR_WAITERS];
static atomic_bool over;

static bool is_taker(int i)
{
	return i % (NR_WAITERS / NR_TAKERS) == NR_TAKERS / 2;
}

static int peek_flags(void)
{
	int bits;

	check_ok(evl_peek_flags(&flags, &bits));
	return bits;
}

static int wait_in_vain(struct puppet *p)
{
	(void)p;
	return evl_wait_exact_flags(&flags, COMES | NEVER_COMES);
}

static int take(struct puppet *p)
{
	int bits, ret;

	while (!(ret = evl_wait_some_flags(&flags, COMES, &bits))) {
		check_eq(bits, COMES);
		atomic_fetch_add(&got[p - waiter], 1);
	}
	return ret;
}

static void line_up(bool takers)
{
	char name[16];

	raise_limits();
	check_ok(evl_new_flags(&flags, "flags:%d", getpid()));
	for (int i = 0; i < NR_WAITERS; i++) {
		snprintf(name, sizeof(name), "waiter%d", i);
		launch_puppet(&waiter[i], name, 2 + i * 7 % 40, i & 1 ? other_cpu() : 0);
	}
	for (int i = 0; i < NR_WAITERS; i++) {
		finish_act(&waiter[i]);
		begin(&waiter[i], takers && is_taker(i) ? take : wait_in_vain, NULL);
	}
	for (int i = 0; i < NR_WAITERS; i++)
		await(worker_sleeps(&waiter[i].w));
}

static void send_home(void)
{
	check_ok(evl_close_flags(&flags));
	for (int i = 0; i < NR_WAITERS; i++) {
		check_eq(result(&waiter[i]), -EIDRM);
		end_puppet(&waiter[i]);
	}
}

/* Puts people elsewhere in line. */
static void *stir(void *arg)
{
	unsigned int seed = 1;

	pin_to(other_cpu());
	while (!atomic_load(&over))
		set_fifo(waiter[rand_r(&seed) % NR_WAITERS].w.efd, 2 + rand_r(&seed) % 40);
	return arg;
}

static int all_got(void)
{
	int sum = 0;

	for (int i = 0; i < NR_WAITERS; i++)
		sum += atomic_load(&got[i]);
	return sum;
}

static bool takers_sleep(void)
{
	for (int i = 0; i < NR_WAITERS; i++)
		if (is_taker(i) && !worker_sleeps(&waiter[i].w))
			return false;
	return true;
}

/* Each post is for one, each broadcast for all of them, wherever they are in line. */
static void line_of_flags_is_stirred(void)
{
	pthread_t stirrer;
	int want = 0;

	line_up(true);
	check_eq(pthread_create(&stirrer, NULL, stir, NULL), 0);
	for (int n = 1; n <= 200; n++) {
		if (n % 4) {
			check_eq(evl_post_flags(&flags, COMES), 0);
			want++;
		} else {
			check_eq(evl_broadcast_flags(&flags, COMES), 0);
			want += NR_TAKERS;
		}
		await(all_got() == want && takers_sleep());
		check_eq(peek_flags(), 0);
	}
	atomic_store(&over, true);
	check_eq(pthread_join(stirrer, NULL), 0);
	send_home();
}

static atomic_int begun, ended;

static int post_in_vain(struct puppet *p)
{
	int bits;

	(void)p;
	while (!atomic_load(&over)) {
		atomic_fetch_add(&begun, 1);
		check_eq(evl_post_flags(&flags, COMES), 0);
		atomic_fetch_add(&ended, 1);
		check_eq(evl_trywait_some_flags(&flags, COMES, &bits), 0);
	}
	return 0;
}

/* Of those times that the teller was found in the middle of a post, in how many the bits were not there yet, in percent. */
static int look_around(struct puppet *p)
{
	int within = 0, early = 0;

	(void)p;
	while (within < 200) {
		check_eq(sleep_until(now() + 100000 + rand() % 1000000), 0);
		if (atomic_load(&begun) == atomic_load(&ended))
			continue;
		within++;
		if (!peek_flags())
			early++;
	}
	atomic_store(&over, true);
	return early * 100 / within;
}

/* Whoever has a date is not kept waiting by a post which looks for somebody in a long line. */
static void post_lets_others_in(void)
{
	struct puppet watcher;
	struct utsname name;
	bool preempts;
	int early;

	check_sys(uname(&name));
	preempts = strstr(name.version, "PREEMPT_RT") || strstr(name.version, "DOVETAIL");
	line_up(false);
	start_puppet(&teller, "teller", 50, other_cpu());
	start_puppet(&watcher, "watcher", 60, other_cpu());
	begin(&teller, post_in_vain, NULL);
	begin(&watcher, look_around, NULL);
	early = result(&watcher);
	/* Where a thread which is inside of Linux keeps its CPU, so does one which posts. */
	if (!preempts)
		check_skip("Linux does not let itself be preempted (%d%%)", early);
	check_ge(early, 33);
	check_eq(result(&teller), 0);
	send_home();
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
	TEST_WITHIN(line_of_flags_is_stirred, 240, "flags find those who want them in a line of 600, which changes meanwhile"),
	TEST_WITHIN(post_lets_others_in, 240, "posting to it does not keep others from their CPU until that is done"),
	TEST(too_big, "rings larger than memory are -ENOMEM"),
};

TEST_MAIN("scale", tests)
