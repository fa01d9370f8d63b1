// SPDX-License-Identifier: GPL-2.0-only
/* Semaphores; and what all kinds of monitors do if they are created on first use. */
#include "puppet.h"
#include <evl/sem.h>
#include <evl/event.h>
#include <evl/flags.h>
#include <evl/poll.h>

static void new_sem(struct evl_sem *s, int value)
{
	check_ok(evl_init());
	check_ok(evl_create_sem(s, EVL_CLOCK_MONOTONIC, value, EVL_CLONE_PRIVATE, "sem:%d", getpid()));
}

static int peek(struct evl_sem *s)
{
	int value;

	check_ok(evl_peek_sem(s, &value));
	return value;
}

static int get(struct puppet *p)
{
	return evl_get_sem(p->arg);
}

static int get_30ms(struct puppet *p)
{
	struct timespec date = ns_ts(now() + 30 * NSEC_PER_MSEC);

	return evl_timedget_sem(p->arg, &date);
}

static int put(struct puppet *p)
{
	return evl_put_sem(p->arg);
}

static void counts(void)
{
	struct evl_sem s;

	new_sem(&s, 2);
	check_eq(evl_tryget_sem(&s), 0);
	check_eq(evl_tryget_sem(&s), 0);
	check_eq(evl_tryget_sem(&s), -EAGAIN);
	check_eq(evl_put_sem(&s), 0);
	check_eq(peek(&s), 1);
	attach_fifo(10);
	check_eq(evl_get_sem(&s), 0);
	check_eq(peek(&s), 0);
	check_ok(evl_close_sem(&s));
}

static void refuses(void)
{
	struct evl_sem s;
	__s32 one = 1;

	check_ok(evl_init());
	check_eq(evl_create_sem(&s, EVL_CLOCK_MONOTONIC, -1, EVL_CLONE_PRIVATE, "neg:%d", getpid()), -EINVAL);
	new_sem(&s, INT_MAX);
	check_errno(ioctl(s.monitor.efd, EVL_MONIOC_SIGNAL, &one), EOVERFLOW);
	check_eq(peek(&s), INT_MAX);
	check_errno(ioctl(s.monitor.efd, EVL_MONIOC_SIGNAL, NULL), EFAULT);
	check_errno(ioctl(s.monitor.efd, EVL_MONIOC_ENTER, NULL), ENOTTY);
	check_errno(read(s.monitor.efd, &one, 4), EINVAL);
}

static void wakes_in_order(void)
{
	struct puppet w[4];
	struct evl_sem s;

	new_sem(&s, 0);
	for (int i = 0; i < 4; i++) {
		char name[4] = { 'w', '0' + i };

		start_puppet(&w[i], name, 10 + i, other_cpu());
		begin_wait(&w[i], get, &s);
		check_eq(peek(&s), -1 - i);
	}
	check_ok(set_fifo(w[0].w.efd, 50));
	check_eq(evl_put_sem(&s), 0);
	check_eq(result(&w[0]), 0);
	for (int i = 3; i > 0; i--) {
		check_eq(evl_put_sem(&s), 0);
		check_eq(result(&w[i]), 0);
	}
	check_eq(peek(&s), 0);
	for (int i = 0; i < 4; i++)
		end_puppet(&w[i]);
}

static void gives_up(void)
{
	struct puppet a, b;
	struct evl_sem s;

	new_sem(&s, 0);
	start_puppet(&a, "a", 10, other_cpu());
	start_puppet(&b, "b", 5, 0);
	check_eq(perform(&a, get_30ms, &s), -ETIMEDOUT);
	check_eq(peek(&s), 0);
	begin_wait(&a, get, &s);
	check_ok(evl_unblock_thread(a.w.efd));
	check_eq(result(&a), -EINTR);
	check_eq(peek(&s), 0);
	begin_wait(&a, get, &s);
	check_eq(perform(&b, put, &s), 0);
	check_eq(result(&a), 0);
	end_puppet(&a);
	end_puppet(&b);
}

/* The unit is on its way to a thread which is cancelled before it runs again. */
static void survives_cancellation(void)
{
	struct puppet a, b;
	struct evl_sem s;
	struct hog hog;

	new_sem(&s, 0);
	start_puppet(&a, "a", 20, other_cpu());
	start_puppet(&b, "b", 10, 0);
	begin_wait(&a, get, &s);
	begin_wait(&b, get, &s);
	take_cpu(&hog, other_cpu());
	check_eq(evl_put_sem(&s), 0);
	check_eq(peek(&s), -1);
	check_eq(pthread_cancel(a.w.thread), 0);
	give_cpu(&hog);
	bury_puppet(&a);
	check_eq(result(&b), 0);
	check_eq(peek(&s), 0);

	/* Nothing is given back which was not taken. */
	begin_wait(&b, get, &s);
	check_eq(pthread_cancel(b.w.thread), 0);
	bury_puppet(&b);
	check_eq(peek(&s), 0);
}

static void minds_dates(void)
{
	static const struct timespec past[] = { { 0, 1 }, { 1, 0 }, { 0, NSEC_PER_SEC - 1 } };
	static const struct timespec bad[] = { { 1, NSEC_PER_SEC }, { 0, -1 }, { -1, 0 } };
	struct evl_sem s;

	new_sem(&s, 0);
	check_eq(evl_timedget_sem(&s, &past[0]), -EPERM);
	attach_fifo(10);
	for (unsigned int i = 0; i < ARRAY_SIZE(past); i++) {
		check_eq(evl_timedget_sem(&s, &past[i]), -ETIMEDOUT);
		check_eq(peek(&s), 0);
		/* It is not too late for a unit which is there. */
		check_eq(evl_put_sem(&s), 0);
		check_eq(evl_timedget_sem(&s, &past[i]), 0);
	}
	for (unsigned int i = 0; i < ARRAY_SIZE(bad); i++)
		check_eq(evl_timedget_sem(&s, &bad[i]), -EINVAL);
	check_eq(evl_timedget_sem(&s, NULL), -EFAULT);
	check_eq(evl_timedget_sem(&s, bad_address(8)), -EFAULT);
	check_eq(peek(&s), 0);
	check(!evl_is_inband());
}

static int get_zero(struct puppet *p)
{
	struct timespec zero = { 0 };

	return evl_timedget_sem(p->arg, &zero);
}

static void waits_without_limit(void)
{
	struct evl_sem s;
	struct puppet a;

	new_sem(&s, 0);
	start_puppet(&a, "a", 10, other_cpu());
	begin_wait(&a, get_zero, &s);
	check_eq(peek(&s), -1);
	check_eq(evl_put_sem(&s), 0);
	check_eq(result(&a), 0);
	end_puppet(&a);
}

static struct timespec real_date;

static int get_until(struct puppet *p)
{
	return evl_timedget_sem(p->arg, &real_date);
}

static void step_realtime(int64_t ns)
{
	struct timespec ts = ns_ts(now_on(EVL_CLOCK_REALTIME) + ns);

	check_ok(evl_set_clock(EVL_CLOCK_REALTIME, &ts));
}

static void follows_its_clock(void)
{
	struct evl_sem s;
	struct puppet a;
	int64_t ns;

	check_ok(evl_init());
	check_ok(evl_create_sem(&s, EVL_CLOCK_REALTIME, 0, EVL_CLONE_PRIVATE, "real:%d", getpid()));
	start_puppet(&a, "a", 10, other_cpu());
	/* By any clock which starts at boot, this is many years ahead. */
	real_date = ns_ts(now_on(EVL_CLOCK_REALTIME) - NSEC_PER_SEC);
	check_gt(ts_ns(real_date), now() + 3600 * NSEC_PER_SEC);
	check_eq(perform(&a, get_until, &s), -ETIMEDOUT);
	ns = now_on(EVL_CLOCK_REALTIME) + 20 * NSEC_PER_MSEC;
	real_date = ns_ts(ns);
	check_eq(perform(&a, get_until, &s), -ETIMEDOUT);
	check_reached(now_on(EVL_CLOCK_REALTIME), ns);
	check_eq(peek(&s), 0);

	/* The date comes to those who wait when the clock is set. */
	real_date = ns_ts(now_on(EVL_CLOCK_REALTIME) + 3600 * NSEC_PER_SEC);
	begin_wait(&a, get_until, &s);
	step_realtime(3601 * NSEC_PER_SEC);
	check_eq(result(&a), -ETIMEDOUT);
	step_realtime(-3601 * NSEC_PER_SEC);
	check_eq(peek(&s), 0);
	end_puppet(&a);
}

static void flushes(void)
{
	struct puppet w[4];
	struct evl_sem s;

	new_sem(&s, 0);
	for (int i = 0; i < 4; i++) {
		char name[4] = { 'w', '0' + i };

		start_puppet(&w[i], name, 10 + i, other_cpu());
		begin_wait(&w[i], get, &s);
	}
	check_ok(evl_flush_sem(&s));
	for (int i = 0; i < 4; i++)
		check_eq(result(&w[i]), -EAGAIN);
	check_eq(peek(&s), 0);
	for (int i = 0; i < 4; i++)
		begin_wait(&w[i], get, &s);
	check_ok(close(s.monitor.efd));
	for (int i = 0; i < 4; i++) {
		check_eq(result(&w[i]), -EIDRM);
		check_eq(perform(&w[i], get, &s), -EBADF);
		end_puppet(&w[i]);
	}
}

static void does_not_block(void)
{
	struct evl_sem s;

	new_sem(&s, 0);
	set_nonblocking(s.monitor.efd, true);
	attach_fifo(10);
	check_eq(evl_get_sem(&s), -EAGAIN);
	check_eq(peek(&s), 0);
}

/* --- Back and forth ------------------------------------------------------------- */

#define ROUNDS	2000

static struct evl_sem ping, pong;

static int serve(struct puppet *p)
{
	(void)p;
	for (int i = 0; i < ROUNDS; i++) {
		check_eq(evl_get_sem(&ping), 0);
		check_eq(evl_put_sem(&pong), 0);
	}
	return 0;
}

static int play(struct puppet *p)
{
	(void)p;
	for (int i = 0; i < ROUNDS; i++) {
		check_eq(evl_put_sem(&ping), 0);
		check_eq(evl_get_sem(&pong), 0);
	}
	return 0;
}

static void ping_pong(void)
{
	struct puppet a, b;

	check_ok(evl_init());
	check_ok(evl_new_sem(&ping, "ping:%d", getpid()));
	check_ok(evl_new_sem(&pong, "pong:%d", getpid()));
	start_puppet(&a, "a", 10, 0);
	for (int cpu = 0; cpu <= other_cpu(); cpu++) {
		start_puppet(&b, "b", 11, cpu);
		begin(&a, serve, NULL);
		check_eq(perform(&b, play, NULL), 0);
		check_eq(result(&a), 0);
		end_puppet(&b);
	}
	check_eq(peek(&ping), 0);
	check_eq(peek(&pong), 0);
	end_puppet(&a);
}

/* Killed waiters leave the count as they found it. */
static void wait_shared(void *arg)
{
	struct evl_sem s;

	(void)arg;
	attach_fifo(5);
	check_ok(evl_open_sem(&s, "/semkill"));
	evl_get_sem(&s);
	_exit(0);
}

static void survives_kills(void)
{
	struct evl_sem s;
	pid_t pid;

	check_ok(evl_init());
	check_ok(evl_create_sem(&s, EVL_CLOCK_MONOTONIC, 0, EVL_CLONE_PUBLIC, "/semkill"));
	for (int i = 0; i < 10; i++) {
		pid = fork_child(wait_shared, NULL);
		await(peek(&s) == -1);
		kill(pid, SIGKILL);
		wait_signal(pid, SIGKILL);
		await(peek(&s) == 0);
	}
}

/* --- Polling -------------------------------------------------------------------- */

static int put_later(struct puppet *p)
{
	evl_usleep(20000);
	return evl_put_sem(p->arg);
}

static int post_later(struct puppet *p)
{
	evl_usleep(20000);
	return evl_post_flags(p->arg, 1);
}

static unsigned int pollrefs(struct evl_monitor_state *state)
{
	return __atomic_load_n(&state->u.event.pollrefs, __ATOMIC_SEQ_CST);
}

static void polls(void)
{
	struct timespec date;
	struct evl_flags f;
	struct evl_poll_event ev[2];
	struct puppet a;
	struct evl_sem s;
	int pfd, bits;

	new_sem(&s, 0);
	check_ok(evl_new_flags(&f, "pf:%d", getpid()));
	start_puppet(&a, "a", 5, 0);
	attach_fifo(10);
	pfd = check_ok(evl_new_poll());
	check_ok(evl_add_pollfd(pfd, s.monitor.efd, POLLIN, evl_intval(1)));
	check_ok(evl_add_pollfd(pfd, f.monitor.efd, POLLIN, evl_intval(2)));
	date = ns_ts(now() + 10 * NSEC_PER_MSEC);
	check_eq(evl_timedpoll(pfd, ev, 2, &date), -ETIMEDOUT);
	check(pollrefs(s.monitor.state));
	check(pollrefs(f.monitor.state));

	begin(&a, put_later, &s);
	check_eq(evl_poll(pfd, ev, 2), 1);
	check_eq(ev[0].pollval.val, 1);
	check_eq(ev[0].events & POLLIN, POLLIN);
	check_eq(result(&a), 0);
	check_eq(evl_tryget_sem(&s), 0);

	begin(&a, post_later, &f);
	check_eq(evl_poll(pfd, ev, 2), 1);
	check_eq(ev[0].pollval.val, 2);
	check_eq(result(&a), 0);
	check_eq(evl_trywait_flags(&f, &bits), 0);

	check_eq(evl_put_sem(&s), 0);
	check_eq(evl_post_flags(&f, 1), 0);
	check_eq(evl_poll(pfd, ev, 2), 2);
	check_sys(close(pfd));
	check_eq(pollrefs(s.monitor.state), 0);
	check_eq(pollrefs(f.monitor.state), 0);
	end_puppet(&a);
}

/* --- Created on first use ----------------------------------------------------------- */

static DEFINE_EVL_MUTEX(lazy_mutex);
static DEFINE_EVL_EVENT(lazy_event);
static DEFINE_EVL_SEM(lazy_sem);
static DEFINE_EVL_FLAGS(lazy_flags);

static bool exists(const char *name)
{
	return has_element("monitor", name);
}

static void come_up_on_first_use(void)
{
	static DEFINE_EVL_SEM(lazy_unused);
	struct timespec date = { .tv_nsec = 1 };
	int value;

	/* An error changes nothing. */
	check_eq(evl_put_sem(&lazy_sem), -ENXIO);
	attach_fifo(10);
	check(!exists("lazy_mutex") && !exists("lazy_event") && !exists("lazy_sem") && !exists("lazy_flags"));
	check_eq(evl_peek_sem(&lazy_sem, &value), -EINVAL);
	check_eq(evl_put_sem(&lazy_sem), 0);
	check(exists("lazy_sem"));
	check_eq(evl_tryget_sem(&lazy_sem), 0);
	check_eq(evl_timedget_sem(&lazy_sem, &date), -ETIMEDOUT);
	check_eq(evl_post_flags(&lazy_flags, 6), 0);
	check(exists("lazy_flags"));
	check_eq(evl_wait_some_flags(&lazy_flags, 2, &value), 0);
	check_eq(value, 2);

	/* Nothing to unlock, and nobody to wake up: that does not count. */
	check_lt(evl_unlock_mutex(&lazy_mutex), 0);
	check_eq(evl_signal_event(&lazy_event), 0);
	check(!exists("lazy_mutex") && !exists("lazy_event"));
	check_eq(evl_lock_mutex(&lazy_mutex), 0);
	check_eq(evl_lock_mutex(&lazy_mutex), -EDEADLK);
	check(exists("lazy_mutex"));
	check_eq(evl_timedwait_event(&lazy_event, &lazy_mutex, &date), -ETIMEDOUT);
	check(exists("lazy_event"));
	check_eq(evl_unlock_mutex(&lazy_mutex), 0);

	check_ok(evl_close_mutex(&lazy_mutex));
	check_ok(evl_close_event(&lazy_event));
	check_ok(evl_close_sem(&lazy_sem));
	check_ok(evl_close_flags(&lazy_flags));
	check_ok(evl_close_sem(&lazy_unused));
	check(!exists("lazy_mutex") && !exists("lazy_event") && !exists("lazy_sem") && !exists("lazy_flags"));
	/* Once closed, they do not come back. */
	check_eq(evl_lock_mutex(&lazy_mutex), -EBADF);
	check_eq(evl_put_sem(&lazy_sem), -EBADF);
	check_eq(evl_put_sem(&lazy_unused), -EBADF);
	check_eq(evl_post_flags(&lazy_flags, 1), -EBADF);
	check_eq(evl_timedwait_event(&lazy_event, &lazy_mutex, &date), -EBADF);
	check(!exists("lazy_unused"));
}

static void come_up_as_told(void)
{
	struct evl_sem sem = EVL_SEM_INITIALIZER("told-sem", EVL_CLOCK_REALTIME, 3, EVL_CLONE_NONBLOCK);
	struct evl_flags flags = EVL_FLAGS_INITIALIZER("/told-flags", EVL_CLOCK_MONOTONIC, 5, 0), opened;
	struct evl_mutex mutex = EVL_MUTEX_INITIALIZER(NULL, EVL_CLOCK_MONOTONIC, 60, EVL_MUTEX_RECURSIVE);
	struct evl_event event = EVL_EVENT_INITIALIZER("told-event", EVL_CLOCK_MONOTONIC, EVL_CLONE_PUBLIC);
	struct timespec date = { .tv_nsec = 1 };
	int value, efd;

	efd = attach_fifo(10);
	for (int i = 0; i < 3; i++)
		check_eq(evl_get_sem(&sem), 0);
	check_eq(evl_get_sem(&sem), -EAGAIN);
	check(exists("told-sem"));
	check(is_nonblocking(sem.monitor.efd));

	check_eq(evl_trywait_flags(&flags, &value), 0);
	check_eq(value, 5);
	check(has_node("monitor", "told-flags"));
	check_ok(evl_open_flags(&opened, "told-flags"));
	check_eq(evl_post_flags(&opened, 8), 0);
	check_eq(evl_trywait_flags(&flags, &value), 0);
	check_eq(value, 8);

	check_eq(evl_get_mutex_ceiling(&mutex), 60);
	check_eq(evl_lock_mutex(&mutex), 0);
	check_eq(evl_lock_mutex(&mutex), 0);
	check_eq(evl_get_mutex_ceiling(&mutex), 60);
	check_eq(state_of(efd).eattrs.sched_priority, 60);
	check_eq(evl_unlock_mutex(&mutex), 0);
	check_eq(evl_timedwait_event(&event, &mutex, &date), -ETIMEDOUT);
	check(has_node("monitor", "told-event"));
	check_eq(evl_unlock_mutex(&mutex), 0);
	check_eq(state_of(efd).eattrs.sched_priority, 10);
}

static void errors_come_up_late(void)
{
	struct evl_sem negative = EVL_SEM_INITIALIZER("late-negative", EVL_CLOCK_MONOTONIC, -1, 0);
	struct evl_sem clockless = EVL_SEM_INITIALIZER("late-clockless", 999, 0, 0);
	struct evl_mutex ceiling = EVL_MUTEX_INITIALIZER("late-ceiling", EVL_CLOCK_MONOTONIC, 100, 0);
	struct evl_flags nameless = EVL_FLAGS_INITIALIZER(NULL, EVL_CLOCK_MONOTONIC, 0, EVL_CLONE_PUBLIC);
	struct evl_sem taken = EVL_SEM_INITIALIZER("late-taken", EVL_CLOCK_MONOTONIC, 0, 0);
	struct evl_sem first;

	attach_fifo(10);
	check_ok(evl_new_sem(&first, "late-taken"));
	for (int i = 0; i < 2; i++) {
		check_eq(evl_put_sem(&negative), -EINVAL);
		check_eq(evl_put_sem(&clockless), -EINVAL);
		check_eq(evl_lock_mutex(&ceiling), -EINVAL);
		check_eq(evl_post_flags(&nameless, 1), -EINVAL);
		/* Whoever chose the name meant it. */
		check_eq(evl_put_sem(&taken), -EEXIST);
	}
	check(!exists("late-negative") && !exists("late-clockless") && !exists("late-ceiling"));
	check_ok(evl_close_sem(&first));
	check_eq(evl_put_sem(&taken), 0);
	check_eq(peek(&taken), 1);
}

/* --- Faults on the way to a wait ----------------------------------------------------- */

static struct evl_sem nobody_posts;
static atomic_int nr_waits;

static void count_nothing(int sig)
{
	(void)sig;
}

/* The date is in a page which has to be brought in, in-band, where signals come in the way. */
static void wait_through_fault(struct worker *w)
{
	int memfd = check_sys(memfd_create("date", 0));
	struct evl_monitor_waitreq req;
	struct __evl_timespec *page;
	struct timespec ts;

	check_sys(ftruncate(memfd, 4096));
	page = mmap(NULL, 4096, PROT_READ, MAP_SHARED, memfd, 0);
	check(page != MAP_FAILED);
	check_sys(munlock(page, 4096));
	attach_worker(w);
	for (int i = 0; i < 100; i++) {
		int64_t date = now() + 5 * NSEC_PER_MSEC;

		ts = ns_ts(date);
		check_eq(pwrite(memfd, &(struct __evl_timespec){ ts.tv_sec, ts.tv_nsec }, sizeof(*page), 0),
			 sizeof(*page));
		check_sys(madvise(page, 4096, MADV_DONTNEED));
		req = (struct evl_monitor_waitreq){ .timeout_ptr = (uintptr_t)page, .gatefd = -1 };
		check(oob_ioctl(nobody_posts.monitor.efd, EVL_MONIOC_WAIT, &req));
		check(errno == ETIMEDOUT || errno == EINTR);
		if (errno == ETIMEDOUT)
			check_reached(now(), date);
		atomic_fetch_add(&nr_waits, 1);
	}
}

static void faults_before_wait(void)
{
	struct worker w = { .body = wait_through_fault, .name = "faulty", .prio = 10 };

	check_ok(evl_init());
	check_ok(evl_new_sem(&nobody_posts, "nobody:%d", getpid()));
	signal(SIGUSR1, count_nothing);
	pin_to(other_cpu());
	start_worker(&w);
	await(atomic_load(&w.attached));
	while (!atomic_load(&w.done)) {
		pthread_kill(w.thread, SIGUSR1);
		spin_until(now() + rand() % 200000);
	}
	join_worker(&w);
	check_eq(atomic_load(&nr_waits), 100);
	check_eq(evl_tryget_sem(&nobody_posts), -EAGAIN);
	check_eq(peek(&nobody_posts), 0);
}

/* Each with a name which is taken but for the first two, with the second one for its process. */
#define NR_RACED	30

static struct evl_sem raced_sems[NR_RACED];
static struct evl_mutex raced_mutexes[NR_RACED];
static int raced_counts[NR_RACED];
static pthread_barrier_t start_line;

static int use_first(struct puppet *p)
{
	(void)p;
	for (int i = 0; i < NR_RACED; i++) {
		pthread_barrier_wait(&start_line);
		check_eq(evl_put_sem(&raced_sems[i]), 0);
		pthread_barrier_wait(&start_line);
		check_eq(evl_lock_mutex(&raced_mutexes[i]), 0);
		raced_counts[i]++;
		check_eq(evl_unlock_mutex(&raced_mutexes[i]), 0);
	}
	return 0;
}

static int count_monitors(void)
{
	DIR *dir = opendir("/sys/devices/virtual/monitor");
	struct dirent *entry;
	int count = 0;

	check(dir);
	while ((entry = readdir(dir)))
		count += entry->d_name[0] != '.';
	closedir(dir);
	return count;
}

static void come_up_once(void)
{
	DEFINE_EVL_SEM(raced);
	DEFINE_EVL_MUTEX(contended);
	char name[32];
	struct puppet p[3];
	int before;

	/* Those of the test before may still be on their way out. */
	await(!first_element("monitor"));
	check_ok(evl_init());
	pthread_barrier_init(&start_line, NULL, 3);
	for (int i = 0; i < NR_RACED; i++) {
		raced_sems[i] = raced;
		raced_mutexes[i] = contended;
	}
	for (int i = 0; i < 3; i++) {
		snprintf(name, sizeof(name), "racer%d", i);
		start_puppet(&p[i], name, 10, i ? other_cpu() : 0);
	}
	before = count_monitors();
	for (int i = 0; i < 3; i++)
		begin(&p[i], use_first, NULL);
	for (int i = 0; i < 3; i++)
		check_eq(result(&p[i]), 0);
	check_eq(count_monitors(), before + 2 * NR_RACED);
	for (int i = 0; i < NR_RACED; i++) {
		check_eq(peek(&raced_sems[i]), 3);
		check_eq(raced_counts[i], 3);
		for (int j = 0; j < i; j++)
			check_ne(raced_sems[i].monitor.efd, raced_sems[j].monitor.efd);
	}
	check(exists("raced"));
	snprintf(name, sizeof(name), "raced.%d", getpid());
	check(exists(name));
	for (int i = 0; i < 3; i++)
		end_puppet(&p[i]);
}

/* Two runs of a program, say. */
static DEFINE_EVL_SEM(twin);

static void use_other_twin(void *arg)
{
	(void)arg;
	await(exists("twin"));
	attach_fifo(5);
	for (int i = 0; i < 5; i++)
		check_eq(evl_put_sem(&twin), 0);
	check_eq(evl_get_sem(&twin), 0);
	check_eq(peek(&twin), 4);
}

static void are_of_their_process(void)
{
	pid_t pid;

	check_ok(evl_init());
	pid = fork_child(use_other_twin, NULL);
	attach_fifo(10);
	check_eq(evl_put_sem(&twin), 0);
	wait_success(pid);
	check(exists("twin"));
	check_eq(peek(&twin), 1);
}

static const struct CMUnitTest tests[] = {
	TEST(counts, "get, put, tryget and peek"),
	TEST(refuses, "negative and overflowing counts, wrong requests"),
	TEST(wakes_in_order, "the best waiter goes first, the count tells how many there are"),
	TEST(gives_up, "waits end with a timeout or an unblock, the count being put right"),
	TEST(survives_cancellation, "a unit handed to a thread which is cancelled goes to the next one"),
	TEST(minds_dates, "past dates, dates which are none, and no date at all"),
	TEST(waits_without_limit, "a date of zero means no limit"),
	TEST(follows_its_clock, "dates are those of the clock which the semaphore was made for"),
	TEST(flushes, "flushing, and closing under waiters"),
	TEST_WITHIN(faults_before_wait, 60, "a wait which a fault and a signal keep in-band does not begin"),
	TEST(does_not_block, "O_NONBLOCK"),
	TEST(ping_pong, "two threads hand units back and forth"),
	TEST(survives_kills, "waiters may be killed"),
	TEST(polls, "semaphores and flags in a poll group"),
	TEST(come_up_on_first_use, "what was initialised statically is created on first use"),
	TEST(come_up_as_told, "with the name, the clock, the value and the flags it was given"),
	TEST(errors_come_up_late, "or not, which fails each time"),
	TEST(come_up_once, "threads which race for the first use get the same one"),
	TEST(are_of_their_process, "two processes with the same variables do not"),
};

TEST_MAIN("sem", tests)
