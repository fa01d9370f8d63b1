// SPDX-License-Identifier: GPL-2.0-only
/*
 * Files of drivers which serve both stages: requests, polling, and stage exclusion locks, through the driver of
 * test/module/evl_file_test.c.
 */
#include "driver.h"
#include "group.h"
#include "notices.h"
#include "puppet.h"
#include "../module/evl_file_test.h"

static int open_file(void)
{
	check_ok(evl_init());
	return check_sys(open(EVL_FILE_TEST_DEVICE, O_RDWR));
}

static int inband(int fd, unsigned long request)
{
	return ioctl(fd, request, 0L) < 0 ? -errno : 0;
}

static int oob(int fd, unsigned long request)
{
	return oob_ioctl(fd, request, 0L) < 0 ? -errno : 0;
}

/* --- Requests ------------------------------------------------------------------------------ */

static void served_on_both_stages(void)
{
	struct evl_file_test_sum sum = { .a = UINT32_MAX, .b = 3 };
	int fd = open_file();

	check_sys(ioctl(fd, FILE_TEST_SUM, &sum));
	check_eq(sum.sum, 0x100000002);
	attach_fifo(10);
	sum.b = 4;
	check_sys(oob_ioctl(fd, FILE_TEST_SUM, &sum));
	check_eq(sum.sum, 0x100000003);
	check(!evl_is_inband());
	check_sys(ioctl(fd, FILE_TEST_SUM, &sum));
	check(evl_is_inband());
	check_sys(oob_ioctl(fd, FILE_TEST_SUM, &sum));
	check(!evl_is_inband());
}

static void not_served(void)
{
	int fd = open_file();
	char buf[8] = "";

	attach_fifo(10);
	check_errno(ioctl(fd, _IO('~', 99), 0L), ENOTTY);
	check_errno(oob_ioctl(fd, _IO('~', 99), 0L), ENOTTY);
	check_errno(oob_read(fd, buf, sizeof(buf)), EINVAL);
	check_errno(oob_write(fd, buf, sizeof(buf)), EINVAL);
	check_errno(oob_ioctl(fd, FILE_TEST_SUM, bad_address(8)), EFAULT);
	check_errno(ioctl(fd, FILE_TEST_SUM, bad_address(8)), EFAULT);
	close(fd);
	check_errno(oob_ioctl(fd, FILE_TEST_WATCHES, 0L), EBADF);
}

static void found_by_descriptor(void)
{
	int fd = open_file(), other = open_file(), group;

	attach_fifo(10);
	group = new_group();
	add(group, other, POLLIN);
	expect_idle(group);
	check_sys(oob_ioctl(fd, FILE_TEST_RAISE_OTHER, (long)other));
	expect(group, other, POLLIN);
	check_ok(oob(other, FILE_TEST_CLEAR));
	check_sys(ioctl(fd, FILE_TEST_RAISE_OTHER, (long)other));
	expect(group, other, POLLIN);
	check_errno(oob_ioctl(fd, FILE_TEST_RAISE_OTHER, -1L), EBADF);
	check_errno(oob_ioctl(fd, FILE_TEST_RAISE_OTHER, 1000L), EBADF);
	check_errno(oob_ioctl(fd, FILE_TEST_RAISE_OTHER, (long)STDOUT_FILENO), EBADF);
	check_errno(oob_ioctl(fd, FILE_TEST_RAISE_OTHER, (long)new_timer()), EINVAL);
	/* No reference was kept. */
	close(other);
	check_errno(ioctl(fd, FILE_TEST_RAISE_OTHER, (long)other), EBADF);
}

/* --- Polling ------------------------------------------------------------------------------- */

static void raise_events(int fd, int events)
{
	check_sys(oob_ioctl(fd, FILE_TEST_RAISE, (long)events));
}

static void polled(void)
{
	int fd = open_file(), group;

	attach_fifo(10);
	group = new_group();
	add(group, fd, POLLIN);
	expect_idle(group);
	raise_events(fd, POLLOUT);
	expect_idle(group);
	raise_events(fd, POLLIN);
	expect(group, fd, POLLIN);
	/* Until it is over. */
	expect(group, fd, POLLIN);
	check_ok(oob(fd, FILE_TEST_CLEAR));
	expect_idle(group);
	check_ok(evl_mod_pollfd(group, fd, POLLOUT, evl_intval(fd)));
	raise_events(fd, POLLIN);
	expect_idle(group);
	raise_events(fd, POLLOUT);
	expect(group, fd, POLLOUT);
	check_ok(evl_del_pollfd(group, fd));
	/* What holds beforehand counts. */
	add(group, fd, POLLIN | POLLOUT);
	expect(group, fd, POLLIN | POLLOUT);
	check_ok(oob(fd, FILE_TEST_CLEAR));
	expect_idle(group);
	/* Nobody asked for it. */
	raise_events(fd, POLLERR);
	expect(group, fd, POLLERR);
}

static void wakes_up_pollers(void)
{
	int fd = open_file(), group;
	struct waiter a, b;

	check_ok(evl_attach_self("adder:%d", getpid()));
	group = new_group();
	add(group, fd, POLLIN);
	start_waiter(&a, "a", group);
	start_waiter(&b, "b", group);
	check_sys(ioctl(fd, FILE_TEST_RAISE, (long)POLLIN));
	check_eq(finish_waiter(&a), 1);
	check_eq(finish_waiter(&b), 1);
	check_eq(a.ev.events, POLLIN);
	check_eq(b.ev.events, POLLIN);
	check_ok(oob(fd, FILE_TEST_CLEAR));
	start_waiter(&a, "a", group);
	raise_events(fd, POLLOUT);
	check(worker_sleeps(&a.w));
	raise_events(fd, POLLIN);
	check_eq(finish_waiter(&a), 1);
}

static int watches(int fd)
{
	return check_sys(ioctl(fd, FILE_TEST_WATCHES, 0L));
}

static void watched_by_groups(void)
{
	int fd = open_file(), one, two;

	attach_fifo(10);
	one = new_group();
	two = new_group();
	check_eq(watches(fd), 0);
	add(one, fd, POLLIN);
	add(two, fd, POLLIN);
	check_eq(watches(fd), 2);
	expect_idle(one);
	expect_idle(one);
	check_eq(watches(fd), 2);
	raise_events(fd, POLLIN);
	expect(one, fd, POLLIN);
	expect(two, fd, POLLIN);
	check_ok(evl_del_pollfd(one, fd));
	check_eq(watches(fd), 1);
	close(two);
	check_eq(watches(fd), 0);
	add(one, fd, POLLIN);
	check_eq(watches(fd), 1);
}

/* Others signal without pause what the caller has no part in. */
static void polls_end(void)
{
	int fd = open_file(), group;
	struct evl_poll_event ev;
	struct timespec date;

	check_sys(ioctl(fd, FILE_TEST_RESTLESS, 0L));
	attach_fifo(10);
	group = new_group();
	add(group, fd, POLLIN);
	set_nonblocking(group, true);
	check_eq(evl_poll(group, &ev, 1), -EAGAIN);
	set_nonblocking(group, false);
	date = ns_ts(1);
	check_eq(evl_timedpoll(group, &ev, 1, &date), -ETIMEDOUT);
	date = ns_ts(now() + 20 * NSEC_PER_MSEC);
	check_eq(evl_timedpoll(group, &ev, 1, &date), -ETIMEDOUT);
	check_reached(now(), ts_ns(date));
	check(!evl_is_inband());
}

static void closed_while_polled(void)
{
	int fd = open_file(), group;
	struct waiter p;

	check_ok(evl_attach_self("adder:%d", getpid()));
	group = new_group();
	add(group, fd, POLLIN);
	start_waiter(&p, "p", group);
	close(fd);
	check_eq(finish_waiter(&p), 1);
	check_eq((int)p.ev.fd, fd);
	check_eq(p.ev.events, POLLNVAL);
}

/* --- Stage exclusion ------------------------------------------------------------------------- */

static int lock_oob(struct puppet *p)
{
	return oob(*(int *)p->arg, FILE_TEST_LOCK);
}

static int unlock_oob(struct puppet *p)
{
	return oob(*(int *)p->arg, FILE_TEST_UNLOCK);
}

static int trylock_oob(struct puppet *p)
{
	return oob(*(int *)p->arg, FILE_TEST_TRYLOCK);
}

static atomic_bool asking;

static int lock_inband(struct puppet *p)
{
	/* In-band from here on, so that it sleeps in the request only. */
	check_ok(evl_switch_inband());
	atomic_store(&asking, true);
	return inband(*(int *)p->arg, FILE_TEST_LOCK);
}

static void begin_inband_wait(struct puppet *p, int *fd)
{
	atomic_store(&asking, false);
	begin(p, lock_inband, fd);
	await(atomic_load(&asking) && task_sleeps(atomic_load(&p->w.tid)));
	check(atomic_load(&p->busy));
}

static void shared_by_a_stage(void)
{
	int fd = open_file();
	struct puppet a, b, c;

	start_puppet(&a, "a", 10, 0);
	start_puppet(&b, "b", 20, 0);
	start_puppet(&c, "c", 0, 0);
	check_ok(perform(&a, lock_oob, &fd));
	check_ok(perform(&b, lock_oob, &fd));
	check_ok(perform(&b, trylock_oob, &fd));
	check_eq(inband(fd, FILE_TEST_TRYLOCK), -EAGAIN);
	begin_inband_wait(&c, &fd);
	check_ok(perform(&a, unlock_oob, &fd));
	check_ok(perform(&b, unlock_oob, &fd));
	check_eq(inband(fd, FILE_TEST_TRYLOCK), -EAGAIN);
	check(atomic_load(&c.busy));
	check_ok(perform(&b, unlock_oob, &fd));
	check_ok(result(&c));

	check_ok(inband(fd, FILE_TEST_LOCK));
	check_ok(inband(fd, FILE_TEST_TRYLOCK));
	check_eq(perform(&a, trylock_oob, &fd), -EAGAIN);
	begin_wait(&a, lock_oob, &fd);
	begin_wait(&b, lock_oob, &fd);
	/* They go first. */
	check_eq(inband(fd, FILE_TEST_TRYLOCK), -EAGAIN);
	check_ok(inband(fd, FILE_TEST_UNLOCK));
	check_ok(inband(fd, FILE_TEST_UNLOCK));
	check(worker_sleeps(&a.w));
	check_ok(inband(fd, FILE_TEST_UNLOCK));
	check_ok(result(&a));
	check_ok(result(&b));
	check_ok(perform(&a, unlock_oob, &fd));
	check_ok(perform(&b, unlock_oob, &fd));
	check_ok(inband(fd, FILE_TEST_TRYLOCK));
	end_puppet(&a);
	end_puppet(&b);
	end_puppet(&c);
}

static void wait_unblocked(void)
{
	int fd = open_file();
	struct puppet a, c;

	start_puppet(&a, "a", 10, 0);
	start_puppet(&c, "c", 0, 0);
	check_ok(inband(fd, FILE_TEST_LOCK));
	begin_wait(&a, lock_oob, &fd);
	begin_inband_wait(&c, &fd);
	check_ok(evl_unblock_thread(a.w.efd));
	check_eq(result(&a), -EINTR);
	/* It was what kept others of the stage inside from coming in. */
	check_ok(result(&c));
	check_eq(perform(&a, trylock_oob, &fd), -EAGAIN);
	check_ok(inband(fd, FILE_TEST_UNLOCK));
	check_ok(inband(fd, FILE_TEST_UNLOCK));
	check_ok(perform(&a, lock_oob, &fd));
	check_ok(perform(&a, unlock_oob, &fd));
	end_puppet(&a);
	end_puppet(&c);
}

static void oob_wait_signaled(void)
{
	int fd = open_file();
	struct puppet a;

	start_puppet(&a, "a", 10, 0);
	check_ok(inband(fd, FILE_TEST_LOCK));
	catch_signal(SIGUSR1, 0);
	begin_wait(&a, lock_oob, &fd);
	signal_worker(&a.w, SIGUSR1);
	check_eq(result(&a), -EINTR);
	check_eq(atomic_load(&signal_count), 1);

	catch_signal(SIGUSR1, SA_RESTART);
	begin_wait(&a, lock_oob, &fd);
	signal_worker(&a.w, SIGUSR1);
	await(atomic_load(&signal_count) == 2);
	await(worker_sleeps(&a.w));
	check(atomic_load(&a.busy));
	check_ok(inband(fd, FILE_TEST_UNLOCK));
	check_ok(result(&a));
	check_ok(perform(&a, unlock_oob, &fd));
	end_puppet(&a);
}

/* -ERESTARTSYS, as users see it. */
static void inband_wait_signaled(void)
{
	int fd = open_file();
	struct puppet a, c;

	start_puppet(&a, "a", 10, 0);
	start_puppet(&c, "c", 0, 0);
	check_ok(perform(&a, lock_oob, &fd));
	catch_signal(SIGUSR1, 0);
	begin_inband_wait(&c, &fd);
	signal_worker(&c.w, SIGUSR1);
	check_eq(result(&c), -EINTR);
	check_eq(atomic_load(&signal_count), 1);

	catch_signal(SIGUSR1, SA_RESTART);
	begin_inband_wait(&c, &fd);
	signal_worker(&c.w, SIGUSR1);
	await(atomic_load(&signal_count) == 2);
	await(task_sleeps(atomic_load(&c.w.tid)));
	check(atomic_load(&c.busy));
	check_ok(perform(&a, unlock_oob, &fd));
	check_ok(result(&c));
	check_ok(inband(fd, FILE_TEST_UNLOCK));
	end_puppet(&a);
	end_puppet(&c);
}

/* The descriptor goes while requests for it wait: they end, then the file does. */
static void closed_while_waited_for(void)
{
	struct puppet a, b;
	int fd, closed;

	open_file();
	start_puppet(&a, "a", 10, 0);
	start_puppet(&b, "b", 20, other_cpu());
	for (int i = 0; i < 20; i++) {
		fd = closed = open_file();
		check_ok(inband(fd, FILE_TEST_LOCK));
		begin_wait(&a, lock_oob, &fd);
		begin_wait(&b, lock_oob, &fd);
		close(closed);
		check_eq(result(&a), -EIDRM);
		check_eq(result(&b), -EIDRM);
	}
	end_puppet(&a);
	end_puppet(&b);
}

static void exit_inside(void *arg)
{
	int fd = open_file();
	struct puppet a;

	start_puppet(&a, "a", 10, other_cpu());
	check_ok(inband(fd, FILE_TEST_LOCK));
	begin_wait(&a, lock_oob, &fd);
	if (arg)
		raise(SIGKILL);
}

static void exit_while_waiting(void)
{
	wait_success(fork_child(exit_inside, NULL));
	wait_signal(fork_child(exit_inside, ""), SIGKILL);
}

/* --- STAGEX: warn on stage exclusion ----------------------------------------------------------- */

static void check_reports(int count)
{
	for (int cause = 0; cause < NR_CAUSES; cause++)
		check_eq(take_sigdebug(cause), cause == EVL_HMDIAG_STAGEX ? count : 0);
	check_eq(atomic_load(&sigdebug_foreign), 0);
}

static void wait_is_reported(void)
{
	int fd = open_file(), other = open_file();
	struct puppet a;

	catch_sigdebug();
	start_puppet(&a, "a", 10, 0);
	check_ok(evl_set_thread_mode(a.w.efd, EVL_T_WOSX, NULL));
	for (int i = 0; i < 5; i++) {
		check_ok(inband(fd, FILE_TEST_LOCK));
		begin_wait(&a, lock_oob, &fd);
		check_ok(inband(fd, FILE_TEST_UNLOCK));
		check_ok(result(&a));
		await(atomic_load(&sigdebug_seen[EVL_HMDIAG_STAGEX]));
		check_reports(1);
		/* It is inside all the same. */
		check_eq(inband(fd, FILE_TEST_TRYLOCK), -EAGAIN);
		/* The lock of another file, or one which needs no wait, is no matter. */
		check_ok(perform(&a, lock_oob, &other));
		check_ok(perform(&a, lock_oob, &fd));
		check_ok(perform(&a, unlock_oob, &fd));
		check_ok(perform(&a, unlock_oob, &other));
		check_ok(perform(&a, unlock_oob, &fd));
		check_reports(0);
	}
	end_puppet(&a);
}

/* By the observable of the thread, which goes in-band all the same. */
static void wait_is_noticed(void)
{
	struct evl_notification nf;
	int fd = open_file();
	struct puppet a;

	catch_sigdebug();
	start_observable_puppet(&a, "a", 10, 0);
	check_ok(evl_subscribe(a.w.efd, 4, 0));
	set_nonblocking(a.w.efd, true);
	check_ok(evl_set_thread_mode(a.w.efd, EVL_T_WOSX | EVL_T_HMOBS, NULL));
	for (int i = 0; i < 5; i++) {
		unsigned int isw;

		check_ok(inband(fd, FILE_TEST_LOCK));
		begin_wait(&a, lock_oob, &fd);
		isw = state_of(a.w.efd).isw;
		check_eq(evl_read_observable(a.w.efd, &nf, 1), -EAGAIN);
		check_ok(inband(fd, FILE_TEST_UNLOCK));
		check_ok(result(&a));
		nf = receive(a.w.efd);
		check_eq(nf.tag, EVL_HMDIAG_STAGEX);
		check_eq(nf.issuer, 0);
		check_eq(nf.event.lval, 0);
		check_eq(state_of(a.w.efd).isw, isw + 1);
		check_ok(perform(&a, unlock_oob, &fd));
		check_eq(evl_read_observable(a.w.efd, &nf, 1), -EAGAIN);
		check_reports(0);
	}
	end_puppet(&a);
}

static void unwatched_wait_is_not(void)
{
	int fd = open_file();
	struct puppet a;

	catch_sigdebug();
	start_puppet(&a, "a", 10, 0);
	for (int i = 0; i < 2; i++) {
		check_ok(inband(fd, FILE_TEST_LOCK));
		begin_wait(&a, lock_oob, &fd);
		check_ok(inband(fd, FILE_TEST_UNLOCK));
		check_ok(result(&a));
		check_ok(perform(&a, unlock_oob, &fd));
		/* Other modes are about other things. */
		check_ok(evl_set_thread_mode(a.w.efd, EVL_T_WOLI | EVL_T_WOSO, NULL));
	}
	check_reports(0);
	end_puppet(&a);
}

static void inband_wait_is_not(void)
{
	int fd = open_file();
	struct puppet a, c;

	catch_sigdebug();
	start_puppet(&a, "a", 10, 0);
	start_puppet(&c, "c", 0, 0);
	check_ok(evl_set_thread_mode(c.w.efd, EVL_T_WOSX, NULL));
	check_ok(perform(&a, lock_oob, &fd));
	begin_inband_wait(&c, &fd);
	check_ok(perform(&a, unlock_oob, &fd));
	check_ok(result(&c));
	check_ok(inband(fd, FILE_TEST_UNLOCK));
	check_reports(0);
	end_puppet(&a);
	end_puppet(&c);
}

/* --- Many ------------------------------------------------------------------------------------ */

static void found_in_crowd(void)
{
	int fd = open_file(), tenths = check_sys(ioctl(fd, FILE_TEST_CROWD, fd));

	check_le(tenths, 30);
}

/* --- The driver itself ------------------------------------------------------------------------ */

static int load_driver(void **state)
{
	(void)state;
	return load_module("evl_file_test", EVL_FILE_TEST_DEVICE);
}

static int unload_driver(void **state)
{
	(void)state;
	return unload_module("evl_file_test");
}

static const struct CMUnitTest tests[] = {
	TEST(served_on_both_stages, "requests are served on the stage they are made on"),
	TEST(not_served, "what the driver has no handler for is -ENOTTY or -EINVAL"),
	TEST(found_by_descriptor, "evl_get_file finds files by descriptor, nothing else"),
	TEST_WITHIN(found_in_crowd, 120, "and takes no longer when there are many more"),
	TEST(polled, "evl_poll reports the events of a driver"),
	TEST(wakes_up_pollers, "evl_signal_poll_events wakes up those who poll, from either stage"),
	TEST(watched_by_groups, "a file is watched as long as it is in a group"),
	TEST(polls_end, "a poll which does not wait, or has waited, ends whatever is signaled meanwhile"),
	TEST(closed_while_polled, "closing it while it is polled is POLLNVAL"),
	TEST(shared_by_a_stage, "a stage exclusion lock is for many tasks of one stage"),
	TEST(wait_unblocked, "evl_unblock_thread ends the wait for it: -EINTR"),
	TEST(oob_wait_signaled, "so does a signal out-of-band, unless calls restart"),
	TEST(inband_wait_signaled, "and in-band"),
	TEST(closed_while_waited_for, "closing the file ends the wait: -EIDRM"),
	TEST(exit_while_waiting, "a process may exit, or be killed, meanwhile"),
	TEST(wait_is_reported, "STAGEX: the wait for a stage exclusion lock, once"),
	TEST(wait_is_noticed, "STAGEX: by the observable of the thread alone"),
	TEST(unwatched_wait_is_not, "not without the mode"),
	TEST(inband_wait_is_not, "nor in-band"),
};

int main(int argc, char *argv[])
{
	prepare_main(argc, argv);
	return cmocka_run_group_tests_name("kfile", tests, load_driver, unload_driver);
}
