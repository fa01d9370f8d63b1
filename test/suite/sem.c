// SPDX-License-Identifier: GPL-2.0-only
/* Semaphores. */
#include "puppet.h"
#include <evl/sem.h>
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

static const struct CMUnitTest tests[] = {
	TEST(counts, "get, put, tryget and peek"),
	TEST(refuses, "negative and overflowing counts, wrong requests"),
	TEST(wakes_in_order, "the best waiter goes first, the count tells how many there are"),
	TEST(gives_up, "waits end with a timeout or an unblock, the count being put right"),
	TEST(flushes, "flushing, and closing under waiters"),
	TEST(does_not_block, "O_NONBLOCK"),
	TEST(ping_pong, "two threads hand units back and forth"),
	TEST(survives_kills, "waiters may be killed"),
	TEST(polls, "semaphores and flags in a poll group"),
};

TEST_MAIN("sem", tests)
