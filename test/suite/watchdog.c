// SPDX-License-Identifier: GPL-2.0-only
/* The watchdog: threads which keep a CPU from Linux for too long. */
#include "notices.h"
#include <evl/sys.h>

#define PARAMETER	"/sys/module/evl/parameters/watchdog_timeout"

static int open_timeout(void)
{
	return check_sys(open(PARAMETER, O_WRONLY));
}

static void write_timeout(int fd, const char *seconds)
{
	check_eq(pwrite(fd, seconds, strlen(seconds), 0), strlen(seconds));
}

static void set_timeout(const char *seconds)
{
	int fd = open_timeout();

	write_timeout(fd, seconds);
	close(fd);
}

/* Ten times what the watchdog allows: if it does not bark by then, it sleeps. */
static void spin_in_vain(int64_t start)
{
	while (!evl_is_inband())
		check_lt(now(), start + 10 * NSEC_PER_SEC);
}

static atomic_bool may_spin, spins;

/* Until it may spin. A date ahead of that: the time counts from when the thread has the CPU. */
static int64_t begin_spinning(void)
{
	int64_t start;

	do {
		start = now();
		check_ok(evl_usleep(1000));
	} while (!atomic_load(&may_spin));
	atomic_store(&spins, true);
	return start;
}

static void hog(struct worker *w)
{
	int64_t start;

	attach_worker(w);
	check_ok(evl_set_thread_mode(w->efd, w->result, NULL));
	check_ok(evl_switch_oob());
	start = begin_spinning();
	spin_in_vain(start);
	check_ge(now(), start + NSEC_PER_SEC);
	/* Only told to leave: it is a real-time thread still. */
	check_eq(attrs_of(w->efd).sched_policy, SCHED_FIFO);
	check_ok(evl_switch_oob());
}

static void run_hog(int mode)
{
	struct worker w = { .body = hog, .name = "hog", .prio = 10, .cpu = other_cpu(), .result = mode };

	set_timeout("1");
	catch_sigdebug();
	atomic_store(&may_spin, true);
	start_worker(&w);
	join_worker(&w);
}

static void hog_goes_inband(void)
{
	run_hog(0);
	check_eq(take_sigdebug(EVL_HMDIAG_WATCHDOG), 0);
}

static void hog_is_told(void)
{
	run_hog(EVL_T_HMSIG | EVL_T_WOSS);
	check_eq(take_sigdebug(EVL_HMDIAG_WATCHDOG), 1);
	check_eq(atomic_load(&sigdebug_foreign), 0);
}

/* The notice is sent from an interrupt. */
static void hog_and_read(struct worker *w)
{
	struct evl_notification nf;
	int64_t start;

	attach_worker(w);
	check_ok(evl_subscribe(w->efd, 4, 0));
	check_ok(evl_set_thread_mode(w->efd, EVL_T_HMOBS, NULL));
	start = now();
	check_ok(evl_switch_oob());
	spin_in_vain(start);
	nf = receive(w->efd);
	check_eq(nf.tag, EVL_HMDIAG_WATCHDOG);
	check_eq(nf.issuer, 0);
	check_eq(nf.event.lval, 0);
	check_ge(ts_ns(nf.date), start + NSEC_PER_SEC);
	check_le(ts_ns(nf.date), now());
	check_eq(nf.serial, 0);
	set_nonblocking(w->efd, true);
	check_eq(evl_read_observable(w->efd, &nf, 1), -EAGAIN);
}

static void hog_is_noticed(void)
{
	struct worker w = { .body = hog_and_read, .name = "hog", .prio = 10, .cpu = other_cpu(),
			    .flags = EVL_CLONE_OBSERVABLE };

	set_timeout("1");
	catch_sigdebug();
	start_worker(&w);
	join_worker(&w);
	check_eq(take_sigdebug(EVL_HMDIAG_WATCHDOG), 0);
}

static void stop_after(struct worker *w)
{
	int64_t start;

	attach_worker(w);
	check_ok(evl_switch_oob());
	/* Two seconds of work, with pauses which leave Linux its share. */
	for (int i = 0; i < 20; i++) {
		start = now();
		spin_until(start + 100 * NSEC_PER_MSEC);
		check_ok(sleep_until(now() + NSEC_PER_MSEC));
	}
	check(!evl_is_inband());
}

static void breathing_is_enough(void)
{
	struct worker w = { .body = stop_after, .name = "breathes", .prio = 10, .cpu = other_cpu() };

	set_timeout("1");
	start_worker(&w);
	join_worker(&w);
}

static void spin_long(struct worker *w)
{
	attach_worker(w);
	check_ok(evl_switch_oob());
	begin_spinning();
	spin_until(now() + 1500 * NSEC_PER_MSEC);
	check(!evl_is_inband());
}

static void it_can_be_turned_off(void)
{
	struct worker w = { .body = spin_long, .name = "allowed", .prio = 10, .cpu = other_cpu() };

	set_timeout("0");
	atomic_store(&may_spin, true);
	start_worker(&w);
	join_worker(&w);
}

/* Neither of them stays long, but between them they leave Linux nothing: the delay counts for the CPU. */
static atomic_bool one_is_out;

static void yield_and_hog(struct worker *w)
{
	int64_t start;

	attach_worker(w);
	check_ok(evl_switch_oob());
	start = now();
	while (!evl_is_inband() && !atomic_load(&one_is_out)) {
		check_lt(now(), start + 10 * NSEC_PER_SEC);
		check_ok(evl_yield());
	}
	atomic_store(&one_is_out, true);
}

static void two_hogs_are_one(void)
{
	struct worker w[] = {
		{ .body = yield_and_hog, .name = "hog0", .prio = 10, .cpu = other_cpu() },
		{ .body = yield_and_hog, .name = "hog1", .prio = 10, .cpu = other_cpu() },
	};

	set_timeout("1");
	start_worker(&w[0]);
	start_worker(&w[1]);
	join_worker(&w[0]);
	join_worker(&w[1]);
	check(atomic_load(&one_is_out));
}

#define HOGS	20

static int64_t hog_date;

static void hog_with_others(struct worker *w)
{
	attach_worker(w);
	check_ok(evl_switch_oob());
	check_ok(sleep_until(hog_date));
	spin_in_vain(hog_date);
}

/* Linux waits for the first one only: each of them would have it wait for another second. */
static void many_hogs(void)
{
	static char names[HOGS][16];
	struct worker w[HOGS];

	set_timeout("1");
	hog_date = now() + 3 * NSEC_PER_SEC;
	for (int i = 0; i < HOGS; i++) {
		snprintf(names[i], sizeof(names[i]), "hog%d", i);
		w[i] = (struct worker){
			.body = hog_with_others, .name = names[i], .prio = 50 - i, .cpu = other_cpu(),
		};
		start_worker(&w[i]);
	}
	for (int i = 0; i < HOGS; i++)
		join_worker(&w[i]);
}

static atomic_bool all_moved;

static void hog_anywhere(struct worker *w)
{
	attach_worker(w);
	check_ok(evl_set_thread_mode(w->efd, EVL_T_HMSIG, NULL));
	check_ok(evl_switch_oob());
	check_ok(sleep_until(hog_date));
	while (!atomic_load(&all_moved))
		__builtin_ia32_pause();
}

static void move(struct worker *w, int cpu)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(cpu, &set);
	check_sys(sched_setaffinity(atomic_load(&w->tid), sizeof(set), &set));
}

/* Each time that one of them leaves the CPU, the other one is there, and no time is left for Linux. */
static void hogs_which_move(void)
{
	struct worker w[] = {
		{ .body = hog_anywhere, .name = "hog0", .prio = 10, .cpu = other_cpu() },
		{ .body = hog_anywhere, .name = "hog1", .prio = 10, .cpu = other_cpu() },
	};
	int64_t end;

	if (!other_cpu())
		check_skip("only one CPU");
	set_timeout("1");
	catch_sigdebug();
	become(SCHED_FIFO, 99);
	pin_to(0);
	hog_date = now() + NSEC_PER_SEC;
	for (int i = 0; i < 2; i++) {
		start_worker(&w[i]);
		await(worker_sleeps(&w[i]) || now() >= hog_date);
	}
	spin_until(hog_date);
	end = hog_date + 10 * NSEC_PER_SEC;
	for (int i = 0; now() < end && !atomic_load(&sigdebug_seen[EVL_HMDIAG_WATCHDOG]); i ^= 1) {
		move(&w[i], 0);
		nanosleep(&(struct timespec){ .tv_nsec = 600 * NSEC_PER_MSEC }, NULL);
		move(&w[i], other_cpu());
	}
	check_ge(take_sigdebug(EVL_HMDIAG_WATCHDOG), 1);
	atomic_store(&all_moved, true);
	for (int i = 0; i < 2; i++)
		join_worker(&w[i]);
}

/*
 * The timeout changes while a thread spins on another CPU. Linux cannot do much for as long as that lasts: what runs here
 * may have to wait for it to answer over there, with all others kept off this CPU. So there is nothing but the change.
 */
static void change_while_running(void (*body)(struct worker *w), const char *from, const char *to)
{
	struct worker w = { .body = body, .name = "hog", .prio = 10, .cpu = other_cpu() };
	int fd;

	if (!other_cpu())
		check_skip("only one CPU");
	pin_to(0);
	set_timeout(from);
	fd = open_timeout();
	start_worker(&w);
	await(worker_sleeps(&w));
	become(SCHED_FIFO, 99);
	atomic_store(&may_spin, true);
	while (!atomic_load(&spins))
		__builtin_ia32_pause();
	write_timeout(fd, to);
	become(SCHED_OTHER, 0);
	join_worker(&w);
	close(fd);
}

static void shorter_at_once(void)
{
	change_while_running(hog, "3600", "1");
}

static void on_at_once(void)
{
	change_while_running(hog, "0", "1");
}

static void off_at_once(void)
{
	change_while_running(spin_long, "1", "0");
}

static void nonsense_is_refused(void)
{
	int fd = open_timeout();

	check_errno(write(fd, "soon", 4), EINVAL);
	close(fd);
}

static int restore_timeout(void **state)
{
	(void)state;
	set_timeout("4");
	return 0;
}

static const struct CMUnitTest tests[] = {
	TEST(hog_goes_inband, "a thread which spins for too long is forced in-band"),
	TEST(hog_is_told, "and gets SIGDEBUG if it asked for it"),
	TEST(hog_is_noticed, "or a notice"),
	TEST(breathing_is_enough, "short pauses keep the watchdog calm"),
	TEST(it_can_be_turned_off, "a delay of zero turns it off"),
	TEST(shorter_at_once, "a shorter delay counts for who is running already"),
	TEST(on_at_once, "so does one after none"),
	TEST(off_at_once, "and none after one"),
	TEST(nonsense_is_refused, "what is no number is refused"),
	TEST(two_hogs_are_one, "threads which take turns are caught as well"),
	TEST(hogs_which_move, "nor does it help them to be moved to and fro"),
	TEST(many_hogs, "so are those behind them in line, at once"),
};

int main(int argc, char *argv[])
{
	prepare_main(argc, argv);
	return cmocka_run_group_tests_name("watchdog", tests, NULL, restore_timeout);
}
