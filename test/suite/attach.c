// SPDX-License-Identifier: GPL-2.0-only
/* Attaching threads: policies, names, visibility, errors; and detaching them. */
#include "helpers.h"
#include <linux/capability.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/time.h>

#define BIT_OF(__cap)	(1U << (__cap))
#define RAISED		(BIT_OF(CAP_SYS_NICE) | BIT_OF(CAP_IPC_LOCK) | BIT_OF(CAP_SYS_RAWIO))

/* --- Policies ------------------------------------------------------------------ */

static void attach_as(int policy, int prio, int want_policy)
{
	struct evl_sched_attrs attrs;
	int efd;

	become(policy, prio);
	efd = check_ok(evl_attach_self("policy:%d", getpid()));
	check_eq(evl_is_inband(), want_policy == SCHED_WEAK);
	attrs = attrs_of(efd);
	check_eq(attrs.sched_policy, want_policy);
	check_eq(attrs.sched_priority, prio);
	attrs = state_of(efd).eattrs;
	check_eq(attrs.sched_policy, want_policy);
	check_eq(attrs.sched_priority, prio);
}

static void from_other(void)
{
	attach_as(SCHED_OTHER, 0, SCHED_WEAK);
}

static void from_batch(void)
{
	attach_as(SCHED_BATCH, 0, SCHED_WEAK);
}

static void from_idle(void)
{
	attach_as(SCHED_IDLE, 0, SCHED_WEAK);
}

static void from_fifo(void)
{
	attach_as(SCHED_FIFO, 8, SCHED_FIFO);
}

static void from_fifo_edges(void)
{
	attach_as(SCHED_FIFO, 1, SCHED_FIFO);
	check_ok(evl_detach_self());
	attach_as(SCHED_FIFO, 99, SCHED_FIFO);
}

/* As rtkit and systemd do it. The flag is about children. */
static void from_reset_on_fork(void)
{
	struct sched_param param = { .sched_priority = 7 };

	check_sys(sched_setscheduler(0, SCHED_RR | SCHED_RESET_ON_FORK, &param));
	check_ok(evl_attach_self("rr:%d", getpid()));
	check_eq(attrs_of(evl_get_self()).sched_policy, SCHED_RR);
	check_eq(attrs_of(evl_get_self()).sched_priority, 7);
	check_ok(evl_detach_self());
	param.sched_priority = 0;
	check_sys(sched_setscheduler(0, SCHED_OTHER | SCHED_RESET_ON_FORK, &param));
	check_ok(evl_attach_self("other:%d", getpid()));
	check_eq(attrs_of(evl_get_self()).sched_policy, SCHED_WEAK);
	check_eq(attrs_of(evl_get_self()).sched_priority, 0);
}

/* The C library remembers what a thread was, unless told by its own call. */
static void from_what_it_became(void)
{
	struct sched_param param = { .sched_priority = 20 };
	int policy;

	check_eq(pthread_getschedparam(pthread_self(), &policy, &param), 0);
	param.sched_priority = 20;
	check_sys(sched_setscheduler(0, SCHED_FIFO, &param));
	check_ok(evl_attach_self("became:%d", getpid()));
	check_eq(attrs_of(evl_get_self()).sched_policy, SCHED_FIFO);
	check_eq(attrs_of(evl_get_self()).sched_priority, 20);
}

static void ignore_alarm(int sig)
{
	(void)sig;
}

/* Nothing in here waits. */
static void under_signals(void)
{
	struct itimerval often = { { 0, 200 }, { 0, 200 } }, never = { { 0, 0 }, { 0, 0 } };
	struct sigaction sa = { .sa_handler = ignore_alarm };

	check_ok(evl_init());
	become(SCHED_FIFO, 5);
	check_sys(sigaction(SIGALRM, &sa, NULL));
	check_sys(setitimer(ITIMER_REAL, &often, NULL));
	for (int n = 0; n < 200; n++) {
		check_ok(evl_attach_self("under:%d", getpid()));
		check_ok(evl_switch_inband());
		check_ok(evl_switch_oob());
		check_ok(set_fifo(evl_get_self(), 6));
		check_ok(evl_detach_self());
	}
	check_sys(setitimer(ITIMER_REAL, &never, NULL));
}

static void from_rr(void)
{
	int efd;

	become(SCHED_RR, 5);
	efd = check_ok(evl_attach_self("rr:%d", getpid()));
	check(!evl_is_inband());
	check(attrs_of(efd).sched_policy == SCHED_RR || attrs_of(efd).sched_policy == SCHED_FIFO);
	check_eq(attrs_of(efd).sched_priority, 5);
}

/* --- Effects on the thread -------------------------------------------------------- */

static void descriptor_flags(void)
{
	int efd = attach_weak();

	check_eq(evl_get_self(), efd);
	check(fcntl(efd, F_GETFD) & FD_CLOEXEC);
	check(!is_nonblocking(efd));
	check_ok(evl_detach_self());
	efd = check_ok(evl_attach_thread(EVL_CLONE_NONBLOCK, "nonblock:%d", getpid()));
	check(is_nonblocking(efd));
	check(fcntl(efd, F_GETFD) & FD_CLOEXEC);
	check_ok(evl_detach_self());
	efd = check_ok(evl_attach_thread(EVL_CLONE_PUBLIC, "public:%d", getpid()));
	check(fcntl(efd, F_GETFD) & FD_CLOEXEC);
}

static void task_takes_the_name(void)
{
	char comm[16] = "";

	check_ok(evl_attach_self("a-name-of-over-fifteen:%d", getpid()));
	check_sys(prctl(PR_GET_NAME, comm));
	check_str(comm, "a-name-of-over-");
}

static void is_pinned(void)
{
	cpu_set_t set;
	int cpu, efd;

	for (cpu = 0; cpu <= other_cpu(); cpu++) {
		pin_to(cpu);
		efd = check_ok(evl_attach_self("pinned:%d", getpid()));
		check_sys(sched_getaffinity(0, sizeof(set), &set));
		check_eq(CPU_COUNT(&set), 1);
		check(CPU_ISSET(cpu, &set));
		check_eq(state_of(efd).cpu, cpu);
		check_ok(evl_detach_self());
	}
}

static void wide_affinity_is_narrowed(void)
{
	cpu_set_t set;
	int efd;

	CPU_ZERO(&set);
	CPU_SET(0, &set);
	CPU_SET(other_cpu(), &set);
	check_sys(sched_setaffinity(0, sizeof(set), &set));
	efd = attach_weak();
	check_sys(sched_getaffinity(0, sizeof(set), &set));
	check_eq(CPU_COUNT(&set), 1);
	check(CPU_ISSET(state_of(efd).cpu, &set));
}

static void get_caps(struct __user_cap_data_struct *data)
{
	struct __user_cap_header_struct head = { .version = _LINUX_CAPABILITY_VERSION_3 };

	check_sys(syscall(SYS_capget, &head, data));
}

static void set_caps(struct __user_cap_data_struct *data)
{
	struct __user_cap_header_struct head = { .version = _LINUX_CAPABILITY_VERSION_3 };

	check_sys(syscall(SYS_capset, &head, data));
}

static void raises_capabilities(void)
{
	struct __user_cap_data_struct caps[2];

	check_ok(evl_init());
	get_caps(caps);
	caps[0].effective &= ~BIT_OF(CAP_SYS_NICE);
	set_caps(caps);
	attach_weak();
	get_caps(caps);
	check_eq(caps[0].effective & RAISED, RAISED);
	check_ok(evl_usleep(1));
	/* Those it had stay, the one it got goes. */
	check_ok(evl_detach_self());
	get_caps(caps);
	check_eq(caps[0].effective & RAISED, RAISED & ~BIT_OF(CAP_SYS_NICE));
}

static void lost_capability_is_eperm(void)
{
	struct __user_cap_data_struct caps[2];

	attach_weak();
	check_ok(evl_usleep(1));
	get_caps(caps);
	caps[0].effective &= ~BIT_OF(CAP_SYS_NICE);
	set_caps(caps);
	check_eq(evl_usleep(1), -EPERM);
}

/* --- Names -------------------------------------------------------------------------- */

static void private_has_no_node(void)
{
	attach_weak();
	check(has_element("thread", own_name("weak")));
	check(!has_node("thread", own_name("weak")));
}

static void slash_makes_public(void)
{
	check_ok(evl_attach_self("/slash:%d", getpid()));
	check(has_element("thread", own_name("slash")));
	check(has_node("thread", own_name("slash")));
	check_ok(evl_detach_self());
	check(!has_node("thread", own_name("slash")));
	check(!has_element("thread", own_name("slash")));
}

static void flag_makes_public(void)
{
	check_ok(evl_attach_thread(EVL_CLONE_PUBLIC, "flag:%d", getpid()));
	check(has_node("thread", own_name("flag")));
}

static void anonymous_is_private(void)
{
	const char *name;

	check_ok(evl_attach_thread(EVL_CLONE_PRIVATE, NULL));
	name = first_element("thread");
	check(name);
	check_eq(strncmp(name, "thread%", 7), 0);
	check(!has_node("thread", name));
	check_ok(evl_detach_self());
	check_eq(evl_attach_thread(EVL_CLONE_PUBLIC, NULL), -EINVAL);
}

static void hold_name(struct worker *w)
{
	attach_worker(w);
	await(atomic_load((atomic_bool *)w->arg));
}

static void name_in_use(void)
{
	atomic_bool stop = false;
	struct worker w = { .body = hold_name, .name = "taken", .arg = &stop };

	start_worker(&w);
	await(atomic_load(&w.attached));
	check_eq(evl_attach_self("taken:%d", getpid()), -EEXIST);
	check_eq(evl_attach_self("/taken:%d", getpid()), -EEXIST);
	check_eq(evl_get_self(), -EPERM);
	atomic_store(&stop, true);
	join_worker(&w);
	check_ok(evl_attach_self("taken:%d", getpid()));
}

static void bad_names(void)
{
	char *name = malloc(2 * PATH_MAX);

	check(name);
	check_eq(evl_attach_self("in/side:%d", getpid()), -EINVAL);
	check_eq(evl_attach_self("/in/side:%d", getpid()), -EINVAL);
	check_eq(evl_attach_self("//%d", getpid()), -EINVAL);
	check_lt(evl_attach_self("%s", ""), 0);
	check_lt(evl_attach_self("/"), 0);
	check_lt(evl_attach_self("."), 0);
	check_lt(evl_attach_self("/.."), 0);
	memset(name, 'n', 2 * PATH_MAX);
	name[2 * PATH_MAX - 1] = '\0';
	check_eq(evl_attach_self("%s", name), -ENAMETOOLONG);
	check_eq(evl_attach_self("/%s", name), -ENAMETOOLONG);
	check_eq(evl_get_self(), -EPERM);
	attach_weak();
}

static void longest_name(void)
{
	char name[257];

	memset(name, 'n', sizeof(name));
	name[255] = '\0';
	check_ok(evl_attach_self("/%s", name));
	check(has_node("thread", name));
	check(has_element("thread", name));
}

/* --- Errors ----------------------------------------------------------------------------- */

static void bad_flags(void)
{
	check_eq(evl_attach_thread(EVL_CLONE_INPUT, "bad:%d", getpid()), -EINVAL);
	check_eq(evl_attach_thread(EVL_CLONE_OUTPUT, "bad:%d", getpid()), -EINVAL);
	check_eq(evl_attach_thread(EVL_CLONE_UNICAST, "bad:%d", getpid()), -EINVAL);
	check_eq(evl_get_self(), -EPERM);
}

static void attached_already(void)
{
	int efd = attach_weak();

	check_eq(evl_attach_self("twice:%d", getpid()), -EBUSY);
	check_eq(evl_get_self(), efd);
	check_ok(evl_usleep(1));
	check(!has_element("thread", own_name("twice")));
}

/* The caller keeps its name and its CPUs, too. */
static void out_of_descriptors(void)
{
	char before[16], after[16];
	struct rlimit limit;
	cpu_set_t set;
	int fd, used = 0, count;

	check_ok(evl_init());
	check_sys(prctl(PR_GET_NAME, before));
	check_sys(sched_getaffinity(0, sizeof(set), &set));
	count = CPU_COUNT(&set);
	check_sys(getrlimit(RLIMIT_NOFILE, &limit));
	limit.rlim_cur = 64;
	check_sys(setrlimit(RLIMIT_NOFILE, &limit));
	while ((fd = dup(0)) >= 0)
		used = fd;
	check_eq(evl_attach_self("crowded:%d", getpid()), -EMFILE);
	/* Room for the clone device, not for the thread. */
	close(used);
	check_eq(evl_attach_self("crowded:%d", getpid()), -EMFILE);
	check(evl_is_inband());
	check_eq(evl_get_self(), -EPERM);
	check_sys(prctl(PR_GET_NAME, after));
	check_str(after, before);
	check_sys(sched_getaffinity(0, sizeof(set), &set));
	check_eq(CPU_COUNT(&set), count);
	close(used - 1);
	check_ok(evl_attach_self("crowded:%d", getpid()));
}

static void memory_unlocked(void)
{
	check_ok(evl_init());
	check_sys(munlockall());
	check_eq(evl_attach_self("swappable:%d", getpid()), -EINVAL);
	check(!has_element("thread", own_name("swappable")));
	check_sys(mlockall(MCL_CURRENT));
	check_eq(evl_attach_self("swappable:%d", getpid()), -EINVAL);
	check_sys(mlockall(MCL_CURRENT | MCL_FUTURE));
	check_ok(evl_attach_self("swappable:%d", getpid()));
}

static void calls_of_unattached(void)
{
	struct timespec ts = { 0 };
	char c;

	check_ok(evl_init());
	check_eq(evl_usleep(1), -EPERM);
	check_eq(evl_sleep_until(EVL_CLOCK_MONOTONIC, &ts), -EPERM);
	check_eq(evl_yield(), -EPERM);
	check_eq(evl_switch_oob(), -EPERM);
	check_eq(evl_switch_inband(), -EPERM);
	check_errno(oob_read(0, &c, 1), EPERM);
	check_errno(oob_write(1, &c, 1), EPERM);
	check_errno(oob_ioctl(0, EVL_CLKIOC_SLEEP, &ts), EPERM);
	check(evl_is_inband());
}

/* --- Detaching ----------------------------------------------------------------------------- */

static void detach_errors(void)
{
	check_eq(evl_detach_self(), -EPERM);
	attach_weak();
	check_eq(evl_detach_thread(1), -EINVAL);
	check_ge(evl_get_self(), 0);
	check_ok(evl_detach_thread(0));
	check_eq(evl_detach_self(), -EPERM);
	check_eq(evl_get_self(), -EPERM);
	check(evl_is_inband());
	check_eq(evl_usleep(1), -EPERM);
}

static void detach_and_attach_again(void)
{
	for (int i = 0; i < 50; i++) {
		if (i & 1)
			attach_weak();
		else
			attach_fifo(1 + i % 99);
		check_ok(evl_usleep(1));
		check_ok(evl_detach_self());
		check(!has_element("thread", own_name(i & 1 ? "weak" : "fifo")));
		become(SCHED_OTHER, 0);
	}
}

static void stale_requests(int efd)
{
	struct evl_sched_attrs attrs = { .sched_policy = SCHED_FIFO, .sched_priority = 1 };
	struct evl_thread_state state;
	int mask;

	check_eq(evl_get_state(efd, &state), -ESTALE);
	check_eq(evl_get_schedattr(efd, &attrs), -ESTALE);
	check_eq(evl_set_schedattr(efd, &attrs), -ESTALE);
	check_eq(evl_unblock_thread(efd), -ESTALE);
	check_eq(evl_demote_thread(efd), -ESTALE);
	check_eq(evl_set_thread_mode(efd, EVL_T_WOSS, &mask), -ESTALE);
	check_eq(evl_clear_thread_mode(efd, EVL_T_WOSS, &mask), -ESTALE);
	check_errno(ioctl(efd, EVL_THRIOC_DETACH_SELF), ESTALE);
}

static void refuse_descriptor(int fd)
{
	struct evl_sched_attrs attrs = { .sched_policy = SCHED_FIFO, .sched_priority = 1 };
	struct evl_thread_state state;
	int mask;

	check_eq(evl_get_state(fd, &state), -EBADF);
	check_eq(evl_get_schedattr(fd, &attrs), -EBADF);
	check_eq(evl_set_schedattr(fd, &attrs), -EBADF);
	check_eq(evl_unblock_thread(fd), -EBADF);
	check_eq(evl_demote_thread(fd), -EBADF);
	check_eq(evl_set_thread_mode(fd, EVL_T_WOSS, &mask), -EBADF);
	check_eq(evl_clear_thread_mode(fd, EVL_T_WOSS, &mask), -EBADF);
}

static void descriptors_of_other_things(void)
{
	int fds[6], pipefds[2], tty, slave;
	struct evl_mutex mutex;
	struct evl_event event;
	char c;

	check_ok(evl_init());
	check_sys(pipe(pipefds));
	tty = check_sys(open("/dev/ptmx", O_RDWR | O_NOCTTY | O_NONBLOCK));
	check_eq(grantpt(tty), 0);
	check_eq(unlockpt(tty), 0);
	slave = check_sys(open(ptsname(tty), O_RDWR | O_NOCTTY | O_NONBLOCK));
	check_ok(evl_new_mutex(&mutex, "mutex:%d", getpid()));
	check_ok(evl_new_event(&event, "event:%d", getpid()));
	fds[0] = -1;
	fds[1] = check_sys(open("/dev/null", O_RDWR));
	fds[2] = pipefds[0];
	fds[3] = slave;
	fds[4] = check_ok(evl_new_xbuf(64, "xbuf:%d", getpid()));
	fds[5] = check_ok(evl_open_element("clock", "monotonic"));

	for (unsigned int i = 0; i < ARRAY_SIZE(fds); i++)
		refuse_descriptor(fds[i]);
	/* The terminal did not take a request for one of its own, to stop output for instance. */
	check_eq(write(slave, "!", 1), 1);
	await(read(tty, &c, 1) == 1);

	attach_fifo(1);
	for (unsigned int i = 0; i < ARRAY_SIZE(fds); i++) {
		check_ok(evl_switch_oob());
		refuse_descriptor(fds[i]);
		check_ok(evl_lock_mutex(&mutex));
		check_eq(evl_signal_thread(&event, fds[i]), -EBADF);
		check_ok(evl_unlock_mutex(&mutex));
		check(!evl_is_inband());
	}
}

static void stale_after_detach(void)
{
	int efd = dup(attach_weak());

	check_ok(evl_detach_self());
	stale_requests(efd);
	/* Out-of-band too. */
	attach_fifo(1);
	check_ok(evl_switch_oob());
	stale_requests(efd);
}

static void attach_and_exit(struct worker *w)
{
	attach_worker(w);
	w->result = check_sys(dup(w->efd));
}

static void stale_after_exit(void)
{
	struct worker w = { .body = attach_and_exit, .name = "gone", .prio = 1 };

	start_worker(&w);
	join_worker(&w);
	stale_requests(w.result);
	close(w.result);
	check(!has_element("thread", own_name("gone")));
}

static void closing_does_not_detach(void)
{
	int efd = attach_fifo(1);

	check_sys(close(efd));
	check(has_element("thread", own_name("fifo")));
	check_ok(evl_usleep(1));
	check(!evl_is_inband());
}

static const struct CMUnitTest tests[] = {
	TEST(from_other, "SCHED_OTHER becomes weak, in-band"),
	TEST(from_batch, "SCHED_BATCH becomes weak, in-band"),
	TEST(from_idle, "SCHED_IDLE becomes weak, in-band"),
	TEST(from_fifo, "SCHED_FIFO keeps its priority, out-of-band"),
	TEST(from_fifo_edges, "so do the lowest and the highest priority"),
	TEST(from_rr, "SCHED_RR keeps its priority, out-of-band"),
	TEST(under_signals, "signals do not keep a thread from attaching"),
	TEST(from_reset_on_fork, "whatever children are to get"),
	TEST(from_what_it_became, "and whatever the C library remembers"),
	TEST(descriptor_flags, "the descriptor is close-on-exec, non-blocking if asked for"),
	TEST(task_takes_the_name, "the task is renamed after the thread"),
	TEST(is_pinned, "the thread is pinned on the CPU where it was"),
	TEST(wide_affinity_is_narrowed, "a wide affinity is narrowed to one CPU"),
	TEST(raises_capabilities, "missing capabilities come with attaching and go with detaching"),
	TEST(lost_capability_is_eperm, "requests without CAP_SYS_NICE are -EPERM"),
	TEST(private_has_no_node, "a private thread shows in sysfs, not in /dev/evl"),
	TEST(slash_makes_public, "a leading slash makes a thread public"),
	TEST(flag_makes_public, "EVL_CLONE_PUBLIC makes a thread public"),
	TEST(anonymous_is_private, "no name gives a private thread with a made-up one"),
	TEST(name_in_use, "a name in use is -EEXIST, public or private, until it is free"),
	TEST(bad_names, "slashes inside are -EINVAL, endless names -ENAMETOOLONG"),
	TEST(longest_name, "255 characters make a good name"),
	TEST(bad_flags, "flags of other classes are -EINVAL"),
	TEST(attached_already, "attaching twice is -EBUSY and changes nothing"),
	TEST(out_of_descriptors, "no descriptor left is -EMFILE and changes nothing"),
	TEST(memory_unlocked, "memory not locked for good is -EINVAL"),
	TEST(calls_of_unattached, "out-of-band calls of others are -EPERM"),
	TEST(detach_errors, "detaching has errors of its own"),
	TEST(detach_and_attach_again, "detaching and attaching again works"),
	TEST(descriptors_of_other_things, "a descriptor of something else is -EBADF, on both stages"),
	TEST(stale_after_detach, "a detached thread is -ESTALE"),
	TEST(stale_after_exit, "so is one that exited"),
	TEST(closing_does_not_detach, "closing the descriptor does not detach"),
};

TEST_MAIN("attach", tests)
