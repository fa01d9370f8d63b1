// SPDX-License-Identifier: GPL-2.0-only
/* Groups of flags. */
#include "puppet.h"
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

static const struct CMUnitTest tests[] = {
	TEST(tries, "trywait, post and peek"),
	TEST(serves_the_first, "flags go to the first waiter which they satisfy"),
	TEST(broadcasts, "a broadcast satisfies all it can"),
	TEST(gives_up, "waits end with a timeout, an unblock or a close"),
	TEST(reads_and_writes, "flags are read, written and polled on either stage"),
	TEST(read_is_interrupted, "a signal ends an in-band read"),
	TEST(loses_nothing, "what cannot be told to the caller is not taken either, nor units of a semaphore"),
};

TEST_MAIN("flags", tests)
