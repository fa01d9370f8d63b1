// SPDX-License-Identifier: GPL-2.0-only
/* SIGKILL at any moment, again and again, to processes which do everything at once. */
#include "helpers.h"
#include <evl/proxy.h>
#include <evl/xbuf.h>
#include <evl/sys.h>

#define ROUNDS		120
#define FEW_ROUNDS	10
#define VICTIMS		3	/* at a time, at most */
#define WORKERS		6	/* of each */

/* What a victim shares between its threads. */
static struct {
	int xfd, pfd, tfd;
	int out[2];
	struct worker *workers;
	int count;
	int crowd;	/* threads on each CPU, those of other victims included */
} common;

static void storm_xbuf_oob(void)
{
	char buf[40] = "";

	if (oob_write(common.xfd, buf, sizeof(buf)) < 0)
		evl_usleep(100);
	oob_read(common.xfd, buf, 30);
}

static void storm_xbuf_inband(void)
{
	char buf[40] = "";

	if (read(common.xfd, buf, 40) <= 0)
		write(common.xfd, buf, 30);
}

static void storm_proxy(void)
{
	char buf[512] = "";

	evl_write_proxy(common.pfd, buf, sizeof(buf));
}

static void storm_drain(void)
{
	char buf[512];

	if (read(common.out[0], buf, sizeof(buf)) < 0)
		nap();
}

static void storm_sleep(void)
{
	sleep_until(now() + 300000);
}

static void storm_timer(void)
{
	struct itimerspec its = { .it_value = ns_ts(now() + 200000), .it_interval = ns_ts(150000) };
	uint64_t ticks;

	evl_set_timer(common.tfd, &its, NULL);
	oob_read(common.tfd, &ticks, sizeof(ticks));
}

static void storm_stages(void)
{
	evl_switch_oob();
	syscall(SYS_getppid);
	evl_switch_oob();
	evl_switch_inband();
}

static void storm_yield(void)
{
	evl_yield();
}

static void storm_spin(void)
{
	evl_switch_oob();
	spin_until(now() + 500000);
	evl_usleep(300);
}

static void storm_elements(void)
{
	int fd = evl_create_xbuf(64, 64, EVL_CLONE_PUBLIC, "storm:%d", get_tid());

	if (fd >= 0)
		close(fd);
	fd = evl_new_timer(EVL_CLOCK_REALTIME);
	if (fd >= 0)
		close(fd);
}

static void storm_others(void)
{
	struct evl_sched_attrs attrs;

	for (int i = 0; i < common.count; i++) {
		int efd = common.workers[i].efd;

		if (!atomic_load(&common.workers[i].attached))
			continue;
		evl_unblock_thread(efd);
		set_fifo(efd, 1 + i);
		evl_get_schedattr(efd, &attrs);
	}
	evl_usleep(400);
}

static void storm_signals(void)
{
	for (int i = 0; i < common.count; i++) {
		if (atomic_load(&common.workers[i].tid))
			syscall(SYS_tgkill, getpid(), atomic_load(&common.workers[i].tid), SIGUSR1);
	}
	nap();
}

static void storm_attach(void)
{
	evl_detach_self();
	evl_attach_self("again:%d", get_tid());
}

static void storm_faults(void)
{
	static __thread char *page;

	if (!page)
		page = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	munlock(page, 4096);
	madvise(page, 4096, MADV_DONTNEED);
	evl_switch_oob();
	page[0] = 1;
}

static void (*const acts[])(void) = {
	storm_xbuf_oob, storm_xbuf_inband, storm_proxy, storm_drain, storm_sleep, storm_timer, storm_stages, storm_yield,
	storm_spin, storm_elements, storm_others, storm_signals, storm_attach, storm_faults,
};

static void storm(struct worker *w)
{
	void (*act)(void) = w->arg;

	attach_worker(w);
	for (bool oob = true; ; oob = !oob) {
		int64_t start = now();

		for (int i = 0; i < 4; i++)
			act();
		rest_from(start, common.crowd, oob);
	}
}

/* A victim: a few of the acts at a time, chosen by the round, on both CPUs. */
static void be_victim(void *arg)
{
	static struct worker workers[WORKERS];
	int round = *(int *)arg;

	catch_signal(SIGUSR1, SA_RESTART);
	check_ok(evl_init());
	check_sys(pipe2(common.out, O_NONBLOCK));
	check_sys(fcntl(common.out[1], F_SETFL, 0));
	common.xfd = check_ok(evl_create_xbuf(100, 100, EVL_CLONE_NONBLOCK, "storm:%d", getpid()));
	common.pfd = check_ok(evl_create_proxy(common.out[1], 1024, 0, EVL_CLONE_OUTPUT, "storm:%d", getpid()));
	common.tfd = check_ok(evl_new_timer(EVL_CLOCK_MONOTONIC));
	common.workers = workers;
	common.count = ARRAY_SIZE(workers);
	for (int i = 0; i < common.count; i++) {
		static const char *const names[] = { "s0", "s1", "s2", "s3", "s4", "s5" };

		workers[i].body = storm;
		workers[i].name = names[i];
		workers[i].arg = acts[(round + i * (1 + round / 14)) % ARRAY_SIZE(acts)];
		/* Priority 0 is a weak thread. */
		workers[i].prio = (round + i) % 4 ? 10 + i : 0;
		workers[i].cpu = (round + i) & other_cpu();
		start_worker(&workers[i]);
	}
	for (;;)
		pause();
}

/* From before it has set anything up to well after. */
static void let_it_run(int round)
{
	int64_t end = now() + (round * 7919 % 60) * NSEC_PER_MSEC;

	while (now() < end)
		sched_yield();
}

/* A machine which takes a second for a round, under debugging, has seen enough some day. */
static bool goes_on(int round, int64_t start)
{
	return round < ROUNDS && (round < FEW_ROUNDS || now() < start + 100 * NSEC_PER_SEC);
}

static void kill_storm(void)
{
	int64_t start = now();

	common.crowd = WORKERS / 2;
	for (int round = 0; goes_on(round, start); round++) {
		pid_t pid = fork_child(be_victim, &round);

		let_it_run(round);
		check_sys(kill(pid, SIGKILL));
		wait_signal(pid, SIGKILL);
	}
}

/* Several at a time: they die while others start. */
static void overlapping_storm(void)
{
	pid_t pids[VICTIMS] = { 0 };
	int64_t start = now();

	common.crowd = VICTIMS * WORKERS / 2;
	for (int round = 0; goes_on(round, start); round++) {
		pid_t *pid = &pids[round % VICTIMS];

		if (*pid) {
			check_sys(kill(*pid, SIGKILL));
			wait_signal(*pid, SIGKILL);
		}
		*pid = fork_child(be_victim, &round);
		let_it_run(round / 2);
	}
	for (int i = 0; i < VICTIMS; i++) {
		check_sys(kill(pids[i], SIGKILL));
		wait_signal(pids[i], SIGKILL);
	}
}

static void exit_storm_body(void *arg)
{
	int round = *(int *)arg;

	if (!fork()) {
		be_victim(arg);
		_exit(1);
	}
	/* The child's own, too. */
	alarm(1 + round % 2);
	be_victim(arg);
}

/* SIGALRM ends them by default, all threads at once, from within. */
static void self_inflicted(void)
{
	/* With its child. */
	common.crowd = 2 * WORKERS / 2;
	for (int round = 0; round < 6; round++) {
		pid_t pid = fork_child(exit_storm_body, &round);

		wait_signal(pid, SIGALRM);
		/* The grandchild, which nobody waits for but the group. */
		signal(SIGTERM, SIG_IGN);
		kill(0, SIGTERM);
		signal(SIGTERM, SIG_DFL);
	}
}

static const struct CMUnitTest tests[] = {
	TEST_WITHIN(kill_storm, 200, "processes are killed, one after the other"),
	TEST_WITHIN(overlapping_storm, 200, "several processes are killed while others start"),
	TEST_WITHIN(self_inflicted, 120, "processes end by a signal of their own"),
};

TEST_MAIN("storm", tests)
