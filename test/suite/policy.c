// SPDX-License-Identifier: GPL-2.0-only
/* Scheduling attributes of threads, what tells about them, and moves between CPUs. */
#include "helpers.h"
#include <evl/sys.h>
#include <linux/sched.h>
#include <sys/wait.h>

static int set_policy(int efd, int policy, int prio)
{
	struct evl_sched_attrs attrs = { .sched_policy = policy, .sched_priority = prio };

	return evl_set_schedattr(efd, &attrs);
}

static int set_rr(int efd, int prio, int64_t quantum)
{
	struct evl_sched_attrs attrs = { .sched_policy = SCHED_RR, .sched_priority = prio };

	attrs.sched_rr_quantum.tv_nsec = quantum;
	return evl_set_schedattr(efd, &attrs);
}

static void check_attrs(int efd, int policy, int prio)
{
	check_eq(attrs_of(efd).sched_policy, policy);
	check_eq(attrs_of(efd).sched_priority, prio);
}

/* --- Attributes -------------------------------------------------------------------------- */

static void priorities_in_range(void)
{
	int efd = attach_weak(), prio;

	for (prio = 1; prio <= 99; prio++) {
		check_ok(set_policy(efd, SCHED_FIFO, prio));
		check_attrs(efd, SCHED_FIFO, prio);
		check_ok(set_policy(efd, SCHED_RR, prio));
		check_attrs(efd, SCHED_RR, prio);
	}
	for (prio = 0; prio <= 99; prio++) {
		check_ok(set_policy(efd, SCHED_WEAK, prio));
		check_attrs(efd, SCHED_WEAK, prio);
	}
	check_ok(set_policy(efd, SCHED_OTHER, 0));
	check_attrs(efd, SCHED_WEAK, 0);
}

static void priorities_out_of_range(void)
{
	static const struct {
		int policy, prio;
	} bad[] = {
		{ SCHED_FIFO, 0 }, { SCHED_FIFO, -1 }, { SCHED_FIFO, 100 }, { SCHED_FIFO, INT_MAX },
		{ SCHED_FIFO, INT_MIN }, { SCHED_RR, 0 }, { SCHED_RR, 100 }, { SCHED_WEAK, -1 }, { SCHED_WEAK, 100 },
		{ SCHED_OTHER, 1 }, { SCHED_OTHER, -1 }, { SCHED_BATCH, 0 }, { SCHED_IDLE, 0 }, { 6, 0 },
		{ -1, 1 }, { 42, 1 }, { 46, 1 }, { INT_MAX, 1 },
	};
	int efd = attach_fifo(10);

	for (unsigned int i = 0; i < ARRAY_SIZE(bad); i++) {
		check_eq(set_policy(efd, bad[i].policy, bad[i].prio), -EINVAL);
		check_attrs(efd, SCHED_FIFO, 10);
	}
}

static void quantum_rules(void)
{
	int efd = attach_fifo(10);

	check_ok(set_rr(efd, 10, 7 * NSEC_PER_MSEC));
	check_eq(attrs_of(efd).sched_rr_quantum.tv_nsec, 7 * NSEC_PER_MSEC);
	/* None given: kept. */
	check_ok(set_rr(efd, 12, 0));
	check_eq(attrs_of(efd).sched_rr_quantum.tv_nsec, 7 * NSEC_PER_MSEC);
	check_attrs(efd, SCHED_RR, 12);
	/* Shorter than what a wakeup takes: refused, and nothing changes. */
	check_eq(set_rr(efd, 13, 1), -EINVAL);
	check_eq(set_rr(efd, 13, NSEC_PER_SEC), -EINVAL);
	check_eq(set_rr(efd, 13, -1), -EINVAL);
	check_eq(attrs_of(efd).sched_rr_quantum.tv_nsec, 7 * NSEC_PER_MSEC);
	check_attrs(efd, SCHED_RR, 12);
	check_ok(set_policy(efd, SCHED_FIFO, 12));
	check_attrs(efd, SCHED_FIFO, 12);
}

static void endless_quantum(void)
{
	struct evl_sched_attrs attrs = { .sched_policy = SCHED_RR, .sched_priority = 10 };
	int efd = attach_fifo(10);

	attrs.sched_rr_quantum.tv_sec = INT64_MAX;
	check_ok(evl_set_schedattr(efd, &attrs));
	check_ok(evl_switch_oob());
	spin_until(now() + 20 * NSEC_PER_MSEC);
	check_ok(evl_switch_inband());
}

static void bad_attribute_requests(void)
{
	int null = check_sys(open("/dev/null", O_RDWR));
	int efd = attach_fifo(10);

	check_eq(set_policy(-1, SCHED_FIFO, 1), -EBADF);
	check_eq(set_policy(null, SCHED_FIFO, 1), -EBADF);
	check_errno(oob_ioctl(efd, EVL_THRIOC_SET_SCHEDPARAM, NULL), EFAULT);
	check_errno(oob_ioctl(efd, EVL_THRIOC_GET_SCHEDPARAM, NULL), EFAULT);
	check_errno(ioctl(efd, EVL_THRIOC_SET_SCHEDPARAM, NULL), EFAULT);
	check_errno(ioctl(efd, EVL_THRIOC_GET_SCHEDPARAM, 8L), EFAULT);
	check_attrs(efd, SCHED_FIFO, 10);
	check_errno(ioctl(null, EVL_THRIOC_SET_SCHEDPARAM, NULL), ENOTTY);
}

/* Bytes of the answer which the policy does not use are zero, whatever they were. */
static void answer_has_no_garbage(void)
{
	struct evl_sched_attrs attrs;
	int efd = attach_weak();

	memset(&attrs, 0xaa, sizeof(attrs));
	check_ok(evl_get_schedattr(efd, &attrs));
	check_eq(attrs.sched_rr_quantum.tv_sec, 0);
	check_eq(attrs.sched_rr_quantum.tv_nsec, 0);
}

/* --- The in-band side --------------------------------------------------------------------- */

static void check_inband(int policy, int prio)
{
	struct sched_param param;

	check_eq(sched_getscheduler(0), policy);
	check_sys(sched_getparam(0, &param));
	check_eq(param.sched_priority, prio);
}

static void inband_priority_follows(void)
{
	int efd = attach_fifo(10);

	check_ok(evl_switch_oob());
	check_ok(set_policy(efd, SCHED_FIFO, 33));
	check_inband(SCHED_FIFO, 33);
	check_ok(evl_switch_oob());
	check_ok(set_policy(efd, SCHED_WEAK, 20));
	check_inband(SCHED_FIFO, 20);
	check_ok(evl_switch_oob());
	check_ok(set_policy(efd, SCHED_WEAK, 0));
	check_inband(SCHED_OTHER, 0);
	/* Set in-band. */
	check_ok(set_policy(efd, SCHED_FIFO, 44));
	check_inband(SCHED_FIFO, 44);
}

static atomic_bool changed;

static void wait_for_change(struct worker *w)
{
	attach_worker(w);
	check_eq(sleep_until(INT64_MAX), -EINTR);
	check(atomic_load(&changed));
	check_attrs(w->efd, SCHED_FIFO, 55);
	check_inband(SCHED_FIFO, 55);
}

static void change_of_another_thread(void)
{
	struct worker w = { .body = wait_for_change, .name = "changed", .prio = 10, .cpu = other_cpu() };

	start_worker(&w);
	await(worker_sleeps(&w));
	check_ok(set_policy(w.efd, SCHED_FIFO, 55));
	check_attrs(w.efd, SCHED_FIFO, 55);
	atomic_store(&changed, true);
	check_ok(evl_unblock_thread(w.efd));
	join_worker(&w);
}

static int started[2], go_on[2];
static atomic_bool came_back, looked;

static void ignore(int sig)
{
	(void)sig;
}

/* In Linux until the child ends, whatever signals there are; then busy without a call to the core. */
static void wait_in_vfork(struct worker *w)
{
	pid_t pid;
	char c = 0;

	attach_worker(w);
	pid = check_sys(syscall(SYS_clone, CLONE_VFORK | SIGCHLD, 0, 0, 0, 0));
	if (!pid) {
		close(go_on[1]);
		_exit(write(started[1], &c, 1) == 1 && read(go_on[0], &c, 1) == 1 ? 0 : 1);
	}
	atomic_store(&came_back, true);
	while (!atomic_load(&looked))
		__builtin_ia32_pause();
	wait_success(pid);
}

static void change_with_a_signal_pending(void)
{
	struct worker w = { .body = wait_in_vfork, .name = "signaled", .prio = 90, .cpu = other_cpu() };
	char c = 0;

	if (access("/sys/module/evl/parameters/host_prio", F_OK))
		check_skip("the priority in Linux follows when the thread calls the core");
	if (!other_cpu())
		check_skip("only one CPU");
	check_ok(evl_init());
	check(signal(SIGUSR1, ignore) != SIG_ERR);
	check_sys(pipe(started));
	check_sys(pipe(go_on));
	start_worker(&w);
	check_eq(read(started[0], &c, 1), 1);
	check_sys(syscall(SYS_tgkill, getpid(), atomic_load(&w.tid), SIGUSR1));
	check_ok(set_policy(w.efd, SCHED_WEAK, 0));
	check_eq(write(go_on[1], &c, 1), 1);
	await(atomic_load(&came_back));
	await(sched_getscheduler(atomic_load(&w.tid)) == SCHED_OTHER);
	atomic_store(&looked, true);
	join_worker(&w);
}

static void compute_for_ever(void *arg)
{
	(void)arg;
	pin_to(other_cpu());
	check_ok(evl_attach_self("/computes:%d", getpid()));
	for (;;)
		__builtin_ia32_pause();
}

static void change_all_the_time(struct worker *w)
{
	for (int prio = 1; !atomic_load(&looked); prio = prio % 10 + 1)
		set_policy(w->efd, SCHED_WEAK, prio);
}

/* Each change is seen to in Linux as well, before the signal, or after it. */
static void killed_while_it_changes(void)
{
	struct worker w = { .body = change_all_the_time, .cpu = 0 };
	char path[64];
	pid_t pid;

	check_ok(evl_init());
	pid = fork_child(compute_for_ever, NULL);
	snprintf(path, sizeof(path), "/dev/evl/thread/computes:%d", pid);
	await((w.efd = open(path, O_RDWR)) >= 0);
	start_worker(&w);
	nap();
	check_sys(kill(pid, SIGKILL));
	await(waitpid(pid, NULL, WNOHANG) == pid);
	atomic_store(&looked, true);
	join_worker(&w);
}

/* --- CPUs ------------------------------------------------------------------------------------ */

static void need_two_cpus(void)
{
	if (!other_cpu())
		check_skip("only one CPU");
}

static int cpu_of(int efd)
{
	return state_of(efd).cpu;
}

static void moves_itself(void)
{
	int efd;

	need_two_cpus();
	efd = attach_fifo(10);
	for (int i = 1; i <= 20; i++) {
		check_ok(evl_switch_oob());
		pin_to(i & 1);
		check(evl_is_inband());
		check_ok(evl_switch_oob());
		check_eq(cpu_of(efd), i & 1);
		check_eq(this_cpu(), i & 1);
		check_ok(sleep_until(now() + NSEC_PER_MSEC));
		check_eq(cpu_of(efd), i & 1);
	}
}

static void pin_task(pid_t tid, int cpu)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(cpu, &set);
	check_sys(sched_setaffinity(tid, sizeof(set), &set));
}

static void sleep_and_be_moved(struct worker *w)
{
	attach_worker(w);
	check_eq(sleep_until(INT64_MAX), -EINTR);
	/* Wherever it is by now, all agree on that. */
	check_eq(cpu_of(w->efd), this_cpu());
	check_ok(evl_switch_inband());
	check_ok(evl_switch_oob());
	check_eq(cpu_of(w->efd), 1);
	check_eq(this_cpu(), 1);
}

static void moves_a_sleeper(void)
{
	struct worker w = { .body = sleep_and_be_moved, .name = "moved", .prio = 10, .cpu = 0 };

	need_two_cpus();
	start_worker(&w);
	await(worker_sleeps(&w));
	/* It may be woken up for that, but does not have to. */
	pin_task(atomic_load(&w.tid), 1);
	evl_unblock_thread(w.efd);
	join_worker(&w);
}

static atomic_bool spinning;

static void spin_and_be_moved(struct worker *w)
{
	attach_worker(w);
	check_ok(evl_switch_oob());
	atomic_store(&spinning, true);
	while (this_cpu() != 0)
		__builtin_ia32_pause();
	check_ok(evl_switch_oob());
	check_eq(cpu_of(w->efd), 0);
}

static void moves_a_spinner(void)
{
	struct worker w = { .body = spin_and_be_moved, .name = "moved", .prio = 10, .cpu = 1 };

	need_two_cpus();
	start_hog(&w);
	await(atomic_load(&spinning));
	pin_task(atomic_load(&w.tid), 0);
	join_worker(&w);
}

static atomic_bool settled;
static atomic_int early;

/* Out-of-band and back with each request, whatever CPU that begins or ends on. */
static void nap_anywhere(struct worker *w)
{
	unsigned int n = 0;

	attach_worker(w);
	while (!atomic_load(&settled)) {
		int64_t date = now() + ++n * 7919 % 20000;
		int ret;

		spin_until(date);
		date = now() + 100000;
		ret = sleep_until(date);
		check(ret == 0 || ret == -EINTR);
		if (!ret && now() + GRAVITY < date)
			atomic_fetch_add(&early, 1);
	}
}

/* Until when the thread is going to be moved. */
static int64_t set_out(struct worker *w)
{
	need_two_cpus();
	check_ok(evl_init());
	start_worker(w);
	await(atomic_load(&w->attached));
	return now() + 4 * NSEC_PER_SEC;
}

static void moves_to_and_fro(void)
{
	struct worker w = { .body = nap_anywhere, .name = "moved", .cpu = 0 };
	int64_t end = set_out(&w);

	for (int i = 1; now() < end; i++) {
		pin_task(atomic_load(&w.tid), i & 1);
		spin_until(now() + i * 37000 % 300000);
	}
	atomic_store(&settled, true);
	join_worker(&w);
	check_eq(atomic_load(&early), 0);
}

static atomic_int where = -1, late;

/* Out-of-band where it has no business any more since its move was ordered. No system call in here. */
static bool is_late(void)
{
	int cpu = atomic_load(&where);
	int64_t end = now() + 2 * NSEC_PER_MSEC;

	while (cpu >= 0 && this_cpu() != cpu && !evl_is_inband() && atomic_load(&where) == cpu)
		if (now() >= end)
			return true;
	return false;
}

static void dwell_oob(struct worker *w)
{
	int64_t end;

	attach_worker(w);
	while (!atomic_load(&settled)) {
		check_ok(evl_switch_oob());
		end = now() + 4 * NSEC_PER_MSEC;
		while (now() < end)
			if (is_late())
				atomic_fetch_add(&late, 1);
		evl_switch_inband();
		/* Whoever sends it around may wait for the same CPU. */
		nap();
	}
}

/* Linux may move a thread at any time, on its way out-of-band for instance. */
static void moves_take_effect(void)
{
	struct worker w = { .body = dwell_oob, .name = "sent", .prio = 10, .cpu = 0 };
	int64_t end = set_out(&w);

	for (int i = 1; now() < end; i++) {
		atomic_store(&where, -1);
		pin_task(atomic_load(&w.tid), i & 1);
		atomic_store(&where, i & 1);
		nanosleep(&(struct timespec){ .tv_nsec = 3000000 + i * 371000 % 3000000 }, NULL);
	}
	atomic_store(&settled, true);
	join_worker(&w);
	check_eq(atomic_load(&late), 0);
}

static atomic_int acks;
static atomic_bool all_sent;

/* Stays until nobody wants to wake it up any more: its descriptor goes with it. */
static void answer_wakeups(struct worker *w)
{
	attach_worker(w);
	while (atomic_load(&acks) < 300) {
		check_eq(sleep_until(INT64_MAX), -EINTR);
		atomic_fetch_add(&acks, 1);
	}
	check_ge(state_of(w->efd).rwa, 300);
	await(atomic_load(&all_sent));
}

static void wakes_up_across_cpus(void)
{
	struct worker w = { .body = answer_wakeups, .name = "remote", .prio = 10, .cpu = 1 };

	need_two_cpus();
	start_worker(&w);
	await(atomic_load(&w.attached));
	attach_fifo(10);
	check_ok(evl_switch_oob());
	for (int i = 0; i < 300; i++) {
		while (atomic_load(&acks) <= i)
			check_ok(evl_unblock_thread(w.efd));
	}
	atomic_store(&all_sent, true);
	join_worker(&w);
}

static void cpu_states(void)
{
	int state = -1;

	check_ok(evl_init());
	for (int cpu = 0; cpu <= other_cpu(); cpu++) {
		check_ok(evl_get_cpustate(cpu, &state));
		check_eq(state & (EVL_CPU_OOB | EVL_CPU_OFFLINE), EVL_CPU_OOB);
	}
	check_eq(evl_get_cpustate(-1, &state), -EINVAL);
	check_eq(evl_get_cpustate(100000, &state), -EINVAL);
	check_eq(evl_get_cpustate(0, NULL), -EFAULT);
}

static const struct CMUnitTest tests[] = {
	TEST(priorities_in_range, "every priority of every policy is told back"),
	TEST(priorities_out_of_range, "others are -EINVAL and change nothing"),
	TEST(quantum_rules, "a quantum is kept if none is given, refused if too short"),
	TEST(endless_quantum, "one without end ends no sooner"),
	TEST(bad_attribute_requests, "bad descriptors are -EBADF, bad pointers -EFAULT"),
	TEST(answer_has_no_garbage, "unused parts of an answer are zero"),
	TEST(inband_priority_follows, "the in-band priority follows"),
	TEST(change_of_another_thread, "attributes of another thread can be changed"),
	TEST(change_with_a_signal_pending, "also of one which has a signal to handle"),
	TEST(killed_while_it_changes, "whoever changes them all the time cannot keep it from being killed"),
	TEST(moves_itself, "sched_setaffinity moves the caller"),
	TEST(moves_a_sleeper, "and a sleeping thread"),
	TEST(moves_a_spinner, "and a spinning one"),
	TEST(moves_to_and_fro, "and one which is about to switch, or to wait"),
	TEST(moves_take_effect, "a thread which is moved goes there, whatever it is about"),
	TEST(wakes_up_across_cpus, "wakeups from another CPU arrive, and are counted"),
	TEST(cpu_states, "evl_get_cpustate tells which CPUs run threads"),
};

TEST_MAIN("policy", tests)
