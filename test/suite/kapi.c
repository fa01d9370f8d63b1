// SPDX-License-Identifier: GPL-2.0-only
/* The kernel interface, through the driver of test/module/evl_test; for cross-buffers, we are at the other end. */
#include "driver.h"
#include "user.h"
#include <sys/klog.h>
#include <evl/xbuf.h>
#include "../module/evl_test.h"

static int device;

static void open_device(void)
{
	device = check_sys(open(EVL_TEST_DEVICE, O_RDWR));
	check_ok(evl_init());
}

static struct evl_test_run run_case(struct evl_test_run run)
{
	check_sys(ioctl(device, EVL_TEST_RUN, &run));
	if (run.line)
		check_fail("%s:%d says no", run.file, run.line);
	return run;
}

static void run_simple(int nr)
{
	open_device();
	run_case((struct evl_test_run){ .nr = nr });
}

/* --- Complete in the kernel ------------------------------------------------------------ */

static void kthread_runs(void)
{
	run_simple(TEST_KTHREAD);
}

static void kthread_errors(void)
{
	run_simple(TEST_KTHREAD_ERRORS);
}

static void kthread_stops(void)
{
	run_simple(TEST_KTHREAD_STOP);
}

static void kthread_unblocks(void)
{
	run_simple(TEST_KTHREAD_UNBLOCK);
}

static void kthread_priority(void)
{
	run_simple(TEST_KTHREAD_PRIORITY);
}

/* How often the kernel log has @text. */
static int count_log(const char *text)
{
	static char log[1 << 18];
	const char *p = log;
	int count = 0;

	log[check_sys(klogctl(3 /* SYSLOG_ACTION_READ_ALL */, log, sizeof(log) - 1))] = '\0';
	while ((p = strstr(p, text))) {
		p += strlen(text);
		count++;
	}
	return count;
}

static void set_watchdog(const char *seconds)
{
	int fd = check_sys(open("/sys/module/evl/parameters/watchdog_timeout", O_WRONLY));

	check_eq(write(fd, seconds, strlen(seconds)), strlen(seconds));
	close(fd);
}

/* It keeps the CPU first, and is caught before the others go on. */
static void hog_first(struct worker *w)
{
	int64_t date = now() + (EVL_TEST_HOG_DELAY - 500) * NSEC_PER_MSEC;

	attach_worker(w);
	check_ok(evl_switch_oob());
	check_ok(sleep_until(date));
	while (!evl_is_inband())
		check_lt(now(), date + 10 * NSEC_PER_SEC);
}

static void kthread_hogs(void)
{
	struct worker w = { .body = hog_first, .name = "hog", .prio = 50, .cpu = other_cpu() };
	int before;

	open_device();
	set_watchdog("1");
	before = count_log("watchdog: kernel thread evl_test.hog");
	start_worker(&w);
	await(worker_sleeps(&w));
	run_case((struct evl_test_run){ .nr = TEST_KTHREAD_HOGS, .count = other_cpu() });
	join_worker(&w);
	set_watchdog("4");
	/* Once for each second at most, not with each tick. */
	await(count_log("watchdog: kernel thread evl_test.hog") > before);
	check_le(count_log("watchdog: kernel thread evl_test.hog"), before + 3);
}

static void timer_fires(void)
{
	run_simple(TEST_TIMER_ONESHOT);
}

static void timer_repeats(void)
{
	run_simple(TEST_TIMER_PERIODIC);
}

static void timer_stops(void)
{
	run_simple(TEST_TIMER_STOP);
}

static void timer_extremes(void)
{
	run_simple(TEST_TIMER_EXTREMES);
}

static void timer_starts_over(void)
{
	run_simple(TEST_TIMER_START_OVER);
}

static void timer_crowd(void)
{
	run_simple(TEST_TIMER_CROWD);
}

static void timer_slow(void)
{
	run_simple(TEST_TIMER_SLOW);
}

static void timer_comes_in_time(void)
{
	run_simple(TEST_TIMER_PUSHY);
}

static void timer_destroyed(void)
{
	run_simple(TEST_TIMER_DESTROY);
}

static void clock_gravity(void)
{
	run_simple(TEST_CLOCK_GRAVITY);
}

static void wait_ends(void)
{
	run_simple(TEST_WAIT_WAKEUP);
}

static void wait_times_out(void)
{
	run_simple(TEST_WAIT_TIMEOUT);
}

static void wait_order(void)
{
	run_simple(TEST_WAIT_ORDER);
}

static void wait_queue_goes(void)
{
	run_simple(TEST_WAIT_FLUSH);
}

static void unblocked_when_busy(void)
{
	run_simple(TEST_WAIT_BUSY);
}

static void work_runs_inband(void)
{
	run_simple(TEST_WORK);
}

static void heap_serves(void)
{
	run_simple(TEST_HEAP);
}

/* The kernel has one line for each place where a contract was broken, however often that was. */
static bool is_reported(const char *function)
{
	char text[80];

	snprintf(text, sizeof(text), "evl: %s() is for ", function);
	return count_log(text);
}

static void check_reported(const char *function)
{
	if (!is_reported(function))
		check_fail("nothing in the log about %s()", function);
}

static void contracts_stranger(void)
{
	run_simple(TEST_CONTRACTS_STRANGER);
	/* Step 1 has the channel locked, which is no place to print: step 2 tells. */
	check(!is_reported("evl_add_wait_queue"));
	check_reported("evl_wait_schedule");
	check_reported("evl_lock_mutex_timeout");
	check_reported("evl_trylock_mutex");
	check_reported("evl_down_timeout");
	check_reported("evl_wait_flag_timeout");
	check_reported("evl_sleep_until_clock");
	check_reported("evl_yield");
	check_reported("evl_switch_oob");
	check_reported("evl_switch_inband");
	check_reported("evl_lock_stax");
}

static void contracts_inband(void)
{
	run_simple(TEST_CONTRACTS_INBAND);
}

static void contracts_oob(void)
{
	run_simple(TEST_CONTRACTS_OOB);
	check_reported("__evl_run_kthread");
}

static void contracts_irq(void)
{
	run_simple(TEST_CONTRACTS_IRQ);
	check_reported("evl_destroy_timer");
}

static void traps_thread(void)
{
	run_simple(TEST_TRAPS_THREAD);
}

static void traps_irq(void)
{
	run_simple(TEST_TRAPS_IRQ);
}

static void traps_nmi(void)
{
	run_simple(TEST_TRAPS_NMI);
}

static void traps_probe(void)
{
	run_simple(TEST_TRAPS_PROBE);
}

/* A thread of the kernel is an element like any other. */
static void kthread_is_visible(void)
{
	int efd;

	open_device();
	check_eq(run_case((struct evl_test_run){ .nr = TEST_KTHREAD_PUBLIC }).result, 0);
	check(has_node("thread", "evl_test.public"));
	check(strstr(read_attr("thread", "evl_test.public", "sched"), " 33 33 fifo"));
	check_eq(strtoul(read_attr("thread", "evl_test.public", "state"), NULL, 0) & EVL_T_USER, 0);
	check_eq(evl_attach_self("/evl_test.public"), -EEXIST);
	efd = check_ok(evl_open_element("thread", "evl_test.public"));
	check_eq(attrs_of(efd).sched_priority, 33);
	check_ok(set_fifo(efd, 44));
	check_eq(state_of(efd).eattrs.sched_priority, 44);
	check_lt(ioctl(efd, EVL_THRIOC_DETACH_SELF), 0);
	/* It is not for others to force it in-band, where its waits would end. */
	check_eq(evl_demote_thread(efd), -EPERM);
	check_eq(state_of(efd).eattrs.sched_priority, 44);
	check(strtoul(read_attr("thread", "evl_test.public", "state"), NULL, 0) & (EVL_T_DELAY | EVL_T_PEND));
	close(device);
	check_eq(evl_unblock_thread(efd), -ESTALE);
	close(efd);
	await(!has_element("thread", "evl_test.public"));
}

static int public_efd;

/* What attaching gives is good for threads of programs. */
static void meddle_with_driver(void)
{
	struct evl_sched_attrs attrs = { .sched_policy = SCHED_FIFO, .sched_priority = 1 };
	unsigned int mask = EVL_T_WOSS;

	check_ok(evl_attach_self("meddler:%d", getpid()));
	check_errno(ioctl(public_efd, EVL_THRIOC_UNBLOCK), EPERM);
	check_errno(ioctl(public_efd, EVL_THRIOC_DEMOTE), EPERM);
	check_errno(ioctl(public_efd, EVL_THRIOC_SET_SCHEDPARAM, &attrs), EPERM);
	check_errno(ioctl(public_efd, EVL_THRIOC_SET_MODE, &mask), EPERM);
	check_errno(ioctl(public_efd, EVL_THRIOC_CLEAR_MODE, &mask), EPERM);
	check_sys(ioctl(public_efd, EVL_THRIOC_GET_SCHEDPARAM, &attrs));
	check_eq(attrs.sched_priority, 33);
}

static void kthread_is_the_drivers(void)
{
	open_device();
	check_eq(run_case((struct evl_test_run){ .nr = TEST_KTHREAD_PUBLIC }).result, 0);
	public_efd = check_ok(evl_open_element("thread", "evl_test.public"));
	as_user("thread", meddle_with_driver);
	close(public_efd);
	close(device);
}

/* It stays with the driver which opened it. */
static void module_is_held(void)
{
	open_device();
	check_errno(syscall(SYS_delete_module, "evl_test", O_NONBLOCK), EWOULDBLOCK);
	check_errno(syscall(SYS_delete_module, "evl", O_NONBLOCK), EWOULDBLOCK);
}

/* --- Cross-buffers -------------------------------------------------------------------------- */

static int new_xbuf(size_t i_bufsz, size_t o_bufsz)
{
	return check_ok(evl_create_xbuf(i_bufsz, o_bufsz, 0, "kapi:%d", getpid()));
}

static struct evl_test_run transfer(int nr, int xfd, unsigned int size, int flags)
{
	return run_case((struct evl_test_run){ .nr = nr, .xfd = xfd, .size = size, .flags = flags, .count = '#' });
}

static bool gets(int fd)
{
	return run_case((struct evl_test_run){ .nr = TEST_XBUF_GET, .xfd = fd }).result;
}

static void xbuf_by_descriptor(void)
{
	int fd;

	open_device();
	check(gets(new_xbuf(64, 64)));
	check(!gets(-1));
	check(!gets(1000));
	check(!gets(0));
	check(!gets(device));
	check(!gets(check_ok(evl_new_timer(EVL_CLOCK_MONOTONIC))));
	check(!gets(check_ok(evl_new_proxy(1, 64, "kapi:%d", getpid()))));
	check(!gets(attach_weak()));
	fd = check_ok(evl_new_xbuf(64, "closed:%d", getpid()));
	close(fd);
	check(!gets(fd));
	/* The reference is gone: so is the element, once closed. */
	check(!has_element("xbuf", own_name("closed")));
}

static void xbuf_reads_what_is_written(void)
{
	struct evl_test_run run;
	int fd;

	open_device();
	fd = new_xbuf(64, 64);
	check_eq(write(fd, "\1\2\3\4", 4), 4);
	run = transfer(TEST_XBUF_READ, fd, 4, 0);
	check_eq(run.result, 4);
	check_eq(run.count, 1 + 2 + 3 + 4);
}

static void xbuf_writes_what_is_read(void)
{
	char buf[8] = "";
	int fd;

	open_device();
	fd = new_xbuf(64, 64);
	check_eq(transfer(TEST_XBUF_WRITE, fd, 5, 0).result, 5);
	check_eq(read(fd, buf, 5), 5);
	check_str(buf, "#####");
}

static void xbuf_errors(void)
{
	int fd, in, out;
	char buf[64];

	open_device();
	fd = new_xbuf(64, 64);
	check_eq(transfer(TEST_XBUF_READ, fd, 65, 0).result, -EINVAL);
	check_eq(transfer(TEST_XBUF_WRITE, fd, 65, 0).result, -EINVAL);
	check_eq(transfer(TEST_XBUF_READ, fd, 65, O_NONBLOCK).result, -EINVAL);
	check_eq(transfer(TEST_XBUF_READ, fd, 1, O_NONBLOCK).result, -EAGAIN);
	check_eq(transfer(TEST_XBUF_WRITE, fd, 60, O_NONBLOCK).result, 60);
	check_eq(transfer(TEST_XBUF_WRITE, fd, 5, O_NONBLOCK).result, -EAGAIN);
	check_eq(transfer(TEST_XBUF_WRITE, fd, 4, O_NONBLOCK).result, 4);
	check_eq(read(fd, buf, 64), 64);
	check_eq(transfer(TEST_XBUF_READ, fd, 0, 0).result, 0);
	check_eq(transfer(TEST_XBUF_WRITE, fd, 0, 0).result, 0);
	in = check_ok(evl_create_xbuf(64, 0, 0, "in:%d", getpid()));
	check_eq(transfer(TEST_XBUF_READ, in, 1, 0).result, -ENOBUFS);
	check_eq(transfer(TEST_XBUF_WRITE, in, 1, 0).result, 1);
	out = check_ok(evl_create_xbuf(0, 64, 0, "out:%d", getpid()));
	check_eq(transfer(TEST_XBUF_WRITE, out, 1, 0).result, -ENOBUFS);
	check_eq(write(out, "!", 1), 1);
	check_eq(transfer(TEST_XBUF_READ, out, 1, 0).result, 1);
}

/* The mode of the descriptor is that of the program, flags are those of the driver. */
static void xbuf_flags_are_its_own(void)
{
	int fd;

	open_device();
	fd = new_xbuf(64, 64);
	set_nonblocking(fd, true);
	check_eq(write(fd, "1234", 4), 4);
	check_eq(transfer(TEST_XBUF_READ, fd, 4, 0).result, 4);
}

/* A driver which does not wait needs no buffer of its own for messages which are not complete. */
static void xbuf_read_is_all_or_nothing(void)
{
	char buf[16];
	int fd;

	open_device();
	fd = new_xbuf(64, 64);
	check_eq(write(fd, "123", 3), 3);
	check_eq(transfer(TEST_XBUF_READ, fd, 4, O_NONBLOCK).result, -EAGAIN);
	check_eq(transfer(TEST_XBUF_READ, fd, 64, O_NONBLOCK).result, -EAGAIN);
	check_eq(transfer(TEST_XBUF_READ, fd, 2, O_NONBLOCK).result, 2);
	check_eq(write(fd, "456", 3), 3);
	check_eq(transfer(TEST_XBUF_READ, fd, 4, O_NONBLOCK).result, 4);
	/* Programs get what is there. */
	check_eq(write(fd, "789", 3), 3);
	set_nonblocking(fd, true);
	attach_fifo(10);
	check_eq(oob_read(fd, buf, sizeof(buf)), 3);
}

struct peer {
	int fd;
	int pieces;
	int size;
};

static void write_pieces(struct worker *w)
{
	struct peer *p = w->arg;
	char buf[64];

	memset(buf, 1, sizeof(buf));
	for (int i = 0; i < p->pieces; i++) {
		check_eq(write(p->fd, buf, p->size), p->size);
		nap();
	}
}

static void xbuf_waits_for_all(void)
{
	struct peer p = { .pieces = 5, .size = 8 };
	struct worker w = { .body = write_pieces, .name = "peer", .arg = &p };
	struct evl_test_run run;

	open_device();
	p.fd = new_xbuf(64, 64);
	start_worker(&w);
	run = transfer(TEST_XBUF_READ, p.fd, 40, 0);
	check_eq(run.result, 40);
	check_eq(run.count, 40);
	join_worker(&w);
}

/* The writer is left waiting for room by the time it has written 50 of 64 bytes. */
static void xbuf_read_is_short(void)
{
	struct peer p = { .pieces = 3, .size = 25 };
	struct worker w = { .body = write_pieces, .name = "peer", .arg = &p };

	open_device();
	p.fd = new_xbuf(64, 64);
	start_worker(&w);
	check_eq(transfer(TEST_XBUF_READ, p.fd, 64, 0).result, 50);
	join_worker(&w);
	check_eq(transfer(TEST_XBUF_READ, p.fd, 25, 0).result, 25);
}

/* Such a writer never gets to complete what the driver waits for, whether it waits or not. */
static void xbuf_read_lets_writer_go_on(void)
{
	struct peer p = { .pieces = 3, .size = 25 };
	struct worker w = { .body = write_pieces, .name = "peer", .arg = &p };

	open_device();
	p.fd = new_xbuf(64, 64);
	start_worker(&w);
	await(transfer(TEST_XBUF_READ, p.fd, 64, O_NONBLOCK).result == 50);
	join_worker(&w);
	check_eq(transfer(TEST_XBUF_READ, p.fd, 25, O_NONBLOCK).result, 25);
}

static void drain(struct worker *w)
{
	struct peer *p = w->arg;
	char buf[64];

	for (int i = 0; i < p->pieces; i++) {
		nap();
		check_eq(read(p->fd, buf, p->size), p->size);
	}
}

static void xbuf_waits_for_room(void)
{
	struct peer p = { .pieces = 8, .size = 8 };
	struct worker w = { .body = drain, .name = "peer", .arg = &p };

	open_device();
	p.fd = new_xbuf(64, 64);
	check_eq(transfer(TEST_XBUF_WRITE, p.fd, 64, 0).result, 64);
	start_worker(&w);
	check_eq(transfer(TEST_XBUF_WRITE, p.fd, 60, 0).result, 60);
	join_worker(&w);
}

static void echo_peer(struct worker *w)
{
	struct peer *p = w->arg;
	unsigned char in[64], out[64];

	for (int i = 0; i < p->pieces; i++) {
		for (int n = 0; n < p->size; n++)
			out[n] = i * 7 + n;
		check_eq(write(p->fd, out, p->size), p->size);
		check_eq(read(p->fd, in, p->size), p->size);
		check_eq(memcmp(in, out, p->size), 0);
	}
}

static void xbuf_both_ways(void)
{
	struct peer p = { .pieces = 500, .size = 48 };
	struct worker w = { .body = echo_peer, .name = "peer", .arg = &p };
	struct evl_test_run run = { .nr = TEST_XBUF_ECHO, .size = 48, .count = 500 };

	open_device();
	run.xfd = p.fd = new_xbuf(64, 64);
	start_worker(&w);
	check_eq(run_case(run).result, 500);
	join_worker(&w);
}

/* The driver keeps the element, which goes with the file of the driver. */
static void xbuf_held_by_driver(void)
{
	int fd;

	open_device();
	fd = new_xbuf(64, 64);
	check_eq(run_case((struct evl_test_run){ .nr = TEST_XBUF_HOLD, .xfd = fd }).result, 0);
	check_eq(write(fd, "read", 4), 4);
	close(fd);
	/* Its thread is told, and ends. */
	await(!first_element("thread"));
	check(has_element("xbuf", own_name("kapi")));
	close(device);
	await(!has_element("xbuf", own_name("kapi")));
}

/* An exiting process closes its descriptors in the order of their numbers. */
static void exit_with_held_xbuf(void *arg)
{
	int fd;

	open_device();
	fd = new_xbuf(64, 64);
	check_eq(run_case((struct evl_test_run){ .nr = TEST_XBUF_HOLD, .xfd = fd }).result, 0);
	if (arg) {
		/* The other order. */
		check_sys(dup2(device, 900));
		close(device);
	}
}

static void exit_while_held(void)
{
	wait_success(fork_child(exit_with_held_xbuf, NULL));
	wait_success(fork_child(exit_with_held_xbuf, ""));
}

static void serve_xbuf(struct worker *w)
{
	struct evl_test_run *run = w->arg;

	*run = run_case(*run);
}

/* The driver does not keep the application, which is not to close the file of the driver in order to end it. */
static void xbuf_is_gone(void)
{
	struct evl_test_run run = { .nr = TEST_XBUF_GONE };
	struct worker w = { .body = serve_xbuf, .name = "driver", .arg = &run };
	int fd;

	open_device();
	fd = run.xfd = new_xbuf(64, 64);
	start_worker(&w);
	check_eq(write(fd, "more", 4), 4);
	await(has_element("thread", "evl_test.gone"));
	check_eq(write(fd, "r", 1), 1);
	close(fd);
	join_worker(&w);
	check_eq(run.result, -EIDRM);
	/* What was there is not lost. */
	check_eq(run.count, 5);
	await(!has_element("xbuf", own_name("kapi")));
}

/* --- The driver itself --------------------------------------------------------------------------- */

static int load_driver(void **state)
{
	(void)state;
	return load_module("evl_test", EVL_TEST_DEVICE);
}

static int unload_driver(void **state)
{
	(void)state;
	return unload_module("evl_test");
}

static const struct CMUnitTest tests[] = {
	TEST(kthread_runs, "a kernel thread runs out-of-band, sleeps, changes stage"),
	TEST(kthread_errors, "bad priorities, flags, CPUs and names are refused"),
	TEST(kthread_stops, "stopping it ends its sleep, whenever that comes"),
	TEST(kthread_unblocks, "it can be unblocked"),
	TEST(kthread_priority, "its priority can be changed"),
	TEST(kthread_is_visible, "a public one can be seen, and changed, from user space"),
	TEST(kthread_hogs, "those which leave Linux nothing are told of, whoever was caught before"),
	TEST(timer_fires, "a timer runs its handler at its date, not before"),
	TEST(timer_repeats, "a periodic one keeps to its periods"),
	TEST(timer_stops, "a stopped one does not fire"),
	TEST(timer_extremes, "dates and intervals at the limits of their range do what they say"),
	TEST(timer_starts_over, "one which starts over within its gravity expires once at each date"),
	TEST(timer_crowd, "a thousand with the same date all expire"),
	TEST(timer_slow, "between two which take long, others have their turn"),
	TEST(timer_comes_in_time, "a timer comes, however many others are set for the past meanwhile"),
	TEST(timer_destroyed, "destroying one waits for its handler, wherever it was set to since"),
	TEST(clock_gravity, "the gravity of a clock can be changed, and reset"),
	TEST(wait_ends, "a wait ends when the condition holds"),
	TEST(wait_times_out, "or when its time is over"),
	TEST(wait_order, "waiters are woken up by priority"),
	TEST(wait_queue_goes, "destroying a queue sends its waiters away: -EIDRM"),
	TEST(unblocked_when_busy, "a wait can be ended from interrupts while its queue is busy, too"),
	TEST(work_runs_inband, "work requested out-of-band runs in-band"),
	TEST(heap_serves, "the core heap serves threads out-of-band"),
	TEST(contracts_stranger, "a task which is not attached may not wait, and is told so"),
	TEST(contracts_inband, "nor may a thread in-band"),
	TEST(contracts_oob, "calls which sleep in-band are refused out-of-band"),
	TEST(contracts_irq, "an interrupt neither waits nor changes stages"),
	TEST(traps_thread, "an access to user memory which may fail does, with interrupts off or on"),
	TEST(traps_irq, "so it does in the handler of a timer"),
	TEST(traps_nmi, "and in that of an NMI, as call chains are taken"),
	TEST(traps_probe, "a probe of the kernel is served wherever it is hit out-of-band"),
	TEST(kthread_is_the_drivers, "nobody but its driver and the administrator may change a kernel thread"),
	TEST(module_is_held, "neither module can be removed while in use"),
	TEST(xbuf_by_descriptor, "evl_get_xbuf finds cross-buffers by descriptor, nothing else"),
	TEST(xbuf_reads_what_is_written, "evl_read_xbuf reads what write(2) wrote"),
	TEST(xbuf_writes_what_is_read, "evl_write_xbuf writes what read(2) reads"),
	TEST(xbuf_errors, "-EINVAL, -EAGAIN and -ENOBUFS, as documented"),
	TEST(xbuf_flags_are_its_own, "flags of the call count, not the mode of the descriptor"),
	TEST(xbuf_read_is_all_or_nothing, "a driver which does not wait reads all it asks for, or nothing"),
	TEST(xbuf_waits_for_all, "a read waits for all it wants"),
	TEST(xbuf_read_is_short, "unless a writer waits for room"),
	TEST(xbuf_read_lets_writer_go_on, "or what it takes to let a writer go on"),
	TEST(xbuf_waits_for_room, "a write waits for room"),
	TEST(xbuf_both_ways, "messages go back and forth"),
	TEST(xbuf_held_by_driver, "evl_get_xbuf holds the element until evl_put_xbuf"),
	TEST(xbuf_is_gone, "a driver which waits is told when the application closes its end: -EIDRM"),
	TEST(exit_while_held, "a process may exit while a driver waits on its cross-buffer"),
};

int main(int argc, char *argv[])
{
	prepare_main(argc, argv);
	return cmocka_run_group_tests_name("kapi", tests, load_driver, unload_driver);
}
