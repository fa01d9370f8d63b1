// SPDX-License-Identifier: GPL-2.0-only
/* Events of the core, and marks which programs leave among them. */
#include "tracefs.h"
#include "driver.h"
#include "user.h"
#include <evl/mutex.h>
#include <evl/sem.h>
#include <evl/trace.h>
#include <evl/xbuf.h>
#include <linux/bpf.h>
#include <linux/perf_event.h>
#include "../module/evl_test.h"

#define DEVICE	"/dev/evl/trace"

/* "name=" and such of a worker. */
static const char *name_of(const char *stem)
{
	static __thread char text[4][80];
	static __thread int next;
	char *p = text[next++ % 4];

	snprintf(p, sizeof(text[0]), "name=%s:%d ", stem, getpid());
	return p;
}

static const char *pid_of(struct worker *w)
{
	static __thread char text[32];

	snprintf(text, sizeof(text), "pid=%d ", atomic_load(&w->tid));
	return text;
}

/* --- The device ---------------------------------------------------------------------------- */

static void node_is_like_its_siblings(void)
{
	struct stat st, sibling;

	check_sys(stat(DEVICE, &st));
	check_sys(stat("/dev/evl/poll", &sibling));
	check(S_ISCHR(st.st_mode));
	check_eq(st.st_mode, sibling.st_mode);
	check_eq(st.st_uid, sibling.st_uid);
	check_eq(st.st_gid, sibling.st_gid);
	check_eq(st.st_mode & 0007, 0);
	check_sys(stat("/sys/devices/virtual/evl/trace", &st));
	become_user();
	check_errno(open(DEVICE, O_WRONLY), EACCES);
}

/* On the stage of the caller, and it stays there. */
struct way {
	ssize_t (*write)(int fd, const void *buf, size_t count);
	int (*ioctl)(int fd, unsigned long request, ...);
};

static const struct way inband = { write, ioctl }, oob = { oob_write, oob_ioctl };

static void try_marks(const struct way *way, int fd, int readonly)
{
	char text[301], unmapped[1] = "";

	memset(text, 'm', 300);
	text[300] = '\0';
	check_eq(way->write(fd, text, 300), 127);
	check_eq(way->write(fd, text, 127), 127);
	check_eq(way->write(fd, "one\n", 4), 4);
	check_eq(way->write(fd, "two\nlines\t", 10), 10);
	check_eq(way->write(fd, "cut\0off", 7), 7);
	check_eq(way->write(fd, "\303\251\342\202\254 \360\237\230\200", 10), 10);
	check_eq(way->write(fd, "\x9bm|\302\x9bm|\300\257|\355\240\200|\364\220\200\200|\342\202", 21), 21);
	check_eq(way->write(fd, unmapped, 0), 0);
	check_eq(way->write(fd, NULL, 0), 0);
	check_errno(way->write(fd, bad_address(8), 5), EFAULT);
	check_errno(way->write(readonly, "text", 4), EBADF);
	check_errno(way->ioctl(fd, EVL_CLKIOC_GET_TIME, 0UL), ENOTTY);
	check_errno(way->ioctl(fd, EVL_TRCIOC_SNAPSHOT + 1, 0UL), ENOTTY);
}

static void check_marks(char *text)
{
	char longest[130] = " ";

	memset(longest + 1, 'm', 127);
	check_event(text, "evl_trace", longest);
	strcat(longest, "m");
	check_no_event(text, "evl_trace", longest);
	check_event(text, "evl_trace", " one\n");
	check_event(text, "evl_trace", " two lines \n");
	check_event(text, "evl_trace", " cut\n");
	check_no_event(text, "evl_trace", "off");
	check_event(text, "evl_trace", " \303\251\342\202\254 \360\237\230\200\n");
	check_event(text, "evl_trace", "  m|  m|  |   |    |  \n");
	check_eq(count_events(text), 7);
}

static void open_device(int *fd, int *readonly)
{
	*fd = check_sys(open(DEVICE, O_RDWR));
	*readonly = check_sys(open(DEVICE, O_RDONLY));
}

static void marks_inband(void)
{
	int fd, readonly;
	char c;

	open_device(&fd, &readonly);
	start_recording("evl_trace");
	try_marks(&inband, fd, readonly);
	check_marks(stop_recording());
	check_errno(read(fd, &c, 1), EINVAL);
}

static void marks_oob(void)
{
	int fd, readonly;
	char c;

	open_device(&fd, &readonly);
	start_recording("evl_trace");
	attach_fifo(10);
	try_marks(&oob, fd, readonly);
	check(!evl_is_inband());
	check_errno(oob_read(fd, &c, 1), EINVAL);
	check_marks(stop_recording());
}

static void marks_by_library(void)
{
	int fd;
	char *text;

	check_ok(evl_init());
	fd = check_ok(evl_trace_open());
	check(fcntl(fd, F_GETFD) & FD_CLOEXEC);
	start_recording("evl_trace");
	check_eq(evl_trace_printf(fd, "number %d", 42), 9);
	check_eq(evl_trace_printf(fd, "%0200d", 7), 127);
	check_eq(evl_trace_write(-1, "x", 1), -EBADF);
	check_eq(evl_trace_write(fd, bad_address(8), 1), -EFAULT);
	check_eq(evl_trace_snapshot(-1), -EBADF);
	attach_fifo(10);
	check_eq(evl_trace_printf(fd, "out-of-band %s", "too"), 15);
	check_eq(evl_trace_write(-1, "x", 1), -EBADF);
	check_eq(evl_trace_write(fd, bad_address(8), 1), -EFAULT);
	check_eq(evl_trace_snapshot(-1), -EBADF);
	check(!evl_is_inband());
	text = stop_recording();
	check_event(text, "evl_trace", " number 42");
	check_event(text, "evl_trace", " 000000000");
	check_event(text, "evl_trace", " out-of-band too");
	check_eq(count_events(text), 3);
}

/* A file which is closed while it is used from out-of-band, and the last one too. */
static void closed_meanwhile(void)
{
	int fd = check_sys(open(DEVICE, O_RDWR));

	attach_fifo(10);
	check_eq(oob_write(fd, "x", 1), 1);
	close(fd);
	check_ok(evl_switch_oob());
	check_errno(oob_write(fd, "x", 1), EBADF);
}

/* --- Snapshots ----------------------------------------------------------------------------- */

static bool file_has(const char *path, const char *word)
{
	static char text[1024 * 1024];
	size_t len = 0;
	ssize_t ret;
	int fd = check_sys(open(path, O_RDONLY));

	while ((ret = read(fd, text + len, sizeof(text) - 1 - len)) > 0)
		len += ret;
	close(fd);
	text[len] = '\0';
	return strstr(text, word);
}

#define TRIGGER(__where)	__where "/events/evl/evl_trigger/trigger"

static void ask_for_snapshot(int fd, bool from_oob)
{
	check_eq((from_oob ? oob_write : write)(fd, "put aside", 9), 9);
	check_eq((from_oob ? oob_ioctl : ioctl)(fd, EVL_TRCIOC_SNAPSHOT, 0UL), 0);
	check(evl_is_inband() != from_oob);
}

/* The topmost buffer has no memory for one: whoever took it would stop the recording. */
static void snapshot_needs_a_trigger(void)
{
	int fd = check_sys(open(DEVICE, O_RDWR));

	check_ok(write_file(TRACEFS "/trace", ""));
	check_ok(write_file(TRACEFS "/events/evl/evl_trace/enable", "1"));
	start_recording("evl_trigger");
	ask_for_snapshot(fd, false);
	attach_fifo(10);
	ask_for_snapshot(fd, true);
	check_event(stop_recording(), "evl_trigger", "issuer=program\n");
	check_ok(write_file(TRACEFS "/events/evl/evl_trace/enable", "0"));
	check(file_has(TRACEFS "/tracing_on", "1"));
	check(file_has(TRACEFS "/trace", "evl_trace: put aside"));
	check(!file_has(TRACEFS "/trace", "SNAPSHOT"));
}

static void try_snapshot(bool from_oob)
{
	int fd = check_sys(open(DEVICE, O_RDWR));
	bool put_aside;

	if (access(INSTANCE "/snapshot", F_OK))
		check_skip("this kernel has no snapshots");
	start_recording("evl_trace");
	check_ok(write_file(TRIGGER(INSTANCE), "snapshot"));
	if (from_oob)
		attach_fifo(10);
	ask_for_snapshot(fd, from_oob);
	check_ok(write_file(TRIGGER(INSTANCE), "!snapshot"));
	put_aside = file_has(INSTANCE "/snapshot", "evl_trace: put aside");
	check_no_event(stop_recording(), "evl_trace", "put aside");
	check_ok(write_file(INSTANCE "/snapshot", "0"));
	check(put_aside);
}

static void snapshot_inband(void)
{
	try_snapshot(false);
}

static void snapshot_oob(void)
{
	try_snapshot(true);
}

/* Root has the memory freed, and set aside again, while programs ask. */
static atomic_bool settled;

static void ask_all_the_time(struct worker *w)
{
	int fd = *(int *)w->arg;

	attach_worker(w);
	while (!atomic_load(&settled)) {
		check_sys(oob_ioctl(fd, EVL_TRCIOC_SNAPSHOT, 0UL));
		check_sys(ioctl(fd, EVL_TRCIOC_SNAPSHOT, 0UL));
		nap();
	}
}

static void snapshot_under_change(void)
{
	int fd = check_sys(open(DEVICE, O_RDWR));
	struct worker w = { .body = ask_all_the_time, .name = "asks", .prio = 10, .cpu = other_cpu(), .arg = &fd };
	int64_t end;

	if (access(TRACEFS "/snapshot", F_OK))
		check_skip("this kernel has no snapshots");
	check_ok(evl_init());
	start_worker(&w);
	for (end = now() + 3 * NSEC_PER_SEC; now() < end; ) {
		check_ok(write_file(TRACEFS "/snapshot", "1"));
		check_ok(write_file(TRIGGER(TRACEFS), "snapshot"));
		nap();
		check_ok(write_file(TRIGGER(TRACEFS), "!snapshot"));
		check_ok(write_file(TRACEFS "/snapshot", "0"));
	}
	atomic_store(&settled, true);
	join_worker(&w);
	check(file_has(TRACEFS "/tracing_on", "1"));
}

/* --- What events tell ----------------------------------------------------------------------- */

static struct evl_sem sem;

static void get_once(struct worker *w)
{
	attach_worker(w);
	w->result = evl_get_sem(&sem);
}

static void sleeps_and_wakes(void)
{
	struct worker w = { .body = get_once, .name = "sleeper", .prio = 20 };
	const char *name = name_of("sleeper");
	char *text;

	check_ok(evl_init());
	check_ok(evl_new_sem(&sem, "thesem"));
	start_recording("");
	start_worker(&w);
	await(worker_sleeps(&w));
	check_ok(evl_put_sem(&sem));
	join_worker(&w);
	text = stop_recording();
	check_eq(w.result, 0);

	text = check_event(text, "evl_element_new", "class=thread", "name=sleeper:");
	text = check_event(text, "evl_sleep_on", name, pid_of(&w), "prio=20 ", "wchan=", "timeout=0 (none)");
	check_event(text, "evl_schedule", "curr=sleeper:");
	check_event(text, "evl_switch_context", "prev_name=sleeper:", "prev_state=W");
	text = check_event(text, "evl_wakeup_thread", name, pid_of(&w), "state=W", "info=-");
	check_event(text, "evl_pick_thread", name, "class=fifo prio=20 cpu=0");
	text = check_event(text, "evl_switch_context", "next_name=sleeper:", "next_prio=20");
	text = check_event(text, "evl_switch_tail", name);
	text = check_event(text, "evl_finish_wait", name, "result=0");
	text = check_event(text, "evl_oob_sysexit", "request=oob_ioctl result=0");
	check_event(text, "evl_element_dispose", "class=thread", "name=sleeper:");
}

/* A date which has come already leaves no trace of a sleep: far enough for a machine which is late. */
static void times_out(struct worker *w)
{
	struct timespec ts;

	attach_worker(w);
	ts = ns_ts(now() + 200 * NSEC_PER_MSEC);
	w->result = evl_timedget_sem(&sem, &ts);
	check_ok(sleep_until(now() + 200 * NSEC_PER_MSEC));
}

static void waits_with_a_limit(void)
{
	struct worker w = { .body = times_out, .name = "limited", .prio = 20 };
	const char *name = name_of("limited");
	char *text;

	check_ok(evl_init());
	check_ok(evl_new_sem(&sem, NULL));
	start_recording("");
	start_worker(&w);
	join_worker(&w);
	text = stop_recording();
	check_eq(w.result, -ETIMEDOUT);

	text = check_event(text, "evl_sleep_on", name, "(date) clock=monotonic");
	check_event(text, "evl_timer_start", "handler=timed_out", "clock=monotonic cpu=0");
	check_event(text, "evl_timer_shot", "date=");
	text = check_event(text, "evl_timer_expire", "handler=timed_out");
	text = check_event(text, "evl_wakeup_thread", name, "info=timeout");
	text = check_event(text, "evl_finish_wait", name, "result=-110");
	/* A delay: nothing but time. */
	text = check_event(text, "evl_sleep_on", name, "wchan=-:");
	text = check_event(text, "evl_wakeup_thread", name, "state=D", "info=timeout");
	check_event(text, "evl_finish_wait", name, "result=0");
}

static void periodic_timer(void)
{
	struct itimerspec its = { .it_value.tv_nsec = 2000000, .it_interval.tv_nsec = 2000000 };
	__u64 ticks;
	char *text;
	int tfd;

	attach_fifo(10);
	tfd = check_ok(evl_new_timer(EVL_CLOCK_MONOTONIC));
	start_recording("");
	its.it_value = ns_ts(now() + 100 * NSEC_PER_MSEC);
	check_ok(evl_set_timer(tfd, &its, NULL));
	check_sys(oob_read(tfd, &ticks, sizeof(ticks)));
	its = (struct itimerspec){ { 0, 0 }, { 0, 0 } };
	check_ok(evl_set_timer(tfd, &its, NULL));
	text = stop_recording();
	text = check_event(text, "evl_timer_start", "interval=2000000");
	text = check_event(text, "evl_timer_expire", "interval=2000000");
	check_event(text, "evl_timer_stop", "clock=monotonic");
}

static void changes_stages(struct worker *w)
{
	attach_worker(w);
	check_ok(evl_switch_oob());
	check_ok(evl_switch_inband());
	check_ok(evl_switch_oob());
	syscall(SYS_getppid);
	check(evl_is_inband());
}

static void switches_stages(void)
{
	struct worker w = { .body = changes_stages, .name = "stages", .prio = 20 };
	const char *name = name_of("stages");
	char *text, number[32];

	check_ok(evl_init());
	start_recording("");
	start_worker(&w);
	join_worker(&w);
	text = stop_recording();
	text = check_event(text, "evl_switching_oob", name, pid_of(&w), "state=X");
	text = check_event(text, "evl_switched_oob", name, "state=.");
	text = check_event(text, "evl_switching_inband", name, "cause=none");
	text = check_event(text, "evl_switched_inband", name, "state=X");
	text = check_event(text, "evl_switched_oob", name);
	snprintf(number, sizeof(number), "syscall=%d\n", SYS_getppid);
	text = check_event(text, "evl_inband_sysentry", name, number);
	text = check_event(text, "evl_switching_inband", name, "cause=sysdemote");
	check_event(text, "evl_switched_inband", name, "state=X");
}

static struct evl_mutex mutex;
static atomic_bool locked, go;

static void lock_low(struct worker *w)
{
	attach_worker(w);
	check_ok(evl_lock_mutex(&mutex));
	atomic_store(&locked, true);
	await(atomic_load(&go));
	check_ok(evl_unlock_mutex(&mutex));
}

static void lock_high(struct worker *w)
{
	attach_worker(w);
	check_ok(evl_lock_mutex(&mutex));
	check_ok(evl_unlock_mutex(&mutex));
}

static void boosts(void)
{
	struct worker low = { .body = lock_low, .name = "low", .prio = 10 };
	struct worker high = { .body = lock_high, .name = "high", .prio = 20 };
	char *text;

	check_ok(evl_init());
	check_ok(evl_new_mutex(&mutex, NULL));
	start_worker(&low);
	await(atomic_load(&locked));
	start_recording("evl_thread_update_prio");
	start_worker(&high);
	await(worker_sleeps(&high));
	atomic_store(&go, true);
	join_worker(&low);
	join_worker(&high);
	text = stop_recording();
	text = check_event(text, "evl_thread_update_prio", name_of("low"), pid_of(&low),
			   "old=fifo:10 new=fifo:20 base_prio=10 boosted\n");
	check_event(text, "evl_thread_update_prio", name_of("low"), "old=fifo:20 new=fifo:10 base_prio=10\n");
}

static void is_reported(void)
{
	const char *name = name_of("reported");
	char *text;
	int efd;

	catch_sigdebug();
	become(SCHED_FIFO, 10);
	efd = check_ok(evl_attach_self("reported:%d", getpid()));
	check_ok(evl_set_thread_mode(efd, EVL_T_WOSS, NULL));
	start_recording("evl_thread_notify");
	check_ok(evl_switch_oob());
	syscall(SYS_getppid);
	text = stop_recording();
	check_event(text, "evl_thread_notify", name, "code=sysdemote", "by=signal");
}

static void forced_waits(void)
{
	struct worker w = { .body = get_once, .name = "forced", .prio = 20 };
	const char *name = name_of("forced");
	char *text;

	check_ok(evl_init());
	check_ok(evl_new_sem(&sem, NULL));
	catch_signal(SIGUSR1, 0);
	start_worker(&w);
	await(worker_sleeps(&w));
	start_recording("");
	check_ok(evl_unblock_thread(w.efd));
	join_worker(&w);
	text = stop_recording();
	check_eq(w.result, -EINTR);
	text = check_event(text, "evl_unblock_thread", name, "reason=break");
	text = check_event(text, "evl_finish_wait", name, "result=-4");

	atomic_store(&w.attached, false);
	start_worker(&w);
	await(worker_sleeps(&w));
	start_recording("");
	signal_worker(&w, SIGUSR1);
	await(atomic_load(&signal_count));
	check_ok(evl_close_sem(&sem));
	text = stop_recording();
	text = check_event(text, "evl_kick_thread", name, "state=W");
	text = check_event(text, "evl_switching_inband", name, "cause=sigdemote");
	check_event(text, "evl_flush_wait", "reason=removed");
	join_worker(&w);
}

static void elements_come_and_go(void)
{
	char *text, name[64];
	int fd;

	snprintf(name, sizeof(name), "class=xbuf name=box:%d\n", getpid());
	check_ok(evl_init());
	start_recording("");
	fd = check_ok(evl_new_xbuf(64, "box:%d", getpid()));
	close(fd);
	fd = check_ok(evl_create_xbuf(64, 64, EVL_CLONE_PUBLIC, "/pub:%d", getpid()));
	close(fd);
	text = stop_recording();
	text = check_event(text, "evl_element_new", name);
	check_event(text, "evl_element_dispose", name);
	check_event(text, "evl_element_new", "class=xbuf", "name=pub:", " public");
}

static void requests(void)
{
	char *text, fd[32];
	int efd;

	efd = attach_fifo(10);
	start_recording("");
	check_ok(evl_switch_oob());
	check_errno(oob_write(-1, "x", 1), EBADF);
	check_errno(oob_ioctl(efd, _IO('?', 99), 0x1234UL), ENOTTY);
	text = stop_recording();
	text = check_event(text, "evl_oob_sysentry", "request=oob_write fd=-1", "0x1)");
	text = check_event(text, "evl_oob_sysexit", "request=oob_write result=-9");
	snprintf(fd, sizeof(fd), "request=oob_ioctl fd=%d ", efd);
	text = check_event(text, "evl_oob_sysentry", fd, "0x1234)");
	check_event(text, "evl_oob_sysexit", "result=-25");
}

static void driver_marks(void)
{
	struct evl_test_run run = { .nr = TEST_TRACE };
	int fd = check_sys(open(EVL_TEST_DEVICE, O_RDWR));
	char *text;

	start_recording("");
	check_sys(ioctl(fd, EVL_TEST_RUN, &run));
	check_eq(run.line, 0);
	text = stop_recording();
	check_event(text, "evl_trigger", "issuer=evl_test in-band");
	check_event(text, "evl_trigger", "issuer=evl_test out-of-band");
	check_event(text, "evl_trigger", "issuer=evl_test timer");
	check_event(text, "evl_latspot", "latency=1234567 ns");
}

/* --- Load ---------------------------------------------------------------------------------- */

/* Two threads of a CPU which have each other run, and Linux now and then. */
struct pair {
	struct evl_sem ping, pong;
	struct worker workers[2];
	char names[2][16];
	atomic_int rounds;
	atomic_bool stop, over;
};

/* Until the player says that it was the last time: it may be in the middle of a round when it is told to stop. */
static void serve(struct worker *w)
{
	struct pair *p = w->arg;

	attach_worker(w);
	check_ok(evl_get_sem(&p->ping));
	while (!atomic_load(&p->over)) {
		check_ok(evl_put_sem(&p->pong));
		check_ok(evl_get_sem(&p->ping));
	}
}

static void play(struct worker *w)
{
	struct pair *p = w->arg;
	int64_t start;

	attach_worker(w);
	while (!atomic_load(&p->stop)) {
		start = now();
		/* From in-band, it would find what the other one gave without asking the core. */
		check_ok(evl_switch_oob());
		for (int n = 0; n < 20; n++) {
			check_ok(evl_put_sem(&p->ping));
			check_ok(evl_get_sem(&p->pong));
		}
		atomic_fetch_add(&p->rounds, 1);
		syscall(SYS_getppid);
		rest_from(start, 2, false);
	}
	atomic_store(&p->over, true);
	check_ok(evl_put_sem(&p->ping));
}

static void start_pair(struct pair *p, int cpu)
{
	memset(p, 0, sizeof(*p));
	check_ok(evl_new_sem(&p->ping, NULL));
	check_ok(evl_new_sem(&p->pong, NULL));
	for (int n = 0; n < 2; n++) {
		snprintf(p->names[n], sizeof(p->names[n]), "pair-%d-%d", cpu, n);
		p->workers[n] = (struct worker){
			.body = n ? play : serve, .name = p->names[n], .prio = 10 + n, .cpu = cpu, .arg = p,
		};
		start_worker(&p->workers[n]);
	}
}

/* At least @rounds more. */
static void await_rounds(struct pair *p, int rounds)
{
	int goal = atomic_load(&p->rounds) + rounds;

	await(atomic_load(&p->rounds) >= goal);
}

static void stop_pair(struct pair *p)
{
	await_rounds(p, 2);
	atomic_store(&p->stop, true);
	join_worker(&p->workers[0]);
	join_worker(&p->workers[1]);
	check_ok(evl_close_sem(&p->ping));
	check_ok(evl_close_sem(&p->pong));
}

static void nothing_when_off(void)
{
	struct pair p;
	char *text;

	check_ok(evl_init());
	start_pair(&p, 0);
	start_recording("");
	await_rounds(&p, 2);
	check_gt(count_events(stop_recording()), 20);
	check_ok(write_file(INSTANCE "/trace", ""));
	await_rounds(&p, 2);
	text = stop_recording();
	check_eq(count_events(text), 0);
	stop_pair(&p);
}

static void toggle_events(int64_t end)
{
	static const char *const events[] = {
		"", "evl_switch_context", "evl_sleep_on", "evl_oob_sysentry", "evl_switched_inband", "evl_timer_shot",
	};

	for (unsigned int n = 0; now() < end; n++) {
		set_event(events[n / 2 % ARRAY_SIZE(events)], !(n & 1));
		if (n % 7 == 0)
			check_ok(write_file(INSTANCE "/trace", ""));
		nap();
	}
}

static void toggled_under_load(void)
{
	struct pair p[2];

	check_ok(evl_init());
	start_recording("");
	start_pair(&p[0], 0);
	start_pair(&p[1], other_cpu());
	toggle_events(now() + 4 * NSEC_PER_SEC);
	stop_pair(&p[0]);
	stop_pair(&p[1]);
	stop_recording();
}

/* With all of those of Linux which come often, and the ways to print more with each. */
static void storm(void)
{
	static const char *const others[] = { "sched", "irq", "timer", "raw_syscalls" };
	bool dovetail = kernel_has_dovetail();
	struct pair p[2];
	char path[128];
	int64_t end;
	char *text;

	check_ok(evl_init());
	start_recording("");
	for (unsigned int n = 0; n < ARRAY_SIZE(others); n++) {
		snprintf(path, sizeof(path), INSTANCE "/events/%s/enable", others[n]);
		write_file(path, "1");
	}
	check_ok(write_file(INSTANCE "/options/stacktrace", "1"));
	/* There, a stack of a user which is none may hang Linux, with the core or without (doc/tracing.md). */
	if (!dovetail)
		write_file(INSTANCE "/options/userstacktrace", "1");
	start_pair(&p[0], 0);
	start_pair(&p[1], other_cpu());
	end = now() + 4 * NSEC_PER_SEC;
	while (now() < end) {
		nap();
		check_ok(write_file(INSTANCE "/trace", ""));
		await_rounds(&p[0], 1);
		await_rounds(&p[1], 1);
	}
	await_rounds(&p[0], 2);
	check_ok(write_file(INSTANCE "/options/stacktrace", "0"));
	write_file(INSTANCE "/options/userstacktrace", "0");
	check_ok(write_file(INSTANCE "/events/enable", "0"));
	stop_pair(&p[0]);
	stop_pair(&p[1]);
	text = stop_recording();
	check_gt(count_events(text), 20);
}

/* --- Others who listen ---------------------------------------------------------------------- */

static long event_id(const char *event)
{
	char path[128], text[32] = "";
	int fd;

	snprintf(path, sizeof(path), TRACEFS "/events/evl/%s/id", event);
	fd = check_sys(open(path, O_RDONLY));
	check_sys(read(fd, text, sizeof(text) - 1));
	close(fd);
	return atol(text);
}

/* On CPU 0, whoever runs there: each event with what is on the stacks. */
static int open_perf(const char *event, int period)
{
	struct perf_event_attr attr = {
		.type = PERF_TYPE_TRACEPOINT,
		.size = sizeof(attr),
		.config = event_id(event),
		.sample_period = period,
		.sample_type = PERF_SAMPLE_RAW | PERF_SAMPLE_TID | PERF_SAMPLE_CALLCHAIN,
		.wakeup_events = 1,
	};
	int fd = syscall(SYS_perf_event_open, &attr, -1, 0, -1, PERF_FLAG_FD_CLOEXEC);

	if (fd < 0 && (errno == ENOSYS || errno == EOPNOTSUPP))
		check_skip("this kernel has no perf events: %s", strerror(errno));
	check_sys(fd);
	check(mmap(NULL, 9 * 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0) != MAP_FAILED);
	return fd;
}

static uint64_t perf_count(int fd)
{
	uint64_t count = 0;

	check_eq(read(fd, &count, sizeof(count)), sizeof(count));
	return count;
}

static void perf_listens(void)
{
	static const char *const events[] = {
		"evl_switch_context", "evl_wakeup_thread", "evl_oob_sysentry", "evl_switched_oob", "evl_timer_expire",
		"evl_schedule", "evl_sleep_on", "evl_finish_wait",
	};
	int fds[ARRAY_SIZE(events)];
	struct pair p;

	check_ok(evl_init());
	for (unsigned int n = 0; n < ARRAY_SIZE(events); n++)
		fds[n] = open_perf(events[n], 0);
	/* Those which are sampled are not even counted when there are too many. */
	for (unsigned int n = 0; n < ARRAY_SIZE(events); n++)
		open_perf(events[n], 1);
	start_pair(&p, 0);
	for (int n = 0; n < 100; n++) {
		await_rounds(&p, 1);
		for (unsigned int i = 0; i < ARRAY_SIZE(events); i++)
			perf_count(fds[i]);
	}
	stop_pair(&p);
	/* A round has each of them but for timers: it rests in Linux. */
	for (unsigned int n = 0; n < ARRAY_SIZE(events); n++)
		if (strcmp(events[n], "evl_timer_expire") && perf_count(fds[n]) < 100)
			check_fail("%s counts %d", events[n], (int)perf_count(fds[n]));
}

/* A program which has the event counted, or not. */
static int load_bpf(int verdict)
{
	struct bpf_insn insns[] = {
		{ .code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = BPF_REG_0, .imm = verdict },
		{ .code = BPF_JMP | BPF_EXIT },
	};
	union bpf_attr attr = {
		.prog_type = BPF_PROG_TYPE_TRACEPOINT,
		.insns = (uintptr_t)insns,
		.insn_cnt = ARRAY_SIZE(insns),
		.license = (uintptr_t)"GPL",
	};
	int fd = syscall(SYS_bpf, BPF_PROG_LOAD, &attr, sizeof(attr));

	if (fd < 0 && errno == ENOSYS)
		check_skip("this kernel has no BPF");
	return check_sys(fd);
}

static void try_bpf(int verdict)
{
	int prog = load_bpf(verdict), fd;
	struct pair p;

	fd = open_perf("evl_switch_context", 0);
	check_sys(ioctl(fd, PERF_EVENT_IOC_SET_BPF, prog));
	check_ok(evl_init());
	start_pair(&p, 0);
	await_rounds(&p, 20);
	stop_pair(&p);
	if (verdict)
		check_ge(perf_count(fd), 20);
	else
		check_eq(perf_count(fd), 0);
	close(fd);
	close(prog);
}

static void bpf_listens(void)
{
	try_bpf(1);
	try_bpf(0);
}

static const struct CMUnitTest tests[] = {
	TEST(node_is_like_its_siblings, "/dev/evl/trace has the rights of its siblings"),
	TEST(marks_inband, "marks from in-band: 127 bytes, one line of UTF-8, EFAULT, EBADF, ENOTTY"),
	TEST(marks_oob, "the same from out-of-band, without leaving that stage"),
	TEST(marks_by_library, "marks by the calls of the library"),
	TEST(closed_meanwhile, "a descriptor which was closed is none"),
	TEST(snapshot_needs_a_trigger, "a snapshot is root's to grant: without a trigger, recording goes on"),
	TEST(snapshot_inband, "with one, what was recorded is put aside"),
	TEST(snapshot_oob, "from out-of-band too"),
	TEST(snapshot_under_change, "and while its memory comes and goes"),
	TEST(sleeps_and_wakes, "a thread sleeps, is woken up, and runs"),
	TEST(waits_with_a_limit, "waits which end with time, and the timers for them"),
	TEST(periodic_timer, "a timer of the user starts, expires and stops"),
	TEST(switches_stages, "switches between the stages, and why"),
	TEST(boosts, "who is boosted by a mutex, and until when"),
	TEST(is_reported, "health: what a thread is told of"),
	TEST(forced_waits, "waits which are ended by force, kicks, flushes"),
	TEST(elements_come_and_go, "elements, by class and name"),
	TEST(requests, "requests and their results"),
	TEST(driver_marks, "marks of drivers, from any context"),
	TEST(nothing_when_off, "nothing is recorded with the events off"),
	TEST(toggled_under_load, "events are turned on and off while threads switch on all CPUs"),
	TEST(storm, "all events at once, with stacks"),
	TEST(perf_listens, "perf counts and samples them, with callchains"),
	TEST(bpf_listens, "a BPF program sees them, and filters them"),
};

static int setup(void **state)
{
	return make_instance(state) || load_module("evl_test", EVL_TEST_DEVICE);
}

static int teardown(void **state)
{
	return remove_instance(state) || unload_module("evl_test");
}

int main(int argc, char *argv[])
{
	prepare_main(argc, argv);
	return cmocka_run_group_tests_name("trace", tests, setup, teardown);
}
