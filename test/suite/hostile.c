// SPDX-License-Identifier: GPL-2.0-only
/* Misuse of descriptors and pointers on every request. */
#include "hostile.h"
#include <sys/socket.h>
#include <sys/un.h>

static int new_timer(void)
{
	int tfd = -1;

	check_eq(raw_ioctl(process.monofd, EVL_CLKIOC_NEW_TIMER, &tfd), 0);
	return tfd;
}

/* --- Every request, every file --------------------------------------------------------------------- */

static const unsigned int requests[] = {
	EVL_CTLIOC_GET_COREINFO, EVL_CTLIOC_SCHEDCTL, EVL_CTLIOC_GET_CPUSTATE, EVL_IOC_CLONE,
	EVL_CLKIOC_SLEEP, EVL_CLKIOC_GET_RES, EVL_CLKIOC_GET_TIME, EVL_CLKIOC_SET_TIME, EVL_CLKIOC_NEW_TIMER,
	EVL_TFDIOC_SET, EVL_TFDIOC_GET,
	EVL_THRIOC_SIGNAL, EVL_THRIOC_SET_SCHEDPARAM, EVL_THRIOC_GET_SCHEDPARAM, EVL_THRIOC_GET_STATE,
	EVL_THRIOC_SET_MODE, EVL_THRIOC_CLEAR_MODE,
	EVL_MONIOC_ENTER, EVL_MONIOC_TRYENTER, EVL_MONIOC_EXIT, EVL_MONIOC_WAIT, EVL_MONIOC_UNWAIT, EVL_MONIOC_BIND,
	EVL_MONIOC_SIGNAL, EVL_MONIOC_BROADCAST, EVL_MONIOC_WAIT_EXACT, EVL_MONIOC_TRYWAIT, EVL_MONIOC_TRYWAIT_EXACT,
	EVL_POLIOC_CTL, EVL_POLIOC_WAIT,
};

struct files {
	const char *name;
	int fd;
};

#define UNITS		3
#define BITS		5
#define NR_FILES	17

static void open_files(struct files *f)
{
	*f++ = (struct files){ "control", check_sys(open(EVL_CONTROL_DEV, O_RDWR)) };
	*f++ = (struct files){ "clock", process.monofd };
	*f++ = (struct files){ "timer", new_timer() };
	*f++ = (struct files){ "thread", self.efd };
	*f++ = (struct files){ "xbuf", check_ok(raw_create_xbuf("hostile", 64, 64, 0)) };
	*f++ = (struct files){ "proxy", check_ok(raw_create_proxy("hostile", 1, 64, 0, EVL_CLONE_OUTPUT)) };
	*f++ = (struct files){ "xbuf clone", check_ok(raw_open_clone("xbuf")) };
	*f++ = (struct files){ "proxy clone", check_ok(raw_open_clone("proxy")) };
	*f++ = (struct files){ "thread clone", check_ok(raw_open_clone("thread")) };
	new_monitors(UNITS, BITS);
	new_group();
	*f++ = (struct files){ "gate", gate.fd };
	*f++ = (struct files){ "event", event.fd };
	*f++ = (struct files){ "semaphore", semaphore.fd };
	*f++ = (struct files){ "flags", flags.fd };
	*f++ = (struct files){ "poll group", group };
	*f++ = (struct files){ "monitor clone", check_ok(raw_open_clone("monitor")) };
	*f++ = (struct files){ "null", check_sys(open("/dev/null", O_RDWR)) };
	*f++ = (struct files){ "pipe", ({ int fds[2]; check_sys(pipe(fds)); fds[1]; }) };
}

static bool is_refusal(long ret)
{
	return ret == -EFAULT || ret == -ENOTTY || ret == -EBADF || ret == -EINVAL || ret == -EOPNOTSUPP ||
	       ret == -EBUSY || ret == -EPERM;
}

/* These two do not look at what they are given: a gate is entered once, then it is ours, and left once. */
static bool is_answer(const struct files *f, unsigned int request, long ret)
{
	if (f->fd != gate.fd)
		return false;

	return (request == EVL_MONIOC_TRYENTER && (ret == 0 || ret == -EDEADLK)) ||
	       (request == EVL_MONIOC_EXIT && ret == 0);
}

/* Whatever was refused changed nothing. */
static void check_untouched(void)
{
	struct evl_poll_event evs[2];

	check_eq(gate.state->u.gate.owner, 0);
	check_eq(gate.state->flags, 0);
	check_eq(event.state->flags, 0);
	check_eq(event.state->u.event.gate_offset, EVL_MONITOR_NOGATE);
	check_eq(semaphore.state->u.event.value, UNITS);
	check_eq(flags.state->u.event.value, BITS);
	check_eq(look_at_group(evs, 2), -EINVAL);
	check_eq(raw_oob_ioctl(FORM_A, self.efd, EVL_THRIOC_YIELD, NULL), 0);
}

/* Pointers which lead nowhere, into the kernel, or to where nothing may be written. */
static void *bad_pointer(int i)
{
	static char *page;

	if (!page) {
		page = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
		check(page != MAP_FAILED);
		check_sys(mprotect(page + 4096, 4096, PROT_NONE));
	}
	switch (i) {
	case 0: return NULL;
	case 1: return (void *)1;
	case 2: return page + 4096;
	case 3: return page + 4096 - 2;
	case 4: return (void *)-1L;
	case 5: return (void *)-4096L;
	case 6: return (void *)0xffffffff81000000;
	case 7: return (void *)0x8000000000000000;
	case 8: return (void *)0x7ffffffffffc;
	default: return NULL;
	}
}

#define NR_BAD_POINTERS	9

static void bad_pointers_everywhere(void)
{
	struct files files[NR_FILES];
	long ret;

	attach("hostile");
	open_files(files);
	for (int f = 0; f < NR_FILES; f++) {
		for (unsigned int r = 0; r < ARRAY_SIZE(requests); r++) {
			for (int p = 0; p < NR_BAD_POINTERS; p++) {
				ret = raw_ioctl(files[f].fd, requests[r], bad_pointer(p));
				if (!is_refusal(ret))
					check_fail("ioctl(%s, %#x, pointer %d): %ld", files[f].name, requests[r], p, ret);
				ret = raw_oob_ioctl(FORM_A, files[f].fd, requests[r], bad_pointer(p));
				if (!is_refusal(ret) && !is_answer(&files[f], requests[r], ret))
					check_fail("oob_ioctl(%s, %#x, pointer %d): %ld", files[f].name, requests[r], p, ret);
			}
		}
	}
	check_untouched();
}

static void try_bad_buffer(const struct files *f, void *buf, size_t count)
{
	long ret;

	ret = raw_oob_read(FORM_A, f->fd, buf, count);
	if (ret >= 0)
		check_fail("oob_read(%s, %p, %zu): %ld", f->name, buf, count, ret);
	ret = raw_oob_write(FORM_A, f->fd, buf, count);
	if (ret >= 0)
		check_fail("oob_write(%s, %p, %zu): %ld", f->name, buf, count, ret);
	/* What others do with theirs is their business. */
	if (!strcmp(f->name, "null") || !strcmp(f->name, "pipe"))
		return;
	ret = neg_errno(read(f->fd, buf, count));
	if (ret >= 0)
		check_fail("read(%s, %p, %zu): %ld", f->name, buf, count, ret);
	ret = neg_errno(write(f->fd, buf, count));
	if (ret >= 0)
		check_fail("write(%s, %p, %zu): %ld", f->name, buf, count, ret);
}

static void bad_buffers_everywhere(void)
{
	static const size_t counts[] = { 4, 8, SIZE_MAX };
	struct files files[NR_FILES];

	attach("hostile");
	open_files(files);
	for (int f = 0; f < NR_FILES; f++) {
		fcntl(files[f].fd, F_SETFL, O_NONBLOCK);
		for (int p = 0; p < NR_BAD_POINTERS; p++)
			for (unsigned int n = 0; n < ARRAY_SIZE(counts); n++)
				try_bad_buffer(&files[f], bad_pointer(p), counts[n]);
	}
	check_untouched();
}

/* Pointers inside the structures that requests point to. */
static void bad_inner_pointers(void)
{
	int tfd;

	attach("hostile");
	tfd = new_timer();
	for (int p = 0; p < NR_BAD_POINTERS; p++) {
		struct evl_timerfd_setreq set = { .value_ptr = raw_ptr(bad_pointer(p)) };
		struct __evl_itimerspec its = { .it_value.tv_sec = 1L << 40 };
		struct evl_cpu_state cpu = { .state_ptr = raw_ptr(bad_pointer(p)) };

		check_eq(raw_ioctl(tfd, EVL_TFDIOC_SET, &set), -EFAULT);
		check_eq(raw_oob_ioctl(FORM_A, tfd, EVL_TFDIOC_SET, &set), -EFAULT);
		check_eq(raw_ioctl(process.ctlfd, EVL_CTLIOC_GET_CPUSTATE, &cpu), -EFAULT);
		if (!bad_pointer(p))
			continue;
		set = (struct evl_timerfd_setreq){ .value_ptr = raw_ptr(&its), .ovalue_ptr = raw_ptr(bad_pointer(p)) };
		check_eq(raw_ioctl(tfd, EVL_TFDIOC_SET, &set), -EFAULT);
		check_eq(raw_oob_ioctl(FORM_A, tfd, EVL_TFDIOC_SET, &set), -EFAULT);
	}
	check_eq(raw_oob_ioctl(FORM_A, self.efd, EVL_THRIOC_YIELD, NULL), 0);
}

static void bad_dates(void)
{
	static const unsigned int waits[] = { EVL_MONIOC_WAIT, EVL_MONIOC_WAIT_EXACT };
	struct files files[NR_FILES];

	attach("hostile");
	open_files(files);
	for (int p = 0; p < NR_BAD_POINTERS; p++) {
		struct evl_monitor_waitreq wait = { .timeout_ptr = raw_ptr(bad_pointer(p)), .gatefd = -1 };

		for (unsigned int n = 0; n < ARRAY_SIZE(waits); n++) {
			wait.gatefd = -1;
			check_eq(raw_oob_ioctl(FORM_A, semaphore.fd, waits[n], &wait), -EFAULT);
			check_eq(raw_oob_ioctl(FORM_A, flags.fd, waits[n], &wait), -EFAULT);
			wait.gatefd = gate.fd;
			check_eq(raw_oob_ioctl(FORM_A, gate.fd, EVL_MONIOC_TRYENTER, NULL), 0);
			check_eq(raw_oob_ioctl(FORM_A, event.fd, waits[n], &wait), -EFAULT);
			check_eq(raw_oob_ioctl(FORM_A, gate.fd, EVL_MONIOC_EXIT, NULL), 0);
		}
	}
	check_untouched();
}

static void bad_poll_pointers(void)
{
	struct files files[NR_FILES];
	struct evl_poll_event evs[2];

	attach("hostile");
	open_files(files);
	check_eq(control_group(EVL_POLL_CTLADD, semaphore.fd), 0);
	for (int p = 0; p < NR_BAD_POINTERS; p++) {
		struct evl_poll_waitreq wait = { raw_ptr(bad_pointer(p)), raw_ptr(evs), 1 };

		check_eq(raw_oob_ioctl(FORM_A, group, EVL_POLIOC_WAIT, &wait), -EFAULT);
		check_eq(look_at_group(bad_pointer(p), 1), -EFAULT);
		check_eq(look_at_group(bad_pointer(p), INT_MAX), -EFAULT);
		check_eq(look_at_group(bad_pointer(p), -1), -EINVAL);
		check_eq(look_at_group(bad_pointer(p), INT_MIN), -EINVAL);
		/* The event is there for who can take it. */
		check_eq(look_at_group(evs, 2), 1);
		check_eq(evs[0].fd, semaphore.fd);
	}
	check_eq(control_group(EVL_POLL_CTLDEL, semaphore.fd), 0);
	check_untouched();
}

/* --- Descriptors -------------------------------------------------------------------------------------- */

static void closed_descriptors(void)
{
	struct files files[NR_FILES];
	char c = 0;

	attach("hostile");
	open_files(files);
	for (int f = 0; f < NR_FILES; f++) {
		close(files[f].fd);
		check_eq(raw_oob_read(FORM_A, files[f].fd, &c, 1), -EBADF);
		check_eq(raw_oob_write(FORM_A, files[f].fd, &c, 1), -EBADF);
		for (unsigned int r = 0; r < ARRAY_SIZE(requests); r++)
			check_eq(raw_oob_ioctl(FORM_A, files[f].fd, requests[r], NULL), -EBADF);
	}
	for (int fd = -2; fd < 0; fd++)
		check_eq(raw_oob_read(FORM_A, fd, &c, 1), -EBADF);
	check_eq(raw_oob_read(FORM_A, INT_MAX, &c, 1), -EBADF);
	check_eq(raw_oob_read(FORM_A, INT_MIN, &c, 1), -EBADF);
}

static void foreign_descriptors(void)
{
	int fds[2], sockets[2], i;
	char c = 0;

	attach("hostile");
	check_sys(pipe(fds));
	check_sys(socketpair(AF_UNIX, SOCK_STREAM, 0, sockets));
	const int foreign[] = {
		0, 1, 2, fds[0], fds[1], sockets[0], check_sys(open("/dev/null", O_RDWR)), check_sys(open("/", O_RDONLY)),
		check_sys(open("/proc/self/mem", O_RDWR)), check_sys(memfd_create("foreign", 0)),
	};
	for (i = 0; i < (int)ARRAY_SIZE(foreign); i++) {
		check_eq(raw_oob_read(FORM_A, foreign[i], &c, 1), -EBADF);
		check_eq(raw_oob_write(FORM_A, foreign[i], &c, 1), -EBADF);
		for (unsigned int r = 0; r < ARRAY_SIZE(requests); r++)
			check_eq(raw_oob_ioctl(FORM_A, foreign[i], requests[r], NULL), -EBADF);
		check_eq(raw_oob_ioctl(FORM_A, foreign[i], EVL_THRIOC_YIELD, NULL), -EBADF);
		check_eq(raw_oob_ioctl(FORM_B, foreign[i], EVL_THRIOC_YIELD, NULL), -EBADF);
	}
}

/* No request takes @fd, which is no monitor, for one of the descriptors it needs. */
static void expect_useless(int fd)
{
	struct evl_monitor_attrs attrs = { .clockfd = fd, .type = EVL_MONITOR_EVENT, .protocol = EVL_EVENT_COUNT };
	struct evl_monitor_unwaitreq unwait = { .gatefd = fd };
	struct __evl_timespec forever = { 0 };
	struct evl_monitor_waitreq wait = { .timeout_ptr = raw_ptr(&forever), .gatefd = fd };

	check_eq(raw_oob_ioctl(FORM_A, gate.fd, EVL_MONIOC_TRYENTER, NULL), 0);
	check_eq(raw_oob_ioctl(FORM_A, event.fd, EVL_MONIOC_WAIT, &wait), fd < 0 ? -EINVAL : 0);
	check_eq(wait.status, -EINVAL);
	check_eq(raw_oob_ioctl(FORM_A, event.fd, EVL_MONIOC_UNWAIT, &unwait), -EINVAL);
	check_eq(raw_oob_ioctl(FORM_A, gate.fd, EVL_MONIOC_EXIT, NULL), 0);
	check_eq(raw_oob_ioctl(FORM_A, self.efd, EVL_THRIOC_SIGNAL, &fd), -EINVAL);
	/* Two small numbers are names of clocks. */
	if (fd != EVL_CLOCK_REALTIME && fd != EVL_CLOCK_MONOTONIC)
		check_eq(raw_create("monitor", "timeless", &attrs, 0, NULL), -EINVAL);
}

static void foreign_descriptors_within(void)
{
	int fds[2], closed;

	attach("hostile");
	new_monitors(UNITS, BITS);
	new_group();
	check_sys(pipe(fds));
	closed = check_sys(dup(gate.fd));
	close(closed);
	const int bad[] = { -1, -2, INT_MAX, INT_MIN, closed, 0, fds[0], check_sys(open("/dev/null", O_RDWR)) };
	const int ours[] = { self.efd, group, process.ctlfd, process.outfd };

	for (unsigned int i = 0; i < ARRAY_SIZE(bad); i++) {
		expect_useless(bad[i]);
		for (int action = EVL_POLL_CTLADD; action <= EVL_POLL_CTLMOD; action++)
			check_eq(control_group(action, bad[i]), -EBADF);
	}
	for (unsigned int i = 0; i < ARRAY_SIZE(ours); i++) {
		expect_useless(ours[i]);
		check_eq(control_group(EVL_POLL_CTLDEL, ours[i]), -ENOENT);
		check_eq(control_group(EVL_POLL_CTLMOD, ours[i]), -ENOENT);
	}
	check_eq(control_group(EVL_POLL_CTLADD, group), -ELOOP);
	check_eq(control_group(EVL_POLL_CTLMOD + 1, semaphore.fd), -EINVAL);
	check_untouched();
}

/* A number which is used again names the new file, not the old one. */
static void reused_numbers(void)
{
	char buf[8];
	int one, two;

	attach("hostile");
	one = check_ok(raw_create_xbuf("one", 64, 64, 0));
	two = check_ok(raw_create_xbuf("two", 64, 64, 0));
	for (int i = 0; i < 50; i++) {
		int fd = check_sys(dup(one));

		check_eq(raw_oob_write(FORM_A, fd, "1", 1), 1);
		check_sys(dup2(two, fd));
		check_eq(raw_oob_write(FORM_A, fd, "2", 1), 1);
		check_sys(dup2(process.monofd, fd));
		check_eq(raw_oob_write(FORM_A, fd, "3", 1), -EINVAL);
		check_sys(close(fd));
		check_eq(raw_oob_write(FORM_A, fd, "4", 1), -EBADF);
		check_eq(read(one, buf, 1), 1);
		check_eq(buf[0], '1');
		check_eq(read(two, buf, 1), 1);
		check_eq(buf[0], '2');
	}
}

static void send_fd(int sock, int fd)
{
	char c = 'f', control[CMSG_SPACE(sizeof(int))] = "";
	struct iovec iov = { &c, 1 };
	struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1, .msg_control = control,
			      .msg_controllen = sizeof(control) };
	struct cmsghdr *cmsg = CMSG_FIRSTHDR(&msg);

	cmsg->cmsg_level = SOL_SOCKET;
	cmsg->cmsg_type = SCM_RIGHTS;
	cmsg->cmsg_len = CMSG_LEN(sizeof(int));
	memcpy(CMSG_DATA(cmsg), &fd, sizeof(fd));
	check_eq(sendmsg(sock, &msg, 0), 1);
}

static int receive_fd(int sock)
{
	char c, control[CMSG_SPACE(sizeof(int))];
	struct iovec iov = { &c, 1 };
	struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1, .msg_control = control,
			      .msg_controllen = sizeof(control) };
	int fd;

	check_eq(recvmsg(sock, &msg, 0), 1);
	check(CMSG_FIRSTHDR(&msg));
	memcpy(&fd, CMSG_DATA(CMSG_FIRSTHDR(&msg)), sizeof(fd));
	return fd;
}

static void use_received(void *arg)
{
	int sock = *(int *)arg, fd;
	char c;

	attach("receiver");
	fd = receive_fd(sock);
	check_eq(raw_oob_read(FORM_A, fd, &c, 1), 1);
	check_eq(c, 's');
	check_eq(raw_oob_write(FORM_A, fd, "r", 1), 1);
}

static void passed_descriptors(void)
{
	int sockets[2], fd;
	pid_t pid;
	char c;

	check_sys(socketpair(AF_UNIX, SOCK_STREAM, 0, sockets));
	pid = fork_child(use_received, &sockets[1]);
	fd = check_ok(raw_create_xbuf("passed", 64, 64, 0));
	check_eq(write(fd, "s", 1), 1);
	send_fd(sockets[0], fd);
	wait_success(pid);
	check_eq(read(fd, &c, 1), 1);
	check_eq(c, 'r');
}

/* In flight and never received: it goes with the socket. */
static void lost_in_flight(void)
{
	int sockets[2], fd;

	check_sys(socketpair(AF_UNIX, SOCK_STREAM, 0, sockets));
	fd = check_ok(raw_create_xbuf("inflight", 64, 64, 0));
	send_fd(sockets[0], fd);
	close(fd);
	check_eq(access("/sys/devices/virtual/xbuf/inflight", F_OK), 0);
	close(sockets[0]);
	close(sockets[1]);
	await(access("/sys/devices/virtual/xbuf/inflight", F_OK));
}

/* --- Handles ---------------------------------------------------------------------------------------- */

#define ATTACHMENTS	300

static atomic_uint last_handle;

static void *attach_often(void *arg)
{
	struct raw_thread t;

	pin_to(0);
	for (int n = 0; n < ATTACHMENTS; n++) {
		check_ok(raw_attach(&process, &t, FORM_A, NULL, 0));
		atomic_store(&last_handle, t.eids.fundle);
		check_eq(raw_detach(&t), 0);
	}
	atomic_store(&last_handle, 0);

	return arg;
}

/* Handles are counted up. Here a gate belongs to the thread to come, all the time that takes to come. */
static void handles_to_come(void)
{
	unsigned int last;
	pthread_t thread;
	long ret;

	pin_to(sysconf(_SC_NPROCESSORS_ONLN) > 1);
	attach("guesser");
	new_monitors(0, 0);
	atomic_store(&last_handle, self.eids.fundle);
	check_eq(pthread_create(&thread, NULL, attach_often, NULL), 0);
	for (int n = 1; (last = atomic_load(&last_handle)); n++) {
		/* Making a thread takes help from the rest of Linux. */
		if (n % 100 == 0)
			nap();
		gate.state->u.gate.owner = last + 1;
		ret = raw_oob_ioctl(FORM_A, gate.fd, EVL_MONIOC_TRYENTER, NULL);
		check(ret == -EBUSY || ret == -EOWNERDEAD || ret == -EDEADLK || !ret);
	}
	check_eq(pthread_join(thread, NULL), 0);
}

static const struct CMUnitTest tests[] = {
	TEST(bad_pointers_everywhere, "each request to each file with each bad pointer is refused"),
	TEST(bad_buffers_everywhere, "so are transfers"),
	TEST(bad_inner_pointers, "and pointers within requests"),
	TEST(bad_dates, "and those to dates of waits"),
	TEST(bad_poll_pointers, "and those to events of a poll group, which are not lost"),
	TEST(closed_descriptors, "closed descriptors are EBADF"),
	TEST(foreign_descriptors, "files of others are EBADF"),
	TEST(foreign_descriptors_within, "and so they are within requests"),
	TEST(reused_numbers, "a number used again names the new file"),
	TEST(passed_descriptors, "a descriptor may be passed to another process"),
	TEST(lost_in_flight, "or get lost on the way"),
	TEST(handles_to_come, "who owns a gate may be a thread which is being made"),
};

TEST_MAIN("hostile", tests)
