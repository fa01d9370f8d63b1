// SPDX-License-Identifier: GPL-2.0-only
/* SIGSTOP, and the freezer of Linux, halt the threads of a process; and those whom a stop concerns while they wait. */
#include "stops.h"
#include <evl/mutex.h>
#include <evl/sem.h>
#include <sys/mount.h>
#include <sys/stat.h>

/* --- Job control --------------------------------------------------------------------------------- */

static void stop_program(pid_t pid)
{
	int status;

	check_sys(kill(pid, SIGSTOP));
	check_eq(waitpid(pid, &status, WUNTRACED), pid);
	check(WIFSTOPPED(status));
}

static void stopped_by_job_control(void)
{
	pid_t pid = start_program();

	for (int n = 0; n < 10; n++) {
		stop_program(pid);
		check_nobody_runs(0);
		check_sys(kill(pid, SIGCONT));
		check_all_run_oob();
	}
	end_program(pid);
}

static void stop_and_go_storm(void)
{
	pid_t pid = start_program();

	for (int n = 0; n < 300; n++) {
		check_sys(kill(pid, SIGSTOP));
		if (n % 3 == 0)
			nap();
		check_sys(kill(pid, SIGCONT));
		if (n % 7 == 0)
			nap();
	}
	check_all_run_oob();
	end_program(pid);
}

static void killed_while_stopped(void)
{
	pid_t pid = start_program();

	stop_program(pid);
	check_sys(kill(pid, SIGKILL));
	wait_signal(pid, SIGKILL);
}

static void mind_stops(struct worker *w)
{
	int epoch = 0;

	attach_worker(w);
	check_ok(evl_set_thread_mode(w->efd, EVL_T_WOSS | EVL_T_HMSIG, NULL));
	check_ok(evl_switch_oob());
	atomic_fetch_add(&stage->ready, 1);
	while (!atomic_load(&stage->stop)) {
		spin_round(0, &epoch);
		/* Else the watchdog has its say, should whoever stops it be on this CPU. */
		check_ok(evl_usleep(100));
	}
	check_eq(atomic_load(&stage->inband[0]), 0);
	check_eq(take_sigdebug(EVL_HMDIAG_SIGDEMOTE), 0);
}

static void run_minding(void)
{
	struct worker w = { .body = mind_stops, .name = "minds", .prio = 10, .cpu = other_cpu() };

	catch_sigdebug();
	check_ok(evl_init());
	start_worker(&w);
	join_worker(&w);
}

static void stop_is_no_health_event(void)
{
	long before;
	pid_t pid = start_running(run_minding, 1);

	stop_program(pid);
	before = atomic_load(&stage->rounds[0]);
	check_sys(kill(pid, SIGCONT));
	await(atomic_load(&stage->rounds[0]) > before);
	end_program(pid);
}

/* SIGTSTP would stop the program, if it were not blocked. */
static void blocked_stop_is_none(void)
{
	sigset_t set;
	long before;
	pid_t pid;

	sigemptyset(&set);
	sigaddset(&set, SIGTSTP);
	check_sys(sigprocmask(SIG_BLOCK, &set, NULL));
	pid = start_program();
	check_sys(sigprocmask(SIG_UNBLOCK, &set, NULL));
	check_sys(kill(pid, SIGTSTP));
	before = switches_of(pid, "low");
	for (int n = 0; n < 10; n++) {
		check_sys(syscall(SYS_tgkill, pid, tid_of(2), SIGUSR1));
		await(atomic_load(&stage->handled) == n + 1);
	}
	check_eq(switches_of(pid, "low"), before);
	end_program(pid);
}

/* --- Waits which a stop comes upon --------------------------------------------------------------- */

static struct evl_sem sem;
static struct evl_mutex mutex;

static int get_unit(void)
{
	return evl_get_sem(&sem);
}

static int get_in_time(void)
{
	struct timespec date = ns_ts(now() + 50 * NSEC_PER_MSEC);

	return evl_timedget_sem(&sem, &date);
}

static int get_mutex(void)
{
	return evl_lock_mutex(&mutex);
}

static void wait_for_it(struct worker *w)
{
	int (*get)(void) = w->arg;

	attach_worker(w);
	w->result = get();
	atomic_store(&stage->left, true);
	if (get == get_mutex && !w->result)
		check_ok(evl_unlock_mutex(&mutex));
}

/* The owner of the mutex is stopped along, out-of-band. */
static void hold_mutex(struct worker *w)
{
	attach_worker(w);
	check_ok(evl_lock_mutex(&mutex));
	atomic_fetch_add(&stage->ready, 1);
	while (!atomic_load(&stage->stop))
		check_ok(evl_usleep(1000));
	check(!evl_is_inband());
	check_ok(evl_unlock_mutex(&mutex));
}

static void be_stopped_waiting(int (*get)(void))
{
	struct worker holder = { .body = hold_mutex, .name = "holder", .prio = 5, .cpu = other_cpu() };
	struct worker w = { .body = wait_for_it, .name = "waiter", .prio = 10, .cpu = other_cpu(), .arg = get };

	check_ok(evl_init());
	check_ok(evl_new_sem(&sem, "unit:%d", getpid()));
	check_ok(evl_new_mutex(&mutex, "held:%d", getpid()));
	start_worker(&holder);
	await(atomic_load(&stage->ready) == 1);
	start_worker(&w);
	await(worker_sleeps(&w));
	check_sys(kill(getpid(), SIGSTOP));
	if (get != get_in_time)
		check(!atomic_load(&stage->left));
	check_ok(evl_put_sem(&sem));
	atomic_store(&stage->stop, true);
	join_worker(&w);
	join_worker(&holder);
	atomic_store(&stage->result, w.result);
	_exit(0);
}

static int result_of_stopped(int (*get)(void))
{
	int status;
	pid_t pid;

	make_stage();
	pid = check_sys(fork());
	if (!pid)
		be_stopped_waiting(get);
	check_eq(waitpid(pid, &status, WUNTRACED), pid);
	check(WIFSTOPPED(status));
	spin_until(now() + 100 * NSEC_PER_MSEC);
	check_sys(kill(pid, SIGCONT));
	wait_success(pid);
	return atomic_load(&stage->result);
}

static void waits_go_on(void)
{
	check_eq(result_of_stopped(get_unit), 0);
	check_eq(result_of_stopped(get_mutex), 0);
}

static void limit_passes_meanwhile(void)
{
	int ret = result_of_stopped(get_in_time);

	/* The unit may be there by the time that it goes on. */
	if (ret)
		check_eq(ret, -ETIMEDOUT);
}

static void wait_weak(struct worker *w)
{
	attach_worker(w);
	check_ok(evl_get_sem(&sem));
	atomic_store(&stage->result, evl_is_inband());
	atomic_store(&stage->left, true);
}

static void run_weak(void)
{
	struct worker sibling = { .body = spin, .name = "low", .prio = 10, .cpu = other_cpu() };
	struct worker weak = { .body = wait_weak, .name = "weak", .cpu = other_cpu() };

	check_ok(evl_init());
	check_ok(evl_new_sem(&sem, "weak:%d", getpid()));
	start_worker(&weak);
	await(worker_sleeps(&weak));
	start_worker(&sibling);
	await(atomic_load(&stage->post));
	check_ok(evl_put_sem(&sem));
	join_worker(&weak);
	join_worker(&sibling);
}

/* It was told to halt, and sleeps until that is over. */
static void weak_thread_after_stop(void)
{
	pid_t pid = start_running(run_weak, 1);

	seize(tid_of(0));
	let_go(tid_of(0));
	atomic_store(&stage->post, true);
	await(atomic_load(&stage->left));
	check_eq(atomic_load(&stage->result), true);
	end_program(pid);
}

/* --- Others who wait for a thread which is stopped ----------------------------------------------- */

static struct evl_mutex shared_mutex;

static void own_shared(struct worker *w)
{
	int epoch = 0;

	attach_worker(w);
	check_ok(evl_set_thread_mode(w->efd, EVL_T_WOLI | EVL_T_HMSIG, NULL));
	check_ok(evl_lock_mutex(&shared_mutex));
	atomic_store(&stage->tids[0], atomic_load(&w->tid));
	atomic_fetch_add(&stage->ready, 1);
	while (!atomic_load(&stage->stop)) {
		if (atomic_exchange(&stage->trap, NOBODY) == 0)
			__asm__ volatile("int3");
		spin_round(0, &epoch);
		check_ok(evl_usleep(100));
	}
	check(!evl_is_inband());
	atomic_store(&stage->handled, take_sigdebug(EVL_HMDIAG_LKDEPEND));
	check_ok(evl_unlock_mutex(&shared_mutex));
}

static void run_owner(void)
{
	struct worker w = { .body = own_shared, .name = "owner", .prio = 10, .cpu = other_cpu() };

	catch_sigdebug();
	check_ok(evl_init());
	check_ok(evl_create_mutex(&shared_mutex, EVL_CLOCK_MONOTONIC, 0, EVL_MUTEX_NORMAL | EVL_CLONE_PUBLIC,
				  "/halted:%d", getppid()));
	start_worker(&w);
	join_worker(&w);
}

static void owner_is_stopped(void)
{
	struct timespec date;
	pid_t pid = start_running(run_owner, 1);

	attach_fifo(20);
	check_ok(evl_open_mutex(&shared_mutex, "/halted:%d", getpid()));
	check_ok(evl_switch_inband());
	stop_program(pid);
	date = ns_ts(now() + 50 * NSEC_PER_MSEC);
	check_eq(evl_timedlock_mutex(&shared_mutex, &date), -ETIMEDOUT);
	check_sys(kill(pid, SIGCONT));
	atomic_store(&stage->stop, true);
	check_ok(evl_lock_mutex(&shared_mutex));
	check_ok(evl_unlock_mutex(&shared_mutex));
	wait_success(pid);
	check_ok(evl_close_mutex(&shared_mutex));
}

static void want_shared(struct worker *w)
{
	attach_worker(w);
	check_ok(evl_lock_mutex(&shared_mutex));
	check_ok(evl_unlock_mutex(&shared_mutex));
}

/* Somebody of this process waits for its mutex. */
static pid_t start_wanted_owner(struct worker *w)
{
	pid_t pid = start_running(run_owner, 1);

	check_ok(evl_open_mutex(&shared_mutex, "/halted:%d", getpid()));
	start_worker(w);
	await(worker_sleeps(w));
	return pid;
}

static void end_wanted_owner(pid_t pid, struct worker *w)
{
	await_rounds(0);
	atomic_store(&stage->stop, true);
	join_worker(w);
	wait_success(pid);
	check_ok(evl_close_mutex(&shared_mutex));
}

/* It is not told of that, although it goes in-band. */
static void breakpoint_with_mutex(void)
{
	struct worker w = { .body = want_shared, .name = "wants", .prio = 20 };
	pid_t pid = start_wanted_owner(&w);

	seize(tid_of(0));
	for (int n = 0; n < 5; n++) {
		hit_breakpoint(0);
		go_on(tid_of(0));
		check_runs_oob(0);
	}
	let_go(tid_of(0));
	end_wanted_owner(pid, &w);
	check_eq(atomic_load(&stage->handled), 0);
}

/* --- The freezer ------------------------------------------------------------------------------------ */

#define CGROUPS	"/tmp/cgroups"
#define FROZEN	CGROUPS "/frozen"

static void write_file(const char *path, const char *text)
{
	int fd = check_sys(open(path, O_WRONLY));

	check_eq(write(fd, text, strlen(text)), strlen(text));
	close(fd);
}

static bool is_frozen(void)
{
	char text[64] = "";
	int fd = check_sys(open(FROZEN "/cgroup.events", O_RDONLY));

	check_ge(read(fd, text, sizeof(text) - 1), 1);
	close(fd);
	return strstr(text, "frozen 1");
}

static void freeze_and_thaw(pid_t pid)
{
	char text[16];

	snprintf(text, sizeof(text), "%d", pid);
	write_file(FROZEN "/cgroup.procs", text);
	write_file(FROZEN "/cgroup.freeze", "1");
	await(is_frozen());
	write_file(FROZEN "/cgroup.freeze", "0");
	await(!is_frozen());
	write_file(CGROUPS "/cgroup.procs", text);
}

static void make_freezer(void)
{
	check(mkdir(CGROUPS, 0755) == 0 || errno == EEXIST);
	if (mount("none", CGROUPS, "cgroup2", 0, NULL))
		check_skip("no cgroups: %s", strerror(errno));
	check_sys(mkdir(FROZEN, 0755));
}

static void remove_freezer(void)
{
	check_sys(rmdir(FROZEN));
	check_sys(umount(CGROUPS));
}

static void frozen_and_thawed(void)
{
	pid_t pid;

	make_freezer();
	pid = start_program();
	for (int n = 0; n < 10; n++) {
		freeze_and_thaw(pid);
		check_all_run_oob();
	}
	end_program(pid);
	remove_freezer();
}

/* It is told that somebody waits for its mutex, which it took in-band with it. */
static void frozen_with_mutex(void)
{
	struct worker w = { .body = want_shared, .name = "wants", .prio = 20 };
	pid_t pid;

	make_freezer();
	pid = start_wanted_owner(&w);
	freeze_and_thaw(pid);
	end_wanted_owner(pid, &w);
	check_ge(atomic_load(&stage->handled), 1);
	remove_freezer();
}

static const struct CMUnitTest tests[] = {
	TEST(stopped_by_job_control, "SIGSTOP halts all threads, SIGCONT has them go on where they were"),
	TEST(stop_and_go_storm, "many stops in a row"),
	TEST(killed_while_stopped, "SIGKILL ends a stopped program"),
	TEST(stop_is_no_health_event, "a stop is nothing to tell of"),
	TEST(blocked_stop_is_none, "a signal which is blocked stops nobody"),
	TEST(waits_go_on, "waits go on after a stop"),
	TEST(limit_passes_meanwhile, "a wait whose time is over by then ends"),
	TEST(weak_thread_after_stop, "a weak thread which waited meanwhile is in-band after its request"),
	TEST(owner_is_stopped, "who waits for a stopped owner may give up, or get the mutex later"),
	TEST(breakpoint_with_mutex, "one which has a mutex is not told of who waits for it at a breakpoint"),
	TEST(frozen_and_thawed, "the freezer of Linux leaves threads where they were"),
	TEST(frozen_with_mutex, "and one which has a mutex is told"),
};

TEST_MAIN("stops", tests)
