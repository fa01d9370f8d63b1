// SPDX-License-Identifier: GPL-2.0-only
/*
 * Thousands of signals from several senders to an out-of-band thread, in each kind of wait and in user space; and what
 * goes wrong in handlers.
 */
#include "group.h"
#include "notices.h"
#include "puppet.h"
#include <evl/event.h>
#include <evl/flags.h>
#include <evl/proxy.h>

#define UNITS	60	/* which the target has to get, at least, */
#define SIGNALS	150	/* and from each sender of each sort */
#define SENDERS	3
#define AHEAD	10	/* which a sender has on their way at most */

/* Queued signals: the handler of the second sort restarts calls. */
#define BREAKS	(SIGRTMIN + 1)
#define RESUMES	(SIGRTMIN + 2)
#define BLOCKED	(SIGRTMIN + 3)

/* --- Senders ---------------------------------------------------------------------------------- */

static pthread_t target;
static atomic_bool enough;

/* By sender and sort: how many were sent, and came. */
static atomic_int sent[SENDERS][2], came[SENDERS][2];
static atomic_int nr_blocked, nr_blocked_sent, nr_done;

static void take_numbered(int sig, siginfo_t *si, void *context)
{
	int sender = si->si_value.sival_int >> 24, nr = si->si_value.sival_int & 0xffffff;

	(void)context;
	check_eq(si->si_code, SI_QUEUE);
	check(pthread_equal(pthread_self(), target));
	check(evl_is_inband());
	check_eq(nr, atomic_fetch_add(&came[sender][sig == RESUMES], 1));
}

static void take_blocked(int sig, siginfo_t *si, void *context)
{
	(void)sig;
	(void)context;
	check_eq(si->si_value.sival_int, atomic_fetch_add(&nr_blocked, 1));
}

static void handle(int sig, void (*handler)(int, siginfo_t *, void *), int flags)
{
	struct sigaction sa = { .sa_sigaction = handler, .sa_flags = SA_SIGINFO | flags };

	check_sys(sigaction(sig, &sa, NULL));
}

static void catch_all(void)
{
	handle(BREAKS, take_numbered, 0);
	handle(RESUMES, take_numbered, SA_RESTART);
	handle(BLOCKED, take_blocked, 0);
	signal(SIGUSR1, SIG_IGN);
}

static void send_one(int sender, int sort)
{
	int nr = atomic_load(&sent[sender][sort]);
	union sigval value = { .sival_int = sender << 24 | nr };

	if (nr - atomic_load(&came[sender][sort]) >= AHEAD)
		return;
	check_eq(pthread_sigqueue(target, sort ? RESUMES : BREAKS, value), 0);
	atomic_store(&sent[sender][sort], nr + 1);
}

/* By one sender only. */
static void send_blocked(void)
{
	union sigval value = { .sival_int = atomic_fetch_add(&nr_blocked_sent, 1) };

	check_eq(pthread_sigqueue(target, BLOCKED, value), 0);
}

static bool sent_enough(int sender)
{
	return atomic_load(&sent[sender][0]) >= SIGNALS && atomic_load(&sent[sender][1]) >= SIGNALS;
}

static void *send_many(void *arg)
{
	int sender = (intptr_t)arg, n = 0;

	while (!atomic_load(&enough) || !sent_enough(sender)) {
		send_one(sender, n & 1);
		/* These do nothing: nobody handles them, or not now. */
		if (n % 8 == sender)
			check_eq(pthread_kill(target, n & 8 ? SIGUSR1 : SIGURG), 0);
		if (sender == 0 && n % 16 == 0 && n < 100 * 16)
			send_blocked();
		if (++n % 4 == 0)
			nap();
	}
	atomic_fetch_add(&nr_done, 1);
	return NULL;
}

/* --- The target ---------------------------------------------------------------------------------- */

/*
 * One kind of wait. @take returns 0 when it got the unit of this number, or -EINTR; @give provides that, in-band. Both
 * look at what comes.
 */
struct kind {
	const char *name;
	void (*make)(void);
	int (*take)(int nr);
	void (*give)(int nr);
};

static atomic_int taken, interrupted;
static int nr_given;

static void be_target(struct worker *w)
{
	const struct kind *kind = w->arg;
	sigset_t set;
	int ret;

	sigemptyset(&set);
	sigaddset(&set, BLOCKED);
	check_eq(pthread_sigmask(SIG_BLOCK, &set, NULL), 0);
	target = pthread_self();
	attach_worker(w);
	if (kind->make)
		kind->make();
	while (!atomic_load(&enough)) {
		check_ok(evl_switch_oob());
		ret = kind->take(atomic_load(&taken));
		if (ret)
			check_eq(ret, -EINTR);
		atomic_fetch_add(ret ? &interrupted : &taken, 1);
	}
	await(atomic_load(&nr_done) == SENDERS);
	for (int sender = 0; sender < SENDERS; sender++)
		await(atomic_load(&came[sender][0]) == atomic_load(&sent[sender][0]) &&
		      atomic_load(&came[sender][1]) == atomic_load(&sent[sender][1]));
	check_eq(atomic_load(&nr_blocked), 0);
	check_eq(pthread_sigmask(SIG_UNBLOCK, &set, NULL), 0);
}

/* To and fro in one go would not be a storm: the target waits before it gets what it wants. */
static void provide(const struct kind *kind, struct worker *w)
{
	int nr = 0;

	while (nr < UNITS || !sent_enough(0) || !sent_enough(1) || !sent_enough(2)) {
		await(atomic_load(&taken) >= nr || atomic_load(&w->done));
		nap();
		if (kind->give)
			kind->give(nr);
		nr++;
	}
	await(atomic_load(&taken) >= nr);
	atomic_store(&enough, true);
	/* The one which it waits for by now, unless a signal comes first. */
	if (kind->give)
		kind->give(nr);
	nr_given = nr + 1;
}

static void storm(const struct kind *kind)
{
	struct worker w = { .body = be_target, .name = kind->name, .prio = 20, .cpu = other_cpu(), .arg = (void *)kind };
	pthread_t senders[SENDERS];
	int64_t start = now();
	int total = 0;

	catch_all();
	pin_to(0);
	start_worker(&w);
	await(atomic_load(&w.attached));
	for (int n = 0; n < SENDERS; n++)
		check_eq(pthread_create(&senders[n], NULL, send_many, (void *)(intptr_t)n), 0);
	provide(kind, &w);
	for (int n = 0; n < SENDERS; n++)
		check_eq(pthread_join(senders[n], NULL), 0);
	join_worker(&w);
	for (int n = 0; n < SENDERS; n++)
		total += atomic_load(&came[n][0]) + atomic_load(&came[n][1]);
	print_message("# %s: %d units, %d calls interrupted, %d signals, %d ms\n", kind->name, atomic_load(&taken),
		      atomic_load(&interrupted), total, (int)((now() - start) / NSEC_PER_MSEC));
	check_gt(atomic_load(&nr_blocked), 0);
	check_eq(atomic_load(&nr_blocked), atomic_load(&nr_blocked_sent));
}

/* --- Kinds ---------------------------------------------------------------------------------------- */

static int negated(ssize_t ret)
{
	return ret < 0 ? -errno : 0;
}

static int take_sleep(int nr)
{
	int64_t date = now() + 300000;
	int ret = sleep_until(date);

	(void)nr;
	if (!ret)
		check_reached(now(), date);
	return ret;
}

static void sleeps(void)
{
	storm(&(struct kind){ .name = "sleep", .take = take_sleep });
}

/* In user space, out-of-band as long as nothing comes: what it computes is as if nothing had. */
static int take_spin(int nr)
{
	double sum = 0;

	for (int i = 1; i <= 20000; i++)
		sum += 1.0 / ((double)i * (i + 1));
	check(sum > 0.99994 && sum < 0.99996);
	/* The machine may be slow, and has others to run. */
	if (nr % 4 == 0)
		evl_usleep(500);
	return 0;
}

static void user_space(void)
{
	storm(&(struct kind){ .name = "user", .take = take_spin });
}

static struct evl_sem sem;

static int take_sem(int nr)
{
	(void)nr;
	return evl_get_sem(&sem);
}

static void give_sem(int nr)
{
	(void)nr;
	check_ok(evl_put_sem(&sem));
}

/* No unit was taken twice, or by a wait which failed. */
static void check_units(void)
{
	int value;

	check_ok(evl_peek_sem(&sem, &value));
	check_eq(atomic_load(&taken) + value, nr_given);
}

static void semaphores(void)
{
	check_ok(evl_init());
	check_ok(evl_new_sem(&sem, "sem:%d", getpid()));
	storm(&(struct kind){ .name = "sem", .take = take_sem, .give = give_sem });
	check_units();
}

static struct evl_flags flags;

static int take_flags(int nr)
{
	int bits = 0, ret = evl_wait_some_flags(&flags, 1 << nr % 31, &bits);

	if (!ret)
		check_eq(bits, 1 << nr % 31);
	return ret;
}

static void give_flags(int nr)
{
	check_ok(evl_post_flags(&flags, 1 << nr % 31));
}

static void flag_groups(void)
{
	check_ok(evl_init());
	check_ok(evl_new_flags(&flags, "flags:%d", getpid()));
	storm(&(struct kind){ .name = "flags", .take = take_flags, .give = give_flags });
}

/* An attached helper, for what in-band threads may not do. */
static struct puppet helper;
static struct evl_mutex mutex;
static struct evl_event event;
static int given;

static int take_event(int nr)
{
	check_ok(evl_lock_mutex(&mutex));
	while (given <= nr)
		check_ok(evl_wait_event(&event, &mutex));
	check_ok(evl_unlock_mutex(&mutex));
	return 0;
}

static int signal_event(struct puppet *p)
{
	(void)p;
	check_ok(evl_lock_mutex(&mutex));
	given++;
	check_ok(evl_signal_event(&event));
	return evl_unlock_mutex(&mutex);
}

static void give_event(int nr)
{
	(void)nr;
	check_eq(perform(&helper, signal_event, NULL), 0);
}

static void events(void)
{
	new_mutex(&mutex, "mutex");
	check_ok(evl_new_event(&event, "event:%d", getpid()));
	start_puppet(&helper, "helper", 10, 0);
	storm(&(struct kind){ .name = "event", .take = take_event, .give = give_event });
	end_puppet(&helper);
}

static int take_mutex(int nr)
{
	(void)nr;
	check_ok(evl_lock_mutex(&mutex));
	given++;
	check_ok(evl_unlock_mutex(&mutex));
	/* The helper has to come by it. */
	evl_usleep(100);
	return 0;
}

static int hold_mutex(struct puppet *p)
{
	int before;

	(void)p;
	check_ok(evl_lock_mutex(&mutex));
	before = given;
	check_ok(sleep_until(now() + NSEC_PER_MSEC));
	check_eq(given, before);
	return evl_unlock_mutex(&mutex);
}

/* Not what it waits for, but what makes it wait. */
static void keep_mutex(int nr)
{
	(void)nr;
	check_eq(perform(&helper, hold_mutex, NULL), 0);
}

static void mutexes(void)
{
	new_mutex(&mutex, "mutex");
	start_puppet(&helper, "helper", 10, 0);
	storm(&(struct kind){ .name = "mutex", .take = take_mutex, .give = keep_mutex });
	end_puppet(&helper);
}

static int fd_in, fd_out;

static int take_number(int nr)
{
	int got, ret = negated(oob_read(fd_in, &got, sizeof(got)));

	if (!ret)
		check_eq(got, nr);
	return ret;
}

static void give_number(int nr)
{
	check_eq(write(fd_out, &nr, sizeof(nr)), sizeof(nr));
}

static void cross_buffers(void)
{
	check_ok(evl_init());
	fd_in = fd_out = new_xbuf(256);
	storm(&(struct kind){ .name = "xbuf", .take = take_number, .give = give_number });
}

static void proxy_input(void)
{
	int fds[2];

	check_ok(evl_init());
	check_sys(pipe(fds));
	fd_in = check_ok(evl_create_proxy(fds[0], 256, sizeof(int), EVL_CLONE_INPUT, "in:%d", getpid()));
	fd_out = fds[1];
	storm(&(struct kind){ .name = "proxy-in", .take = take_number, .give = give_number });
}

static int put_number(int nr)
{
	return negated(oob_write(fd_out, &nr, sizeof(nr)));
}

static void get_number(int nr)
{
	int got;

	check_eq(read(fd_in, &got, sizeof(got)), sizeof(got));
	/* The first one was there before. */
	check_eq(got, nr - 1);
}

/* A ring of one number: the rest has to wait. */
static void full_cross_buffers(void)
{
	int none = -1;

	check_ok(evl_init());
	fd_in = fd_out = new_xbuf(sizeof(int));
	attach_fifo(5);
	check_eq(oob_write(fd_out, &none, sizeof(none)), sizeof(none));
	check_ok(evl_detach_self());
	become(SCHED_OTHER, 0);
	storm(&(struct kind){ .name = "xbuf-out", .take = put_number, .give = get_number });
}

static void subscribe(void)
{
	check_ok(evl_subscribe(fd_in, 4, 0));
}

static int take_notice(int nr)
{
	struct evl_notification nf;
	int ret = evl_read_observable(fd_in, &nf, 1);

	if (ret == 1) {
		check_eq(nf.event.lval, nr);
		check_eq(nf.serial, nr);
	}
	return ret < 0 ? ret : 0;
}

static void give_notice(int nr)
{
	check_eq(send_value(fd_in, TAG, nr), 1);
}

static void observables(void)
{
	check_ok(evl_init());
	fd_in = new_observable(0);
	storm(&(struct kind){ .name = "observable", .make = subscribe, .take = take_notice, .give = give_notice });
}

static int group;

static void make_group(void)
{
	group = new_group();
	add(group, sem.monitor.efd, POLLIN);
}

static int take_polled(int nr)
{
	struct evl_poll_event ev;
	int ret = evl_poll(group, &ev, 1);

	(void)nr;
	if (ret < 0)
		return ret;
	check_eq(ret, 1);
	check_eq(ev.events, POLLIN);
	check_ok(evl_tryget_sem(&sem));
	return 0;
}

static void poll_groups(void)
{
	check_ok(evl_init());
	check_ok(evl_new_sem(&sem, "sem:%d", getpid()));
	storm(&(struct kind){ .name = "poll", .make = make_group, .take = take_polled, .give = give_sem });
	check_units();
}

static int64_t first_tick, nr_ticks;

#define PERIOD	NSEC_PER_MSEC

static void start_timer(void)
{
	struct itimerspec its = { .it_interval = ns_ts(PERIOD) };

	fd_in = new_timer();
	first_tick = now() + PERIOD;
	its.it_value = ns_ts(first_tick);
	check_ok(evl_set_timer(fd_in, &its, NULL));
}

/* Each tick is told once, with those which were missed. */
static int take_ticks(int nr)
{
	int64_t before = now();
	uint64_t ticks;
	int ret;

	(void)nr;
	ret = negated(oob_read(fd_in, &ticks, sizeof(ticks)));
	if (ret)
		return ret;
	nr_ticks += ticks;
	/* On a busy machine, the last ones may come late. */
	check_ge(nr_ticks + 20, (before - first_tick) / PERIOD);
	check_le(nr_ticks, (now() + GRAVITY - first_tick) / PERIOD + 1);
	return 0;
}

static void timers(void)
{
	storm(&(struct kind){ .name = "timer", .make = start_timer, .take = take_ticks });
}

/* --- What goes wrong in handlers ------------------------------------------------------------------- */

static char *page;
static atomic_int nr_faults, nr_handled;

static void open_page(int sig, siginfo_t *si, void *context)
{
	(void)sig;
	(void)context;
	check(evl_is_inband());
	check(si->si_addr == page);
	atomic_fetch_add(&nr_faults, 1);
	check_sys(mprotect(page, 4096, PROT_READ | PROT_WRITE));
}

/* Back out-of-band, then into the page: the fault is handled within the handler. */
static void touch_page(int sig)
{
	(void)sig;
	check(evl_is_inband());
	check_ok(evl_switch_oob());
	*(volatile char *)page = 1;
	check(evl_is_inband());
	check_sys(mprotect(page, 4096, PROT_NONE));
	check_ok(evl_switch_oob());
	atomic_fetch_add(&nr_handled, 1);
}

static void wait_for_units(struct worker *w)
{
	attach_worker(w);
	for (int n = 0; n < 50; n++)
		check_ok(evl_get_sem(&sem));
	check_ok(evl_switch_oob());
}

static void fault_in_handler(void)
{
	struct worker w = { .body = wait_for_units, .name = "target", .prio = 20, .cpu = other_cpu() };
	struct sigaction sa = { .sa_handler = touch_page, .sa_flags = SA_RESTART };

	check_ok(evl_init());
	check_ok(evl_new_sem(&sem, "sem:%d", getpid()));
	page = mmap(NULL, 4096, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	check(page != MAP_FAILED);
	handle(SIGSEGV, open_page, 0);
	check_sys(sigaction(SIGUSR1, &sa, NULL));
	start_worker(&w);
	for (int n = 0; n < 50; n++) {
		await(worker_sleeps(&w));
		signal_worker(&w, SIGUSR1);
		await(atomic_load(&nr_handled) == n + 1);
		check_eq(atomic_load(&nr_faults), n + 1);
		check_ok(evl_put_sem(&sem));
	}
	join_worker(&w);
}

static void fault_again(int sig)
{
	(void)sig;
	check_ok(evl_switch_oob());
	*(volatile char *)bad_address(16) = 1;
}

/* SIGSEGV is blocked in its handler, so that is the end. */
static void fault_in_fault(void *arg)
{
	(void)arg;
	signal(SIGSEGV, fault_again);
	attach_fifo(10);
	check_ok(evl_switch_oob());
	*(volatile char *)bad_address(8) = 1;
}

static void keep_spinning(struct worker *w)
{
	attach_worker(w);
	check_ok(evl_switch_oob());
	atomic_store(&enough, true);
	/* No stack for a handler. */
	asm volatile("mov $8, %%rsp\n1: pause\n jmp 1b" : : : "memory");
}

static void no_stack(void *arg)
{
	struct worker w = { .body = keep_spinning, .name = "target", .prio = 20, .cpu = other_cpu() };

	(void)arg;
	catch_signal(SIGUSR1, 0);
	start_worker(&w);
	await(atomic_load(&enough));
	signal_worker(&w, SIGUSR1);
	join_worker(&w);
}

static void faults_which_end(void)
{
	for (int n = 0; n < 3; n++) {
		wait_signal(fork_child(fault_in_fault, NULL), SIGSEGV);
		wait_signal(fork_child(no_stack, NULL), SIGSEGV);
	}
}

/* A request tells of its pointer by itself, whoever handles faults. */
static void fault_in_request(void)
{
	struct evl_thread_state *state;
	int efd;

	page = mmap(NULL, 4096, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	check(page != MAP_FAILED);
	handle(SIGSEGV, open_page, 0);
	efd = attach_fifo(10);
	state = (void *)page;
	for (int n = 0; n < 20; n++) {
		check_ok(evl_switch_oob());
		check_errno(oob_ioctl(efd, EVL_THRIOC_GET_STATE, state), EFAULT);
	}
	check_eq(atomic_load(&nr_faults), 0);
	check_sys(mprotect(page, 4096, PROT_READ | PROT_WRITE));
	check_sys(oob_ioctl(efd, EVL_THRIOC_GET_STATE, state));
}

static const struct CMUnitTest tests[] = {
	TEST(user_space, "in user space, which computes the same as without"),
	TEST(sleeps, "in sleeps, none of which is too short"),
	TEST(semaphores, "waiting for a semaphore: each unit is had once"),
	TEST(flag_groups, "for flags: each bit is had once"),
	TEST(events, "for events"),
	TEST(mutexes, "for a mutex, which is held by one at a time"),
	TEST(cross_buffers, "reading from a cross-buffer: nothing is lost"),
	TEST(full_cross_buffers, "writing to one which is full"),
	TEST(proxy_input, "reading from a proxy"),
	TEST(observables, "for notices"),
	TEST(poll_groups, "polling"),
	TEST(timers, "for ticks, all of which are told of"),
	TEST(fault_in_handler, "a fault in a handler is handled, and both return"),
	TEST(faults_which_end, "a fault in the handler of faults, or no stack for a handler, is the end: SIGSEGV"),
	TEST(fault_in_request, "a fault in a request is an error, and no signal"),
};

TEST_MAIN("signal-storm", tests)
