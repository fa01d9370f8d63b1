// SPDX-License-Identifier: GPL-2.0-only
/* Groups of flags. */
#include "puppet.h"
#include <evl/event.h>
#include <evl/flags.h>
#include <evl/sem.h>
#include <evl/sys.h>
#include <poll.h>

static struct evl_flags f;

static void new_flags(int value)
{
	check_ok(evl_init());
	check_ok(evl_create_flags(&f, EVL_CLOCK_MONOTONIC, value, EVL_CLONE_PRIVATE, "flags:%d", getpid()));
}

static int peek(void)
{
	int bits;

	check_ok(evl_peek_flags(&f, &bits));
	return bits;
}

/* Arguments are bits; results, too, unless negative. */
static int some(struct puppet *p)
{
	int bits = 0, ret = evl_wait_some_flags(&f, (int)(intptr_t)p->arg, &bits);

	return ret ? ret : bits;
}

static int exact(struct puppet *p)
{
	int ret = evl_wait_exact_flags(&f, (int)(intptr_t)p->arg);

	return ret ? ret : (int)(intptr_t)p->arg;
}

static int some_30ms(struct puppet *p)
{
	struct timespec date = ns_ts(now() + 30 * NSEC_PER_MSEC);
	int bits;

	return evl_timedwait_some_flags(&f, (int)(intptr_t)p->arg, &date, &bits);
}

#define BITS(__b)	((void *)(intptr_t)(__b))

static void tries(void)
{
	int bits;

	new_flags(0x30);
	check_eq(peek(), 0x30);
	check_eq(evl_trywait_exact_flags(&f, 0x50), -EAGAIN);
	check_eq(evl_trywait_some_flags(&f, 0x50, &bits), 0);
	check_eq(bits, 0x10);
	check_eq(peek(), 0x20);
	check_eq(evl_post_flags(&f, 0x40), 0);
	check_eq(evl_trywait_exact_flags(&f, 0x60), 0);
	check_eq(peek(), 0);
	check_eq(evl_trywait_flags(&f, &bits), -EAGAIN);
	check_eq(evl_post_flags(&f, (int)0x80000001), 0);
	check_eq(evl_trywait_flags(&f, &bits), 0);
	check_eq(bits, (int)0x80000001);
	check_eq(evl_post_flags(&f, 0), -EINVAL);
	check_ok(evl_close_flags(&f));
}

static void serves_the_first(void)
{
	struct puppet a, b;

	new_flags(0);
	start_puppet(&a, "a", 20, other_cpu());
	start_puppet(&b, "b", 10, other_cpu());
	begin_wait(&a, exact, BITS(0x3));
	begin_wait(&b, some, BITS(0x6));
	/* Not enough for the first in line, but for the second. */
	check_eq(evl_post_flags(&f, 0x2), 0);
	check_eq(result(&b), 0x2);
	check_eq(peek(), 0);
	begin_wait(&b, some, BITS(0x6));
	check_eq(evl_post_flags(&f, 0x1), 0);
	check_eq(peek(), 0x1);
	check_eq(evl_post_flags(&f, 0x2), 0);
	check_eq(result(&a), 0x3);
	check_eq(peek(), 0);
	check(worker_sleeps(&b.w));
	check_eq(evl_post_flags(&f, 0xff), 0);
	check_eq(result(&b), 0x6);
	check_eq(peek(), 0xf9);
	end_puppet(&a);
	end_puppet(&b);
}

static void broadcasts(void)
{
	struct puppet a, b, c;

	new_flags(0);
	start_puppet(&a, "a", 20, other_cpu());
	start_puppet(&b, "b", 10, other_cpu());
	start_puppet(&c, "c", 5, other_cpu());
	begin_wait(&a, some, BITS(0));
	begin_wait(&b, exact, BITS(0x3));
	begin_wait(&c, exact, BITS(0xc));
	check_eq(evl_broadcast_flags(&f, 0x7), 0);
	check_eq(result(&a), 0x7);
	check_eq(result(&b), 0x3);
	check(worker_sleeps(&c.w));
	check_eq(peek(), 0);
	check_eq(evl_broadcast_flags(&f, 0x1c), 0);
	check_eq(result(&c), 0xc);
	check_eq(peek(), 0x10);
	end_puppet(&a);
	end_puppet(&b);
	end_puppet(&c);
}

/* What was of no use to anybody does not keep the next one from its waiters. */
static void broadcasts_in_vain(void)
{
	struct puppet a, b;

	new_flags(0);
	start_puppet(&a, "a", 20, other_cpu());
	start_puppet(&b, "b", 10, other_cpu());
	begin_wait(&a, exact, BITS(0x1));
	begin_wait(&b, exact, BITS(0x3));
	check_eq(evl_broadcast_flags(&f, 0x4), 0);
	check_eq(evl_broadcast_flags(&f, 0x1), 0);
	check_eq(result(&a), 0x1);
	check(worker_sleeps(&b.w));
	check_eq(evl_broadcast_flags(&f, 0x8), 0);
	check_ok(evl_close_flags(&f));
	check_eq(result(&b), -EIDRM);
	end_puppet(&a);
	end_puppet(&b);
}

static void gives_up(void)
{
	struct puppet a;

	new_flags(0);
	start_puppet(&a, "a", 20, other_cpu());
	check_eq(perform(&a, some_30ms, BITS(1)), -ETIMEDOUT);
	begin_wait(&a, some, BITS(1));
	check_ok(evl_unblock_thread(a.w.efd));
	check_eq(result(&a), -EINTR);
	begin_wait(&a, some, BITS(1));
	check_ok(close(f.monitor.efd));
	check_eq(result(&a), -EIDRM);
	end_puppet(&a);
}

/* The bits are on their way to a thread which is cancelled before it runs again. */
static void survive_cancellation(void)
{
	struct puppet a, b;
	struct hog hog;

	new_flags(0);
	start_puppet(&a, "a", 20, other_cpu());
	start_puppet(&b, "b", 10, 0);
	begin_wait(&a, some, BITS(0x7));
	begin_wait(&b, exact, BITS(0x3));
	take_cpu(&hog, other_cpu());
	check_eq(evl_post_flags(&f, 0x7), 0);
	check_eq(peek(), 0);
	check_eq(pthread_cancel(a.w.thread), 0);
	give_cpu(&hog);
	bury_puppet(&a);
	check_eq(result(&b), 0x3);
	check_eq(peek(), 0x4);

	/* Nothing is given back which was not taken. */
	begin_wait(&b, exact, BITS(0xc));
	check_eq(pthread_cancel(b.w.thread), 0);
	bury_puppet(&b);
	check_eq(peek(), 0x4);
}

/* --- Dates ------------------------------------------------------------------------ */

#define UNTOUCHED	0x5555

static void minds_dates(void)
{
	static const struct timespec past[] = { { 0, 1 }, { 1, 0 }, { 0, NSEC_PER_SEC - 1 } };
	static const struct timespec bad[] = { { 1, NSEC_PER_SEC }, { 0, -1 }, { -1, 0 } };
	int bits = UNTOUCHED;

	new_flags(0);
	check_eq(evl_timedwait_flags(&f, &past[0], &bits), -EPERM);
	check_eq(evl_timedwait_exact_flags(&f, 3, &past[0]), -EPERM);
	attach_fifo(10);
	for (unsigned int i = 0; i < ARRAY_SIZE(past); i++) {
		check_eq(evl_timedwait_flags(&f, &past[i], &bits), -ETIMEDOUT);
		check_eq(evl_timedwait_some_flags(&f, 3, &past[i], &bits), -ETIMEDOUT);
		check_eq(evl_timedwait_exact_flags(&f, 3, &past[i]), -ETIMEDOUT);
	}
	check_eq(evl_post_flags(&f, 5), 0);
	for (unsigned int i = 0; i < ARRAY_SIZE(bad); i++) {
		check_eq(evl_timedwait_flags(&f, &bad[i], &bits), -EINVAL);
		check_eq(evl_timedwait_some_flags(&f, 3, &bad[i], &bits), -EINVAL);
		check_eq(evl_timedwait_exact_flags(&f, 1, &bad[i]), -EINVAL);
	}
	check_eq(evl_timedwait_flags(&f, NULL, &bits), -EFAULT);
	check_eq(evl_timedwait_exact_flags(&f, 1, NULL), -EFAULT);
	check_eq(evl_timedwait_flags(&f, bad_address(8), &bits), -EFAULT);
	check_eq(bits, UNTOUCHED);
	check_eq(peek(), 5);

	/* Some of what is wanted is not enough, and stays. It is not too late for what is there. */
	check_eq(evl_timedwait_exact_flags(&f, 3, &past[0]), -ETIMEDOUT);
	check_eq(peek(), 5);
	check_eq(evl_timedwait_exact_flags(&f, 1, &past[0]), 0);
	check_eq(peek(), 4);
	check_eq(evl_timedwait_flags(&f, &past[0], &bits), 0);
	check_eq(bits, 4);
	check_eq(peek(), 0);
	check_eq(evl_post_flags(&f, 9), 0);
	check_eq(evl_timedwait_flags(&f, &past[0], NULL), 0);
	check_eq(peek(), 0);
	check(!evl_is_inband());
}

/* Until the date which comes with the bits, of which 0 means any. */
struct request {
	int bits;
	bool exact;
	struct timespec date;
};

static int until(struct puppet *p)
{
	struct request *r = p->arg;
	int bits = 0, ret;

	if (r->exact)
		ret = evl_timedwait_exact_flags(&f, r->bits, &r->date);
	else
		ret = evl_timedwait_flags(&f, &r->date, &bits);
	return ret ? ret : bits;
}

static void waits_until_dates(void)
{
	struct request any = { 0 }, both = { .bits = 3, .exact = true };
	struct puppet a;
	int64_t ns;

	new_flags(0);
	start_puppet(&a, "a", 10, other_cpu());
	/* Zero means no limit. */
	begin_wait(&a, until, &any);
	check_eq(evl_post_flags(&f, 6), 0);
	check_eq(result(&a), 6);
	begin_wait(&a, until, &both);
	check_eq(evl_post_flags(&f, 2), 0);
	check(worker_sleeps(&a.w));
	check_eq(evl_post_flags(&f, 5), 0);
	check_eq(result(&a), 0);
	check_eq(peek(), 4);
	check_eq(evl_post_flags(&f, 1), 0);

	ns = now() + 20 * NSEC_PER_MSEC;
	both.date = ns_ts(ns);
	check_eq(perform(&a, until, &both), -ETIMEDOUT);
	check_reached(now(), ns);
	check_eq(peek(), 5);
	check_eq(evl_trywait_exact_flags(&f, 5), 0);
	ns = now() + 20 * NSEC_PER_MSEC;
	any.date = ns_ts(ns);
	check_eq(perform(&a, until, &any), -ETIMEDOUT);
	check_reached(now(), ns);

	/* Long enough for what comes. */
	any.date = both.date = ns_ts(now() + 3600 * NSEC_PER_SEC);
	begin_wait(&a, until, &any);
	check_eq(evl_post_flags(&f, 8), 0);
	check_eq(result(&a), 8);
	begin_wait(&a, until, &both);
	check_eq(evl_post_flags(&f, 3), 0);
	check_eq(result(&a), 0);
	check_eq(peek(), 0);
	end_puppet(&a);
}

static void follows_its_clock(void)
{
	struct request any = { 0 }, one = { .bits = 1, .exact = true };
	struct puppet a;
	int64_t ns;

	check_ok(evl_init());
	check_ok(evl_create_flags(&f, EVL_CLOCK_REALTIME, 0, EVL_CLONE_PRIVATE, "real:%d", getpid()));
	start_puppet(&a, "a", 10, other_cpu());
	any.date = one.date = ns_ts(now_on(EVL_CLOCK_REALTIME) - NSEC_PER_SEC);
	check_eq(perform(&a, until, &any), -ETIMEDOUT);
	check_eq(perform(&a, until, &one), -ETIMEDOUT);
	ns = now_on(EVL_CLOCK_REALTIME) + 20 * NSEC_PER_MSEC;
	any.date = one.date = ns_ts(ns);
	check_eq(perform(&a, until, &any), -ETIMEDOUT);
	check_reached(now_on(EVL_CLOCK_REALTIME), ns);
	check_eq(perform(&a, until, &one), -ETIMEDOUT);
	end_puppet(&a);
}

/* --- Between processes ------------------------------------------------------------- */

/* Does what it is told by the one group, and answers in the other. */
static void answer(void *arg)
{
	struct evl_flags in, out;
	int bits;

	(void)arg;
	attach_fifo(5);
	check_ok(evl_open_flags(&in, "/pub-in"));
	check_ok(evl_open_flags(&out, "pub-out"));
	/* The value is the one of the group, not a copy. */
	check_ok(evl_peek_flags(&out, &bits));
	check_eq(bits, 0x40);
	do {
		check_eq(evl_wait_flags(&in, &bits), 0);
		check_eq(evl_broadcast_flags(&out, bits), 0);
	} while (!(bits & 0x80));
	check_eq(evl_wait_exact_flags(&in, 0x300), 0);
	/* As a file, in-band. */
	check_eq(read(in.monitor.efd, &bits, sizeof(bits)), (long)sizeof(bits));
	check_eq(write(out.monitor.efd, &bits, sizeof(bits)), (long)sizeof(bits));
}

static void pass_between_processes(void)
{
	struct evl_flags in, out;
	pid_t pid;
	int bits;

	check_ok(evl_init());
	check_ok(evl_create_flags(&in, EVL_CLOCK_MONOTONIC, 0, EVL_CLONE_PUBLIC, "pub-in"));
	check_ok(evl_create_flags(&out, EVL_CLOCK_MONOTONIC, 0x40, 0, "/pub-out"));
	check(has_node("monitor", "pub-in"));
	pid = fork_child(answer, NULL);
	attach_fifo(10);
	check_eq(evl_post_flags(&in, 0x1), 0);
	check_eq(evl_wait_exact_flags(&out, 0x1), 0);
	check_eq(evl_trywait_flags(&out, &bits), 0);
	check_eq(bits, 0x40);
	check_eq(evl_broadcast_flags(&in, (int)0x80000080), 0);
	check_eq(evl_wait_flags(&out, &bits), 0);
	check_eq(bits, (int)0x80000080);
	check_eq(evl_post_flags(&in, 0x100), 0);
	check_eq(evl_post_flags(&in, 0x200), 0);
	check_eq(evl_post_flags(&in, 0x1000), 0);
	wait_success(pid);
	check_eq(evl_trywait_flags(&out, &bits), 0);
	check_eq(bits, 0x1000);
	check_eq(evl_peek_flags(&in, &bits), 0);
	check_eq(bits, 0);
}

static void open_and_close(void *arg)
{
	struct evl_flags mine;

	(void)arg;
	check_ok(evl_init());
	check_ok(evl_open_flags(&mine, "shut"));
	check_ok(evl_close_flags(&mine));
}

/* It is none of their business. */
static void closes_elsewhere(void)
{
	struct puppet a;

	check_ok(evl_init());
	check_ok(evl_create_flags(&f, EVL_CLOCK_MONOTONIC, 0, EVL_CLONE_PUBLIC, "shut"));
	start_puppet(&a, "a", 10, other_cpu());
	begin_wait(&a, some, BITS(1));
	wait_success(fork_child(open_and_close, NULL));
	check(worker_sleeps(&a.w));
	check(atomic_load(&a.busy));
	check_eq(evl_post_flags(&f, 1), 0);
	check_eq(result(&a), 1);
	end_puppet(&a);
}

/* What each kind of monitor is taken for. */
static void open_as_any(void *arg)
{
	static const char *const names[] = { "/as-mutex", "/as-ceiling", "/as-event", "/as-sem", "/as-flags" };
	struct evl_event event;
	struct evl_mutex mutex;
	struct evl_flags flags;
	struct evl_sem sem;

	(void)arg;
	check_ok(evl_init());
	for (int i = 0; i < 5; i++) {
		int fds[4] = {
			evl_open_mutex(&mutex, "%s", names[i]),
			evl_open_event(&event, "%s", names[i]),
			evl_open_sem(&sem, "%s", names[i]),
			evl_open_flags(&flags, "%s", names[i]),
		};

		for (int kind = 0; kind < 4; kind++) {
			if (kind == (i ? i - 1 : 0))
				check_ok(fds[kind]);
			else
				check_eq(fds[kind], -EINVAL);
		}
		if (i == 1)
			check_eq(evl_get_mutex_ceiling(&mutex), 42);
	}
	check_eq(evl_open_flags(&flags, "as-private"), -ENOENT);
	check_eq(evl_open_flags(&flags, "as-nothing"), -ENOENT);
	check_eq(evl_open_flags(&flags, "clone"), -ENOTTY);
}

static void are_not_taken_for_others(void)
{
	struct evl_mutex mutex, ceiling;
	struct evl_flags flags, hidden;
	struct evl_event event;
	struct evl_sem sem;

	check_ok(evl_init());
	check_ok(evl_new_mutex(&mutex, "/as-mutex"));
	check_ok(evl_create_mutex(&ceiling, EVL_CLOCK_MONOTONIC, 42, EVL_CLONE_PUBLIC, "as-ceiling"));
	check_ok(evl_new_event(&event, "/as-event"));
	check_ok(evl_new_sem(&sem, "/as-sem"));
	check_ok(evl_new_flags(&flags, "/as-flags"));
	check_ok(evl_new_flags(&hidden, "as-private"));
	open_as_any(NULL);
	wait_success(fork_child(open_as_any, NULL));
}

/* --- As a file -------------------------------------------------------------------- */

/* Once the main thread waits. */
static void *post_later(void *arg)
{
	int bits = 5;

	await(task_sleeps(getpid()));
	check_eq(write(f.monitor.efd, &bits, sizeof(bits)), (long)sizeof(bits));
	return arg;
}

static void reads_and_writes(void)
{
	struct pollfd pfd;
	pthread_t thread;
	int bits, wide[2];

	new_flags(0);
	pfd = (struct pollfd){ .fd = f.monitor.efd, .events = POLLIN | POLLOUT };
	check_errno(read(f.monitor.efd, &bits, 3), EINVAL);
	check_errno(read(f.monitor.efd, wide, sizeof(wide)), EINVAL);
	check_errno(write(f.monitor.efd, &bits, 1), EINVAL);
	check_eq(poll(&pfd, 1, 0), 1);
	check_eq(pfd.revents, POLLOUT);
	set_nonblocking(f.monitor.efd, true);
	check_errno(read(f.monitor.efd, &bits, 4), EAGAIN);
	set_nonblocking(f.monitor.efd, false);

	check_eq(pthread_create(&thread, NULL, post_later, NULL), 0);
	check_eq(read(f.monitor.efd, &bits, 4), 4);
	check_eq(bits, 5);
	check_eq(peek(), 0);
	pthread_join(thread, NULL);

	pfd.events = POLLIN;
	check_eq(poll(&pfd, 1, 0), 0);
	check_eq(pthread_create(&thread, NULL, post_later, NULL), 0);
	check_eq(poll(&pfd, 1, 5000), 1);
	check_eq(pfd.revents, POLLIN);
	pthread_join(thread, NULL);

	attach_fifo(10);
	check_eq(oob_read(f.monitor.efd, &bits, 4), 4);
	check_eq(bits, 5);
	bits = 8;
	check_eq(oob_write(f.monitor.efd, &bits, 4), 4);
	check_eq(oob_read(f.monitor.efd, &bits, 4), 4);
	check_eq(bits, 8);
	set_nonblocking(f.monitor.efd, true);
	check_errno(oob_read(f.monitor.efd, &bits, 4), EAGAIN);
}

static void on_alarm(int sig)
{
	(void)sig;
}

static void read_is_interrupted(void)
{
	struct sigaction sa = { .sa_handler = on_alarm };
	int bits;

	new_flags(0);
	check_sys(sigaction(SIGALRM, &sa, NULL));
	alarm(1);
	check_errno(read(f.monitor.efd, &bits, 4), EINTR);
}

/* Good enough to ask from, not to answer to. */
static void *read_only_copy(const void *data, size_t size)
{
	void *copy = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	check(copy != MAP_FAILED);
	memcpy(copy, data, size);
	check_sys(mprotect(copy, 4096, PROT_READ));

	return copy;
}

static void loses_nothing(void)
{
	struct evl_monitor_trywaitreq try_all = { .value = -1 };
	struct evl_monitor_waitreq wait_all = { .gatefd = -1, .value = -1 };
	struct timespec forever = { 0 };
	struct evl_sem sem;
	int value;

	wait_all.timeout_ptr = (uintptr_t)&forever;
	new_flags(5);
	check_errno(read(f.monitor.efd, bad_address(8), 4), EFAULT);
	check_eq(peek(), 5);
	check_errno(ioctl(f.monitor.efd, EVL_MONIOC_TRYWAIT, read_only_copy(&try_all, sizeof(try_all))), EFAULT);
	check_eq(peek(), 5);
	attach_fifo(10);
	check_errno(oob_read(f.monitor.efd, bad_address(8), 4), EFAULT);
	check_eq(peek(), 5);
	check_errno(oob_ioctl(f.monitor.efd, EVL_MONIOC_WAIT, read_only_copy(&wait_all, sizeof(wait_all))), EFAULT);
	check_eq(peek(), 5);

	check_ok(evl_create_sem(&sem, EVL_CLOCK_MONOTONIC, 1, EVL_CLONE_PRIVATE, "flags-sem:%d", getpid()));
	check_errno(ioctl(sem.monitor.efd, EVL_MONIOC_TRYWAIT, read_only_copy(&try_all, sizeof(try_all))), EFAULT);
	check_errno(oob_ioctl(sem.monitor.efd, EVL_MONIOC_WAIT, read_only_copy(&wait_all, sizeof(wait_all))), EFAULT);
	check_ok(evl_peek_sem(&sem, &value));
	check_eq(value, 1);
}

/* --- In one go -------------------------------------------------------------------- */

#define ROUNDS	3000

static atomic_bool seen_empty, all_posted;

static void *look_for_nothing(void *arg)
{
	pin_to(other_cpu());
	while (!atomic_load(&all_posted))
		if (!peek())
			atomic_store(&seen_empty, true);
	return arg;
}

static void wait_in_turns(struct worker *w)
{
	attach_worker(w);
	for (int n = 0; n < ROUNDS; n++)
		check_ok(evl_wait_exact_flags(&f, n & 1 ? 6 : 3));
}

/* The waiter takes what was there, what is posted beyond its needs stays. */
static void never_seem_empty(void)
{
	struct worker w = { .body = wait_in_turns, .name = "turns", .prio = 10, .cpu = other_cpu() };
	pthread_t looker;

	if (!other_cpu())
		check_skip("only one CPU");
	new_flags(1);
	pin_to(0);
	check_eq(pthread_create(&looker, NULL, look_for_nothing, NULL), 0);
	start_worker(&w);
	for (int n = 0; n < ROUNDS; n++) {
		await(worker_sleeps(&w));
		check_eq(evl_post_flags(&f, n & 1 ? 3 : 6), 0);
		await(peek() == (n & 1 ? 1 : 4));
	}
	join_worker(&w);
	atomic_store(&all_posted, true);
	pthread_join(looker, NULL);
	check(!atomic_load(&seen_empty));
}

static const struct CMUnitTest tests[] = {
	TEST(tries, "trywait, post and peek"),
	TEST(serves_the_first, "flags go to the first waiter which they satisfy"),
	TEST(broadcasts, "a broadcast satisfies all it can"),
	TEST(broadcasts_in_vain, "one which satisfies nobody changes nothing for those who wait"),
	TEST(gives_up, "waits end with a timeout, an unblock or a close"),
	TEST(survive_cancellation, "bits for a thread which is cancelled go to the next one"),
	TEST(minds_dates, "past dates, dates which are none, and no date at all"),
	TEST(waits_until_dates, "waits for any or for all flags end in time, or are not limited"),
	TEST(follows_its_clock, "dates are those of the clock which the group was made for"),
	TEST(pass_between_processes, "flags are posted to another process, and back"),
	TEST(closes_elsewhere, "a close in another process ends no wait here"),
	TEST(are_not_taken_for_others, "a name opens the kind of monitor which it is the name of"),
	TEST(reads_and_writes, "flags are read, written and polled on either stage"),
	TEST(read_is_interrupted, "a signal ends an in-band read"),
	TEST(never_seem_empty, "who peeks never sees a value in between"),
	TEST(loses_nothing, "what cannot be told to the caller is not taken either, nor units of a semaphore"),
};

TEST_MAIN("flags", tests)
