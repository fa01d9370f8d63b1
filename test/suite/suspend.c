// SPDX-License-Identifier: GPL-2.0-only
/* The machine suspends to idle and resumes while threads wait. Dovetail does not let it, which "load" looks at. */
#include "puppet.h"
#include <evl/sem.h>
#include <glob.h>

/* What a guest hears from its host every few seconds wakes it up: see vm-run.sh. */
static void let_ports_wake(void)
{
	glob_t ports;

	if (glob("/sys/class/tty/ttyS*/power/wakeup", 0, NULL, &ports))
		check_skip("nothing would wake this machine up");
	for (size_t i = 0; i < ports.gl_pathc; i++) {
		int fd = check_sys(open(ports.gl_pathv[i], O_WRONLY | O_CLOEXEC));

		check_eq(write(fd, "enabled", 7), 7);
		close(fd);
	}
	globfree(&ports);
}

static void suspend_machine(void)
{
	int fd = open("/sys/power/state", O_WRONLY | O_CLOEXEC);
	ssize_t ret;

	if (fd < 0)
		check_skip("this kernel cannot suspend");
	ret = write(fd, "freeze", 6);
	if (ret < 0 && errno == EBUSY && kernel_has_dovetail())
		check_skip("Dovetail keeps the machine awake");
	check_eq(ret, 6);
	close(fd);
}

static struct evl_sem sem;

static int get_unit(struct puppet *p)
{
	(void)p;
	return evl_get_sem(&sem);
}

/* The freezer of Linux looks like a signal to who waits, but none is handled. */
static void waits_go_on(void)
{
	struct puppet waiter;

	let_ports_wake();
	check_ok(evl_init());
	check_ok(evl_new_sem(&sem, "sem:%d", getpid()));
	start_puppet(&waiter, "waiter", 20, other_cpu());
	begin_wait(&waiter, get_unit, NULL);
	for (int i = 0; i < 2; i++)
		suspend_machine();
	await(worker_sleeps(&waiter.w));
	check_ok(evl_put_sem(&sem));
	check_eq(result(&waiter), 0);
	end_puppet(&waiter);
}

static int sleep_a_second(struct puppet *p)
{
	int64_t date = now() + NSEC_PER_SEC;
	int ret = sleep_until(date);

	(void)p;
	check_reached(now(), date);
	return ret;
}

static void sleep_goes_on(void)
{
	struct puppet sleeper;

	let_ports_wake();
	check_ok(evl_init());
	start_puppet(&sleeper, "sleeper", 20, other_cpu());
	begin_wait(&sleeper, sleep_a_second, NULL);
	suspend_machine();
	check_eq(result(&sleeper), 0);
	/* And so do the timers of the CPU which was suspended last. */
	check_eq(perform(&sleeper, sleep_a_second, NULL), 0);
	end_puppet(&sleeper);
}

static const struct CMUnitTest tests[] = {
	TEST(waits_go_on, "a wait goes on when the machine resumes"),
	TEST(sleep_goes_on, "so does a sleep, and timers tick"),
};

TEST_MAIN("suspend", tests)
