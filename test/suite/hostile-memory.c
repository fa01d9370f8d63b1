// SPDX-License-Identifier: GPL-2.0-only
/* Memory which changes while the core looks at it. */
#include "hostile.h"
#include <semaphore.h>
#include <sys/time.h>

static atomic_bool flipping, stop;
static pthread_t flipper;

/* Waits until it is at it, on another CPU: a thread which is busy out-of-band would not let it get there. */
static void start_flipper(void *(*flip)(void *), void *arg)
{
	check_eq(pthread_create(&flipper, NULL, flip, arg), 0);
	await(atomic_load(&flipping));
}

static void stop_flipper(void)
{
	atomic_store(&stop, true);
	check_eq(pthread_join(flipper, NULL), 0);
}

static bool keep_flipping(void)
{
	if (!atomic_load(&flipping)) {
		pin_to(other_cpu());
		atomic_store(&flipping, true);
	}
	return !atomic_load(&stop);
}

static void *flip_request(void *arg)
{
	struct evl_clone_req *req = arg;

	while (keep_flipping()) {
		req->clone_flags ^= EVL_CLONE_PUBLIC | 1;
		req->name_ptr ^= 0xffff000000000000;
		req->attrs_ptr ^= 0x8;
		req->efd = 0;
	}
	return NULL;
}

/* Each request works, or fails with an error; what it makes is what it says. */
static void clone_request_in_motion(void)
{
	struct evl_xbuf_attrs attrs[2] = { { 64, 64 }, { 0, 0 } };
	struct evl_clone_req req = { 0 };
	long ret;
	int fd;

	start_flipper(flip_request, &req);
	for (int i = 0; i < 300; i++) {
		fd = check_ok(raw_open_clone("xbuf"));
		req.name_ptr = raw_ptr("motion");
		req.attrs_ptr = raw_ptr(attrs);
		req.clone_flags = i & 1 ? EVL_CLONE_PUBLIC : 0;
		ret = raw_ioctl(fd, EVL_IOC_CLONE, &req);
		if (ret)
			check(ret == -EFAULT || ret == -EINVAL || ret == -EEXIST);
		close(fd);
		/* A private descriptor may have been told to memory which changed since. */
		for (fd = 3; fd < 20; fd++) {
			char path[64], link[64] = "";

			snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
			if (readlink(path, link, sizeof(link) - 1) > 0 && strstr(link, "motion"))
				close(fd);
		}
		check_ne(access("/sys/devices/virtual/xbuf/motion", F_OK), 0);
	}
	stop_flipper();
}

static void *flip_name(void *arg)
{
	volatile char *name = arg;

	while (keep_flipping()) {
		name[0] = '/';
		name[2] = '\0';
		name[0] = 'm';
		name[2] = 'v';
		name[4] = 'x';
		name[4] = '\0';
	}
	return NULL;
}

static void name_in_motion(void)
{
	char name[8] = "move";

	start_flipper(flip_name, name);
	for (int i = 0; i < 300; i++) {
		int fd = raw_create_xbuf(name, 64, 64, 0);

		if (fd >= 0)
			close(fd);
		else
			check(fd == -EINVAL || fd == -EEXIST || fd == -ENOENT);
	}
	stop_flipper();
	check(!first_element("xbuf"));
}

struct motion {
	struct evl_monitor_waitreq wait;
	struct evl_poll_waitreq poll;
	struct evl_poll_ctlreq control;
	struct evl_monitor_trywaitreq try;
	struct __evl_timespec date;
};

/* Dates are over or wrong, never that which means no limit. */
static void *flip_requests(void *arg)
{
	static const int numbers[] = { -1, 0, 1, 2, 3, INT_MAX, INT_MIN };
	volatile struct motion *m = arg;

	for (unsigned int n = 0; keep_flipping(); n++) {
		m->wait.timeout_ptr ^= 0xffff000000000000;
		m->wait.gatefd = n & 1 ? gate.fd : n & 2 ? -1 : semaphore.fd;
		m->wait.status = n;
		m->wait.value = n;
		m->poll.timeout_ptr ^= 0xffff000000000000;
		m->poll.pollset_ptr ^= n & 4 ? 0xffff000000000000 : 0;
		m->poll.nrset = n & 3 ? 2 : -1;
		m->control.action = numbers[n % 5];
		m->control.fd = n & 8 ? flags.fd : n & 1 ? group : numbers[n % ARRAY_SIZE(numbers)];
		m->try.value = numbers[n % ARRAY_SIZE(numbers)];
		m->date.tv_nsec = n & 1 ? 1 : n & 2 ? -1 : NSEC_PER_SEC;
	}
	return NULL;
}

/* One of the codes that @codes lists up to the first 0, or 0. */
static bool is_one_of(long ret, const int *codes)
{
	while (*codes && ret != *codes)
		codes++;
	return ret == *codes;
}

#define check_one_of(__ret, ...)							\
	do {										\
		long __r = (__ret);							\
		if (!is_one_of(__r, (const int []){ __VA_ARGS__, 0 }))			\
			check_fail("%s: %ld", #__ret, __r);				\
	} while (0)

static void wait_requests_in_motion(void)
{
	struct motion m = { .date.tv_nsec = 1, .wait.gatefd = -1 };

	attach("hostile");
	new_monitors(0, 0);
	m.wait.timeout_ptr = raw_ptr(&m.date);
	start_flipper(flip_requests, &m);
	for (int i = 0; i < 300; i++) {
		check_eq(raw_oob_ioctl(FORM_A, gate.fd, EVL_MONIOC_TRYENTER, NULL), 0);
		check_one_of(raw_oob_ioctl(FORM_A, event.fd, EVL_MONIOC_WAIT, &m.wait), -EFAULT, -EINVAL);
		check_one_of(raw_oob_ioctl(FORM_A, semaphore.fd, EVL_MONIOC_WAIT, &m.wait),
			     -EFAULT, -EINVAL, -ETIMEDOUT);
		check_one_of(raw_oob_ioctl(FORM_A, flags.fd, EVL_MONIOC_WAIT_EXACT, &m.wait),
			     -EFAULT, -EINVAL, -ETIMEDOUT);
		/* No wait lost what its caller held. */
		check_eq(raw_oob_ioctl(FORM_A, gate.fd, EVL_MONIOC_EXIT, NULL), 0);
		check_one_of(raw_oob_ioctl(FORM_A, gate.fd, EVL_MONIOC_ENTER, &m.date), -EINVAL);
		check_one_of(raw_oob_ioctl(FORM_A, gate.fd, EVL_MONIOC_EXIT, NULL), -EPERM);
		check_eq(semaphore.state->u.event.value, 0);
		check_eq(flags.state->u.event.value, 0);
	}
	stop_flipper();
	check_eq(gate.state->u.gate.owner, 0);
}

/* Of eight bits, those which were taken are those which are gone, whatever the number that tells which ones. */
static void tries_in_motion(void)
{
	struct motion m = { 0 };
	int bits = 0xff;

	attach("hostile");
	new_monitors(0, bits);
	start_flipper(flip_requests, &m);
	for (int i = 0; i < 300; i++) {
		check_one_of(raw_ioctl(flags.fd, EVL_MONIOC_TRYWAIT_EXACT, &m.try), -EAGAIN);
		check_one_of(raw_oob_ioctl(FORM_A, flags.fd, EVL_MONIOC_TRYWAIT, &m.try), -EAGAIN);
		check_eq(flags.state->u.event.value & ~bits, 0);
		check_eq(raw_oob_ioctl(FORM_A, flags.fd, EVL_MONIOC_SIGNAL, &bits), 0);
		check_eq(flags.state->u.event.value, bits);
		check_one_of(raw_oob_ioctl(FORM_A, semaphore.fd, EVL_MONIOC_SIGNAL, &m.try), 0);
		check_one_of(raw_oob_ioctl(FORM_A, semaphore.fd, EVL_MONIOC_TRYWAIT, &m.try), -EAGAIN);
	}
	stop_flipper();
}

/* Room for two events is room for two. */
static void poll_requests_in_motion(void)
{
	struct evl_poll_event evs[8], untouched[6];
	struct motion m = { .date.tv_nsec = 1 };

	attach("hostile");
	new_monitors(3, 5);
	new_group();
	memset(evs, 0x5a, sizeof(evs));
	memset(untouched, 0x5a, sizeof(untouched));
	for (int i = 0; i < 6; i++)
		check_eq(control_group(EVL_POLL_CTLADD, check_sys(dup(semaphore.fd))), 0);
	m.poll.timeout_ptr = raw_ptr(&m.date);
	m.poll.pollset_ptr = raw_ptr(evs);
	start_flipper(flip_requests, &m);
	for (int i = 0; i < 300; i++) {
		check_one_of(raw_oob_ioctl(FORM_A, group, EVL_POLIOC_WAIT, &m.poll), -EFAULT, -EINVAL);
		check_eq(memcmp(&evs[2], untouched, sizeof(untouched)), 0);
		check_one_of(raw_oob_ioctl(FORM_A, group, EVL_POLIOC_CTL, &m.control),
			     -EBADF, -EEXIST, -ENOENT, -EINVAL, -ELOOP);
	}
	stop_flipper();
	check_ge(look_at_group(evs, 8), 6);
}

static struct monitor ceiling;
static struct raw_thread other;

static sem_t another_ready, another_done;

static void wait_sem(sem_t *sem)
{
	while (sem_wait(sem))
		;
}

static void *be_another(void *arg)
{
	struct sched_param param = { 0 };

	(void)arg;
	check_eq(pthread_setschedparam(pthread_self(), SCHED_OTHER, &param), 0);
	check_ok(raw_attach(&process, &other, FORM_A, "another", 0));
	sem_post(&another_ready);
	wait_sem(&another_done);
	check_eq(raw_detach(&other), 0);
	return NULL;
}

/* The states of monitors, and the ceiling which this thread is about to have: what could be, and what could not. */
static void *scribble_states(void *arg)
{
	volatile struct evl_user_window *window = self.window;
	const unsigned int owners[] = {
		0, self.eids.fundle, other.eids.fundle, 0x3fffffff, gate.fundle, ceiling.fundle,
	};
	unsigned int seed = 1;
	sigset_t all;

	(void)arg;
	sigfillset(&all);
	pthread_sigmask(SIG_BLOCK, &all, NULL);
	while (keep_flipping()) {
		seed = seed * 1103515245 + 12345;
		gate.state->u.gate.owner = owners[(seed >> 8) % ARRAY_SIZE(owners)] | (seed & 0xc0000000);
		gate.state->flags = seed >> 16;
		ceiling.state->u.gate.owner = owners[(seed >> 12) % ARRAY_SIZE(owners)] | (seed & 0xc0000000);
		ceiling.state->u.gate.ceiling = seed & 0x1000 ? seed : seed >> 25;
		event.state->flags = seed >> 20;
		event.state->u.event.gate_offset = seed & 0x2000 ? seed : seed & 0xfff;
		event.state->u.event.pollrefs = ~seed;
		semaphore.state->u.event.value = seed & 0x4000 ? seed : seed >> 30;
		semaphore.state->u.event.pollrefs = seed;
		flags.state->u.event.value = seed >> 8;
		flags.state->u.event.pollrefs = -seed;
		window->pp_pending = owners[(seed >> 18) % ARRAY_SIZE(owners)];
	}
	return NULL;
}

static void on_alarm(int sig)
{
	(void)sig;
}

/* Who is told that another thread owns a gate may wait for ever: that is up to whoever told so, if signals help. */
static void set_alarms(void)
{
	struct sigaction sa = { .sa_handler = on_alarm };
	struct itimerval its = { .it_interval.tv_usec = 50000, .it_value.tv_usec = 50000 };

	check_sys(sigaction(SIGALRM, &sa, NULL));
	check_sys(setitimer(ITIMER_REAL, &its, NULL));
}

static void read_state(const char *name)
{
	char path[96], text[96];
	int fd;

	snprintf(path, sizeof(path), "/sys/devices/virtual/monitor/%s/state", name);
	fd = check_sys(open(path, O_RDONLY));
	check_gt(read(fd, text, sizeof(text)), 0);
	close(fd);
}

#define ENTER_ERRORS	-ETIMEDOUT, -EDEADLK, -EOWNERDEAD, -EINTR

static void use_gate(struct monitor *mon)
{
	struct __evl_timespec past = { .tv_nsec = 1 }, soon;
	struct evl_monitor_waitreq wait = { .timeout_ptr = raw_ptr(&soon), .gatefd = mon->fd };
	struct timespec ts;

	check_one_of(raw_oob_ioctl(FORM_A, mon->fd, EVL_MONIOC_ENTER, &past), ENTER_ERRORS);
	clock_gettime(CLOCK_MONOTONIC, &ts);
	ts.tv_nsec += 100000;
	soon = (struct __evl_timespec){ ts.tv_sec + ts.tv_nsec / NSEC_PER_SEC, ts.tv_nsec % NSEC_PER_SEC };
	check_one_of(raw_oob_ioctl(FORM_A, event.fd, EVL_MONIOC_WAIT, &wait), ENTER_ERRORS);
	check_one_of(wait.status, -ETIMEDOUT, -EPERM, -EINTR, -EAGAIN, -EBADFD);
	check_one_of(raw_oob_ioctl(FORM_A, mon->fd, EVL_MONIOC_EXIT, NULL), -EPERM, -EINTR);
	check_one_of(raw_oob_ioctl(FORM_A, mon->fd, EVL_MONIOC_TRYENTER, NULL), -EBUSY, -EDEADLK, -EOWNERDEAD, -EINTR);
	check_one_of(raw_oob_ioctl(FORM_A, mon->fd, EVL_MONIOC_EXIT, NULL), -EPERM, -EINTR);
}

static void use_ungated(struct monitor *mon)
{
	struct __evl_timespec past = { .tv_nsec = 1 };
	struct evl_monitor_waitreq wait = { .timeout_ptr = raw_ptr(&past), .gatefd = -1 };
	struct evl_poll_event evs[2];
	int one = 1;

	check_one_of(raw_oob_ioctl(FORM_A, mon->fd, EVL_MONIOC_WAIT, &wait), -ETIMEDOUT, -EINTR);
	check_one_of(raw_oob_ioctl(FORM_A, mon->fd, EVL_MONIOC_SIGNAL, &one), -EOVERFLOW, -EINTR);
	check_one_of(raw_oob_ioctl(FORM_A, mon->fd, EVL_MONIOC_BROADCAST, &one), -EINTR);
	check_one_of(raw_oob_ioctl(FORM_A, mon->fd, EVL_MONIOC_TRYWAIT, &one), -EAGAIN, -EINTR);
	check_one_of(look_at_group(evs, 2), 1, 2, -ETIMEDOUT, -EINTR);
}

static void expect_unboosted(struct raw_thread *t, int policy, int prio)
{
	struct evl_thread_state state;

	check_eq(raw_oob_ioctl(FORM_A, t->efd, EVL_THRIOC_GET_STATE, &state), 0);
	check_eq(state.eattrs.sched_policy, policy);
	check_eq(state.eattrs.sched_priority, prio);
}

static void monitor_states_in_motion(void)
{
	pthread_t another;

	attach("hostile");
	new_monitors(0, 0);
	ceiling = new_monitor("ceiling", EVL_MONITOR_GATE, EVL_GATE_PP, 42);
	new_group();
	check_eq(control_group(EVL_POLL_CTLADD, semaphore.fd), 0);
	check_eq(control_group(EVL_POLL_CTLADD, flags.fd), 0);
	check_eq(pthread_create(&another, NULL, be_another, NULL), 0);
	wait_sem(&another_ready);
	expect_unboosted(&other, SCHED_WEAK, 0);
	start_flipper(scribble_states, NULL);
	set_alarms();
	for (int i = 0; i < 300; i++) {
		use_gate(&gate);
		use_gate(&ceiling);
		use_ungated(&semaphore);
		use_ungated(&flags);
		read_state("gate");
		read_state("ceiling");
		read_state("semaphore");
	}
	check_sys(setitimer(ITIMER_REAL, &(struct itimerval){ 0 }, NULL));
	stop_flipper();
	self.window->pp_pending = 0;
	close(gate.fd);
	close(ceiling.fd);
	close(event.fd);
	/* Nothing is left of what others lent to us, or of ceilings. */
	expect_unboosted(&self, SCHED_FIFO, 10);
	expect_unboosted(&other, SCHED_WEAK, 0);
	sem_post(&another_done);
	check_eq(pthread_join(another, NULL), 0);
	check_eq(raw_detach(&self), 0);
}

static void *flip_window(void *arg)
{
	volatile struct evl_user_window *window = arg;
	unsigned int seed = 1;

	while (keep_flipping()) {
		seed = seed * 1103515245 + 12345;
		window->state = seed;
		window->info = ~seed;
		window->pp_pending = seed >> 3;
	}
	return NULL;
}

/* The window is the core's to tell, not to believe. */
static void window_in_motion(void)
{
	struct evl_thread_state state;

	check_ok(raw_init(&process, 36));
	check_ok(raw_attach(&process, &self, FORM_A, "window", 0));
	start_flipper(flip_window, (void *)self.window);
	for (int i = 0; i < 500; i++) {
		struct __evl_timespec past = { 0 };

		check_eq(raw_oob_ioctl(FORM_A, process.monofd, EVL_CLKIOC_SLEEP, &past), 0);
		check_eq(raw_ioctl(self.efd, EVL_THRIOC_GET_STATE, &state), 0);
		check_eq(state.eattrs.sched_policy, SCHED_WEAK);
	}
	stop_flipper();
	check_eq(raw_detach(&self), 0);
}

static void scribble_all(void *arg)
{
	unsigned int seed = getpid(), i;

	(void)arg;
	check_ok(raw_init(&process, 36));
	for (int round = 0; round < 20; round++) {
		volatile unsigned int *word = process.shared;

		for (i = 0; i < process.info.shm_size / 4; i++) {
			seed = seed * 1103515245 + 12345;
			word[i] = seed;
		}
	}
	memset(process.shared, 0, process.info.shm_size);
}

/* Another process may write to all of the shared memory. */
static void shared_memory_scribbled(void)
{
	pid_t pid;

	attach("victim");
	pid = fork_child(scribble_all, NULL);
	for (int i = 0; i < 200; i++) {
		struct evl_thread_state state;

		check_eq(raw_oob_ioctl(FORM_A, self.efd, EVL_THRIOC_YIELD, NULL), 0);
		check_eq(raw_oob_ioctl(FORM_A, self.efd, EVL_THRIOC_GET_STATE, &state), 0);
		check_eq(state.eattrs.sched_priority, 10);
		syscall(SYS_getppid);
	}
	wait_success(pid);
}

static const struct CMUnitTest tests[] = {
	TEST(clone_request_in_motion, "a clone request which changes meanwhile"),
	TEST(name_in_motion, "a name which changes meanwhile"),
	TEST(wait_requests_in_motion, "a request to wait which changes meanwhile"),
	TEST(tries_in_motion, "requests to take flags which change meanwhile"),
	TEST(poll_requests_in_motion, "requests to a poll group which change meanwhile"),
	TEST(monitor_states_in_motion, "states of monitors which change all the time"),
	TEST(window_in_motion, "a window which its thread overwrites"),
	TEST(shared_memory_scribbled, "shared memory which another process overwrites"),
};

TEST_MAIN("hostile-memory", tests)
