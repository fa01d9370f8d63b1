// SPDX-License-Identifier: GPL-2.0-only
/* CPUs which somebody wants to take offline while threads of the core use them. */
#include "helpers.h"
#include <evl/sem.h>

#define CPU1	"/sys/devices/system/cpu/cpu1/"

static atomic_bool stop;
static atomic_long sleeps, early;

/* 0, or the error code as a negative number. */
static int write_file(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY), ret;

	if (fd < 0)
		return -errno;
	ret = write(fd, text, strlen(text)) < 0 ? -errno : 0;
	close(fd);
	return ret;
}

static bool cpu1_is_online(void)
{
	char c = 0;
	int fd = check_sys(open(CPU1 "online", O_RDONLY));

	check_eq(read(fd, &c, 1), 1);
	close(fd);
	return c == '1';
}

static bool only_on_cpu1(pid_t tid)
{
	cpu_set_t set;

	check_sys(sched_getaffinity(tid, sizeof(set), &set));
	return CPU_COUNT(&set) == 1 && CPU_ISSET(1, &set);
}

static void sleep_on(struct worker *w)
{
	attach_worker(w);
	check_ok(evl_switch_oob());
	while (!atomic_load(&stop)) {
		int64_t date = now() + NSEC_PER_MSEC;

		check_ok(sleep_until(date));
		if (now() + GRAVITY < date)
			atomic_fetch_add(&early, 1);
		atomic_fetch_add(&sleeps, 1);
	}
}

static struct evl_sem sem;

static void wait_for_unit(struct worker *w)
{
	attach_worker(w);
	w->result = evl_get_sem(&sem);
}

/* Attached, and at work in-band. */
static void stay_inband(struct worker *w)
{
	attach_worker(w);
	check_ok(evl_switch_inband());
	while (!atomic_load(&stop))
		nap();
	check_eq(this_cpu(), 1);
}

static void skip_if_fixed(void)
{
	if (access(CPU1 "online", W_OK))
		skip();
}

/* Through either file; the second one may name a state on the way. */
static void try_offline(void)
{
	check_eq(write_file(CPU1 "online", "0"), -EBUSY);
	check(cpu1_is_online());
	if (access(CPU1 "hotplug/target", W_OK))
		return;
	check_eq(write_file(CPU1 "hotplug/target", "0"), -EBUSY);
	check(cpu1_is_online());
}

/* Nobody is unbound, woken up or moved by attempts which are refused. */
static void refused_in_time(void)
{
	struct worker w[] = {
		{ .body = sleep_on, .name = "sleeps", .prio = 20, .cpu = 1 },
		{ .body = wait_for_unit, .name = "waits", .prio = 10, .cpu = 1 },
		{ .body = stay_inband, .name = "inband", .prio = 5, .cpu = 1 },
	};
	int n, i;

	skip_if_fixed();
	check_ok(evl_init());
	check_ok(evl_new_sem(&sem, "%s", own_name("sem")));
	for (n = 0; n < 3; n++)
		start_worker(&w[n]);
	await(atomic_load(&sleeps) && worker_sleeps(&w[1]) && atomic_load(&w[2].attached));
	for (i = 0; i < 10; i++) {
		long before = atomic_load(&sleeps);

		try_offline();
		for (n = 0; n < 3; n++)
			check(only_on_cpu1(atomic_load(&w[n].tid)));
		await(atomic_load(&sleeps) > before + 2);
		check(worker_sleeps(&w[1]));
		for (n = 0; n < 3; n++)
			check_eq(state_of(w[n].efd).cpu, 1);
	}
	check_eq(atomic_load(&early), 0);
	check_ok(evl_put_sem(&sem));
	join_worker(&w[1]);
	check_ok(w[1].result);
	atomic_store(&stop, true);
	join_worker(&w[0]);
	join_worker(&w[2]);
}

/* A task which knows nothing of the core, and is bound to that CPU, stays bound as well. */
static void strangers_stay_bound(void)
{
	struct worker w = { .body = sleep_on, .name = "sleeps", .prio = 20, .cpu = 1 };
	pid_t stranger;

	skip_if_fixed();
	stranger = check_sys(fork());
	if (!stranger) {
		pin_to(1);
		for (;;)
			nap();
	}
	check_ok(evl_init());
	start_worker(&w);
	await(atomic_load(&sleeps) && only_on_cpu1(stranger));
	try_offline();
	check(only_on_cpu1(stranger));
	atomic_store(&stop, true);
	join_worker(&w);
	kill(stranger, SIGKILL);
}

static const struct CMUnitTest tests[] = {
	TEST(refused_in_time, "an attempt to take a CPU offline leaves its threads, and their waits, alone"),
	TEST(strangers_stay_bound, "and plain tasks where they are bound"),
};

int main(int argc, char *argv[])
{
	prepare_main(argc, argv);
	return cmocka_run_group_tests_name("hotplug", tests, NULL, NULL);
}
