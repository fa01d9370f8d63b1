// SPDX-License-Identifier: GPL-2.0-only
/* What sysfs tells of threads and of monitors. */
#include "puppet.h"
#include <evl/event.h>
#include <evl/flags.h>
#include <evl/sem.h>

/* --- Threads -------------------------------------------------------------------------------------- */

static void await_end(struct worker *w)
{
	attach_worker(w);
	check_eq(sleep_until(*(int64_t *)w->arg), -EINTR);
}

static void thread_attributes(void)
{
	int64_t date = now() + 3600 * NSEC_PER_SEC, before, left;
	struct worker w = { .body = await_end, .name = "shown", .prio = 17, .arg = &date, .cpu = other_cpu() };
	unsigned long isw, csw, sc, rwa, exec, usage;
	char text[64];

	start_worker(&w);
	await(worker_sleeps(&w));
	snprintf(text, sizeof(text), "%d", atomic_load(&w.tid));
	check_str(worker_attr(&w, "pid"), text);
	snprintf(text, sizeof(text), "%d 17 17 fifo", other_cpu());
	check_str(worker_attr(&w, "sched"), text);
	check_str(worker_attr(&w, "observable"), "0");
	check_str(worker_attr(&w, "wchan"), "-");
	check_eq(worker_bits(&w) & (EVL_T_USER | EVL_T_WEAK | EVL_T_INBAND | EVL_T_READY), EVL_T_USER);
	before = now();
	left = strtoll(worker_attr(&w, "timeout"), NULL, 10);
	check_le(left, date - before);
	check_ge(left, date - now() - GRAVITY);
	check_eq(sscanf(worker_attr(&w, "stats"), "%lu %lu %lu %lu %lu %lu", &isw, &csw, &sc, &rwa, &exec, &usage), 6);
	check_gt(csw, 0);
	check_gt(exec, 0);
	check_le(usage, 1000);
	check_ok(evl_unblock_thread(w.efd));
	join_worker(&w);
}

static void attributes_of_classes(void)
{
	struct evl_sched_attrs attrs = { .sched_policy = SCHED_RR, .sched_priority = 3,
					 .sched_rr_quantum.tv_nsec = 10 * NSEC_PER_MSEC };
	int efd = attach_weak();
	char text[64];

	check_str(read_attr("thread", own_name("weak"), "sched"), "0 0 0 weak");
	check_eq(strtoul(read_attr("thread", own_name("weak"), "state"), NULL, 0),
		 EVL_T_WEAK | EVL_T_USER | EVL_T_INBAND);
	check_str(read_attr("thread", own_name("weak"), "timeout"), "0");
	check_ok(set_fifo(efd, 3));
	check_ok(evl_set_schedattr(efd, &attrs));
	snprintf(text, sizeof(text), "%u 3 3 rr 10000000", state_of(efd).cpu);
	check_str(read_attr("thread", own_name("weak"), "sched"), text);
}

/* In the order which the ps command of libevl reads them: it shows the third number for the priority. */
static void scheduling_of_boosted(void)
{
	struct puppet owner, waiter;
	struct evl_mutex mutex;

	new_mutex(&mutex, "door");
	start_puppet(&owner, "owner", 10, 0);
	start_puppet(&waiter, "waiter", 20, 0);
	check_eq(perform(&owner, lock, &mutex), 0);
	check_str(worker_attr(&owner.w, "sched"), "0 10 10 fifo");
	begin_wait(&waiter, lock, &mutex);
	check_str(worker_attr(&owner.w, "sched"), "0 10 20 fifo");
	check_eq(perform(&owner, unlock, &mutex), 0);
	check_eq(result(&waiter), 0);
	check_str(worker_attr(&owner.w, "sched"), "0 10 10 fifo");
	check_eq(perform(&waiter, unlock, &mutex), 0);
	end_puppet(&waiter);
	end_puppet(&owner);
}

static atomic_bool stop_work;

static void work_oob(struct worker *w)
{
	attach_worker(w);
	check_ok(evl_switch_oob());
	while (!atomic_load(&stop_work)) {
		spin_until(now() + 10 * NSEC_PER_MSEC);
		check_ok(evl_usleep(10000));
	}
}

static long long read_usage(struct worker *w, long long *exec)
{
	long long usage;

	check_eq(sscanf(worker_attr(w, "stats"), "%*u %*u %*u %*u %lld %lld", exec, &usage), 2);
	return usage;
}

/* Tenths of a percent, for the ps command of libevl to put a point before the last digit. */
static void usage_in_tenths_of_a_percent(void)
{
	struct worker w = { .body = work_oob, .name = "busy", .prio = 10, .cpu = other_cpu() };
	int64_t before, after, then, again;
	long long start, end, usage;

	start_worker(&w);
	await(atomic_load(&w.attached));
	do {
		before = now();
		read_usage(&w, &start);
		after = now();
		nap();
		then = now();
		usage = read_usage(&w, &end);
		again = now();
		/* Within a percent of what the counter says, over the least and the most time between the readouts. */
		check_le(usage, 1000);
		check_le(usage, (end - start) * 1000 / (then - after) + 10);
		check_ge(usage, (end - start) * 1000 / (again - before) - 10);
	} while ((end - start) * 1000 / (again - before) < 200);
	atomic_store(&stop_work, true);
	join_worker(&w);
}

/* Like those of the clone device, they cannot be read. */
static void attributes_of_the_dead(void)
{
	static const char *const attrs[] = { "state", "sched", "timeout", "stats", "pid" };
	char path[128], c;

	check_ok(evl_attach_self("/dead:%d", getpid()));
	check_sys(dup(evl_get_self()));
	check_ok(evl_detach_self());
	for (unsigned int i = 0; i < ARRAY_SIZE(attrs); i++) {
		snprintf(path, sizeof(path), "/sys/devices/virtual/thread/%s/%s", own_name("dead"), attrs[i]);
		check_errno(read(check_sys(open(path, O_RDONLY)), &c, 1), EIO);
		snprintf(path, sizeof(path), "/sys/devices/virtual/thread/clone/%s", attrs[i]);
		check_errno(read(check_sys(open(path, O_RDONLY)), &c, 1), EIO);
	}
	check_errno(read(check_sys(open("/sys/devices/virtual/monitor/clone/state", O_RDONLY)), &c, 1), EIO);
	check_errno(read(check_sys(open("/sys/devices/virtual/proxy/clone/lost", O_RDONLY)), &c, 1), EIO);
}

static int get_unit(struct puppet *p)
{
	return evl_get_sem(p->arg);
}

static int await_flags(struct puppet *p)
{
	int bits;

	return evl_wait_flags(p->arg, &bits);
}

/* Threads wait for monitors by the name of these, in one word. */
static void channels_have_names(void)
{
	struct puppet owner, waiter;
	struct evl_flags flags;
	struct evl_mutex mutex;
	struct evl_sem sem;

	new_mutex(&mutex, "door");
	check_ok(evl_new_sem(&sem, "a few units:%d", getpid()));
	check_ok(evl_new_flags(&flags, "flags:%d", getpid()));
	start_puppet(&owner, "owner", 10, 0);
	start_puppet(&waiter, "waiter", 10, 0);
	check_str(worker_attr(&waiter.w, "wchan"), "-");

	check_eq(perform(&owner, lock, &mutex), 0);
	begin_wait(&waiter, lock, &mutex);
	check_str(worker_attr(&waiter.w, "wchan"), own_name("door"));
	check_str(worker_attr(&owner.w, "wchan"), "-");
	check_eq(perform(&owner, unlock, &mutex), 0);
	check_eq(result(&waiter), 0);
	check_eq(perform(&waiter, unlock, &mutex), 0);

	begin_wait(&waiter, get_unit, &sem);
	check_str(worker_attr(&waiter.w, "wchan"), own_name("a_few_units"));
	check_ok(evl_put_sem(&sem));
	check_eq(result(&waiter), 0);

	begin_wait(&waiter, await_flags, &flags);
	check_str(worker_attr(&waiter.w, "wchan"), own_name("flags"));
	check_ok(evl_post_flags(&flags, 1));
	check_eq(result(&waiter), 0);
	check_str(worker_attr(&waiter.w, "wchan"), "-");

	end_puppet(&waiter);
	end_puppet(&owner);
}

#define STRANGER	65534

/* What a stranger gets who reads the attribute of a thread, errors negated. */
static void expect_stranger_reads(const char *name, long expected)
{
	char path[256], text[64];
	pid_t pid = check_sys(fork());

	if (!pid) {
		snprintf(path, sizeof(path), "/sys/devices/virtual/thread/%s/wchan", name);
		check_sys(setgid(STRANGER));
		check_sys(setuid(STRANGER));
		check_eq(read(check_sys(open(path, O_RDONLY)), text, sizeof(text)) < 0 ? -errno : 0, expected);
		_exit(0);
	}
	wait_success(pid);
}

static void set_clone_owner(uid_t uid)
{
	check_sys(chown("/dev/evl/thread/clone", uid, -1));
}

static void channels_are_private(void)
{
	attach_weak();
	expect_stranger_reads(own_name("weak"), -EPERM);
	check_ok(evl_detach_self());
	set_clone_owner(STRANGER);
	attach_weak();
	set_clone_owner(0);
	expect_stranger_reads(own_name("weak"), 0);
}

/* GET_STATE tells the same as sysfs. */
static void state_bits_agree(void)
{
	int64_t date = INT64_MAX;
	struct worker w = { .body = await_end, .name = "agree", .prio = 5, .arg = &date, .cpu = other_cpu() };

	start_worker(&w);
	await(worker_sleeps(&w));
	check_eq(state_of(w.efd).state, worker_bits(&w));
	check_eq(state_of(w.efd).cpu, other_cpu());
	check_ok(evl_unblock_thread(w.efd));
	join_worker(&w);
}

/* --- Monitors -------------------------------------------------------------------------------- */

static const char *state_of_monitor(const char *stem)
{
	return read_attr("monitor", own_name(stem), "state");
}

/* Owner, ceiling, and how many times it was locked. */
static void states_of_gates(void)
{
	struct evl_mutex plain, recursive, ceiling;
	struct puppet owner;
	char text[64];

	new_mutex(&plain, "plain");
	new_ceiling_mutex(&ceiling, 42, "ceiling");
	check_ok(evl_create_mutex(&recursive, EVL_CLOCK_MONOTONIC, 0, EVL_MUTEX_RECURSIVE, "recursive:%d", getpid()));
	start_puppet(&owner, "owner", 10, 0);
	check_str(state_of_monitor("plain"), "-1 0 0");
	check_str(state_of_monitor("ceiling"), "-1 42 0");
	check_str(state_of_monitor("recursive"), "-1 0 0");

	check_eq(perform(&owner, lock, &plain), 0);
	check_eq(perform(&owner, lock, &ceiling), 0);
	check_eq(perform(&owner, lock, &recursive), 0);
	check_eq(perform(&owner, lock, &recursive), 0);
	snprintf(text, sizeof(text), "owner:%d(%d) 0 1", getpid(), atomic_load(&owner.w.tid));
	check_str(state_of_monitor("plain"), text);
	snprintf(text, sizeof(text), "owner:%d(%d) 42 1", getpid(), atomic_load(&owner.w.tid));
	check_str(state_of_monitor("ceiling"), text);
	snprintf(text, sizeof(text), "owner:%d(%d) 0 2", getpid(), atomic_load(&owner.w.tid));
	check_str(state_of_monitor("recursive"), text);

	check_eq(perform(&owner, unlock, &recursive), 0);
	check_eq(perform(&owner, unlock, &recursive), 0);
	check_eq(perform(&owner, unlock, &ceiling), 0);
	check_eq(perform(&owner, unlock, &plain), 0);
	check_str(state_of_monitor("plain"), "-1 0 0");
	check_str(state_of_monitor("ceiling"), "-1 42 0");
	check_str(state_of_monitor("recursive"), "-1 0 0");
	end_puppet(&owner);
}

struct gated {
	struct evl_mutex mutex;
	struct evl_event event;
};

static int await_event(struct puppet *p)
{
	struct gated *g = p->arg;
	int ret = evl_lock_mutex(&g->mutex) ?: evl_wait_event(&g->event, &g->mutex);

	return ret ? ret : evl_unlock_mutex(&g->mutex);
}

/* What was signaled, until the mutex is unlocked. */
static void states_of_gated_events(void)
{
	struct puppet waiter;
	struct gated g;

	new_mutex(&g.mutex, "gate");
	check_ok(evl_new_event(&g.event, "event:%d", getpid()));
	start_puppet(&waiter, "waiter", 10, 0);
	attach_fifo(20);
	check_str(state_of_monitor("event"), "0x0");
	for (int all = 0; all < 2; all++) {
		begin_wait(&waiter, await_event, &g);
		check_str(worker_attr(&waiter.w, "wchan"), own_name("event"));
		check_eq(evl_lock_mutex(&g.mutex), 0);
		check_ok(all ? evl_broadcast_event(&g.event) : evl_signal_event(&g.event));
		check_str(state_of_monitor("event"), all ? "0x3" : "0x1");
		check_eq(evl_unlock_mutex(&g.mutex), 0);
		check_eq(result(&waiter), 0);
		check_str(state_of_monitor("event"), "0x0");
	}
	end_puppet(&waiter);
}

/* Units left, or waiters; flags which are set. */
static void states_of_counts_and_masks(void)
{
	struct puppet waiter;
	struct evl_flags flags;
	struct evl_sem sem;
	int bits;

	check_ok(evl_init());
	check_ok(evl_create_sem(&sem, EVL_CLOCK_MONOTONIC, 1, EVL_CLONE_PRIVATE, "sem:%d", getpid()));
	check_ok(evl_new_flags(&flags, "flags:%d", getpid()));
	start_puppet(&waiter, "waiter", 10, 0);
	check_str(state_of_monitor("sem"), "1");
	check_eq(perform(&waiter, get_unit, &sem), 0);
	check_str(state_of_monitor("sem"), "0");
	begin_wait(&waiter, get_unit, &sem);
	check_str(state_of_monitor("sem"), "-1");
	check_ok(evl_put_sem(&sem));
	check_eq(result(&waiter), 0);
	check_str(state_of_monitor("sem"), "0");
	end_puppet(&waiter);

	check_str(state_of_monitor("flags"), "0x0");
	check_ok(evl_post_flags(&flags, (int)0x80000010));
	check_str(state_of_monitor("flags"), "0x80000010");
	check_ok(evl_trywait_some_flags(&flags, 0x10, &bits));
	check_str(state_of_monitor("flags"), "0x80000000");
}

/* Whatever became of the tests above, devices are those of root. */
static int restore_owner(void **state)
{
	(void)state;
	set_clone_owner(0);
	return 0;
}

static const struct CMUnitTest tests[] = {
	TEST(thread_attributes, "attributes of a sleeping thread"),
	TEST(attributes_of_classes, "scheduling attributes by class"),
	TEST(scheduling_of_boosted, "base priority, then the current one"),
	TEST(usage_in_tenths_of_a_percent, "use of the CPU since the last look, in tenths of a percent"),
	TEST(attributes_of_the_dead, "a dead thread, or a clone device, is EIO"),
	TEST(channels_have_names, "what a thread waits for"),
	TEST(channels_are_private, "not shown to strangers, but to the owner of the clone device"),
	TEST(state_bits_agree, "evl_get_state and sysfs agree on state bits"),
	TEST(states_of_gates, "owner, ceiling and nesting of a mutex"),
	TEST(states_of_gated_events, "what an event was told"),
	TEST(states_of_counts_and_masks, "units of a semaphore, bits of a group of flags"),
};

int main(int argc, char *argv[])
{
	prepare_main(argc, argv);
	return cmocka_run_group_tests_name("sysfs", tests, NULL, restore_owner);
}
