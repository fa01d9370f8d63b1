// SPDX-License-Identifier: GPL-2.0-only
/* Observables of drivers, and of their threads: test/module/evl_notice_test.c. */
#include "notices.h"
#include "driver.h"
#include <poll.h>
#include "../module/evl_notice_test.h"

static int open_driver(void)
{
	check_ok(evl_init());
	return check_sys(open(EVL_NOTICE_TEST_DEVICE, O_RDWR | O_CLOEXEC));
}

static int make_one(void)
{
	int fd = open_driver();

	check_sys(ioctl(fd, NOTICE_TEST_MAKE, 0));
	return fd;
}

/* How many of them somebody got. */
static int driver_sends_many(int fd, long long first, int count)
{
	struct evl_notice_test req = { .tag = TAG, .value = first, .count = count, .irqs_off = true };

	check_sys(ioctl(fd, NOTICE_TEST_SEND, &req));
	return req.taken;
}

static bool driver_sends(int fd, unsigned int tag, long long value, bool irqs_off)
{
	struct evl_notice_test req = { .tag = tag, .value = value, .count = 1, .irqs_off = irqs_off };

	check_sys(ioctl(fd, NOTICE_TEST_SEND, &req));
	return req.taken;
}

static void names(void)
{
	char long_name[400];
	int fd = open_driver(), other = open_driver();

	memset(long_name, 'x', sizeof(long_name) - 1);
	long_name[sizeof(long_name) - 1] = '\0';
	check_errno(ioctl(fd, NOTICE_TEST_MAKE, bad_address(16)), EFAULT);
	check_errno(ioctl(fd, NOTICE_TEST_MAKE, ""), EINVAL);
	check_errno(ioctl(fd, NOTICE_TEST_MAKE, "a\nb"), EINVAL);
	check_errno(ioctl(fd, NOTICE_TEST_MAKE, long_name), ENAMETOOLONG);
	check_sys(ioctl(fd, NOTICE_TEST_MAKE, own_name("drv")));
	check(has_element("observable", own_name("drv")));
	check(!has_node("observable", own_name("drv")));
	check_errno(ioctl(other, NOTICE_TEST_MAKE, own_name("drv")), EEXIST);
	close(fd);
	check_sys(ioctl(other, NOTICE_TEST_MAKE, own_name("drv")));
}

static void both_ways(void)
{
	struct pollfd pfd = { .events = POLLIN | POLLOUT };
	struct evl_notification nf;
	int fd;

	pfd.fd = fd = make_one();
	check(!driver_sends(fd, 1, 1, false));
	check_eq(evl_read_observable(fd, &nf, 1), -ENXIO);
	check_ok(evl_subscribe(fd, 4, 0));
	check(driver_sends(fd, 1, 11, false));
	check(driver_sends(fd, TAG, 12, true));
	check_eq(send_value(fd, TAG, 13), 1);
	check_eq(poll(&pfd, 1, 0), 1);
	check_eq(pfd.revents, POLLIN | POLLOUT);
	nf = receive(fd);
	check_eq(nf.tag, 1);
	check_eq(nf.issuer, 0);
	check_received(fd, TAG, 12);
	nf = receive(fd);
	check_eq(nf.issuer, get_tid());
	check_eq(nf.serial, 2);
	check_ok(evl_unsubscribe(fd));
	check(!driver_sends(fd, 1, 1, true));
}

struct listener {
	struct worker w;
	int fd;
	int count;
	int result;
	atomic_bool ready;
};

static void listen_to(struct worker *w)
{
	struct listener *l = w->arg;
	struct evl_notification nf;
	int n;

	if (w->prio)
		attach_worker(w);
	check_ok(evl_subscribe(l->fd, 64, 0));
	atomic_store(&l->ready, true);
	for (n = 0; n < l->count; n++) {
		l->result = evl_read_observable(l->fd, &nf, 1);
		if (l->result < 0)
			return;
		check_eq(nf.event.lval, n);
	}
}

#define MANY	80

static struct listener listeners[MANY];

static void start_listeners(int fd, int count)
{
	static char names[MANY][8];
	int n;

	for (n = 0; n < MANY; n++) {
		struct listener *l = listeners + n;

		snprintf(names[n], sizeof(names[n]), "l%d", n);
		*l = (struct listener){ .fd = fd, .count = count };
		l->w = (struct worker){ .body = listen_to, .name = names[n], .prio = n % 2 ? 10 : 0,
					.cpu = other_cpu(), .arg = l };
		start_worker(&l->w);
		await(atomic_load(&l->ready));
	}
}

static void join_listeners(void)
{
	int n;

	for (n = 0; n < MANY; n++) {
		join_worker(&listeners[n].w);
		check_eq(listeners[n].result, 1);
	}
}

/* More than a driver reaches at once from where it is, in order all the same. */
static void many_with_interrupts_off(void)
{
	int fd = make_one(), n;

	start_listeners(fd, 20);
	for (n = 0; n < 20; n++)
		check(driver_sends(fd, TAG, n, true));
	join_listeners();
}

/* What may wait for Linux is bounded; the serial numbers tell of what is lost. */
static void too_late(void)
{
	int fd = make_one(), taken;
	struct evl_notification nf;

	start_listeners(fd, 32);
	check_ok(evl_subscribe(fd, 64, 0));
	taken = driver_sends_many(fd, 0, 100);
	check_eq(taken, 32);
	join_listeners();
	check_eq(receive(fd).serial, 68);
	while (evl_read_observable(fd, &nf, 1) == 1 && nf.event.lval < 31)
		;
	check_eq(nf.serial, 99);
	check(driver_sends(fd, TAG, 100, false));
	check_eq(receive(fd).serial, 100);
}

static void flushed(void)
{
	struct listener l[2] = { };
	int fd = make_one(), n;

	for (n = 0; n < 2; n++) {
		l[n] = (struct listener){ .fd = fd, .count = 1 };
		l[n].w = (struct worker){ .body = listen_to, .name = n ? "oob" : "inband", .prio = n * 10,
					  .cpu = other_cpu(), .arg = l + n };
		start_worker(&l[n].w);
		await(atomic_load(&l[n].ready));
	}
	await(worker_sleeps(&l[1].w));
	await(task_sleeps(atomic_load(&l[0].w.tid)));
	check_sys(ioctl(fd, NOTICE_TEST_FLUSH, 0));
	for (n = 0; n < 2; n++) {
		join_worker(&l[n].w);
		check_eq(l[n].result, -EBADF);
	}
}

static void dealt_out(void)
{
	int fd = open_driver();

	check_sys(ioctl(fd, NOTICE_TEST_MAKE_ONE, 0));
	check_ok(evl_subscribe(fd, 1, 0));
	check(driver_sends(fd, TAG, 1, false));
	check(!driver_sends(fd, TAG, 2, false));
	check_received(fd, TAG, 1);
	check(driver_sends(fd, TAG, 3, true));
	check_received(fd, TAG, 3);
}

static void kernel_thread(void)
{
	int fd = open_driver(), tfd;

	check_sys(ioctl(fd, NOTICE_TEST_THREAD, own_name("kernel")));
	check_str(read_attr("thread", own_name("kernel"), "observable"), "1");
	tfd = check_ok(evl_open_element("thread", "%s", own_name("kernel")));
	check_ok(evl_subscribe(tfd, 4, 0));
	check_eq(send_value(tfd, TAG, 9), 1);
	check_received(tfd, TAG, 9);
	close(fd);
	check_eq(send_value(tfd, TAG, 10), 1);
	check_received(tfd, TAG, 10);
}

static int load_driver(void **state)
{
	(void)state;
	return load_module("evl_notice_test", EVL_NOTICE_TEST_DEVICE);
}

static int unload_driver(void **state)
{
	(void)state;
	return unload_module("evl_notice_test");
}

static const struct CMUnitTest tests[] = {
	TEST(names, "a driver's observable has the name it was asked for"),
	TEST(both_ways, "the driver sends, its files send and receive"),
	TEST(many_with_interrupts_off, "with interrupts off, many get all there is, and in order"),
	TEST(too_late, "no more than so many, which is seen from the serial numbers"),
	TEST(flushed, "the driver sends away who waits: -EBADF"),
	TEST(dealt_out, "one subscriber each"),
	TEST(kernel_thread, "a kernel thread is observable, and what is left of it"),
};

int main(int argc, char *argv[])
{
	prepare_main(argc, argv);
	return cmocka_run_group_tests_name("observable-driver", tests, load_driver, unload_driver);
}
