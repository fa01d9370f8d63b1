// SPDX-License-Identifier: GPL-2.0-only
/* The forms in which requests travel, and libraries of ABI 32 and 36 at work. */
#include "raw.h"
#include <poll.h>

#ifndef PR_SET_VMA
#define PR_SET_VMA		0x53564d41
#define PR_SET_VMA_ANON_NAME	0
#endif
#ifndef PR_SET_PTRACER
#define PR_SET_PTRACER		0x59616d61
#endif
#ifndef PR_GET_AUXV
#define PR_GET_AUXV		0x41555856
#endif

static struct raw_process process;
static struct raw_thread self;

static void attach(enum raw_form form, int prio)
{
	struct sched_param param = { .sched_priority = prio };

	check_ok(raw_init(&process, form == FORM_A ? 36 : 32));
	check_eq(pthread_setschedparam(pthread_self(), prio ? SCHED_FIFO : SCHED_OTHER, &param), 0);
	check_ok(raw_attach(&process, &self, form, "form", 0));
}

static bool inband(void)
{
	return self.window->state & EVL_T_INBAND;
}

static int64_t mono(void)
{
	struct timespec ts;

	check_sys(clock_gettime(CLOCK_MONOTONIC, &ts));
	return ts.tv_sec * NSEC_PER_SEC + ts.tv_nsec;
}

/* --- A program of its time: attach, sleep, use a bit of everything, detach -------------------------- */

static void use_clock(enum raw_form form)
{
	int64_t date = mono() + 2 * NSEC_PER_MSEC;
	struct __evl_timespec ts = { .tv_sec = date / NSEC_PER_SEC, .tv_nsec = date % NSEC_PER_SEC };

	check_eq(raw_oob_ioctl(form, process.monofd, EVL_CLKIOC_SLEEP, &ts), 0);
	check(!inband());
	check_ge(mono() + 3000, date);
	check_eq(raw_oob_ioctl(form, process.monofd, EVL_CLKIOC_GET_TIME, &ts), 0);
	check_ge(ts.tv_sec * NSEC_PER_SEC + ts.tv_nsec, date - 3000);
}

static void use_timer(enum raw_form form)
{
	int64_t date = mono() + 2 * NSEC_PER_MSEC;
	struct __evl_itimerspec its = {
		.it_value = { .tv_sec = date / NSEC_PER_SEC, .tv_nsec = date % NSEC_PER_SEC },
	};
	struct evl_timerfd_setreq req = { .value_ptr = raw_ptr(&its) };
	uint64_t ticks = 0;
	int tfd = -1;

	check_eq(raw_ioctl(process.monofd, EVL_CLKIOC_NEW_TIMER, &tfd), 0);
	check_eq(raw_ioctl(tfd, EVL_TFDIOC_SET, &req), 0);
	check_eq(raw_oob_read(form, tfd, &ticks, sizeof(ticks)), sizeof(ticks));
	check_eq(ticks, 1);
	check_eq(raw_oob_ioctl(form, tfd, EVL_TFDIOC_GET, &its), 0);
	close(tfd);
}

static void use_xbuf(enum raw_form form)
{
	char buf[8] = "";
	int fd = check_ok(raw_create_xbuf("form", 64, 64, EVL_CLONE_PUBLIC));

	check_eq(raw_oob_write(form, fd, "to", 2), 2);
	check_eq(read(fd, buf, 2), 2);
	check_str(buf, "to");
	check_eq(write(fd, "fro", 3), 3);
	check_eq(raw_oob_read(form, fd, buf, 3), 3);
	check_str(buf, "fro");
	check(!inband());
	close(fd);
}

static void use_proxy(enum raw_form form)
{
	char buf[8] = "";
	int fds[2], fd;

	check_sys(pipe(fds));
	fd = check_ok(raw_create_proxy("form", fds[1], 64, 0, EVL_CLONE_OUTPUT));
	check_eq(raw_oob_write(form, fd, "proxy", 5), 5);
	check(!inband());
	check_eq(read(fds[0], buf, 5), 5);
	check_str(buf, "proxy");
	close(fd);
}

static void use_thread(enum raw_form form)
{
	struct evl_sched_attrs attrs = { .sched_policy = SCHED_FIFO, .sched_priority = 20 };
	struct evl_thread_state state;
	uint32_t mode = EVL_T_WOLI;

	check_eq(raw_oob_ioctl(form, self.efd, EVL_THRIOC_SET_SCHEDPARAM, &attrs), 0);
	check_eq(raw_oob_ioctl(form, self.efd, EVL_THRIOC_GET_STATE, &state), 0);
	check_eq(state.eattrs.sched_priority, 20);
	check_eq(raw_oob_ioctl(form, self.efd, EVL_THRIOC_SET_MODE, &mode), 0);
	check_eq(raw_oob_ioctl(form, self.efd, EVL_THRIOC_CLEAR_MODE, &mode), 0);
	check_eq(raw_oob_ioctl(form, self.efd, EVL_THRIOC_YIELD, NULL), 0);
	check_eq(raw_oob_ioctl(form, self.efd, EVL_THRIOC_SWITCH_INBAND, NULL), 0);
	check(inband());
	check_eq(raw_oob_ioctl(form, self.efd, EVL_THRIOC_SWITCH_OOB, NULL), 0);
	check(!inband());
	check_eq(raw_ioctl(self.efd, EVL_THRIOC_SWITCH_INBAND, NULL), 0);
	check(inband());
}

static struct evl_monitor_state *state_at(const struct evl_element_ids *eids)
{
	return (void *)((char *)process.shared + eids->state_offset);
}

static const struct __evl_timespec no_limit, long_ago = { .tv_nsec = 1 };

static struct evl_monitor_waitreq wait_req(const struct __evl_timespec *date, int gatefd, int value)
{
	return (struct evl_monitor_waitreq){ .timeout_ptr = raw_ptr(date), .gatefd = gatefd, .value = value };
}

static void use_gate(enum raw_form form, unsigned int protocol, unsigned int ceiling)
{
	struct evl_monitor_unwaitreq unwait;
	struct evl_monitor_waitreq req;
	struct evl_element_ids eids = { 0 };
	volatile __u32 *owner;
	int gatefd, eventfd;

	gatefd = check_ok(raw_create_monitor("gate", EVL_MONITOR_GATE, protocol, ceiling, &eids));
	owner = &state_at(&eids)->u.gate.owner;
	check_eq(raw_oob_ioctl(form, gatefd, EVL_MONIOC_EXIT, NULL), -EPERM);
	check_eq(raw_oob_ioctl(form, gatefd, EVL_MONIOC_ENTER, &no_limit), 0);
	check_eq(evl_get_index(*owner), self.eids.fundle);
	check_eq(raw_oob_ioctl(form, gatefd, EVL_MONIOC_ENTER, &long_ago), -EDEADLK);
	check_eq(raw_oob_ioctl(form, gatefd, EVL_MONIOC_EXIT, NULL), 0);
	check_eq(*owner, 0);
	check_eq(raw_oob_ioctl(form, gatefd, EVL_MONIOC_TRYENTER, NULL), 0);
	check_eq(evl_get_index(*owner), self.eids.fundle);

	eventfd = check_ok(raw_create_monitor_on(0, "event", EVL_MONITOR_EVENT, EVL_EVENT_GATED, 0, &eids));
	req = wait_req(&long_ago, gatefd, 0);
	check_eq(raw_oob_ioctl(form, eventfd, EVL_MONIOC_WAIT, &req), 0);
	check_eq(req.status, -ETIMEDOUT);
	check_eq(evl_get_index(*owner), self.eids.fundle);
	check_eq(raw_oob_ioctl(form, gatefd, EVL_MONIOC_EXIT, NULL), 0);
	unwait.gatefd = gatefd;
	check_eq(raw_oob_ioctl(form, eventfd, EVL_MONIOC_UNWAIT, &unwait), 0);
	check_eq(evl_get_index(*owner), self.eids.fundle);
	check_eq(raw_oob_ioctl(form, self.efd, EVL_THRIOC_SIGNAL, &eventfd), 0);
	check_eq(raw_oob_ioctl(form, gatefd, EVL_MONIOC_EXIT, NULL), 0);
	check(!inband());
	close(eventfd);
	close(gatefd);
}

static void use_sem(enum raw_form form)
{
	struct evl_monitor_trywaitreq try = { 0 };
	struct evl_monitor_waitreq req;
	struct evl_element_ids eids = { 0 };
	volatile __u32 *value;
	__s32 one = 1;
	int fd;

	fd = check_ok(raw_create_monitor_on(process.monofd, "sem", EVL_MONITOR_EVENT, EVL_EVENT_COUNT, 1, &eids));
	value = &state_at(&eids)->u.event.value;
	check_eq(raw_oob_ioctl(form, fd, EVL_MONIOC_SIGNAL, &one), 0);
	check_eq(*value, 2);
	req = wait_req(&no_limit, -1, 1);
	check_eq(raw_oob_ioctl(form, fd, EVL_MONIOC_WAIT, &req), 0);
	check_eq(req.status, 0);
	check_eq(raw_oob_ioctl(form, fd, EVL_MONIOC_TRYWAIT, &try), 0);
	check_eq(*value, 0);
	check_eq(raw_oob_ioctl(form, fd, EVL_MONIOC_TRYWAIT, &try), -EAGAIN);
	req = wait_req(&long_ago, -1, 1);
	check_eq(raw_oob_ioctl(form, fd, EVL_MONIOC_WAIT, &req), -ETIMEDOUT);
	check_eq(req.status, -ETIMEDOUT);
	check_eq(raw_oob_ioctl(form, fd, EVL_MONIOC_BROADCAST, &one), 0);
	check_eq(*value, 0);
	check(!inband());
	close(fd);
}

static void use_flags(enum raw_form form)
{
	struct evl_monitor_trywaitreq try = { .value = 0x2 };
	__s32 posted = 0x1f, bits = 0;
	struct evl_monitor_waitreq req;
	struct evl_element_ids eids = { 0 };
	volatile __u32 *value;
	int fd;

	fd = check_ok(raw_create_monitor("flags", EVL_MONITOR_EVENT, EVL_EVENT_MASK, 0, &eids));
	value = &state_at(&eids)->u.event.value;
	check_eq(raw_oob_ioctl(form, fd, EVL_MONIOC_SIGNAL, &posted), 0);
	check_eq(*value, 0x1f);
	req = wait_req(&no_limit, -1, 0x21);
	check_eq(raw_oob_ioctl(form, fd, EVL_MONIOC_WAIT, &req), 0);
	check_eq(req.value, 0x1);
	check_eq(raw_oob_ioctl(form, fd, EVL_MONIOC_TRYWAIT, &try), 0);
	check_eq(try.value, 0x2);
	req = wait_req(&long_ago, -1, 0x24);
	check_eq(raw_oob_ioctl(form, fd, EVL_MONIOC_WAIT_EXACT, &req), -ETIMEDOUT);
	check_eq(req.status, -ETIMEDOUT);
	req = wait_req(&no_limit, -1, 0xc);
	check_eq(raw_oob_ioctl(form, fd, EVL_MONIOC_WAIT_EXACT, &req), 0);
	check_eq(*value, 0x10);
	try.value = 0x11;
	check_eq(raw_oob_ioctl(form, fd, EVL_MONIOC_TRYWAIT_EXACT, &try), -EAGAIN);
	check_eq(raw_oob_ioctl(form, fd, EVL_MONIOC_BROADCAST, &posted), 0);
	check_eq(raw_oob_read(form, fd, &bits, sizeof(bits)), sizeof(bits));
	check_eq(bits, 0x1f);
	check_eq(raw_oob_write(form, fd, &posted, sizeof(posted)), sizeof(posted));
	check_eq(*value, 0x1f);
	check(!inband());
	close(fd);
}

static long poll_ctl(enum raw_form form, int pfd, int action, int fd, unsigned int events)
{
	struct evl_poll_ctlreq req = {
		.action = action,
		.fd = fd,
		.events = events,
		.pollval.val = 1000 + fd,
	};

	return raw_oob_ioctl(form, pfd, EVL_POLIOC_CTL, &req);
}

static void use_poll(enum raw_form form)
{
	int semfd = check_ok(raw_create_monitor("polled", EVL_MONITOR_EVENT, EVL_EVENT_COUNT, 0, NULL));
	int pfd = check_sys(open("/dev/evl/poll", O_RDWR)), one = 1;
	struct evl_poll_event set[2];
	struct evl_poll_waitreq req = {
		.timeout_ptr = raw_ptr(&long_ago),
		.pollset_ptr = raw_ptr(set),
		.nrset = 2,
	};

	check_eq(poll_ctl(form, pfd, EVL_POLL_CTLADD, semfd, POLLIN), 0);
	check_eq(poll_ctl(form, pfd, EVL_POLL_CTLADD, semfd, POLLIN), -EEXIST);
	check_eq(raw_oob_ioctl(form, pfd, EVL_POLIOC_WAIT, &req), -ETIMEDOUT);
	check_eq(raw_oob_ioctl(form, semfd, EVL_MONIOC_SIGNAL, &one), 0);
	req.timeout_ptr = raw_ptr(&no_limit);
	check_eq(raw_oob_ioctl(form, pfd, EVL_POLIOC_WAIT, &req), 0);
	check_eq(req.nrset, 1);
	check_eq(set[0].fd, semfd);
	check_eq(set[0].events, POLLIN);
	check_eq(set[0].pollval.val, 1000 + semfd);
	check_eq(poll_ctl(form, pfd, EVL_POLL_CTLMOD, semfd, POLLOUT), 0);
	req.timeout_ptr = raw_ptr(&long_ago);
	req.nrset = 2;
	check_eq(raw_oob_ioctl(form, pfd, EVL_POLIOC_WAIT, &req), -ETIMEDOUT);
	check_eq(poll_ctl(form, pfd, EVL_POLL_CTLDEL, semfd, 0), 0);
	check_eq(poll_ctl(form, pfd, EVL_POLL_CTLDEL, semfd, 0), -ENOENT);
	check(!inband());
	close(pfd);
	close(semfd);
}

static void run_program(enum raw_form form)
{
	long ret;

	attach(form, 10);
	check(!inband());
	check_eq(self.window->state, EVL_T_USER);
	use_clock(form);
	use_timer(form);
	use_xbuf(form);
	use_proxy(form);
	use_gate(form, EVL_GATE_PI, 0);
	use_gate(form, EVL_GATE_PP, 50);
	use_sem(form);
	use_flags(form);
	use_poll(form);
	use_thread(form);
	check_eq(raw_detach(&self), 0);
	/* Not attached any more: the older form may not be told from an option nobody knows. */
	ret = raw_oob_ioctl(form, process.monofd, EVL_CLKIOC_GET_TIME, NULL);
	check(ret == -EPERM || (form == FORM_B && ret == -EINVAL));
}

static void library_of_abi_36(void)
{
	run_program(FORM_A);
}

static void library_of_abi_32(void)
{
	run_program(FORM_B);
}

static void weak_thread_of_abi_36(void)
{
	attach(FORM_A, 0);
	check_eq(self.window->state, EVL_T_USER | EVL_T_WEAK | EVL_T_INBAND);
	check_eq(raw_oob_ioctl(FORM_A, self.efd, EVL_THRIOC_YIELD, NULL), 0);
	check_eq(self.window->state, EVL_T_USER | EVL_T_WEAK | EVL_T_INBAND);
}

static void weak_thread_of_abi_32(void)
{
	attach(FORM_B, 0);
	check_eq(self.window->state, EVL_T_USER | EVL_T_WEAK | EVL_T_INBAND);
	check_eq(raw_oob_ioctl(FORM_B, self.efd, EVL_THRIOC_YIELD, NULL), 0);
	check_eq(self.window->state, EVL_T_USER | EVL_T_WEAK | EVL_T_INBAND);
}

/* On both stages, one form after the other. */
static void forms_mix(void)
{
	attach(FORM_A, 10);
	for (int i = 0; i < 20; i++) {
		check_eq(raw_oob_ioctl(i & 1 ? FORM_A : FORM_B, self.efd, EVL_THRIOC_YIELD, NULL), 0);
		check(!inband());
		if (i & 2) {
			getppid();
			syscall(SYS_getppid);
			check(inband());
		}
	}
}

/* Served, or unknown to the system call table: never anything else. */
static void oldest_form(void)
{
	long ret;

	attach(FORM_A, 10);
	ret = raw_oob_ioctl(FORM_C, self.efd, EVL_THRIOC_YIELD, NULL);
	if (ret)
		check_eq(ret, -ENOSYS);
	ret = raw_oob_ioctl(FORM_C, -1, EVL_THRIOC_YIELD, NULL);
	check(ret == -EBADF || ret == -ENOSYS);
	check_eq(raw_oob_ioctl(FORM_A, self.efd, EVL_THRIOC_YIELD, NULL), 0);
}

/* --- Edges of the encoding ------------------------------------------------------------------------------ */

static void unknown_numbers(void)
{
	static const int bad[] = { 3, 4, 100, 0x7fffffff, -1 };

	for (unsigned int i = 0; i < ARRAY_SIZE(bad); i++)
		check_errno(prctl(PR_OOB_SYSCALL, bad[i], 0, 0, 0), ENOSYS);
	attach(FORM_A, 10);
	for (unsigned int i = 0; i < ARRAY_SIZE(bad); i++)
		check_errno(prctl(PR_OOB_SYSCALL, bad[i], 0, 0, 0), ENOSYS);
	check(!inband());
}

/* A library passes the number as an int: the upper half of its register may hold anything. */
static void number_is_32_bit(void)
{
	attach(FORM_A, 10);
	check_eq(syscall(SYS_prctl, (long)PR_OOB_SYSCALL, 0xdead00000002L, (long)self.efd, (long)EVL_THRIOC_YIELD, 0L), 0);
	check_eq(syscall(SYS_prctl, (long)PR_OOB_SYSCALL, 2L, (long)self.efd,
			 0x7ead00000000L | EVL_THRIOC_YIELD, 0L), 0);
	check_eq(syscall(SYS_prctl, (long)PR_OOB_SYSCALL, 2L, 0x100000000L | self.efd, (long)EVL_THRIOC_YIELD, 0L), 0);
}

static void unattached_callers(void)
{
	check_ok(raw_init(&process, 36));
	for (int nr = 0; nr < 3; nr++) {
		check_eq(raw_request(FORM_A, nr, process.monofd, 0, 0), -EPERM);
		check_lt(raw_request(FORM_B, nr, process.monofd, 0, 0), 0);
		check(errno == EPERM || errno == EINVAL);
	}
}

static void other_prctl_options(void)
{
	char *page = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	unsigned long auxv[64];
	char name[16] = "";

	check(page != MAP_FAILED);
	for (int round = 0; round < 2; round++) {
		/* These have the bit of form B set. What the kernel does about them is its own business. */
		if (prctl(PR_SET_VMA, PR_SET_VMA_ANON_NAME, page, 4096, "named"))
			check_eq(errno, EINVAL);
		if (prctl(PR_SET_PTRACER, getpid(), 0, 0, 0))
			check_eq(errno, EINVAL);
		if (prctl(PR_GET_AUXV, auxv, sizeof(auxv), 0, 0) == -1)
			check_eq(errno, EINVAL);
		check_errno(prctl(EVL_OOB_SYSCALL_BIT | 3, 0, 0, 0, 0), EINVAL);
		check_errno(prctl(EVL_OOB_SYSCALL_BIT | 0x40000000, 0, 0, 0, 0), EINVAL);
		check_errno(prctl(EVL_OOB_SYSCALL_BIT | 0x102, 0, 0, 0, 0), EINVAL);
		check_sys(prctl(PR_GET_NAME, name));
		check_gt(strlen(name), 0);
		if (!round)
			attach(FORM_A, 10);
	}
	/* They are system calls, after all. */
	check(inband());
}

/* --- Stages of requests ------------------------------------------------------------------------------------ */

static void requests_on_the_wrong_stage(void)
{
	struct __evl_timespec ts = { 0 };
	struct evl_clone_req req = { 0 };
	int fd, clonefd;

	attach(FORM_A, 10);
	check_eq(raw_ioctl(self.efd, EVL_THRIOC_SWITCH_OOB, NULL), -ENOTTY);
	check_eq(raw_ioctl(self.efd, EVL_THRIOC_YIELD, NULL), -ENOTTY);
	check_eq(raw_ioctl(process.monofd, EVL_CLKIOC_SLEEP, &ts), -ENOTTY);
	check_eq(raw_oob_ioctl(FORM_A, self.efd, EVL_THRIOC_DETACH_SELF, NULL), -ENOTTY);
	check_eq(raw_oob_ioctl(FORM_A, self.efd, EVL_THRIOC_JOIN, NULL), -ENOTTY);
	check_eq(raw_oob_ioctl(FORM_A, process.monofd, EVL_CLKIOC_NEW_TIMER, &fd), -ENOTTY);
	clonefd = check_ok(raw_open_clone("xbuf"));
	check_lt(raw_oob_ioctl(FORM_A, clonefd, EVL_IOC_CLONE, &req), 0);
	check(!inband());
}

static void attached_twice(void)
{
	struct raw_thread other;

	attach(FORM_A, 10);
	check_eq(raw_attach(&process, &other, FORM_A, "other", 0), -EBUSY);
}

/* Whichever descriptor of a thread it is issued on, it is the caller who is detached. */
static void detach_by_any_descriptor(void)
{
	attach(FORM_A, 10);
	check_eq(raw_ioctl(check_sys(dup(self.efd)), EVL_THRIOC_DETACH_SELF, NULL), 0);
	check_eq(raw_ioctl(self.efd, EVL_THRIOC_DETACH_SELF, NULL), -ESTALE);
}

static const struct CMUnitTest tests[] = {
	TEST(library_of_abi_36, "a program with a library of ABI 36"),
	TEST(library_of_abi_32, "a program with a library of ABI 32"),
	TEST(weak_thread_of_abi_36, "a weak thread with a library of ABI 36"),
	TEST(weak_thread_of_abi_32, "a weak thread with a library of ABI 32"),
	TEST(forms_mix, "both forms in one program, on both stages"),
	TEST(oldest_form, "the oldest form is served, or unknown"),
	TEST(unknown_numbers, "requests of unknown number are ENOSYS, attached or not"),
	TEST(number_is_32_bit, "only half of a register counts, where values are 32-bit"),
	TEST(unattached_callers, "a caller which is not attached is EPERM"),
	TEST(other_prctl_options, "other options of prctl are left alone"),
	TEST(requests_on_the_wrong_stage, "requests on the wrong stage are ENOTTY"),
	TEST(attached_twice, "attaching twice is EBUSY"),
	TEST(detach_by_any_descriptor, "detaching through any descriptor of the thread"),
};

TEST_MAIN("forms", tests)
